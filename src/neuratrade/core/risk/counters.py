"""Counting layers: has this desk had enough for now?

Counts and losses are the account's own, folded from the journal, so a restart never resets them.
"""

from decimal import Decimal

from neuratrade.core.model.approval import LayerReport
from neuratrade.core.model.intent import Lane, OpenIntent
from neuratrade.core.risk.layer import approve, at_least, below, missing, seconds, text
from neuratrade.core.risk.limits import Limits
from neuratrade.core.risk.view import GateView, drawdown


def trades_per_day(intent: OpenIntent, view: GateView, limits: Limits) -> LayerReport:
    """Refuses one trade too many today; the scalp lane has its own, larger count."""
    limit = limits.scalp_trades_per_day if intent.lane is Lane.SCALP else limits.trades_per_day
    if view.account is None:
        return missing("trades_per_day", "the account", str(limit))
    return below("trades_per_day", view.account.trades_today, limit, "enough trades for today")


def concurrent(_: OpenIntent, view: GateView, limits: Limits) -> LayerReport:
    """Refuses one open bracket too many."""
    if view.account is None:
        return missing("concurrent", "the account", str(limits.concurrent))
    return below("concurrent", view.account.open_brackets, limits.concurrent, "too many open brackets")


def daily_loss(_: OpenIntent, view: GateView, limits: Limits) -> LayerReport:
    """Refuses new exposure once the day has lost too much, counted on equity."""
    start = None if view.account is None else view.account.day_start_equity
    return _fall("daily_loss", view, start, limits.daily_loss_fraction, "the day has lost enough")


def session_drawdown(_: OpenIntent, view: GateView, limits: Limits) -> LayerReport:
    """Refuses new exposure once equity fell too far from the session's peak."""
    peak = None if view.account is None else view.account.session_peak
    limit = limits.session_drawdown_fraction
    return _fall("session_drawdown", view, peak, limit, "the session has fallen enough")


def drawdown_24h(_: OpenIntent, view: GateView, limits: Limits) -> LayerReport:
    """Refuses new exposure once equity fell too far from its peak of the last 24 hours."""
    peak = None if view.account is None else view.account.peak_24h
    return _fall("drawdown_24h", view, peak, limits.drawdown_24h_fraction, "24 h drawdown is too deep")


def _fall(name: str, view: GateView, peak: Decimal | None, limit: Decimal, reason: str) -> LayerReport:
    equity = None if view.account is None else view.account.equity
    if peak is None or equity is None:
        return missing(name, "equity", text(limit))
    return below(name, drawdown(peak, equity), limit, reason)


def loss_streak(_: OpenIntent, view: GateView, limits: Limits) -> LayerReport:
    """Refuses a lane that lost too often in a row this session."""
    if view.account is None:
        return missing("loss_streak", "the account", str(limits.session_losses))
    lost = view.account.lane_session_losses
    return below("loss_streak", lost, limits.session_losses, "this lane lost too often in a row today")


def lane_cooldown(_: OpenIntent, view: GateView, limits: Limits) -> LayerReport:
    """Refuses a lane that lost a moment ago."""
    limit = seconds(limits.lane_cooldown_ns)
    if view.account is None:
        return missing("lane_cooldown", "the account", limit)
    last = view.account.lane_last_loss_ns
    if last is None:
        return approve("lane_cooldown", "no loss yet", limit)
    since_ns = view.now_ns - last
    return at_least("lane_cooldown", since_ns, limits.lane_cooldown_ns, "the lane lost just now", seconds)
