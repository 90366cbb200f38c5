"""Kraken's WebSocket v2: public channels (book, trade, ohlc, ticker) and private ones (executions, balances).

A book begins with a snapshot and goes on with what changed, each with the checksum of the whole. After the
first frame of an order the private stream tells only what changed and no symbol, as Kraken does: who misses
the first frame has to ask. Source: docs.kraken.com, WebSocket v2.
"""

from typing import TYPE_CHECKING

import msgspec
from aiohttp import web

from neuratrade.core.model.decimals import ZERO
from neuratrade.core.model.market import NS_PER_MINUTE, Bar, BookLevel
from neuratrade.rehearsal import kraken_words as words
from neuratrade.rehearsal.kraken_executions import ExecutionRows
from neuratrade.rehearsal.orders import Change, ChangeKind
from neuratrade.rehearsal.server import Frame, Hub, wire
from neuratrade.rehearsal.tape import Ladder, Print, changed, decimals

if TYPE_CHECKING:
    from neuratrade.rehearsal.kraken import Kraken

PRIVATE = ("executions", "balances")
PUBLIC = ("book", "trade", "ohlc", "ticker")
HEARTBEAT = '{"channel":"heartbeat"}'
SNAPSHOT_TRADES = 50
CANDLE_MINUTES = (1, 5, 15, 30, 60, 240, 1440, 10080, 21600)
Said = dict[str, object]


