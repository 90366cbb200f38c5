"""The fold: state after a fact, from state before it. Bookkeeping only; every decision is elsewhere.

Live, replay and audit all go through `apply`, so what a restart rebuilds is what was there.
"""

from collections.abc import Callable
from typing import Any

from neuratrade.core.engine.ledger import book_fill, credit
from neuratrade.core.engine.state import (
    AccountState,
    BracketPhase,
    BracketState,
    Counts,
    DeskState,
    LaneState,
    OrderState,
    Outcomes,
)
from neuratrade.core.model import facts as f
from neuratrade.core.model.decimals import ZERO
from neuratrade.core.model.intent import OpenIntent
from neuratrade.core.model.market import NS_PER_HOUR
from neuratrade.core.model.orders import OrderRole, OrderStatus
from neuratrade.core.risk.limits import limits_of, with_limit
from neuratrade.core.risk.view import drawdown

HOURS_KEPT = 24


def apply(state: DeskState, fact: f.Fact) -> None:
    """Changes `state` by one fact. Raises KeyError for a fact about an order or bracket never seen."""
    state.now_ns = max(state.now_ns, fact.at_ns)
    _FOLDS[type(fact)](state, fact)


def _run_started(state: DeskState, fact: f.RunStarted) -> None:
    if fact.fresh:
        account = AccountState(fact.account, {fact.account.currency: fact.cash}, equity=fact.cash)
        account.session_peak = account.day_start_equity = account.peak = fact.cash
        state.accounts = {fact.account.account_id: account}
        state.orders, state.brackets, state.timers = {}, {}, {}
        state.outcomes, state.counts = {}, Counts()
        state.seen = set()
        state.now_ns = fact.at_ns
        if state.governor != "operator":
            _set_running(state)
        state.limits = limits_of(fact.limits)
    state.keys[fact.key_id] = fact.public_key
    state.instruments = {item.key: item for item in fact.instruments}
    state.run_id, state.mode, state.finished = fact.run_id, fact.mode, False


def _set_running(state: DeskState) -> None:
    state.trading_state, state.governor = f.TradingState.RUNNING, ""
    state.state_reason, state.latched = "", False


def _run_ended(state: DeskState, fact: f.RunEnded) -> None:
    state.finished = fact.finished


def _nothing(_: DeskState, __: f.Fact) -> None:
    """The fact is kept for people; no state depends on it."""


def _intent_judged(state: DeskState, fact: f.IntentJudged) -> None:
    intent = fact.intent
    state.seen.add(intent.intent_id)
    counts = state.counts
    counts.intents += 1
    if not fact.approved:
        counts.refused += 1
        for layer in fact.layers:
            if layer.verdict.blocks:
                counts.refused_by[layer.name] = counts.refused_by.get(layer.name, 0) + 1
        return
    counts.approved += 1
    if isinstance(intent, OpenIntent) and fact.envelope is not None:
        stop = intent.stop_price or ZERO
        state.brackets[intent.intent_id] = BracketState(intent, fact.envelope, fact.quantity, stop)


def _order_planned(state: DeskState, fact: f.OrderPlanned) -> None:
    request = fact.request
    state.orders[request.client_order_id] = OrderState(
        request, request.quantity, request.stop_price, fact.at_ns, trade_ids=[]
    )
    bracket = state.brackets[request.bracket_id]
    bracket.legs += 1
    match request.role:
        case OrderRole.ENTRY:
            bracket.entry_order = request.client_order_id
            bracket.entry_used += request.quantity
        case OrderRole.STOP:
            bracket.stop_order = request.client_order_id
        case OrderRole.TARGET | OrderRole.EXIT:
            bracket.exit_order = request.client_order_id


def _cancel_planned(state: DeskState, fact: f.CancelPlanned) -> None:
    state.orders[fact.client_order_id].asked = "cancel"


def _amend_planned(state: DeskState, fact: f.AmendPlanned) -> None:
    state.orders[fact.client_order_id].asked = "amend"


def _order_accepted(state: DeskState, fact: f.OrderAccepted) -> None:
    order = state.orders[fact.client_order_id]
    order.venue_order_id = fact.venue_order_id
    if order.status is OrderStatus.UNKNOWN:
        # The answer to a look-up: whatever was asked of it before is asked again.
        order.asked = ""
    if order.status in (OrderStatus.PLANNED, OrderStatus.UNKNOWN):
        order.status = OrderStatus.WORKING


