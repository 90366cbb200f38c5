"""Requests leave as far apart as their cost says, by the clock that is given."""

import asyncio

from neuratrade.core.model.market import NS_PER_SECOND
from neuratrade.feeds.clock import ManualClock
from neuratrade.rehearsal.warp import WarpClock, WarpLoop
from neuratrade.venues.ccxt.spacing import Spacing

EACH_NS = NS_PER_SECOND // 2


def test_each_request_keeps_the_next_away_for_what_it_costs_and_a_pause_is_not_saved_up() -> None:
    left_s: list[float] = []

    async def ask(spacing: Spacing, clock: WarpClock, cost: float | None) -> None:
        await spacing(cost)
        left_s.append(clock.now_ns() / NS_PER_SECOND)

    async def scene() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, WarpLoop)
        clock = WarpClock(loop, 0)
        spacing = Spacing(clock, EACH_NS)
        await asyncio.gather(*(ask(spacing, clock, cost) for cost in (None, 4, 1)))
        await clock.sleep(60.0)
        await asyncio.gather(*(ask(spacing, clock, None) for _ in range(2)))

    with asyncio.Runner(loop_factory=WarpLoop) as runner:
        runner.run(scene())
    assert left_s == [0.0, 0.5, 2.5, 62.5, 63.0]


def test_who_comes_when_nobody_was_there_waits_for_nothing() -> None:
    clock = ManualClock(10 * NS_PER_SECOND)
    spacing = Spacing(clock, EACH_NS)
    for _ in range(3):
        asyncio.run(spacing())
        clock.advance(0.5)
    assert clock.slept == []
