"""Durable state: what must survive a crash. It changes only by facts, in `fold`.

Structs here are mutable for speed, but nothing outside `fold` may change them. Two states are equal when
their canonical bytes are equal; that is how a replay is held to the live run.
"""

import hashlib
from decimal import Decimal
from enum import StrEnum
from functools import cache, lru_cache

import msgspec

from neuratrade.core.model.account import Account, Position, PositionMode
from neuratrade.core.model.approval import Envelope
from neuratrade.core.model.decimals import ZERO
from neuratrade.core.model.facts import (
    BasketPhase,
    BracketClosed,
    CloseReason,
    CorporateActed,
    KillPolicy,
    PauseProposed,
    Quarantined,
    TradingState,
)
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.intent import BasketIntent, Direction, Lane, OpenIntent
from neuratrade.core.model.orders import OrderRequest, OrderStatus
from neuratrade.core.risk.limits import DEFAULTS, Limits


class Execution(msgspec.Struct, frozen=True):
    """What one execution is booked at; a correction replaces it. at_ns: the venue's time of it."""

    quantity: Decimal
    price: Decimal
    fee: Decimal
    fee_currency: str
    at_ns: int = 0


class OrderState(msgspec.Struct):
    """One order in our books. quantity and stop_price follow amendments.

    asked: the request under way, `cancel` or `amend`, since asked_ns; asked_quantity, asked_stop: what
    the last amend wants; asked_twice: it was asked for while an earlier one had no answer yet; asked_most:
    the largest quantity that amends without an answer may have given it.
    stated: how much the venue says it filled in all, where it said so at the end. missed_ns: when a look-up
    first did not find it. triggered_ns: when its stop was reached. executions: by the venue's trade id.
    unknown_ns: since when nobody knew its fate, the last time that was so.
    listed_as: since its contract was changed under it, nobody knows its terms at the venue, where it is an
    order for this instrument: it guards nothing, and is amended or taken away. Empty: its terms are known.
    """

    request: OrderRequest
    quantity: Decimal
    stop_price: Decimal | None
    planned_ns: int
    status: OrderStatus = OrderStatus.PLANNED
    filled: Decimal = ZERO
    venue_order_id: str = ""
    asked: str = ""
    asked_ns: int = 0
    asked_quantity: Decimal = ZERO
    asked_stop: Decimal | None = None
    asked_twice: bool = False
    asked_most: Decimal = ZERO
    stated: Decimal | None = None
    missed_ns: int | None = None
    unknown_ns: int | None = None
    triggered_ns: int | None = None
    executions: dict[str, Execution] = {}
    listed_as: str = ""

    @property
    def missing(self) -> Decimal:
        """Quantity the venue says was filled, but of which no execution has come yet."""
        return ZERO if self.stated is None else max(self.stated - self.filled, ZERO)

    @property
    def is_live(self) -> bool:
        """Whether anything may still come of it: a fill at the venue, or word of one that happened."""
        return not self.status.is_final or self.missing > 0

    @property
    def remaining(self) -> Decimal:
        """Quantity that may still be filled."""
        return self.missing if self.status.is_final else self.quantity - self.filled

    @property
    def in_doubt(self) -> bool:
        """Whether the venue owes an answer about it."""
        return self.is_live and (
            self.status in (OrderStatus.PLANNED, OrderStatus.UNKNOWN) or bool(self.asked) or self.missing > 0
        )


class BracketPhase(StrEnum):
    """ENTERING: nothing filled. OPEN: filled and guarded. EXITING: on the way out."""

    ENTERING = "entering"
    OPEN = "open"
    EXITING = "exiting"


class BracketState(msgspec.Struct):
    """Entry, stop and targets of one intent as one machine.

    entered, exited: quantities filled. base_fees: by how much fees paid in base lessen
    what is held; below zero for a short, which owes that much more. fees: the others, in the
    quote currency. stop_price: the level now guarded. best_price: furthest favourable price (trailing).
    exit_*: the way out under way; exit_attempts: orders sent for it so far, targets not counted. entry_used:
    entry quantity out of the envelope. slices: entry orders sent. entry_over: of a sliced entry, no further
    one will be sent. stop_orders: those that may still fill, oldest first. closed: how it ended, after an
    execution came late and opened it again.
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
    exit_attempts: int = 0
    entry_order: str | None = None
    stop_orders: list[str] = []
    exit_order: str | None = None
    legs: int = 0
    slices: int = 0
    entry_over: bool = False
    basket_id: str = ""
    stop_rejects: int = 0
    protected: bool = True
    unprotected_since_ns: int = 0
    unprotected_ns: int = 0
    opened_ns: int = 0
    last_exit_reason: CloseReason | None = None
    closed: BracketClosed | None = None

    @property
    def bracket_id(self) -> str:
        """The intent's id names its bracket."""
        return self.intent.intent_id

    @property
    def held(self) -> Decimal:
        """Quantity held now, fees in base taken off. Below zero only when a venue filled more than it had."""
        return self.entered - self.base_fees - self.exited

    @property
    def held_signed(self) -> Decimal:
        """`held` with the sign of the direction."""
        return self.held * self.intent.direction.sign

    @property
    def entry_price(self) -> Decimal:
        """Average price of what was entered, zero before the first fill."""
        return self.entry_value / self.entered if self.entered else ZERO


