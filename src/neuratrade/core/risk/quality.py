"""Quality layers: is this a sane trade at today's prices, stops and costs?"""

from decimal import Decimal
from functools import lru_cache

from neuratrade.core.model.approval import LayerReport
from neuratrade.core.model.decimals import ONE, ZERO
from neuratrade.core.model.instrument import InstrumentKind
from neuratrade.core.model.intent import DefinedRisk, Hedged, OpenIntent, Stop
from neuratrade.core.model.regime import Regime
from neuratrade.core.risk.case import Case
from neuratrade.core.risk.layer import approve, at_least, at_most, limit_text, missing, refuse, text
from neuratrade.core.risk.view import GateView

HALF = Decimal("0.5")
NOT_MARGINED = approve("liquidation", "not margined", "behind the stop")
REGIMES = {
    regime: missing("regime", "the regime", "known")
    if regime is Regime.UNKNOWN
    else approve("regime", regime.value, "known")
    for regime in Regime
}
"""Everything the regime layer can say."""


def confidence(case: Case) -> LayerReport:
    """Refuses what its own proposer is not sure enough of."""
    return at_least("confidence", case.intent.confidence, case.limits.confidence, "confidence is too low")


def protection(case: Case) -> LayerReport:
    """Refuses an entry that nothing protects, and targets that are none.

    A stop must lie behind the entry and must not have been passed by the market. Only a binary outcome limits
    its own loss: elsewhere a stop is wanted. A hedged leg needs its basket.
    """
    intent = case.intent
    for rung in intent.take_profits:
        if _is_behind(rung.price, intent.trigger_price, case.sign):
            reason = "a target is on the wrong side of the entry"
            return refuse("protection", reason, text(rung.price), "ahead")
    if not _can_be_shared_out(intent):
        seen = " + ".join(text(rung.fraction) for rung in intent.take_profits)
        return refuse("protection", "the targets share out more than there is", seen, "above 0, sum <= 1")
    match intent.protection:
        case Stop(price=stop):
            return _stop_protection(case, stop)
        case DefinedRisk():
            return _defined_risk(case.view)
        case Hedged(other_leg=other) if other in case.view.in_basket and other != intent.intent_id:
            return approve("protection", f"hedged by {other}", "a leg of its basket")
        case Hedged():
            return refuse("protection", "a hedged leg can only be opened with its basket", "hedged", "stop")


def _is_behind(price: Decimal, reference: Decimal, sign: int) -> bool:
    """Whether `price` is no better than `reference` for a position of this sign."""
    return price <= reference if sign > 0 else price >= reference


def _can_be_shared_out(intent: OpenIntent) -> bool:
    taken = ZERO
    for rung in intent.take_profits:
        if rung.fraction <= ZERO:
            return False
        taken += rung.fraction
    return taken <= ONE


def _defined_risk(view: GateView) -> LayerReport:
    if view.instrument is None:
        return missing("protection", "the instrument", "stop or binary outcome")
    kind = view.instrument.kind
    if kind is not InstrumentKind.BINARY or view.instrument.price_ceiling is None:
        return refuse("protection", "only a binary outcome limits its own loss", kind.value, "a stop")
    return approve("protection", "defined risk", "stop or binary outcome")


def _stop_protection(case: Case, stop: Decimal) -> LayerReport:
    price = case.view.price
    if _is_behind(case.intent.trigger_price, stop, case.sign):
        return refuse("protection", "the stop is on the wrong side of the entry", text(stop), "behind entry")
    if price is None:
        return missing("protection", "a price", "stop not yet passed")
    if _is_behind(price, stop, case.sign):
        return refuse("protection", "the market has passed the stop", text(price), text(stop))
    return approve("protection", text(stop), "behind entry and market")


def stop_distance(case: Case) -> LayerReport:
    """Refuses stops further than the ceiling."""
    limit = case.limits.stop_distance_fraction
    if case.stop_distance is None:
        return approve("stop_distance", "no stop price", limit_text(limit))
    if case.entry <= ZERO:
        return missing("stop_distance", "an entry price above zero", limit_text(limit))
    return at_most("stop_distance", case.stop_distance / case.entry, limit, "the stop is too far away")


