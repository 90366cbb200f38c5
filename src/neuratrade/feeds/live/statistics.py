"""What a live feed counts of its connection and of each symbol, and the file another process reads it from.

A snapshot of a running desk for people and programs that look: nothing is decided by it, and a desk that
cannot write it goes on. Whoever reads it is told when it was written, since a desk that died leaves its last
one behind.
"""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import msgspec

from neuratrade.core.model.errors import UsageError


class SymbolReading(msgspec.Struct, frozen=True):
    """One instrument. pieces: quotes and trades that were heard. late: of them, too old on receipt.

    gaps: how often it fell silent, or its book was lost, while the connection stood. heard_ns: of the newest
    piece, None before the first. is_stalled: no price of it counts now. delayed: pieces left out because the
    venue tells them late. delay_minutes: 0 for the present, -1 for delayed by nobody knows how much, None
    while that is not known.
    """

    instrument: str
    pieces: int = 0
    late: int = 0
    gaps: int = 0
    heard_ns: int | None = None
    is_stalled: bool = True
    delayed: int = 0
    delay_minutes: int | None = 0


class ConnectionReading(msgspec.Struct, frozen=True):
    """One connection, over all its renewals. is_open: it stands now. opened: how often it stood, lost: how
    often it was lost. is_over: it ended for good, for the reason `ended`. unreadable: by kind.
    """

    venue: str
    written_ns: int
    is_open: bool
    opened: int
    lost: int
    late: int
    pieces: int
    gaps: int
    ended: str
    unreadable: dict[str, int]
    symbols: tuple[SymbolReading, ...]

    @property
    def is_over(self) -> bool:
        """Whether nothing is connected anew."""
        return bool(self.ended)

    @property
    def reconnects(self) -> int:
        """How often it stood anew."""
        return max(0, self.opened - 1)


class _Symbol:
    """What is counted of one instrument, as in `SymbolReading`."""

    __slots__ = ("delay_minutes", "delayed", "gaps", "heard_ns", "late", "pieces", "stalled")

    def __init__(self) -> None:
        self.pieces = self.late = self.gaps = self.delayed = 0
        self.heard_ns: int | None = None
        self.stalled = True
        self.delay_minutes: int | None = 0


class Statistics:
    """Counts for one feed. symbols: by instrument key."""

    def __init__(self, keys: tuple[str, ...]) -> None:
        self.symbols = {key: _Symbol() for key in keys}
        self.opened = self.lost = 0
        self.ended = ""

    @property
    def late(self) -> int:
        """Pieces that came too late, of all symbols."""
        return sum(item.late for item in self.symbols.values())

    def heard(self, key: str, at_ns: int) -> None:
        """A quote or trade came."""
        symbol = self.symbols[key]
        symbol.pieces += 1
        symbol.heard_ns = at_ns

    def reading(
        self, venue: str, now_ns: int, *, is_open: bool, unreadable: dict[str, int]
    ) -> ConnectionReading:
        """All of it, as of now."""
        symbols = tuple(
            SymbolReading(
                key, item.pieces, item.late, item.gaps, item.heard_ns, item.stalled, item.delayed,
                item.delay_minutes,
            )
            for key, item in self.symbols.items()
        )  # fmt: skip
        return ConnectionReading(
            venue, now_ns, is_open, self.opened, self.lost, self.late,
            sum(item.pieces for item in symbols), sum(item.gaps for item in symbols), self.ended, unreadable,
            symbols,
        )  # fmt: skip


def write_reading(path: Path, reading: ConnectionReading) -> None:
    """Puts a reading where others find it whole, or the one before it. Raises OSError."""
    new = path.with_name(f".{path.name}.new")
    new.write_bytes(msgspec.json.encode(reading))
    new.replace(path)


class ReadingFile:
    """Keeps the newest reading in a file. note: told the first time that fails; the feed goes on."""

    def __init__(self, path: Path, note: Callable[[str], None]) -> None:
        self._path = path
        self._note = note
        self._failed = False
        with suppress(OSError):
            path.unlink(missing_ok=True)

    def __call__(self, reading: ConnectionReading) -> None:
        try:
            write_reading(self._path, reading)
        except OSError as error:
            if not self._failed:
                self._note(f"{self._path}: the statistics of the feed cannot be written ({error.strerror})")
            self._failed = True
        else:
            self._failed = False


def read_reading(path: Path) -> ConnectionReading | None:
    """The last reading, None where there is none. Raises UsageError for a file that is none of them."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=ConnectionReading)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: the statistics of the feed cannot be read ({error})") from None
