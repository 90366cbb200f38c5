"""A stream of Barchart's DDF into messages, however it was cut into frames.

Messages end at a newline or at ETX, and after ETX there may be nine bytes of time that are any bytes at all,
ETX and newline among them: only their number tells where they end. What fits in nowhere is skipped up to
where the next message begins and told as junk; what never ends is given up at a bound.
"""

import re

SOH, ETX, CENTURY = "\x01", "\x03", "\x14"
MOST_CHARACTERS = 256 * 1024
"""Of a message that has not ended; a book of volumes is the longest there is, with some thousands."""

NINE_BYTES = r"\x14[@-\xa3][A-L][A-_][@-W][@-{][@-{].."
CUT_SHORT = "messages without an end"
JUNK = "bytes that belong to no message"
ENDLESS = "messages that are too long"

# The last part takes all there is of a message that is not whole, so that no place is searched twice.
_NEXT = re.compile(
    r"(?P<message>"
    r"\x01\#[0-9]{14}"  # the clock, whose length is known
    # After ETX: a time; the beginning of one and then something else; or none, as the next byte shows.
    r"|\x01[^\x01\x03\n]*\x03(?:" + NINE_BYTES + r"|\x14(?=.{8})|(?=[^\x14]))"
    r"|%[^\x01\r\n]*(?=[\r\n])"
    r"|[+-][^\x01\r\n]*(?=[\x01\r\n])"
    r")"
    r"|(?P<gap>[\r\n\x03]+)"
    r"|(?P<cut>\x01[^\x01\x03\n]*(?=[\x01\n])|%[^\x01\r\n]*(?=\x01))"
    r"|(?P<junk>[^\x01\x03\r\n%+-][^\x01\n]*(?=[\x01\n]))"
    r"|(?P<open>.+)",
    re.DOTALL,
)
_END = re.compile(r"[\x01\n]")
_BROKEN = {"cut": CUT_SHORT, "junk": JUNK}


class Broken(str):
    """What is no message: the kind of it."""

    __slots__ = ()


class Splitter:
    """Cuts one stream. It keeps what has not ended yet, and never more than a bound of it."""

    def __init__(self) -> None:
        self._rest = ""
        self._skipping = False

    def feed(self, text: str) -> list[str]:
        """The messages that are whole now, in order; `Broken` for what is none. text: bytes as Latin-1."""
        buffer = self._rest + text if self._rest else text
        self._rest = ""
        found: list[str] = []
        at = self._resume(buffer, 0) if self._skipping else 0
        while at is not None:
            at = _cut(buffer, at, found)
            if len(buffer) - at <= MOST_CHARACTERS:
                self._rest = buffer[at:]
                return found
            found.append(Broken(ENDLESS))
            at = self._resume(buffer, at + MOST_CHARACTERS)
        return found

    def _resume(self, buffer: str, at: int) -> int | None:
        """Where the next message may begin, None where nothing of it is here yet."""
        end = _END.search(buffer, at)
        self._skipping = end is None
        return None if end is None else end.start()


def _cut(buffer: str, at: int, found: list[str]) -> int:
    """Finds messages from a place on; returns where one begins that is not whole, or is too long."""
    for match in _NEXT.finditer(buffer, at):
        end = match.end()
        kind = match.lastgroup
        if kind == "open" or end - at > MOST_CHARACTERS:
            break
        at = end
        if kind == "message":
            found.append(match[0])
        elif kind in _BROKEN:
            found.append(Broken(_BROKEN[kind]))
    return at
