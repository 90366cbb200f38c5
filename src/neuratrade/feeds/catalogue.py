"""The data catalogue: the shipped dataset, and the datasets an operator imported into the home folder.

An import is checked as a whole and comes in as a whole. The data file is written under a name made of its
content, and only the renaming of `dataset.json` makes it part of the dataset; a crash before that leaves
the catalogue as it was. The same file again changes nothing. Rows that say otherwise than rows already
there are refused by the first one: two histories of one market must never be mixed silently.
"""

import re
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

import neuratrade
from neuratrade.core.bars.timeframe import timeframe_of
from neuratrade.core.model.errors import UsageError
from neuratrade.core.model.instrument import Instrument, instrument_key
from neuratrade.feeds.check import CheckReport, read_checked
from neuratrade.feeds.dataset import (
    DATASET_FILE,
    INSTRUMENTS_FILE,
    Dataset,
    DatasetDescription,
    Series,
    SeriesDescription,
    open_dataset,
)
from neuratrade.feeds.files import exclusive, write_atomically
from neuratrade.feeds.infer import infer_instrument
from neuratrade.feeds.layout import SeriesKind
from neuratrade.feeds.rules import iso_of

if TYPE_CHECKING:
    import polars as pl

SHIPPED = "shipped"
IMPORTED = "imported"
_SHIPPED_FOLDER = Path(neuratrade.__file__).parent / "data" / SHIPPED
_ROW_GROUP = 65_536


class ImportReport(msgspec.Struct, frozen=True):
    """What an import did.

    added: rows that are new; 0 when all were there already. notes: assumptions to look at.
    """

    ok: bool
    check: CheckReport
    dataset: str
    instrument: str
    added: int = 0
    rows: int = 0
    errors: list[str] = []
    notes: list[str] = []


