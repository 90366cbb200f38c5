"""Counting layers: has this desk had enough for now?

Counts and losses are the account's own, folded from the journal, so a restart never resets them.
"""

from decimal import Decimal

from neuratrade.core.model.approval import LayerReport
from neuratrade.core.model.intent import Lane
from neuratrade.core.risk.case import Case
from neuratrade.core.risk.layer import approve, at_least, below, few, limit_text, missing, seconds
from neuratrade.core.risk.view import drawdown


def trades_per_day(case: Case) -> LayerReport:
    """Refuses one trade too many today; the scalp lane has its own, larger count."""
    scalps = case.intent.lane is Lane.SCALP
    limit = case.limits.scalp_trades_per_day if scalps else case.limits.trades_per_day
    if case.view.account is None:
        return missing("trades_per_day", "the account", str(limit))
    return few("trades_per_day", case.view.account.trades_today, limit, "enough trades for today")


def concurrent(case: Case) -> LayerReport:
    """Refuses one open bracket too many."""
    account, limit = case.view.account, case.limits.concurrent
    if account is None:
        return missing("concurrent", "the account", str(limit))
    return few("concurrent", account.open_brackets, limit, "too many open brackets")


def daily_loss(case: Case) -> LayerReport:
    """Refuses new exposure once the day has lost too much, counted on equity."""
    start = None if case.view.account is None else case.view.account.day_start_equity
    return _fall("daily_loss", case, start, case.limits.daily_loss_fraction, "the day has lost enough")


def session_drawdown(case: Case) -> LayerReport:
    """Refuses new exposure once equity fell too far from the session's peak."""
    peak = None if case.view.account is None else case.view.account.session_peak
    limit = case.limits.session_drawdown_fraction
    return _fall("session_drawdown", case, peak, limit, "the session has fallen enough")


def drawdown_24h(case: Case) -> LayerReport:
    """Refuses new exposure once equity fell too far from its peak of the last 24 hours."""
    limit = case.limits.drawdown_24h_fraction
    if case.drawdown_24h is None:
        return missing("drawdown_24h", "equity", limit_text(limit))
    return below("drawdown_24h", case.drawdown_24h, limit, "24 h drawdown is too deep")


def _fall(name: str, case: Case, peak: Decimal | None, limit: Decimal, reason: str) -> LayerReport:
    if peak is None or case.equity is None:
        return missing(name, "equity", limit_text(limit))
    return below(name, drawdown(peak, case.equity), limit, reason)


def loss_streak(case: Case) -> LayerReport:
    """Refuses a lane that lost too often in a row this session."""
    account, limit = case.view.account, case.limits.session_losses
    if account is None:
        return missing("loss_streak", "the account", str(limit))
    lost = account.lane_session_losses
    return few("loss_streak", lost, limit, "this lane lost too often in a row today")


def lane_cooldown(case: Case) -> LayerReport:
    """Refuses a lane that lost a moment ago."""
    account, limit_ns = case.view.account, case.limits.lane_cooldown_ns
    if account is None:
        return missing("lane_cooldown", "the account", seconds(limit_ns))
    last = account.lane_last_loss_ns
    if last is None:
        return approve("lane_cooldown", "no loss yet", limit_text(limit_ns, seconds))
    return at_least("lane_cooldown", case.view.now_ns - last, limit_ns, "the lane lost just now", seconds)
