"""What Barchart's DDF says, message by message, with exact prices and nothing interpreted.

A value is `UNSET` where the wire has nothing (unchanged), None where it has a dash (there is none any more).
Times stay as they are told: nanoseconds of some wall clock, as if that were UTC; `ddf_times` knows whose.
"""

from decimal import Decimal
from enum import StrEnum

import msgspec
from msgspec import UNSET, UnsetType

Value = Decimal | None | UnsetType


class Unreadable(Exception):
    """A message that makes no sense. kind: from a closed set, never of what came."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


class Clock(msgspec.Struct, frozen=True, gc=False):
    """The server's clock, in its own zone."""

    local_ns: int


class Header(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What messages of prices begin and end with.

    symbol: as on the wire. exchange: one character. delay_minutes: by how much the exchange delays data for
    whoever has no right to the present; it is told to everybody, so it does not say that this one is late.
    local_ns: None where no time is told. day: of the month, one character. session: one character.
    """

    symbol: str
    exchange: str
    delay_minutes: int
    local_ns: int | None
    day: str = ""
    session: str = ""


class Trade(Header, frozen=True, kw_only=True, gc=False):
    """A trade. in_sequence: whether it tells the price of its time."""

    price: Value
    size: Value
    in_sequence: bool = True


class Top(Header, frozen=True, kw_only=True, gc=False):
    """The best bid and ask."""

    bid: Value
    bid_size: Value
    ask: Value
    ask_size: Value


class Kind(StrEnum):
    """What a single value is."""

    OPEN = "open"
    HIGH = "high"
    LOW = "low"
    OPEN_INTEREST = "open interest"
    SETTLEMENT = "settlement"
    VWAP = "mean price by volume"
    TRADE = "trade without a size"
    VOLUME_YESTERDAY = "volume of yesterday"
    VOLUME = "volume"


class Element(Header, frozen=True, kw_only=True, gc=False):
    """One value of the day."""

    kind: Kind
    value: Value


class Range(Header, frozen=True, kw_only=True, gc=False):
    """The day so far. is_refresh: whether it also has what follows `volume`."""

    open: Value
    high: Value
    low: Value
    last: Value
    volume: Value
    is_refresh: bool = False
    bid: Value = UNSET
    ask: Value = UNSET
    previous: Value = UNSET
    settlement: Value = UNSET
    open_interest: Value = UNSET


class Level(msgspec.Struct, frozen=True, gc=False):
    """One price of a book or of a profile, and how much there is."""

    price: Decimal
    size: Decimal


class Depth(msgspec.Struct, frozen=True):
    """A book, best first on both sides."""

    symbol: str
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]


class Profile(msgspec.Struct, frozen=True):
    """How much was traded at which price today, from the lowest."""

    symbol: str
    tick: Value
    levels: tuple[Level, ...]


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """An instrument as it is. mode: R for the present, I for delayed, D for end of day.

    updated_local_ns: of the server's zone; trade_local_ns: of the exchange's. open to open_interest: of the
    day, or of the one before where nothing was traded yet (is_premarket).
    """

    symbol: str
    exchange: str
    mode: str
    flag: str
    day: str
    is_premarket: bool
    bid: Value
    bid_size: Value
    ask: Value
    ask_size: Value
    open: Value
    high: Value
    low: Value
    last: Value
    previous: Value
    settlement: Value
    volume: Value
    open_interest: Value
    trade_size: Value
    updated_local_ns: int | None
    trade_local_ns: int | None


Message = Clock | Trade | Top | Element | Range | Depth | Profile | Snapshot