def _order_filled(state: DeskState, fact: f.OrderFilled) -> None:
    fill = fact.fill
    order = state.orders[fill.client_order_id]
    order.trade_ids.append(fill.trade_id)
    order.filled += fill.quantity
    if order.filled >= order.quantity:
        order.status = OrderStatus.FILLED
    elif order.status not in (OrderStatus.CANCELLED, OrderStatus.EXPIRED):
        # A fill that was late behind its order's end must not bring that order back to life.
        order.status = OrderStatus.PARTIAL
    instrument = state.instruments[fill.instrument]
    account = state.accounts[fill.account_id]
    book_fill(account, instrument, fill)
    bracket = state.brackets[order.request.bracket_id]
    value = fill.quantity * fill.price
    paid_in_base = fill.fee_currency == instrument.base and not instrument.is_derivative
    if not paid_in_base:
        bracket.fees += fill.fee
    if order.request.role is OrderRole.ENTRY:
        if bracket.entered == 0:
            bracket.opened_ns = fact.at_ns
            lane = bracket.intent.lane.value
            account.opened_today[lane] = account.opened_today.get(lane, 0) + 1
        bracket.entered += fill.quantity
        bracket.entry_value += value
        bracket.base_fees += fill.fee if paid_in_base else ZERO
        if bracket.phase is BracketPhase.ENTERING:
            bracket.phase = BracketPhase.OPEN
            bracket.best_price = fill.price
    else:
        bracket.exited += fill.quantity
        bracket.exit_value += value
        stopped = f.CloseReason.TRAIL if bracket.trailed else f.CloseReason.SL
        by_stop = order.request.role is OrderRole.STOP
        left_for = bracket.exit_reason or bracket.last_exit_reason or f.CloseReason.KILL
        bracket.last_exit_reason = stopped if by_stop else left_for


def _order_done(status: OrderStatus) -> Callable[[DeskState, Any], None]:
    def fold(state: DeskState, fact: f.OrderCancelled | f.OrderExpired | f.OrderRejected) -> None:
        order = state.orders[fact.client_order_id]
        order.status, order.asked = status, ""
        if order.request.role is OrderRole.STOP and status is OrderStatus.REJECTED:
            state.brackets[order.request.bracket_id].stop_rejects += 1

    return fold


def _order_amended(state: DeskState, fact: f.OrderAmended) -> None:
    order = state.orders[fact.client_order_id]
    order.quantity, order.stop_price = fact.quantity, fact.stop_price
    if order.asked == "amend":
        order.asked = ""


def _request_rejected(state: DeskState, fact: f.RequestRejected) -> None:
    state.orders[fact.client_order_id].asked = ""


def _order_unknown(state: DeskState, fact: f.OrderUnknown) -> None:
    state.orders[fact.client_order_id].status = OrderStatus.UNKNOWN


def _trigger_fired(state: DeskState, fact: f.TriggerFired) -> None:
    bracket = state.brackets[fact.bracket_id]
    bracket.phase = BracketPhase.EXITING
    bracket.exit_reason, bracket.exit_quantity = fact.reason, fact.quantity
    bracket.exit_level, bracket.exit_order = fact.level, None
    if fact.reason is f.CloseReason.TP:
        bracket.rungs_done += 1


def _exit_ended(state: DeskState, fact: f.ExitEnded) -> None:
    bracket = state.brackets[fact.bracket_id]
    bracket.phase = BracketPhase.OPEN
    if not fact.complete and bracket.exit_reason is f.CloseReason.TP:
        bracket.rungs_done -= 1
    bracket.exit_reason, bracket.exit_quantity = None, ZERO


def _trail_moved(state: DeskState, fact: f.TrailMoved) -> None:
    bracket = state.brackets[fact.bracket_id]
    bracket.stop_price, bracket.best_price, bracket.trailed = fact.stop_price, fact.seen, True


def _stop_moved(state: DeskState, fact: f.StopMoved) -> None:
    state.brackets[fact.bracket_id].stop_price = fact.stop_price


def _protection_changed(state: DeskState, fact: f.ProtectionChanged) -> None:
    bracket = state.brackets[fact.bracket_id]
    if fact.protected and not bracket.protected:
        bracket.unprotected_ns += fact.at_ns - bracket.unprotected_since_ns
    bracket.protected = fact.protected
    bracket.unprotected_since_ns = 0 if fact.protected else fact.at_ns


def _bracket_closed(state: DeskState, fact: f.BracketClosed) -> None:
    bracket = state.brackets.pop(fact.bracket_id)
    state.orders = {
        key: order for key, order in state.orders.items() if order.request.bracket_id != fact.bracket_id
    }
    for timer_id in [key for key in state.timers if key.endswith(fact.bracket_id)]:
        del state.timers[timer_id]
    if fact.entered == 0:
        return
    counts = state.counts
    counts.trades += 1
    counts.pnl += fact.pnl
    counts.fees += fact.fees
    counts.closed_by[fact.reason.value] = counts.closed_by.get(fact.reason.value, 0) + 1
    counts.unprotected_ms_max = max(counts.unprotected_ms_max, fact.unprotected_ms)
    _count_outcome(state, bracket, fact)


