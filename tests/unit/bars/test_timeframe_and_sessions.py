"""Names of spans and numbers of sessions."""

import pytest

from neuratrade.core.bars.sessions import DaySessions, ListedSessions
from neuratrade.core.bars.timeframe import grid_offset, span_of, timeframe_of
from neuratrade.core.model.errors import UsageError
from neuratrade.core.model.market import NS_PER_DAY, NS_PER_HOUR, NS_PER_MINUTE


@pytest.mark.parametrize("name", ["1s", "15s", "1m", "90m", "4h", "1d", "1w", "2w"])
def test_a_name_and_its_span_are_the_same_thing(name: str) -> None:
    assert timeframe_of(span_of(name)) == name


@pytest.mark.parametrize("name", ["", "m", "0m", "-1m", "1M", "1y", "1 m", "1.5h", "60", "١m", "1m\n"])
def test_what_is_no_timeframe_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="write a count and one of s, m, h, d, w"):
        span_of(name)


@pytest.mark.parametrize("span_ns", [0, -1, 1, 1_500_000_000])
def test_a_span_without_a_name_is_refused(span_ns: int) -> None:
    with pytest.raises(UsageError, match="not a whole number of seconds above zero"):
        timeframe_of(span_ns)


def test_spans_are_named_by_their_largest_unit() -> None:
    assert timeframe_of(60 * NS_PER_MINUTE) == "1h"
    assert timeframe_of(7 * NS_PER_DAY) == "1w"


def test_only_weeks_have_a_grid_of_their_own() -> None:
    assert grid_offset(NS_PER_DAY) == 0
    assert grid_offset(14 * NS_PER_DAY) == 4 * NS_PER_DAY


def test_a_day_session_begins_at_its_offset() -> None:
    sessions = DaySessions(22 * NS_PER_HOUR)
    assert sessions.number(22 * NS_PER_HOUR) == sessions.number(46 * NS_PER_HOUR - 1)
    assert sessions.number(22 * NS_PER_HOUR - 1) == sessions.number(22 * NS_PER_HOUR) - 1


@pytest.mark.parametrize("offset_ns", [-1, NS_PER_DAY])
def test_an_offset_outside_a_day_is_refused(offset_ns: int) -> None:
    with pytest.raises(ValueError, match="must lie in one day"):
        DaySessions(offset_ns)


def test_listed_sessions_are_numbered_by_their_openings() -> None:
    sessions = ListedSessions((10, 20, 35))
    assert [sessions.number(at) for at in (9, 10, 19, 20, 34, 35, 99)] == [0, 1, 1, 2, 2, 3, 3]


def test_openings_that_do_not_rise_are_refused() -> None:
    with pytest.raises(ValueError, match="openings must rise"):
        ListedSessions((10, 10))
