"""When futures of the CME trade, in summer and winter, and which trade date a moment belongs to."""

from datetime import UTC, date, datetime

import pytest

from neuratrade.core.model.market import NS_PER_SECOND
from neuratrade.rehearsal.tradovate_hours import AlwaysOpen, ExchangeHours
from neuratrade.rehearsal.tradovate_words import day_of


def at(text: str) -> int:
    """Nanoseconds of a time in UTC."""
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * NS_PER_SECOND


@pytest.mark.parametrize(
    ("moment", "is_open"),
    [
        ("2026-11-23T15:00", True),
        ("2026-11-23T21:59:59", True),
        ("2026-11-23T22:00", False),
        ("2026-11-23T22:59:59", False),
        ("2026-11-23T23:00", True),
        ("2026-07-06T20:59:59", True),
        ("2026-07-06T21:00", False),
        ("2026-07-06T22:00", True),
        ("2026-11-20T21:59:59", True),
        ("2026-11-20T23:30", False),
        ("2026-11-21T15:00", False),
        ("2026-11-22T22:59:59", False),
        ("2026-11-22T23:00", True),
        # The night clocks are put back: 17:00 of Chicago is 23:00 UTC again.
        ("2026-11-01T22:30", False),
        ("2026-11-01T23:00", True),
    ],
)
def test_it_trades_from_five_to_four_of_chicago_sunday_to_friday(moment: str, is_open: bool) -> None:
    assert ExchangeHours().is_open(at(moment)) is is_open


def test_a_closed_day_begins_the_evening_before() -> None:
    hours = ExchangeHours([date(2026, 12, 25)])
    assert not hours.is_open(at("2026-12-24T23:30"))
    assert not hours.is_open(at("2026-12-25T15:00"))
    assert hours.is_open(at("2026-12-24T15:00"))


@pytest.mark.parametrize(
    ("moment", "end"),
    [
        ("2026-11-23T15:00", "2026-11-23T22:00"),
        ("2026-11-23T23:00", "2026-11-24T22:00"),
        ("2026-11-20T22:00", "2026-11-23T22:00"),
        ("2026-03-06T22:30", "2026-03-09T21:00"),
    ],
)
def test_a_session_ends_at_four_of_the_next_day_that_trades(moment: str, end: str) -> None:
    assert ExchangeHours().ends_ns(at(moment)) == at(end)


def test_who_never_closes_has_days_all_the_same() -> None:
    assert AlwaysOpen().is_open(at("2026-11-21T15:00"))
    assert AlwaysOpen().ends_ns(at("2026-11-21T15:00")) == at("2026-11-21T22:00")


@pytest.mark.parametrize(
    ("moment", "day"),
    [
        ("2026-11-23T22:30", date(2026, 11, 23)),
        ("2026-11-23T23:00", date(2026, 11, 24)),
        ("2026-11-20T23:30", date(2026, 11, 23)),
        ("2026-11-22T15:00", date(2026, 11, 23)),
    ],
)
def test_the_trade_date_begins_in_the_evening_and_skips_weekends(moment: str, day: date) -> None:
    assert day_of(at(moment)) == day
