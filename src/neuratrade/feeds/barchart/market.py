"""Barchart as a market source: either protocol's ticks as prices of the desk's instruments, its own minutes.

Whatever venue an instrument trades at, its prices come by Barchart's name of it. Only what is of the present
is a price: what comes late is told as that, and until a first tick shows which it is, nothing of an
instrument counts. A price that its contract cannot have is left out. Where no time is told, it is that of the
receipt.
"""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing

from neuratrade.core.model.errors import UsageError
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.market import Bar, Quote, Trade
from neuratrade.feeds.barchart.ondemand import OnDemand
from neuratrade.feeds.barchart.symbols import barchart_symbol
from neuratrade.feeds.barchart.transport import (
    BarchartTransport,
    ClockTick,
    Opened,
    QuoteTick,
    Tally,
    TradeTick,
)
from neuratrade.feeds.clock import Clock
from neuratrade.feeds.live.source import Beat, Delayed, Piece, SourceOpened

NAME = "barchart"
Describe = Callable[[Sequence[str]], tuple[Instrument, ...]]
"""What symbols are. Raises UsageError for those that cannot be traded."""


class BarchartMarket:
    """Live data of Barchart's, in `async with`.

    transport: one of its protocols. history: answers for the past; without it there are no minutes of before.
    describe: says what symbols are; without it the source only tells prices of instruments it is given.
    """

    def __init__(
        self,
        transport: BarchartTransport,
        clock: Clock,
        *,
        history: OnDemand | None = None,
        describe: Describe | None = None,
    ) -> None:
        self._transport = transport
        self._clock = clock
        self._history = history
        self._describe = describe

    async def __aenter__(self) -> "BarchartMarket":
        if self._history is not None:
            await self._history.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._history is not None:
            await self._history.__aexit__()

    @property
    def venue(self) -> str:
        """`barchart`."""
        return NAME

    @property
    def tally(self) -> Tally:
        """What the transport counted."""
        return self._transport.tally

    @property
    def unreadable(self) -> Mapping[str, int]:
        """How often something came that could not be read, by kind."""
        return dict(self.tally.unreadable)

    async def instruments(self, symbols: Sequence[str]) -> tuple[Instrument, ...]:
        """What these symbols are. Raises UsageError for what cannot be traded."""
        if self._describe is None:
            raise UsageError("this source tells prices of instruments that are known already")
        return self._describe(symbols)

    async def history(self, instrument: Instrument, bars: int, before_ns: int) -> list[Bar]:
        """Minutes in which something was traded; none without a key of OnDemand."""
        if self._history is None:
            return []
        symbol = barchart_symbol(instrument.asset, self._clock.now_ns())
        found = await self._history.history(symbol, instrument.key, bars, before_ns)
        sound = [bar for bar in found if instrument.admits_price(bar.low)]
        for _ in range(len(found) - len(sound)):
            self.tally.leave_out("prices that their contract cannot have")
        return sound

    async def pieces(self, instruments: Sequence[Instrument]) -> AsyncGenerator[Piece]:
        """Quotes and trades. Raises as the transport does."""
        now_ns = self._clock.now_ns()
        by_symbol: dict[str, list[Instrument]] = {}
        for item in instruments:
            by_symbol.setdefault(barchart_symbol(item.asset, now_ns), []).append(item)
            yield Delayed(item.key, None)
        async with aclosing(self._transport.ticks(list(by_symbol))) as ticks:
            async for tick in ticks:
                if isinstance(tick, Opened):
                    yield SourceOpened()
                elif isinstance(tick, ClockTick):
                    yield Beat()
                else:
                    for item in by_symbol.get(tick.symbol, ()):
                        piece = self._piece(tick, item)
                        if piece is not None:
                            yield piece

    async def subscribe_again(self, instrument: Instrument) -> None:
        """Leaves an instrument and asks for it anew. Raises Retryable where no connection stands."""
        await self._transport.subscribe_again(barchart_symbol(instrument.asset, self._clock.now_ns()))

    def _piece(self, tick: QuoteTick | TradeTick, item: Instrument) -> Piece | None:
        if tick.delay_minutes:
            return Delayed(item.key, tick.delay_minutes)
        prices = (tick.bid, tick.ask) if isinstance(tick, QuoteTick) else (tick.price,)
        if not all(price is None or item.admits_price(price) for price in prices):
            self.tally.leave_out("prices that their contract cannot have", item.key)
            return None
        at_ns = self._clock.now_ns() if tick.at_ns is None else tick.at_ns
        if isinstance(tick, QuoteTick):
            return Quote(item.key, at_ns, tick.bid, tick.ask, tick.bid_size, tick.ask_size)
        return Trade(item.key, at_ns, tick.price, tick.size, tick.aggressor_buy)
