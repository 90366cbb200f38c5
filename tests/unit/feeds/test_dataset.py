"""Datasets are read as exact core events, in bounded pieces, between bounds."""

import hashlib
from decimal import Decimal
from pathlib import Path

import msgspec
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuratrade.core.model.decimals import decimal_of
from neuratrade.core.model.errors import UsageError
from neuratrade.core.model.instrument import InstrumentKind
from neuratrade.core.model.market import NS_PER_MINUTE, Bar, Quote, Trade
from neuratrade.feeds.catalogue import SHIPPED, Catalogue
from neuratrade.feeds.check import check_file
from neuratrade.feeds.dataset import Dataset, Series, _decimals, open_dataset
from neuratrade.feeds.layout import SeriesKind
from neuratrade.feeds.rules import iso_of
from neuratrade.feeds.table import BadFile

T0 = 1_747_094_400_000
KEY = "BTC/USDT@binanceusdm"


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return Catalogue(tmp_path_factory.mktemp("data")).open(SHIPPED)


def write_bars(path: Path, rows: int) -> Series:
    pl.DataFrame({"ts": [T0 + row * 60_000 for row in range(rows)]}).with_columns(
        open=pl.lit(0.1),
        high=pl.lit(0.3),
        low=pl.lit(0.1),
        close=0.1 + pl.int_range(pl.len()) / 1e6,
        volume=pl.lit(-0.0),
    ).write_parquet(path)
    return Series(path, SeriesKind.BARS, KEY, NS_PER_MINUTE)


def test_the_shipped_data_is_what_its_description_says(shipped: Dataset) -> None:
    for described, series in zip(shipped.description.series, shipped.series, strict=True):
        report = check_file(series.path, described.timeframe)
        assert (report.errors, report.findings, report.missing_bars) == ([], [], 0)
        assert (report.rows, report.first, report.last) == (described.rows, described.first, described.last)
        assert report.time_unit == described.time_unit
        assert hashlib.sha256(series.path.read_bytes()).hexdigest() == described.sha256
        assert described.rows >= 14 * 24 * 60


def test_the_shipped_instruments_have_terms_the_data_keeps(shipped: Dataset) -> None:
    for series in shipped.series:
        terms = shipped.instrument(series.instrument)
        assert terms.kind is InstrumentKind.PERPETUAL
        assert terms.taker_fee_bps == 5
        for event in series.events():
            assert isinstance(event, Bar)
            assert terms.round_price(event.low) == event.low
            assert terms.round_quantity(event.volume) == event.volume


def test_the_shipped_data_holds_a_day_that_falls_more_than_five_percent(shipped: Dataset) -> None:
    bars = [bar for bar in shipped.series[1].events() if isinstance(bar, Bar)]
    day = [bar for bar in bars if iso_of(bar.open_ns).startswith("2025-05-23")]
    assert day[-1].close / day[0].open - 1 < Decimal("-0.05")


def test_a_bar_has_the_shortest_decimals_and_its_times_in_nanoseconds(shipped: Dataset) -> None:
    assert next(shipped.series[0].events()) == Bar(
        KEY,
        NS_PER_MINUTE,
        1_747_094_400_000_000_000,
        Decimal("102739.3"),
        Decimal("102743.9"),
        Decimal("102722.6"),
        Decimal("102728.5"),
        Decimal("69.202"),
    )


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=20))
def test_columns_become_the_same_decimals_as_single_floats(values: list[float]) -> None:
    many = list(_decimals(pl.Series(values, dtype=pl.Float64)))
    assert many == [decimal_of(value) for value in values]
    assert [float(number) for number in many] == values


def test_bounds_are_after_and_until_in_event_time(tmp_path: Path) -> None:
    series = write_bars(tmp_path / "bars.parquet", 10)
    start = T0 * 1_000_000
    events = series.events(start + 2 * NS_PER_MINUTE, start + 5 * NS_PER_MINUTE)
    closes = [bar.close_ns for bar in events if isinstance(bar, Bar)]
    assert closes == [start + minute * NS_PER_MINUTE for minute in (3, 4, 5)]
    assert series.count(start + 2 * NS_PER_MINUTE, start + 5 * NS_PER_MINUTE) == 3
    assert list(series.events(until_ns=start)) == []


@pytest.mark.parametrize("wanted", [1, 7, 9_000, 30_000])
def test_the_last_rows_before_a_time_are_the_end_of_all_rows_before_it(wanted: int, tmp_path: Path) -> None:
    series = write_bars(tmp_path / "bars.parquet", 20_000)
    until = T0 * 1_000_000 + 17_000 * NS_PER_MINUTE
    assert series.last(wanted, until) == list(series.events(until_ns=until))[-wanted:]


