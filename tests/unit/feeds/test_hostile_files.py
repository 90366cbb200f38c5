"""Files that must not become prices: each is refused with the line, the field and what to do."""

import gzip
from pathlib import Path
from random import Random

import polars as pl
import pytest

from neuratrade.feeds.check import check_file
from neuratrade.feeds.layout import SeriesKind

HEADER = "ts,open,high,low,close,volume"
T0 = 1_747_094_400_000


def bar_line(minute: int, cells: str = "10,12,9,11,5") -> str:
    return f"{T0 + minute * 60_000},{cells}"


def csv_of(*lines: str, header: str = HEADER) -> bytes:
    return "\n".join([header, *lines, ""]).encode()


def good_lines(count: int = 5) -> list[str]:
    return [bar_line(minute) for minute in range(count)]


def with_line(line: str, at: int = 2) -> bytes:
    """Five good rows, one of them (counting from 0) replaced."""
    lines = good_lines()
    lines[at] = line
    return csv_of(*lines)


BAD_TEXT_FILES: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "{file}: is empty"),
    "header only": (csv_of(), "{file}: holds no rows"),
    "missing column": (
        csv_of("1,2,3,4,5,6", header="ts,open,high,low,clsoe,volume"),
        "{file}: close: no such column; did you mean 'clsoe'? "
        "the file has ts, open, high, low, clsoe, volume",
    ),
    "column twice": (
        csv_of(header="ts,open,high,high,low,close,volume"),
        "{file}: line 1: column 'high' stands twice; rename or remove one",
    ),
    "two columns for one field": (
        csv_of("1,1,1,1,1,1,1", header="timestamp,date,open,high,low,close,volume"),
        "{file}: ts: columns timestamp, date all mean ts; keep one",
    ),
    "no header": (
        "\n".join(good_lines()).encode(),
        "{file}: line 1: holds numbers, not column names; add a line ts,open,high,low,close,volume",
    ),
    "semicolons": (
        b"ts;open;high;low;close;volume\n1;2;3;4;5;6\n",
        "{file}: line 1: columns are separated by semicolons; save it with commas and decimal points",
    ),
    "tabs": (
        b"ts\topen\n1\t2\n",
        "{file}: line 1: columns are separated by tabs; save it with commas and decimal points",
    ),
    "utf-16": (
        csv_of(*good_lines()).decode().encode("utf-16"),
        "{file}: is UTF-16 text; save it as UTF-8",
    ),
    "compressed": (gzip.compress(csv_of(*good_lines())), "{file}: is gzip-compressed; unpack it first"),
    "binary": (b"\x07\x00\x01\x00" * 100, "{file}: is neither Parquet, Feather nor CSV text"),
    "bytes that are no text": (
        csv_of(*good_lines()) + b"\xff\xfe,1,1,1,1,1\n",
        "{file}: line 7: is not UTF-8 text",
    ),
    "text in a price": (
        with_line(bar_line(2, "10,twelve,9,11,5")),
        "{file}: line 4: high: 'twelve' is no number",
    ),
    "decimal comma": (
        with_line(bar_line(2, "10,12,9,11,5,5")),
        "{file}: line 4: has 7 cells where the header names 6 columns",
    ),
    "line cut off": (csv_of(*good_lines(), bar_line(5, "10,12,9")), "{file}: line 7: close: is missing"),
    "empty cell": (with_line(bar_line(2, "10,12,,11,5")), "{file}: line 4: low: is missing"),
    "empty line": (with_line(""), "{file}: line 4: is empty; remove it or restore its row"),
    "nan": (with_line(bar_line(2, "10,12,9,NaN,5")), "{file}: line 4: close: nan is not a finite number"),
    "infinity": (with_line(bar_line(2, "10,inf,9,11,5")), "{file}: line 4: high: inf is not a finite number"),
    "overflowing number": (
        with_line(bar_line(2, "10,1e999,9,11,5")),
        "{file}: line 4: high: inf is not a finite number",
    ),
    "price of zero": (with_line(bar_line(2, "10,12,0,11,5")), "{file}: line 4: low: 0.0 is not above zero"),
    "price below zero": (
        with_line(bar_line(2, "10,12,-9,11,5")),
        "{file}: line 4: low: -9.0 is not above zero",
    ),
    "volume below zero": (
        with_line(bar_line(2, "10,12,9,11,-5")),
        "{file}: line 4: volume: -5.0 is below zero",
    ),
    "high below low": (with_line(bar_line(2, "10,9,12,10,5")), "{file}: line 4: high: 9.0 is below low 12.0"),
    "close outside the range": (
        with_line(bar_line(2, "10,12,9,13,5")),
        "{file}: line 4: close: 13.0 is outside the bar's low to high",
    ),
    "out of order": (
        csv_of(bar_line(0), bar_line(2), bar_line(1)),
        "{file}: line 4: ts: 2025-05-13T00:01:00Z comes after 2025-05-13T00:02:00Z: rows must be in order",
    ),
    "duplicate": (
        with_line(bar_line(1)),
        "{file}: line 4: ts: 2025-05-13T00:01:00Z stands twice: keep one row",
    ),
    "mixed time units": (
        with_line(f"{(T0 + 120_000) // 1000},10,12,9,11,5"),
        "{file}: line 4: ts: 1747094520 is in s but the file began in ms; use one unit",
    ),
    "not a time": (
        with_line("42,10,12,9,11,5"),
        "{file}: line 4: ts: 42 is no time between 1990 and 2100 in s, ms, us or ns",
    ),
    "numbers, then text": (
        with_line("2025-05-13T00:02:00Z,10,12,9,11,5"),
        "{file}: line 4: ts: '2025-05-13T00:02:00Z' is no whole number; use one form of time",
    ),
    "time without a zone": (
        csv_of("2025-05-13 00:00:00,10,12,9,11,5", "2025-05-13 00:01:00,10,12,9,11,5"),
        "{file}: line 2: ts: '2025-05-13 00:00:00' has no time zone; write UTC as 2025-05-13T00:00:00Z",
    ),
    "impossible date": (
        csv_of("2025-05-13T00:00:00Z,10,12,9,11,5", "2025-02-30T00:01:00Z,10,12,9,11,5"),
        "{file}: line 3: ts: '2025-02-30T00:01:00Z' is no time such as 2025-05-13T00:00:00Z; "
        "use one form of time",
    ),
    "off the grid": (
        with_line(f"{T0 + 120_500},10,12,9,11,5"),
        "{file}: line 4: ts: 2025-05-13T00:02:00.500000Z is no opening time of a 1m bar",
    ),
    "unclosed quotation mark": (
        with_line(bar_line(2, '"10,12,9,11,5')),
        "{file}: line 4: a quotation mark is not closed",
    ),
}


