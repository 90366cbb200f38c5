"""What every bar of a series says, reckoned at once: indicators, regime, true range, volume, signals.

The kernels are those that run live, looped in compiled code, so a value at a bar is bit for bit what a desk
would have had there. Amounts that live trading adds up as `Decimal` are added up here as whole numbers of
their smallest unit, which is the same sum; where a column does not fit that, as `Decimal` after all.
"""

import itertools
import math
from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from neuratrade.core.bars.timeframe import grid_offset
from neuratrade.core.engine.reading import GATE_ATR, Reading, Said
from neuratrade.core.indicators.provider import IndicatorProvider, bar_table
from neuratrade.core.model.decimals import ZERO, decimal_of
from neuratrade.core.model.market import NS_PER_DAY, Bar
from neuratrade.core.regime import REGIMES, RegimeParams, detect_regimes
from neuratrade.core.strategies.port import Row, Strategy
from neuratrade.research.columns import Columns, Floats, Times

MOST_PLACES = 12
_EXACT = 1e15
"""Floats of fewer digits than this stand for exactly one decimal number."""

Places = NDArray[np.int64]
Signals = NDArray[np.int8]


@runtime_checkable
class ScansArrays(Protocol):
    """A strategy that can look at whole arrays, with the same compiled rule as bar by bar."""

    def entries(self, rows: Floats, closes: Row, asset: str) -> Signals: ...


class Units(NamedTuple):
    """A column as whole numbers of 10 to the power of minus `places`."""

    whole: NDArray[np.int64]
    places: int


def as_units(column: Floats) -> Units | None:
    """A column of decimal numbers exactly; None where it has too many digits for that."""
    largest = float(np.abs(column).max(initial=0.0))
    for places in range(MOST_PLACES + 1):
        scale = 10.0**places
        if largest * scale >= _EXACT:
            return None
        whole = np.rint(column * scale)
        if bool((whole / scale == column).all()):
            return Units(whole.astype(np.int64), places)
    return None


class Grouped(NamedTuple):
    """Bars of a longer timeframe, and the place of the base bar at which each was complete."""

    bars: Columns
    complete_at: Places


def grouped(base: Columns, span_ns: int) -> Grouped:
    """`base` as bars of `span_ns`, as a desk makes them that sees the base bars one by one.

    Thin ones count, spans without a base bar do not; the first is left out where the data began inside it,
    and the last where it is not over. A bar whose end is missing is complete with the next base bar.
    """
    if span_ns == base.span_ns:
        return Grouped(base, np.arange(len(base)))
    opening = base.ts - (base.ts - grid_offset(span_ns)) % span_ns
    starts = np.concatenate(([0], np.flatnonzero(np.diff(opening)) + 1))
    ends = np.concatenate((starts[1:], [len(base)])) - 1
    whole = base.ts[ends] + base.span_ns == opening[ends] + span_ns
    complete_at = np.where(whole, ends, ends + 1)
    kept = complete_at < len(base)
    kept[0] &= base.ts[0] == opening[0]
    first = starts[kept]
    bars = Columns(
        base.instrument,
        span_ns,
        opening[first],
        base.open[first],
        np.maximum.reduceat(base.high, starts)[kept],
        np.minimum.reduceat(base.low, starts)[kept],
        base.close[ends[kept]],
        _summed(base.volume, starts)[kept],
    )
    return Grouped(bars, complete_at[kept])


def _summed(column: Floats, starts: Places) -> Floats:
    """Sums from each start to the next, as decimal numbers, rounded once."""
    units = as_units(column)
    if units is not None and float(units.whole.sum(dtype=np.float64)) < _EXACT:
        return np.asarray(np.add.reduceat(units.whole, starts) / 10.0**units.places, dtype=np.float64)
    bounds = [*starts.tolist(), len(column)]
    texts = [Decimal(repr(value)) for value in column.tolist()]
    sums = [float(sum(texts[a:b], ZERO)) for a, b in itertools.pairwise(bounds)]
    return np.array(sums)


class Heard(NamedTuple):
    """A strategy's word. place: the base bar it came with; rank: its order there; at: the bar of its own."""

    place: int
    rank: int
    at: int
    user: "_User"
    signal: int


class _User(NamedTuple):
    strategy: Strategy
    timeframe: Grouped
    rows: Floats


