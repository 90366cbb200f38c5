"""What indicators cost for each bar, with TA-Lib's stream functions measured beside them in the same run.

Values are medians over rounds, so that one busy moment of the machine does not decide. Bars come from a fixed
seed: no file is needed and two runs do the same work.
"""

from collections.abc import Callable
from importlib.util import find_spec
from statistics import median
from time import perf_counter_ns

import numpy as np
from numpy.typing import NDArray

from neuratrade.core.indicators.native import NativeProvider
from neuratrade.core.indicators.provider import bar_table
from neuratrade.core.indicators.registry import indicator
from neuratrade.core.regime import RegimeDetector, detect_regimes

TEN = ("sma", "ema", "rsi", "macd", "atr", "bollinger", "stochastic", "obv", "vwap", "adx")
FIVE = ("rsi", "ema", "macd", "atr", "bollinger")
BARS = 5_000
ROUNDS = 9
WINDOW = 250


def made_bars(count: int) -> NDArray[np.float64]:
    """A random walk of `count` bars."""
    rng = np.random.default_rng(1)
    close = 2500.0 * np.exp(rng.normal(0, 0.0007, count).cumsum())
    high, low = close * rng.uniform(1, 1.001, count), close * rng.uniform(0.999, 1, count)
    return bar_table(open=close, high=high, low=low, close=close, volume=rng.lognormal(4, 1, count))


def microseconds_a_bar(work: Callable[[], None], count: int) -> float:
    """Median over rounds of the time `work` takes for each of its `count` bars."""
    work()
    rounds = []
    for _ in range(ROUNDS):
        start = perf_counter_ns()
        work()
        rounds.append((perf_counter_ns() - start) / count / 1000)
    return round(median(rounds), 4)


def _live(names: tuple[str, ...], rows: list[list[float]]) -> Callable[[], None]:
    update = NativeProvider().live([indicator(name) for name in names]).update

    def work() -> None:
        for open_, high, low, close, volume, _ in rows:
            update(open_, high, low, close, volume)

    return work


def _batch(names: tuple[str, ...], bars: NDArray[np.float64]) -> Callable[[], None]:
    provider, specs = NativeProvider(), [indicator(name) for name in names]

    def work() -> None:
        for spec in specs:
            provider.batch(spec, bars)

    return work


def _regimes(rows: list[list[float]]) -> Callable[[], None]:
    update = RegimeDetector().update

    def work() -> None:
        for open_, high, low, close, volume, _ in rows:
            update(open_, high, low, close, volume)

    return work


def _regime_batch(bars: NDArray[np.float64]) -> Callable[[], None]:
    def work() -> None:
        detect_regimes(bars)

    return work


def _talib_stream(bars: NDArray[np.float64]) -> Callable[[], None]:
    from talib import stream

    high, low, close = (np.ascontiguousarray(bars[:, column]) for column in (1, 2, 3))

    def work() -> None:
        for end in range(WINDOW, len(close)):
            window = slice(end - WINDOW, end)
            prices = close[window]
            stream.RSI(prices, 14)
            stream.EMA(prices, 20)
            stream.MACD(prices, 12, 26, 9)
            stream.ATR(high[window], low[window], prices, 14)
            stream.BBANDS(prices, 20)

    return work


def run() -> dict[str, object]:
    """Rows {name, value, unit, target}; target is the most the value may be, None where there is none."""
    bars = made_bars(BARS)
    rows = bars.tolist()
    measured: list[tuple[str, Callable[[], None], int, float | None]] = [
        ("ten indicators a bar, live", _live(TEN, rows), BARS, 20.0),
        ("five indicators a bar, live", _live(FIVE, rows), BARS, None),
        ("ten indicators a bar, batch", _batch(TEN, bars), BARS, None),
        ("regime a bar, live", _regimes(rows), BARS, None),
        ("regime a bar, batch", _regime_batch(bars), BARS, None),
    ]
    if find_spec("talib"):
        name = f"five indicators a bar, talib.stream on {WINDOW} bars"
        measured.append((name, _talib_stream(bars), BARS - WINDOW, None))
    return {
        "rows": [
            {"name": name, "value": microseconds_a_bar(work, count), "unit": "us", "target": target}
            for name, work, count, target in measured
        ]
    }
