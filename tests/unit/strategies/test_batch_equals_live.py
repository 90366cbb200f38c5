"""The compiled loop over arrays and the call on every bar are one rule."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from neuratrade.core.indicators.native import NativeProvider
from neuratrade.core.indicators.provider import bar_table
from neuratrade.core.indicators.registry import definition_of
from neuratrade.core.strategies.registry import KINDS
from neuratrade.core.strategies.rule import RuleStrategy
from tests.unit.strategies.rows import BTC, asset_dna, built

PROVIDER = NativeProvider()


def width_of(strategy: RuleStrategy) -> int:
    return sum(len(definition_of(spec).outputs) for spec in strategy.indicators)


def live_signals(strategy: RuleStrategy, rows: NDArray[np.float64], closes: NDArray[np.float64]) -> list[int]:
    later = range(1, len(rows))
    return [0, *(strategy.entry(rows[i - 1], rows[i], float(closes[i]), BTC) for i in later)]


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("allow_short", [True, False])
@given(seed=st.integers(0, 2**32 - 1))
def test_batch_gives_on_any_rows_what_live_gives_call_for_call(
    name: str, allow_short: bool, seed: int
) -> None:
    # Rows around every threshold of every rule, with holes; a market would rarely come near them.
    strategy = built(name, asset_dna(allow_short=allow_short))
    source, width = np.random.default_rng(seed), width_of(strategy)
    scale = source.choice([1.0, 3.0, 40.0, 100.0], width)
    rows = np.round(source.normal(0.0, 1.0, (60, width)) * scale + scale / 2, 1)
    rows[source.random(rows.shape) < 0.02] = np.nan
    closes = np.round(source.normal(20.0, 30.0, 60), 1)
    assert strategy.entries(rows, closes, BTC).tolist() == live_signals(strategy, rows, closes)


@pytest.mark.shared
@pytest.mark.parametrize("name", KINDS)
def test_batch_finds_on_recorded_bars_what_live_finds_bar_by_bar(name: str, shared_data: Path) -> None:
    minutes = pl.read_parquet(shared_data / "ohlcv" / "binanceusdm_BTCUSDT_1m.parquet").head(15_000)
    column = {key: minutes[key].to_numpy() for key in ("open", "high", "low", "close", "volume")}
    strategy = built(name)
    bars = bar_table(**column)
    rows = np.column_stack([PROVIDER.batch(spec, bars) for spec in strategy.indicators])
    batch = strategy.entries(rows, column["close"], BTC)
    live = PROVIDER.live(strategy.indicators)
    signals, previous = [], np.full(rows.shape[1], np.nan)
    for values in bars:
        current = live.update(*values[:5]).copy()
        signals.append(strategy.entry(previous, current, float(values[3]), BTC))
        previous = current
    assert batch.tolist() == signals
    assert {-1, 1} <= set(signals)


def test_one_bar_alone_gives_no_signal_and_no_bars_give_none() -> None:
    strategy = built("rsi_rule")
    assert strategy.entries(np.array([[1.0, 20.0]]), np.array([1.0]), BTC).tolist() == [0]
    assert strategy.entries(np.empty((0, 2)), np.empty(0), BTC).tolist() == []


@pytest.mark.parametrize("name", KINDS)
def test_no_strategy_asks_for_an_indicator_twice(name: str) -> None:
    # A provider computes equal specs once, so a repeated one would shift every column after it.
    specs = built(name).indicators
    assert len(set(specs)) == len(specs)
