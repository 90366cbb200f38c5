"""Alpaca's words on its market data, in JSON or msgpack, and what of them may become a price here.

Numbers become decimals by the text of the JSON, or by the shortest text of the float that msgpack carries:
no price is rounded on its way. Times keep their nanoseconds. What is no price, or of no time, raises
`Unsound` instead of reaching a desk.
Source: the vendor's documentation of its Market Data API, read in November 2026.
"""

from datetime import UTC, datetime, timedelta
from decimal import Context, Decimal, Inexact, InvalidOperation
from functools import lru_cache

import msgspec

from neuratrade.core.model.decimals import ZERO
from neuratrade.core.model.market import NS_PER_MINUTE, NS_PER_SECOND, Bar, Quote, Trade

LARGEST = Decimal("1e15")
SMALLEST = Decimal("1e-18")
MOST_DIGITS = 40
"""No market has prices or sizes beyond these; what comes from a broken one must not reach a ledger."""

NO_LAST = frozenset("479CGHMNPQRUVWZ")
"""Sale conditions that do not update the last price: average, derived, contingent, prior, out of sequence,
official prints and special settlement. On tapes A and B the letter B is one of them. Odd lots and extended
hours count here, though not for the official last. Source: consolidated processing guidelines of the SIPs.
"""

_fits = Context(prec=MOST_DIGITS, traps=[Inexact, InvalidOperation]).plus
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)

Stamp = str | msgspec.msgpack.Ext
"""A time on the wire: RFC 3339 in JSON, the extension -1 of msgpack."""


class Unsound(ValueError):
    """A message that can be read and cannot be true."""


class WireTrade(
    msgspec.Struct,
    frozen=True,
    tag="t",
    tag_field="T",
    gc=False,
    rename={
        "symbol": "S", "price": "p", "quantity": "s", "at": "t",
        "number": "i", "taker": "tks", "exchange": "x", "conditions": "c", "tape": "z",
    },
):  # fmt: skip
    """A trade. number: unique at its exchange and day. taker: B or S, told for crypto alone.

    conditions: how a trade of stocks came about, in the letters of its tape.
    """

    price: Decimal
    quantity: Decimal
    at: Stamp
    symbol: str = ""
    number: int | str = 0
    taker: str = ""
    exchange: str = ""
    conditions: tuple[str, ...] | None = None
    tape: str = ""

    @property
    def tells_the_price(self) -> bool:
        """Whether its price is that of the market at its time, and not one of another time or agreed upon."""
        if not self.conditions:
            return True
        return NO_LAST.isdisjoint(self.conditions) and not (self.tape in "AB" and "B" in self.conditions)


class WireQuote(
    msgspec.Struct,
    frozen=True,
    tag="q",
    tag_field="T",
    gc=False,
    rename={"symbol": "S", "bid": "bp", "ask": "ap", "bid_size": "bs", "ask_size": "as", "at": "t"},
):
    """The best bid and ask. A side that is empty has the price zero."""

    bid: Decimal
    ask: Decimal
    at: Stamp
    symbol: str = ""
    bid_size: Decimal = ZERO
    ask_size: Decimal = ZERO


class WireNews(msgspec.Struct, frozen=True, tag="n", tag_field="T"):
    """A piece of news."""

    id: int
    headline: str
    created_at: Stamp
    summary: str = ""
    symbols: tuple[str, ...] | None = ()
    url: str | None = None
    source: str = ""


class Success(msgspec.Struct, frozen=True, tag="success", tag_field="T"):
    """A step of the login is done: `connected`, `authenticated`."""

    msg: str = ""


class Failure(msgspec.Struct, frozen=True, tag="error", tag_field="T"):
    """Something was not done."""

    code: int = 0
    msg: str = ""


class Subscribed(msgspec.Struct, frozen=True, tag="subscription", tag_field="T"):
    """All that this connection is subscribed to by now. What a stream does not have is left out."""

    trades: tuple[str, ...] | None = ()
    quotes: tuple[str, ...] | None = ()
    news: tuple[str, ...] | None = ()


Message = WireTrade | WireQuote | WireNews | Success | Failure | Subscribed
Data = WireTrade | WireQuote | WireNews

