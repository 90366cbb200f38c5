"""What holding costs as time passes: funding of perpetuals, and the borrowing of what is sold short.

Charged on what is held when it falls due, at the last close before, and told to the desk as a cash movement
like those a venue would report. What falls due within a bar is charged as the bar opens, on what is held
then: the desk never looks into a bar, and its clock must not run ahead of one.
"""

from bisect import bisect_right
from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple

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


class Due(NamedTuple):
    """One charge. kind: funding or borrow. instrument: whose it is; empty for all that have none of their
    own. fraction: of notional.
    """

    at_ns: int
    kind: str
    instrument: str
    fraction: Decimal


class CarryCosts:
    """Charges one desk along a timeline. close_ns: all its instants; span_ns: length of its bars."""

    def __init__(
        self, carry: Carry, desk: SimulatedDesk, engine: Engine, close_ns: Times, span_ns: int
    ) -> None:
        self._desk = desk
        self._engine = engine
        self._recorded = {item.instrument for item in carry.recorded}
        self._due: dict[int, list[Due]] = {}
        for due in sorted(_falling_due(carry, close_ns)):
            # What falls due at the close of a bar comes before the next one opens.
            instant = int(np.searchsorted(close_ns, due.at_ns, side="right"))
            self._due.setdefault(instant, []).append(due)
        self._instants = sorted(self._due)
        self._close_ns, self._span_ns = close_ns, span_ns

    def next_after(self, instant: int) -> int | None:
        """The next instant before whose bars something is due."""
        place = bisect_right(self._instants, instant)
        return self._instants[place] if place < len(self._instants) else None

    def charge(self, instant: int) -> None:
        """Charges what is due before the bars of an instant."""
        for due in self._due.get(instant, ()):
            at_ns = min(due.at_ns, int(self._close_ns[instant]) - self._span_ns)
            (account,) = self._engine.state.accounts.values()
            for key, position in list(account.positions.items()):
                contract = self._engine.state.instruments[instrument_of_position(key)]
                price = self._engine.views[contract.key].price
                if not position.quantity or price is None or not self._bears(contract, due):
                    continue
                amount = _amount(due, contract, position.quantity, price)
                if amount:
                    name = f"{due.kind}-{key}-{due.at_ns}"
                    moved = CashMoved(
                        at_ns, account.account.account_id, contract.quote, amount, due.kind, None, name
                    )
                    self._desk.take(moved)

    def _bears(self, contract: Instrument, due: Due) -> bool:
        if due.kind == "borrow":
            return not contract.is_derivative
        if contract.kind is not InstrumentKind.PERPETUAL:
            return False
        return contract.key == due.instrument if due.instrument else contract.key not in self._recorded


def _amount(due: Due, contract: Instrument, quantity: Decimal, price: Decimal) -> Decimal:
    """Signed: below zero is paid."""
    worth = quantity * price * contract.multiplier
    if due.kind == "funding":
        return -worth * due.fraction
    return worth * due.fraction if quantity < 0 else ZERO


def _falling_due(carry: Carry, close_ns: Times) -> Iterator[Due]:
    """All charges from the first to before the last instant, in no order."""
    if carry.funding_fraction:
        for at_ns in _multiples(carry.funding_every_ns, close_ns):
            yield Due(at_ns, "funding", "", carry.funding_fraction)
    if carry.borrow_fraction_per_year:
        a_day = carry.borrow_fraction_per_year / DAYS_PER_YEAR
        for at_ns in _multiples(NS_PER_DAY, close_ns):
            yield Due(at_ns, "borrow", "", a_day)
    first_ns, last_ns = int(close_ns[0]), int(close_ns[-1])
    for item in carry.recorded:
        for at_ns, fraction in zip(item.at_ns, item.fractions, strict=True):
            if first_ns <= at_ns < last_ns and fraction:
                yield Due(at_ns, "funding", item.instrument, fraction)


def _multiples(every_ns: int, close_ns: Times) -> list[int]:
    """Multiples of a span of time from the first to before the last instant."""
    first = -(-int(close_ns[0]) // every_ns) * every_ns
    return list(range(first, int(close_ns[-1]), every_ns))
