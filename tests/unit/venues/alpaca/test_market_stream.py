"""Alpaca's market data by stream: what is told, exactly, and what its refusals become."""

import asyncio
from contextlib import aclosing
from typing import Any

import aiohttp
import pytest
from msgspec.structs import replace

from neuratrade.core.model.errors import Refused, Retryable, UsageError
from neuratrade.core.model.market import Quote, Trade
from neuratrade.feeds.live.source import SourceOpened
from neuratrade.rehearsal.faults import Fault, FaultKind
from neuratrade.venues.alpaca.market import AlpacaMarket
from neuratrade.venues.alpaca.market_hosts import DataHosts
from neuratrade.venues.alpaca.market_reader import Codec
from neuratrade.venues.alpaca.rest import Keys
from tests.unit.rehearsal.exchange import AAPL, BTC, ETH, D, warped
from tests.unit.venues.alpaca.market_stage import KEYS, clock, floor, scripted, told_by

CODECS = pytest.mark.parametrize("codec", list(Codec))


@CODECS
@warped
async def test_quotes_and_trades_are_told_to_the_digit_and_the_nanosecond(codec: Codec) -> None:
    async with floor(codec=codec) as here, here.listening(BTC, AAPL):
        assert here.told == [SourceOpened()]
        await asyncio.sleep(0.123456789)
        at_ns = here.simulator.now_ns
        here.quote("97000.13", "97000.2", size="0.123456789")
        here.trade("97000.17", "0.00023096", buys=False)
        here.trade("161.2958", "100", AAPL)
        await asyncio.sleep(1.0)
        expected = {
            Quote(BTC.key, at_ns, D("97000.13"), D("97000.2"), D("0.123456789"), D("0.123456789")),
            Trade(BTC.key, at_ns, D("97000.17"), D("0.00023096"), aggressor_buy=False),
            Trade(AAPL.key, at_ns, D("161.2958"), D(100), None),
        }
        assert set(here.data) == expected
        assert len(here.data) == 3
        assert at_ns % 1000, "of which a microsecond clock would lose some"


@CODECS
@warped
async def test_an_empty_side_of_the_book_is_no_price(codec: Codec) -> None:
    async with floor(codec=codec) as here, here.listening():
        here.quote("100", None)
        here.quote(None, "101")
        await asyncio.sleep(1.0)
        assert [(item.bid, item.ask) for item in here.data if isinstance(item, Quote)] == [
            (D(100), None), (None, D(101)),
        ]  # fmt: skip


@warped
async def test_a_stream_is_open_only_when_the_venue_took_every_subscription() -> None:
    async with scripted() as (script, market, _):
        script.subscribed = [{"T": "subscription", "trades": ["BTC/USD"], "quotes": []}]
        told, lost = await told_by(market)
        assert told == []
        assert isinstance(lost, Retryable)
        assert "did not answer" in str(lost)


@CODECS
@warped
async def test_the_words_of_the_login_and_the_subscription_are_the_vendors(codec: Codec) -> None:
    async with scripted(codec) as (script, market, _):
        told, lost = await told_by(market)
        assert (told, lost) == ([SourceOpened()], None)
        assert script.said == [
            {"action": "auth", "key": KEYS.key_id, "secret": KEYS.secret},
            {"action": "subscribe", "trades": ["BTC/USD"], "quotes": ["BTC/USD"]},
        ]


@CODECS
@warped
async def test_keys_that_are_not_known_are_refused_with_words_that_help(codec: Codec) -> None:
    async with floor(keys=Keys("someone", "else"), codec=codec) as here:
        told, lost = await told_by(here.market)
        assert told == []
        assert isinstance(lost, UsageError)
        assert "does not know these keys" in str(lost)
        assert "(402, auth failed)" in str(lost)
        assert "else" not in str(lost).replace("elsewhere", "")


