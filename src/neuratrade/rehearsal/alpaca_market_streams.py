"""Alpaca's streams of market data on loopback: stocks, crypto and news, in JSON and msgpack.

As at the venue: a welcome, a login within ten seconds, one connection to each stream, subscriptions that are
answered with all that is subscribed to, and errors by number. Nothing is told again to who was not there.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec
from aiohttp import WSMsgType, web

from neuratrade.core.model.instrument import InstrumentKind
from neuratrade.core.model.market import NS_PER_DAY, NS_PER_MINUTE, Bar
from neuratrade.rehearsal import alpaca_words as words
from neuratrade.rehearsal.faults import Troubles
from neuratrade.rehearsal.matching import MatchingEngine
from neuratrade.rehearsal.server import Frame, Hub, send
from neuratrade.rehearsal.tape import Print, Tape

LOGIN_S = 10.0
FREE_SYMBOLS = 30
ERRORS = {
    400: "invalid syntax",
    401: "not authenticated",
    402: "auth failed",
    403: "already authenticated",
    404: "auth timeout",
    405: "symbol limit exceeded",
    406: "connection limit exceeded",
    409: "insufficient subscription",
    410: "invalid subscribe action for this feed",
}
STOCKS = ("trades", "quotes", "bars", "updatedBars", "dailyBars", "statuses", "lulds")
CHANNELS = {
    "/v2/iex": STOCKS,
    "/v2/sip": STOCKS,
    "/v2/test": STOCKS,
    "/v1beta3/crypto/us": ("trades", "quotes", "bars", "updatedBars", "dailyBars", "orderbooks"),
    "/v1beta1/news": ("news",),
}
FOLLOWING = {"trades": ("corrections", "cancelErrors")}
"""What comes with a channel of stocks, asked for or not."""
FREE = ("trades", "quotes")
KINDS = {
    "trades": "t", "quotes": "q", "bars": "b", "updatedBars": "u", "dailyBars": "d", "orderbooks": "o",
    "news": "n", "statuses": "s", "lulds": "l", "corrections": "c", "cancelErrors": "x",
}  # fmt: skip


def failure(code: int) -> list[words.Json]:
    """An error in the venue's words."""
    return [{"T": "error", "code": code, "msg": ERRORS[code]}]


