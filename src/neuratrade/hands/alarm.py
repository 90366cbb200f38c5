"""Waiting for a time that may come sooner than it was when the wait began."""

import asyncio

from neuratrade.core.model.market import NS_PER_SECOND
from neuratrade.feeds.clock import Clock


class Alarm:
    """One sleeper. at_ns: until when it sleeps now."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._sooner = asyncio.Event()
        self.at_ns = 0

    async def sleep_until(self, at_ns: int, now_ns: int) -> None:
        """Sleeps until then, or until something is due before."""
        self.at_ns = at_ns
        self._sooner.clear()
        asleep = asyncio.ensure_future(self._clock.sleep((at_ns - now_ns) / NS_PER_SECOND))
        woken = asyncio.ensure_future(self._sooner.wait())
        try:
            await asyncio.wait((asleep, woken), return_when=asyncio.FIRST_COMPLETED)
        finally:
            asleep.cancel()
            woken.cancel()

    def due(self, at_ns: int | None) -> None:
        """Something is due then: wakes the sleeper where it would sleep past that."""
        if at_ns is not None and at_ns < self.at_ns:
            self._sooner.set()
