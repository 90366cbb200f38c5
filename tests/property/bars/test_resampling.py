"""Resampling in steps equals resampling at once, whatever the gaps and whatever the order inside a bar."""

from collections import defaultdict
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from random import Random

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuratrade.core.bars.aggregate import BarBuilder
from neuratrade.core.bars.sessions import DaySessions
from neuratrade.core.model.decimals import decimal_of
from neuratrade.core.model.market import NS_PER_DAY, NS_PER_HOUR, NS_PER_MINUTE, Bar, Trade
from neuratrade.feeds.dataset import Series
from neuratrade.feeds.layout import SeriesKind

KEY = "BTC/USDT@paper"
FIVE = 5 * NS_PER_MINUTE

prices = st.decimals(
    min_value="0.000001", max_value="1000000", allow_nan=False, allow_infinity=False, places=6
)
quantities = st.floats(min_value=0, max_value=1e12, allow_nan=False).map(decimal_of)


@st.composite
def minute_bars(draw: st.DrawFn) -> list[Bar]:
    """Bars of up to three hours with gaps, beginning anywhere."""
    bars = []
    for minute in sorted(draw(st.sets(st.integers(0, 179), min_size=1, max_size=120))):
        low, first, last, high = sorted(draw(st.lists(prices, min_size=4, max_size=4)))
        if draw(st.booleans()):
            first, last = last, first
        bars.append(Bar(KEY, NS_PER_MINUTE, minute * NS_PER_MINUTE, first, high, low, last, draw(quantities)))
    return bars


@st.composite
def trade_lists(draw: st.DrawFn) -> list[Trade]:
    """Trades at distinct times in half an hour."""
    times = sorted(draw(st.sets(st.integers(0, 1_799_999), min_size=1, max_size=60)))
    return [Trade(KEY, at * 1_000_000, draw(prices), draw(quantities)) for at in times]


def resample(bars: list[Bar], span_ns: int, offset_ns: int = 0, from_ns: int | None = None) -> list[Bar]:
    builder = BarBuilder(KEY, span_ns, offset_ns=offset_ns, complete_from_ns=from_ns)
    return [done for bar in bars for done in builder.add_bar(bar)]


def collect(trades: list[Trade], span_ns: int, until_ns: int) -> list[Bar]:
    builder = BarBuilder(KEY, span_ns, complete_from_ns=0)
    return [done for trade in trades for done in builder.add_trade(trade)] + builder.advance(until_ns)


@given(minute_bars())
def test_one_minute_to_five_to_an_hour_equals_one_minute_to_an_hour(bars: list[Bar]) -> None:
    end = BarBuilder(KEY, NS_PER_HOUR, complete_from_ns=0)
    middle = BarBuilder(KEY, FIVE, complete_from_ns=0)
    in_steps = []
    for bar in bars:
        for five in middle.add_bar(bar):
            in_steps += end.add_bar(five)
    for five in middle.advance(3 * NS_PER_HOUR):
        in_steps += end.add_bar(five)
    in_steps += end.advance(3 * NS_PER_HOUR)
    direct = BarBuilder(KEY, NS_PER_HOUR, complete_from_ns=0)
    at_once = [done for bar in bars for done in direct.add_bar(bar)] + direct.advance(3 * NS_PER_HOUR)
    assert in_steps == at_once


@given(trade_lists())
def test_trades_to_one_minute_to_five_equals_trades_to_five(trades: list[Trade]) -> None:
    end = 30 * NS_PER_MINUTE
    minutes = collect(trades, NS_PER_MINUTE, end)
    builder = BarBuilder(KEY, FIVE, complete_from_ns=0)
    in_steps = [done for bar in minutes for done in builder.add_bar(bar)] + builder.advance(end)
    assert in_steps == collect(trades, FIVE, end)


