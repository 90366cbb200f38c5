"""What both of Barchart's protocols come down to: ticks of its own symbols, each with how late it is.

A transport speaks one protocol over one connection and nothing else. It does not connect anew, maps no
symbol, keeps no price, and invents no time: what the wire does not tell is None. What it cannot read never
ends it; it is left out, counted by kind, and told once a kind.
"""

from collections import Counter
from collections.abc import AsyncGenerator, Callable, Sequence
from decimal import Decimal
from typing import Protocol

import msgspec


class Opened(msgspec.Struct, frozen=True):
    """Logged in and subscribed to every symbol that was granted: from here on nothing is missed."""


class QuoteTick(msgspec.Struct, frozen=True, gc=False):
    """The whole top of a book, also where only one side of it changed. A side without an order is None.

    at_ns: the venue's time of it, nanoseconds UTC, None where the wire gives none. delay_minutes: 0 for the
    present; `UNKNOWN_DELAY` where it is delayed and nobody says by how much. session: as the protocol has it.
    """

    symbol: str
    bid: Decimal | None
    ask: Decimal | None
    bid_size: Decimal
    ask_size: Decimal
    at_ns: int | None
    delay_minutes: int
    session: str = ""


class TradeTick(msgspec.Struct, frozen=True, gc=False):
    """A trade that tells the price of its time; those that do not are left out. Rest as in `QuoteTick`.

    aggressor_buy: None where the venue does not say.
    """

    symbol: str
    price: Decimal
    size: Decimal
    at_ns: int | None
    delay_minutes: int
    session: str = ""
    aggressor_buy: bool | None = None


class ClockTick(msgspec.Struct, frozen=True, gc=False):
    """The connection lives. at_ns: the venue's clock, nanoseconds UTC, None where it is not told."""

    at_ns: int | None


Tick = Opened | QuoteTick | TradeTick | ClockTick

UNKNOWN_DELAY = -1
"""Delayed by nobody knows how many minutes."""


class Tally:
    """What a transport counts, over all its connections. note: told the first time of each kind.

    messages: read and understood. gaps: places where the wire shows that something is missing. unreadable:
    what was left out because it could not be read or cannot be true, by kind. unused: lawful, of no use here.
    """

    def __init__(self, note: Callable[[str], None] = lambda _: None) -> None:
        self._note = note
        self.messages = 0
        self.gaps = 0
        self.unreadable: Counter[str] = Counter()
        self.unused: Counter[str] = Counter()

    def leave_out(self, kind: str, detail: str = "") -> None:
        """Counts what could not be read. kind: from a closed set, never of what came. detail: no secret."""
        self.unreadable[kind] += 1
        if self.unreadable[kind] == 1:
            self._note(f"Barchart sent {kind}: left out and counted{f' ({detail})' if detail else ''}")


class BarchartTransport(Protocol):
    """One protocol of Barchart's over one connection."""

    @property
    def name(self) -> str:
        """`openfeed`, `ddf`."""
        ...

    @property
    def tally(self) -> Tally:
        """What was counted so far."""
        ...

    def ticks(self, symbols: Sequence[str]) -> AsyncGenerator[Tick]:
        """Connects, logs in, subscribes, tells `Opened` and then what comes; in `aclosing`.

        symbols: Barchart's, such as ESZ26, ^XAUUSD, $VIX. Ends or raises Retryable when the connection is
        lost, or has been silent beyond what the protocol's beat allows. UsageError where asking again cannot
        help (credentials, rights, every symbol unknown); Terminal where asking again would do harm (the same
        credentials were used elsewhere). No error or note holds a secret.
        """
        ...

    async def subscribe_again(self, symbol: str) -> None:
        """Leaves a symbol and asks for it anew. Raises Retryable where no connection stands."""
        ...
