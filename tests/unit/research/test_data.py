"""Bars reach a backtest as they were recorded, or not at all; what was assumed or missing is said."""

import json
from decimal import Decimal
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from neuratrade.core.model.errors import UsageError
from neuratrade.core.model.market import Bar
from neuratrade.feeds.catalogue import SHIPPED, Catalogue
from neuratrade.feeds.layout import SeriesKind
from neuratrade.feeds.times import time_of
from neuratrade.research.columns import Columns
from neuratrade.research.data import Gaps, Loaded, Selection, digest_of, load_columns

T0 = 1_747_094_400_000
MINUTE_NS = 60_000_000_000
FIELDS = ("ts", "open", "high", "low", "close", "volume")


def bars(minutes: list[int]) -> pl.DataFrame:
    close = [10 + minute % 7 / 4 for minute in minutes]
    return pl.DataFrame({"ts": [T0 + minute * 60_000 for minute in minutes], "close": close}).select(
        "ts",
        open=pl.lit(11.0),
        high=pl.lit(12.0),
        low=pl.lit(9.5),
        close="close",
        volume=pl.col("ts") % 7 / 8,
    )


@pytest.fixture
def catalogue(tmp_path: Path) -> Catalogue:
    return Catalogue(tmp_path / "data")


def file_of(folder: Path, frame: pl.DataFrame, name: str = "binance_SOLUSDT_1m.csv") -> Path:
    file = folder / name
    if file.suffix == ".csv":
        frame.write_csv(file)
    elif file.suffix == ".parquet":
        frame.write_parquet(file)
    else:
        frame.write_ipc(file)
    return file


def only(loaded: Loaded) -> Columns:
    (columns,) = loaded.columns.values()
    return columns


def test_every_bar_of_a_dataset_is_the_bar_that_a_replay_gives(catalogue: Catalogue) -> None:
    loaded = load_columns(SHIPPED, catalogue)
    assert list(loaded.columns) == ["BTC/USDT@binanceusdm", "ETH/USDT@binanceusdm"]
    for series in catalogue.open(SHIPPED).series:
        columns = loaded.columns[series.instrument]
        replayed = [event for event in series.events() if isinstance(event, Bar)]
        assert [columns.bar(place) for place in range(0, len(columns), 97)] == replayed[::97]
        assert len(columns) == len(replayed)
    assert loaded.notes == ()


@pytest.mark.parametrize("suffix", ["csv", "parquet", "feather"])
def test_a_bare_file_of_any_form_is_named_by_its_name_and_its_terms_are_inferred(
    suffix: str, catalogue: Catalogue, tmp_path: Path
) -> None:
    file = file_of(tmp_path, bars([0, 1, 2]), f"binance_SOLUSDT_1m.{suffix}")
    loaded = load_columns(file, catalogue)
    columns = only(loaded)
    assert (columns.instrument.key, columns.span_ns, len(columns)) == ("SOL/USDT@binance", MINUTE_NS, 3)
    assert loaded.notes == (
        f"{file.name}: taken as SOL/USDT at binance, by its name",
        "SOL/USDT@binance: tick 0.01 and lot 0.001 were inferred from the file, kind spot and fees of 10 bps "
        "assumed; import the file and correct them to be sure",
    )


