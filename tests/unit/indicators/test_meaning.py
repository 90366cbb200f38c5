"""Values worked out by hand, and what an indicator says where its formula has no answer."""

import numpy as np
import pytest
from numpy.typing import NDArray

from neuratrade.core.indicators.native import NativeProvider
from neuratrade.core.indicators.provider import bar_table
from neuratrade.core.indicators.registry import DEFINITIONS, indicator, warm_up_of

NATIVE = NativeProvider()


def bars_of(
    close: list[float], volume: list[float] | None = None, spread: float = 0.0
) -> NDArray[np.float64]:
    prices = np.array(close, dtype=np.float64)
    traded = np.ones(len(close)) if volume is None else np.array(volume)
    return bar_table(open=prices, high=prices + spread, low=prices - spread, close=prices, volume=traded)


def last(name: str, bars: NDArray[np.float64], **params: float) -> list[float]:
    return [float(value) for value in NATIVE.batch(indicator(name, **params), bars)[-1]]


def test_sma_is_the_mean_of_the_last_closes() -> None:
    assert last("sma", bars_of([9, 1, 2, 6]), period=3) == [3.0]


def test_ema_weights_the_newest_close_by_two_over_period_plus_one() -> None:
    assert last("ema", bars_of([1, 2, 3, 6]), period=3) == [4.0]


def test_rsi_is_the_share_of_gains() -> None:
    assert last("rsi", bars_of([10, 13, 12]), period=2) == [75.0]


def test_atr_counts_the_gap_from_the_previous_close() -> None:
    assert last("atr", bars_of([10, 15], spread=1.0), period=1) == [6.0]


def test_bollinger_lies_population_deviations_around_the_mean() -> None:
    assert last("bollinger", bars_of([1, 3]), period=2, deviations=3.0) == [5.0, 2.0, -1.0]


def test_zscore_counts_deviations_above_the_mean() -> None:
    assert last("zscore", bars_of([1, 3]), period=2) == [1.0]


def test_obv_adds_volume_on_a_rise_and_takes_it_on_a_fall() -> None:
    bars = bars_of([5, 6, 6, 4], [10, 3, 50, 4])
    assert NATIVE.batch(indicator("obv"), bars)[:, 0].tolist() == [10, 13, 13, 9]


def test_vwap_weighs_the_typical_price_by_volume() -> None:
    assert last("vwap", bars_of([99, 10, 20], [9, 3, 1]), period=2) == [12.5]


def test_volume_spike_compares_with_the_mean_of_its_window() -> None:
    assert last("volume_spike", bars_of([1, 1, 1, 1], [1, 1, 1, 5]), period=4) == [2.5]


def test_session_vwap_starts_anew_even_when_the_first_bar_of_the_session_is_unusable() -> None:
    bars = bars_of([10, 20, 30, 40])
    bars[:, 5] = [1, 1, 2, 2]
    bars[2, 4] = np.nan
    np.testing.assert_array_equal(NATIVE.batch(indicator("session_vwap"), bars)[:, 0], [10, 15, np.nan, 40])


def test_supertrend_turns_when_a_close_breaks_its_band() -> None:
    bars = bars_of([10, 10, 10, 20, 20, 5], spread=1.0)
    found = NATIVE.batch(indicator("supertrend", period=2, multiplier=1.0), bars)
    assert found[2:, 1].tolist() == [-1, 1, 1, -1]
    assert found[2].tolist() == [12.0, -1.0]


def test_ichimoku_shows_the_cloud_computed_shift_bars_ago_and_no_later_price() -> None:
    closes = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0]
    found = NATIVE.batch(indicator("ichimoku", tenkan=1, kijun=2, senkou=3, shift=2), bars_of(closes))
    assert np.isnan(found[:4]).all()
    assert found[4].tolist() == [16.0, 12.0, (4.0 + 3.0) / 2, 2.5, 16.0 - 4.0]


def test_stochastic_places_the_close_in_its_range() -> None:
    assert last("stochastic", bars_of([10, 20, 15]), period=3, smooth=1, signal=1) == [50.0, 50.0]


def test_a_lower_low_on_a_higher_rsi_is_bullish_on_the_bar_that_confirms_it() -> None:
    falling = [20.0, 18, 16, 14, 12, 10, 11, 12, 13, 12.8, 12.6, 12.4, 9.9, 12, 13, 14]
    found = NATIVE.batch(indicator("rsi_divergence", period=3, wing=2, reach=10), bars_of(falling))
    assert np.flatnonzero(found[:, 0] == 1.0).tolist() == [falling.index(9.9) + 2]
    assert not (found[:, 1] == 1.0).any()


def test_a_higher_high_on_a_lower_rsi_is_bearish_on_the_bar_that_confirms_it() -> None:
    rising = [10.0, 12, 14, 16, 18, 20, 19, 18, 17, 17.2, 17.4, 17.6, 20.1, 18, 17, 16]
    found = NATIVE.batch(indicator("rsi_divergence", period=3, wing=2, reach=10), bars_of(rising))
    assert np.flatnonzero(found[:, 1] == 1.0).tolist() == [rising.index(20.1) + 2]
    assert not (found[:, 0] == 1.0).any()


