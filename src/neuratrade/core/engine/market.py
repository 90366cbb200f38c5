"""The volatile half of the engine: last prices, bars in the making, indicators, regime.

None of it is durable. After a restart it is rebuilt by feeding history as warm-up bars, and until it is
warm there are no new entries.
"""

import math
from collections import deque
from collections.abc import Iterable
from decimal import Decimal
from typing import NamedTuple

from neuratrade.core.bars.aggregate import BarBuilder
from neuratrade.core.engine.config import EngineConfig
from neuratrade.core.indicators.registry import indicator
from neuratrade.core.model.decimals import ZERO, decimal_of
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.market import NS_PER_DAY, Bar, Quote
from neuratrade.core.model.regime import Regime
from neuratrade.core.regime import RegimeDetector
from neuratrade.core.strategies.port import Row, Strategy

GATE_ATR = indicator("atr", 14)
WIDE_SPREAD_FRACTION = Decimal("0.02")
"""A book wider than this share of its ask is no price to value by: its middle is."""


class Said(NamedTuple):
    """A strategy spoke on a bar."""

    strategy: Strategy
    signal: int
    bar: Bar
    row: Row


class Timeframe:
    """One timeframe of one instrument: the bar in the making, one set of indicators for each user."""

    def __init__(self, instrument: Instrument, span_ns: int, config: EngineConfig) -> None:
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


class MarketView:
    """All that is known of one instrument's market right now."""

    def __init__(self, instrument: Instrument, config: EngineConfig) -> None:
        self.instrument = instrument
        self.price: Decimal | None = None
        self.price_ns = 0
        self.bid: Decimal | None = None
        self.ask: Decimal | None = None
        self.regime = Regime.UNKNOWN
        self.stalled = False
        self.seen_bar: Bar | None = None
        self._assumed_spread = config.assumed_spread_fraction
        spans = {config.gate_span_ns} | {item.span_ns for item in config.strategies}
        self._timeframes = [Timeframe(instrument, span_ns, config) for span_ns in sorted(spans)]
        self._gate = next(item for item in self._timeframes if item.span_ns == config.gate_span_ns)
        self._detector = RegimeDetector(config.regime)
        self._day: deque[tuple[int, Decimal]] = deque()
        self._day_volume = ZERO
        self._first_ns: int | None = None

    @property
    def atr(self) -> Decimal | None:
        """Average true range on the gate's timeframe, quote per base; None until warm."""
        return self._gate.atr

    @property
    def volume_24h(self) -> Decimal | None:
        """Quote currency traded in the last 24 hours; None until 24 hours were seen."""
        if self._first_ns is None or self.price_ns - self._first_ns < NS_PER_DAY:
            return None
        return self._day_volume

    @property
    def spread_fraction(self) -> Decimal:
        """Spread as a fraction of the price: of the last quote, else the assumed one."""
        if self.bid is None or self.ask is None:
            return self._assumed_spread
        return (self.ask - self.bid) / ((self.ask + self.bid) / 2)

    def mark_for(self, quantity: Decimal) -> Decimal | None:
        """The price a holding is valued at, quote currency per unit: long at the bid, short at the ask.

        The middle where the book is wide, the only side there is where it is one-sided, and the last price
        where there is no book.
        """
        if self.bid is None or self.ask is None:
            side = self.ask if self.bid is None else self.bid
            return self.price if side is None else side
        if self.ask - self.bid > self.ask * WIDE_SPREAD_FRACTION:
            return (self.bid + self.ask) / 2
        return self.bid if quantity > 0 else self.ask

    def begin_at(
        self, price: Decimal | None, bid: Decimal | None, ask: Decimal | None, price_ns: int
    ) -> None:
        """Sets out from prices that were reckoned, not seen: of the contract's own terms before."""
        self.price, self.bid, self.ask, self.price_ns = price, bid, ask, price_ns

    def see_quote(self, quote: Quote) -> None:
        """Takes a quote."""
        self.bid, self.ask = quote.bid, quote.ask
        mid = quote.mid
        if mid is not None:
            self.price, self.price_ns = mid, quote.at_ns

    def see_price(self, price: Decimal, at_ns: int) -> None:
        """Takes a traded price."""
        self.price, self.price_ns = price, at_ns

    def close_bar(self, bar: Bar) -> list[Said]:
        """Takes a completed base bar: price, volume, regime, every timeframe."""
        close_ns = bar.close_ns
        if self.price is None or close_ns >= self.price_ns:
            self.price, self.price_ns = bar.close, close_ns
        self.seen_bar = None
        self._count_volume(bar, close_ns)
        floats = floats_of(bar)
        self.regime = self._detector.update(*floats)
        said: list[Said] = []
        for timeframe in self._timeframes:
            said.extend(timeframe.take(bar, floats))
        return said

    def _count_volume(self, bar: Bar, close_ns: int) -> None:
        if self._first_ns is None:
            self._first_ns = bar.open_ns
        value = bar.volume * bar.close * self.instrument.multiplier
        self._day.append((close_ns, value))
        self._day_volume += value
        oldest = close_ns - NS_PER_DAY
        while self._day[0][0] <= oldest:
            self._day_volume -= self._day.popleft()[1]


def floats_of(bar: Bar) -> tuple[float, float, float, float, float]:
    """Open, high, low, close, volume as the kernels take them."""
    return float(bar.open), float(bar.high), float(bar.low), float(bar.close), float(bar.volume)
