"""Spaces: what a person may write, and what comes of what nobody should."""

from decimal import Decimal

import pytest

from neuratrade.core.model.errors import UsageError
from neuratrade.core.strategies.registry import KINDS
from neuratrade.research.space import Choice, Range, parse_given, settings_of, space_of


def test_with_nothing_given_every_parameter_the_strategy_declares_varies_over_its_range() -> None:
    space = space_of("rsi_rule", {})
    assert [(d.name, d.low, d.high) for d in space.dimensions if isinstance(d, Range)] == [
        (p.name, p.low, p.high) for p in KINDS["rsi_rule"].parameters
    ]


def test_only_what_is_named_varies_once_something_is_named() -> None:
    space = space_of("rsi_rule", {"rsi_period_bars": "7:30", "order_type": "market|limit"})
    assert space.dimensions == (
        Range("rsi_period_bars", Decimal(7), Decimal(30), Decimal(1)),
        Choice("order_type", ("market", "limit")),
    )
    assert space.size == 24 * 2


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("20:21:0.5", ["20", "20.5", "21"]),
        ("20:21.2:0.5", ["20", "20.5", "21.0"]),
        ("20|35.5", ["20", "35.5"]),
        ("33", ["33"]),
    ],
)
def test_ranges_with_steps_lists_and_single_values_have_exact_values(text: str, values: list[str]) -> None:
    found = list(space_of("rsi_rule", {"buy_level_points": text}).combinations())
    assert [one["buy_level_points"] for one in found] == [Decimal(value) for value in values]


def test_the_usual_step_cuts_a_range_into_hundreds_of_values_of_few_digits() -> None:
    for given, step in (("20:40", "0.1"), ("1:99", "0.1"), ("30:31", "0.001")):
        (dimension,) = space_of("rsi_rule", {"buy_level_points": given}).dimensions
        assert isinstance(dimension, Range)
        assert dimension.step == Decimal(step)


def test_floats_of_a_sampler_come_back_as_the_exact_value_of_the_grid() -> None:
    space = space_of("rsi_rule", {"buy_level_points": "20:40:0.1", "order_type": "market|limit"})
    exact = space.on_grid({"buy_level_points": 20.1 + 0.2, "order_type": "limit"})
    assert exact == {"buy_level_points": Decimal("20.3"), "order_type": "limit"}


def test_a_value_beside_the_grid_is_not_moved_onto_it_in_silence() -> None:
    space = space_of("rsi_rule", {"buy_level_points": "20:40:1"})
    with pytest.raises(
        UsageError, match=r"buy_level_points = 20.5 is not a value of buy_level_points=20:40:1"
    ):
        space.holding({"buy_level_points": Decimal("20.5")})


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (
            {"buy_levl_points": "20:40"},
            "rsi_rule has no setting 'buy_levl_points'; did you mean buy_level_points?",
        ),
        ({"qqqq": "1:2"}, "rsi_rule has no setting 'qqqq'; choose from rsi_period_bars, "),
        (
            {"rsi_period_bars": "1:30"},
            "rsi_period_bars: found 1; allowed is a whole number from 2 to 200 (bars of",
        ),
        ({"rsi_period_bars": "7:201"}, "found 201; allowed is a whole number from 2 to 200"),
        ({"rsi_period_bars": "7.5:30"}, "found 7.5; allowed is a whole number"),
        (
            {"rsi_period_bars": "7:30:0.5"},
            "rsi_period_bars=7:30:0.5: the step is a whole number of 1 or more",
        ),
        ({"buy_level_points": "20:40:0"}, "the step is a number above zero"),
        ({"buy_level_points": "20:40:-1"}, "the step is a number above zero"),
        ({"buy_level_points": "40:20"}, "the range ends below its start; write buy_level_points=20:40"),
        ({"buy_level_points": "nan:40"}, "found nan; allowed is a number from 1 to 99"),
        ({"buy_level_points": "20:Infinity"}, "found Infinity; allowed is a number from 1 to 99"),
        ({"buy_level_points": "twenty:40"}, "'twenty' is not a number; allowed is a number from 1 to 99"),
        ({"buy_level_points": ""}, "'' is not a number"),
        ({"buy_level_points": "1:2:3:4"}, "a range is low:high or low:high:step"),
        ({"buy_level_points": "20:20.0000000000001"}, "has more than 12 decimal places"),
        ({"buy_level_points": "1:99:0.000001"}, "has over 1000000 values; give a larger step"),
        ({"buy_level_points": "20|20"}, "buy_level_points: a choice is given twice; keep one"),
        ({"order_type": "markt"}, "'markt' is no choice; allowed is "),
        ({"order_type": "markt"}, "did you mean market?"),
        ({"order_type": "market|market"}, "order_type: a choice is given twice"),
        ({"stop_atr": "1:9"}, "stop_atr: found 9; allowed is a number from 0.3 to 5 (distance of the stop"),
        ({"stop_atr": "1:3", "stop_pct": "0.01"}, "stop_atr and stop_pct say the same distance in two units"),
        ({"max_hold_time_minutes": "0:60"}, "found 0; allowed is a whole number from 1 to 40320"),
        ({"buy_level_points": "9" * 5000}, "allowed is a number from 1 to 99"),
    ],
)
def test_what_no_space_can_hold_is_refused_with_what_is_allowed(given: dict[str, str], told: str) -> None:
    with pytest.raises(UsageError) as caught:
        space_of("rsi_rule", given)
    assert told in str(caught.value)


def test_an_unknown_strategy_is_refused_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean 'rsi_rule'"):
        space_of("rsi_rul", {})


@pytest.mark.parametrize(
    ("texts", "told"),
    [
        (["rsi_period_bars"], "'rsi_period_bars' is no setting; write name=low:high"),
        (["=7:30"], "'=7:30' is no setting"),
        (["stop_atr="], "'stop_atr=' is no setting"),
        (["stop_atr=1:2", "stop_atr=2:3"], "stop_atr is given twice; keep one"),
    ],
)
def test_what_is_no_setting_is_refused(texts: list[str], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        parse_given(texts)


def test_every_setting_says_what_it_means_and_has_a_range_or_options() -> None:
    for strategy in KINDS:
        for setting in settings_of(strategy).values():
            assert setting.meaning
            assert setting.options or setting.low < setting.high
