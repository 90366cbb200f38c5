"""Public frames of Binance, spot and USD-M futures: `depth`, `trade`, `aggTrade`, `bookTicker`.

Combined streams wrap each frame in its stream's name; single ones do not, and a spot `bookTicker` then says
nothing of what it is. Futures send trades of the insurance fund and of deleveraging in the same stream; they
are no trades of the market and are left out. Source: developers.binance.com, web socket streams.
"""

from collections.abc import Sequence
from decimal import Decimal

import msgspec

from neuratrade.core.model.market import NS_PER_MS
from neuratrade.feeds.live.book import BookChange, BookSnapshot
from neuratrade.feeds.live.frames.heard import (
    BestHeard,
    BookHeard,
    Count,
    Heard,
    Millis,
    Pairs,
    TradeHeard,
    UnknownFrame,
)

MARKET = "MARKET"


class _Envelope(msgspec.Struct):
    stream: str = ""
    data: msgspec.Raw = msgspec.Raw(b"")
    e: str = ""
    u: int = 0
    id: int | str | None = None


class _Depth(msgspec.Struct):
    s: str
    E: Millis
    U: Count
    u: Count
    b: Pairs
    a: Pairs
    pu: Count | None = None


class _Trade(msgspec.Struct):
    s: str
    T: Millis
    p: Decimal
    q: Decimal
    m: bool
    t: Count = 0
    a: Count | None = None
    X: str = MARKET


class _Best(msgspec.Struct):
    s: str
    u: Count
    b: Decimal
    B: Decimal
    a: Decimal
    A: Decimal
    T: Millis | None = None


class _Snapshot(msgspec.Struct):
    bids: Pairs
    asks: Pairs
    last: Count = msgspec.field(name="lastUpdateId")
    E: Millis | None = None


class BinanceDecoder:
    """Reads frames of either market of Binance."""

    def __init__(self) -> None:
        self._envelope = msgspec.json.Decoder(_Envelope)
        self._depth = msgspec.json.Decoder(_Depth)
        self._trade = msgspec.json.Decoder(_Trade)
        self._best = msgspec.json.Decoder(_Best)
        self._snapshot = msgspec.json.Decoder(_Snapshot)

    def decode(self, frame: str | bytes, received_ns: int) -> Sequence[Heard]:
        """What a frame says. Raises for one that is none."""
        envelope = self._envelope.decode(frame)
        kind, data = envelope.stream.partition("@")[2] or envelope.e, envelope.data or frame
        if kind.startswith("depth"):
            return [_change(self._depth.decode(data))]
        if kind in ("trade", "aggTrade"):
            return _trade(self._trade.decode(data))
        if kind == "bookTicker" or (not kind and envelope.u):
            return [_best(self._best.decode(data), received_ns)]
        if not kind and envelope.id is None:
            raise UnknownFrame("a frame without a name")
        return []

    def snapshot(self, answer: bytes, symbol: str, limit: int, received_ns: int) -> BookHeard:
        """The answer to `depth`, asked for `limit` levels a side. Raises for what is none."""
        told = self._snapshot.decode(answer)
        whole = len(told.bids) < limit and len(told.asks) < limit
        at_ns = received_ns if told.E is None else told.E * NS_PER_MS
        return BookHeard(symbol, BookSnapshot(at_ns, told.bids, told.asks, last=told.last, whole=whole))


def _change(told: _Depth) -> BookHeard:
    at_ns = told.E * NS_PER_MS
    return BookHeard(told.s, BookChange(at_ns, told.b, told.a, told.U, told.u, told.pu))


def _trade(told: _Trade) -> list[Heard]:
    if told.X != MARKET:
        return []
    number = told.t if told.a is None else told.a
    return [TradeHeard(told.s, told.T * NS_PER_MS, number, told.p, told.q, not told.m)]


def _best(told: _Best, received_ns: int) -> BestHeard:
    at_ns = received_ns if told.T is None else told.T * NS_PER_MS
    bid = (told.b, told.B) if told.b else None
    return BestHeard(told.s, at_ns, bid, (told.a, told.A) if told.a else None, told.u)
