"""What a check reports of files that can be used: span, unit, timeframe, gaps, jumps."""

from pathlib import Path

import polars as pl
import pytest

from neuratrade.core.model.errors import UsageError
from neuratrade.feeds.check import check_file
from neuratrade.feeds.layout import SeriesKind

T0_S = 1_747_094_400


def frame(minutes: list[int], close: float = 11.0) -> pl.DataFrame:
    return pl.DataFrame({"ts": [(T0_S + minute * 60) * 1_000 for minute in minutes]}).with_columns(
        open=pl.lit(10.0),
        high=pl.lit(max(12.0, close)),
        low=pl.lit(9.0),
        close=pl.lit(close),
        volume=pl.lit(0.0),
    )


def test_gaps_are_findings_with_their_place_and_length_and_no_errors(tmp_path: Path) -> None:
    file = tmp_path / "bars.csv"
    frame([0, 1, 2, 5, 6, 17]).write_csv(file)
    report = check_file(file)
    assert report.ok
    assert report.timeframe == "1m"
    assert report.missing_bars == 12
    assert [(gap.bars, gap.first, gap.last, gap.before) for gap in report.gaps] == [
        (2, "2025-05-13T00:03:00Z", "2025-05-13T00:04:00Z", "line 5"),
        (10, "2025-05-13T00:07:00Z", "2025-05-13T00:16:00Z", "line 7"),
    ]
    assert report.findings == [
        f"{file}: line 7: ts: 2 gaps, 12 bars missing; the longest is 10 bars from 2025-05-13T00:07:00Z"
    ]


@pytest.mark.parametrize(("unit", "factor"), [("s", 1), ("ms", 10**3), ("us", 10**6), ("ns", 10**9)])
def test_the_unit_of_times_is_found_by_their_size(unit: str, factor: int, tmp_path: Path) -> None:
    file = tmp_path / "bars.parquet"
    frame([0, 1]).with_columns(pl.col("ts") // 1_000 * factor).write_parquet(file)
    report = check_file(file)
    assert (report.ok, report.time_unit, report.last) == (True, unit, "2025-05-13T00:01:00Z")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("2025-05-13T00:00:00Z", "2025-05-13T00:01:00Z"),
        ("2025-05-13 00:00:00+00:00", "2025-05-13 00:01:00+00:00"),
        ("2025-05-13T02:00:00.000+02:00", "2025-05-13T02:01:00.000+02:00"),
        ("2025-05-13T00:00Z", "2025-05-13T00:01Z"),
    ],
)
def test_iso_times_with_an_offset_are_read_as_utc(first: str, second: str, tmp_path: Path) -> None:
    file = tmp_path / "bars.csv"
    file.write_text(f"Date,Open,High,Low,Close,Volume\n{first},1,1,1,1,1\n{second},1,1,1,1,1\n")
    report = check_file(file)
    assert report.errors == []
    assert (report.first, report.last) == ("2025-05-13T00:00:00Z", "2025-05-13T00:01:00Z")


def test_a_byte_order_mark_and_windows_line_ends_are_read_and_remarked(tmp_path: Path) -> None:
    file = tmp_path / "bars.csv"
    text = frame([0, 1]).write_csv().replace("\n", "\r\n")
    file.write_bytes(b"\xef\xbb\xbf" + text.encode())
    report = check_file(file)
    assert report.ok
    assert report.findings == [f"{file}: line 1: a byte order mark was skipped"]


def test_a_jump_is_a_finding_at_the_row_it_happens_and_its_size_can_be_chosen(tmp_path: Path) -> None:
    file = tmp_path / "bars.parquet"
    pl.concat([frame([0, 1]), frame([2], close=14.0)]).write_parquet(file)
    assert check_file(file).findings == [f"{file}: row 3: close: 14.0 is +27.3% from 11.0 before it"]
    assert check_file(file, jump=0.3).findings == []


def test_a_jump_that_makes_no_sense_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="jump must be a fraction above zero"):
        check_file(tmp_path / "bars.csv", jump=float("nan"))


def test_feather_is_read_like_parquet(tmp_path: Path) -> None:
    file = tmp_path / "bars.feather"
    frame([0, 1, 2]).with_columns(pl.from_epoch("ts", time_unit="ms").dt.replace_time_zone("UTC")).write_ipc(
        file
    )
    report = check_file(file)
    assert (report.errors, report.rows, report.time_unit) == ([], 3, "ISO 8601")


def test_trades_of_one_instant_are_in_order(tmp_path: Path) -> None:
    file = tmp_path / "trades.csv"
    file.write_text(f"time,px,qty\n{T0_S}.25,10,1\n{T0_S}.25,11,2\n{T0_S}.5,10,1\n")
    report = check_file(file, kind=SeriesKind.TRADES)
    assert (report.errors, report.last) == ([], "2025-05-13T00:00:00.500000Z")


def test_a_book_with_one_side_is_no_error_and_a_locked_one_is_a_finding(tmp_path: Path) -> None:
    file = tmp_path / "quotes.csv"
    file.write_text(f"ts,bid,ask,bid_size,ask_size\n{T0_S},10,,1,\n{T0_S + 1},10,10,1,1\n")
    report = check_file(file, kind=SeriesKind.QUOTES)
    assert report.errors == []
    assert report.findings == [f"{file}: line 3: bid: 10.0 equals the ask (a locked book)"]


@pytest.mark.shared
def test_the_recorded_halt_of_february_2018_is_found(shared_data: Path) -> None:
    report = check_file(shared_data / "ohlcv" / "extra" / "binance_BTCUSDT_1m_gappy_201802.parquet")
    assert (report.ok, report.rows, report.missing_bars, len(report.gaps)) == (True, 38_260, 2_060, 3)
    assert max(gap.bars for gap in report.gaps) == 2_011


@pytest.mark.shared
def test_a_recorded_book_of_binance_passes(shared_data: Path) -> None:
    report = check_file(
        shared_data / "book" / "binanceusdm_BTCUSDT_20240808_bbo.parquet", kind=SeriesKind.QUOTES
    )
    assert report.errors == []
    assert report.rows == 66_089