class BasketState(msgspec.Struct):
    """Legs that stand or fall together. legs: bracket ids. pnl_closed: of legs that are over."""

    intent: BasketIntent
    legs: list[str]
    phase: BasketPhase = BasketPhase.ENTERING
    pnl_closed: Decimal = ZERO
    closed_legs: int = 0


class ClosedBracket(msgspec.Struct):
    """A bracket that is over, kept a while with its orders by id, since an execution may come late.

    by_hand: a person wanted it left whole, and that holds for whatever of it turns up.
    """

    bracket: BracketState
    orders: dict[str, OrderState]
    closed: BracketClosed
    by_hand: bool = False


class LaneState(msgspec.Struct):
    """Losses in a row of one lane in this session."""

    session_losses: int = 0
    last_loss_ns: int | None = None


class AccountState(msgspec.Struct):
    """Money, holdings and counters of one account. balances: amount by currency.

    positions: by `position_key`. hour_peaks: best equity by hour number, of the last 24 hours, without those
    that a later hour reached. losses: in a row, across sessions and lanes. opened_today: positions opened
    this trading day, by lane. dust: units left over below a lot, by instrument. foreign: signed units the
    desk did not open, by instrument. filled_ns: when the last execution was booked. liquidations: trade ids
    of those booked. differences: what the last comparison with the venue found. actions: corporate actions
    applied, by their id. movements: ids of the cash movements booked. unrated: what people brought or took
    while nobody knew its worth, by currency: peaks are still to be shifted by it.
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
    posture: str = "BALANCED"
    dust: dict[str, Decimal] = {}
    foreign: dict[str, Decimal] = {}
    filled_ns: int = 0
    liquidations: list[str] = []
    differences: tuple[str, ...] = ()
    actions: dict[str, CorporateActed] = {}
    movements: set[str] = set()
    unrated: dict[str, Decimal] = {}

    @property
    def peak_24h(self) -> Decimal:
        """Best equity of the last 24 hours."""
        # Of the peaks that are kept, every later one is lower.
        return self.hour_peaks[0][1] if self.hour_peaks else self.equity

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
    """Everything durable about a desk.

    orders: of brackets that are open. closed: brackets that ended a moment ago. quarantine: by reference.
    shut: instruments whose session is closed. keys: public keys (hex) by key id, of this and earlier runs.
    pause_proposed: a pause that somebody wants and no person has answered yet. kill_policy: what a halt that
    stands does with whatever was approved by killed_ns.
    """

    run_id: str = ""
    mode: str = ""
    now_ns: int = 0
    accounts: dict[str, AccountState] = {}
    instruments: dict[str, Instrument] = {}
    limits: Limits = DEFAULTS
    orders: dict[str, OrderState] = {}
    brackets: dict[str, BracketState] = {}
    baskets: dict[str, BasketState] = {}
    closed: dict[str, ClosedBracket] = {}
    quarantine: dict[str, Quarantined] = {}
    shut: set[str] = set()
    seen: set[str] = set()
    timers: dict[str, int] = {}
    trading_state: TradingState = TradingState.RUNNING
    governor: str = ""
    state_reason: str = ""
    latched: bool = False
    pause_proposed: PauseProposed | None = None
    kill_policy: KillPolicy | None = None
    killed_ns: int = 0
    finished: bool = False
    keys: dict[str, str] = {}
    outcomes: dict[str, Outcomes] = {}
    counts: Counts = msgspec.field(default_factory=Counts)

    @property
    def next_timer_ns(self) -> int | None:
        """When the earliest timer is due, or None."""
        return min(self.timers.values(), default=None)


def position_key(account: Account, instrument: str, direction: Direction) -> str:
    """Where a holding is kept: by instrument, and by direction where long and short stand side by side."""
    return instrument if account.mode is PositionMode.NET else f"{instrument}/{direction.value}"


_DIRECTIONS = tuple(f"/{direction.value}" for direction in Direction)


@lru_cache(maxsize=4096)
def instrument_of_position(key: str) -> str:
    """The instrument key within a position's key."""
    return key.rpartition("/")[0] if key.endswith(_DIRECTIONS) else key


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
