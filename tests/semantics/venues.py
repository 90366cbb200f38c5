"""Venues that can do less than most, as rules, and what a hand is asked about its orders."""

from neuratrade.core.engine.state import OrderState
from neuratrade.core.model import commands as c
from neuratrade.core.model import facts as f
from neuratrade.core.model.market import NS_PER_SECOND
from neuratrade.core.model.orders import OrderRequest
from neuratrade.core.model.venue_rules import VenueRules
from tests.simulation.hand import Hand

AMENDS = VenueRules()
ADDS = VenueRules(amends_stops=False)
LOCKS = VenueRules(amends_stops=False, balance_lock=True)
STOP_LIMIT = VenueRules(stop_market=False, stop_limit=True, escalate_ns=2 * NS_PER_SECOND)
NO_STOPS = VenueRules(stop_market=False, stop_limit=False)

RESTING = {"amends": AMENDS, "adds": ADDS, "locks": LOCKS, "stop_limit": STOP_LIMIT}
"""Venues where some type of stop rests."""


def submits(commands: list[c.Command]) -> list[OrderRequest]:
    """The orders among commands."""
    return [item.order.request for item in commands if isinstance(item, c.SubmitOrder)]


def kinds(commands: list[c.Command]) -> list[type]:
    """What kinds of commands there are, in order."""
    return [type(item) for item in commands]


def live_exits(hand: Hand) -> list[OrderState]:
    """Orders of the only bracket that may still sell what it holds."""
    return [order for order in hand.state.orders.values() if order.is_live and order.request.role.reduces]


def guarded(hand: Hand) -> bool:
    """Whether all that the only bracket holds is under a working stop."""
    return hand.bracket.protected


def accept(hand: Hand, coid: str) -> None:
    """The venue works the order of that id."""
    hand.step(f.OrderAccepted(hand.now_ns, coid, f"V{coid[:8]}"))


def cancelled(hand: Hand, coid: str) -> None:
    """The venue proves that the order of that id is over."""
    hand.step(f.OrderCancelled(hand.now_ns, coid, "asked"))
