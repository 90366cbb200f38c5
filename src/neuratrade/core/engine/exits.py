"""Ways out: stops cancelled, their end awaited, the exit sent, and what is left gets its stop again.

So two live sells are never outstanding. To leave whole is a wish that is kept: a timer asks again until
nothing is held, with a price collar that widens from attempt to attempt.
"""

from decimal import Decimal

from neuratrade.core.engine.closing import close_if_over
from neuratrade.core.engine.cover import note_protection, resting_stops, sellable, still_there, stray_exits
from neuratrade.core.engine.doubt import need_not_wait
from neuratrade.core.engine.entries import end_entry
from neuratrade.core.engine.protection import exit_side, guard
from neuratrade.core.engine.state import BracketPhase, BracketState
from neuratrade.core.engine.terms import timer_of_part
from neuratrade.core.engine.turn import Turn
from neuratrade.core.model.decimals import ONE, ZERO, ceil_to, floor_to
from neuratrade.core.model.facts import CloseReason, ExitEnded, TriggerFired
from neuratrade.core.model.instrument import EXIT_SLACK, Instrument
from neuratrade.core.model.market import NS_PER_MINUTE, NS_PER_SECOND
from neuratrade.core.model.orders import OrderRole, OrderStatus, OrderType, TimeInForce

EXIT_RETRY_NS = NS_PER_SECOND
EXIT_PATIENCE_NS = NS_PER_MINUTE
MOST_DOUBLINGS = 5
TARGET_AGAIN_NS = 5 * NS_PER_SECOND
"""How long no exit is tried at a target after the venue refused one: each costs the stop for a moment."""
WHOLE = (CloseReason.TIME, CloseReason.KILL, CloseReason.MANUAL, CloseReason.SL, CloseReason.TRAIL)


def leave(turn: Turn, bracket: BracketState, reason: CloseReason, level: Decimal) -> None:
    """Leaves whole, and keeps at it: a timer asks again until the bracket is closed.

    So it is not forgotten when it comes while the entry may still fill, or while another exit is under way.
    """
    if wish_to_leave(turn, bracket) is None:
        # While an exit is under way its end asks again; the timer is only for an end that never comes.
        entering = bracket.phase is BracketPhase.ENTERING
        timer_id = f"exit-{reason.value}:{bracket.bracket_id}"
        turn.set_timer(timer_id, turn.at_ns + (EXIT_RETRY_NS if entering else EXIT_PATIENCE_NS))
    begin_exit(turn, bracket, reason, abs(bracket.held), level, level)


def begin_exit(
    turn: Turn, bracket: BracketState, reason: CloseReason, quantity: Decimal, level: Decimal, seen: Decimal
) -> None:
    """Starts the way out for `quantity`: ends the entry, takes the stops away, then sends the exit.

    While the market is closed it waits for the opening: nothing would be sold, and the stops would be gone.
    A part that a person wants out waits too while another way out is under way.
    """
    end_entry(turn, bracket, f"leaving: {reason.value}")
    wanted = _sendable(turn.instrument_of(bracket), quantity, _there(turn, bracket), level)
    if wanted <= 0 or bracket.phase is BracketPhase.ENTERING:
        return
    leaving, shut = bracket.phase is BracketPhase.EXITING, bracket.intent.instrument in turn.state.shut
    if leaving or shut:
        if reason is CloseReason.MANUAL and wish_to_leave(turn, bracket) is None:
            again_ns = EXIT_RETRY_NS if leaving else EXIT_PATIENCE_NS
            turn.set_timer(_part_to_leave(turn, bracket, wanted), turn.at_ns + again_ns)
        return
    turn.record(TriggerFired(turn.at_ns, bracket.bracket_id, reason, level, seen, wanted))
    proceed(turn, bracket)


def _sendable(contract: Instrument, quantity: Decimal, there: Decimal, price: Decimal) -> Decimal:
    """What can be left of `there`: no part too small to be sent, and no rest too small to be guarded."""
    wanted = contract.round_quantity(min(quantity, there))
    least = max(contract.lot, contract.min_quantity)
    if not contract.is_derivative and price > 0:
        # Of a derivative venues take what only reduces, however little it is worth.
        worth = price * EXIT_SLACK * EXIT_SLACK * contract.multiplier
        least = max(least, ceil_to(contract.min_notional / worth, contract.lot))
    if wanted > 0:
        wanted = max(wanted, min(least, there))
    return contract.round_quantity(there) if wanted > 0 and there - wanted < least else wanted


def end_outdated(turn: Turn, bracket: BracketState) -> None:
    """Asks for the end of entries and exits whose contract was changed under them."""
    entry, way_out = turn.order(bracket.entry_order), turn.order(bracket.exit_order)
    if entry is not None and entry.listed_as and entry.is_live:
        end_entry(turn, bracket, "its contract was changed")
    elif bracket.intent.execution is not None:
        for order in list(turn.state.orders.values()):
            mine = order.request.bracket_id == bracket.bracket_id and order.request.role is OrderRole.ENTRY
            if mine and order.listed_as:
                turn.cancel(order, "its contract was changed")
    if way_out is not None and way_out.listed_as:
        turn.cancel(way_out, "its contract was changed")