@pytest.mark.parametrize("name", BAD_TEXT_FILES)
def test_a_bad_csv_is_refused_with_its_line_and_field(name: str, tmp_path: Path) -> None:
    payload, message = BAD_TEXT_FILES[name]
    file = tmp_path / "bars.csv"
    file.write_bytes(payload)
    report = check_file(file, "1m")
    assert not report.ok
    assert message.format(file=file) in report.errors


def good_frame(rows: int = 5) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "ts": [T0 + minute * 60_000 for minute in range(rows)],
            "open": [10.0] * rows,
            "high": [12.0] * rows,
            "low": [9.0] * rows,
            "close": [11.0] * rows,
            "volume": [5.0] * rows,
        }
    )


def test_a_parquet_file_that_was_cut_off_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "bars.parquet"
    good_frame().write_parquet(file)
    file.write_bytes(file.read_bytes()[:-40])
    assert check_file(file, "1m").errors == [
        f"{file}: is cut off (a Parquet file must end with its footer); copy it again"
    ]


def test_a_parquet_file_damaged_in_the_middle_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "bars.parquet"
    good_frame(5_000).with_columns(pl.col("open") + pl.int_range(pl.len()) / 1e4).write_parquet(file)
    payload = bytearray(file.read_bytes())
    payload[100:400] = b"\xff" * 300
    file.write_bytes(payload)
    report = check_file(file, "1m")
    assert not report.ok
    assert report.errors[0].startswith(f"{file}: ")


@pytest.mark.parametrize("form", ["parquet", "feather", "csv"])
def test_whatever_bytes_are_damaged_the_answer_is_a_report(form: str, tmp_path: Path) -> None:
    file = tmp_path / f"bars.{form}"
    frame = good_frame(500)
    if form == "csv":
        frame.write_csv(file)
    else:
        (frame.write_parquet if form == "parquet" else frame.write_ipc)(file)
    sound = file.read_bytes()
    chance = Random(5)
    for _ in range(60):
        damaged = bytearray(sound[: chance.choice([len(sound), chance.randrange(len(sound))])])
        for _ in range(chance.choice([1, 30])):
            if damaged:
                damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        file.write_bytes(damaged)
        report = check_file(file, "1m")
        assert report.ok != bool(report.errors)
        assert all(str(file) in line for line in report.errors)


