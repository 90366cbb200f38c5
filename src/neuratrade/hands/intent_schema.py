"""The JSON contract of an intent: the model the door reads, and the JSON Schema published from it.

Model and schema are one definition, so they cannot drift apart. What JSON Schema cannot say (which side
of the trigger a stop lies on, that fractions add up to at most 1, when a time is stale) is said in the
descriptions and judged by the door. Strings in place of numbers are refused: JSON numbers are read digit
by digit here, so quotes would add a second spelling and no precision.
"""

import json
from collections.abc import Mapping
from decimal import Decimal

from pydantic import BaseModel, ConfigDict, Field

from neuratrade.core.model.intent import EntryType, Lane
from neuratrade.hands.execution_document import SINGLE, ExecutionDocument
from neuratrade.hands.fields import (
    Confidence,
    DirectionChoice,
    EntryTypeChoice,
    EvidenceId,
    Fraction,
    LaneChoice,
    Line,
    MomentNs,
    OptionalDuration,
    OptionalLine,
    OptionalPositive,
    OptionalTrail,
    Positive,
    Tags,
    Ttl,
    Uuid,
)
from neuratrade.hands.strict_json import read_object

DIALECT = "https://json-schema.org/draft/2020-12/schema"
SEE = "`neuratrade intent schema` prints the contract"
MAX_RUNGS = 10
MAX_EVIDENCE = 64

EXAMPLE_JSON = b"""{"intent_id": "6f1c2f0e-5f0a-4c55-9a43-0d6a4f1b7c11", "asset": "SOL/USD",
"direction": "LONG", "trigger_price": 142.50, "take_profit": 148.00, "stop_loss": 139.50, "confidence": 0.85,
"strategy_ref": "rule_4_rsi_divergence", "timestamp": "2026-02-12T19:15:00Z", "ttl_seconds": 15}"""
EXAMPLE: Mapping[str, object] = read_object(EXAMPLE_JSON).fields


class RungDocument(BaseModel):
    """One rung of the take-profit ladder: leave `fraction` of the position at `price`."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    price: Positive = Field(description="Quote currency per unit of base.")
    fraction: Fraction = Field(
        description="Share of the whole position, above 0; all shares together at most 1."
    )


class IntentDocument(BaseModel):
    """A proposal to open one position, protected by a stop. The risk gate judges it; it is never an order."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    intent_id: Uuid = Field(description="Made by the sender, once for each proposal; a repeat is refused.")
    asset: Line = Field(description="What to trade, as the desk lists it, for example BTC/USDT.")
    direction: DirectionChoice = Field(description="Which way to be exposed.")
    trigger_price: Positive = Field(
        description="Limit or stop price of the entry, or the price seen for a market entry. Quote per base."
    )
    take_profit: OptionalPositive = Field(
        default=None,
        description="Target: above the trigger for LONG, below it for SHORT. Required without take_profits; "
        "beside them it takes the share that they leave.",
    )
    stop_loss: Positive = Field(description="Stop: below the trigger for LONG, above it for SHORT.")
    confidence: Confidence = Field(description="How sure the proposer is, a fraction from 0 to 1.")
    strategy_ref: Line = Field(description="Which strategy, rule or agent proposes this.")
    timestamp: MomentNs = Field(
        description="When it was proposed: ISO 8601 with Z or an offset, at most 2 s in the future."
    )
    ttl_seconds: Ttl = Field(
        default=Decimal(15), description="Seconds after timestamp in which it may be taken."
    )
    venue: OptionalLine = Field(default=None, description="Where to trade; the desk's own venue if left out.")
    quantity: OptionalPositive = Field(
        default=None, description="Most to trade, units of base or contracts; the gate sizes, this only caps."
    )
    take_profits: list[RungDocument] = Field(
        default=[],
        max_length=MAX_RUNGS,
        description="A ladder of targets instead of, or before, take_profit.",
    )
    evidence: list[EvidenceId] = Field(
        default=[], max_length=MAX_EVIDENCE, description="Ids of what the proposal rests on."
    )
    lane: LaneChoice = Field(
        default=Lane.TACTICAL, description="The family of strategies whose budget it uses."
    )
    max_hold_s: OptionalDuration = Field(
        default=None, description="Seconds after the first fill at which the position is left."
    )
    trailing_pct: OptionalTrail = Field(
        default=None,
        description="Distance kept behind the best price, a FRACTION of it: 0.015 is 1.5 %. At most 0.2.",
    )
    order_type: EntryTypeChoice = Field(
        default=EntryType.LIMIT, description="limit and stop rest at trigger_price; market goes in at once."
    )
    entry_expiry_s: OptionalDuration = Field(
        default=None, description="Seconds for which the entry may rest unfilled."
    )
    execution: ExecutionDocument = Field(
        default=SINGLE,
        discriminator="type",
        description="How the entry is cut into child orders. Slices are not for order_type stop; an iceberg "
        "needs order_type limit.",
    )
    tags: Tags = Field(
        default={}, description="Free text by name (emotion, session, note), kept with the trade."
    )


def intent_json_schema() -> dict[str, object]:
    """The JSON Schema (2020-12) of what the door accepts.

    Whatever the door admits is valid under it. The converse holds but for what the descriptions say:
    sides, sums, freshness, known instruments, names given twice, numbers of more than 24 digits.
    """
    schema = IntentDocument.model_json_schema()
    for described in (schema, *schema["$defs"].values()):
        for name, field in described["properties"].items():
            field.pop("title", None)
            field.pop("discriminator", None)
            if field.get("default", "") is None:
                del field["default"]
            elif name == "ttl_seconds":
                field["default"] = 15
    return {
        "$schema": DIALECT,
        **schema,
        "title": "NeuraTrade intent",
        "anyOf": [
            {"required": ["take_profit"]},
            {"required": ["take_profits"], "properties": {"take_profits": {"minItems": 1}}},
        ],
        "examples": [json.loads(EXAMPLE_JSON)],
    }
