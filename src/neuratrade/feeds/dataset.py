"""Datasets: a folder with recorded market data, what is in it, and reading it as core events.

A dataset is a folder: data files, `instruments.json`, and `dataset.json` that names each series with its
kind, instrument, timeframe, rows and span. A series is one file, or one a month (what the catalogue writes).
Adding a dataset is adding a folder.

Numbers become `Decimal` by the shortest text that reads back as the same float, so a price of 0.1 is 0.1.
Rows are read in bounded pieces: the memory needed does not grow with the file. A row that breaks a rule stops
the reading with its line and field; it never becomes a price.
"""

from collections import deque
from collections.abc import Callable, Iterator
from decimal import Decimal
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from neuratrade.core.bars.timeframe import span_of
from neuratrade.core.model.decimals import ZERO
from neuratrade.core.model.errors import UsageError
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.market import Bar, Quote, Trade
from neuratrade.feeds.layout import SeriesKind
from neuratrade.feeds.problems import Problems
from neuratrade.feeds.rows import read_rows
from neuratrade.feeds.rules import RowRules
from neuratrade.feeds.table import CHUNK_ROWS, BadFile, open_table
from neuratrade.feeds.times import TimeReader, time_of

if TYPE_CHECKING:
    import polars as pl

DATASET_FILE = "dataset.json"
INSTRUMENTS_FILE = "instruments.json"

Event = Bar | Quote | Trade


