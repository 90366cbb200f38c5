"""What makes each strategy speak, and what keeps it silent."""

import math
from decimal import Decimal

import numpy as np
import pytest

from neuratrade.core.strategies.port import Row
from neuratrade.core.strategies.registry import KINDS
from tests.unit.strategies.rows import BTC, ETH, asset_dna, built, row

LONG: dict[str, tuple[Row, Row, float]] = {
    "rsi_rule": (row(1, 31), row(1, 29), 100.0),
    "ema_cross": (row(1, 99, 100, 90, 25, 20, 10), row(1, 101, 100, 90, 25, 20, 10), 102.0),
    "mean_reversion": (row(1, -1.9, 36), row(1, -2.1, 34), 100.0),
    "momentum": (row(1, 1.9, 1, 25, 30, 10), row(1, 2.1, 2, 25, 30, 10), 100.0),
}
SHORT: dict[str, tuple[Row, Row, float]] = {
    "rsi_rule": (row(1, 69), row(1, 71), 100.0),
    "ema_cross": (row(1, 101, 100, 110, 25, 10, 20), row(1, 99, 100, 110, 25, 10, 20), 98.0),
    "mean_reversion": (row(1, 1.9, 64), row(1, 2.1, 66), 100.0),
    "momentum": (row(1, -1.9, 1, 25, 10, 30), row(1, -2.1, 2, 25, 10, 30), 100.0),
}


def test_every_strategy_of_the_registry_is_tested_here() -> None:
    assert set(LONG) == set(SHORT) == set(KINDS)


@pytest.mark.parametrize("name", KINDS)
def test_the_textbook_case_goes_long_and_its_mirror_short(name: str) -> None:
    strategy = built(name)
    assert strategy.entry(*LONG[name], BTC) == 1
    assert strategy.entry(*SHORT[name], BTC) == -1


@pytest.mark.parametrize("name", KINDS)
def test_a_signal_that_stands_is_not_given_again(name: str) -> None:
    strategy = built(name)
    for previous, current, close in (LONG[name], SHORT[name]):
        assert strategy.entry(current, current, close, BTC) == 0
        assert strategy.entry(previous, previous, close, BTC) == 0


@pytest.mark.parametrize("name", KINDS)
def test_an_unknown_value_anywhere_keeps_a_strategy_silent(name: str) -> None:
    strategy = built(name)
    previous, current, close = LONG[name]
    for column in range(len(current)):
        for which in (0, 1):
            rows = [previous.copy(), current.copy()]
            rows[which][column] = math.nan
            assert strategy.entry(rows[0], rows[1], close, BTC) == 0


@pytest.mark.parametrize("name", KINDS)
def test_no_short_where_the_asset_allows_none(name: str) -> None:
    strategy = built(name, asset_dna(allow_short=False))
    assert strategy.entry(*SHORT[name], BTC) == 0
    assert strategy.entry(*LONG[name], BTC) == 1


@pytest.mark.parametrize("name", KINDS)
def test_a_strategy_is_silent_on_assets_it_was_not_given(name: str) -> None:
    strategy = built(name)
    assert strategy.entry(*LONG[name], ETH) == 0
    assert not strategy.entries(np.array([LONG[name][0], LONG[name][1]]), np.array([1.0, 1.0]), ETH).any()


def test_the_rsi_rule_uses_the_levels_of_each_asset() -> None:
    lower = asset_dna(ETH, thresholds={"rsi_rule": {"buy_level_points": Decimal(20)}})
    strategy = built("rsi_rule", asset_dna(BTC), lower)
    assert strategy.entry(row(1, 31), row(1, 29), 1.0, BTC) == 1
    assert strategy.entry(row(1, 31), row(1, 29), 1.0, ETH) == 0
    assert strategy.entry(row(1, 21), row(1, 20), 1.0, ETH) == 1


def test_the_rsi_of_a_market_that_never_moves_is_no_signal() -> None:
    assert built("rsi_rule").entry(row(0, 31), row(0, 0), 1.0, BTC) == 0


def test_the_ema_cross_needs_a_trend_on_its_side_and_of_enough_strength() -> None:
    strategy, (previous, current, close) = built("ema_cross"), LONG["ema_cross"]
    assert strategy.entry(previous, current, 89.0, BTC) == 0
    weak = current.copy()
    weak[4] = 14.9
    assert strategy.entry(previous, weak, close, BTC) == 0


def test_mean_reversion_needs_the_band_and_the_rsi_together() -> None:
    strategy = built("mean_reversion")
    calm = row(1, 0, 50)
    assert strategy.entry(calm, row(1, -2.5, 36), 1.0, BTC) == 0
    assert strategy.entry(calm, row(1, -1.9, 30), 1.0, BTC) == 0
    assert strategy.entry(row(1, -2.5, 36), row(1, -2.5, 35), 1.0, BTC) == 1


def test_mean_reversion_speaks_when_the_stretch_turns_over_in_one_bar() -> None:
    strategy = built("mean_reversion")
    assert strategy.entry(row(1, 2.5, 70), row(1, -2.5, 30), 1.0, BTC) == 1


@pytest.mark.parametrize(("column", "value"), [(2, 1.49), (3, 19.9), (4, 9.9)])
def test_momentum_needs_volume_strength_and_direction(column: int, value: float) -> None:
    previous, current, close = LONG["momentum"]
    lacking = current.copy()
    lacking[column] = value
    assert built("momentum").entry(previous, lacking, close, BTC) == 0
