"""Imports come in whole or not at all, twice is once, and two histories are never mixed."""

import json
import subprocess
import sys
import threading
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from neuratrade.core.model.errors import UsageError
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.market import Trade
from neuratrade.feeds.catalogue import PACKAGED, SHIPPED, Catalogue, ImportReport
from neuratrade.feeds.files import exclusive
from neuratrade.feeds.layout import SeriesKind
from neuratrade.feeds.table import BadFile

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
    return catalogue.import_file(file, asset, "binance", timeframe="1m", dataset=dataset)


@pytest.fixture
def catalogue(tmp_path: Path) -> Catalogue:
    return Catalogue(tmp_path / "home" / "data")


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def test_the_shipped_dataset_is_there_without_a_home_folder(catalogue: Catalogue) -> None:
    assert [dataset.name for dataset in catalogue.list()] == list(PACKAGED)
    assert len(catalogue.open(SHIPPED).series) == 2
    assert not catalogue.root.exists()


def test_an_import_can_be_opened_and_read(catalogue: Catalogue) -> None:
    report = bring_in(catalogue, bars(0, 10))
    assert (report.ok, report.added, report.rows, report.instrument) == (True, 10, 10, "SOL/USDT@binance")
    dataset = catalogue.open("mine")
    assert dataset.series[0].count() == 10
    assert len(list(dataset.series[0].events())) == 10
    assert [item.name for item in catalogue.list()] == [*PACKAGED, "mine"]


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
    assert catalogue.import_file(file, "BTC/USDT", "binanceusdm").notes == []
    assert catalogue.open("imported").instruments == catalogue.open(SHIPPED).instruments[:1]


def test_the_same_file_again_changes_nothing(catalogue: Catalogue) -> None:
    bring_in(catalogue, bars(0, 10))
    before = contents(catalogue.root / "mine")
    written_ns = (catalogue.root / "mine" / "dataset.json").stat().st_mtime_ns
    report = bring_in(catalogue, bars(0, 10))
    assert (report.ok, report.added, report.rows, report.months) == (True, 0, 10, 0)
    assert contents(catalogue.root / "mine") == before
    assert (catalogue.root / "mine" / "dataset.json").stat().st_mtime_ns == written_ns


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
    assert len(list(folder.rglob("*.parquet"))) == 1
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
    catalogue.import_file(file, "SOL/USDT", "binance", dataset="mine")
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
    inside = next((catalogue.root / "mine").rglob("2025-05-*.parquet")).parent
    stray = inside / "2025-05-000000000000.parquet"
    cut_off = inside / ".2025-05-000000000000.parquet.77.part"
    laid_there = catalogue.root / "mine" / "by_hand.parquet"
    for path in (stray, cut_off, laid_there):
        path.write_bytes(b"PAR1 half a fi")
    assert catalogue.open("mine").series[0].count() == 10
    assert bring_in(catalogue, bars(10, 1)).rows == 11
    assert (stray.exists(), cut_off.exists(), laid_there.exists()) == (False, False, True)


def test_rows_lie_in_a_file_for_each_symbol_timeframe_and_month(catalogue: Catalogue) -> None:
    report = bring_in(catalogue, pl.concat([bars(19 * 1440 - 5, 10), bars(60 * 1440, 1)]))
    assert (report.rows, report.months) == (11, 3)
    files = sorted(name for name in contents(catalogue.root / "mine") if name.endswith(".parquet"))
    assert [name[: len("SOL-USDT-binance/1m/2025-05")] for name in files] == [
        "SOL-USDT-binance/1m/2025-05",
        "SOL-USDT-binance/1m/2025-06",
        "SOL-USDT-binance/1m/2025-07",
    ]
    (series,) = catalogue.open("mine").series
    assert [part.rows for part in series.parts] == [5, 5, 1]
    assert [event.instrument for event in series.events()] == ["SOL/USDT@binance"] * 11


