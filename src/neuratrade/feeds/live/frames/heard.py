"""What a public frame of a venue says, by the venue's own symbol, before anybody judged it.

Types and times are checked while a frame is decoded; whether a price can be one is checked by whoever makes a
piece of it. A frame that is none of what a venue documents raises, and harms nothing else.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Protocol

import msgspec

from neuratrade.feeds.live.book import BookChange, BookSnapshot

MOST_MS = 10**14
"""Milliseconds since 1970 that are a time: up to the year 5138."""

Millis = Annotated[int, msgspec.Meta(gt=0, lt=MOST_MS)]
Count = Annotated[int, msgspec.Meta(ge=-1, le=2**63 - 1)]
Pairs = list[tuple[Decimal, Decimal]]


class TradeHeard(msgspec.Struct, frozen=True, gc=False):
    """A public trade. number: rises with each trade of the symbol."""

    symbol: str
    at_ns: int
    number: int
    price: Decimal
    quantity: Decimal
    aggressor_buy: bool


class BestHeard(msgspec.Struct, frozen=True, gc=False):
    """The best prices. number: rises with each change of the symbol's book, 0 where the venue counts none."""

    symbol: str
    at_ns: int
    bid: tuple[Decimal, Decimal] | None
    ask: tuple[Decimal, Decimal] | None
    number: int = 0


class BookHeard(msgspec.Struct, frozen=True, gc=False):
    """A book, or what changed in it."""

    symbol: str
    told: BookSnapshot | BookChange


Heard = TradeHeard | BestHeard | BookHeard


class Decoder(Protocol):
    """Reads frames of one venue."""

    def decode(self, frame: str | bytes, received_ns: int) -> Sequence[Heard]:
        """What a frame says; nothing for answers, heartbeats and channels nobody reads here.

        received_ns: the time of what has none. Raises for a frame that is none.
        """
        ...


class UnknownFrame(ValueError):
    """A frame of no kind the venue documents."""
