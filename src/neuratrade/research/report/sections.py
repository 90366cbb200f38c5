"""The frame of a report: its headline, its cards, its months; other parts have files of their own."""

from collections.abc import Sequence

from neuratrade.research.report.drawing import moment
from neuratrade.research.report.judged import Figure, Judged, Verdict
from neuratrade.research.report.markup import Html, fill, join, number, percent, table, text
from neuratrade.research.report.trades import by_reason
from neuratrade.research.result import BacktestResult

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DEEP = 0.02
"""A month that moved by this much is coloured in full, unless another moved by more: small ones stay pale."""


def section(name: str, title: str, parts: Sequence[object], lead: str = "") -> Html:
    """A part with its heading. name: what links point at."""
    said = fill('<p class="lead">{}</p>', lead) if lead else ""
    body = join(map(text, parts), "\n")
    return fill(
        '<section id="{}" aria-labelledby="{}-h"><h2 id="{}-h">{}</h2>{}{}</section>',
        name, name, name, title, text(said) if said else Html(""), body,
    )  # fmt: skip


def headline(title: str, result: BacktestResult, verdict: Verdict, judged: Judged) -> Html:
    """The first thing read: what was tried on what, what came of it, and what to think of it."""
    plan, at_ns = result.plan, result.equity.at_ns
    net = result.final_equity - plan.cash
    gained = fill("{} {}", number(net, signed=True), plan.account.currency)
    share = float(net / plan.cash) if plan.cash else None
    period = f"{moment(int(at_ns[0]))} to {moment(int(at_ns[-1]))} UTC" if len(at_ns) else "no bar"
    markets = ", ".join(bars.instrument.key for bars in result.columns.values()) or "no instrument"
    more = [text(item) for item in verdict.more]
    if judged.sharpe is not None:
        interval = judged.sharpe_interval
        said = f"Sharpe ratio {number(judged.sharpe)} a year"
        if interval is not None:
            said += f", 95 % interval {number(interval[0])} to {number(interval[1])}"
        more.insert(0, text(said + "."))
    listed = join(fill("<li>{}</li>", item) for item in more)
    return join(
        (
            fill('<p class="kicker">Backtest</p><h1>{}</h1>', title),
            fill('<p class="about">{}<br>{}; {}</p>', markets, period, _counts(result)),
            fill('<div class="verdict {}"><p class="money">{}', verdict.tone, gained),
            fill("<small>{} of {}</small></p>", percent(share, signed=True), number(plan.cash, 0)),
            fill('<div><p class="said">{}</p>', verdict.said),
            Html(f"<ul>{listed}</ul></div></div>" if listed else "</div></div>"),
        )
    )  # fmt: skip


def _counts(result: BacktestResult) -> str:
    trades, refused = len(result.trades), len(result.refused)
    return (
        f"{result.bars:,} bars; {trades:,} trade{'' if trades == 1 else 's'}, "
        f"{refused:,} proposal{'' if refused == 1 else 's'} refused"
    )


def cards(figures: Sequence[Figure]) -> Html:
    """Figures with what each means: on hover, on focus, on a tap."""
    if not figures:
        return Html('<p class="empty">No figures were reckoned for this run.</p>')
    each = (
        fill(
            '<div class="card" tabindex="0"><dt>{}</dt><dd><span class="value">{}</span>'
            '<div class="range">{}</div><div class="meaning">{}</div></dd></div>',
            figure.label,
            figure.value,
            figure.range,
            figure.meaning,
        )
        for figure in figures
    )
    return Html(f'<dl class="cards">{join(each)}</dl>')


def months(found: Sequence[tuple[int, int, float | None]]) -> Html:
    """Returns by year and month, coloured by size; each year's own at its end."""
    if not found:
        return Html('<p class="empty">No month to show.</p>')
    by_year: dict[int, dict[int, float | None]] = {}
    for year, month, gain in found:
        by_year.setdefault(year, {})[month] = gain
    largest = max((abs(gain) for _, _, gain in found if gain is not None), default=0.0)
    largest = max(largest, _DEEP)
    rows = []
    for year, gains in sorted(by_year.items()):
        total = 1.0
        for gain in gains.values():
            total *= 1.0 + (gain or 0.0)
        cells = join(_month(gains.get(month), largest) for month in range(1, 13))
        rows.append(
            fill(
                '<tr><th scope="row">{}</th>{}<td class="year">{}</td></tr>',
                year,
                cells,
                percent(total - 1, signed=True),
            )
        )
    heads = join(fill('<th scope="col">{}</th>', name) for name in (*MONTHS, "Year"))
    return Html(
        '<div class="scroll" tabindex="0" role="region" aria-label="Returns by month"><table class="months">'
        f'<thead><tr><th scope="col">UTC</th>{heads}</tr></thead><tbody>{join(rows)}</tbody></table></div>'
    )


def _month(gain: float | None, largest: float) -> Html:
    if gain is None:
        return Html("<td></td>")
    share = abs(gain) / largest
    grade = 3 if share > 0.6 else 2 if share > 0.2 else 1
    tone = f"{'h' if gain > 0 else 'c'}{grade}" if gain else ""
    return fill('<td class="{}">{}</td>', tone, percent(gain, signed=True))


def endings(result: BacktestResult) -> Html:
    """How trades ended."""
    if not result.trades:
        return Html("")
    heads = ("Left by", "Trades", "Won", "Result", "Mean result")
    return table("How trades ended", heads, by_reason(result.trades), "tnnnn")


def notes(said: Sequence[str]) -> list[Html]:
    """Whatever the run or its operator remarked."""
    return [Html("<ul>" + join(fill("<li>{}</li>", item) for item in said) + "</ul>")]
