"""Barchart as a market source behind a live feed: whose price it is, when it is one, and what ends it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from neuratrade.core.model.errors import Retryable, Terminal, UsageError
from neuratrade.core.model.events import FeedStalled
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.market import NS_PER_MINUTE, NS_PER_SECOND, Bar, Quote, Trade
from neuratrade.feeds.barchart.market import BarchartMarket
from neuratrade.feeds.barchart.ondemand import OnDemand
from neuratrade.feeds.barchart.symbols import barchart_symbol
from neuratrade.feeds.barchart.transport import Tally
from neuratrade.feeds.live.feed import LiveFeed
from neuratrade.feeds.live.statistics import ConnectionReading
from neuratrade.feeds.port import Slice
from neuratrade.rehearsal.faults import Fault, FaultKind
from neuratrade.rehearsal.openfeed import APIKEY
from tests.unit.feeds.barchart.gateway import BEGIN_NS, ES, GC, NQ, D, Gateway, gateway
from tests.unit.rehearsal.exchange import warped

S, M = NS_PER_SECOND, NS_PER_MINUTE


class Follower:
    """A live feed of contracts at another venue, told by Barchart."""

    def __init__(self, world: Gateway, contracts: tuple[Instrument, ...], apikey: str = "") -> None:
        self.told: list[Slice] = []
        self.readings: list[ConnectionReading] = []
        self.transport = world.transport()
        history = OnDemand(apikey, self.transport.tally, url=world.simulator.base) if apikey else None
        market = BarchartMarket(self.transport, world.clock, history=history)
        self.feed = LiveFeed(lambda: market, contracts, {}, world.notes.append, self.readings.append)
        self.task = asyncio.create_task(self._follow(world))

    async def _follow(self, world: Gateway) -> None:
        async for piece in self.feed.stream(world.clock):
            self.told.append(piece)

    def stalls(self, contract: Instrument = ES) -> list[bool]:
        """Whether a contract's prices stalled, as it was told."""
        return [
            item.stalled
            for item in self.told
            if isinstance(item, FeedStalled) and item.instrument == contract.key
        ]

    def prices(self, contract: Instrument = ES) -> list[Quote | Trade]:
        """What the desk was told as prices of a contract."""
        return [
            item for item in self.told if isinstance(item, Quote | Trade) and item.instrument == contract.key
        ]


@asynccontextmanager
async def following(
    world: Gateway, *contracts: Instrument, apikey: str = "", wait_s: float = 1.0
) -> AsyncIterator[Follower]:
    """A feed that had time to open."""
    follower = Follower(world, contracts or (ES, NQ), apikey)
    try:
        await world.clock.sleep(wait_s)
        yield follower
    finally:
        follower.task.cancel()
        await asyncio.gather(follower.task, return_exceptions=True)


@warped
async def test_a_contract_of_another_venue_has_the_prices_of_its_name_at_barchart() -> None:
    async with gateway() as world, following(world) as desk:
        world.quote("5800.25", "5800.50")
        world.trade("20000.25", NQ)
        await world.clock.sleep(0.5)
        told = Quote("ESZ6@tradovate", BEGIN_NS + S, D("5800.25"), D("5800.5"), D(7), D(8))
        assert desk.prices()[-1] == told
        trade = desk.prices(NQ)[-1]
        assert isinstance(trade, Trade)
        assert (trade.price, trade.aggressor_buy) == (D("20000.25"), False)


@warped
async def test_delayed_prices_are_never_prices_and_their_contract_stays_stalled() -> None:
    async with gateway() as world:
        world.simulator.service = "DELAYED"
        async with following(world) as desk:
            for _ in range(30):
                world.quote("5800.25", "5800.50")
                world.trade("5800.25")
                await world.clock.sleep(10)
            assert desk.prices() == []
            assert set(desk.stalls()) == {True}
            assert sum("are delayed" in note and ES.key in note for note in world.notes) == 1
            symbol = desk.readings[-1].symbols[0]
            assert (symbol.pieces, symbol.delay_minutes, symbol.is_stalled) == (0, -1, True)
            assert symbol.delayed >= 60


@warped
async def test_prices_of_the_present_count_again_as_soon_as_one_comes() -> None:
    async with gateway() as world, following(world) as desk:
        delayed = world.simulator._snapshot("ESZ26", world.simulator.market.DELAYED)
        world.quote("5800.25", "5800.50")
        await world.clock.sleep(0.5)
        assert desk.stalls()[-1] is False
        world.simulator.send(len(raw := delayed.SerializeToString()).to_bytes(2) + raw)
        await world.clock.sleep(0.5)
        assert desk.stalls()[-1] is True
        before = len(desk.prices())
        world.quote("5801.25", "5801.50")
        await world.clock.sleep(0.5)
        assert len(desk.prices()) == before, "what was said to be delayed stays so"


