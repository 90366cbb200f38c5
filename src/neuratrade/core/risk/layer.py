"""How a layer is written: a pure function from one intent and one view to one report.

Layers never know of each other. A yes-or-no layer answers for the proposal as it is; a size layer says
how much of the size before it may stay, and leaves the refusal of nothing to the last one.
"""

from collections.abc import Callable
from decimal import Context, Decimal
from functools import lru_cache
from typing import NamedTuple

from neuratrade.core.model.approval import LayerReport, Verdict
from neuratrade.core.model.intent import OpenIntent
from neuratrade.core.model.market import NS_PER_SECOND
from neuratrade.core.risk.limits import Limits
from neuratrade.core.risk.view import GateView

Check = Callable[[OpenIntent, GateView, Limits], LayerReport]
SizeCap = Callable[[OpenIntent, GateView, Limits], "Cap"]
Show = Callable[[Decimal | int], str]

_EIGHT_DIGITS = Context(prec=8)
_PLAIN_EXPONENT = 15


class Cap(NamedTuple):
    """The largest quantity a size layer allows; None quantity = it could not be computed."""

    quantity: Decimal | None
    reason: str
    observed: str
    limit: str


@lru_cache(maxsize=1024)  # Half of all texts are limits, the same ones at each judgement.
def text(value: Decimal | int | None) -> str:
    """A number for people: at most eight significant digits, an exponent only where huge or tiny.

    `unknown` for None.
    """
    if value is None:
        return "unknown"
    if isinstance(value, int):
        return str(value)
    short = value.normalize(_EIGHT_DIGITS)
    return format(short, "f") if abs(short.adjusted()) <= _PLAIN_EXPONENT else str(short)


@lru_cache(maxsize=256)
def seconds(value_ns: Decimal | int) -> str:
    """A span for people, from nanoseconds."""
    return f"{text(Decimal(value_ns) / NS_PER_SECOND)} s"


def approve(name: str, observed: str, limit: str) -> LayerReport:
    """The layer has no objection."""
    return LayerReport(name, Verdict.APPROVE, "", observed, limit)


def refuse(name: str, reason: str, observed: str, limit: str) -> LayerReport:
    """The layer keeps the proposal out, for this reason."""
    return LayerReport(name, Verdict.REFUSE, reason, observed, limit)


def missing(name: str, what: str, limit: str) -> LayerReport:
    """The layer cannot say: `what` is not known, so no new exposure."""
    return LayerReport(name, Verdict.NOT_EVALUATED, f"{what} is not known", "unknown", limit)


def at_most(
    name: str, observed: Decimal | int, limit: Decimal | int, reason: str, show: Show = text
) -> LayerReport:
    """Approves while `observed` is not above `limit`."""
    if observed <= limit:
        return approve(name, show(observed), show(limit))
    return refuse(name, reason, show(observed), show(limit))


def below(
    name: str, observed: Decimal | int, limit: Decimal | int, reason: str, show: Show = text
) -> LayerReport:
    """Approves while `observed` is under `limit`."""
    if observed < limit:
        return approve(name, show(observed), show(limit))
    return refuse(name, reason, show(observed), show(limit))


def at_least(
    name: str, observed: Decimal | int, limit: Decimal | int, reason: str, show: Show = text
) -> LayerReport:
    """Approves while `observed` is not under `limit`."""
    if observed >= limit:
        return approve(name, show(observed), show(limit))
    return refuse(name, reason, show(observed), show(limit))
