"""Size layers: how much of the proposal may stay. Each computes one cap; the smallest wins.

A cap never refuses by itself: only the last layer does, when what is left is below the venue's minimum.
So tightening any limit can only shrink a size, and "why" shows every cap that was in play.
"""

from decimal import Decimal

from neuratrade.core.model.decimals import ONE, ZERO
from neuratrade.core.model.instrument import InstrumentKind
from neuratrade.core.model.intent import DefinedRisk, Direction, EntryType, Hedged, OpenIntent, Stop
from neuratrade.core.model.regime import Regime
from neuratrade.core.risk.layer import Cap, text
from neuratrade.core.risk.limits import Limits
from neuratrade.core.risk.quality import entry_price, round_trip_cost, target_gain
from neuratrade.core.risk.view import GateView, drawdown

REGIME_FACTOR = {Regime.HIGH_VOLATILITY: Decimal("0.5"), Regime.CRASH: ZERO}
BUDGET_FLOOR = Decimal("0.1")
"""Least share a drawdown leaves of a size. At the limit itself the drawdown layer refuses, and says why."""
_UNIT = "the worth of one unit"


def risk_per_unit(intent: OpenIntent, view: GateView) -> Decimal | None:
    """What one unit loses when its protection works, quote currency, costs included; None where not known."""
    contract, notional = view.instrument, unit_notional(intent, view)
    if contract is None or notional is None or view.spread_fraction is None:
        return None
    costs = notional * round_trip_cost(intent, contract, view.spread_fraction)
    entry = entry_price(intent, view)
    match intent.protection:
        case Stop(price=stop):
            return abs(entry - stop) * contract.multiplier + costs
        case DefinedRisk() if intent.direction is Direction.LONG:
            return (entry - contract.price_floor) * contract.multiplier + costs
        case DefinedRisk():
            top = contract.price_ceiling
            return None if top is None else (top - entry) * contract.multiplier + costs
        case Hedged(loss_cap=cap):
            return cap / intent.quantity if intent.quantity else cap


def unit_notional(intent: OpenIntent, view: GateView) -> Decimal | None:
    """What one unit is worth when it is entered, quote currency, at most; None where not known.

    Only a limit to buy is sure to pay no more than its price.
    """
    if view.instrument is None:
        return None
    price = intent.trigger_price
    bounded = intent.order_type is EntryType.LIMIT and intent.direction is Direction.LONG
    if view.price is not None and not bounded:
        price = max(price, view.price)
    value = price * view.instrument.multiplier
    return value if value > 0 else None


def requested(intent: OpenIntent, _: GateView, __: Limits) -> Cap:
    """Never more than was asked for."""
    if intent.quantity is None:
        return Cap(Decimal("Infinity"), "", "no quantity asked", "none")
    return Cap(intent.quantity, "the quantity asked for", text(intent.quantity), text(intent.quantity))


def risk_per_trade(intent: OpenIntent, view: GateView, limits: Limits) -> Cap:
    """Loss at the stop, costs included, stays within the share of equity one trade may risk."""
    return _risk_cap(intent, view, limits.risk_per_trade_fraction, "risk per trade")


def atr_size(_: OpenIntent, view: GateView, limits: Limits) -> Cap:
    """One average true range moves the position by at most this share of equity."""
    equity, contract, limit = _equity(view), view.instrument, text(limits.atr_risk_fraction)
    if equity is None:
        return _unknown("equity", limit)
    if contract is None or contract.multiplier <= 0:
        return _unknown("the instrument", limit)
    if view.atr is None or view.atr <= 0:
        return _unknown("the average true range", limit)
    quantity = equity * limits.atr_risk_fraction / (view.atr * contract.multiplier)
    return Cap(quantity, "volatility", f"ATR {text(view.atr)}", limit)


def kelly(intent: OpenIntent, view: GateView, limits: Limits) -> Cap:
    """Fractional Kelly from the calibrated win rate; at most a small fixed risk until evidence is enough.

    f = p - (1 - p) / b, with b the payoff net of costs; the risked share is f x kelly_fraction.
    Source: Kelly 1956. No edge left after costs means no size. A win rate from few outcomes may shrink the
    small fixed risk but never exceed it, so that asking for more outcomes cannot admit a larger size.
    """
    enough = view.win_rate is not None and view.win_rate_outcomes >= limits.kelly_min_outcomes
    if view.win_rate is None:
        cap = _risk_cap(intent, view, limits.uncalibrated_risk_fraction, "not calibrated yet")
        return cap._replace(observed=f"{view.win_rate_outcomes} outcomes")
    share = _kelly_share(intent, view, view.win_rate)
    if share is None:
        return _risk_cap(intent, view, limits.kelly_fraction, "fractional Kelly")
    fraction = share * limits.kelly_fraction
    if not enough:
        fraction = min(fraction, limits.uncalibrated_risk_fraction)
    cap = _risk_cap(intent, view, fraction, "fractional Kelly" if enough else "not calibrated yet")
    outcomes = f"{view.win_rate_outcomes} outcomes"
    return cap._replace(observed=f"win rate {text(view.win_rate)} of {outcomes}, Kelly {text(share)}")