def test_only_months_that_change_are_written_again(catalogue: Catalogue) -> None:
    bring_in(catalogue, bars(19 * 1440 - 5, 10))
    before = contents(catalogue.root / "mine")
    report = bring_in(catalogue, bars(19 * 1440 - 5, 20))
    assert (report.added, report.months) == (10, 1)
    kept = {name for name, held in contents(catalogue.root / "mine").items() if before.get(name) == held}
    assert [name[20:27] for name in kept if name.endswith(".parquet")] == ["2025-05"]
    in_june_only = bring_in(catalogue, bars(20 * 1440, 1))
    assert (in_june_only.added, in_june_only.rows, in_june_only.months) == (1, 21, 1)
    assert len(list(catalogue.open("mine").series[0].events())) == 21


def test_files_outside_of_the_bounds_are_not_opened(catalogue: Catalogue) -> None:
    bring_in(catalogue, pl.concat([bars(0, 2), bars(30 * 1440, 2), bars(60 * 1440, 2)]))
    (series,) = catalogue.open("mine").series
    for part in (series.parts[0], series.parts[2]):
        part.path.write_bytes(b"damaged")
    middle = T0 * 1_000_000 + 30 * 86_400_000_000_000
    assert len(list(series.events(middle, middle + 120_000_000_000))) == 2
    with pytest.raises(BadFile, match="is not a Parquet file"):
        list(series.events())


def test_parts_that_do_not_follow_each_other_are_refused_by_their_row(catalogue: Catalogue) -> None:
    bring_in(catalogue, pl.concat([bars(0, 2), bars(30 * 1440, 2)]))
    path = catalogue.root / "mine" / "dataset.json"
    description = json.loads(path.read_text())
    description["series"][0]["parts"].reverse()
    path.write_text(json.dumps(description))
    with pytest.raises(BadFile, match=r"2025-05-\w+.parquet: row 1: ts: .* rows must be in order"):
        list(catalogue.open("mine").series[0].events())


def test_a_dataset_in_one_file_goes_on_in_months(catalogue: Catalogue) -> None:
    folder = catalogue.root / "mine"
    folder.mkdir(parents=True)
    bars(19 * 1440 - 5, 10).write_csv(folder / "by_hand.csv")
    bring_in(catalogue, bars(0, 1), dataset="other")
    (folder / "instruments.json").write_bytes((catalogue.root / "other" / "instruments.json").read_bytes())
    described = {"kind": "bars", "timeframe": "1m", "instrument": "SOL/USDT@binance", "file": "by_hand.csv"}
    (folder / "dataset.json").write_text(json.dumps({"name": "mine", "series": [described]}))
    assert catalogue.open("mine").series[0].count() == 10
    refused = bring_in(catalogue, bars(19 * 1440 - 5, 1, close=11.5))
    assert "close: 11.5 at 2025-05-31T23:55:00Z, where the catalogue has 11.25" in refused.errors[0]
    report = bring_in(catalogue, bars(19 * 1440 + 5, 1))
    assert (report.added, report.rows, report.months) == (1, 11, 2)
    assert len(list(catalogue.open("mine").series[0].events())) == 11
    assert (folder / "by_hand.csv").exists()


def trades(*rows: tuple[int, float, float, str]) -> pl.DataFrame:
    return pl.DataFrame(
        [(T0 + at, *rest) for at, *rest in rows], ["ts", "price", "quantity", "side"], orient="row"
    )


TAPE = (
    (0, 10.0, 1.0, "buy"),
    (5, 10.0, 1.0, "buy"),
    (5, 10.0, 1.0, "buy"),
    (5, 9.5, 2.0, "sell"),
    (9, 9.5, 0.5, "sell"),
)


def bring_in_ticks(catalogue: Catalogue, frame: pl.DataFrame, kind: SeriesKind) -> ImportReport:
    catalogue.root.parent.mkdir(parents=True, exist_ok=True)
    file = catalogue.root.parent / "ticks.csv"
    frame.write_csv(file)
    return catalogue.import_file(file, "SOL/USDT", "binance", kind=kind, dataset="ticks")


