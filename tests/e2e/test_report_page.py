"""The report in a real browser: its script runs, its own policy does not object, it draws what it says."""

import os
import re
from pathlib import Path

import pytest

from neuratrade.research.metrics import confidence, measure
from neuratrade.research.report import write_report
from neuratrade.research.result import BacktestResult
from tests.e2e.headless_chromium import find_chromium, open_page
from tests.unit.research.report.reported import instrument, refusal, result, trade, wandering

HOSTILE = "</script><img src=x onerror=\"document.title='broken into'\">"


@pytest.fixture(scope="module")
def chromium() -> str:
    """The browser; in CI it has to be there, elsewhere these tests are skipped without one."""
    program = find_chromium()
    if program is None:
        if os.environ.get("CI"):
            pytest.fail("chromium is not installed: .ci/setup installs it")
        pytest.skip("chromium is not installed: apt-get install chromium")
    return program


def written(run: BacktestResult, folder: Path) -> Path:
    path = folder / "report.html"
    write_report(run, measure(run), path, confidence=confidence(run))
    return path


def some_run() -> BacktestResult:
    bars, other = wandering(5_000), wandering(5_000, instrument("ETH/USDT"), seed=3)
    closed = [trade(bars, 100 + 90 * n, 40) for n in range(40)]
    closed += [trade(other, 100 + 400 * n, 300, "macd_rule", direction="SHORT") for n in range(10)]
    return result([bars, other], closed, [refusal(bars, 5)])


def attribute(dom: str, element: str, name: str) -> str:
    found = re.search(rf'<[^>]*id="{element}"[^>]*>', dom)
    assert found is not None, f"no {element} in the page"
    value = re.search(rf'\b{name}="([^"]*)"', found[0])
    return value[1] if value else ""


def words_of(dom: str, element: str) -> str:
    found = re.search(rf'<(\w+)[^>]*id="{element}"[^>]*>(.*?)</\1>', dom, re.DOTALL)
    assert found is not None, f"no {element} in the page"
    return found[2]


def test_the_script_runs_to_its_end_without_complaint(chromium: str, tmp_path: Path) -> None:
    seen = open_page(chromium, written(some_run(), tmp_path), tmp_path / "profile", "--window-size=1200,900")
    assert seen.complaints == []
    assert re.search(r'<html[^>]*data-ready="yes"', seen.dom)
    assert int(attribute(seen.dom, "prices", "width")) > 300, "the canvas of prices was never laid out"
    assert "candles of 2 minutes · 40 trades in view" in words_of(seen.dom, "price-about")
    assert len(re.findall("<option", words_of(seen.dom, "market"))) == 2
    filters = seen.dom[seen.dom.index('id="filters"') : seen.dom.index('id="trades"')]
    for name in ("Side", "Left by", "Strategy", "Instrument", "Result"):
        assert f"<label>{name} " in filters
    assert seen.dom.count('<button type="button">') >= 19, "headings do not sort"


def test_a_link_to_a_trade_shows_its_own_stretch(chromium: str, tmp_path: Path) -> None:
    page = written(some_run(), tmp_path)
    seen = open_page(chromium, page, tmp_path / "profile", "--window-size=1200,900", fragment="#trade-45")
    assert seen.complaints == []
    about = words_of(seen.dom, "price-about")
    assert "ETH/USDT" in about
    assert "trade 45: SHORT" in about
    assert len(re.findall(r'aria-current="true"', seen.dom)) == 1


def test_a_run_without_trades_and_a_narrow_screen_are_no_trouble(chromium: str, tmp_path: Path) -> None:
    page = written(result([wandering(600)]), tmp_path)
    seen = open_page(chromium, page, tmp_path / "profile", "--window-size=360,740")
    assert seen.complaints == []
    assert 'data-ready="yes"' in seen.dom
    assert "0 trades in view" in words_of(seen.dom, "price-about")


def test_hostile_names_are_read_and_never_run(chromium: str, tmp_path: Path) -> None:
    bars = wandering(600, instrument(HOSTILE, HOSTILE))
    closed = [trade(bars, 30, strategy=HOSTILE, reason=HOSTILE), trade(bars, 90, direction=HOSTILE)]
    page = written(result([bars], closed, [refusal(bars, 5, reasons=(HOSTILE,))], notes=(HOSTILE,)), tmp_path)
    seen = open_page(chromium, page, tmp_path / "profile", fragment="#trade-1")
    assert seen.complaints == []
    assert "<img" not in seen.dom
    assert "<title>broken into" not in seen.dom
    assert 'data-ready="yes"' in seen.dom


def test_a_script_that_is_not_the_pages_own_is_refused(chromium: str, tmp_path: Path) -> None:
    path = written(result([wandering(600)]), tmp_path)
    planted = path.read_text("utf-8").replace(
        "</main>", "<script>document.title = 'broken into'</script></main>"
    )
    path.write_text(planted, "utf-8")
    seen = open_page(chromium, path, tmp_path / "profile")
    assert any("Content Security Policy" in line for line in seen.complaints)
    assert "<title>broken into" not in seen.dom
