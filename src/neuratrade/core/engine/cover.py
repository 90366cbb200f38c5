"""How much of what a bracket holds is under a working stop right now, and since when it is not.

Everything that is not proven to guard counts as bare: a stop on its way, one whose cancel is under way,
one that was reached but is not filled, and all of it while the desk was down and the stop was only ours.
"""

from decimal import Decimal

from neuratrade.core.engine.state import BracketState, OrderState
from neuratrade.core.engine.turn import Turn
from neuratrade.core.model.decimals import ZERO
from neuratrade.core.model.facts import ProtectionChanged
from neuratrade.core.model.intent import Hedged, Stop
from neuratrade.core.model.market import NS_PER_SECOND
from neuratrade.core.model.orders import OrderStatus

PROTECT_TIMEOUT_NS = 5 * NS_PER_SECOND
WORKING = (OrderStatus.WORKING, OrderStatus.PARTIAL)


def sellable(turn: Turn, bracket: BracketState) -> Decimal:
    """What a bracket holds, floored to the lot; zero when a venue filled more than it had."""
    held = bracket.held
    return turn.instrument_of(bracket).round_quantity(held) if held > 0 else ZERO


def live_stops(turn: Turn, bracket: BracketState) -> list[OrderState]:
    """Its stops that may still fill, oldest first."""
    orders = turn.state.orders
    return [orders[coid] for coid in bracket.stop_orders if coid in orders and orders[coid].is_live]


def covered_by(stops: list[OrderState]) -> Decimal:
    """Quantity that working stops guard."""
    return sum((stop.remaining for stop in stops if _guards(stop)), ZERO)


def _guards(stop: OrderState) -> bool:
    known = not stop.listed_as and stop.triggered_ns is None
    return known and stop.status in WORKING and stop.asked != "cancel"


def is_covered(turn: Turn, bracket: BracketState) -> bool:
    """Whether every unit held is under a working stop, or nothing is held."""
    if bracket.held <= 0:
        return turn.instrument_of(bracket).round_quantity(-bracket.held) == 0
    wanted = sellable(turn, bracket)
    if wanted == 0:
        return True
    if not turn.rules_of(bracket).rests_stops:
        return bracket.exit_reason is None
    return covered_by(live_stops(turn, bracket)) >= wanted


def note_downtime(turn: Turn, bracket: BracketState, since_ns: int) -> None:
    """Records that nobody watched a stop kept here from `since_ns`, the last moment on record, until now.

    The time since then is counted whole: when in between the desk stopped watching is not on record.
    """
    watched_here = isinstance(bracket.intent.protection, Stop) and not turn.rules_of(bracket).rests_stops
    if watched_here and bracket.protected and sellable(turn, bracket) > 0:
        turn.record(ProtectionChanged(since_ns, bracket.bracket_id, False))


def note_protection(turn: Turn, bracket: BracketState) -> None:
    """Records that a bracket became covered or bare, and sets the timer that does not let it stay bare."""
    if bracket.bracket_id not in turn.state.brackets:
        return
    protection = bracket.intent.protection
    if isinstance(protection, Hedged) and not bracket.protected and sellable(turn, bracket) == 0:
        turn.record(ProtectionChanged(turn.at_ns, bracket.bracket_id, True))
    if not isinstance(protection, Stop):
        # What is hedged is watched with its basket (`baskets`): no timer here may tear the legs apart.
        return
    covered = is_covered(turn, bracket)
    timer_id = f"protect:{bracket.bracket_id}"
    if covered != bracket.protected:
        turn.record(ProtectionChanged(turn.at_ns, bracket.bracket_id, covered))
    elif covered or timer_id in turn.state.timers:
        return
    if not covered:
        turn.set_timer(timer_id, turn.at_ns + PROTECT_TIMEOUT_NS)
