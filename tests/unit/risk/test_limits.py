"""The two tables: what may be changed by whom, and what a hostile value is answered."""

from decimal import Decimal
from itertools import product

import pytest

from neuratrade.core.model.errors import UsageError
from neuratrade.core.risk.limits import (
    CEILING_NAMES,
    CEILINGS,
    DEFAULTS,
    NAMES,
    departures,
    limits_of,
    operator_limit,
    over_ceiling,
    parse_limit,
    with_limit,
)
from tests.unit.risk.builders import limits_with

THE_CEILINGS = {
    "risk_per_trade_fraction": "0.02",
    "position_fraction": "0.10",
    "leverage": "2",
    "stop_distance_fraction": "0.05",
    "slippage_fraction": "0.001",
    "drawdown_24h_fraction": "0.05",
}
THE_DEFAULTS = {
    "trades_per_day": 5,
    "scalp_trades_per_day": 50,
    "concurrent": 3,
    "session_drawdown_fraction": Decimal("0.012"),
    "daily_loss_fraction": Decimal("0.02"),
    "confidence": Decimal("0.75"),
    "session_losses": 2,
    "kill_losses": 5,
    "fat_finger_fraction": Decimal("0.05"),
    "stop_min_atr": Decimal("0.3"),
    "stop_max_atr": Decimal(5),
    "future_tolerance_ns": 2_000_000_000,
    "order_usd": Decimal(25_000),
    "total_usd": Decimal(100_000),
    "cost_multiple": Decimal("1.5"),
    "atr_risk_fraction": Decimal("0.01"),
    "kelly_fraction": Decimal("0.25"),
    "kelly_min_outcomes": 30,
    "uncalibrated_risk_fraction": Decimal("0.005"),
    "volume_24h_share_fraction": Decimal("0.001"),
    "price_age_ns": 90_000_000_000,
    "conversion_age_ns": 900_000_000_000,
    "lane_cooldown_ns": 300_000_000_000,
}


def test_the_tables_hold_the_numbers_the_desk_promises() -> None:
    assert {name: str(getattr(CEILINGS, name)) for name in CEILING_NAMES} == THE_CEILINGS
    assert {name: getattr(DEFAULTS, name) for name in THE_DEFAULTS} == THE_DEFAULTS
    assert set(THE_CEILINGS) | set(THE_DEFAULTS) == set(NAMES)
    assert over_ceiling(DEFAULTS) == []


@pytest.mark.parametrize("name", CEILING_NAMES)
def test_an_operator_tightens_a_ceiling_and_never_loosens_it(name: str) -> None:
    ceiling = getattr(CEILINGS, name)
    assert getattr(operator_limit(DEFAULTS, name, str(ceiling)), name) == ceiling
    assert getattr(operator_limit(DEFAULTS, name, str(ceiling / 2)), name) == ceiling / 2
    for above in (ceiling + Decimal("1e-18"), ceiling * 2, Decimal(10) ** 17):
        with pytest.raises(UsageError, match=rf"{name} = .* is above the hard ceiling {ceiling}"):
            operator_limit(DEFAULTS, name, str(above))


def test_limits_that_lie_above_a_ceiling_cannot_be_kept_by_changing_another() -> None:
    loose = limits_with(leverage=Decimal(3))
    with pytest.raises(UsageError, match="leverage = 3 is above"):
        operator_limit(loose, "concurrent", "1")


def test_an_operator_may_loosen_a_default() -> None:
    assert operator_limit(DEFAULTS, "concurrent", "30").concurrent == 30
    assert operator_limit(DEFAULTS, "confidence", "0.5").confidence == Decimal("0.5")


def test_an_operator_may_go_up_to_half_of_kelly_and_no_further() -> None:
    assert operator_limit(DEFAULTS, "kelly_fraction", "0.5").kelly_fraction == Decimal("0.5")
    with pytest.raises(UsageError, match=r"kelly_fraction = 0.51 is above 0.5"):
        operator_limit(DEFAULTS, "kelly_fraction", "0.51")


@pytest.mark.parametrize(
    "value",
    [
        "nan",
        "sNaN",
        "-nan",
        "inf",
        "-Infinity",
        "-1",
        "-0.0001",
        "",
        " ",
        "ten",
        "1,5",
        "0x10",
        "1e400",
        "1e-400",
        "5e999999",
        "1e999999999999999999",
        "9" * 5000,
        "1/2",
        "None",
        "--1",
    ],
)
def test_a_value_that_is_no_usable_number_is_refused_with_the_name_of_its_limit(value: str) -> None:
    for name, change in product(NAMES, (with_limit, operator_limit)):
        with pytest.raises(UsageError, match=f"^limit {name}: "):
            change(DEFAULTS, name, value)


@pytest.mark.parametrize(
    ("name", "near"),
    [("concurent", "concurrent"), ("Leverage", "leverage"), ("risk_per_trade", "risk_per_trade_fraction")],
)
def test_a_mistyped_name_is_answered_with_the_nearest_one(name: str, near: str) -> None:
    with pytest.raises(UsageError, match=f"unknown limit '{name}'; did you mean {near}[?]"):
        parse_limit(name, "1")


@pytest.mark.parametrize("name", ["", "__class__", "zzz", "é"])
def test_a_name_like_no_other_is_answered_with_all_of_them(name: str) -> None:
    with pytest.raises(UsageError, match=r"known limits: risk_per_trade_fraction, .*, lane_cooldown_ns"):
        parse_limit(name, "1")


def test_counts_are_whole_numbers() -> None:
    assert parse_limit("concurrent", "3.0") == 3
    assert type(parse_limit("concurrent", "3.0")) is int
    with pytest.raises(UsageError, match=r"limit concurrent: '2\.5' must be a whole number"):
        parse_limit("concurrent", "2.5")


def test_every_limit_can_be_read_back_from_its_own_text() -> None:
    assert limits_of({name: str(getattr(DEFAULTS, name)) for name in NAMES}) == DEFAULTS
    assert parse_limit("order_usd", "1e18") == Decimal("1e18")
    with pytest.raises(UsageError, match="too large or too small"):
        parse_limit("order_usd", "1e19")
    for nothing in ("0", "0E-30", "0E+30"):
        assert parse_limit("confidence", nothing) == 0
    assert parse_limit("order_usd", "1e-18") == Decimal("1e-18")
    with pytest.raises(UsageError, match="too large or too small"):
        parse_limit("order_usd", "9e-19")


def test_departures_name_what_differs_with_its_default() -> None:
    assert departures(DEFAULTS) == {}
    assert departures(limits_with(concurrent=4)) == {"concurrent": "4 (default 3)"}
