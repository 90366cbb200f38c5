"""The queues between the streams and the engine, one lane a kind, each with its policy for when it is full.

What stops the desk goes first, then what venues say, then proposals, then prices. Venue events are never
dropped and never wait behind prices: a lost fill is an unprotected position. Of quotes only the newest a
symbol is worth having, so in a full lane they conflate; bars and trades are history and make their source
wait. Intents make their inbox wait, which leaves them safe where they are; a flood of them still lets
prices through, since stops are watched on prices. A recorded market can always wait, so there nothing is
conflated: two replays of one recording must not differ by how busy the machine was.
"""

import asyncio
from collections import deque
from dataclasses import dataclass
from enum import IntEnum

from neuratrade.core.model.events import (
    ClockTick,
    ConnectionChanged,
    Event,
    FeedStalled,
    VenueHealth,
    VenueSnapshot,
)
from neuratrade.core.model.facts import PauseProposed, TimerFired, VenueEvent
from neuratrade.core.model.market import Bar, Quote, Trade
from neuratrade.hands.halt_file import HaltSeen
from neuratrade.hands.inbox.delivery import Delivery

INTENTS_IN_A_ROW = 8


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
class StreamBroke:
    """One of the tasks that bring things here ended with an error."""

    name: str
    problem: BaseException


@dataclass(frozen=True, slots=True)
class StopAsked:
    """Somebody wants the desk to stop in order."""

    reason: str


@dataclass(frozen=True, slots=True)
class HaltChanged:
    """The HALT file came, changed, or went (None)."""

    seen: HaltSeen | None


Control = HaltChanged | StopAsked | StreamBroke | Delivery | Event
MarketItem = list[Bar] | Quote | Trade | FeedStalled | FeedEnded
VenueItem = (
    VenueEvent | VenueSnapshot | VenueHealth | ConnectionChanged | PauseProposed | TimerFired | ClockTick
)
Item = Control | VenueItem | MarketItem


class Inbound:
    """What waits for the engine. One reader; any number of writers on the same event loop.

    market_capacity, intent_capacity: items that may wait. conflates: whether a quote in a full lane is
    replaced by a newer one. conflated: how many were.
    """

    def __init__(
        self, market_capacity: int = 1024, intent_capacity: int = 256, *, conflates: bool = True
    ) -> None:
        self._lanes: dict[Lane, deque[Item]] = {lane: deque() for lane in Lane}
        self._capacity = {Lane.MARKET: market_capacity, Lane.INTENTS: intent_capacity}
        self._filled = asyncio.Event()
        self._room = {lane: asyncio.Event() for lane in self._capacity}
        self._conflates = conflates
        self._intents_in_a_row = 0
        self.conflated = 0
        self.most_venue_waiting = 0

    def put_control(self, item: Control) -> None:
        """Takes an order to the desk itself; served before all else."""
        self._put(Lane.CONTROL, item)

    def put_venue(self, event: VenueItem) -> None:
        """Takes what a venue said, or a time that came. Always: the lane has no bound.

        Times wait behind answers, so that no time-out overtakes the answer it waits for.
        """
        self._put(Lane.VENUE, event)
        self.most_venue_waiting = max(self.most_venue_waiting, len(self._lanes[Lane.VENUE]))

    async def put_delivery(self, delivery: Delivery) -> None:
        """Takes a proposal, waiting for room."""
        await self._wait_for_room(Lane.INTENTS)
        self._put(Lane.INTENTS, delivery)

    async def put_market(self, item: MarketItem) -> None:
        """Takes market data. In a full lane a quote replaces the one before it; all else waits for room."""
        if isinstance(item, Quote) and self._conflates and self._replaced(item):
            return
        await self._wait_for_room(Lane.MARKET)
        self._put(Lane.MARKET, item)

    async def get(self) -> Item:
        """The next item of the first lane that has one, and a price after so many intents in a row."""
        while (lane := self._next_lane()) is None:
            self._filled.clear()
            await self._filled.wait()
        self._intents_in_a_row = self._intents_in_a_row + 1 if lane is Lane.INTENTS else 0
        item = self._lanes[lane].popleft()
        if lane in self._room:
            self._room[lane].set()
        return item

    def waiting(self, lane: Lane) -> int:
        """How many items wait in a lane."""
        return len(self._lanes[lane])

    def _next_lane(self) -> Lane | None:
        waiting = [lane for lane, items in self._lanes.items() if items]
        if not waiting:
            return None
        flooded = waiting[0] is Lane.INTENTS and self._intents_in_a_row >= INTENTS_IN_A_ROW
        return waiting[-1] if flooded else waiting[0]

    def _put(self, lane: Lane, item: Item) -> None:
        self._lanes[lane].append(item)
        self._filled.set()

    def _replaced(self, new: Quote) -> bool:
        """Whether a quote took the place of an older one, with no trade or bar in between to overtake."""
        items = self._lanes[Lane.MARKET]
        if len(items) < self._capacity[Lane.MARKET]:
            return False
        for place in range(len(items) - 1, -1, -1):
            old = items[place]
            if not isinstance(old, Quote):
                return False
            if old.instrument == new.instrument:
                items[place] = new
                self.conflated += 1
                return True
        return False

    async def _wait_for_room(self, lane: Lane) -> None:
        while len(self._lanes[lane]) >= self._capacity[lane]:
            self._room[lane].clear()
            await self._room[lane].wait()