class KrakenStreams:
    """Both endpoints of one `Kraken`."""

    def __init__(self, venue: "Kraken") -> None:
        self._venue = venue
        self.hub = Hub(venue.troubles)
        self._books: dict[str, Ladder] = {}
        self._rows = ExecutionRows(venue)
        self._sequence = 0
        venue.tape.on_book.append(self._book)
        venue.tape.on_print.append(self._trade)
        venue.tape.on_bar.append(self._candle)
        venue.engine.listen(self._change)

    async def serve_public(self, request: web.Request) -> web.StreamResponse:
        """`ws.kraken.com/v2`."""
        return await self._serve(request, PUBLIC)

    async def serve_private(self, request: web.Request) -> web.StreamResponse:
        """`ws-auth.kraken.com/v2`."""
        return await self._serve(request, PRIVATE)

    async def _serve(self, request: web.Request, channels: tuple[str, ...]) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        topics: set[str] = set()
        status = {"version": "2.0.10", "system": "online", "api_version": "v2", "connection_id": 1}
        await socket.send_str(wire({"channel": "status", "type": "update", "data": [status]}))
        await self.hub.serve(
            socket,
            lambda said: self._hear(said, topics, channels),
            topics=topics,
            idle=HEARTBEAT,
            public=channels is PUBLIC,
        )
        return socket

    # requests

    def _hear(self, said: Frame, topics: set[str], channels: tuple[str, ...]) -> list[Frame]:
        try:
            request = msgspec.json.decode(said, type=dict[str, object])
        except msgspec.DecodeError:
            return [wire({"error": "Malformed request", "success": False})]
        method, params = str(request.get("method")), request.get("params")
        if method == "ping":
            return [self._answer(request, "pong")]
        if method not in ("subscribe", "unsubscribe") or not isinstance(params, dict):
            return [self._answer(request, method, error="Unsupported method")]
        channel = str(params.get("channel"))
        if channel not in channels:
            return [self._answer(request, method, error="Unsupported channel")]
        if channel in PRIVATE:
            return self._private(request, method, params, topics)
        names, interval = params.get("symbol"), params.get("interval", 1)
        if not isinstance(names, list) or interval not in CANDLE_MINUTES:
            return [self._answer(request, method, error="Invalid arguments")]
        return [frame for name in names for frame in self._public(request, method, params, str(name), topics)]

    def _private(self, request: Said, method: str, params: Said, topics: set[str]) -> list[Frame]:
        channel = str(params["channel"])
        expires_ns = self._venue.account.tokens.get(str(params.get("token")))
        if expires_ns is None or expires_ns < self._venue.now_ns:
            return [self._answer(request, method, error="ESession:Invalid session")]
        if method == "unsubscribe":
            topics.discard(channel)
            return [self._answer(request, method, {"channel": channel})]
        topics.add(channel)
        rows = self._balances() if channel == "balances" else self._executions(params)
        self._sequence += 1
        return [
            self._answer(request, method, {"channel": channel, "snapshot": True}),
            self._frame(channel, "snapshot", rows, sequence=True),
        ]

    def _executions(self, params: Said) -> list[Said]:
        engine = self._venue.engine
        orders = engine.open_orders() if params.get("snap_orders", True) else []
        rows = [self._rows.whole(order) for order in orders]
        if params.get("snap_trades"):
            rows += [
                self._rows.execution(
                    Change(ChangeKind.TRADED, engine.orders[item.order_id], item.at_ns, item)
                )
                for item in engine.executions[-SNAPSHOT_TRADES:]
            ]
        return rows

    def _public(self, request: Said, method: str, params: Said, name: str, topics: set[str]) -> list[Frame]:
        channel = str(params["channel"])
        key = next((key for key, pair in self._venue.pairs.items() if pair.symbol == name), None)
        if key is None:
            return [self._answer(request, method, error=f"Currency pair not supported {name}", symbol=name)]
        result: Said = {"channel": channel, "symbol": name}
        topic = f"{channel} {key}"
        if channel == "ohlc":
            result["interval"] = params.get("interval", 1)
            topic += f" {result['interval']}"
        if method == "unsubscribe":
            topics.discard(topic)
            return [self._answer(request, method, result)]
        if topic in topics:
            return [self._answer(request, method, error="Already subscribed", symbol=name)]
        topics.add(topic)
        if channel == "book":
            result["depth"] = params.get("depth", 10)
        answer = self._answer(request, method, {**result, "snapshot": True})
        return [answer, *self._snapshot(channel, key, result)] if params.get("snapshot", True) else [answer]

    def _snapshot(self, channel: str, key: str, result: Said) -> list[Frame]:
        tape = self._venue.tape
        match channel:
            case "book":
                ladder = self._books.setdefault(key, tape.ladder(key))
                return [self._frame("book", "snapshot", [self._side_rows(key, ladder, ladder)])]
            case "trade":
                rows = [self._print_row(item) for item in tape.prints(key)[-SNAPSHOT_TRADES:]]
                return [self._frame("trade", "snapshot", rows)] if rows else []
            case "ohlc":
                minutes = int(str(result["interval"]))
                rows = [self._bar_row(bar) for bar in tape.bars(key, minutes * NS_PER_MINUTE)[-1:]]
                return [self._frame("ohlc", "snapshot", rows)] if rows else []
            case _:
                rows = self._ticker(key)
                return [self._frame("ticker", "snapshot", rows)] if rows else []

    # public data

    def _book(self, key: str) -> None:
        now = self._venue.tape.ladder(key)
        before = self._books.get(key)
        self._books[key] = now
        if before is not None and before != now and self.hub.is_asked(f"book {key}"):
            change = Ladder(tuple(changed(before.bids, now.bids)), tuple(changed(before.asks, now.asks)))
            row = self._side_rows(key, change, now)
            row["timestamp"] = words.stamp(self._venue.now_ns)
            self.hub.publish(self._frame("book", "update", [row]), f"book {key}")
        if before != now and self.hub.is_asked(f"ticker {key}") and (rows := self._ticker(key)):
            self.hub.publish(self._frame("ticker", "update", rows), f"ticker {key}")

    def _side_rows(self, key: str, shown: Ladder, whole: Ladder) -> Said:
        pair = self._venue.pairs[key]
        lot_digits = decimals(pair.contract.lot)

        def rows(levels: tuple[BookLevel, ...]) -> list[Said]:
            return [
                {
                    "price": words.exact(level.price, pair.digits),
                    "qty": words.exact(level.quantity, lot_digits),
                }
                for level in levels
            ]

        return {
            "symbol": pair.symbol,
            "bids": rows(shown.bids),
            "asks": rows(shown.asks),
            "checksum": words.checksum(whole, pair.digits, lot_digits),
        }

    def _trade(self, item: Print) -> None:
        frame = self._frame("trade", "update", [self._print_row(item)])
        self.hub.publish(frame, f"trade {item.symbol}")

    def _print_row(self, item: Print) -> Said:
        return {
            "symbol": self._venue.pairs[item.symbol].symbol,
            "side": "buy" if item.buys else "sell",
            "price": item.price,
            "qty": item.quantity,
            "ord_type": "market",
            "trade_id": item.number,
            "timestamp": words.stamp(item.at_ns),
        }

    def _candle(self, bar: Bar) -> None:
        for minutes in CANDLE_MINUTES:
            topic = f"ohlc {bar.instrument} {minutes}"
            if not self.hub.is_asked(topic):
                continue
            last = self._venue.tape.last_bar(bar.instrument, minutes * NS_PER_MINUTE)
            if last is not None:
                self.hub.publish(self._frame("ohlc", "update", [self._bar_row(last)], timestamp=True), topic)

    def _bar_row(self, bar: Bar) -> Said:
        minutes = bar.span_ns // NS_PER_MINUTE
        begin = words.stamp(bar.open_ns)
        return {
            "symbol": self._venue.pairs[bar.instrument].symbol,
            "open": bar.open,
            "high": bar.high,
            "low": bar.low,
            "close": bar.close,
            "trades": 1,
            "volume": bar.volume,
            "vwap": bar.close,
            "interval_begin": begin[:-1] + "000Z",
            "interval": minutes,
            "timestamp": words.stamp(bar.close_ns),
        }

    def _ticker(self, key: str) -> list[Said]:
        day, ladder = self._venue.tape.day(key), self._venue.tape.ladder(key)
        if day is None or not ladder.bids or not ladder.asks:
            return []
        change = day.last - day.open
        row: Said = {
            "symbol": self._venue.pairs[key].symbol,
            "bid": ladder.bids[0].price,
            "bid_qty": ladder.bids[0].quantity,
            "ask": ladder.asks[0].price,
            "ask_qty": ladder.asks[0].quantity,
            "last": day.last,
            "volume": day.volume,
            "vwap": words.exact(day.vwap, self._venue.pairs[key].digits),
            "low": day.low,
            "high": day.high,
            "change": change,
            "change_pct": words.exact(change / day.open * 100, 2),
        }
        return [row]

    # the account

    def _change(self, change: Change) -> None:
        for row in self._rows.of(change):
            self._sequence += 1
            self.hub.tell(self._frame("executions", "update", [row], sequence=True), "executions")
        if change.kind is ChangeKind.TRADED:
            self._tell_balances(change)

    def _balances(self) -> list[Said]:
        return [
            {
                "asset": name,
                "asset_class": "currency",
                "balance": value,
                "wallets": [{"type": "spot", "id": "main", "balance": value}],
            }
            for name, value in self._venue.engine.account.balances.items()
        ]

    def _tell_balances(self, change: Change) -> None:
        done = change.execution
        if done is None:
            return
        contract = self._venue.pairs[done.symbol].contract
        signed = done.quantity * done.side.sign
        rows: list[Said] = [
            {
                "ledger_id": words.mark("L", self._venue.engine.next_number()),
                "ref_id": words.mark("T", done.number),
                "timestamp": words.stamp(done.at_ns),
                "type": "trade",
                "subtype": "",
                "asset": name,
                "asset_class": "currency",
                "category": "trade",
                "wallet_type": "spot",
                "wallet_id": "main",
                "amount": amount,
                "fee": done.fee if name == done.fee_currency else ZERO,
                "balance": self._venue.engine.account.balances.get(name, ZERO),
            }
            for name, amount in ((contract.base, signed), (contract.quote, -signed * done.price))
        ]
        self._sequence += 1
        self.hub.tell(self._frame("balances", "update", rows, sequence=True), "balances")

    # frames

    def _frame(
        self, channel: str, kind: str, rows: list[Said], *, sequence: bool = False, timestamp: bool = False
    ) -> str:
        frame: Said = {"channel": channel, "type": kind}
        if timestamp:
            frame["timestamp"] = words.stamp(self._venue.now_ns)
        frame["data"] = rows
        if sequence:
            frame["sequence"] = self._sequence
        return wire(frame, numbers=True)

    def _answer(
        self, request: Said, method: str, result: Said | None = None, error: str = "", symbol: str = ""
    ) -> str:
        now = words.stamp(self._venue.now_ns)
        answer: Said = {"method": method}
        if error:
            answer |= {"error": error, "success": False} | ({"symbol": symbol} if symbol else {})
        elif result is not None:
            answer |= {"result": result, "success": True}
        if "req_id" in request:
            answer["req_id"] = request["req_id"]
        return wire({**answer, "time_in": now, "time_out": now})
