"""The queues before the engine: what goes first, what waits, what conflates, and that nothing is lost."""

import asyncio
from decimal import Decimal

import pytest

from neuratrade.core.model import facts as f
from neuratrade.core.model.market import Bar, Quote, Trade
from neuratrade.hands.inbound import (
    INTENTS_IN_A_ROW,
    FeedEnded,
    Inbound,
    Item,
    Lane,
    MarketItem,
    StopAsked,
)
from neuratrade.hands.inbox.delivery import Delivery


def quote(at_ns: int, instrument: str = "BTC/USDT@binance") -> Quote:
    price = Decimal(at_ns)
    return Quote(instrument, at_ns, price, price + 1, Decimal(1), Decimal(1))


def trade(at_ns: int, instrument: str = "BTC/USDT@binance") -> Trade:
    return Trade(instrument, at_ns, Decimal(at_ns), Decimal(1))


def bar(open_ns: int, instrument: str = "BTC/USDT@binance") -> Bar:
    one = Decimal(1)
    return Bar(instrument, 60, open_ns, one, one, one, one, one)


def proposal(number: int) -> Delivery:
    return Delivery("folder", f"{number}.json", b"{}")


def fill(number: int) -> f.OrderAccepted:
    return f.OrderAccepted(number, f"order-{number}", f"venue-{number}")


async def drained(inbound: Inbound) -> list[Item]:
    found = []
    while any(inbound.waiting(lane) for lane in Lane):
        found.append(await inbound.get())
        await asyncio.sleep(0)
    return found


async def test_control_goes_first_then_the_venue_then_proposals_then_prices() -> None:
    inbound = Inbound()
    await inbound.put_market(trade(1))
    await inbound.put_delivery(proposal(1))
    inbound.put_venue(fill(1))
    inbound.put_control(StopAsked("now"))
    assert await drained(inbound) == [StopAsked("now"), fill(1), proposal(1), trade(1)]


async def test_within_a_lane_what_came_first_is_served_first() -> None:
    inbound = Inbound()
    items: list[MarketItem] = [trade(1), [bar(1)], quote(2), trade(3), quote(4), FeedEnded()]
    for item in items:
        await inbound.put_market(item)
    assert await drained(inbound) == items


async def test_venue_events_are_taken_without_bound_and_none_is_dropped() -> None:
    inbound = Inbound(market_capacity=1, intent_capacity=1)
    for number in range(50_000):
        inbound.put_venue(fill(number))
    assert inbound.most_venue_waiting == 50_000
    assert [await inbound.get() for _ in range(50_000)] == [fill(number) for number in range(50_000)]


async def test_quotes_are_all_kept_while_there_is_room() -> None:
    inbound = Inbound(market_capacity=4)
    for at_ns in (1, 2, 3, 4):
        await inbound.put_market(quote(at_ns))
    assert inbound.conflated == 0
    assert await drained(inbound) == [quote(1), quote(2), quote(3), quote(4)]


async def test_in_a_full_lane_the_newest_quote_takes_the_place_of_the_one_before_it() -> None:
    inbound = Inbound(market_capacity=3)
    first: list[MarketItem] = [trade(1), quote(2), quote(3, "ETH/USDT@binance")]
    for item in first:
        await inbound.put_market(item)
    for at_ns in range(4, 1_000):
        await asyncio.wait_for(inbound.put_market(quote(at_ns)), 1)
    assert inbound.conflated == 996
    assert await drained(inbound) == [trade(1), quote(999), quote(3, "ETH/USDT@binance")]


async def test_a_quote_never_overtakes_a_trade_or_a_bar() -> None:
    inbound = Inbound(market_capacity=2)
    await inbound.put_market(quote(1))
    await inbound.put_market(trade(2))
    late = asyncio.create_task(inbound.put_market(quote(3)))
    await asyncio.sleep(0)
    assert not late.done()
    assert await drained(inbound) == [quote(1), trade(2), quote(3)]
    await late


