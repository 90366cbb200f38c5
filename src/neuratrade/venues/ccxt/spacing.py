"""How far apart ccxt's requests leave where no budget of ours counts them: by its own figures, on our clock.

Its own spacing looks at the machine's clock every millisecond; on another clock it never comes to an end.
"""

from typing import Any

from neuratrade.core.model.market import NS_PER_SECOND
from neuratrade.feeds.clock import Clock


class Spacing:
    """Lets requests through one after the other. each_ns: what a request of cost 1 keeps the next away."""

    def __init__(self, clock: Clock, each_ns: int) -> None:
        self._clock = clock
        self._each_ns = each_ns
        self._free_ns = 0

    async def __call__(self, cost: Any = None) -> None:
        """Returns when it may leave. cost: as ccxt reckons it, 1 where it says none."""
        now_ns = self._clock.now_ns()
        begin_ns = max(self._free_ns, now_ns)
        self._free_ns = begin_ns + round(float(1 if cost is None else cost) * self._each_ns)
        if begin_ns > now_ns:
            await self._clock.sleep((begin_ns - now_ns) / NS_PER_SECOND)
