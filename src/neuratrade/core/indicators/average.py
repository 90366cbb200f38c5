"""Moving averages: SMA, EMA.

Seeding follows TA-Lib: an EMA starts as the plain mean of its first `period` values, so the first value
appears with the `period`-th bar and no earlier value is made up.
"""

from neuratrade.core.indicators.kernel import CLOSE, Cells, kernel, step
from neuratrade.core.indicators.window import add_exactly, mean_of_sum, push_mean

EMA_CELLS = 3
"""Cells an EMA needs: values seen, the average (while seeding: the sum), the rounding error of the sum."""


@kernel
def push_ema(state: Cells, at: int, period: int, value: float) -> bool:
    """Feed `value` to the EMA at `at`; whether it is warm. The average is then in `state[at + 1]`."""
    if state[at] < period:
        state[at] += 1.0
        add_exactly(state, at + 1, value)
        if state[at] < period:
            return False
        state[at + 1] = mean_of_sum(state, at + 1, period)
        return True
    if period == 1:
        state[at + 1] = value
    else:
        state[at + 1] += (value - state[at + 1]) * (2.0 / (period + 1.0))
    return True


@step
def sma(state: Cells, params: Cells, bar: Cells, out: Cells) -> None:
    """Mean of the last `period` closes. state: a summing window."""
    period = int(params[0])
    mean = push_mean(state, 0, period, bar[CLOSE])
    if state[0] == period:
        out[0] = mean


@step
def ema(state: Cells, params: Cells, bar: Cells, out: Cells) -> None:
    """Average with weight 2 / (period + 1) on the newest close. state: an EMA."""
    if push_ema(state, 0, int(params[0]), bar[CLOSE]):
        out[0] = state[1]
