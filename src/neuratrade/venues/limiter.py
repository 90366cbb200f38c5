"""Keeping under a venue's request limit, what protects first.

A venue that is asked too often answers nobody, and then a stop cannot be placed either. So requests wait here
for their turn: kills and protection before all else, market data last, and a share of the budget is kept for
what protects. After the venue said "too many" nothing that opens, asks or reads leaves until it may, and for
a while less of it than before.
"""

import asyncio
import heapq
from collections import deque
from enum import IntEnum
from typing import NamedTuple

from neuratrade.core.model.market import NS_PER_SECOND
from neuratrade.feeds.clock import Clock


class Urgency(IntEnum):
    """Who goes first."""

    PROTECT = 0
    OPEN = 1
    ASK = 2
    DATA = 3


class Budget(NamedTuple):
    """So many requests in so many seconds. kept: of them, how many only what protects may use.

    Where a venue weighs requests, all three count weight.
    """

    requests: int
    seconds: float
    kept: int


CUT_FOR_S = 60.0
"""How long the load stays cut after a venue said that it was too much."""
CUT_TO = 0.5


class Limiter:
    """One budget at one venue. Waits through `clock`."""

    def __init__(self, budget: Budget, clock: Clock) -> None:
        if not 0 <= budget.kept < budget.requests:
            raise ValueError(f"of {budget.requests} requests {budget.kept} cannot be kept back")
        self._budget = budget
        self._clock = clock
        self._sent: deque[tuple[int, int]] = deque()
        self._used = 0
        self._waiting: list[tuple[Urgency, int, int, asyncio.Future[None]]] = []
        self._number = 0
        self._stopped_until_ns = 0
        self._cut_until_ns = 0
        self._server: asyncio.Task[None] | None = None

    @property
    def waiting(self) -> int:
        """How many requests wait for their turn."""
        return sum(not future.done() for *_, future in self._waiting)

    async def turn(self, urgency: Urgency, weight: int = 1) -> None:
        """Returns when a request of this urgency may leave. One that is cancelled before uses nothing.

        weight: of the budget, how much it uses; more than there is leaves alone.
        """
        if not self._waiting and self._delay_ns(urgency, weight) == 0:
            self._count(weight)
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._number += 1
        heapq.heappush(self._waiting, (urgency, self._number, weight, future))
        # Who came now may be more urgent than who is waited for.
        self._serve_anew()
        await future

    def charge(self, weight: int) -> None:
        """Counts what a request weighs beyond what its turn was taken for."""
        if weight > 0:
            self._count(weight)

    def told_too_many(self, retry_after_s: float) -> None:
        """The venue refused for the number of requests: all but protection waits, then less goes."""
        now_ns = self._clock.now_ns()
        wait_ns = round(max(retry_after_s, 1.0) * NS_PER_SECOND)
        self._stopped_until_ns = max(self._stopped_until_ns, now_ns + wait_ns)
        self._cut_until_ns = self._stopped_until_ns + round(CUT_FOR_S * NS_PER_SECOND)

    def _serve_anew(self) -> None:
        if self._server is not None:
            self._server.cancel()
        self._server = asyncio.get_running_loop().create_task(self._serve())

    async def _serve(self) -> None:
        while self._waiting:
            urgency, _, weight, future = self._waiting[0]
            delay_ns = 0 if future.done() else self._delay_ns(urgency, weight)
            if delay_ns > 0:
                await self._clock.sleep(delay_ns / NS_PER_SECOND)
                continue
            heapq.heappop(self._waiting)
            if not future.done():
                self._count(weight)
                future.set_result(None)

    def _count(self, weight: int) -> None:
        self._sent.append((self._clock.now_ns(), weight))
        self._used += weight

    def _delay_ns(self, urgency: Urgency, weight: int) -> int:
        """How long a request of this urgency has to wait, zero for now."""
        now_ns, window_ns = self._clock.now_ns(), round(self._budget.seconds * NS_PER_SECOND)
        while self._sent and self._sent[0][0] <= now_ns - window_ns:
            self._used -= self._sent.popleft()[1]
        most = self._budget.requests
        if urgency is not Urgency.PROTECT:
            if now_ns < self._stopped_until_ns:
                return self._stopped_until_ns - now_ns
            most -= self._budget.kept
            if now_ns < self._cut_until_ns:
                most = max(int(most * CUT_TO), 1)
        # What weighs more than there ever is leaves once nothing else counts any more.
        too_much = self._used + min(weight, most) - most
        for sent_ns, sent_weight in self._sent if too_much > 0 else ():
            too_much -= sent_weight
            if too_much <= 0:
                return sent_ns + window_ns - now_ns
        return 0
