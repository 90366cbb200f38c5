"""Accounts and positions: whose they are, how they are counted."""

from decimal import Decimal
from enum import StrEnum

import msgspec

from neuratrade.core.model.decimals import ZERO


class PositionMode(StrEnum):
    """Whether long and short of one instrument cancel (NET) or stand side by side (HEDGE)."""

    NET = "net"
    HEDGE = "hedge"


class AccountKind(StrEnum):
    """READ_ONLY accounts can never be traded: protected by type, not by a setting."""

    TRADING = "trading"
    READ_ONLY = "read_only"


class MarginMode(StrEnum):
    """Whether a position's loss is bounded by its own margin (ISOLATED) or by the whole account (CROSS)."""

    CROSS = "cross"
    ISOLATED = "isolated"


class Money(msgspec.Struct, frozen=True):
    """An amount with its currency; amounts of two currencies never add."""

    amount: Decimal
    currency: str

    def __add__(self, other: "Money") -> "Money":
        """Sum of two amounts of one currency. Raises ValueError for two currencies."""
        if other.currency != self.currency:
            raise ValueError(f"cannot add {other.currency} to {self.currency}: convert one of them first")
        return Money(self.amount + other.amount, self.currency)


class Account(msgspec.Struct, frozen=True):
    """One account at one venue, as configured."""

    account_id: str
    venue: str
    currency: str
    kind: AccountKind = AccountKind.TRADING
    mode: PositionMode = PositionMode.NET
    paper: bool = True
    margin: MarginMode = MarginMode.CROSS


class Lot(msgspec.Struct):
    """What is left of one opening execution. quantity: signed units. price: quote currency per unit."""

    quantity: Decimal
    price: Decimal
    opened_ns: int = 0


class Position(msgspec.Struct):
    """Holding of one instrument in one account, as lots in the order they were opened (first in, first out).

    quantity: signed, units of base or contracts. realised: profit booked so far, quote currency, fees not
    included. Sums over lots are exact, averages are not: `cost` is for people.
    """

    quantity: Decimal = ZERO
    realised: Decimal = ZERO
    lots: list[Lot] = []

    @property
    def cost(self) -> Decimal:
        """Average entry price of what is held, quote per unit; zero when flat."""
        held = sum((lot.quantity for lot in self.lots), ZERO)
        return sum((lot.quantity * lot.price for lot in self.lots), ZERO) / held if held else ZERO
