"""Momentum: RSI, MACD, slow stochastic.

Conventions are TA-Lib's, also where the formula is 0 / 0: RSI and %K of a window without any movement read 0.
That is a convention, not a sign of weakness: a rule that buys at RSI < 30 has to ask first whether the price
moves at all.
"""

from neuratrade.core.indicators.average import EMA_CELLS, push_ema
from neuratrade.core.indicators.kernel import CLOSE, HIGH, LOW, Cells, kernel, step
from neuratrade.core.indicators.window import RING_CELLS, SUM_CELLS, highest, lowest, push, push_mean

RSI_CELLS = 4
"""Cells an RSI needs: closes seen, previous close, average gain, average loss (while seeding: sums)."""


@kernel
def push_rsi(state: Cells, at: int, period: int, close: float) -> bool:
    """Feed `close` to the RSI at `at`; whether it is warm. Read it with `read_rsi`."""
    seen = state[at]
    change = close - state[at + 1]
    state[at + 1] = close
    if seen == 0.0:
        state[at] = 1.0
        return False
    gain, loss = max(change, 0.0), max(-change, 0.0)
    if seen > period:
        state[at + 2] = (state[at + 2] * (period - 1) + gain) / period
        state[at + 3] = (state[at + 3] * (period - 1) + loss) / period
        return True
    state[at] += 1.0
    state[at + 2] += gain
    state[at + 3] += loss
    if seen < period:
        return False
    state[at + 2] /= period
    state[at + 3] /= period
    return True


@kernel
def read_rsi(state: Cells, at: int) -> float:
    """RSI of the averages at `at`, 0 to 100; 0 when nothing moved."""
    moved = state[at + 2] + state[at + 3]
    return 100.0 * (state[at + 2] / moved) if moved > 0.0 else 0.0


@step
def rsi(state: Cells, params: Cells, bar: Cells, out: Cells) -> None:
    """Relative strength index. Source: Wilder 1978, section VI. state: an RSI."""
    if push_rsi(state, 0, int(params[0]), bar[CLOSE]):
        out[0] = read_rsi(state, 0)


@step
def macd(state: Cells, params: Cells, bar: Cells, out: Cells) -> None:
    """EMA(fast) - EMA(slow), its EMA(signal), and their difference.

    The fast EMA waits slow - fast bars, so that both are seeded at the same bar, as in TA-Lib.
    state: bars seen (up to slow - fast), then the fast, the slow and the signal EMA.
    """
    fast, slow, signal = int(params[0]), int(params[1]), int(params[2])
    close = bar[CLOSE]
    slow_at, signal_at = 1 + EMA_CELLS, 1 + 2 * EMA_CELLS
    if state[0] < slow - fast:
        state[0] += 1.0
    else:
        push_ema(state, 1, fast, close)
    if not push_ema(state, slow_at, slow, close):
        return
    line = state[2] - state[slow_at + 1]
    if push_ema(state, signal_at, signal, line):
        out[0] = line
        out[1] = state[signal_at + 1]
        out[2] = line - state[signal_at + 1]


@step
def stochastic(state: Cells, params: Cells, bar: Cells, out: Cells) -> None:
    """Slow %K (the fast %K smoothed by a mean of `smooth`) and %D (mean of `signal` slow %K), 0 to 100.

    state: rings of highs and of lows, then the summing windows of the fast and of the slow %K.
    """
    period, smooth, signal = int(params[0]), int(params[1]), int(params[2])
    lows_at = RING_CELLS + period
    fast_at = 2 * lows_at
    slow_at = fast_at + SUM_CELLS + smooth
    push(state, 0, period, bar[HIGH])
    if push(state, lows_at, period, bar[LOW]) < period:
        return
    top, bottom = highest(state, 0, period), lowest(state, lows_at, period)
    fast = 100.0 * ((bar[CLOSE] - bottom) / (top - bottom)) if top != bottom else 0.0
    slow = push_mean(state, fast_at, smooth, fast)
    if state[fast_at] < smooth:
        return
    mean = push_mean(state, slow_at, signal, slow)
    if state[slow_at] == signal:
        out[0] = slow
        out[1] = mean
