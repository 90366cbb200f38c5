"""VWAP, RSI and MACD of a live market as they are now, reckoned here from its ticks and never asked for.

The same compiled kernels as everywhere advance them, bar by bar: what is read at the close of a bar is, to
the last bit, what a batch over the same bars gives. Between closes the bar in the making is counted as if it
closed now, on a copy that is forgotten. Each bar counts once and in order, wherever it comes from: history
first, then bars of the feed, or bars that grow here from trades.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from neuratrade.core.bars.aggregate import BarBuilder
from neuratrade.core.indicators.native import NativeIndicators
from neuratrade.core.indicators.registry import definition_of, indicator
from neuratrade.core.indicators.spec import IndicatorSpec
from neuratrade.core.model.market import NS_PER_MINUTE, Bar, Trade

ROLLING: Final = (indicator("vwap"), indicator("rsi"), indicator("macd"))


class RollingReading(msgspec.Struct, frozen=True):
    """What is read of one instrument.

    bar: the last one counted; its close_ns lies ahead where `is_forming`. values: by indicator and output,
    such as `macd(12, 26, 9).signal`; nan until there were bars enough, and where it is undefined.
    bars: how many were counted, the one in the making included.
    """

    bar: Bar
    bars: int
    is_forming: bool
    values: dict[str, float]


class RollingReadings:
    """Readings of many instruments, each made known by its first bar or trade.

    specs: what is read. span_ns: length of a bar. skipped: bars that came twice or too late, not counted.
    """

    def __init__(self, specs: Sequence[IndicatorSpec] = ROLLING, span_ns: int = NS_PER_MINUTE) -> None:
        self._specs = tuple(dict.fromkeys(specs))
        self._span_ns = span_ns
        self._lines: dict[str, _Line] = {}
        self.skipped = 0
        # Kernels are compiled or loaded on their first use, for half a second or more: no tick waits for it.
        NativeIndicators(self._specs).update(1.0, 1.0, 1.0, 1.0, 1.0)

    def add_bar(self, bar: Bar) -> bool:
        """Counts a closed bar; whether it was new. Raises ValueError for a bar of another length."""
        if bar.span_ns != self._span_ns:
            raise ValueError(f"a bar of {bar.span_ns} ns in readings of {self._span_ns} ns")
        taken = self._line(bar.instrument).count(bar)
        self.skipped += not taken
        return taken

    def add_trade(self, trade: Trade) -> list[Bar]:
        """Counts a trade into the bar in the making. Returns the bars that it closed and that were new."""
        line = self._line(trade.instrument)
        return self._closed(line, line.builder.add_trade(trade))

    def advance(self, now_ns: int) -> list[Bar]:
        """Time has come to `now_ns`: closes what has ended, in all instruments. Returns the bars."""
        return [
            bar for line in self._lines.values() for bar in self._closed(line, line.builder.advance(now_ns))
        ]

    def interrupted(self, instrument: str, whole_from_ns: int) -> None:
        """Trades were missed up to a time: the bars they belong to must come from elsewhere."""
        self._line(instrument).begin_anew(whole_from_ns)

    def closed(self, instrument: str) -> RollingReading | None:
        """As of the last closed bar, None before the first."""
        line = self._lines.get(instrument)
        return None if line is None else line.closed()

    def now(self, instrument: str) -> RollingReading | None:
        """With the bar in the making, as if it closed now; as of the last closed one where there is none."""
        line = self._lines.get(instrument)
        return None if line is None else line.now()

    def _line(self, instrument: str) -> "_Line":
        line = self._lines.get(instrument)
        if line is None:
            line = self._lines[instrument] = _Line(instrument, self._specs, self._span_ns)
        return line

    def _closed(self, line: "_Line", bars: Sequence[Bar]) -> list[Bar]:
        taken = [bar for bar in bars if line.count(bar)]
        self.skipped += len(bars) - len(taken)
        return taken


class _Line:
    """One instrument."""

    def __init__(self, instrument: str, specs: Sequence[IndicatorSpec], span_ns: int) -> None:
        self._instrument = instrument
        self._span_ns = span_ns
        self._indicators = NativeIndicators(specs)
        self._places = {
            f"{spec}.{output}": self._indicators.position(spec, output)
            for spec in specs
            for output in definition_of(spec).outputs
        }
        self._last: Bar | None = None
        self._values: dict[str, float] = {}
        self._bars = 0
        self.builder = BarBuilder(instrument, span_ns)

    def begin_anew(self, whole_from_ns: int) -> None:
        self.builder = BarBuilder(self._instrument, self._span_ns, complete_from_ns=whole_from_ns)

    def count(self, bar: Bar) -> bool:
        if self._last is not None and bar.open_ns < self._last.close_ns:
            return False
        self._values = self._read(bar)
        self._last = bar
        self._bars += 1
        return True

    def closed(self) -> RollingReading | None:
        if self._last is None:
            return None
        return RollingReading(self._last, self._bars, is_forming=False, values=self._values)

    def now(self) -> RollingReading | None:
        forming = self.builder.forming
        if forming is None or (self._last is not None and forming.open_ns < self._last.close_ns):
            return self.closed()
        kept = self._indicators.snapshot()
        values = self._read(forming)
        self._indicators.restore(kept)
        return RollingReading(forming, self._bars + 1, is_forming=True, values=values)

    def _read(self, bar: Bar) -> dict[str, float]:
        row = self._indicators.update(
            float(bar.open), float(bar.high), float(bar.low), float(bar.close), float(bar.volume)
        )
        return {name: float(row[place]) for name, place in self._places.items()}
