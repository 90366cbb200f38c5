"""Quality layers: is this a sane trade at today's prices, stops and costs?"""

from decimal import Decimal

from neuratrade.core.model.approval import LayerReport
from neuratrade.core.model.decimals import BASIS_POINTS, ZERO
from neuratrade.core.model.instrument import Instrument, InstrumentKind
from neuratrade.core.model.intent import DefinedRisk, Direction, EntryType, Hedged, OpenIntent, Stop
from neuratrade.core.model.regime import Regime
from neuratrade.core.risk.layer import approve, at_least, at_most, missing, refuse, text
from neuratrade.core.risk.limits import Limits
from neuratrade.core.risk.view import GateView


def entry_price(intent: OpenIntent, view: GateView) -> Decimal:
    """Price the entry is reckoned at, quote per base: a limit's own, else the worse of trigger and market.

    A market or stop entry fills where the market is. Measured from a kinder trigger, a stop would look nearer
    and a target further than they are.
    """
    if intent.order_type is EntryType.LIMIT or view.price is None:
        return intent.trigger_price
    worse = max if intent.direction is Direction.LONG else min
    return worse(intent.trigger_price, view.price)


def stop_distance_of(intent: OpenIntent, view: GateView) -> Decimal | None:
    """Distance from entry to stop, quote per base; None where protection is not a stop."""
    stop = intent.stop_price
    return None if stop is None else abs(entry_price(intent, view) - stop)


def target_gain(intent: OpenIntent, view: GateView) -> Decimal:
    """Weighted distance from entry to the targets, quote per base; negative for targets already passed."""
    entry, sign = entry_price(intent, view), intent.direction.sign
    return sum(((rung.price - entry) * sign * rung.fraction for rung in intent.take_profits), ZERO)


def round_trip_cost(intent: OpenIntent, contract: Instrument, spread: Decimal) -> Decimal:
    """Expected cost of getting in and out, as a fraction of notional: both fees and one spread.

    A resting limit entry pays the maker fee; every exit is counted as taking. A crossed book costs no spread.
    """
    resting = intent.order_type is EntryType.LIMIT
    entry_bps = contract.maker_fee_bps if resting else contract.taker_fee_bps
    return (entry_bps + contract.taker_fee_bps) / BASIS_POINTS + max(spread, ZERO)


def confidence(intent: OpenIntent, _: GateView, limits: Limits) -> LayerReport:
    """Refuses what its own proposer is not sure enough of."""
    return at_least("confidence", intent.confidence, limits.confidence, "confidence is too low")


def protection(intent: OpenIntent, view: GateView, _: Limits) -> LayerReport:
    """Refuses an entry that nothing protects, and targets that are none.

    A stop must lie behind the entry and must not have been passed by the market. Only a binary outcome limits
    its own loss: elsewhere a stop is wanted. A hedged leg needs its basket.
    """
    sign = intent.direction.sign
    wrong = [rung.price for rung in intent.take_profits if (rung.price - intent.trigger_price) * sign <= 0]
    if wrong:
        return refuse("protection", "a target is on the wrong side of the entry", text(wrong[0]), "ahead")
    shares = [rung.fraction for rung in intent.take_profits]
    if sum(shares) > 1 or any(share <= 0 for share in shares):
        seen = " + ".join(text(share) for share in shares)
        return refuse("protection", "the targets share out more than there is", seen, "above 0, sum <= 1")
    match intent.protection:
        case Stop(price=stop):
            return _stop_protection(intent, view, stop)
        case DefinedRisk():
            return _defined_risk(view)
        case Hedged(other_leg=other) if other in view.in_basket and other != intent.intent_id:
            return approve("protection", f"hedged by {other}", "a leg of its basket")
        case Hedged():
            return refuse("protection", "a hedged leg can only be opened with its basket", "hedged", "stop")


def _defined_risk(view: GateView) -> LayerReport:
    if view.instrument is None:
        return missing("protection", "the instrument", "stop or binary outcome")
    kind = view.instrument.kind
    if kind is not InstrumentKind.BINARY or view.instrument.price_ceiling is None:
        return refuse("protection", "only a binary outcome limits its own loss", kind.value, "a stop")
    return approve("protection", "defined risk", "stop or binary outcome")


def _stop_protection(intent: OpenIntent, view: GateView, stop: Decimal) -> LayerReport:
    sign = intent.direction.sign
    if (intent.trigger_price - stop) * sign <= 0:
        return refuse("protection", "the stop is on the wrong side of the entry", text(stop), "behind entry")
    if view.price is None:
        return missing("protection", "a price", "stop not yet passed")
    if (view.price - stop) * sign <= 0:
        return refuse("protection", "the market has passed the stop", text(view.price), text(stop))
    return approve("protection", text(stop), "behind entry and market")


def stop_distance(intent: OpenIntent, view: GateView, limits: Limits) -> LayerReport:
    """Refuses stops further than the ceiling."""
    distance, entry = stop_distance_of(intent, view), entry_price(intent, view)
    if distance is None:
        return approve("stop_distance", "no stop price", text(limits.stop_distance_fraction))
    if entry <= 0:
        return missing("stop_distance", "an entry price above zero", text(limits.stop_distance_fraction))
    fraction = distance / entry
    return at_most("stop_distance", fraction, limits.stop_distance_fraction, "the stop is too far away")


def stop_atr(intent: OpenIntent, view: GateView, limits: Limits) -> LayerReport:
    """Refuses stops inside the noise or so far that they protect nothing, in average true ranges."""
    bounds = f"{text(limits.stop_min_atr)}..{text(limits.stop_max_atr)} ATR"
    distance = stop_distance_of(intent, view)
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
    if view.instrument is None:
        return missing("cost", "the instrument", wanted)
    if view.spread_fraction is None:
        return missing("cost", "the spread", wanted)
    if not intent.take_profits:
        return approve("cost", "no target", wanted)
    entry = entry_price(intent, view)
    if entry <= 0:
        return missing("cost", "an entry price above zero", wanted)
    target = target_gain(intent, view) / entry
    price_of_trip = round_trip_cost(intent, view.instrument, view.spread_fraction)
    observed = f"target {text(target)}, round trip {text(price_of_trip)}"
    if target <= 0 or target < price_of_trip * limits.cost_multiple:
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
