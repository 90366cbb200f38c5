"""Facts: everything that changes durable state. The journal holds nothing else, and state is their fold.

Each has `at_ns`, engine time. Venue events are facts as they come; decisions, triggers, marks and acts
of people become facts the moment they are made, before any effect leaves the process.
"""

from decimal import Decimal
from enum import StrEnum

import msgspec

from neuratrade.core.model.account import Account
from neuratrade.core.model.approval import Envelope, LayerReport
from neuratrade.core.model.decimals import ZERO
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.intent import Intent
from neuratrade.core.model.orders import Fill, OrderRequest


class CloseReason(StrEnum):
    """Why a bracket ended."""

    TP = "TP"
    SL = "SL"
    TRAIL = "TRAIL"
    TIME = "TIME"
    KILL = "KILL"
    LIQUIDATED = "LIQUIDATED"
    MANUAL = "MANUAL"
    NO_ENTRY = "NO_ENTRY"


class TradingState(StrEnum):
    """RUNNING: all; REDUCING: no new exposure; HALTED: no new exposure and entries are cancelled."""

    RUNNING = "RUNNING"
    REDUCING = "REDUCING"
    HALTED = "HALTED"


class KillPolicy(StrEnum):
    """What a halt does with what is open."""

    CANCEL_ENTRIES = "cancel_entries"
    CLOSE_PERPS = "close_perps"
    FLATTEN_ALL = "flatten_all"


class MarketSeen(msgspec.Struct, frozen=True):
    """The market values a decision saw; None where they were not known."""

    price: Decimal | None = None
    bid: Decimal | None = None
    ask: Decimal | None = None
    price_age_ns: int | None = None
    atr: Decimal | None = None
    volume_24h: Decimal | None = None
    regime: str = ""
    equity: Decimal | None = None


class RunStarted(msgspec.Struct, frozen=True, tag="run_started"):
    """A desk began. fresh: the paper account and its counters start over (operator latches stay).

    instruments and limits: as configured for this run, so that the fold needs nothing but the journal.
    config: what a repeat of the run needs (data, strategies, venue costs) as text.
    """

    at_ns: int
    run_id: str
    mode: str
    account: Account
    cash: Decimal
    source: str
    fresh: bool
    instruments: tuple[Instrument, ...]
    limits: dict[str, str]
    config: dict[str, str]
    key_id: str
    public_key: str
    version: str


class RunEnded(msgspec.Struct, frozen=True, tag="run_ended"):
    """A desk ended in order. finished: its source of market data came to its end."""

    at_ns: int
    run_id: str
    reason: str
    finished: bool


class DoorRefused(msgspec.Struct, frozen=True, tag="door_refused"):
    """Something came to the door that was no valid intent."""

    at_ns: int
    source: str
    name: str
    errors: tuple[str, ...]


class IntentJudged(msgspec.Struct, frozen=True, tag="intent_judged"):
    """The gate's whole answer to one intent. quantity: what was approved, zero when refused."""

    at_ns: int
    intent: Intent
    approved: bool
    quantity: Decimal
    layers: tuple[LayerReport, ...]
    seen: MarketSeen
    envelope: Envelope | None = None


class OrderPlanned(msgspec.Struct, frozen=True, tag="order_planned"):
    """An approved order is about to be sent."""

    at_ns: int
    request: OrderRequest


class CancelPlanned(msgspec.Struct, frozen=True, tag="cancel_planned"):
    """A cancel is about to be sent."""

    at_ns: int
    client_order_id: str
    reason: str


class AmendPlanned(msgspec.Struct, frozen=True, tag="amend_planned"):
    """A stop is about to be moved or resized at the venue."""

    at_ns: int
    client_order_id: str
    quantity: Decimal
    stop_price: Decimal
    reason: str


class OrderAccepted(msgspec.Struct, frozen=True, tag="order_accepted"):
    """The venue has the order working."""

    at_ns: int
    client_order_id: str
    venue_order_id: str


class OrderRejected(msgspec.Struct, frozen=True, tag="order_rejected"):
    """The venue definitely did not take the order."""

    at_ns: int
    client_order_id: str
    reason: str


class OrderFilled(msgspec.Struct, frozen=True, tag="order_filled"):
    """An execution."""

    at_ns: int
    fill: Fill


class OrderCancelled(msgspec.Struct, frozen=True, tag="order_cancelled"):
    """The venue proved that the rest of the order is gone."""

    at_ns: int
    client_order_id: str
    reason: str = ""


class OrderExpired(msgspec.Struct, frozen=True, tag="order_expired"):
    """The order's time in force ended at the venue."""

    at_ns: int
    client_order_id: str


class OrderAmended(msgspec.Struct, frozen=True, tag="order_amended"):
    """The venue works the order with these new terms."""

    at_ns: int
    client_order_id: str
    quantity: Decimal
    stop_price: Decimal


class RequestRejected(msgspec.Struct, frozen=True, tag="request_rejected"):
    """The venue refused a cancel or an amend; the order stays as it was."""

    at_ns: int
    client_order_id: str
    reason: str


