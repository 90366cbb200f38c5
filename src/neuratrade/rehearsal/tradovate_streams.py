"""Tradovate's sockets: requests of every kind over one connection, and what the account is told of.

Frames are one letter and JSON: `o` at the start, `h` as a sign of life, `a[...]` for answers and events,
`c[...]` at the end. A request is four lines: endpoint, number, query, body; its answer has its number. Who
sends nothing for long is dropped. Nothing is told before `user/syncrequest` asked for it by name, once.
"""

import asyncio
import json
from decimal import Decimal
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from aiohttp import web

from neuratrade.core.model.market import NS_PER_SECOND, Quote
from neuratrade.rehearsal.faults import Fault, FaultKind
from neuratrade.rehearsal.server import AFTER, BEFORE, Frame, Hub, wire
from neuratrade.rehearsal.tradovate_auth import Session
from neuratrade.rehearsal.tradovate_words import Said, TradovateError, stamp, violations

if TYPE_CHECKING:
    from neuratrade.rehearsal.tradovate import Tradovate

BEAT = "[]"
SILENT_S = 30
"""A client that says nothing for so long is gone."""
MOST_SOCKETS = 50
"""With one more, the session of the oldest is revoked."""
SYNC_TOPIC = "props "
TO_COME = 0.000_001


class _Socket:
    """One connection. topics: what it is told of; `#N` is its own."""

    def __init__(self, number: int, now_ns: int, request: web.Request) -> None:
        self.own = f"#{number}"
        self.topics: set[str] = {self.own}
        self.heard_ns = now_ns
        self.session: Session | None = None
        self.token = ""
        self.is_synced = False
        self.arrives_s = 0.0
        self.request = request
        self.calls: set[asyncio.Task[None]] = set()

    def abort(self) -> None:
        """Ends it without a word."""
        if self.request.transport is not None:
            self.request.transport.abort()


