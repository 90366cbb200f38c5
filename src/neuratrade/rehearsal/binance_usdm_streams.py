"""Streams of Binance USD-M futures: public ones by name, the account's behind a listen key.

A book has no snapshot in its stream: a client asks for one over REST and goes on where the ids meet, each
frame naming the last id of the one before. The account's frames of a triggered stop come as they do from the
venue, the executions of its plain order before the word that it was triggered. Source: developers.binance.com
and frames recorded in July 2021.
"""

import asyncio
from typing import TYPE_CHECKING

import msgspec
from aiohttp import web

from neuratrade.core.model.decimals import ZERO
from neuratrade.core.model.market import NS_PER_MINUTE, Bar
from neuratrade.rehearsal import binance_usdm_words as words
from neuratrade.rehearsal.binance_usdm_market import BinanceError
from neuratrade.rehearsal.orders import Change, ChangeKind, SimOrder
from neuratrade.rehearsal.server import Frame, Hub, wire
from neuratrade.rehearsal.tape import Ladder, Print, changed, plain

if TYPE_CHECKING:
    from neuratrade.rehearsal.binance_usdm import BinanceUsdm

KEY_LIFE_NS = 60 * NS_PER_MINUTE
USER = "user"
WRAPPED = "wrapped "
PUBLIC = ("depth", "bookTicker", "trade")
DEPTHS = ("depth", "depth@100ms", "depth@250ms", "depth@500ms", "depth@0ms")
KINDS = {
    ChangeKind.ACCEPTED: "NEW",
    ChangeKind.TRIGGERED: "NEW",
    ChangeKind.TRADED: "TRADE",
    ChangeKind.AMENDED: "AMENDMENT",
    ChangeKind.CANCELLED: "CANCELED",
    ChangeKind.EXPIRED: "EXPIRED",
}


