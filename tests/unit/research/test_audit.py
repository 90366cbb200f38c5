"""The audit names whoever sees the future, with indicator and bar, and says what an indicator remembers."""

from typing import cast

import numpy as np
import pytest
from msgspec.structs import replace

from neuratrade.core.indicators.native import NativeProvider
from neuratrade.core.indicators.provider import IndicatorProvider
from neuratrade.core.indicators.registry import indicator
from neuratrade.core.indicators.spec import IndicatorSpec
from neuratrade.core.model.errors import UsageError
from neuratrade.core.model.intent import Lane
from neuratrade.core.model.market import Bar
from neuratrade.core.model.regime import Regime
from neuratrade.core.strategies.dna import AssetDna, Dna
from neuratrade.core.strategies.port import Proposal, Row
from neuratrade.core.strategies.registry import KINDS, build_strategies, default_settings
from neuratrade.research.audit import audit
from neuratrade.research.columns import Columns, Floats
from neuratrade.research.plan import BacktestPlan
from neuratrade.research.readings import Signals
from tests.unit.research.small_desk import BTC, SPAN_NS, bars, plan

CLOSE = 3
"""Column of a bar table."""


def speaking_of(*names: str) -> BacktestPlan:
    """The small plan with these strategies."""
    asset = AssetDna("BTC/USDT", names, 240)
    return replace(
        plan(), dna=Dna(1, 0, {"BTC/USDT": asset}, {name: default_settings(name) for name in names})
    )


class Peeking:
    """Buys where the next bar closes higher: what every look-ahead comes to."""

    name = "peeking"
    lane = Lane.TACTICAL
    assets = ("BTC/USDT",)
    span_ns = SPAN_NS
    while_flat = False

    def __init__(self, *specs: IndicatorSpec, ahead: int = 1) -> None:
        self.indicators = specs or (indicator("sma", 5),)
        self._ahead = ahead

    def entry(self, previous: Row, current: Row, close: float, asset: str) -> int:
        return 0

    def entries(self, rows: Floats, closes: Row, asset: str) -> Signals:
        signals: Signals = np.zeros(len(closes), dtype=np.int8)
        if self._ahead:
            signals[: -self._ahead] = closes[self._ahead :] > closes[: -self._ahead]
        return signals

    def plan(self, signal: int, bar: Bar, current: Row, regime: Regime) -> Proposal | None:
        return None


class Centred:
    """Native, except that averages are centred: half of each window lies in the future."""

    def __init__(self) -> None:
        self._native = NativeProvider()

    def __getattr__(self, name: str) -> object:
        return getattr(self._native, name)

    def batch(self, spec: IndicatorSpec, bars: Floats) -> Floats:
        values = self._native.batch(spec, bars)
        if spec.name != "sma":
            return values
        back = int(spec.params[0]) // 2
        return np.concatenate((values[back:], np.full((min(back, len(values)), 1), np.nan)))


@pytest.fixture(scope="module")
def week() -> dict[str, Columns]:
    return bars(7)


def test_a_strategy_that_looks_one_bar_ahead_is_named_with_its_bar(week: dict[str, Columns]) -> None:
    found = audit(plan(), week, strategies=[Peeking()])
    assert not found.clean
    (seen,) = found.look_ahead
    assert (seen.strategy, seen.name, seen.instrument) == ("peeking", "signal", BTC.key)
    assert (seen.with_future, seen.without) == (1.0, 0.0)
    closes, closed = week[BTC.key].close, week[BTC.key].close_ns
    at = int(np.flatnonzero(closed == seen.bar_ns)[0])
    assert closes[at + 1] > closes[at]


def test_the_same_strategy_that_does_not_look_is_clean(week: dict[str, Columns]) -> None:
    assert audit(plan(), week, strategies=[Peeking(ahead=0)]).clean


