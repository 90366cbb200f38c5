"""Stationary bootstrap: how far a figure might have come out otherwise, had these days come otherwise.

Days are drawn with replacement in blocks of random length (geometric, wrapped around the end), so that what
hangs together from day to day mostly stays together, which drawing single days would break. Drawn by a
generator of its own with a fixed seed: the same returns give the same interval on every machine.

It does not tell what never happened in the sample: a crash that was not seen is in no resample. It tells how
little a short record says. Source: Politis and Romano 1994, "The Stationary Bootstrap".
"""

import math
from typing import Final, NamedTuple

import msgspec
import numpy as np

from neuratrade.core.indicators.kernel import kernel
from neuratrade.research.columns import Floats, Times

FEWEST: Final = 10
"""Of fewer observations no interval is told: it would be far too narrow, and look as if it knew."""
RESAMPLES: Final = 2_000
SEED: Final = 20_140_731


class Interval(msgspec.Struct, frozen=True):
    """A figure of the sample, and the percentiles between which `level` of the resamples lie."""

    estimate: float
    low: float
    high: float
    level: float


class DailyDraws(NamedTuple):
    """Figures of each resample, shape (resamples,). sharpe: per day, nan where a resample has no spread.

    growth: sum of log(1 + return), -inf once all was lost. drawdown: deepest, on daily closes.
    """

    sharpe: Floats
    growth: Floats
    drawdown: Floats


def block_length(count: int) -> int:
    """Mean length of the blocks for `count` observations: the cube root, rounded up.

    The rate at which it should grow for an interval's error to fall fastest; the constant is taken as one.
    Source: Hall, Horowitz and Jing 1995; Politis and White 2004.
    """
    length = max(1, round(math.cbrt(count)))
    return length if length**3 >= count else length + 1


@kernel
def _mixed(state: np.uint64) -> np.uint64:
    """The output of splitmix64 for a counter. Source: Steele, Lea and Flood 2014."""
    z = state
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@kernel
def _share(state: np.uint64) -> float:
    """A number in [0, 1) of the upper 53 bits."""
    return float(np.float64(_mixed(state) >> np.uint64(11)) * (1.0 / 9007199254740992.0))


@kernel
def draw_places(count: int, length: int, seed: int, number: int, places: Times) -> None:
    """Fills `places` with the observations of resample `number`: blocks of mean `length`, wrapped around."""
    step = np.uint64(0x9E3779B97F4A7C15)
    state = _mixed(np.uint64(seed) + np.uint64(number) * np.uint64(0xD1342543DE82EF95))
    place = 0
    for i in range(places.shape[0]):
        state += step
        if i == 0 or _share(state) * length < 1.0:
            state += step
            place = min(int(_share(state) * count), count - 1)
        else:
            place = place + 1 if place + 1 < count else 0
        places[i] = place


@kernel
def _resample_days(
    returns: Floats, length: int, seed: int, sharpe: Floats, growth: Floats, drawdown: Floats
) -> None:
    count = returns.shape[0]
    places = np.empty(count, dtype=np.int64)
    for number in range(sharpe.shape[0]):
        draw_places(count, length, seed, number, places)
        total = 0.0
        equity, peak, deepest, logs = 1.0, 1.0, 0.0, 0.0
        for i in range(count):
            one = returns[places[i]]
            total += one
            equity *= 1.0 + one
            logs += np.log(max(1.0 + one, 0.0))
            peak = max(peak, equity)
            deepest = max(deepest, 1.0 - equity / peak)
            # Once nothing is left to earn on, later days of a resample add nothing.
            equity = max(equity, 0.0)
        mean, squares = total / count, 0.0
        for i in range(count):
            squares += (returns[places[i]] - mean) ** 2
        spread = np.sqrt(squares / (count - 1))
        sharpe[number] = mean / spread if spread > 1e-12 * abs(mean) else np.nan
        growth[number] = logs
        drawdown[number] = deepest


@kernel
def _resample_mean(numbers: Floats, length: int, seed: int, means: Floats) -> None:
    count = numbers.shape[0]
    places = np.empty(count, dtype=np.int64)
    for number in range(means.shape[0]):
        draw_places(count, length, seed, number, places)
        total = 0.0
        for i in range(count):
            total += numbers[places[i]]
        means[number] = total / count


def resample_days(
    returns: Floats, *, length: int | None = None, resamples: int = RESAMPLES, seed: int = SEED
) -> DailyDraws:
    """Figures of `resamples` resamples of daily returns, shape (n,), n >= 2.

    length: mean length of the blocks; None: `block_length`. Raises ValueError for fewer than two returns.
    """
    if len(returns) < 2:
        raise ValueError(f"two returns or more can be resampled, got {len(returns)}")
    mean_length = block_length(len(returns)) if length is None else length
    draws = DailyDraws(*(np.empty(resamples) for _ in range(3)))
    _resample_days(np.ascontiguousarray(returns, dtype=np.float64), mean_length, seed, *draws)
    return draws


def resample_mean(
    numbers: Floats, *, length: int | None = None, resamples: int = RESAMPLES, seed: int = SEED
) -> Floats:
    """Means of `resamples` resamples of numbers in order, shape (n,). Raises ValueError for none."""
    if len(numbers) == 0:
        raise ValueError("nothing to resample")
    mean_length = block_length(len(numbers)) if length is None else length
    means = np.empty(resamples)
    _resample_mean(np.ascontiguousarray(numbers, dtype=np.float64), mean_length, seed, means)
    return means


def interval(estimate: float | None, draws: Floats, level: float = 0.95) -> Interval | None:
    """Percentile interval of `draws` (nan left out) around an estimate.

    None without an estimate, without draws, or where an end is too large to be a number. Raises ValueError
    for a level outside (0, 1).
    """
    if not 0 < level < 1:
        raise ValueError(f"a level lies between 0 and 1, got {level}")
    known = draws[~np.isnan(draws)]
    if estimate is None or len(known) == 0:
        return None
    with np.errstate(invalid="ignore"):
        low, high = np.quantile(known, ((1 - level) / 2, (1 + level) / 2))
    if not (np.isfinite(low) and np.isfinite(high)):
        return None
    return Interval(estimate, float(low), float(high), level)
