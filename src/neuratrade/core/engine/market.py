"""The volatile half of the engine: last prices and what the last bar said of one market.

None of it is durable. After a restart it is rebuilt by feeding history as warm-up bars, and until it is
warm there are no new entries.
"""

from collections.abc import Sequence
from decimal import Decimal

from neuratrade.core.engine.config import EngineConfig
from neuratrade.core.engine.reading import BarReader, LiveReader, Said
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.market import Bar, Quote
from neuratrade.core.model.regime import Regime

WIDE_SPREAD_FRACTION = Decimal("0.02")
"""A book wider than this share of its ask is no price to value by: its middle is."""


class MarketView:
    """All that is known of one instrument's market right now.

    atr: average true range on the gate's timeframe, quote per base; None until warm. volume_24h: quote
    currency traded in the last 24 hours, else what is assumed until 24 hours were seen.
    """

    def __init__(self, instrument: Instrument, config: EngineConfig) -> None:
        self.instrument = instrument
        self.price: Decimal | None = None
        self.price_ns = 0
        self.bid: Decimal | None = None
        self.ask: Decimal | None = None
        self.regime = Regime.UNKNOWN
        self.atr: Decimal | None = None
        self.volume_24h = config.assumed_volume_24h
        self.stalled = False
        self.seen_bar: Bar | None = None
        self._assumed_spread = config.assumed_spread_fraction
        reader = config.reader_of
        self._reader: BarReader = LiveReader(instrument, config) if reader is None else reader(instrument)

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

    def close_bar(self, bar: Bar) -> Sequence[Said]:
        """Takes a completed base bar: price, volume, regime, every timeframe."""
        close_ns = bar.close_ns
        if self.price is None or close_ns >= self.price_ns:
            self.price, self.price_ns = bar.close, close_ns
        self.seen_bar = None
        self.regime, self.atr, volume, said = self._reader.read(bar)
        if volume is not None:
            self.volume_24h = volume
        return said
