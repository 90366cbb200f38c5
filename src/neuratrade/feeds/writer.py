"""Writing a dataset: months of rows as Parquet files, by symbol and timeframe, whole or not at all.

    DATASET/BTC-USDT-binance/1m/2025-03-6f1c0a9b2d3e.parquet

A file is named by its month and its content and never written over. What is new is written first, then
`dataset.json`, which alone says what belongs to the dataset, is renamed into place, and only then what
nothing refers to any more is removed. A crash at any moment leaves the dataset that was, or the one that was
to be. Only months that change are written again.
"""

import re
from collections.abc import Iterable
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from neuratrade.core.bars.timeframe import timeframe_of
from neuratrade.core.model.errors import UsageError
from neuratrade.core.model.instrument import Instrument
from neuratrade.feeds.dataset import (
    DATASET_FILE,
    INSTRUMENTS_FILE,
    Covered,
    DatasetDescription,
    Part,
    PartDescription,
    Series,
    SeriesDescription,
    open_dataset,
)
from neuratrade.feeds.files import make_folders, write_atomically
from neuratrade.feeds.layout import SeriesKind
from neuratrade.feeds.merge import by_month, merge
from neuratrade.feeds.rules import iso_of
from neuratrade.feeds.table import READ_ROWS

if TYPE_CHECKING:
    import polars as pl

_ROW_GROUP = 65_536
_DIGITS = 12
_OF_A_MONTH = re.compile(rf"(\d{{4}}-\d\d)-[0-9a-f]{{{_DIGITS}}}\.parquet")
_OURS = re.compile(rf".*[-_][0-9a-f]{{{_DIGITS}}}\.parquet|\..+\.\d+\.part")


class Disagrees(UsageError):
    """Rows that say otherwise than rows already there; the message names the first, and its field."""


class Added(msgspec.Struct, frozen=True):
    """What was added. rows: in the series now. months: files that were written."""

    added: int
    rows: int
    months: int


