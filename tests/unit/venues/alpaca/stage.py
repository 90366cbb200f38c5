"""The Alpaca adapter and its venue on one loop: the simulator, or a venue that says what a test wants."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import aiohttp
import msgspec
from aiohttp import web

from neuratrade.core.model import facts as f
from neuratrade.core.model.approval import seal
from neuratrade.core.model.commands import CancelOrder, LookUpOrder
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.market import Quote
from neuratrade.core.model.orders import OrderRequest, OrderRole, OrderType, Side
from neuratrade.rehearsal.alpaca import KEY, SECRET, AlpacaSimulator
from neuratrade.rehearsal.alpaca_calendar import Calendar
from neuratrade.rehearsal.faults import Act, Fault, Troubles
from neuratrade.rehearsal.matching import MatchingEngine, Rules
from neuratrade.rehearsal.warp import WarpClock, WarpLoop
from neuratrade.venues.alpaca.rest import Keys
from neuratrade.venues.alpaca.venue import AlpacaVenue
from neuratrade.venues.port import Cleared, StreamOpened, clear
from tests.unit.hands.test_sender import ENVELOPE
from tests.unit.rehearsal.exchange import BEGIN_NS, BTC, ETH, D

ACCOUNT = "main"
KEYS = Keys(KEY, SECRET)
Told = f.VenueEvent | StreamOpened


def order(side: Side, quantity: str, name: str = "order-1", **terms: Any) -> OrderRequest:
    """An order of BTC/USD; of the type that its prices make it."""
    limit, stop = terms.pop("limit", None), terms.pop("stop", None)
    kind = {
        (False, False): OrderType.MARKET, (True, False): OrderType.LIMIT,
        (False, True): OrderType.STOP, (True, True): OrderType.STOP_LIMIT,
    }[limit is not None, stop is not None]  # fmt: skip
    return OrderRequest(
        name,
        ACCOUNT,
        terms.pop("instrument", BTC.key),
        side,
        kind,
        D(quantity),
        OrderRole.ENTRY,
        "bracket",
        limit_price=None if limit is None else D(limit),
        stop_price=None if stop is None else D(stop),
        **terms,
    )


def cleared(request: OrderRequest) -> Cleared:
    """As the sender lets it pass."""
    return clear(seal(request, ENVELOPE, lambda *_: None), lambda _: None)


def buy(quantity: str, name: str = "order-1", **terms: Any) -> Cleared:
    """A purchase, cleared."""
    return cleared(order(Side.BUY, quantity, name, **terms))


def sell(quantity: str, name: str = "order-1", **terms: Any) -> Cleared:
    """A sale, cleared."""
    return cleared(order(Side.SELL, quantity, name, **terms))


def look_up(name: str = "order-1") -> LookUpOrder:
    """A question for an order."""
    return LookUpOrder(ACCOUNT, BTC.key, name)


def cancel(name: str = "order-1") -> CancelOrder:
    """A wish for the end of an order."""
    return CancelOrder(ACCOUNT, BTC.key, name)


class ListeningSimulator(AlpacaSimulator):
    """The simulator, which keeps what it was sent: method and path of each request, and bodies of orders."""

    def __init__(
        self,
        engine: MatchingEngine,
        troubles: Troubles,
        now_ns: Callable[[], int],
        calendar: Calendar | None = None,
    ) -> None:
        super().__init__(engine, troubles, now_ns, calendar)
        self.asked: list[str] = []
        self.bodies: list[bytes] = []

    def act_of(self, request: web.Request) -> Act:
        """Takes it down."""
        self.asked.append(f"{request.method} {request.path_qs}")
        return super().act_of(request)

    async def _submit(self, request: web.Request) -> web.Response:
        self.bodies.append(await request.read())
        return await super()._submit(request)


class Stage:
    """A venue with a market, and the adapter that is tried on it."""

    def __init__(self, engine: MatchingEngine, simulator: ListeningSimulator, venue: AlpacaVenue) -> None:
        self.engine = engine
        self.simulator = simulator
        self.venue = venue
        self.told: list[Told] = []
        self.lost: BaseException | None = None

    def quote(self, bid: str, ask: str, size: str = "10", contract: Instrument = BTC) -> None:
        """The market stands at these prices."""
        now_ns = self.simulator.now_ns
        self.engine.quote(Quote(contract.key, now_ns, D(bid), D(ask), D(size), D(size)))

    async def submit(self, *orders: Cleared) -> None:
        """Sends orders, one after the other."""
        for item in orders:
            await self.venue.submit(item)

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Hears the stream into `told` until the block ends; what ended it before goes into `lost`."""

        async def hear() -> None:
            try:
                async for item in self.venue.events():
                    self.told.append(item)
            except Exception as error:  # noqa: BLE001 - a test says what it may be
                self.lost = error

        task = asyncio.create_task(hear())
        try:
            await asyncio.sleep(1.0)
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def posts(simulator: ListeningSimulator) -> int:
    """How many orders were sent."""
    return simulator.asked.count("POST /v2/orders")


