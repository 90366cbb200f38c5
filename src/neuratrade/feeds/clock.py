"""The clock port: everything outside the core that asks for the time or waits does it through this.

Tests and rehearsals hand in a `ManualClock` and run in no time; a desk hands in a `SystemClock`, whose time
is anchored to the monotonic clock, so that a corrected system clock can neither repeat a second nor skip
one.
"""

import asyncio
import random
import time
from collections.abc import Callable
from typing import Protocol

from neuratrade.core.model.market import NS_PER_SECOND

WAITS_S = (1.0, 2.0, 4.0, 8.0)
JITTER = 0.2


def backoff_s(attempt: int, draw: Callable[[], float] = random.random) -> float:
    """How long to wait before a try: 1, 2, 4, 8 s, each a little longer or shorter than that, so that many
    desks do not come back at the same instant.

    attempt: tries that failed in a row, from 0. draw: 0 to below 1.
    """
    wait_s = WAITS_S[min(max(attempt, 0), len(WAITS_S) - 1)]
    return wait_s * (1 + JITTER * (2 * draw() - 1))


class Clock(Protocol):
    """Time now, and waiting."""

    def now_ns(self) -> int:
        """Nanoseconds since 1970-01-01 UTC; never less than what it said before."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait; zero or less only lets other tasks run."""
        ...


class SystemClock:
    """The machine's clock: wall time at its making plus what the monotonic clock counted since."""

    def __init__(self) -> None:
        self._offset_ns = time.time_ns() - time.monotonic_ns()

    def now_ns(self) -> int:
        """Nanoseconds UTC; never backwards, whatever is done to the system clock meanwhile."""
        return self._offset_ns + time.monotonic_ns()

    async def sleep(self, seconds: float) -> None:
        """Wait in real time."""
        await asyncio.sleep(max(seconds, 0.0))


WALL = SystemClock()
"""The clock of what only notes when something was done."""


class ManualClock:
    """A clock that stands still until somebody sleeps on it or advances it.

    `slept` lists all waits, seconds.
    """

    def __init__(self, now_ns: int = 0) -> None:
        self._now_ns = now_ns
        self.slept: list[float] = []

    def now_ns(self) -> int:
        """The time it was brought to."""
        return self._now_ns

    def advance(self, seconds: float) -> None:
        """Move on. Raises ValueError for a step back."""
        if seconds < 0:
            raise ValueError(f"a clock never runs backwards, got {seconds} s")
        self._now_ns += round(seconds * NS_PER_SECOND)

    async def sleep(self, seconds: float) -> None:
        """Moves the clock on at once and lets other tasks run."""
        self.slept.append(seconds)
        self.advance(max(seconds, 0.0))
        await asyncio.sleep(0)
