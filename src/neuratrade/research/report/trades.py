"""The table of trades. It is the page's only copy of them: charts and filters read its rows.

So what is drawn is what is written, and the page carries each trade once. Optional end tags are left out;
with thousands of rows they would be a quarter of the page.
"""

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal

import numpy as np

from neuratrade.core.model.decimals import ZERO
from neuratrade.research.report.markup import Html, exact, fill, join, number, percent, text
from neuratrade.research.result import TradeDone

REASONS = {
    "TP": "target",
    "SL": "stop",
    "TRAIL": "trailing stop",
    "TIME": "time limit",
    "KILL": "kill switch",
    "LIQUIDATED": "liquidated by the venue",
    "MANUAL": "by hand",
    "ACTION": "a corporate action",
}

COLUMNS = (
    ("n", "#", "Trades in the order they closed", ""),
    ("asset", "Instrument", "What was traded, at which venue", ""),
    ("strategy", "Strategy", "Who proposed it", ""),
    ("side", "Side", "LONG gains when the price rises, SHORT when it falls", ""),
    ("in", "Entered", "First fill, UTC", ""),
    ("out", "Left", "Last fill, UTC", ""),
    ("reason", "By", "Why it ended", ""),
    ("entry", "Entry", "Average price of the entry", "n"),
    ("exit", "Exit", "Average price of the exit", "n"),
    ("pnl", "Result", "Net of fees, account currency", "n"),
    ("return", "Result %", "Net, of what was put in", "n"),
    ("r", "R", "Result as a multiple of what the stop put at risk", "n"),
    ("stop", "Stop", "The first protective stop; a trail may have moved it later", "n"),
    ("targets", "Targets", "Prices of the ladder of targets", "n"),
    ("mae", "MAE %", "Furthest the price went against it", "n"),
    ("mfe", "MFE %", "Furthest the price went for it", "n"),
    ("quantity", "Quantity", "Units entered", "n"),
    ("fees", "Fees", "Account currency", "n"),
    ("held", "Bars", "Bars held", "n"),
)
"""Key, heading, meaning, kind. The style sheet sets the last twelve to the right and colours the results."""


def trade_table(trades: Sequence[TradeDone], currency: str) -> Html:
    """Every trade, and a row of totals. What is the same in all of them is said once, above."""
    if not trades:
        return Html('<p class="empty">No trade was made.</p>')
    asset, strategy = trades[0].instrument, trades[0].strategy
    one_asset = all(t.instrument == asset for t in trades)
    one_strategy = all(t.strategy == strategy for t in trades)
    left_out = {"asset"} if one_asset else set()
    left_out |= {"strategy"} if one_strategy else set()
    columns = [column for column in COLUMNS if column[0] not in left_out]
    heads = join(
        fill('<th scope="col" data-key="{}" title="{}"{}>{}', key, meaning, _kind(kind), name)
        for key, name, meaning, kind in columns
    )
    said = f"{len(trades):,} trade{'' if len(trades) == 1 else 's'}; money in {currency}"
    said += (f"; all of {asset}" if one_asset else "") + (f"; all by {strategy}" if one_strategy else "")
    return join(
        (
            Html('<div class="scroll tall" tabindex="0" role="region" aria-label="Table of trades">'),
            fill('<table id="trades" data-asset="{}" data-strategy="{}">', asset, strategy),
            fill("<caption>{}</caption>", said),
            Html(f"<thead><tr>{heads}</thead><tbody>"),
            *_rows(trades, one_asset, one_strategy),
            Html("</tbody>"),
            _total(trades, [column[0] for column in columns]),
            Html("</table></div>"),
        )
    )


def _kind(kind: str) -> Html:
    return Html(' class="n"') if kind == "n" else Html("")


def _rows(trades: Sequence[TradeDone], one_asset: bool, one_strategy: bool) -> list[Html]:
    entered, left = _times([t.entry_ns for t in trades]), _times([t.exit_ns for t in trades])
    known = {name for t in trades for name in (t.instrument, t.strategy, t.direction, t.reason)}
    names = {name: text(name) for name in known}
    return [
        Html(
            f"<tr class={'w' if t.pnl > 0 else 'l'}><td>{n + 1}"
            f"{'' if one_asset else '<td>' + names[t.instrument]}"
            f"{'' if one_strategy else '<td>' + names[t.strategy]}"
            f"<td>{names[t.direction]}<td>{entered[n]}<td>{left[n]}<td>{names[t.reason]}"
            f"<td>{exact(t.entry_price)}<td>{exact(t.exit_price)}<td>{number(t.pnl, signed=True)}"
            f"<td>{_per_cent(t.return_fraction)}<td>{number(t.r_multiple)}<td>{exact(t.stop_price)}"
            f"<td>{' / '.join(map(exact, t.targets)) or '–'}<td>{_per_cent(t.adverse_fraction)}"
            f"<td>{_per_cent(t.favourable_fraction)}<td>{exact(t.quantity)}<td>{number(t.fees)}<td>{t.bars_held}\n"
        )
        for n, t in enumerate(trades)
    ]


def _per_cent(fraction: float) -> Html:
    """Without its sign, which the heading has."""
    return number(fraction * 100, 3)


def _times(at_ns: list[int]) -> list[str]:
    seconds = np.array(at_ns, dtype="datetime64[ns]").astype("datetime64[s]")
    return [when.replace("T", " ") for when in np.datetime_as_string(seconds).tolist()]


def _total(trades: Sequence[TradeDone], keys: Sequence[str]) -> Html:
    """The sums, and means where a sum says nothing; a script reckons them anew for what a filter leaves."""
    count = len(trades)
    won = sum(t.pnl > 0 for t in trades)
    cells = {
        "side": f"{percent(won / count, 1)} won",
        "pnl": number(sum((t.pnl for t in trades), start=ZERO), signed=True),
        "return": "mean " + number(_mean([t.return_fraction * 100 for t in trades]), 3),
        "r": "mean " + number(_mean([t.r_multiple for t in trades]), 2),
        "mae": "mean " + number(_mean([t.adverse_fraction * 100 for t in trades]), 3),
        "mfe": "mean " + number(_mean([t.favourable_fraction * 100 for t in trades]), 3),
        "fees": number(sum((t.fees for t in trades), start=ZERO)),
        "held": "mean " + number(_mean([t.bars_held for t in trades]), 0),
    }
    head = fill('<tfoot><tr><th scope="row" data-key="n">{}', f"{count:,}")
    rest = (fill('<td data-key="{}">{}', key, cells.get(key, "")) for key in keys[1:])
    return Html(head + join(rest) + "</tfoot>")


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def by_reason(trades: Sequence[TradeDone]) -> list[tuple[object, ...]]:
    """How trades ended: reason, count, share of winners, result in sum."""
    counts = Counter(t.reason for t in trades)
    rows: list[tuple[object, ...]] = []
    for reason, count in counts.most_common():
        mine = [t for t in trades if t.reason == reason]
        total: Decimal = sum((t.pnl for t in mine), start=ZERO)
        said = REASONS.get(reason, "")
        rows.append(
            (
                f"{reason} ({said})" if said else reason,
                f"{count:,}",
                percent(sum(t.pnl > 0 for t in mine) / count, 1),
                number(total, signed=True),
                number(total / count, signed=True),
            )
        )
    return rows
