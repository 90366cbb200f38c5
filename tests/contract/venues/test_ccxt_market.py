"""Live data through unmodified classes of ccxt: what the exchange played comes, once, until it ends."""

import asyncio
from collections import Counter

import pytest
from yarl import URL

from neuratrade.core.model.errors import Refused, Retryable, UsageError
from neuratrade.core.model.market import NS_PER_MINUTE, Bar, Quote, Trade
from neuratrade.feeds.clock import SystemClock
from neuratrade.venues.ccxt import market, public_stream
from neuratrade.venues.ccxt.exchange import Exchange
from neuratrade.venues.ccxt.market import CcxtMarket
from neuratrade.venues.ccxt.wire import Wire
from tests.loopback.market_world import VENUES, D, Listener, market_world, until


class _Plain(CcxtMarket):
    """An exchange that streams one symbol at a time, whole books or tickers, and answers in unknown words."""

    lacks: tuple[str, ...] = ("watchTradesForSymbols", "watchBidsAsks")

    def _made(self, wire: Wire) -> Exchange:
        made = super()._made(wire)
        made.has |= dict.fromkeys(self.lacks, False)
        return made


class _Plainer(_Plain):
    lacks = (*_Plain.lacks, "watchOrderBook")


every_venue = pytest.mark.parametrize("name", VENUES)


@every_venue
async def test_each_trade_comes_once_and_the_last_quote_is_that_of_the_exchange(name: str) -> None:
    async with market_world(name) as world, Listener(world, world.contracts) as listener:
        for turn in range(30):
            for contract in world.contracts:
                world.trade(contract, count=1 + turn % 7)
                world.quote(contract)
            if turn % 3 == 0:
                await asyncio.sleep(0.01)
        await until(lambda: len(listener.trades) >= len(world.played), "all trades")
        await until(lambda: all(listener.shows(item) for item in world.contracts), "the last quotes")
        await asyncio.sleep(0.1)
        for contract in world.contracts:
            told = [trade for trade in listener.trades if trade.instrument == contract.key]
            assert told == [trade for trade in world.played if trade.instrument == contract.key]
        assert not world.market.hostile


@every_venue
async def test_a_burst_of_trades_of_one_symbol_is_told_whole(name: str) -> None:
    async with market_world(name) as world, Listener(world, world.contracts) as listener:
        world.trade(world.contracts[0], count=1500)
        await until(lambda: len(listener.trades) >= 1500, "all trades")
        assert listener.trades == world.played


