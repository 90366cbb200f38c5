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
            path.parent.mkdir(parents=True, exist_ok=True)
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
    return storage


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


class Study:
    """The trials of one search."""

    def __init__(self, kept: "optuna.Study", space: Space, seed: int, name: str, storage: str) -> None:
        self.name = name
        self.storage = storage
        self._kept = kept
        self._space = space
        self._seed = seed

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
            number = len(self._kept.get_trials(deepcopy=False))
            digest = hashlib.sha256(f"{self.name} {self._seed} {number}".encode()).digest()
            self._kept.sampler = optuna.samplers.TPESampler(
                seed=int.from_bytes(digest[:4], "big"), n_startup_trials=_STARTUP
            )
            found.append(self._kept.ask(self._distributions()).number)
            self._note(found[-1], batch=found[0])
        return found

    def unfinished(self) -> list[int]:
        """Trials that were drawn and did not end; one that was not wholly drawn is given up."""
        import optuna

        running = self._kept.get_trials(deepcopy=False, states=(optuna.trial.TrialState.RUNNING,))
        names = {dimension.name for dimension in self._space.dimensions}
        for trial in running:
            if set(trial.params) != names:
                self.fail(trial.number, "the search stopped while these settings were drawn")
        return [trial.number for trial in running if set(trial.params) == names]

    def values(self, number: int) -> dict[str, Value]:
        """The settings of a trial."""
        return self._space.on_grid(self._frozen(number).params)

    def same_as(self, number: int) -> int | None:
        """An earlier trial with the same settings, or None."""
        wanted = self.values(number)
        for trial in self._kept.get_trials(deepcopy=False)[:number]:
            if len(trial.params) == len(wanted) and self._space.on_grid(trial.params) == wanted:
                return trial.number
        return None

    def falls_behind(self, number: int, value: float, part: float) -> bool:
        """Notes the value on a part of the period, and says whether it lies below the median there.

        The median is that of trials finished before this one's batch was drawn. Optuna's own pruner also
        looks at those of the same batch, and would then depend on which of them was faster.
        """
        import optuna

        step = round(part * 1000)
        trial = self._frozen(number)
        if step not in trial.intermediate_values:
            optuna.trial.Trial(self._kept, trial._trial_id).report(value, step)  # noqa: SLF001
        others = [
            earlier.intermediate_values[step]
            for earlier in self._kept.get_trials(deepcopy=False)[: trial.user_attrs.get("batch", number)]
            if earlier.state.name == "COMPLETE" and step in earlier.intermediate_values
        ]
        return len(others) >= _STARTUP and value < statistics.median(others)

    def complete(self, number: int, judged: Judged, scores: Scores, run_s: float) -> None:
        """Ends a trial that ran over the whole period."""
        import optuna

        trial = optuna.trial.Trial(self._kept, self._frozen(number)._trial_id)  # noqa: SLF001
        for place, over in enumerate(judged.broken.values()):
            trial.set_constraint(str(place), over)
        self._note(number, scores=_json(scores), broken=list(judged.broken), run_s=round(run_s, 6))
        self._note(number, value_known=judged.value is not None)
        self._kept.tell(number, 0.0 if judged.value is None else judged.value)

    def prune(self, number: int, scores: Scores, part: float) -> None:
        """Ends a trial that fell behind."""
        reason = f"below the median of the others after {part:.0%} of the period"
        self._note(number, scores=_json(scores), reason=reason)
        self._end(number, "PRUNED")

    def refuse(self, number: int, reason: str) -> None:
        """Ends a trial the strategy does not take; the sampler learns to stay away from it."""
        self._note(number, reason=reason, refused=True)
        self._end(number, "PRUNED")

    def fail(self, number: int, reason: str) -> None:
        """Ends a trial whose run broke."""
        self._note(number, reason=reason)
        self._end(number, "FAIL")

    def repeat(self, number: int, earlier: int) -> None:
        """Ends a trial with what an equal one came to."""
        import optuna

        before = self._frozen(earlier)
        trial = optuna.trial.Trial(self._kept, self._frozen(number)._trial_id)  # noqa: SLF001
        for step, value in before.intermediate_values.items():
            trial.report(value, step)
        for key, over in before.constraints.items():
            trial.set_constraint(key, over)
        self._note(number, **{**before.user_attrs, "duplicate_of": earlier})
        if before.state.name == "COMPLETE":
            self._kept.tell(number, before.value)
        else:
            self._end(number, "PRUNED" if before.state.name == "PRUNED" else "FAIL")

    def trials(self) -> tuple[TrialDone, ...]:
        """Every finished trial, by number."""
        return tuple(
            self._done(trial) for trial in self._kept.get_trials(deepcopy=False) if trial.state.is_finished()
        )

    def _done(self, trial: "optuna.trial.FrozenTrial") -> TrialDone:
        notes = trial.user_attrs
        state = {"COMPLETE": TrialState.COMPLETE, "PRUNED": TrialState.PRUNED}.get(
            trial.state.name, TrialState.FAILED
        )
        complete = state is TrialState.COMPLETE
        whole = len(trial.params) == len(self._space.dimensions)
        return TrialDone(
            number=trial.number,
            values=self._space.on_grid(trial.params) if whole else {},
            state=TrialState.REFUSED if notes.get("refused") else state,
            value=trial.value if complete and notes.get("value_known") else None,
            scores={name: math.nan if v is None else v for name, v in notes.get("scores", {}).items()},
            broken=tuple(notes.get("broken", ())),
            reason=notes.get("reason", ""),
            duplicate_of=notes.get("duplicate_of"),
        )

    def _frozen(self, number: int) -> "optuna.trial.FrozenTrial":
        return self._kept.get_trials(deepcopy=False)[number]

    def _note(self, number: int, **notes: object) -> None:
        trial_id = self._frozen(number)._trial_id  # noqa: SLF001
        for key, value in notes.items():
            self._kept._storage.set_trial_user_attr(trial_id, key, value)  # noqa: SLF001

    def _end(self, number: int, state: str) -> None:
        import optuna

        self._kept.tell(number, state=optuna.trial.TrialState[state])

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
