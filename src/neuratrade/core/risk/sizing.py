"""Size layers: how much of the proposal may stay. Each computes one cap; the smallest wins.

A cap never refuses by itself: only the last layer does, when what is left is below the venue's minimum.
So tightening any limit can only shrink a size, and "why" shows every cap that was in play.
"""

from decimal import Decimal

from neuratrade.core.model.decimals import ONE, ZERO
from neuratrade.core.model.intent import DefinedRisk, Hedged, OpenIntent, Stop
from neuratrade.core.regime import Regime
from neuratrade.core.risk.layer import Cap, text
from neuratrade.core.risk.limits import Limits
from neuratrade.core.risk.quality import round_trip_cost
from neuratrade.core.risk.view import GateView, drawdown

REGIME_FACTOR = {Regime.HIGH_VOLATILITY: Decimal("0.5"), Regime.CRASH: ZERO}


def risk_per_unit(intent: OpenIntent, view: GateView) -> Decimal | None:
    """What one unit loses when its protection works, quote currency, costs included."""
    contract = view.instrument
    if contract is None or view.spread_fraction is None:
        return None
    unit = intent.trigger_price * contract.multiplier
    costs = unit * round_trip_cost(intent, contract, view.spread_fraction)
    match intent.protection:
        case Stop(price=stop):
            return abs(intent.trigger_price - stop) * contract.multiplier + costs
        case DefinedRisk():
            return unit + costs
        case Hedged(loss_cap=cap):
            return cap if intent.quantity is None else cap / intent.quantity


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
    equity, contract = _equity(view), view.instrument
    if equity is None or contract is None or not view.atr:
        return Cap(None, "equity, instrument or average true range", "unknown", "")
    quantity = equity * limits.atr_risk_fraction / (view.atr * contract.multiplier)
    return Cap(quantity, "volatility", f"ATR {text(view.atr)}", text(limits.atr_risk_fraction))


def kelly(intent: OpenIntent, view: GateView, limits: Limits) -> Cap:
    """Fractional Kelly from the calibrated win rate; a small fixed risk until there is enough evidence.

    f = p - (1 - p) / b, with b the payoff net of costs; the risked share is f x kelly_fraction.
    Source: Kelly 1956. No edge left after costs means no size.
    """
    enough = view.win_rate_outcomes >= limits.kelly_min_outcomes
    if view.win_rate is None or not enough:
        cap = _risk_cap(intent, view, limits.uncalibrated_risk_fraction, "not calibrated yet")
        return cap._replace(observed=f"{view.win_rate_outcomes} outcomes")
    per_unit = risk_per_unit(intent, view)
    if per_unit is None or view.instrument is None or view.spread_fraction is None:
        return Cap(None, "cost of a round trip", "unknown", "")
    trip = round_trip_cost(intent, view.instrument, view.spread_fraction) * intent.trigger_price
    gain = (intent.target_distance - trip) * view.instrument.multiplier if intent.take_profits else per_unit
    share = view.win_rate - (ONE - view.win_rate) * per_unit / gain if gain > 0 else ZERO
    cap = _risk_cap(intent, view, max(share, ZERO) * limits.kelly_fraction, "fractional Kelly")
    return cap._replace(observed=f"win rate {text(view.win_rate)}, Kelly {text(share)}")


def position_cap(intent: OpenIntent, view: GateView, limits: Limits) -> Cap:
    """Position in one instrument stays within its share of equity (derivatives with margin: futures)."""
    equity, contract = _equity(view), view.instrument
    if equity is None or contract is None or view.account is None:
        return Cap(None, "equity or instrument", "unknown", "")
    room = max(equity * limits.position_fraction - view.account.instrument_notional, ZERO)
    unit = intent.trigger_price * contract.multiplier
    if contract.kind.value == "future":
        unit *= contract.initial_margin
    return Cap(room / unit, "position cap", f"room {text(room)}", text(limits.position_fraction))


def leverage(intent: OpenIntent, view: GateView, limits: Limits) -> Cap:
    """All positions together stay within the leverage ceiling."""
    equity, contract = _equity(view), view.instrument
    if equity is None or contract is None or view.account is None:
        return Cap(None, "equity or instrument", "unknown", "")
    room = max(equity * limits.leverage - view.account.gross_notional, ZERO)
    quantity = room / (intent.trigger_price * contract.multiplier)
    return Cap(quantity, "leverage", f"room {text(room)}", text(limits.leverage))


def usd_caps(intent: OpenIntent, view: GateView, limits: Limits) -> Cap:
    """One order and all positions together stay within fixed amounts."""
    if view.instrument is None or view.account is None:
        return Cap(None, "instrument or account", "unknown", "")
    room = max(min(limits.order_usd, limits.total_usd - view.account.gross_notional), ZERO)
    quantity = room / (intent.trigger_price * view.instrument.multiplier)
    return Cap(quantity, "amount cap", f"room {text(room)}", text(limits.order_usd))


def liquidity(intent: OpenIntent, view: GateView, limits: Limits) -> Cap:
    """An order is a small part of what the market trades in a day."""
    if view.volume_24h is None or view.instrument is None:
        return Cap(None, "24 hours of volume", "unknown", text(limits.volume_24h_share_fraction))
    room = view.volume_24h * limits.volume_24h_share_fraction
    quantity = room / (intent.trigger_price * view.instrument.multiplier)
    return Cap(quantity, "liquidity", f"24 h {text(view.volume_24h)}", text(limits.volume_24h_share_fraction))


def regime_factor(view: GateView) -> Decimal:
    """0.5 in high volatility, 0 in a crash, 1 elsewhere."""
    return REGIME_FACTOR.get(view.regime, ONE)


def budget_factor(view: GateView, limits: Limits) -> Decimal | None:
    """Shrinks from 1 to 0 as the 24 h drawdown uses up its limit; None without equity."""
    equity = _equity(view)
    if equity is None or view.account is None:
        return None
    if limits.drawdown_24h_fraction <= 0:
        return ZERO
    used = drawdown(view.account.peak_24h, equity) / limits.drawdown_24h_fraction
    return max(ONE - used, ZERO)


def _risk_cap(intent: OpenIntent, view: GateView, fraction: Decimal, reason: str) -> Cap:
    equity, per_unit = _equity(view), risk_per_unit(intent, view)
    if equity is None or per_unit is None or per_unit <= 0:
        return Cap(None, "equity or risk per unit", "unknown", text(fraction))
    return Cap(equity * fraction / per_unit, reason, f"{text(per_unit)} a unit", text(fraction))


def _equity(view: GateView) -> Decimal | None:
    return None if view.account is None else view.account.equity
