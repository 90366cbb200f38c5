"""Somebody who trades by hand on the account of the desk: orders, fills, holdings and money not ours."""

import random
from decimal import Decimal
from fractions import Fraction

from neuratrade.core.model import events as e
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.intent import Direction
from neuratrade.core.model.orders import Fill, Liquidity, Side
from tests.simulation.faults.truth import ZERO

MOST_FILLS = 40


class Stranger:
    """held: signed units by instrument. cash: what his trades moved, by currency. fills: his executions."""

    def __init__(self, account_id: str, instruments: dict[str, Instrument], rng: random.Random) -> None:
        self.held: dict[str, Decimal] = {}
        self.cash: dict[str, Fraction] = {}
        self.fills: list[Fill] = []
        self.orders: dict[str, e.VenueOrder] = {}
        self._account_id = account_id
        self._instruments = instruments
        self._rng = rng
        self._names = 0

    def trade(self, instrument: str, side: Side, quantity: Decimal, price: Decimal, at_ns: int) -> None:
        """Buys or sells at a price, without a fee."""
        contract = self._instruments[instrument]
        signed = quantity * side.sign
        self._hold(instrument, signed)
        if contract.is_derivative:
            # The wallet of a derivative moves when it is closed; what he makes until then is nobody's books.
            pass
        else:
            self._pay(contract.quote, -Fraction(signed) * Fraction(price))
            self._pay(contract.base, Fraction(signed))
        name = self._name()
        coid = self._rng.choice(("", f"web-{name}"))
        self.fills.append(
            Fill(
                f"h{name}",
                coid,
                self._account_id,
                instrument,
                side,
                quantity,
                price,
                ZERO,
                contract.quote,
                Liquidity.TAKER,
                at_ns,
            )
        )
        del self.fills[:-MOST_FILLS]

    def rest(self, instrument: str, side: Side, quantity: Decimal) -> None:
        """Rests an order."""
        name = self._name()
        coid = self._rng.choice(("", f"web-{name}"))
        self.orders[name] = e.VenueOrder(coid, f"hand{name}", instrument, side, quantity)

    def withdraw(self) -> None:
        """Takes his oldest order away."""
        if self.orders:
            del self.orders[next(iter(self.orders))]

    def hand_over(self, instrument: str, direction: Direction, quantity: Decimal) -> None:
        """Gives units to the desk; a negative quantity takes them back."""
        contract = self._instruments[instrument]
        self._hold(instrument, -quantity * direction.sign)
        if not contract.is_derivative:
            self._pay(contract.base, -Fraction(quantity) * direction.sign)

    def _hold(self, instrument: str, signed: Decimal) -> None:
        rest = self.held.get(instrument, ZERO) + signed
        self.held[instrument] = rest
        if not rest:
            del self.held[instrument]

    def _pay(self, currency: str, amount: Fraction) -> None:
        self.cash[currency] = self.cash.get(currency, Fraction(0)) + amount

    def _name(self) -> str:
        self._names += 1
        return str(self._names)
