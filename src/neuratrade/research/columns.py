"""Bars as columns: what a backtest reckons with in compiled code, and turns into bars only where it must.

Floats are how market data files keep prices; a bar made of them has the `Decimal` of the shortest text that
reads back as the same float, exactly as a replay of the file would make it.
"""

from dataclasses import dataclass
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.market import Bar

Floats = NDArray[np.float64]
Times = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Columns:
    """Bars of one instrument and one length, in order of time.

    ts: openings, ns UTC, strictly rising, on the grid of `span_ns`. open, high, low, close: quote currency
    per unit of base. volume: units of base. All of one length n.
    """

    instrument: Instrument
    span_ns: int
    ts: Times
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats

    def __len__(self) -> int:
        return len(self.ts)

    @property
    def close_ns(self) -> Times:
        """When each bar was complete."""
        return self.ts + self.span_ns

    def part(self, first: int, last: int) -> "Columns":
        """Bars `first` to before `last`."""
        cut = slice(first, last)
        return Columns(
            self.instrument,
            self.span_ns,
            self.ts[cut],
            self.open[cut],
            self.high[cut],
            self.low[cut],
            self.close[cut],
            self.volume[cut],
        )

    def closed_by(self, at_ns: int) -> int:
        """How many bars were complete at `at_ns`."""
        return int(np.searchsorted(self.ts, at_ns - self.span_ns, side="right"))

    def bar(self, place: int) -> Bar:
        """The bar at `place` as the engine takes it."""
        return Bar(
            self.instrument.key,
            self.span_ns,
            int(self.ts[place]),
            Decimal(repr(float(self.open[place]))),
            Decimal(repr(float(self.high[place]))),
            Decimal(repr(float(self.low[place]))),
            Decimal(repr(float(self.close[place]))),
            Decimal(repr(float(self.volume[place]))),
        )