@given(trade_lists(), st.randoms(use_true_random=False))
def test_the_order_of_arrival_inside_a_bar_does_not_matter(trades: list[Trade], random: Random) -> None:
    groups: dict[int, list[Trade]] = defaultdict(list)
    for trade in trades:
        groups[trade.at_ns // FIVE].append(trade)
    shuffled = []
    for group in groups.values():
        random.shuffle(group)
        shuffled += group
    end = 30 * NS_PER_MINUTE
    assert collect(shuffled, FIVE, end) == collect(trades, FIVE, end)


@given(trade_lists())
def test_every_bar_holds_exactly_the_trades_of_its_span(trades: list[Trade]) -> None:
    bars = collect(trades, NS_PER_MINUTE, 30 * NS_PER_MINUTE)
    inside: dict[int, list[Trade]] = defaultdict(list)
    for trade in trades:
        inside[trade.at_ns // NS_PER_MINUTE * NS_PER_MINUTE].append(trade)
    assert [bar.open_ns for bar in bars] == sorted(inside)
    for bar in bars:
        held = inside[bar.open_ns]
        paid = [trade.price for trade in held]
        assert (bar.open, bar.high, bar.low, bar.close) == (paid[0], max(paid), min(paid), paid[-1])
        assert Fraction(bar.volume) == sum_exactly([trade.quantity for trade in held])


def sum_exactly(values: list[Decimal]) -> Fraction:
    """By fractions, which never round."""
    return sum((Fraction(value) for value in values), Fraction(0))


@given(minute_bars(), st.integers(0, 23))
def test_bars_lie_on_their_grid_rise_and_hold_their_prices(bars: list[Bar], hour: int) -> None:
    offset = hour * NS_PER_HOUR + 7 * NS_PER_MINUTE
    done = resample(bars, 15 * NS_PER_MINUTE, offset_ns=offset, from_ns=0)
    assert [bar.open_ns for bar in done] == sorted({bar.open_ns for bar in done})
    for bar in done:
        assert (bar.open_ns - offset) % bar.span_ns == 0
        assert bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high


@given(minute_bars(), st.integers(1, 179))
def test_what_comes_later_never_changes_a_bar_that_came_out(bars: list[Bar], cut: int) -> None:
    early = [bar for bar in bars if bar.open_ns < cut * NS_PER_MINUTE]
    some = resample(early, FIVE, from_ns=0)
    assert resample(bars, FIVE, from_ns=0)[: len(some)] == some


@given(st.integers(0, NS_PER_DAY - 1), st.integers(0, 40 * NS_PER_DAY))
def test_a_session_and_a_day_bar_of_the_same_offset_begin_together(offset: int, at: int) -> None:
    sessions = DaySessions(offset)
    begins = sessions.number(at) != sessions.number(at - 1)
    assert begins == ((at - offset) % NS_PER_DAY == 0)


@pytest.mark.shared
@pytest.mark.parametrize("asset", ["BTC", "ETH"])
def test_recorded_minutes_make_the_recorded_hours(asset: str, shared_data: Path) -> None:
    folder = shared_data / "ohlcv"
    minutes = Series(folder / f"binanceusdm_{asset}USDT_1m.parquet", SeriesKind.BARS, KEY, NS_PER_MINUTE)
    builder = BarBuilder(KEY, NS_PER_HOUR)
    made = [done for bar in minutes.events() if isinstance(bar, Bar) for done in builder.add_bar(bar)]
    theirs = pl.read_parquet(folder / f"binanceusdm_{asset}USDT_1h.parquet")
    hours = {bar.open_ns: bar for bar in made}
    compared = 0
    for ts, *values in theirs.iter_rows():
        bar = hours.get(ts * 1_000_000)
        if bar is not None:
            compared += 1
            assert [bar.open, bar.high, bar.low, bar.close] == [decimal_of(value) for value in values[:4]]
            assert float(bar.volume) == pytest.approx(values[4], rel=1e-9)
    assert compared >= 1_200