@every_venue
async def test_trades_that_ccxt_could_not_keep_are_a_loss_that_is_told(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (market, public_stream):
        monkeypatch.setattr(module, "MOST_CACHED", 20)
    async with market_world(name) as world, Listener(world, world.contracts) as listener:
        world.trade(world.contracts[0], count=1500)
        await until(lambda: listener.error, "the loss is told")
        assert "more trades of" in str(listener.error)
        assert listener.trades == world.played[: len(listener.trades)], "nothing is told from behind the gap"


@every_venue
async def test_trades_from_before_are_not_told_as_news(name: str) -> None:
    async with market_world(name) as world:
        await world.market.instruments([world.contracts[0].asset])
        old = Trade(world.contracts[0].key, 1_700_000_000_000_000_000, D(30_000), D(1), True)
        world.play(old)
        async with Listener(world, world.contracts) as listener:
            world.play(old)
            world.trade(world.contracts[0])
            await until(lambda: listener.trades, "the new one")
            assert listener.trades == world.played


@every_venue
async def test_a_connection_that_is_cut_raises_after_all_that_came_and_a_new_one_goes_on(name: str) -> None:
    async with market_world(name) as world:
        async with Listener(world, world.contracts) as listener:
            world.trade(world.contracts[0], count=3)
            await until(lambda: len(listener.trades) == 3, "trades")
            world.relay.cut()
            await until(lambda: listener.error, "the loss is told")
            assert isinstance(listener.error, Retryable)
            assert str(listener.error).startswith(f"the stream of {name} was lost: ")
        world.trade(world.contracts[0], count=2)
        async with Listener(world, world.contracts) as listener:
            world.trade(world.contracts[1], count=2)
            world.quote(world.contracts[1])
            await until(lambda: len(listener.trades) == 2, "trades after it")
            await until(lambda: listener.shows(world.contracts[1]), "quotes after it")
            assert listener.trades == world.played[-2:], "what was missed is not made up, nor told twice"


@every_venue
async def test_a_symbol_that_is_silent_stays_silent(name: str) -> None:
    async with market_world(name) as world, Listener(world, world.contracts) as listener:
        silent, loud = world.contracts[0], world.contracts[1]
        before = len([piece for piece in listener.heard if isinstance(piece, Quote)])
        for _ in range(20):
            world.trade(loud)
            world.quote(loud)
            await asyncio.sleep(0.005)
        await until(lambda: len(listener.trades) == 20, "the other's trades")
        heard = Counter(getattr(piece, "instrument", "") for piece in listener.heard[before + 1 :])
        assert heard[silent.key] <= 1, "at most the first state of its book"
        assert not [trade for trade in listener.trades if trade.instrument == silent.key]


@every_venue
async def test_a_symbol_asked_for_again_is_told_once_and_the_others_go_on(name: str) -> None:
    async with market_world(name) as world, Listener(world, world.contracts) as listener:
        first, second, _ = world.contracts
        world.trade(first, count=2)
        await until(lambda: len(listener.trades) == 2, "trades")
        for _ in range(2):
            await world.market.subscribe_again(first)
            world.trade(first, count=3)
            world.trade(second, count=2)
            world.quote(first)
            await until(lambda: len(listener.trades) == len(world.played), "trades of both")
            await until(lambda: listener.shows(first), "the last quote")
        heard = len(listener.heard)
        world.quote(first)
        await until(lambda: listener.shows(first), "the last quote")
        await asyncio.sleep(0.1)
        assert len(listener.heard) == heard + 1, "one connection tells of it, not two"
        assert Counter(listener.trades) == Counter(world.played)
        assert listener.error is None


ODD = {
    "binance": (
        '{"e":"trade","s":"BTCUSDT","p":"x","q":"1","T":1,"t":1}',
        '{"e":"trade","s":null,"T":"x"}',
        "[1]",
    ),
    "kraken": (
        '{"channel":"trade","type":"update","data":[{"symbol":"NO/SUCH","price":1}]}',
        '{"channel":"trade","type":"update","data":"no list"}',
        '{"channel":"ticker","type":"update","data":[{"symbol":"BTC/USD","bid":"NaN","ask":-1}]}',
    ),
    "okx": (
        '{"arg":{"channel":"trades","instId":"BTC-USDT"},"data":[{"instId":"BTC-USDT","px":"x","ts":"y"}]}',
        '{"arg":{"channel":"trades","instId":"BTC-USDT"},"data":[null]}',
        '{"arg":{"channel":"trades"},"data":[{}]}',
    ),
}


@pytest.mark.parametrize("name", ODD)
async def test_frames_that_ccxt_stumbles_over_do_not_end_the_stream(name: str) -> None:
    async with market_world(name) as world, Listener(world, world.contracts) as listener:
        for frame in ODD[name]:
            world.say(frame)
            world.trade(world.contracts[0])
            world.quote(world.contracts[0])
            await until(lambda: len(listener.trades) == len(world.played), f"a trade behind {frame}")
            await until(lambda: listener.shows(world.contracts[0]), "a quote behind it")
        assert listener.trades == world.played
        assert listener.error is None
        assert sum(world.market.hostile.values()) >= 1


@pytest.mark.parametrize(("name", "kind"), [("kraken", _Plain), ("okx", _Plain), ("okx", _Plainer)])
async def test_exchanges_that_offer_less_tell_the_same(
    name: str, kind: type[CcxtMarket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(public_stream.ANSWERS, name)
    async with market_world(name, kind) as world, Listener(world, world.contracts) as listener:
        for _ in range(5):
            for contract in world.contracts:
                world.trade(contract, count=3)
                world.quote(contract)
            await asyncio.sleep(0.02)
        await until(lambda: len(listener.trades) >= len(world.played), "all trades")
        await until(lambda: all(listener.shows(item) for item in world.contracts), "the last quotes")
        assert Counter(listener.trades) == Counter(world.played)
        world.relay.cut()
        await until(lambda: listener.error, "the loss is told")


async def test_a_stream_of_which_a_part_is_not_granted_does_not_stand(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(public_stream, "STAND_S", 6.0)
    async with market_world("kraken") as world:
        await world.market.instruments([item.asset for item in world.contracts])
        world.simulator.pairs.pop(world.contracts[2].key)  # type: ignore[attr-defined]
        with pytest.raises(Retryable, match="kraken did not grant all subscriptions"):
            async with Listener(world, world.contracts):
                pass
        async with Listener(world, world.contracts[:2]) as listener:
            world.trade(world.contracts[0])
            await until(lambda: listener.trades, "those that are granted")


@every_venue
async def test_nothing_is_asked_for_again_where_nothing_is_streamed(name: str) -> None:
    async with market_world(name) as world:
        with pytest.raises(Retryable, match="no stream of"):
            await world.market.subscribe_again(world.contracts[0])


@every_venue
async def test_instruments_are_those_of_the_exchange_however_they_are_written(name: str) -> None:
    async with market_world(name) as world:
        asset = world.contracts[1].asset
        for written in (asset, asset.lower(), asset.replace("/", "-"), f"{asset}@{name}", f" {asset} "):
            (found,) = await world.market.instruments([written])
            assert (found.key, found.tick, found.lot) == (
                world.contracts[1].key,
                world.contracts[1].tick,
                world.contracts[1].lot,
            )
        every = await world.market.instruments([item.asset for item in world.contracts])
        assert [item.asset for item in every] == [item.asset for item in world.contracts]


HOSTILE = [
    "",
    "   ",
    "/",
    "BTC",
    "BTC/USDX",
    "BTC/USDT@nowhere",
    "A" * 5000,
    "BTC/USDT\x1b[2J\n",
    "../../etc/passwd",
    "₿/＄",
    "'; DROP TABLE markets; --",
    "None",
    "BTC/USDT:BTC",
]


async def test_symbols_that_are_not_traded_are_refused_with_the_nearest_ones() -> None:
    async with market_world("binance") as world:
        for written in HOSTILE:
            with pytest.raises(UsageError) as caught:
                await world.market.instruments(["ETH/USDT", written])
            words = str(caught.value)
            assert "binance" in words
            assert len(words) < 250
            assert words.isprintable()
            assert words.isascii()
            if "BTC" in written and "nowhere" not in written:
                assert "BTC/USDT" in words


@every_venue
async def test_history_is_complete_minutes_alone_paged_and_in_order(name: str) -> None:
    async with market_world(name) as world:
        contract = world.contracts[0]
        begin_ns = (SystemClock().now_ns() // NS_PER_MINUTE - 650) * NS_PER_MINUTE
        bars = [
            Bar(
                contract.key,
                NS_PER_MINUTE,
                begin_ns + place * NS_PER_MINUTE,
                D(30_000),
                D(30_010) + place,
                D(29_990),
                D(30_001),
                D("1.5"),
            )
            for place in range(650)
        ]
        for bar in bars:
            world.play(bar)
        asked = bars[-1].open_ns + 30 * 1_000_000_000
        found = await world.market.history(contract, 640, asked)
        assert found == bars[9:649], "the last minute was not over at that time"
        assert await world.market.history(contract, 0, asked) == []


async def test_a_venue_that_cannot_be_reached_is_to_be_asked_again() -> None:
    async with CcxtMarket("kraken", SystemClock(), elsewhere="127.0.0.1:9") as unreachable:
        with pytest.raises(Retryable, match="kraken gave no answer"):
            await unreachable.instruments(["BTC/USD"])


@pytest.mark.parametrize("name", ["krakn", "", "binance; rm", "exmo "])
async def test_an_exchange_that_ccxt_does_not_stream_is_refused(name: str) -> None:
    with pytest.raises(UsageError):
        async with CcxtMarket(name, SystemClock()):
            pass


@every_venue
async def test_no_order_can_leave_through_the_instance_for_data(name: str) -> None:
    async with market_world(name) as world:
        await world.market.instruments([world.contracts[0].asset])
        exchange = world.market._exchange
        asked = world.simulator.requests
        assert not getattr(exchange, "apiKey", None)
        assert not getattr(exchange, "secret", None)
        with pytest.raises(Exception, match=r"requires|credential|apiKey"):
            await exchange.create_order(world.contracts[0].asset, "limit", "buy", "1", "100", {})
        # Even with a key somebody slips in, the session sends nothing but questions.
        exchange.apiKey, exchange.secret, exchange.password = "k", "c2VjcmV0", "p"  # type: ignore[attr-defined]
        with pytest.raises(Refused, match="this connection is for market data"):
            await exchange.create_order(world.contracts[0].asset, "limit", "buy", "1", "100", {})
        assert world.simulator.requests == asked
        assert not world.simulator.submissions


async def test_the_session_for_data_may_ask_hosts_that_trade_money_and_the_other_may_not() -> None:
    asked = URL("https://api.kraken.com/0/public/Time")
    assert Wire(trades=False)._turned(asked) == asked
    with pytest.raises(Refused, match="orders are not sent to"):
        Wire(trades=True)._turned(asked)


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
@pytest.mark.parametrize(
    "path",
    ["api/v3/order", "exchange", "info/order", "getorder", "private/create_order", "0/private/AddOrder"],
)
async def test_the_session_for_data_refuses_what_could_change_something(method: str, path: str) -> None:
    async with Wire(trades=False) as wire:
        with pytest.raises(Refused, match="could change something there"):
            async with getattr(wire, method)(URL(f"https://api.example.com/{path}")):
                pass
