"""Backtests of which every fact is kept, so that tests can look at them."""

from collections.abc import Mapping
from typing import NamedTuple

from neuratrade.core.engine.engine import Engine
from neuratrade.core.model.facts import Fact
from neuratrade.hands.recorder import MemoryRecorder
from neuratrade.research.backtest import simulate
from neuratrade.research.columns import Columns
from neuratrade.research.plan import BacktestPlan


class KeptRun(NamedTuple):
    """A run that is over, with all it did. stepped: how many instants were lived through."""

    engine: Engine
    facts: list[Fact]
    stepped: int


def keep(plan: BacktestPlan, columns: Mapping[str, Columns], *, skip: bool = True) -> KeptRun:
    """Runs a plan and keeps its facts."""
    recorder = MemoryRecorder()
    done = simulate(plan, columns, recorder, skip=skip)
    return KeptRun(done.engine, recorder.facts, done.stepped)
