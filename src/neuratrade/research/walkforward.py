"""Walk-forward: settings are chosen on one stretch of the past and judged on the next, again and again.

What a search finds on the days it searched says little; only the days after them count. So every test window
lies behind its training window, with a gap between them (`windows`), and no training ever uses a bar behind
its own test.

Each test begins with the start cash and with indicators warmed by all that went before; what is open at its
end is left at its last close, and pays for that. The stitched equity compounds the windows as if each had
begun with what the one before it left.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from statistics import fmean

import msgspec
import numpy as np
from msgspec.structs import replace as changed

from neuratrade.research.backtest import run_backtest
from neuratrade.research.columns import Columns
from neuratrade.research.farm import Farm, farm_of
from neuratrade.research.leaving import left
from neuratrade.research.objective import Measure, Scores, measured
from neuratrade.research.optimise import DAILY_SHARPE, Optimised, Progress, Question, optimise, period_of
from neuratrade.research.plan import BacktestPlan
from neuratrade.research.result import BacktestResult, Equity
from neuratrade.research.space import Choice, Range, Space, Value
from neuratrade.research.stitch import stitch
from neuratrade.research.trials import TrialLog
from neuratrade.research.variants import with_values
from neuratrade.research.windows import Window, Windows, cut, longest_hold_ns


@dataclass(frozen=True, slots=True)
class WindowDone:
    """One window: what was chosen and what it came to. chosen: None where no trial held every constraint, and
    then nothing was traded in the test. in_sample, out_of_sample: figures of training and test.
    """

    window: Window
    chosen: dict[str, Value] | None
    in_sample: dict[str, float]
    out_of_sample: dict[str, float]
    trials: int
    result: BacktestResult


class Stability(msgspec.Struct, frozen=True):
    """How far the choice of one setting moved between windows. spread: for numbers the width they covered, of
    the range searched; for words the share of windows that differ from the commonest. 0 is stable.
    """

    name: str
    values: tuple[str, ...]
    spread: float


@dataclass(frozen=True, slots=True)
class WalkForward:
    """What a walk-forward came to.

    stitched: all tests as one run; scores: its figures. stability: by setting. in_sample, out_of_sample:
    means of the objective over windows where both are defined. kept: out_of_sample over in_sample, None
    unless in_sample is above zero; well below 1 says that training promised what tests did not hold.
    notes: windows without a choice. interrupted: windows that were done are here.
    """

    windows: tuple[WindowDone, ...]
    stitched: BacktestResult | None
    scores: dict[str, float]
    stability: tuple[Stability, ...]
    in_sample: float | None
    out_of_sample: float | None
    kept: float | None
    notes: tuple[str, ...]
    interrupted: bool


def walkforward(
    question: Question,
    columns: Mapping[str, Columns],
    windows: Windows,
    *,
    trials: int = 50,
    measure: Measure = measured,
    storage: str = "",
    processes: int | None = None,
    farm: Farm | None = None,
    log: TrialLog | None = None,
    progress: Callable[[int, int, Progress], None] | None = None,
) -> WalkForward:
    """Optimises on each training window and runs the best on the test behind it.

    question: searched in each window; its plan's period is the one that is cut. trials: of each window.
    storage: as of `optimise`; each window is a study of its own, so a walk that was interrupted goes on where
    it stood. progress: told the window (from 1), how many there are, and how far its search is. Raises
    UsageError as `cut` and `optimise` do.
    """
    start_ns, end_ns = period_of(question.plan, columns)
    span_ns = max(bars.span_ns for bars in columns.values())
    wanted = cut(windows, start_ns, end_ns, longest_hold_ns(question.plan, question.space), span_ns)
    workers = farm or farm_of(columns, processes)
    done: list[WindowDone] = []
    notes: list[str] = []
    stopped = False
    try:
        for place, window in enumerate(wanted):
            plan = changed(question.plan, start_ns=window.train_start_ns, end_ns=window.train_end_ns)
            told = None if progress is None else _numbered(progress, place + 1, len(wanted))
            found = optimise(
                changed(question, plan=plan),
                columns,
                trials=trials,
                measure=measure,
                storage=storage,
                farm=workers,
                log=log,
                progress=told,
            )
            if found.interrupted:
                stopped = True
                notes.append(f"window {place + 1}: {found.told}")
                break
            done.append(_tested(question, columns, window, found, measure, log))
            if found.best is None:
                notes.append(f"window {place + 1}: {found.told}; nothing was traded in its test")
    finally:
        if farm is None:
            workers.close()
    return _summed(question, done, measure, tuple(notes), stopped)


def _numbered(
    progress: Callable[[int, int, Progress], None], window: int, windows: int
) -> Callable[[Progress], None]:
    return lambda told: progress(window, windows, told)


def _tested(
    question: Question,
    columns: Mapping[str, Columns],
    window: Window,
    found: Optimised,
    measure: Measure,
    log: TrialLog | None,
) -> WindowDone:
    """Runs what training chose over the test; where it chose nothing, no entry is judged there."""
    base = question.plan if found.best is None else _best(question, found.best.values)
    plan = changed(base, start_ns=window.test_start_ns, end_ns=window.test_end_ns)
    trial = None
    if log is not None and found.best is not None:
        trial = log.begin(window.test_start_ns, window.test_end_ns, [plan.strategy_sha256], found.study)[0]
    # A bar behind the test is never handed to its run.
    known = {key: bars.part(0, bars.closed_by(window.test_end_ns)) for key, bars in columns.items()}
    result = _idle(plan, known) if found.best is None else left(run_backtest(plan, known))
    scores = dict(measure(result))
    if trial is not None and log is not None and DAILY_SHARPE in scores:
        log.end(trial, scores[DAILY_SHARPE])
    best = found.best
    return WindowDone(
        window=window,
        chosen=None if best is None else best.values,
        in_sample={} if best is None else best.scores,
        out_of_sample=scores,
        trials=len(found.trials),
        result=result,
    )


def _best(question: Question, values: Mapping[str, Value]) -> BacktestPlan:
    return with_values(question.plan, question.space.strategy, values)


def _idle(plan: BacktestPlan, columns: Mapping[str, Columns]) -> BacktestResult:
    """A test in which nothing is traded: the cash, at each instant bars closed."""
    start_ns, end_ns = period_of(plan, columns)
    at_ns = np.unique(np.concatenate([bars.close_ns for bars in columns.values()]))
    at_ns = at_ns[(at_ns > start_ns) & (at_ns <= end_ns)]
    zero = plan.cash * 0
    return BacktestResult(
        plan=plan,
        columns=dict(columns),
        trades=(),
        refused=(),
        refused_by={},
        intents=0,
        equity=Equity(at_ns, np.full(len(at_ns), float(plan.cash)), np.zeros(len(at_ns))),
        final_equity=plan.cash,
        fees=zero,
        carry=zero,
        turnover=zero,
        bars=len(at_ns),
        stepped=0,
        unprotected_ms_max=0,
        halted="",
        run_s=0.0,
        skipped=False,
    )


def _summed(
    question: Question, done: list[WindowDone], measure: Measure, notes: tuple[str, ...], stopped: bool
) -> WalkForward:
    stitched = stitch([window.result for window in done]) if done else None
    goal = question.objective.goal
    pairs = [(w.in_sample[goal], w.out_of_sample[goal]) for w in done if w.chosen is not None]
    known = [(one, two) for one, two in pairs if np.isfinite(one) and np.isfinite(two)]
    before = fmean(one for one, _ in known) if known else None
    after = fmean(two for _, two in known) if known else None
    kept = after / before if before is not None and after is not None and before > 0 else None
    scores: Scores = {} if stitched is None else measure(stitched)
    return WalkForward(
        windows=tuple(done),
        stitched=stitched,
        scores=dict(scores),
        stability=stability_of(question.space, [w.chosen for w in done if w.chosen is not None]),
        in_sample=before,
        out_of_sample=after,
        kept=kept,
        notes=notes,
        interrupted=stopped,
    )


def stability_of(space: Space, chosen: Sequence[Mapping[str, Value]]) -> tuple[Stability, ...]:
    """How far each setting moved between windows; nothing for no windows."""
    if not chosen:
        return ()
    found = []
    for dimension in space.dimensions:
        values = [one[dimension.name] for one in chosen]
        shown = tuple(str(value) for value in values)
        found.append(Stability(dimension.name, shown, _spread(dimension, values)))
    return tuple(found)


def _spread(dimension: Range | Choice, values: list[Value]) -> float:
    if isinstance(dimension, Choice):
        return 1.0 - max(values.count(value) for value in values) / len(values)
    width = dimension.high - dimension.low
    numbers = [Decimal(value) for value in values]
    return float((max(numbers) - min(numbers)) / width) if width else 0.0
