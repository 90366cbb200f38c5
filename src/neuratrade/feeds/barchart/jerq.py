"""Barchart's DDF over JERQ: one WebSocket, one login, streams by symbol, a clock that beats every second.

A connection that says nothing for ten seconds is over. JERQ wants five to fifteen seconds between two
connections, since credentials are good for one at a time; whoever connects anew sooner waits here. A login
that is refused is not tried again soon: each refusal doubles what is waited, from a minute to an hour.
Credentials are sent over TLS, or to this machine, and no error or note repeats them.
Source: lib/connection/Connection.js of the vendor's marketdata-api-js 6.3.2.
"""

import asyncio
import random
import re
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import aiohttp
import msgspec

from neuratrade.core.model.errors import Retryable, UsageError
from neuratrade.core.model.market import NS_PER_SECOND
from neuratrade.feeds.barchart.ddf_symbols import wire_names
from neuratrade.feeds.barchart.hosts import check_url
from neuratrade.feeds.barchart.jerq_reader import JerqReader
from neuratrade.feeds.barchart.transport import Opened, Tally, Tick
from neuratrade.feeds.clock import Clock

VERSION = 4
MOST_SYMBOLS = 250
"""Of one command."""
WANTED = "Ssc"
"""Of each symbol: its stream, a snapshot, its volume so far."""
SILENT_S = 10.0
LOOK_S = 1.0
PAUSE_S = 5.0
PAUSE_MORE_S = 10.0
REFUSED_S = 60.0
REFUSED_MOST_S = 3_600.0
CONNECT_S = 20.0
LARGEST_FRAME = 4 * 1024 * 1024
"""Bytes. A larger one ends the connection: it is no market data, and it has to be held in memory."""
SHOWN = 100
"""Characters of what the server said."""

_SECRET = re.compile(r"[^\s\x00-\x20\x7f]+")


class JerqLogin(msgspec.Struct, frozen=True):
    """Who asks: a user with a password, or a token. Never shown."""

    user: str = ""
    password: str = ""
    token: str = ""

    def __repr__(self) -> str:
        """Without what is secret."""
        return "JerqLogin(…)"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """Without what is secret, where a traceback is drawn too."""
        return []

    @property
    def command(self) -> str:
        """What is said to log in. Raises UsageError for credentials that no command can hold."""
        words = (self.token,) if self.token else (self.user, self.password)
        if not all(_SECRET.fullmatch(word) for word in words) or ":" in self.user:
            raise UsageError(
                "Barchart's stream needs a user and a password, or a token, without spaces in them"
            )
        who = f"TOKEN {self.token}" if self.token else f"LOGIN {self.user}:{self.password}"
        return f"{who} VERSION={VERSION}\r\n"

    def hide(self, text: str) -> str:
        """What the server said, without what is secret and without control characters."""
        for secret in (self.password, self.token, self.user):
            if secret:
                text = text.replace(secret, "…")
        return "".join(letter if letter.isprintable() else " " for letter in text)[:SHOWN].strip()


def jerq_url(host: str) -> str:
    """The address of a host as Barchart issues it, such as qsws-us-e-02.aws.barchart.com.

    Raises Refused for one that is neither encrypted nor on this machine.
    """
    url = host if "://" in host else f"wss://{host}"
    return f"{check_url(url).rstrip('/')}/jerq"