def test_a_name_that_a_shell_would_expand_is_one_file(tmp_path: Path) -> None:
    file = tmp_path / "bars[1]*.parquet"
    good_frame(3).write_parquet(file)
    good_frame(5).write_parquet(tmp_path / "bars1.parquet")
    assert check_file(file, "1m").rows == 3


@pytest.mark.parametrize("name", ["bars.feather", "bars.arrow"])
def test_text_named_feather_is_refused(name: str, tmp_path: Path) -> None:
    file = tmp_path / name
    file.write_bytes(csv_of(*good_lines()))
    assert check_file(file, "1m").errors == [f"{file}: is not a Feather file (it begins with b'ts,ope')"]


def test_text_named_parquet_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "bars.parquet"
    file.write_bytes(csv_of(*good_lines()))
    assert check_file(file, "1m").errors == [f"{file}: is not a Parquet file (it begins with b'ts,o')"]


def test_a_folder_is_refused(tmp_path: Path) -> None:
    assert check_file(tmp_path, "1m").errors == [f"{tmp_path}: is a folder; name one file in it"]


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "none.csv"
    assert check_file(file, "1m").errors == [f"{file}: cannot be read: No such file or directory"]


def test_a_parquet_column_of_the_wrong_type_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "bars.parquet"
    good_frame().with_columns(pl.col("close") > 0).write_parquet(file)
    assert check_file(file, "1m").errors == [f"{file}: close: column 'close' holds Boolean, not numbers"]


def test_parquet_times_without_a_zone_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "bars.parquet"
    good_frame().with_columns(pl.from_epoch("ts", time_unit="ms")).write_parquet(file)
    assert check_file(file, "1m").errors == [
        f"{file}: ts: column 'ts' holds times without a time zone; write them as UTC"
    ]


def test_parquet_rows_are_named_as_rows(tmp_path: Path) -> None:
    file = tmp_path / "bars.parquet"
    good_frame().with_columns(
        pl.when(pl.col("ts") == T0 + 180_000).then(8.0).otherwise(12.0).alias("high")
    ).write_parquet(file)
    assert f"{file}: row 4: high: 8.0 is below low 9.0" in check_file(file, "1m").errors


def test_a_bad_row_far_into_a_long_file_is_named_by_its_line(tmp_path: Path) -> None:
    lines = good_lines(140_000)
    lines[139_990] = bar_line(139_990, "10,8,9,8.5,5")
    file = tmp_path / "bars.csv"
    file.write_bytes(csv_of(*lines))
    report = check_file(file, "1m")
    assert f"{file}: line 139992: high: 8.0 is below low 9.0" in report.errors
    assert report.rows == 140_000


def test_an_order_broken_between_two_pieces_of_a_file_is_found(tmp_path: Path) -> None:
    lines = good_lines(131_073)
    lines[131_072] = lines[131_071]
    file = tmp_path / "bars.csv"
    file.write_bytes(csv_of(*lines))
    assert [line.split(": ")[1] for line in check_file(file, "1m").errors] == ["line 131074"]


def test_thousands_of_bad_rows_are_counted_and_not_all_listed(tmp_path: Path) -> None:
    file = tmp_path / "bars.csv"
    file.write_bytes(csv_of(*(bar_line(minute, "10,12,9,x,5") for minute in range(1_000))))
    errors = check_file(file, "1m").errors
    assert len(errors) == 21
    assert errors[-1] == f"{file}: and 980 more of this kind"


def test_one_row_does_not_tell_its_timeframe(tmp_path: Path) -> None:
    file = tmp_path / "bars.csv"
    file.write_bytes(csv_of(bar_line(0)))
    assert check_file(file).errors == [
        f"{file}: ts: the timeframe cannot be told from one row; name it, for example 1m"
    ]


def test_a_crossed_quote_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "quotes.csv"
    file.write_bytes(csv_of(f"{T0},11,10,1,1", header="ts,bid,ask,bid_size,ask_size"))
    report = check_file(file, kind=SeriesKind.QUOTES)
    assert report.errors == [f"{file}: line 2: bid: 11.0 is above ask 10.0"]


def test_an_unknown_side_of_a_trade_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "trades.csv"
    file.write_bytes(csv_of(f"{T0},11,1,buy", f"{T0},11,1,up", header="ts,price,quantity,side"))
    report = check_file(file, kind=SeriesKind.TRADES)
    assert report.errors == [f"{file}: line 3: side: 'up' is neither buy nor sell"]