@warped
async def test_a_contract_is_stalled_until_something_of_the_present_is_heard_of_it() -> None:
    async with gateway() as world, following(world) as desk:
        assert desk.stalls(NQ) == [True, False], "its book came right after its subscription"


@pytest.mark.parametrize("price", ["0", "-37.63"])
def test_a_price_its_contract_cannot_have_is_left_out_and_counted(price: str) -> None:
    @warped
    async def play() -> None:
        async with gateway() as world, following(world, GC) as desk:
            world.trade(price, GC)
            world.trade("2650.1", GC)
            await world.clock.sleep(2.5)
            assert [item.price for item in desk.prices(GC) if isinstance(item, Trade)] == [D("2650.1")]
            assert desk.readings[-1].unreadable == {"prices that their contract cannot have": 1}

    play()


@warped
async def test_a_lost_gateway_is_connected_to_anew_and_counted() -> None:
    plan = Fault(2.0, FaultKind.PRICES_CUT), Fault(60.0, FaultKind.PRICES_CUT)
    async with gateway(*plan) as world, following(world, wait_s=120) as desk:
        world.quote("5800.25", "5800.50")
        await world.clock.sleep(3)
        assert world.simulator.logins == 3
        assert desk.prices()
        last = desk.readings[-1]
        assert (last.is_open, last.lost, last.reconnects, last.ended) == (True, 2, 2, "")


@warped
async def test_a_login_elsewhere_ends_the_feed_for_good_and_the_other_one_is_left_alone() -> None:
    async with gateway() as world, following(world) as desk:
        other = Follower(world, (ES, NQ))
        await world.clock.sleep(600)
        world.quote("5800.25", "5800.50")
        await world.clock.sleep(3)
        assert world.simulator.logins == 2
        assert desk.stalls()[-1] is True
        assert not desk.task.done(), "what is held is still watched"
        assert "DUPLICATE_LOGIN" in desk.readings[-1].ended
        assert other.prices()
        other.task.cancel()
        await asyncio.gather(other.task, return_exceptions=True)


@warped
async def test_a_desk_that_cannot_log_in_does_not_begin() -> None:
    async with gateway() as world:
        world.simulator.login_result = "INVALID_CREDENTIALS"
        async with following(world) as desk:
            with pytest.raises(UsageError, match="INVALID_CREDENTIALS"):
                await desk.task
        world.simulator.login_result = "DUPLICATE_LOGIN"
        async with following(world) as desk:
            with pytest.raises(Terminal, match="DUPLICATE_LOGIN"):
                await desk.task


@warped
async def test_a_silent_symbol_is_stalled_and_asked_for_anew_while_the_others_go_on() -> None:
    async with gateway(Fault(60.0, FaultKind.SILENT_SYMBOL, 120.0)) as world, following(world) as desk:
        for number in range(240):
            world.quote(f"{5800 + number}", f"{5801 + number}")
            world.quote(f"{20_000 + number}", f"{20_001 + number}", NQ)
            await world.clock.sleep(1)
        assert desk.stalls(NQ)[1:] == [False]
        assert desk.stalls(ES)[-2:] == [True, False]
        assert any(item.unsubscribe for item in world.simulator.asked)
        assert desk.readings[-1].symbols[0].gaps >= 1


# history


def minutes(world: Gateway, count: int, contract: Instrument = ES) -> list[Bar]:
    """Whole minutes up to now, without the fifth from the end."""
    end_ns = world.clock.now_ns() // M * M
    bars = [
        Bar(contract.key, M, end_ns - n * M, D(5800), D("5801.25"), D("5799.5"), D("5800.75"), D(n))
        for n in range(count, 0, -1)
        if n != 5
    ]
    for bar in bars:
        world.simulator.tape.play(bar)
    return bars


@warped
async def test_history_is_the_minutes_that_were_traded_in_utc_and_exact() -> None:
    async with gateway() as world:
        bars = minutes(world, 30)
        async with OnDemand(APIKEY, Tally(), url=world.simulator.base) as ondemand:
            now_ns = world.clock.now_ns()
            assert await ondemand.history("ESZ26", ES.key, 10, now_ns) == bars[-9:]
            assert await ondemand.history("ESZ26", ES.key, 10, now_ns - 20 * M) == bars[:10]
            assert await ondemand.history("ESZ26", ES.key, 0, now_ns) == []
            assert await ondemand.history("NQZ26", NQ.key, 10, now_ns) == []


