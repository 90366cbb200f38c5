"""How a layer is written: a pure function from one case to one report.

Layers never know of each other. A yes-or-no layer answers for the proposal as it is; a size layer says
how much of the size before it may stay, and leaves the refusal of nothing to the last one.
"""

from collections.abc import Callable
from decimal import Context, Decimal
from functools import lru_cache

import msgspec

from neuratrade.core.model.approval import LayerReport, Verdict
from neuratrade.core.risk.case import Case

Check = Callable[[Case], LayerReport]
SizeCap = Callable[[Case], "Cap"]
SizeScale = Callable[[Case], "Scale"]
Show = Callable[[Decimal | int], str]

# Bound here because reading a member from its enum costs as much as a division, and every report names one.
APPROVE, RESIZE, REFUSE = Verdict.APPROVE, Verdict.RESIZE, Verdict.REFUSE

_EIGHT_DIGITS = Context(prec=8).normalize
_PLAIN_EXPONENT = 15
_NANO = Decimal("1e-9")


class Cap(msgspec.Struct, frozen=True, gc=False):
    """The largest quantity a size layer allows; None quantity = it could not be computed."""

    quantity: Decimal | None
    reason: str
    observed: str
    limit: str


class Scale(msgspec.Struct, frozen=True, gc=False):
    """The share of the size that may stay, 0..1; None factor = `observed`, which it needs, is not known."""

    factor: Decimal | None
    observed: str
    limit: str


def text(value: Decimal | int | None) -> str:
    """A number for people: at most eight significant digits, an exponent only where huge or tiny.

    `unknown` for None.
    """
    if type(value) is not Decimal:
        return "unknown" if value is None else str(value)
    short = _EIGHT_DIGITS(value)
    shown = str(short)
    # Most numbers read well as they are: only one with an exponent is worth the slower formatting.
    return format(short, "f") if "E" in shown and abs(short.adjusted()) <= _PLAIN_EXPONENT else shown


def seconds(value_ns: Decimal | int) -> str:
    """A span for people, from nanoseconds."""
    shown = str(_EIGHT_DIGITS(value_ns * _NANO))
    return f"{shown} s" if "E" not in shown else f"{text(value_ns * _NANO)} s"


@lru_cache(maxsize=1024, typed=True)
def limit_text(limit: Decimal | int, show: Show = text) -> str:
    """The text of a limit, remembered: the same few are shown at every judgement."""
    return show(limit + 0)  # -0 is the same key as 0: which of them came first must not be seen in a journal


def approve(name: str, observed: str, limit: str) -> LayerReport:
    """The layer has no objection."""
    return LayerReport(name, APPROVE, "", observed, limit)


def refuse(name: str, reason: str, observed: str, limit: str) -> LayerReport:
    """The layer keeps the proposal out, for this reason."""
    return LayerReport(name, REFUSE, reason, observed, limit)


def missing(name: str, what: str, limit: str) -> LayerReport:
    """The layer cannot say: `what` is not known, so no new exposure."""
    return LayerReport(name, Verdict.NOT_EVALUATED, f"{what} is not known", "unknown", limit)


def at_most(
    name: str, observed: Decimal | int, limit: Decimal | int, reason: str, show: Show = text
) -> LayerReport:
    """Approves while `observed` is not above `limit`."""
    if observed <= limit:
        return LayerReport(name, APPROVE, "", show(observed), limit_text(limit, show))
    return LayerReport(name, REFUSE, reason, show(observed), limit_text(limit, show))


def below(
    name: str, observed: Decimal | int, limit: Decimal | int, reason: str, show: Show = text
) -> LayerReport:
    """Approves while `observed` is under `limit`."""
    if observed < limit:
        return LayerReport(name, APPROVE, "", show(observed), limit_text(limit, show))
    return LayerReport(name, REFUSE, reason, show(observed), limit_text(limit, show))


@lru_cache(maxsize=1024)
def few(name: str, observed: int, limit: int, reason: str) -> LayerReport:
    """`below` for small counts, remembered: the same few are seen at every judgement."""
    return below(name, observed, limit, reason)


def at_least(
    name: str, observed: Decimal | int, limit: Decimal | int, reason: str, show: Show = text
) -> LayerReport:
    """Approves while `observed` is not under `limit`."""
    if observed >= limit:
        return LayerReport(name, APPROVE, "", show(observed), limit_text(limit, show))
    return LayerReport(name, REFUSE, reason, show(observed), limit_text(limit, show))
