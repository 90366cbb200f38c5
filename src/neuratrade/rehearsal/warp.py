"""An event loop whose time jumps: while nothing is on its way, the next timer is now.

Whatever waits through it (pings, back-offs, time-outs, clients of others that know no clock of ours) waits in
its time, so a rehearsal of hours runs in seconds, over real sockets. A jump is made only when no socket has
anything to read after a moment of real time: what is on loopback arrives within microseconds.
"""

import asyncio
import os
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

from neuratrade.core.model.market import NS_PER_SECOND

LOOKS = 3
"""How often sockets are looked at, the processor given away in between, before time jumps."""

T = TypeVar("T")
Ready = list[tuple[selectors.SelectorKey, int]]


class WarpLoop(asyncio.SelectorEventLoop):
    """A loop with a time of its own, which begins at zero and moves in jumps."""

    def __init__(self) -> None:
        self._elapsed_s = 0.0
        super().__init__(_JumpingSelector(self))

    def time(self) -> float:
        """Seconds since the loop was made, in its own time."""
        return self._elapsed_s

    def jump(self, seconds: float) -> None:
        """Moves on."""
        self._elapsed_s += seconds


class _JumpingSelector(selectors.DefaultSelector):
    def __init__(self, loop: WarpLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> Ready:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        for _ in range(LOOKS):
            os.sched_yield()
            ready = super().select(0)
            if ready:
                return ready
        if timeout is None:
            # No timer: only a socket or a signal can wake it, in real time.
            return super().select(None)
        self._loop.jump(timeout)
        return []


class WarpClock:
    """The clock port on a `WarpLoop`. begin_ns: what time it was when the loop was made."""

    def __init__(self, loop: WarpLoop, begin_ns: int) -> None:
        self._loop = loop
        self._begin_ns = begin_ns

    def now_ns(self) -> int:
        """Nanoseconds UTC in the loop's time."""
        return self._begin_ns + round(self._loop.time() * NS_PER_SECOND)

    async def sleep(self, seconds: float) -> None:
        """Wait in the loop's time."""
        await asyncio.sleep(max(seconds, 0.0))


def run_warped(main: Coroutine[Any, Any, T]) -> T:
    """Runs a coroutine to its end on a `WarpLoop`, like `asyncio.run`."""
    with asyncio.Runner(loop_factory=WarpLoop) as runner:
        return runner.run(main)
