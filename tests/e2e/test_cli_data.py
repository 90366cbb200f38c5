"""`data check`, `data import`, `data list`: good files go in whole, bad ones are named row by row."""

from pathlib import Path

from tests.e2e.desk_process import here

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
    assert listed == {"shipped", "mine"}
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
