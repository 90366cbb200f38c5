"""One connection to Tradovate: answers matched to requests by number, signs of life, and what it is told.

It opens with a token and one request for user data, which names every kind of entity it wants. Signs of life
leave by a timer of their own, since a quiet market would let one that waits for messages starve. A connection
that says nothing for a while is dead. What comes that makes no sense is counted, told of once, and never ends
the stream; only a lost connection, silence, and the venue's own goodbye do.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import aiohttp
import msgspec

from neuratrade.core.model.market import NS_PER_SECOND
from neuratrade.feeds.clock import Clock
from neuratrade.venues.port import TooManyRequests
from neuratrade.venues.tradovate.entities import ASKED_FOR, Prop, Shutdown
from neuratrade.venues.tradovate.errors import Doubtful, Unauthorised, check, status_error
from neuratrade.venues.tradovate.frames import (
    BEAT,
    LARGEST_BYTES,
    Closing,
    Garbled,
    Item,
    Sign,
    read_frame,
    request_frame,
)

BEAT_S = 2.5
SILENT_S = 10.0
"""After so long without a word the connection is dead: the venue gives signs of life every 2.5 s."""
ANSWER_S = 15.0
"""How long a request waits for its answer, where its caller does not give up before."""
OPEN_S = 10.0
REVOKED = frozenset({"ConnectionQuotaReached", "IPQuotaReached"})
"""Goodbyes that take the token with them."""

T = TypeVar("T")
Hear = Callable[[Prop], None]
Note = Callable[[str], None]
_prop = msgspec.json.Decoder(Prop)
_shutdown = msgspec.json.Decoder(Shutdown)


class Hostile:
    """What made no sense, by kind. note: told of each kind once."""

    def __init__(self, note: Note) -> None:
        self.counts: Counter[str] = Counter()
        self._note = note

    def met(self, kind: str) -> None:
        """Counts one."""
        self.counts[kind] += 1
        if self.counts[kind] == 1:
            self._note(f"Tradovate sent {kind}: it is left out, and the next ones like it are only counted")


class Session:
    """One connection, made by `open_session`. hear: takes each event. revoked: its token is no more."""

    def __init__(
        self, socket: aiohttp.ClientWebSocketResponse, clock: Clock, hear: Hear, hostile: Hostile
    ) -> None:
        self._socket = socket
        self._clock = clock
        self._hear = hear
        self._hostile = hostile
        self._number = 0
        self._waiting: dict[int, tuple[asyncio.Future[Item], int]] = {}
        self._heard_ns = clock.now_ns()
        self._opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.revoked = False
        self._tasks = [asyncio.create_task(part) for part in (self._read(), self._beat(), self._watch())]

    @property
    def is_over(self) -> bool:
        """Whether nothing more comes."""
        return self.ended.done()

    async def begin(self, token: str) -> None:
        """Says who asks and what is to be told. Raises Unauthorised, TooManyRequests, Doubtful."""
        await self._either(self._opened)
        answer = await self.request("authorize", body=token)
        if answer.s == 401:
            raise Unauthorised("the venue does not know the token")
        check(answer)
        wanted = msgspec.json.encode({"splitResponses": False, "entityTypes": ASKED_FOR}).decode()
        check(await self.request("user/syncrequest", body=wanted))

    async def request(self, endpoint: str, query: str = "", body: str = "") -> Item:
        """Sends a request, once, and returns its answer. Raises Doubtful where there is none."""
        if self.is_over:
            raise Doubtful(f"the connection is lost: {self.ended.result()}")
        self._number += 1
        number = self._number
        answer: asyncio.Future[Item] = asyncio.get_running_loop().create_future()
        self._waiting[number] = (answer, self._clock.now_ns() + round(ANSWER_S * NS_PER_SECOND))
        try:
            await self._socket.send_str(request_frame(endpoint, number, query, body))
            return await answer
        except (OSError, aiohttp.ClientError) as error:
            raise Doubtful(f"the connection was lost: {type(error).__name__}") from None
        finally:
            self._waiting.pop(number, None)

    async def close(self) -> None:
        """Ends it."""
        self._end("it was closed here")
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._socket.close()

    def _end(self, why: str) -> None:
        if self.ended.done():
            return
        self.ended.set_result(why)
        if not self._opened.done():
            self._opened.cancel()
        for answer, _ in self._waiting.values():
            if not answer.done():
                answer.set_exception(Doubtful(f"the connection was lost: {why}"))

    async def _either(self, awaited: asyncio.Future[None]) -> None:
        await asyncio.wait((awaited, self.ended), return_when=asyncio.FIRST_COMPLETED)
        if self.ended.done():
            raise Doubtful(f"the connection was lost: {self.ended.result()}")

    # its three tasks

    async def _read(self) -> None:
        why = "the venue ended it"
        try:
            async for message in self._socket:
                self._heard_ns = self._clock.now_ns()
                if message.type is aiohttp.WSMsgType.TEXT:
                    self._take(message.data)
                elif message.type is aiohttp.WSMsgType.BINARY:
                    self._hostile.met("a binary frame")
                if self.ended.done():
                    return
        except (OSError, aiohttp.ClientError) as error:
            why = type(error).__name__
        finally:
            self._end(f"{why} ({self._socket.close_code})")

    async def _beat(self) -> None:
        while True:
            await self._clock.sleep(BEAT_S)
            try:
                await self._socket.send_str(BEAT)
            except (OSError, aiohttp.ClientError) as error:
                self._end(type(error).__name__)
                return

    async def _watch(self) -> None:
        while True:
            await self._clock.sleep(BEAT_S)
            now_ns = self._clock.now_ns()
            if now_ns - self._heard_ns > SILENT_S * NS_PER_SECOND:
                self._end(f"nothing was heard for {SILENT_S:g} s")
                await self._socket.close()
                return
            for answer, until_ns in list(self._waiting.values()):
                if now_ns >= until_ns and not answer.done():
                    answer.set_exception(Doubtful(f"no answer within {ANSWER_S:g} s"))

    # what comes

    def _take(self, text: str) -> None:
        try:
            said = read_frame(text)
        except Garbled as garbled:
            self._hostile.met(str(garbled))
            return
        if isinstance(said, Closing):
            self._end(f"the venue closed it: {said.reason}")
        elif isinstance(said, Sign):
            if said is Sign.OPENED and not self._opened.done():
                self._opened.set_result(None)
        else:
            for item in said:
                self._take_item(item)

    def _take_item(self, item: Item | Garbled) -> None:
        if isinstance(item, Garbled):
            self._hostile.met(str(item))
        elif item.i is not None:
            waiting = self._waiting.get(item.i)
            if waiting is None:
                # One that came too late for its caller is no news: what it was about is looked up.
                if not 0 < item.i <= self._number:
                    self._hostile.met("an answer to a request that was never made")
            elif not waiting[0].done():
                waiting[0].set_result(item)
        elif item.s is not None and item.s != 200:
            self._hostile.met(f"a status {item.s} that answers nothing")
        elif item.e == "props":
            self._take_prop(item.d)
        elif item.e == "shutdown":
            self._take_shutdown(item.d)
        elif item.e not in ("md", "chart", "clock"):
            self._hostile.met("an event of an unknown kind")

    def _take_prop(self, raw: msgspec.Raw) -> None:
        try:
            self._hear(_prop.decode(raw))
        except (msgspec.DecodeError, ValueError, ArithmeticError, RecursionError) as error:
            self._hostile.met(f"user data that cannot be read ({type(error).__name__})")

    def _take_shutdown(self, raw: msgspec.Raw) -> None:
        try:
            reason = _shutdown.decode(raw).reason_code
        except msgspec.DecodeError:
            reason = "no reason that could be read"
        self.revoked = reason in REVOKED
        self._end(f"the venue shuts it down: {reason}")


async def open_session(
    http: aiohttp.ClientSession, url: str, token: str, clock: Clock, hear: Hear, hostile: Hostile
) -> Session:
    """Connects, says who asks and what is to be told.

    Raises Unauthorised for a token that is not known, TooManyRequests, and Doubtful for all else that keeps
    it from standing.
    """
    return await _within(_opened(http, url, token, clock, hear, hostile), OPEN_S, clock)


async def _opened(
    http: aiohttp.ClientSession, url: str, token: str, clock: Clock, hear: Hear, hostile: Hostile
) -> Session:
    try:
        socket = await http.ws_connect(url, max_msg_size=4 * LARGEST_BYTES)
    except aiohttp.WSServerHandshakeError as error:
        problem = status_error(error.status, "the connection was not opened")
        raise problem if isinstance(problem, TooManyRequests) else Doubtful(str(problem)) from None
    except (OSError, aiohttp.ClientError) as error:
        raise Doubtful(f"the connection was not opened: {type(error).__name__}") from None
    session = Session(socket, clock, hear, hostile)
    try:
        await session.begin(token)
    except BaseException:
        await session.close()
        raise
    return session


async def _within(work: Coroutine[Any, Any, T], seconds: float, clock: Clock) -> T:
    """What the work comes to. Raises Doubtful where it takes too long."""
    doing, late = asyncio.create_task(work), asyncio.create_task(_sleep(clock, seconds))
    try:
        await asyncio.wait((doing, late), return_when=asyncio.FIRST_COMPLETED)
        if doing.done():
            return doing.result()
        raise Doubtful(f"the connection did not stand within {seconds:g} s")
    finally:
        doing.cancel()
        late.cancel()
        await asyncio.gather(doing, late, return_exceptions=True)


async def _sleep(clock: Clock, seconds: float) -> None:
    await clock.sleep(seconds)
