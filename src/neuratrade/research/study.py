"""The trials of one search, kept by Optuna: drawn, dropped, finished, and found again.

Each trial is drawn with a seed of its own number, so what is drawn hangs on the trials before it and on
nothing else. Trials that were drawn and not finished (a crash, an interrupt) are taken up again under their
number. Optuna is imported only when a search begins.
"""

import hashlib
import math
import statistics
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from neuratrade.core.model.errors import UsageError
from neuratrade.feeds.files import exclusive
from neuratrade.research.objective import Judged, Scores
from neuratrade.research.space import Choice, Space, Value

if TYPE_CHECKING:
    import optuna

_SQLITE = "sqlite:///"
_BATCH, _ENDED = "batch", "ended"
_STARTUP = 10
"""Trials drawn at random before the sampler begins to learn, and finished before any is dropped."""


class TrialState(StrEnum):
    """How a trial ended. REFUSED: the strategy does not take these settings. FAILED: its run broke."""

    COMPLETE = "complete"
    PRUNED = "pruned"
    REFUSED = "refused"
    FAILED = "failed"


class TrialDone(msgspec.Struct, frozen=True):
    """One finished trial.

    value: of the objective, None where not defined or not finished. scores: every figure of its run; of a
    pruned one on the part it ran. broken: constraints it does not hold. reason: why it was refused, failed or
    pruned. duplicate_of: number of the trial that had the same settings.
    """

    number: int
    values: dict[str, Value]
    state: TrialState
    value: float | None
    scores: dict[str, float]
    broken: tuple[str, ...]
    reason: str
    duplicate_of: int | None


class Asked(Protocol):
    """What a study needs to know of a question."""

    @property
    def space(self) -> Space:
        """What varies."""
        ...

    @property
    def seed(self) -> int:
        """Seed of all draws."""
        ...