def stop_atr(case: Case) -> LayerReport:
    """Refuses stops inside the noise or so far that they protect nothing, in average true ranges."""
    least, most, atr = case.limits.stop_min_atr, case.limits.stop_max_atr, case.view.atr
    bounds = _ranges_text(least, most)
    if case.stop_distance is None:
        return approve("stop_atr", "no stop price", bounds)
    if atr is None or atr <= ZERO:
        return missing("stop_atr", "the average true range", bounds)
    ranges = case.stop_distance / atr
    if ranges < least:
        return refuse("stop_atr", "the stop lies inside the noise", text(ranges), bounds)
    if ranges > most:
        return refuse("stop_atr", "the stop is too many true ranges away", text(ranges), bounds)
    return approve("stop_atr", text(ranges), bounds)


@lru_cache(maxsize=64)
def _ranges_text(least: Decimal, most: Decimal) -> str:
    return f"{limit_text(least)}..{limit_text(most)} ATR"


def liquidation(case: Case) -> LayerReport:
    """Refuses a margined position that the venue would liquidate before its stop, or that has no stop."""
    margin, level = case.view.maintenance_margin, case.view.liquidation_price
    if margin is None:
        return NOT_MARGINED
    if level is None:
        return approve("liquidation", "nowhere", NOT_MARGINED.limit)
    observed = f"at {text(level)}, maintenance {text(margin)}"
    if case.stop is None:
        reason = "a margined position without a stop ends in liquidation"
        return refuse("liquidation", reason, observed, NOT_MARGINED.limit)
    if _is_behind(case.stop, level, case.sign):
        reason = "the stop lies beyond the liquidation price"
        return refuse("liquidation", reason, observed, f"behind the stop {text(case.stop)}")
    return approve("liquidation", observed, f"behind the stop {text(case.stop)}")


def fat_finger(case: Case) -> LayerReport:
    """Refuses an entry price far from the market, whichever way."""
    price, limit = case.view.price, case.limits.fat_finger_fraction
    if price is None or price <= ZERO:
        return missing("fat_finger", "a price", limit_text(limit))
    away = abs(case.intent.trigger_price - price) / price
    return at_most("fat_finger", away, limit, "entry price is far from the market")


def cost(case: Case) -> LayerReport:
    """Refuses trades whose target hardly pays for the round trip."""
    wanted = f">= {limit_text(case.limits.cost_multiple)} x round trip"
    if case.view.instrument is None:
        return missing("cost", "the instrument", wanted)
    if case.round_trip is None:
        return missing("cost", "the spread", wanted)
    if not case.intent.take_profits:
        return approve("cost", "no target", wanted)
    if case.entry <= ZERO:
        return missing("cost", "an entry price above zero", wanted)
    target = case.target_gain / case.entry
    observed = f"target {text(target)}, round trip {text(case.round_trip)}"
    if target <= ZERO or target < case.round_trip * case.limits.cost_multiple:
        return refuse("cost", "the target hardly pays for the round trip", observed, wanted)
    return approve("cost", observed, wanted)


def slippage(case: Case) -> LayerReport:
    """Refuses entries into a market so thin that half its spread is already too much."""
    spread, limit = case.view.spread_fraction, case.limits.slippage_fraction
    if spread is None:
        return missing("slippage", "the spread", limit_text(limit))
    return at_most("slippage", spread * HALF, limit, "expected slippage is too high")


def volume(case: Case) -> LayerReport:
    """Refuses markets that trade less in 24 hours than the DNA wants of them."""
    traded, least = case.view.volume_24h, case.view.min_volume_24h
    if least <= ZERO:
        return approve("volume", text(traded), "none set")
    if traded is None:
        return missing("volume", "24 hours of volume", limit_text(least))
    return at_least("volume", traded, least, "24 h volume is too low")


def regime(case: Case) -> LayerReport:
    """Keeps out of a market whose regime is not known. (A crash takes the size, not the word.)"""
    return REGIMES[case.view.regime]
