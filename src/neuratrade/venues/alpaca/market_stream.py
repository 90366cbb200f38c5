"""One connection to a stream of Alpaca's: login, subscriptions, and its refusals in words a person can use.

The venue allows one connection to each of its streams, and 30 symbols where nothing is paid. It ends a
connection that reads too slowly. A dead one is found by pings.
"""

from collections.abc import AsyncGenerator, Mapping, Sequence

import aiohttp
import msgspec

from neuratrade.core.model.errors import NeuraTradeError, Retryable, UsageError
from neuratrade.venues.alpaca.market_reader import Codec, Frame, Reader
from neuratrade.venues.alpaca.market_wire import Data, Failure, Subscribed, Success
from neuratrade.venues.alpaca.rest import Keys

PROBE_S = 10.0
"""How often a silent connection is asked whether it still stands."""
ANSWER_S = 10.0
LARGEST_FRAME = 16 * 1024 * 1024
"""Bytes. A larger one ends the connection: it is no market data, and it has to be held in memory."""

Channels = Mapping[str, Sequence[str]]
"""Symbols by channel: trades, quotes, news."""

ONE_ONLY = (
    "the one connection that Alpaca allows to this stream is in use: another program has it, or an old one "
    "is not over yet"
)
PERMANENT = {
    401: "Alpaca's stream wants a login first",
    402: "Alpaca's stream does not know these keys: streams need the key and secret of an account (a free "
    "paper account has some); crypto can also be followed without keys, by REST",
    405: "Alpaca's stream gives no more symbols to this subscription: ask for fewer, or subscribe there",
    409: "this feed is not in the subscription at Alpaca: use the feed iex, or subscribe to sip there",
    410: "this stream of Alpaca's has no such channel",
}
PASSING = {
    404: "Alpaca's stream did not get the keys in time",
    406: ONE_ONLY,
    407: "Alpaca's stream was read too slowly and is ended by the venue",
    500: "Alpaca's stream has an error of its own",
}


def problem_of(failure: Failure) -> NeuraTradeError:
    """What an error frame means: UsageError where asking again cannot help, else Retryable."""
    said = f"({failure.code}, {failure.msg[:100]})"
    if failure.code in PERMANENT:
        return UsageError(f"{PERMANENT[failure.code]} {said}")
    return Retryable(f"{PASSING.get(failure.code, 'Alpaca refused something on its stream')} {said}")


class MarketStream:
    """A connection that stands and is logged in. Made by `connect`."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, reader: Reader, codec: Codec) -> None:
        self._socket = socket
        self._reader = reader
        self._codec = codec
        self._waiting: list[Data] = []

    async def close(self) -> None:
        """Ends it."""
        await self._socket.close()

    async def log_in(self, keys: Keys) -> None:
        """Shows the keys. Raises UsageError where they are refused, Retryable where that is for now."""
        await self._step("connected")
        await self._say({"action": "auth", "key": keys.key_id, "secret": keys.secret})
        await self._step("authenticated")

    async def subscribe(self, channels: Channels) -> None:
        """Returns once the venue says that it took all of it."""
        await self._say({"action": "subscribe", **channels})
        while True:
            for message in await self._next(ANSWER_S):
                if isinstance(message, Subscribed) and _has_all(message, channels):
                    return

    async def ask(self, action: str, channels: Channels) -> None:
        """Asks for a change without waiting: the answer comes among the data."""
        await self._say({"action": action, **channels})

    async def data(self) -> AsyncGenerator[Data]:
        """What comes. Raises for an error frame, and Retryable when the connection is over."""
        while True:
            waiting, self._waiting = self._waiting, []
            for message in waiting:
                yield message
            await self._next(None)

    async def _say(self, what: object) -> None:
        try:
            if self._codec is Codec.JSON:
                await self._socket.send_str(msgspec.json.encode(what).decode())
            else:
                await self._socket.send_bytes(msgspec.msgpack.encode(what))
        except (ConnectionError, aiohttp.ClientError) as error:
            raise Retryable(f"Alpaca's stream is lost: {error}") from None

    async def _step(self, wanted: str) -> None:
        while True:
            for message in await self._next(ANSWER_S):
                if isinstance(message, Success) and message.msg == wanted:
                    return

    async def _next(self, seconds: float | None) -> list[Success | Subscribed]:
        """Control messages of the next frame; its data goes to `_waiting`."""
        control: list[Success | Subscribed] = []
        for message in self._reader.messages(await self._frame(seconds)):
            if isinstance(message, Failure):
                raise problem_of(message)
            if isinstance(message, Success | Subscribed):
                control.append(message)
            else:
                self._waiting.append(message)
        return control

    async def _frame(self, seconds: float | None) -> Frame:
        try:
            message = await self._socket.receive(timeout=seconds)
        except TimeoutError:
            raise Retryable(f"Alpaca's stream did not answer within {seconds} s") from None
        if message.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
            frame: Frame = message.data
            return frame
        raise Retryable(f"Alpaca's stream is over (code {self._socket.close_code})")


async def connect(
    session: aiohttp.ClientSession, url: str, keys: Keys, reader: Reader, codec: Codec
) -> MarketStream:
    """Opens a stream and logs in. Raises Retryable or UsageError."""
    headers = {"Content-Type": "application/msgpack"} if codec is Codec.MSGPACK else {}
    try:
        socket = await session.ws_connect(url, headers=headers, heartbeat=PROBE_S, max_msg_size=LARGEST_FRAME)
    except aiohttp.WSServerHandshakeError as error:
        if error.status == 429:
            raise Retryable(f"{ONE_ONLY} (429)") from None
        raise Retryable(f"Alpaca's stream was not opened: status {error.status}") from None
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise Retryable(f"Alpaca's stream cannot be reached: {str(error) or type(error).__name__}") from None
    stream = MarketStream(socket, reader, codec)
    try:
        await stream.log_in(keys)
    except BaseException:
        await stream.close()
        raise
    return stream


def _has_all(told: Subscribed, channels: Channels) -> bool:
    have = {"trades": told.trades, "quotes": told.quotes, "news": told.news}
    return all(set(symbols) <= set(have.get(channel) or ()) for channel, symbols in channels.items())
