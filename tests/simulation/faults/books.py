"""What the venue says when it is asked for everything: separate lists, read one after the other.

An answer may not come, come late, lack a list, show one as it was seconds ago, or lack the newest
executions. Nothing in it is aware of what the desk knows.
"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING

import msgspec

from neuratrade.core.model import events as e
from neuratrade.core.model.market import NS_PER_MINUTE, NS_PER_SECOND
from neuratrade.core.model.orders import Fill
from tests.simulation.faults.kinds import Fault
from tests.simulation.faults.truth import ZERO, Order

if TYPE_CHECKING:
    from tests.simulation.faults.exchange import Exchange

FILLS_SINCE_NS = 10 * NS_PER_MINUTE
"""How far back an answer lists executions and corrections of them."""

REPLICA_NS = 4 * NS_PER_SECOND
"""How often the copy is renewed that stale lists are read from."""

_DIGITS = Decimal(10) ** -12


class _Lists(msgspec.Struct):
    """What can be read at one moment; None: could not be had."""

    plain: tuple[e.VenueOrder, ...] | None = ()
    conditional: tuple[e.VenueOrder, ...] | None = ()
    positions: dict[str, Decimal] | None = None
    balances: dict[str, Decimal] | None = None


class Books:
    """Answers for one venue."""

    def __init__(self, venue: Exchange) -> None:
        self._venue = venue
        self._replica = _Lists()
        self._replica_ns = 0

    def copy(self) -> None:
        """Renews the copy that stale lists come from, when it is time."""
        if self._venue.now_ns - self._replica_ns >= REPLICA_NS:
            self._replica_ns = self._venue.now_ns
            self._replica = self._read()

    def ask(self, asked_ns: int) -> None:
        """The desk wants to know everything."""
        venue = self._venue
        if venue.strikes(Fault.SNAPSHOT_LOST):
            venue.note_all(Fault.SNAPSHOT_LOST)
            for order in venue.orders.values():
                order.looked_in_vain()
            return
        first_ns = asked_ns + venue.latency_ns()
        second_ns = first_ns + venue.latency_ns()
        if venue.strikes(Fault.SNAPSHOT_LATE):
            venue.note_all(Fault.SNAPSHOT_LATE)
            second_ns += venue.rng.choice((1, 4, 12)) * NS_PER_SECOND
        orders_first = venue.rng.random() < 0.5
        read: list[tuple[_Lists, tuple[Fill, ...], tuple[Fill, ...]]] = []

        def look() -> None:
            if venue.listening:
                read.append((self._read(), *self._executions()))

        def answer() -> e.Event | None:
            look()
            if len(read) < 2:
                return None
            orders, holdings = (read[0], read[1]) if orders_first else (read[1], read[0])
            lists = _Lists(
                orders[0].plain, orders[0].conditional, holdings[0].positions, holdings[0].balances
            )
            self._garble(lists)
            return self._snapshot(asked_ns, lists, read[0][1], read[0][2])

        venue.at(first_ns, look)
        venue.at(second_ns, answer)

    def _snapshot(
        self, asked_ns: int, lists: _Lists, fills: tuple[Fill, ...], liquidations: tuple[Fill, ...]
    ) -> e.VenueSnapshot:
        venue = self._venue
        if venue.strikes(Fault.FILLS_CUT):
            venue.note_all(Fault.FILLS_CUT)
            newest_ns = venue.now_ns - venue.rng.choice((1, 5, 20)) * NS_PER_SECOND
            fills = tuple(item for item in fills if item.at_ns < newest_ns)
            liquidations = tuple(item for item in liquidations if item.at_ns < newest_ns)
        return e.VenueSnapshot(
            venue.now_ns - venue.skew_ns,
            venue.account.account_id,
            asked_ns,
            lists.plain,
            lists.conditional,
            lists.positions,
            lists.balances,
            fills,
            liquidations,
        )

    def _garble(self, lists: _Lists) -> None:
        venue = self._venue
        if venue.strikes(Fault.LIST_STALE):
            venue.note_all(Fault.LIST_STALE)
            name = venue.rng.choice(("plain", "conditional", "positions", "balances"))
            setattr(lists, name, getattr(self._replica, name))
        if venue.strikes(Fault.LIST_LOST):
            venue.note_all(Fault.LIST_LOST)
            setattr(lists, venue.rng.choice(("plain", "conditional", "positions", "balances")), None)

    def _read(self) -> _Lists:
        venue = self._venue
        plain = [*venue.stranger.orders.values()]
        conditional: list[e.VenueOrder] = []
        for orders in venue.live.values():
            for order in orders:
                waits = order.request.stop_price is not None and not order.triggered
                (conditional if waits else plain).append(_listed(order))
        positions = dict(venue.stranger.held)
        for key, quantity in venue.positions.items():
            name = key.partition("/LONG")[0].partition("/SHORT")[0]
            positions[name] = positions.get(name, ZERO) + quantity
        cash = venue.wallet()
        for currency, amount in venue.stranger.cash.items():
            cash[currency] = cash.get(currency, Fraction(0)) + amount
        balances = {currency: _decimal(amount) for currency, amount in cash.items()}
        return _Lists(tuple(plain), tuple(conditional), positions, balances)

    def _executions(self) -> tuple[tuple[Fill, ...], tuple[Fill, ...]]:
        venue = self._venue
        oldest_ns = venue.now_ns - FILLS_SINCE_NS
        fills = [
            msgspec.structs.replace(item.fill, quantity=item.quantity, price=item.price, fee=item.fee)
            for item in venue.executions.values()
            if item.changed_ns >= oldest_ns
        ]
        fills += [item for item in venue.stranger.fills if item.at_ns >= oldest_ns]
        closed = tuple(item for item in venue.liquidations.values() if item.at_ns >= oldest_ns)
        return tuple(fills), closed


def _decimal(amount: Fraction) -> Decimal:
    return (Decimal(amount.numerator) / Decimal(amount.denominator)).quantize(_DIGITS)


def _listed(order: Order) -> e.VenueOrder:
    request = order.request
    return e.VenueOrder(
        order.coid,
        order.vid,
        request.instrument,
        request.side,
        order.quantity,
        order.filled,
        order.stop_price,
    )
