"""The bus port: intents from other parts of the desk, and verdicts back to them.

Promise: a published document is either taken, once and in order, or refused to its publisher at once with
`LimitReached`; nothing is dropped unsaid and nobody waits for room, because a proposal that waited has
gone stale. The port is asynchronous so that a bus in another process can stand behind it; the one here
lives in this process and forgets with it. What must survive a crash goes through the watch folder.
"""

import asyncio
import json
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterable
from typing import Protocol

from neuratrade.core.model.errors import LimitReached, UsageError
from neuratrade.hands.inbox.delivery import Delivery
from neuratrade.hands.strict_json import MAX_BYTES

DEFAULT_CAPACITY = 1000
SOURCE_PREFIX = "bus:"


class IntentBus(Protocol):
    """Carries documents to the one desk that listens, and a verdict for each back."""

    async def publish(self, raw: bytes, source: str) -> str:
        """The name the verdict will come under. Raises LimitReached when full, UsageError when too large."""
        ...

    def subscribe(self) -> AsyncIterator[Delivery]:
        """Every document from now on, in order of publishing. Raises UsageError for a second desk."""
        ...

    async def answer(self, name: str, verdict: bytes) -> None:
        """Send the verdict (JSON) on a delivery. After journaling only."""
        ...

    async def verdict(self, name: str, timeout_s: float) -> bytes | None:
        """The verdict on a published document; None when it has not come in time, or was read already."""
        ...


class InProcessBus:
    """The bus of a desk in one process.

    capacity: documents that may wait untaken, and verdicts kept for publishers that have not asked (the
    oldest goes first, since a publisher may have given up and the journal has it anyway).
    """

    def __init__(self, capacity: int = DEFAULT_CAPACITY) -> None:
        if capacity < 1:
            raise UsageError(f"capacity: {capacity} documents; give at least 1")
        self._capacity = capacity
        self._queue: asyncio.Queue[Delivery] = asyncio.Queue(capacity)
        self._verdicts: OrderedDict[str, bytes] = OrderedDict()
        self._answered = asyncio.Condition()
        self._published = 0
        self._has_desk = False

    async def publish(self, raw: bytes, source: str) -> str:
        if len(raw) > MAX_BYTES:
            raise UsageError(f"document: {len(raw)} bytes, the limit is {MAX_BYTES}; send one intent")
        name = f"bus-{self._published + 1}"
        try:
            self._queue.put_nowait(Delivery(f"{SOURCE_PREFIX}{source}", name, raw))
        except asyncio.QueueFull:
            raise LimitReached(
                f"bus: {self._capacity} documents wait already; this one was not taken; try later"
            ) from None
        self._published += 1
        return name

    def subscribe(self) -> AsyncIterator[Delivery]:
        if self._has_desk:
            raise UsageError("bus: a desk listens already; two would each see half of the intents")
        self._has_desk = True
        return self._deliveries()

    async def answer(self, name: str, verdict: bytes) -> None:
        async with self._answered:
            self._verdicts[name] = verdict
            while len(self._verdicts) > self._capacity:
                self._verdicts.popitem(last=False)
            self._answered.notify_all()

    async def verdict(self, name: str, timeout_s: float) -> bytes | None:
        try:
            async with asyncio.timeout(timeout_s), self._answered:
                await self._answered.wait_for(lambda: name in self._verdicts)
                return self._verdicts.pop(name)
        except TimeoutError:
            return None

    async def _deliveries(self) -> AsyncIterator[Delivery]:
        try:
            while True:
                yield await self._queue.get()
        finally:
            self._has_desk = False


class BusReplies:
    """Verdicts on their way back over a bus, given by a loop that may not wait for them."""

    def __init__(self, bus: IntentBus) -> None:
        self._bus = bus
        self._sending: set[asyncio.Task[None]] = set()

    def answer(self, name: str, verdict: bytes) -> None:
        """Sends the verdict (JSON) on a delivery. After journaling only."""
        sending = asyncio.ensure_future(self._bus.answer(name, verdict))
        self._sending.add(sending)
        sending.add_done_callback(self._sending.discard)

    def reject(self, name: str, errors: Iterable[str]) -> None:
        """Sends why a delivery was turned away."""
        self.answer(name, json.dumps({"approved": False, "errors": list(errors)}).encode())
