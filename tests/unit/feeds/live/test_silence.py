"""Silence is told by how often each instrument spoke, and told again only after twice as long."""

from neuratrade.core.model.market import NS_PER_MINUTE, NS_PER_SECOND
from neuratrade.feeds.live.silence import Silence

S = NS_PER_SECOND


def test_a_busy_instrument_is_missed_after_half_a_minute_and_a_quiet_one_is_not() -> None:
    silence = Silence(["busy", "quiet"], 0)
    for second in range(100):
        silence.heard("busy", second * S)
    for second in range(0, 100, 20):
        silence.heard("quiet", second * S)
    assert silence.fell(128 * S) == []
    assert silence.fell(129 * S) == ["busy"]
    assert silence.limit_ns("quiet") > 2 * NS_PER_MINUTE
    assert not silence.is_total


def test_it_is_told_again_after_twice_as_long_until_it_speaks() -> None:
    silence = Silence(["a"], 0)
    silence.heard("a", 0)
    told = [second for second in range(1, 400) if silence.fell(second * S)]
    assert told == [30, 60, 120, 240]
    assert silence.is_total
    assert silence.heard("a", 400 * S)
    assert not silence.heard("a", 401 * S)
    assert not silence.is_total


def test_who_was_never_heard_is_given_two_minutes_from_the_opening_on() -> None:
    silence = Silence(["a"], 0)
    silence.opened(60 * S)
    assert silence.fell(179 * S) == []
    assert silence.fell(180 * S) == ["a"]
    assert silence.age_ns("a", 180 * S) == 120 * S


def test_nobody_is_silent_for_longer_than_ten_minutes_without_being_told() -> None:
    silence = Silence(["a"], 0)
    for hour in range(5):
        silence.heard("a", hour * 60 * NS_PER_MINUTE)
    assert silence.limit_ns("a") == 10 * NS_PER_MINUTE
