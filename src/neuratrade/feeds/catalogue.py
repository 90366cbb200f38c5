"""The data catalogue: the datasets that come with the package, and those an operator imported.

An import is checked as a whole and comes in as a whole (`feeds.writer` says how); a crash leaves the
catalogue as it was. The same file again changes nothing. Rows that say otherwise than rows already there are
refused by the first one: two histories of one market must never be mixed silently.
"""

import re
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

import neuratrade
from neuratrade.core.model.errors import UsageError
from neuratrade.core.model.instrument import Instrument, instrument_key
from neuratrade.feeds.check import CheckReport, read_checked
from neuratrade.feeds.dataset import DATASET_FILE, INSTRUMENTS_FILE, Dataset, open_dataset
from neuratrade.feeds.files import exclusive
from neuratrade.feeds.infer import infer_instrument
from neuratrade.feeds.layout import SeriesKind
from neuratrade.feeds.writer import Added, DatasetWriter, Disagrees

if TYPE_CHECKING:
    import polars as pl

SHIPPED = "shipped"
IMPORTED = "imported"
PATIENCE_S = 30.0
"""How long a download, which may have run for hours, waits for an import that writes to the same dataset."""

_DATA = Path(neuratrade.__file__).parent / "data"
PACKAGED = (
    SHIPPED,
    *sorted(path.parent.name for path in _DATA.glob(f"*/{DATASET_FILE}") if path.parent.name != SHIPPED),
)
"""The datasets that come with the package, the default one first."""


class ImportReport(msgspec.Struct, frozen=True):
    """What an import did.

    added: rows that are new; 0 when all were there already. rows: in the series now. months: files written.
    notes: assumptions to look at.
    """

    ok: bool
    check: CheckReport
    dataset: str
    instrument: str
    added: int = 0
    rows: int = 0
    months: int = 0
    errors: list[str] = []
    notes: list[str] = []


