"""Brackets: entry, stop and targets of one intent as one small state machine.

Exactly one exit rests at the venue: the stop. Targets, the ladder, the trail and the time exit are watched
here. To leave by any of them the stop is cancelled, its end is awaited, the exit is sent, and what is left
gets its stop again, so two live sells are never outstanding. From the first fill on every unit held is
under a working stop or on its way out, and the time it is not is counted.
"""

from decimal import Decimal

from neuratrade.core.engine.state import BracketPhase, BracketState, OrderState
from neuratrade.core.engine.turn import Turn
from neuratrade.core.model.decimals import ONE, ZERO, ceil_to, floor_to
from neuratrade.core.model.facts import (
    BracketClosed,
    CloseReason,
    ExitEnded,
    ProtectionChanged,
    TrailMoved,
    TriggerFired,
)
from neuratrade.core.model.intent import Direction, EntryType, Stop
from neuratrade.core.model.market import NS_PER_MINUTE, NS_PER_MS, NS_PER_SECOND
from neuratrade.core.model.orders import OrderRole, OrderStatus, OrderType, Side, TimeInForce

PROTECT_TIMEOUT_NS = 5 * NS_PER_SECOND
EXIT_RETRY_NS = NS_PER_SECOND
EXIT_PATIENCE_NS = NS_PER_MINUTE
FIRST_LEGS = 3
MOST_DOUBLINGS = 5
MAX_STOP_REJECTS = 3
WHOLE = (CloseReason.TIME, CloseReason.KILL, CloseReason.MANUAL)
WORKING = (OrderStatus.WORKING, OrderStatus.PARTIAL)

_ENTRY_TYPES = {
    EntryType.MARKET: OrderType.MARKET,
    EntryType.LIMIT: OrderType.LIMIT,
    EntryType.STOP: OrderType.STOP,
}


def open_bracket(turn: Turn, bracket: BracketState) -> None:
    """Sends the entry of a freshly approved bracket."""
    intent = bracket.intent
    contract = turn.instrument_of(bracket)
    price = contract.round_price(intent.trigger_price)
    kind = intent.order_type
    resting = kind is not EntryType.MARKET
    expires_ns = bracket.envelope.expires_ns
    turn.send(
        bracket,
        OrderRole.ENTRY,
        bracket.envelope.side,
        _ENTRY_TYPES[kind],
        bracket.quantity,
        limit_price=price if kind is EntryType.LIMIT else None,
        stop_price=price if kind is EntryType.STOP else None,
        time_in_force=TimeInForce.GTD if resting else TimeInForce.IOC,
        expires_ns=expires_ns if resting else None,
    )
    if resting:
        turn.set_timer(f"entry:{bracket.bracket_id}", expires_ns)


def after_fill(turn: Turn, bracket: BracketState, order: OrderState) -> None:
    """Follows a fill: guards what was entered, ends what was left."""
    if order.request.role is OrderRole.ENTRY:
        _keep_hold_timer(turn, bracket)
    if _is_the_exit(bracket, order) and order.status.is_final:
        _after_exit(turn, bracket)
        return
    guard(turn, bracket)


def after_accepted(turn: Turn, bracket: BracketState, order: OrderState) -> None:
    """Follows word that an order works. A stop that could not be taken away ends the exit that wanted it."""
    leaving = bracket.phase is BracketPhase.EXITING
    if leaving and order.request.role is OrderRole.STOP and not order.asked:
        _after_exit(turn, bracket)
        return
    guard(turn, bracket)


def after_done(turn: Turn, bracket: BracketState, order: OrderState) -> None:
    """Follows the end of an order that did not fill whole: cancelled, expired, rejected, not found."""
    match order.request.role:
        case OrderRole.ENTRY:
            guard(turn, bracket)
        case OrderRole.STOP:
            if bracket.phase is BracketPhase.EXITING:
                _send_exit(turn, bracket)
            elif bracket.stop_rejects >= MAX_STOP_REJECTS:
                leave(turn, bracket, CloseReason.KILL, bracket.stop_price)
            else:
                guard(turn, bracket)
        case OrderRole.TARGET | OrderRole.EXIT if _is_the_exit(bracket, order):
            _after_exit(turn, bracket)
        case _:
            guard(turn, bracket)


