"""When markets are open: sessions of exchanges as instants, whatever daylight saving and holidays do.

A session belongs to the trading day it ends on; those of futures begin the evening before and stop for the
daily settlement. The table (`data/calendars.json`) ends with 2035: what lies outside it is refused, not
guessed. Times inside it are local to the exchange; Python's zone data makes instants of them.
"""

from bisect import bisect_right
from datetime import date, datetime, time, timedelta
from functools import cache
from importlib.resources import files
from zoneinfo import ZoneInfo

import msgspec

from neuratrade.core.bars.sessions import ListedSessions
from neuratrade.core.model.errors import UsageError
from neuratrade.core.model.futures import PRODUCTS
from neuratrade.core.model.instrument import Instrument, InstrumentKind
from neuratrade.core.model.market import NS_PER_SECOND

US_EQUITIES = "US equities"
_SATURDAY = 5


class Session(msgspec.Struct, frozen=True):
    """One session, [open_ns, close_ns). day: the trading day it counts as."""

    day: date
    open_ns: int
    close_ns: int


class _Entry(msgspec.Struct, frozen=True):
    zone: str
    open: str
    opens_day_before: bool
    close: str
    closed: frozenset[date]
    early: dict[date, str]


class _Table(msgspec.Struct, frozen=True):
    first: date
    last: date
    calendars: dict[str, _Entry]


@cache
def _table() -> _Table:
    text = files("neuratrade.data").joinpath("calendars.json").read_bytes()
    return msgspec.json.decode(text, type=_Table)


class TradingCalendar:
    """One exchange's calendar. Raises UsageError for days outside the table."""

    def __init__(self, name: str) -> None:
        table = _table()
        if name not in table.calendars:
            raise UsageError(f"no trading calendar {name!r}: there are {', '.join(table.calendars)}")
        self.name = name
        self._entry = table.calendars[name]
        self._zone = ZoneInfo(self._entry.zone)

    def is_trading_day(self, day: date) -> bool:
        """Whether a session counts as that day, a shortened one too."""
        _check(day)
        return day.weekday() < _SATURDAY and day not in self._entry.closed

    def session(self, day: date) -> Session | None:
        """The session of a trading day, None where there is none."""
        if not self.is_trading_day(day):
            return None
        opens = day - timedelta(1) if self._entry.opens_day_before else day
        closes = self._entry.early.get(day, self._entry.close)
        return Session(day, self._instant(opens, self._entry.open), self._instant(day, closes))

    def sessions(self, first: date, last: date) -> list[Session]:
        """All sessions of the trading days from `first` to `last`, both included."""
        days = (first + timedelta(count) for count in range((last - first).days + 1))
        return [found for found in map(self.session, days) if found is not None]

    def day_of(self, at_ns: int) -> date:
        """The local date at an instant."""
        return datetime.fromtimestamp(at_ns // NS_PER_SECOND, self._zone).date()

    def around(self, at_ns: int, days: int = 14) -> list[Session]:
        """The sessions from a few days before an instant to some days after it."""
        today = self.day_of(at_ns)
        return self.sessions(today - timedelta(5), today + timedelta(days))

    def is_open(self, at_ns: int) -> bool:
        """Whether it trades at an instant."""
        return any(item.open_ns <= at_ns < item.close_ns for item in self.around(at_ns, 2))

    def next_change_ns(self, at_ns: int) -> int:
        """When it opens or closes next, after an instant."""
        edges = [edge for item in self.around(at_ns) for edge in (item.open_ns, item.close_ns)]
        return edges[bisect_right(edges, at_ns)]

    def days(self, first: date, last: date) -> ListedSessions:
        """Trading days by when they begin, for counters and averages that start anew each day."""
        return ListedSessions(tuple(item.open_ns for item in self.sessions(first, last)))

    def _instant(self, day: date, clock: str) -> int:
        local = datetime.combine(day, time.fromisoformat(clock), self._zone)
        return int(local.timestamp()) * NS_PER_SECOND


def is_business_day(day: date) -> bool:
    """Whether banks and exchanges of the USA settle that day: days the stock exchange is open, in full or
    in part. Notices and expiries of futures count in these.
    """
    return TradingCalendar(US_EQUITIES).is_trading_day(day)


def calendar_of(contract: Instrument) -> TradingCalendar | None:
    """The calendar an instrument is traded by; None for what never closes, or is not known to."""
    if contract.kind is InstrumentKind.FUTURE and contract.base in PRODUCTS:
        return TradingCalendar(PRODUCTS[contract.base].calendar)
    return TradingCalendar(US_EQUITIES) if contract.kind is InstrumentKind.EQUITY else None


def _check(day: date) -> None:
    table = _table()
    if not table.first <= day <= table.last:
        raise UsageError(
            f"{day} lies outside the trading calendars, which reach from {table.first} to {table.last}"
        )
