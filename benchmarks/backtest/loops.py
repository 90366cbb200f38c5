"""The floors: the reference rule in a plain Python loop, and in a compiled one; no engine, no books.

The two are written apart, so that what both say of a trade is not one mistake made twice. They take what they
need (lists, arrays) and nothing of ours, which keeps their whole-process figures their own.
"""

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from benchmarks.backtest.rule import (
    BUY_BELOW,
    CASH,
    FEE_FRACTION,
    HOLD_BARS,
    PERIOD,
    STOP_FRACTION,
    TARGET_FRACTION,
)

Column = NDArray[np.float64]
REASONS = ("SL", "TP", "TIME")
_MOST_TRADES_A_BAR = 0.5
"""RSI cannot cross a level downwards on two bars in a row."""


class Trade(NamedTuple):
    """One trade. entered, left: bars, from 0. entry, exit: prices. reason: SL, TP or TIME."""

    entered: int
    left: int
    entry: float
    exit: float
    reason: str


class Walk(NamedTuple):
    """Closed trades, and cash plus what is held at the last close."""

    trades: list[Trade]
    equity: float


class Levels(NamedTuple):
    """What a sweep varies: RSI to buy below, and distances of stop and target, fractions of the entry."""

    below: float = BUY_BELOW
    stop: float = STOP_FRACTION
    target: float = TARGET_FRACTION


REFERENCE = Levels()


def plain_walk(highs: list[float], lows: list[float], closes: list[float], first: int = 0) -> Walk:
    """The rule over lists, as one would write it by hand; opens nothing before bar `first`."""
    gain = loss = entry = stop = target = 0.0
    cash, before, rsi = CASH, 50.0, 50.0
    entered, last = -1, closes[0]
    first = max(first, PERIOD + 1)
    trades: list[Trade] = []
    for bar, (high, low, close) in enumerate(zip(highs, lows, closes, strict=True)):
        change, last, before = close - last, close, rsi
        up, down = (change, 0.0) if change > 0 else (0.0, -change)
        if bar > PERIOD:
            gain, loss = (gain * (PERIOD - 1) + up) / PERIOD, (loss * (PERIOD - 1) + down) / PERIOD
            both = gain + loss
            rsi = 100.0 * gain / both if both > 0 else 50.0
        elif bar == PERIOD:
            gain, loss = (gain + up) / PERIOD, (loss + down) / PERIOD
            rsi = 100.0 * gain / (gain + loss) if gain + loss > 0 else 50.0
        else:
            gain, loss = gain + up, loss + down
        if entered >= 0:
            if low <= stop:
                trades.append(Trade(entered, bar, entry, stop, "SL"))
            elif high >= target:
                trades.append(Trade(entered, bar, entry, target, "TP"))
            elif bar - entered >= HOLD_BARS:
                trades.append(Trade(entered, bar, entry, close, "TIME"))
            else:
                continue
            cash += trades[-1].exit * (1 - FEE_FRACTION)
            entered = -1
            if trades[-1].reason == "TIME":
                continue
        if rsi < BUY_BELOW <= before and bar >= first:
            entry, entered = close, bar
            cash -= entry * (1 + FEE_FRACTION)
            stop, target = entry * (1 - STOP_FRACTION), entry * (1 + TARGET_FRACTION)
    return Walk(trades, cash + (last if entered >= 0 else 0.0))


def _walk(
    high: Column, low: Column, close: Column, below: float, stop: float, target: float, found: Column
) -> tuple[int, float]:
    """Fills rows of `found` (entered, left, entry, exit, reason) and gives their number and the equity."""
    cash, count, place = CASH, 0, -1
    ups = downs = 0.0
    for bar in range(1, PERIOD + 1):
        step = close[bar] - close[bar - 1]
        ups += max(step, 0.0)
        downs += max(-step, 0.0)
    ups /= PERIOD
    downs /= PERIOD
    now = 100.0 * ups / (ups + downs) if ups + downs > 0 else 50.0
    for bar in range(PERIOD + 1, close.size):
        step, earlier = close[bar] - close[bar - 1], now
        ups = (ups * (PERIOD - 1) + max(step, 0.0)) / PERIOD
        downs = (downs * (PERIOD - 1) + max(-step, 0.0)) / PERIOD
        now = 100.0 * ups / (ups + downs) if ups + downs > 0 else 50.0
        reason = -1
        if place >= 0:
            price = close[place]
            out = close[bar]
            if low[bar] <= price * (1.0 - stop):
                reason, out = 0, price * (1.0 - stop)
            elif high[bar] >= price * (1.0 + target):
                reason, out = 1, price * (1.0 + target)
            elif bar - place >= HOLD_BARS:
                reason = 2
            if reason >= 0:
                found[count, 0], found[count, 1] = place, bar
                found[count, 2], found[count, 3], found[count, 4] = price, out, reason
                cash += out * (1.0 - FEE_FRACTION) - price * (1.0 + FEE_FRACTION)
                count, place = count + 1, -1
        if place < 0 and reason != 2 and now < below and earlier >= below:
            place = bar
    if place >= 0:
        cash += close[-1] - close[place] * (1.0 + FEE_FRACTION)
    return count, cash


class Found(NamedTuple):
    """What the compiled loop leaves: rows of five numbers, how many of them are trades, and the equity."""

    rows: Column
    closed: int
    equity: float

    @property
    def walk(self) -> Walk:
        """The same as a plain loop says it."""
        rows = self.rows[: self.closed].tolist()
        trades = [Trade(int(a), int(b), entry, out, REASONS[int(why)]) for a, b, entry, out, why in rows]
        return Walk(trades, self.equity)


class Compiled(Protocol):
    """The rule over arrays; levels other than the reference ones for a sweep."""

    def __call__(self, high: Column, low: Column, close: Column, levels: Levels = REFERENCE) -> Found:
        """One walk."""
        ...


def compiled_walk() -> Compiled:
    """The rule compiled, and kept on disk for the next process; numba is imported here."""
    import numba

    walk = numba.njit(cache=True)(_walk)

    def run(high: Column, low: Column, close: Column, levels: Levels = REFERENCE) -> Found:
        rows = np.empty((int(len(close) * _MOST_TRADES_A_BAR) + 1, 5))
        return Found(rows, *walk(high, low, close, *levels, rows))

    return run
