"""The reference work of backtests: a year of made-up minutes (or ten), for the rule of `backtest.rule`.

The series is the same on every machine (seed 7, 525,600 bars a year, each opens where the last one closed),
so a desk, a plain loop and another program can be held to the same trades.
"""

import hashlib
from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.backtest.loops import plain_walk
from benchmarks.backtest.rule import FEE_FRACTION
from neuratrade.core.model.market import NS_PER_MINUTE, Bar

BARS = 525_600
FIRST_NS = 1_451_606_400 * 1_000_000_000
"""2016-01-01 UTC."""
DIGESTS = {1: "24f3a271273d7a36", 10: "bbac40fe29685a84"}
"""How the SHA-256 of all columns begins, by years."""
DRAWN = 10 * BARS
"""The generator draws ten years for each quantity in turn; the first of them is the reference year."""
CHUNK = 20_000

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


def series(years: int = 1) -> Series:
    """The reference year, or all ten. Raises RuntimeError where numpy's generator or maths gives others."""
    draws, bars = np.random.Generator(np.random.PCG64(7)), years * BARS
    shocks, returns_in_sigmas = _drawn(draws, bars), _drawn(draws, bars)
    excess_up, excess_down = np.abs(_drawn(draws, bars)), np.abs(_drawn(draws, bars))
    volume_noise = _drawn(draws, bars)
    log_volatility = _persistent(shocks, 0.995, 0.06)
    sigma = 0.0006 * np.exp(log_volatility - 0.5 * 0.06 * 0.06 / (1 - 0.995 * 0.995) * 0.5)
    returns = sigma * returns_in_sigmas - 0.5 * sigma * sigma
    close = np.round(np.exp(np.log(30000.0) + np.cumsum(returns)), 2)
    opened = np.concatenate(([30000.0], close[:-1]))
    high = np.round(np.maximum(opened, close) * (1 + excess_up * 0.5 * sigma), 2)
    low = np.round(np.minimum(opened, close) * (1 - excess_down * 0.5 * sigma), 2)
    volume = np.round(np.exp(volume_noise * 0.6 + np.log(1000) + 0.7 * log_volatility), 4) + 0.001
    ts = FIRST_NS + NS_PER_MINUTE * np.arange(bars, dtype=np.int64)
    made = Series(ts, opened, high, low, close, np.round(volume, 4))
    digest = hashlib.sha256(b"".join(np.ascontiguousarray(column).tobytes() for column in made)).hexdigest()
    if not digest.startswith(DIGESTS[years]):
        raise RuntimeError(f"the series has the digest {digest[:16]} here instead of {DIGESTS[years]}")
    return made


def _drawn(draws: np.random.Generator, bars: int) -> Column:
    return draws.standard_normal(DRAWN)[:bars]


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
    walk = plain_walk(made.high.tolist(), made.low.tolist(), made.close.tolist(), first)
    return Tally(
        len(walk.trades),
        sum(trade.exit * (1 - FEE_FRACTION) - trade.entry * (1 + FEE_FRACTION) for trade in walk.trades),
    )