@pytest.mark.parametrize(
    ("stamp", "utc_s"),
    [
        ("2026-10-31T20:00:00-05:00", 1_793_494_800),
        ("2026-11-01T01:30:00-05:00", 1_793_514_600),
        ("2026-11-01T01:30:00-06:00", 1_793_518_200),
        ("2026-11-02T09:30:00-06:00", 1_793_633_400),
        ("2026-03-08T03:00:00-05:00", 1_772_956_800),
    ],
)
def test_times_are_by_their_own_offset_also_in_the_hour_that_comes_twice(stamp: str, utc_s: int) -> None:
    from neuratrade.feeds.barchart.ondemand import _ns_of

    assert _ns_of(stamp) == utc_s * S
    with pytest.raises(ValueError, match="offset"):
        _ns_of(stamp[:-6])


@pytest.mark.parametrize(
    ("code", "error"),
    [(401, UsageError), (403, UsageError), (400, UsageError), (429, Retryable), (500, Retryable)],
)
def test_the_status_that_counts_is_in_the_body_and_no_error_repeats_the_key(
    code: int, error: type[Exception]
) -> None:
    @warped
    async def play() -> None:
        async with gateway() as world:
            world.simulator.ondemand.code = code
            async with OnDemand(APIKEY, Tally(), url=world.simulator.base) as ondemand:
                with pytest.raises(error, match=str(code)):
                    await ondemand.history("ESZ26", ES.key, 10, world.clock.now_ns())
            async with OnDemand("a-key-nobody-may-read", Tally(), url=world.simulator.base) as ondemand:
                with pytest.raises(UsageError) as told:
                    await ondemand.quotes(["ESZ26"])
            assert "nobody-may-read" not in f"{told.value!r} {told.value.__cause__!r}"
        async with OnDemand("a-key-nobody-may-read", Tally(), url=world.simulator.base) as ondemand:
            with pytest.raises(Retryable) as told_later:
                await ondemand.quotes(["ESZ26"])
            assert "nobody-may-read" not in f"{told_later.value!r} {told_later.value.__cause__!r}"

    play()


@pytest.mark.parametrize(("mode", "delay"), [("R", 0), ("r", 0), ("I", -1), ("D", -1), ("", -1), ("Q", -1)])
def test_a_quote_says_whether_it_is_of_the_present(mode: str, delay: int) -> None:
    @warped
    async def play() -> None:
        async with gateway() as world:
            world.simulator.ondemand.mode = mode
            world.quote("5800.25", "5800.50")
            world.trade("5800.25")
            async with OnDemand(APIKEY, Tally(), url=world.simulator.base) as ondemand:
                told = await ondemand.quotes(["ESZ26", "ESZ99"])
            assert list(told) == ["ESZ26"]
            reading = told["ESZ26"]
            assert (reading.last, reading.bid, reading.ask) == (D("5800.25"), D("5800.25"), D("5800.5"))
            assert (reading.at_ns, reading.delay_minutes) == (BEGIN_NS, delay)

    play()


@warped
async def test_a_torn_minute_is_asked_for_and_comes_whole() -> None:
    async with gateway() as world:
        bars = minutes(world, 3)
        async with following(world, ES, apikey=APIKEY, wait_s=60) as desk:
            told = [bar for item in desk.told if isinstance(item, list) for bar in item]
            assert [bar.open_ns for bar in told] == [bar.open_ns for bar in bars]


# names


@pytest.mark.parametrize(
    ("asset", "symbol"),
    [
        ("ESZ6", "ESZ26"), ("ESZ26", "ESZ26"), ("esz2026", "ESZ26"), ("NQH7", "NQH27"), ("GCG5", "GCG25"),
        ("M2KZ6", "M2KZ26"), ("XAUUSD", "^XAUUSD"), ("VIX", "$VIX"), ("^XAUUSD", "^XAUUSD"), ("$VIX", "$VIX"),
        ("GCZ4", "GCZ34"),
    ],
)  # fmt: skip
def test_barchart_has_its_own_names(asset: str, symbol: str) -> None:
    assert barchart_symbol(asset, BEGIN_NS) == symbol


@pytest.mark.parametrize("asset", ["BTC/USDT", "", "ES", "ESA6", "../x", "ESZ", "ES,NQ", "$"])
def test_what_barchart_has_no_name_of_is_refused(asset: str) -> None:
    with pytest.raises(UsageError, match="no name at Barchart"):
        barchart_symbol(asset, BEGIN_NS)
