"""Variants: a setting arrives where it counts, and what the strategy refuses is said in its words."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from neuratrade.core.model.errors import UsageError
from neuratrade.core.model.intent import EntryType
from neuratrade.core.strategies.dna import Distance, ExitDna, Target
from neuratrade.core.strategies.registry import build_strategy
from neuratrade.research.space import Value
from neuratrade.research.variants import dna_with, with_values
from tests.unit.research.small_desk import plan


def test_settings_reach_the_parameters_the_exit_and_the_timeframe() -> None:
    variant = with_values(
        plan(),
        "rsi_rule",
        {
            "rsi_period_bars": Decimal(9),
            "stop_atr": Decimal(2),
            "target_pct": Decimal("0.01"),
            "trailing_pct": Decimal("0.005"),
            "max_hold_time_minutes": Decimal(60),
            "timeframe_minutes": Decimal(5),
            "order_type": "market",
        },
    )
    settings = variant.dna.strategies["rsi_rule"]
    assert settings.parameters["rsi_period_bars"] == 9
    assert settings.parameters["buy_level_points"] == 30
    assert settings.exit == ExitDna(
        Distance(atr=Decimal(2)), (Target(Distance(pct=Decimal("0.01"))),), Decimal("0.005")
    )
    assert (settings.max_hold_time_minutes, settings.timeframe_minutes) == (60, 5)
    assert settings.order_type is EntryType.MARKET


def test_a_value_of_one_asset_does_not_hide_the_one_that_is_tried() -> None:
    base = plan(thresholds={"rsi_rule": {"buy_level_points": Decimal(10), "sell_level_points": Decimal(80)}})
    dna = dna_with(base.dna, "rsi_rule", {"buy_level_points": Decimal(35)})
    assert dna.assets["BTC/USDT"].thresholds == {"rsi_rule": {"sell_level_points": Decimal(80)}}
    levels = build_strategy("rsi_rule", dna)._levels["BTC/USDT"]
    assert levels.tolist()[:2] == [35.0, 80.0]


def test_a_ladder_keeps_its_proportions_when_its_nearest_target_moves() -> None:
    base = plan("momentum")
    rungs = (
        Target(Distance(atr=Decimal("1.5")), Decimal("0.5")),
        Target(Distance(atr=Decimal(3)), Decimal("0.5")),
    )
    settings = base.dna.strategies["momentum"]
    settings = replace(settings, exit=replace(settings.exit, targets=rungs))
    dna = replace(base.dna, strategies={"momentum": settings})
    changed = dna_with(dna, "momentum", {"target_atr": Decimal(2)}).strategies["momentum"]
    assert [rung.distance.atr for rung in changed.exit.targets] == [Decimal(2), Decimal(4)]


def test_the_plan_it_began_with_stays_as_it_was_and_the_variant_has_another_hash() -> None:
    base = plan()
    before = base.strategy_sha256
    variant = with_values(base, "rsi_rule", {"buy_level_points": Decimal(31)})
    assert base.strategy_sha256 == before
    assert variant.strategy_sha256 != before
    for same in ("30", "30.0", "30.000"):
        assert with_values(base, "rsi_rule", {"buy_level_points": Decimal(same)}).strategy_sha256 == before


def test_a_ladder_whose_furthest_target_would_lie_out_of_reach_is_refused() -> None:
    base = plan("momentum")
    rungs = tuple(Target(Distance(atr=Decimal(reach)), Decimal("0.5")) for reach in ("1.5", "3"))
    settings = base.dna.strategies["momentum"]
    settings = replace(settings, exit=replace(settings.exit, targets=rungs))
    dna = replace(base.dna, strategies={"momentum": settings})
    with pytest.raises(UsageError, match="the furthest target would lie at 22; allowed is 20 at most"):
        dna_with(dna, "momentum", {"target_atr": Decimal(11)})


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"buy_level_points": Decimal(80)}, "buy_level_points (80) must lie below sell_level_points (70)"),
        ({"buy_levels": Decimal(30)}, "rsi_rule has no setting 'buy_levels'; did you mean buy_level_points?"),
        (
            {"rsi_period_bars": Decimal(1)},
            "rsi_period_bars: found 1; allowed is a whole number from 2 to 200",
        ),
        ({"rsi_period_bars": Decimal("7.5")}, "rsi_period_bars: found 7.5"),
        ({"buy_level_points": Decimal("NaN")}, "buy_level_points: found NaN"),
        ({"buy_level_points": "30"}, "buy_level_points: found 30; allowed is a number"),
        ({"order_type": "iceberg"}, "order_type: found iceberg; allowed is "),
        ({"order_type": Decimal(1)}, "order_type: found 1; allowed is "),
        ({"stop_pct": Decimal("0.06")}, "stop_pct: found 0.06; allowed is a number from 0.0001 to 0.05"),
        ({"max_hold_time_minutes": Decimal(500)}, "no asset is held longer than 240 minutes"),
        (
            {"confidence_floor": Decimal("0.9"), "confidence_cap": Decimal("0.8")},
            "confidence_floor (0.9) is above confidence_cap (0.8)",
        ),
    ],
)
def test_a_combination_that_cannot_trade_is_refused_with_the_reason(
    values: dict[str, Value], told: str
) -> None:
    with pytest.raises(UsageError) as caught:
        with_values(plan(), "rsi_rule", values)
    assert told in str(caught.value)


def test_a_strategy_no_asset_trades_is_refused() -> None:
    with pytest.raises(UsageError, match="no asset of this DNA trades momentum"):
        with_values(plan(), "momentum", {})
