"""The reference work of backtests: a year of made-up minutes, and one RSI rule with a bracket on it.

The series is the same on every machine (seed 7, 525,600 bars, each opens where the last one closed), so a
desk, a plain loop and another program can be held to the same trades. Rule: long only, one position of 1.0,
fee 0.1 % a side. Enter at the close of a bar whose RSI(14) is below 32 while the previous bar's was not; stop
0.5 % below (looked at first), target 1 % above, else leave at the close of the 60th bar.
"""

import hashlib
from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from neuratrade.core.model.market import NS_PER_MINUTE, Bar

BARS = 525_600
FIRST_NS = 1_451_606_400 * 1_000_000_000
"""2016-01-01 UTC."""
DIGEST = "24f3a271273d7a36"
DRAWN = 10 * BARS
"""The generator draws ten years for each quantity in turn; the first of them is the reference year."""
CHUNK = 20_000

PERIOD, BUY_BELOW = 14, 32.0
STOP_FRACTION, TARGET_FRACTION, HOLD_BARS = 0.005, 0.01, 60
FEE_FRACTION = 0.001

Column = NDArray[np.float64]


class Series(NamedTuple):
    """Columns of the year; times are openings, ns UTC."""

    ts: NDArray[np.int64]
    open: Column
    high: Column
    low: Column
    close: Column
    volume: Column

    def first(self, bars: int) -> "Series":
        """The beginning of the series."""
        opened, high, low = self.open[:bars], self.high[:bars], self.low[:bars]
        return Series(self.ts[:bars], opened, high, low, self.close[:bars], self.volume[:bars])


def series() -> Series:
    """The reference year. Raises RuntimeError where numpy's generator or maths gives another one here."""
    draws = np.random.Generator(np.random.PCG64(7))
    shocks, returns_in_sigmas = _year(draws), _year(draws)
    excess_up, excess_down, volume_noise = np.abs(_year(draws)), np.abs(_year(draws)), _year(draws)
    log_volatility = _persistent(shocks, 0.995, 0.06)
    sigma = 0.0006 * np.exp(log_volatility - 0.5 * 0.06 * 0.06 / (1 - 0.995 * 0.995) * 0.5)
    returns = sigma * returns_in_sigmas - 0.5 * sigma * sigma
    close = np.round(np.exp(np.log(30000.0) + np.cumsum(returns)), 2)
    opened = np.concatenate(([30000.0], close[:-1]))
    high = np.round(np.maximum(opened, close) * (1 + excess_up * 0.5 * sigma), 2)
    low = np.round(np.minimum(opened, close) * (1 - excess_down * 0.5 * sigma), 2)
    volume = np.round(np.exp(volume_noise * 0.6 + np.log(1000) + 0.7 * log_volatility), 4) + 0.001
    ts = FIRST_NS + NS_PER_MINUTE * np.arange(BARS, dtype=np.int64)
    made = Series(ts, opened, high, low, close, np.round(volume, 4))
    digest = hashlib.sha256(b"".join(np.ascontiguousarray(column).tobytes() for column in made)).hexdigest()
    if not digest.startswith(DIGEST):
        raise RuntimeError(f"the reference series begins with {digest[:16]} here instead of {DIGEST}")
    return made


def _year(draws: np.random.Generator) -> Column:
    return draws.standard_normal(DRAWN)[:BARS]


def _persistent(shocks: Column, memory: float, scale: float) -> Column:
    values, value = np.empty(len(shocks)), 0.0
    for place, shock in enumerate(shocks.tolist()):
        value = memory * value + scale * shock
        values[place] = value
    return values


def chunks(made: Series, instrument: str) -> Iterator[list[Bar]]:
    """The series as bars of Decimals, some at a time: a whole year of them would fill the memory."""
    for start in range(0, len(made.ts), CHUNK):
        rows = zip(*(column[start : start + CHUNK].tolist() for column in made), strict=True)
        yield [
            Bar(instrument, NS_PER_MINUTE, ts, *(Decimal(repr(value)) for value in values))
            for ts, *values in rows
        ]


class Tally(NamedTuple):
    """What a run of the rule came to: closed trades, and the money they made after fees, quote currency."""

    trades: int
    pnl: float


def plain_loop(made: Series, first: int) -> Tally:
    """The rule in a plain loop over floats; it opens nothing before bar `first`."""
    gain = loss = pnl = entry = 0.0
    before, trades, entered = 50.0, 0, -1
    last = float(made.close[0])
    highs, lows, closes = made.high.tolist(), made.low.tolist(), made.close.tolist()
    for bar, (high, low, close) in enumerate(zip(highs, lows, closes, strict=True)):
        up, down, last = max(close - last, 0.0), max(last - close, 0.0), close
        keep = PERIOD - 1 if bar > PERIOD else 1
        share = PERIOD if bar >= PERIOD else 1
        gain, loss = (gain * keep + up) / share, (loss * keep + down) / share
        rsi = 100.0 * gain / (gain + loss) if bar >= PERIOD and gain + loss > 0 else 50.0
        left, timed = None, False
        if entered >= 0:
            if low <= entry * (1 - STOP_FRACTION):
                left = entry * (1 - STOP_FRACTION)
            elif high >= entry * (1 + TARGET_FRACTION):
                left = entry * (1 + TARGET_FRACTION)
            elif bar - entered >= HOLD_BARS:
                left, timed = close, True
        if left is not None:
            pnl += left * (1 - FEE_FRACTION) - entry * (1 + FEE_FRACTION)
            trades, entered = trades + 1, -1
        if entered < 0 and not timed and bar >= first and rsi < BUY_BELOW <= before:
            entry, entered = close, bar
        before = rsi
    return Tally(trades, pnl)
