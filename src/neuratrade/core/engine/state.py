"""Durable state: what must survive a crash. It changes only by facts, in `fold`.

Structs here are mutable for speed, but nothing outside `fold` may change them. Two states are equal when
their canonical bytes are equal; that is how a replay is held to the live run.
"""

import hashlib
from decimal import Decimal
from enum import StrEnum
from functools import cache

import msgspec

from neuratrade.core.model.account import Account, Position
from neuratrade.core.model.approval import Envelope
from neuratrade.core.model.decimals import ZERO
from neuratrade.core.model.facts import CloseReason, TradingState
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.intent import Lane, OpenIntent
from neuratrade.core.model.orders import OrderRequest, OrderStatus
from neuratrade.core.risk.limits import DEFAULTS, Limits


class OrderState(msgspec.Struct):
    """One order in our books. quantity and stop_price follow amendments."""

    request: OrderRequest
    quantity: Decimal
    stop_price: Decimal | None
    planned_ns: int
    status: OrderStatus = OrderStatus.PLANNED
    filled: Decimal = ZERO
    venue_order_id: str = ""
    asked: str = ""
    trade_ids: list[str] = []

    @property
    def is_live(self) -> bool:
        """Whether the venue may still fill it."""
        return not self.status.is_final

    @property
    def remaining(self) -> Decimal:
        """Quantity that may still be filled."""
        return self.quantity - self.filled


class BracketPhase(StrEnum):
    """ENTERING: nothing filled. OPEN: filled and guarded. EXITING: on the way out."""

    ENTERING = "entering"
    OPEN = "open"
    EXITING = "exiting"


class BracketState(msgspec.Struct):
    """Entry, stop and targets of one intent as one machine.

    entered, exited: quantities filled. base_fees: fees paid in base, so not held. stop_price: the level
    now guarded. best_price: furthest favourable price (trailing). exit_*: the way out under way.
    """

    intent: OpenIntent
    envelope: Envelope
    quantity: Decimal
    stop_price: Decimal
    phase: BracketPhase = BracketPhase.ENTERING
    entry_used: Decimal = ZERO
    entered: Decimal = ZERO
    entry_value: Decimal = ZERO
    exited: Decimal = ZERO
    exit_value: Decimal = ZERO
    fees: Decimal = ZERO
    base_fees: Decimal = ZERO
    best_price: Decimal | None = None
    trailed: bool = False
    rungs_done: int = 0
    exit_reason: CloseReason | None = None
    exit_quantity: Decimal = ZERO
    exit_level: Decimal = ZERO
    entry_order: str | None = None
    stop_order: str | None = None
    exit_order: str | None = None
    legs: int = 0
    stop_rejects: int = 0
    protected: bool = True
    unprotected_since_ns: int = 0
    unprotected_ns: int = 0
    opened_ns: int = 0
    last_exit_reason: CloseReason | None = None

    @property
    def bracket_id(self) -> str:
        """The intent's id names its bracket."""
        return self.intent.intent_id

    @property
    def held(self) -> Decimal:
        """Quantity held now, never negative, fees in base taken off."""
        return self.entered - self.base_fees - self.exited

    @property
    def held_signed(self) -> Decimal:
        """`held` with the sign of the direction."""
        return self.held * self.intent.direction.sign

    @property
    def entry_price(self) -> Decimal:
        """Average price of what was entered, zero before the first fill."""
        return self.entry_value / self.entered if self.entered else ZERO


class LaneState(msgspec.Struct):
    """Losses in a row of one lane in this session."""

    session_losses: int = 0
    last_loss_ns: int | None = None


class AccountState(msgspec.Struct):
    """Money, holdings and counters of one account. balances: amount by currency.

    hour_peaks: best equity by hour number, of the last 24 hours. losses: in a row, across sessions and lanes.
    opened_today: positions opened this trading day, by lane.
    """

    account: Account
    balances: dict[str, Decimal]
    positions: dict[str, Position] = {}
    equity: Decimal = ZERO
    marked_ns: int = 0
    day: int = -1
    day_start_equity: Decimal = ZERO
    session_peak: Decimal = ZERO
    hour_peaks: list[tuple[int, Decimal]] = []
    opened_today: dict[str, int] = {}
    lanes: dict[str, LaneState] = {}
    losses: int = 0
    max_drawdown: Decimal = ZERO
    peak: Decimal = ZERO

    @property
    def peak_24h(self) -> Decimal:
        """Best equity of the last 24 hours."""
        return max([peak for _, peak in self.hour_peaks], default=self.equity)

    def counted_today(self, lane: Lane) -> int:
        """Positions opened today that count against a lane: scalps against scalps, all others together."""
        scalps = self.opened_today.get(Lane.SCALP.value, 0)
        return scalps if lane is Lane.SCALP else sum(self.opened_today.values()) - scalps


class Outcomes(msgspec.Struct):
    """How often a strategy's closed brackets won."""

    closed: int = 0
    won: int = 0


class Counts(msgspec.Struct):
    """Totals since the run began afresh."""

    intents: int = 0
    approved: int = 0
    refused: int = 0
    trades: int = 0
    wins: int = 0
    pnl: Decimal = ZERO
    fees: Decimal = ZERO
    unprotected_ms_max: int = 0
    refused_by: dict[str, int] = {}
    closed_by: dict[str, int] = {}


class DeskState(msgspec.Struct):
    """Everything durable about a desk. keys: public keys (hex) by key id, of this run and earlier ones."""

    run_id: str = ""
    mode: str = ""
    now_ns: int = 0
    accounts: dict[str, AccountState] = {}
    instruments: dict[str, Instrument] = {}
    limits: Limits = DEFAULTS
    orders: dict[str, OrderState] = {}
    brackets: dict[str, BracketState] = {}
    seen: set[str] = set()
    timers: dict[str, int] = {}
    trading_state: TradingState = TradingState.RUNNING
    governor: str = ""
    state_reason: str = ""
    latched: bool = False
    finished: bool = False
    keys: dict[str, str] = {}
    outcomes: dict[str, Outcomes] = {}
    counts: Counts = msgspec.field(default_factory=Counts)

    @property
    def next_timer_ns(self) -> int | None:
        """When the earliest timer is due, or None."""
        return min(self.timers.values(), default=None)


_encoder = msgspec.json.Encoder(order="deterministic")
_decoder = msgspec.json.Decoder(DeskState)


def state_bytes(state: DeskState) -> bytes:
    """Canonical bytes of a state: equal states, equal bytes."""
    return _encoder.encode(state)


def state_from(payload: bytes) -> DeskState:
    """A state from its canonical bytes. Raises msgspec.ValidationError when they do not fit."""
    return _decoder.decode(payload)


def snapshot_of(state: DeskState) -> bytes:
    """A state to be read back by a program whose states have the same form."""
    return _form() + state_bytes(state)


def state_of_snapshot(payload: bytes) -> DeskState | None:
    """The state in a snapshot; None where its form is another's, so that nothing is half understood."""
    form = _form()
    if not payload.startswith(form):
        return None
    try:
        return state_from(payload.removeprefix(form))
    except msgspec.DecodeError:
        return None


@cache
def _form() -> bytes:
    """Names the fields and types that make a state: two programs that differ in them differ here."""
    schema = msgspec.json.encode(msgspec.json.schema(DeskState), order="deterministic")
    return hashlib.sha256(schema).hexdigest().encode() + b"\n"
