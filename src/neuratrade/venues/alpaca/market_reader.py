"""Frames of Alpaca's streams into messages, whatever they hold.

One that makes no sense is left out, counted by kind and told of once; it never costs the good ones beside it,
and none stops the stream. Corrections and cancellations of trades are only counted: what they take back was
acted upon long ago. A trade told twice is told on once, since bars would count its volume twice.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import Any

import msgspec

from neuratrade.core.model.market import NS_PER_SECOND, Quote, Trade
from neuratrade.feeds.clock import Clock
from neuratrade.venues.alpaca.market_wire import (
    OTHERS,
    Data,
    Message,
    Unsound,
    WireNews,
    WireTrade,
    quote_of,
    trade_of,
)

MOST_REMEMBERED = 10_000
"""How many trades are remembered, to know one that is told twice."""
AHEAD_NS = 60 * NS_PER_SECOND
"""What is further ahead of our clock than this is no market data: one such time would end all bars before."""

READ = ("t", "q", "n", "success", "error", "subscription")

Note = Callable[[str], None]
Frame = str | bytes
_BROKEN = (msgspec.MsgspecError, UnicodeError, RecursionError, ArithmeticError)


class Codec(StrEnum):
    """How a stream is written."""

    JSON = "json"
    MSGPACK = "msgpack"


class _Kind(msgspec.Struct, frozen=True):
    T: str = ""


class _Decoders:
    """The same three readings in one codec: a good frame, its parts, the kind of a part."""

    def __init__(self, codec: Codec) -> None:
        make: Any = msgspec.json.Decoder if codec is Codec.JSON else msgspec.msgpack.Decoder
        self.frame: Callable[[Frame], list[Message]] = make(list[Message]).decode
        self.parts: Callable[[Frame], list[msgspec.Raw]] = make(list[msgspec.Raw]).decode
        self.part: Callable[[msgspec.Raw], Message] = make(Message).decode
        self.kind: Callable[[msgspec.Raw], _Kind] = make(_Kind).decode


class Reader:
    """Reads the frames of one adapter. note: told the first of each kind that was left out.

    left_out: how many of each kind. codec: of binary frames; text is always JSON.
    """

    def __init__(self, codec: Codec, clock: Clock, note: Note) -> None:
        self.left_out: Counter[str] = Counter()
        self._text = _Decoders(Codec.JSON)
        self._binary = _Decoders(codec)
        self._clock = clock
        self._note = note
        self._known: set[tuple[object, ...]] = set()
        self._order: deque[tuple[object, ...]] = deque()

    def messages(self, frame: Frame) -> list[Message]:
        """What a frame says, as far as it makes sense."""
        decoders = self._text if isinstance(frame, str) else self._binary
        try:
            return decoders.frame(frame)
        except _BROKEN:
            return list(self._one_by_one(decoders, frame))

    def piece(self, message: Data, key: str) -> Quote | Trade | None:
        """The quote or trade of a message. key: its instrument. None for what is left out."""
        if not key or isinstance(message, WireNews):
            self.leave_out("data that nobody asked for")
            return None
        try:
            piece = trade_of(message, key) if isinstance(message, WireTrade) else quote_of(message, key)
        except Unsound as error:
            self.leave_out(str(error))
            return None
        if piece.at_ns > self._clock.now_ns() + AHEAD_NS:
            self.leave_out("times ahead of this machine's clock by more than a minute")
            return None
        if isinstance(message, WireTrade):
            return self._heard(message, key, piece)
        return piece

    def _heard(self, wire: WireTrade, key: str, piece: Quote | Trade) -> Quote | Trade | None:
        if not wire.tells_the_price:
            self.leave_out("trades at prices of another time, or agreed upon")
            return None
        if wire.number and self._is_known(self._identity(wire, key)):
            self.leave_out("trades told twice")
            return None
        return piece

    def knows(self, wire: WireTrade, key: str) -> bool:
        """Whether a trade was told already, for who asks for the same time twice on purpose."""
        return self._identity(wire, key) in self._known

    def leave_out(self, kind: str) -> None:
        """Counts, and tells of the first."""
        self.left_out[kind] += 1
        if self.left_out[kind] == 1:
            self._note(f"Alpaca's stream: {kind}: left out, counted from now on, told of no more")

    @staticmethod
    def _identity(wire: WireTrade, key: str) -> tuple[object, ...]:
        at = wire.at if isinstance(wire.at, str) else wire.at.data
        return key, wire.number, wire.exchange, at

    def _is_known(self, identity: tuple[object, ...]) -> bool:
        if identity in self._known:
            return True
        self._known.add(identity)
        self._order.append(identity)
        if len(self._order) > MOST_REMEMBERED:
            self._known.discard(self._order.popleft())
        return False

    def _one_by_one(self, decoders: _Decoders, frame: Frame) -> Iterator[Message]:
        try:
            parts = decoders.parts(frame)
        except _BROKEN:
            self.leave_out("frames that cannot be read")
            return
        for part in parts:
            try:
                yield decoders.part(part)
            except _BROKEN:
                self.leave_out(_name_of(decoders, part))


def _name_of(decoders: _Decoders, part: msgspec.Raw) -> str:
    """What to call a message that is not read."""
    try:
        kind = decoders.kind(part).T
    except _BROKEN:
        return "messages that cannot be read"
    # The words of a stranger are no key: there is no end to them.
    return OTHERS.get(kind) or (
        f"broken messages of kind {kind}" if kind in READ else "messages of unknown kind"
    )
