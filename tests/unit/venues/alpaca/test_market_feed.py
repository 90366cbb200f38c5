"""Alpaca's market under the live feed: bars are whole through cuts and silence, with and without keys."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from neuratrade.core.model.events import FeedStalled
from neuratrade.core.model.market import NS_PER_MINUTE, Bar
from neuratrade.feeds.live.feed import LiveFeed
from neuratrade.feeds.live.source import MarketSource
from neuratrade.feeds.port import Slice
from neuratrade.rehearsal.faults import Fault, FaultKind
from neuratrade.venues.alpaca.rest import Keys
from tests.unit.rehearsal.exchange import BTC, ETH, warped
from tests.unit.venues.alpaca.market_stage import KEYS, Floor, clock, floor

BOTH = pytest.mark.parametrize("keys", [KEYS, None], ids=["keys", "no keys"])


@asynccontextmanager
async def fed(here: Floor) -> AsyncIterator[tuple[list[Slice], list[str]]]:
    """What the live feed of BTC and ETH tells until the block ends, and what it notes."""
    told: list[Slice] = []
    notes: list[str] = []

    @asynccontextmanager
    async def entered() -> AsyncIterator[MarketSource]:
        yield here.market

    def make() -> AbstractAsyncContextManager[MarketSource]:
        return entered()

    feed = LiveFeed(make, [BTC, ETH], {}, notes.append)

    async def hear() -> None:
        async for item in feed.stream(clock()):
            told.append(item)  # noqa: PERF401 - what came before an error counts

    task = asyncio.create_task(hear())
    try:
        yield told, notes
        assert not task.done(), task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def trade_for(here: Floor, minutes: int) -> None:
    """A trade of each pair every seven seconds, and a quote around it: the venue's bars count its middle."""
    for number in range(minutes * 60 // 7):
        for contract, price in ((BTC, 100 + number % 13), (ETH, 10 + number % 7)):
            here.trade(str(price), "0.5", contract)
            here.quote(str(price - 1), str(price + 1), contract)
        await asyncio.sleep(7.0)


def bars_of(told: list[Slice], key: str) -> list[Bar]:
    return [bar for item in told if isinstance(item, list) for bar in item if bar.instrument == key]


def truth(here: Floor, key: str) -> dict[int, Bar]:
    """The minutes as they were traded at the venue."""
    return {bar.open_ns: bar for bar in here.simulator.tape.bars(key, NS_PER_MINUTE)}


@BOTH
@pytest.mark.parametrize(
    "plan",
    [
        (),
        (Fault(200.0, FaultKind.PRICES_CUT),),
        (Fault(200.0, FaultKind.MAINTENANCE, 150.0),),
        (Fault(130.0, FaultKind.PRICES_CUT), Fault(135.0, FaultKind.DISCONNECT)),
    ],
    ids=["quiet", "cut", "maintenance", "cut twice"],
)
@warped
async def test_bars_are_those_of_the_venue_and_none_is_missing(
    plan: tuple[Fault, ...], keys: Keys | None
) -> None:
    async with floor(*plan, keys=keys, contracts=(BTC, ETH)) as here, fed(here) as (told, _):
        await asyncio.sleep(5.0)
        await trade_for(here, 10)
        await asyncio.sleep(90.0)
        for key in (BTC.key, ETH.key):
            bars = bars_of(told, key)
            expected = truth(here, key)
            assert [bar.open_ns for bar in bars] == [
                bars[0].open_ns + number * NS_PER_MINUTE for number in range(len(bars))
            ]
            assert len(bars) >= 10
            for bar in bars:
                theirs = expected[bar.open_ns]
                assert bar == theirs


@warped
async def test_a_pair_that_falls_silent_is_told_of_and_comes_back() -> None:
    plan = Fault(120.0, FaultKind.SILENT_SYMBOL, 600.0)
    async with floor(plan, contracts=(BTC, ETH)) as here, fed(here) as (told, notes):
        await asyncio.sleep(5.0)
        await trade_for(here, 14)
        stalls = [
            item.stalled for item in told if isinstance(item, FeedStalled) and item.instrument == BTC.key
        ]
        assert stalls[:2] == [False, True]
        assert stalls[-1] is False
        assert any("silent" in note for note in notes)
        assert bars_of(told, ETH.key)


@warped
async def test_a_connection_that_is_taken_by_another_is_waited_for() -> None:
    async with floor(contracts=(BTC, ETH)) as here:
        here.simulator.market_streams._connected["/v1beta3/crypto/us"] = 1
        async with fed(here) as (told, notes):
            await asyncio.sleep(20.0)
            assert not [item for item in told if isinstance(item, FeedStalled) and not item.stalled]
            assert any("one connection" in note for note in notes)
            del here.simulator.market_streams._connected["/v1beta3/crypto/us"]
            await asyncio.sleep(60.0)
            assert [item for item in told if isinstance(item, FeedStalled) and not item.stalled]