def test_an_indicator_centred_on_its_bar_is_named_and_the_honest_one_beside_it_is_not(
    week: dict[str, Columns],
) -> None:
    honest, centred = indicator("ema", 9), indicator("sma", 8)
    provider = cast(IndicatorProvider, Centred())
    found = audit(plan(), week, strategies=[Peeking(honest, centred, ahead=0)], provider=provider)
    (seen,) = found.look_ahead
    assert (seen.strategy, seen.name) == ("peeking", "sma(8)")
    assert np.isfinite(seen.with_future)
    assert np.isnan(seen.without)
    assert seen.bar_ns in week[BTC.key].close_ns
    assert audit(plan(), week, strategies=[Peeking(honest, ahead=0)], provider=provider).clean


def test_the_shipped_strategies_see_nothing_of_the_future(week: dict[str, Columns]) -> None:
    told: list[tuple[int, int]] = []
    found = audit(speaking_of(*KINDS), week, progress=lambda done, total: told.append((done, total)))
    assert found.clean, found.look_ahead
    assert found.checked > 50_000
    assert {item.strategy for item in found.warm_up} == set(KINDS)
    assert told == [(place, 4) for place in (1, 2, 3, 4)]


def test_every_indicator_of_a_strategy_is_held_to_its_warm_up_once(week: dict[str, Columns]) -> None:
    found = audit(speaking_of("momentum"), week)
    (strategy,) = build_strategies(speaking_of("momentum").dna)
    assert [item.name for item in found.warm_up] == [str(spec) for spec in dict.fromkeys(strategy.indicators)]


def test_a_window_settles_with_its_warm_up_and_a_wilder_average_much_later(week: dict[str, Columns]) -> None:
    found = audit(plan(), week, strategies=[Peeking(indicator("sma", 8), indicator("rsi", 14), ahead=0)])
    window, wilder = found.warm_up
    assert (window.name, window.settled_bars) == ("sma(8)", window.declared_bars + 1)
    assert window.worst_fraction < 1e-9
    assert wilder.name == "rsi(14)"
    assert wilder.settled_bars is not None
    assert wilder.settled_bars > 5 * wilder.declared_bars
    assert wilder.worst_fraction > 0.001


def test_a_sum_since_the_beginning_never_settles_and_is_said_so(week: dict[str, Columns]) -> None:
    (sums,) = audit(plan(), week, strategies=[Peeking(indicator("obv"), ahead=0)]).warm_up
    assert (sums.name, sums.settled_bars) == (str(indicator("obv")), None)
    assert sums.worst_fraction > 0.01


def test_strategies_are_audited_on_what_they_trade_alone(week: dict[str, Columns]) -> None:
    other = replace(BTC, asset="ETH/USDT")
    named = {
        **week,
        other.key: Columns(other, *(getattr(week[BTC.key], name) for name in Columns.__slots__[1:])),
    }
    assert {item.instrument for item in audit(plan(), named).warm_up} == {BTC.key}


def test_bars_too_long_for_a_strategy_are_refused(week: dict[str, Columns]) -> None:
    (short,) = week.values()
    hours = Columns(
        BTC, 4 * SPAN_NS, short.ts * 4, short.open, short.high, short.low, short.close, short.volume
    )
    with pytest.raises(UsageError, match="rsi_rule works on 15m bars, which cannot be made of the 1h bars"):
        audit(plan(), {BTC.key: hours})


def test_data_too_short_to_tell_settles_nothing() -> None:
    few = {BTC.key: bars(1)[BTC.key].part(0, 5)}
    found = audit(plan(), few)
    assert found.clean
    assert [(item.settled_bars, item.worst_fraction) for item in found.warm_up] == [(None, 0.0)] * 2
    day = {BTC.key: bars(1)[BTC.key].part(0, 60)}
    sums, wilder = audit(
        plan(), day, strategies=[Peeking(indicator("obv"), indicator("rsi", 14), ahead=0)]
    ).warm_up
    assert (sums.settled_bars, wilder.settled_bars) == (None, None)
    assert sums.worst_fraction > 0.01
    assert wilder.worst_fraction > 0.001