def after_refused_request(turn: Turn, bracket: BracketState, order: OrderState, asked: str) -> None:
    """Follows a refused cancel or amend: the order's true state is asked for, or the stop is replaced."""
    if not order.is_live:
        guard(turn, bracket)
    elif asked == "amend":
        turn.cancel(order, "the venue refused to amend it: replace")
        _note_protection(turn, bracket)
    else:
        turn.look_up(order)


def resume(turn: Turn, bracket: BracketState) -> None:
    """Takes up a bracket whose last turn may have been cut short: only what is proven is built upon."""
    _keep_hold_timer(turn, bracket)
    stop, leaving = turn.order(bracket.stop_order), turn.order(bracket.exit_order)
    if bracket.phase is not BracketPhase.EXITING:
        guard(turn, bracket, anew=True)
    elif stop is not None and stop.is_live:
        turn.cancel(stop, "leaving, taken up again")
    elif leaving is None:
        _send_exit(turn, bracket)
    elif not leaving.is_live:
        _after_exit(turn, bracket)
    _note_protection(turn, bracket)


def guard(turn: Turn, bracket: BracketState, *, anew: bool = False) -> None:
    """Makes the stop fit what is held, notes whether it does, closes the bracket when all is over.

    anew: an amend under way may have been lost, so it is asked for again.
    """
    if _close_if_over(turn, bracket) or bracket.phase is not BracketPhase.OPEN:
        _note_protection(turn, bracket)
        return
    wanted = turn.instrument_of(bracket).round_quantity(bracket.held)
    stop = turn.order(bracket.stop_order)
    if not isinstance(bracket.intent.protection, Stop):
        return
    if stop is None or not stop.is_live:
        if wanted > 0:
            _send_stop(turn, bracket, wanted)
    elif wanted == 0:
        turn.cancel(stop, "nothing is held any more")
    elif stop.status in WORKING and (not stop.asked or (anew and stop.asked == "amend")):
        moved = stop.stop_price != bracket.stop_price
        if stop.remaining != wanted or moved or stop.asked:
            reason = "follow the trail" if moved else "fit the quantity held"
            turn.amend(bracket, stop, stop.filled + wanted, bracket.stop_price, reason)
    _note_protection(turn, bracket)


def leave(turn: Turn, bracket: BracketState, reason: CloseReason, level: Decimal) -> None:
    """Leaves whole, and keeps at it: a timer asks again until the bracket is closed.

    So it is not forgotten when it comes while the entry may still fill, or while another exit is under way.
    """
    if _wish_to_leave(turn, bracket) is None:
        # While an exit is under way its end asks again; the timer is only for an end that never comes.
        entering = bracket.phase is BracketPhase.ENTERING
        timer_id = f"exit-{reason.value}:{bracket.bracket_id}"
        turn.set_timer(timer_id, turn.at_ns + (EXIT_RETRY_NS if entering else EXIT_PATIENCE_NS))
    begin_exit(turn, bracket, reason, bracket.held, level, level)


def begin_exit(
    turn: Turn, bracket: BracketState, reason: CloseReason, quantity: Decimal, level: Decimal, seen: Decimal
) -> None:
    """Starts the way out for `quantity`: ends the entry, takes the stop away, then sends the exit."""
    entry = turn.order(bracket.entry_order)
    if entry is not None and entry.is_live:
        turn.cancel(entry, f"leaving: {reason.value}")
    contract = turn.instrument_of(bracket)
    wanted = contract.round_quantity(min(quantity, bracket.held))
    if wanted <= 0 or bracket.phase is not BracketPhase.OPEN:
        return
    turn.record(TriggerFired(turn.at_ns, bracket.bracket_id, reason, level, seen, wanted))
    stop = turn.order(bracket.stop_order)
    if stop is not None and stop.is_live:
        turn.cancel(stop, f"leaving: {reason.value}")
        _note_protection(turn, bracket)
        return
    _send_exit(turn, bracket)


