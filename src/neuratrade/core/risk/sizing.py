"""Size layers: how much of the proposal may stay. Each computes one cap; the smallest wins.

A cap never refuses by itself: only the last layer does, when what is left is below the venue's minimum.
So tightening any limit can only shrink a size, and "why" shows every cap that was in play.
"""

from decimal import Decimal
from functools import lru_cache

from neuratrade.core.model.decimals import ONE, ZERO
from neuratrade.core.model.instrument import InstrumentKind
from neuratrade.core.model.regime import Regime
from neuratrade.core.risk.case import Case
from neuratrade.core.risk.layer import Cap, Scale, limit_text, text

REGIME_FACTOR = dict.fromkeys(Regime, ONE) | {
    Regime.HIGH_VOLATILITY: Decimal("0.5"),
    Regime.CRASH: ZERO,
}
REGIME_SCALE = {
    regime: Scale(factor, regime.value, f"x {text(factor)}") for regime, factor in REGIME_FACTOR.items()
}
BUDGET_FLOOR = Decimal("0.1")
"""Least share a drawdown leaves of a size. At the limit itself the drawdown layer refuses, and says why."""
UNLIMITED = Decimal("Infinity")
"""The size nothing has capped yet."""
_UNIT = "the worth of one unit"
_RATE = "the conversion rate"
_NOT_ASKED = Cap(UNLIMITED, "", "no quantity asked", "none")


def requested(case: Case) -> Cap:
    """Never more than was asked for."""
    asked = case.intent.quantity
    if asked is None:
        return _NOT_ASKED
    shown = text(asked)
    return Cap(asked, "the quantity asked for", shown, shown)


def risk_per_trade(case: Case) -> Cap:
    """Loss at the stop, costs included, stays within the share of equity one trade may risk."""
    fraction = case.limits.risk_per_trade_fraction
    return _risk_cap(case, fraction, limit_text(fraction), "risk per trade")


def atr_size(case: Case) -> Cap:
    """One average true range moves the position by at most this share of equity."""
    fraction, contract, atr = case.limits.atr_risk_fraction, case.view.instrument, case.view.atr
    limit = limit_text(fraction)
    if case.equity is None:
        return _unknown("equity", limit)
    if contract is None or contract.multiplier <= ZERO:
        return _unknown("the instrument", limit)
    if atr is None or atr <= ZERO:
        return _unknown("the average true range", limit)
    if case.conversion is None:
        return _unknown(_RATE, limit)
    quantity = case.equity * fraction / (atr * contract.multiplier * case.conversion)
    return Cap(quantity, "volatility", f"ATR {text(atr)}", limit)


def kelly(case: Case) -> Cap:
    """Fractional Kelly from the calibrated win rate; at most a small fixed risk until evidence is enough.

    f = p - (1 - p) / b, with b the payoff net of costs; the risked share is f x kelly_fraction.
    Source: Kelly 1956. No edge left after costs means no size. A win rate from few outcomes may shrink the
    small fixed risk but never exceed it, so that asking for more outcomes cannot admit a larger size.
    """
    limits, win_rate, outcomes = case.limits, case.view.win_rate, case.view.win_rate_outcomes
    if win_rate is None:
        seen = f"{outcomes} outcomes"
        fraction = limits.uncalibrated_risk_fraction
        return _risk_cap(case, fraction, limit_text(fraction), "not calibrated yet", seen)
    share = _kelly_share(case, win_rate)
    if share is None:
        return _risk_cap(case, limits.kelly_fraction, limit_text(limits.kelly_fraction), "fractional Kelly")
    fraction, reason = share * limits.kelly_fraction, "fractional Kelly"
    if outcomes < limits.kelly_min_outcomes:
        fraction, reason = min(fraction, limits.uncalibrated_risk_fraction), "not calibrated yet"
    seen = f"win rate {text(win_rate)} of {outcomes} outcomes, Kelly {text(share)}"
    return _risk_cap(case, fraction, text(fraction), reason, seen)


def _kelly_share(case: Case, win_rate: Decimal) -> Decimal | None:
    """Kelly's share of equity to risk, zero where there is no edge; None where a unit's risk is not known."""
    risk, notional, contract = case.unit_risk, case.unit_notional, case.view.instrument
    if risk is None or notional is None or contract is None or case.round_trip is None:
        return None
    gain = risk
    if case.intent.take_profits:
        gain = case.target_gain * contract.multiplier - case.round_trip * notional
    if gain <= ZERO:
        return ZERO
    share = win_rate - (ONE - win_rate) * risk / gain
    return max(ZERO, share)


