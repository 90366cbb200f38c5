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


class Position(msgspec.Struct):
    """Net holding of one instrument in one account.

    quantity: signed, units of base or contracts. cost: average entry price, quote per base.
    realised: profit booked so far, quote currency, fees not included.
    """

    quantity: Decimal = ZERO
    cost: Decimal = ZERO
    realised: Decimal = ZERO
