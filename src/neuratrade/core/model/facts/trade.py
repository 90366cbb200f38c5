"""Facts of one trade: verdicts, plans, triggers, protection, timers, and its end."""

from decimal import Decimal
from enum import StrEnum

import msgspec

from neuratrade.core.model.approval import Envelope, LayerReport
from neuratrade.core.model.decimals import ONE, ZERO
from neuratrade.core.model.intent import Intent
from neuratrade.core.model.orders import OrderRequest


class MarketSeen(msgspec.Struct, frozen=True, gc=False):
    """The market values a decision saw; None where they were not known."""

    price: Decimal | None = None
    bid: Decimal | None = None
    ask: Decimal | None = None
    price_age_ns: int | None = None
    atr: Decimal | None = None
    volume_24h: Decimal | None = None
    regime: str = ""
    equity: Decimal | None = None


class CloseReason(StrEnum):
    """Why a bracket ended. ACTION: a corporate action left less than a lot of it."""

    TP = "TP"
    SL = "SL"
    TRAIL = "TRAIL"
    TIME = "TIME"
    KILL = "KILL"
    LIQUIDATED = "LIQUIDATED"
    MANUAL = "MANUAL"
    ACTION = "ACTION"
    NO_ENTRY = "NO_ENTRY"


class IntentJudged(msgspec.Struct, frozen=True, tag="intent_judged", gc=False):
    """The gate's whole answer to one intent. quantity: what was approved, zero when refused."""

    at_ns: int
    intent: Intent
    approved: bool
    quantity: Decimal
    layers: tuple[LayerReport, ...]
    seen: MarketSeen
    envelope: Envelope | None = None


class OrderPlanned(msgspec.Struct, frozen=True, tag="order_planned", gc=False):
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


class TriggerFired(msgspec.Struct, frozen=True, tag="trigger_fired"):
    """A watched level or time was reached: the bracket leaves `quantity` for `reason`."""

    at_ns: int
    bracket_id: str
    reason: CloseReason
    level: Decimal
    seen: Decimal
    quantity: Decimal


class EntryEnded(msgspec.Struct, frozen=True, tag="entry_ended"):
    """A sliced entry is over: no further child order is sent, whatever is left of its approval."""

    at_ns: int
    bracket_id: str
    reason: str


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
    """A bracket's filled quantity became wholly protected by a working stop, or ceased to be.

    since_ns: since when it was bare, where that was before it was known: a fill that was told late; else 0.
    """

    at_ns: int
    bracket_id: str
    protected: bool
    since_ns: int = 0


class BracketClosed(msgspec.Struct, frozen=True, tag="bracket_closed"):
    """A bracket ended. pnl: net of fees, quote currency. entered: quantity that was ever filled.

    dust: what is left below one lot, at its entry price; the account keeps it. rate: account currency per
    unit of the quote currency then, None where nobody knew it.
    """

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
    dust: Decimal = ZERO
    rate: Decimal | None = ONE

    @property
    def pnl_home(self) -> Decimal | None:
        """Net profit in the account's currency; None where no rate was known."""
        return None if self.rate is None else self.pnl * self.rate

    @property
    def fees_home(self) -> Decimal | None:
        """Fees in the account's currency; None where no rate was known."""
        return None if self.rate is None else self.fees * self.rate


class TimerSet(msgspec.Struct, frozen=True, tag="timer_set"):
    """Something is to be looked at again at `due_ns`."""

    at_ns: int
    timer_id: str
    due_ns: int


class TimerFired(msgspec.Struct, frozen=True, tag="timer_fired"):
    """A timer came due."""

    at_ns: int
    timer_id: str


class BracketReopened(msgspec.Struct, frozen=True, tag="bracket_reopened"):
    """An execution came for a bracket that was thought over: it is guarded and left like any other."""

    at_ns: int
    bracket_id: str


class BasketPhase(StrEnum):
    """ENTERING: legs fill. OPEN: all legs stand. LEAVING: it is being unwound whole. CLOSED: it is over."""

    ENTERING = "entering"
    OPEN = "open"
    LEAVING = "leaving"
    CLOSED = "closed"


class BasketMoved(msgspec.Struct, frozen=True, tag="basket_moved"):
    """A basket went on to another phase. pnl: of all legs then, reporting currency."""

    at_ns: int
    basket_id: str
    phase: BasketPhase
    reason: str
    pnl: Decimal
