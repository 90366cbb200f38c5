"""Trend: ADX with its direction lines, SuperTrend, Ichimoku.

ADX follows TA-Lib. None of them looks ahead: what charts draw shifted (Ichimoku's cloud and its lagging span)
is given here as it is known at the bar.
"""

from neuratrade.core.indicators.kernel import CLOSE, HIGH, LOW, Cells, kernel, step
from neuratrade.core.indicators.volatility import ATR_CELLS, push_atr, true_range
from neuratrade.core.indicators.window import RING_CELLS, highest, lowest, push, recent

ADX_CELLS = 9
"""Cells an ADX needs: bars seen, last high, low and close, smoothed +DM, -DM, true range, ADX, sum of DX."""


@kernel
def push_adx(state: Cells, at: int, period: int, bar: Cells) -> bool:
    """Feed a bar to the ADX at `at`; whether it is warm. The ADX is then in `state[at + 7]`."""
    up, down = bar[HIGH] - state[at + 1], state[at + 2] - bar[LOW]
    spread = true_range(bar[HIGH], bar[LOW], state[at + 3])
    state[at + 1] = bar[HIGH]
    state[at + 2] = bar[LOW]
    state[at + 3] = bar[CLOSE]
    seen = state[at]
    if seen < 2 * period:
        state[at] += 1.0
    if seen == 0.0:
        return False
    if seen >= period:
        for cell in range(at + 4, at + 7):
            state[cell] -= state[cell] / period
    if up > 0.0 and up > down:
        state[at + 4] += up
    elif down > 0.0 and down > up:
        state[at + 5] += down
    state[at + 6] += spread
    if seen < period:
        return False
    directed = state[at + 4] + state[at + 5]
    if state[at + 6] > 0.0 and directed > 0.0:
        strength = 100.0 * (abs(state[at + 4] - state[at + 5]) / directed)
        if seen < 2 * period:
            state[at + 8] += strength
        else:
            state[at + 7] = (state[at + 7] * (period - 1) + strength) / period
    if seen == 2 * period - 1:
        state[at + 7] = state[at + 8] / period
    return bool(seen >= 2 * period - 1)


@step
def adx(state: Cells, params: Cells, bar: Cells, out: Cells) -> None:
    """Average directional index, +DI and -DI, 0 to 100. Source: Wilder 1978, section IV. state: an ADX.

    A bar without any range leaves the ADX where it was and sets both direction lines to 0, as in TA-Lib.
    """
    if push_adx(state, 0, int(params[0]), bar):
        out[0] = state[7]
        out[1] = 100.0 * (state[4] / state[6]) if state[6] > 0.0 else 0.0
        out[2] = 100.0 * (state[5] / state[6]) if state[6] > 0.0 else 0.0


@step
def supertrend(state: Cells, params: Cells, bar: Cells, out: Cells) -> None:
    """The trailing band of the current direction, and the direction: 1 up, -1 down.

    Bands lie `multiplier` ATR above and below the middle of the bar and only tighten until a close breaks
    them. It starts downward, as on common charts. state: an ATR, upper band, lower band, direction (0 before
    the start).
    """
    upper_at, lower_at, direction_at = ATR_CELLS, ATR_CELLS + 1, ATR_CELLS + 2
    previous_close, close = state[1], bar[CLOSE]
    if not push_atr(state, 0, int(params[0]), bar):
        return
    middle, reach = (bar[HIGH] + bar[LOW]) / 2.0, params[1] * state[2]
    upper, lower = middle + reach, middle - reach
    direction = state[direction_at]
    if direction == 0.0:
        direction = -1.0
    else:
        if previous_close <= state[upper_at]:
            upper = min(upper, state[upper_at])
        if previous_close >= state[lower_at]:
            lower = max(lower, state[lower_at])
        if direction < 0.0 and close > upper:
            direction = 1.0
        elif direction > 0.0 and close < lower:
            direction = -1.0
    state[upper_at] = upper
    state[lower_at] = lower
    state[direction_at] = direction
    out[0] = lower if direction > 0.0 else upper
    out[1] = direction


@kernel
def _push_middle(state: Cells, at: int, length: int, bar: Cells) -> float:
    lows_at = at + RING_CELLS + length
    push(state, at, length, bar[HIGH])
    if push(state, lows_at, length, bar[LOW]) < length:
        return 0.0
    return (highest(state, at, length) + lowest(state, lows_at, length)) / 2.0


@step
def ichimoku(state: Cells, params: Cells, bar: Cells, out: Cells) -> None:
    """Tenkan, kijun, senkou A, senkou B, chikou. Source: Hosoda 1968.

    Tenkan and kijun: middle of the range of `tenkan` and `kijun` bars. Senkou A and B: the cloud standing at
    this bar, computed `shift` bars ago. Chikou: the close minus the close `shift` bars ago, in price units;
    above 0 where the chart's lagging span lies above the price it is drawn over.
    state: rings of highs and lows for the three lengths, then rings of senkou A, senkou B and closes.
    """
    tenkan, kijun, senkou, shift = int(params[0]), int(params[1]), int(params[2]), int(params[3])
    kijun_at = 2 * (RING_CELLS + tenkan)
    senkou_at = kijun_at + 2 * (RING_CELLS + kijun)
    cloud_a_at = senkou_at + 2 * (RING_CELLS + senkou)
    held = shift + 1
    cloud_b_at = cloud_a_at + RING_CELLS + held
    closes_at = cloud_b_at + RING_CELLS + held
    fast = _push_middle(state, 0, tenkan, bar)
    base = _push_middle(state, kijun_at, kijun, bar)
    far = _push_middle(state, senkou_at, senkou, bar)
    push(state, closes_at, held, bar[CLOSE])
    if state[senkou_at] < senkou:
        return
    push(state, cloud_a_at, held, (fast + base) / 2.0)
    if push(state, cloud_b_at, held, far) == held:
        out[0] = fast
        out[1] = base
        out[2] = recent(state, cloud_a_at, held, shift)
        out[3] = recent(state, cloud_b_at, held, shift)
        out[4] = bar[CLOSE] - recent(state, closes_at, held, shift)
