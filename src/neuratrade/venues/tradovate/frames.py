"""How Tradovate's socket is spoken: one letter and JSON from there, four lines of text from here.

`o` opens, `h` is a sign of life, `a[…]` holds answers and events, `c[…]` ends it. A frame without sense
raises `Garbled` and nothing else, an item without sense inside a good frame spoils only itself.
Source: the vendor's documentation of its WebSocket, read in November 2026.
"""

from enum import Enum
from typing import NamedTuple

import msgspec

BEAT = "[]"
"""What a client says to be taken for alive, whether or not it has anything to say."""
LARGEST_BYTES = 16 * 1024 * 1024
"""Larger frames are not looked into."""


class Garbled(Exception):
    """A frame, or an item of one, that makes no sense. Its words never quote what it held."""


class Sign(Enum):
    """Frames that hold nothing."""

    OPENED = "o"
    BEAT = "h"


class Closing(NamedTuple):
    """The venue ends the connection. reason: in its own words."""

    reason: str


class Item(msgspec.Struct, frozen=True):
    """An answer or an event. i: number of the request it answers. s: a status like HTTP's. e: event."""

    i: int | None = None
    s: int | None = None
    d: msgspec.Raw = msgspec.Raw(b"null")
    e: str | None = None


_items = msgspec.json.Decoder(list[msgspec.Raw])
_item = msgspec.json.Decoder(Item)
_closing = msgspec.json.Decoder(tuple[int, str])


def request_frame(endpoint: str, number: int, query: str = "", body: str = "") -> str:
    """A request. number: what its answer will carry. query: `name=value&…`. body: JSON, or a bare token."""
    return f"{endpoint}\n{number}\n{query}\n{body}"


def read_frame(text: str) -> Sign | Closing | list[Item | Garbled]:
    """What a frame says. Raises Garbled for one without sense."""
    if len(text) > LARGEST_BYTES:
        raise Garbled("a frame that is too large")
    kind, rest = text[:1], text[1:]
    if kind == "a":
        try:
            return [_item_of(raw) for raw in _items.decode(rest)]
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            raise Garbled("a frame that is no list") from None
    if kind == "c":
        try:
            code, reason = _closing.decode(rest)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            return Closing("without a reason that could be read")
        return Closing(f"{reason} ({code})")
    if text in ("o", "h"):
        return Sign(text)
    raise Garbled("a frame of an unknown kind")


def _item_of(raw: msgspec.Raw) -> Item | Garbled:
    try:
        return _item.decode(raw)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return Garbled("an item that is no answer and no event")
