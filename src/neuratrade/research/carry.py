"""What holding costs as time passes: funding of perpetuals, and the borrowing of what is sold short.

Charged on what is held when it falls due, at the last close before, and told to the desk as a cash movement
like those a venue would report.
"""

from bisect import bisect_right
from decimal import Decimal

import numpy as np

from neuratrade.core.engine.engine import Engine
from neuratrade.core.engine.state import instrument_of_position
from neuratrade.core.model.decimals import ZERO
from neuratrade.core.model.facts import CashMoved
from neuratrade.core.model.instrument import Instrument, InstrumentKind
from neuratrade.core.model.market import NS_PER_DAY
from neuratrade.hands.simulated import SimulatedDesk
from neuratrade.research.columns import Times
from neuratrade.research.plan import Carry

DAYS_PER_YEAR = 365


class CarryCosts:
    """Charges one desk along a timeline. close_ns: all its instants."""

    def __init__(self, carry: Carry, desk: SimulatedDesk, engine: Engine, close_ns: Times) -> None:
        self._carry = carry
        self._desk = desk
        self._engine = engine
        due: list[tuple[int, str]] = []
        if carry.funding_fraction:
            due += [(at, "funding") for at in _multiples(carry.funding_every_ns, close_ns)]
        if carry.borrow_fraction_per_year:
            due += [(at, "borrow") for at in _multiples(NS_PER_DAY, close_ns)]
        self._due: dict[int, list[tuple[int, str]]] = {}
        for at_ns, kind in sorted(due):
            # What falls due at the close of a bar comes before the next one opens.
            instant = int(np.searchsorted(close_ns, at_ns, side="right"))
            self._due.setdefault(instant, []).append((at_ns, kind))
        self._instants = sorted(self._due)

    def next_after(self, instant: int) -> int | None:
        """The next instant before whose bars something is due."""
        place = bisect_right(self._instants, instant)
        return self._instants[place] if place < len(self._instants) else None

    def charge(self, instant: int) -> None:
        """Charges what is due before the bars of an instant."""
        for at_ns, kind in self._due.get(instant, ()):
            (account,) = self._engine.state.accounts.values()
            for key, position in list(account.positions.items()):
                contract = self._engine.state.instruments[instrument_of_position(key)]
                price = self._engine.views[contract.key].price
                if not position.quantity or price is None:
                    continue
                amount = self._amount(kind, contract, position.quantity, price)
                if amount:
                    name = f"{kind}-{key}-{at_ns}"
                    moved = CashMoved(
                        at_ns, account.account.account_id, contract.quote, amount, kind, None, name
                    )
                    self._desk.take(moved)

    def _amount(self, kind: str, contract: Instrument, quantity: Decimal, price: Decimal) -> Decimal:
        """Signed: below zero is paid."""
        worth = quantity * price * contract.multiplier
        if kind == "funding":
            perpetual = contract.kind is InstrumentKind.PERPETUAL
            return -worth * self._carry.funding_fraction if perpetual else ZERO
        owned = not contract.is_derivative
        rate = self._carry.borrow_fraction_per_year / DAYS_PER_YEAR
        return worth * rate if owned and quantity < 0 else ZERO


def _multiples(every_ns: int, close_ns: Times) -> list[int]:
    """Multiples of a span of time from the first to before the last instant."""
    first = -(-int(close_ns[0]) // every_ns) * every_ns
    return list(range(first, int(close_ns[-1]), every_ns))
