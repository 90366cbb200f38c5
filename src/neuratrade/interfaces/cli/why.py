"""why: every layer's answer to a decision."""

from neuratrade.app.looking import home_in_use, reading
from neuratrade.app.why import find_decision, last_decisions
from neuratrade.core.model import facts as f
from neuratrade.core.model.approval import Verdict
from neuratrade.core.model.intent import OpenIntent
from neuratrade.interfaces.cli.output import (
    console,
    money,
    number,
    print_json,
    styled,
    table,
    verdict_of,
    when,
)

_MARKS = {
    Verdict.APPROVE: ("ok", "green"),
    Verdict.RESIZE: ("smaller", "yellow"),
    Verdict.REFUSE: ("REFUSE", "red"),
    Verdict.NOT_EVALUATED: ("NOT KNOWN", "red"),
}


def show_decision(wanted: str, *, as_json: bool) -> None:
    """Prints one decision whole."""
    with reading(home_in_use()) as reader:
        judged, closed = find_decision(reader, wanted)
    if as_json:
        print_json(_document(judged, closed))
        return
    out = console()
    intent = judged.intent
    out.print(intent.intent_id, verdict_of(approved=judged.approved), f"at {when(judged.at_ns)}")
    if isinstance(intent, OpenIntent):
        out.print(
            f"{intent.direction.value} {intent.instrument} by {intent.strategy_ref} ({intent.lane.value}), "
            f"{intent.order_type.value} at {number(intent.trigger_price)}, "
            f"stop {number(intent.stop_price) if intent.stop_price else 'none'}, targets "
            f"{', '.join(number(rung.price) for rung in intent.take_profits) or 'none'}, "
            f"confidence {intent.confidence}"
        )
        for name, value in intent.tags.items():
            out.print(f"{name}: {value}")
    if judged.approved:
        out.print(f"quantity approved: {number(judged.quantity)}")
    layers = table("layers", "layer", "verdict", "observed", "limit", "leaves", "reason", right=("leaves",))
    for layer in judged.layers:
        leaves = "" if layer.quantity is None or not layer.quantity.is_finite() else f"{layer.quantity:.6g}"
        layers.add_row(
            layer.name, styled(*_MARKS[layer.verdict]), layer.observed, layer.limit, leaves, layer.reason
        )
    out.print(layers)
    if closed is not None:
        out.print(
            f"ended by {closed.reason.value} at {when(closed.at_ns)}: entered {number(closed.entered)} at "
            f"{closed.entry_price:.8g}, left at {closed.exit_price:.8g}, net {money(closed.pnl)}, "
            f"unprotected {closed.unprotected_ms} ms"
        )


def _document(judged: f.IntentJudged, closed: f.BracketClosed | None) -> dict[str, object]:
    return {
        "intent_id": judged.intent.intent_id,
        "at_ns": judged.at_ns,
        "approved": judged.approved,
        "quantity": judged.quantity,
        "intent": judged.intent,
        "layers": judged.layers,
        "seen": judged.seen,
        "outcome": closed,
    }


def list_decisions(count: int, *, refused_only: bool, as_json: bool) -> None:
    """Prints the newest decisions, one a line."""
    with reading(home_in_use()) as reader:
        decisions = last_decisions(reader, count, refused_only=refused_only)
    if as_json:
        print_json([_document(item, None) for item in decisions])
        return
    listed = table("decisions", "id", "time", "what", "verdict", "because")
    for item in decisions:
        blocking = [f"{layer.name}: {layer.reason}" for layer in item.layers if layer.verdict.blocks]
        listed.add_row(
            item.intent.intent_id[:8],
            when(item.at_ns),
            describe(item),
            verdict_of(approved=item.approved),
            "; ".join(blocking),
        )
    console().print(listed)


def describe(judged: f.IntentJudged) -> str:
    """An intent in a few words."""
    intent = judged.intent
    if isinstance(intent, OpenIntent):
        return f"{intent.direction.value} {intent.instrument} {intent.strategy_ref}"
    return str(intent.__struct_config__.tag)
