"""What every venue simulator shares: HTTP on loopback with things going wrong, and a private stream.

A simulator says what a request is about (`Act`), how its venue words an overload or an outage, and what it
answers. When that is done, and whether the answer gets through, is decided here by the plan.
"""

import asyncio
import random
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from typing import NamedTuple, Self

import msgspec
from aiohttp import WSMsgType, web

from neuratrade.rehearsal.faults import Act, FaultKind, Troubles
from neuratrade.rehearsal.matching import MatchingEngine
from neuratrade.rehearsal.orders import Reason, Rejected, SimOrder, Ticket

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Frame = str | bytes
ONE_WAY_S = (0.002, 0.04)
"""How long a message is on its way, seconds."""
STREAM_PAUSE_S = 1.0
"""How often a stream that has nothing to tell looks whether it is to be cut."""

BEFORE = (FaultKind.RATE_LIMITED, FaultKind.SERVER_ERROR, FaultKind.CUT)
AFTER = (FaultKind.RATE_LIMITED_AFTER, FaultKind.SERVER_ERROR_AFTER, FaultKind.CUT_AFTER)


class Simulator(ABC):
    """One venue on a free port of 127.0.0.1, in `async with`. name: of the venue.

    submissions: how often each client id was sent. crash: lets the desk die at once. witness: is shown each
    request that came whole, before anything is done with it: method, path with query, body.
    """

    name: str

    def __init__(self, engine: MatchingEngine, troubles: Troubles, now_ns: Callable[[], int]) -> None:
        self.engine = engine
        self.troubles = troubles
        self.port = 0
        self.requests = 0
        self.submissions: Counter[str] = Counter()
        self.crash: Callable[[], None] = lambda: None
        self.witness: Callable[[str, str, bytes], None] = lambda *_: None
        self._dice = random.Random(self.name)  # noqa: S311 - how long a message takes
        self._now_ns = now_ns
        self._runner: web.AppRunner | None = None

    @property
    def now_ns(self) -> int:
        """The venue's clock, which may be off."""
        return self._now_ns() + self.troubles.skew_ns

    @property
    def base(self) -> str:
        """`http://127.0.0.1:PORT`."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def ws_base(self) -> str:
        """`ws://127.0.0.1:PORT`."""
        return f"ws://127.0.0.1:{self.port}"

    @abstractmethod
    def routes(self) -> list[web.RouteDef]:
        """What it serves."""

    @abstractmethod
    def act_of(self, request: web.Request) -> Act:
        """What a request is about."""

    @abstractmethod
    def trouble_answer(self, status: int) -> web.Response:
        """How the venue words status 429, 500 or 503."""

    def arrived(self, request: web.Request, body: str) -> None:  # noqa: B027 - most keep account of nothing
        """What is kept account of when a request comes in, however late it is dealt with: nothing."""

    async def __aenter__(self) -> Self:
        app = web.Application(middlewares=[self._face])
        app.add_routes(self.routes())
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    def place(self, ticket: Ticket) -> SimOrder:
        """Hands an order to the matching engine. Raises Rejected, as it does, or as the plan wants."""
        self.submissions[ticket.client_id] += 1
        if ticket.stop_price is not None and self.troubles.next_of(FaultKind.STOP_REJECTED) is not None:
            raise Rejected(Reason.PLANNED)
        return self.engine.place(ticket)

    @web.middleware
    async def _face(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        self.requests += 1
        if self.troubles.during(FaultKind.MAINTENANCE):
            return self.trouble_answer(503)
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await handler(request)
        # The whole request is here before anything is slow: a client that gives up has sent it already.
        body = await request.read()
        self.witness(request.method, request.path_qs, body)
        await asyncio.sleep(self._way())
        self.arrived(request, body.decode(errors="replace"))
        act = self.act_of(request)
        crash = self.troubles.crash_on(act)
        if crash is not None:
            # It may die before its request is here, or before the answer is back.
            if crash.seconds:
                await handler(request)
            self.crash()
            return self._fail(request, FaultKind.CUT)
        fault = self.troubles.of_request(act)
        if fault is None:
            answer = await handler(request)
            await asyncio.sleep(self._way())
            return answer
        if fault.kind in BEFORE:
            return self._fail(request, fault.kind)
        if fault.kind is FaultKind.LATE:
            await asyncio.sleep(fault.seconds)
        answer = await handler(request)
        if fault.kind is FaultKind.SLOW:
            await asyncio.sleep(fault.seconds)
        return self._fail(request, fault.kind) if fault.kind in AFTER else answer

    def _way(self) -> float:
        """Seconds a message takes one way."""
        return self._dice.uniform(*ONE_WAY_S)

    def _fail(self, request: web.Request, kind: FaultKind) -> web.StreamResponse:
        match kind:
            case FaultKind.RATE_LIMITED | FaultKind.RATE_LIMITED_AFTER:
                return self.trouble_answer(429)
            case FaultKind.SERVER_ERROR | FaultKind.SERVER_ERROR_AFTER:
                return self.trouble_answer(500)
            case _:
                if request.transport is not None:
                    request.transport.abort()
                return web.Response()


class _Connection(NamedTuple):
    topics: set[str] | None
    listens: Callable[[], bool]

    def hears(self, topic: str) -> bool:
        asked = self.topics is None or topic in self.topics
        return asked and self.listens()


class Hub:
    """The streams of a venue: tells each connection what it asked for, unless the plan has it otherwise."""

    def __init__(self, troubles: Troubles) -> None:
        self._troubles = troubles
        self._connections: dict[asyncio.Queue[Frame], _Connection] = {}
        self._held: list[tuple[Frame, str]] = []
        self._cuts = 0

    @property
    def topics(self) -> list[set[str] | None]:
        """What each connection asked for, None for everything."""
        return [connection.topics for connection in self._connections.values()]

    def is_asked(self, topic: str) -> bool:
        """Whether some connection asked for a topic."""
        return any(topics is None or topic in topics for topics in self.topics)

    def tell(self, frame: Frame, topic: str = "") -> None:
        """Sends a private frame to whoever listens; nobody is told what happened while nobody did."""
        if not self.is_heard(topic) or self._troubles.during(FaultKind.SILENT_STREAM):
            return
        frames = [(frame, topic)]
        if self._troubles.next_of(FaultKind.DUPLICATED) is not None:
            frames *= 2
        if self._troubles.next_of(FaultKind.REORDERED) is not None:
            self._held += frames
            return
        self._put(frames)

    def publish(self, frame: Frame, topic: str) -> None:
        """Sends a public frame to the connections that asked for its topic."""
        for queue, connection in self._connections.items():
            if connection.hears(topic):
                queue.put_nowait(frame)

    def _put(self, frames: Iterable[tuple[Frame, str]] = ()) -> None:
        """Gives these frames to whoever listens, and behind them what was held back."""
        held, self._held = self._held, []
        for item, topic in (*frames, *held):
            self.publish(item, topic)

    def is_heard(self, topic: str) -> bool:
        """Whether anybody listens who would be told of a topic."""
        return any(connection.hears(topic) for connection in self._connections.values())

    async def serve(
        self,
        socket: web.WebSocketResponse,
        hear: Callable[[Frame], Frame | list[Frame] | None],
        listens: Callable[[], bool] = lambda: True,
        is_over: Callable[[], bool] = lambda: False,
        *,
        topics: set[str] | None = None,
        idle: Frame | None = None,
        last: Callable[[], list[Frame]] = list,
    ) -> None:
        """Serves one connection until it ends or the plan cuts it.

        hear: answers what the client says. listens: whether it is to be told what happens by now. is_over:
        whether the venue ends it by itself, once what it was told is said. topics: what it is told of,
        everything where None; `hear` may change them. idle: what it is told while there is nothing to tell.
        last: what it is told before the venue goes down or ends it by itself.
        """
        queue: asyncio.Queue[Frame] = asyncio.Queue()
        self._connections[queue] = _Connection(topics, listens)
        cuts = self._cuts
        listening = asyncio.create_task(self._listen(socket, queue, hear))
        try:
            while not listening.done():
                if self._is_cut(cuts):
                    for frame in last() if self._troubles.is_on(FaultKind.MAINTENANCE) else ():
                        await send(socket, frame)
                    await socket.close(code=1011, message=b"going away")
                    return
                await self._send_next(socket, queue, idle)
                if is_over() and queue.empty():
                    for frame in last():
                        await send(socket, frame)
                    await socket.close(code=1008)
                    return
        except ConnectionError:
            return
        finally:
            del self._connections[queue]
            if not any(item.listens() for item in self._connections.values()):
                self._held.clear()
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)

    def _is_cut(self, cuts: int) -> bool:
        # All connections are cut together, for which of them looked first is chance.
        self._cuts += self._troubles.next_of(FaultKind.DISCONNECT) is not None
        return self._cuts != cuts or self._troubles.during(FaultKind.MAINTENANCE)

    async def _send_next(
        self, socket: web.WebSocketResponse, queue: asyncio.Queue[Frame], idle: Frame | None
    ) -> None:
        try:
            async with asyncio.timeout(STREAM_PAUSE_S):
                frame = await queue.get()
        except TimeoutError:
            self._put()
            if idle is not None:
                await send(socket, idle)
            return
        await send(socket, frame)

    async def _listen(
        self,
        socket: web.WebSocketResponse,
        queue: asyncio.Queue[Frame],
        hear: Callable[[Frame], Frame | list[Frame] | None],
    ) -> None:
        async for message in socket:
            if message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                said = hear(message.data)
                for frame in said if isinstance(said, list) else [said]:
                    if frame is not None:
                        queue.put_nowait(frame)


async def send(socket: web.WebSocketResponse, frame: Frame) -> None:
    """Sends a frame as text or bytes."""
    if isinstance(frame, bytes):
        await socket.send_bytes(frame)
    else:
        await socket.send_str(frame)


class Credentials(NamedTuple):
    """A key of the account. secret: as the venue gives it out. may_withdraw: what a desk must refuse."""

    key: str
    secret: str
    passphrase: str = ""
    may_withdraw: bool = False


REHEARSAL_KEY = Credentials(
    "rehearsal-key", "dGhpcyBpcyBhIHNlY3JldCBvZiBhIHJlaGVhcnNhbCBhbmQgb3BlbnMgbm90aGluZw==", "rehearsal"
)
"""A key of no account; its secret is base64, as some venues have theirs."""

_ENCODER = msgspec.json.Encoder()
_NUMBERS = msgspec.json.Encoder(decimal_format="number")


def wire(value: object, *, numbers: bool = False) -> str:
    """JSON text. numbers: decimals as numbers instead of strings."""
    return (_NUMBERS if numbers else _ENCODER).encode(value).decode()


def respond(value: object, status: int = 200) -> web.Response:
    """An answer of JSON."""
    return web.Response(text=wire(value), status=status, content_type="application/json")