class BinanceUsdmStreams:
    """Every stream of one `BinanceUsdm`. paths: where they are."""

    paths = (
        "/{category:public|market|private}/ws",
        "/{category:public|market|private}/ws/{name}",
        "/{category:public|market|private}/stream",
        "/ws",
        "/ws/{name}",
        "/stream",
    )

    def __init__(self, venue: "BinanceUsdm") -> None:
        self._venue = venue
        self.hub = Hub(venue.troubles)
        self._books: dict[str, tuple[Ladder, int]] = {}
        self._updates = 0
        self._keys: dict[str, int] = {}
        self._untold: set[int] = set()
        venue.tape.on_book.append(self._book)
        venue.tape.on_print.append(self._trade)
        venue.tape.on_bar.append(self._candle)
        venue.engine.listen(self._change)

    def book(self, key: str) -> tuple[Ladder, int]:
        """The book as it was last told, and its last id."""
        return self._books.get(key) or (self._venue.tape.ladder(key), self._updates)

    # listen keys

    def give_key(self, _: dict[str, str]) -> object:
        """The key that is there, or a new one; it lives an hour from now."""
        live = [key for key, until_ns in self._keys.items() if until_ns > self._venue.now_ns]
        key = live[0] if live else f"listen{self._venue.engine.next_number():058d}"
        self._keys[key] = self._venue.now_ns + KEY_LIFE_NS
        return {"listenKey": key}

    def extend_key(self, params: dict[str, str]) -> object:
        """Another hour. Raises BinanceError where there is no key."""
        if not any(until_ns > self._venue.now_ns for until_ns in self._keys.values()):
            raise BinanceError(-1125, "This listenKey does not exist.")
        return self.give_key(params)

    def take_key(self, _: dict[str, str]) -> object:
        """Ends every key."""
        self._keys.clear()
        return {}

    # connections

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Streams are named in the path, in the query, or asked for on the connection."""
        category, name = request.match_info.get("category", ""), request.match_info.get("name", "")
        wrapped = request.path.endswith("/stream")
        asked = [*request.query.get("streams", "").split("/"), name, request.query.get("listenKey", "")]
        topics: set[str] = set()
        for stream in asked:
            topics |= self._topics(stream, category, wrapped=wrapped)
        if request.query.get("listenKey") and not topics:
            return web.Response(status=400, text="Invalid listen key")
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await self.hub.serve(
            socket,
            lambda said: self._hear(said, category, topics, wrapped=wrapped),
            topics=topics,
            public=USER not in topics,
        )
        return socket

    def _topics(self, stream: str, category: str, *, wrapped: bool) -> set[str]:
        if self._keys.get(stream, 0) > self._venue.now_ns and category in ("", "private"):
            return {USER}
        symbol, _, kind = stream.partition("@")
        contract = self._venue.market.named(symbol)
        if contract is None or not kind:
            return set()
        home = "public" if kind.startswith(PUBLIC) else "market"
        if category not in ("", home):
            return set()
        topic = f"{symbol}@depth" if kind in DEPTHS else stream
        return {WRAPPED + topic if wrapped else topic}

    def _hear(self, said: Frame, category: str, topics: set[str], *, wrapped: bool) -> Frame:
        try:
            request = msgspec.json.decode(said, type=dict[str, object])
        except msgspec.DecodeError:
            return wire({"error": {"code": 3, "msg": "Invalid JSON"}})
        names, number = request.get("params"), request.get("id")
        method = request.get("method")
        if method not in ("SUBSCRIBE", "UNSUBSCRIBE") or not isinstance(names, list):
            return wire({"error": {"code": 2, "msg": "Invalid request"}, "id": number})
        for name in names:
            found = self._topics(str(name), category, wrapped=wrapped)
            topics |= found if method == "SUBSCRIBE" else set()
            topics -= found if method == "UNSUBSCRIBE" else set()
        return wire({"result": None, "id": number})

    def _publish(self, stream: str, data: words.Row) -> None:
        if self.hub.is_asked(stream):
            self.hub.publish(wire(data), stream)
        if self.hub.is_asked(WRAPPED + stream):
            self.hub.publish(wire({"stream": stream, "data": data}), WRAPPED + stream)

    # public data

    def _book(self, key: str) -> None:
        now, before = self._venue.tape.ladder(key), self._books.get(key)
        contract = self._venue.engine.contracts[key]
        if before is None or before[0] == now:
            self._books[key] = (now, before[1] if before else self._updates)
            return
        ladder, previous = before
        bids, asks = changed(ladder.bids, now.bids), changed(ladder.asks, now.asks)
        first = self._updates + 1
        self._updates += len(bids) + len(asks)
        self._books[key] = (now, self._updates)
        symbol, at = words.symbol(contract), words.ms(self._venue.now_ns)
        data: words.Row = {"e": "depthUpdate", "E": at, "T": at, "s": symbol, "U": first, "u": self._updates}
        data |= {"pu": previous, "b": words.levels(bids), "a": words.levels(asks)}
        self._publish_depth(symbol.lower(), data)
        if now.bids and now.asks:
            bid, ask = now.bids[0], now.asks[0]
            best: words.Row = {"e": "bookTicker", "u": self._updates, "s": symbol}
            best |= {"b": plain(bid.price), "B": plain(bid.quantity)}
            best |= {"a": plain(ask.price), "A": plain(ask.quantity), "T": at, "E": at}
            self._publish(f"{symbol.lower()}@bookTicker", best)

    def _publish_depth(self, symbol: str, data: words.Row) -> None:
        topic = f"{symbol}@depth"
        if self.hub.is_asked(topic):
            self.hub.publish(wire(data), topic)
        if self.hub.is_asked(WRAPPED + topic):
            frame = {"stream": f"{symbol}@depth@100ms", "data": data}
            self.hub.publish(wire(frame), WRAPPED + topic)

    def _trade(self, item: Print) -> None:
        symbol = words.symbol(self._venue.engine.contracts[item.symbol])
        at = words.ms(self._venue.now_ns)
        row = words.aggregate_row(item)
        self._publish(f"{symbol.lower()}@aggTrade", {"e": "aggTrade", "E": at, "s": symbol, **row})
        trade: words.Row = {"e": "trade", "E": at, "T": row["T"], "s": symbol, "t": item.number}
        trade |= {"p": row["p"], "q": row["q"], "X": "MARKET", "m": row["m"]}
        self._publish(f"{symbol.lower()}@trade", trade)

    def _candle(self, bar: Bar) -> None:
        symbol = words.symbol(self._venue.engine.contracts[bar.instrument])
        for name, span_ns in words.SPANS.items():
            stream = f"{symbol.lower()}@kline_{name}"
            if not (self.hub.is_asked(stream) or self.hub.is_asked(WRAPPED + stream)):
                continue
            last = self._venue.tape.last_bar(bar.instrument, span_ns)
            if last is None:
                continue
            candle: words.Row = {
                "t": words.ms(last.open_ns),
                "T": words.ms(last.close_ns) - 1,
                "s": symbol,
                "i": name,
                "f": -1,
                "L": -1,
                "o": plain(last.open),
                "c": plain(last.close),
                "h": plain(last.high),
                "l": plain(last.low),
                "v": plain(last.volume),
                "n": 1,
                "x": last.close_ns <= self._venue.now_ns,
                "q": plain(last.volume * last.close),
                "V": "0",
                "Q": "0",
                "B": "0",
            }
            frame: words.Row = {"e": "kline", "E": words.ms(self._venue.now_ns), "s": symbol, "k": candle}
            self._publish(stream, frame)

    # the account

    def _change(self, change: Change) -> None:
        order = change.order
        if change.kind is ChangeKind.TRADED:
            self._tell_account(change)
        if change.kind is ChangeKind.TRIGGERED:
            self._tell_algo(order, "TRIGGERING")
            # The venue says so only after the first executions.
            self._untold.add(order.order_id)
            asyncio.get_running_loop().call_soon(self._tell_triggered, order.order_id)
        if not words.is_placed(order):
            self._tell_algo(order, words.algo_status(order))
            return
        self._tell({"e": "ORDER_TRADE_UPDATE", "o": self._order(change)}, change.at_ns)
        if words.is_algo(order) and not order.is_live and order.order_id not in self._untold:
            self._tell_algo(order, "FINISHED")

    def _tell_triggered(self, number: int) -> None:
        order = self._venue.engine.orders[number]
        self._untold.discard(number)
        self._tell_algo(order, "TRIGGERED")
        if not order.is_live:
            self._tell_algo(order, "FINISHED")

    def _tell(self, row: words.Row, at_ns: int) -> None:
        if not any(until_ns > self._venue.now_ns for until_ns in self._keys.values()):
            for key in self._keys:
                over = {"e": "listenKeyExpired", "E": words.ms(self._venue.now_ns), "listenKey": key}
                self.hub.tell(wire(over), USER)
            self._keys.clear()
            return
        at = words.ms(at_ns)
        frame = {"e": row["e"], "T": at, "E": words.ms(self._venue.now_ns)} | row
        self.hub.tell(wire(frame), USER)

    def _tell_account(self, change: Change) -> None:
        contract = self._venue.engine.contracts[change.order.ticket.symbol]
        account = self._venue.account
        data = {"m": "ORDER", "B": account.wallet_rows(), "P": [account.position_row(contract)]}
        self._tell({"e": "ACCOUNT_UPDATE", "a": data}, change.at_ns)

    def _order(self, change: Change) -> words.Row:
        order, done = change.order, change.execution
        contract = self._venue.engine.contracts[order.ticket.symbol]
        state = words.status(order)
        told = "EXPIRED" if state == "EXPIRED" else KINDS[change.kind]
        row: words.Row = {
            "s": words.symbol(contract),
            "c": words.client_id(order),
            "S": order.ticket.side.value.upper(),
            "o": words.kind(order),
            "f": words.force(order),
            "q": plain(order.quantity),
            "p": plain(order.limit_price or ZERO),
            "ap": words.mean(order),
            "sp": "0",
            "x": told,
            "X": state,
            "i": words.order_id(order),
            "l": plain(done.quantity) if done else "0",
            "z": plain(order.filled),
            "L": plain(done.price) if done else "0",
            "T": words.ms(change.at_ns),
            "t": done.number if done else 0,
            "b": "0",
            "a": "0",
            "m": done.is_maker if done else False,
            "R": order.ticket.reduce_only,
            "wt": "CONTRACT_PRICE",
            "ot": words.kind(order),
            "ps": "BOTH",
            "cp": False,
            "rp": plain(self._venue.account.realised(done)) if done else "0",
            "pP": False,
            "si": 0,
            "ss": 0,
            "V": "EXPIRE_MAKER",
            "pm": "NONE",
            "gtd": words.good_till(order),
        }
        if done is not None:
            row |= {"N": done.fee_currency, "n": plain(done.fee)}
        return row

    def _tell_algo(self, order: SimOrder, state: str) -> None:
        contract = self._venue.engine.contracts[order.ticket.symbol]
        closes = order.ticket.client_id in self._venue.orders.closing
        known = state in ("TRIGGERED", "FINISHED")
        row: words.Row = {
            "caid": words.client_id(order),
            "aid": words.algo_id(order),
            "at": "CONDITIONAL",
            "o": words.algo_kind(order),
            "s": words.symbol(contract),
            "S": order.ticket.side.value.upper(),
            "ps": "BOTH",
            "f": words.force(order),
            "q": "0" if closes else plain(order.quantity),
            "X": state,
            "ai": str(words.order_id(order)) if known else "",
            "ap": words.mean(order),
            "aq": plain(order.filled),
            "act": words.kind(order) if known else "",
            "tp": plain(order.stop_price or ZERO),
            "p": plain(order.limit_price or ZERO),
            "V": "EXPIRE_MAKER",
            "wt": "CONTRACT_PRICE",
            "pm": "NONE",
            "cp": closes,
            "pP": False,
            "R": order.ticket.reduce_only,
            "tt": words.ms(order.updated_ns) if known else 0,
            "gtd": words.good_till(order),
        }
        self._tell({"e": "ALGO_UPDATE", "o": row}, self._venue.now_ns)
