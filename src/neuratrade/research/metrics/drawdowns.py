"""Falls from a peak: how deep, how long, and whether they ended."""

from typing import NamedTuple

import numpy as np

from neuratrade.research.columns import Floats, Times


class Drawdown(NamedTuple):
    """The deepest fall. fraction: of its peak, zero or above; 1 or more where all was lost.

    length_ns: from its peak to the first instant back at that peak, or to the end where there is none.
    longest_ns: of the longest time below a peak, which need not be the deepest. recovered: whether the
    deepest one ended; True where there was none.
    """

    fraction: float
    length_ns: int
    longest_ns: int
    recovered: bool


def drawdown_curve(value: Floats, cash: float) -> Floats:
    """How far equity lies below its highest so far, as a fraction of that, shape (n,), zero or above.

    The start cash is the first peak. Source: Magdon-Ismail and Atiya 2004.
    """
    peak = np.maximum.accumulate(np.concatenate(([cash], value)))[1:]
    curve: Floats = (peak - value) / peak
    return curve


def max_drawdown(at_ns: Times, value: Floats, cash: float, start_ns: int) -> Drawdown:
    """The deepest fall of equity from a peak before it, and its length; the first of equally deep ones.

    at_ns: rising, shape (n,). value: (n,). cash: equity at `start_ns`, the first peak, above zero.
    """
    if len(value) == 0:
        return Drawdown(0.0, 0, 0, True)
    times = np.concatenate(([start_ns], at_ns))
    whole = np.concatenate(([cash], value))
    peak = np.maximum.accumulate(whole)
    fall = (peak - whole) / peak
    below = fall > 0
    at_peak = np.where(below, -1, np.arange(len(whole)))
    begins = np.maximum.accumulate(at_peak)
    ends = np.minimum.accumulate(np.where(below, len(whole), np.arange(len(whole)))[::-1])[::-1]
    lasted = np.where(below, times[np.minimum(ends, len(whole) - 1)] - times[begins], 0)
    place = int(np.argmax(fall))
    recovered = bool(not below[place] or ends[place] < len(whole))
    return Drawdown(float(fall[place]), int(lasted[place]), int(lasted.max()), recovered)
