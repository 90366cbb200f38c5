"""Imports come in whole or not at all, twice is once, and two histories are never mixed."""

import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from neuratrade.core.model.errors import UsageError
from neuratrade.core.model.instrument import Instrument
from neuratrade.feeds.catalogue import SHIPPED, Catalogue, ImportReport
from neuratrade.feeds.files import exclusive

T0 = 1_747_094_400_000


def bars(first: int, count: int, close: float = 11.25) -> pl.DataFrame:
    return pl.DataFrame(
        {"ts": [T0 + minute * 60_000 for minute in range(first, first + count)]}
    ).with_columns(
        open=pl.lit(10.0), high=pl.lit(12.0), low=pl.lit(9.5), close=pl.lit(close), volume=pl.lit(0.125)
    )


def bring_in(
    catalogue: Catalogue, frame: pl.DataFrame, asset: str = "SOL/USDT", dataset: str = "mine"
) -> ImportReport:
    catalogue.root.parent.mkdir(parents=True, exist_ok=True)
    file = catalogue.root.parent / "import.csv"
    frame.write_csv(file)
    return catalogue.import_bars(file, asset, "binance", timeframe="1m", dataset=dataset)


@pytest.fixture
def catalogue(tmp_path: Path) -> Catalogue:
    return Catalogue(tmp_path / "home" / "data")


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_the_shipped_dataset_is_there_without_a_home_folder(catalogue: Catalogue) -> None:
    assert [dataset.name for dataset in catalogue.list()] == [SHIPPED]
    assert len(catalogue.open(SHIPPED).series) == 2
    assert not catalogue.root.exists()


def test_an_import_can_be_opened_and_read(catalogue: Catalogue) -> None:
    report = bring_in(catalogue, bars(0, 10))
    assert (report.ok, report.added, report.rows, report.instrument) == (True, 10, 10, "SOL/USDT@binance")
    dataset = catalogue.open("mine")
    assert dataset.series[0].count() == 10
    assert len(list(dataset.series[0].events())) == 10
    assert [item.name for item in catalogue.list()] == [SHIPPED, "mine"]


def test_terms_that_nobody_gave_are_inferred_on_the_dear_side_and_said(catalogue: Catalogue) -> None:
    report = bring_in(catalogue, bars(0, 10))
    terms = catalogue.open("mine").instruments[0]
    assert (terms.tick, terms.lot, terms.taker_fee_bps) == (Decimal("0.01"), Decimal("0.001"), Decimal(10))
    assert "tick 0.01 and lot 0.001 were inferred from the file" in report.notes[0]


def test_terms_the_operator_corrected_stay(catalogue: Catalogue) -> None:
    bring_in(catalogue, bars(0, 10))
    path = catalogue.root / "mine" / "instruments.json"
    path.write_text(path.read_text().replace('"taker_fee_bps": "10"', '"taker_fee_bps": "7"'))
    assert bring_in(catalogue, bars(10, 10)).notes == []
    assert catalogue.open("mine").instruments[0].taker_fee_bps == 7


def test_terms_the_catalogue_knows_are_taken(catalogue: Catalogue, tmp_path: Path) -> None:
    file = tmp_path / "bars.csv"
    bars(0, 3).write_csv(file)
    assert catalogue.import_bars(file, "BTC/USDT", "binanceusdm").notes == []
    assert catalogue.open("imported").instruments == catalogue.open(SHIPPED).instruments[:1]


def test_the_same_file_again_changes_nothing(catalogue: Catalogue) -> None:
    bring_in(catalogue, bars(0, 10))
    before = contents(catalogue.root / "mine")
    report = bring_in(catalogue, bars(0, 10))
    assert (report.ok, report.added, report.rows) == (True, 0, 10)
    assert contents(catalogue.root / "mine") == before


def test_a_part_of_what_is_there_changes_nothing(catalogue: Catalogue) -> None:
    bring_in(catalogue, bars(0, 10))
    before = contents(catalogue.root / "mine")
    assert bring_in(catalogue, bars(3, 2)).added == 0
    assert contents(catalogue.root / "mine") == before


def test_an_overlapping_import_adds_what_is_new_before_and_after(catalogue: Catalogue) -> None:
    bring_in(catalogue, bars(5, 5))
    report = bring_in(catalogue, bars(0, 15))
    assert (report.added, report.rows) == (10, 15)
    folder = catalogue.root / "mine"
    assert len(list(folder.glob("*.parquet"))) == 1
    assert [event.instrument for event in catalogue.open("mine").series[0].events()] == [
        "SOL/USDT@binance"
    ] * 15


def test_rows_that_contradict_are_refused_by_the_first_one_and_nothing_changes(catalogue: Catalogue) -> None:
    bring_in(catalogue, bars(0, 10))
    before = contents(catalogue.root / "mine")
    report = bring_in(catalogue, pl.concat([bars(0, 4), bars(4, 20, close=11.5)]))
    assert not report.ok
    assert report.errors[0].endswith(
        "close: 11.5 at 2025-05-13T00:04:00Z, where the catalogue has 11.25; nothing was imported"
    )
    assert contents(catalogue.root / "mine") == before


