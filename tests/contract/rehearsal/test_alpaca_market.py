"""The vendor's own data clients, unmodified, against the simulator's streams and REST, and recorded words.

The stream clients speak msgpack; JSON is held to the recordings.
"""

import asyncio
import json
import time
import warnings
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest

with warnings.catch_warnings():
    # The vendor's client uses a part of its own dependency that is to be removed.
    warnings.simplefilter("ignore", DeprecationWarning)
    from alpaca.data.enums import DataFeed
    from alpaca.data.historical import CryptoHistoricalDataClient, StockHistoricalDataClient
    from alpaca.data.live import CryptoDataStream, NewsDataStream, StockDataStream
    from alpaca.data.requests import (
        CryptoBarsRequest,
        CryptoLatestQuoteRequest,
        CryptoTradesRequest,
        StockBarsRequest,
        StockLatestTradeRequest,
    )
    from alpaca.data.timeframe import TimeFrame

from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.market import NS_PER_MINUTE, NS_PER_SECOND, Bar, Quote, Trade
from neuratrade.rehearsal.alpaca import KEY, SECRET, AlpacaSimulator
from neuratrade.rehearsal.alpaca_words import At
from neuratrade.rehearsal.faults import Troubles
from neuratrade.rehearsal.matching import MatchingEngine
from neuratrade.venues.alpaca.market_wire import Message, WireQuote, WireTrade
from tests.unit.rehearsal.exchange import AAPL, BTC, D

FIXTURES = Path("fixtures") / "alpaca"
WAIT_S = 10.0
AT_NS = 1_700_000_000_123_456_789
NEWS = {
    "id": 24843171, "headline": "A headline", "summary": "A summary", "author": "An author",
    "created_at": At(AT_NS), "updated_at": At(AT_NS), "content": "", "url": "https://example.com/1",
    "symbols": ["AAPL", "MSFT"], "source": "benzinga",
}  # fmt: skip


class Exchange:
    """The simulator in real time, and a market whose times are given."""

    def __init__(self, simulator: AlpacaSimulator) -> None:
        self.simulator = simulator
        self.got: list[Any] = []

    async def take(self, item: Any) -> None:
        """What a client of the vendor's hands over."""
        self.got.append(item)

    def quote(self, bid: str, ask: str, contract: Instrument = BTC) -> None:
        """The market stands at these prices, with 2.5 on each side."""
        self.simulator.tape.play(Quote(contract.key, AT_NS, D(bid), D(ask), D("2.5"), D("2.5")))

    def trade(self, price: str, contract: Instrument = BTC, at_ns: int = AT_NS) -> None:
        """Somebody sold 0.25."""
        trade = Trade(contract.key, at_ns, D(price), D("0.25"), aggressor_buy=False)
        self.simulator.tape.play(trade)

    def bar(self, number: int, contract: Instrument = BTC) -> None:
        """A minute of so many minutes ago."""
        now_ns = time.time_ns()
        open_ns = now_ns - now_ns % NS_PER_MINUTE - number * NS_PER_MINUTE
        prices = D(100), D(103), D(99), D("101.5")
        self.simulator.tape.play(Bar(contract.key, NS_PER_MINUTE, open_ns, *prices, D(12)))

    async def until(self, true: Callable[[], object]) -> None:
        """Waits for something that must come true."""
        async with asyncio.timeout(WAIT_S):
            while not true():  # noqa: ASYNC110 - the simulator tells nobody
                await asyncio.sleep(0.01)

    @asynccontextmanager
    async def running(self, stream: Any) -> AsyncIterator[None]:
        """The vendor's client runs until the block ends; begins once it is subscribed."""
        task = asyncio.create_task(stream._run_forever())
        try:
            await self.until(lambda: any(self.simulator.market_streams.hub.topics))
            yield
        finally:
            await stream.stop_ws()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await stream.close()


@asynccontextmanager
async def exchange() -> AsyncIterator[Exchange]:
    """BTC/USD and AAPL."""
    engine = MatchingEngine([BTC, AAPL], {"USD": D(100_000)}, time.time_ns)
    troubles = Troubles((), time.time_ns, time.time_ns())
    async with AlpacaSimulator(engine, troubles, time.time_ns) as simulator:
        yield Exchange(simulator)


def stream_of(kind: Callable[..., Any], here: Exchange, path: str) -> Any:
    """A client of the vendor's, with our keys, at our address."""
    return kind(KEY, SECRET, url_override=here.simulator.ws_base + path)


AT = datetime.fromtimestamp(AT_NS / NS_PER_SECOND, UTC)


def is_that_time(at: datetime) -> bool:
    return abs(at - AT) < timedelta(microseconds=2)