@asynccontextmanager
async def on_stage(
    *plan: Fault,
    balances: Mapping[str, Decimal] | None = None,
    keys: Keys = KEYS,
    contracts: Sequence[Instrument] = (BTC, ETH),
    traded: Instrument = BTC,
    calendar: Calendar | None = None,
    begin_ns: int = BEGIN_NS,
) -> AsyncIterator[Stage]:
    """A simulator with a market of 100 to 101 for the first contract, and an adapter that trades one there.

    calendar: of a margin account; coins where None.
    """
    loop = asyncio.get_running_loop()
    assert isinstance(loop, WarpLoop)
    clock = WarpClock(loop, begin_ns)
    troubles = Troubles(plan, clock.now_ns, begin_ns)
    rules = None if calendar is None else Rules(lends=True, trades=calendar.trades)
    money = {"USD": D(100_000)} if balances is None else balances
    engine = MatchingEngine(contracts, money, clock.now_ns, rules)
    async with (
        ListeningSimulator(engine, troubles, clock.now_ns, calendar) as simulator,
        AlpacaVenue(ACCOUNT, [traded], keys, clock, simulator.base, allow_unverified=True) as venue,
    ):
        stage = Stage(engine, simulator, venue)
        stage.quote("100", "101", contract=contracts[0])
        yield stage


class Script:
    """What a venue says that keeps to no rule.

    answers: status and body by method and path. frames: what its stream sends once somebody listens; then it
    stays open. asked: requests that came.
    """

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, bytes]] = {}
        self.frames: list[str | bytes] = []
        self.authorisation: str | bytes = b'{"stream":"authorization","data":{"status":"authorized"}}'
        self.asked: list[str] = []

    def answer(self, what: str, status: int, body: object) -> None:
        """From now on it answers so. body: bytes as they are, anything else as JSON."""
        self.answers[what] = (status, body if isinstance(body, bytes) else msgspec.json.encode(body))

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Any request."""
        if request.path == "/stream":
            return await self._stream(request)
        what = f"{request.method} {request.path}"
        self.asked.append(what)
        await request.read()
        status, body = self.answers[what]
        return web.Response(status=status, body=body)

    async def _stream(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.receive()
        await _say(socket, self.authorisation)
        said = await socket.receive()
        if said.type not in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
            return socket
        await _say(socket, b'{"stream":"listening","data":{"streams":["trade_updates"]}}')
        for frame in self.frames:
            await _say(socket, frame)
        async for _ in socket:
            pass
        return socket


async def _say(socket: web.WebSocketResponse, frame: str | bytes) -> None:
    if isinstance(frame, bytes):
        await socket.send_bytes(frame)
    else:
        await socket.send_str(frame)


@asynccontextmanager
async def scripted(traded: Instrument = BTC) -> AsyncIterator[tuple[Script, AlpacaVenue]]:
    """A venue by script, and an adapter that trades one contract there."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, WarpLoop)
    script = Script()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", script.serve)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        base = f"http://127.0.0.1:{runner.addresses[0][1]}"
        clock = WarpClock(loop, BEGIN_NS)
        async with AlpacaVenue(ACCOUNT, [traded], KEYS, clock, base, allow_unverified=True) as venue:
            yield script, venue
    finally:
        await runner.cleanup()
