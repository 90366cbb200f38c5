"""Recorded funding: what exchanges export is understood, what cannot be charged is refused by its row."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
from msgspec.structs import replace

from neuratrade.core.model.instrument import Instrument, InstrumentKind
from neuratrade.core.model.market import NS_PER_HOUR, NS_PER_MS, NS_PER_SECOND
from neuratrade.feeds.table import BadFile
from neuratrade.research.funding import RecordedFunding, funding_notes, read_funding
from tests.unit.research.small_desk import BTC

D = Decimal
T0 = 1_747_094_400 * NS_PER_SECOND
"""2025-05-13T00:00Z."""
EIGHT = 8 * NS_PER_HOUR
RATES = ("0.0001", "-0.00005", "0.0003")
TIMES = tuple(T0 + place * EIGHT for place in range(3))


def csv(folder: Path, *lines: str) -> Path:
    file = folder / "rates.csv"
    file.write_text("\n".join(lines) + "\n")
    return file


def recorded(*hours: float, key: str = BTC.key, rate: str = "0.0001") -> RecordedFunding:
    times = tuple(T0 + int(hour * NS_PER_HOUR) for hour in hours)
    return RecordedFunding(key, "rates.csv", times, (D(rate),) * len(times))


@pytest.mark.parametrize(
    ("header", "unit"),
    [
        ("ts,funding_rate", NS_PER_MS),
        ("fundingTime,fundingRate", NS_PER_MS),
        ("calc_time,last_funding_rate", NS_PER_MS),
        ("fundingRateTimestamp,fundingRate", NS_PER_MS),
        ("timestamp,rate", 1_000),
        ("Time,Funding Rate", 1),
        ("time,funding", NS_PER_SECOND),
    ],
)
def test_the_names_and_units_that_exchanges_use_are_understood(
    tmp_path: Path, header: str, unit: int
) -> None:
    rows = [f"{at // unit},{rate}" for at, rate in zip(TIMES, RATES, strict=True)]
    found = read_funding(csv(tmp_path, header, *rows), BTC.key)
    assert found == RecordedFunding(BTC.key, "rates.csv", TIMES, tuple(map(D, RATES)))


def test_iso_times_parquet_and_further_columns_say_the_same(tmp_path: Path) -> None:
    times = [datetime.fromtimestamp(at // NS_PER_SECOND, UTC) for at in TIMES]
    written = csv(
        tmp_path,
        "symbol,fundingTime,fundingRate,markPrice",
        *(f"BTCUSDT,{at.isoformat()},{rate},1" for at, rate in zip(times, RATES, strict=True)),
    )
    parquet = tmp_path / "rates.parquet"
    pl.DataFrame({"ts": times, "funding_rate": [float(rate) for rate in RATES]}).write_parquet(parquet)
    one, other = read_funding(written, BTC.key), read_funding(parquet, BTC.key)
    assert one.at_ns == other.at_ns == TIMES
    assert one.fractions == other.fractions == tuple(map(D, RATES))
    assert one.sha256 == other.sha256 != recorded(0, 8, 16).sha256
    assert other.told == f"{BTC.key}: 3 rates of rates.parquet (SHA-256 {one.sha256[:12]})"


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (("ts,funding_rate",), "rates.csv: holds no rows"),
        (("ts,price", "1747094400000,1"), "funding_rate: no such column; the file has ts, price"),
        (
            ("when,funding_rate", "1747094400000,1"),
            "ts: no such column; the file has when, funding_rate",
        ),
        (
            ("ts,fundingRate,realizedRate", "1747094400000,0.1,0.1"),
            "funding_rate: columns fundingRate, realizedRate all mean funding_rate; keep one",
        ),
        (
            ("fundingTime,time,rate", "1747094400000,1747094400000,0"),
            "fundingTime, time all mean ts; keep one",
        ),
        (
            ("ts,funding_rate", "2025-05-13T00:00:00,0.0001"),
            "line 2: ts: '2025-05-13T00:00:00' has no time zone",
        ),
        (
            ("ts,funding_rate", "1747094400000,0.01%"),
            "line 2: funding_rate: '0.01%' is no number; write fract",
        ),
        (("ts,funding_rate", "1747094400000,nan"), "line 2: funding_rate: nan is not a finite number; write"),
        (
            ("ts,funding_rate", "1747094400000,-inf"),
            "line 2: funding_rate: -inf is not a finite number; write",
        ),
        (
            ("ts,funding_rate", "1747094400000,0.1", "1747123200000,"),
            "line 3: funding_rate: is missing; write 0 where nothing was charged",
        ),
        (
            ("ts,funding_rate", "1747094400000,1.5"),
            "line 2: funding_rate: 1.5 is beyond 100 % of the position; write fractions",
        ),
        (
            ("ts,funding_rate", "1747094400000,-1.01"),
            "line 2: funding_rate: -1.01 is beyond 100 % of the position",
        ),
        (
            ("ts,funding_rate", "1747123200000,0.1", "1747094400000,0.1"),
            "line 3: ts: 2025-05-13T00:00:00Z comes after 2025-05-13T08:00:00Z: sort the rows by time",
        ),
        (
            ("ts,funding_rate", "1747094400000,0.1", "1747094400000,0.1"),
            "line 3: ts: 2025-05-13T00:00:00Z stands twice: keep one row",
        ),
        (
            ("ts,funding_rate", "1747094400000,0.1", "1747123200,0.1"),
            "line 3: ts: 1747123200 is in s but the file began in ms; use one unit",
        ),
        (
            ("ts,funding_rate", "soon,0.1"),
            "line 2: ts: 'soon' is no time such as 2025-05-13T00:00:00Z",
        ),
        (
            ("ts,coin,funding_rate", "1747094400000,BTC,0.1", "1747094400000,ETH,0.1"),
            "coin: holds rates of BTC, ETH; keep the rows of one market",
        ),
        (("ts;funding_rate", "1747094400000;0.1"), "line 1: columns are separated by semicolons"),
        (("1747094400000,0.1", "1747123200000,0.1"), "line 1: holds numbers, not column names"),
        (("ts,funding_rate", "1747094400000,0.1,7"), "line 2: has 3 cells where the header names 2 columns"),
    ],
)
def test_what_cannot_be_charged_is_refused_by_file_row_and_remedy(
    tmp_path: Path, lines: tuple[str, ...], said: str
) -> None:
    with pytest.raises(BadFile) as refused:
        read_funding(csv(tmp_path, *lines), BTC.key)
    assert said in str(refused.value)
    assert str(tmp_path / "rates.csv") in str(refused.value)


def test_files_that_are_none_are_refused(tmp_path: Path) -> None:
    empty, cut = tmp_path / "empty.csv", tmp_path / "cut.parquet"
    empty.write_bytes(b"")
    cut.write_bytes(b"PAR1\x00\x00\x00\x00broken")
    naive, words = tmp_path / "naive.parquet", tmp_path / "words.parquet"
    pl.DataFrame({"ts": [datetime(2025, 5, 13)], "rate": [0.1]}).write_parquet(naive)  # noqa: DTZ001
    pl.DataFrame({"ts": [TIMES[0]], "rate": [True]}).write_parquet(words)
    for file, said in (
        (tmp_path, "is a folder; name one file in it"),
        (tmp_path / "none.csv", "cannot be read: No such file"),
        (empty, "is empty"),
        (cut, "is cut off"),
        (naive, "ts: column 'ts' holds times without a time zone"),
        (words, "funding_rate: column 'rate' holds Boolean, not numbers; write fractions"),
    ):
        with pytest.raises(BadFile, match=said):
            read_funding(file, BTC.key)


def test_many_bad_rows_are_listed_shortly_and_counted(tmp_path: Path) -> None:
    rows = [f"{at // NS_PER_MS},7" for at in range(T0, T0 + 30 * EIGHT, EIGHT)]
    with pytest.raises(BadFile) as refused:
        read_funding(csv(tmp_path, "ts,rate", *rows), BTC.key)
    lines = str(refused.value).split("\n")
    assert len(lines) == 11
    assert lines[-1].endswith("and 20 more of this kind")


def notes(item: RecordedFunding, first: float, last: float, *others: Instrument) -> list[str]:
    bounds = (T0 + int(hour * NS_PER_HOUR) for hour in (first, last))
    return list(funding_notes((item,), others, *bounds))


def test_a_run_that_its_rates_cover_has_nothing_to_say() -> None:
    assert notes(recorded(0, 8, 16, 24), 0.5, 31.9) == []
    late = replace(recorded(0, 8, 16), at_ns=tuple(at + 9 * NS_PER_MS for at in TIMES))
    assert late.usual_ns == EIGHT
    assert notes(late, 0, 24) == []


def test_what_is_missing_outside_of_the_run_is_not_its_concern() -> None:
    assert notes(recorded(0, 8, 48, 56, 64, 120), 49, 70) == []


def test_rates_that_come_unevenly_late_are_still_eight_hours_apart() -> None:
    late = [0, 7, 3, 11, 2, 19, 5]
    times = [place * EIGHT + ms * NS_PER_MS for place, ms in enumerate(late)]
    extra = (6 * EIGHT + 4 * NS_PER_HOUR,)
    item = RecordedFunding(BTC.key, "x", tuple(T0 + at for at in (*times, *extra)), (D(0),) * 8)
    assert item.usual_ns == EIGHT


@pytest.mark.parametrize(
    ("hours", "run", "said"),
    [
        ((8, 16, 24), (-9, 30), "one stretch of this run, 17.0 h in all; no funding is charged there. The "
         "first: 2025-05-12T15:00:00Z to 2025-05-13T08:00:00Z"),
        ((0, 8, 16), (1, 30), "one stretch of this run, 14.0 h in all"),
        ((0, 8, 16, 32, 40), (1, 47), "one stretch of this run, 16.0 h in all"),
        ((0, 8, 16, 32, 40), (1, 70), "2 stretches of this run, 46.0 h in all"),
        ((0, 1, 2, 3, 5), (0, 5.5), "one stretch of this run, 2.0 h in all"),
        ((0,), (-1, 9), "one stretch of this run, 9.0 h in all"),
    ],
)  # fmt: skip
def test_a_stretch_without_a_rate_is_said_and_never_free_in_silence(
    hours: tuple[int, ...], run: tuple[float, float], said: str
) -> None:
    (note,) = notes(recorded(*hours), *run)
    assert note.startswith(f"{BTC.key}: rates.csv has no funding rate in ")
    assert said in note


def test_perpetuals_without_rates_and_rates_that_look_like_percent_are_said() -> None:
    eth = replace(BTC, asset="ETH/USDT")
    future = replace(BTC, asset="X/USDT", kind=InstrumentKind.FUTURE)
    (note,) = notes(recorded(0, 8, 16), 0, 20, eth, future)
    assert note == f"{eth.key}: no funding is charged, since no rate was given; give a file of each"
    (note,) = notes(recorded(0, 8, 16, rate="0.01"), 0, 20)
    assert "usually beyond 0.5" in note
    assert note.endswith("if they are in percent, divide them by 100")


@pytest.mark.shared
def test_the_rates_binance_charged_are_read_as_they_are(shared_data: Path) -> None:
    found = read_funding(shared_data / "derivs/binanceusdm_BTCUSDT_funding_8h.parquet", BTC.key)
    assert (len(found.at_ns), found.usual_ns) == (329, EIGHT)
    assert max(map(abs, found.fractions)) < D("0.001")
    assert {at % EIGHT for at in found.at_ns} == {0}
    with pytest.raises(BadFile, match="venue: holds rates of binance, bybit"):
        read_funding(shared_data / "derivs/multi_funding_rates.parquet", BTC.key)
