"""The adapter of Alpaca's market data and its venue on one loop: the simulator, or one that keeps no rule."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Any

import msgspec
from aiohttp import web

from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.market import Quote, Trade
from neuratrade.feeds.live.source import Piece, SourceOpened
from neuratrade.rehearsal.alpaca import KEY, SECRET, AlpacaSimulator
from neuratrade.rehearsal.faults import Fault, Troubles
from neuratrade.rehearsal.matching import MatchingEngine
from neuratrade.rehearsal.warp import WarpClock, WarpLoop
from neuratrade.venues.alpaca.market import AlpacaMarket
from neuratrade.venues.alpaca.market_hosts import loopback
from neuratrade.venues.alpaca.market_reader import Codec
from neuratrade.venues.alpaca.rest import Keys
from tests.unit.rehearsal.exchange import AAPL, BEGIN_NS, BTC, ETH, D

KEYS = Keys(KEY, SECRET)


def clock() -> WarpClock:
    """The clock of the running test."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, WarpLoop)
    return WarpClock(loop, BEGIN_NS)


class Floor:
    """A simulated venue of two coins and a stock, and the adapter that is tried on it."""

    def __init__(self, simulator: AlpacaSimulator, market: AlpacaMarket, notes: list[str]) -> None:
        self.simulator = simulator
        self.market = market
        self.notes = notes
        self.told: list[Piece] = []
        self.lost: BaseException | None = None

    def quote(self, bid: str | None, ask: str | None, contract: Instrument = BTC, size: str = "10") -> None:
        """The market stands at these prices."""
        low, high = (None if price is None else D(price) for price in (bid, ask))
        quote = Quote(contract.key, self.simulator.now_ns, low, high, D(size), D(size))
        self.simulator.tape.play(quote)

    def trade(
        self, price: str, quantity: str = "1", contract: Instrument = BTC, *, buys: bool = True
    ) -> None:
        """Something was traded."""
        self.simulator.tape.play(Trade(contract.key, self.simulator.now_ns, D(price), D(quantity), buys))

    @property
    def data(self) -> list[Piece]:
        """What was told beside that the stream stands."""
        return [item for item in self.told if not isinstance(item, SourceOpened)]

    @asynccontextmanager
    async def listening(self, *contracts: Instrument, wait_s: float = 3.0) -> AsyncIterator[None]:
        """Hears the source into `told` until the block ends; what ended it before goes into `lost`."""

        async def hear() -> None:
            try:
                async with aclosing(self.market.pieces(contracts or (BTC,))) as pieces:
                    async for item in pieces:
                        self.told.append(item)
            except Exception as error:  # noqa: BLE001 - a test says what it may be
                self.lost = error

        task = asyncio.create_task(hear())
        try:
            await asyncio.sleep(wait_s)
            yield
            await asyncio.sleep(wait_s)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def floor(
    *plan: Fault,
    keys: Keys | None = KEYS,
    codec: Codec = Codec.MSGPACK,
    feed: str = "iex",
    contracts: Sequence[Instrument] = (BTC, ETH, AAPL),
) -> AsyncIterator[Floor]:
    """A venue and an adapter, both in the loop's time."""
    time, notes = clock(), list[str]()
    troubles = Troubles(plan, time.now_ns, BEGIN_NS)
    engine = MatchingEngine(contracts, {"USD": D(100_000)}, time.now_ns)
    async with (
        AlpacaSimulator(engine, troubles, time.now_ns) as simulator,
        AlpacaMarket(
            time, keys, codec=codec, feed=feed, hosts=loopback(simulator.base), note=notes.append
        ) as market,
    ):
        yield Floor(simulator, market, notes)


def frame_of(message: Any, codec: Codec) -> str | bytes:
    """A message as a frame, in the codec."""
    return msgspec.json.encode(message).decode() if codec is Codec.JSON else msgspec.msgpack.encode(message)


class Script:
    """A venue that keeps to no rule. frames: what it sends once somebody subscribed; then it stays open.

    said: what it heard. welcome, answer, subscribed: its words before.
    """

    def __init__(self, codec: Codec) -> None:
        self.codec = codec
        self.frames: list[Any] = []
        self.said: list[Any] = []
        self.answers_pings = True
        self.welcome: Any = [{"T": "success", "msg": "connected"}]
        self.answer: Any = [{"T": "success", "msg": "authenticated"}]
        self.subscribed: Any = [{"T": "subscription", "trades": ["BTC/USD"], "quotes": ["BTC/USD"]}]

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        """Any stream."""
        socket = web.WebSocketResponse(autoping=self.answers_pings)
        await socket.prepare(request)
        await self._say(socket, self.welcome)
        for answer in (self.answer, self.subscribed):
            message = await socket.receive()
            decode = msgspec.json.decode if isinstance(message.data, str) else msgspec.msgpack.decode
            self.said.append(decode(message.data))
            await self._say(socket, answer)
        for frame in self.frames:
            await self._say(socket, frame)
        async for _ in socket:
            pass
        return socket

    async def _say(self, socket: web.WebSocketResponse, said: Any) -> None:
        frame = said if isinstance(said, str | bytes) else frame_of(said, self.codec)
        await (socket.send_str(frame) if isinstance(frame, str) else socket.send_bytes(frame))


@asynccontextmanager
async def scripted(codec: Codec = Codec.JSON) -> AsyncIterator[tuple[Script, AlpacaMarket, list[str]]]:
    """A venue by script, the adapter on it, and what it noted."""
    script, notes = Script(codec), list[str]()
    app = web.Application()
    app.router.add_get("/{path:.*}", script.serve)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        hosts = loopback(f"http://127.0.0.1:{runner.addresses[0][1]}")
        async with AlpacaMarket(clock(), KEYS, codec=codec, hosts=hosts, note=notes.append) as market:
            yield script, market, notes
    finally:
        await runner.cleanup()


async def told_by(market: AlpacaMarket, *contracts: Instrument) -> tuple[list[Piece], BaseException | None]:
    """What a source tells within a minute, and what ended it."""
    told: list[Piece] = []
    try:
        async with asyncio.timeout(60.0), aclosing(market.pieces(contracts or (BTC,))) as pieces:
            async for item in pieces:
                told.append(item)  # noqa: PERF401 - what came before an error counts
    except TimeoutError:
        return told, None
    except Exception as error:  # noqa: BLE001 - a test says what it may be
        return told, error
    return told, AssertionError("a source that ends says why")