class Catalogue:
    """All datasets there are: `shipped`, and one for each folder below `root`.

    root: the folder for datasets below the home folder; made by the first import.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def list(self) -> tuple[Dataset, ...]:
        """Every dataset, the shipped one first, then by name.

        Raises UsageError naming the one that is damaged.
        """
        folders = sorted(path.parent for path in self.root.glob(f"*/{DATASET_FILE}"))
        return tuple(open_dataset(folder) for folder in (_SHIPPED_FOLDER, *folders))

    def open(self, name: str) -> Dataset:
        """The dataset of this name. Raises UsageError naming those there are."""
        if name == SHIPPED:
            return open_dataset(_SHIPPED_FOLDER)
        if (self.root / _safe(name, "dataset") / DATASET_FILE).is_file():
            return open_dataset(self.root / name)
        known = [SHIPPED, *sorted(path.parent.name for path in self.root.glob(f"*/{DATASET_FILE}"))]
        raise UsageError(
            f"dataset {name!r} is not in the catalogue {self.root}; there are {', '.join(known)}"
        )

    def import_bars(
        self,
        file: Path,
        asset: str,
        venue: str,
        *,
        timeframe: str | None = None,
        dataset: str = IMPORTED,
        instrument: Instrument | None = None,
    ) -> ImportReport:
        """Check a file of bars and add it to a dataset, all of it or nothing.

        instrument: its tick, lot and fees; None takes what the catalogue knows, else infers it from the
        file and says so in the notes. Raises UsageError when the names cannot be used or the catalogue
        cannot be written.
        """
        key = instrument_key(*_names(asset, venue))
        if dataset == SHIPPED:
            raise UsageError(f"dataset {SHIPPED!r} comes with the package; import into another name")
        folder = self.root / _safe(dataset, "dataset")
        if instrument is not None and instrument.key != key:
            raise UsageError(f"the instrument given is {instrument.key}, the file was said to be {key}")
        checked = read_checked(file, timeframe)
        if not checked.report.ok:
            return ImportReport(False, checked.report, dataset, key, errors=checked.report.errors)
        import polars as pl

        frame = pl.concat(checked.frames, rechunk=True)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with exclusive(folder / ".lock"):
                notes: list[str] = []
                terms = instrument or self._known_instrument(key, folder)
                if terms is None:
                    terms = infer_instrument(asset, venue, frame)
                    notes.append(_assumed(terms, folder / INSTRUMENTS_FILE))
                return _Import(folder, key, frame, checked.report).run(terms, notes)
        except OSError as error:
            raise UsageError(
                f"{folder}: cannot be written ({error.strerror or error}); nothing imported"
            ) from error

    def _known_instrument(self, key: str, folder: Path) -> Instrument | None:
        """What the dataset being added to, else any other, says about an instrument."""
        datasets = sorted(self.list(), key=lambda dataset: dataset.folder != folder)
        instruments = (instrument for dataset in datasets for instrument in dataset.instruments)
        return next((instrument for instrument in instruments if instrument.key == key), None)


class _Import:
    """One import into one locked dataset folder."""

    def __init__(self, folder: Path, key: str, frame: "pl.DataFrame", report: CheckReport) -> None:
        self.folder = folder
        self.key = key
        self.frame = frame
        self.report = report
        self.before = open_dataset(folder) if (folder / DATASET_FILE).is_file() else None

    def run(self, instrument: Instrument, notes: "list[str]") -> ImportReport:
        present = self._present()
        if present is not None:
            conflict = _first_difference(present, self.frame)
            if conflict:
                return self._result(
                    ok=False, errors=[f"{self.report.file}: {conflict}; nothing was imported"]
                )
        merged = self.frame if present is None else _union(present, self.frame)
        added = merged.height - (0 if present is None else present.height)
        changed = self.before is None or instrument not in self.before.instruments
        if added or changed:
            self._commit(merged, instrument)
        return self._result(ok=True, added=added, rows=merged.height, notes=notes)

    def _present(self) -> "pl.DataFrame | None":
        import polars as pl

        frames = [frame for series in self._same_series() for frame in series.frames()]
        return pl.concat(frames, rechunk=True) if frames else None

    def _same_series(self) -> list[Series]:
        every = self.before.series if self.before else ()
        return [item for item in every if item.instrument == self.key and self._is_same(item)]

    def _is_same(self, item: Series) -> bool:
        return item.kind is SeriesKind.BARS and timeframe_of(item.span_ns) == self.report.timeframe

    def _commit(self, merged: "pl.DataFrame", instrument: Instrument) -> None:
        stem = re.sub(r"[^A-Za-z0-9.-]+", "-", self.key)
        payload = _parquet(merged)
        digest = sha256(payload).hexdigest()
        name = f"{stem}_{self.report.timeframe}_{digest[:12]}.parquet"
        write_atomically(self.folder / name, payload)
        entry = SeriesDescription(
            kind=SeriesKind.BARS,
            instrument=self.key,
            file=name,
            rows=merged.height,
            first=iso_of(merged["ts"][0]),
            last=iso_of(merged["ts"][-1]),
            timeframe=self.report.timeframe,
            columns=tuple(merged.columns),
            time_unit="ns",
            sha256=digest,
        )
        old = self.before.description if self.before else DatasetDescription(self.folder.name, ())
        replaced = {series.path.name for series in self._same_series()}
        kept = tuple(item for item in old.series if item.file not in replaced)
        instruments = [
            item for item in (self.before.instruments if self.before else ()) if item.key != self.key
        ]
        # Instruments first: one too many is harmless, a series without its instrument is not.
        write_atomically(self.folder / INSTRUMENTS_FILE, _json([*instruments, instrument]))
        described = msgspec.structs.replace(old, series=(*kept, entry))
        write_atomically(self.folder / DATASET_FILE, _json(described))
        for leftover in set(self.folder.glob("*.parquet")) - {
            self.folder / item.file for item in described.series
        }:
            leftover.unlink(missing_ok=True)

    def _result(
        self,
        *,
        ok: bool,
        added: int = 0,
        rows: int = 0,
        errors: "list[str] | None" = None,
        notes: "list[str] | None" = None,
    ) -> ImportReport:
        return ImportReport(
            ok, self.report, self.folder.name, self.key, added, rows, errors or [], notes or []
        )


def _assumed(terms: Instrument, path: Path) -> str:
    return (
        f"{terms.key}: tick {terms.tick} and lot {terms.lot} were inferred from the file, "
        f"kind {terms.kind} and fees of {terms.taker_fee_bps} bps assumed; correct them in {path}"
    )


def _first_difference(present: "pl.DataFrame", new: "pl.DataFrame") -> str:
    """The first row that both have and that says something else, in words; empty when they agree."""
    import polars as pl

    fields = [name for name in new.columns if name != "ts"]
    both = new.join(present, on="ts", how="inner", suffix="_present", maintain_order="left")
    differs = both.filter(
        pl.any_horizontal(pl.col(name) != pl.col(f"{name}_present") for name in fields)
    ).head(1)
    if not differs.height:
        return ""
    row = differs.row(0, named=True)
    field = next(name for name in fields if row[name] != row[f"{name}_present"])
    return f"{field}: {row[field]} at {iso_of(row['ts'])}, where the catalogue has {row[f'{field}_present']}"


def _union(present: "pl.DataFrame", new: "pl.DataFrame") -> "pl.DataFrame":
    import polars as pl

    return pl.concat([present, new.join(present, on="ts", how="anti")]).sort("ts")


def _parquet(frame: "pl.DataFrame") -> bytes:
    from io import BytesIO

    buffer = BytesIO()
    frame.write_parquet(buffer, compression="zstd", row_group_size=_ROW_GROUP)
    return buffer.getvalue()


def _json(value: object) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n"


def _names(asset: str, venue: str) -> tuple[str, str]:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9/:._-]*", asset):
        raise UsageError(f"asset {asset!r}: write it as BTC/USDT or AAPL")
    return asset, _safe(venue, "venue")


def _safe(name: str, what: str) -> str:
    """A name that can be a folder on every system and leads nowhere else."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", name):
        raise UsageError(f"{what} {name!r}: use letters, digits, - and _, beginning with a letter or digit")
    return name
