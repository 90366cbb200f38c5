"""Facts of the desk and its accounts: runs, marks, limits, people, money, and what no order explains."""

from decimal import Decimal
from enum import StrEnum

import msgspec

from neuratrade.core.model.account import Account
from neuratrade.core.model.approval import Envelope
from neuratrade.core.model.decimals import ONE, ZERO
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.intent import OpenIntent


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


class Marked(msgspec.Struct, frozen=True, tag="marked", gc=False):
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


class PauseProposed(msgspec.Struct, frozen=True, tag="pause_proposed"):
    """Somebody who may not halt the desk thinks that a person should; answered by halt or resume.

    proposer: who, in one word. observed: what was seen that speaks for it.
    """

    at_ns: int
    account_id: str
    proposer: str
    reason: str
    observed: str


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
    """Deposit, withdrawal, transfer, funding, borrow, correction: `kind` says which. The first 3 shift peaks.

    rate: account currency per unit of `currency`, as known then; None for the account's own, or unknown.
    movement_id: the venue's name for it, by which it is booked once however often it is told; "" where the
    venue gives none.
    """

    at_ns: int
    account_id: str
    currency: str
    amount: Decimal = ZERO
    kind: str = "deposit"
    rate: Decimal | None = None
    movement_id: str = ""


class PostureMoved(msgspec.Struct, frozen=True, tag="posture_moved"):
    """How boldly the account trades changed with its drawdown (`core.risk.posture`)."""

    at_ns: int
    account_id: str
    posture: str
    reason: str


class SessionMoved(msgspec.Struct, frozen=True, tag="session_moved"):
    """An instrument's trading session opened or closed; while closed, protection can only be pending."""

    at_ns: int
    instrument: str
    is_open: bool


class ActionKind(StrEnum):
    """What can happen to a contract while it is held."""

    SPLIT = "split"
    DIVIDEND = "dividend"
    SYMBOL_CHANGE = "symbol_change"
    ROLL = "roll"


class CorporateActed(msgspec.Struct, frozen=True, tag="corporate_acted"):
    """A corporate action or a futures roll: quantities, levels and resting stops are rewritten.

    ratio, per: `ratio` new units for `per` old ones (split). amount: cash per unit to holders (dividend), or
    what the new contract trades above the old one (roll), quote currency. successor: the instrument that
    takes the place of `instrument` (symbol change, roll), None where it stays. action_id: names the action
    once, however often it is told. effective_ns: when it took effect at the venue; executions before that
    are in the old terms. envelopes: approvals of the brackets it touches in the new terms, signed anew; the
    engine fills them in.
    """

    at_ns: int
    account_id: str
    instrument: str
    kind: ActionKind
    ratio: Decimal = ONE
    amount: Decimal = ZERO
    successor: Instrument | None = None
    per: Decimal = ONE
    action_id: str = ""
    effective_ns: int = 0
    envelopes: tuple[Envelope, ...] = ()


class InstrumentUpdated(msgspec.Struct, frozen=True, tag="instrument_updated"):
    """From now on a contract has these terms (tick, lot, fees, margin)."""

    at_ns: int
    instrument: Instrument


class QuarantineKind(StrEnum):
    """What the venue has that our books cannot explain."""

    ORDER = "order"
    FILL = "fill"
    POSITION = "position"
    BALANCE = "balance"


class Quarantined(msgspec.Struct, frozen=True, tag="quarantined"):
    """Something at the venue that no fact explains. It is not traded, booked or closed: a person looks.

    reference: names it once (order id, trade id, instrument or currency).
    """

    at_ns: int
    account_id: str
    kind: QuarantineKind
    reference: str
    instrument: str
    detail: str


class QuarantineLifted(msgspec.Struct, frozen=True, tag="quarantine_lifted"):
    """A person, or a later look at the venue, settled a quarantined thing."""

    at_ns: int
    account_id: str
    reference: str
    operator_id: str
    reason: str


class Reconciled(msgspec.Struct, frozen=True, tag="reconciled"):
    """Books and venue were compared, and what differs is not what differed before. differences: sentences."""

    at_ns: int
    account_id: str
    differences: tuple[str, ...]


class ForeignSeen(msgspec.Struct, frozen=True, tag="foreign_seen"):
    """The account holds this much of an instrument that the desk did not open (signed; zero: none left)."""

    at_ns: int
    account_id: str
    instrument: str
    quantity: Decimal


class ForeignAdopted(msgspec.Struct, frozen=True, tag="foreign_adopted"):
    """A person gave a foreign holding into the desk's care by name: from now on it is guarded by a stop.

    price: what it is booked at, quote currency per unit. rate: account currency per unit of the quote
    currency, as known then.
    """

    at_ns: int
    operator_id: str
    reason: str
    intent: OpenIntent
    envelope: Envelope
    quantity: Decimal
    price: Decimal
    rate: Decimal = ONE
