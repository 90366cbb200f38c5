"""Market regime from prices alone: TREND, RANGE, HIGH_VOLATILITY, CRASH, or UNKNOWN until warm.

The same bars always give the same regimes, live and in batch, for the detector is a step kernel like any
indicator. Every threshold is measured in the market's own recent movement, so that one set of defaults serves
minutes and hours, calm and wild assets. Entering a regime takes more than staying in it, so that it does not
flicker at a threshold.

In order of precedence, at each bar:

- CRASH: the close lies below the close of one of the last `crash_bars` bars, j bars ago, by at least
  `crash_floor` and by `crash_sigmas` times the root of j times the usual return (root mean square of the
  `window` returns before those bars). It lasts until `crash_hold` bars have passed without that. Without the
  floor a quiet night would make a crash of a ripple; the usual return is taken from before the fall, or the
  fall would excuse itself.
- HIGH_VOLATILITY: ATR over close ranks at `wild_rank` or higher within the last `window` bars, until below
  `calm_rank`.
- TREND: ADX of `trend_adx` or more, until below `range_adx`.
- RANGE: anything else.

A bar with an unusable or non-positive price is UNKNOWN and leaves no trace.
"""

import math
from collections.abc import Callable
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from neuratrade.core.indicators.kernel import CLOSE, Cells, Runner, kernel, step
from neuratrade.core.indicators.provider import check_bars, column_bits
from neuratrade.core.indicators.trend import ADX_CELLS, push_adx
from neuratrade.core.indicators.volatility import ATR_CELLS, push_atr
from neuratrade.core.indicators.window import RING_CELLS, SUM_CELLS, highest, push, push_sum, recent
from neuratrade.core.model.regime import Regime

_LARGEST_RETURN: Final = 10.0
"""A bar that multiplies the price further is an error or a redenomination; its square must not drown all."""


REGIMES: Final = tuple(Regime)
"""Regime by the code that `detect_regimes` returns."""

_UNKNOWN, _RANGE, _TREND, _WILD, _CRASH = range(5)


class RegimeParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Thresholds. The defaults are made for one-minute bars of crypto and hold for other timeframes
    unchanged.

    atr_period, adx_period, window, crash_bars, crash_hold: bars. trend_adx, range_adx: 0 to 100. wild_rank,
    calm_rank: fractions of the window. crash_floor: fraction of the price. crash_sigmas: usual returns.
    Raises ValueError for values out of range or a stay threshold above its entry threshold.
    """

    atr_period: int = 14
    adx_period: int = 14
    window: int = 1440
    wild_rank: float = 0.95
    calm_rank: float = 0.85
    trend_adx: float = 25.0
    range_adx: float = 20.0
    crash_bars: int = 60
    crash_sigmas: float = 6.0
    crash_floor: float = 0.015
    crash_hold: int = 30

    def __post_init__(self) -> None:
        for name, low, high in _RANGES:
            value = getattr(self, name)
            if not low <= value <= high:
                raise ValueError(f"regime: {name} = {value!r} must lie from {low:g} to {high:g}")
        if self.calm_rank > self.wild_rank:
            raise ValueError(f"regime: calm_rank {self.calm_rank} must not exceed wild_rank {self.wild_rank}")
        if self.range_adx > self.trend_adx:
            raise ValueError(f"regime: range_adx {self.range_adx} must not exceed trend_adx {self.trend_adx}")

    @property
    def warm_up(self) -> int:
        """Usable bars before the first known regime."""
        return max(self.atr_period + self.window - 1, 2 * self.adx_period - 1, self.crash_bars + self.window)


_RANGES: Final = (
    ("atr_period", 1, 10_000),
    ("adx_period", 2, 10_000),
    ("window", 10, 100_000),
    ("wild_rank", 0.0, 1.0),
    ("calm_rank", 0.0, 1.0),
    ("trend_adx", 0.0, 100.0),
    ("range_adx", 0.0, 100.0),
    ("crash_bars", 1, 10_000),
    ("crash_sigmas", 0.0, 1000.0),
    ("crash_floor", 0.0, 1.0),
    ("crash_hold", 0, 100_000),
)


@kernel
def _rank(state: Cells, at: int, length: int, value: float) -> float:
    below = 0
    for i in range(length):
        if state[at + RING_CELLS + i] < value:
            below += 1
    return below / length


@kernel
def _has_fallen(state: Cells, at: int, bars: int, least: float, usual_square: float) -> bool:
    close = recent(state, at, bars + 2, 0)
    # No fall is deeper than the one from the highest close: on most bars that one settles it.
    deepest = 1.0 - close / highest(state, at, bars + 2)
    if not (deepest > 0.0 and deepest >= least):
        return False
    for age in range(1, bars + 1):
        fall = 1.0 - close / recent(state, at, bars + 2, age)
        if fall > 0.0 and fall >= least and fall * fall >= usual_square * age:
            return True
    return False


@step
def regime(state: Cells, params: Cells, bar: Cells, out: Cells) -> None:
    """The code of the regime (index in REGIMES). params: the fields of RegimeParams in order.

    state: crash bars left, whether volatility is high, whether there is a trend, an ATR, an ADX, a ring of
    closes, a ring of ATR over close, a summing window of squared returns that ends where the crash bars
    begin.
    """
    atr_period, adx_period = int(params[0]), int(params[1])
    window, crash_bars = int(params[2]), int(params[7])
    atr_at, adx_at = 3, 3 + ATR_CELLS
    closes_at = adx_at + ADX_CELLS
    ranges_at = closes_at + RING_CELLS + crash_bars + 2
    squares_at = ranges_at + RING_CELLS + window
    close = bar[CLOSE]
    if close <= 0.0:
        return
    is_directed = push_adx(state, adx_at, adx_period, bar)
    spread, ranges = 0.0, 0
    if push_atr(state, atr_at, atr_period, bar):
        spread = state[atr_at + 2] / close
        ranges = push(state, ranges_at, window, spread)
    if push(state, closes_at, crash_bars + 2, close) < crash_bars + 2:
        return
    earlier = recent(state, closes_at, crash_bars + 2, crash_bars + 1)
    change = min(recent(state, closes_at, crash_bars + 2, crash_bars) / earlier - 1.0, _LARGEST_RETURN)
    squares = push_sum(state, squares_at, window, change * change)
    if not is_directed or ranges < window or state[squares_at] < window:
        return
    usual_square = params[8] * params[8] * max(squares, 0.0) / window
    if _has_fallen(state, closes_at, crash_bars, params[9], usual_square):
        state[0] = params[10] + 1.0
    elif state[0] > 0.0:
        state[0] -= 1.0
    wild = params[4] if state[1] > 0.0 else params[3]
    state[1] = 1.0 if _rank(state, ranges_at, window, spread) >= wild else 0.0
    strong = params[6] if state[2] > 0.0 else params[5]
    state[2] = 1.0 if state[adx_at + 7] >= strong else 0.0
    if state[0] > 0.0:
        out[0] = _CRASH
    elif state[1] > 0.0:
        out[0] = _WILD
    else:
        out[0] = _TREND if state[2] > 0.0 else _RANGE


_NEEDED: Final = column_bits(("high", "low", "close"))


def _runner(params: RegimeParams) -> Runner:
    closes = RING_CELLS + params.crash_bars + 2
    cells = 3 + ATR_CELLS + ADX_CELLS + closes + RING_CELLS + params.window + SUM_CELLS + params.window
    return Runner([(regime, _NEEDED, cells, msgspec.structs.astuple(params), 1)])


class RegimeDetector:
    """Follows one stream of bars."""

    def __init__(self, params: RegimeParams | None = None) -> None:
        self.params = params or RegimeParams()
        self._runner = _runner(self.params)
        self.snapshot = self._runner.snapshot
        self.restore = self._runner.restore

    def update(self, open: float, high: float, low: float, close: float, volume: float) -> Regime:
        """Take one closed bar; the regime as known at its close."""
        code = float(self._runner.update(open, high, low, close, volume)[0])
        return Regime.UNKNOWN if math.isnan(code) else REGIMES[int(code)]

    def __reduce__(self) -> tuple[Callable[..., "RegimeDetector"], tuple[object, ...]]:
        # The runner holds an address of machine code, which means nothing in another process.
        return _rebuilt, (self.params, self.snapshot())


def _rebuilt(params: RegimeParams, state: NDArray[np.float64]) -> RegimeDetector:
    detector = RegimeDetector(params)
    detector.restore(state)
    return detector


def detect_regimes(bars: NDArray[np.float64], params: RegimeParams | None = None) -> NDArray[np.int8]:
    """Codes (index in REGIMES) for `bars` (n, 6) made by `bar_table`: shape (n,). Equal to live."""
    values = _runner(params or RegimeParams()).run(check_bars(bars))
    codes: NDArray[np.int8] = np.nan_to_num(values[:, 0], nan=_UNKNOWN).astype(np.int8)
    return codes
