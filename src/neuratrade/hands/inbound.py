"""The queues between the streams and the engine, one lane a kind, each with its policy for when it is full.

What stops the desk goes first, then what venues say, then proposals, then prices. Venue events are never
dropped and never wait behind prices: a lost fill is an unprotected position. Of quotes only the newest a
symbol is worth having, so they conflate; bars and trades are history and make their source wait. Intents
make their inbox wait, which leaves them safe where they are.
"""

import asyncio
from collections import deque
from dataclasses import dataclass
from enum import IntEnum

from neuratrade.core.model.events import Event
from neuratrade.core.model.facts import VenueEvent
from neuratrade.core.model.market import Bar, Quote, Trade
from neuratrade.hands.halt_file import HaltSeen
from neuratrade.hands.inbox.delivery import Delivery


class Lane(IntEnum):
    """Lanes in the order they are served."""

    CONTROL = 0
    VENUE = 1
    INTENTS = 2
    MARKET = 3


@dataclass(frozen=True, slots=True)
class FeedEnded:
    """The market data came to its end, or broke for the reason given."""

    problem: BaseException | None = None


@dataclass(frozen=True, slots=True)
class StopAsked:
    """Somebody wants the desk to stop in order."""

    reason: str


@dataclass(frozen=True, slots=True)
class HaltChanged:
    """The HALT file came, changed, or went (None)."""

    seen: HaltSeen | None


Control = HaltChanged | StopAsked | Delivery | Event
MarketItem = list[Bar] | Quote | Trade | FeedEnded
Item = Control | VenueEvent | MarketItem


class Inbound:
    """What waits for the engine. One reader; any number of writers on the same event loop.

    market_capacity, intent_capacity: items that may wait. conflated: quotes that newer ones replaced.
    """

    def __init__(self, market_capacity: int = 1024, intent_capacity: int = 256) -> None:
        self._lanes: dict[Lane, deque[Item]] = {lane: deque() for lane in Lane}
        self._capacity = {Lane.MARKET: market_capacity, Lane.INTENTS: intent_capacity}
        self._filled = asyncio.Event()
        self._room = {lane: asyncio.Event() for lane in self._capacity}
        self._quotes: dict[str, Quote] = {}
        self.conflated = 0
        self.most_venue_waiting = 0

    def put_control(self, item: Control) -> None:
        """Takes an order to the desk itself; served before all else."""
        self._put(Lane.CONTROL, item)

    def put_venue(self, event: VenueEvent) -> None:
        """Takes a venue event. Always: the lane has no bound."""
        self._put(Lane.VENUE, event)
        self.most_venue_waiting = max(self.most_venue_waiting, len(self._lanes[Lane.VENUE]))

    async def put_delivery(self, delivery: Delivery) -> None:
        """Takes a proposal, waiting for room."""
        await self._wait_for_room(Lane.INTENTS)
        self._put(Lane.INTENTS, delivery)

    async def put_market(self, item: MarketItem) -> None:
        """Takes market data: a waiting quote is replaced by a newer one, all else waits for room."""
        if isinstance(item, Quote):
            waiting = self._quotes.get(item.instrument)
            if waiting is not None:
                self._replace(waiting, item)
                return
            self._quotes[item.instrument] = item
        await self._wait_for_room(Lane.MARKET)
        self._put(Lane.MARKET, item)

    async def get(self) -> Item:
        """The next item of the first lane that has one."""
        while True:
            for lane, items in self._lanes.items():
                if items:
                    return self._taken(lane, items)
            self._filled.clear()
            await self._filled.wait()

    def waiting(self, lane: Lane) -> int:
        """How many items wait in a lane."""
        return len(self._lanes[lane])

    def _taken(self, lane: Lane, items: deque[Item]) -> Item:
        item = items.popleft()
        if lane in self._room:
            self._room[lane].set()
        if isinstance(item, Quote):
            self._quotes.pop(item.instrument, None)
        return item

    def _put(self, lane: Lane, item: Item) -> None:
        self._lanes[lane].append(item)
        self._filled.set()

    def _replace(self, old: Quote, new: Quote) -> None:
        items = self._lanes[Lane.MARKET]
        for place, item in enumerate(items):
            if item is old:
                items[place] = new
                break
        else:
            # It waits for room itself: whoever carries it will find the newer one in its place.
            items.append(new)
            self._filled.set()
        self._quotes[new.instrument] = new
        self.conflated += 1

    async def _wait_for_room(self, lane: Lane) -> None:
        while len(self._lanes[lane]) >= self._capacity[lane]:
            self._room[lane].clear()
            await self._room[lane].wait()
