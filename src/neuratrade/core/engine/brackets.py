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
from neuratrade.core.model.market import NS_PER_MS, NS_PER_SECOND
from neuratrade.core.model.orders import OrderRole, OrderStatus, OrderType, Side, TimeInForce

PROTECT_TIMEOUT_NS = 5 * NS_PER_SECOND
EXIT_RETRY_NS = NS_PER_SECOND
MAX_STOP_REJECTS = 3
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
    hold_ns = bracket.intent.max_hold_ns
    is_entry = order.request.role is OrderRole.ENTRY
    timer_id = f"hold:{bracket.bracket_id}"
    if is_entry and hold_ns is not None and timer_id not in turn.state.timers:
        turn.set_timer(timer_id, bracket.opened_ns + hold_ns)
    if order.request.role in (OrderRole.TARGET, OrderRole.EXIT) and order.status.is_final:
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
                begin_exit(turn, bracket, CloseReason.KILL, bracket.held, bracket.stop_price, ZERO)
            else:
                guard(turn, bracket)
        case OrderRole.TARGET | OrderRole.EXIT:
            _after_exit(turn, bracket)


def after_refused_request(turn: Turn, bracket: BracketState, order: OrderState, asked: str) -> None:
    """Follows a refused cancel or amend: the order's true state is asked for, or the stop is replaced."""
    if not order.is_live:
        guard(turn, bracket)
    elif asked == "amend":
        turn.cancel(order, "the venue refused to amend it: replace")
    else:
        turn.look_up(order)


def guard(turn: Turn, bracket: BracketState) -> None:
    """Makes the stop fit what is held, notes whether it does, closes the bracket when all is over."""
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
    elif not stop.asked and stop.status in WORKING:
        moved = stop.stop_price != bracket.stop_price
        if stop.remaining != wanted or moved:
            reason = "follow the trail" if moved else "fit the quantity held"
            turn.amend(bracket, stop, stop.filled + wanted, bracket.stop_price, reason)
    _note_protection(turn, bracket)


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
    complete = order is not None and order.filled >= bracket.exit_quantity
    reason = bracket.exit_reason
    if _close_if_over(turn, bracket):
        return
    turn.record(ExitEnded(turn.at_ns, bracket.bracket_id, complete))
    guard(turn, bracket)
    must_go = reason in (CloseReason.TIME, CloseReason.KILL, CloseReason.LIQUIDATED)
    if reason is not None and (must_go or (not complete and reason is CloseReason.MANUAL)):
        turn.set_timer(f"exit-{reason.value}:{bracket.bracket_id}", turn.at_ns + EXIT_RETRY_NS)


def _note_protection(turn: Turn, bracket: BracketState) -> None:
    if bracket.bracket_id not in turn.state.brackets or not isinstance(bracket.intent.protection, Stop):
        return
    wanted = turn.instrument_of(bracket).round_quantity(bracket.held)
    stop = turn.order(bracket.stop_order)
    covered = wanted == 0 or (
        stop is not None and stop.status in WORKING and stop.asked != "cancel" and stop.remaining >= wanted
    )
    if covered == bracket.protected:
        return
    turn.record(ProtectionChanged(turn.at_ns, bracket.bracket_id, covered))
    if not covered:
        turn.set_timer(f"protect:{bracket.bracket_id}", turn.at_ns + PROTECT_TIMEOUT_NS)


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
