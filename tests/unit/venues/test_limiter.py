"""The request limiter: what protects goes first, the budget is kept, and "too many" is heeded."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from neuratrade.feeds.clock import ManualClock
from neuratrade.rehearsal.warp import WarpClock, WarpLoop
from neuratrade.venues.limiter import Budget, Limiter, Urgency

SMALL = Budget(requests=4, seconds=10.0, kept=1)


def on_warped_loop(main: Callable[[WarpClock], Awaitable[None]]) -> None:
    loop = WarpLoop()
    clock = WarpClock(loop, 0)

    async def run() -> None:
        await main(clock)

    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(run())


def seconds(clock: WarpClock) -> float:
    return clock.now_ns() / 1e9


def test_what_fits_the_budget_leaves_at_once_and_the_rest_when_the_oldest_is_forgotten() -> None:
    async def main(clock: WarpClock) -> None:
        limiter, left = Limiter(SMALL, clock), []
        for _ in range(7):
            await limiter.turn(Urgency.OPEN)
            left.append(round(seconds(clock), 3))
        assert left == [0, 0, 0, 10, 10, 10, 20]

    on_warped_loop(main)


def test_what_is_kept_back_is_there_for_what_protects_and_for_nothing_else() -> None:
    async def main(clock: WarpClock) -> None:
        limiter = Limiter(SMALL, clock)
        for _ in range(3):
            await limiter.turn(Urgency.DATA)
        await limiter.turn(Urgency.PROTECT)
        assert seconds(clock) == 0
        await limiter.turn(Urgency.PROTECT)
        assert seconds(clock) == 10

    on_warped_loop(main)


def test_what_protects_overtakes_all_that_waits_and_market_data_is_last() -> None:
    async def main(clock: WarpClock) -> None:
        limiter, order = Limiter(Budget(1, 1.0, 0), clock), []

        async def ask(urgency: Urgency) -> None:
            await limiter.turn(urgency)
            order.append(urgency)

        await limiter.turn(Urgency.OPEN)
        wanted = [Urgency.DATA, Urgency.ASK, Urgency.OPEN, Urgency.PROTECT]
        await asyncio.gather(*(ask(urgency) for urgency in wanted))
        assert order == wanted[::-1]
        assert seconds(clock) == 4

    on_warped_loop(main)


def test_after_too_many_only_protection_leaves_until_the_venue_may_be_asked_then_half_as_much() -> None:
    async def main(clock: WarpClock) -> None:
        limiter = Limiter(Budget(9, 10.0, 1), clock)
        limiter.told_too_many(5.0)
        await limiter.turn(Urgency.PROTECT)
        assert seconds(clock) == 0
        left = []
        for _ in range(5):
            await limiter.turn(Urgency.ASK)
            left.append(round(seconds(clock), 3))
        assert left == [5, 5, 5, 10, 15]
        await clock.sleep(120)
        begun = seconds(clock)
        for _ in range(8):
            await limiter.turn(Urgency.ASK)
        assert seconds(clock) == begun

    on_warped_loop(main)


def test_who_gives_up_while_waiting_uses_nothing_and_holds_nobody_up() -> None:
    async def main(clock: WarpClock) -> None:
        limiter = Limiter(Budget(1, 10.0, 0), clock)
        await limiter.turn(Urgency.OPEN)
        waiting = asyncio.create_task(limiter.turn(Urgency.OPEN))
        await asyncio.sleep(1)
        assert limiter.waiting == 1
        waiting.cancel()
        await limiter.turn(Urgency.OPEN)
        assert (seconds(clock), limiter.waiting) == (10, 0)

    on_warped_loop(main)


@pytest.mark.parametrize("budget", [Budget(3, 1.0, 3), Budget(3, 1.0, -1), Budget(0, 1.0, 0)])
def test_a_budget_that_leaves_nothing_is_refused(budget: Budget) -> None:
    with pytest.raises(ValueError, match="cannot be kept back"):
        Limiter(budget, ManualClock())


def test_heavy_requests_use_more_of_the_budget_and_one_heavier_than_all_of_it_leaves_alone() -> None:
    async def main(clock: WarpClock) -> None:
        limiter, left = Limiter(Budget(requests=10, seconds=10.0, kept=4), clock), []
        for weight in (4, 2, 1, 5, 50, 1):
            await limiter.turn(Urgency.ASK, weight)
            left.append(round(seconds(clock), 3))
        assert left == [0, 0, 10, 10, 20, 30]
        await limiter.turn(Urgency.PROTECT, 4)

    on_warped_loop(main)


def test_what_is_kept_back_counts_weight_too() -> None:
    async def main(clock: WarpClock) -> None:
        limiter = Limiter(Budget(requests=10, seconds=10.0, kept=4), clock)
        await limiter.turn(Urgency.ASK, 6)
        await limiter.turn(Urgency.PROTECT, 4)
        assert seconds(clock) == 0
        await limiter.turn(Urgency.PROTECT, 1)
        assert seconds(clock) == 10

    on_warped_loop(main)
