"""A backtest as one page: everything in one file, nothing from the network, readable without a script.

Whatever somebody named or noted is escaped; and should one be overlooked, the page's own policy lets only the
style and the script of this release run, by their digests, and lets nothing be loaded or sent.
"""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from string import Template

import numpy as np

from neuratrade.core.model.errors import UsageError
from neuratrade.feeds.files import write_atomically
from neuratrade.research.columns import Columns
from neuratrade.research.report import sections
from neuratrade.research.report.charts import equity_chart, excursions_chart, holding, results_chart
from neuratrade.research.report.judged import Judged, verdict
from neuratrade.research.report.markup import Html, fill, join, json_block, text
from neuratrade.research.report.prices import price_data
from neuratrade.research.report.trades import trade_table
from neuratrade.research.result import BacktestResult

_SCRIPTS = ("common.js", "trades.js", "prices.js", "hover.js", "start.js")
_PARTS = (
    ("figures", "Key figures"),
    ("money", "Equity"),
    ("markets", "Prices and trades"),
    ("months", "Months"),
    ("spread", "How trades went"),
    ("gate", "The gate"),
    ("costs", "Costs"),
    ("assumptions", "Assumptions"),
    ("provenance", "Provenance"),
)


def render_report(
    result: BacktestResult,
    judged: Judged,
    *,
    layers: Sequence[sections.Layer] = (),
    data_sha256: Mapping[str, str] | None = None,
    title: str | None = None,
    notes: Sequence[str] = (),
) -> str:
    """The page as text.

    layers: what each layer of the gate kept out. data_sha256: digests of the data by a name for it; of the
    bars themselves where none are given. title: the names of the strategies where none is given. notes: said
    after those of the result.
    """
    names = title or ", ".join(result.plan.dna.strategies) or "no strategy"
    equity, points = equity_chart(result)
    excursions, scales = excursions_chart(result.trades)
    told = verdict(result, judged, _held(result))
    said = [*result.notes, *notes]
    digests = {key: sha256_of(bars) for key, bars in result.columns.items()} if data_sha256 is None else data_sha256
    parts = [
        sections.section("figures", "Key figures", [sections.cards(judged.figures)]),
        sections.section("money", "Equity", [_part("equity.html", chart=equity)]),
        sections.section("markets", "Prices and trades", [_part("prices.html"), trade_table(result.trades, result.plan.account.currency)]),
        sections.section("months", "Months", [sections.months(judged.months)], "Return of each month on the equity it began with."),
        sections.section("spread", "How trades went", [_part("spread.html", results=results_chart(result.trades), excursions=excursions), sections.endings(result)]),
        sections.section("gate", "What the gate refused", sections.gate(result, layers)),
        sections.section("costs", "Costs", sections.costs(result)),
        sections.section("assumptions", "Assumptions and departures", sections.assumptions(result)),
        sections.section("provenance", "Provenance", sections.provenance(result, digests)),
    ]  # fmt: skip
    if said:
        parts.append(sections.section("notes", "Notes", sections.notes(said)))
    style, script = _asset("report.css"), "{\n" + "\n".join(map(_asset, _SCRIPTS)) + "}\n"
    data = json_block("data", {"markets": price_data(result), "equity": points, "excursions": scales})
    return Template(_asset("report.html")).substitute(
        style=style,
        style_hash=_policy_hash(style),
        script=script,
        script_hash=_policy_hash(script),
        title=text(f"{names}: backtest"),
        headline=sections.headline(names, result, told, judged),
        contents=join(fill('<a href="#{}">{}</a>', name, head) for name, head in _PARTS),
        sections=join(parts, "\n"),
        footer=text("Simulated results on recorded prices. What a market did once is no promise of what it will do."),
        data=data,
    )


def write_report(
    result: BacktestResult,
    judged: Judged,
    path: Path,
    *,
    layers: Sequence[sections.Layer] = (),
    data_sha256: Mapping[str, str] | None = None,
    title: str | None = None,
    notes: Sequence[str] = (),
) -> None:
    """Writes the page to `path`, whole or not at all.

    Raises UsageError where no file can be written there; an older file then stays as it was.
    """
    if path.is_dir():
        raise UsageError(f"{path}: is a folder; name a file for the report, such as {path / 'report.html'}")
    if not path.parent.is_dir():
        why = "is not a folder" if path.parent.exists() else "does not exist"
        raise UsageError(f"{path}: {path.parent} {why}; make it first, or name another place for the report")
    page = render_report(
        result, judged, layers=layers, data_sha256=data_sha256, title=title, notes=notes
    )
    try:
        write_atomically(path, page.encode())
    except OSError as error:
        raise UsageError(
            f"{path}: the report cannot be written there ({error.strerror}); name another place for it"
        ) from error


def sha256_of(bars: Columns) -> str:
    """Names the bars of one instrument: equal for equal columns, whatever file they came from."""
    known = hashlib.sha256(f"{bars.instrument.key} {bars.span_ns} {len(bars)}".encode())
    for column in (bars.ts, bars.open, bars.high, bars.low, bars.close, bars.volume):
        known.update(np.ascontiguousarray(column))
    return known.hexdigest()


def _held(result: BacktestResult) -> float | None:
    at_ns, cash = result.equity.at_ns, float(result.plan.cash)
    if not len(at_ns) or cash <= 0:
        return None
    return float(holding(result.columns, at_ns[[0, -1]], cash)[-1]) / cash - 1.0


@lru_cache
def _asset(name: str) -> str:
    return (files("neuratrade.research.report") / "page" / name).read_text("utf-8")


def _part(name: str, **values: Html) -> Html:
    return Html(Template(_asset(name)).substitute(values))


def _policy_hash(words: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(words.encode()).digest()).decode()
