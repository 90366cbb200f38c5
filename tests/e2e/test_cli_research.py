"""Research from the command line, as a user does it: from the import of data to a promotion."""

import json
import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from neuratrade.research.trials import TrialLog
from tests.e2e.desk_process import Ended, copy_of, here
from tests.unit.app.dip_market import BEGIN_MS, CHALLENGE, CHAMPION, dip_market, end_of

KEYS = {
    "trades",
    "final_equity",
    "total_return",
    "sharpe",
    "max_drawdown",
    "profit_factor",
    "win_rate",
    "refused",
    "run_s",
}
DATA = ("--data", "dips", "--long-only")
SEARCH = ("--data", "dips", "--space", "buy_level_points=20|25|30,rsi_period_bars=7|14", "--jobs", "1")
BEST = ("--params", "stop_pct=0.008,target_pct=0.008,order_type=market")


@pytest.fixture(scope="session")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with the made-up market as dataset `dips`, and its first days as `week`. To be read only."""
    root = tmp_path_factory.mktemp("research")
    words = ("--asset", "BTC/USDT", "--venue", "binanceusdm", "--dataset", "dips", "--json")
    ended = here(root / "home", "data", "import", str(dip_market(root)), *words)
    assert (ended.code, ended.document["added"]) == (0, 75 * 96)
    week = ("--asset", "BTC/USDT", "--venue", "binanceusdm", "--dataset", "week", "--json")
    assert here(root / "home", "data", "import", str(dip_market(root / "few", days=7)), *week).code == 0
    return root / "home"


@pytest.fixture
def home(imported: Path, tmp_path: Path) -> Path:
    """A home of this test's own."""
    return copy_of(imported, tmp_path / "home")


def good(ended: Ended) -> Any:
    assert ended.code == 0, ended.err
    return ended.document


def test_a_backtest_gives_its_figures_and_is_kept_once_however_often_it_runs(home: Path) -> None:
    words = ("backtest", "rsi_rule", *DATA, "--params", CHALLENGE, "--json")
    one, two = good(here(home, *words)), good(here(home, *words))
    assert set(one) >= KEYS
    assert one["trades"] >= 30
    assert one["final_equity"] == pytest.approx(100_000 * (1 + one["total_return"]))
    assert one["departures"] == {}
    assert {name: one[name] for name in KEYS - {"run_s"}} == {name: two[name] for name in KEYS - {"run_s"}}
    (kept,) = good(here(home, "backtests", "--json"))
    assert (kept["strategies"], kept["data"], kept["metrics"]["trades"]) == (
        ["rsi_rule"],
        "dips",
        one["trades"],
    )
    good(here(home, "backtest", "rsi_rule", *DATA, "--json"))
    good(here(home, "backtest", "rsi_rule", *DATA, "--cash", "5000", "--no-keep", "--json"))
    assert len(good(here(home, "backtests", "--json"))) == 2
    listing = here(home, "backtests").out
    assert listing.count("rsi_rule") == 2
    assert kept["strategy_sha256"][:8] in listing


def test_bar_by_bar_gives_the_same_figures(home: Path) -> None:
    words = (
        "backtest",
        "rsi_rule",
        *DATA,
        "--params",
        CHALLENGE,
        "--to",
        "2025-02-01",
        "--no-keep",
        "--json",
    )
    fast, slow = good(here(home, *words)), good(here(home, *words, "--every-bar"))
    assert slow["bars_lived_through"] == slow["bars"] > fast["bars_lived_through"]
    assert {name: fast[name] for name in KEYS - {"run_s"}} == {name: slow[name] for name in KEYS - {"run_s"}}


def test_people_see_what_it_came_to_what_departs_and_what_the_gate_kept_out(home: Path) -> None:
    ended = here(
        home,
        "backtest",
        "rsi_rule",
        *DATA,
        "--limit",
        "lane_cooldown_ns=0",
        "--fees",
        "1/2",
        "--funding",
        "1",
    )
    assert ended.code == 0, ended.err
    for text in (
        "rsi_rule on BTC/USDT@binanceusdm",
        "departs from the defaults lane_cooldown_ns: 0 s (default 5 min)",
        "departs from the defaults carry: funding_fraction 0.0001 (default 0)",
        "what it came to",
        "Sharpe, 95 % interval",
        "what the gate kept out",
        "see `neuratrade backtests`",
    ):
        assert text in ended.out, text
    assert "note: BTC/USDT@binanceusdm: fees 1 bps maker, 2 bps taker as asked for" in ended.err
    assert "000000000" not in ended.out