class ArrayReader:
    """Reads bars out of arrays. Implements `BarReader`; whoever drives it sets `place` before each bar."""

    def __init__(
        self,
        base: Columns,
        strategies: Sequence[Strategy],
        provider: IndicatorProvider,
        regime: RegimeParams,
        gate_span_ns: int,
    ) -> None:
        self.place = -1
        self.words: list[Heard] = []
        self._base = base
        self._regimes = detect_regimes(bar_table_of(base), regime)
        self._gate = grouped(base, gate_span_ns)
        self._atr = provider.batch(GATE_ATR, bar_table_of(self._gate.bars))[:, 0]
        self._volume = _DayVolume(base)
        asset = base.instrument.asset
        mine = [item for item in strategies if asset in item.assets]
        for rank, strategy in enumerate(sorted(mine, key=lambda item: item.span_ns)):
            self._listen(rank, strategy, provider, asset)
        self.words.sort(key=lambda word: (word.place, word.user.strategy.span_ns, word.at, word.rank))
        self._said: dict[int, list[Heard]] = {}
        for word in self.words:
            self._said.setdefault(word.place, []).append(word)

    def _listen(self, rank: int, strategy: Strategy, provider: IndicatorProvider, asset: str) -> None:
        timeframe = grouped(self._base, strategy.span_ns)
        table = bar_table_of(timeframe.bars)
        specs = tuple(dict.fromkeys(strategy.indicators))
        rows = np.hstack([provider.batch(spec, table) for spec in specs])
        user = _User(strategy, timeframe, rows)
        signals = signals_of(strategy, rows, timeframe.bars.close, asset)
        for at in np.flatnonzero(signals).tolist():
            place = int(timeframe.complete_at[at])
            self.words.append(Heard(place, rank, at, user, int(signals[at])))

    def read(self, bar: Bar) -> Reading:
        """What is known at the close of the bar at `place`.

        Range and volume only where a strategy speaks: nobody else asks for them.
        """
        place = self.place
        regime = REGIMES[self._regimes[place]]
        words = self._said.get(place)
        if words is None:
            return Reading(regime, None, None, ())
        known = int(self._gate.complete_at.searchsorted(place, side="right")) - 1
        atr = float(self._atr[known]) if known >= 0 else math.nan
        return Reading(
            regime,
            None if math.isnan(atr) else decimal_of(atr),
            self._volume.at(place),
            [_said(word, bar) for word in words],
        )


def _said(word: Heard, bar: Bar) -> Said:
    strategy, timeframe, rows = word.user
    spoken = bar if timeframe.bars.span_ns == bar.span_ns else timeframe.bars.bar(word.at)
    return Said(strategy, word.signal, spoken, rows[word.at])


def signals_of(strategy: Strategy, rows: Floats, closes: Floats, asset: str) -> Signals:
    if isinstance(strategy, ScansArrays):
        return strategy.entries(rows, closes, asset)
    signals = np.zeros(len(closes), dtype=np.int8)
    for at in range(1, len(closes)):
        signals[at] = strategy.entry(rows[at - 1], rows[at], float(closes[at]), asset)
    return signals


def bar_table_of(bars: Columns) -> Floats:
    return bar_table(open=bars.open, high=bars.high, low=bars.low, close=bars.close, volume=bars.volume)


class _DayVolume:
    """What was traded in the 24 hours before a bar closed, quote currency."""

    def __init__(self, base: Columns) -> None:
        self._base = base
        self._opened: Times = base.ts
        self._multiplier = base.instrument.multiplier
        self._sums: NDArray[np.int64] | None = None
        self._places = 0
        volume, close = as_units(base.volume), as_units(base.close)
        most = NS_PER_DAY // base.span_ns + 1
        if volume is not None and close is not None:
            largest = float(volume.whole.max(initial=0)) * float(close.whole.max(initial=0))
            if largest * most < 2.0**62:
                # Sums run over and come back: only their differences are used, and those fit.
                self._sums = np.concatenate(([0], np.cumsum(volume.whole * close.whole)))
                self._places = volume.places + close.places

    def at(self, place: int) -> Decimal | None:
        """At the close of a bar; None until 24 hours were seen."""
        span_ns, opened_ns = self._base.span_ns, int(self._opened[place])
        if opened_ns + span_ns - int(self._opened[0]) < NS_PER_DAY:
            return None
        first = int(self._opened.searchsorted(opened_ns - NS_PER_DAY, side="right"))
        if self._sums is not None:
            whole = (int(self._sums[place + 1]) - int(self._sums[first])) % 2**64
            return Decimal(whole).scaleb(-self._places) * self._multiplier
        closes, volumes = self._base.close[first : place + 1], self._base.volume[first : place + 1]
        pairs = zip(volumes.tolist(), closes.tolist(), strict=True)
        return sum((Decimal(repr(v)) * Decimal(repr(c)) * self._multiplier for v, c in pairs), ZERO)