class DatasetWriter:
    """One change of one series of a dataset folder; whoever uses it holds the folder's lock.

    timeframe: of bars, else empty.
    """

    def __init__(self, folder: Path, kind: SeriesKind, instrument: str, timeframe: str) -> None:
        self.folder = folder
        self.kind = kind
        self.instrument = instrument
        self.timeframe = timeframe
        self.before = open_dataset(folder) if (folder / DATASET_FILE).is_file() else None
        every = self.before.series if self.before else ()
        self.present = [item for item in every if self._is_this(item)]
        self._read: dict[Path, dict[str, pl.DataFrame]] = {}
        if len(self.present) > 1:
            raise UsageError(f"{folder / DATASET_FILE}: holds {kind} of {instrument} twice; keep one entry")

    @property
    def covered(self) -> tuple[tuple[int, int], ...]:
        """What a venue was asked for so far, [since, until) in order."""
        return joined(span for item in self.present for span in item.covered)

    @property
    def rows(self) -> int:
        """Rows of the series so far."""
        return sum(item.count() for item in self.present)

    @property
    def terms(self) -> Instrument | None:
        """What the dataset says about the instrument."""
        every = self.before.instruments if self.before else ()
        return next((item for item in every if item.key == self.instrument), None)

    def add(self, frame: "pl.DataFrame", terms: Instrument, asked: tuple[int, int] | None = None) -> Added:
        """Adds the rows (normal form, checked, in order; none is fine) that are new.

        asked: the stretch [since, until) that the rows are all there is of.
        Raises Disagrees, with everything as it was, when a row says otherwise than one already there.
        """
        kept, changing = self._parts_apart(by_month(frame) if frame.height else {})
        merged = {month: self._merged(month, parts, new) for month, (parts, new) in changing.items()}
        added = sum(item[1] for item in merged.values())
        covered = joined((*self.covered, *([asked] if asked else [])))
        if added == 0 and terms == self.terms and covered == self.covered:
            return Added(0, self.rows, 0)
        parts = [self._described(part) for part in kept]
        for month, (rows, number) in merged.items():
            old = changing[month][0]
            unchanged = number == 0 and old and all(_OF_A_MONTH.fullmatch(part.path.name) for part in old)
            parts += [self._described(part) for part in old] if unchanged else [self._write(month, rows)]
        written = len(parts) - len({part.file for part in parts} & self._known())
        parts.sort(key=lambda part: part.first)
        self._describe(parts, covered, terms, frame.columns)
        return Added(added, sum(part.rows for part in parts), written)

    def _is_this(self, item: Series) -> bool:
        if item.instrument != self.instrument or item.kind is not self.kind:
            return False
        return item.kind is not SeriesKind.BARS or timeframe_of(item.span_ns) == self.timeframe

    def _known(self) -> set[str]:
        return {self._name(part.path) for item in self.present for part in item.files}

    def _name(self, path: Path) -> str:
        return path.relative_to(self.folder).as_posix()

    def _parts_apart(
        self, new: "dict[str, pl.DataFrame]"
    ) -> "tuple[list[Part], dict[str, tuple[list[Part], pl.DataFrame | None]]]":
        """The files that stay as they are, and for each month that changes its files and new rows.

        A file that is not of one month (laid by hand, or by an earlier version) changes with all its months.
        """
        kept: list[Part] = []
        months: dict[str, list[Part]] = {month: [] for month in new}
        for part in (part for item in self.present for part in item.files):
            named = _OF_A_MONTH.fullmatch(part.path.name)
            if named and named[1] not in new:
                kept.append(part)
            elif named:
                months[named[1]].append(part)
            else:
                for month in self._months_of(part):
                    months.setdefault(month, []).append(part)
        return kept, {month: (parts, new.get(month)) for month, parts in months.items()}

    def _months_of(self, part: Part) -> "dict[str, pl.DataFrame]":
        import polars as pl

        if part.path not in self._read:
            alone = msgspec.structs.replace(self.present[0], path=part.path, parts=(), rows=0)
            frames = list(alone.frames(rows=READ_ROWS))
            self._read[part.path] = by_month(pl.concat(frames, rechunk=True)) if frames else {}
        return self._read[part.path]

    def _merged(
        self, month: str, parts: list[Part], new: "pl.DataFrame | None"
    ) -> "tuple[pl.DataFrame, int]":
        import polars as pl

        present = [months[month] for months in map(self._months_of, parts) if month in months]
        if new is None:
            return pl.concat(present, rechunk=True), 0
        together = pl.concat(present, rechunk=True) if present else None
        merged = merge(together, new, self.kind)
        if isinstance(merged, str):
            raise Disagrees(merged)
        return merged.frame, merged.added

    def _write(self, month: str, rows: "pl.DataFrame") -> PartDescription:
        payload = _parquet(rows)
        digest = sha256(payload).hexdigest()
        symbol = re.sub(r"[^A-Za-z0-9.-]+", "-", self.instrument)
        inside = f"{symbol}/{self.timeframe or self.kind.value}"
        make_folders(self.folder, inside)
        file = f"{inside}/{month}-{digest[:_DIGITS]}.parquet"
        write_atomically(self.folder / file, payload)
        return PartDescription(file, rows.height, iso_of(rows["ts"][0]), iso_of(rows["ts"][-1]), digest)

    def _described(self, part: Part) -> PartDescription:
        name = self._name(part.path)
        every = self.before.description.series if self.before else ()
        return next(known for item in every for known in item.parts if known.file == name)

    def _describe(
        self,
        parts: list[PartDescription],
        covered: tuple[tuple[int, int], ...],
        terms: Instrument,
        columns: list[str],
    ) -> None:
        entry = SeriesDescription(
            kind=self.kind,
            instrument=self.instrument,
            timeframe=self.timeframe,
            rows=sum(part.rows for part in parts),
            first=parts[0].first if parts else "",
            last=parts[-1].last if parts else "",
            columns=tuple(columns),
            time_unit="ns",
            parts=tuple(parts),
            covered=tuple(Covered(iso_of(since), iso_of(until)) for since, until in covered),
        )
        old = self.before.description if self.before else DatasetDescription(self.folder.name, ())
        every = self.before.series if self.before else ()
        others = tuple(
            item for item, opened in zip(old.series, every, strict=True) if not self._is_this(opened)
        )
        entries = (*others, entry) if parts else others
        described = msgspec.structs.replace(old, series=entries)
        known = [item for item in (self.before.instruments if self.before else ()) if item.key != terms.key]
        # Instruments first: one too many is harmless, a series without its instrument is not.
        write_atomically(self.folder / INSTRUMENTS_FILE, _json([*known, terms]))
        write_atomically(self.folder / DATASET_FILE, _json(described))
        self._tidy(described)

    def _tidy(self, described: DatasetDescription) -> None:
        """Removes files of ours that nothing refers to; what an operator laid there stays."""
        used = {item.file for item in described.series}
        used |= {part.file for item in described.series for part in item.parts}
        for path in [*self.folder.glob("*"), *self.folder.glob("*/*/*")]:
            if _OURS.fullmatch(path.name) and self._name(path) not in used:
                path.unlink(missing_ok=True)


def joined(spans: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Stretches [since, until) in order, those that touch or overlap as one."""
    done: list[tuple[int, int]] = []
    for since, until in sorted(spans):
        if done and since <= done[-1][1]:
            done[-1] = (done[-1][0], max(done[-1][1], until))
        elif since < until:
            done.append((since, until))
    return tuple(done)


def _parquet(frame: "pl.DataFrame") -> bytes:
    buffer = BytesIO()
    frame.write_parquet(buffer, compression="zstd", row_group_size=_ROW_GROUP)
    return buffer.getvalue()


def _json(value: object) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n"
