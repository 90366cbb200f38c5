"""How an entry is to be cut into child orders: the JSON of it, and what one document may not combine.

What the venue's minimum and the size left by the gate make of it is judged by the gate (`execution`).
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from neuratrade.core.engine.slices import MOST_CHILDREN, SHORTEST_GAP_NS
from neuratrade.core.model.intent import EntryType, Execution, Iceberg, Twap, Vwap
from neuratrade.core.model.market import NS_PER_SECOND
from neuratrade.hands.fields import Count, Positive, Span, Weight


class SingleDocument(BaseModel):
    """Enter with one order."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    type: Literal["single"]


class TwapDocument(BaseModel):
    """Enter in equal slices at equal distances in time; what one does not get goes with the next ones."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    type: Literal["twap"]
    slices: Count = Field(description="How many child orders; fewer where one would be below the minimum.")
    span_seconds: Span = Field(
        description="Seconds from the first slice to the last, at least one from each to the next."
    )


class VwapDocument(BaseModel):
    """Enter in slices at equal distances in time, sized by a profile of volume."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    type: Literal["vwap"]
    profile: list[Weight] = Field(
        min_length=2,
        max_length=MOST_CHILDREN,
        description="Weights, one a slice, in any unit; one of them above 0.",
    )
    span_seconds: Span = Field(
        description="Seconds from the first slice to the last, at least one from each to the next."
    )


class IcebergDocument(BaseModel):
    """Enter by limit orders at the trigger price, one resting at a time."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    type: Literal["iceberg"]
    shown: Positive = Field(description="Quantity of each, at least the venue's minimum.")


ExecutionDocument = SingleDocument | TwapDocument | VwapDocument | IcebergDocument
SINGLE = SingleDocument(type="single")


def execution_of(asked: ExecutionDocument) -> Execution | None:
    """The execution that was asked for; None: one order."""
    match asked:
        case SingleDocument():
            return None
        case TwapDocument():
            return Twap(asked.slices, _ns(asked.span_seconds))
        case VwapDocument():
            return Vwap(tuple(asked.profile), _ns(asked.span_seconds))
        case IcebergDocument():
            return Iceberg(asked.shown)


def entry_rest_s(asked: ExecutionDocument, expiry_s: Decimal | None, ttl_s: Decimal) -> Decimal | None:
    """Seconds the entry may rest: as asked; for slices over a span, left out, until they had their time."""
    if expiry_s is None and isinstance(asked, TwapDocument | VwapDocument):
        return asked.span_seconds + ttl_s
    return expiry_s


def type_faults(asked: ExecutionDocument, kind: EntryType) -> Iterator[str]:
    """What does not go with the order type."""
    if isinstance(asked, IcebergDocument) and kind is not EntryType.LIMIT:
        yield f"execution: an iceberg rests limit orders, not {kind}; send order_type limit"
    elif not isinstance(asked, SingleDocument) and kind is EntryType.STOP:
        yield "execution: a stop entry goes as one order; send order_type market or limit, or no execution"


def time_faults(asked: ExecutionDocument, expiry_s: Decimal | None) -> Iterator[str]:
    """What does not go with how long the entry may rest, or with itself."""
    if not isinstance(asked, TwapDocument | VwapDocument):
        return
    span, least = asked.span_seconds, _slices(asked) - 1
    if _ns(span) // least < SHORTEST_GAP_NS:
        yield f"execution.span_seconds: {span} is less than a second a slice; send at least {least}"
    if expiry_s is not None and expiry_s < span:
        yield f"entry_expiry_s: {expiry_s} ends before the last slice; send at least {span}, or leave it out"
    if isinstance(asked, VwapDocument) and not any(asked.profile):
        yield "execution.profile: all weights are zero; send one above zero"


def _slices(asked: TwapDocument | VwapDocument) -> int:
    return asked.slices if isinstance(asked, TwapDocument) else len(asked.profile)


def _ns(seconds: Decimal) -> int:
    return int(seconds * NS_PER_SECOND)