class PartDescription(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file of a series in several. rows: counted when 0. first, last: times of rows, ISO 8601 UTC."""

    file: str
    rows: int = 0
    first: str = ""
    last: str = ""
    sha256: str = ""


class Covered(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A stretch that a venue was asked for in whole, ISO 8601 UTC: what is missing there never was.

    until: the first instant that is not in it.
    """

    since: str
    until: str


class SeriesDescription(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One series of a dataset, in one `file` or in `parts`, which follow each other in time.

    timeframe: for bars, else empty. rows: counted when 0. first, last (times of rows, ISO 8601 UTC), columns,
    time_unit, sha256: for people and other programs; reading finds them out by itself. covered: what a
    download has asked for, so that it never asks again.
    """

    kind: SeriesKind
    instrument: str
    file: str = ""
    timeframe: str = ""
    rows: int = 0
    first: str = ""
    last: str = ""
    columns: tuple[str, ...] = ()
    time_unit: str = ""
    sha256: str = ""
    parts: tuple[PartDescription, ...] = ()
    covered: tuple[Covered, ...] = ()


class DatasetDescription(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What `dataset.json` holds."""

    name: str
    series: tuple[SeriesDescription, ...]
    title: str = ""
    licence: str = ""
    source: str = ""


class Part(msgspec.Struct, frozen=True):
    """One file of a series. first_ns, last_ns: bounds of its rows' times; None where nobody said."""

    path: Path
    rows: int = 0
    first_ns: int | None = None
    last_ns: int | None = None


class Series(msgspec.Struct, frozen=True):
    """One market's rows of one kind.

    path: its file, or the folder its parts lie in. span_ns: length of a bar; 0 for trades and quotes. rows: 0
    if unknown. parts: its files in order of time; empty where `path` is the only one. covered: stretches
    [since, until) that a venue was asked for in whole.
    """

    path: Path
    kind: SeriesKind
    instrument: str
    span_ns: int = 0
    rows: int = 0
    parts: tuple[Part, ...] = ()
    covered: tuple[tuple[int, int], ...] = ()

    @property
    def files(self) -> tuple[Part, ...]:
        """Its files in order of time, one or many."""
        return self.parts or (Part(self.path, self.rows),)

    def events(self, after_ns: int | None = None, until_ns: int | None = None) -> Iterator[Event]:
        """The rows in order whose event time lies in (after_ns, until_ns]; a bar's event time is its close.

        Raises BadFile at the first row that breaks a rule.
        """
        for frame in self.frames(after_ns, until_ns):
            yield from _EVENTS[self.kind](self, frame)

    def frames(
        self, after_ns: int | None = None, until_ns: int | None = None, rows: int = CHUNK_ROWS
    ) -> Iterator["pl.DataFrame"]:
        """The same rows as columns in normal form (`ts` in ns UTC, floats), at most `rows` at a time.

        Files that lie outside the bounds are not opened.
        """
        problems = Problems()
        rules = RowRules(self.kind, problems, self.span_ns or None, jump=None)
        for part in self.files:
            if self._ends_by(part, after_ns):
                continue
            if self._begins_after(part, until_ns):
                return
            table = open_table(part.path)
            for piece in read_rows(table, self.kind, problems, TimeReader()):
                rules.judge(piece)
                if problems.listed:
                    first = min(problems.listed, key=lambda problem: problem.row)
                    raise BadFile(f"{part.path}: {table.place(first.row)}: {first.field}: {first.message}")
                begin, end = self._window(piece.frame["ts"], after_ns, until_ns)
                for offset in range(begin, end, rows):
                    yield piece.frame.slice(offset, min(rows, end - offset))
                if end < piece.frame.height:
                    return

    def count(self, after_ns: int | None = None, until_ns: int | None = None) -> int:
        """How many rows `events` would give for the same bounds."""
        if after_ns is None and until_ns is None and self.rows:
            return self.rows
        return sum(frame.height for frame in self.frames(after_ns, until_ns))

    def last(self, rows: int, until_ns: int) -> list[Event]:
        """The last `rows` events whose event time is at or before `until_ns`, in order; fewer when there
        are fewer.
        """
        kept: deque[pl.DataFrame] = deque()
        height = 0
        for frame in self.frames(until_ns=until_ns):
            kept.append(frame)
            height += frame.height
            while height - kept[0].height >= rows:
                height -= kept.popleft().height
        first = max(height - rows, 0)
        events: list[Event] = []
        for frame in kept:
            events.extend(_EVENTS[self.kind](self, frame.slice(min(first, frame.height))))
            first = max(first - frame.height, 0)
        return events

    def _ends_by(self, part: Part, at_ns: int | None) -> bool:
        # Descriptions hold times to the microsecond, cut off.
        return at_ns is not None and part.last_ns is not None and part.last_ns + 999 + self.span_ns <= at_ns

    def _begins_after(self, part: Part, at_ns: int | None) -> bool:
        return at_ns is not None and part.first_ns is not None and part.first_ns + self.span_ns > at_ns

    def _window(self, ts: "pl.Series", after_ns: int | None, until_ns: int | None) -> tuple[int, int]:
        begin, end = 0, ts.len()
        if after_ns is not None:
            begin = int(ts.search_sorted(after_ns - self.span_ns, side="right"))
        if until_ns is not None:
            end = int(ts.search_sorted(until_ns - self.span_ns, side="right"))
        return begin, end


class Dataset(msgspec.Struct, frozen=True):
    """A dataset that was opened: its description, instruments and series, in the order of the file."""

    folder: Path
    description: DatasetDescription
    instruments: tuple[Instrument, ...]
    series: tuple[Series, ...]

    @property
    def name(self) -> str:
        """The name it is opened by."""
        return self.description.name

    def instrument(self, key: str) -> Instrument:
        """The instrument with this key. Raises UsageError when the dataset does not describe it."""
        for instrument in self.instruments:
            if instrument.key == key:
                return instrument
        raise UsageError(f"{self.folder / INSTRUMENTS_FILE}: does not describe {key}")


def open_dataset(folder: Path) -> Dataset:
    """Open a dataset folder. Raises UsageError naming the file and field that does not fit."""
    description = _describe(folder / DATASET_FILE)
    instruments = _instruments(folder / INSTRUMENTS_FILE)
    described = {instrument.key for instrument in instruments}
    series = []
    for item in description.series:
        if item.instrument not in described:
            raise UsageError(
                f"{folder / INSTRUMENTS_FILE}: {item.instrument} of {DATASET_FILE} is missing; add it"
            )
        series.append(_series_of(folder, item))
    return Dataset(folder, description, instruments, tuple(series))


def _series_of(folder: Path, item: SeriesDescription) -> Series:
    named = f"{folder / DATASET_FILE}: series {item.kind} of {item.instrument}"
    if bool(item.file) == bool(item.parts):
        raise UsageError(f"{named}: name its file, or its parts, and not both")
    parts = item.parts or (PartDescription(item.file),)
    for part in parts:
        if not (folder / part.file).is_file():
            raise UsageError(
                f"{folder / DATASET_FILE}: file {part.file} is not there; restore it or remove its entry"
            )
    span_ns = span_of(item.timeframe) if item.kind is SeriesKind.BARS else 0
    if item.file:
        return Series(folder / item.file, item.kind, item.instrument, span_ns, item.rows)
    try:
        return Series(
            (folder / parts[0].file).parent,
            item.kind,
            item.instrument,
            span_ns,
            item.rows,
            tuple(_part_of(folder, part) for part in parts),
            tuple((time_of(span.since), time_of(span.until)) for span in item.covered),
        )
    except UsageError as error:
        raise UsageError(f"{named}: {error}") from error


def _part_of(folder: Path, part: PartDescription) -> Part:
    first_ns = time_of(part.first) if part.first else None
    last_ns = time_of(part.last) if part.last else None
    return Part(folder / part.file, part.rows, first_ns, last_ns)


def _describe(path: Path) -> DatasetDescription:
    try:
        return msgspec.json.decode(_load(path), type=DatasetDescription)
    except msgspec.DecodeError as error:
        raise UsageError(f"{path}: {error}; correct it by the example in docs/how-to/add-data.md") from error


def _instruments(path: Path) -> tuple[Instrument, ...]:
    try:
        return msgspec.json.decode(_load(path), type=tuple[Instrument, ...])
    except msgspec.DecodeError as error:
        raise UsageError(f"{path}: {error}; correct it by the example in docs/how-to/add-data.md") from error


def _load(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror or error}") from error


def _decimals(column: "pl.Series") -> Iterator[Decimal]:
    """Exactly `decimal_of` of each element, several thousand at once: the column's text form is the
    shortest too.
    """
    import polars as pl

    return map(Decimal, column.cast(pl.String).to_list())


def _bars(series: Series, frame: "pl.DataFrame") -> Iterator[Bar]:
    return map(
        Bar,
        repeat(series.instrument),
        repeat(series.span_ns),
        frame["ts"].to_list(),
        *(_decimals(frame[field]) for field in ("open", "high", "low", "close", "volume")),
    )


def _trades(series: Series, frame: "pl.DataFrame") -> Iterator[Trade]:
    sides = frame["side"].to_list() if "side" in frame.columns else repeat(None)
    return map(
        Trade,
        repeat(series.instrument),
        frame["ts"].to_list(),
        _decimals(frame["price"]),
        _decimals(frame["quantity"]),
        sides,
    )


def _quotes(series: Series, frame: "pl.DataFrame") -> Iterator[Quote]:
    import polars as pl

    bids, asks, bid_sizes, ask_sizes = (
        frame[field].cast(pl.String).to_list() for field in ("bid", "ask", "bid_size", "ask_size")
    )
    for at_ns, bid, ask, bid_size, ask_size in zip(
        frame["ts"].to_list(), bids, asks, bid_sizes, ask_sizes, strict=True
    ):
        yield Quote(
            series.instrument,
            at_ns,
            None if bid is None else Decimal(bid),
            None if ask is None else Decimal(ask),
            ZERO if bid_size is None else Decimal(bid_size),
            ZERO if ask_size is None else Decimal(ask_size),
        )


_EVENTS: dict[SeriesKind, Callable[[Series, "pl.DataFrame"], Iterator[Event]]] = {
    SeriesKind.BARS: _bars,
    SeriesKind.TRADES: _trades,
    SeriesKind.QUOTES: _quotes,
}
