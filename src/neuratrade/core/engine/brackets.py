"""Brackets: entry, stop and targets of one intent as one small state machine.

Exactly one exit rests at the venue: the stop. Targets, the ladder, the trail and the time exit are watched
here; `entries` gets in, `exits` leaves, `protection` keeps the stop fitting. From the first fill on every
unit held is under a working stop or on its way out, and the time it is not is counted.
"""

from decimal import Decimal

from neuratrade.core.engine.cover import live_stops, note_protection
from neuratrade.core.engine.entries import advance, ask_what_it_filled
from neuratrade.core.engine.exits import (
    begin_exit,
    end_outdated,
    leave,
    proceed,
    rung_quantity,
    target_rests,
    wish_to_leave,
)
from neuratrade.core.engine.protection import awaits_escalation, follow_trail, guard
from neuratrade.core.engine.state import BracketPhase, BracketState, OrderState
from neuratrade.core.engine.turn import Turn
from neuratrade.core.model.facts import CloseReason
from neuratrade.core.model.intent import Stop
from neuratrade.core.model.orders import OrderRole, OrderType

MAX_STOP_REJECTS = 3


def after_fill(turn: Turn, bracket: BracketState, order: OrderState) -> None:
    """Follows a fill: guards what was entered, goes on with what is being left."""
    go_on(turn, bracket)
    escalates = order.request.order_type is OrderType.STOP_LIMIT and order.is_live
    if escalates and bracket.bracket_id in turn.state.brackets:
        after_triggered(turn, bracket, order)


def go_on(turn: Turn, bracket: BracketState) -> None:
    """Does what the bracket's state asks for next, whatever just happened to it; nothing once it closed."""
    if bracket.bracket_id not in turn.state.brackets:
        return
    _keep_hold_timer(turn, bracket)
    end_outdated(turn, bracket)
    if bracket.phase is BracketPhase.EXITING:
        proceed(turn, bracket)
    else:
        guard(turn, bracket)
    advance(turn, bracket)


def after_triggered(turn: Turn, bracket: BracketState, order: OrderState) -> None:
    """A stop was reached: from now on it is bare until filled, and a limit may stay unfilled only so long."""
    note_protection(turn, bracket)
    timer_id = f"escalate:{bracket.bracket_id}"
    if order.request.order_type is OrderType.STOP_LIMIT and timer_id not in turn.state.timers:
        turn.set_timer(timer_id, turn.at_ns + turn.rules_of(bracket).escalate_ns)
    advance(turn, bracket)


def escalate(turn: Turn, bracket: BracketState, level: Decimal) -> None:
    """A stop that was reached is still not filled: it is taken away and the position left at market."""
    if any(stop.triggered_ns is not None for stop in live_stops(turn, bracket)):
        leave(turn, bracket, stop_reason(bracket), level)


def stop_reason(bracket: BracketState) -> CloseReason:
    """Why a bracket is left whose stop was reached."""
    return CloseReason.TRAIL if bracket.trailed else CloseReason.SL


def after_done(turn: Turn, bracket: BracketState, order: OrderState) -> None:
    """Follows the end of an order that did not fill whole: cancelled, expired, rejected, not found."""
    stop = order.request.role is OrderRole.STOP
    if stop and bracket.phase is BracketPhase.OPEN and bracket.stop_rejects >= MAX_STOP_REJECTS:
        if wish_to_leave(turn, bracket) is not None:
            # The last way out was refused a moment ago, and so is its stop: both are tried again in time.
            note_protection(turn, bracket)
            return
        leave(turn, bracket, CloseReason.KILL, bracket.stop_price)
    if bracket.bracket_id in turn.state.brackets:
        go_on(turn, bracket)
    if order.request.role is OrderRole.ENTRY:
        ask_what_it_filled(turn, bracket, order)


def after_refused_request(turn: Turn, bracket: BracketState, order: OrderState, asked: str) -> None:
    """Follows a refused cancel or amend: the order's true state is asked for, or the stop is replaced."""
    if not order.is_live:
        go_on(turn, bracket)
    elif asked == "amend":
        # In a closed market nothing could take its place, and of what was reached nothing need to.
        if bracket.intent.instrument not in turn.state.shut and not awaits_escalation(order):
            turn.cancel(order, "the venue refused to amend it: replace")
        note_protection(turn, bracket)
    elif order.missed_ns is None:
        # What a look-up did not find is looked up by its timer, or both would go round without end.
        turn.look_up(order)


def resume(turn: Turn, bracket: BracketState) -> None:
    """Takes up a bracket whose last turn may have been cut short: only what is proven is built upon."""
    _keep_hold_timer(turn, bracket)
    end_outdated(turn, bracket)
    if bracket.phase is BracketPhase.EXITING:
        proceed(turn, bracket)
    else:
        guard(turn, bracket, anew=True)
    advance(turn, bracket)


def watch(
    turn: Turn, bracket: BracketState, best: Decimal, worst: Decimal, *, may_target: bool = True
) -> None:
    """Holds the prices just seen against a stop kept here, the next target and the trail.

    best, worst: highest and lowest price for a long, the other way round for a short. may_target: False
    where the price may have been seen before the position was there.
    """
    if bracket.phase is not BracketPhase.OPEN or bracket.held <= 0:
        # What was left too much is bought back whatever the price: no target, no trail.
        return
    sign = bracket.intent.direction.sign
    if not turn.rules_of(bracket).rests_stops and isinstance(bracket.intent.protection, Stop):
        note_protection(turn, bracket)
        if (worst - bracket.stop_price) * sign <= 0:
            leave(turn, bracket, stop_reason(bracket), worst)
            return
    rungs = bracket.intent.take_profits
    if may_target and bracket.rungs_done < len(rungs):
        rung = rungs[bracket.rungs_done]
        if (best - rung.price) * sign >= 0 and not target_rests(turn, bracket):
            begin_exit(turn, bracket, CloseReason.TP, rung_quantity(turn, bracket), rung.price, best)
            return
    follow_trail(turn, bracket, best)


def _keep_hold_timer(turn: Turn, bracket: BracketState) -> None:
    """Sees to it that the bracket is left when its time is over, or its contract's."""
    due_ns, timer_id = _leave_ns(turn, bracket), f"hold:{bracket.bracket_id}"
    if bracket.entered <= 0 or due_ns is None or wish_to_leave(turn, bracket) is not None:
        return
    if turn.state.timers.get(timer_id) != due_ns:
        turn.set_timer(timer_id, due_ns)


def _leave_ns(turn: Turn, bracket: BracketState) -> int | None:
    hold_ns, flat_by_ns = bracket.intent.max_hold_ns, turn.instrument_of(bracket).flat_by_ns
    held_until_ns = None if hold_ns is None else bracket.opened_ns + hold_ns
    return min((due for due in (held_until_ns, flat_by_ns) if due is not None), default=None)
