"""Intents: what strategies, agents, people and programs propose. An intent is never an order.

The kinds are a closed union, and so is protection: a proposal to open that names no way to be protected
cannot be expressed.
"""

from decimal import Decimal
from enum import StrEnum

import msgspec

from neuratrade.core.model.decimals import ONE
from neuratrade.core.model.market import NS_PER_SECOND


class Direction(StrEnum):
    """Which way an OPEN wants to be exposed."""

    LONG = "LONG"
    SHORT = "SHORT"

    @property
    def sign(self) -> int:
        """+1 for long, -1 for short."""
        return 1 if self is Direction.LONG else -1


class EntryType(StrEnum):
    """How an OPEN wants to get in: at once, at `trigger_price` or better, or when it trades there."""

    MARKET = "market"
    LIMIT = "limit"
    STOP = "stop"


class Lane(StrEnum):
    """A family of strategies with its own budget and counters."""

    SCALP = "scalp"
    ARBITRAGE = "arbitrage"
    PREDICTION = "prediction"
    MOMENTUM = "momentum"
    MEAN_REVERSION = "mean_reversion"
    TACTICAL = "tactical"


class Stop(msgspec.Struct, frozen=True, tag="stop"):
    """Protection by a stop order. trail_fraction: distance kept behind the best price, as a fraction."""

    price: Decimal
    trail_fraction: Decimal | None = None


class DefinedRisk(msgspec.Struct, frozen=True, tag="defined_risk"):
    """Protection by construction: all that can be lost is the premium (binary outcomes, long options)."""

    max_loss: Decimal


class Hedged(msgspec.Struct, frozen=True, tag="hedged"):
    """Protection by another leg, with the plan to unwind and the loss at which it is carried out."""

    other_leg: str
    unwind_plan: str
    loss_cap: Decimal


Protection = Stop | DefinedRisk | Hedged


class TakeProfit(msgspec.Struct, frozen=True):
    """One rung of the take-profit ladder: leave `fraction` of the position at `price`."""

    price: Decimal
    fraction: Decimal = ONE


class Twap(msgspec.Struct, frozen=True, tag="twap"):
    """Enter in equal slices at equal distances in time. span_ns: from the first slice to the last."""

    slices: int
    span_ns: int


class Vwap(msgspec.Struct, frozen=True, tag="vwap"):
    """Enter in slices at equal distances in time, sized by a volume profile (weights, one a slice)."""

    profile: tuple[Decimal, ...]
    span_ns: int


class Iceberg(msgspec.Struct, frozen=True, tag="iceberg"):
    """Enter by resting limit orders of which the market sees one at a time. shown: quantity of each."""

    shown: Decimal


Execution = Twap | Vwap | Iceberg


class OpenIntent(msgspec.Struct, frozen=True, tag="open", gc=False):
    """A proposal to open a position in one instrument.

    instrument: key `ASSET@venue`. trigger_price: limit or stop price of the entry, and the price the
    proposer saw for a market entry. confidence: 0..1. created_ns: when the proposer made it, UTC.
    ttl_ns: how long it may be accepted. entry_expiry_ns: how long the entry may rest; None = until the
    hold time ends. max_hold_ns: time exit after the first fill. quantity: an upper bound, never a demand.
    execution: how the entry is cut into child orders; None = one order.
    """

    intent_id: str
    account_id: str
    operator_id: str
    instrument: str
    direction: Direction
    trigger_price: Decimal
    protection: Protection
    take_profits: tuple[TakeProfit, ...]
    confidence: Decimal
    strategy_ref: str
    created_ns: int
    ttl_ns: int = 15 * NS_PER_SECOND
    order_type: EntryType = EntryType.LIMIT
    lane: Lane = Lane.TACTICAL
    quantity: Decimal | None = None
    entry_expiry_ns: int | None = None
    max_hold_ns: int | None = None
    evidence: tuple[str, ...] = ()
    tags: dict[str, str] = {}
    source: str = "strategy"
    execution: Execution | None = None

    @property
    def stop_price(self) -> Decimal | None:
        """The stop's price where protection is a stop."""
        return self.protection.price if isinstance(self.protection, Stop) else None


class ReduceIntent(msgspec.Struct, frozen=True, tag="reduce"):
    """A proposal to leave a part of a bracket's position. fraction: of what is open, above 0, at most 1."""

    intent_id: str
    account_id: str
    operator_id: str
    bracket_id: str
    fraction: Decimal
    reason: str
    created_ns: int
    source: str = "operator"


class CloseIntent(msgspec.Struct, frozen=True, tag="close"):
    """A proposal to leave a bracket's position whole and cancel what rests for it."""

    intent_id: str
    account_id: str
    operator_id: str
    bracket_id: str
    reason: str
    created_ns: int
    source: str = "operator"


class CancelIntent(msgspec.Struct, frozen=True, tag="cancel"):
    """A proposal to cancel a bracket's resting entry; what was filled stays protected."""

    intent_id: str
    account_id: str
    operator_id: str
    bracket_id: str
    reason: str
    created_ns: int
    source: str = "operator"


class AmendIntent(msgspec.Struct, frozen=True, tag="amend"):
    """A proposal to move a bracket's stop towards less risk."""

    intent_id: str
    account_id: str
    operator_id: str
    bracket_id: str
    stop_price: Decimal
    created_ns: int
    source: str = "operator"


class BasketIntent(msgspec.Struct, frozen=True, tag="basket"):
    """A proposal of n legs that stand or fall together, with the loss cap fixed before posting."""

    intent_id: str
    account_id: str
    operator_id: str
    legs: tuple[OpenIntent, ...]
    loss_cap: Decimal
    created_ns: int
    source: str = "operator"


Intent = OpenIntent | ReduceIntent | CloseIntent | CancelIntent | AmendIntent | BasketIntent