def test_trades_come_in_twice_the_same_in_one_instant_and_are_kept_twice(catalogue: Catalogue) -> None:
    report = bring_in_ticks(catalogue, trades(*TAPE), SeriesKind.TRADES)
    assert (report.ok, report.added, report.rows) == (True, 5, 5)
    assert bring_in_ticks(catalogue, trades(*TAPE), SeriesKind.TRADES).added == 0
    (series,) = catalogue.open("ticks").series
    assert [(event.price, event.aggressor_buy) for event in series.events() if isinstance(event, Trade)] == [
        (Decimal(str(price)), side == "buy") for _, price, _, side in TAPE
    ]
    assert series.parts[0].path.parent.name == "trades"


@pytest.mark.parametrize("cut", [0, 1, 2, 3])
@pytest.mark.parametrize("later_first", [False, True])
def test_tapes_that_overlap_are_one_tape_wherever_they_were_cut(
    cut: int, later_first: bool, catalogue: Catalogue
) -> None:
    """Cut also between trades of the same instant: the later part begins inside of it."""
    halves = [trades(*TAPE[: cut + 2]), trades(*TAPE[cut:])]
    for half in reversed(halves) if later_first else halves:
        assert bring_in_ticks(catalogue, half, SeriesKind.TRADES).ok
    assert bring_in_ticks(catalogue, trades(*TAPE), SeriesKind.TRADES).added == 0
    assert catalogue.open("ticks").series[0].rows == 5


def test_tapes_whose_overlap_in_an_instant_cannot_be_told_are_refused(catalogue: Catalogue) -> None:
    """Two buys and then one buy and a sell: nobody knows whether there were two buys or three."""
    assert bring_in_ticks(catalogue, trades(*TAPE[:3]), SeriesKind.TRADES).ok
    report = bring_in_ticks(catalogue, trades(*TAPE[2:]), SeriesKind.TRADES)
    assert "price: 9.5 at 2025-05-13T00:00:00.005000Z, where the catalogue has 10.0" in report.errors[0]


def test_a_trade_that_contradicts_is_refused_by_time_and_field(catalogue: Catalogue) -> None:
    bring_in_ticks(catalogue, trades(*TAPE), SeriesKind.TRADES)
    before = contents(catalogue.root / "ticks")
    other = (*TAPE[:3], (5, 9.5, 2.5, "sell"), (20, 9.0, 1.0, "buy"))
    report = bring_in_ticks(catalogue, trades(*other), SeriesKind.TRADES)
    assert report.errors[0].endswith(
        "quantity: 2.5 at 2025-05-13T00:00:00.005000Z, where the catalogue has 2.0; nothing was imported"
    )
    assert contents(catalogue.root / "ticks") == before


def test_quotes_come_in_beside_trades_of_the_same_market(catalogue: Catalogue) -> None:
    bring_in_ticks(catalogue, trades(*TAPE), SeriesKind.TRADES)
    book = pl.DataFrame({"ts": [T0, T0 + 1], "bid": [9.0, None], "ask": [9.5, 9.5]}).with_columns(
        bid_size=pl.lit(1.0), ask_size=pl.lit(2.0)
    )
    report = bring_in_ticks(catalogue, book, SeriesKind.QUOTES)
    assert (report.ok, report.added) == (True, 2)
    assert bring_in_ticks(catalogue, book, SeriesKind.QUOTES).added == 0
    kinds = [series.kind for series in catalogue.open("ticks").series]
    assert kinds == [SeriesKind.TRADES, SeriesKind.QUOTES]


def test_ticks_have_no_timeframe(catalogue: Catalogue, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"trades have no timeframe; leave '1m' out"):
        catalogue.import_file(
            tmp_path / "t.csv", "SOL/USDT", "binance", kind=SeriesKind.TRADES, timeframe="1m"
        )


def test_bars_under_a_shorter_name_than_theirs_are_refused(catalogue: Catalogue, tmp_path: Path) -> None:
    file = tmp_path / "5m.csv"
    bars(0, 50).gather_every(5).write_csv(file)
    report = catalogue.import_file(file, "SOL/USDT", "binance", timeframe="1m")
    assert report.errors == [f"{file}: ts: most rows are 5m apart, so these are no 1m bars; name 5m"]
    assert not catalogue.root.exists()


