"""OKX's streams v5: `public` (books, trades, tickers), `business` (candles, algo orders), `private`.

Private channels need a login on the same connection. A book goes on from its snapshot by sequence numbers,
each frame naming the one before, with a checksum of the whole. Executions come in the channel `orders`; the
channel `fills`, which OKX gives to large accounts only, is not here. Source: the OKX v5 documentation.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import msgspec
from aiohttp import web

from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.market import NS_PER_SECOND, Bar
from neuratrade.rehearsal import okx_words as words
from neuratrade.rehearsal.okx_market import SPANS, OkxError
from neuratrade.rehearsal.orders import Change, ChangeKind
from neuratrade.rehearsal.server import Frame, Hub, wire
from neuratrade.rehearsal.tape import Ladder, Print, changed

if TYPE_CHECKING:
    from neuratrade.rehearsal.okx import Okx

BOOKS = {"books": 400, "books5": 5, "bbo-tbt": 1}
PUBLIC = (*BOOKS, "trades", "tickers")
PRIVATE = {"orders": "private", "account": "private", "positions": "private", "orders-algo": "business"}
LOGIN_WINDOW_S = 30
CONNECTION = "rehearsal"
Arg = dict[str, str]


class OkxStreams:
    """The three endpoints of one `Okx`."""

    def __init__(self, venue: "Okx") -> None:
        self._venue = venue
        self.hub = Hub(venue.troubles)
        self._books: dict[str, Ladder] = {}
        self._sequence = 0
        self._sequences: dict[str, int] = {}
        venue.tape.on_book.append(self._book)
        venue.tape.on_print.append(self._trade)
        venue.tape.on_bar.append(self._candle)
        venue.engine.listen(self._change)

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """`ws.okx.com/ws/v5/KIND`."""
        kind = request.match_info["kind"]
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        topics: set[str] = set()
        await self.hub.serve(
            socket, lambda said: self._hear(said, kind, topics), topics=topics, public=kind == "public"
        )
        return socket

    # requests

    def _hear(self, said: Frame, kind: str, topics: set[str]) -> list[Frame]:
        if said == "ping":
            return ["pong"]
        try:
            request = msgspec.json.decode(said, type=dict[str, object])
        except msgspec.DecodeError:
            return [_error("60012", f"Illegal request: {said!r}")]
        args = request.get("args")
        if not isinstance(args, list) or not args or not all(isinstance(arg, dict) for arg in args):
            return [_error("60012", "Illegal request")]
        if request.get("op") == "login":
            return [self._login(args[0], topics)]
        if request.get("op") not in ("subscribe", "unsubscribe"):
            return [_error("60012", "Illegal request")]
        return [frame for arg in args for frame in self._subscribe(str(request["op"]), arg, kind, topics)]

    def _login(self, arg: Arg, topics: set[str]) -> str:
        mine, stamp = self._venue.credentials, str(arg.get("timestamp", ""))
        if arg.get("apiKey") != mine.key:
            return _error("60005", "Invalid apiKey")
        if arg.get("passphrase") != mine.passphrase:
            return _error("60024", "Wrong passphrase")
        if not stamp.isdigit() or abs(int(stamp) - self._venue.now_ns // NS_PER_SECOND) > LOGIN_WINDOW_S:
            return _error("60006", "Timestamp request expired")
        if arg.get("sign") != self._venue.sign(f"{stamp}GET/users/self/verify"):
            return _error("60007", "Invalid sign")
        topics.add("login")
        return wire({"event": "login", "code": "0", "msg": "", "connId": CONNECTION})

    def _subscribe(self, operation: str, arg: Arg, kind: str, topics: set[str]) -> list[Frame]:
        channel = str(arg.get("channel"))
        here = "business" if channel.startswith("candle") else PRIVATE.get(channel, "public")
        known = channel in PUBLIC or channel in PRIVATE or channel.removeprefix("candle") in SPANS
        if not known or kind != here:
            return [_error("60018", f"Wrong URL or channel:{channel} doesn't exist.")]
        if channel in PRIVATE and "login" not in topics:
            return [_error("60011", "Please log in")]
        try:
            found = self._topics(channel, arg)
        except OkxError:
            return [
                _error("60018", f"Wrong URL or channel:{channel},instId:{arg.get('instId')} doesn't exist.")
            ]
        answer = wire({"event": operation, "arg": arg, "connId": CONNECTION})
        if operation == "unsubscribe":
            topics.difference_update(found)
            return [answer]
        topics.update(found)
        return [answer, *self._snapshot(channel, arg)]

    def _topics(self, channel: str, arg: Arg) -> list[str]:
        if channel in ("account", "positions"):
            return [channel]
        if channel in PRIVATE:
            kinds = ("SPOT", "SWAP") if arg.get("instType") == "ANY" else (str(arg.get("instType")),)
            return [f"{channel} {kind}" for kind in kinds]
        return [f"{channel} {self._venue.market.contract(str(arg.get('instId'))).key}"]

    def _snapshot(self, channel: str, arg: Arg) -> Iterable[Frame]:
        venue = self._venue
        if channel == "account":
            return [wire({"arg": _private(arg), "data": [venue.account.balance()]})]
        if channel == "positions":
            return [wire({"arg": _private(arg), "data": venue.account.positions({})})]
        if channel in PRIVATE:
            return []
        contract = venue.market.contract(arg["instId"])
        if channel in BOOKS:
            ladder = self._books.setdefault(contract.key, venue.tape.ladder(contract.key))
            return [self._book_frame(channel, contract, ladder, ladder, -1)]
        if channel == "tickers":
            return [wire({"arg": _public(channel, contract), "data": [venue.market.ticker(contract)]})]
        if channel.startswith("candle"):
            bars = venue.tape.bars(contract.key, SPANS[channel.removeprefix("candle")])[-1:]
            return [self._candle_frame(channel, contract, bar) for bar in bars]
        return []

    # public data

    def _book(self, key: str) -> None:
        now, before = self._venue.tape.ladder(key), self._books.get(key)
        self._books[key] = now
        contract = self._venue.engine.contracts[key]
        if before is None or before == now:
            return
        previous = self._sequences.get(key, 0)
        self._sequence += 1
        self._sequences[key] = self._sequence
        change = Ladder(tuple(changed(before.bids, now.bids)), tuple(changed(before.asks, now.asks)))
        for channel in BOOKS:
            if not self.hub.is_asked(f"{channel} {key}"):
                continue
            frame = self._book_frame(channel, contract, change if channel == "books" else now, now, previous)
            self.hub.publish(frame, f"{channel} {key}")
        if self.hub.is_asked(f"tickers {key}"):
            ticker = {"arg": _public("tickers", contract), "data": [self._venue.market.ticker(contract)]}
            self.hub.publish(wire(ticker), f"tickers {key}")

    def _book_frame(
        self, channel: str, contract: Instrument, shown: Ladder, whole: Ladder, previous: int
    ) -> str:
        row = words.book_rows(shown, BOOKS[channel])
        row["ts"] = words.ms(self._venue.now_ns)
        sequence = self._sequences.get(contract.key, 0)
        frame: words.Row = {"arg": _public(channel, contract)}
        if channel == "books":
            frame["action"] = "snapshot" if previous < 0 else "update"
            row |= {"checksum": words.checksum(whole), "seqId": sequence, "prevSeqId": previous}
        else:
            row |= {"instId": words.inst_id(contract), "seqId": sequence}
        return wire(frame | {"data": [row]})

    def _trade(self, item: Print) -> None:
        contract = self._venue.engine.contracts[item.symbol]
        frame = wire({"arg": _public("trades", contract), "data": [words.print_row(item, contract)]})
        self.hub.publish(frame, f"trades {item.symbol}")

    def _candle(self, bar: Bar) -> None:
        contract = self._venue.engine.contracts[bar.instrument]
        for name, span_ns in SPANS.items():
            topic = f"candle{name} {bar.instrument}"
            if not self.hub.is_asked(topic):
                continue
            last = self._venue.tape.last_bar(bar.instrument, span_ns)
            if last is not None:
                self.hub.publish(self._candle_frame(f"candle{name}", contract, last), topic)

    def _candle_frame(self, channel: str, contract: Instrument, bar: Bar) -> str:
        row = words.candle_row(bar, contract, complete=bar.close_ns <= self._venue.now_ns)
        return wire({"arg": _public(channel, contract), "data": [row]})

    # the account

    def _change(self, change: Change) -> None:
        order = change.order
        contract = self._venue.engine.contracts[order.ticket.symbol]
        kind = words.inst_type(contract)
        about_algo = words.is_algo(order) and (not order.triggered or change.kind is ChangeKind.TRIGGERED)
        if about_algo and self._venue.orders.attached.is_told(change):
            frame = {"arg": _orders("orders-algo"), "data": [self._venue.orders.algo_row(order)]}
            self.hub.tell(wire(frame), f"orders-algo {kind}")
        if words.is_placed(order):
            row = words.streamed_row(order, contract, change.execution) | self._venue.orders.ties(order)
            if change.kind is ChangeKind.AMENDED:
                row |= {"amendResult": "0", "amendSource": "1"}
            self.hub.tell(wire({"arg": _orders("orders"), "data": [row]}), f"orders {kind}")
        if change.kind is ChangeKind.TRADED:
            account = {"arg": _private({"channel": "account"}), "data": [self._venue.account.balance()]}
            self.hub.tell(wire(account), "account")
            if contract.is_derivative:
                rows = self._venue.account.positions({"instId": words.inst_id(contract)}, flat=True)
                arg = _private({"channel": "positions", "instType": "ANY"})
                self.hub.tell(wire({"arg": arg, "data": rows}), "positions")


def _public(channel: str, contract: Instrument) -> Arg:
    return {"channel": channel, "instId": words.inst_id(contract)}


def _private(arg: Arg) -> Arg:
    return {**arg, "uid": "1"}


def _orders(channel: str) -> Arg:
    return {"channel": channel, "instType": "ANY", "uid": "1"}


def _error(code: str, message: str) -> str:
    return wire({"event": "error", "code": code, "msg": message, "connId": CONNECTION})
