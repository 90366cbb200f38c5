"""The market of a rehearsal: recorded bars played as quotes, to the exchange always and to the desk mostly.

Inside a minute the price goes from the open to the close by both extremes, the one that lies behind it
first. The desk does not hear of a symbol that the plan has fall silent; the exchange goes on trading it.
"""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from decimal import Decimal

from neuratrade.core.model.decimals import BASIS_POINTS
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.market import NS_PER_SECOND, Bar, Quote
from neuratrade.feeds.clock import Clock
from neuratrade.rehearsal.faults import FaultKind, Troubles
from neuratrade.rehearsal.matching import MatchingEngine

STEPS = 13
"""Quotes a bar: its open, its extremes, its close, and three between each two."""
SPREAD_BPS = Decimal(2)
SHARE_AT_BEST = Decimal("0.02")
"""Of a bar's volume, what stands at the best price at a time."""
THIN_SHARE = Decimal("0.001")

Show = Callable[[list[Bar] | Quote], Awaitable[None]]


class Player:
    """Plays one instrument. bars: of the recording, moved to the time of the rehearsal."""

    def __init__(
        self,
        contract: Instrument,
        bars: Sequence[Bar],
        engine: MatchingEngine,
        troubles: Troubles,
        clock: Clock,
    ) -> None:
        self._contract = contract
        self._bars = bars
        self._engine = engine
        self._troubles = troubles
        self._clock = clock

    async def play(self, show: Show) -> None:
        """Plays all bars. show: takes what the desk gets to see."""
        for bar in self._bars:
            for quote in self.quotes(bar):
                await self._clock.sleep((quote.at_ns - self._clock.now_ns()) / NS_PER_SECOND)
                self._engine.share = THIN_SHARE if self._troubles.during(FaultKind.THIN) else Decimal(1)
                self._engine.quote(quote)
                if not self._troubles.during(FaultKind.SILENT_SYMBOL):
                    await show(quote)
            await self._clock.sleep((bar.close_ns - self._clock.now_ns()) / NS_PER_SECOND)
            if not self._troubles.during(FaultKind.SILENT_SYMBOL):
                await show([bar])

    def quotes(self, bar: Bar) -> Iterator[Quote]:
        """The quotes of one bar."""
        rises = bar.close >= bar.open
        points = [bar.open, *((bar.low, bar.high) if rises else (bar.high, bar.low)), bar.close]
        size = self._contract.round_quantity(bar.volume * SHARE_AT_BEST)
        size = max(size, self._contract.lot)
        for step in range(STEPS):
            place = Decimal(step * (len(points) - 1)) / (STEPS - 1)
            first = min(int(place), len(points) - 2)
            mid = points[first] + (points[first + 1] - points[first]) * (place - first)
            half = mid * SPREAD_BPS / BASIS_POINTS / 2
            at_ns = bar.open_ns + bar.span_ns * step // STEPS
            yield Quote(
                bar.instrument,
                at_ns,
                self._contract.round_price(mid - half),
                self._contract.round_price(mid + half),
                size,
                size,
            )
