"""The money of one account at a simulated exchange: balances with what is locked, and derivative positions.

Kept apart from the desk's own ledger on purpose: the rehearsal judges the desk by these books.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal

import msgspec

from neuratrade.core.model.decimals import ZERO
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.orders import Side
from neuratrade.rehearsal.orders import Execution, SimOrder


class Holding(msgspec.Struct):
    """A derivative position. quantity: signed contracts. entry_price: mean of what built it."""

    quantity: Decimal = ZERO
    entry_price: Decimal = ZERO


class SimAccount:
    """One account. balances: total by currency; positions: derivatives by contract key."""

    def __init__(self, balances: Mapping[str, Decimal]) -> None:
        self.balances = dict(balances)
        self.positions: dict[str, Holding] = {}

    def locked(self, orders: Iterable[SimOrder], contracts: Mapping[str, Instrument]) -> dict[str, Decimal]:
        """What open orders hold back, by currency: base of sales, quote of purchases of what is owned.

        Of the legs of one exit only the largest counts.
        """
        held: dict[str, Decimal] = {}
        largest: dict[tuple[str, str], Decimal] = {}
        for order in orders:
            contract = contracts[order.ticket.symbol]
            if contract.is_derivative:
                continue
            if order.ticket.side is Side.SELL:
                currency, amount = contract.base, order.remaining
            else:
                price = order.limit_price or order.stop_price or ZERO
                currency, amount = contract.quote, order.remaining * price
            if order.ticket.group:
                leg = (order.ticket.group, currency)
                amount, counted = max(amount, largest.get(leg, ZERO)), largest.get(leg, ZERO)
                largest[leg] = amount
                amount -= counted
            held[currency] = held.get(currency, ZERO) + amount
        return held

    def position(self, key: str) -> Decimal:
        """Signed contracts held of a derivative."""
        holding = self.positions.get(key)
        return ZERO if holding is None else holding.quantity

    def book(self, contract: Instrument, done: Execution) -> None:
        """Takes an execution into the books."""
        self._add(done.fee_currency, -done.fee)
        signed = done.quantity * done.side.sign
        if contract.is_derivative:
            self._add(contract.quote, self._move(contract, signed, done.price))
        else:
            self._add(contract.base, signed)
            self._add(contract.quote, -signed * done.price * contract.multiplier)

    def _move(self, contract: Instrument, signed: Decimal, price: Decimal) -> Decimal:
        """Moves a position; what that realised, quote currency."""
        holding = self.positions.setdefault(contract.key, Holding())
        before, realised = holding.quantity, ZERO
        if before * signed < 0:
            closed = min(abs(before), abs(signed)) * (1 if before > 0 else -1)
            realised = (price - holding.entry_price) * closed * contract.multiplier
        after = before + signed
        if before * after <= 0:
            holding.entry_price = price if after else ZERO
        elif abs(after) > abs(before):
            holding.entry_price = (holding.entry_price * before + price * signed) / after
        holding.quantity = after
        return realised

    def _add(self, currency: str, amount: Decimal) -> None:
        self.balances[currency] = self.balances.get(currency, ZERO) + amount
