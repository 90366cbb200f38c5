"""Events: everything the engine may be stepped with. Time is a field of them, never a call."""

from decimal import Decimal

import msgspec

from neuratrade.core.model.decimals import ZERO
from neuratrade.core.model.facts import (
    CashMoved,
    CorporateActed,
    DoorRefused,
    InstrumentUpdated,
    KillPolicy,
    Liquidated,
    PauseProposed,
    RunEnded,
    RunStarted,
    SessionMoved,
    TimerFired,
    VenueEvent,
)
from neuratrade.core.model.intent import Intent
from neuratrade.core.model.market import Bar, Book, Quote, Trade
from neuratrade.core.model.orders import Fill, Side


class BarSeen(msgspec.Struct, frozen=True, gc=False):
    """All that is known of a span is this bar: watched levels are held against its range."""

    bar: Bar
    at_ns: int


class BarClosed(msgspec.Struct, frozen=True, gc=False):
    """A bar is complete: indicators move on and strategies may speak."""

    bar: Bar
    at_ns: int
    warm_up: bool = False


class ClockTick(msgspec.Struct, frozen=True, gc=False):
    """Time passed (a second, or a slice of bars): marks, governors and the day roll are due."""

    at_ns: int


class IntentArrived(msgspec.Struct, frozen=True):
    """An intent came through the door, which stamped `at_ns`."""

    intent: Intent
    at_ns: int


class Halt(msgspec.Struct, frozen=True):
    """A person, a program or the HALT file stops the desk."""

    at_ns: int
    operator_id: str
    reason: str
    policy: KillPolicy = KillPolicy.CANCEL_ENTRIES


class Resume(msgspec.Struct, frozen=True):
    """A person lets the desk trade again. Peaks are kept."""

    at_ns: int
    operator_id: str
    reason: str


class SetLimit(msgspec.Struct, frozen=True):
    """A person changes a default limit. Ceilings cannot be changed."""

    at_ns: int
    operator_id: str
    name: str
    value: str
    reason: str


class FeedStalled(msgspec.Struct, frozen=True):
    """A stream that should speak is silent (stalled) or speaks again."""

    at_ns: int
    instrument: str
    stalled: bool


class AdoptForeign(msgspec.Struct, frozen=True):
    """A person gives a foreign holding into the desk's care, with the stop that is to guard it."""

    at_ns: int
    operator_id: str
    account_id: str
    instrument: str
    stop_price: Decimal
    reason: str


class LiftQuarantine(msgspec.Struct, frozen=True):
    """A person settled a quarantined thing at the venue."""

    at_ns: int
    operator_id: str
    account_id: str
    reference: str
    reason: str


class MarkSeen(msgspec.Struct, frozen=True, gc=False):
    """A venue's own mark price of a derivative, quote currency per unit."""

    instrument: str
    at_ns: int
    price: Decimal


class RateSeen(msgspec.Struct, frozen=True, gc=False):
    """What one unit of a currency is worth in `into`; source names who says so."""

    currency: str
    into: str
    at_ns: int
    rate: Decimal
    source: str


class VenueHealth(msgspec.Struct, frozen=True, gc=False):
    """A venue answers badly (degraded) or well again: while degraded, sizes are halved."""

    venue: str
    at_ns: int
    degraded: bool


class ConnectionChanged(msgspec.Struct, frozen=True, gc=False):
    """The private stream of an account was lost, or is there again: nothing is replayed, so it is asked."""

    account_id: str
    at_ns: int
    connected: bool


class VenueOrder(msgspec.Struct, frozen=True):
    """One order as the venue lists it. filled: cumulative. client_order_id: empty where it knows none."""

    client_order_id: str
    venue_order_id: str
    instrument: str
    side: Side
    quantity: Decimal
    filled: Decimal = ZERO
    stop_price: Decimal | None = None


class VenueSnapshot(msgspec.Struct, frozen=True):
    """What a venue says an account has: the reconciler's only evidence.

    asked_ns: when it was asked for, so what happened since may be missing. plain, conditional: open orders
    of the two lists venues keep apart, a stop that was reached among the plain ones; None where a list
    could not be had, which proves nothing. positions:
    signed units by instrument key. balances: by currency; None where not asked. fills: recent executions as
    they stand now, a busted one with quantity zero. liquidations: those of them that the venue made itself.
    costs: what each derivative position was entered at, by instrument key: signed units times the venue's
    average price times the multiplier, quote currency; None where the venue does not say.
    """

    at_ns: int
    account_id: str
    asked_ns: int
    plain: tuple[VenueOrder, ...] | None
    conditional: tuple[VenueOrder, ...] | None
    positions: dict[str, Decimal] | None
    balances: dict[str, Decimal] | None = None
    fills: tuple[Fill, ...] = ()
    liquidations: tuple[Fill, ...] = ()
    costs: dict[str, Decimal] | None = None


MarketEvent = Quote | Trade | Book | BarSeen | BarClosed | MarkSeen | RateSeen
OperatorEvent = Halt | Resume | SetLimit | AdoptForeign | LiftQuarantine
AccountEvent = CashMoved | CorporateActed | InstrumentUpdated | SessionMoved | Liquidated
Event = (
    MarketEvent
    | VenueEvent
    | ClockTick
    | IntentArrived
    | OperatorEvent
    | AccountEvent
    | TimerFired
    | FeedStalled
    | VenueHealth
    | ConnectionChanged
    | VenueSnapshot
    | RunStarted
    | RunEnded
    | DoorRefused
    | PauseProposed
)
