"""Wall clocks of exchanges as UTC, on the days on which clocks are changed too."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuratrade.feeds.barchart.ddf_messages import Unreadable
from neuratrade.feeds.barchart.ddf_times import (
    BROKEN,
    NEVER_WAS,
    ZONES,
    DdfTimes,
    fourteen_digits,
    nine_bytes,
)
from neuratrade.rehearsal.jerq_words import CHICAGO, stamp

HOUR_NS = 3_600 * 10**9
TIMES = DdfTimes()


def instant(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 10**9


def wall(text: str) -> int:
    return instant(text)


@pytest.mark.parametrize(
    ("local", "code", "utc"),
    [
        ("2026-07-01T09:30:00", "M", "2026-07-01T14:30:00"),
        ("2026-11-20T09:30:00", "M", "2026-11-20T15:30:00"),
        ("2026-11-20T09:30:00", "E", "2026-11-20T15:30:00"),
        ("2026-11-20T09:30:00", "Q", "2026-11-20T14:30:00"),
        ("2026-07-01T09:30:00", "I", "2026-07-01T13:30:00"),
        # The Sunday on which clocks go forward, before and after.
        ("2026-03-08T01:59:59", "M", "2026-03-08T07:59:59"),
        ("2026-03-08T03:00:00", "M", "2026-03-08T08:00:00"),
        # The Sunday evening on which futures open after clocks went back.
        ("2026-11-01T17:00:00", "M", "2026-11-01T23:00:00"),
        ("2026-10-31T23:59:59", "$", "2026-11-01T04:59:59"),
    ],
)
def test_the_wall_clock_of_an_exchange_is_read_in_its_own_zone(local: str, code: str, utc: str) -> None:
    assert TIMES.of_exchange(wall(local), code, instant(utc)) == instant(utc)


@pytest.mark.parametrize("utc", ["2026-11-01T06:30:00", "2026-11-01T07:30:00"])
def test_the_hour_that_comes_twice_is_the_one_nearer_to_our_clock(utc: str) -> None:
    local = wall("2026-11-01T01:30:00")
    for minutes in (-20, -1, 0, 1, 20):
        now_ns = instant(utc) + minutes * 60 * 10**9
        assert TIMES.of_exchange(local, "$", now_ns) == instant(utc)
        assert TIMES.of_server(local, now_ns) == instant(utc)


def test_an_hour_that_never_was_is_refused() -> None:
    with pytest.raises(Unreadable, match=NEVER_WAS):
        TIMES.of_exchange(wall("2026-03-08T02:30:00"), "$", instant("2026-03-08T08:30:00"))


@pytest.mark.parametrize("code", ["?", "1", "\x00", "é"])
def test_the_zone_of_an_exchange_is_never_guessed(code: str) -> None:
    with pytest.raises(Unreadable):
        TIMES.of_exchange(wall("2026-03-09T02:30:00"), code, 0)


@given(st.integers(946_684_800, 4_102_444_799), st.integers(0, 999), st.sampled_from(sorted(ZONES)))
def test_every_instant_of_the_century_comes_back_through_nine_bytes(second: int, ms: int, code: str) -> None:
    at_ns = second * 10**9 + ms * 10**6
    local_ns = nine_bytes(stamp(at_ns, ZoneInfo(ZONES[code])).decode("latin-1"))
    assert TIMES.of_exchange(local_ns, code, at_ns + 60 * 10**9) == at_ns


def test_months_days_and_hours_that_are_none_are_broken() -> None:
    good = stamp(instant("2026-02-28T12:00:00"), CHICAGO).decode("latin-1")
    for place, byte in ((2, "@"), (2, "M"), (3, "]"), (4, "X"), (5, "|")):
        with pytest.raises(Unreadable, match=BROKEN):
            nine_bytes(good[:place] + byte + good[place + 1 :])
    for text in ("20260230000000", "2026022800000", "2026022800000x", "２０２６０２２８００００００"):
        with pytest.raises(Unreadable, match=BROKEN):
            fourteen_digits(text)