def test_a_dataset_that_holds_one_market_twice_is_not_added_to(catalogue: Catalogue) -> None:
    bring_in(catalogue, bars(0, 2))
    path = catalogue.root / "mine" / "dataset.json"
    description = json.loads(path.read_text())
    description["series"] *= 2
    path.write_text(json.dumps(description))
    with pytest.raises(UsageError, match=r"holds bars of SOL/USDT@binance twice; keep one entry"):
        bring_in(catalogue, bars(2, 1))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"file": "x.csv"}, "name its file, or its parts, and not both"),
        ({"parts": []}, "name its file, or its parts, and not both"),
        ({"parts": [{"file": "gone.parquet"}]}, "file gone.parquet is not there"),
        ({"covered": [{"since": "May", "until": "June"}]}, "'May' is no time"),
    ],
)
def test_a_description_that_does_not_fit_is_named(
    change: dict[str, object], said: str, catalogue: Catalogue
) -> None:
    bring_in(catalogue, bars(0, 2))
    path = catalogue.root / "mine" / "dataset.json"
    description = json.loads(path.read_text())
    description["series"][0] |= change
    path.write_text(json.dumps(description))
    with pytest.raises(UsageError, match=said):
        catalogue.open("mine")


KILLED_AT_A_RENAME = """
import os, sys
from pathlib import Path
from neuratrade.feeds.catalogue import Catalogue

rename, done = Path.replace, []
def replace(path, target):
    done.append(target)
    if len(done) == int(sys.argv[3]):
        os._exit(9)
    return rename(path, target)
Path.replace = replace
Catalogue(Path(sys.argv[1])).import_file(Path(sys.argv[2]), "SOL/USDT", "binance", dataset="mine")
"""


@pytest.mark.parametrize("renamed", [1, 2, 3, 4])
def test_a_process_killed_at_any_rename_of_an_import_leaves_the_dataset_as_it_was(
    renamed: int, catalogue: Catalogue, tmp_path: Path
) -> None:
    """Two months and two descriptions are renamed into place."""
    bring_in(catalogue, bars(0, 10))
    before = list(catalogue.open("mine").series[0].events())
    file = tmp_path / "more.csv"
    pl.concat([bars(10, 10), bars(30 * 1440, 10)]).write_csv(file)
    words = [sys.executable, "-c", KILLED_AT_A_RENAME, str(catalogue.root), str(file), str(renamed)]
    assert subprocess.run(words, check=False).returncode == 9
    assert list(catalogue.open("mine").series[0].events()) == before
    assert catalogue.import_file(file, "SOL/USDT", "binance", dataset="mine").rows == 30
    assert not [name for name in contents(catalogue.root / "mine") if name.endswith(".part")]


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
    with pytest.raises(UsageError, match=r"cannot be written \(.*\); nothing was added"):
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
        UsageError, match=r"dataset 'other' is not in the catalogue .*; there are shipped, futures, mine"
    ):
        catalogue.open("other")


def test_terms_of_another_instrument_are_refused(catalogue: Catalogue, tmp_path: Path) -> None:
    terms: Instrument = catalogue.open(SHIPPED).instruments[0]
    with pytest.raises(
        UsageError, match=r"is BTC/USDT@binanceusdm, the file was said to be SOL/USDT@binance"
    ):
        catalogue.import_file(tmp_path / "bars.csv", "SOL/USDT", "binance", instrument=terms)


def test_a_download_waits_for_an_import_beside_it(catalogue: Catalogue) -> None:
    bring_in(catalogue, bars(0, 2))
    terms = catalogue.open("mine").instruments[0]
    frame = bars(2, 2).with_columns(pl.col("ts") * 1_000_000)
    held = exclusive(catalogue.root / "mine" / ".lock")
    held.__enter__()
    giving_back = threading.Timer(0.2, held.__exit__, (None, None, None))
    giving_back.start()
    try:
        assert catalogue.add_bars("mine", terms, "1m", frame).rows == 4
    finally:
        giving_back.join()