OTHERS = {
    "b": "minute bars",
    "u": "updated bars",
    "d": "daily bars",
    "o": "order books",
    "s": "trading statuses",
    "l": "price bands",
    "i": "imbalances",
    "c": "corrections of trades",
    "x": "cancellations of trades",
}
"""What is lawful and not used here: nothing is traded on it."""


class WireBar(msgspec.Struct, frozen=True):
    """A bar. v: base units or shares."""

    t: str
    o: Decimal
    h: Decimal
    l: Decimal  # noqa: E741 - the venue's name for it
    c: Decimal
    v: Decimal = ZERO


def ns_of(stamp: Stamp) -> int:
    """Nanoseconds UTC, none of them lost. Raises Unsound for what is no time, or one before 1970."""
    at_ns = _ns_of(stamp)
    if at_ns < 0:
        raise Unsound("a time that is none")
    return at_ns


def _ns_of(stamp: Stamp) -> int:
    if isinstance(stamp, str):
        whole, rest = stamp[:19], stamp[19:]
        if rest[-1:] != "Z" or (len(rest) > 1 and not (rest[0] == "." and rest[1:-1].isdecimal())):
            raise Unsound("a time that is not in UTC")
        try:
            return _second(whole) + int(rest[1:-1][:9].ljust(9, "0") or 0)
        except ValueError as error:
            raise Unsound("a time that is none") from error
    # The three lengths that the format has: seconds; both in one word; nanoseconds, then seconds.
    data = bytes(stamp.data)
    if stamp.code == -1 and len(data) == 4:
        return int.from_bytes(data) * NS_PER_SECOND
    if stamp.code == -1 and len(data) == 8:
        word = int.from_bytes(data)
        return (word & 0x3_FFFF_FFFF) * NS_PER_SECOND + (word >> 34)
    if stamp.code == -1 and len(data) == 12:
        return int.from_bytes(data[4:], signed=True) * NS_PER_SECOND + int.from_bytes(data[:4])
    raise Unsound("a time that is none")


@lru_cache(maxsize=256)
def _second(text: str) -> int:
    """Nanoseconds of a whole second; many messages come within each."""
    at = datetime.strptime(text, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=UTC)
    return (at - _EPOCH) // _SECOND * NS_PER_SECOND


def moment(at_ns: int) -> str:
    """A time as the venue reads it."""
    at = _EPOCH + at_ns // NS_PER_SECOND * _SECOND
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at_ns % NS_PER_SECOND:09d}Z"


def trade_of(wire: WireTrade, key: str) -> Trade:
    """A trade of an instrument. Raises Unsound where its price, quantity or time is none."""
    buys = {"B": True, "S": False}.get(wire.taker)
    return Trade(key, ns_of(wire.at), _price(wire.price), _price(wire.quantity), buys)


def quote_of(wire: WireQuote, key: str) -> Quote:
    """A quote of an instrument. Raises Unsound where a price, size or time is none."""
    return Quote(
        key,
        ns_of(wire.at),
        _price(wire.bid) if wire.bid else None,
        _price(wire.ask) if wire.ask else None,
        _size(wire.bid_size),
        _size(wire.ask_size),
    )


def bar_of(wire: WireBar, key: str) -> Bar:
    """A one-minute bar. Raises Unsound where its prices contradict each other."""
    low, high = _price(wire.l), _price(wire.h)
    opened, closed = _price(wire.o), _price(wire.c)
    if not low <= min(opened, closed) <= max(opened, closed) <= high:
        raise Unsound("a bar whose high is not its highest, or whose low is not its lowest")
    return Bar(key, NS_PER_MINUTE, ns_of(wire.t), opened, high, low, closed, _size(wire.v))


def _price(value: Decimal) -> Decimal:
    if not (value.is_finite() and SMALLEST <= value <= LARGEST):
        raise Unsound("a number that is no price or quantity")
    try:
        return _fits(value)
    except Inexact:
        raise Unsound(f"a number of more than {MOST_DIGITS} digits") from None


def _size(value: Decimal) -> Decimal:
    return ZERO if value.is_finite() and not value else _price(value)