class JerqTransport:
    """DDF over one connection at a time. host: as issued with the credentials. note: told of troubles.

    draw: 0 to below 1, so that many desks do not come back at the same instant.
    """

    name = "ddf"

    def __init__(
        self,
        host: str,
        login: JerqLogin,
        clock: Clock,
        note: Callable[[str], None] = lambda _: None,
        *,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._url = jerq_url(host)
        self._login = login
        self._clock = clock
        self._draw = draw
        self._tally = Tally(note)
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._names: dict[str, str] = {}
        self._heard_ns = 0
        self._not_before_ns = 0
        self._refused = 0

    @property
    def tally(self) -> Tally:
        """What was counted so far, over all connections."""
        return self._tally

    async def ticks(self, symbols: Sequence[str]) -> AsyncGenerator[Tick]:
        """Connects, logs in, subscribes, tells `Opened` and then what comes.

        Raises UsageError for symbols that have no name there and for a refused login, Retryable when the
        connection is lost or silent.
        """
        command = self._login.command
        names = wire_names(symbols, datetime.fromtimestamp(self._clock.now_ns() // NS_PER_SECOND, UTC).year)
        await self._clock.sleep((self._not_before_ns - self._clock.now_ns()) / NS_PER_SECOND)
        reader = JerqReader(names, self._tally, self._clock.now_ns)
        timeout = aiohttp.ClientTimeout(total=CONNECT_S)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            try:
                socket = await self._open(session)
                watch = asyncio.create_task(self._watch(socket))
                try:
                    begun = await self._log_in(socket, command)
                    await self._subscribe(socket, list(names))
                    self._socket, self._names = socket, names
                    frame: str | bytes = begun or await self._frame(socket)
                    # The commands were taken by whoever tells something after them.
                    yield Opened()
                    while True:
                        for tick in reader.ticks(frame):
                            yield tick
                        frame = await self._frame(socket)
                finally:
                    watch.cancel()
                    await asyncio.gather(watch, return_exceptions=True)
                    await self._leave(socket)
            finally:
                self._rest(PAUSE_S + PAUSE_MORE_S * self._draw())

    async def subscribe_again(self, symbol: str) -> None:
        """Leaves a symbol and asks for it anew. Raises Retryable where no connection stands."""
        name = next((name for name, asked in self._names.items() if asked == symbol), None)
        if self._socket is None or name is None:
            raise Retryable(f"Barchart's stream has no {symbol} to ask for anew")
        await self._say(self._socket, f"STOP {name}={WANTED}\r\n")
        await self._say(self._socket, f"GO {name}={WANTED}\r\n")

    def _rest(self, seconds: float) -> None:
        """No connection before that."""
        until_ns = self._clock.now_ns() + round(seconds * NS_PER_SECOND)
        self._not_before_ns = max(self._not_before_ns, until_ns)

    async def _open(self, session: aiohttp.ClientSession) -> aiohttp.ClientWebSocketResponse:
        try:
            socket = await session.ws_connect(self._url, max_msg_size=LARGEST_FRAME, autoping=True)
        except aiohttp.WSServerHandshakeError as error:
            raise Retryable(f"Barchart's stream was not opened: status {error.status}") from None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Retryable(f"Barchart's stream cannot be reached: {type(error).__name__}") from None
        self._heard_ns = self._clock.now_ns()
        return socket

    async def _log_in(self, socket: aiohttp.ClientWebSocketResponse, command: str) -> str:
        """Waits for the greeting, shows the credentials; returns what came behind the answer.

        Raises UsageError where they are refused. As with the vendor's client, the first letter decides.
        """
        said = ""
        while "+++" not in said.split("\n"):
            said = (said + await self._text(socket))[-LARGEST_FRAME:].replace("\r", "")
        await self._say(socket, command)
        said = ""
        while not said.strip():
            said = await self._text(socket)
        answer, _, rest = said.lstrip().partition("\n")
        if answer.startswith("-"):
            wait_s = min(REFUSED_S * 2**self._refused, REFUSED_MOST_S)
            self._refused += 1
            self._rest(wait_s)
            raise UsageError(
                f"Barchart refused the login to its stream ({self._login.hide(answer[1:])}): check the user "
                f"and password, or the token; it is not tried again for {wait_s:.0f} s"
            )
        if not answer.startswith("+"):
            raise Retryable("Barchart's stream answered the login with something else")
        self._refused = 0
        return rest

    async def _subscribe(self, socket: aiohttp.ClientWebSocketResponse, names: Sequence[str]) -> None:
        for first in range(0, len(names), MOST_SYMBOLS):
            some = names[first : first + MOST_SYMBOLS]
            await self._say(socket, f"GO {','.join(f'{name}={WANTED}' for name in some)}\r\n")
        await self._say(socket, "GO _TIMESTAMP_\r\n")

    async def _leave(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        if self._socket is socket:
            self._socket, self._names = None, {}
        if not socket.closed:
            with suppress(Retryable):
                await self._say(socket, "LOGOUT\r\n")
        await socket.close()

    async def _say(self, socket: aiohttp.ClientWebSocketResponse, text: str) -> None:
        try:
            await socket.send_str(text)
        except (ConnectionError, aiohttp.ClientError, RuntimeError):
            raise Retryable("Barchart's stream is lost") from None

    async def _text(self, socket: aiohttp.ClientWebSocketResponse) -> str:
        frame = await self._frame(socket)
        return frame if isinstance(frame, str) else frame.decode("latin-1")

    async def _frame(self, socket: aiohttp.ClientWebSocketResponse) -> str | bytes:
        message = await socket.receive()
        if message.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
            self._heard_ns = self._clock.now_ns()
            frame: str | bytes = message.data
            return frame
        if self._is_silent():
            raise Retryable(f"Barchart's stream said nothing for {SILENT_S:.0f} s")
        raise Retryable(f"Barchart's stream is over (code {socket.close_code})")

    def _is_silent(self) -> bool:
        return self._clock.now_ns() - self._heard_ns >= SILENT_S * NS_PER_SECOND

    async def _watch(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        """Ends a connection that says nothing, were it only the beat of its clock."""
        while not self._is_silent():
            await self._clock.sleep(LOOK_S)
        await socket.close()
