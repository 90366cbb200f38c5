"""RSI divergence on confirmed pivots.

A close is a pivot low when it is strictly below the `wing` closes before it and not above the `wing` closes
after it (so that of equal lows side by side only the first counts); a pivot high is the mirror. It is known,
and counts, only when those later closes are in: at bar t the pivot is bar t - wing. Drawing it at its own bar
would be looking ahead.

Bullish at bar t: bar p = t - wing is a pivot low, the pivot low before it, q, is at most `reach` bars older,
and close[p] < close[q] while RSI[p] > RSI[q]. Bearish: the mirror on pivot highs, close[p] > close[q], RSI[p]
< RSI[q]. Each is 1 on the bar that confirms it and 0 otherwise. Only pivots with a warm RSI count, and the
comparison is always with the last pivot, never with an older one that suits better.
"""

from neuratrade.core.indicators.kernel import CLOSE, Cells, kernel, step
from neuratrade.core.indicators.momentum import RSI_CELLS, push_rsi, read_rsi
from neuratrade.core.indicators.window import RING_CELLS, push, recent

PIVOT_CELLS = 3
"""Cells of a remembered pivot: bars since its confirmation plus 1 (0: none yet), its close, its RSI."""


@kernel
def _is_pivot(state: Cells, at: int, wing: int, side: float) -> bool:
    length = 2 * wing + 1
    centre = side * recent(state, at, length, wing)
    for distance in range(1, wing + 1):
        if side * recent(state, at, length, wing + distance) >= centre:
            return False
        if side * recent(state, at, length, wing - distance) > centre:
            return False
    return True


@kernel
def _remember_pivot(state: Cells, at: int, close: float, strength: float) -> None:
    state[at] = 1.0
    state[at + 1] = close
    state[at + 2] = strength


@step
def rsi_divergence(state: Cells, params: Cells, bar: Cells, out: Cells) -> None:
    """Bullish and bearish divergence, 0 or 1 each. params: RSI period, wing, reach (all in bars).

    state: an RSI, rings of closes and of RSI values, the last pivot low, the last pivot high.
    """
    period, wing, reach = int(params[0]), int(params[1]), int(params[2])
    length = 2 * wing + 1
    closes_at = RSI_CELLS
    strengths_at = closes_at + RING_CELLS + length
    low_at = strengths_at + RING_CELLS + length
    high_at = low_at + PIVOT_CELLS
    warm = push_rsi(state, 0, period, bar[CLOSE])
    held = push(state, closes_at, length, bar[CLOSE])
    known = push(state, strengths_at, length, read_rsi(state, 0)) if warm else 0
    for at in (low_at, high_at):
        if state[at] > 0.0:
            state[at] += 1.0
    if known <= wing or held < length:
        return
    close, strength = recent(state, closes_at, length, wing), recent(state, strengths_at, length, wing)
    out[0] = 0.0
    out[1] = 0.0
    if _is_pivot(state, closes_at, wing, -1.0):
        is_near = 0.0 < state[low_at] <= reach + 1.0
        if is_near and close < state[low_at + 1] and strength > state[low_at + 2]:
            out[0] = 1.0
        _remember_pivot(state, low_at, close, strength)
    if _is_pivot(state, closes_at, wing, 1.0):
        is_near = 0.0 < state[high_at] <= reach + 1.0
        if is_near and close > state[high_at + 1] and strength < state[high_at + 2]:
            out[1] = 1.0
        _remember_pivot(state, high_at, close, strength)
