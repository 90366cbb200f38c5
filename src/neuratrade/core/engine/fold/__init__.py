"""The fold: state after a fact, from state before it. Bookkeeping only; every decision is elsewhere.

Live, replay and audit all go through `apply`, so what a restart rebuilds is what was there.
"""

from collections.abc import Callable
from typing import Any

from neuratrade.core.engine.fold import accounts, actions, brackets, desk, orders
from neuratrade.core.engine.state import DeskState
from neuratrade.core.model import facts as f


def apply(state: DeskState, fact: f.Fact) -> None:
    """Changes `state` by one fact. Raises KeyError for a fact about an order or bracket never seen."""
    state.now_ns = max(state.now_ns, fact.at_ns)
    _FOLDS[type(fact)](state, fact)


def _nothing(_: DeskState, __: f.Fact) -> None:
    """The fact is kept for people; no state depends on it."""


_FOLDS: dict[type[Any], Callable[[DeskState, Any], None]] = {
    f.RunStarted: desk.run_started,
    f.RunEnded: desk.run_ended,
    f.DoorRefused: _nothing,
    f.IntentJudged: brackets.intent_judged,
    f.OrderPlanned: orders.order_planned,
    f.CancelPlanned: orders.cancel_planned,
    f.AmendPlanned: orders.amend_planned,
    f.OrderAccepted: orders.order_accepted,
    f.OrderRejected: orders.order_rejected,
    f.OrderFilled: orders.order_filled,
    f.OrderCancelled: orders.order_cancelled,
    f.OrderExpired: orders.order_expired,
    f.OrderNotFound: orders.order_not_found,
    f.OrderAmended: orders.order_amended,
    f.OrderTriggered: orders.order_triggered,
    f.RequestRejected: orders.request_rejected,
    f.OrderUnknown: orders.order_unknown,
    f.FillCorrected: orders.fill_corrected,
    f.Liquidated: brackets.liquidated,
    f.TriggerFired: brackets.trigger_fired,
    f.EntryEnded: brackets.entry_ended,
    f.ExitEnded: brackets.exit_ended,
    f.TrailMoved: brackets.trail_moved,
    f.StopMoved: brackets.stop_moved,
    f.ProtectionChanged: brackets.protection_changed,
    f.BracketClosed: brackets.bracket_closed,
    f.BracketReopened: brackets.bracket_reopened,
    f.BasketMoved: brackets.basket_moved,
    f.ForeignAdopted: brackets.foreign_adopted,
    f.TimerSet: desk.timer_set,
    f.TimerFired: desk.timer_fired,
    f.Marked: accounts.marked,
    f.DayRolled: accounts.day_rolled,
    f.PostureMoved: accounts.posture_moved,
    f.CashMoved: accounts.cash_moved,
    f.ForeignSeen: accounts.foreign_seen,
    f.Reconciled: accounts.reconciled,
    f.TradingStateMoved: desk.state_moved,
    f.OperatorActed: desk.operator_acted,
    f.PauseProposed: desk.pause_proposed,
    f.LimitChanged: desk.limit_changed,
    f.SessionMoved: desk.session_moved,
    f.Quarantined: desk.quarantined,
    f.QuarantineLifted: desk.quarantine_lifted,
    f.InstrumentUpdated: actions.instrument_updated,
    f.CorporateActed: actions.corporate_acted,
}