async def test_a_recorded_market_waits_instead_of_losing_quotes() -> None:
    inbound = Inbound(market_capacity=8, conflates=False)

    async def feed() -> None:
        for at_ns in range(1, 501):
            await inbound.put_market(quote(at_ns))
        await inbound.put_market(FeedEnded())

    feeding = asyncio.create_task(feed())
    seen = [await inbound.get() for _ in range(501)]
    await feeding
    assert seen == [*[quote(at_ns) for at_ns in range(1, 501)], FeedEnded()]
    assert inbound.conflated == 0


@pytest.mark.parametrize("capacity", [1, 3])
async def test_bars_and_trades_make_their_source_wait_and_keep_their_order(capacity: int) -> None:
    inbound = Inbound(market_capacity=capacity)
    sent: list[MarketItem] = [item for at_ns in range(1, 100) for item in (trade(at_ns), [bar(at_ns)])]

    async def feed() -> None:
        for item in sent:
            await inbound.put_market(item)

    feeding = asyncio.create_task(feed())
    await asyncio.sleep(0)
    assert inbound.waiting(Lane.MARKET) == capacity
    assert [await asyncio.wait_for(inbound.get(), 5) for _ in sent] == sent
    await feeding


async def test_proposals_wait_in_their_inbox_while_the_lane_is_full() -> None:
    inbound = Inbound(intent_capacity=2)
    tasks = [asyncio.create_task(inbound.put_delivery(proposal(number))) for number in range(5)]
    await asyncio.sleep(0)
    assert inbound.waiting(Lane.INTENTS) == 2
    inbound.put_venue(fill(1))
    assert await inbound.get() == fill(1)
    assert [await inbound.get() for _ in range(2)] == [proposal(0), proposal(1)]
    assert [await asyncio.wait_for(inbound.get(), 5) for _ in range(3)] == [proposal(n) for n in (2, 3, 4)]
    await asyncio.gather(*tasks)


async def test_a_flood_of_proposals_does_not_keep_prices_out() -> None:
    inbound = Inbound(intent_capacity=1_000)
    for number in range(100):
        await inbound.put_delivery(proposal(number))
    for at_ns in range(1, 6):
        await inbound.put_market(trade(at_ns))
    served = [await inbound.get() for _ in range(5 * (INTENTS_IN_A_ROW + 1))]
    places = [place for place, item in enumerate(served) if isinstance(item, Trade)]
    assert places == [(INTENTS_IN_A_ROW + 1) * number - 1 for number in range(1, 6)]


async def test_a_reader_who_waits_wakes_for_every_lane() -> None:
    inbound = Inbound()

    async def control() -> None:
        inbound.put_control(StopAsked("x"))

    async def venue() -> None:
        inbound.put_venue(fill(1))

    for putting in (control(), venue(), inbound.put_delivery(proposal(1)), inbound.put_market(quote(1))):
        waiting = asyncio.create_task(inbound.get())
        await asyncio.sleep(0)
        assert not waiting.done()
        await putting
        await asyncio.wait_for(waiting, 1)


async def test_writers_of_all_lanes_at_once_neither_stand_still_nor_lose_anything() -> None:
    inbound = Inbound(market_capacity=2, intent_capacity=2)

    async def market() -> None:
        for at_ns in range(200):
            await inbound.put_market(trade(at_ns))

    async def proposals() -> None:
        for number in range(200):
            await inbound.put_delivery(proposal(number))

    async def venue() -> None:
        for number in range(200):
            inbound.put_venue(fill(number))
            await asyncio.sleep(0)

    writers = [asyncio.create_task(work()) for work in (market, market, proposals, venue)]
    seen: list[Item] = [await asyncio.wait_for(inbound.get(), 5) for _ in range(800)]
    await asyncio.gather(*writers)
    assert sum(isinstance(item, Trade) for item in seen) == 400
    assert [item for item in seen if isinstance(item, Delivery)] == [proposal(n) for n in range(200)]
    assert [item for item in seen if isinstance(item, f.OrderAccepted)] == [fill(n) for n in range(200)]
