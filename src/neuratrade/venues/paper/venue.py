"""The paper exchange behind the port of outside venues, for whoever drives a venue by awaiting it.

It is the same exchange that backtests step; only time comes from a clock here. Like a venue, it tells each
thing once to the stream that stands, and nothing is kept for one that comes later: what was missed is found
by look-ups and snapshots. It lives in memory, so no key is needed and no request is lost on the way.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from typing import TypeGuard

import msgspec

from neuratrade.core.model import facts as f
from neuratrade.core.model.commands import CancelOrder, LookUpOrder
from neuratrade.core.model.events import VenueSnapshot
from neuratrade.core.model.market import NS_PER_MS, NS_PER_SECOND, Quote
from neuratrade.core.model.orders import Fill, OrderType, TimeInForce
from neuratrade.feeds.clock import Clock
from neuratrade.venues.keys import KeyCheck
from neuratrade.venues.paper.exchange import PaperExchange
from neuratrade.venues.port import Capabilities, Cleared, StreamOpened, request_of

CAPABILITIES = Capabilities(
    frozenset(OrderType), amends=True, settle_s=0.0, times_in_force=frozenset(TimeInForce)
)
LOOK_NS = 10 * NS_PER_MS
"""How often a stream that has nothing to tell looks what is due."""
Told = f.VenueEvent | f.Liquidated | VenueSnapshot


class PaperVenue:
    """One account on paper. exchange: what is traded on; `quote` it only through this venue."""

    capabilities = CAPABILITIES
    key_check = KeyCheck.VERIFIED

    def __init__(self, exchange: PaperExchange, clock: Clock) -> None:
        self._exchange = exchange
        self._clock = clock
        self._ears: set[asyncio.Queue[Told]] = set()
        self._fills: dict[str, Fill] = {}

    def quote(self, quote: Quote) -> None:
        """The market moves, once all that was due before has happened."""
        self._run()
        self._exchange.see_quote(quote)
        self._run()

    async def submit(self, order: Cleared) -> Sequence[f.VenueEvent]:
        """Sends it on its way; what becomes of it is told by `events`."""
        self._exchange.submit(request_of(order), self._clock.now_ns())
        return []

    async def cancel(self, order: CancelOrder) -> Sequence[f.VenueEvent]:
        """Sends the wish on its way."""
        self._exchange.cancel(order.client_order_id, self._clock.now_ns())
        return []

    async def amend(self, order: Cleared, quantity: Decimal, stop_price: Decimal) -> Sequence[f.VenueEvent]:
        """Sends the wish on its way."""
        coid = request_of(order).client_order_id
        self._exchange.amend(coid, quantity, stop_price, self._clock.now_ns())
        return []

    async def look_up(self, order: LookUpOrder) -> Sequence[f.VenueEvent]:
        """What it says of an order, once the answer is here."""
        coid = order.client_order_id
        told = await self._answer(lambda at_ns: self._exchange.look_up(coid, at_ns))
        return [event for event in told if _is_about(event, coid)]

    async def snapshot(self, account_id: str) -> VenueSnapshot:
        """What it says of the account, with all executions since this began."""
        asked_ns = self._clock.now_ns()
        told = await self._answer(self._exchange.take_snapshot)
        found = next(item for item in told if isinstance(item, VenueSnapshot))
        return msgspec.structs.replace(found, asked_ns=asked_ns, fills=tuple(self._fills.values()))

    async def ping(self) -> None:
        """It is always there."""

    async def events(self) -> AsyncIterator[f.VenueEvent | StreamOpened]:
        """What happens from now on."""
        with self._listening() as ear:
            yield StreamOpened()
            while True:
                self._run()
                while not ear.empty():
                    event = ear.get_nowait()
                    if not isinstance(event, VenueSnapshot | f.Liquidated):
                        yield event
                await self._clock.sleep(LOOK_NS / NS_PER_SECOND)

    async def _answer(self, ask: Callable[[int], None]) -> list[Told]:
        """All that is told from a question on until the answer to it is here."""
        with self._listening() as ear:
            ask(self._clock.now_ns())
            await self._clock.sleep(self._exchange.costs.latency_ms * NS_PER_MS / NS_PER_SECOND)
            self._run()
            return [ear.get_nowait() for _ in range(ear.qsize())]

    @contextmanager
    def _listening(self) -> Iterator[asyncio.Queue[Told]]:
        ear: asyncio.Queue[Told] = asyncio.Queue()
        self._run()
        self._ears.add(ear)
        try:
            yield ear
        finally:
            self._ears.discard(ear)

    def _run(self) -> None:
        """Lets happen what is due, and tells it to whoever listens."""
        now_ns = self._clock.now_ns()
        while self._exchange.next_due_ns is not None and self._exchange.next_due_ns <= now_ns:
            event = self._exchange.run_next()
            if event is None:
                continue
            if isinstance(event, f.OrderFilled):
                self._fills[event.fill.trade_id] = event.fill
            for ear in self._ears:
                ear.put_nowait(event)


def _is_about(event: Told, coid: str) -> TypeGuard[f.VenueEvent]:
    if isinstance(event, VenueSnapshot | f.Liquidated):
        return False
    named = event.fill.client_order_id if isinstance(event, f.OrderFilled) else event.client_order_id
    return named == coid
