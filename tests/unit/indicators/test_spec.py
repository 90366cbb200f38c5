"""A wrong indicator is refused by name, before any bar."""

import re

import pytest

from neuratrade.core.indicators.native import STEPS
from neuratrade.core.indicators.registry import DEFINITIONS, cells_of, indicator, warm_up_of
from neuratrade.core.indicators.spec import IndicatorSpec


def test_an_indicator_takes_its_defaults_positions_and_names() -> None:
    assert indicator("macd").params == (12.0, 26.0, 9.0)
    assert indicator("macd", 8, signal=5).params == (8.0, 26.0, 5.0)
    assert str(indicator("bollinger", 20, 2.5)) == "bollinger(20, 2.5)"


def test_equal_specs_are_one_key() -> None:
    assert len({indicator("rsi"), indicator("rsi", 14), indicator("rsi", period=14.0)}) == 1


@pytest.mark.parametrize(
    ("name", "params", "named", "message"),
    [
        ("rsii", (), {}, "unknown indicator 'rsii'; did you mean 'rsi'?"),
        ("zzzzzz", (), {}, "unknown indicator 'zzzzzz'; choose one of sma, ema"),
        ("rsi", (1,), {}, "'rsi': period = 1.0 must be a whole number from 2 to 10000"),
        ("rsi", (14.5,), {}, "'rsi': period = 14.5 must be a whole number from 2 to 10000"),
        ("sma", (float("nan"),), {}, "'sma': period = nan must be a whole number from 1 to 10000"),
        ("sma", (float("inf"),), {}, "'sma': period = inf must be a whole number from 1 to 10000"),
        ("bollinger", (20, -1), {}, "'bollinger': deviations = -1.0 must be a number from 0.01 to 100"),
        ("sma", (1, 2), {}, "'sma' takes 1 parameters (period), got 2"),
        ("obv", (1,), {}, "'obv' takes 0 parameters (none), got 1"),
        ("macd", (), {"fats": 3}, "unknown parameter of indicator 'macd' 'fats'; did you mean 'fast'?"),
        ("macd", (26, 12), {}, "'macd': fast < slow must hold, got 26, 12"),
        ("ichimoku", (9, 9), {}, "'ichimoku': tenkan < kijun < senkou must hold, got 9, 9, 52"),
    ],
)
def test_a_wrong_spec_is_refused_with_the_nearest_name_or_the_range(
    name: str, params: tuple[float, ...], named: dict[str, float], message: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        indicator(name, *params, **named)


def test_a_parameter_given_by_position_and_by_name_is_refused() -> None:
    with pytest.raises(ValueError, match="period of indicator 'rsi' is given twice"):
        indicator("rsi", 14, period=7)


@pytest.mark.parametrize("spec", [IndicatorSpec("rsii"), IndicatorSpec("rsi"), IndicatorSpec("rsi", (0.0,))])
def test_a_spec_made_without_checks_is_refused_when_used(spec: IndicatorSpec) -> None:
    for use in (warm_up_of, cells_of):
        with pytest.raises(ValueError, match="rsi"):
            use(spec)


def test_every_definition_has_a_step_and_every_step_a_definition() -> None:
    assert set(STEPS) == set(DEFINITIONS)
