"""The paper desk on a live market: time passes by itself, quotes fill, and a bar is only its close."""

import asyncio
from collections.abc import Awaitable, Callable

from neuratrade.core.model import events as e
from neuratrade.core.model import facts as f
from neuratrade.core.model.market import NS_PER_MINUTE, NS_PER_SECOND, Bar, Quote
from neuratrade.hands.inbound import Inbound
from neuratrade.hands.paper import PaperDesk
from neuratrade.hands.recorder import MemoryRecorder
from neuratrade.rehearsal.warp import WarpClock, WarpLoop, run_warped
from tests.simulation.world import (
    FREE,
    PERP,
    T0,
    D,
    WatchedExchange,
    desk_engine,
    intent,
    run_started,
    warm_up,
)


class World:
    """A desk on a clock that jumps, served like a runner serves it."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, WarpLoop)
        self.clock = WarpClock(loop, T0)
        self.recorder = MemoryRecorder()
        self.exchange = WatchedExchange(costs=FREE)
        self.engine = desk_engine()
        self.inbound = Inbound()
        self.desk = PaperDesk(self.engine, self.exchange, self.recorder, None, self.inbound, self.clock)
        self.desk.take(run_started())
        warm_up(self.engine)

    async def serve(self) -> None:
        while True:
            item = await self.inbound.get()
            assert isinstance(item, e.ClockTick)
            self.desk.take(item)

    def quote(self, price: int) -> None:
        self.desk.tick(Quote(PERP.key, self.clock.now_ns(), D(price), D(price), D(50), D(50)))

    def of(self, kind: type[f.Fact]) -> list[f.Fact]:
        return [fact for fact in self.recorder.facts if isinstance(fact, kind)]


def lived(script: Callable[[World], Awaitable[None]]) -> World:
    async def live() -> World:
        world = World()
        tasks = [asyncio.create_task(item) for item in world.desk.streams(lambda _: None).values()]
        tasks.append(asyncio.create_task(world.serve()))
        try:
            await script(world)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return world

    return run_warped(live())


async def _opened(world: World) -> None:
    world.quote(100)
    world.desk.judge(e.IntentArrived(intent(at_ns=world.clock.now_ns()), world.clock.now_ns()))
    await world.clock.sleep(1.0)


def test_an_order_is_answered_after_its_latency_though_no_price_comes() -> None:
    world = lived(_opened)
    (planned, *_), (filled, *_) = world.of(f.OrderPlanned), world.of(f.OrderFilled)
    assert filled.at_ns - planned.at_ns == FREE.latency_ms * 1_000_000
    (bracket,) = world.engine.state.brackets.values()
    assert bracket.held == 1
    assert {order.request.role.value for order in world.engine.state.orders.values()} >= {"entry", "stop"}


def test_a_stop_fills_on_a_quote_and_not_on_the_range_of_a_bar() -> None:
    async def script(world: World) -> None:
        await _opened(world)
        now_ns = world.clock.now_ns()
        deep = Bar(PERP.key, NS_PER_MINUTE, now_ns - NS_PER_MINUTE, D(100), D(120), D(80), D(100), D(9))
        world.desk.bars([deep])
        await world.clock.sleep(5.0)
        assert not world.of(f.BracketClosed), "its range was lived through by quotes"
        world.quote(94)
        await world.clock.sleep(1.0)

    world = lived(script)
    (closed,) = world.of(f.BracketClosed)
    assert isinstance(closed, f.BracketClosed)
    assert (closed.reason, closed.exit_price) == (f.CloseReason.SL, D(94))
    assert world.desk.bars_seen == 1


def test_timers_and_seconds_pass_while_the_market_says_nothing() -> None:
    async def script(world: World) -> None:
        world.quote(100)
        proposal = intent(at_ns=world.clock.now_ns(), hold_s=60)
        world.desk.judge(e.IntentArrived(proposal, world.clock.now_ns()))
        await world.clock.sleep(59.0)
        assert not world.of(f.BracketClosed)
        world.quote(101)
        await world.clock.sleep(3.0)

    world = lived(script)
    (closed,) = world.of(f.BracketClosed)
    assert isinstance(closed, f.BracketClosed)
    assert closed.reason is f.CloseReason.TIME
    assert closed.at_ns < T0 + 62 * NS_PER_SECOND


def test_time_is_that_of_the_wall_and_nothing_is_replayed() -> None:
    async def script(world: World) -> None:
        await world.clock.sleep(120.0)
        assert world.desk.now_ns == world.clock.now_ns()
        assert not world.desk.replays

    world = lived(script)
    assert world.engine.state.now_ns >= T0
