"""DDF behind the live feed of a desk: lost and found, silent, torn, delayed, where time jumps."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise

import pytest

from neuratrade.core.model.events import FeedStalled
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.market import Quote, Trade
from neuratrade.feeds.barchart.jerq import JerqLogin, JerqTransport
from neuratrade.feeds.barchart.market import BarchartMarket
from neuratrade.feeds.live.feed import LiveFeed
from neuratrade.feeds.port import Slice
from neuratrade.rehearsal.faults import Fault, FaultKind, Troubles
from neuratrade.rehearsal.jerq import PASSWORD, USER, JerqSimulator
from neuratrade.rehearsal.jerq_words import es, gold
from neuratrade.rehearsal.matching import MatchingEngine
from neuratrade.rehearsal.warp import WarpClock, WarpLoop
from tests.unit.feeds.barchart.gateway import BEGIN_NS, ES, GC, D
from tests.unit.rehearsal.exchange import warped


class Desk:
    """Follows ES and gold over JERQ; both are quoted and traded every second."""

    def __init__(self, plan: tuple[Fault, ...], delay_minutes: int, torn: int | None) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, WarpLoop)
        self.clock = WarpClock(loop, BEGIN_NS)
        now_ns = self.clock.now_ns
        engine = MatchingEngine((ES, GC), {"USD": D(1_000_000)}, now_ns)
        self.server = JerqSimulator(
            engine,
            Troubles(plan, now_ns, BEGIN_NS),
            now_ns,
            {ES.key: es(), GC.key: gold()},
            delay_minutes=delay_minutes,
            torn=torn,
        )
        self.told: list[Slice] = []
        self.notes: list[str] = []

    async def market(self) -> None:
        """A new price of each every second."""
        step = 0
        while True:
            step += 1
            for contract, price in ((ES, D(6900) + step * D("0.25")), (GC, D(4000) + step * D("0.1"))):
                at_ns = self.clock.now_ns()
                self.server.tape.play(Quote(contract.key, at_ns, price, price + contract.tick, D(step), D(5)))
                self.server.tape.play(Trade(contract.key, at_ns, price, D(step), aggressor_buy=True))
            await self.clock.sleep(1)

    async def follow(self) -> None:
        """Takes what the feed tells."""
        transport = JerqTransport(self.server.url, JerqLogin(USER, PASSWORD), self.clock, self.notes.append)
        feed = LiveFeed(
            lambda: BarchartMarket(transport, self.clock), (ES, GC), {}, self.notes.append, lambda _: None
        )
        async for piece in feed.stream(self.clock):
            self.told.append(piece)

    def trades(self, contract: Instrument = ES) -> list[Trade]:
        """What was told as trades of a contract."""
        return [item for item in self.told if isinstance(item, Trade) and item.instrument == contract.key]

    def stalls(self, contract: Instrument = ES) -> list[bool]:
        """Whether its prices stalled, as it was told."""
        return [
            item.stalled
            for item in self.told
            if isinstance(item, FeedStalled) and item.instrument == contract.key
        ]


@asynccontextmanager
async def desk(*plan: Fault, delay_minutes: int = 0, torn: int | None = None) -> AsyncIterator[Desk]:
    made = Desk(plan, delay_minutes, torn)
    async with made.server:
        tasks = [asyncio.create_task(made.market()), asyncio.create_task(made.follow())]
        try:
            yield made
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


@pytest.mark.parametrize("torn", [None, 5])
def test_two_minutes_of_prices_come_whole_and_in_order(torn: int | None) -> None:
    @warped
    async def play() -> None:
        async with desk(torn=torn) as world:
            await world.clock.sleep(120)
            for contract, tick in ((ES, D("0.25")), (GC, D("0.1"))):
                prices = [trade.price for trade in world.trades(contract)]
                assert len(prices) > 100
                steps = {after - before for before, after in pairwise(prices)}
                assert steps == {tick}

    play()


@warped
async def test_a_cut_connection_is_made_anew_and_prices_go_on() -> None:
    async with desk(Fault(30, FaultKind.PRICES_CUT)) as world:
        await world.clock.sleep(100)
        assert world.server.logins == 2
        assert world.stalls()[-2:] == [True, False]
        assert world.trades()[-1].quantity > D(90)


@warped
async def test_a_server_that_says_nothing_is_left_after_ten_seconds() -> None:
    async with desk(Fault(30, FaultKind.SILENT_STREAM, 12)) as world:
        await world.clock.sleep(100)
        assert world.server.logins == 2
        assert any("nothing for 10 s" in note for note in world.notes)
        assert world.trades()[-1].quantity > D(90)


@warped
async def test_a_symbol_that_fell_silent_is_asked_for_anew_while_the_other_goes_on() -> None:
    async with desk(Fault(30, FaultKind.SILENT_SYMBOL, 60)) as world:
        await world.clock.sleep(150)
        assert world.server.logins == 1
        assert "STOP ESZ6=Ssc" in world.server.commands
        assert world.stalls(ES)[-2:] == [True, False]
        assert True not in world.stalls(GC)[-1:]
        assert world.trades()[-1].quantity > D(140)


@warped
async def test_delayed_data_is_never_a_price() -> None:
    async with desk(delay_minutes=10) as world:
        await world.clock.sleep(60)
        assert world.server.logins == 1
        assert not [item for item in world.told if isinstance(item, Quote | Trade)]