def rates_file(folder: Path, days: int) -> Path:
    """Three basis points every eight hours over the first days of the made-up market."""
    file = folder / "rates.csv"
    times = range(BEGIN_MS, BEGIN_MS + days * 86_400_000, 8 * 3_600_000)
    file.write_text("\n".join(["fundingTime,fundingRate", *(f"{at},0.0003" for at in times)]) + "\n")
    return file


def test_recorded_funding_is_charged_told_and_part_of_what_was_run(home: Path, tmp_path: Path) -> None:
    file = rates_file(tmp_path, days=70)
    words = ("backtest", "rsi_rule", *DATA, "--params", CHALLENGE, "--json")
    free, charged = good(here(home, *words)), good(here(home, *words, "--funding", str(file)))
    slow = good(here(home, *words, "--funding", str(file), "--every-bar"))
    assert (float(free["carry"]), free["notes"]) == (0, [])
    assert float(charged["carry"]) < 0
    assert float(charged["final_equity"]) < float(free["final_equity"])
    assert (slow["carry"], slow["final_equity"]) == (charged["carry"], charged["final_equity"])
    assert charged["departures"]["carry"].startswith(
        "recorded BTC/USDT@binanceusdm: 210 rates of rates.csv (SHA"
    )
    (note,) = charged["notes"]
    assert note.startswith(
        "BTC/USDT@binanceusdm: rates.csv has no funding rate in one stretch of this run, 1"
    )
    assert len(good(here(home, "backtests", "--json"))) == 2
    page = tmp_path / "report.html"
    shown = here(home, *words[:-1], "--funding", str(file), "--html", str(page))
    assert shown.err.count("has no funding rate") == 1
    assert page.read_text("utf-8").count("has no funding rate") == 1
    search = (*SEARCH, *BEST, "--trials", "2", "--min-trades", "1", "--funding", str(file), "--json")
    plain = (*SEARCH, *BEST, "--trials", "2", "--min-trades", "1", "--json")
    found, other = (good(here(home, "optimize", "rsi_rule", *each)) for each in (search, plain))
    assert found["study"] != other["study"]
    assert "has no funding rate" in " ".join(found["notes"])
    walk = ("--train-days", "20", "--test-days", "20")
    walked = good(here(home, "walkforward", "rsi_rule", *search, *walk))
    assert "carry" in walked["departures"]


def test_spot_is_sold_short_where_it_is_lent(home: Path, tmp_path: Path) -> None:
    market = ("--data", str(dip_market(tmp_path)), "--asset", "SOL/USDT", "--venue", "binance")
    loose = ("--limit", "confidence=0", "--limit", "stop_max_atr=99", "--limit", "kill_losses=999")
    words = ("backtest", "rsi_rule", *market, *loose, "--params", CHALLENGE, "--json")
    alone, lent = good(here(home, *words)), good(here(home, *words, "--borrow", "7"))
    assert any("lends nothing" in note for note in alone["notes"])
    assert not any("lends nothing" in note for note in lent["notes"])
    assert lent["departures"]["costs"] == "lends True (default False)"
    assert lent["trades"] > alone["trades"]


