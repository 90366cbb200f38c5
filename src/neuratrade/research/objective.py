"""What a search maximises, and what a trial must hold to win at all.

A constraint is no penalty mixed into the value: a trial over the drawdown, or with too few trades to mean
anything, keeps its value for the record and cannot win.
"""

import math
import re
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from enum import StrEnum

import msgspec

from neuratrade.core.model.errors import UsageError
from neuratrade.research.metrics.measure import DAYS_PER_YEAR, measure
from neuratrade.research.result import BacktestResult

Scores = Mapping[str, float]
"""Figures of one run by name; nan where one is not defined, such as a Sharpe without movement."""

Measure = Callable[[BacktestResult], Scores]
"""Reckons the figures of a run, those an objective names at least. A function of a module, or a partial of
one, so that worker processes can be given it."""


def measured(result: BacktestResult, days_per_year: float = DAYS_PER_YEAR) -> Scores:
    """Every figure of `metrics.measure` that is one number, by its name there; nan for one not defined."""
    metrics = measure(result, days_per_year=days_per_year)
    found: dict[str, float] = {}
    for field in msgspec.structs.fields(metrics):
        value = getattr(metrics, field.name)
        if value is None or (isinstance(value, (int, float)) and not isinstance(value, bool)):
            found[field.name] = math.nan if value is None else float(value)
    return found


class Goal(StrEnum):
    """The figure that is maximised."""

    SHARPE = "sharpe"
    SORTINO = "sortino"
    CALMAR = "calmar"
    TOTAL_RETURN = "total_return"
    EXPECTANCY = "expectancy"


class Objective(msgspec.Struct, frozen=True):
    """What to maximise. max_drawdown: fraction, None for no constraint. min_trades: fewer cannot win."""

    goal: Goal = Goal.SHARPE
    max_drawdown: float | None = None
    min_trades: int = 30

    def judge(self, scores: Scores) -> "Judged":
        """Value and broken constraints of one run's figures."""
        value = scores[self.goal]
        broken: dict[str, float] = {}
        if not math.isfinite(value):
            broken[f"{self.goal} is not defined"] = 1.0
        if scores["trades"] < self.min_trades:
            short = f"{int(scores['trades'])} trades, at least {self.min_trades} wanted"
            broken[short] = 1.0 - scores["trades"] / self.min_trades
        drawdown = scores["max_drawdown"]
        if self.max_drawdown is not None and not drawdown <= self.max_drawdown:
            over = drawdown - self.max_drawdown
            broken[f"max_drawdown {drawdown:.4f}, at most {self.max_drawdown:g} wanted"] = (
                over if math.isfinite(over) else 1.0
            )
        return Judged(value if math.isfinite(value) else None, broken)

    def __str__(self) -> str:
        drawdown = "" if self.max_drawdown is None else f", max_drawdown <= {self.max_drawdown:g}"
        return f"{self.goal}{drawdown}, trades >= {self.min_trades}"


class Judged(msgspec.Struct, frozen=True):
    """What an objective says of a run. value: None where not defined. broken: constraint in words, and by how
    much, above zero.
    """

    value: float | None
    broken: dict[str, float]

    @property
    def can_win(self) -> bool:
        """Whether the run holds every constraint."""
        return not self.broken


_CONSTRAINT = re.compile(r"\s*max_drawdown\s*<=\s*(?P<limit>[0-9]*\.?[0-9]+)\s*(?P<percent>%?)\s*")


def objective_of(goal: str, constraint: str = "", min_trades: int = 30) -> Objective:
    """An objective from words: a goal, and `max_drawdown <= 0.1` or nothing. Raises UsageError."""
    if goal not in tuple(Goal):
        near = get_close_matches(goal, tuple(Goal), n=1, cutoff=0.4)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise UsageError(f"{goal!r} is no objective; choose one of {', '.join(Goal)}{hint}")
    if min_trades < 1:
        raise UsageError(f"min_trades is {min_trades}; a run without trades proves nothing, give 1 or more")
    if not constraint.strip():
        return Objective(Goal(goal), None, min_trades)
    match = _CONSTRAINT.fullmatch(constraint)
    if match is None:
        raise UsageError(f"{constraint!r} is no constraint; write max_drawdown <= 0.1 (a fraction)")
    limit = float(match["limit"]) / (100 if match["percent"] else 1)
    if not 0 < limit <= 1:
        raise UsageError(f"max_drawdown <= {limit:g}: a drawdown is a fraction above 0, at most 1")
    return Objective(Goal(goal), limit, min_trades)
