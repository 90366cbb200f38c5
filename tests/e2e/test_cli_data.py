"""`data check`, `data import`, `data list`: good files go in whole, bad ones are named row by row."""

import json
import signal
import subprocess
from pathlib import Path

import pytest

from tests.e2e.desk_process import HEARING, PATIENCE_S, environment, here, neuratrade
from tests.loopback.exchange import PAGE, loopback_exchange

HEAD = "ts,open,high,low,close,volume"


def minutes(count: int) -> list[str]:
    return [f"{1747094400000 + number * 60_000},100,101,99,100.5,{number + 1}" for number in range(count)]


def written(folder: Path, *lines: str) -> str:
    file = folder / "bars.csv"
    file.write_text("\n".join((HEAD, *lines)) + "\n")
    return str(file)


def test_a_good_file_is_checked_imported_once_and_listed(tmp_path: Path) -> None:
    home = tmp_path / "home"
    file = written(tmp_path, *minutes(30))
    checked = here(home, "data", "check", file, "--json").document
    assert (checked["ok"], checked["rows"], checked["timeframe"]) == (True, 30, "1m")
    words = ("data", "import", file, "--asset", "SOL/USDT", "--venue", "binance", "--dataset", "mine")
    assert here(home, *words, "--json").document["added"] == 30
    assert here(home, *words, "--json").document["added"] == 0
    listed = {item["name"] for item in here(home, "data", "list", "--json").document}
    assert listed == {"shipped", "futures", "mine"}
    assert "SOL/USDT@binance" in here(home, "data", "list").out


def test_a_bad_file_is_refused_whole_and_every_bad_row_is_named(tmp_path: Path) -> None:
    home = tmp_path / "home"
    rows = minutes(30)
    rows[4] = rows[4].replace(",101,99,", ",98,99,")
    rows[9] = rows[9].replace("100.5", "nan")
    rows[14] = rows[13]
    file = written(tmp_path, *rows)
    checked = here(home, "data", "check", file, "--json")
    assert (checked.code, checked.document["ok"]) == (1, False)
    text = " ".join(checked.document["errors"])
    for place in ("line 6: high", "line 11: close", "line 16: ts"):
        assert place in text, text
    for_people = here(home, "data", "check", file)
    assert (for_people.code, for_people.err.count("error: ") >= 3) == (1, True)
    refused = here(home, "data", "import", file, "--asset", "SOL/USDT", "--venue", "binance", "--json")
    assert (refused.code, refused.document["added"]) == (1, 0)
    assert not (home / "data").exists()


def test_what_is_no_data_file_is_told_apart(tmp_path: Path) -> None:
    home = tmp_path / "home"
    empty = tmp_path / "empty.parquet"
    empty.touch()
    for file, said in ((tmp_path / "absent.csv", "No such file"), (tmp_path, "folder"), (empty, "empty")):
        ended = here(home, "data", "check", str(file), "--json")
        assert (ended.code, ended.document["ok"]) == (1, False)
        assert said in ended.document["errors"][0], ended.document


def test_ticks_are_checked_imported_and_listed_by_their_kind(tmp_path: Path) -> None:
    home = tmp_path / "home"
    file = tmp_path / "tape.csv"
    file.write_text("ts,price,quantity,side\n1747094400000,10.5,1,buy\n1747094400000,10.5,1,buy\n")
    assert here(home, "data", "check", str(file), "--kind", "trades", "--json").document["rows"] == 2
    words = ("data", "import", str(file), "--asset", "SOL/USDT", "--venue", "binance", "--kind", "trades")
    assert here(home, *words, "--json").document["added"] == 2
    listed = here(home, "data", "list", "--json").document
    series = next(item["description"]["series"] for item in listed if item["name"] == "imported")
    assert [(item["kind"], item["rows"]) for item in series] == [("trades", 2)]
    wrong = here(home, *words[:-1], "candles")
    assert (wrong.code, wrong.err) == (2, "error: kind 'candles': write bars, trades or quotes\n")


def download(url: str, *more: str) -> tuple[str, ...]:
    words = ("data", "download", "binance", "BTC/USDT", "--from", "2025-03-01", "--to", "2025-03-04")
    return (*words, "--url", url, *more)


def test_a_download_is_imported_listed_and_said(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with loopback_exchange() as venue:
        for_people = here(home, *download(venue.url))
        assert (for_people.code, for_people.err) == (0, "")
        assert "BTC/USDT@binance: 4320 new 1m bars, 4320 in dataset imported" in for_people.out
        again = here(home, *download(venue.url, "--json"))
    assert (again.document["added"], again.document["rows"], again.err) == (0, 4_320, "")
    listed = here(home, "data", "list", "--json").document
    assert {item["name"] for item in listed} == {"shipped", "futures", "imported"}


def test_an_interrupted_download_says_what_is_kept_and_how_to_go_on(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with loopback_exchange() as venue:
        started: list[subprocess.Popen[bytes]] = []
        venue.after = lambda pages: started[0].send_signal(signal.SIGINT) if pages == 3 else None
        started.append(
            subprocess.Popen(
                [*HEARING, *download(venue.url, "--json")],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=environment(home),
            )
        )
        out, err = started[0].communicate(timeout=PATIENCE_S)
        document = json.loads(out)
        assert (started[0].returncode, document["ok"]) == (130, False)
        assert document["error"].startswith("interrupted: everything before 2025-03-02T")
        assert document["error"].endswith(" is kept; run the same command again to go on")
        assert err.decode() == f"error: {document['error']}\n"
        kept = len(venue.asked)
        venue.after = lambda pages: None
        assert neuratrade(home, *download(venue.url, "--json")).document["rows"] == 4_320
        first = 1_740_787_200_000
        assert venue.asked[kept][0] >= first + 2 * PAGE * 60_000


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("binanse", "BTC/USDT", "--from", "2025-03-01"), 2, "did you mean 'binance'?"),
        (("binance", "BTC/USDT", "--from", "march"), 2, "'march' is no time; write 2025-03-01 or 2025-"),
        (("binance", "BTC/USDT", "--from", "2025-03-01T00:00"), 2, "has no time zone; write UTC as"),
        (("binance", "BTC/USDT", "--from", "1066-10-14"), 2, "lies outside of 1990 to 2100"),
        (("binance", "BTC/USDT", "--from", "2025-02-30"), 2, "'2025-02-30' is no time"),
        (("binance", "BTC/USDT", "--from", "2025-03-01", "--url", "nowhere"), 2, "write it as https://host"),
        (("binance", "BTC/USDT", "--from", "2025-03-01", "--timeframe", "x"), 2, "timeframe 'x': write"),
        (("binance", "BTC/USDT"), 2, "Missing option '--from'"),
    ],
)
def test_a_download_that_makes_no_sense_is_told_what_to_change(
    words: tuple[str, ...], code: int, said: str, tmp_path: Path
) -> None:
    ended = here(tmp_path / "home", "data", "download", *words)
    assert (ended.code, said in ended.err) == (code, True), ended.err
    assert not (tmp_path / "home" / "data").exists()