def test_a_file_and_the_dataset_it_was_imported_into_are_the_same_numbers(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    file = file_of(tmp_path, bars([*range(50), *range(30_000, 30_100)]))
    catalogue.import_file(file, "SOL/USDT", "binance")
    from_file, by_name = load_columns(file, catalogue), load_columns("imported", catalogue)
    by_folder = load_columns(catalogue.root / "imported", catalogue)
    assert from_file.digest == by_name.digest == by_folder.digest == digest_of(by_name.columns)
    assert only(by_name).ts.tolist() == [
        (T0 + minute * 60_000) * 1_000_000 for minute in [*range(50), *range(30_000, 30_100)]
    ]


def test_terms_the_catalogue_knows_are_taken_for_a_bare_file(catalogue: Catalogue, tmp_path: Path) -> None:
    loaded = load_columns(file_of(tmp_path, bars([0, 1]), "binanceusdm_BTCUSDT_1m.csv"), catalogue)
    assert only(loaded).instrument == catalogue.open(SHIPPED).instruments[0]


def test_terms_that_were_given_are_taken(catalogue: Catalogue, tmp_path: Path) -> None:
    terms = catalogue.open(SHIPPED).instruments[1]
    loaded = load_columns(file_of(tmp_path, bars([0, 1]), "x.csv"), catalogue, Selection(terms=terms))
    assert (only(loaded).instrument, loaded.notes) == (terms, ())


def test_columns_can_be_written_so_that_compiled_code_is_compiled_once(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    for gaps in (Gaps.SKIP, Gaps.FILL):
        columns = only(load_columns(file_of(tmp_path, bars([0, 1, 5])), catalogue, Selection(gaps=gaps)))
        arrays = [getattr(columns, name) for name in FIELDS]
        assert all(array.flags.writeable and array.flags.c_contiguous for array in arrays)
        assert [str(array.dtype) for array in arrays] == ["int64", *["float64"] * 5]


def test_a_digest_changes_with_any_number_and_any_name(catalogue: Catalogue, tmp_path: Path) -> None:
    columns = load_columns(file_of(tmp_path, bars([0, 1, 2])), catalogue).columns
    digests = {digest_of(columns)}
    for name in FIELDS:
        changed = {key: item.part(0, 3) for key, item in columns.items()}
        array = getattr(changed["SOL/USDT@binance"], name)
        before = array[1]
        array[1] = before + 1
        digests.add(digest_of(changed))
        array[1] = before
    digests.add(digest_of({"SOL/USDT@other": columns["SOL/USDT@binance"]}))
    assert len(digests) == 8


GAPPY = [0, 1, 4, 5, 9]


def test_gaps_are_skipped_and_said_by_default(catalogue: Catalogue, tmp_path: Path) -> None:
    loaded = load_columns(file_of(tmp_path, bars(GAPPY)), catalogue)
    assert len(only(loaded)) == 5
    assert loaded.notes[-1] == (
        "SOL/USDT@binance: 2 gaps, 5 1m bars missing; the first is 2 from 2025-05-13T00:02:00Z; skipped"
    )


def test_gaps_end_the_loading_where_they_are_to(catalogue: Catalogue, tmp_path: Path) -> None:
    with pytest.raises(
        UsageError,
        match=r"2 gaps, 5 1m bars missing; the first is 2 from 2025-05-13T00:02:00Z; skip or fill gaps, or "
        r"choose a range without them",
    ):
        load_columns(file_of(tmp_path, bars(GAPPY)), catalogue, Selection(gaps=Gaps.FAIL))


def test_gaps_are_filled_with_the_last_close_and_no_volume(catalogue: Catalogue, tmp_path: Path) -> None:
    loaded = load_columns(file_of(tmp_path, bars(GAPPY)), catalogue, Selection(gaps=Gaps.FILL))
    columns = only(loaded)
    there = only(load_columns(file_of(tmp_path, bars(GAPPY)), catalogue))
    assert (np.diff(columns.ts) == MINUTE_NS).all()
    assert len(columns) == 10
    for name in FIELDS:
        assert getattr(columns, name)[GAPPY].tolist() == getattr(there, name).tolist()
    for place, last in {2: 1, 3: 1, 6: 5, 7: 5, 8: 5}.items():
        flat = {getattr(columns, name)[place] for name in ("open", "high", "low", "close")}
        assert (flat, columns.volume[place]) == ({columns.close[last]}, 0.0)
    assert "filled with the last close and no volume" in loaded.notes[-1]


def test_a_silence_of_decades_is_not_filled(catalogue: Catalogue, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"more than can be filled \(10,000,000\): skip gaps, or choose"):
        load_columns(file_of(tmp_path, bars([0, 1, 2, 20_000_000])), catalogue, Selection(gaps=Gaps.FILL))


def test_only_bars_that_open_and_close_inside_the_bounds_are_taken(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    file = file_of(tmp_path, bars(list(range(10))))
    catalogue.import_file(file, "SOL/USDT", "binance")
    since, until = time_of("2025-05-13T00:02:30Z"), time_of("2025-05-13T00:07:30Z")
    for source in (file, "imported"):
        columns = only(load_columns(source, catalogue, Selection(since_ns=since, until_ns=until)))
        assert ((columns.ts - T0 * 1_000_000) // MINUTE_NS).tolist() == [3, 4, 5, 6]


def test_data_that_does_not_reach_the_bounds_is_said(catalogue: Catalogue, tmp_path: Path) -> None:
    bounds = Selection(since_ns=time_of("2025-05-12"), until_ns=time_of("2025-05-14"))
    notes = load_columns(file_of(tmp_path, bars([0, 1])), catalogue, bounds).notes
    assert notes[-2:] == (
        "SOL/USDT@binance: begins at 2025-05-13T00:00:00Z, after the beginning asked for",
        "SOL/USDT@binance: ends at 2025-05-13T00:02:00Z, before the end asked for",
    )


def test_the_finest_timeframe_that_all_have_is_taken_unless_one_is_named(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    minutes = bars(list(range(60)))
    for asset, every in (("SOL/USDT", 1), ("SOL/USDT", 5), ("ADA/USDT", 5), ("ADA/USDT", 15)):
        file = file_of(tmp_path, minutes.gather_every(every), "bars.csv")
        assert catalogue.import_file(file, asset, "binance").ok
    spans = {item.span_ns // MINUTE_NS for item in load_columns("imported", catalogue).columns.values()}
    assert spans == {5}
    alone = load_columns("imported", catalogue, Selection(symbols=("SOL/USDT",)))
    assert [(key, len(item)) for key, item in alone.columns.items()] == [("SOL/USDT@binance", 60)]
    with pytest.raises(
        UsageError, match=r"does not hold 1m of every instrument \(ADA/USDT@binance: 5m, 15m;"
    ):
        load_columns("imported", catalogue, Selection(timeframe="1m"))


def test_trades_become_bars_of_the_length_asked_for(catalogue: Catalogue, tmp_path: Path) -> None:
    tape = pl.DataFrame(
        {
            "ts": [T0 + second * 1_000 for second in range(0, 600, 7)],
            "price": [10 + second % 13 / 8 for second in range(0, 600, 7)],
            "quantity": [0.1] * len(range(0, 600, 7)),
        }
    )
    file = file_of(tmp_path, tape, "binance_SOLUSDT_trades.csv")
    catalogue.import_file(file, "SOL/USDT", "binance", kind=SeriesKind.TRADES)
    from_file, from_dataset = load_columns(file, catalogue), load_columns("imported", catalogue)
    assert from_file.digest == from_dataset.digest
    columns = only(from_file)
    assert (columns.span_ns, len(columns)) == (MINUTE_NS, 8)
    assert columns.bar(0).volume == Decimal("0.9")
    assert only(load_columns(file, catalogue, Selection(timeframe="2m"))).span_ns == 2 * MINUTE_NS


def broken(field: str, value: object) -> pl.DataFrame:
    frame = bars(list(range(5)))
    changed = [value if place == 2 else cell for place, cell in enumerate(frame[field].to_list())]
    return frame.with_columns(pl.Series(field, [str(cell) for cell in changed]))


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (broken("open", -1.0), "line 4: open: -1.0 is not above zero"),
        (broken("close", 0.0), "line 4: close: 0.0 is not above zero"),
        (broken("low", "nan"), "line 4: low: nan is not a finite number"),
        (broken("high", "inf"), "line 4: high: inf is not a finite number"),
        (broken("high", 9.0), "line 4: high: 9.0 is below low 9.5"),
        (broken("close", 99.0), "line 4: close: 99.0 is outside the bar's low to high"),
        (broken("volume", -2.0), "line 4: volume: -2.0 is below zero"),
        (broken("close", "ten"), "line 4: close: 'ten' is no number"),
        (broken("ts", T0), "line 4: ts: 2025-05-13T00:00:00Z comes after 2025-05-13T00:01:00Z"),
        (broken("ts", T0 + 60_000), "line 4: ts: 2025-05-13T00:01:00Z stands twice"),
        (
            broken("ts", T0 + 120_001),
            "line 4: ts: 2025-05-13T00:02:00.001000Z is no opening time of a 1m bar",
        ),
        (broken("ts", "2025-05-13T00:02:00"), "line 4: ts: '2025-05-13T00:02:00' is no whole number"),
        (bars([]), "holds no rows"),
        (bars([0]), "the timeframe cannot be told from one row; name it, for example 1m"),
        (bars([0, 1, 2]).drop("low"), "low: no such column"),
    ],
)
def test_a_row_that_cannot_be_is_named_by_file_line_and_field(
    frame: pl.DataFrame, said: str, catalogue: Catalogue, tmp_path: Path
) -> None:
    file = file_of(tmp_path, frame)
    with pytest.raises(UsageError) as refused:
        load_columns(file, catalogue)
    assert f"{file}: {said}" in str(refused.value).replace("ts: the timeframe", "the timeframe")


@pytest.mark.parametrize(
    ("source", "wanted", "said"),
    [
        (
            "shiped",
            Selection(),
            r"data 'shiped': there is no such dataset, nor a file of that name; did you ",
        ),
        ("absent.csv", Selection(), r"absent.csv: cannot be read: No such file"),
        (".", Selection(), r"is a folder without dataset.json; name a file in it, or import it first"),
        (SHIPPED, Selection(symbols=("BTC/USDC",)), r"holds no bars of 'BTC/USDC'; did you mean 'BTC/USDT@"),
        (
            SHIPPED,
            Selection(timeframe="5m"),
            r"does not hold 5m of every instrument \(BTC/USDT@binanceusdm: 1m",
        ),
        (SHIPPED, Selection(timeframe="1M"), r"timeframe '1M': write a count"),
        (SHIPPED, Selection(since_ns=2, until_ns=1), r"is no time: the end must lie after the beginning"),
        (
            SHIPPED,
            Selection(until_ns=time_of("2024-01-01")),
            r"dataset shipped: holds no bar of BTC/USDT@binanceusdm between its beginning and "
            r"2024-01-01T00:00:00Z; it holds 2025-05-13T00:00:00Z to 2025-06-02T23:59:00Z",
        ),
        ("bars.csv", Selection(), r"its name does not say what it holds; name the asset and the venue"),
        ("bars.csv", Selection(asset="SOL/USDT", timeframe="x"), r"timeframe 'x': write a count"),
        ("bars.csv", Selection(asset="../x", venue="v"), r"asset '../x': write it as BTC/USDT or AAPL"),
        ("bars.csv", Selection(asset="SOL/USDT", venue="a/b"), r"venue 'a/b': use letters"),
        (
            "bars.csv",
            Selection(asset="SOL/USDT", since_ns=time_of("2026-01-01")),
            r"holds no bar of SOL/USDT@file between 2026-01-01T00:00:00Z and its end; it holds 2025-05-13",
        ),
        ("bars.csv", Selection(asset="SOL/USDT", symbols=("ADA/USDT",)), r"holds SOL/USDT@file, and not ADA"),
        (
            "5m.csv",
            Selection(asset="SOL/USDT", timeframe="1m"),
            r"most rows are 5m apart, so these are no 1m",
        ),
        ("few.csv", Selection(asset="SOL/USDT"), r"its trades fill no bar of 1m from end to end"),
    ],
)
def test_what_cannot_be_loaded_is_told_what_to_change(
    source: str,
    wanted: Selection,
    said: str,
    catalogue: Catalogue,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    file_of(tmp_path, bars(list(range(5))), "bars.csv")
    file_of(tmp_path, bars(list(range(0, 50, 5))), "5m.csv")
    file_of(tmp_path, pl.DataFrame({"ts": [T0], "price": [1.0], "quantity": [1.0]}), "few.csv")
    with pytest.raises(UsageError, match=said):
        load_columns(source, catalogue, wanted)


def test_a_month_that_was_damaged_is_named(catalogue: Catalogue, tmp_path: Path) -> None:
    catalogue.import_file(file_of(tmp_path, bars(list(range(5)))), "SOL/USDT", "binance")
    part = catalogue.open("imported").series[0].parts[0].path
    part.write_bytes(part.read_bytes()[:-9])
    with pytest.raises(UsageError, match=rf"{part.name}: is cut off .* copy it again"):
        load_columns("imported", catalogue)


def test_a_row_that_was_changed_by_hand_is_named_by_its_month(catalogue: Catalogue, tmp_path: Path) -> None:
    catalogue.import_file(file_of(tmp_path, bars(list(range(5)))), "SOL/USDT", "binance")
    part = catalogue.open("imported").series[0].parts[0].path
    pl.read_parquet(part).with_columns(low=pl.lit(11.5)).write_parquet(part)
    with pytest.raises(UsageError, match=rf"{part.name}: row 1: open: 11.0 is outside the bar's low to high"):
        load_columns("imported", catalogue)


def test_a_description_of_more_than_there_is_does_not_pass(catalogue: Catalogue, tmp_path: Path) -> None:
    catalogue.import_file(file_of(tmp_path, bars(list(range(5)))), "SOL/USDT", "binance")
    path = catalogue.root / "imported" / "dataset.json"
    description = json.loads(path.read_text())
    description["series"][0]["timeframe"] = "5m"
    path.write_text(json.dumps(description))
    with pytest.raises(UsageError, match="is no opening time of a 5m bar"):
        load_columns("imported", catalogue)


@pytest.mark.shared
def test_recorded_gaps_are_counted_as_the_check_counts_them(catalogue: Catalogue, shared_data: Path) -> None:
    file = shared_data / "ohlcv" / "extra" / "binance_BTCUSDT_1m_gappy_201802.parquet"
    filled = load_columns(file, catalogue, Selection(gaps=Gaps.FILL))
    skipped = load_columns(file, catalogue)
    assert (np.diff(only(filled).ts) == MINUTE_NS).all()
    added = len(only(filled)) - len(only(skipped))
    assert f"{added:,} 1m bars missing" in filled.notes[-1]
    assert added > 0
