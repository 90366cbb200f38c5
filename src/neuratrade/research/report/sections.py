"""The parts of a report in the order a reader wants them: what came of it, where, what was refused, at what price."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Protocol

from neuratrade.core.risk.limits import CEILING_NAMES
from neuratrade.research.report.drawing import moment
from neuratrade.research.report.judged import Figure, Judged, Verdict
from neuratrade.research.report.markup import NOTHING, Html, exact, fill, join, number, percent, table, text
from neuratrade.research.report.trades import by_reason
from neuratrade.research.result import BacktestResult

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
INTRABAR = (
    "A bar tells a range and not a path, so every rule errs against the trader.",
    "Signals are taken at the close of a bar; what they send meets the next open. Market orders pay half the "
    "spread and the slippage on top of it.",
    "Within a bar stops come first: a bar that touches stop and target is a stop, also the bar of the entry.",
    "A stop that the open has jumped fills at that open, not at its level.",
    "A resting limit fills when the price goes through it. An entry that arrives within a bar waits for the next.",
    "A target touched by a bar's extreme leaves at its level; on the bar of the entry only the close counts.",
    "A trailing stop moves from a bar's extreme and protects from the next bar on.",
)


class Layer(Protocol):
    """What one layer of the gate kept out (`research.refused.LayerWorth`)."""

    @property
    def layer(self) -> str: ...
    @property
    def blocked(self) -> int: ...
    @property
    def alone(self) -> int: ...
    @property
    def known(self) -> int: ...
    @property
    def sum_fraction(self) -> float: ...
    @property
    def mean_fraction(self) -> float | None: ...
    @property
    def win_rate(self) -> float | None: ...


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
            fill('<p class="about">{}<br>{}; {} bars; {}</p>', markets, period, f"{result.bars:,}", _trades(result)),
            fill('<div class="verdict {}"><p class="money">{} {}', verdict.tone, number(net, signed=True), _currency(result)),
            fill("<small>{} of {}</small></p>", percent(share, signed=True), number(plan.cash, 0)),
            fill('<div><p class="said">{}</p>', verdict.said),
            Html(f"<ul>{listed}</ul></div></div>" if listed else "</div></div>"),
        )
    )  # fmt: skip


def _trades(result: BacktestResult) -> str:
    count, refused = len(result.trades), len(result.refused)
    return f"{count:,} trade{'' if count == 1 else 's'}, {refused:,} proposal{'' if refused == 1 else 's'} refused"


def _currency(result: BacktestResult) -> str:
    return result.plan.account.currency


def cards(figures: Sequence[Figure]) -> Html:
    """Figures with what each means: on hover, on focus, on a tap."""
    if not figures:
        return Html('<p class="empty">No figures were reckoned for this run.</p>')
    each = (
        fill(
            '<div class="card" tabindex="0"><dt>{}</dt><dd><span class="value">{}</span>'
            '<div class="range">{}</div><div class="meaning">{}</div></dd></div>',
            figure.label, figure.value, figure.range, figure.meaning,
        )  # fmt: skip
        for figure in figures
    )
    return Html(f'<dl class="cards">{join(each)}</dl>')


def months(found: Sequence[tuple[int, int, float]]) -> Html:
    """Returns by year and month, coloured by size; each year's own at its end."""
    if not found:
        return Html('<p class="empty">No month to show.</p>')
    by_year: dict[int, dict[int, float]] = {}
    for year, month, gain in found:
        by_year.setdefault(year, {})[month] = gain
    largest = max((abs(gain) for _, _, gain in found), default=0.0) or 1.0
    rows = []
    for year, gains in sorted(by_year.items()):
        total = 1.0
        for gain in gains.values():
            total *= 1.0 + gain
        cells = join(_month(gains.get(month), largest) for month in range(1, 13))
        rows.append(
            fill('<tr><th scope="row">{}</th>{}<td class="year">{}</td></tr>', year, cells, percent(total - 1, signed=True))
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


def gate(result: BacktestResult, layers: Sequence[Layer]) -> list[Html]:
    """What each rule of the gate kept out, and whether that was for the better."""
    if not result.refused_by and not result.refused:
        return [Html('<p class="empty">The gate refused nothing.</p>')]
    if not layers:
        rows: list[tuple[object, ...]] = [
            (name, f"{count:,}") for name, count in sorted(result.refused_by.items(), key=lambda item: -item[1])
        ]
        note = fill('<p class="lead">What refused trades would have earned was not reckoned for this run.</p>')
        return [table("How often each layer refused", ("Layer", "Refused"), rows, "tn"), note]
    heads = ("Layer", "Refused", "It alone", "Outcome known", "Would have won", "Mean result", "In sum", "Did it earn its place?")
    shown = [
        (
            item.layer,
            f"{item.blocked:,}",
            f"{item.alone:,}",
            f"{item.known:,}",
            percent(item.win_rate, 1),
            percent(item.mean_fraction, 3, signed=True),
            percent(item.sum_fraction if item.known else None, signed=True),
            _earned(item),
        )
        for item in layers
    ]
    note = fill(
        '<p class="lead">Each proposal that one layer alone kept out is lived on its own through the bars that '
        "followed, at the same costs; results are net, of the entry's notional. Proposals refused one after the "
        "other during one move are one opinion said many times, not many trades.</p>"
    )
    return [table("What each layer of the gate kept out", heads, shown, "tnnnnnnt"), note, examples(result)]


def _earned(item: Layer) -> Html:
    if item.mean_fraction is None:
        return fill("cannot be told: {}", "it never refused alone" if not item.alone else "no outcome is known")
    if item.sum_fraction < 0:
        said, tone = "yes: it kept out losses", "up"
    else:
        said, tone = "no: it kept out gains", "down"
    few = f" (of {item.known} only)" if item.known < 30 else ""
    return fill('<span class="{}">{}</span>{}', tone, said, few)


def examples(result: BacktestResult, most: int = 20) -> Html:
    """The last refusals with their reasons."""
    shown = result.refused[-most:]
    rows = [
        (
            moment(item.at_ns),
            item.instrument,
            item.strategy,
            item.direction,
            exact(item.trigger_price),
            ", ".join(item.refused_by),
            "; ".join(item.reasons),
            percent(item.outcome_fraction, 3, signed=True),
            item.outcome_reason or NOTHING,
        )
        for item in reversed(shown)
    ]
    if not rows:
        return Html("")
    heads = ("When (UTC)", "Instrument", "Strategy", "Side", "Price", "Refused by", "Because", "Would have come to", "By")
    body = table(f"The last {len(rows)} of {len(result.refused):,} refusals", heads, rows, "ttttntttnt")
    return Html(f"<details><summary>The last {len(rows)} refusals, with reasons</summary>{body}</details>")


def costs(result: BacktestResult) -> list[Html]:
    """What trading cost, and which costs were assumed."""
    plan, net = result.plan, result.final_equity - result.plan.cash
    before = net + result.fees - result.carry
    taken = plan.costs.spread_fraction / 2 + plan.costs.slippage_bps / 10_000
    of_turnover = (lambda amount: percent(amount / result.turnover, 3)) if result.turnover else (lambda amount: NOTHING)
    rows: list[tuple[object, ...]] = [
        ("Result before fees and carry", number(before, signed=True), of_turnover(before)),
        ("Fees", number(-result.fees, signed=True), of_turnover(-result.fees)),
        ("Carry (funding and borrow)", number(result.carry, signed=True), of_turnover(result.carry)),
        ("Net result", number(net, signed=True), of_turnover(net)),
        ("Within prices: spread and slippage, at most", number(-result.turnover * taken, signed=True), percent(-taken, 3)),
    ]
    fees: list[tuple[object, ...]] = [
        (bars.instrument.key, bars.instrument.kind.value, exact(bars.instrument.maker_fee_bps), exact(bars.instrument.taker_fee_bps))
        for bars in result.columns.values()
    ]
    assumed: list[tuple[object, ...]] = [
        ("Spread", percent(plan.costs.spread_fraction, 3), "of the price; a market order pays half of it"),
        ("Slippage", f"{exact(plan.costs.slippage_bps)} bps", "by which taking moves the price against us"),
        ("Latency", f"{plan.costs.latency_ms} ms", "there and back"),
        ("Share of a bar's volume", percent(plan.costs.participation_fraction, 1), "that our orders of one side may take"),
        ("Limits fill", "when the price goes through" if plan.costs.through else "when the price touches", "a resting limit"),
        ("Entries the venue refuses", percent(plan.costs.reject_fraction, 2), f"drawn from seed {plan.costs.seed}"),
        ("Funding", percent(plan.carry.funding_fraction, 4), f"of notional every {plan.carry.funding_every_ns / 3.6e12:g} hours, longs to shorts"),
        ("Borrow", percent(plan.carry.borrow_fraction_per_year, 2), "a year, of the notional of a short on what is owned"),
    ]
    return [
        Html('<div class="two"><div>'),
        table(f"From gross to net, {plan.account.currency}; turnover {number(result.turnover, 0)}", ("", "Amount", "Of turnover"), rows, "tnn"),
        table("Fees by instrument, basis points of notional", ("Instrument", "Kind", "Maker", "Taker"), fees, "ttnn"),
        Html("</div><div>"),
        table("Assumptions of this run", ("What", "How much", "Of what"), assumed, "tnt"),
        Html("</div></div>"),
    ]  # fmt: skip


def assumptions(result: BacktestResult) -> list[Html]:
    """What departs from the defaults, and how a bar is lived through."""
    found = result.plan.departures
    if found:
        over = [name for name in found if name in CEILING_NAMES]
        parts = [
            fill('<p class="warn"><strong>Not the desk\'s own limits.</strong> {} departures from its defaults; a live desk would trade differently.{}</p>',
                 len(found), f" Hard ceilings among them: {', '.join(over)}." if over else ""),
            table("Departures from the defaults", ("What", "Here, and by default"), list(found.items())),
        ]  # fmt: skip
    else:
        parts = [Html("<p>All limits and costs are the desk's own defaults.</p>")]
    rules = join(fill("<li>{}</li>", rule) for rule in INTRABAR)
    return [*parts, Html("<h3>How a bar is lived through</h3>"), Html(f"<ul>{rules}</ul>")]


def provenance(result: BacktestResult, data_sha256: Mapping[str, str]) -> list[Html]:
    """What would have to be the same for the same result."""
    plan = result.plan
    settings: list[tuple[object, ...]] = []
    for name, dna in plan.dna.strategies.items():
        assets = ", ".join(asset.asset for asset in plan.dna.assets_of(name))
        settings += [(name, "timeframe", f"{dna.timeframe_minutes} minutes"), (name, "assets", assets or NOTHING)]
        settings += [(name, "stop", _distance(dna.exit.stop.atr, dna.exit.stop.pct))]
        for target in dna.exit.targets:
            settings.append((name, "target", f"{_distance(target.distance.atr, target.distance.pct)}, for {percent(target.fraction, 0)} of it"))
        if dna.exit.trailing_pct is not None:
            settings.append((name, "trail", percent(dna.exit.trailing_pct)))
        settings += [(name, key, exact(value)) for key, value in sorted(dna.parameters.items())]
        for asset in plan.dna.assets_of(name):
            own = asset.thresholds.get(name, {})
            settings += [(name, f"{key} for {asset.asset}", exact(value)) for key, value in sorted(own.items())]
    rows: list[tuple[object, ...]] = [("Strategy and parameters", Html(f'<span class="hash">{text(plan.strategy_sha256)}</span>'))]
    rows += [(f"Data {name}", Html(f'<span class="hash">{text(known)}</span>')) for name, known in data_sha256.items()]
    how = "the engine was asked only where something could happen" if result.skipped else "the engine was asked at every bar"
    run: list[tuple[object, ...]] = [
        ("Cash at the start", f"{number(plan.cash)} {plan.account.currency}"),
        ("Equity at the end", f"{number(result.final_equity)} {plan.account.currency}"),
        ("Bars", f"{result.bars:,}, stepped at {result.stepped:,} instants: {how}"),
        ("Run", f"{result.run_s:.2f} s"),
        ("Longest time without a stop", f"{result.unprotected_ms_max:,} ms"),
    ]
    return [
        table("Strategies and their parameters", ("Strategy", "Parameter", "Value"), settings, "ttn"),
        table("SHA-256", ("Of", "Digest"), rows),
        table("The run", ("What", "Value"), run),
    ]  # fmt: skip


def _distance(atr: Decimal | None, fraction: Decimal | None) -> str:
    return f"{exact(atr)} ATR" if atr is not None else f"{percent(fraction)} of the price"


def notes(said: Sequence[str]) -> list[Html]:
    """Whatever the run or its operator remarked."""
    return [Html("<ul>" + join(fill("<li>{}</li>", item) for item in said) + "</ul>")]