class AlpacaMarketStreams:
    """The streams of one venue. paid: whether the account has `sip` and any number of symbols."""

    def __init__(
        self,
        engine: MatchingEngine,
        tape: Tape,
        troubles: Troubles,
        keys: tuple[str, str],
    ) -> None:
        self.hub = Hub(troubles)
        self.paid = False
        self.keys = keys
        self._engine = engine
        self._tape = tape
        self._connected: dict[str, int] = {}
        self._last: dict[str, Bar] = {}
        tape.on_book.append(self._on_book)
        tape.on_print.append(self._on_print)
        tape.on_bar.append(self._on_bar)

    def routes(self) -> list[web.RouteDef]:
        """One stream at each path."""
        return [web.get(path, self._serve) for path in CHANNELS]

    def publish(self, path: str, channel: str, symbol: str, said: Mapping[str, object]) -> None:
        """Tells who subscribed to it, one message a frame."""
        message = [{"T": KINDS[channel], **({} if channel == "news" else {"S": symbol}), **said}]
        for codec, encode in ENCODERS.items():
            topic = _topic(codec, path, channel, symbol)
            if self.hub.is_asked(topic):
                self.hub.publish(encode(message), topic)

    def publish_news(self, item: Mapping[str, Any]) -> None:
        """Tells a piece of news once to each connection that follows all, or one of its symbols."""
        message = [{"T": "n", **item}]
        wanted = {*(item.get("symbols") or ()), "*"}
        for codec, encode in ENCODERS.items():
            topics = {_topic(codec, "/v1beta1/news", "news", symbol) for symbol in wanted}
            for asked in self.hub.topics:
                found = topics & (asked or set())
                if asked is not None and found:
                    asked.add(once := f"{codec}:once")
                    self.hub.publish(encode(message), once)
                    asked.discard(once)

    # the market

    def _places(self, key: str) -> tuple[str, InstrumentKind, list[str]]:
        contract = self._engine.contracts[key]
        crypto = contract.kind is InstrumentKind.SPOT
        return contract.asset, contract.kind, ["/v1beta3/crypto/us"] if crypto else ["/v2/iex", "/v2/sip"]

    def _on_book(self, key: str) -> None:
        symbol, kind, paths = self._places(key)
        quote = self._engine.quotes[key]
        for path in paths:
            self.publish(path, "quotes", symbol, words.quote(quote, kind))
            asked = any(self.hub.is_asked(_topic(codec, path, "orderbooks", symbol)) for codec in ENCODERS)
            if asked and kind is InstrumentKind.SPOT:
                ladder = self._tape.ladder(key)
                self.publish(path, "orderbooks", symbol, words.book(ladder, quote.at_ns, reset=True))

    def _on_print(self, item: Print) -> None:
        symbol, kind, paths = self._places(item.symbol)
        for path in paths:
            self.publish(path, "trades", symbol, words.trade(item, kind))

    def _on_bar(self, bar: Bar) -> None:
        """A minute is told once the next one begins, and once more where a trade of it came late."""
        before, self._last[bar.instrument] = self._last.get(bar.instrument), bar
        if before is None or before.open_ns == bar.open_ns:
            return
        channel, done = ("bars", before) if bar.open_ns > before.open_ns else ("updatedBars", bar)
        if channel == "updatedBars":
            self._last[bar.instrument] = before
        symbol, _, paths = self._places(bar.instrument)
        day = self._tape.last_bar(bar.instrument, NS_PER_DAY)
        for path in paths:
            self.publish(path, channel, symbol, self._bar(done))
            if day is not None:
                self.publish(path, "dailyBars", symbol, self._bar(day))

    def _bar(self, bar: Bar) -> words.Json:
        prints = self._tape.prints(bar.instrument, bar.open_ns)
        return words.bar(
            bar, [item for item in prints if item.at_ns < bar.open_ns + max(bar.span_ns, NS_PER_MINUTE)]
        )

    # connections

    async def _serve(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        binary = "msgpack" in request.headers.get("Content-Type", "")
        session = _Session(self, request.path, "msgpack" if binary else "json")
        await send(socket, session.write([{"T": "success", "msg": "connected"}]))
        refused = await self._log_in(socket, session)
        if refused:
            await send(socket, session.write(failure(refused)))
            await socket.close()
            return socket
        self._connected[request.path] = 1
        try:
            await send(socket, session.write([{"T": "success", "msg": "authenticated"}]))
            await self.hub.serve(socket, session.hear, topics=session.topics, public=True)
        finally:
            del self._connected[request.path]
        return socket

    async def _log_in(self, socket: web.WebSocketResponse, session: "_Session") -> int:
        """The code of the error that ends the connection, zero where it is known."""
        while True:
            try:
                message = await socket.receive(timeout=LOGIN_S)
            except TimeoutError:
                return 404
            if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                return 404
            said = session.read(message.data)
            if said is None or said.get("action") != "auth":
                await send(socket, session.write(failure(400 if said is None else 401)))
                continue
            if (said.get("key"), said.get("secret")) != self.keys:
                return 402
            if session.path == "/v2/sip" and not self.paid:
                return 409
            return 406 if session.path in self._connected else 0

    def symbols(self, path: str) -> Iterable[str]:
        """All symbols of a stream."""
        return [item.asset for item in self._engine.contracts.values() if path in self._places(item.key)[2]]


class _Session:
    """What one connection is subscribed to."""

    def __init__(self, streams: AlpacaMarketStreams, path: str, codec: str) -> None:
        self.path = path
        self.topics: set[str] = set()
        self._streams = streams
        self._codec = codec
        self._asked: dict[str, list[str]] = {channel: [] for channel in CHANNELS[path]}

    def write(self, message: object) -> Frame:
        """In the codec of the connection."""
        return ENCODERS[self._codec](message)

    def read(self, frame: Frame) -> words.Json | None:
        """What the client says, None where it makes no sense."""
        decode = msgspec.json.decode if isinstance(frame, str) else msgspec.msgpack.decode
        try:
            return decode(frame, type=words.Json)  # type: ignore[arg-type]
        except msgspec.MsgspecError:
            return None

    def hear(self, frame: Frame) -> Frame:
        """The answer to a client that is known."""
        said = self.read(frame)
        action = None if said is None else said.get("action")
        if said is None or action not in ("auth", "subscribe", "unsubscribe"):
            return self.write(failure(400))
        if action == "auth":
            return self.write(failure(403))
        wanted = {name: symbols for name, symbols in said.items() if name != "action" and symbols}
        if any(name not in self._asked for name in wanted):
            return self.write(failure(410))
        if not all(isinstance(symbols, list) for symbols in wanted.values()):
            return self.write(failure(400))
        return self.write(self._change(wanted, add=action == "subscribe"))

    def _change(self, wanted: Mapping[str, list[str]], *, add: bool) -> list[words.Json]:
        after = {
            channel: _with(have, wanted.get(channel, ()), add=add) for channel, have in self._asked.items()
        }
        counted = sum(len(after.get(channel, ())) for channel in FREE)
        if not self._streams.paid and counted > FREE_SYMBOLS:
            return failure(405)
        self._asked = after
        told = dict(after)
        if self.path.startswith("/v2/"):
            told |= {name: after[channel] for channel, names in FOLLOWING.items() for name in names}
        everything = list(self._streams.symbols(self.path))
        self.topics.clear()
        for channel, symbols in told.items():
            meant = {*symbols, *everything} if "*" in symbols else symbols
            self.topics.update(_topic(self._codec, self.path, channel, symbol) for symbol in meant)
        return [{"T": "subscription", **told}]


ENCODERS: dict[str, Callable[[object], Frame]] = {"json": words.as_json, "msgpack": words.as_msgpack}


def _with(have: list[str], asked: Iterable[str], *, add: bool) -> list[str]:
    if add:
        return list(dict.fromkeys([*have, *map(str, asked)]))
    return [symbol for symbol in have if symbol not in asked]


def _topic(codec: str, path: str, channel: str, symbol: str) -> str:
    return f"{codec} {path} {channel} {symbol}"
