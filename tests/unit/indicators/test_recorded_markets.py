"""Recorded minutes against TA-Lib, and long series against fresh windows: nothing drifts."""

import math
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from neuratrade.core.indicators.native import NativeProvider
from neuratrade.core.indicators.provider import bar_table
from neuratrade.core.indicators.registry import DEFINITIONS, indicator, warm_up_of
from neuratrade.core.indicators.ta_lib import TaLibProvider
from neuratrade.core.model.regime import Regime
from neuratrade.core.regime import REGIMES, RegimeParams, detect_regimes

NATIVE = NativeProvider()
COLUMNS = ("open", "high", "low", "close", "volume")
IN_TALIB = ("sma", "ema", "rsi", "macd", "atr", "bollinger", "stochastic", "obv", "adx")


def bars_in(file: Path) -> NDArray[np.float64]:
    frame = pl.read_parquet(file)
    return bar_table(**{name: frame[name].to_numpy() for name in COLUMNS})


def days_in(file: Path) -> NDArray[np.str_]:
    milliseconds = pl.read_parquet(file)["ts"].to_numpy()
    return milliseconds.astype("datetime64[ms]").astype("datetime64[D]").astype(str)


def assert_equal_to_talib(name: str, bars: NDArray[np.float64]) -> None:
    """Within 1e-9 of the value, or of a ten-thousandth of the terms where a difference crosses zero."""
    spec = indicator(name)
    found, theirs = NATIVE.batch(spec, bars), TaLibProvider().batch(spec, bars)
    subtracted = {
        "macd": bars[:, 3],  # averages of prices
        "obv": np.maximum.accumulate(np.abs(theirs[:, 0])),  # volume bought and sold
        "stochastic": np.full(len(bars), 100.0),  # TA-Lib's running sum of %K
    }.get(name, np.zeros(len(bars)))
    np.testing.assert_array_equal(np.isnan(found), np.isnan(theirs))
    allowed = 1e-9 * np.maximum(np.abs(theirs), 1e-4 * subtracted[:, None])
    beyond = np.flatnonzero((np.abs(found - theirs) > allowed).any(axis=1))
    assert not len(beyond), (beyond[0], found[beyond[0]], theirs[beyond[0]])


@pytest.mark.parametrize("symbol", ["BTCUSDT", "ETHUSDT"])
@pytest.mark.parametrize("name", IN_TALIB)
def test_the_shipped_minutes_read_as_talib_reads_them(name: str, symbol: str, repository: Path) -> None:
    assert_equal_to_talib(name, bars_in(repository / f"src/neuratrade/data/shipped/{symbol}_1m.parquet"))


@pytest.mark.shared
@pytest.mark.parametrize(
    "file", ["binanceusdm_ETHUSDT_1m", "binanceusdm_DOGEUSDT_1m", "binanceusdm_BTCUSDT_1h"]
)
@pytest.mark.parametrize("name", IN_TALIB)
def test_recorded_markets_read_as_talib_reads_them(name: str, file: str, shared_data: Path) -> None:
    assert_equal_to_talib(name, bars_in(shared_data / f"ohlcv/{file}.parquet"))


def wandering_bars(count: int) -> NDArray[np.float64]:
    """A long walk between 1e-3 and 1e6 with one mistaken price of 1e12."""
    rng = np.random.default_rng(11)
    closes = np.exp(np.clip(rng.normal(0, 0.02, count).cumsum(), -6.9, 13.8))
    highs, lows = closes * rng.uniform(1, 1.01, count), closes * rng.uniform(0.99, 1, count)
    bars = bar_table(open=closes, high=highs, low=lows, close=closes, volume=rng.lognormal(0, 4, count))
    bars[20_000, 1:5] = 1e12
    return bars


@pytest.mark.parametrize("name", ["sma", "bollinger", "zscore", "vwap", "volume_spike", "stochastic"])
def test_a_window_reads_the_same_after_a_hundred_thousand_bars_as_if_it_had_just_begun(name: str) -> None:
    bars, spec = wandering_bars(100_000), indicator(name)
    whole, length = NATIVE.batch(spec, bars), warm_up_of(spec) + 1
    for end in [*range(length, 100_001, 997), 20_001, 20_000 + length, 20_001 + length, 100_000]:
        fresh = NATIVE.batch(spec, bars[end - length : end])[-1]
        np.testing.assert_allclose(whole[end - 1], fresh, rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize("name", ["ema", "rsi", "macd", "atr", "adx"])
def test_an_average_over_a_hundred_thousand_bars_equals_talibs(name: str) -> None:
    assert_equal_to_talib(name, wandering_bars(100_000))


def test_obv_over_a_hundred_thousand_bars_is_the_exact_sum() -> None:
    bars = wandering_bars(100_000)
    signs = np.concatenate([[1.0], np.sign(np.diff(bars[:, 3]))])
    found = NATIVE.batch(indicator("obv"), bars)[:, 0]
    for end in range(1, 100_001, 4999):
        assert found[end - 1] == pytest.approx(math.fsum(signs[:end] * bars[:end, 4]), rel=1e-12)


def test_every_indicator_reads_the_shipped_minutes_without_a_gap(repository: Path) -> None:
    bars = bars_in(repository / "src/neuratrade/data/shipped/ETHUSDT_1m.parquet")
    for name in DEFINITIONS:
        spec = indicator(name)
        assert np.isfinite(NATIVE.batch(spec, bars)[warm_up_of(spec) :]).all(), name


@pytest.mark.shared
def test_the_great_falls_are_called_crashes_and_little_else_is(shared_data: Path) -> None:
    file = shared_data / "ohlcv/binanceusdm_ETHUSDT_1m.parquet"
    codes, days = detect_regimes(bars_in(file)), days_in(file)
    known = codes > 0
    assert np.flatnonzero(known)[0] == RegimeParams().warm_up
    share = {regime: float(np.mean(codes[known] == code)) for code, regime in enumerate(REGIMES)}
    crash_days = set(days[codes == REGIMES.index(Regime.CRASH)].tolist())
    falls = {"2025-05-23", "2025-06-05", "2025-06-12", "2025-06-13", "2025-06-21", "2025-06-22"}
    assert falls <= crash_days, f"missed {falls - crash_days}"
    assert 0.005 < share[Regime.CRASH] < 0.03, share
    assert 0.05 < share[Regime.HIGH_VOLATILITY] < 0.15, share
    assert min(share[Regime.TREND], share[Regime.RANGE]) > 0.25, share


@pytest.mark.shared
@pytest.mark.parametrize(
    ("file", "fall"),
    [("binanceusdm_ETHUSDT_1h", "2025-10-10"), ("binance_ETHUSDT_5m_20250101-20250415", "2025-02-03")],
)
def test_the_same_defaults_find_crashes_on_other_timeframes(file: str, fall: str, shared_data: Path) -> None:
    path = shared_data / f"ohlcv/{file}.parquet"
    codes, days = detect_regimes(bars_in(path)), days_in(path)
    crash = codes == REGIMES.index(Regime.CRASH)
    assert fall in set(days[crash].tolist())
    assert crash.mean() < 0.08


def test_the_fall_in_the_shipped_minutes_is_called_a_crash(repository: Path) -> None:
    file = repository / "src/neuratrade/data/shipped/ETHUSDT_1m.parquet"
    codes, days = detect_regimes(bars_in(file)), days_in(file)
    crash = codes == REGIMES.index(Regime.CRASH)
    assert "2025-05-23" in set(days[crash].tolist())
    assert crash.mean() < 0.05
