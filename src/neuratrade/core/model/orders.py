"""Orders and fills: what a venue is asked for and what it says happened."""

import hashlib
from decimal import Decimal
from enum import StrEnum

import msgspec

from neuratrade.core.model.intent import Direction


class Side(StrEnum):
    """Direction of one order."""

    BUY = "buy"
    SELL = "sell"

    @property
    def sign(self) -> int:
        """+1 for buy, -1 for sell."""
        return 1 if self is Side.BUY else -1

    @property
    def opposite(self) -> "Side":
        """The side that undoes this one."""
        return Side.SELL if self is Side.BUY else Side.BUY


class OrderType(StrEnum):
    """Order types every venue port speaks; a venue maps or emulates them."""

    MARKET = "market"
    LIMIT = "limit"
    STOP = "stop"
    STOP_LIMIT = "stop_limit"


class TimeInForce(StrEnum):
    """How long an order may rest."""

    GTC = "gtc"
    IOC = "ioc"
    GTD = "gtd"


class OrderRole(StrEnum):
    """What an order is for. Only ENTRY may add exposure; the sender checks that of all others."""

    ENTRY = "entry"
    STOP = "stop"
    TARGET = "target"
    EXIT = "exit"

    @property
    def reduces(self) -> bool:
        """Whether orders in this role may only shrink a position."""
        return self is not OrderRole.ENTRY


class OrderStatus(StrEnum):
    """Where an order stands in our books. UNKNOWN is looked up by client id, never resent."""

    PLANNED = "planned"
    WORKING = "working"
    PARTIAL = "partial"
    FILLED = "filled"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    EXPIRED = "expired"
    UNKNOWN = "unknown"

    @property
    def is_final(self) -> bool:
        """Whether nothing more can come of the order."""
        return self in FINAL_STATUSES


# A tuple, for it is asked of every order at every tick, and a set would take the hash of an enum each time.
FINAL_STATUSES = (OrderStatus.FILLED, OrderStatus.CANCELLED, OrderStatus.REJECTED, OrderStatus.EXPIRED)


class OrderRequest(msgspec.Struct, frozen=True, gc=False):
    """One order as it will be sent.

    quantity: units of base or contracts, above zero. limit_price and stop_price: quote per base.
    expires_ns: for GTD. bracket_id: the bracket it belongs to. attempt: 0 for the first try.
    """

    client_order_id: str
    account_id: str
    instrument: str
    side: Side
    order_type: OrderType
    quantity: Decimal
    role: OrderRole
    bracket_id: str
    time_in_force: TimeInForce = TimeInForce.GTC
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    expires_ns: int | None = None
    attempt: int = 0

    @property
    def direction(self) -> Direction:
        """The direction of the position it opens or leaves."""
        return Direction.LONG if (self.side is Side.BUY) is not self.role.reduces else Direction.SHORT


class Liquidity(StrEnum):
    """Whether a fill rested in the book or took from it."""

    MAKER = "maker"
    TAKER = "taker"


class Fill(msgspec.Struct, frozen=True, gc=False):
    """One execution. fee: positive = paid, in fee_currency. trade_id: the venue's own, unique per venue."""

    trade_id: str
    client_order_id: str
    account_id: str
    instrument: str
    side: Side
    quantity: Decimal
    price: Decimal
    fee: Decimal
    fee_currency: str
    liquidity: Liquidity
    at_ns: int
    paper_trade: bool = False


def client_order_id(account_id: str, intent_id: str, leg: str, attempt: int) -> str:
    """32 lower-case hex digits: the first 128 bits of SHA-256(account | intent | leg | attempt).

    Derived, not drawn, so that a crash between journal and venue can look the order up again. A `|` or a
    backslash inside a part is escaped, so that no two orders share a text.
    """
    parts = (part.replace("\\", "\\\\").replace("|", "\\|") for part in (account_id, intent_id, leg))
    text = "|".join((*parts, str(attempt)))
    return hashlib.sha256(text.encode()).hexdigest()[:32]
