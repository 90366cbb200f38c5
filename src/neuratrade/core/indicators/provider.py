"""Where indicator values come from: the port, and the table of bars it reads.

A provider promises that `batch` over bars 0..t and `live` fed the same bars end with the same bits at t, and
that a value at t depends on bars 0..t only. Backtests rely on the first, honest results on the second.
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from neuratrade.core.indicators.spec import IndicatorSpec

BAR_COLUMNS = ("open", "high", "low", "close", "volume", "session")


def column_bits(names: Sequence[str]) -> int:
    """Bar columns as bits, the lowest for `open`."""
    return sum(1 << BAR_COLUMNS.index(name) for name in names)


def check_bars(bars: NDArray[np.float64]) -> NDArray[np.float64]:
    """`bars` as a C-contiguous float64 table. Raises ValueError for a shape other than (n, 6)."""
    if bars.ndim != 2 or bars.shape[1] != len(BAR_COLUMNS):
        raise ValueError(f"bars have shape {bars.shape}; make them with bar_table: (n, {len(BAR_COLUMNS)})")
    return np.ascontiguousarray(bars, dtype=np.float64)


class RowLayout:
    """Where each output of each spec stands in a row."""

    def __init__(self, specs: Sequence[tuple[IndicatorSpec, tuple[str, ...]]]) -> None:
        self._outputs = dict(specs)
        self._starts: dict[IndicatorSpec, int] = {}
        self.width = 0
        for spec, outputs in self._outputs.items():
            self._starts[spec] = self.width
            self.width += len(outputs)

    def position(self, spec: IndicatorSpec, output: str = "") -> int:
        """Place of an output of `spec`, its first one by default. Raises ValueError for what is not there."""
        if spec not in self._starts:
            raise ValueError(
                f"{spec} is not in this set; it holds {', '.join(map(str, self._starts)) or 'none'}"
            )
        outputs = self._outputs[spec]
        if output and output not in outputs:
            raise ValueError(f"{spec} has no output {output!r}; it has {', '.join(outputs)}")
        return self._starts[spec] + (outputs.index(output) if output else 0)


class LiveIndicators(Protocol):
    """A set of indicators that follows one stream of bars."""

    @property
    def warm_up(self) -> int:
        """Bars needed before the first row with all values."""
        ...

    def update(
        self, open: float, high: float, low: float, close: float, volume: float, *, session: float = 0.0
    ) -> NDArray[np.float64]:
        """Take one closed bar; the row of all values, overwritten by the next update. nan until warm.

        session: number of the session the bar belongs to, such as the day; only session-anchored ones read
        it.
        """
        ...

    def position(self, spec: IndicatorSpec, output: str = "") -> int:
        """Where in the row an output of `spec` stands (its first one by default). Ask once, not every bar."""
        ...


class IndicatorProvider(Protocol):
    """Computes indicators, bar by bar or over whole arrays."""

    def live(self, specs: Sequence[IndicatorSpec]) -> LiveIndicators:
        """A fresh set for one stream. Raises ValueError for a spec the provider cannot compute."""
        ...

    def batch(self, spec: IndicatorSpec, bars: NDArray[np.float64]) -> NDArray[np.float64]:
        """Values over `bars` (n, 6), made by `bar_table`: shape (n, outputs). nan until warm."""
        ...


def bar_table(
    *,
    open: NDArray[np.float64],
    high: NDArray[np.float64],
    low: NDArray[np.float64],
    close: NDArray[np.float64],
    volume: NDArray[np.float64],
    session: NDArray[np.float64] | None = None,
) -> NDArray[np.float64]:
    """Columns of equal length n as one (n, 6) table in the order of BAR_COLUMNS; session 0 where not given.

    Raises ValueError when the lengths differ.
    """
    columns = (open, high, low, close, volume, np.zeros(len(close)) if session is None else session)
    lengths = [len(column) for column in columns]
    if len(set(lengths)) != 1:
        found = ", ".join(f"{name} {length}" for name, length in zip(BAR_COLUMNS, lengths, strict=True))
        raise ValueError(f"bar columns differ in length: {found}")
    return np.ascontiguousarray(np.column_stack(columns), dtype=np.float64)
