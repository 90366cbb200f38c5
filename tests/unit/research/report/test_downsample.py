"""Downsampling: nothing that matters is lost between two points."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from neuratrade.core.model.market import NS_PER_DAY, NS_PER_HOUR, NS_PER_MINUTE
from neuratrade.research.report.downsample import candles, drawdown, kept, span_for, stretches
from tests.unit.research.report.reported import START_NS, wandering


@pytest.mark.parametrize("count", [1, 2, 59, 60, 61, 5_000])
def test_candles_are_what_the_bars_of_their_span_come_to(count: int) -> None:
    bars = wandering(count)
    made = candles(bars, 50)
    assert len(made.ts) <= 51
    slot = bars.ts // made.span_ns
    for place, ts in enumerate(made.ts):
        mine = slot == ts // made.span_ns
        told = made.prices[place].tolist()
        assert told == [bars.open[mine][0], bars.high[mine].max(), bars.low[mine].min(), bars.close[mine][-1]]
    assert set(slot.tolist()) == set((made.ts // made.span_ns).tolist())


def test_no_bar_makes_no_candle() -> None:
    assert len(candles(wandering(5).part(0, 0), 50).ts) == 0


def test_a_span_is_a_usual_one_that_whole_bars_fill() -> None:
    assert span_for(NS_PER_DAY, NS_PER_MINUTE, 2000) == NS_PER_MINUTE
    assert span_for(365 * NS_PER_DAY, NS_PER_MINUTE, 6000) == 2 * NS_PER_HOUR
    assert span_for(100, 7, 5) == 21
    assert span_for(NS_PER_DAY * 10**6, NS_PER_DAY, 100) == NS_PER_DAY * 10**4


@given(
    st.lists(st.tuples(st.integers(0, 899), st.integers(0, 300)), min_size=1, max_size=30), st.integers(1, 60)
)
def test_each_stretch_holds_its_trade_and_all_its_extremes(spans: list[tuple[int, int]], most: int) -> None:
    bars = wandering(900)
    entered = np.array([bars.ts[one] for one, _ in spans]) + 5
    left = np.array([bars.ts[min(one + held, 899)] for one, held in spans]) + 7
    made = stretches(bars, entered, left, most)
    assert made.counts.max() <= most
    begins = np.cumsum(made.counts) - made.counts
    for n, (one, held) in enumerate(spans):
        mine = slice(int(begins[n]), int(begins[n] + made.counts[n]))
        last = min(one + held, 899)
        assert made.ts[mine][0] <= bars.ts[one]
        assert made.ts[mine][0] == made.start_ns[n]
        assert made.prices[mine, 1].max() >= bars.high[one : last + 1].max()
        assert made.prices[mine, 2].min() <= bars.low[one : last + 1].min()
        ends_ns = made.ts[mine][-1] + made.bars[n] * NS_PER_MINUTE
        assert ends_ns >= left[n]


def test_times_outside_the_bars_still_have_a_stretch() -> None:
    bars = wandering(50)
    far = np.array([START_NS - NS_PER_DAY, START_NS + 9 * NS_PER_DAY])
    made = stretches(bars, far, far, 20)
    assert (made.counts > 0).all()


def lines(count: int) -> NDArray[np.float64]:
    return np.random.default_rng(count).normal(size=(3, count)).cumsum(axis=1)


@pytest.mark.parametrize("count", [1, 5, 100, 101, 4_999, 50_000])
def test_a_shortened_line_keeps_its_ends_and_its_extremes(count: int) -> None:
    value = lines(count)
    places = kept(list(value), 100)
    assert len(places) <= 140
    assert (np.diff(places) > 0).all()
    assert (places[0], places[-1]) == (0, count - 1)
    for one in value:
        assert one[places].min() == one.min()
        assert one[places].max() == one.max()


def test_the_deepest_drawdown_survives_even_if_it_lasted_for_one_bar() -> None:
    value = np.full(100_000, 100.0)
    value[54_321] = 60.0
    fall = drawdown(value)
    assert fall[kept((value, fall), 200)].min() == pytest.approx(-0.4)


def test_a_line_with_gaps_is_shortened_all_the_same() -> None:
    value = np.full(1_000, np.nan)
    value[500] = 3.0
    assert 500 in kept((value,), 50)


def test_drawdown_is_of_the_highest_so_far_and_never_divides_by_nothing() -> None:
    assert drawdown(np.array([100.0, 50.0, 200.0, 150.0])).tolist() == [0.0, -0.5, 0.0, -0.25]
    assert drawdown(np.array([0.0, -5.0, 0.0])).tolist() == [0.0, 0.0, 0.0]
    assert drawdown(np.array([100.0, -50.0])).tolist() == [0.0, -1.5]