class Catalogue:
    """All datasets there are: those of the package, and one for each folder below `root`.

    root: the folder for datasets below the home folder; made by the first import.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def list(self) -> tuple[Dataset, ...]:
        """Every dataset, those of the package first, then by name.

        Raises UsageError naming the one that is damaged.
        """
        packaged = [_DATA / name for name in PACKAGED]
        return tuple(
            open_dataset(folder) for folder in (*packaged, *map(self.root.joinpath, self._imported()))
        )

    def open(self, name: str) -> Dataset:
        """The dataset of this name. Raises UsageError naming those there are."""
        if name in PACKAGED:
            return open_dataset(_DATA / name)
        if (self.root / _safe(name, "dataset") / DATASET_FILE).is_file():
            return open_dataset(self.root / name)
        known = [*PACKAGED, *self._imported()]
        raise UsageError(
            f"dataset {name!r} is not in the catalogue {self.root}; there are {', '.join(known)}"
        )

    def import_file(
        self,
        file: Path,
        asset: str,
        venue: str,
        *,
        timeframe: str | None = None,
        kind: SeriesKind = SeriesKind.BARS,
        dataset: str = IMPORTED,
        instrument: Instrument | None = None,
    ) -> ImportReport:
        """Check a file and add its rows to a dataset, all of them or none.

        timeframe: of bars; None finds it. instrument: its tick, lot and fees; None takes what the catalogue
        knows, else infers it from the file and says so in the notes. Raises UsageError when the names cannot
        be used or the catalogue cannot be written.
        """
        key = instrument_key(*names(asset, venue))
        folder = self._folder_to_write(dataset)
        if instrument is not None and instrument.key != key:
            raise UsageError(f"the instrument given is {instrument.key}, the file was said to be {key}")
        if timeframe and kind is not SeriesKind.BARS:
            raise UsageError(f"{kind} have no timeframe; leave {timeframe!r} out")
        checked = read_checked(file, timeframe, kind)
        if not checked.report.ok:
            return ImportReport(False, checked.report, dataset, key, errors=checked.report.errors)
        import polars as pl

        frame = pl.concat(checked.frames, rechunk=True)
        notes: list[str] = []
        terms = instrument or self.known_terms(key, folder)
        if terms is None:
            terms = infer_instrument(asset, venue, frame, kind)
            notes.append(assumed(terms, f"; correct them in {folder / INSTRUMENTS_FILE}"))
        try:
            added = self._add(folder, kind, checked.report.timeframe, frame, terms)
        except Disagrees as error:
            said = [f"{file}: {error}; nothing was imported"]
            return ImportReport(False, checked.report, dataset, key, errors=said)
        return ImportReport(
            True, checked.report, dataset, key, added.added, added.rows, months=added.months, notes=notes
        )

    def add_bars(
        self,
        dataset: str,
        terms: Instrument,
        timeframe: str,
        frame: "pl.DataFrame",
        asked: tuple[int, int] | None = None,
    ) -> Added:
        """Adds bars that were checked, in order, and what a venue was asked for to get them.

        Raises Disagrees when a bar says otherwise than one already there, UsageError when the dataset cannot
        be written; it is as it was then.
        """
        folder = self._folder_to_write(dataset)
        return self._add(folder, SeriesKind.BARS, timeframe, frame, terms, asked, PATIENCE_S)

    def present(self, dataset: str, key: str, timeframe: str) -> "DatasetWriter":
        """What a dataset holds of the bars of an instrument; nothing where there is no such dataset yet."""
        return DatasetWriter(self._folder_to_write(dataset), SeriesKind.BARS, key, timeframe)

    def known_terms(self, key: str, first: Path | None = None) -> Instrument | None:
        """What the dataset in folder `first`, else any other, says about an instrument."""
        datasets = sorted(self.list(), key=lambda dataset: dataset.folder != first)
        instruments = (instrument for dataset in datasets for instrument in dataset.instruments)
        return next((instrument for instrument in instruments if instrument.key == key), None)

    def _imported(self) -> tuple[str, ...]:
        found = (path.parent.name for path in self.root.glob(f"*/{DATASET_FILE}"))
        return tuple(sorted(name for name in found if name not in PACKAGED))

    def _folder_to_write(self, dataset: str) -> Path:
        if dataset in PACKAGED:
            raise UsageError(f"dataset {dataset!r} comes with the package; name another one")
        return self.root / _safe(dataset, "dataset")

    def _add(
        self,
        folder: Path,
        kind: SeriesKind,
        timeframe: str,
        frame: "pl.DataFrame",
        terms: Instrument,
        asked: tuple[int, int] | None = None,
        patience_s: float = 0.0,
    ) -> Added:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with exclusive(folder / ".lock", patience_s):
                return DatasetWriter(folder, kind, terms.key, timeframe).add(frame, terms, asked)
        except OSError as error:
            raise UsageError(
                f"{folder}: cannot be written ({error.strerror or error}); nothing was added"
            ) from error


def assumed(terms: Instrument, remedy: str = "") -> str:
    """In words, that the terms of an instrument were inferred."""
    return (
        f"{terms.key}: tick {terms.tick} and lot {terms.lot} were inferred from the file, "
        f"kind {terms.kind} and fees of {terms.taker_fee_bps} bps assumed{remedy}"
    )


def names(asset: str, venue: str) -> tuple[str, str]:
    """Both, as they can stand in a key and in paths. Raises UsageError saying how to write them."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9/:._-]*", asset):
        raise UsageError(f"asset {asset!r}: write it as BTC/USDT or AAPL")
    return asset, _safe(venue, "venue")


def _safe(name: str, what: str) -> str:
    """A name that can be a folder on every system and leads nowhere else."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", name):
        raise UsageError(f"{what} {name!r}: use letters, digits, - and _, beginning with a letter or digit")
    return name