def _kelly_share(intent: OpenIntent, view: GateView, win_rate: Decimal) -> Decimal | None:
    """Kelly's share of equity to risk, zero where there is no edge; None where a unit's risk is not known."""
    per_unit, notional = risk_per_unit(intent, view), unit_notional(intent, view)
    contract, spread = view.instrument, view.spread_fraction
    if per_unit is None or notional is None or contract is None or spread is None:
        return None
    trip = round_trip_cost(intent, contract, spread) * notional
    gain = target_gain(intent, view) * contract.multiplier - trip if intent.take_profits else per_unit
    return max(win_rate - (ONE - win_rate) * per_unit / gain, ZERO) if gain > 0 else ZERO


def position_cap(intent: OpenIntent, view: GateView, limits: Limits) -> Cap:
    """Position in one instrument stays within its share of equity (of futures the initial margin counts)."""
    equity, contract, limit = _equity(view), view.instrument, text(limits.position_fraction)
    if equity is None or view.account is None:
        return _unknown("equity", limit)
    unit = unit_notional(intent, view)
    if contract is None or unit is None:
        return _unknown(_UNIT, limit)
    margin = contract.initial_margin if contract.kind is InstrumentKind.FUTURE else ONE
    if margin <= 0:
        return _unknown("the initial margin", limit)
    room = max(equity * limits.position_fraction - view.account.instrument_notional * margin, ZERO)
    return Cap(room / (unit * margin), "position cap", f"room {text(room)}", limit)


def leverage(intent: OpenIntent, view: GateView, limits: Limits) -> Cap:
    """All positions together stay within the leverage ceiling."""
    equity, unit, limit = _equity(view), unit_notional(intent, view), text(limits.leverage)
    if equity is None or view.account is None:
        return _unknown("equity", limit)
    if unit is None:
        return _unknown(_UNIT, limit)
    room = max(equity * limits.leverage - view.account.gross_notional, ZERO)
    return Cap(room / unit, "leverage", f"room {text(room)}", limit)


def usd_caps(intent: OpenIntent, view: GateView, limits: Limits) -> Cap:
    """One order and all positions together stay within fixed amounts."""
    unit, limit = unit_notional(intent, view), f"{text(limits.order_usd)}, {text(limits.total_usd)} in all"
    if view.account is None:
        return _unknown("the account", limit)
    if unit is None:
        return _unknown(_UNIT, limit)
    room = max(min(limits.order_usd, limits.total_usd - view.account.gross_notional), ZERO)
    return Cap(room / unit, "amount cap", f"room {text(room)}", limit)


def liquidity(intent: OpenIntent, view: GateView, limits: Limits) -> Cap:
    """An order is a small part of what the market trades in a day."""
    unit, limit = unit_notional(intent, view), text(limits.volume_24h_share_fraction)
    if view.volume_24h is None:
        return _unknown("24 hours of volume", limit)
    if unit is None:
        return _unknown(_UNIT, limit)
    room = view.volume_24h * limits.volume_24h_share_fraction
    return Cap(room / unit, "liquidity", f"24 h {text(view.volume_24h)}", limit)


def regime_factor(view: GateView) -> Decimal:
    """0.5 in high volatility, 0 in a crash, 1 elsewhere."""
    return REGIME_FACTOR.get(view.regime, ONE)


def budget_factor(view: GateView, limits: Limits) -> Decimal | None:
    """Shrinks from 1 to a tenth as the 24 h drawdown uses up its limit; None without equity."""
    equity = _equity(view)
    if equity is None or view.account is None:
        return None
    if limits.drawdown_24h_fraction <= 0:
        return BUDGET_FLOOR
    used = drawdown(view.account.peak_24h, equity) / limits.drawdown_24h_fraction
    return max(ONE - used, BUDGET_FLOOR)


def _risk_cap(intent: OpenIntent, view: GateView, fraction: Decimal, reason: str) -> Cap:
    equity, limit = _equity(view), text(fraction)
    if equity is None:
        return _unknown("equity", limit)
    if view.instrument is None:
        return _unknown("the instrument", limit)
    if view.spread_fraction is None:
        return _unknown("the spread", limit)
    per_unit = risk_per_unit(intent, view)
    if per_unit is None or per_unit <= 0:
        return _unknown("a unit's risk above zero", limit)
    return Cap(equity * fraction / per_unit, reason, f"{text(per_unit)} a unit", limit)


def _unknown(what: str, limit: str) -> Cap:
    return Cap(None, what, "unknown", limit)


def _equity(view: GateView) -> Decimal | None:
    return None if view.account is None else view.account.equity
