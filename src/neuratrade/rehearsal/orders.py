"""Orders as a simulated exchange keeps them: what is asked, what becomes of it, and what is told of that.

Venue-neutral. Each simulator translates these into the words of its venue, so that all of them share one
matching engine and none can be kinder than another.
"""

from decimal import Decimal
from enum import StrEnum

import msgspec

from neuratrade.core.model.decimals import ZERO
from neuratrade.core.model.orders import OrderType, Side, TimeInForce


class Reason(StrEnum):
    """Why an exchange does not do what it is asked."""

    DUPLICATE = "duplicate client order id"
    UNKNOWN_SYMBOL = "unknown symbol"
    UNKNOWN_ORDER = "unknown order"
    GRID = "price or quantity off the grid"
    MINIMUM = "below the minimum notional"
    BALANCE = "insufficient balance"
    WOULD_TRIGGER = "the stop would trigger at once"
    NOT_REDUCING = "a reduce-only order would not reduce"
    WOULD_TAKE = "a maker's order would take"
    NO_MARKET = "no market"
    PLANNED = "refused by the plan of this rehearsal"


class Rejected(Exception):
    """The exchange proves that it did not do it. reason: which of its rules; detail: what of it."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(f"{reason.value}: {detail}" if detail else reason.value)
        self.reason = reason
        self.detail = detail


class Ticket(msgspec.Struct, frozen=True):
    """An order as it is asked for. symbol: key of the contract. quantity: base units or contracts.

    takes_profit: its stop is reached from the side that gains. post_only: refused where it would take.
    group: orders of one group are legs of one exit, and only the largest of them holds money; empty: alone.
    """

    client_id: str
    symbol: str
    side: Side
    order_type: OrderType
    quantity: Decimal
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    time_in_force: TimeInForce = TimeInForce.GTC
    expires_ns: int | None = None
    reduce_only: bool = False
    takes_profit: bool = False
    post_only: bool = False
    group: str = ""


class Status(StrEnum):
    """Where an order stands. HELD: known at the exchange, but nothing works yet."""

    HELD = "held"
    OPEN = "open"
    PARTIAL = "partial"
    FILLED = "filled"
    CANCELLED = "cancelled"
    EXPIRED = "expired"

    @property
    def is_final(self) -> bool:
        """Whether nothing more can come of it."""
        return self in (Status.FILLED, Status.CANCELLED, Status.EXPIRED)


class Execution(msgspec.Struct, frozen=True):
    """One trade of an order. number: unique at the exchange. total: filled of its order with this one."""

    number: int
    order_id: int
    client_id: str
    symbol: str
    side: Side
    quantity: Decimal
    price: Decimal
    fee: Decimal
    fee_currency: str
    is_maker: bool
    total: Decimal
    at_ns: int


class SimOrder(msgspec.Struct):
    """An order the exchange has or had.

    triggered: its stop was reached. was_placed: whether it ever worked, and was not only held. value: sum of
    price times quantity of what was filled.
    """

    order_id: int
    ticket: Ticket
    quantity: Decimal
    limit_price: Decimal | None
    stop_price: Decimal | None
    created_ns: int
    updated_ns: int
    status: Status = Status.OPEN
    triggered: bool = False
    was_placed: bool = True
    resting: bool = False
    filled: Decimal = ZERO
    value: Decimal = ZERO
    executions: list[Execution] = []

    @property
    def remaining(self) -> Decimal:
        """What may still be filled."""
        return self.quantity - self.filled

    @property
    def is_live(self) -> bool:
        """Whether more can come of it."""
        return not self.status.is_final

    @property
    def is_conditional(self) -> bool:
        """Whether it waits for its stop to be reached."""
        return self.stop_price is not None and not self.triggered

    @property
    def average_price(self) -> Decimal | None:
        """Mean price of what was filled, None while nothing was."""
        return self.value / self.filled if self.filled else None


class ChangeKind(StrEnum):
    """What a private stream tells of."""

    HELD = "held"
    ACCEPTED = "accepted"
    TRIGGERED = "triggered"
    TRADED = "traded"
    AMENDED = "amended"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class Change(msgspec.Struct, frozen=True):
    """Something that happened to an order. order: as it stood right after. execution: with TRADED."""

    kind: ChangeKind
    order: SimOrder
    at_ns: int
    execution: Execution | None = None
