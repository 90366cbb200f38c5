"""Public data of the Binance spot simulator: the matching engine's book, trades and minutes in its words.

The book is the one orders are filled from: the best price with its size, and the same size a tick further
on, as deep as a taking order walks. Differences carry the venue's sequence numbers, so that a mirror which
misses one can know.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import msgspec
from aiohttp import web

from neuratrade.core.model.decimals import ZERO
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.market import NS_PER_MINUTE, Bar, Quote, Trade
from neuratrade.core.model.orders import Side
from neuratrade.rehearsal.binance_spot_words import Json, millis, symbol_id, text
from neuratrade.rehearsal.faults import FaultKind, Troubles
from neuratrade.rehearsal.matching import MOST_LEVELS, MatchingEngine
from neuratrade.rehearsal.orders import Change
from neuratrade.rehearsal.server import Frame, Hub
from neuratrade.rehearsal.tape import Played

Levels = dict[Decimal, Decimal]


class _Book:
    """What was last told of a book. last_id: number of the last change."""

    def __init__(self) -> None:
        self.last_id = 1
        self.bids: Levels = {}
        self.asks: Levels = {}


class _Kline:
    """One minute as it grows."""

    def __init__(self, open_ns: int, price: Decimal) -> None:
        self.open_ns = open_ns
        self.open = self.high = self.low = self.close = price
        self.volume = self.turnover = ZERO
        self.trades = 0

    def take(self, price: Decimal, quantity: Decimal) -> None:
        """A trade, or a price without one."""
        self.high, self.low, self.close = max(self.high, price), min(self.low, price), price
        self.volume += quantity
        self.turnover += quantity * price
        self.trades += quantity > 0


class PublicMarket:
    """The public side of a simulated market."""

    def __init__(self, engine: MatchingEngine, troubles: Troubles, now_ns: Callable[[], int]) -> None:
        self._engine = engine
        self._troubles = troubles
        self._now_ns = now_ns
        self._books: dict[str, _Book] = {}
        self._klines: dict[str, list[_Kline]] = {}
        self.hub = Hub(troubles)
        engine.watch(self._on_quote)
        engine.listen(self._on_change)

    def play(self, item: Played) -> None:
        """The market goes on: a quote, a trade between others, or a minute for all from then on."""
        if isinstance(item, Quote):
            self._engine.quote(item)
            return
        if isinstance(item, Bar):
            known = self._klines.setdefault(item.instrument, [])
            known[:] = [kline for kline in known if kline.open_ns < item.open_ns]
            known.append(_Kline(item.open_ns, item.open))
            for price in (item.high, item.low, item.close):
                known[-1].take(price, ZERO)
            known[-1].volume = item.volume
            return
        contract = self._engine.contracts[item.instrument]
        number = self._engine.next_number()
        self._tell_trade(contract, number, item, buyer_rests=item.aggressor_buy is False)
        self._grow(contract, item.price, item.quantity)

    # answers

    def depth(self, contract: Instrument) -> Json:
        """The whole book."""
        book = self._book(contract.key)
        return {
            "lastUpdateId": book.last_id,
            "bids": _rows(sorted(book.bids.items(), reverse=True)),
            "asks": _rows(sorted(book.asks.items())),
        }

    def book_ticker(self, contract: Instrument) -> Json:
        """The best of both sides."""
        quote = self._engine.quotes.get(contract.key)
        bid = (ZERO, ZERO) if quote is None else (quote.bid or ZERO, quote.bid_size)
        ask = (ZERO, ZERO) if quote is None else (quote.ask or ZERO, quote.ask_size)
        return {
            "symbol": symbol_id(contract),
            "bidPrice": text(bid[0]),
            "bidQty": text(bid[1]),
            "askPrice": text(ask[0]),
            "askQty": text(ask[1]),
        }

    def klines(self, contract: Instrument, limit: int, since_ms: int | None = None) -> list[list[Any]]:
        """Minutes, oldest first, the first ones since a time or the last ones; the newest still grows."""
        known = self._klines.get(contract.key, [])
        if since_ms is not None:
            known = [item for item in known if millis(item.open_ns) >= since_ms][:limit]
        return [
            [
                millis(item.open_ns),
                text(item.open),
                text(item.high),
                text(item.low),
                text(item.close),
                text(item.volume),
                millis(item.open_ns + NS_PER_MINUTE) - 1,
                text(item.turnover),
                item.trades,
                text(ZERO),
                text(ZERO),
                "0",
            ]
            for item in known[-limit:]
        ]

    # changes

    def _on_quote(self, quote: Quote) -> None:
        contract = self._engine.contracts[quote.instrument]
        book, share = self._book(quote.instrument), self._engine.share
        bids = _levels(quote.bid, quote.bid_size * share, -contract.tick)
        asks = _levels(quote.ask, quote.ask_size * share, contract.tick)
        changed = (_changes(book.bids, bids), _changes(book.asks, asks))
        book.bids, book.asks = bids, asks
        count = len(changed[0]) + len(changed[1])
        if count:
            first, book.last_id = book.last_id + 1, book.last_id + count
            name, at_ms = symbol_id(contract), millis(self._now_ns())
            told = {"e": "depthUpdate", "E": at_ms, "s": name, "U": first, "u": book.last_id}
            sides = {
                "b": _rows(sorted(changed[0].items(), reverse=True)),
                "a": _rows(sorted(changed[1].items())),
            }
            self._tell(contract, "depth", told | sides)
            best = self.book_ticker(contract)
            self._tell(
                contract,
                "bookTicker",
                {
                    "u": book.last_id,
                    "s": name,
                    "b": best["bidPrice"],
                    "B": best["bidQty"],
                    "a": best["askPrice"],
                    "A": best["askQty"],
                },
            )
        if quote.mid is not None:
            self._grow(contract, quote.mid, ZERO)

    def _on_change(self, change: Change) -> None:
        if change.execution is not None:
            contract = self._engine.contracts[change.execution.symbol]
            done = change.execution
            told = Trade(done.symbol, done.at_ns, done.price, done.quantity)
            self._tell_trade(
                contract, done.number, told, buyer_rests=(done.side is Side.BUY) is done.is_maker
            )
            self._grow(contract, change.execution.price, change.execution.quantity)

    def _tell_trade(self, contract: Instrument, number: int, done: Trade, *, buyer_rests: bool) -> None:
        at_ms, name = millis(done.at_ns), symbol_id(contract)
        told = {
            "e": "trade",
            "E": at_ms,
            "s": name,
            "t": number,
            "p": text(done.price),
            "q": text(done.quantity),
            "T": at_ms,
            "m": buyer_rests,
            "M": True,
        }
        self._tell(contract, "trade", told)

    def _grow(self, contract: Instrument, price: Decimal, quantity: Decimal) -> None:
        now_ns = self._now_ns()
        open_ns = now_ns // NS_PER_MINUTE * NS_PER_MINUTE
        known = self._klines.setdefault(contract.key, [])
        if known and known[-1].open_ns < open_ns:
            self._tell_kline(contract, known[-1], ended=True)
        if not known or known[-1].open_ns < open_ns:
            known.append(_Kline(open_ns, price))
        known[-1].take(price, quantity)
        self._tell_kline(contract, known[-1], ended=False)

    def _tell_kline(self, contract: Instrument, item: _Kline, *, ended: bool) -> None:
        name, at_ms = symbol_id(contract), millis(self._now_ns())
        if not self.hub.is_asked(f"{name.lower()}@kline_1m"):
            return
        bar = {
            "t": millis(item.open_ns),
            "T": millis(item.open_ns + NS_PER_MINUTE) - 1,
            "s": name,
            "i": "1m",
            "f": -1,
            "L": -1,
            "o": text(item.open),
            "c": text(item.close),
            "h": text(item.high),
            "l": text(item.low),
            "v": text(item.volume),
            "n": item.trades,
            "x": ended,
            "q": text(item.turnover),
            "V": text(ZERO),
            "Q": text(ZERO),
            "B": "0",
        }
        self._tell(contract, "kline_1m", {"e": "kline", "E": at_ms, "s": name, "k": bar})

    def _book(self, key: str) -> _Book:
        return self._books.setdefault(key, _Book())

    # streams

    def _tell(self, contract: Instrument, kind: str, frame: Json) -> None:
        topic = f"{symbol_id(contract).lower()}@{kind}"
        if self.hub.is_heard(topic) and not self._is_silent(contract):
            self.hub.publish(_encode(frame), topic)

    def _is_silent(self, contract: Instrument) -> bool:
        first = next(iter(self._engine.contracts), None)
        return contract.key == first and self._troubles.during(FaultKind.SILENT_SYMBOL)

    async def serve(self, socket: web.WebSocketResponse) -> None:
        """Serves one connection until it ends."""
        streams: set[str] = set()
        await self.hub.serve(socket, lambda said: _hear(said, streams), topics=streams, public=True)


def _hear(said: Frame, streams: set[str]) -> Frame | None:
    """The answer to a client. streams: what it is told of by now."""
    if isinstance(said, bytes):
        return None
    asked = msgspec.json.decode(said)
    params = {name.removesuffix("@100ms") for name in asked.get("params") or ()}
    match asked.get("method"):
        case "SUBSCRIBE":
            streams |= params
        case "UNSUBSCRIBE":
            streams -= params
        case _:
            pass
    return _encode({"result": None, "id": asked.get("id")})


def _levels(best: Decimal | None, size: Decimal, step: Decimal) -> Levels:
    return {} if best is None else {best + step * n: size for n in range(MOST_LEVELS)}


def _changes(before: Levels, now: Levels) -> Levels:
    gone = {price: ZERO for price in before if price not in now}
    return gone | {price: size for price, size in now.items() if before.get(price) != size}


def _rows(levels: list[tuple[Decimal, Decimal]]) -> list[list[str]]:
    return [[text(price), text(size)] for price, size in levels]


def _encode(frame: Mapping[str, Any]) -> str:
    return msgspec.json.encode(frame).decode()
