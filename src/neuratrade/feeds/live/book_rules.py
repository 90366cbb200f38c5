"""How Binance, Kraken and OKX prove that no change of a book is missing.

Binance numbers its changes; a spot range begins one after the last, a futures one names the last of the range
before. Kraken numbers nothing and sends a CRC-32 of the ten best levels, so a book ten levels deep is proven
by each change, a deeper one only at its top. OKX names the message before; its checksum is 0 on every message
since 2026 (ccxt pull request 30299, crate tickvault 0.1.1) and is compared only where it is another number.
Sources: developers.binance.com, "How to manage a local order book"; docs.kraken.com, "Book checksum (v2)";
OKX API v5, "Order book channel".
"""

import zlib
from dataclasses import dataclass
from itertools import zip_longest

from neuratrade.feeds.live.book import BookChange, BookMirror, Fit, Level

KRAKEN_CHECKED, OKX_CHECKED = 10, 25
BINANCE_LEVELS, OKX_LEVELS = 10_000, 2_000


@dataclass(frozen=True)
class BinanceSpotRule:
    """`U` to `u`, joined to `lastUpdateId`."""

    most_levels: int = BINANCE_LEVELS
    keeps: bool = True
    refills: bool = False

    def fit(self, last: int, change: BookChange, *, first: bool) -> Fit:
        """The first may begin before the snapshot ends; every other begins right after the one before."""
        if change.last <= last:
            return Fit.OLD
        begins = change.first <= last + 1 if first else change.first == last + 1
        return Fit.NEXT if begins else Fit.GAP

    def checksum(self, mirror: BookMirror) -> int | None:
        """There is none."""
        return None


@dataclass(frozen=True)
class BinanceFuturesRule:
    """`U` to `u`, and `pu` that names the `u` before."""

    most_levels: int = BINANCE_LEVELS
    keeps: bool = True
    refills: bool = False

    def fit(self, last: int, change: BookChange, *, first: bool) -> Fit:
        """The first holds the snapshot's number or follows it; every other names the one before."""
        if change.last < last or (change.last == last and not first):
            return Fit.OLD
        if change.before == last or (first and change.first <= last):
            return Fit.NEXT
        return Fit.GAP

    def checksum(self, mirror: BookMirror) -> int | None:
        """There is none."""
        return None


@dataclass(frozen=True)
class KrakenRule:
    """No numbers, a checksum. digits: after the point, of price and quantity; None takes them as sent."""

    most_levels: int = KRAKEN_CHECKED
    price_digits: int | None = None
    quantity_digits: int | None = None
    keeps: bool = False
    refills: bool = True

    def fit(self, last: int, change: BookChange, *, first: bool) -> Fit:
        """Whatever comes is next: the checksum finds out."""
        return Fit.NEXT

    def checksum(self, mirror: BookMirror) -> int | None:
        """CRC-32 of the ten best asks, then bids: price and quantity without point and leading zeros."""
        levels = mirror.asks.top(KRAKEN_CHECKED) + mirror.bids.top(KRAKEN_CHECKED)
        parts = [
            _digits(price, self.price_digits) + _digits(quantity, self.quantity_digits)
            for price, quantity in levels
        ]
        return zlib.crc32("".join(parts).encode())


@dataclass(frozen=True)
class OkxRule:
    """`seqId`, and `prevSeqId` that names the one before; a checksum where there is one."""

    most_levels: int = OKX_LEVELS
    keeps: bool = False
    refills: bool = False

    def fit(self, last: int, change: BookChange, *, first: bool) -> Fit:
        """A message names the one before; it may repeat its number, or begin to count anew."""
        if change.before == last:
            return Fit.NEXT
        return Fit.OLD if change.before is not None and change.before < change.last <= last else Fit.GAP

    def checksum(self, mirror: BookMirror) -> int | None:
        """CRC-32, signed, of the 25 best levels, bid and ask by turns, each price and quantity as sent."""
        pairs = zip_longest(mirror.bids.top(OKX_CHECKED), mirror.asks.top(OKX_CHECKED))
        text = ":".join(_pair(level) for pair in pairs for level in pair if level is not None)
        unsigned = zlib.crc32(text.encode())
        return unsigned - (1 << 32) if unsigned >= 1 << 31 else unsigned


def _pair(level: Level) -> str:
    return f"{level[0]:f}:{level[1]:f}"


def _digits(number: object, digits: int | None) -> str:
    text = f"{number:f}" if digits is None else f"{number:.{digits}f}"
    return text.replace(".", "").lstrip("0")
