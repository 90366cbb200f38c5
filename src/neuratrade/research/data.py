"""Recorded bars as columns for a backtest: from a dataset, its folder, or a bare file.

Every row is held against the same rules as `data check` and `data import`, in one pass; a bad one stops the
loading by file, row and field. What the data does not say (terms of an instrument that nobody described, bars
that are not there) is never made up in silence: it is a note, or an error, as the caller chooses. The digest
identifies exactly the numbers that a backtest will see.
"""

from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from neuratrade.core.bars.timeframe import span_of, timeframe_of
from neuratrade.core.model.errors import UsageError
from neuratrade.core.model.instrument import Instrument, instrument_key
from neuratrade.feeds.catalogue import Catalogue, assumed, names
from neuratrade.feeds.check import read_checked
from neuratrade.feeds.dataset import DATASET_FILE, Dataset, Series, open_dataset
from neuratrade.feeds.infer import infer_instrument
from neuratrade.feeds.layout import SeriesKind, find_layout
from neuratrade.feeds.rules import iso_of
from neuratrade.feeds.table import READ_ROWS, BadFile, open_table
from neuratrade.research.columns import Columns
from neuratrade.research.file_names import guess_market
from neuratrade.research.tape import bars_of

if TYPE_CHECKING:
    import polars as pl

TAPE_TIMEFRAME = "1m"
"""Length of the bars made from trades when nobody names one."""

MOST_FILLED = 10_000_000
"""Bars that filling may add: beyond it, a wrong time in the data is likelier than so long a silence."""

_ERRORS_SHOWN = 10
_PRICES = ("open", "high", "low", "close")


class Gaps(StrEnum):
    """What becomes of bars that are not there.

    FAIL: an error names the first. SKIP: nothing; the next bar simply opens later. FILL: a bar at the last
    close, with volume zero, for each.
    """

    FAIL = "fail"
    SKIP = "skip"
    FILL = "fill"


@dataclass(frozen=True, slots=True)
class Selection:
    """What to take of a source.

    timeframe: such as `1m`; empty takes the finest there is. since_ns, until_ns: bars that open at or after
    the one and close by the other; None is all. symbols: assets or keys; none is all. asset, venue: what a
    bare file holds; empty reads it from the file's name. terms: of a bare file's instrument; None takes what
    the catalogue knows, else infers them.
    """

    timeframe: str = ""
    since_ns: int | None = None
    until_ns: int | None = None
    symbols: tuple[str, ...] = ()
    gaps: Gaps = Gaps.SKIP
    asset: str = ""
    venue: str = ""
    terms: Instrument | None = None


@dataclass(frozen=True, slots=True)
class Loaded:
    """Columns by instrument key, what to know about them, and SHA-256 (hex) over all of their numbers."""

    columns: dict[str, Columns]
    notes: tuple[str, ...]
    digest: str


def load_columns(source: str | Path, catalogue: Catalogue, wanted: Selection | None = None) -> Loaded:
    """Loads bars.

    source: the name of a dataset, a dataset's folder, or a Parquet, CSV or Feather file of bars or trades.
    Raises UsageError (BadFile for what is wrong with a file) that names what to change.
    """
    wanted = wanted or Selection()
    if wanted.since_ns is not None and wanted.until_ns is not None and wanted.since_ns >= wanted.until_ns:
        raise UsageError(
            f"from {iso_of(wanted.since_ns)} to {iso_of(wanted.until_ns)} is no time: the end must lie after "
            f"the beginning"
        )
    span_ns = span_of(wanted.timeframe) if wanted.timeframe else None
    notes: list[str] = []
    opened = _open(source, catalogue)
    if isinstance(opened, Dataset):
        columns = [_of_series(opened, item, span, wanted) for item, span in _chosen(opened, span_ns, wanted)]
    else:
        columns = [_of_file(opened, catalogue, wanted, notes)]
    ready = {item.instrument.key: _without_gaps(item, wanted, notes) for item in columns}
    return Loaded(ready, tuple(notes), digest_of(ready))


def digest_of(columns: dict[str, Columns]) -> str:
    """SHA-256 (hex) over instruments' keys, spans and every number, in the order of the keys."""
    digest = sha256()
    for key in sorted(columns):
        item = columns[key]
        digest.update(f"{key} {item.span_ns} {len(item)}\n".encode())
        for values in (item.ts, item.open, item.high, item.low, item.close, item.volume):
            digest.update(np.ascontiguousarray(values, values.dtype.newbyteorder("<")).data)
    return digest.hexdigest()


