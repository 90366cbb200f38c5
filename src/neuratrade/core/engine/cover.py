"""How much of what a bracket holds is under a working stop right now, and since when it is not.

Everything that is not proven to guard counts as bare: a stop on its way, one whose cancel is under way,
one that was reached but is not filled, and all of it while the desk was down and the stop was only ours.
"""

from decimal import Decimal

from neuratrade.core.engine.state import BracketPhase, BracketState, OrderState
from neuratrade.core.engine.turn import Turn
from neuratrade.core.model.decimals import ZERO
from neuratrade.core.model.facts import ProtectionChanged
from neuratrade.core.model.intent import Hedged, Stop
from neuratrade.core.model.market import NS_PER_SECOND
from neuratrade.core.model.orders import OrderRole, OrderStatus

PROTECT_TIMEOUT_NS = 5 * NS_PER_SECOND
WORKING = (OrderStatus.WORKING, OrderStatus.PARTIAL)
WAYS_OUT = (OrderRole.TARGET, OrderRole.EXIT)


def sellable(turn: Turn, bracket: BracketState) -> Decimal:
    """What a bracket holds, in whole lots; zero when it is dust, or a venue filled more than it had."""
    return _orderable(turn, bracket, bracket.held)


def _orderable(turn: Turn, bracket: BracketState, held: Decimal) -> Decimal:
    """Of a holding, what an order can be made of.

    What was filled in part, or left in part, may be less than the venue takes an order for: that is dust.
    What was filled whole never is, since the gate saw to it, whatever a contract's terms say later.
    """
    contract = turn.instrument_of(bracket)
    if held <= 0:
        return ZERO
    level = bracket.stop_price if bracket.stop_price > 0 else bracket.intent.trigger_price
    in_part = bracket.entered < bracket.quantity or bracket.exited > 0
    return ZERO if in_part and contract.is_dust(held, level) else contract.round_quantity(held)


def live_stops(turn: Turn, bracket: BracketState) -> list[OrderState]:
    """Its stops that may still fill, oldest first."""
    orders = turn.state.orders
    return [orders[coid] for coid in bracket.stop_orders if coid in orders and orders[coid].is_live]


def resting_stops(turn: Turn, bracket: BracketState) -> list[OrderState]:
    """Those of its stops that may still fill at the venue; of others at most word is owed."""
    return [stop for stop in live_stops(turn, bracket) if not stop.status.is_final]


def still_there(turn: Turn, bracket: BracketState) -> Decimal:
    """What can be guarded or left: `sellable` without what the venue says it sold, but did not tell of yet.

    To wait for that word would leave the rest bare for as long as the venue keeps it back.
    """
    name = bracket.bracket_id
    owed = sum(
        (
            order.missing
            for order in turn.state.orders.values()
            if order.request.bracket_id == name and order.request.role.reduces
        ),
        ZERO,
    )
    return _orderable(turn, bracket, bracket.held - owed)


def stray_exits(turn: Turn, bracket: BracketState) -> list[OrderState]:
    """Exits of it that may still fill, but are not the one under way: thought absent, and there after all."""
    name = bracket.bracket_id
    under_way = bracket.exit_order if bracket.phase is BracketPhase.EXITING else None
    return [
        order
        for coid, order in turn.state.orders.items()
        if order.request.bracket_id == name
        and order.request.role in WAYS_OUT
        and not order.status.is_final
        and coid != under_way
    ]


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
        late = not covered and turn.filled_ns is not None and turn.filled_ns < turn.at_ns
        since_ns = (turn.filled_ns or 0) if late else 0
        turn.record(ProtectionChanged(turn.at_ns, bracket.bracket_id, covered, since_ns))
    elif covered or timer_id in turn.state.timers:
        return
    if not covered:
        turn.set_timer(timer_id, turn.at_ns + PROTECT_TIMEOUT_NS)