def test_the_report_is_one_file_that_needs_no_other(home: Path, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    ended = here(home, "backtest", "rsi_rule", *DATA, "--params", CHALLENGE, "--html", str(page))
    assert ended.code == 0, ended.err
    assert f"report: {page}" in ended.out.replace("\n", "")
    text = page.read_text("utf-8")
    assert "<svg" in text
    assert "strategy" in text.lower()
    assert re.findall(r"""(?:src|href|action)\s*=\s*["'](?!#|data:)[^"']*""", text) == []
    assert re.findall(r"""@import|url\((?!["']?(?:data:|#))""", text) == []
    assert "fetch(" not in text


def test_an_audit_of_a_shipped_strategy_is_clean_and_tells_true_warm_ups(home: Path) -> None:
    found = good(here(home, "backtest", "rsi_rule", *DATA, "--audit", "--json"))
    assert (found["clean"], found["audit"]["look_ahead"]) == (True, [])
    assert {item["name"] for item in found["audit"]["warm_up"]} == {"atr(14)", "rsi(14)"}
    text = here(home, "backtest", "rsi_rule", *DATA, "--audit").out
    assert "look-ahead: clean" in text
    assert not (home / "backtests").exists()


def test_a_search_that_is_asked_again_takes_up_what_is_there(home: Path) -> None:
    words = ("optimize", "rsi_rule", *SEARCH, *BEST, "--trials", "6", "--min-trades", "5", "--json")
    first, again = good(here(home, *words)), good(here(home, *words))
    assert (first["ran"], again["ran"], first["interrupted"]) == (6, 0, False)
    assert (first["trials"], again["trials"]) == (6, 6)
    assert first["best"] == again["best"]
    assert first["best"]["values"].keys() == {"buy_level_points", "rsi_period_bars"}
    shown = here(home, *words[:-1])
    for text in (
        "0 trials run now, 6 from before",
        "best of 6 trials",
        "not yet a strategy",
        "the best again:",
    ):
        assert text in shown.out, text
    assert not shown.out.startswith("\n")


def test_the_command_that_a_search_names_gives_the_figures_of_its_best(home: Path) -> None:
    words = ("optimize", "rsi_rule", *SEARCH, *BEST, "--trials", "6", "--min-trades", "1")
    best = good(here(home, *words, "--json"))["best"]
    shown = here(home, *words).out
    line = next(line for line in shown.splitlines() if line.startswith("the best again: "))
    assert "with the other options" not in shown
    assert "with the other options that were given here" in here(home, *words, "--cash", "99000").out
    typed = line.removeprefix("the best again: neuratrade ").split()
    assert good(here(home, *typed, "--json"))["sharpe"] == pytest.approx(best["value"])


def test_a_walk_forward_tells_every_window_and_what_the_tests_joined_came_to(
    home: Path, tmp_path: Path
) -> None:
    page = tmp_path / "walk.html"
    windows = ("--train-days", "20", "--test-days", "20", "--trials", "3", "--min-trades", "1")
    words = ("walkforward", "rsi_rule", *SEARCH, *BEST, *windows)
    found = good(here(home, *words, "--html", str(page), "--json"))
    assert [item["trials"] for item in found["windows"]] == [3, 3]
    assert found["scores"]["trades"] == sum(item["out_of_sample"]["trades"] for item in found["windows"])
    assert {item["name"] for item in found["stability"]} == {"buy_level_points", "rsi_period_bars"}
    assert (found["interrupted"], found["departures"]) == (False, {})
    assert "walk-forward, out of sample" in page.read_text("utf-8")
    shown = here(home, *words)
    assert shown.code == 0, shown.err
    for text in ("all tests joined: out of sample", "max drawdown", "%", "how far the choices moved"):
        assert text in shown.out, text


def promoted(home: Path, *more: str) -> Ended:
    champion = home.parent / "champion.yaml"
    champion.write_text(CHAMPION)
    words = ("promote", "rsi_rule", "--data", "dips", "--champion", str(champion), "--who", "anna")
    return here(home, *words, "--as-of", end_of(), *more)


def test_a_challenger_that_earns_it_is_a_version_that_the_desk_runs(home: Path) -> None:
    found = good(promoted(home, "--params", CHALLENGE, "--json"))
    assert (found["passed"], found["grants"], found["departures"]) == (True, "paper", [])
    version = Path(found["version"])
    assert version.parent.name == "v000004"
    assert (version.parent / "provenance.json").is_file()
    ran = good(here(home, "run", "--speed", "max", "--data", "week", "--dna", str(version), "--json"))
    assert ran["intents"] > 0
    assert "promotion: passed" in promoted(home, "--params", CHALLENGE).out


def test_one_that_does_not_exits_1_and_leaves_its_reasons(home: Path) -> None:
    refused = promoted(home, "--params", "buy_level_points=3", "--json")
    assert (refused.code, refused.document["passed"], refused.document["version"]) == (1, False, None)
    failed = {check["name"] for check in refused.document["checks"] if not check["passed"]}
    assert "beats_champion" in failed
    (line,) = (home / "research" / "versions" / "refused.jsonl").read_text().splitlines()
    kept = json.loads(line)
    assert kept["who"] == "anna"
    assert {check["name"] for check in kept["decision"]["checks"] if not check["passed"]} == failed
    shown = promoted(home, "--params", "buy_level_points=3", "--limit", "order_usd=30000")
    assert (shown.code, "promotion: refused" in shown.out) == (1, True)
    assert "departs from the defaults order_usd 30000 (default 25000)" in shown.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("backtest", "rsi_rul", "--data", "dips"), "did you mean 'rsi_rule'?"),
        (("backtest", "rsi_rule"), "Missing option '--data'"),
        (("backtest", "rsi_rule", "--data", "dip"), "did you mean 'dips'?"),
        (("backtest", "rsi_rule", "--data", "dips", "--from", "2026-01-01"), "the data ends at 2025-03-17"),
        (("backtest", "rsi_rule", "--data", "dips", "--latency", "-1"), "greater than or equal to 0"),
        (("backtest", "rsi_rule", "--data", "dips", "--params", "timeframe_minutes=20"), "cannot be made of"),
        (
            ("backtest", "rsi_rule", "--data", "dips", "--html", "/"),
            "is a folder; name a file for the report",
        ),
        (
            ("backtest", "rsi_rule", "--data", "dips", "--audit", "--html", "x"),
            "leave --html out, or --audit",
        ),
        (
            ("optimize", "rsi_rule", "--data", "dips", "--space", "buy_level=1:2"),
            "did you mean buy_level_points?",
        ),
        (
            ("optimize", "rsi_rule", "--data", "dips", "--space", "buy_level_points=9:2"),
            "ends below its start",
        ),
        (("optimize", "rsi_rule", "--data", "dips", "--objective", "sharp"), "did you mean sharpe?"),
        (("optimize", "rsi_rule", "--data", "dips", "--constraint", "x < 1"), "write max_drawdown <= 0.1"),
        (("optimize", "rsi_rule", "--data", "dips", "--storage", "no://x"), "cannot be used"),
        (("optimize", "x.yaml", "--data", "dips"), "x.yaml: does not exist"),
        (("walkforward", "rsi_rule", "--data", "dips", "--train-days", "90"), "one window needs 100 days"),
        (("walkforward", "rsi_rule", "--data", "dips", "--embargo-bars", "9999"), "leave out"),
        (("walkforward", "rsi_rule", "--data", "dips", "--html", "/"), "is a folder; name a file"),
        (("promote", "rsi_rule", "--data", "dips"), "a challenger differs in something"),
        (
            ("promote", "rsi_rule", "--data", "dips", "--params", "stop_pct=2"),
            "stop_pct: found 2; allowed is",
        ),
        (("backtests", "--jsom"), "No such option"),
    ],
)
def test_what_makes_no_sense_ends_with_2_says_what_to_change_and_keeps_nothing(
    words: tuple[str, ...], said: str, home: Path
) -> None:
    ended = here(home, *words, "--json")
    assert (ended.code, ended.document["ok"]) == (2, False)
    assert said in ended.err, ended.err
    assert not (home / "backtests").exists()
    log = home / "research" / "trials.sqlite"
    assert not log.exists() or TrialLog(log).tried(0, 2**62).proposals == 0


