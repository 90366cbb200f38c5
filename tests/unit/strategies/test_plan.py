"""The bracket a strategy asks for: levels, confidence, times, and when it asks for nothing."""

from decimal import Decimal

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuratrade.core.model.intent import Direction, EntryType, Lane, TakeProfit
from neuratrade.core.model.market import NS_PER_MINUTE
from neuratrade.core.model.regime import Regime
from neuratrade.core.strategies.dna import Distance, Dna, ExitDna, Target
from neuratrade.core.strategies.registry import KINDS, build_strategies, build_strategy, default_settings
from neuratrade.core.strategies.rule import RuleStrategy, bracket_levels
from tests.unit.strategies.rows import BTC, ETH, asset_dna, bar, built, row
from tests.unit.strategies.test_entry_rules import LONG, SHORT


def test_a_long_bracket_stands_at_atr_distances_around_the_close() -> None:
    proposal = built("rsi_rule").plan(1, bar("100"), row(0.5, 28), Regime.RANGE)
    assert proposal is not None
    assert proposal.direction is Direction.LONG
    assert proposal.order_type is EntryType.LIMIT
    assert proposal.trigger_price == Decimal(100)
    assert proposal.stop_price == Decimal("98.5")
    assert proposal.take_profits == (TakeProfit(Decimal("100.75")),)


def test_a_short_ladder_stands_on_the_other_side_with_its_trail() -> None:
    proposal = built("momentum").plan(-1, bar("100"), row(0.5, -2.5, 2, 25, 10, 30), Regime.TREND)
    assert proposal is not None
    assert proposal.direction is Direction.SHORT
    assert proposal.stop_price == Decimal("101.5")
    half = Decimal("0.5")
    assert proposal.take_profits == (TakeProfit(Decimal("99.25"), half), TakeProfit(Decimal("98.5"), half))
    assert proposal.trail_fraction == Decimal("0.01")


def test_distances_in_percent_do_not_look_at_the_atr() -> None:
    leave = ExitDna(Distance(pct=Decimal("0.02")), (Target(Distance(pct=Decimal("0.03"))),))
    assert bracket_levels(leave, 1, Decimal(50), Decimal(0)) == (Decimal(49), (TakeProfit(Decimal("51.5")),))


@given(
    price=st.decimals("0.000001", "1000000", places=6),
    atr=st.decimals("0", "1000000", places=6),
    stop=st.decimals("0.1", "5", places=1),
    targets=st.lists(st.decimals("0.1", "20", places=1), min_size=1, max_size=3),
    signal=st.sampled_from((-1, 1)),
)
def test_levels_always_lie_above_zero_and_on_the_right_side(
    price: Decimal, atr: Decimal, stop: Decimal, targets: list[Decimal], signal: int
) -> None:
    leave = ExitDna(Distance(atr=stop), tuple(Target(Distance(atr=target)) for target in targets))
    levels = bracket_levels(leave, signal, price, atr)
    if levels is None:
        least = min((price - stop * atr) if signal > 0 else price - max(targets) * atr, atr)
        assert least <= 0
        return
    stop_price, rungs = levels
    assert stop_price > 0
    assert (price - stop_price) * signal > 0
    assert all(rung.price > 0 and (rung.price - price) * signal > 0 for rung in rungs)


@pytest.mark.parametrize("name", KINDS)
def test_no_bracket_without_a_signal_or_for_a_dead_market(name: str) -> None:
    strategy = built(name)
    current = LONG[name][1]
    assert strategy.plan(0, bar("100"), current, Regime.RANGE) is None
    dead = current.copy()
    dead[0] = 0.0
    assert strategy.plan(1, bar("100"), dead, Regime.RANGE) is None


def test_mean_reversion_alone_is_vetoed_by_a_crash() -> None:
    told = {name: built(name).plan(1, bar("100"), LONG[name][1], Regime.CRASH) is None for name in KINDS}
    assert told == {"rsi_rule": False, "ema_cross": False, "mean_reversion": True, "momentum": False}
    assert built("mean_reversion").plan(1, bar("100"), LONG["mean_reversion"][1], Regime.RANGE) is not None


def test_no_bracket_for_an_asset_of_somebody_else() -> None:
    assert built("rsi_rule").plan(1, bar("100", ETH), LONG["rsi_rule"][1], Regime.RANGE) is None


@pytest.mark.parametrize("name", KINDS)
def test_a_touch_is_worth_the_floor_and_never_more_than_the_cap(name: str) -> None:
    strategy = built(name)
    for signal, (_, current, _close) in ((1, LONG[name]), (-1, SHORT[name])):
        assert Decimal("0.65") <= strategy.confidence(signal, current, BTC) <= Decimal("0.95")


