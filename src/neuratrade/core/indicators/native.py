"""Our own indicators: one compiled step each, the same machine code live and in batch."""

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from neuratrade.core.indicators import average, divergence, momentum, trend, volatility, volume
from neuratrade.core.indicators.kernel import BAR_WIDTH, Runner, Step
from neuratrade.core.indicators.provider import RowLayout, check_bars, column_bits
from neuratrade.core.indicators.registry import cells_of, definition_of, indicator, warm_up_of
from neuratrade.core.indicators.spec import IndicatorSpec

STEPS: Final[dict[str, Step]] = {
    "sma": average.sma,
    "ema": average.ema,
    "rsi": momentum.rsi,
    "macd": momentum.macd,
    "stochastic": momentum.stochastic,
    "atr": volatility.atr,
    "bollinger": volatility.bollinger,
    "zscore": volatility.zscore,
    "obv": volume.obv,
    "vwap": volume.vwap,
    "session_vwap": volume.session_vwap,
    "volume_spike": volume.volume_spike,
    "adx": trend.adx,
    "supertrend": trend.supertrend,
    "ichimoku": trend.ichimoku,
    "rsi_divergence": divergence.rsi_divergence,
}


def _runner(specs: Sequence[IndicatorSpec]) -> Runner:
    parts = []
    for spec in specs:
        definition = definition_of(spec)
        needed = column_bits(definition.inputs)
        parts.append((STEPS[spec.name], needed, cells_of(spec), spec.params, len(definition.outputs)))
    return Runner(parts)


class NativeIndicators:
    """A set of native indicators on one stream of bars: `LiveIndicators` whose state can be kept and put
    back.

    `update` is the runner's own: a wrapper around it would cost as much as two indicators.
    """

    def __init__(self, specs: Sequence[IndicatorSpec]) -> None:
        self.specs = tuple(dict.fromkeys(specs))
        self.warm_up = max((warm_up_of(spec) for spec in self.specs), default=0)
        self._layout = RowLayout([(spec, definition_of(spec).outputs) for spec in self.specs])
        self._runner = _runner(self.specs)
        self.update = self._runner.update
        self.position = self._layout.position
        self.snapshot = self._runner.snapshot
        self.restore = self._runner.restore

    def __reduce__(self) -> tuple[Callable[..., "NativeIndicators"], tuple[object, ...]]:
        # The runner holds addresses of machine code, which mean nothing in another process.
        return _rebuilt, (self.specs, self.snapshot())


def _rebuilt(specs: tuple[IndicatorSpec, ...], state: NDArray[np.float64]) -> NativeIndicators:
    indicators = NativeIndicators(specs)
    indicators.restore(state)
    return indicators


class NativeProvider:
    """`IndicatorProvider` of our own kernels."""

    def live(self, specs: Sequence[IndicatorSpec]) -> NativeIndicators:
        """A fresh set; the same spec twice is computed once."""
        return NativeIndicators(specs)

    def batch(self, spec: IndicatorSpec, bars: NDArray[np.float64]) -> NDArray[np.float64]:
        """Values of `spec` over `bars` (n, 6), shape (n, outputs). Raises ValueError for another shape."""
        return _runner([spec]).run(check_bars(bars))


def compile_kernels(
    report: Callable[[str, int, int], None], names: Sequence[str] = tuple(STEPS), *, batch: bool = True
) -> None:
    """Compile kernels, or load them from numba's cache, telling `report(name, done, all)` before each.

    Only the first start on a machine takes long (seconds); a terminal can show progress meanwhile.
    names: the indicators wanted. batch: whether whole arrays will be computed as well as single bars.
    """
    total = len(names) + 1
    for done, name in enumerate(names):
        report(name, done, total)
        _ = STEPS[name].address
    report("loops", total - 1, total)
    spec = indicator(names[0])
    NativeIndicators([spec]).update(1.0, 1.0, 1.0, 1.0, 1.0)
    if batch:
        NativeProvider().batch(spec, np.ones((1, BAR_WIDTH)))
