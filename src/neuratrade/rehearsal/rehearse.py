"""Many plays over all venues, in processes of this machine, and what they prove together.

Plays are numbered from the seed on; each is repeated by its venue and number alone, whatever else ran.
"""

import multiprocessing
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from functools import cache

import msgspec

from neuratrade.core.model.errors import UsageError
from neuratrade.core.model.market import Bar
from neuratrade.feeds.dataset import Dataset
from neuratrade.rehearsal.faults import FaultKind
from neuratrade.rehearsal.plays import PLAY_MINUTES, WARM_MINUTES, Outcome, play
from neuratrade.rehearsal.recording import recorded_bars, stretch
from neuratrade.rehearsal.stages import STAGES, Stage

MOST_PLANS = 100_000
Tell = Callable[[int, int], None]
_bars: list[Bar] = []


class Finding(msgspec.Struct, frozen=True):
    """Something that must not be, and the play in which it was."""

    venue: str
    seed: int
    what: str


class VenueRow(msgspec.Struct):
    """What the plays of one venue came to. longest_unprotected_s: while the venue took orders."""

    plans: int = 0
    orders: int = 0
    executions: int = 0
    opened: int = 0
    closed: int = 0
    unknown: int = 0
    unknown_resolved: int = 0
    doubled: int = 0
    lost: int = 0
    unprotected_over_limit: int = 0
    stuck: int = 0
    longest_unprotected_s: float = 0.0


class Report(msgspec.Struct):
    """What a rehearsal proves. met: how often each kind of fault met something."""

    venues: dict[str, VenueRow]
    met: Counter[str]
    findings: list[Finding]
    outcomes: list[Outcome]

    @property
    def total(self) -> VenueRow:
        """All venues together."""
        whole = VenueRow()
        for row in self.venues.values():
            for name in VenueRow.__struct_fields__:
                combine = max if name == "longest_unprotected_s" else _add
                setattr(whole, name, combine(getattr(whole, name), getattr(row, name)))
        return whole

    @property
    def is_clean(self) -> bool:
        """Whether nothing was doubled, lost, stuck or bare too long, and every unknown fate was found out."""
        whole = self.total
        bad = whole.doubled + whole.lost + whole.unprotected_over_limit + whole.stuck
        return not bad and whole.unknown == whole.unknown_resolved


def _add(one: float, other: float) -> float:
    return one + other


def rehearse(
    venues: Sequence[str],
    plans: int,
    seed: int,
    dataset: Dataset,
    *,
    kinds: Sequence[FaultKind] | None = None,
    processes: int = 1,
    tell: Tell | None = None,
) -> Report:
    """Plays `plans` times, venue after venue in turn. Raises UsageError for what cannot be played."""
    check_venues(venues)
    if not 1 <= plans <= MOST_PLANS:
        raise UsageError(f"--plans is {plans}; give 1 to {MOST_PLANS}")
    bars = recorded_bars(dataset)
    if len(bars) <= WARM_MINUTES + PLAY_MINUTES:
        raise UsageError(
            f"dataset {dataset.name} has {len(bars)} bars; a play needs {WARM_MINUTES + PLAY_MINUTES + 1}"
        )
    tasks = [(venues[number % len(venues)], seed + number) for number in range(plans)]
    report = Report({name: VenueRow() for name in venues}, Counter(), [], [])
    for done, outcome in enumerate(_outcomes(tasks, bars, kinds, processes), 1):
        _count(report, outcome)
        if tell is not None:
            tell(done, plans)
    report.outcomes.sort(key=lambda outcome: outcome.seed)
    return report


def check_venues(venues: Sequence[str]) -> None:
    """Raises UsageError for a venue that cannot be rehearsed, or for none."""
    unknown = [name for name in venues if name not in STAGES]
    if unknown or not venues:
        raise UsageError(f"--venues knows {', '.join(STAGES)}; got {', '.join(unknown) or 'none'}")


def _outcomes(
    tasks: list[tuple[str, int]], bars: list[Bar], kinds: Sequence[FaultKind] | None, processes: int
) -> Iterator[Outcome]:
    if processes == 1:
        _take_bars(bars)
        for venue, seed in tasks:
            yield _play(venue, seed, kinds)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, context, initializer=_take_bars, initargs=(bars,)) as pool:
        waiting: set[Future[Outcome]] = {pool.submit(_play, venue, seed, kinds) for venue, seed in tasks}
        try:
            while waiting:
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                yield from (item.result() for item in done)
        finally:
            for item in waiting:
                item.cancel()


def _take_bars(bars: list[Bar]) -> None:
    if multiprocessing.parent_process() is not None:
        # Who started it decides when it ends.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    _bars[:] = bars


@cache
def _stage(name: str) -> Stage:
    return STAGES[name]()


def _play(venue: str, seed: int, kinds: Sequence[FaultKind] | None) -> Outcome:
    stage = _stage(venue)
    minutes = WARM_MINUTES + PLAY_MINUTES
    bars = stretch(_bars, stage.contract, seed, minutes, stage.price_scale)
    return play(stage, seed, bars, kinds)


def _count(report: Report, outcome: Outcome) -> None:
    row, verdict = report.venues[outcome.venue], outcome.verdict
    row.plans += 1
    row.opened += outcome.opened
    row.closed += len(outcome.positions)
    for name in (
        "orders", "executions", "unknown", "unknown_resolved", "doubled", "lost", "unprotected_over_limit",
        "stuck",
    ):  # fmt: skip
        setattr(row, name, getattr(row, name) + getattr(verdict, name))
    row.longest_unprotected_s = max(row.longest_unprotected_s, verdict.longest_unprotected_s)
    report.met.update(outcome.met)
    report.findings += [Finding(outcome.venue, outcome.seed, what) for what in verdict.findings]
    report.outcomes.append(outcome)
