"""What our backtest is to hold beside the year's time: `python -m benchmarks.backtest.claims PART ...`.

`same` compares all trades with both loops, `bars` lives through every bar, `sweep` runs a hundred variants
with the exact engine, and `long` runs ten times the data. Each is a process and prints one line of JSON.
"""

import itertools
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from statistics import median
from time import perf_counter, process_time
from typing import Any

import neuratrade
from benchmarks.backtest import work
from benchmarks.backtest.loops import Levels, compiled_walk, plain_walk
from benchmarks.backtest.peers.outcome import peak_rss_mb, tell
from benchmarks.reference import BARS, Series
from neuratrade.research.backtest import run_backtest
from neuratrade.research.columns import Columns
from neuratrade.research.objective import Goal, Objective, Scores
from neuratrade.research.optimise import Question, optimise
from neuratrade.research.plan import BacktestPlan
from neuratrade.research.result import BacktestResult
from neuratrade.research.space import Value, space_of
from neuratrade.research.study import TrialDone, TrialState

BUY_BELOW = ("26", "29", "32", "35")
STOPS = ("0.003", "0.004", "0.005", "0.006", "0.008")
TARGETS = ("0.005", "0.0075", "0.01", "0.0125", "0.015")
CASH_OF_TEN_YEARS = 100_000_000.0
"""Ten years cost the rule most of ten million in fees; it must not run into the desk's drawdown limits."""


def same(path: str) -> None:
    """Every trade of the year, ours beside both loops."""
    made = work.load(path)
    result = run_backtest(work.plan(), work.columns(made))
    ours, equity = work.trades_of(result), float(result.final_equity)
    plain = plain_walk(made.high.tolist(), made.low.tolist(), made.close.tolist())
    compiled = compiled_walk()(made.high, made.low, made.close).walk
    found = {
        name: work.agreement(ours, equity, walk)._asdict()
        for name, walk in (("plain", plain), ("numba", compiled))
    }
    _tell(found=found, trades=len(ours), final_equity=equity, halted=result.halted)


def bars(path: str, count: str, rounds: str) -> None:
    """Bars a second where every bar is lived through, on the first `count`."""
    made = work.load(path)
    plan, warm = work.plan(), made.first(5_000)
    run_backtest(plan, work.columns(warm), skip=False)
    columns = work.columns(made.first(int(count)))
    runs = [run_backtest(plan, columns, skip=False) for _ in range(int(rounds))]
    skipped = run_backtest(plan, columns)
    if skipped.trades != runs[0].trades or skipped.final_equity != runs[0].final_equity:
        raise RuntimeError("passing over bars gives other trades than living through them")
    _tell(bars_per_s=int(count) / median(run.run_s for run in runs), trades=len(runs[0].trades))


def long(path: str) -> None:
    """Ten years, and the first of them before and after: in processor time, which others on the machine bend
    less than the clock.
    """
    made, plan = work.load(path), work.plan(CASH_OF_TEN_YEARS)
    whole, year = work.columns(made), work.columns(made.first(BARS))
    run_backtest(plan, work.columns(made.first(5_000)))
    before_s = _cpu_s(plan, year)[0]
    ten_s, found = _cpu_s(plan, whole)
    peak = peak_rss_mb()
    # More than one unit is bought where prices are low, so money is another; the trades are the same.
    plain = plain_walk(made.high.tolist(), made.low.tolist(), made.close.tolist())
    agreed = work.agreement(work.trades_of(found), 0.0, plain)
    stopped, run_s = found.halted, found.run_s
    del found
    one_s = (before_s + _cpu_s(plan, year)[0]) / 2
    _tell(
        one_s=one_s,
        ten_s=ten_s,
        times=ten_s / one_s,
        wall_s=run_s,
        trades=agreed.trades,
        same=agreed.same,
        first=agreed.first,
        halted=stopped,
        peak_mb=peak,
    )


def _cpu_s(plan: BacktestPlan, columns: Mapping[str, Columns]) -> tuple[float, BacktestResult]:
    began = process_time()
    found = run_backtest(plan, columns)
    return process_time() - began, found


def counted(result: BacktestResult) -> Scores:
    """What the sweep is compared by, and how long the engine took; no other figure is reckoned."""
    return {
        "run_s": result.run_s,
        "trades": float(len(result.trades)),
        "total_return": float(result.final_equity) / float(result.plan.cash) - 1.0,
        "max_drawdown": math.nan,
    }


def sweep(path: str, processes: str, variants: str) -> None:
    """Variants with the exact engine for all, as `optimize` runs them, in processes of the farm."""
    made = work.load(path)
    grid = variants_of(int(variants))
    began = perf_counter()
    found = optimise(
        Question(plan=work.plan(), space=_SPACE, objective=_GOAL, stages=(1.0,), batch=len(grid)),
        work.columns(made),
        trials=len(grid),
        fixed=grid,
        measure=counted,
        processes=int(processes),
    )
    run_s = perf_counter() - began
    done = [trial for trial in found.trials if trial.state is TrialState.COMPLETE]
    _tell(
        run_s=run_s,
        in_engine_s=sum(trial.scores["run_s"] for trial in done),
        variants=len(found.trials),
        equal=_equal_to_loop(made, done),
        trades=sum(int(trial.scores["trades"]) for trial in done),
        failed=[trial.reason for trial in found.trials if trial.reason],
    )


def _equal_to_loop(made: Series, trials: Sequence[TrialDone]) -> int:
    """How many variants have the trades and, to a cent, the equity of the compiled loop."""
    walk, equal = compiled_walk(), 0
    for trial in trials:
        levels = Levels(*(float(trial.values[name]) for name in NAMES))
        loop = walk(made.high, made.low, made.close, levels)
        equity = float(work.plan().cash) * (1.0 + trial.scores["total_return"])
        equal += loop.closed == trial.scores["trades"] and abs(loop.equity - equity) < work.CENT
    return equal


NAMES = ("buy_level_points", "stop_pct", "target_pct")
_SPACE = space_of(
    work.RULE,
    {name: "|".join(options) for name, options in zip(NAMES, (BUY_BELOW, STOPS, TARGETS), strict=True)},
)
_GOAL = Objective(Goal.TOTAL_RETURN)


def variants_of(count: int) -> list[Mapping[str, Value]]:
    """The first `count` of the hundred variants, spread over the grid."""
    every = list(itertools.product(BUY_BELOW, STOPS, TARGETS))
    step = len(every) / count
    return [dict(zip(NAMES, map(Decimal, every[int(place * step)]), strict=True)) for place in range(count)]


def _tell(**found: Any) -> None:
    tell("NeuraTrade", neuratrade.__version__, **found)


PARTS: dict[str, Callable[..., None]] = {"same": same, "bars": bars, "sweep": sweep, "long": long}

if __name__ == "__main__":
    PARTS[sys.argv[1]](*sys.argv[2:])
