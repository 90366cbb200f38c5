"""When futures trade at the simulated venue: by the exchange's calendar, or always."""

from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from typing import Protocol

from neuratrade.core.model.market import NS_PER_SECOND
from neuratrade.feeds.calendars import Session, TradingCalendar
from neuratrade.rehearsal.tradovate_words import CHICAGO

CLOSE = time(16)


class Hours(Protocol):
    """When the venue takes orders."""

    def is_open(self, at_ns: int) -> bool:
        """Whether it does at that time."""

    def ends_ns(self, at_ns: int) -> int:
        """When the session that is on, or the next one, ends."""


class ExchangeHours:
    """The hours of the exchange's calendar of equity index futures. closed: further days off."""

    def __init__(self, closed: Iterable[date] = ()) -> None:
        self._calendar = TradingCalendar("CME equity index")
        self._closed = frozenset(closed)

    def is_open(self, at_ns: int) -> bool:
        """Not in the daily break, at weekends, or on days off."""
        return any(item.open_ns <= at_ns < item.close_ns for item in self._around(at_ns))

    def ends_ns(self, at_ns: int) -> int:
        """The close of the session that is on, or of the next one."""
        return next(item.close_ns for item in self._around(at_ns) if item.close_ns > at_ns)

    def _around(self, at_ns: int) -> list[Session]:
        return [item for item in self._calendar.around(at_ns) if item.day not in self._closed]


class AlwaysOpen:
    """No hours at all; a day ends at midnight of Chicago's 16:00 as ever."""

    def is_open(self, _at_ns: int) -> bool:
        """Always."""
        return True

    def ends_ns(self, at_ns: int) -> int:
        """The next 16:00 of Chicago, whatever the day."""
        local = datetime.fromtimestamp(at_ns // NS_PER_SECOND, CHICAGO)
        day = local.date() + timedelta(days=local.time() >= CLOSE)
        return round(datetime.combine(day, CLOSE, CHICAGO).timestamp()) * NS_PER_SECOND
