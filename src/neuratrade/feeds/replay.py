"""Replay of recorded markets: several series merged into one stream in the order a desk would have seen them.

Order: (event time, source rank, sequence). A bar's event time is its close, so nothing is seen before it was
complete. Bars rank before ticks of the same instant, because a bar that closes at T holds only what happened
before T; within a kind, sources rank in the order they were given, shorter bars first. The order depends on
nothing else, so two replays of the same files are the same.

Bounds are (after, until]: `start_ns` is the last instant already known, `end_ns` the last one wanted. A
replay that stopped after the slice of time T goes on with `start_ns=T`, and no slice is lost or seen twice.
"""

from collections.abc import AsyncIterator, Iterable, Iterator
from heapq import heapify, heapreplace
from heapq import heappop as pop_first

from neuratrade.core.model.errors import UsageError
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.market import NS_PER_SECOND, Bar
from neuratrade.feeds.clock import Clock
from neuratrade.feeds.dataset import Dataset, Event, Series
from neuratrade.feeds.layout import SeriesKind
from neuratrade.feeds.port import Recorded, event_ns

_KIND_RANK = {SeriesKind.BARS: 0, SeriesKind.QUOTES: 1, SeriesKind.TRADES: 2}
_FALLEN_BEHIND_NS = NS_PER_SECOND
_BREATHE_EVERY = 64


class ReplayFeed:
    """A recorded feed over the series of one or more datasets.

    start_ns, end_ns: the event times wanted, (start_ns, end_ns]; None is from the first, to the last.
    speed: engine seconds per wall second in `stream`; None is as fast as they are taken.
    Raises UsageError when two series hold the same kind, instrument and timeframe, or nothing is given.
    """

    def __init__(
        self,
        datasets: Iterable[Dataset],
        start_ns: int | None = None,
        end_ns: int | None = None,
        speed: float | None = None,
    ) -> None:
        opened = tuple(datasets)
        if speed is not None and not speed > 0:
            raise UsageError(f"speed must be above zero, or None for the most, got {speed}")
        if start_ns is not None and end_ns is not None and start_ns >= end_ns:
            raise UsageError(f"the start of a replay ({start_ns}) must lie before its end ({end_ns})")
        self._series = _ranked(opened)
        self._instruments = _instruments_of(opened, self._series)
        self.start_ns = start_ns
        self.end_ns = end_ns
        self.speed = speed

    @property
    def instruments(self) -> tuple[Instrument, ...]:
        """Every instrument that has a series here."""
        return self._instruments

    @property
    def total_bars(self) -> int:
        """How many bars `slices` gives out in all; with bounds, the files are read through once for it."""
        bars = (series for series in self._series if series.kind is SeriesKind.BARS)
        return sum(series.count(self.start_ns, self.end_ns) for series in bars)

    def slices(self) -> Iterator[Recorded]:
        """All slices in order. Raises BadFile at the first row that breaks a rule, before giving it out."""
        sources = (series.events(self.start_ns, self.end_ns) for series in self._series)
        return merge(sources)

    async def stream(self, clock: Clock) -> AsyncIterator[Recorded]:
        """The same slices, at `speed`."""
        async for piece in paced(self.slices(), clock, self.speed):
            yield piece

    def history(self, before_ns: int, bars: int) -> dict[str, list[Bar]]:
        """Per instrument key, the last `bars` bars of each timeframe that had closed at `before_ns`, in
        order.
        """
        found: dict[str, list[Bar]] = {}
        for series in self._series:
            if series.kind is SeriesKind.BARS:
                last = (event for event in series.last(bars, before_ns) if isinstance(event, Bar))
                found.setdefault(series.instrument, []).extend(last)
        for known in found.values():
            known.sort(key=lambda bar: (bar.close_ns, bar.span_ns))
        return found


def merge(sources: Iterable[Iterator[Event]]) -> Iterator[Recorded]:
    """Merge sources that are each in time order, by (event time, place); bars of one close join.

    The slice of an instant is complete when it is given out: each source was asked for its next event.
    """
    heap: list[tuple[int, int, Event, Iterator[Event]]] = []
    for rank, source in enumerate(sources):
        first = next(source, None)
        if first is not None:
            heap.append((_event_ns(first), rank, first, source))
    heapify(heap)
    together: list[Bar] = []
    together_ns = 0
    while heap:
        at_ns, rank, event, source = heap[0]
        following = next(source, None)
        if following is None:
            pop_first(heap)
        else:
            heapreplace(heap, (_event_ns(following), rank, following, source))
        if together and (at_ns != together_ns or not isinstance(event, Bar)):
            yield together
            together = []
        if isinstance(event, Bar):
            together.append(event)
            together_ns = at_ns
        else:
            yield event
    if together:
        yield together


async def paced(slices: Iterator[Recorded], clock: Clock, speed: float | None) -> AsyncIterator[Recorded]:
    """Give out each slice when its time has come: `speed` engine seconds pass in one second of `clock`.

    A reader that fell more than a second behind (a suspended machine) goes on from there at the same pace
    instead of being flooded with what it missed.
    """
    began_ns: int | None = None
    first_ns = 0
    for number, piece in enumerate(slices):
        if speed is None:
            if number % _BREATHE_EVERY == 0:
                await clock.sleep(0)
        else:
            now_ns = clock.now_ns()
            at_ns = event_ns(piece)
            due_ns = now_ns if began_ns is None else began_ns + round((at_ns - first_ns) / speed)
            if began_ns is None or now_ns - due_ns > _FALLEN_BEHIND_NS:
                began_ns, first_ns, due_ns = now_ns, at_ns, now_ns
            await clock.sleep(max(due_ns - now_ns, 0) / NS_PER_SECOND)
        yield piece


def _event_ns(event: Event) -> int:
    return event.open_ns + event.span_ns if isinstance(event, Bar) else event.at_ns


def _ranked(datasets: tuple[Dataset, ...]) -> tuple[Series, ...]:
    series = [item for dataset in datasets for item in dataset.series]
    if not series:
        raise UsageError("a replay needs at least one dataset with a series in it")
    seen: dict[tuple[str, SeriesKind, int], Series] = {}
    for item in series:
        same = (item.instrument, item.kind, item.span_ns)
        if same in seen:
            raise UsageError(
                f"{seen[same].path} and {item.path} both hold {item.kind} of {item.instrument}; give one"
            )
        seen[same] = item
    return tuple(sorted(series, key=lambda item: (_KIND_RANK[item.kind], item.span_ns)))


def _instruments_of(datasets: tuple[Dataset, ...], series: tuple[Series, ...]) -> tuple[Instrument, ...]:
    used = {item.instrument for item in series}
    found: dict[str, Instrument] = {}
    for dataset in datasets:
        for instrument in dataset.instruments:
            if instrument.key not in used:
                continue
            if found.setdefault(instrument.key, instrument) != instrument:
                raise UsageError(
                    f"dataset {dataset.name} describes {instrument.key} otherwise than the one before it"
                )
    return tuple(found.values())
