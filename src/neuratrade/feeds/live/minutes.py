"""One-minute bars of a live market, whole or not at all.

A bar is made of the trades that were heard, if the connection stood all through its minute. Where it did not,
the venue is asked for what it has; until it answers, later bars of that instrument wait, so that bars come in
order and none is missing in the middle.
"""

from collections.abc import Awaitable, Callable

from neuratrade.core.bars.aggregate import BarBuilder
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.market import NS_PER_MINUTE, Bar, Trade

MOST_MISSING = 1_000
"""How many minutes are asked for at most; what lies before stays a gap."""

Ask = Callable[[Instrument, int, int], Awaitable[list[Bar]]]
"""`MarketSource.history`: instrument, bars, before_ns."""


class Minutes:
    """The bars of one instrument. known_ns: up to when its history is known, None where nothing is."""

    def __init__(self, instrument: Instrument, known_ns: int | None) -> None:
        self.instrument = instrument
        self._known_ns = known_ns
        self._whole_from_ns: int | None = None
        self._builder = BarBuilder(instrument.key, NS_PER_MINUTE)
        self._built: list[Bar] = []

    def opened(self, at_ns: int) -> None:
        """The connection stands; every trade from here on is heard."""
        self._whole_from_ns = at_ns
        self._built.clear()
        self._builder = BarBuilder(self.instrument.key, NS_PER_MINUTE, complete_from_ns=at_ns)

    def lost(self) -> None:
        """The connection is gone; this minute is torn, and those that follow."""
        self._whole_from_ns = None

    def take(self, trade: Trade) -> None:
        """Counts a trade, by the venue's time of it."""
        if self._whole_from_ns is not None:
            # One of the next minute ends this one before it is asked for.
            self._built += self._builder.add_trade(trade)

    async def ended_by(self, close_ns: int, ask: Ask) -> list[Bar]:
        """Bars that ended by `close_ns`, a full minute, and were not given yet. Raises what `ask` raises."""
        whole = self._whole_from_ns is not None and self._whole_from_ns <= close_ns - NS_PER_MINUTE
        built = self._built + self._builder.advance(close_ns)
        self._built = [bar for bar in built if bar.close_ns > close_ns]
        if whole and self._known_ns == close_ns - NS_PER_MINUTE:
            self._known_ns = close_ns
            return [bar for bar in built if bar.close_ns == close_ns]
        since_ns = close_ns - MOST_MISSING * NS_PER_MINUTE
        if self._known_ns is not None:
            since_ns = max(since_ns, self._known_ns)
        missing = (close_ns - since_ns) // NS_PER_MINUTE
        if missing <= 0:
            return []
        bars = [
            bar
            for bar in await ask(self.instrument, missing, close_ns)
            if since_ns < bar.close_ns <= close_ns
        ]
        bars.sort(key=lambda bar: bar.close_ns)
        # A venue may be late with its newest bar; what it still lacks a minute later was no bar.
        self._known_ns = max(bars[-1].close_ns if bars else since_ns, close_ns - NS_PER_MINUTE)
        return bars