class OrderUnknown(msgspec.Struct, frozen=True, tag="order_unknown"):
    """The fate of an order is unknown: it is looked up by its client id, never resent."""

    at_ns: int
    client_order_id: str
    reason: str


class OrderNotFound(msgspec.Struct, frozen=True, tag="order_not_found"):
    """A look-up proved that the venue never took the order."""

    at_ns: int
    client_order_id: str


class TriggerFired(msgspec.Struct, frozen=True, tag="trigger_fired"):
    """A watched level or time was reached: the bracket leaves `quantity` for `reason`."""

    at_ns: int
    bracket_id: str
    reason: CloseReason
    level: Decimal
    seen: Decimal
    quantity: Decimal


class ExitEnded(msgspec.Struct, frozen=True, tag="exit_ended"):
    """A way out ended while something is still held: guarded again. complete: all it wanted was filled."""

    at_ns: int
    bracket_id: str
    complete: bool


class TrailMoved(msgspec.Struct, frozen=True, tag="trail_moved"):
    """The trailing stop follows the best price seen."""

    at_ns: int
    bracket_id: str
    stop_price: Decimal
    seen: Decimal


class StopMoved(msgspec.Struct, frozen=True, tag="stop_moved"):
    """A person or program moved a bracket's stop towards less risk."""

    at_ns: int
    bracket_id: str
    stop_price: Decimal
    operator_id: str


class ProtectionChanged(msgspec.Struct, frozen=True, tag="protection_changed"):
    """A bracket's filled quantity became wholly protected by a working stop, or ceased to be."""

    at_ns: int
    bracket_id: str
    protected: bool


class BracketClosed(msgspec.Struct, frozen=True, tag="bracket_closed"):
    """A bracket ended. pnl: net of fees, reporting currency. entered: quantity that was ever filled."""

    at_ns: int
    bracket_id: str
    reason: CloseReason
    entered: Decimal
    entry_price: Decimal
    exit_price: Decimal
    fees: Decimal
    pnl: Decimal
    opened_ns: int
    unprotected_ms: int
    account_id: str
    lane: str


class TimerSet(msgspec.Struct, frozen=True, tag="timer_set"):
    """Something is to be looked at again at `due_ns`."""

    at_ns: int
    timer_id: str
    due_ns: int


class TimerFired(msgspec.Struct, frozen=True, tag="timer_fired"):
    """A timer came due."""

    at_ns: int
    timer_id: str


class Marked(msgspec.Struct, frozen=True, tag="marked"):
    """Equity at the marks seen, reporting currency."""

    at_ns: int
    account_id: str
    equity: Decimal
    prices: dict[str, Decimal]


class DayRolled(msgspec.Struct, frozen=True, tag="day_rolled"):
    """A trading day began. day: days since 1970-01-01 in the desk's trading zone."""

    at_ns: int
    account_id: str
    day: int
    equity: Decimal


class TradingStateMoved(msgspec.Struct, frozen=True, tag="trading_state_moved"):
    """A governor or a person changed what is allowed. latched: only a person can lift it."""

    at_ns: int
    state: TradingState
    governor: str
    reason: str
    observed: str
    limit: str
    latched: bool


class OperatorActed(msgspec.Struct, frozen=True, tag="operator_acted"):
    """A person (or a program with a person's right) did something, with the reason given."""

    at_ns: int
    operator_id: str
    action: str
    reason: str
    policy: KillPolicy | None = None


class LimitChanged(msgspec.Struct, frozen=True, tag="limit_changed"):
    """A default limit was changed by a person, with a reason."""

    at_ns: int
    operator_id: str
    name: str
    value: str
    reason: str


class CashMoved(msgspec.Struct, frozen=True, tag="cash_moved"):
    """Deposit, withdrawal, funding, borrow or correction. kind says which; transfers shift peaks."""

    at_ns: int
    account_id: str
    currency: str
    amount: Decimal = ZERO
    kind: str = "deposit"


VenueEvent = (
    OrderAccepted
    | OrderRejected
    | OrderFilled
    | OrderCancelled
    | OrderExpired
    | OrderAmended
    | RequestRejected
    | OrderUnknown
    | OrderNotFound
)

Fact = (
    VenueEvent
    | RunStarted
    | RunEnded
    | DoorRefused
    | IntentJudged
    | OrderPlanned
    | CancelPlanned
    | AmendPlanned
    | TriggerFired
    | ExitEnded
    | TrailMoved
    | StopMoved
    | ProtectionChanged
    | BracketClosed
    | TimerSet
    | TimerFired
    | Marked
    | DayRolled
    | TradingStateMoved
    | OperatorActed
    | LimitChanged
    | CashMoved
)

_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[Fact] = msgspec.json.Decoder(Fact)


def encode_fact(fact: Fact) -> bytes:
    """Canonical JSON of a fact, with its kind under `type`; decimals as strings."""
    return _encoder.encode(fact)


def decode_fact(payload: bytes | str) -> Fact:
    """The fact of a journal row. Raises msgspec.ValidationError naming the field that does not fit."""
    return _decoder.decode(payload)


def kind_of(fact: Fact) -> str:
    """The tag a fact is stored under, for example `order_filled`."""
    return str(fact.__struct_config__.tag)
