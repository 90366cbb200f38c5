"""A simulated exchange with three markets, and a relay before it whose connections can be cut."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterable
from decimal import Decimal
from typing import Any

from msgspec.structs import replace

from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.market import Quote, Trade
from neuratrade.feeds.clock import SystemClock
from neuratrade.feeds.live.source import Piece, SourceOpened
from neuratrade.rehearsal.faults import Troubles
from neuratrade.rehearsal.matching import MatchingEngine
from neuratrade.rehearsal.server import Simulator
from neuratrade.rehearsal.stages import STAGES
from neuratrade.venues.ccxt.market import CcxtMarket

D = Decimal
BASES = ("BTC", "ETH", "SOL")
VENUES = ("binance", "binanceusdm", "kraken", "okx")
WAIT_S = 20.0


class Relay:
    """A place before another one on loopback. cut: ends every connection at once, as a broken line does."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self.port = 0

    async def __aenter__(self) -> "Relay":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()
        await asyncio.sleep(0)

    def cut(self) -> None:
        """Ends all connections that stand."""
        for writer in self._writers:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self._to)
        mine = {writer, back}
        self._writers |= mine
        try:
            await asyncio.gather(_carry(reader, back), _carry(there, writer))
        finally:
            self._writers -= mine


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


class MarketWorld:
    """The exchange, the source under test, and what was played."""

    def __init__(self, name: str, simulator: Simulator, relay: Relay, market: CcxtMarket) -> None:
        self.name = name
        self.simulator = simulator
        self.relay = relay
        self.market = market
        self.contracts = list(simulator.engine.contracts.values())
        self.played: list[Trade] = []
        self.quotes: dict[str, Quote] = {}
        self.play = simulator.play
        self._step = 0

    def say(self, frame: str) -> None:
        """Sends whatever it is to every connection."""
        simulator: Any = self.simulator
        hub = simulator.market.hub if self.name == "binance" else simulator.streams.hub
        for queue in hub._connections:
            queue.put_nowait(frame)

    def trade(self, contract: Instrument, *, count: int = 1) -> None:
        """Trades that differ from each other."""
        for _ in range(count):
            self._step += 1
            at_ns = time.time_ns() // 1_000_000 * 1_000_000
            price = D(30_000) + contract.tick * self._step
            quantity = contract.lot * (1000 + self._step)
            item = Trade(contract.key, at_ns, price, quantity, self._step % 2 == 0)
            self.played.append(item)
            self.play(item)

    def quote(self, contract: Instrument) -> None:
        """The book moves."""
        self._step += 1
        low = D(30_000) + contract.tick * self._step
        sizes = contract.lot * (2000 + self._step), contract.lot * (3000 + self._step)
        item = Quote(contract.key, time.time_ns(), low, low + contract.tick, *sizes)
        self.quotes[contract.key] = item
        self.play(item)


@contextlib.asynccontextmanager
async def market_world(name: str, made: type[CcxtMarket] = CcxtMarket) -> AsyncIterator[MarketWorld]:
    """A world whose books stand."""
    stage = STAGES[name]()
    contracts = [
        replace(stage.contract, asset=stage.contract.asset.replace("BTC", base), base=base) for base in BASES
    ]
    engine = MatchingEngine(contracts, stage.balances, time.time_ns, stage.matching)
    async with contextlib.AsyncExitStack() as stack:
        troubles = Troubles((), time.time_ns, time.time_ns())
        simulator = await stack.enter_async_context(stage.simulator(engine, troubles, time.time_ns))
        relay = await stack.enter_async_context(Relay(simulator.port))
        hosts = getattr(simulator, "hosts", f"127.0.0.1:{simulator.port}")
        mine, theirs = f":{relay.port}", f":{simulator.port}"
        elsewhere = (
            hosts.replace(theirs, mine)
            if isinstance(hosts, str)
            else {host: place.replace(theirs, mine) for host, place in hosts.items()}
        )
        market = made(name, SystemClock(), elsewhere=elsewhere)
        world = MarketWorld(name, simulator, relay, await stack.enter_async_context(market))
        for contract in contracts:
            world.quote(contract)
        yield world


class Listener:
    """Reads a source in a task of its own. heard: all of it; error: what ended it."""

    def __init__(self, world: MarketWorld, contracts: Iterable[Instrument]) -> None:
        self._world = world
        self._contracts = list(contracts)
        self.heard: list[Piece] = []
        self.error: Exception | None = None
        self._task: asyncio.Task[None]

    async def __aenter__(self) -> "Listener":
        self._task = asyncio.create_task(self._listen())
        await until(lambda: self.heard or self.error, "the stream stands")
        if self.error is not None:
            raise self.error
        assert self.heard[0] == SourceOpened()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _listen(self) -> None:
        pieces = self._world.market.pieces(self._contracts)
        try:
            async for piece in pieces:
                self.heard.append(piece)
        except Exception as error:  # noqa: BLE001 - a test asks for it
            self.error = error
        finally:
            await pieces.aclose()

    @property
    def trades(self) -> list[Trade]:
        """Trades in the order they came."""
        return [piece for piece in self.heard if isinstance(piece, Trade)]

    def last_quote(self, contract: Instrument) -> Quote | None:
        """The newest quote of a contract."""
        quotes = [
            piece for piece in self.heard if isinstance(piece, Quote) and piece.instrument == contract.key
        ]
        return quotes[-1] if quotes else None

    def shows(self, contract: Instrument) -> bool:
        """Whether the newest quote is what was played."""
        seen, played = self.last_quote(contract), self._world.quotes[contract.key]
        return seen is not None and replace(seen, at_ns=0) == replace(played, at_ns=0)


async def until(true: Callable[[], object], what: str) -> None:
    """Waits for something that must come true."""
    for _ in range(round(WAIT_S / 0.005)):
        if true():
            return
        await asyncio.sleep(0.005)
    raise AssertionError(f"waited in vain: {what}")
