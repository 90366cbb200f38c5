"""Limits on exposure, counted again from the venue's truth after every event.

An exposure is what a bracket holds or may still enter, at the price it was approved at. It may never grow
beyond a limit. What nobody decided is left out: what a busted exit gives back, an entry that turns up after
it was proven absent, a bracket that a late execution opened again, what a person adopted.
"""

from collections.abc import Sequence
from decimal import Decimal

from neuratrade.core.engine.state import BracketState, DeskState
from neuratrade.core.model import facts as f
from neuratrade.core.model.instrument import InstrumentKind
from neuratrade.core.model.intent import OpenIntent
from tests.simulation.faults.truth import ZERO, BrokenPromise, Holding
from tests.simulation.faults.venue import FaultyVenue


class Exposure:
    """Remembers how much there was after the event before."""

    def __init__(self, venue: FaultyVenue) -> None:
        self._venue = venue
        self._gross = ZERO
        self._by_instrument: dict[str, Decimal] = {}
        self._brackets = 0

    def check(self, state: DeskState, facts: Sequence[f.Fact]) -> None:
        """Holds what there is now against the limits. Raises BrokenPromise."""
        limits = state.limits
        (account,) = state.accounts.values()
        for fact in facts:
            if isinstance(fact, f.IntentJudged) and fact.approved and isinstance(fact.intent, OpenIntent):
                self._check_risk(state, fact, account.equity * limits.risk_per_trade_fraction)
        there = [item for item in state.brackets.values() if self._was_decided(item)]
        by_instrument: dict[str, Decimal] = {}
        for bracket in there:
            key = bracket.intent.instrument
            by_instrument[key] = by_instrument.get(key, ZERO) + self._notional(state, bracket)
        gross = sum(by_instrument.values(), ZERO)
        most = min(limits.total_usd, limits.leverage * account.equity)
        if gross > max(most, self._gross):
            raise BrokenPromise(f"8: {gross} is held or entered in all, the limit is {most}")
        for key, notional in by_instrument.items():
            contract = state.instruments[key]
            margin = contract.initial_margin if contract.kind is InstrumentKind.FUTURE else Decimal(1)
            cap = limits.position_fraction * account.equity
            if notional * margin > max(cap, self._by_instrument.get(key, ZERO) * margin):
                raise BrokenPromise(f"8: {notional * margin} of {key} is held or entered, the cap is {cap}")
        if len(there) > max(limits.concurrent, self._brackets):
            raise BrokenPromise(f"8: {len(there)} brackets are open, the limit is {limits.concurrent}")
        self._gross, self._by_instrument, self._brackets = gross, by_instrument, len(there)

    def _was_decided(self, bracket: BracketState) -> bool:
        holding = self._venue.holdings.get(bracket.bracket_id)
        return bracket.closed is None and (holding is None or not holding.adopted)

    def _notional(self, state: DeskState, bracket: BracketState) -> Decimal:
        holding = self._venue.holdings.get(bracket.bracket_id)
        units = bracket.quantity
        if holding is not None:
            pending = (
                item.may_still_fill
                for item in holding.orders
                if not item.request.role.reduces and not item.denied
            )
            coming = sum(pending, ZERO)
            if bracket.intent.execution is not None and not bracket.entry_over:
                # Slices that are still to be sent were approved with the first.
                coming = max(coming, bracket.quantity - holding.entered)
            units = max(holding.held - holding.returned - _turned_up(holding), ZERO) + coming
        return state.instruments[bracket.intent.instrument].notional(units, bracket.intent.trigger_price)

    def _check_risk(self, state: DeskState, fact: f.IntentJudged, most: Decimal) -> None:
        intent = fact.intent
        assert isinstance(intent, OpenIntent)
        if intent.stop_price is None:
            return
        contract = state.instruments[intent.instrument]
        risk = contract.notional(fact.quantity, abs(intent.trigger_price - intent.stop_price))
        if risk > most:
            raise BrokenPromise(f"8: {intent.intent_id} risks {risk}, the limit is {most}")


def _turned_up(holding: Holding) -> Decimal:
    """What entries filled that the venue had denied having, twice: nobody could count on it."""
    denied = (item for item in holding.orders if item.denied and not item.request.role.reduces)
    return sum((item.filled for item in denied), ZERO)