class TradovateStreams:
    """The sockets of one `Tradovate`."""

    def __init__(self, venue: "Tradovate") -> None:
        self._venue = venue
        self.hub = Hub(venue.troubles)
        self.silent_s = SILENT_S
        self.sockets: list[_Socket] = []
        self._count = 0
        venue.book.tell = self._tell
        venue.engine.watch(self._quoted)

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """`/v1/websocket`, for orders and for market data."""
        venue = self._venue
        response = web.WebSocketResponse()
        await response.prepare(request)
        await response.send_str("o")
        self._count += 1
        socket = _Socket(self._count, venue.now_ns, request)
        self.sockets.append(socket)
        if len(self.sockets) > MOST_SOCKETS:
            venue.door.revoke(self.sockets[0].session)
        try:
            await self.hub.serve(
                response,
                lambda said: self._hear(socket, said),
                is_over=lambda: self._is_over(socket),
                topics=socket.topics,
                idle="h",
                last=lambda: self._last(socket),
            )
        finally:
            self.sockets.remove(socket)
            for call in socket.calls:
                call.cancel()
        return response

    def _is_over(self, socket: _Socket) -> bool:
        if self._venue.now_ns - socket.heard_ns > self.silent_s * NS_PER_SECOND:
            return True
        return socket.session is not None and not self._holds(socket)

    def _holds(self, socket: _Socket) -> bool:
        """Whether the session of a connection holds: renewed under another token, it does."""
        session = socket.session
        if session is None or session not in self._venue.door.sessions.values():
            return False
        return self._venue.now_ns < session.expires_ns

    def _last(self, socket: _Socket) -> list[Frame]:
        if self._venue.troubles.is_on(FaultKind.MAINTENANCE):
            self._venue.door.forget()
            reason = "Maintenance"
        elif socket.session is not None and socket.session not in self._venue.door.sessions.values():
            reason = "ConnectionQuotaReached"
        else:
            return ['c[3000,"Go away!"]']
        return [_events([{"e": "shutdown", "d": {"reasonCode": reason}}]), 'c[3000,"Go away!"]']

    # what is told

    def _tell(self, name: str, row: Said, event: str) -> None:
        said = {"entityType": name, "entity": row, "eventType": event}
        self.hub.tell(_events([{"e": "props", "d": said}]), SYNC_TOPIC + name)

    def _quoted(self, quote: Quote) -> None:
        topic = f"md {quote.instrument}"
        if not self.hub.is_asked(topic):
            return
        listed = next(
            item
            for item in self._venue.contracts.listed.values()
            if item.instrument is not None and item.instrument.key == quote.instrument
        )
        entries: Said = {}
        for name, price, size in (
            ("Bid", quote.bid, quote.bid_size),
            ("Offer", quote.ask, quote.ask_size),
            ("Trade", quote.mid and self._venue.engine.contracts[quote.instrument].round_price(quote.mid), 1),
        ):
            if price is not None:
                entries[name] = {"price": price, "size": size}
        row = {"timestamp": stamp(quote.at_ns), "contractId": listed.number, "entries": entries}
        if not self._venue.troubles.during(FaultKind.SILENT_SYMBOL):
            self.hub.publish(_events([{"e": "md", "d": {"quotes": [row]}}]), topic)

    # requests

    def _hear(self, socket: _Socket, said: Frame) -> None:
        socket.heard_ns = self._venue.now_ns
        text = said.decode(errors="replace") if isinstance(said, bytes) else said
        if text.strip() in (BEAT, ""):
            return
        endpoint, number, query, body = ([*text.split("\n", 3), "", "", ""])[:4]
        if not number.isdigit():
            return
        call = asyncio.get_running_loop().create_task(
            self._call(socket, endpoint.strip("/").lower(), int(number), query, body)
        )
        socket.calls.add(call)
        call.add_done_callback(socket.calls.discard)

    async def _call(self, socket: _Socket, endpoint: str, number: int, query: str, body: str) -> None:
        venue = self._venue
        venue.requests += 1
        venue.witness("WS", f"/{endpoint}" + (f"?{query}" if query else ""), body.encode())
        # Requests of one connection come in as they were sent, though each is a while on its way.
        now_s = asyncio.get_running_loop().time()
        socket.arrives_s = max(socket.arrives_s + TO_COME, now_s + venue.way())
        await asyncio.sleep(socket.arrives_s - now_s)
        act = venue.act(endpoint)
        crash = venue.troubles.crash_on(act)
        if crash is not None:
            if crash.seconds:
                self._answer(socket, endpoint, query, body)
            venue.crash()
            socket.abort()
            return
        fault = venue.troubles.of_request(act)
        if fault is not None and fault.kind in BEFORE:
            self._fail(socket, fault, number)
            return
        if fault is not None and fault.kind is FaultKind.LATE:
            await asyncio.sleep(fault.seconds)
        status, answer = self._answer(socket, endpoint, query, body)
        if fault is not None and fault.kind is FaultKind.SLOW:
            await asyncio.sleep(fault.seconds)
        if fault is not None and fault.kind in AFTER:
            self._fail(socket, fault, number)
            return
        await asyncio.sleep(venue.way())
        said: Said = {"s": status, "i": number}
        if answer is not None:
            said["d"] = answer
        self.hub.publish(_events([said]), socket.own)

    def _fail(self, socket: _Socket, fault: Fault, number: int) -> None:
        match fault.kind:
            case FaultKind.RATE_LIMITED | FaultKind.RATE_LIMITED_AFTER:
                self.hub.publish(_events([{"s": 429, "i": number}]), socket.own)
            case FaultKind.SERVER_ERROR | FaultKind.SERVER_ERROR_AFTER:
                said = {"s": 500, "i": number, "d": "Internal server error"}
                self.hub.publish(_events([said]), socket.own)
            case _:
                socket.abort()

    def _answer(self, socket: _Socket, endpoint: str, query: str, body: str) -> tuple[int, object]:
        venue = self._venue
        try:
            venue.door.count(endpoint)
            if endpoint == "authorize":
                return self._authorize(socket, body)
            asked = _asked(query, body)
            if endpoint == "auth/accesstokenrequest":
                return 200, venue.call(endpoint, asked, None)
            if not self._holds(socket):
                raise TradovateError(401, "Access is denied")
            match endpoint:
                case "user/syncrequest":
                    return 200, self._sync(socket, asked)
                case "md/subscribequote" | "md/unsubscribequote":
                    return 200, self._market(socket, endpoint, asked)
                case _:
                    return 200, venue.call(endpoint, asked, socket.session)
        except TradovateError as error:
            return error.status, error.body

    def _authorize(self, socket: _Socket, body: str) -> tuple[int, object]:
        token = body.strip().strip('"')
        session = self._venue.door.session_of(token)
        if session is None:
            return 401, "Access is denied"
        socket.session, socket.token = session, token
        return 200, None

    def _sync(self, socket: _Socket, asked: Said) -> object:
        if not isinstance(asked.get("splitResponses"), bool):
            raise violations(("required", "splitResponses is required"))
        if asked["splitResponses"]:
            raise violations(("unsupported", "how split responses end is not documented"))
        if socket.is_synced:
            raise violations(("unsupported", "this socket is synchronised already"))
        names = asked.get("entityTypes", [])
        if asked.get("users") is not None and "entityTypes" in asked:
            raise violations(("conflict", "users and entityTypes do not go together"))
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise violations(("type", "entityTypes is a list of names"))
        accounts = asked.get("accounts")
        socket.is_synced = True
        if accounts is not None and self._venue.account_id not in accounts:
            return self._venue.account.snapshot([])
        socket.topics.update(SYNC_TOPIC + name for name in names)
        return self._venue.account.snapshot(names)

    def _market(self, socket: _Socket, endpoint: str, asked: Said) -> object:
        if socket.session is None or socket.token != socket.session.market_token:
            return {"errorText": "Symbol is inaccessible", "errorCode": "UnknownSymbol", "mode": "None"}
        symbol = asked.get("symbol")
        listed = self._venue.contracts.listed.get(symbol) if isinstance(symbol, int) else None
        listed = listed or self._venue.contracts.find(str(symbol))
        if listed is None or listed.instrument is None:
            return {"errorText": "Symbol is inaccessible", "errorCode": "UnknownSymbol", "mode": "None"}
        topic = f"md {listed.instrument.key}"
        if endpoint == "md/unsubscribequote":
            socket.topics.discard(topic)
            return {}
        socket.topics.add(topic)
        quote = self._venue.engine.quotes.get(listed.instrument.key)
        if quote is not None:
            asyncio.get_running_loop().call_later(self._venue.way() + TO_COME, self._quoted, quote)
        return {"mode": "RealTime"}


def _asked(query: str, body: str) -> Said:
    """What a request says, in its query and body together. Raises TradovateError."""
    asked: Said = dict(parse_qsl(query, keep_blank_values=True))
    return asked | read(body)


def read(body: str) -> Said:
    """A body of JSON, its numbers as decimals. Raises TradovateError 400."""
    if body.strip() in ("", "undefined"):
        return {}
    try:
        said = json.loads(body, parse_float=Decimal)
    except ValueError:
        raise TradovateError(400, "Malformed JSON") from None
    if not isinstance(said, dict):
        raise TradovateError(400, "Malformed JSON")
    return said


def _events(items: list[Said]) -> str:
    return "a" + wire(items, numbers=True)
