"""What trading cost, which costs were assumed, and what departs from the desk's own defaults."""

from neuratrade.core.model.decimals import BASIS_POINTS
from neuratrade.core.model.market import NS_PER_HOUR
from neuratrade.core.risk.limits import CEILING_NAMES
from neuratrade.research.report.markup import Html, exact, fill, join, number, percent, table
from neuratrade.research.result import BacktestResult

INTRABAR = (
    "A bar tells a range and not a path, so every rule errs against the trader.",
    "Signals are taken at the close of a bar; what they send meets the next open. Market orders pay half the "
    "spread, and the slippage on top of it.",
    "Within a bar stops come first: a bar that touches stop and target is a stop, also the bar of the entry.",
    "A stop that the open has jumped fills at that open, not at its level.",
    "A resting limit fills {limit}. An entry that arrives within a bar waits for the next.",
    "A target touched by a bar's extreme leaves at its level; on the bar of the entry only the close counts.",
    "A trailing stop moves from a bar's extreme and protects from the next bar on.",
)


FEES = ("Instrument", "Kind", "Maker", "Taker", "Commission a unit")


def cost_parts(result: BacktestResult) -> list[Html]:
    """From gross to net, and every assumption about costs."""
    plan = result.plan
    fees = [
        (
            bars.instrument.key,
            bars.instrument.kind.value,
            exact(bars.instrument.maker_fee_bps),
            exact(bars.instrument.taker_fee_bps),
            exact(bars.instrument.commission),
        )
        for bars in result.columns.values()
    ]
    said = f"From gross to net, {plan.account.currency}; turnover {number(result.turnover, 0)}"
    return [
        Html('<div class="two"><div>'),
        table(said, ("", "Amount", "Of turnover"), _waterfall(result), "tnn"),
        table("Fees, basis points of notional", FEES, fees, "ttnnn"),
        Html("</div><div>"),
        table("Assumptions of this run", ("What", "How much", "Of what"), _assumed(result), "tnt"),
        Html("</div></div>"),
    ]


def _waterfall(result: BacktestResult) -> list[tuple[object, ...]]:
    costs, net = result.plan.costs, result.final_equity - result.plan.cash
    taken = costs.spread_fraction / 2 + costs.slippage_bps / BASIS_POINTS
    steps = (
        ("Result before fees and carry", net + result.fees - result.carry),
        ("Fees", -result.fees),
        ("Carry (funding and borrow)", result.carry),
        ("Net result", net),
        ("Already in the prices: spread and slippage, at most", -result.turnover * taken),
    )
    return [
        (name, number(amount, signed=True), percent(amount / result.turnover if result.turnover else None, 3))
        for name, amount in steps
    ]


def _assumed(result: BacktestResult) -> list[tuple[object, ...]]:
    costs, carry = result.plan.costs, result.plan.carry
    every = f"of notional every {carry.funding_every_ns / NS_PER_HOUR:g} hours, longs to shorts"
    return [
        ("Spread", percent(costs.spread_fraction, 3), "of the price; a market order pays half of it"),
        ("Slippage", f"{exact(costs.slippage_bps)} bps", "by which taking moves the price against us"),
        (
            "Impact",
            f"{exact(costs.impact_bps)} bps",
            "that taking all of a bar's volume would cost on top; a part in proportion",
        ),
        ("Latency", f"{costs.latency_ms} ms", "there and back"),
        (
            "Volume",
            percent(costs.participation_fraction, 1),
            "of a bar's that our orders of one side may take",
        ),
        (
            "Refusals",
            percent(costs.reject_fraction, 2),
            f"of entries, by the venue; drawn from seed {costs.seed}",
        ),
        ("Indicators", result.plan.indicators.value, "the library that reckoned them"),
        ("Funding", percent(carry.funding_fraction, 4), every),
        *(("Funding recorded", f"{len(item.at_ns)} rates", item.told) for item in carry.recorded),
        (
            "Borrow",
            percent(carry.borrow_fraction_per_year, 2),
            "a year, of a short's notional on what is owned",
        ),
    ]


def assumption_parts(result: BacktestResult) -> list[Html]:
    """What departs from the defaults, and how a bar is lived through."""
    limit = "when the price goes through it" if result.plan.costs.through else "when the price touches it"
    rules = join(fill("<li>{}</li>", rule.replace("{limit}", limit)) for rule in INTRABAR)
    return [*_departures(result), Html(f"<h3>How a bar is lived through</h3><ul>{rules}</ul>")]


def _departures(result: BacktestResult) -> list[Html]:
    found = result.plan.departures
    if not found:
        return [Html("<p>All limits and costs are the desk's own defaults.</p>")]
    over = [name for name in found if name in CEILING_NAMES]
    count = "One departure" if len(found) == 1 else f"{len(found)} departures"
    warning = fill(
        '<p class="warn"><strong>{} from the desk\'s defaults.</strong> '
        "A live desk would trade differently.{}</p>",
        count,
        f" Hard ceilings among them: {', '.join(over)}." if over else "",
    )
    rows = list(found.items())
    return [warning, table("Departures from the defaults", ("What", "Here, and by default"), rows)]
