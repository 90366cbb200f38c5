"""Sessions of exchanges as instants, across daylight saving, holidays and the edges of the table."""

import json
from datetime import UTC, date, datetime
from itertools import pairwise

import pytest

from neuratrade.core.model.errors import UsageError
from neuratrade.core.model.market import NS_PER_HOUR, NS_PER_SECOND
from neuratrade.feeds.calendars import TradingCalendar, is_business_day
from tools.calendars import TABLE, text

ES = TradingCalendar("CME equity index")
GC = TradingCalendar("COMEX metals")
STOCKS = TradingCalendar("US equities")


def ns(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * NS_PER_SECOND


def test_the_table_is_what_the_library_says() -> None:
    pytest.importorskip("pandas_market_calendars")
    assert json.loads(TABLE.read_text()) == json.loads(text())


@pytest.mark.parametrize(
    ("calendar", "day", "opens", "closes"),
    [
        (ES, date(2026, 11, 20), "2026-11-19T23:00", "2026-11-20T22:00"),
        (ES, date(2026, 11, 26), "2026-11-25T23:00", "2026-11-26T18:00"),
        (ES, date(2026, 7, 6), "2026-07-05T22:00", "2026-07-06T21:00"),
        (GC, date(2026, 11, 26), "2026-11-25T23:00", "2026-11-26T19:30"),
        (STOCKS, date(2026, 11, 20), "2026-11-20T14:30", "2026-11-20T21:00"),
        (STOCKS, date(2026, 11, 27), "2026-11-27T14:30", "2026-11-27T18:00"),
        (STOCKS, date(2026, 7, 6), "2026-07-06T13:30", "2026-07-06T20:00"),
    ],
)
def test_sessions_are_told_in_utc(calendar: TradingCalendar, day: date, opens: str, closes: str) -> None:
    found = calendar.session(day)
    assert found is not None
    assert (found.open_ns, found.close_ns) == (ns(opens), ns(closes))


def test_weeks_of_changing_clocks_have_the_same_local_hours() -> None:
    # In the USA clocks went forward on 8 March 2026 and back on 1 November.
    week = ES.sessions(date(2026, 3, 6), date(2026, 3, 9))
    assert [(item.close_ns - item.open_ns) // NS_PER_HOUR for item in week] == [23, 23]
    assert week[1].open_ns == ns("2026-03-08T22:00")
    assert ES.sessions(date(2026, 11, 2), date(2026, 11, 2))[0].open_ns == ns("2026-11-01T23:00")


def test_it_stops_for_the_settlement_and_over_the_weekend() -> None:
    assert ES.is_open(ns("2026-11-19T21:59:59"))
    assert not ES.is_open(ns("2026-11-19T22:00"))
    assert not ES.is_open(ns("2026-11-19T22:59:59"))
    assert ES.is_open(ns("2026-11-19T23:00"))
    assert not ES.is_open(ns("2026-11-21T12:00"))
    assert ES.next_change_ns(ns("2026-11-20T22:00")) == ns("2026-11-22T23:00")
    assert ES.next_change_ns(ns("2026-11-22T23:00")) == ns("2026-11-23T22:00")


def test_every_change_is_one_and_they_rise() -> None:
    at_ns, end_ns = ns("2026-01-01T00:00"), ns("2027-01-01T00:00")
    for calendar in (ES, GC, STOCKS):
        now_ns = at_ns
        while now_ns < end_ns:
            change_ns = calendar.next_change_ns(now_ns)
            assert change_ns > now_ns
            assert calendar.is_open(change_ns) is not calendar.is_open(change_ns - 1)
            now_ns = change_ns


def test_trading_days_begin_with_their_session() -> None:
    days = ES.days(date(2026, 11, 16), date(2026, 11, 20))
    assert days.number(ns("2026-11-17T22:59")) == 2
    assert days.number(ns("2026-11-17T23:00")) == 3


def test_business_days_leave_out_weekends_and_holidays() -> None:
    assert is_business_day(date(2026, 11, 25))
    assert not is_business_day(date(2026, 11, 26))
    assert is_business_day(date(2026, 11, 27))
    assert not is_business_day(date(2026, 11, 28))


@pytest.mark.parametrize("day", [date(2009, 12, 31), date(2036, 1, 1)])
def test_days_outside_the_table_are_refused(day: date) -> None:
    with pytest.raises(UsageError, match="2010-01-01 to 2035-12-31"):
        ES.session(day)


def test_an_unknown_calendar_is_refused_with_those_there_are() -> None:
    with pytest.raises(UsageError, match="CME equity index"):
        TradingCalendar("CME")


def test_no_two_sessions_overlap() -> None:
    for calendar in (ES, GC, STOCKS):
        found = calendar.sessions(date(2010, 1, 10), date(2035, 12, 20))
        assert all(a.close_ns < b.open_ns for a, b in pairwise(found))
        assert all(item.open_ns < item.close_ns for item in found)