def test_pivots_further_apart_than_the_reach_are_not_compared() -> None:
    falling = [20.0, 18, 16, 14, 12, 10, 11, 12, 13, 12.8, 12.6, 12.4, 9.9, 12, 13, 14]
    for reach, bullish in ((7, 1), (6, 0)):
        found = NATIVE.batch(indicator("rsi_divergence", period=3, wing=2, reach=reach), bars_of(falling))
        assert int((found[:, 0] == 1.0).sum()) == bullish


@pytest.mark.parametrize("price", [0.1, 1e-6, 2606.48, 999_999.999, 5e-324])
@pytest.mark.parametrize("period", [3, 20, 49])
def test_a_flat_market_lies_exactly_on_its_averages(price: float, period: int) -> None:
    flat = bars_of([price] * 200)
    assert last("sma", flat, period=period) == last("ema", flat, period=period) == [price]
    assert last("bollinger", flat, period=period) == [price] * 3
    assert last("macd", flat, fast=period, slow=period + 7) == [0.0, 0.0, 0.0]
    assert last("ichimoku", flat) == [price] * 4 + [0.0]


def test_a_market_that_does_not_move_has_these_readings() -> None:
    flat = bars_of([0.1] * 200)
    for name in ("rsi", "atr", "zscore"):
        assert last(name, flat) == [0.0]
    for name in ("stochastic", "rsi_divergence"):
        assert last(name, flat) == [0.0, 0.0]
    assert last("adx", flat) == [0.0, 0.0, 0.0]


def test_without_volume_there_is_no_price_by_volume_and_it_returns_with_the_next_trade() -> None:
    bars = bars_of([10.0] * 8, [1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 4.0])
    assert np.isnan(NATIVE.batch(indicator("vwap", 3), bars)[5:7]).all()
    assert last("vwap", bars, period=3) == [10.0]
    assert np.isnan(NATIVE.batch(indicator("volume_spike", 3), bars)[5:7]).all()
    assert last("volume_spike", bars, period=3) == [3.0]


@pytest.mark.parametrize("name", [name for name in DEFINITIONS if name not in {"obv", "session_vwap"}])
def test_a_jump_to_a_trillion_and_back_is_forgotten(name: str) -> None:
    """Windows forget it exactly with the bar that leaves; averages at the rate of their weights."""
    rng = np.random.default_rng(7)
    closes = 100.0 + rng.normal(size=3000).cumsum() * 0.1
    calm = bars_of(closes.tolist(), rng.uniform(1, 2, 3000).tolist(), spread=0.5)
    jumped = calm.copy()
    jumped[500, 1:5] *= 1e12
    spec = indicator(name)
    usual, after = NATIVE.batch(spec, calm), NATIVE.batch(spec, jumped)
    assert not np.array_equal(usual[500:], after[500:], equal_nan=True)
    # Divergence compares with the last pivot within `reach`; Wilder averages halve in about ten bars.
    np.testing.assert_allclose(after[2000:], usual[2000:], rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("name", ["sma", "bollinger", "zscore", "vwap", "volume_spike"])
def test_a_window_is_exact_on_the_very_bar_that_drops_the_largest_value_there_can_be(name: str) -> None:
    """1e100 and 1e50 in one window leave an error of 1e34 in the most careful running sum."""
    bars = bars_of((100.0 + np.sin(np.arange(60.0))).tolist(), (1.0 + np.arange(60.0) % 7).tolist())
    bars[12:14, 1:4] = [[1e50], [1e100]]
    bars[17:19, 4] = [1e50, 1e100]
    spec = indicator(name, 8)
    found = NATIVE.batch(spec, bars)
    for end in range(22, 61):
        assert found[end - 1].tolist() == pytest.approx(NATIVE.batch(spec, bars[end - 8 : end])[-1].tolist())


def test_of_equal_lows_side_by_side_only_the_first_is_a_pivot() -> None:
    """Were both pivots, the lower low would be compared with the second, whose RSI is lower still."""
    closes = [20.0, 18, 16, 14, 12, 12, 14, 15, 14.9, 14.8, 14.7, 11.9, 14, 15, 16]
    equal = bars_of(closes)
    bullish = NATIVE.batch(indicator("rsi_divergence", period=3, wing=2, reach=7), equal)[:, 0]
    assert np.flatnonzero(bullish == 1.0).tolist() == [closes.index(11.9) + 2]
    assert not (NATIVE.batch(indicator("rsi_divergence", period=3, wing=2, reach=6), equal) == 1.0).any()


@pytest.mark.parametrize("name", DEFINITIONS)
def test_negative_prices_are_computed_like_any_others(name: str) -> None:
    rng = np.random.default_rng(3)
    bars = bars_of((rng.normal(size=300).cumsum()).tolist(), spread=0.5)
    spec = indicator(name)
    found = NATIVE.batch(spec, bars)
    assert np.isfinite(found[warm_up_of(spec) :]).all()


def test_a_negative_volume_is_unusable_for_those_that_read_volume_only() -> None:
    bars = bars_of([10.0, 11.0, 12.0], [1.0, -1.0, 1.0])
    assert NATIVE.batch(indicator("obv"), bars)[:, 0].tolist()[::2] == [1.0, 2.0]
    assert np.isnan(NATIVE.batch(indicator("obv"), bars)[1, 0])
    assert NATIVE.batch(indicator("sma", 1), bars)[:, 0].tolist() == [10.0, 11.0, 12.0]
