"""When stocks are traded at Alpaca's simulator, and how its clock and calendar tell it.

The days are injected: by default Monday to Friday, 09:30 to 16:00 in New York, without holidays, since a
rehearsal needs sessions and not those of a certain year. Hours before and after a session are not played.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from neuratrade.core.model.instrument import Instrument, InstrumentKind
from neuratrade.core.model.market import NS_PER_SECOND

NEW_YORK = ZoneInfo("America/New_York")
OPENS, CLOSES = time(9, 30), time(16, 0)
SATURDAY = 5
LOOKS_AHEAD = timedelta(days=15)

Json = dict[str, Any]


class Session(NamedTuple):
    """A time in which stocks are traded, nanoseconds; `close_ns` is outside."""

    open_ns: int
    close_ns: int


SessionsOf = Callable[[date], Sequence[Session]]


def hours(day: date, begin: time, end: time) -> Session:
    """A session by the clocks of New York."""
    return Session(_ns(datetime.combine(day, begin, NEW_YORK)), _ns(datetime.combine(day, end, NEW_YORK)))


def weekdays(holidays: Collection[date] = (), early: Mapping[date, time] | None = None) -> SessionsOf:
    """Monday to Friday, 09:30 to 16:00. holidays: closed. early: when it closes on days that end early."""
    ends = early or {}

    def sessions(day: date) -> Sequence[Session]:
        if day.weekday() >= SATURDAY or day in holidays:
            return ()
        return (hours(day, OPENS, ends.get(day, CLOSES)),)

    return sessions


def around_the_clock(day: date) -> Sequence[Session]:
    """Every day, all of it."""
    begin = datetime.combine(day, time(), NEW_YORK)
    end = datetime.combine(day + timedelta(days=1), time(), NEW_YORK)
    return (Session(_ns(begin), _ns(end)),)


class Calendar:
    """The sessions of stocks. sessions_of: those of a day, in order, empty on one that is closed."""

    def __init__(self, sessions_of: SessionsOf | None = None) -> None:
        self._sessions_of = sessions_of or weekdays()

    def is_open(self, now_ns: int) -> bool:
        """Whether stocks are traded at a time."""
        return any(item.open_ns <= now_ns < item.close_ns for item in self._sessions_of(_day(now_ns)))

    def trades(self, contract: Instrument, now_ns: int) -> bool:
        """Whether a contract is traded at a time: crypto always is."""
        return contract.kind is not InstrumentKind.EQUITY or self.is_open(now_ns)

    def next_open(self, now_ns: int) -> int:
        """When the next session begins."""
        return next(item.open_ns for item in self._from(now_ns) if item.open_ns > now_ns)

    def next_close(self, now_ns: int) -> int:
        """When the session that is on ends, or else the next one."""
        return next(item.close_ns for item in self._from(now_ns) if item.close_ns > now_ns)

    def end_of_day(self, now_ns: int) -> int:
        """When an order for the day ends: with the last session of this day, or of the next that has one."""
        close_ns = self.next_close(now_ns)
        return self._sessions_of(_day(close_ns - 1))[-1].close_ns

    def clock_json(self, now_ns: int) -> Json:
        """The answer of `/v2/clock`."""
        return {
            "timestamp": _text(now_ns),
            "is_open": self.is_open(now_ns),
            "next_open": _text(self.next_open(now_ns)),
            "next_close": _text(self.next_close(now_ns)),
        }

    def days_json(self, first: date, last: date) -> list[Json]:
        """The answer of `/v2/calendar`: days with a session, both ends included."""
        found = []
        for number in range((last - first).days + 1):
            day = first + timedelta(days=number)
            sessions = self._sessions_of(day)
            if sessions:
                begin, end = _at(sessions[0].open_ns), _at(sessions[-1].close_ns)
                found.append({"date": day.isoformat(), "open": f"{begin:%H:%M}", "close": f"{end:%H:%M}"})
        return found

    def _from(self, now_ns: int) -> Iterator[Session]:
        """Sessions from that day on. There is one within two weeks, or the calendar makes no sense."""
        first = _day(now_ns)
        for number in range(LOOKS_AHEAD.days):
            yield from self._sessions_of(first + timedelta(days=number))


def _ns(at: datetime) -> int:
    return int(at.timestamp()) * NS_PER_SECOND


def _at(at_ns: int) -> datetime:
    return datetime.fromtimestamp(at_ns // NS_PER_SECOND, NEW_YORK)


def _day(at_ns: int) -> date:
    return _at(at_ns).date()


def _text(at_ns: int) -> str:
    at = _at(at_ns)
    offset = f"{at:%z}"
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at_ns % NS_PER_SECOND:09d}{offset[:3]}:{offset[3:]}"
