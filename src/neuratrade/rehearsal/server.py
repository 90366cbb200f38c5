"""What every venue simulator shares: HTTP on loopback with things going wrong, and a private stream.

A simulator says what a request is about (`Act`), how its venue words an overload or an outage, and what it
answers. When that is done, and whether the answer gets through, is decided here by the plan.
"""

import asyncio
import random
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from typing import Self

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

    submissions: how often each client id was sent.
    """

    name: str

    def __init__(self, engine: MatchingEngine, troubles: Troubles, now_ns: Callable[[], int]) -> None:
        self.engine = engine
        self.troubles = troubles
        self.port = 0
        self.requests = 0
        self.submissions: Counter[str] = Counter()
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
        await request.read()
        await asyncio.sleep(self._way())
        fault = self.troubles.of_request(self.act_of(request))
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


class Hub:
    """A private stream: tells every connection each frame, unless the plan has it otherwise."""

    def __init__(self, troubles: Troubles) -> None:
        self._troubles = troubles
        self._queues: dict[asyncio.Queue[Frame], Callable[[], bool]] = {}
        self._held: list[Frame] = []

    def tell(self, frame: Frame) -> None:
        """Sends a frame to whoever listens; nobody is told what happened while nobody did."""
        if not self._listening() or self._troubles.during(FaultKind.SILENT_STREAM):
            return
        frames = [frame]
        if self._troubles.next_of(FaultKind.DUPLICATED) is not None:
            frames.append(frame)
        if self._troubles.next_of(FaultKind.REORDERED) is not None:
            self._held += frames
            return
        self._put(frames)

    def _put(self, frames: Iterable[Frame] = ()) -> None:
        """Gives these frames to whoever listens, and behind them what was held back."""
        held, self._held = self._held, []
        for queue in self._listening():
            for item in (*frames, *held):
                queue.put_nowait(item)

    def _listening(self) -> list[asyncio.Queue[Frame]]:
        return [queue for queue, listens in self._queues.items() if listens()]

    async def serve(
        self,
        socket: web.WebSocketResponse,
        hear: Callable[[Frame], Frame | None],
        listens: Callable[[], bool] = lambda: True,
        is_over: Callable[[], bool] = lambda: False,
    ) -> None:
        """Serves one connection until it ends or the plan cuts it.

        hear: answers what the client says. listens: whether it is to be told what happens by now. is_over:
        whether the venue ends it by itself, once what it was told is said.
        """
        queue: asyncio.Queue[Frame] = asyncio.Queue()
        self._queues[queue] = listens
        listening = asyncio.create_task(self._listen(socket, queue, hear))
        try:
            while not listening.done():
                if self._troubles.next_of(FaultKind.DISCONNECT) is not None or self._troubles.during(
                    FaultKind.MAINTENANCE
                ):
                    await socket.close(code=1011, message=b"going away")
                    return
                await self._send_next(socket, queue)
                if is_over() and queue.empty():
                    await socket.close(code=1008)
                    return
        except ConnectionError:
            return
        finally:
            del self._queues[queue]
            if not self._listening():
                self._held.clear()
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)

    async def _send_next(self, socket: web.WebSocketResponse, queue: asyncio.Queue[Frame]) -> None:
        try:
            async with asyncio.timeout(STREAM_PAUSE_S):
                frame = await queue.get()
        except TimeoutError:
            self._put()
            return
        await send(socket, frame)

    async def _listen(
        self,
        socket: web.WebSocketResponse,
        queue: asyncio.Queue[Frame],
        hear: Callable[[Frame], Frame | None],
    ) -> None:
        async for message in socket:
            if message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                said = hear(message.data)
                if said is not None:
                    queue.put_nowait(said)


async def send(socket: web.WebSocketResponse, frame: Frame) -> None:
    """Sends a frame as text or bytes."""
    if isinstance(frame, bytes):
        await socket.send_bytes(frame)
    else:
        await socket.send_str(frame)
