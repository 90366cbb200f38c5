"""Volatility: ATR, Bollinger bands, z-score.

The deviations are taken in two passes over the window. The usual mean of squares minus square of mean loses
every digit once the price is large against its movement, and can even turn negative.
"""

from neuratrade.core.indicators.kernel import CLOSE, HIGH, LOW, Cells, kernel, step
from neuratrade.core.indicators.window import RING_CELLS, SUM_CELLS, deviation, push, push_mean

ATR_CELLS = 3
"""Cells an ATR needs: bars seen, previous close, the average (while seeding: the sum)."""


@kernel
def true_range(high: float, low: float, previous_close: float) -> float:
    """The bar's range, widened by the gap from the previous close."""
    return max(high - low, abs(high - previous_close), abs(low - previous_close))


@kernel
def push_atr(state: Cells, at: int, period: int, bar: Cells) -> bool:
    """Feed a bar to the ATR at `at`; whether it is warm. The average is then in `state[at + 2]`."""
    seen = state[at]
    spread = true_range(bar[HIGH], bar[LOW], state[at + 1])
    state[at + 1] = bar[CLOSE]
    if seen > period:
        state[at + 2] = (state[at + 2] * (period - 1) + spread) / period
        return True
    state[at] += 1.0
    if seen == 0.0:
        return False
    state[at + 2] += spread
    if seen < period:
        return False
    state[at + 2] /= period
    return True


@step
def atr(state: Cells, params: Cells, bar: Cells, out: Cells) -> None:
    """Average true range, in price units, seeded by a plain mean. Source: Wilder 1978, section III.

    state: an ATR.
    """
    if push_atr(state, 0, int(params[0]), bar):
        out[0] = state[2]


@step
def bollinger(state: Cells, params: Cells, bar: Cells, out: Cells) -> None:
    """Mean of the last closes, and `deviations` population deviations above and below it.

    state: a summing window.
    """
    period, width = int(params[0]), params[1]
    middle = push_mean(state, 0, period, bar[CLOSE])
    if state[0] < period:
        return
    _, sigma = deviation(state, SUM_CELLS, period, bar[CLOSE])
    out[0] = middle + width * sigma
    out[1] = middle
    out[2] = middle - width * sigma


@step
def zscore(state: Cells, params: Cells, bar: Cells, out: Cells) -> None:
    """How many population deviations the close lies above the mean of its window; 0 in a flat window.

    state: a ring.
    """
    period = int(params[0])
    if push(state, 0, period, bar[CLOSE]) < period:
        return
    below, sigma = deviation(state, RING_CELLS, period, bar[CLOSE])
    out[0] = -below / sigma if sigma > 0.0 else 0.0