def proceed(turn: Turn, bracket: BracketState) -> None:
    """The next step of a way out: the exit goes once nothing else may leave, and ends when it is over."""
    before = [*resting_stops(turn, bracket), *stray_exits(turn, bracket)]
    order = turn.order(bracket.exit_order)
    waited_for = [item for item in before if not need_not_wait(turn, bracket, item)]
    if waited_for:
        for item in waited_for:
            turn.cancel(item, "leaving")
        note_protection(turn, bracket)
    elif order is None:
        _send_exit(turn, bracket)
    elif not order.is_live or need_not_wait(turn, bracket, order):
        end_exit(turn, bracket)
    else:
        note_protection(turn, bracket)


def _send_exit(turn: Turn, bracket: BracketState) -> None:
    contract, held = turn.instrument_of(bracket), bracket.held
    wanted = contract.round_quantity(min(bracket.exit_quantity, _there(turn, bracket)))
    if wanted <= 0:
        end_exit(turn, bracket)
        return
    # A venue that filled more than was there left the opposite position: it is left the opposite way.
    side = exit_side(bracket) if held > 0 else exit_side(bracket).opposite
    at_target = bracket.exit_reason is CloseReason.TP
    level = contract.round_price(bracket.exit_level) if at_target else _collar(turn, bracket, side.sign)
    turn.send(
        bracket,
        OrderRole.TARGET if at_target else OrderRole.EXIT,
        side,
        OrderType.MARKET if level is None else OrderType.LIMIT,
        wanted,
        limit_price=level,
        time_in_force=TimeInForce.IOC,
    )
    note_protection(turn, bracket)


def _there(turn: Turn, bracket: BracketState) -> Decimal:
    """What may be left: all that is surely held, or all that was left too much."""
    return still_there(turn, bracket) if bracket.held > 0 else -bracket.held


def _collar(turn: Turn, bracket: BracketState, sign: int) -> Decimal | None:
    """The worst price the next exit may be filled at; None: any, after enough attempts or without a price."""
    collars = turn.rules_of(bracket).exit_collars
    if bracket.exit_attempts >= len(collars) or bracket.exit_level <= 0:
        return None
    contract = turn.instrument_of(bracket)
    raw = bracket.exit_level * (ONE + collars[bracket.exit_attempts] * sign)
    level = ceil_to(raw, contract.tick) if sign > 0 else floor_to(raw, contract.tick)
    return level if contract.admits_price(level) else None


def end_exit(turn: Turn, bracket: BracketState) -> None:
    """An exit order ended: guard what is left, and try again where leaving was not a matter of price."""
    order = turn.order(bracket.exit_order)
    missing = bracket.exit_quantity - (ZERO if order is None else order.filled)
    if close_if_over(turn, bracket):
        return
    wish = wish_to_leave(turn, bracket)
    if wish is None and missing > 0 and bracket.exit_reason is CloseReason.MANUAL:
        wish = _part_to_leave(turn, bracket, missing)
    if wish is not None:
        # Less often after each attempt, or a market that takes nothing would be asked every second.
        doublings = min(max(bracket.exit_attempts - 1, 0), MOST_DOUBLINGS)
        turn.set_timer(wish, turn.at_ns + (EXIT_RETRY_NS << doublings))
    if bracket.exit_reason is CloseReason.TP and order is not None and order.status is OrderStatus.REJECTED:
        turn.set_timer(_target_rests(bracket), turn.at_ns + TARGET_AGAIN_NS)
    complete = missing <= 0 and not _left_by_last_rung(turn, bracket)
    turn.record(ExitEnded(turn.at_ns, bracket.bracket_id, complete))
    guard(turn, bracket)


def target_rests(turn: Turn, bracket: BracketState) -> bool:
    """Whether the venue refused an exit at a target a moment ago: until a while after, none is tried."""
    return _target_rests(bracket) in turn.state.timers


def _target_rests(bracket: BracketState) -> str:
    return f"target:{bracket.bracket_id}"


def at_opening(turn: Turn, bracket: BracketState) -> None:
    """The market opened: what was to be left meanwhile is left now."""
    for timer_id in list(turn.state.timers):
        kind, _, bracket_id = timer_id.partition(":")
        if bracket_id == bracket.bracket_id and kind.startswith(("exit-", "reduce-")):
            turn.set_timer(timer_id, turn.at_ns)


def _part_to_leave(turn: Turn, bracket: BracketState, quantity: Decimal) -> str:
    return timer_of_part(turn.state.timers, bracket.bracket_id, quantity)


def wish_to_leave(turn: Turn, bracket: BracketState) -> str | None:
    """The timer that remembers that this bracket is to be left whole."""
    ids = (f"exit-{reason.value}:{bracket.bracket_id}" for reason in WHOLE)
    return next((timer_id for timer_id in ids if timer_id in turn.state.timers), None)


def _left_by_last_rung(turn: Turn, bracket: BracketState) -> bool:
    """Whether the ladder's end was to leave nothing, but its entry filled on while it was leaving."""
    rungs = bracket.intent.take_profits
    at_end = bracket.exit_reason is CloseReason.TP and bracket.rungs_done == len(rungs)
    whole = sum((rung.fraction for rung in rungs), ZERO) >= ONE
    return at_end and whole and sellable(turn, bracket) > 0


def rung_quantity(turn: Turn, bracket: BracketState) -> Decimal:
    """What the next rung of the ladder leaves: its share, or all where that is below a lot, or the last."""
    rungs = bracket.intent.take_profits
    done = bracket.rungs_done + 1
    if done == len(rungs) and sum((rung.fraction for rung in rungs), ZERO) >= ONE:
        return bracket.held
    lots = turn.instrument_of(bracket).round_quantity(bracket.entered * rungs[bracket.rungs_done].fraction)
    return lots if lots > 0 else bracket.held
