"""The parity report: what agrees, what would not, and what cannot be compared."""

import sys
from dataclasses import replace

import numpy as np
import pytest

from neuratrade.core.indicators.registry import indicator
from neuratrade.core.model.errors import UsageError
from neuratrade.research.parity import _pair, parity_report
from tests.unit.research.small_desk import BTC, bars

BARS = bars(days=3)[BTC.key]


def test_native_and_ta_lib_agree_on_every_indicator_both_have() -> None:
    report = parity_report(BARS)
    assert {one.indicator.partition("(")[0] for one in report} == {
        "sma", "ema", "rsi", "macd", "atr", "bollinger", "stochastic", "obv", "adx",
    }  # fmt: skip
    assert all(one.agrees for one in report)
    assert all(one.bars > 200 and one.max_relative < 1e-9 for one in report)
    assert report[0].verdict.startswith("agree within ")


def test_a_difference_a_later_start_and_a_hole_are_each_told() -> None:
    spec, ours = indicator("sma", 3), np.array([np.nan, np.nan, 10.0, 20.0, 40.0])
    off = _pair(spec, "sma", ours, ours + 0.1, 1e-3)
    assert (off.agrees, off.bars, off.warm_up_bars) == (False, 3, 0)
    assert off.max_absolute == pytest.approx(0.1)
    assert off.max_relative == pytest.approx(0.1 / 10.1)
    assert off.verdict == "differ by 0.1, more than 0.0401"
    late = _pair(spec, "sma", ours, np.array([np.nan, np.nan, np.nan, 20.0, 40.0]), 1e-3)
    assert (late.warm_up_bars, late.one_sided, late.agrees) == (1, 0, False)
    hole = _pair(spec, "sma", ours, np.array([np.nan, np.nan, 10.0, np.nan, 40.0]), 1e-3)
    assert (hole.warm_up_bars, hole.one_sided, hole.agrees) == (0, 1, False)


def test_too_few_bars_agree_on_nothing() -> None:
    report = parity_report(BARS.part(0, 3))
    assert {one.verdict for one in report if one.bars == 0} == {"not enough bars to compare"}
    assert not any(one.agrees for one in report if one.bars == 0)


def test_bars_that_are_no_numbers_do_not_make_a_difference() -> None:
    close = BARS.close.copy()
    close[50] = np.nan
    assert all(one.agrees for one in parity_report(replace(BARS, close=close)))


def test_no_bars_no_ta_lib_and_no_fraction_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="there are no bars to compare indicators on"):
        parity_report(BARS.part(0, 0))
    with pytest.raises(UsageError, match=r"a tolerance of nan is no fraction"):
        parity_report(BARS, float("nan"))
    monkeypatch.setitem(sys.modules, "talib", None)
    with pytest.raises(UsageError, match=r"TA-Lib is not installed; install neuratrade\[talib\]"):
        parity_report(BARS)
