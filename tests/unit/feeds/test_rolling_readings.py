"""Rolling readings from ticks: the very values of a batch over the same bars, whichever way the bars came."""

import random
from decimal import Decimal

import numpy as np
import pytest
from numpy.typing import NDArray

from neuratrade.core.bars.aggregate import BarBuilder
from neuratrade.core.indicators.native import NativeProvider
from neuratrade.core.indicators.provider import bar_table
from neuratrade.core.indicators.registry import definition_of, indicator
from neuratrade.core.indicators.spec import IndicatorSpec
from neuratrade.core.model.market import NS_PER_MINUTE, NS_PER_SECOND, Bar, Trade
from neuratrade.feeds.live.readings import ROLLING, RollingReading, RollingReadings

KEY, OTHER = "BTC/USD@alpaca", "ETH/USD@alpaca"
T0 = 1_750_000_020 * NS_PER_SECOND
SHORT = (indicator("vwap", 5), indicator("rsi", 7), indicator("macd", 3, 6, 4))
D = Decimal


def walk(count: int, seed: int = 1, instrument: str = KEY) -> list[Trade]:
    """Trades two to ten seconds apart, of a price that wanders."""
    dice = random.Random(seed)
    at_ns, price = T0, 97_000.0
    trades = []
    for _ in range(count):
        at_ns += dice.randint(2 * NS_PER_SECOND, 10 * NS_PER_SECOND)
        price *= 1 + dice.gauss(0, 0.0004)
        trades.append(Trade(instrument, at_ns, D(f"{price:.2f}"), D(f"{dice.lognormvariate(-4, 1):.8f}")))
    return trades


def bars_of(trades: list[Trade]) -> list[Bar]:
    """The whole minutes of these trades."""
    builder = BarBuilder(trades[0].instrument, NS_PER_MINUTE)
    found = [bar for trade in trades for bar in builder.add_trade(trade)]
    return found + builder.advance(trades[-1].at_ns + NS_PER_MINUTE)


def batch(bars: list[Bar], spec: IndicatorSpec) -> NDArray[np.float64]:
    """What a backtest reads of these bars."""
    columns = {
        name: np.array([float(getattr(bar, name)) for bar in bars])
        for name in ("open", "high", "low", "close", "volume")
    }
    return NativeProvider().batch(spec, bar_table(**columns))


def same_as_batch(reading: RollingReading | None, bars: list[Bar], specs: tuple[IndicatorSpec, ...]) -> bool:
    """Whether all values are those of the batch over these bars, bit for bit."""
    assert reading is not None
    assert reading.bar == bars[-1]
    assert reading.bars == len(bars)
    expected = {
        f"{spec}.{output}": value
        for spec in specs
        for output, value in zip(definition_of(spec).outputs, batch(bars, spec)[-1], strict=True)
    }
    assert set(reading.values) == set(expected)
    return all(
        np.float64(reading.values[name]).tobytes() == np.float64(value).tobytes()
        for name, value in expected.items()
    )


@pytest.mark.parametrize("specs", [ROLLING, SHORT])
def test_at_every_close_the_values_are_those_of_a_batch_to_the_last_bit(
    specs: tuple[IndicatorSpec, ...],
) -> None:
    readings = RollingReadings(specs)
    closed: list[Bar] = []
    for trade in walk(900):
        for bar in readings.add_trade(trade):
            closed.append(bar)
            assert same_as_batch(readings.closed(KEY), closed, specs)
    assert len(closed) > 80
    last = readings.closed(KEY)
    assert last is not None
    assert not any(np.isnan(value) for value in last.values.values()), "all of them were warm"


def test_between_closes_they_are_those_of_a_batch_with_the_bar_in_the_making() -> None:
    readings = RollingReadings(SHORT)
    trades = walk(300)
    closed: list[Bar] = []
    seen = 0
    for place, trade in enumerate(trades):
        closed += readings.add_trade(trade)
        found = readings.now(KEY)
        if found is None or not found.is_forming:
            continue
        inside = [item for item in trades[: place + 1] if item.at_ns >= found.bar.open_ns]
        prices = [item.price for item in inside]
        forming = Bar(
            KEY, NS_PER_MINUTE, found.bar.open_ns, prices[0], max(prices), min(prices), prices[-1],
            sum((item.quantity for item in inside), D(0)),
        )  # fmt: skip
        assert same_as_batch(found, [*closed, forming], SHORT)
        if closed:
            assert same_as_batch(readings.closed(KEY), closed, SHORT), "looking changes nothing"
        seen += 1
    assert seen > 250


