"""Searches the settings of a strategy: seeded, resumable, and never the same trial twice.

One process owns the search; workers only run what they are told. Settings are drawn in batches of a fixed
size, so a search with one seed finds the same trials with one process, with ten, or on a cluster. A trial is
run on a growing part of the period and dropped as soon as it lies below the median of the others. What is
finished is stored at once: a search that was interrupted goes on where it stood and ends as if it had not
been, and a question that differs in anything (plan, bars, space, objective) begins a search of its own.

The best trial of many is not a strategy: `walkforward` and the promotion gate are there to find that out.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import msgspec
import numpy as np

import neuratrade
from neuratrade.core.model.errors import UsageError
from neuratrade.research.columns import Columns
from neuratrade.research.farm import FIELDS, Farm, Outcome, Task, Work, farm_of
from neuratrade.research.objective import Measure, Objective, measured
from neuratrade.research.plan import BacktestPlan
from neuratrade.research.space import Space, Value
from neuratrade.research.study import Study, TrialDone, TrialState, open_study
from neuratrade.research.trials import TrialLog
from neuratrade.research.variants import with_values

DAILY_SHARPE = "sharpe_per_day"
"""The figure the log of trials keeps, where a measure gives it."""


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What is searched. stages: parts of the period a trial is run on in turn, rising to 1; (1.0,) prunes
    nothing. batch: settings drawn before any of them is known; as many can run at once.
    """

    plan: BacktestPlan
    space: Space
    objective: Objective = Objective()
    seed: int = 0
    stages: tuple[float, ...] = (0.4, 1.0)
    batch: int = 8

    def __post_init__(self) -> None:
        rising = all(low < high for low, high in zip(self.stages, self.stages[1:], strict=False))
        if not self.stages or not rising or self.stages[0] <= 0 or self.stages[-1] != 1:
            raise UsageError(f"stages {self.stages} must rise from above 0 to 1, such as (0.4, 1.0)")
        if self.batch < 1:
            raise UsageError(f"a batch of {self.batch} draws nothing; give 1 or more")

    def name(self, columns: Mapping[str, Columns]) -> str:
        """The name of the search over these bars: the same for the same question, whatever asks it."""
        digest = hashlib.sha256(neuratrade.__version__.encode())
        digest.update(msgspec.json.encode(self, order="deterministic", enc_hook=str))
        for key in sorted(columns):
            for field in FIELDS:
                digest.update(np.ascontiguousarray(getattr(columns[key], field)).tobytes())
        return f"{self.space.strategy}-{digest.hexdigest()[:16]}"


class Progress(msgspec.Struct, frozen=True):
    """How far a search is. done: trials finished of wanted. ended: the one that just did."""

    done: int
    wanted: int
    ended: TrialDone
    best: TrialDone | None


@dataclass(frozen=True, slots=True)
class Optimised:
    """What a search found. trials: all of the study, earlier runs included. best: the best that holds every
    constraint, None where none does. ran: trials run by this call. interrupted: stopped before the end; how
    to go on is in `told`.
    """

    study: str
    storage: str
    trials: tuple[TrialDone, ...]
    best: TrialDone | None
    ran: int
    interrupted: bool
    told: str