def _open(source: str | Path, catalogue: Catalogue) -> Dataset | Path:
    path = Path(source).expanduser()
    if isinstance(source, str) and "/" not in source and "." not in source and not path.is_file():
        known = [dataset.name for dataset in catalogue.list()]
        folders = [dataset.folder.name for dataset in catalogue.list()]
        if source in known or source in folders:
            return catalogue.open(source)
        if not path.exists():
            near = get_close_matches(source, known, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise UsageError(
                f"data {source!r}: there is no such dataset, nor a file of that name; {hint}"
                f"there are {', '.join(known)}"
            )
    if path.is_dir():
        if (path / DATASET_FILE).is_file():
            return open_dataset(path)
        raise UsageError(f"{path}: is a folder without {DATASET_FILE}; name a file in it, or import it first")
    return path


def _chosen(dataset: Dataset, span_ns: int | None, wanted: Selection) -> list[tuple[Series, int]]:
    """For each instrument its series and the bar length, which is one for all."""
    by_key: dict[str, list[Series]] = {}
    for item in dataset.series:
        if item.kind is not SeriesKind.QUOTES and _is_wanted(item.instrument, wanted.symbols):
            by_key.setdefault(item.instrument, []).append(item)
    for symbol in wanted.symbols:
        if not any(_is_wanted(key, (symbol,)) for key in by_key):
            known = sorted({item.instrument for item in dataset.series})
            near = get_close_matches(symbol, known, n=1, cutoff=0.3)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise UsageError(
                f"dataset {dataset.name}: holds no bars of {symbol!r}; {hint}it holds {', '.join(known)}"
            )
    if not by_key:
        raise UsageError(f"dataset {dataset.name}: holds no bars")
    spans = {key: _spans(series) for key, series in by_key.items()}
    common = set.intersection(*spans.values())
    if span_ns is None and common:
        span_ns = min(common)
    if span_ns is None or span_ns not in common:
        held = "; ".join(
            f"{key}: {', '.join(map(timeframe_of, sorted(spans[key])))}" for key in sorted(spans)
        )
        what = timeframe_of(span_ns) if span_ns else "one timeframe in common"
        raise UsageError(
            f"dataset {dataset.name}: does not hold {what} of every instrument ({held}); name another "
            f"timeframe, or the symbols that have it"
        )
    return [(_of_span(series, span_ns), span_ns) for series in by_key.values()]


def _is_wanted(key: str, symbols: tuple[str, ...]) -> bool:
    return not symbols or key in symbols or key.rpartition("@")[0] in symbols


def _spans(series: list[Series]) -> set[int]:
    """Bar lengths there are; trades count as those made from them where there are no bars."""
    return {item.span_ns for item in series if item.span_ns} or {span_of(TAPE_TIMEFRAME)}


def _of_span(series: list[Series], span_ns: int) -> Series:
    return next((item for item in series if item.span_ns == span_ns), series[0])


def _of_series(dataset: Dataset, series: Series, span_ns: int, wanted: Selection) -> Columns:
    import polars as pl

    instrument = dataset.instrument(series.instrument)
    if series.kind is SeriesKind.TRADES:
        tape = list(series.frames(rows=READ_ROWS))
        bars = [bars_of(pl.concat(tape, rechunk=True), span_ns)] if tape else []
        return _cut(_columns(instrument, span_ns, bars), wanted, f"dataset {dataset.name}")
    after_ns = None if wanted.since_ns is None else wanted.since_ns + span_ns - 1
    frames = list(series.frames(after_ns, wanted.until_ns, READ_ROWS))
    if not frames:
        entries = [item for item in dataset.description.series if item.instrument == series.instrument]
        first, last = min(item.first for item in entries), max(item.last for item in entries)
        raise _nothing_there(f"dataset {dataset.name}", series.instrument, wanted, f"{first} to {last}")
    return _columns(instrument, span_ns, frames)


def _of_file(path: Path, catalogue: Catalogue, wanted: Selection, notes: list[str]) -> Columns:
    import polars as pl

    kind = _kind_of(path)
    timeframe = wanted.timeframe if kind is SeriesKind.BARS else ""
    checked = read_checked(path, timeframe or None, kind)
    if not checked.report.ok:
        errors = checked.report.errors
        more = (
            [f"{path}: and more; `neuratrade data check` lists them"] if len(errors) > _ERRORS_SHOWN else []
        )
        raise BadFile("\n".join([*errors[:_ERRORS_SHOWN], *more]))
    terms = wanted.terms or _terms_of(path, catalogue, wanted, checked.frames, kind, notes)
    if wanted.symbols and not _is_wanted(terms.key, wanted.symbols):
        raise UsageError(f"{path}: holds {terms.key}, and not {', '.join(wanted.symbols)}")
    if kind is SeriesKind.BARS:
        columns = _columns(terms, span_of(checked.report.timeframe), checked.frames)
    else:
        span_ns = span_of(wanted.timeframe or TAPE_TIMEFRAME)
        columns = _columns(terms, span_ns, [bars_of(pl.concat(checked.frames, rechunk=True), span_ns)])
    return _cut(columns, wanted, str(path))


def _kind_of(path: Path) -> SeriesKind:
    header = open_table(path).header
    _, as_bars = find_layout(header, SeriesKind.BARS)
    _, as_trades = find_layout(header, SeriesKind.TRADES)
    return SeriesKind.TRADES if as_bars and not as_trades else SeriesKind.BARS


def _terms_of(
    path: Path,
    catalogue: Catalogue,
    wanted: Selection,
    frames: "list[pl.DataFrame]",
    kind: SeriesKind,
    notes: list[str],
) -> Instrument:
    asset, venue = wanted.asset, wanted.venue
    if not asset or not venue:
        guess = guess_market(path)
        if not asset and guess is None:
            raise UsageError(
                f"{path}: its name does not say what it holds; name the asset and the venue, for example "
                f"BTC/USDT and binance"
            )
        guessed_asset, guessed_venue = guess or ("", "file")
        asset, venue = asset or guessed_asset, venue or guessed_venue
        notes.append(f"{path.name}: taken as {asset} at {venue}, by its name")
    asset, venue = names(asset, venue)
    known = catalogue.known_terms(instrument_key(asset, venue))
    if known is not None:
        return known
    import polars as pl

    inferred = infer_instrument(asset, venue, pl.concat(frames), kind)
    notes.append(assumed(inferred, "; import the file and correct them to be sure"))
    return inferred


def _columns(instrument: Instrument, span_ns: int, frames: "list[pl.DataFrame]") -> Columns:
    # Always a copy of our own: compiled code would be compiled once more for columns that cannot be written.
    def column(name: str, of: type) -> Any:
        pieces = [frame[name].to_numpy() for frame in frames if frame.height]
        return np.concatenate(pieces, dtype=of) if pieces else np.empty(0, of)

    values = [column(name, np.float64) for name in (*_PRICES, "volume")]
    return Columns(instrument, span_ns, column("ts", np.int64), *values)


def _cut(columns: Columns, wanted: Selection, where: str) -> Columns:
    first = 0 if wanted.since_ns is None else int(np.searchsorted(columns.ts, wanted.since_ns))
    last = len(columns) if wanted.until_ns is None else columns.closed_by(wanted.until_ns)
    if first < last:
        return columns if last - first == len(columns) else columns.part(first, last)
    if not len(columns):
        raise UsageError(
            f"{where}: its trades fill no bar of {timeframe_of(columns.span_ns)} from end to end"
        )
    held = f"{iso_of(int(columns.ts[0]))} to {iso_of(int(columns.ts[-1]))}"
    raise _nothing_there(where, columns.instrument.key, wanted, held)


def _nothing_there(where: str, key: str, wanted: Selection, held: str) -> UsageError:
    since = "its beginning" if wanted.since_ns is None else iso_of(wanted.since_ns)
    until = "its end" if wanted.until_ns is None else iso_of(wanted.until_ns)
    return UsageError(f"{where}: holds no bar of {key} between {since} and {until}; it holds {held}")


def _without_gaps(columns: Columns, wanted: Selection, notes: list[str]) -> Columns:
    key, span_ns = columns.instrument.key, columns.span_ns
    _note_bounds(columns, wanted, notes)
    missing = np.diff(columns.ts) // span_ns - 1
    total = int(missing.sum())
    if not total:
        return columns
    first = int(np.argmax(missing > 0))
    said = (
        f"{key}: {int((missing > 0).sum()):,} gaps, {total:,} {timeframe_of(span_ns)} bars missing; the "
        f"first is {int(missing[first]):,} from {iso_of(int(columns.ts[first]) + span_ns)}"
    )
    if wanted.gaps is Gaps.FAIL:
        raise UsageError(f"{said}; skip or fill gaps, or choose a range without them")
    if wanted.gaps is Gaps.SKIP:
        notes.append(f"{said}; skipped")
        return columns
    if total > MOST_FILLED:
        raise UsageError(
            f"{said}; more than can be filled ({MOST_FILLED:,}): skip gaps, or choose a shorter range"
        )
    notes.append(f"{said}; filled with the last close and no volume")
    return _filled(columns)


def _note_bounds(columns: Columns, wanted: Selection, notes: list[str]) -> None:
    first, close = int(columns.ts[0]), int(columns.ts[-1]) + columns.span_ns
    if wanted.since_ns is not None and first - wanted.since_ns >= columns.span_ns:
        notes.append(f"{columns.instrument.key}: begins at {iso_of(first)}, after the beginning asked for")
    if wanted.until_ns is not None and wanted.until_ns - close >= columns.span_ns:
        notes.append(f"{columns.instrument.key}: ends at {iso_of(close)}, before the end asked for")


def _filled(columns: Columns) -> Columns:
    span_ns = columns.span_ns
    ts = np.arange(columns.ts[0], columns.ts[-1] + span_ns, span_ns)
    place = np.searchsorted(columns.ts, ts, side="right") - 1
    there = columns.ts[place] == ts
    last_close = columns.close[place]
    values = [np.where(there, getattr(columns, name)[place], last_close) for name in _PRICES]
    values.append(np.where(there, columns.volume[place], 0.0))
    return Columns(columns.instrument, span_ns, ts, *values)