def position_cap(case: Case) -> Cap:
    """Position in one instrument stays within its share of equity (of futures the initial margin counts)."""
    fraction, account, contract = case.limits.position_fraction, case.view.account, case.view.instrument
    limit, unit = limit_text(fraction), case.unit_exposure
    if case.equity is None or account is None:
        return _unknown("equity", limit)
    if contract is None or unit is None:
        return _no_exposure(case, limit)
    margin = contract.initial_margin if contract.kind is InstrumentKind.FUTURE else ONE
    if margin <= ZERO:
        return _unknown("the initial margin", limit)
    room = case.equity * fraction - account.instrument_notional * margin
    return _room_cap(room, unit * margin, "position cap", limit)


def leverage(case: Case) -> Cap:
    """All positions together stay within the leverage ceiling."""
    account, unit, limit = case.view.account, case.unit_exposure, limit_text(case.limits.leverage)
    if case.equity is None or account is None:
        return _unknown("equity", limit)
    if unit is None:
        return _no_exposure(case, limit)
    return _room_cap(case.equity * case.limits.leverage - account.gross_notional, unit, "leverage", limit)


def usd_caps(case: Case) -> Cap:
    """One order and all positions together stay within fixed amounts."""
    one, total, account = case.limits.order_usd, case.limits.total_usd, case.view.account
    limit = _amounts_text(one, total)
    if account is None:
        return _unknown("the account", limit)
    if case.unit_exposure is None:
        return _no_exposure(case, limit)
    return _room_cap(min(one, total - account.gross_notional), case.unit_exposure, "amount cap", limit)


def liquidity(case: Case) -> Cap:
    """An order is a small part of what the market trades in a day."""
    share, traded = case.limits.volume_24h_share_fraction, case.view.volume_24h
    limit = limit_text(share)
    if traded is None:
        return _unknown("24 hours of volume", limit)
    if case.unit_notional is None:
        return _unknown(_UNIT, limit)
    return Cap(traded * share / case.unit_notional, "liquidity", f"24 h {text(traded)}", limit)


def regime_size(case: Case) -> Scale:
    """0.5 in high volatility, 0 in a crash, 1 elsewhere."""
    return REGIME_SCALE[case.view.regime]


def posture(case: Case) -> Scale:
    """The factor of profile, posture and phase; the limits they tighten bind in their own layers."""
    taken = case.stance
    if taken is None:
        return Scale(None, "the account", "")
    return Scale(taken.factor, taken.words, taken.effect)


def risk_budget(case: Case) -> Scale:
    """The trailing risk budget, times what a degraded venue or feed leaves: never more than 1."""
    budget = budget_factor(case)
    if budget is None:
        return Scale(None, "equity", "")
    shown = text(budget)
    if case.view.size_factor == ONE:
        return Scale(budget, shown, f"x {shown}")
    factor = max(ZERO, min(budget * case.view.size_factor, ONE))
    return Scale(factor, shown, f"x {text(factor)}")


def budget_factor(case: Case) -> Decimal | None:
    """Shrinks from 1 to a tenth as the 24 h drawdown uses up its limit; None without equity."""
    if case.drawdown_24h is None:
        return None
    if case.limits.drawdown_24h_fraction <= ZERO:
        return BUDGET_FLOOR
    return max(BUDGET_FLOOR, ONE - case.drawdown_24h / case.limits.drawdown_24h_fraction)


def _risk_cap(case: Case, fraction: Decimal, limit: str, reason: str, observed: str = "") -> Cap:
    """The size whose loss is `fraction` of equity, which `limit` shows.

    observed: what to show instead of a unit's risk.
    """
    equity, loss = case.equity, case.unit_loss
    if equity is None:
        return _unknown("equity", limit)
    if case.view.instrument is None:
        return _unknown("the instrument", limit)
    if case.view.spread_fraction is None:
        return _unknown("the spread", limit)
    if case.conversion is None:
        return _unknown(_RATE, limit)
    if loss is None or loss <= ZERO:
        return _unknown("a unit's risk above zero", limit)
    return Cap(equity * fraction / loss, reason, observed or f"{text(loss)} a unit", limit)


@lru_cache(maxsize=64)
def _amounts_text(one: Decimal, total: Decimal) -> str:
    return f"{limit_text(one)}, {limit_text(total)} in all"


def _room_cap(room: Decimal, unit: Decimal, reason: str, limit: str) -> Cap:
    left = max(ZERO, room)
    return Cap(left / unit, reason, f"room {text(left)}", limit)


def _no_exposure(case: Case, limit: str) -> Cap:
    return _unknown(_UNIT if case.unit_notional is None else _RATE, limit)


def _unknown(what: str, limit: str) -> Cap:
    return Cap(None, what, "unknown", limit)