def watch(turn: Turn, bracket: BracketState, best: Decimal, *, may_target: bool) -> None:
    """Holds the best price just seen against the next target and the trail.

    best: highest price for a long, lowest for a short. may_target: False where the price may have been
    seen before the position was there.
    """
    if bracket.phase is not BracketPhase.OPEN:
        return
    sign = bracket.intent.direction.sign
    rungs = bracket.intent.take_profits
    if may_target and bracket.rungs_done < len(rungs):
        rung = rungs[bracket.rungs_done]
        if (best - rung.price) * sign >= 0:
            begin_exit(turn, bracket, CloseReason.TP, _rung_quantity(turn, bracket), rung.price, best)
            return
    _trail(turn, bracket, best)


def _trail(turn: Turn, bracket: BracketState, best: Decimal) -> None:
    protection = bracket.intent.protection
    if not isinstance(protection, Stop) or protection.trail_fraction is None or bracket.best_price is None:
        return
    sign = bracket.intent.direction.sign
    if (best - bracket.best_price) * sign <= 0:
        return
    tick = turn.instrument_of(bracket).tick
    raw = best * (ONE - protection.trail_fraction * sign)
    level = floor_to(raw, tick) if sign > 0 else ceil_to(raw, tick)
    if (level - bracket.stop_price) * sign <= 0:
        return
    turn.record(TrailMoved(turn.at_ns, bracket.bracket_id, level, best))
    guard(turn, bracket)


def _rung_quantity(turn: Turn, bracket: BracketState) -> Decimal:
    rungs = bracket.intent.take_profits
    done = bracket.rungs_done + 1
    if done == len(rungs) and sum((rung.fraction for rung in rungs), ZERO) >= ONE:
        return bracket.held
    lots = turn.instrument_of(bracket).round_quantity(bracket.entered * rungs[bracket.rungs_done].fraction)
    return lots if lots > 0 else bracket.held


def _exit_side(bracket: BracketState) -> Side:
    return Side.SELL if bracket.intent.direction is Direction.LONG else Side.BUY


def _send_stop(turn: Turn, bracket: BracketState, quantity: Decimal) -> None:
    turn.send(
        bracket,
        OrderRole.STOP,
        _exit_side(bracket),
        OrderType.STOP,
        quantity,
        stop_price=bracket.stop_price,
    )


def _send_exit(turn: Turn, bracket: BracketState) -> None:
    wanted = turn.instrument_of(bracket).round_quantity(min(bracket.exit_quantity, bracket.held))
    if wanted <= 0:
        _after_exit(turn, bracket)
        return
    at_target = bracket.exit_reason is CloseReason.TP
    turn.send(
        bracket,
        OrderRole.TARGET if at_target else OrderRole.EXIT,
        _exit_side(bracket),
        OrderType.LIMIT if at_target else OrderType.MARKET,
        wanted,
        limit_price=turn.instrument_of(bracket).round_price(bracket.exit_level) if at_target else None,
        time_in_force=TimeInForce.IOC,
    )
    _note_protection(turn, bracket)


def _after_exit(turn: Turn, bracket: BracketState) -> None:
    """An exit order ended: guard what is left, and try again where leaving was not a matter of price."""
    order = turn.order(bracket.exit_order)
    missing = bracket.exit_quantity - (ZERO if order is None else order.filled)
    if _close_if_over(turn, bracket):
        return
    wish = _wish_to_leave(turn, bracket)
    if wish is None and missing > 0 and bracket.exit_reason is CloseReason.MANUAL:
        wish = f"reduce-{missing:f}:{bracket.bracket_id}"
    if wish is not None:
        # Less often after each attempt, or a market that takes nothing would be asked every second.
        attempts = max(bracket.legs - FIRST_LEGS, 0) // 2
        turn.set_timer(wish, turn.at_ns + (EXIT_RETRY_NS << min(attempts, MOST_DOUBLINGS)))
    complete = missing <= 0 and not _left_by_last_rung(turn, bracket)
    turn.record(ExitEnded(turn.at_ns, bracket.bracket_id, complete))
    guard(turn, bracket)