def test_a_negative_zero_is_a_zero(tmp_path: Path) -> None:
    bar = next(write_bars(tmp_path / "bars.parquet", 1).events())
    assert isinstance(bar, Bar)
    assert str(bar.volume) == "0.0"


def test_reading_stops_at_a_row_that_breaks_a_rule(tmp_path: Path) -> None:
    series = write_bars(tmp_path / "bars.parquet", 5)
    frame = pl.read_parquet(series.path)
    frame.with_columns(
        pl.when(pl.int_range(pl.len()) == 3).then(9.9).otherwise(pl.col("low")).alias("low")
    ).write_parquet(series.path)
    with pytest.raises(BadFile, match=r"bars.parquet: row 4: high: 0.3 is below low 9.9"):
        list(series.events())


def test_trades_are_read_with_their_side(tmp_path: Path) -> None:
    file = tmp_path / "trades.csv"
    file.write_text(f"timestamp,price,size,side\n{T0},10.10,0.5,Buy\n{T0},10.2,1,SELL\n{T0 + 1},10.3,1,\n")
    assert list(Series(file, SeriesKind.TRADES, KEY).events()) == [
        Trade(KEY, T0 * 1_000_000, Decimal("10.1"), Decimal("0.5"), aggressor_buy=True),
        Trade(KEY, T0 * 1_000_000, Decimal("10.2"), Decimal(1), aggressor_buy=False),
        Trade(KEY, (T0 + 1) * 1_000_000, Decimal("10.3"), Decimal(1), aggressor_buy=None),
    ]


def test_a_maker_flag_means_the_other_side_was_the_aggressor(tmp_path: Path) -> None:
    file = tmp_path / "trades.parquet"
    pl.DataFrame(
        {"ts": [T0, T0], "price": [1.0, 1.0], "qty": [1.0, 1.0], "buyer_is_maker": [True, False]}
    ).write_parquet(file)
    trades = [event for event in Series(file, SeriesKind.TRADES, KEY).events() if isinstance(event, Trade)]
    assert [trade.aggressor_buy for trade in trades] == [False, True]


def test_quotes_keep_a_missing_side_missing(tmp_path: Path) -> None:
    file = tmp_path / "quotes.csv"
    file.write_text(f"ts,bid,ask,bid_size,ask_size\n{T0},10,,0.5,\n")
    assert list(Series(file, SeriesKind.QUOTES, KEY).events()) == [
        Quote(KEY, T0 * 1_000_000, Decimal(10), None, Decimal("0.5"), Decimal(0))
    ]


def test_csv_and_parquet_of_the_same_rows_are_the_same_events(shipped: Dataset, tmp_path: Path) -> None:
    series = shipped.series[0]
    file = tmp_path / "bars.csv"
    pl.read_parquet(series.path).head(9_000).write_csv(file)
    same = msgspec.structs.replace(series, path=file)
    assert list(same.events()) == list(series.events())[:9_000]


def describe(folder: Path, dataset: str, instruments: str = "[]") -> Path:
    folder.joinpath("dataset.json").write_text(dataset)
    folder.joinpath("instruments.json").write_text(instruments)
    return folder


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        ('{"name": "x"}', "Object missing required field `series`"),
        ('{"name": "x", "series": [], "titel": ""}', "unknown field `titel`"),
        ("{", "Input data was truncated"),
        (
            '{"name": "x", "series": [{"kind": "trades", "instrument": "A@b", "file": "a.csv"}]}',
            "A@b of dataset.json is missing; add it",
        ),
    ],
)
def test_a_damaged_description_is_refused_by_its_file_and_field(
    dataset: str, message: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=rf"\.json: .*{message}"):
        open_dataset(describe(tmp_path, dataset))


def test_a_folder_without_a_description_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"dataset\.json: cannot be read: No such file"):
        open_dataset(tmp_path)


def test_a_damaged_instrument_is_refused_by_its_file_and_field(tmp_path: Path) -> None:
    instruments = '[{"asset": "A", "venue": "b", "kind": "perpetuum"}]'
    with pytest.raises(UsageError, match=r"instruments\.json: Invalid enum value 'perpetuum'.*kind"):
        open_dataset(describe(tmp_path, '{"name": "x", "series": []}', instruments))


def test_an_instrument_that_is_not_described_is_named(shipped: Dataset) -> None:
    with pytest.raises(UsageError, match="does not describe DOGE/USDT@binance"):
        shipped.instrument("DOGE/USDT@binance")


def test_a_described_file_that_is_gone_is_named(shipped: Dataset, tmp_path: Path) -> None:
    instruments = (shipped.folder / "instruments.json").read_text()
    dataset = (shipped.folder / "dataset.json").read_text()
    with pytest.raises(UsageError, match=r"file BTCUSDT_1m.parquet is not there"):
        open_dataset(describe(tmp_path, dataset, instruments))
