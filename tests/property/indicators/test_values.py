"""Values against a second definition in 100 digits, and against TA-Lib.

Errors are relative, 1e-9 of the expected value. Where an indicator is a difference that may cancel, no
floating formula can promise that; there the error is measured against a ten-thousandth of what is subtracted
(`SUBTRACTED`), which still asks for 13 digits of the terms. Nothing else is loosened.
"""

from collections.abc import Callable
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from neuratrade.core.indicators.native import NativeProvider
from neuratrade.core.indicators.registry import DEFINITIONS, warm_up_of
from neuratrade.core.indicators.spec import IndicatorSpec
from neuratrade.core.indicators.ta_lib import TaLibProvider
from tests.property.indicators.markets import STEADY, TEMPERS, TICKING, WILD, markets, specs, table
from tests.property.indicators.oracles import Bars, Values, expected

TALIB_NAMES = ("sma", "ema", "rsi", "macd", "atr", "stochastic", "obv", "adx")
NATIVE = NativeProvider()


def _highest_so_far(bars: Bars, _values: list[Values]) -> NDArray[np.float64]:
    return np.maximum.accumulate(np.array(bars.high))


def _percent(bars: Bars, _values: list[Values]) -> NDArray[np.float64]:
    return np.full(len(bars.close), 100.0)


def _one(bars: Bars, _values: list[Values]) -> NDArray[np.float64]:
    return np.ones(len(bars.close))


def _middle_band(bars: Bars, values: list[Values]) -> NDArray[np.float64]:
    return np.array([float(value or 0) for value in values[1]])


def _traded_so_far(bars: Bars, _values: list[Values]) -> NDArray[np.float64]:
    return np.cumsum(np.array(bars.volume))


SUBTRACTED: dict[str, Callable[[Bars, list[Values]], NDArray[np.float64]]] = {
    "macd": _highest_so_far,  # two averages of prices
    "adx": _percent,  # +DI and -DI
    "bollinger": _middle_band,  # the lower band
    "supertrend": _highest_so_far,  # the lower band
    "zscore": _one,  # price and mean, in deviations
}

RUNNING_SUMS: dict[str, Callable[[Bars, list[Values]], NDArray[np.float64]]] = {
    # TA-Lib keeps plain running sums; what they lose to an earlier, larger value is TA-Lib's error, not ours.
    "sma": _highest_so_far,
    "stochastic": _percent,
    "obv": _traded_so_far,
}


def _scale(name: str, bars: Bars, values: list[Values]) -> NDArray[np.float64]:
    scale = SUBTRACTED.get(name)
    return 1e-4 * scale(bars, values) if scale and bars.close else np.zeros(len(bars.close))


@pytest.mark.parametrize("name", DEFINITIONS)
@given(data=st.data())
def test_an_indicator_equals_its_definition_in_a_hundred_digits(name: str, data: st.DataObject) -> None:
    spec, bars = data.draw(specs(name)), data.draw(markets())
    found = NATIVE.batch(spec, table(bars))
    values = expected(name, spec.params, bars)
    decided = _decided_bars(spec, values)
    scale = _scale(name, bars, values)
    for column, series in enumerate(values[: found.shape[1]]):
        for i, value in enumerate(series[:decided]):
            got = float(found[i, column])
            if value is None:
                assert np.isnan(got), f"bar {i}, output {column}: {got} before it can be known"
            else:
                allowed = Decimal("1e-9") * max(abs(value), Decimal(float(scale[i])))
                assert not np.isnan(got), f"bar {i}, output {column}: nan instead of {value}"
                assert abs(Decimal(got) - value) <= allowed, f"bar {i}, output {column}: {got}, not {value}"


def _decided_bars(spec: IndicatorSpec, values: list[Values]) -> int:
    """Bars up to the first at which SuperTrend compares two prices that differ by rounding only."""
    if spec.name != "supertrend":
        return len(values[0])
    for i, margin in enumerate(values[2]):
        if margin is not None and margin < Decimal("1e-12"):
            return i
    return len(values[0])


@pytest.mark.parametrize("name", TALIB_NAMES)
@given(data=st.data())
def test_an_indicator_equals_talib(name: str, data: st.DataObject) -> None:
    temper = data.draw(st.sampled_from(TEMPERS))
    spec, bars = data.draw(specs(name)), data.draw(markets(temper, shortest=1))
    found, theirs = NATIVE.batch(spec, table(bars)), TaLibProvider().batch(spec, table(bars))
    np.testing.assert_array_equal(np.isnan(found), np.isnan(theirs))
    scale = _scale(name, bars, [])
    if name in RUNNING_SUMS and (temper == WILD or name != "sma"):
        scale = 1e-4 * RUNNING_SUMS[name](bars, [])
    allowed = 1e-9 * np.maximum(np.abs(theirs), scale[:, None])
    assert np.all((np.abs(found - theirs) <= allowed) | np.isnan(theirs)), (found, theirs)


@pytest.mark.parametrize("name", DEFINITIONS)
@settings(max_examples=40)
@given(data=st.data())
def test_the_first_complete_row_comes_after_exactly_the_warm_up(name: str, data: st.DataObject) -> None:
    spec = data.draw(specs(name))
    warm_up = warm_up_of(spec)
    temper = data.draw(st.sampled_from([STEADY, TICKING]))
    bars = data.draw(markets(temper, warm_up + 1, warm_up + 4))
    bars = bars._replace(volume=[volume or 1.0 for volume in bars.volume])
    complete = ~np.isnan(NATIVE.batch(spec, table(bars))).any(axis=1)
    assert complete.tolist() == [i >= warm_up for i in range(len(bars.close))]