@contextmanager
def open_study(question: Asked, name: str, storage: str) -> Iterator["Study"]:
    """The study of that name, made where it is not there. storage: SQLAlchemy URL, empty for memory.

    Raises UsageError for a storage that cannot be opened, and for a file another search is writing to.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with ExitStack() as ends:
        if storage.startswith(_SQLITE):
            path = Path(storage.removeprefix(_SQLITE))
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise UsageError(f"the storage {storage} cannot be used: {error}") from error
            ends.enter_context(_alone(path, name))
        try:
            kept = optuna.create_study(
                storage=_storage(storage, ends),
                study_name=name,
                direction="maximize",
                pruner=optuna.pruners.NopPruner(),
                load_if_exists=True,
            )
        except Exception as error:  # drivers and SQLAlchemy raise what they like for an address
            raise UsageError(f"the storage {_without_password(storage)} cannot be used: {error}") from error
        yield Study(kept, question.space, question.seed, name, _without_password(storage))


def _storage(url: str, ends: ExitStack) -> Any:
    if not url:
        return None
    import optuna

    storage = optuna.storages.RDBStorage(url)
    ends.callback(storage.engine.dispose)
    if url.startswith(_SQLITE):
        from sqlalchemy import event

        # A commit for each note of a trial, synced, takes longer than many a trial. What a loss of power can
        # take so is the last trials, which then run again; a crash of the process takes none.
        event.listen(storage.engine, "connect", _without_sync)
        storage.engine.dispose()
    return storage


def _without_sync(connection: Any, _: object) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")


@contextmanager
def _alone(path: Path, name: str) -> Iterator[None]:
    with ExitStack() as held:
        try:
            held.enter_context(exclusive(path.with_name(f".{path.name}.{name}.lock")))
        except UsageError as error:
            raise UsageError(
                f"{path}: another process is running this search ({name}); wait for it, or stop it"
            ) from error
        yield


def _without_password(url: str) -> str:
    scheme, sign, rest = url.partition("://")
    login, at, host = rest.rpartition("@")
    return f"{scheme}{sign}{login.partition(':')[0]}{at}{host}" if at else url


class Ended(msgspec.Struct, frozen=True):
    """How a trial ended, as the storage keeps it: a user attribute of the trial."""

    scores: dict[str, float | None] = {}
    value: float | None = None
    broken: dict[str, float] = {}
    reason: str = ""
    duplicate_of: int | None = None
    run_s: float = 0.0


@dataclass(slots=True)
class _Seen:
    """A trial under way or done. batch: number of the first trial drawn with it. parts: value by stage."""

    trial_id: int
    values: dict[str, Value]
    batch: int
    parts: dict[int, float] = field(default_factory=dict)
    ended: Ended | None = None
    done: TrialDone | None = None


def _done(number: int, values: dict[str, Value], state: TrialState, ended: Ended) -> TrialDone:
    return TrialDone(
        number=number,
        values=values,
        state=state,
        value=ended.value,
        scores={name: math.nan if value is None else value for name, value in ended.scores.items()},
        broken=tuple(ended.broken),
        reason=ended.reason,
        duplicate_of=ended.duplicate_of,
    )


class Study:
    """The trials of one search.

    Only this object changes the study while it is open, so it knows its trials without asking the storage.
    """

    def __init__(self, kept: "optuna.Study", space: Space, seed: int, name: str, storage: str) -> None:
        self.name = name
        self.storage = storage
        self._kept = kept
        self._space = space
        self._seed = seed
        self._seen: dict[int, _Seen] = {}
        for trial in kept.get_trials(deepcopy=False):
            if trial.state.name != "WAITING":
                self._seen[trial.number] = self._read(trial)

    def enqueue(self, fixed: Sequence[Mapping[str, Value]]) -> None:
        """Settings to run before anything is drawn; those the study has already are left out."""
        for values in fixed:
            params = {name: _param(value) for name, value in values.items()}
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self._kept.enqueue_trial(params, skip_if_exists=True)

    def draw(self, count: int) -> list[int]:
        """Draws new trials; their numbers."""
        import optuna

        found: list[int] = []
        for _ in range(count):
            digest = hashlib.sha256(f"{self._seed} {len(self._seen)}".encode()).digest()
            self._kept.sampler = optuna.samplers.TPESampler(
                seed=int.from_bytes(digest[:4], "big"), n_startup_trials=_STARTUP
            )
            trial = self._kept.ask(self._distributions())
            found.append(trial.number)
            trial.set_user_attr(_BATCH, found[0])
            self._seen[trial.number] = _Seen(trial._trial_id, self._space.on_grid(trial.params), found[0])  # noqa: SLF001
        return found

    def unfinished(self) -> list[int]:
        """Trials that were drawn and did not end; one that was not wholly drawn is given up."""
        running = [number for number, seen in self._seen.items() if seen.done is None]
        for number in running:
            if not self._seen[number].values:
                self.fail(number, "the search stopped while these settings were drawn")
        return [number for number in running if self._seen[number].values]

    def values(self, number: int) -> dict[str, Value]:
        """The settings of a trial."""
        return self._seen[number].values

    def same_as(self, number: int) -> int | None:
        """An earlier trial with the same settings, or None."""
        wanted = self._seen[number].values
        earlier = (one for one in sorted(self._seen) if one < number)
        return next((one for one in earlier if self._seen[one].values == wanted), None)

    def falls_behind(self, number: int, value: float, part: float) -> bool:
        """Notes the value on a part of the period, and says whether it lies below the median there.

        The median is that of trials finished before this one's batch was drawn. Optuna's own pruner also
        looks at those of the same batch, and would then depend on which of them was faster.
        """
        seen, step = self._seen[number], round(part * 1000)
        if step not in seen.parts:
            self._kept._storage.set_trial_intermediate_value(seen.trial_id, step, value)  # noqa: SLF001
            seen.parts[step] = value
        others = [
            earlier.parts[step]
            for earlier in (self._seen[one] for one in self._seen if one < seen.batch)
            if earlier.done is not None
            and earlier.done.state is TrialState.COMPLETE
            and step in earlier.parts
        ]
        return len(others) >= _STARTUP and value < statistics.median(others)

    def complete(self, number: int, judged: Judged, scores: Scores, run_s: float) -> None:
        """Ends a trial that ran over the whole period."""
        ended = Ended(scores=_json(scores), broken=judged.broken, run_s=round(run_s, 6), value=judged.value)
        self._end(number, TrialState.COMPLETE, ended)

    def prune(self, number: int, scores: Scores, part: float) -> None:
        """Ends a trial that fell behind."""
        reason = f"below the median of the others after {part:.0%} of the period"
        self._end(number, TrialState.PRUNED, Ended(scores=_json(scores), reason=reason))

    def refuse(self, number: int, reason: str) -> None:
        """Ends a trial the strategy does not take; the sampler learns to stay away from it."""
        self._end(number, TrialState.REFUSED, Ended(reason=reason))

    def fail(self, number: int, reason: str) -> None:
        """Ends a trial whose run broke."""
        self._end(number, TrialState.FAILED, Ended(reason=reason))

    def repeat(self, number: int, earlier: int) -> None:
        """Ends a trial with what an equal one came to."""
        first = self._seen[earlier]
        for step, value in first.parts.items():
            self.falls_behind(number, value, step / 1000)
        if first.done is not None and first.ended is not None:
            self._end(number, first.done.state, msgspec.structs.replace(first.ended, duplicate_of=earlier))

    def trials(self) -> tuple[TrialDone, ...]:
        """Every finished trial, by number."""
        done = (self._seen[number].done for number in sorted(self._seen))
        return tuple(trial for trial in done if trial is not None)

    def _end(self, number: int, state: TrialState, ended: Ended) -> None:
        """Keeps how a trial ended, and tells the sampler."""
        import optuna

        seen, storage = self._seen[number], self._kept._storage  # noqa: SLF001
        trial = optuna.trial.Trial(self._kept, seen.trial_id)
        for place, over in enumerate(ended.broken.values()):
            trial.set_constraint(str(place), over)
        storage.set_trial_user_attr(seen.trial_id, _ENDED, msgspec.to_builtins(ended) | {"state": str(state)})
        if state is TrialState.COMPLETE:
            self._kept.tell(trial, 0.0 if ended.value is None else ended.value)
        else:
            kind = "FAIL" if state is TrialState.FAILED else "PRUNED"
            self._kept.tell(trial, state=optuna.trial.TrialState[kind])
        seen.ended, seen.done = ended, _done(number, seen.values, state, ended)

    def _read(self, trial: "optuna.trial.FrozenTrial") -> "_Seen":
        """A trial as the storage has it."""
        whole = len(trial.params) == len(self._space.dimensions)
        values = self._space.on_grid(trial.params) if whole else {}
        batch = trial.user_attrs.get(_BATCH, trial.number)
        seen = _Seen(trial._trial_id, values, batch, dict(trial.intermediate_values))  # noqa: SLF001
        if trial.state.is_finished():
            kept = dict(trial.user_attrs.get(_ENDED, {"state": "failed", "reason": "ended elsewhere"}))
            state = TrialState(kept.pop("state"))
            seen.ended = msgspec.convert(kept, Ended)
            seen.done = _done(trial.number, values, state, seen.ended)
        return seen

    def _distributions(self) -> dict[str, "optuna.distributions.BaseDistribution"]:
        from optuna.distributions import CategoricalDistribution, FloatDistribution

        found: dict[str, optuna.distributions.BaseDistribution] = {}
        for dimension in self._space.dimensions:
            if isinstance(dimension, Choice):
                found[dimension.name] = CategoricalDistribution(
                    [_param(option) for option in dimension.options]
                )
            else:
                low, high, step = float(dimension.low), float(dimension.high), float(dimension.step)
                found[dimension.name] = FloatDistribution(low, high, step=step)
        return found


def _param(value: Value) -> str | float:
    return value if isinstance(value, str) else float(value)


def _json(scores: Scores) -> dict[str, float | None]:
    """Figures as JSON can hold them: what is not a number is null."""
    return {name: float(value) if math.isfinite(value) else None for name, value in scores.items()}
