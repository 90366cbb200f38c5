"""Markets known by their ticks: bars are made of the trades, and where there are no quotes, so are these.

A quote made of a trade lies half the assumed spread around its price and is as large as the trade was, so
that nothing fills in a market in which nobody traded.
"""

from collections.abc import Iterable
from decimal import Decimal

from neuratrade.core.bars.aggregate import BarBuilder
from neuratrade.core.model.decimals import ONE, ceil_to, floor_to
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.market import Bar, Quote, Trade


class TradedMarkets:
    """Bars and quotes of instruments that come as trades.

    without_bars: keys whose bars are to be made. without_quotes: keys whose quotes are to be made.
    span_ns: length of the bars.
    """

    def __init__(
        self,
        instruments: dict[str, Instrument],
        without_bars: Iterable[str],
        without_quotes: Iterable[str],
        *,
        span_ns: int,
        spread_fraction: Decimal,
    ) -> None:
        self._instruments = instruments
        self._builders = {key: BarBuilder(key, span_ns) for key in without_bars}
        self._without_quotes = frozenset(without_quotes)
        self._half_spread = spread_fraction / 2

    def take(self, trade: Trade) -> None:
        """Counts a trade towards its bar."""
        builder = self._builders.get(trade.instrument)
        if builder is not None:
            builder.add_trade(trade)

    def ended_by(self, at_ns: int) -> list[Bar]:
        """Bars whose span has ended by `at_ns`, oldest first. Call before the ticks of that time."""
        ended = [bar for builder in self._builders.values() for bar in builder.advance(at_ns)]
        return sorted(ended, key=lambda bar: bar.close_ns)

    def quote_of(self, trade: Trade) -> Quote | None:
        """The quote a trade stands for; None where real quotes come."""
        if trade.instrument not in self._without_quotes:
            return None
        tick = self._instruments[trade.instrument].tick
        bid = floor_to(trade.price * (ONE - self._half_spread), tick)
        ask = ceil_to(trade.price * (ONE + self._half_spread), tick)
        return Quote(trade.instrument, trade.at_ns, bid, ask, trade.quantity, trade.quantity)