async def test_the_crypto_client_reads_trades_quotes_books_and_bars() -> None:
    async with exchange() as here:
        stream = stream_of(CryptoDataStream, here, "/v1beta3/crypto/us")
        for subscribe in (
            stream.subscribe_trades, stream.subscribe_quotes, stream.subscribe_orderbooks,
            stream.subscribe_bars, stream.subscribe_daily_bars, stream.subscribe_updated_bars,
        ):  # fmt: skip
            subscribe(here.take, "BTC/USD")
        async with here.running(stream):
            for number in (3, 2, 3):
                here.bar(number)
            here.quote("97000.1", "97000.25")
            here.trade("97000.13")
            await here.until(lambda: len(here.got) >= 6)
        named = [(type(item).__name__, item) for item in here.got]
        kinds = [name for name, _ in named]
        assert kinds.count("Bar") >= 3, "the minute, the day, and the minute that was told anew"
        quote = next(item for name, item in named if name == "Quote")
        assert (quote.bid_price, quote.ask_price, quote.bid_size) == (97000.1, 97000.25, 2.5)
        assert is_that_time(quote.timestamp)
        trade = next(item for name, item in named if name == "Trade")
        assert (trade.price, trade.size, is_that_time(trade.timestamp)) == (97000.13, 0.25, True)
        book = next(item for name, item in named if name == "Orderbook")
        assert (book.reset, book.bids[0].price, len(book.asks)) == (True, 97000.1, 5)
        bar = next(item for name, item in named if name == "Bar")
        assert (bar.open, bar.high, bar.low, bar.close, bar.volume) == (100, 103, 99, 101.5, 12)


@pytest.mark.parametrize("feed", ["iex", "sip"])
async def test_the_stock_client_reads_trades_quotes_and_bars(feed: str) -> None:
    async with exchange() as here:
        here.simulator.market_streams.paid = feed == "sip"
        stream = stream_of(StockDataStream, here, f"/v2/{feed}")
        stream.subscribe_trades(here.take, "*")
        stream.subscribe_quotes(here.take, "AAPL")
        stream.subscribe_bars(here.take, "AAPL")
        async with here.running(stream):
            here.bar(3, AAPL)
            here.bar(2, AAPL)
            here.quote("161.1", "161.11", AAPL)
            here.trade("161.2958", AAPL)
            await here.until(lambda: len(here.got) >= 3)
        found = {type(item).__name__: item for item in here.got}
        assert set(found) == {"Quote", "Trade", "Bar"}
        assert (found["Trade"].symbol, found["Trade"].price) == ("AAPL", 161.2958)
        assert found["Trade"].conditions == ["@"]
        assert found["Quote"].tape == "C"


async def test_the_stock_client_leaves_a_channel_and_hears_no_more_of_it() -> None:
    async with exchange() as here:
        stream = stream_of(StockDataStream, here, "/v2/iex")
        stream.subscribe_trades(here.take, "AAPL")
        stream.subscribe_quotes(here.take, "AAPL")
        async with here.running(stream):
            await stream._send_unsubscribe_msg("quotes", ["AAPL"])
            hub = here.simulator.market_streams.hub
            await here.until(lambda: not hub.is_asked("msgpack /v2/iex quotes AAPL"))
            here.quote("161.1", "161.11", AAPL)
            here.trade("161.2958", AAPL)
            await here.until(lambda: here.got)
            assert [type(item).__name__ for item in here.got] == ["Trade"]


async def test_the_news_client_reads_news_of_a_symbol_and_of_all_once() -> None:
    async with exchange() as here:
        stream = stream_of(NewsDataStream, here, "/v1beta1/news")
        stream.subscribe_news(here.take, "*")
        async with here.running(stream):
            here.simulator.market_streams.publish_news(NEWS)
            await here.until(lambda: here.got)
            await asyncio.sleep(0.1)
        (item,) = here.got
        assert (item.headline, item.symbols, item.source) == ("A headline", ["AAPL", "MSFT"], "benzinga")
        assert is_that_time(item.created_at)


async def test_the_client_that_shows_wrong_keys_is_told_so() -> None:
    async with exchange() as here:
        stream = StockDataStream(KEY, "guessed", url_override=f"{here.simulator.ws_base}/v2/iex")
        with pytest.raises(ValueError, match="auth failed"):
            await stream._start_ws()
        await stream.close()
        second = stream_of(StockDataStream, here, "/v2/sip")
        with pytest.raises(ValueError, match="insufficient subscription"):
            await second._start_ws()
        await second.close()
        first, third = (stream_of(StockDataStream, here, "/v2/iex") for _ in range(2))
        await first._start_ws()
        with pytest.raises(ValueError, match="connection limit exceeded"):
            await third._start_ws()
        await third.close()
        await first.close()


