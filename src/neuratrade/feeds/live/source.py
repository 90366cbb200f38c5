"""The port of a venue's live market data: what is traded there, its history, and its ticks as they come.

Data only, over its own connection, never over the one that orders take. A source tells what it hears and
hides nothing: it does not connect anew by itself, fills no gaps and repeats nothing. All that is done in one
place, `LiveFeed`.
"""

from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Protocol

import msgspec

from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.market import Bar, Quote, Trade


class SourceOpened(msgspec.Struct, frozen=True):
    """The stream stands, and the venue took every subscription: from here on nothing is missed."""


class BookLost(msgspec.Struct, frozen=True):
    """A mirror of a book missed a change: no quote of this instrument until it is whole again."""

    instrument: str
    reason: str


class Delayed(msgspec.Struct, frozen=True):
    """Prices of this instrument are none of the present, until the next quote or trade of it is told.

    minutes: how late they are, -1 where nobody says, None while it is not known whether they are late. Told
    for each piece that was left out for it, and before the stream stands where that is yet to be seen.
    """

    instrument: str
    minutes: int | None


class Beat(msgspec.Struct, frozen=True):
    """The connection lives, though no instrument speaks. Told by venues that send one."""


Piece = Quote | Trade | BookLost | SourceOpened | Delayed | Beat
"""What a source tells. `at_ns` is the venue's time of the event; that of the receipt where it gives none."""


class MarketSource(Protocol):
    """Public data of one venue, in `async with` where it holds connections."""

    @property
    def venue(self) -> str:
        """Name of the venue, as instruments have it."""
        ...

    @property
    def unreadable(self) -> Mapping[str, int]:
        """How often something came that could not be read, by kind."""
        ...

    async def instruments(self, symbols: Sequence[str]) -> tuple[Instrument, ...]:
        """What these symbols are: grid, least sizes, fees, as the venue tells them now.

        Raises UsageError for a symbol it does not trade, naming the nearest ones; Retryable where the venue
        cannot be reached.
        """
        ...

    async def history(self, instrument: Instrument, bars: int, before_ns: int) -> list[Bar]:
        """The last one-minute bars that were complete at `before_ns`, oldest first; as many as it has."""
        ...

    def pieces(self, instruments: Sequence[Instrument]) -> AsyncGenerator[Piece]:
        """Connects, subscribes, tells `SourceOpened` and then what comes. Ends or raises when it is lost;
        UsageError where the venue will never have it; Terminal where to connect anew would do harm.

        Silence of the whole connection is probed as the venue's protocol has it; silence of one symbol is for
        the reader to notice.
        """
        ...

    async def subscribe_again(self, instrument: Instrument) -> None:
        """Asks anew for an instrument that fell silent while others go on. Raises where that fails."""
        ...
