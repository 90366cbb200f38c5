"""Documents from a stream of bytes (stdin, a file): one JSON document, or JSON lines, or several in a row.

Promise: nothing of the stream is dropped unsaid; a broken document costs only itself, and each comes with
the number of its first line. It works on an endless stream, with at most one document in memory.
"""

import re
from collections.abc import Iterator
from typing import BinaryIO

from neuratrade.hands.inbox.delivery import Delivery
from neuratrade.hands.strict_json import MAX_BYTES

_STRING_OR_BRACKET = re.compile(rb'"(?:[^"\\]|\\.)*+"?|[\[\]{}]', re.DOTALL)


def documents(stream: BinaryIO, source: str = "stdin") -> Iterator[Delivery]:
    """Deliveries named `line N`, each as soon as its last line has come.

    A document ends with the line on which its brackets balance, before a line that begins with `{"` in
    the first column (what came before it was broken), and at the end of the stream. One over 64 KiB is
    given as a fault, without its bytes.
    """
    gathered = _Gathered(source, 1)
    number, begins_line = 1, True
    while piece := stream.readline(MAX_BYTES + 1):
        if begins_line and gathered.size and piece.startswith(b'{"'):
            yield gathered.delivery()
            gathered = _Gathered(source, number)
        begins_line = piece.endswith(b"\n")
        if gathered.size or piece.strip():
            gathered.add(piece)
            if begins_line and gathered.depth <= 0:
                yield gathered.delivery()
                gathered = _Gathered(source, number + 1)
        else:
            gathered = _Gathered(source, number + 1)
        number += begins_line
    if gathered.size:
        yield gathered.delivery()


class _Gathered:
    """The lines of one document so far. depth: brackets still open."""

    def __init__(self, source: str, first_line: int) -> None:
        self._source = source
        self._first_line = first_line
        self._pieces: list[bytes] = []
        self.size = 0
        self.depth = 0

    def add(self, piece: bytes) -> None:
        self.size += len(piece)
        if self.size <= MAX_BYTES:
            self._pieces.append(piece)
        else:
            self._pieces.clear()
        for found in _STRING_OR_BRACKET.findall(piece):
            self.depth += {b"{": 1, b"[": 1, b"}": -1, b"]": -1}.get(found, 0)

    def delivery(self) -> Delivery:
        name = f"line {self._first_line}"
        if self.size > MAX_BYTES:
            fault = f"document: {self.size} bytes, the limit is {MAX_BYTES}; send one intent a document"
            return Delivery(self._source, name, b"", (fault,))
        return Delivery(self._source, name, b"".join(self._pieces))