@warped
async def test_a_second_connection_is_told_that_there_is_one_already() -> None:
    async with floor() as here, here.listening():
        async with AlpacaMarket(clock(), KEYS, hosts=here.market._hosts) as second:
            told, lost = await told_by(second)
        assert told == []
        assert isinstance(lost, Retryable), "an old connection may be about to end"
        assert "one connection" in str(lost)
        assert "(406, connection limit exceeded)" in str(lost)
        here.trade("100")
        await asyncio.sleep(1.0)
        assert len(here.data) == 1, "the first one goes on"


@warped
async def test_a_feed_that_is_not_paid_for_is_refused_for_good() -> None:
    async with floor(feed="sip") as here:
        _, lost = await told_by(here.market, AAPL)
        assert isinstance(lost, UsageError)
        assert "iex" in str(lost)
        here.simulator.market_streams.paid = True
        assert await told_by(here.market, AAPL) == ([SourceOpened()], None)


@pytest.mark.parametrize(
    ("code", "kind"),
    [(400, Retryable), (401, UsageError), (402, UsageError), (404, Retryable), (405, UsageError),
     (406, Retryable), (407, Retryable), (409, UsageError), (410, UsageError), (500, Retryable),
     (999, Retryable)],
)  # fmt: skip
@warped
async def test_every_error_of_the_stream_ends_it_with_its_number(code: int, kind: type[Exception]) -> None:
    async with scripted() as (script, market, _):
        script.frames = [[{"T": "error", "code": code, "msg": "their words"}]]
        told, lost = await told_by(market)
        assert told == [SourceOpened()]
        assert isinstance(lost, kind)
        assert f"({code}, their words)" in str(lost)


@warped
async def test_a_stream_that_is_cut_ends_and_can_be_opened_again_at_once() -> None:
    async with floor(Fault(10.0, FaultKind.PRICES_CUT)) as here:
        told, lost = await told_by(here.market, BTC, AAPL)
        assert told == [SourceOpened()]
        assert isinstance(lost, Retryable)
        async with here.listening(BTC, AAPL):
            here.trade("100")
            await asyncio.sleep(1.0)
            assert len(here.data) == 1


@warped
async def test_what_came_before_the_cut_is_told_before_it() -> None:
    async with floor(Fault(10.0, FaultKind.PRICES_CUT)) as here, here.listening(BTC, AAPL):
        for price in range(100, 150):
            here.trade(str(price))
            here.trade(str(price), contract=AAPL)
        await asyncio.sleep(30.0)
        assert isinstance(here.lost, Retryable)
        assert len(here.data) == 100


@warped
async def test_a_silent_stream_is_probed_and_stands() -> None:
    async with floor() as here, here.listening():
        await asyncio.sleep(3600.0)
        assert here.lost is None
        here.trade("100")
        await asyncio.sleep(1.0)
        assert len(here.data) == 1


@warped
async def test_a_connection_that_is_dead_is_found_by_its_pings() -> None:
    async with scripted() as (script, market, _):
        script.answers_pings = False
        told, lost = await told_by(market)
        assert told == [SourceOpened()]
        assert isinstance(lost, Retryable)


@warped
async def test_a_venue_that_cannot_be_reached_is_worth_asking_again() -> None:
    async with floor() as here:
        hosts = here.market._hosts
    async with AlpacaMarket(clock(), KEYS, hosts=hosts) as market:
        _, lost = await told_by(market)
        assert isinstance(lost, Retryable)
        with pytest.raises(Retryable):
            await market.instruments(["BTC/USD"])


@warped
async def test_an_instrument_that_fell_silent_is_asked_for_anew() -> None:
    async with floor() as here, here.listening(BTC, ETH):
        (topics,) = here.simulator.market_streams.hub.topics
        assert topics is not None
        before = set(topics)
        topics.clear()
        here.trade("100")
        await asyncio.sleep(1.0)
        assert here.data == []
        await here.market.subscribe_again(BTC)
        await asyncio.sleep(1.0)
        assert topics == before
        here.trade("101")
        await asyncio.sleep(1.0)
        assert len(here.data) == 1