def _wish_to_leave(turn: Turn, bracket: BracketState) -> str | None:
    """The timer that remembers that this bracket is to be left whole."""
    ids = (f"exit-{reason.value}:{bracket.bracket_id}" for reason in WHOLE)
    return next((timer_id for timer_id in ids if timer_id in turn.state.timers), None)


def _left_by_last_rung(turn: Turn, bracket: BracketState) -> bool:
    """Whether the ladder's end was to leave nothing, but its entry filled on while it was leaving."""
    rungs = bracket.intent.take_profits
    at_end = bracket.exit_reason is CloseReason.TP and bracket.rungs_done == len(rungs)
    whole = sum((rung.fraction for rung in rungs), ZERO) >= ONE
    return at_end and whole and turn.instrument_of(bracket).round_quantity(bracket.held) > 0


def _is_the_exit(bracket: BracketState, order: OrderState) -> bool:
    """Whether `order` is the exit under way; a late word about an earlier one ends nothing."""
    coid = order.request.client_order_id
    return bracket.phase is BracketPhase.EXITING and bracket.exit_order == coid


def _keep_hold_timer(turn: Turn, bracket: BracketState) -> None:
    hold_ns, timer_id = bracket.intent.max_hold_ns, f"hold:{bracket.bracket_id}"
    kept = timer_id in turn.state.timers or _wish_to_leave(turn, bracket) is not None
    if bracket.entered > 0 and hold_ns is not None and not kept:
        turn.set_timer(timer_id, bracket.opened_ns + hold_ns)


def _note_protection(turn: Turn, bracket: BracketState) -> None:
    if bracket.bracket_id not in turn.state.brackets or not isinstance(bracket.intent.protection, Stop):
        return
    wanted = turn.instrument_of(bracket).round_quantity(bracket.held)
    stop = turn.order(bracket.stop_order)
    covered = wanted == 0 or (
        stop is not None and stop.status in WORKING and stop.asked != "cancel" and stop.remaining >= wanted
    )
    timer_id = f"protect:{bracket.bracket_id}"
    if covered != bracket.protected:
        turn.record(ProtectionChanged(turn.at_ns, bracket.bracket_id, covered))
    elif covered or timer_id in turn.state.timers:
        return
    if not covered:
        turn.set_timer(timer_id, turn.at_ns + PROTECT_TIMEOUT_NS)


def _close_if_over(turn: Turn, bracket: BracketState) -> bool:
    """Closes the bracket once nothing is held and nothing can fill any more."""
    contract = turn.instrument_of(bracket)
    if contract.round_quantity(bracket.held) > 0:
        return False
    ids = (bracket.entry_order, bracket.stop_order, bracket.exit_order)
    live = [order for order in map(turn.order, ids) if order is not None and order.is_live]
    for order in live:
        if bracket.entered > 0:
            turn.cancel(order, "the bracket is over")
    if live:
        return False
    _note_protection(turn, bracket)
    turn.record(_closing(turn, bracket, contract.multiplier))
    return True


def _closing(turn: Turn, bracket: BracketState, multiplier: Decimal) -> BracketClosed:
    entry = bracket.entry_price
    dust = bracket.held * entry
    gross = (bracket.exit_value + dust - bracket.entry_value) * bracket.intent.direction.sign * multiplier
    return BracketClosed(
        at_ns=turn.at_ns,
        bracket_id=bracket.bracket_id,
        reason=bracket.last_exit_reason or CloseReason.NO_ENTRY,
        entered=bracket.entered,
        entry_price=entry,
        exit_price=bracket.exit_value / bracket.exited if bracket.exited else ZERO,
        fees=bracket.fees + bracket.base_fees * entry,
        pnl=gross - bracket.fees,
        opened_ns=bracket.opened_ns,
        unprotected_ms=bracket.unprotected_ns // NS_PER_MS,
        account_id=bracket.intent.account_id,
        lane=bracket.intent.lane.value,
    )
