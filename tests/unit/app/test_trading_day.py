"""The trading day of a zone, through both changes of its clocks."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from neuratrade.app.trading_day import trading_days
from neuratrade.core.engine.engine import Engine
from neuratrade.core.model import events as e
from neuratrade.core.model.market import NS_PER_SECOND
from tests.simulation.world import desk_engine, run_started


def ns(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp()) * NS_PER_SECOND


def hours(zone: str, begins: str, day: str) -> float:
    """How long the day lasts that has begun at noon of `day`."""
    days = trading_days(zone, begins)
    at = datetime.fromisoformat(f"{day}T12:00:00+00:00")
    number = days.number(ns(at.isoformat()))
    minutes = [at + timedelta(minutes=m) for m in range(-36 * 60, 36 * 60)]
    return sum(days.number(ns(m.isoformat())) == number for m in minutes) / 60


@pytest.mark.parametrize(
    ("begins", "day", "length"),
    [
        ("17:00", "2025-03-08", 24),
        ("17:00", "2025-03-09", 23),
        ("17:00", "2025-11-02", 25),
        ("02:30", "2025-03-08", 24),  # 02:30 is left out on the 9th: it opens at 03:30
        ("02:30", "2025-03-09", 23),
        ("01:30", "2025-11-01", 24),  # ends the first time clocks show 01:30 on the 2nd
        ("01:30", "2025-11-02", 25),
    ],
)
def test_a_day_is_as_long_as_its_clocks_make_it(begins: str, day: str, length: int) -> None:
    assert hours("America/New_York", begins, day) == length


def test_the_hour_that_comes_twice_begins_no_second_day() -> None:
    days = trading_days("America/New_York", "01:30")
    first, between, second = (
        days.number(ns(f"2025-11-02T{at}")) for at in ("01:30:00-04:00", "01:00:00-05:00", "01:30:00-05:00")
    )
    assert first == between == second
    assert days.number(ns("2025-11-02T01:29:59-04:00")) == first - 1


def test_a_zone_that_left_out_a_date_still_counts_every_day() -> None:
    days = trading_days("Pacific/Apia", "09:00")
    assert days.number(ns("2011-12-29T12:00:00-10:00")) + 1 == days.number(ns("2011-12-31T12:00:00+14:00"))


def test_utc_needs_no_zone_file_and_changes_at_the_same_instants() -> None:
    utc, abidjan = trading_days("UTC", "06:00"), trading_days("Africa/Abidjan", "06:00")
    before, after = ns("2025-06-01T05:59:59+00:00"), ns("2025-06-01T06:00:00+00:00")
    for days in (utc, abidjan):
        assert days.number(before) + 1 == days.number(after)
        assert days.number(after) + 30 == days.number(ns("2025-07-01T06:00:00+00:00"))


def test_an_engine_rolls_its_day_with_the_zones_clocks() -> None:
    engine = Engine(replace(desk_engine().config, days=trading_days("America/New_York", "17:00")))
    engine.step(run_started())
    rolled = []
    for at in ("2025-11-01T20:59:00+00:00", "2025-11-01T21:00:00+00:00", "2025-11-02T21:59:00+00:00"):
        engine.step(e.ClockTick(ns(at)))
        rolled.append(engine.state.accounts["paper"].day)
    engine.step(e.ClockTick(ns("2025-11-02T22:00:00+00:00")))
    assert rolled[1] == rolled[2] == rolled[0] + 1
    assert engine.state.accounts["paper"].day == rolled[1] + 1
