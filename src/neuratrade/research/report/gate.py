"""What the gate refused, and whether each of its rules earned its place."""

from collections.abc import Sequence
from typing import Protocol

from neuratrade.research.report.drawing import moment
from neuratrade.research.report.judged import FEWEST_TRADES
from neuratrade.research.report.markup import NOTHING, Html, exact, fill, percent, table
from neuratrade.research.result import BacktestResult

_HEADS = (
    "Layer",
    "Refused",
    "It alone",
    "Outcome known",
    "Would have won",
    "Mean result",
    "In sum",
    "Did it earn its place?",
)
_REFUSED = (
    "When (UTC)",
    "Instrument",
    "Strategy",
    "Side",
    "Price",
    "Refused by",
    "Because",
    "Would have come to",
    "By",
)
_NOTE = (
    "Each proposal that one layer alone kept out is lived on its own through the bars that followed, at the "
    "same costs; results are net, of the entry's notional. Proposals refused one after the other during one "
    "move are one opinion said many times, not many trades."
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


def gate_parts(result: BacktestResult, layers: Sequence[Layer]) -> list[Html]:
    """What each rule kept out, and whether that was for the better."""
    if not result.refused_by and not result.refused:
        return [Html('<p class="empty">The gate refused nothing.</p>')]
    if not layers:
        counted = sorted(result.refused_by.items(), key=lambda item: -item[1])
        rows = [(name, f"{count:,}") for name, count in counted]
        note = fill("<p>{}</p>", "What refused trades would have earned was not reckoned for this run.")
        return [
            table("How often each layer refused", ("Layer", "Refused"), rows, "tn"),
            note,
            examples(result),
        ]
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
    note = fill('<p class="lead">{}</p>', _NOTE)
    return [table("What each layer of the gate kept out", _HEADS, shown, "tnnnnnnt"), note, examples(result)]


def _earned(item: Layer) -> Html:
    if item.mean_fraction is None:
        why = "no outcome is known" if item.alone else "it never refused alone"
        return fill("cannot be told: {}", why)
    tone, said = (
        ("up", "yes: it kept out losses") if item.sum_fraction < 0 else ("down", "no: it kept out gains")
    )
    few = f" (of {item.known} only)" if item.known < FEWEST_TRADES else ""
    return fill('<span class="{}">{}</span>{}', tone, said, few)


def examples(result: BacktestResult, most: int = 20) -> Html:
    """The last refusals with their reasons; nothing where none is on record."""
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
        for item in reversed(result.refused[-most:])
    ]
    if not rows:
        return Html("")
    said = f"{len(rows)} of {len(result.refused):,} refusals, the last first"
    body = table(said, _REFUSED, rows, "ttttntttnt")
    return Html(f"<details><summary>The last refusals, with their reasons</summary>{body}</details>")
