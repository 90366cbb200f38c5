"""DDF as Barchart writes it: prices coded by unit, nine bytes of time, messages, snapshots, the clock.

Written from the vendor's description and the recorded log, not from our parser: a price that a unit cannot
hold is an error here, never rounded. Each message ends with a newline, as in the log.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import NamedTuple
from xml.sax.saxutils import quoteattr
from zoneinfo import ZoneInfo

from neuratrade.core.model.market import NS_PER_MS, NS_PER_SECOND, BookLevel

CHICAGO = ZoneInfo("America/Chicago")
NEW_YORK = ZoneInfo("America/New_York")
DENOMINATORS = {"2": (1, 8), "3": (2, 16), "4": (2, 32), "5": (2, 64), "6": (3, 128), "7": (3, 256)}
PLACES = {"8": 0, "9": 1, "A": 2, "B": 3, "C": 4, "D": 5, "E": 6, "F": 7}
BID_LETTERS = "KLMNOPQRST"
ASK_LETTERS = "JIHGFEDCBA"
END = b"\n"
"""Behind every message; the vendor's client drops a character there."""


class Listing(NamedTuple):
    """How an instrument is listed. symbol: on the wire. code: of the exchange. delay: of its public data."""

    symbol: str
    name: str
    code: str
    exchange: str
    unit: str
    zone: ZoneInfo = CHICAGO
    delay: int = 10
    point_value: Decimal = Decimal(1)


def es(symbol: str = "ESZ6") -> Listing:
    """The S&P 500 E-mini, in quarters."""
    return Listing(symbol, "E-Mini S&P 500", "M", "CME", "A", point_value=Decimal(50))


def gold(symbol: str = "GCZ6") -> Listing:
    """Gold at COMEX, in tenths."""
    return Listing(symbol, "Gold", "E", "COMEX", "9", point_value=Decimal(100))


def coded(price: Decimal, unit: str) -> str:
    """A price in a unit code. Raises ValueError where the unit cannot hold it."""
    sign, size = ("-" if price < 0 else ""), abs(price)
    if unit in PLACES:
        whole = size.scaleb(PLACES[unit])
        if whole != int(whole):
            raise ValueError(f"{price} does not fit unit {unit}")
        return f"{sign}{int(whole)}"
    digits, denominator = DENOMINATORS[unit]
    part = (size - int(size)) * denominator
    if part != int(part):
        raise ValueError(f"{price} does not fit unit {unit}")
    return f"{sign}{int(size)}{int(part):0{digits}d}"


def stamp(at_ns: int, zone: ZoneInfo) -> bytes:
    """The nine bytes of an instant, in the wall clock of a zone."""
    wall = datetime.fromtimestamp(at_ns // NS_PER_SECOND, UTC).astimezone(zone)
    ms = at_ns % NS_PER_SECOND // NS_PER_MS
    parts = (wall.year % 100, wall.month, wall.day, wall.hour, wall.minute, wall.second)
    return bytes([wall.year // 100, *(64 + part for part in parts), ms & 255, ms >> 8])


def digits(at_ns: int, zone: ZoneInfo) -> str:
    """`20261120101530`."""
    return f"{datetime.fromtimestamp(at_ns // NS_PER_SECOND, UTC).astimezone(zone):%Y%m%d%H%M%S}"


def day_code(at_ns: int, zone: ZoneInfo) -> str:
    """The day of the month in one character: 1 to 9, 0 for the tenth, then letters."""
    day = datetime.fromtimestamp(at_ns // NS_PER_SECOND, UTC).astimezone(zone).day
    return "1234567890ABCDEFGHIJKLMNOPQRSTU"[day - 1]


def clock(at_ns: int) -> bytes:
    """The beat, in the server's time."""
    return b"\x01#" + digits(at_ns, CHICAGO).encode() + END


def quoted(listing: Listing, sub: str, fields: str, at_ns: int, record: str = "2") -> bytes:
    """A message of prices."""
    head = f"\x01{record}{listing.symbol},{sub}\x02{listing.unit}{listing.code}{listing.delay:02d}"
    when = f"{day_code(at_ns, listing.zone)}G"
    return (head + fields + when).encode("ascii") + b"\x03" + stamp(at_ns, listing.zone) + END


def trade(listing: Listing, price: Decimal, size: int, at_ns: int, sub: str = "7") -> bytes:
    """A trade. sub: Z for one out of sequence."""
    return quoted(listing, sub, f"{coded(price, listing.unit)},{size},", at_ns)


def top(
    listing: Listing, bid: Decimal | None, bid_size: int, ask: Decimal | None, ask_size: int, at_ns: int
) -> bytes:
    """The best bid and ask; a side without an order is a dash."""
    sides = ((bid, bid_size), (ask, ask_size))
    fields = "".join(
        "-,-," if price is None else f"{coded(price, listing.unit)},{size}," for price, size in sides
    )
    return quoted(listing, "8", fields, at_ns)


def depth(listing: Listing, bids: Iterable[BookLevel], asks: Iterable[BookLevel], at_ns: int) -> bytes:
    """A book, ten levels a side."""
    sides = [list(bids)[:10], list(asks)[:10]]
    levels = [
        f"{coded(level.price, listing.unit)}{letter}{int(level.quantity)}"
        for side, letters in zip(sides, (BID_LETTERS, ASK_LETTERS), strict=True)
        for level, letter in zip(side, letters, strict=False)
    ]
    counts = "".join("A" if len(side) == 10 else str(len(side)) for side in sides)
    head = f"\x013{listing.symbol},B\x02{listing.unit}{listing.code}{counts},"
    return (head + ",".join(levels)).encode("ascii") + b"\x03" + stamp(at_ns, listing.zone) + END


def element(name: str, told: Mapping[str, object], inner: str = "") -> bytes:
    """One XML message. told: attributes, None for those that are left out."""
    words = "".join(f" {key}={quoteattr(str(value))}" for key, value in told.items() if value is not None)
    body = f"<{name}{words}/>" if not inner else f"<{name}{words}>{inner}</{name}>"
    return b"%" + body.encode("ascii", "xmlcharrefreplace") + END
