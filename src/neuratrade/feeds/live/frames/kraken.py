"""Public frames of Kraken's WebSocket v2: `book`, `trade`, `ticker`.

Numbers are JSON numbers, and the checksum of a book is made of their digits: they are read as decimals with
every zero they were sent with, never as floats. The trades a subscription begins with are of the past and are
left out. Source: docs.kraken.com, WebSocket v2.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Literal

import msgspec

from neuratrade.feeds.live.book import BookChange, BookSnapshot
from neuratrade.feeds.live.frames.heard import (
    BestHeard,
    BookHeard,
    Count,
    Heard,
    TradeHeard,
    UnknownFrame,
)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


class _Envelope(msgspec.Struct):
    channel: str = ""
    type: str = ""
    method: str = ""
    error: str = ""
    data: msgspec.Raw = msgspec.Raw(b"")


class _Level(msgspec.Struct, gc=False):
    price: Decimal
    qty: Decimal


class _Book(msgspec.Struct):
    symbol: str
    checksum: Count
    bids: list[_Level] = []
    asks: list[_Level] = []
    timestamp: datetime | None = None


class _Trade(msgspec.Struct):
    symbol: str
    side: Literal["buy", "sell"]
    price: Decimal
    qty: Decimal
    trade_id: Count
    timestamp: datetime


class _Ticker(msgspec.Struct):
    symbol: str
    bid: Decimal
    bid_qty: Decimal
    ask: Decimal
    ask_qty: Decimal
    timestamp: datetime | None = None


class KrakenDecoder:
    """Reads public frames of Kraken spot."""

    def __init__(self) -> None:
        self._envelope = msgspec.json.Decoder(_Envelope)
        self._books = msgspec.json.Decoder(list[_Book])
        self._trades = msgspec.json.Decoder(list[_Trade])
        self._tickers = msgspec.json.Decoder(list[_Ticker])

    def decode(self, frame: str | bytes, received_ns: int) -> Sequence[Heard]:
        """What a frame says. Raises for one that is none."""
        envelope = self._envelope.decode(frame)
        match envelope.channel:
            case "book":
                if envelope.type not in ("snapshot", "update"):
                    raise UnknownFrame("neither a book nor a change of one")
                begins = envelope.type == "snapshot"
                return [_book(row, received_ns, begins=begins) for row in self._books.decode(envelope.data)]
            case "trade":
                rows = self._trades.decode(envelope.data)
                return [] if envelope.type == "snapshot" else [_trade(row) for row in rows]
            case "ticker":
                return [_best(row, received_ns) for row in self._tickers.decode(envelope.data)]
            case "":
                if not envelope.method and not envelope.error:
                    raise UnknownFrame("a frame of no channel")
            case _:
                pass
        return []


def _book(row: _Book, received_ns: int, *, begins: bool) -> BookHeard:
    bids = [(level.price, level.qty) for level in row.bids]
    asks = [(level.price, level.qty) for level in row.asks]
    at_ns = _ns(row.timestamp, received_ns)
    if begins:
        return BookHeard(row.symbol, BookSnapshot(at_ns, bids, asks, checksum=row.checksum))
    return BookHeard(row.symbol, BookChange(at_ns, bids, asks, checksum=row.checksum))


def _trade(row: _Trade) -> TradeHeard:
    at_ns = _ns(row.timestamp, 0)
    return TradeHeard(row.symbol, at_ns, row.trade_id, row.price, row.qty, row.side == "buy")


def _best(row: _Ticker, received_ns: int) -> BestHeard:
    bid = (row.bid, row.bid_qty) if row.bid else None
    return BestHeard(
        row.symbol, _ns(row.timestamp, received_ns), bid, (row.ask, row.ask_qty) if row.ask else None
    )


def _ns(told: datetime | None, received_ns: int) -> int:
    if told is None:
        return received_ns
    if told.tzinfo is None or told < EPOCH:
        raise UnknownFrame("a time without a zone, or of no time")
    return (told - EPOCH) // MICROSECOND * 1000
