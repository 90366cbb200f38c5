"""The venue's own money: positions, cash and what its wallets show, in fractions and to the last digit."""

from decimal import Decimal
from fractions import Fraction

from neuratrade.core.model.account import Account, PositionMode
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.intent import Direction
from neuratrade.core.model.orders import Side
from tests.simulation.faults.truth import ZERO


class Money:
    """What our orders made of it. cash counts derivatives at their full price, as if they were owned."""

    def __init__(self, account: Account, instruments: dict[str, Instrument]) -> None:
        self.positions: dict[str, Decimal] = {}
        self.cash: dict[str, Fraction] = {}
        self._account = account
        self._instruments = instruments
        self._lots: dict[str, list[tuple[Fraction, Fraction]]] = {}

    def key(self, instrument: str, direction: Direction) -> str:
        """Where a position is kept: long and short are apart on an account that hedges."""
        net = self._account.mode is PositionMode.NET
        return instrument if net else f"{instrument}/{direction.value}"

    def pay(
        self,
        instrument: str,
        side: Side,
        quantity: Decimal,
        price: Decimal,
        fee: Decimal,
        currency: str,
        direction: Direction,
    ) -> None:
        """Books one execution; a negative quantity takes one back."""
        contract = self._instruments[instrument]
        key = self.key(instrument, direction)
        signed = quantity * side.sign
        in_base = not contract.is_derivative and currency == contract.base
        self.positions[key] = self.positions.get(key, ZERO) + signed - (fee if in_base else ZERO)
        cost = Fraction(signed) * Fraction(price) * Fraction(contract.multiplier)
        self.credit(contract.quote, -cost)
        if contract.is_derivative:
            self._move(key, Fraction(signed), Fraction(price) * Fraction(contract.multiplier))
        else:
            self.credit(contract.base, Fraction(signed))
        self.credit(currency, -Fraction(fee))

    def credit(self, currency: str, amount: Fraction) -> None:
        """Moves cash."""
        self.cash[currency] = self.cash.get(currency, Fraction(0)) + amount

    def wallet(self) -> dict[str, Fraction]:
        """Balances as the venue shows them: what a derivative makes counts once it is closed."""
        shown = dict(self.cash)
        for key, lots in self._lots.items():
            quote = self._instruments[key.partition("/LONG")[0].partition("/SHORT")[0]].quote
            shown[quote] += sum((quantity * price for quantity, price in lots), Fraction(0))
        return shown

    def _move(self, key: str, signed: Fraction, price: Fraction) -> None:
        lots = self._lots.setdefault(key, [])
        while signed and lots and (lots[0][0] > 0) != (signed > 0):
            quantity, paid = lots[0]
            closed = min(abs(quantity), abs(signed))
            sign = 1 if quantity > 0 else -1
            signed += closed * sign
            if closed == abs(quantity):
                lots.pop(0)
            else:
                lots[0] = (quantity - closed * sign, paid)
        if signed:
            lots.append((signed, price))
