"""Quality layers: is this a sane trade at today's prices, stops and costs?"""

from decimal import Decimal

from neuratrade.core.model.approval import LayerReport
from neuratrade.core.model.decimals import BASIS_POINTS, ZERO
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.intent import EntryType, Hedged, OpenIntent
from neuratrade.core.regime import Regime
from neuratrade.core.risk.layer import approve, at_least, at_most, missing, refuse, text
from neuratrade.core.risk.limits import Limits
from neuratrade.core.risk.view import GateView


def stop_distance_of(intent: OpenIntent) -> Decimal | None:
    """Distance from trigger to stop, quote per base; None where protection is not a stop."""
    stop = intent.stop_price
    return None if stop is None else abs(intent.trigger_price - stop)


def round_trip_cost(intent: OpenIntent, contract: Instrument, spread: Decimal) -> Decimal:
    """Expected cost of getting in and out, as a fraction of notional: both fees and one spread.

    A resting limit entry pays the maker fee; every exit is counted as taking.
    """
    resting = intent.order_type is EntryType.LIMIT
    entry_bps = contract.maker_fee_bps if resting else contract.taker_fee_bps
    return (entry_bps + contract.taker_fee_bps) / BASIS_POINTS + spread


def confidence(intent: OpenIntent, _: GateView, limits: Limits) -> LayerReport:
    """Refuses what its own proposer is not sure enough of."""
    return at_least("confidence", intent.confidence, limits.confidence, "confidence is too low")


def protection(intent: OpenIntent, view: GateView, _: Limits) -> LayerReport:
    """Refuses a stop that is on the wrong side of the entry or that the market has already passed."""
    stop = intent.stop_price
    if isinstance(intent.protection, Hedged):
        return refuse("protection", "a hedged leg can only be opened with its basket", "hedged", "stop")
    if stop is None:
        return approve("protection", "defined risk", "stop or defined risk")
    sign = intent.direction.sign
    if (intent.trigger_price - stop) * sign <= 0:
        return refuse("protection", "the stop is on the wrong side of the entry", text(stop), "behind entry")
    wrong = [rung.price for rung in intent.take_profits if (rung.price - intent.trigger_price) * sign <= 0]
    if wrong:
        return refuse("protection", "a target is on the wrong side of the entry", text(wrong[0]), "ahead")
    if view.price is None:
        return missing("protection", "a price", "stop not yet passed")
    if (view.price - stop) * sign <= 0:
        return refuse("protection", "the market has passed the stop", text(view.price), text(stop))
    return approve("protection", text(stop), "behind entry and market")


def stop_distance(intent: OpenIntent, _: GateView, limits: Limits) -> LayerReport:
    """Refuses stops further than the ceiling."""
    distance = stop_distance_of(intent)
    if distance is None:
        return approve("stop_distance", "no stop price", text(limits.stop_distance_fraction))
    fraction = distance / intent.trigger_price
    return at_most("stop_distance", fraction, limits.stop_distance_fraction, "the stop is too far away")


def stop_atr(intent: OpenIntent, view: GateView, limits: Limits) -> LayerReport:
    """Refuses stops inside the noise or so far that they protect nothing, in average true ranges."""
    bounds = f"{text(limits.stop_min_atr)}..{text(limits.stop_max_atr)} ATR"
    distance = stop_distance_of(intent)
    if distance is None:
        return approve("stop_atr", "no stop price", bounds)
    if view.atr is None or view.atr <= 0:
        return missing("stop_atr", "the average true range", bounds)
    ranges = distance / view.atr
    if ranges < limits.stop_min_atr:
        return refuse("stop_atr", "the stop lies inside the noise", text(ranges), bounds)
    if ranges > limits.stop_max_atr:
        return refuse("stop_atr", "the stop is too many true ranges away", text(ranges), bounds)
    return approve("stop_atr", text(ranges), bounds)


def fat_finger(intent: OpenIntent, view: GateView, limits: Limits) -> LayerReport:
    """Refuses an entry price far from the market, whichever way."""
    if view.price is None or view.price <= 0:
        return missing("fat_finger", "a price", text(limits.fat_finger_fraction))
    away = abs(intent.trigger_price - view.price) / view.price
    return at_most("fat_finger", away, limits.fat_finger_fraction, "entry price is far from the market")


def cost(intent: OpenIntent, view: GateView, limits: Limits) -> LayerReport:
    """Refuses trades whose target hardly pays for the round trip."""
    wanted = f">= {text(limits.cost_multiple)} x round trip"
    if view.instrument is None or view.spread_fraction is None:
        return missing("cost", "the cost of a round trip", wanted)
    if not intent.take_profits:
        return approve("cost", "no target", wanted)
    target = intent.target_distance / intent.trigger_price
    price_of_trip = round_trip_cost(intent, view.instrument, view.spread_fraction)
    observed = f"target {text(target)}, round trip {text(price_of_trip)}"
    if target < price_of_trip * limits.cost_multiple:
        return refuse("cost", "the target hardly pays for the round trip", observed, wanted)
    return approve("cost", observed, wanted)


def slippage(_: OpenIntent, view: GateView, limits: Limits) -> LayerReport:
    """Refuses entries into a market so thin that half its spread is already too much."""
    if view.spread_fraction is None:
        return missing("slippage", "the spread", text(limits.slippage_fraction))
    expected = view.spread_fraction / 2
    return at_most("slippage", expected, limits.slippage_fraction, "expected slippage is too high")


def volume(_: OpenIntent, view: GateView, __: Limits) -> LayerReport:
    """Refuses markets that trade less in 24 hours than the DNA wants of them."""
    if view.min_volume_24h <= ZERO:
        return approve("volume", text(view.volume_24h), "none set")
    if view.volume_24h is None:
        return missing("volume", "24 hours of volume", text(view.min_volume_24h))
    return at_least("volume", view.volume_24h, view.min_volume_24h, "24 h volume is too low")


def regime(_: OpenIntent, view: GateView, __: Limits) -> LayerReport:
    """Keeps out of a market whose regime is not known. (A crash takes the size, not the word.)"""
    if view.regime is Regime.UNKNOWN:
        return missing("regime", "the regime", "known")
    return approve("regime", view.regime.value, "known")