@pytest.mark.parametrize(
    ("name", "signal", "rows"),
    [
        ("rsi_rule", 1, [row(1, rsi) for rsi in (30, 28, 26, 24, 10)]),
        ("rsi_rule", -1, [row(1, rsi) for rsi in (70, 72, 74, 76, 90)]),
        ("ema_cross", 1, [row(1, 2, 1, 1, adx, 0, 0) for adx in (15, 20, 25, 30, 60)]),
        ("mean_reversion", 1, [row(1, z, 20) for z in (-2, -2.25, -2.5, -3, -4)]),
        ("momentum", -1, [row(1, -2, ratio, 25, 1, 2) for ratio in (1.5, 2, 2.5, 3, 9)]),
    ],
)
def test_confidence_rises_with_strength_from_the_floor_to_the_cap(
    name: str, signal: int, rows: list[np.ndarray[tuple[int], np.dtype[np.float64]]]
) -> None:
    strategy = built(name)
    found = [strategy.confidence(signal, values, BTC) for values in rows]
    assert found == sorted(found)
    assert found[0] == Decimal("0.65")
    assert found[0] < found[1] < found[2]
    assert found[-1] == found[-2] == Decimal("0.95")


def test_the_gate_would_refuse_a_weak_signal_and_pass_a_strong_one() -> None:
    strategy = built("rsi_rule")
    assert strategy.confidence(1, row(1, 29), BTC) == Decimal("0.7")
    assert strategy.confidence(1, row(1, 28), BTC) == Decimal("0.75")


def test_the_shorter_of_both_hold_times_counts() -> None:
    asset = asset_dna()
    dna = Dna(1, 0, {BTC: asset}, {})
    short = msgspec.structs.replace(default_settings("ema_cross"), max_hold_time_minutes=60)
    for settings, minutes in (({}, 120), ({"ema_cross": short}, 60)):
        strategy = build_strategy("ema_cross", msgspec.structs.replace(dna, strategies=settings))
        proposal = strategy.plan(1, bar("100"), LONG["ema_cross"][1], Regime.TREND)
        assert proposal is not None
        assert proposal.max_hold_ns == minutes * NS_PER_MINUTE


def test_a_resting_entry_expires_and_a_market_entry_has_no_need_to() -> None:
    resting = built("rsi_rule").plan(1, bar("100"), LONG["rsi_rule"][1], Regime.RANGE)
    at_once = built("ema_cross").plan(1, bar("100"), LONG["ema_cross"][1], Regime.RANGE)
    assert resting is not None
    assert at_once is not None
    assert (resting.entry_expiry_ns, at_once.entry_expiry_ns) == (30 * NS_PER_MINUTE, None)


@pytest.mark.parametrize("name", KINDS)
def test_the_note_says_the_values_that_decided(name: str) -> None:
    proposal = built(name).plan(1, bar("100"), LONG[name][1], Regime.RANGE)
    assert proposal is not None
    assert proposal.note
    assert "nan" not in proposal.note


def test_lanes_and_timeframes_are_those_of_the_defaults() -> None:
    strategies = {strategy.name: strategy for strategy in build_strategies(Dna(1, 0, {BTC: asset_dna()}, {}))}
    assert {name: strategy.lane for name, strategy in strategies.items()} == {
        "rsi_rule": Lane.MEAN_REVERSION,
        "ema_cross": Lane.MOMENTUM,
        "mean_reversion": Lane.MEAN_REVERSION,
        "momentum": Lane.MOMENTUM,
    }
    assert {strategy.span_ns for strategy in strategies.values()} == {15 * NS_PER_MINUTE}


def test_an_unknown_strategy_is_named_with_the_nearest_one() -> None:
    with pytest.raises(ValueError, match=r"unknown strategy 'rsi_rul'; did you mean 'rsi_rule'\?"):
        build_strategy("rsi_rul", Dna(1, 0, {BTC: asset_dna()}, {}))


def test_a_strategy_without_assets_is_refused() -> None:
    with pytest.raises(ValueError, match="strategy 'momentum' has no assets"):
        RuleStrategy(KINDS["momentum"], default_settings("momentum"), ())


def test_a_strategy_no_asset_trades_is_not_built() -> None:
    asset = msgspec.structs.replace(asset_dna(), strategies=("momentum",))
    assert [item.name for item in build_strategies(Dna(1, 0, {BTC: asset}, {}))] == ["momentum"]


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("rsi_rule", {"buy_level_points": Decimal(70)}),
        ("ema_cross", {"slow_period_bars": Decimal(12)}),
        ("ema_cross", {"trend_period_bars": Decimal(26)}),
        ("ema_cross", {"full_adx_points": Decimal(15)}),
        ("mean_reversion", {"oversold_points": Decimal(65)}),
        ("mean_reversion", {"full_deviations": Decimal(2)}),
        ("momentum", {"full_volume_ratio": Decimal("1.5")}),
    ],
)
def test_parameters_that_do_not_fit_together_are_refused(name: str, wrong: dict[str, Decimal]) -> None:
    settings = default_settings(name)
    settings = msgspec.structs.replace(settings, parameters=settings.parameters | wrong)
    with pytest.raises(
        ValueError, match=f"{next(iter(wrong))} .* must lie|must lie below {next(iter(wrong))}"
    ):
        build_strategy(name, Dna(1, 0, {BTC: asset_dna()}, {name: settings}))


def test_a_distance_is_in_one_unit() -> None:
    for atr, pct in ((None, None), (Decimal(1), Decimal(1))):
        with pytest.raises(ValueError, match="either in ATR or as a fraction"):
            Distance(atr, pct)