@warped
async def test_a_trade_told_twice_is_told_on_once() -> None:
    async with floor() as here, here.listening():
        here.trade("100")
        here.trade("100")
        (first, _) = here.simulator.tape.prints(BTC.key)
        for told in here.simulator.tape.on_print:
            told(first)
        await asyncio.sleep(1.0)
        assert len(here.data) == 2, "two trades that are alike are two"
        assert here.market.left_out == {"trades told twice": 1}


@warped
async def test_a_reader_that_stops_for_a_while_misses_nothing() -> None:
    async with floor() as here, aclosing(here.market.pieces([BTC, AAPL])) as pieces:
        assert await anext(pieces) == SourceOpened()
        for price in range(1, 5_001):
            here.trade(str(price), contract=AAPL if price % 2 else BTC)
        await asyncio.sleep(30.0)
        found = [await anext(pieces) for _ in range(5_000)]
        prices = sorted(item.price for item in found if isinstance(item, Trade))
        assert prices == [D(price) for price in range(1, 5_001)]


@warped
async def test_stocks_without_keys_are_refused_with_words_that_help() -> None:
    async with floor(keys=None) as here:
        _, lost = await told_by(here.market, AAPL)
        assert isinstance(lost, UsageError)
        assert "free paper account" in str(lost)


@pytest.mark.parametrize(
    "hosts",
    [
        DataHosts(rest="https://api.alpaca.markets"),
        DataHosts(stream="wss://api.alpaca.markets"),
        DataHosts(assets="https://api.alpaca.markets"),
        DataHosts(rest="http://data.alpaca.markets"),
        DataHosts(stream="ws://stream.data.alpaca.markets"),
        DataHosts(rest="https://data.alpaca.markets.example.com"),
    ],
)
@warped
async def test_hosts_that_trade_and_open_connections_are_refused(hosts: DataHosts) -> None:
    with pytest.raises(Refused):
        AlpacaMarket(clock(), KEYS, hosts=hosts)


@warped
async def test_the_real_data_hosts_are_allowed_and_an_unknown_feed_is_not() -> None:
    assert AlpacaMarket(clock(), KEYS).venue == "alpaca"
    with pytest.raises(UsageError, match="iex"):
        AlpacaMarket(clock(), KEYS, feed="otc")


@pytest.mark.parametrize("status", [401, 403, 429, 503])
@warped
async def test_a_handshake_that_is_refused_shows_no_secret(status: int) -> None:
    async with floor() as here:

        async def refuse(*_: Any, **__: Any) -> Any:
            info = aiohttp.RequestInfo("http://x", "GET", {"secret": KEYS.secret}, "http://x")  # type: ignore[arg-type]
            raise aiohttp.WSServerHandshakeError(info, (), status=status, message="no")

        here.market._rest.session.ws_connect = refuse  # type: ignore[method-assign, assignment]
        _, lost = await told_by(here.market)
        assert isinstance(lost, Retryable)
        assert KEYS.secret not in f"{lost!r} {lost.__cause__!r}"
        assert str(status) in str(lost)


@warped
async def test_a_venue_that_gives_no_more_symbols_for_free_says_so() -> None:
    many = [replace(BTC, asset=f"C{number}/USD", base=f"C{number}") for number in range(16)]
    async with floor(contracts=many) as here:
        _, lost = await told_by(here.market, *many)
        assert isinstance(lost, UsageError)
        assert "(405, symbol limit exceeded)" in str(lost)
        await asyncio.sleep(2.0)
        assert (await told_by(here.market, *many[:15])) == ([SourceOpened()], None)


@warped
async def test_who_shows_no_keys_in_time_is_told_so_by_the_simulator() -> None:
    async with (
        floor() as here,
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{here.simulator.ws_base}/v2/iex") as socket,
    ):
        await socket.receive()
        await socket.send_str('{"action":"subscribe","trades":["AAPL"]}')
        assert '"code":401' in (await socket.receive()).data
        assert '"code":404' in (await socket.receive()).data
