"""When futures of the CME trade: from 17:00 to 16:00 of Chicago, Sunday to Friday, with a break in between.

Holidays are given, not known: no list of them is kept here. A venue that is always open is for plays whose
market knows no hours.
"""

from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from typing import Protocol

from neuratrade.core.model.market import NS_PER_SECOND
from neuratrade.rehearsal.tradovate_words import CHICAGO

CLOSE = time(16)
OPEN = time(17)
SATURDAY = 5


class Hours(Protocol):
    """When the venue takes orders."""

    def is_open(self, at_ns: int) -> bool:
        """Whether it does at that time."""

    def ends_ns(self, at_ns: int) -> int:
        """When the session that is on, or the next one, ends."""


class GlobexHours:
    """The hours of ES, NQ and GC. closed: trade dates on which nothing trades."""

    def __init__(self, closed: Iterable[date] = ()) -> None:
        self._closed = frozenset(closed)

    def is_open(self, at_ns: int) -> bool:
        """Not between 16:00 and 17:00, nor from Friday's close to Sunday evening."""
        local = datetime.fromtimestamp(at_ns // NS_PER_SECOND, CHICAGO)
        if CLOSE <= local.time() < OPEN:
            return False
        day = local.date() + timedelta(days=local.time() >= OPEN)
        return self._trades(day)

    def ends_ns(self, at_ns: int) -> int:
        """The next 16:00 of a day that trades."""
        local = datetime.fromtimestamp(at_ns // NS_PER_SECOND, CHICAGO)
        day = local.date() + timedelta(days=local.time() >= CLOSE)
        while not self._trades(day):
            day += timedelta(days=1)
        return round(datetime.combine(day, CLOSE, CHICAGO).timestamp()) * NS_PER_SECOND

    def _trades(self, day: date) -> bool:
        return day.weekday() < SATURDAY and day not in self._closed


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