async def test_the_crypto_client_asks_without_keys_and_the_stock_client_may_not() -> None:
    async with exchange() as here:
        base = here.simulator.base
        for number in (3, 2, 1):
            here.bar(number)
            here.bar(number, AAPL)
        here.quote("97000.1", "97000.25")
        now_ns = time.time_ns()
        here.trade("97000.13", at_ns=now_ns)
        here.trade("161.2958", AAPL, at_ns=now_ns)
        start = datetime.now(UTC) - timedelta(minutes=10)
        coins = CryptoHistoricalDataClient(url_override=base)
        request = CryptoBarsRequest(symbol_or_symbols="BTC/USD", timeframe=TimeFrame.Minute, start=start)
        bars = await asyncio.to_thread(coins.get_crypto_bars, request)
        assert [bar.close for bar in bars["BTC/USD"]] == [101.5] * 3
        request = CryptoBarsRequest(
            symbol_or_symbols="BTC/USD", timeframe=TimeFrame.Minute, start=start, limit=2
        )
        assert len((await asyncio.to_thread(coins.get_crypto_bars, request))["BTC/USD"]) == 2
        quotes = await asyncio.to_thread(
            coins.get_crypto_latest_quote, CryptoLatestQuoteRequest(symbol_or_symbols="BTC/USD")
        )
        assert quotes["BTC/USD"].ask_price == 97000.25
        trades = await asyncio.to_thread(
            coins.get_crypto_trades, CryptoTradesRequest(symbol_or_symbols="BTC/USD", start=start)
        )
        assert [item.price for item in trades["BTC/USD"]] == [97000.13]

        stocks = StockHistoricalDataClient(KEY, SECRET, url_override=base)
        wanted = StockBarsRequest(
            symbol_or_symbols="AAPL", timeframe=TimeFrame.Minute, start=start, feed=DataFeed.IEX
        )
        assert len((await asyncio.to_thread(stocks.get_stock_bars, wanted))["AAPL"]) == 3
        latest = await asyncio.to_thread(
            stocks.get_stock_latest_trade, StockLatestTradeRequest(symbol_or_symbols="AAPL")
        )
        assert latest["AAPL"].price == 161.2958
        stranger = StockHistoricalDataClient("someone", "guessed", url_override=base)
        with pytest.raises(Exception, match="not authorized"):
            await asyncio.to_thread(stranger.get_stock_bars, wanted)
        for client in (coins, stocks, stranger):
            client._session.close()


# recorded words


def recorded_frames(shared_data: Path) -> list[tuple[str, Any]]:
    lines = (shared_data / FIXTURES / "ws" / "market_data_v2_stocks.jsonl").read_text().splitlines()
    return [(found["dir"], found["text"]) for found in map(json.loads, lines)]


def shape(value: object) -> object:
    """The names of a message and the kinds of its values; any number is a number."""
    if isinstance(value, dict):
        return {name: shape(item) for name, item in value.items()}
    if isinstance(value, bool) or not isinstance(value, int | float):
        return type(value).__name__
    return "number"


@pytest.mark.shared
async def test_frames_of_stocks_have_the_names_and_types_of_recorded_ones(shared_data: Path) -> None:
    frames = recorded_frames(shared_data)
    theirs: dict[str, Any] = {}
    for direction, text in frames:
        if direction == "recv":
            for message in json.loads(text):
                theirs.setdefault(message["T"], message)
    subscribe = json.loads(next(text for way, text in frames if way == "send" and "subscribe" in text))
    async with (
        exchange() as here,
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{here.simulator.ws_base}/v2/iex") as socket,
    ):
        here.simulator.market_streams.paid = True
        got = [json.loads((await socket.receive(timeout=WAIT_S)).data)]
        await socket.send_str(json.dumps({"action": "auth", "key": KEY, "secret": SECRET}))
        got.append(json.loads((await socket.receive(timeout=WAIT_S)).data))
        await socket.send_str(json.dumps(subscribe))
        got.append(json.loads((await socket.receive(timeout=WAIT_S)).data))
        assert got[:3] == [json.loads(text) for way, text in frames if way == "recv"][:3]
        await socket.send_str(json.dumps({"action": "subscribe", "quotes": ["AAPL"]}))
        await socket.receive(timeout=WAIT_S)
        here.bar(3, AAPL)
        here.bar(2, AAPL)
        here.quote("161.1", "161.11", AAPL)
        here.trade("161.2958", AAPL)
        ours: dict[str, Any] = {}
        while {"t", "q", "b"} - set(ours):
            for message in json.loads((await socket.receive(timeout=WAIT_S)).data):
                ours[message["T"]] = message
    for kind in ("t", "q", "b"):
        assert shape(ours[kind]) == shape(theirs[kind])


