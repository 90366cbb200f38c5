"""Results kept for comparison: one small file a backtest, so that versions of a strategy can be told apart.

A file is written whole or not at all and never changed. What names a result is what decided it: the digest of
the strategies with their parameters, of the plan, and of the data; the same run again lands in the same file.
"""

import hashlib
from pathlib import Path

import msgspec

from neuratrade.core.model.errors import UsageError
from neuratrade.feeds.files import write_atomically
from neuratrade.research.metrics import Metrics
from neuratrade.research.plan import BacktestPlan
from neuratrade.research.result import BacktestResult

FORM = 1


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """One kept result. at_ns: when it was run. strategies: names. data: as it was named; data_sha256: its
    numbers. first_ns, last_ns: closes of the first and last bar. values: settings by strategy, as text.
    """

    form: int = FORM
    at_ns: int
    strategies: tuple[str, ...]
    strategy_sha256: str
    plan_sha256: str
    data: str
    data_sha256: str
    first_ns: int
    last_ns: int
    final_equity: str
    refused: int
    departures: dict[str, str]
    values: dict[str, dict[str, str]]
    metrics: Metrics

    @property
    def name(self) -> str:
        """Of its file."""
        decided = f"{self.plan_sha256}{self.data_sha256}"
        return f"{self.strategy_sha256[:12]}-{hashlib.sha256(decided.encode()).hexdigest()[:12]}"


def plan_sha256(plan: BacktestPlan) -> str:
    """Names a plan: equal for equal ones."""
    return hashlib.sha256(msgspec.json.encode(plan, order="deterministic")).hexdigest()


def stored_of(result: BacktestResult, metrics: Metrics, data: str, data_sha256: str, at_ns: int) -> Stored:
    """A result as it is kept."""
    plan = result.plan
    return Stored(
        at_ns=at_ns,
        strategies=tuple(sorted({name for asset in plan.dna.assets.values() for name in asset.strategies})),
        strategy_sha256=plan.strategy_sha256,
        plan_sha256=plan_sha256(plan),
        data=data,
        data_sha256=data_sha256,
        first_ns=int(result.equity.at_ns[0]),
        last_ns=int(result.equity.at_ns[-1]),
        final_equity=str(result.final_equity),
        refused=len(result.refused),
        departures=plan.departures,
        values={
            name: {key: str(value) for key, value in sorted(settings.parameters.items())}
            for name, settings in sorted(plan.dna.strategies.items())
        },
        metrics=metrics,
    )


class Results:
    """The kept results of one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def keep(self, stored: Stored) -> Path:
        """Writes one; returns its file. Raises UsageError where the folder cannot be written."""
        path = self.folder / f"{stored.name}.json"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            write_atomically(path, msgspec.json.format(msgspec.json.encode(stored), indent=1))
        except OSError as error:
            raise UsageError(
                f"{self.folder}: results cannot be kept there: {error.strerror or error}"
            ) from error
        return path

    def all(self) -> tuple[tuple[Stored, ...], tuple[str, ...]]:
        """Every kept result, newest first, and what could not be read, a sentence each."""
        found: list[Stored] = []
        broken: list[str] = []
        for path in sorted(self.folder.glob("*.json")):
            try:
                stored = msgspec.json.decode(path.read_bytes(), type=Stored)
            except (OSError, msgspec.DecodeError) as error:
                broken.append(f"{path}: {error}; remove it or run the backtest again")
                continue
            if stored.form == FORM:
                found.append(stored)
            else:
                broken.append(
                    f"{path}: is of form {stored.form}, this version reads form {FORM}; remove it or run the "
                    "backtest again"
                )
        found.sort(key=lambda item: item.at_ns, reverse=True)
        return tuple(found), tuple(broken)
