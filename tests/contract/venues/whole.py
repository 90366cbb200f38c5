"""A venue of whole contracts, told of in the units of the suite: 0.05 of these is one contract.

The suite trades halves and fifths at prices about 100. Where only whole contracts of a coarser grid are
traded, what is asked is multiplied before it reaches the adapter, and what is told is divided again.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from decimal import Decimal

import msgspec
from msgspec.structs import replace

from neuratrade.core.model import facts as f
from neuratrade.core.model.commands import CancelOrder, LookUpOrder
from neuratrade.core.model.events import VenueOrder, VenueSnapshot
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.market import Quote
from neuratrade.core.model.orders import Fill, OrderRequest
from neuratrade.venues.keys import KeyCheck
from neuratrade.venues.port import Capabilities, Cleared, StreamOpened, Venue, request_of

FACTOR = Decimal(20)
"""Contracts a unit of the suite, and points a unit of its prices."""


def up(request: OrderRequest) -> OrderRequest:
    """An order of the suite as it reaches the adapter."""
    return replace(
        request,
        quantity=request.quantity * FACTOR,
        limit_price=None if request.limit_price is None else request.limit_price * FACTOR,
        stop_price=None if request.stop_price is None else request.stop_price * FACTOR,
    )


def quote_up(quote: Quote) -> Quote:
    """A quote of the suite as the exchange sees it."""
    values = {name: getattr(quote, name) for name in ("bid", "ask", "bid_size", "ask_size")}
    return replace(quote, **{name: value * FACTOR for name, value in values.items() if value is not None})


def small(contract: Instrument) -> Instrument:
    """The contract in units of the suite."""
    return replace(
        contract,
        tick=contract.tick / FACTOR,
        lot=contract.lot / FACTOR,
        min_quantity=contract.min_quantity / FACTOR,
    )


class Whole:
    """The adapter of such a venue. clear: makes a cleared order of one that was multiplied."""

    def __init__(self, venue: Venue, clear: Callable[[OrderRequest], Cleared]) -> None:
        self._venue = venue
        self._clear = clear

    @property
    def capabilities(self) -> Capabilities:
        """As the adapter has them."""
        return self._venue.capabilities

    @property
    def key_check(self) -> KeyCheck:
        """As the adapter has it."""
        return self._venue.key_check

    async def submit(self, order: Cleared) -> Sequence[f.VenueEvent]:
        """Multiplied."""
        return _down(await self._venue.submit(self._clear(up(request_of(order)))))

    async def cancel(self, order: CancelOrder) -> Sequence[f.VenueEvent]:
        """As it is."""
        return _down(await self._venue.cancel(order))

    async def amend(self, order: Cleared, quantity: Decimal, stop_price: Decimal) -> Sequence[f.VenueEvent]:
        """Multiplied."""
        cleared = self._clear(up(request_of(order)))
        return _down(await self._venue.amend(cleared, quantity * FACTOR, stop_price * FACTOR))

    async def look_up(self, order: LookUpOrder) -> Sequence[f.VenueEvent]:
        """As it is."""
        return _down(await self._venue.look_up(order))

    async def snapshot(self, account_id: str) -> VenueSnapshot:
        """Divided; money stays."""
        seen = await self._venue.snapshot(account_id)
        held = None if seen.positions is None else {key: n / FACTOR for key, n in seen.positions.items()}
        return replace(
            seen,
            plain=None if seen.plain is None else tuple(_order(item) for item in seen.plain),
            conditional=None if seen.conditional is None else tuple(_order(i) for i in seen.conditional),
            positions=held,
            fills=tuple(_fill(item) for item in seen.fills),
            liquidations=tuple(_fill(item) for item in seen.liquidations),
        )

    async def ping(self) -> None:
        """As it is."""
        await self._venue.ping()

    async def events(self) -> AsyncIterator[f.VenueEvent | StreamOpened]:
        """Divided."""
        async for item in self._venue.events():
            yield item if isinstance(item, StreamOpened) else _event(item)


def _down(events: Sequence[f.VenueEvent]) -> list[f.VenueEvent]:
    return [_event(item) for item in events]


def _event(event: f.VenueEvent) -> f.VenueEvent:
    changed: dict[str, object] = {}
    if isinstance(event, f.OrderFilled):
        changed["fill"] = _fill(event.fill)
    for name in ("filled", "quantity", "price", "stop_price"):
        value = getattr(event, name, None)
        if value is not None:
            changed[name] = value / FACTOR
    return msgspec.structs.replace(event, **changed)


def _fill(fill: Fill) -> Fill:
    return replace(fill, quantity=fill.quantity / FACTOR, price=fill.price / FACTOR)


def _order(item: VenueOrder) -> VenueOrder:
    stop = None if item.stop_price is None else item.stop_price / FACTOR
    return replace(item, quantity=item.quantity / FACTOR, filled=item.filled / FACTOR, stop_price=stop)