COINS, STOCKS = "/v1beta3/crypto/us", "/v2/stocks"
BODIES = {
    "crypto_data__test_get_crypto_bars": f"{COINS}/bars?symbols=BTC/USD&timeframe=1Min",
    "crypto_data__test_get_crypto_trades": f"{COINS}/trades?symbols=BTC/USD",
    "crypto_data__test_get_crypto_latest_quote": f"{COINS}/latest/quotes?symbols=BTC/USD",
    "crypto_data__test_get_crypto_latest_trade": f"{COINS}/latest/trades?symbols=BTC/USD",
    "stock_data__test_multisymbol_get_bars": f"{STOCKS}/bars?symbols=AAPL&timeframe=1Min",
    "stock_data__test_multisymbol_get_trades": f"{STOCKS}/trades?symbols=AAPL",
    "stock_data__test_get_latest_quote": f"{STOCKS}/quotes/latest?symbols=AAPL",
    "stock_data__test_get_latest_trade": f"{STOCKS}/trades/latest?symbols=AAPL",
}
"""Paths by recorded answer."""


def first_of(body: dict[str, Any]) -> Any:
    """The first row of the first symbol."""
    rows = next(value for name, value in body.items() if name != "next_page_token")
    row = next(iter(rows.values()))
    return row[0] if isinstance(row, list) else row


@pytest.mark.shared
@pytest.mark.parametrize("name", BODIES)
async def test_bodies_have_the_names_and_types_of_recorded_ones(name: str, shared_data: Path) -> None:
    theirs = json.loads((shared_data / FIXTURES / "rest" / f"data__test_historical_{name}.json").read_text())
    headers = {"APCA-API-KEY-ID": KEY, "APCA-API-SECRET-KEY": SECRET}
    async with exchange() as here, aiohttp.ClientSession(here.simulator.base, headers=headers) as session:
        for contract in (BTC, AAPL):
            here.bar(3, contract)
            here.quote("100", "101", contract)
            here.trade("100", contract, at_ns=time.time_ns())
        start = (datetime.now(UTC) - timedelta(minutes=10)).strftime("%Y-%m-%dT%H:%M:%SZ")
        async with session.get(f"{BODIES[name]}&start={start}") as answer:
            assert answer.status == 200
            ours = json.loads(await answer.read())
    assert set(ours) == set(theirs)
    assert shape(first_of(ours)) == shape(first_of(theirs))


@pytest.mark.shared
def test_our_reader_reads_recorded_frames(shared_data: Path) -> None:
    from neuratrade.feeds.clock import ManualClock
    from neuratrade.venues.alpaca.market_reader import Codec, Reader

    notes: list[str] = []
    reader = Reader(Codec.JSON, ManualClock(time.time_ns()), notes.append)
    said: list[Message] = []
    for way, text in recorded_frames(shared_data):
        if way == "recv":
            said += reader.messages(text)
    keys = {"AAPL": "AAPL@alpaca", "AMD": "AMD@alpaca"}
    pieces = [
        reader.piece(item, keys[item.symbol]) for item in said if isinstance(item, WireTrade | WireQuote)
    ]
    trades = [item for item in pieces if isinstance(item, Trade)]
    quotes = [item for item in pieces if isinstance(item, Quote)]
    assert [(str(item.price), str(item.quantity), item.at_ns) for item in trades] == [
        ("162.92", "3", 1_680_782_066_838_232_225),
        ("162.92", "3", 1_680_782_066_838_562_809),
        ("162.91", "71", 1_680_782_066_839_159_730),
        ("126.55", "1", 1_614_009_104_208_000_000),
    ]
    assert [(str(item.bid), str(item.ask)) for item in quotes] == [
        ("91.95", "91.98"), ("91.9", "91.98"), ("87.66", "87.68"),
    ]  # fmt: skip
    assert reader.left_out == {
        "minute bars": 1, "corrections of trades": 1, "cancellations of trades": 1,
        "price bands": 1, "trading statuses": 1, "imbalances": 1,
    }  # fmt: skip
    assert len(notes) == 6


@pytest.mark.shared
def test_our_reader_of_history_reads_recorded_bars(shared_data: Path) -> None:
    from neuratrade.venues.alpaca.market_rest import _Bars
    from neuratrade.venues.alpaca.market_wire import bar_of

    name = "data__test_historical_stock_data__test_multisymbol_get_bars.json"
    body = (shared_data / FIXTURES / "rest" / name).read_bytes()
    (wire,) = (msgspec.json.decode(body, type=_Bars).bars or {})["TSLA"]
    bar = bar_of(wire, "TSLA@alpaca")
    assert (bar.open, bar.close, bar.volume) == (D(839), D("858.97"), D(19_227_323))