def test_bars_from_history_the_feed_and_trades_make_one_line() -> None:
    trades = walk(600)
    bars = bars_of(trades)
    readings = RollingReadings(SHORT)
    for bar in bars[:20]:
        assert readings.add_bar(bar)
    middle_ns = bars[20].open_ns + 17 * NS_PER_SECOND
    for trade in trades:
        if trade.at_ns >= middle_ns:
            if readings.closed(KEY).bar is bars[19] and trade.at_ns >= bars[20].close_ns:  # type: ignore[union-attr]
                assert readings.now(KEY) == readings.closed(KEY), "a minute that was joined late is not shown"
                assert readings.add_bar(bars[20]), "it comes from the venue"
            readings.add_trade(trade)
    readings.advance(trades[-1].at_ns + NS_PER_MINUTE)
    assert same_as_batch(readings.closed(KEY), bars, SHORT)


def test_a_bar_that_comes_twice_or_late_is_counted_once() -> None:
    bars = bars_of(walk(200))
    readings = RollingReadings(SHORT)
    for bar in (*bars[:10], bars[9], bars[3], *bars[10:]):
        readings.add_bar(bar)
    assert readings.skipped == 2
    assert same_as_batch(readings.closed(KEY), bars, SHORT)


def test_a_bar_built_here_and_told_by_the_feed_is_counted_once() -> None:
    readings = RollingReadings(SHORT)
    closed: list[Bar] = []
    for trade in walk(200):
        for bar in readings.add_trade(trade):
            closed.append(bar)
            assert not readings.add_bar(bar)
    assert readings.skipped == len(closed)
    assert same_as_batch(readings.closed(KEY), closed, SHORT)


def test_after_an_interruption_torn_minutes_are_not_made_of_what_was_heard() -> None:
    trades = walk(200)
    bars = bars_of(trades)
    readings = RollingReadings(SHORT)
    lost_ns, back_ns = bars[10].open_ns + 5 * NS_PER_SECOND, bars[12].open_ns + 30 * NS_PER_SECOND
    for trade in trades:
        if trade.at_ns < lost_ns:
            readings.add_trade(trade)
    readings.interrupted(KEY, back_ns)
    for bar in bars[10:13]:
        assert readings.add_bar(bar), "the venue tells what was missed"
    for trade in trades:
        if trade.at_ns >= back_ns:
            readings.add_trade(trade)
    readings.advance(trades[-1].at_ns + NS_PER_MINUTE)
    assert same_as_batch(readings.closed(KEY), bars, SHORT)


def test_instruments_do_not_touch_each_other() -> None:
    one, two = walk(300, 1, KEY), walk(300, 2, OTHER)
    readings = RollingReadings(SHORT)
    for trade in sorted([*one, *two], key=lambda item: item.at_ns):
        readings.add_trade(trade)
    readings.advance(max(one[-1].at_ns, two[-1].at_ns) + NS_PER_MINUTE)
    assert same_as_batch(readings.closed(KEY), bars_of(one), SHORT)
    assert same_as_batch(readings.closed(OTHER), bars_of(two), SHORT)


def test_who_was_never_heard_of_has_no_reading() -> None:
    readings = RollingReadings()
    assert readings.now(KEY) is None
    assert readings.closed(KEY) is None
    readings.add_trade(walk(1)[0])
    assert readings.now(KEY) is None, "a minute joined in its middle is none"


def test_a_bar_of_another_length_is_refused() -> None:
    (bar, *_) = bars_of(walk(60))
    with pytest.raises(ValueError, match="readings of"):
        RollingReadings(SHORT, 5 * NS_PER_MINUTE).add_bar(bar)


def test_a_minute_that_was_torn_is_neither_shown_nor_closed() -> None:
    trades = walk(200)
    bars = bars_of(trades)
    readings = RollingReadings(SHORT)
    for bar in bars[:5]:
        readings.add_bar(bar)
    readings.interrupted(KEY, bars[5].open_ns + 30 * NS_PER_SECOND)
    readings.add_trade(Trade(KEY, bars[5].open_ns + 40 * NS_PER_SECOND, D(1), D(1)))
    assert readings.now(KEY) == readings.closed(KEY)
    assert readings.advance(bars[5].close_ns) == []
