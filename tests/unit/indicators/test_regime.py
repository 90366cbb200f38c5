"""Regimes of markets drawn to be what they are."""

import re

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from neuratrade.core.indicators.provider import bar_table
from neuratrade.core.model.regime import Regime
from neuratrade.core.regime import REGIMES, RegimeDetector, RegimeParams, detect_regimes

SMALL = RegimeParams(window=200, crash_bars=20, crash_hold=5)


def market(close: NDArray[np.float64], spread: float | NDArray[np.float64] = 0.1) -> NDArray[np.float64]:
    bars = bar_table(open=close, high=close, low=close, close=close, volume=np.ones(len(close)))
    bars[:, 1] += spread
    bars[:, 2] -= spread
    return bars


def regimes(bars: NDArray[np.float64], params: RegimeParams = SMALL) -> list[Regime]:
    return [REGIMES[code] for code in detect_regimes(bars, params)]


def calm(count: int) -> NDArray[np.float64]:
    """Up and down around 100, in no direction."""
    return 100.0 + 0.1 * np.tile([0.0, 1.0, 0.0, -1.0], count)[:count]


def test_a_market_is_unknown_until_warm_and_then_calm_means_range() -> None:
    found = regimes(market(calm(400)))
    assert set(found[: SMALL.warm_up]) == {Regime.UNKNOWN}
    assert set(found[SMALL.warm_up :]) == {Regime.RANGE}


def test_a_steady_climb_is_a_trend_until_it_ends() -> None:
    climb = 100.0 + 0.05 * np.arange(150)
    found = regimes(market(np.concatenate([calm(400), climb, climb[-1] + calm(200) - 100.0])))
    assert set(found[450:550]) == {Regime.TREND}
    assert found[-1] is Regime.RANGE


def test_wide_bars_are_high_volatility_and_that_ends_below_the_calm_rank() -> None:
    spread = np.full(700, 0.1)
    spread[400:430] = 1.0
    found = regimes(market(calm(700), spread))
    assert Regime.HIGH_VOLATILITY not in found[:400]
    assert set(found[403:430]) == {Regime.HIGH_VOLATILITY}
    assert Regime.HIGH_VOLATILITY not in found[520:]


def test_a_regime_is_left_later_than_it_would_be_entered() -> None:
    spread = np.full(700, 0.1)
    spread[400:430] = 1.0
    climb = 100.0 + 0.05 * np.arange(150)
    closes = np.concatenate([calm(400), climb, climb[-1] + calm(150) - 100.0])
    for bars, regime, changes in (
        (market(calm(700), spread), Regime.HIGH_VOLATILITY, {"calm_rank": SMALL.wild_rank}),
        (market(closes), Regime.TREND, {"range_adx": SMALL.trend_adx}),
    ):
        same_threshold = regimes(bars, msgspec.structs.replace(SMALL, **changes))
        assert regimes(bars).index(regime) == same_threshold.index(regime)
        assert regimes(bars).count(regime) > same_threshold.count(regime)


@pytest.mark.parametrize("bars_of_fall", [1, 10])
def test_a_fall_beyond_the_usual_is_a_crash_and_holds_on_for_a_while(bars_of_fall: int) -> None:
    fall = np.linspace(0.0, -6.0, bars_of_fall + 1)[1:]
    closes = np.concatenate([calm(400), 100.0 + fall, calm(200) - 6.0])
    found = regimes(market(closes))
    first, last = found.index(Regime.CRASH), len(found) - 1 - found[::-1].index(Regime.CRASH)
    assert 400 <= first < 400 + bars_of_fall
    assert set(found[first : last + 1]) == {Regime.CRASH}
    last_before_the_fall_within_sight = 399 + bars_of_fall + SMALL.crash_bars
    assert last_before_the_fall_within_sight - bars_of_fall <= last
    assert last <= last_before_the_fall_within_sight + SMALL.crash_hold


def test_the_same_move_upward_is_no_crash() -> None:
    found = regimes(market(np.concatenate([calm(400), calm(200) + 6.0])))
    assert Regime.CRASH not in found


def test_a_ripple_in_a_quiet_market_is_no_crash_for_the_floor() -> None:
    closes = np.concatenate([100.0 + 0.001 * (calm(400) - 100.0), calm(100) - 1.0])
    assert Regime.CRASH not in regimes(market(closes, spread=0.001))
    unfloored = msgspec.structs.replace(SMALL, crash_floor=0.0)
    assert Regime.CRASH in regimes(market(closes, spread=0.001), unfloored)


def test_a_fall_that_is_usual_for_the_market_is_no_crash() -> None:
    wild = 100.0 + 3.0 * np.tile([0.0, 1.0, 0.0, -1.0], 150)
    closes = np.concatenate([wild[:400], wild[:200] - 4.0])
    assert Regime.CRASH not in regimes(market(closes))


@pytest.mark.parametrize("value", [np.nan, np.inf, 0.0, -5.0, 1e300])
def test_an_unusable_price_is_unknown_and_leaves_no_trace(value: float) -> None:
    bars = market(calm(400))
    hurt = np.insert(bars, 300, [value] * 6, axis=0)
    found = regimes(hurt)
    assert found[300] is Regime.UNKNOWN
    assert found[:300] + found[301:] == regimes(bars)


def test_a_price_a_trillion_times_too_high_is_forgotten() -> None:
    bars = market(calm(1200))
    bars[300, 1:4] *= 1e12
    assert regimes(bars)[800:] == regimes(market(calm(1200)))[800:]


def test_a_flat_market_is_a_range() -> None:
    assert set(regimes(market(np.full(400, 0.1), spread=0.0))[SMALL.warm_up :]) == {Regime.RANGE}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"window": 5}, "regime: window = 5 must lie from 10 to 100000"),
        ({"crash_floor": float("nan")}, "regime: crash_floor = nan must lie from 0 to 1"),
        ({"calm_rank": 0.99}, "calm_rank 0.99 must not exceed wild_rank 0.95"),
        ({"range_adx": 30.0}, "range_adx 30.0 must not exceed trend_adx 25.0"),
    ],
)
def test_parameters_that_make_no_sense_are_refused(changes: dict[str, float], message: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=re.escape(message)):
        msgspec.convert(changes, RegimeParams)


def test_a_mistyped_parameter_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError, match="unknown field `windw`"):
        msgspec.convert({"windw": 100}, RegimeParams)


def test_a_snapshot_of_other_parameters_is_refused() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        RegimeDetector(SMALL).restore(RegimeDetector().snapshot())
