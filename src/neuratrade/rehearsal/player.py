"""The market of a rehearsal: recorded bars played to a venue as quotes and trades, and to the desk by it.

Inside a minute the price goes from the open to the close by both extremes, the one that lies behind it
first; each of the four is traded at, so that bars made of the trades are the recorded ones, wherever the desk
does not trade itself. What the desk hears of it is for the venue's streams to tell.
"""

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from itertools import count

from msgspec.structs import replace

from neuratrade.core.model.decimals import BASIS_POINTS
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.market import NS_PER_SECOND, Bar, Quote, Trade
from neuratrade.feeds.clock import Clock
from neuratrade.rehearsal.faults import FaultKind, Troubles
from neuratrade.rehearsal.matching import MatchingEngine
from neuratrade.rehearsal.tape import Played

STEPS = 13
"""Quotes a bar: its open, its extremes, its close, and three between each two."""
TRADES = 4
"""Trades a bar: at its open, its extremes and its close."""
BETWEEN = (STEPS - 1) // (TRADES - 1)
SPREAD_BPS = Decimal(2)
SHARE_AT_BEST = Decimal("0.02")
"""Of a bar's volume, what stands at the best price at a time."""
THIN_SHARE = Decimal("0.001")

Play = Callable[[Played], None]


class Player:
    """Plays one instrument. bars: of the recording, moved to the time of the rehearsal.

    play: takes what happens: each simulator that is to know of it. beside: an instrument that is told of now
    and then, at the same prices.
    """

    def __init__(
        self,
        contract: Instrument,
        bars: Sequence[Bar],
        engine: MatchingEngine,
        troubles: Troubles,
        clock: Clock,
        play: Sequence[Play],
        beside: Instrument | None = None,
    ) -> None:
        self._contract = contract
        self._bars = bars
        self._engine = engine
        self._troubles = troubles
        self._clock = clock
        self._play = play
        self._beside = beside

    def before(self, bars: Sequence[Bar]) -> None:
        """What happened before the desk came."""
        for bar in bars:
            self._tell_bar(bar)

    async def play(self) -> None:
        """Plays all bars."""
        for bar in self._bars:
            trades = iter(self.trades(bar))
            for step, quote in enumerate(self.quotes(bar)):
                await self._until(quote.at_ns)
                self._engine.share = THIN_SHARE if self._troubles.during(FaultKind.THIN) else Decimal(1)
                self._tell(quote)
                if step % BETWEEN == 0:
                    trade = next(trades)
                    if trade.quantity:
                        self._tell(trade)
                    if step % (2 * BETWEEN) == 0:
                        self._tell_beside(quote, trade)
            await self._until(bar.close_ns)
            self._tell_bar(bar)

    async def go_on(self) -> None:
        """Keeps the market as it is, a quote a second, after all bars were played."""
        last = self._engine.quotes[self._contract.key]
        for second in count():
            await self._clock.sleep(1.0)
            self._engine.expire()
            # A book that does not change is told of by nobody.
            larger = self._contract.lot * (second % 2)
            self._tell(replace(last, at_ns=self._clock.now_ns(), bid_size=last.bid_size + larger))

    def quotes(self, bar: Bar) -> Iterator[Quote]:
        """The quotes of one bar."""
        points = _points(bar)
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

    def trades(self, bar: Bar) -> list[Trade]:
        """The trades of one bar, which together have its volume as far as lots allow."""
        each = self._contract.round_quantity(bar.volume / TRADES)
        whole = self._contract.round_quantity(bar.volume)
        return [
            Trade(
                bar.instrument,
                bar.open_ns + bar.span_ns * number * BETWEEN // STEPS,
                price,
                each if number else whole - each * (TRADES - 1),
                number % 2 == 0,
            )
            for number, price in enumerate(_points(bar))
        ]

    def _tell(self, item: Played) -> None:
        for play in self._play:
            play(item)

    def _tell_bar(self, bar: Bar) -> None:
        self._tell(bar)
        if self._beside is not None:
            self._tell(replace(bar, instrument=self._beside.key))

    def _tell_beside(self, quote: Quote, trade: Trade) -> None:
        if self._beside is not None:
            key, lot = self._beside.key, self._beside.lot
            self._tell(replace(quote, instrument=key))
            self._tell(replace(trade, instrument=key, quantity=max(trade.quantity, lot)))

    async def _until(self, at_ns: int) -> None:
        await self._clock.sleep((at_ns - self._clock.now_ns()) / NS_PER_SECOND)


def _points(bar: Bar) -> list[Decimal]:
    rises = bar.close >= bar.open
    return [bar.open, *((bar.low, bar.high) if rises else (bar.high, bar.low)), bar.close]
