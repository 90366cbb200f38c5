"""Moving windows inside the flat state of a step.

A plain running sum drifts: after a jump to 1e12 and back, the rounding error of the jump stays in it for
ever. The sum here carries its rounding error along (Knuth's two-sum), and is taken anew from the window each
time the ring comes round, or at once when most of it has cancelled. It costs a few operations a bar and stays
exact to the last digits.

Each routine owns a stretch of `state` from cell `at`; all zeros is the empty window. Read only after the
newest value was put in. Ages count back from the newest value, which has age 0.
"""

import math
from typing import Final

from neuratrade.core.indicators.kernel import Cells, kernel

RING_CELLS: Final = 2
"""Cells a ring needs beside its values: how many values came, and where the next one goes."""
SUM_CELLS: Final = RING_CELLS + 3
"""Cells a summing window needs beside its values: a ring's, then the sum, its rounding error, its peak."""

_CANCELLED: Final = 2.0**-40
_SPLIT: Final = 2.0**27 + 1.0


@kernel
def push(state: Cells, at: int, length: int, value: float) -> int:
    """Put `value` into the ring of `length` values at `at`; the values held now, at most `length`."""
    head = int(state[at + 1])
    state[at + RING_CELLS + head] = value
    head += 1
    state[at + 1] = 0.0 if head == length else float(head)
    if state[at] < length:
        state[at] += 1.0
    return int(state[at])


@kernel
def recent(state: Cells, at: int, length: int, age: int) -> float:
    """The value that is `age` values older than the newest (0 <= age < values held)."""
    index = int(state[at + 1]) - 1 - age
    if index < 0:
        index += length
    return float(state[at + RING_CELLS + index])


@kernel
def highest(state: Cells, at: int, length: int) -> float:
    """The largest value of a full ring."""
    best = state[at + RING_CELLS]
    for i in range(1, length):
        best = max(best, state[at + RING_CELLS + i])
    return float(best)


@kernel
def lowest(state: Cells, at: int, length: int) -> float:
    """The smallest value of a full ring."""
    best = state[at + RING_CELLS]
    for i in range(1, length):
        best = min(best, state[at + RING_CELLS + i])
    return float(best)


@kernel
def add_exactly(state: Cells, at: int, value: float) -> None:
    """Add `value` to the pair (sum, rounding error) held in cells `at` and `at + 1`."""
    total = state[at] + value
    shifted = total - state[at]
    error = (state[at] - (total - shifted)) + (value - shifted) + state[at + 1]
    state[at] = total + error
    state[at + 1] = error - (state[at] - total)


@kernel
def mean_of_sum(state: Cells, at: int, count: int) -> float:
    """The pair (sum, rounding error) in cells `at` and `at + 1` over `count`, rounded once.

    Plain division can miss the mean of equal prices by a digit, and a flat market would lie above its own
    average. What it misses is found by splitting the quotient so that both products are exact (Dekker 1971).
    """
    quotient = state[at] / count
    scaled = quotient * _SPLIT
    upper = scaled - (scaled - quotient)
    missed = (state[at] - upper * count) - (quotient - upper) * count + state[at + 1]
    return float(quotient + missed / count)


@kernel
def push_sum(state: Cells, at: int, length: int, value: float) -> float:
    """Put `value` into the summing window of `length` values at `at`; the sum of the values now held.

    The values start at `at + SUM_CELLS`; the count of values held is in `state[at]`.
    """
    total, peak, values = at + 2, at + 4, at + SUM_CELLS
    head = int(state[at + 1])
    full = state[at] == length
    leaving = state[values + head]
    state[values + head] = value
    head += 1
    state[at + 1] = 0.0 if head == length else float(head)
    if not full:
        state[at] += 1.0
    add_exactly(state, total, value)
    if full:
        add_exactly(state, total, -leaving)
    state[peak] = max(state[peak], abs(state[total]), abs(value), abs(leaving))
    if full and (head == length or abs(state[total]) < state[peak] * _CANCELLED):
        state[total] = 0.0
        state[total + 1] = 0.0
        for i in range(length):
            add_exactly(state, total, state[values + i])
        state[peak] = abs(state[total])
    return float(state[total])


@kernel
def push_mean(state: Cells, at: int, length: int, value: float) -> float:
    """`push_sum`, divided by `length`: the mean once the window is full."""
    push_sum(state, at, length, value)
    return mean_of_sum(state, at + 2, length)


@kernel
def deviation(state: Cells, values: int, length: int, newest: float) -> tuple[float, float]:
    """Mean of the window minus `newest`, and the population standard deviation of the window.

    Works on distances from `newest`, a member of the window: they never exceed n deviations, so nothing
    cancels, and a constant window gives exactly 0.
    """
    mean = 0.0
    for i in range(length):
        mean += state[values + i] - newest
    mean /= length
    square = 0.0
    for i in range(length):
        distance = (state[values + i] - newest) - mean
        square += distance * distance
    return mean, math.sqrt(square / length)
