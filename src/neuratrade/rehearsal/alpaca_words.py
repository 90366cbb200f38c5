"""Alpaca's market data in its own words, as JSON and as msgpack.

Numbers are numbers here, not strings as in the trading API. Times are RFC 3339 in JSON and timestamps, the
extension -1, in msgpack. Names and types are those of recorded frames.
"""

from decimal import Decimal
from typing import Any

import msgspec

from neuratrade.core.model.decimals import ZERO
from neuratrade.core.model.instrument import InstrumentKind
from neuratrade.core.model.market import NS_PER_SECOND, Bar, Quote
from neuratrade.rehearsal.tape import Ladder, Print
from neuratrade.venues.alpaca.market_wire import moment

Json = dict[str, Any]
EXCHANGE = "V"
TAPE = "C"


class At(msgspec.Struct, frozen=True):
    """A time in a message; each codec writes it in its own way."""

    ns: int


def trade(item: Print, kind: InstrumentKind) -> Json:
    """A trade without its symbol."""
    said: Json = {"t": At(item.at_ns), "p": item.price, "s": item.quantity, "i": item.number}
    if kind is InstrumentKind.SPOT:
        return said | {"tks": "B" if item.buys else "S"}
    return said | {"x": EXCHANGE, "c": ["@"], "z": TAPE}


def quote(item: Quote, kind: InstrumentKind) -> Json:
    """A quote without its symbol. An empty side is zero."""
    said: Json = {
        "t": At(item.at_ns),
        "bp": item.bid or ZERO,
        "bs": item.bid_size if item.bid is not None else ZERO,
        "ap": item.ask or ZERO,
        "as": item.ask_size if item.ask is not None else ZERO,
    }
    if kind is InstrumentKind.SPOT:
        return said
    return said | {"ax": EXCHANGE, "bx": EXCHANGE, "c": ["R"], "z": TAPE}


def bar(item: Bar, prints: list[Print]) -> Json:
    """A bar without its symbol. prints: the trades in it, of which it tells the number and the mean price."""
    volume = sum((one.quantity for one in prints), ZERO)
    paid = sum((one.quantity * one.price for one in prints), ZERO)
    return {
        "t": At(item.open_ns),
        "o": item.open,
        "h": item.high,
        "l": item.low,
        "c": item.close,
        "v": item.volume,
        "n": len(prints),
        "vw": round(paid / volume, 9) if volume else item.close,
    }


def book(ladder: Ladder, at_ns: int, *, reset: bool) -> Json:
    """A book without its symbol."""
    sides = {
        name: [{"p": level.price, "s": level.quantity} for level in side]
        for name, side in (("b", ladder.bids), ("a", ladder.asks))
    }
    return {"t": At(at_ns), **sides} | ({"r": True} if reset else {})


def as_json(value: object) -> str:
    """JSON text: decimals as numbers, times as text."""
    return _json.encode(_plain(value, binary=False)).decode()


def as_msgpack(value: object) -> bytes:
    """msgpack: decimals as floats or whole numbers, times as timestamps."""
    return msgspec.msgpack.encode(_plain(value, binary=True))


_json = msgspec.json.Encoder(decimal_format="number")


def _plain(value: object, *, binary: bool) -> object:
    if isinstance(value, At):
        return _stamp(value.ns) if binary else moment(value.ns)
    if isinstance(value, dict):
        return {name: _plain(item, binary=binary) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, binary=binary) for item in value]
    if binary and isinstance(value, Decimal):
        return float(value)
    # JSON of the venue has no exponents.
    return Decimal(f"{value:f}") if isinstance(value, Decimal) else value


def _stamp(at_ns: int) -> msgspec.msgpack.Ext:
    seconds, rest = divmod(at_ns, NS_PER_SECOND)
    return msgspec.msgpack.Ext(-1, (rest << 34 | seconds).to_bytes(8))
