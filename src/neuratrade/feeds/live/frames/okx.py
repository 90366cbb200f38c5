"""Public frames of OKX v5: `books`, `bbo-tbt`, `trades`, `tickers`.

Numbers are texts, times too. The checksum of a book is 0 on every frame since 2026 and is then none at all;
its numbers prove that nothing is missing. Source: OKX API v5, public channels.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Literal

import msgspec

from neuratrade.core.model.market import NS_PER_MS
from neuratrade.feeds.live.book import BookChange, BookSnapshot, Level
from neuratrade.feeds.live.frames.heard import (
    BestHeard,
    BookHeard,
    Count,
    Heard,
    Millis,
    TradeHeard,
    UnknownFrame,
)


class _Arg(msgspec.Struct, rename="camel"):
    channel: str
    inst_id: str = ""


class _Envelope(msgspec.Struct):
    arg: _Arg | None = None
    event: str = ""
    action: str = ""
    data: msgspec.Raw = msgspec.Raw(b"")


class _Level(msgspec.Struct, array_like=True, gc=False):
    price: Decimal
    size: Decimal


class _Book(msgspec.Struct, rename="camel"):
    bids: list[_Level]
    asks: list[_Level]
    ts: Millis
    seq_id: Count
    prev_seq_id: Count
    checksum: int = 0


class _Best(msgspec.Struct, rename="camel"):
    bids: list[_Level]
    asks: list[_Level]
    ts: Millis
    seq_id: Count = 0


class _Trade(msgspec.Struct, rename="camel"):
    inst_id: str
    trade_id: Count
    px: Decimal
    sz: Decimal
    side: Literal["buy", "sell"]
    ts: Millis


class _Ticker(msgspec.Struct, rename="camel"):
    inst_id: str
    bid_px: str
    bid_sz: str
    ask_px: str
    ask_sz: str
    ts: Millis


class OkxDecoder:
    """Reads public frames of OKX, spot and derivatives. Sizes of derivatives are in contracts."""

    def __init__(self) -> None:
        self._envelope = msgspec.json.Decoder(_Envelope)
        self._books = msgspec.json.Decoder(list[_Book], strict=False)
        self._bests = msgspec.json.Decoder(list[_Best], strict=False)
        self._trades = msgspec.json.Decoder(list[_Trade], strict=False)
        self._tickers = msgspec.json.Decoder(list[_Ticker], strict=False)

    def decode(self, frame: str | bytes, received_ns: int) -> Sequence[Heard]:
        """What a frame says. Raises for one that is none."""
        if frame in ("pong", b"pong"):
            return []
        envelope = self._envelope.decode(frame)
        if envelope.arg is None or not envelope.data:
            if not envelope.event:
                raise UnknownFrame("neither data nor an event")
            return []
        symbol = envelope.arg.inst_id
        match envelope.arg.channel:
            case "books":
                if envelope.action not in ("snapshot", "update"):
                    raise UnknownFrame("neither a book nor a change of one")
                begins = envelope.action == "snapshot"
                return [_book(row, symbol, begins=begins) for row in self._books.decode(envelope.data)]
            case "bbo-tbt":
                return [_best(row, symbol) for row in self._bests.decode(envelope.data)]
            case "trades":
                return [_trade(row) for row in self._trades.decode(envelope.data)]
            case "tickers":
                return [_ticker(row) for row in self._tickers.decode(envelope.data)]
            case _:
                pass
        return []


def _book(row: _Book, symbol: str, *, begins: bool) -> BookHeard:
    bids = [(level.price, level.size) for level in row.bids]
    asks = [(level.price, level.size) for level in row.asks]
    at_ns, checksum = row.ts * NS_PER_MS, row.checksum or None
    if begins:
        return BookHeard(symbol, BookSnapshot(at_ns, bids, asks, last=row.seq_id, checksum=checksum))
    return BookHeard(
        symbol,
        BookChange(at_ns, bids, asks, last=row.seq_id, before=row.prev_seq_id, checksum=checksum),
    )


def _best(row: _Best, symbol: str) -> BestHeard:
    bid = (row.bids[0].price, row.bids[0].size) if row.bids else None
    ask = (row.asks[0].price, row.asks[0].size) if row.asks else None
    return BestHeard(symbol, row.ts * NS_PER_MS, bid, ask)


def _trade(row: _Trade) -> TradeHeard:
    return TradeHeard(row.inst_id, row.ts * NS_PER_MS, row.trade_id, row.px, row.sz, row.side == "buy")


def _ticker(row: _Ticker) -> BestHeard:
    return BestHeard(
        row.inst_id, row.ts * NS_PER_MS, _side(row.bid_px, row.bid_sz), _side(row.ask_px, row.ask_sz)
    )


def _side(price: str, size: str) -> Level | None:
    """A side nobody is on has no price."""
    return (Decimal(price), Decimal(size)) if price else None