def test_one_bad_row_and_nothing_is_imported(catalogue: Catalogue) -> None:
    report = bring_in(catalogue, pl.concat([bars(0, 9), bars(9, 1, close=99.0)]))
    assert not report.ok
    assert "line 11: close: 99.0" in report.errors[0]
    assert not catalogue.root.exists()


def test_instruments_and_timeframes_live_side_by_side(catalogue: Catalogue, tmp_path: Path) -> None:
    bring_in(catalogue, bars(0, 10))
    bring_in(catalogue, bars(0, 5), asset="ADA/USDT")
    file = tmp_path / "5m.csv"
    bars(0, 10).gather_every(5).write_csv(file)
    catalogue.import_bars(file, "SOL/USDT", "binance", dataset="mine")
    assert [
        (item.instrument, item.timeframe, item.rows) for item in catalogue.open("mine").description.series
    ] == [
        ("SOL/USDT@binance", "1m", 10),
        ("ADA/USDT@binance", "1m", 5),
        ("SOL/USDT@binance", "5m", 2),
    ]
    assert len(catalogue.open("mine").instruments) == 2


def test_what_a_killed_import_left_behind_is_not_data_and_goes_with_the_next(catalogue: Catalogue) -> None:
    bring_in(catalogue, bars(0, 10))
    stray = catalogue.root / "mine" / "SOL-USDT-binance_1m_000000000000.parquet"
    stray.write_bytes(b"PAR1 half a fi")
    assert catalogue.open("mine").series[0].count() == 10
    assert bring_in(catalogue, bars(10, 1)).rows == 11
    assert not stray.exists()


KILLED_BEFORE_THE_LAST_RENAME = """
import os, sys
from pathlib import Path
from neuratrade.feeds.catalogue import Catalogue

rename = Path.replace
def replace(path, target):
    if Path(target).name == sys.argv[3]:
        os._exit(9)
    return rename(path, target)
Path.replace = replace
Catalogue(Path(sys.argv[1])).import_bars(Path(sys.argv[2]), "SOL/USDT", "binance", dataset="mine")
"""


@pytest.mark.parametrize("at", ["instruments.json", "dataset.json"])
def test_a_process_killed_in_an_import_leaves_the_dataset_as_it_was(
    at: str, catalogue: Catalogue, tmp_path: Path
) -> None:
    bring_in(catalogue, bars(0, 10))
    before = list(catalogue.open("mine").series[0].events())
    file = tmp_path / "more.csv"
    bars(10, 10).write_csv(file)
    ended = subprocess.run(
        [sys.executable, "-c", KILLED_BEFORE_THE_LAST_RENAME, str(catalogue.root), str(file), at], check=False
    )
    assert ended.returncode == 9
    assert list(catalogue.open("mine").series[0].events()) == before
    assert bring_in(catalogue, bars(0, 20)).rows == 20


def test_a_second_import_at_the_same_time_is_told_to_wait(catalogue: Catalogue) -> None:
    bring_in(catalogue, bars(0, 10))
    with (
        exclusive(catalogue.root / "mine" / ".lock"),
        pytest.raises(UsageError, match=r"another import is writing there; try again when it is done"),
    ):
        bring_in(catalogue, bars(10, 10))


def test_a_file_where_the_folder_should_be_is_said(catalogue: Catalogue) -> None:
    catalogue.root.parent.mkdir(parents=True)
    catalogue.root.write_text("")
    with pytest.raises(UsageError, match=r"cannot be written \(.*\); nothing imported"):
        bring_in(catalogue, bars(0, 1))


@pytest.mark.parametrize("name", ["../elsewhere", "", ".hidden", "a/b", "x" * 65])
def test_a_dataset_name_that_leads_elsewhere_is_refused(name: str, catalogue: Catalogue) -> None:
    with pytest.raises(UsageError, match="use letters, digits"):
        bring_in(catalogue, bars(0, 1), dataset=name)
    with pytest.raises(UsageError, match="use letters, digits"):
        catalogue.open(name)


def test_the_shipped_dataset_cannot_be_imported_into(catalogue: Catalogue) -> None:
    with pytest.raises(UsageError, match="comes with the package"):
        bring_in(catalogue, bars(0, 1), dataset=SHIPPED)


def test_an_unknown_dataset_is_answered_with_those_there_are(catalogue: Catalogue) -> None:
    bring_in(catalogue, bars(0, 1))
    with pytest.raises(
        UsageError, match=r"dataset 'other' is not in the catalogue .*; there are shipped, mine"
    ):
        catalogue.open("other")


def test_terms_of_another_instrument_are_refused(catalogue: Catalogue, tmp_path: Path) -> None:
    terms: Instrument = catalogue.open(SHIPPED).instruments[0]
    with pytest.raises(
        UsageError, match=r"is BTC/USDT@binanceusdm, the file was said to be SOL/USDT@binance"
    ):
        catalogue.import_bars(tmp_path / "bars.csv", "SOL/USDT", "binance", instrument=terms)
