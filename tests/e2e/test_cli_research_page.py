"""Every command on the page about backtesting runs as it stands there, and ends as the page says."""

import re
import shlex
import shutil
from pathlib import Path

import pytest

from neuratrade.feeds.catalogue import SHIPPED, Catalogue
from tests.e2e.desk_process import here

ENDS_WITH = {"promote": 1}
"""Exit codes other than 0 that the page announces."""
FIRST_MS = 1_747_094_400_000
"""2025-05-13T00:00Z, when the shipped data begins."""
IN_ONE_PROCESS = ("optimize", "walkforward")


def commands(page: Path) -> list[list[str]]:
    blocks = re.findall(r"^```\n(.*?)^```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    assert all(line.startswith("neuratrade ") for line in lines)
    return [shlex.split(line)[1:] for line in lines]


@pytest.mark.slow
def test_every_command_of_the_page_runs(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    series = Catalogue(home / "data").open(SHIPPED).series
    (file,) = (item.path for item in series if item.instrument.startswith("BTC"))
    shutil.copy(file, tmp_path / "BTCUSDT_1m.parquet")
    times = range(FIRST_MS, FIRST_MS + 21 * 86_400_000, 8 * 3_600_000)
    for name in ("btc.csv", "eth.csv"):
        rows = ["fundingTime,fundingRate", *(f"{at},0.0001" for at in times)]
        (tmp_path / name).write_text("\n".join(rows) + "\n")
    monkeypatch.chdir(tmp_path)
    typed = commands(repository / "docs" / "backtesting.md")
    assert {words[0] for words in typed} == {
        "data", "backtest", "backtests", "optimize", "walkforward", "promote",
    }  # fmt: skip
    for words in typed:
        jobs = ("--jobs", "1") if words[0] in IN_ONE_PROCESS else ()
        ended = here(home, *words, *jobs)
        assert ended.code == ENDS_WITH.get(words[0], 0), (words, ended.err)
        assert ended.out.strip(), words
    assert (tmp_path / "report.html").is_file()
    assert len((home / "research" / "versions" / "refused.jsonl").read_text().splitlines()) == 1


def test_the_page_names_every_cost_and_every_command_as_it_is(repository: Path, tmp_path: Path) -> None:
    page = (repository / "docs" / "backtesting.md").read_text("utf-8")
    offered = set()
    for command in (("backtest",), ("optimize",), ("walkforward",), ("promote",), ("data", "import")):
        told = here(tmp_path / "home", *command, "--help").out
        offered |= set(re.findall(r"--[a-z][a-z-]*", told))
    named = set(re.findall(r"--[a-z][a-z-]*", page))
    assert named <= offered
    costs = (
        "fees",
        "commission",
        "spread",
        "slippage",
        "impact",
        "participation",
        "latency",
        "funding",
        "borrow",
    )
    assert {f"--{name}" for name in costs} <= named
