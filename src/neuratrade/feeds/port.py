"""The `Feed` port: market data in time order. Data only: a feed has no way to place an order.

Contract: what is given out was complete and public at its event time; event times never fall, but for the
bars of a live market, which come when they are known; an empty iterator means there was nothing; anything
broken raises and is never skipped.
"""

from collections.abc import AsyncIterator, Iterator
from typing import Protocol

from neuratrade.core.model.events import FeedStalled
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.market import Bar, Quote, Trade
from neuratrade.feeds.clock import Clock

Recorded = list[Bar] | Quote | Trade
"""What becomes known at one instant: all bars that close then, or one quote, or one trade."""

Slice = Recorded | FeedStalled
"""The same of a live market, whose prices may stall."""


class Feed(Protocol):
    """A source of market data, live or recorded."""

    @property
    def instruments(self) -> tuple[Instrument, ...]:
        """Every instrument whose data it may give out."""
        ...

    def stream(self, clock: Clock) -> AsyncIterator[Slice]:
        """Slices as they become known by `clock`."""
        ...

    def history(self, before_ns: int, bars: int) -> dict[str, list[Bar]]:
        """Per instrument key, the last bars that were complete at `before_ns`, in order, for warm-up."""
        ...


class RecordedFeed(Feed, Protocol):
    """A feed whose data is all there already, so that it can be run through without waiting."""

    @property
    def total_bars(self) -> int:
        """How many bars `slices` will give out in all."""
        ...

    def slices(self) -> Iterator[Recorded]:
        """All slices in order, at once."""
        ...


def event_ns(piece: Recorded) -> int:
    """When a slice became known: the close of its bars, or the time of its tick."""
    return piece[0].close_ns if isinstance(piece, list) else piece.at_ns