def _count_outcome(state: DeskState, bracket: BracketState, fact: f.BracketClosed) -> None:
    intent = bracket.intent
    account = state.accounts[intent.account_id]
    lane = account.lanes.setdefault(intent.lane.value, LaneState())
    outcome = state.outcomes.setdefault(intent.strategy_ref, Outcomes())
    outcome.closed += 1
    if fact.pnl < 0:
        lane.session_losses += 1
        account.losses += 1
        lane.last_loss_ns = fact.at_ns
    elif fact.pnl > 0:
        outcome.won += 1
        state.counts.wins += 1
        lane.session_losses = account.losses = 0


def _timer_set(state: DeskState, fact: f.TimerSet) -> None:
    state.timers[fact.timer_id] = fact.due_ns


def _timer_fired(state: DeskState, fact: f.TimerFired) -> None:
    state.timers.pop(fact.timer_id, None)


def _marked(state: DeskState, fact: f.Marked) -> None:
    account = state.accounts[fact.account_id]
    account.equity, account.marked_ns = fact.equity, fact.at_ns
    account.session_peak = max(account.session_peak, fact.equity)
    account.peak = max(account.peak, fact.equity)
    account.max_drawdown = max(account.max_drawdown, drawdown(account.peak, fact.equity))
    hour = fact.at_ns // NS_PER_HOUR
    peaks = account.hour_peaks
    if peaks and peaks[-1][0] == hour:
        peaks[-1] = (hour, max(peaks[-1][1], fact.equity))
    else:
        peaks.append((hour, fact.equity))
        account.hour_peaks = [item for item in peaks if item[0] >= hour - HOURS_KEPT]


def _day_rolled(state: DeskState, fact: f.DayRolled) -> None:
    account = state.accounts[fact.account_id]
    account.day = fact.day
    account.day_start_equity = account.session_peak = fact.equity
    account.opened_today = {}
    for lane in account.lanes.values():
        lane.session_losses = 0


def _state_moved(state: DeskState, fact: f.TradingStateMoved) -> None:
    state.trading_state, state.governor = fact.state, fact.governor
    state.state_reason, state.latched = fact.reason, fact.latched


def _limit_changed(state: DeskState, fact: f.LimitChanged) -> None:
    state.limits = with_limit(state.limits, fact.name, fact.value)


def _cash_moved(state: DeskState, fact: f.CashMoved) -> None:
    account = state.accounts[fact.account_id]
    credit(account, fact.currency, fact.amount)
    counted = fact.currency == account.account.currency
    if not counted or fact.kind not in ("deposit", "withdrawal", "transfer"):
        return
    account.equity += fact.amount
    account.day_start_equity += fact.amount
    account.session_peak += fact.amount
    account.peak += fact.amount
    account.hour_peaks = [(hour, peak + fact.amount) for hour, peak in account.hour_peaks]


_FOLDS: dict[type[Any], Callable[[DeskState, Any], None]] = {
    f.RunStarted: _run_started,
    f.RunEnded: _run_ended,
    f.DoorRefused: _nothing,
    f.IntentJudged: _intent_judged,
    f.OrderPlanned: _order_planned,
    f.CancelPlanned: _cancel_planned,
    f.AmendPlanned: _amend_planned,
    f.OrderAccepted: _order_accepted,
    f.OrderRejected: _order_done(OrderStatus.REJECTED),
    f.OrderFilled: _order_filled,
    f.OrderCancelled: _order_done(OrderStatus.CANCELLED),
    f.OrderExpired: _order_done(OrderStatus.EXPIRED),
    f.OrderNotFound: _order_done(OrderStatus.REJECTED),
    f.OrderAmended: _order_amended,
    f.RequestRejected: _request_rejected,
    f.OrderUnknown: _order_unknown,
    f.TriggerFired: _trigger_fired,
    f.ExitEnded: _exit_ended,
    f.TrailMoved: _trail_moved,
    f.StopMoved: _stop_moved,
    f.ProtectionChanged: _protection_changed,
    f.BracketClosed: _bracket_closed,
    f.TimerSet: _timer_set,
    f.TimerFired: _timer_fired,
    f.Marked: _marked,
    f.DayRolled: _day_rolled,
    f.TradingStateMoved: _state_moved,
    f.OperatorActed: _nothing,
    f.LimitChanged: _limit_changed,
    f.CashMoved: _cash_moved,
}
