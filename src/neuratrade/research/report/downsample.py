"""Years of bars made small enough for a page, without losing a high, a low or a trade.

Candles keep the extremes of the bars they are made of. A line keeps the lowest, highest and last value of
each stretch, so that no drawdown disappears between two points. All of it works on whole columns at once.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from neuratrade.core.model.market import NS_PER_DAY, NS_PER_HOUR, NS_PER_MINUTE, NS_PER_SECOND
from neuratrade.research.columns import Columns, Floats, Times

_NICE = tuple(
    NS_PER_SECOND * n for n in (1, 5, 15, 30)
) + tuple(NS_PER_MINUTE * n for n in (1, 2, 3, 5, 10, 15, 30)) + tuple(
    NS_PER_HOUR * n for n in (1, 2, 4, 6, 8, 12)
) + tuple(NS_PER_DAY * n for n in (1, 2, 7, 14, 28))  # fmt: skip


class Candles(NamedTuple):
    """Bars put together. span_ns: the length of each. ts: openings; prices: n x 4, open high low close."""

    span_ns: int
    ts: Times
    prices: Floats


class Stretches(NamedTuple):
    """The bars around each trade, one stretch after the other.

    start_ns: opening of the first bar of each stretch. bars: how many bars make one candle of it. counts: its
    candles. ts: opening of every candle; prices: all candles, n x 4.
    """

    start_ns: Times
    bars: Times
    counts: Times
    ts: Times
    prices: Floats


def span_for(length_ns: int, base_ns: int, most: int) -> int:
    """The shortest span of whole bars of which at most `most` fit into `length_ns`: a usual one where that is
    near.
    """
    needed = max(-(-length_ns // (most * base_ns)), 1) * base_ns
    usual = (span for span in _NICE if needed <= span <= 4 * needed and span % base_ns == 0)
    return next(usual, needed)


def candles(bars: Columns, most: int) -> Candles:
    """All bars as at most about `most` candles on the grid of a usual span."""
    if not len(bars):
        return Candles(bars.span_ns, bars.ts, np.empty((0, 4)))
    span = span_for(int(bars.ts[-1] - bars.ts[0]) + bars.span_ns, bars.span_ns, most)
    slot = bars.ts // span
    first = np.flatnonzero(np.concatenate(([True], slot[1:] != slot[:-1])))
    return Candles(span, slot[first] * span, _gather(bars, first, np.append(first[1:], len(bars))))


def stretches(
    bars: Columns, entered_ns: Times, left_ns: Times, most_a_stretch: int, margin_fraction: float = 0.35
) -> Stretches:
    """The bars from before each entry until after its exit, in at most `most_a_stretch` candles each."""
    first = np.maximum(np.searchsorted(bars.ts, entered_ns, side="right") - 1, 0)
    last = np.maximum(np.searchsorted(bars.ts, left_ns, side="right") - 1, first)
    margin = np.maximum(((last - first + 1) * margin_fraction).astype(np.int64), 6)
    begin = np.maximum(first - margin, 0)
    end = np.minimum(last + margin + 1, len(bars))
    each = np.maximum(-(-(end - begin) // most_a_stretch), 1)
    counts = -(-(end - begin) // each)
    within = np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts)
    starts = np.repeat(begin, counts) + within * np.repeat(each, counts)
    ends = np.minimum(starts + np.repeat(each, counts), np.repeat(end, counts))
    return Stretches(bars.ts[begin], each, counts, bars.ts[starts], _gather(bars, starts, ends))


def _gather(bars: Columns, starts: NDArray[np.int64], ends: NDArray[np.int64]) -> Floats:
    """Open, high, low and close of bars `starts` to before `ends`, n x 4."""
    pairs = np.column_stack((starts, ends)).ravel()
    # One value more, since an end may be the end of all.
    high = np.maximum.reduceat(np.append(bars.high, -np.inf), pairs)[::2]
    low = np.minimum.reduceat(np.append(bars.low, np.inf), pairs)[::2]
    return np.column_stack((bars.open[starts], high, low, bars.close[ends - 1]))


def kept(lines: Sequence[Floats], most: int) -> NDArray[np.int64]:
    """Which of n places keep every line's extremes: at most about `most`, rising, the first and last always.

    lines: all of one length n. Each of them adds its lowest and highest place of every stretch.
    """
    n = len(lines[0])
    if n <= most:
        return np.arange(n)
    size = -(-n * (2 * len(lines) + 1) // most)
    whole = n // size
    base = np.arange(whole) * size
    places = [np.array([0, n - 1]), base + size - 1]
    for line in lines:
        parts = np.nan_to_num(line[: whole * size]).reshape(whole, size)
        places += [base + parts.argmin(axis=1), base + parts.argmax(axis=1)]
        rest = line[whole * size :]
        if len(rest):
            places.append(whole * size + np.array([int(rest.argmin()), int(rest.argmax())]))
    return np.unique(np.concatenate(places))


def drawdown(value: Floats) -> Floats:
    """How far below its highest value so far a line stands, fractions, zero or below.

    Where the highest value is not above zero there is no fraction to speak of: zero.
    """
    peak = np.maximum.accumulate(value)
    safe = np.where(peak > 0, peak, 1.0)
    return np.where(peak > 0, np.minimum(value / safe - 1.0, 0.0), 0.0)
