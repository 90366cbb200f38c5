"""Market data: bars, quotes, trades and books, each with the instrument it belongs to and its time.

A bar's time is the time it opened. Whoever acts on a bar acts at `close_ns`, so nothing can look ahead
by mistaking the one for the other.
"""

from decimal import Decimal

import msgspec

NS_PER_MS = 1_000_000
NS_PER_SECOND = 1_000_000_000
NS_PER_MINUTE = 60 * NS_PER_SECOND
NS_PER_HOUR = 60 * NS_PER_MINUTE
NS_PER_DAY = 24 * NS_PER_HOUR


class Bar(msgspec.Struct, frozen=True, tag="bar", gc=False):
    """Open, high, low, close, volume of one span. Prices in quote per base; volume in units of base."""

    instrument: str
    span_ns: int
    open_ns: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal

    @property
    def close_ns(self) -> int:
        """First instant after the bar: when it is complete and may be acted upon."""
        return self.open_ns + self.span_ns


class Quote(msgspec.Struct, frozen=True, tag="quote", gc=False):
    """Best bid and ask with their sizes (units of base). A side without an order is None."""

    instrument: str
    at_ns: int
    bid: Decimal | None
    ask: Decimal | None
    bid_size: Decimal
    ask_size: Decimal

    @property
    def mid(self) -> Decimal | None:
        """Middle of the book, or the only side there is, or None for an empty book."""
        if self.bid is None or self.ask is None:
            return self.ask if self.bid is None else self.bid
        return (self.bid + self.ask) / 2


class Trade(msgspec.Struct, frozen=True, tag="trade", gc=False):
    """One public trade. aggressor_buy is None where the venue does not say."""

    instrument: str
    at_ns: int
    price: Decimal
    quantity: Decimal
    aggressor_buy: bool | None = None


class BookLevel(msgspec.Struct, frozen=True, gc=False):
    """One price level of a book; quantity in units of base."""

    price: Decimal
    quantity: Decimal


class Book(msgspec.Struct, frozen=True, tag="book"):
    """A book snapshot: bids from the highest, asks from the lowest."""

    instrument: str
    at_ns: int
    bids: tuple[BookLevel, ...]
    asks: tuple[BookLevel, ...]
