"""Candles of traded pairs are kept, and each bar's age says how near at hand."""

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuratrade.core.model.errors import UsageError
from neuratrade.core.model.market import NS_PER_DAY
from neuratrade.feeds.dataset import Series
from neuratrade.feeds.layout import SeriesKind
from neuratrade.feeds.market_history import MarketHistory, Window, kept

NOW = 20_000 * NS_PER_DAY
ORDER = list(Window)


@pytest.mark.parametrize(
    ("age_ns", "window"),
    [
        (-1, Window.HOT),
        (0, Window.HOT),
        (30 * NS_PER_DAY, Window.HOT),
        (30 * NS_PER_DAY + 1, Window.WARM),
        (90 * NS_PER_DAY, Window.WARM),
        (90 * NS_PER_DAY + 1, Window.COLD),
        (1_826 * NS_PER_DAY, Window.COLD),
        (1_826 * NS_PER_DAY + 1, Window.GONE),
    ],
)
def test_the_age_of_a_bar_decides_its_window(age_ns: int, window: Window) -> None:
    assert MarketHistory().window_of(NOW - age_ns, NOW) is window


def test_cold_for_ever_lets_nothing_go() -> None:
    policy = MarketHistory(cold_days=0)
    assert policy.window_of(0, NOW) is Window.COLD
    assert policy.begins_ns(Window.COLD, NOW) is None


@given(ages=st.tuples(st.integers(0, 10**18), st.integers(0, 10**18)))
def test_an_older_bar_is_never_nearer_at_hand(ages: tuple[int, int]) -> None:
    younger, older = sorted(ages)
    windows = [MarketHistory().window_of(NOW - age, NOW) for age in (younger, older)]
    assert ORDER.index(windows[0]) <= ORDER.index(windows[1])


@pytest.mark.parametrize("window", [Window.HOT, Window.WARM, Window.COLD])
def test_a_window_begins_with_the_oldest_bar_in_it(window: Window) -> None:
    begins = MarketHistory().begins_ns(window, NOW)
    assert begins is not None
    assert MarketHistory().window_of(begins, NOW) is window
    assert MarketHistory().window_of(begins - 1, NOW) is not window


@pytest.mark.parametrize(
    ("days", "said"),
    [
        ((0, 90, 100), "hot_days must be at least 1, got 0"),
        ((30, 29, 100), r"warm_days \(29\) must not be less than hot_days \(30\)"),
        ((30, 90, 89), r"cold_days \(89\) must be 0 \(for ever\) or not less than warm_days \(90\)"),
        ((30, 90, -1), "cold_days"),
    ],
)
def test_windows_that_contradict_each_other_are_refused(days: tuple[int, int, int], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        MarketHistory(*days)


def test_an_unknown_setting_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError, match="unknown field `lukewarm_days`"):
        msgspec.convert({"lukewarm_days": 3}, MarketHistory)


def test_candles_are_kept_for_traded_pairs_only_and_ticks_are_left_alone() -> None:
    traded = Series(Path("a"), SeriesKind.BARS, "BTC/USDT@binance", 60)
    other = Series(Path("b"), SeriesKind.BARS, "DOGE/USDT@binance", 60)
    ticks = Series(Path("c"), SeriesKind.TRADES, "DOGE/USDT@binance")
    assert kept([traded, other, ticks], {"BTC/USDT@binance"}) == (traded, ticks)
