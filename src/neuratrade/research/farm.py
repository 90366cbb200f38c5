"""Runs many variants of one plan over the same bars: here, in worker processes, or on a cluster.

A worker is given the plan and the bars once; a task is then a few settings and a period. It answers with
figures and never raises: a combination that cannot run is an answer too. Nothing of the order in which tasks
end is promised, and nobody may build on it.

Bars reach the processes as files mapped into memory, so that ten workers hold one copy. Processes are
spawned, never forked: compiled code and database handles do not survive a fork. A program that uses them
begins under `if __name__ == "__main__":`.
"""

import multiprocessing
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Protocol

import msgspec
import numpy as np
from msgspec.structs import replace

from neuratrade.core.model.errors import NeuraTradeError, Retryable, UsageError
from neuratrade.core.model.instrument import Instrument
from neuratrade.research.backtest import run_backtest
from neuratrade.research.columns import Columns
from neuratrade.research.objective import Measure
from neuratrade.research.plan import BacktestPlan
from neuratrade.research.space import Value
from neuratrade.research.variants import with_values

FIELDS = ("ts", "open", "high", "low", "close", "volume")


class Task(msgspec.Struct, frozen=True):
    """One run: settings of the strategy, and the period judged, ns UTC, (start_ns, end_ns]."""

    key: int
    values: dict[str, Value]
    start_ns: int
    end_ns: int


class Outcome(msgspec.Struct, frozen=True):
    """What a run came to. scores: figures by name, empty where it could not run. refused: why the strategy
    does not take these settings; failed: what went wrong in the run.
    """

    key: int
    scores: dict[str, float] = {}
    refused: str = ""
    failed: str = ""
    run_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Work:
    """What every worker holds: the plan, the strategy whose settings vary, and how runs are measured."""

    plan: BacktestPlan
    strategy: str
    measure: Measure


class Farm(Protocol):
    """Where tasks run."""

    def run(self, work: Work, tasks: Sequence[Task]) -> Iterator[Outcome]:
        """Outcomes as they come, one a task. Raises Retryable when workers are gone."""
        ...

    def close(self) -> None:
        """Ends what was started here, at once."""
        ...


def evaluate(work: Work, columns: Mapping[str, Columns], task: Task) -> Outcome:
    """Runs one task."""
    began = perf_counter()
    try:
        variant = with_values(work.plan, work.strategy, task.values)
    except UsageError as error:
        return Outcome(task.key, refused=str(error))
    plan = replace(variant, start_ns=task.start_ns, end_ns=task.end_ns)
    try:
        scores = dict(work.measure(run_backtest(plan, columns)))
    except (NeuraTradeError, ArithmeticError, ValueError, LookupError) as error:
        return Outcome(task.key, failed=f"{type(error).__name__}: {error}", run_s=perf_counter() - began)
    return Outcome(task.key, scores, run_s=perf_counter() - began)


class Here:
    """Runs tasks one after the other in this process."""

    def __init__(self, columns: Mapping[str, Columns]) -> None:
        self._columns = columns

    def run(self, work: Work, tasks: Sequence[Task]) -> Iterator[Outcome]:
        """See `Farm`."""
        return (evaluate(work, self._columns, task) for task in tasks)

    def close(self) -> None:
        """Nothing was started."""


class Processes:
    """Runs tasks in processes of this machine; they share one copy of the bars."""

    def __init__(self, columns: Mapping[str, Columns], processes: int) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="neuratrade-bars-"))
        save_columns(self._folder, columns)
        self._pool = ProcessPoolExecutor(
            processes,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_begin,
            initargs=(str(self._folder),),
        )

    def run(self, work: Work, tasks: Sequence[Task]) -> Iterator[Outcome]:
        """See `Farm`."""
        try:
            running: list[Future[Outcome]] = [
                self._pool.submit(_evaluate_there, work, task) for task in tasks
            ]
            for future in as_completed(running):
                yield future.result()
        except BrokenProcessPool as error:
            raise Retryable(
                "a worker process ended before its work was done (killed, or out of memory); what was "
                "finished is kept: run the same again, with fewer processes where memory is short"
            ) from error

    def close(self) -> None:
        """Ends the workers without waiting for what they are at."""
        workers = list(self._pool._processes.values()) if self._pool._processes else []  # noqa: SLF001
        self._pool.shutdown(wait=False, cancel_futures=True)
        for worker in workers:
            worker.terminate()
        for worker in workers:
            worker.join()
        shutil.rmtree(self._folder, ignore_errors=True)


def farm_of(columns: Mapping[str, Columns], processes: int | None) -> Farm:
    """A farm of this machine. processes: None for one a core. Raises UsageError for fewer than one."""
    wanted = (os.cpu_count() or 1) if processes is None else processes
    if wanted < 1:
        raise UsageError(f"{wanted} processes cannot run anything; give 1 or more")
    return Here(columns) if wanted == 1 else Processes(columns, wanted)


def save_columns(folder: Path, columns: Mapping[str, Columns]) -> None:
    """Writes bars as arrays that can be mapped into memory."""
    heads = [(bars.instrument, bars.span_ns) for bars in columns.values()]
    (folder / "bars.json").write_bytes(msgspec.json.encode(heads))
    for place, bars in enumerate(columns.values()):
        for name in FIELDS:
            np.save(folder / f"{place}-{name}.npy", np.ascontiguousarray(getattr(bars, name)))


def load_columns(folder: Path) -> dict[str, Columns]:
    """Bars that `save_columns` wrote, mapped: their pages are shared until somebody writes to them."""
    heads = msgspec.json.decode((folder / "bars.json").read_bytes(), type=list[tuple[Instrument, int]])
    found = {}
    for place, (instrument, span_ns) in enumerate(heads):
        # Compiled code knows read-only arrays as another type and would be compiled anew for them.
        arrays = [np.asarray(np.load(folder / f"{place}-{name}.npy", mmap_mode="c")) for name in FIELDS]
        found[instrument.key] = Columns(instrument, span_ns, *arrays)
    return found


_held: dict[str, Columns] = {}


def _begin(folder: str) -> None:
    """What a worker process does first."""
    # An interrupt is for the process that began the search; it ends its workers itself.
    with suppress(ValueError):
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    _held.update(load_columns(Path(folder)))


def _evaluate_there(work: Work, task: Task) -> Outcome:
    return evaluate(work, _held, task)
