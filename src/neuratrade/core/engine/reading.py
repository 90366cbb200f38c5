"""What a closed bar says: regime, true range, volume of a day, and which strategies speak on it.

Live, a reader keeps its indicators itself and advances them bar by bar. A backtest reads the same from
arrays that the same kernels filled. The engine asks a reader and cannot tell the two apart.
"""

import math
from collections import deque
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple, Protocol

from neuratrade.core.bars.aggregate import BarBuilder
from neuratrade.core.indicators.registry import indicator
from neuratrade.core.model.decimals import ZERO, decimal_of
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.market import NS_PER_DAY, Bar
from neuratrade.core.model.regime import Regime
from neuratrade.core.regime import RegimeDetector
from neuratrade.core.strategies.port import Row, Strategy

if TYPE_CHECKING:
    from neuratrade.core.engine.config import EngineConfig

GATE_ATR = indicator("atr", 14)


class Said(NamedTuple):
    """A strategy spoke on a bar."""

    strategy: Strategy
    signal: int
    bar: Bar
    row: Row


class Reading(NamedTuple):
    """What is known at the close of one bar.

    atr: of the gate's timeframe, quote per base; None until warm. volume_24h: quote currency traded in the
    last 24 hours; None until 24 hours were seen.
    """

    regime: Regime
    atr: Decimal | None
    volume_24h: Decimal | None
    said: Sequence[Said]


class BarReader(Protocol):
    """Reads the bars of one instrument, each once and in order."""

    def read(self, bar: Bar) -> Reading:
        """What is known once `bar` has closed."""
        ...


class Timeframe:
    """One timeframe of one instrument: the bar in the making, one set of indicators for each user."""

    def __init__(self, instrument: Instrument, span_ns: int, config: "EngineConfig") -> None:
        self.span_ns = span_ns
        self._builder = BarBuilder(instrument.key, span_ns) if span_ns != config.base_span_ns else None
        self._asset = instrument.asset
        self._users = [
            (strategy, config.provider.live(strategy.indicators))
            for strategy in config.strategies
            if strategy.span_ns == span_ns and instrument.asset in strategy.assets
        ]
        self._previous: list[Row | None] = [None] * len(self._users)
        self._gate = config.provider.live((GATE_ATR,)) if span_ns == config.gate_span_ns else None
        self.atr: Decimal | None = None

    def take(self, bar: Bar, floats: tuple[float, float, float, float, float]) -> Iterable[Said]:
        """Takes a base bar; says what strategies have to say when it completes a bar of this timeframe."""
        if self._builder is None:
            return self._complete(bar, floats)
        said: list[Said] = []
        for done in self._builder.add_bar(bar):
            said.extend(self._complete(done, floats_of(done)))
        return said

    def _complete(self, bar: Bar, floats: tuple[float, float, float, float, float]) -> list[Said]:
        if self._gate is not None:
            value = float(self._gate.update(*floats)[0])
            self.atr = None if math.isnan(value) else decimal_of(value)
        said = []
        for place, (strategy, indicators) in enumerate(self._users):
            row = indicators.update(*floats).copy()
            previous = self._previous[place]
            self._previous[place] = row
            if previous is None:
                continue
            signal = strategy.entry(previous, row, floats[3], self._asset)
            if signal:
                said.append(Said(strategy, signal, bar, row))
        return said


class LiveReader:
    """Advances indicators and regime by each bar as it comes. Implements `BarReader`."""

    def __init__(self, instrument: Instrument, config: "EngineConfig") -> None:
        spans = {config.gate_span_ns} | {item.span_ns for item in config.strategies}
        self._timeframes = [Timeframe(instrument, span_ns, config) for span_ns in sorted(spans)]
        self._gate = next(item for item in self._timeframes if item.span_ns == config.gate_span_ns)
        self._detector = RegimeDetector(config.regime)
        self._multiplier = instrument.multiplier
        self._day: deque[tuple[int, Decimal]] = deque()
        self._day_volume = ZERO
        self._first_ns: int | None = None

    def read(self, bar: Bar) -> Reading:
        """Takes a completed base bar: volume, regime, every timeframe."""
        floats = floats_of(bar)
        volume = self._count_volume(bar)
        regime = self._detector.update(*floats)
        said: list[Said] = []
        for timeframe in self._timeframes:
            said.extend(timeframe.take(bar, floats))
        return Reading(regime, self._gate.atr, volume, said)

    def _count_volume(self, bar: Bar) -> Decimal | None:
        close_ns = bar.close_ns
        if self._first_ns is None:
            self._first_ns = bar.open_ns
        value = bar.volume * bar.close * self._multiplier
        self._day.append((close_ns, value))
        self._day_volume += value
        oldest = close_ns - NS_PER_DAY
        while self._day[0][0] <= oldest:
            self._day_volume -= self._day.popleft()[1]
        return self._day_volume if close_ns - self._first_ns >= NS_PER_DAY else None


def floats_of(bar: Bar) -> tuple[float, float, float, float, float]:
    """Open, high, low, close, volume as the kernels take them."""
    return float(bar.open), float(bar.high), float(bar.low), float(bar.close), float(bar.volume)