def optimise(
    question: Question,
    columns: Mapping[str, Columns],
    *,
    trials: int = 50,
    measure: Measure = measured,
    storage: str = "",
    fixed: Sequence[Mapping[str, Value]] = (),
    processes: int | None = None,
    cluster: bool = False,
    farm: Farm | None = None,
    log: TrialLog | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> Optimised:
    """Searches until the study has `trials` different trials.

    columns: bars by instrument key. storage: SQLAlchemy URL of the study, empty for memory only. fixed:
    settings to run instead of drawing any. processes: None for one a core. cluster: run on Ray instead. farm:
    workers to use and leave running. log: where each proposal is counted before it runs. Raises UsageError
    for what cannot be searched, Retryable when workers are gone.
    """
    if trials < 1:
        raise UsageError(f"{trials} trials search nothing; give 1 or more")
    if not columns or not any(len(bars) for bars in columns.values()):
        raise UsageError("there are no bars to search on")
    wanted = _different(question.space, fixed) or _all_of(question.space, trials)
    with ExitStack() as ends:
        study = ends.enter_context(open_study(question, question.name(columns), storage))
        if farm is None:
            farm = _farm(columns, processes, cluster)
            ends.callback(farm.close)
        search = _Search(question, columns, measure, study, farm, log, progress)
        return search.until(len(wanted) if wanted else trials, wanted)


def _farm(columns: Mapping[str, Columns], processes: int | None, cluster: bool) -> Farm:
    if not cluster:
        return farm_of(columns, processes)
    from neuratrade.research.cluster import Cluster

    return Cluster(columns, processes)


def _different(space: Space, fixed: Sequence[Mapping[str, Value]]) -> list[Mapping[str, Value]]:
    found: list[Mapping[str, Value]] = []
    for values in fixed:
        exact = space.holding(values)
        if exact not in found:
            found.append(exact)
    return found


def _all_of(space: Space, trials: int) -> list[Mapping[str, Value]]:
    """Every combination of a space that has no more than there are trials: nothing is left to draw."""
    return list(space.combinations()) if space.size <= trials else []


class _Search:
    """One search under way."""

    def __init__(
        self,
        question: Question,
        columns: Mapping[str, Columns],
        measure: Measure,
        study: Study,
        farm: Farm,
        log: TrialLog | None,
        progress: Callable[[Progress], None] | None,
    ) -> None:
        self._question = question
        self._work = Work(question.plan, question.space.strategy, measure)
        self._study = study
        self._farm = farm
        self._log = log
        self._progress = progress
        self._start_ns, self._end_ns = period_of(question.plan, columns)
        self._logged: dict[int, int] = {}
        self._wanted = 0
        self._ran = 0

    def until(self, wanted: int, fixed: Sequence[Mapping[str, Value]]) -> Optimised:
        """Runs batches until the study has as many different trials as wanted."""
        self._wanted = wanted
        interrupted = False
        try:
            self._study.enqueue(fixed)
            while self._missing():
                batch = self._study.unfinished() or self._study.draw(
                    min(self._question.batch, self._missing())
                )
                self._run(batch)
        except KeyboardInterrupt:
            interrupted = True
        done = self._study.trials()
        return Optimised(
            study=self._study.name,
            storage=self._study.storage,
            trials=done,
            best=best_of(done),
            ran=self._ran,
            interrupted=interrupted,
            told=self._told(done, interrupted),
        )

    def _missing(self) -> int:
        """Trials still to run; none either where drawing finds hardly anything new."""
        done = self._study.trials()
        different = sum(trial.duplicate_of is None for trial in done)
        return 0 if len(done) >= 4 * self._wanted else max(self._wanted - different, 0)

    def _run(self, batch: Sequence[int]) -> None:
        alive, again = self._admit(batch)
        for stage, part in enumerate(self._question.stages):
            last = stage == len(self._question.stages) - 1
            end_ns = self._start_ns + round((self._end_ns - self._start_ns) * part)
            tasks = [Task(number, values, self._start_ns, end_ns) for number, values in alive.items()]
            outcomes: dict[int, Outcome] = {}
            for outcome in self._farm.run(self._work, tasks):
                if last or not outcome.scores:
                    self._finish(outcome)
                else:
                    outcomes[outcome.key] = outcome
            # Dropped only when the whole batch is known: what is dropped must not hang on who was faster.
            alive = {number: alive[number] for number in sorted(outcomes)}
            for number in list(alive):
                judged = self._question.objective.judge(outcomes[number].scores)
                if judged.value is not None and self._study.falls_behind(number, judged.value, part):
                    del alive[number]
                    self._study.prune(number, outcomes[number].scores, part)
                    self._ended(number, outcomes[number])
        for number, earlier in again.items():
            self._repeat(number, earlier)

    def _repeat(self, number: int, earlier: int) -> None:
        self._study.repeat(number, earlier)
        self._tell(number)

    def _admit(self, batch: Sequence[int]) -> tuple[dict[int, dict[str, Value]], dict[int, int]]:
        """Settings of the trials that have to run, those that are new and that the strategy takes; and the
        trials of this batch that are the same as one of these.
        """
        alive: dict[int, dict[str, Value]] = {}
        again: dict[int, int] = {}
        proposals: dict[int, str] = {}
        for number in batch:
            values = self._study.values(number)
            earlier = self._study.same_as(number)
            if earlier in alive:
                again[number] = earlier
                continue
            if earlier is not None:
                self._repeat(number, earlier)
                continue
            try:
                variant = with_values(self._question.plan, self._question.space.strategy, values)
            except UsageError as error:
                self._study.refuse(number, str(error))
                self._tell(number)
                continue
            alive[number], proposals[number] = values, variant.strategy_sha256
        if self._log is not None and alive:
            names = list(proposals.values())
            ids = self._log.begin(self._start_ns, self._end_ns, names, self._study.name)
            self._logged.update(zip(proposals, ids, strict=True))
        return alive, again

    def _finish(self, outcome: Outcome) -> None:
        if outcome.refused:
            self._study.refuse(outcome.key, outcome.refused)
        elif outcome.failed:
            self._study.fail(outcome.key, outcome.failed)
        else:
            judged = self._question.objective.judge(outcome.scores)
            self._study.complete(outcome.key, judged, outcome.scores, outcome.run_s)
        self._ended(outcome.key, outcome)

    def _ended(self, number: int, outcome: Outcome) -> None:
        self._ran += 1
        if self._log is not None and DAILY_SHARPE in outcome.scores and number in self._logged:
            self._log.end(self._logged[number], outcome.scores[DAILY_SHARPE])
        self._tell(number)

    def _tell(self, number: int) -> None:
        if self._progress is None:
            return
        done = self._study.trials()
        ended = next(trial for trial in done if trial.number == number)
        different = sum(trial.duplicate_of is None for trial in done)
        self._progress(Progress(different, self._wanted, ended, best_of(done)))

    def _told(self, done: Sequence[TrialDone], interrupted: bool) -> str:
        if interrupted and not self._study.storage:
            return f"stopped; {len(done)} trials were done and are in memory only"
        if interrupted:
            return (
                f"stopped; {len(done)} trials are kept in {self._study.storage} as {self._study.name}; "
                "run the same again to go on"
            )
        if best_of(done) is None:
            return f"none of {len(done)} trials holds every constraint ({self._question.objective})"
        different = sum(trial.duplicate_of is None for trial in done)
        if different < self._wanted:
            return f"{len(done)} draws gave only {different} different trials; widen the space for more"
        return ""


def best_of(trials: Sequence[TrialDone]) -> TrialDone | None:
    """The trial of the highest value that holds every constraint; the earlier one of equals."""
    able = [trial for trial in trials if trial.state is TrialState.COMPLETE and not trial.broken]
    return max(able, key=lambda trial: (trial.value or 0.0, -trial.number), default=None)


def period_of(plan: BacktestPlan, columns: Mapping[str, Columns]) -> tuple[int, int]:
    """The period a plan is judged on, ns UTC, (start, end]; whole days where the bars are."""
    first = min(int(bars.ts[0]) for bars in columns.values() if len(bars))
    last = max(int(bars.close_ns[-1]) for bars in columns.values() if len(bars))
    start_ns = first if plan.start_ns is None else plan.start_ns
    end_ns = last if plan.end_ns is None else plan.end_ns
    if start_ns >= end_ns:
        raise UsageError("the period to search has no bars; give a start before its end")
    return start_ns, end_ns