def test_no_backtest_yet_and_a_broken_one_are_told(home: Path) -> None:
    assert "no backtest was kept yet" in here(home, "backtests").out
    (home / "backtests").mkdir()
    (home / "backtests" / "broken.json").write_text("{")
    ended = here(home, "backtests", "--json")
    assert (ended.code, ended.document) == (0, [])
    assert "broken.json: " in ended.err
    assert "remove it or run the backtest again" in ended.err


@pytest.mark.shared
@pytest.mark.slow
def test_the_whole_way_on_weeks_of_a_real_market(shared_data: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    file = tmp_path / "binanceusdm_BTCUSDT_1m.parquet"
    pl.read_parquet(shared_data / "ohlcv" / "binanceusdm_BTCUSDT_1m.parquet").tail(32 * 1440).write_parquet(
        file
    )
    words = ("--asset", "BTC/USDT", "--venue", "binanceusdm", "--dataset", "real", "--json")
    assert good(here(home, "data", "import", str(file), *words))["added"] == 32 * 1440
    lifted = ("--data", "real", "--limit", "kill_losses=10000", "--limit", "session_losses=10000")
    page = tmp_path / "report.html"
    ran = good(here(home, "backtest", "rsi_rule", *lifted, "--html", str(page), "--json"))
    assert set(ran) >= KEYS
    assert ran["trades"] > 0
    assert page.stat().st_size > 10_000
    assert good(here(home, "backtest", "rsi_rule", *lifted, "--audit", "--json"))["clean"]
    search = ("rsi_rule", *lifted, "--space", "buy_level_points=25:35:5", "--min-trades", "1", "--json")
    assert good(here(home, "optimize", *search, "--trials", "6"))["trials"] == 3
    walked = good(
        here(home, "walkforward", *search, "--trials", "2", "--train-days", "12", "--test-days", "10")
    )
    assert len(walked["windows"]) == 2
    refused = here(home, "promote", "rsi_rule", *lifted, "--params", "buy_level_points=25", "--json")
    assert (refused.code, refused.document["passed"]) == (1, False)
    assert {"fresh", "window"} <= {c["name"] for c in refused.document["checks"] if not c["passed"]}
