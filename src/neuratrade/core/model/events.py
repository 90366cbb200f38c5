"""Events: everything the engine may be stepped with. Time is a field of them, never a call."""

from decimal import Decimal

import msgspec

from neuratrade.core.model.decimals import ZERO
from neuratrade.core.model.facts import (
    CashMoved,
    DoorRefused,
    KillPolicy,
    RunEnded,
    RunStarted,
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
    of the two lists venues keep apart; None where a list could not be had, which proves nothing. positions:
    signed units by instrument key. balances: by currency; None where not asked. fills: recent executions.
    """

    at_ns: int
    account_id: str
    asked_ns: int
    plain: tuple[VenueOrder, ...] | None
    conditional: tuple[VenueOrder, ...] | None
    positions: dict[str, Decimal] | None
    balances: dict[str, Decimal] | None = None
    fills: tuple[Fill, ...] = ()


MarketEvent = Quote | Trade | Book | BarSeen | BarClosed
OperatorEvent = Halt | Resume | SetLimit
Event = (
    MarketEvent
    | VenueEvent
    | ClockTick
    | IntentArrived
    | OperatorEvent
    | TimerFired
    | FeedStalled
    | ConnectionChanged
    | VenueSnapshot
    | CashMoved
    | RunStarted
    | RunEnded
    | DoorRefused
)
