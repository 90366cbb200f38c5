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
from neuratrade.research.metrics import Confidence, Metrics
from neuratrade.research.report import sections
from neuratrade.research.report.charts import equity_chart, excursions_chart, holding, results_chart
from neuratrade.research.report.costs import assumption_parts, cost_parts
from neuratrade.research.report.figures import judged_of
from neuratrade.research.report.gate import Layer, gate_parts
from neuratrade.research.report.judged import verdict
from neuratrade.research.report.markup import Html, fill, join, json_block, text
from neuratrade.research.report.prices import price_data
from neuratrade.research.report.provenance import provenance_parts
from neuratrade.research.report.sections import section
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
    metrics: Metrics,
    *,
    confidence: Confidence | None = None,
    deflated: float | None = None,
    trials: int = 1,
    layers: Sequence[Layer] = (),
    data_sha256: Mapping[str, str] | None = None,
    title: str | None = None,
    notes: Sequence[str] = (),
) -> str:
    """The page as text.

    confidence: intervals of the metrics. deflated: probability of the deflated Sharpe ratio, counting all
    `trials` that were ever made on this data. layers: what each layer of the gate kept out. data_sha256:
    digests of the data by a name for it; of the bars themselves where none are given. title: the names of the
    strategies where none is given. notes: said after those of the result.
    """
    currency = result.plan.account.currency
    names = title or ", ".join(result.plan.dna.strategies) or "no strategy"
    equity, points = equity_chart(result)
    excursions, scales = excursions_chart(result.trades)
    judged = judged_of(metrics, confidence, currency, deflated, trials)
    spread = _part("spread.html", results=results_chart(result.trades), excursions=excursions)
    told = verdict(result, judged, _held(result))
    said = [*result.notes, *notes]
    digests = (
        {key: sha256_of(bars) for key, bars in result.columns.items()} if data_sha256 is None else data_sha256
    )
    parts = [
        section("figures", "Key figures", [sections.cards(judged.figures)], _about_ranges(confidence)),
        section("money", "Equity", [_part("equity.html", chart=equity)]),
        section("markets", "Prices and trades", [_part("prices.html"), trade_table(result.trades, currency)]),
        section("months", "Months", [sections.months(judged.months)], "Return of each month, net."),
        section("spread", "How trades went", [spread, sections.endings(result)]),
        section("gate", "What the gate refused", gate_parts(result, layers)),
        section("costs", "Costs", cost_parts(result)),
        section("assumptions", "Assumptions and departures", assumption_parts(result)),
        section("provenance", "Provenance", provenance_parts(result, digests)),
    ]
    if said:
        parts.append(section("notes", "Notes", sections.notes(said)))
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
        footer=text(
            "Simulated results on recorded prices. What a market did once is no promise of what it will do."
        ),
        data=data,
    )


def write_report(
    result: BacktestResult,
    metrics: Metrics,
    path: Path,
    *,
    confidence: Confidence | None = None,
    deflated: float | None = None,
    trials: int = 1,
    layers: Sequence[Layer] = (),
    data_sha256: Mapping[str, str] | None = None,
    title: str | None = None,
    notes: Sequence[str] = (),
) -> None:
    """Writes the page to `path`, whole or not at all.

    Raises UsageError where no file can be written there; an older file then stays as it was.
    """
    check_place(path)
    page = render_report(
        result, metrics, confidence=confidence, deflated=deflated, trials=trials, layers=layers,
        data_sha256=data_sha256, title=title, notes=notes,
    )  # fmt: skip
    try:
        write_atomically(path, page.encode())
    except OSError as error:
        raise _unwritable(path, error) from error


def check_place(path: Path) -> None:
    """Before the work is done, whether a file can be put there at all. Raises UsageError where not."""
    try:
        if path.is_dir():
            raise UsageError(
                f"{path}: is a folder; name a file for the report, such as {path / 'report.html'}"
            )
        if not path.parent.is_dir():
            why = "is not a folder" if path.parent.exists() else "does not exist"
            raise UsageError(
                f"{path}: {path.parent} {why}; make it first, or name another place for the report"
            )
    except OSError as error:
        raise _unwritable(path, error) from error


def _unwritable(path: Path, error: OSError) -> UsageError:
    why = error.strerror or str(error)
    return UsageError(f"{path}: the report cannot be written there ({why}); name another place for it")


def sha256_of(bars: Columns) -> str:
    """Names the bars of one instrument: equal for equal columns, whatever file they came from."""
    known = hashlib.sha256(f"{bars.instrument.key} {bars.span_ns} {len(bars)}".encode())
    for column in (bars.ts, bars.open, bars.high, bars.low, bars.close, bars.volume):
        known.update(np.ascontiguousarray(column).data)
    return known.hexdigest()


def _about_ranges(sure: Confidence | None) -> str:
    if sure is None:
        return ""
    return (
        f"A range below a figure is where 95 % of {sure.resamples:,} resamples of these days, or trades, lie:"
        " how far it might have come out otherwise. Of what did not happen in this period it knows nothing."
    )


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
