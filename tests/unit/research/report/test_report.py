"""The page: whole, self-contained, closed to whatever was typed, there for any run that ended."""

import base64
import hashlib
import json
import os
import re
from dataclasses import replace
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from neuratrade.core.model.errors import UsageError
from neuratrade.core.risk.limits import DEFAULTS
from neuratrade.research.metrics import confidence, measure
from neuratrade.research.refused import LayerWorth
from neuratrade.research.report import render_report, write_report
from neuratrade.research.result import BacktestResult, Equity
from tests.unit.research.report.reported import instrument, plan, refusal, result, trade, wandering

HOSTILE = "</script></style><img src=x onerror=\"alert('1')\">&{}\u2028\N{ROCKET}"
BARS = wandering(4_000)
OPEN_ENDED = {"td", "tr", "th", "p", "li", "thead", "tbody", "tfoot", "option"}
"""Elements whose end HTML lets be left out."""
VOID = {"meta", "link", "br", "path"}


class Page(HTMLParser):
    """What a browser's parser finds: elements, their attributes and their text, and that they nest."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.scripts: list[str] = []
        self.open: list[str] = []
        self.feed(page)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "script":
            self.scripts.append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        while self.open and self.open[-1] != tag and self.open[-1] in OPEN_ENDED:
            self.open.pop()
        assert self.open, f"</{tag}> ends nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            self.scripts[-1] += data
        else:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def data(self) -> dict[str, Any]:
        loaded = json.loads(self.scripts[0])
        assert isinstance(loaded, dict)
        return loaded


def rendered(run: BacktestResult, **extra: Any) -> str:
    return render_report(run, measure(run), **extra)


def full(count: int = 60) -> BacktestResult:
    closed = [trade(BARS, 50 + 60 * n, 30) for n in range(count)]
    return result([BARS], closed, [refusal(BARS, 7), refusal(BARS, 9)])


def hostile() -> BacktestResult:
    bars = wandering(600, instrument(HOSTILE, HOSTILE))
    closed = [trade(bars, 20, strategy=HOSTILE), trade(bars, 90, direction=HOSTILE, reason=HOSTILE)]
    words = {"strategy": HOSTILE, "direction": HOSTILE, "refused_by": (HOSTILE,), "reasons": (HOSTILE,)}
    made = plan(bars.instrument, strategy=HOSTILE)
    account = msgspec.structs.replace(made.account, currency=HOSTILE)
    return result(
        [bars],
        closed,
        [refusal(bars, 5, outcome_reason=HOSTILE, **words)],
        plan=msgspec.structs.replace(made, account=account),
        halted=HOSTILE,
        notes=(HOSTILE,),
    )


def test_the_page_names_what_was_tried_what_came_of_it_and_under_which_limits() -> None:
    lifted = msgspec.structs.replace(
        DEFAULTS, kill_losses=1000, lane_cooldown_ns=60 * 10**9, leverage=Decimal(9)
    )
    run = full()
    run = replace(run, plan=plan(BARS.instrument, limits=lifted))
    layer = LayerWorth("regime", 12, 5, 4, -0.02, -0.005, 0.25)
    page = Page(
        rendered(run, confidence=confidence(run), layers=[layer], deflated=0.4, trials=77, notes=["Said."])
    )
    for said in (
        "rsi_rule",
        "BTC/USDT@binanceusdm",
        "60 trades, 2 proposals refused",
        "kill_losses 1000 (default 5)",
        "lane_cooldown_ns 1 min (default 5 min)",
        "Hard ceilings among them: leverage.",
        "regime 12 5 4 25.0 % \N{MINUS SIGN}0.500 % \N{MINUS SIGN}2.00 % yes: it kept out losses (of 4 only)",
        "Within a bar stops come first",
        run.plan.strategy_sha256,
        "77 tried",
        "Said.",
        "resamples of these days",
    ):
        assert said in page.text, said


def test_equal_runs_make_equal_pages() -> None:
    assert rendered(full()) == rendered(full())


def test_nothing_is_loaded_from_anywhere() -> None:
    page = rendered(full(), notes=["see the desk"])
    assert not re.findall(r"(?:https?:)?//[a-z0-9-]+\.[a-z]", page, re.IGNORECASE)
    assert "http" not in page.replace("http-equiv", "")
    for name, attributes in Page(page).found:
        assert name not in {"iframe", "object", "embed", "form", "base", "audio", "video", "img"}
        assert "src" not in attributes
        assert not any(key.startswith("on") for key in attributes), (name, attributes)
        assert "style" not in attributes, "inline styles are against the page's own policy"


def test_the_policy_of_the_page_admits_its_own_style_and_script_and_no_other() -> None:
    page = rendered(full())
    policy = next(str(a["content"]) for _, a in Page(page).found if a.get("http-equiv"))
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    style = re.search(r"<style>(.*?)</style>", page, re.DOTALL)
    script = re.search(r"<script>(.*?)</script>", page, re.DOTALL)
    assert style is not None
    assert script is not None
    for kind, words in (("style-src", style[1]), ("script-src", script[1])):
        digest = base64.b64encode(hashlib.sha256(words.encode()).digest()).decode()
        assert f"{kind} 'sha256-{digest}'" in policy


def test_what_somebody_typed_stays_text_wherever_it_stands() -> None:
    calm = Page(rendered(result([wandering(600)], [trade(wandering(600), 20)], [refusal(wandering(600), 5)])))
    layers = [LayerWorth(HOSTILE, 1, 1, 1, 0.1, 0.1, 1.0)]
    words: dict[str, Any] = {"title": HOSTILE, "notes": [HOSTILE], "data_sha256": {HOSTILE: HOSTILE}}
    raw = rendered(hostile(), layers=layers, **words)
    page = Page(raw)
    kinds = {name for name, _ in page.found}
    assert "img" not in kinds
    assert kinds - {name for name, _ in calm.found} <= {"ul", "li", "span", "details", "summary"}
    assert "onerror" not in {key for _, attributes in page.found for key in attributes}
    assert len(page.scripts) == 2
    assert HOSTILE.partition("\u2028")[0] in page.text
    assert page.data()["markets"][0]["asset"] == HOSTILE
    assert raw.count("</script>") == 2
    assert raw.count("</style>") == 1


@pytest.mark.parametrize("layers", [[], [LayerWorth("regime", 1, 1, 0, 0.0, None, None)]])
def test_a_run_without_any_trade_has_a_page(layers: list[LayerWorth]) -> None:
    page = Page(rendered(result([BARS], refused=[refusal(BARS, 3)]), layers=layers))
    assert "No trade was made." in page.text
    assert "No trade: the gate refused all 1 proposals." in page.text
    assert Page(rendered(result([BARS]))).text.count("The gate refused nothing.") == 1


def test_a_run_without_a_bar_has_a_page() -> None:
    nothing = np.empty(0)
    run = result([BARS.part(0, 0)], equity=Equity(nothing.astype(np.int64), nothing, nothing))
    assert "no bar closed" in Page(rendered(run)).text
    assert "no bar closed" in Page(rendered(replace(run, columns={}))).text


def test_a_run_of_one_bar_or_one_trade_has_a_page() -> None:
    assert Page(rendered(result([BARS.part(0, 1)]))).data()["markets"][0]["fine"] is None
    page = Page(rendered(result([BARS], [trade(BARS, 0, 1)])))
    assert "1 trade, 0 proposals refused" in page.text
    assert "in one trade: too few" in page.text or "Only one trade: fewer than 30 prove nothing." in page.text


@pytest.mark.parametrize("factor", [0.0, -1.0, 1e-9, 1e12, 1e300])
def test_equity_of_any_size_is_drawn(factor: float) -> None:
    run = full()
    equity = Equity(run.equity.at_ns, run.equity.value * factor, run.equity.invested)
    odd = replace(run, equity=equity, final_equity=Decimal("1E+30"), fees=Decimal("1E+25"))
    page = render_report(odd, measure(run))
    Page(page)
    for path in re.findall(r' d="([^"]*)"', page):
        assert "nan" not in path
        assert "inf" not in path


def test_broken_prices_and_results_that_are_no_numbers_are_drawn_as_nothing() -> None:
    bars = wandering(500)
    bars.high[40], bars.low[60], bars.close[80] = np.inf, np.nan, np.nan
    odd = trade(
        bars, 10, return_fraction=float("nan"), adverse_fraction=float("inf"), r_multiple=float("nan")
    )
    run = result([bars], [odd])
    run.equity.value[100:120] = np.nan
    page = render_report(run, measure(full()))
    assert not re.search(r' d="[^"]*(nan|inf)', page)
    json.dumps(Page(page).data(), allow_nan=False)


def test_figures_that_are_not_known_are_dashes() -> None:
    run = full()
    known = measure(run)
    absent = {
        name: None
        for name in known.__struct_fields__
        if name not in {"days", "days_per_year", "trades", "months"}
        and not name.startswith(("max_", "longest_"))
    }
    page = Page(render_report(run, msgspec.structs.replace(known, **absent, months=())))
    assert "Sharpe ratio – Mean of" in page.text
    assert "No month to show." in page.text


def test_the_table_holds_every_trade_once_and_its_totals() -> None:
    run = full()
    raw = rendered(run)
    rows = re.findall(r"<tr class=[wl]><td>.*", raw)
    assert len(rows) == 60
    total = sum((t.pnl for t in run.trades), start=Decimal(0))
    foot = Page(raw[raw.index("<tfoot>") : raw.index("</tfoot>") + 8]).text
    assert foot.startswith("60 ")
    assert f"{abs(total):,.2f}" in foot
    assert sum(row.startswith("<tr class=w>") for row in rows) == sum(t.pnl > 0 for t in run.trades)


def test_columns_that_never_differ_are_said_once() -> None:
    other = wandering(4_000, instrument("ETH/USDT"), seed=2)
    alike = rendered(full(3))
    assert "all of BTC/USDT@binanceusdm; all by rsi_rule" in alike
    mixed = rendered(result([BARS, other], [trade(BARS, 9), trade(other, 9, strategy="macd_rule")]))
    assert 'data-key="asset"' in mixed
    assert "<td>ETH/USDT@binanceusdm<td>macd_rule<td>LONG" in mixed
    assert len(Page(mixed).data()["markets"]) == 2


def unpacked(words: str, kind: str) -> Any:
    return np.frombuffer(base64.b64decode(words), dtype=kind)


@pytest.mark.parametrize(("count", "kind", "top"), [(60, "<u2", 65_535), (1_900, "u1", 255)])
def test_the_bars_around_each_trade_come_back_as_they_were(count: int, kind: str, top: int) -> None:
    bars = wandering(20_000)
    closed = [trade(bars, 100 + 10 * n, 30) for n in range(count)]
    fine = Page(rendered(result([bars], closed))).data()["markets"][0]["fine"]
    assert fine["top"] == top
    assert fine["after"] is None
    counts, each = unpacked(fine["counts"], "<u2").astype(int), unpacked(fine["bars"], "<u4")
    levels = unpacked(fine["levels"], kind).reshape(-1, 4)
    assert len(levels) == counts.sum()
    begin = 0
    for n, one in enumerate(closed):
        first = int(np.searchsorted(bars.ts, unpacked(fine["start"], "<f8")[n] * 1e6))
        span = slice(first, first + int(counts[n] * each[n]))
        low, high = unpacked(fine["low"], "<f4")[n], unpacked(fine["high"], "<f4")[n]
        mine = low + levels[begin : begin + counts[n]] / top * (high - low)
        assert mine[:, 1].max() == pytest.approx(bars.high[span].max(), rel=1e-6)
        assert mine[:, 2].min() == pytest.approx(bars.low[span].min(), rel=1e-6)
        assert mine[0, 0] == pytest.approx(bars.open[first], abs=float(high - low) / top + 0.02)
        assert bars.ts[first] <= one.entry_ns
        begin += counts[n]


def test_stretches_over_a_gap_say_when_each_candle_opened() -> None:
    bars = wandering(300)
    bars.ts[150:] += 3 * 24 * 60 * 60 * 10**9
    fine = Page(rendered(result([bars], [trade(bars, 140, 20)]))).data()["markets"][0]["fine"]
    after = unpacked(fine["after"], "<u4")
    assert after[-1] > 3 * 24 * 60
    assert (np.diff(after) > 0).all()


def test_a_page_of_thousands_of_trades_over_a_year_stays_below_two_megabytes() -> None:
    bars = wandering(525_600)
    closed = [trade(bars, 30 + 118 * n, 60) for n in range(4_420)]
    closed = [msgspec.structs.replace(t, targets=(round(t.targets[0], 1),)) for t in closed]
    assert len(rendered(result([bars], closed)).encode()) < 2_000_000


def test_a_report_is_written_whole_over_an_older_one(tmp_path: Path) -> None:
    path, run = tmp_path / "report.html", full(3)
    path.write_text("old")
    write_report(run, measure(run), path, title="A trial")
    page = path.read_text("utf-8")
    assert page.startswith("<!DOCTYPE html>")
    assert page.endswith("</html>\n")
    assert "<title>A trial: backtest</title>" in page
    assert [item.name for item in tmp_path.iterdir()] == ["report.html"]


def test_places_no_report_can_be_written_to_are_named_before_anything_is_done(tmp_path: Path) -> None:
    run = full(3)
    (tmp_path / "file").write_text("x")
    for path, said in (
        (tmp_path, "is a folder; name a file for the report"),
        (tmp_path / "nowhere" / "r.html", "nowhere does not exist; make it first"),
        (tmp_path / "file" / "r.html", "file is not a folder"),
        (tmp_path / ("x" * 300), "cannot be written there"),
    ):
        with pytest.raises(UsageError, match=re.escape(said)) as caught:
            write_report(run, measure(run), path)
        assert str(path) in str(caught.value)
    assert [item.name for item in tmp_path.iterdir()] == ["file"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_to_is_named(tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    with pytest.raises(UsageError, match="cannot be written there"):
        write_report(full(1), measure(full(1)), locked / "r.html")
