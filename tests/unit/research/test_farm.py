"""Farms: the same figures here and in processes, answers instead of crashes, nothing left behind."""

import os
import signal
import tempfile
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from neuratrade.core.model.errors import Retryable, UsageError
from neuratrade.research.farm import Here, Processes, Task, Work, farm_of, load_columns, save_columns
from neuratrade.research.objective import Objective, measured
from neuratrade.research.optimise import Question, optimise, period_of
from neuratrade.research.result import BacktestResult
from neuratrade.research.space import Value, space_of
from tests.unit.research.small_desk import BTC, bars, plan

BARS = bars(days=4)
BEGIN, END = period_of(plan(), BARS)
WORK = Work(plan(), "rsi_rule", measured)


def task(key: int, **values: Value) -> Task:
    return Task(key, values, BEGIN, END)


def _dies(result: BacktestResult) -> dict[str, float]:
    os.kill(os.getpid(), signal.SIGKILL)
    return {}


def _breaks(result: BacktestResult) -> dict[str, float]:
    raise LookupError("no such figure")


def test_bars_come_back_from_their_files_as_they_were_and_can_be_read_by_compiled_code(
    tmp_path: Path,
) -> None:
    save_columns(tmp_path, BARS)
    found = load_columns(tmp_path)
    assert list(found) == [BTC.key]
    assert found[BTC.key].instrument == BTC
    for name in ("ts", "open", "high", "low", "close", "volume"):
        column = getattr(found[BTC.key], name)
        assert type(column) is np.ndarray
        assert column.flags.writeable
        assert column.tobytes() == getattr(BARS[BTC.key], name).tobytes()


def test_processes_give_the_figures_of_this_process_whatever_the_order() -> None:
    tasks = [task(key, buy_level_points=Decimal(28 + key)) for key in range(4)]
    here = {one.key: one.scores for one in Here(BARS).run(WORK, tasks)}
    farm = Processes(BARS, 2)
    try:
        there = {one.key: one.scores for one in farm.run(WORK, tasks)}
    finally:
        farm.close()
    assert repr(there) == repr({key: here[key] for key in there})
    assert set(there) == {0, 1, 2, 3}


def test_what_cannot_run_is_an_answer_with_its_reason() -> None:
    (refused,) = Here(BARS).run(WORK, [task(0, buy_level_points=Decimal(90))])
    assert refused.refused == "buy_level_points (90) must lie below sell_level_points (70)"
    (failed,) = Here(BARS).run(Work(plan(), "rsi_rule", _breaks), [task(1)])
    assert failed.failed == "LookupError: no such figure"
    (empty,) = Here(BARS).run(WORK, [Task(2, {}, END, END + 1)])
    assert empty.failed.startswith("UsageError: no bar closes between the start and the end")


def test_a_worker_that_is_killed_is_told_as_that_and_nothing_is_left_behind() -> None:
    farm = Processes(BARS, 1)
    folder = farm._folder
    try:
        with pytest.raises(Retryable, match="a worker process ended before its work was done"):
            list(farm.run(Work(plan(), "rsi_rule", _dies), [task(0)]))
    finally:
        farm.close()
    assert not folder.exists()


def test_a_search_that_breaks_off_ends_its_workers_and_removes_its_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    asked = Question(
        plan=plan(),
        space=space_of("rsi_rule", {"buy_level_points": "28:31:1"}),
        objective=Objective(min_trades=1),
    )

    def interrupt(told: object) -> None:
        raise KeyboardInterrupt

    stopped = optimise(asked, BARS, trials=4, processes=2, progress=interrupt)
    assert stopped.interrupted
    assert list(tmp_path.iterdir()) == []


def test_one_process_and_two_find_the_same_trials() -> None:
    asked = Question(
        plan=plan(),
        space=space_of("rsi_rule", {"buy_level_points": "25:35:0.1"}),
        objective=Objective(min_trades=1),
        batch=4,
    )
    one, two = (optimise(asked, BARS, trials=8, processes=count) for count in (1, 2))
    assert repr(one.trials) == repr(two.trials)


@pytest.mark.parametrize("processes", [0, -3])
def test_fewer_than_one_process_is_refused(processes: int) -> None:
    with pytest.raises(UsageError, match=f"{processes} processes cannot run anything; give 1 or more"):
        farm_of(BARS, processes)
