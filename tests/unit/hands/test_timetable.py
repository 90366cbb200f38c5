"""Markets open and close by their calendar while a desk runs, and contracts are rolled once."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime

from neuratrade.core.engine.engine import Engine
from neuratrade.core.model import events as e
from neuratrade.core.model import facts as f
from neuratrade.core.model.intent import CloseIntent, OpenIntent
from neuratrade.core.model.market import NS_PER_HOUR, NS_PER_MINUTE, NS_PER_SECOND, Quote
from neuratrade.core.model.orders import OrderRole
from neuratrade.core.rolls import Roll
from neuratrade.feeds.calendars import TradingCalendar
from neuratrade.hands.inbound import Inbound
from neuratrade.hands.timetable import Timetable
from neuratrade.rehearsal.warp import WarpClock, WarpLoop, run_warped
from tests.simulation.hand import Hand
from tests.simulation.world import PERP, SPOT, T0, D, desk_engine, intent, run_started

ES = TradingCalendar("CME equity index")
FRIDAY_NS = int(datetime(2026, 11, 20, 21, 50, tzinfo=UTC).timestamp()) * NS_PER_SECOND


def clock_at(begin_ns: int) -> WarpClock:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, WarpLoop)
    return WarpClock(loop, begin_ns)


async def served(
    timetable: Timetable, inbound: Inbound, take: Callable[[object], None], hours: float
) -> None:
    """Runs its streams for a while and hands on what they tell."""
    tasks = [asyncio.create_task(item) for item in timetable.streams().values()]

    async def serve() -> None:
        while True:
            take(await inbound.get())

    with suppress(TimeoutError):
        await asyncio.wait_for(serve(), hours * 3600)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def test_sessions_are_told_when_they_change_and_not_again() -> None:
    engine = desk_engine()
    engine.step(run_started(at_ns=FRIDAY_NS))
    told: list[tuple[float, bool]] = []

    def take(item: object) -> None:
        assert isinstance(item, f.SessionMoved)
        engine.step(item)
        told.append(((item.at_ns - FRIDAY_NS) / NS_PER_HOUR, item.is_open))

    async def main() -> None:
        inbound = Inbound()
        timetable = Timetable(engine, inbound, clock_at(FRIDAY_NS), {PERP.key: ES}, {})
        await served(timetable, inbound, take, 80)

    run_warped(main())
    minutes = 1 / 6
    assert [(round(hours - minutes, 6), is_open) for hours, is_open in told] == [
        (0, False),
        (49, True),
        (72, False),
        (73, True),
    ]


def test_a_desk_that_starts_in_a_closed_market_is_told_at_once() -> None:
    engine: Engine = desk_engine()
    engine.step(run_started())
    told: list[object] = []
    saturday_ns = FRIDAY_NS + 12 * NS_PER_HOUR

    async def main() -> None:
        inbound = Inbound()
        timetable = Timetable(engine, inbound, clock_at(saturday_ns), {PERP.key: ES}, {})
        await served(timetable, inbound, told.append, 0.001)

    run_warped(main())
    assert told == [f.SessionMoved(saturday_ns, PERP.key, is_open=False)]


def test_both_halves_of_a_roll_are_proposed_once_each() -> None:
    hand = Hand()
    hand.enter(intent(quantity=4))
    hand.now_ns = T0 + NS_PER_MINUTE
    said: list[e.IntentArrived] = []

    async def main() -> None:
        inbound, clock = Inbound(), clock_at(hand.now_ns)

        def take(item: object) -> None:
            assert isinstance(item, e.IntentArrived)
            said.append(item)
            hand.now_ns = clock.now_ns()
            hand.step(item)
            if isinstance(item.intent, CloseIntent):
                stop = next(key for key in hand.state.orders if hand.state.orders[key].request.stop_price)
                hand.step(f.OrderCancelled(hand.now_ns, stop, "leaving", D(0)))
                hand.fill(OrderRole.EXIT, 4, 100)

        hand.step(Quote(SPOT.key, hand.now_ns, D("102.49"), D("102.51"), D(100), D(100)))
        hand.quote(100)
        rolls = {PERP.key: Roll(SPOT.key, hand.now_ns + 5 * NS_PER_SECOND)}
        await served(Timetable(hand.engine, inbound, clock, {}, rolls), inbound, take, 0.02)

    run_warped(main())
    assert [type(item.intent) for item in said] == [CloseIntent, OpenIntent]
    assert said[0].at_ns == T0 + NS_PER_MINUTE + 5 * NS_PER_SECOND
    assert hand.bracket.intent.instrument == SPOT.key


def test_nothing_is_rolled_at_a_price_that_is_old() -> None:
    hand = Hand()
    hand.enter(intent(quantity=4))
    hand.quote(100)
    hand.step(Quote(SPOT.key, hand.now_ns, D("102.49"), D("102.51"), D(100), D(100)))
    said: list[object] = []

    async def main() -> None:
        inbound = Inbound()
        clock = clock_at(hand.now_ns + 31 * NS_PER_SECOND)
        rolls = {PERP.key: Roll(SPOT.key, 0)}
        await served(Timetable(hand.engine, inbound, clock, {}, rolls), inbound, said.append, 0.01)

    run_warped(main())
    assert said == []
