"""What a venue's "too many requests" leads to: less load, then no entries there, then a pause proposed."""

from collections import deque
from enum import IntEnum

from neuratrade.core.model.market import NS_PER_SECOND

WINDOW_NS = 60 * NS_PER_SECOND
NO_ENTRIES_FROM = 3
PAUSE_FROM = 6


class Level(IntEnum):
    """How hard a venue pushes back."""

    NONE = 0
    CUT = 1
    NO_ENTRIES = 2
    PAUSE = 3


class Pressure:
    """Counts refusals for load within a minute."""

    def __init__(self) -> None:
        self._told_ns: deque[int] = deque()

    def told(self, at_ns: int) -> Level:
        """Takes one refusal down; what it has come to."""
        self._told_ns.append(at_ns)
        return self.level(at_ns)

    def level(self, at_ns: int) -> Level:
        """What it has come to by a time."""
        while self._told_ns and self._told_ns[0] <= at_ns - WINDOW_NS:
            self._told_ns.popleft()
        count = len(self._told_ns)
        if count >= PAUSE_FROM:
            return Level.PAUSE
        if count >= NO_ENTRIES_FROM:
            return Level.NO_ENTRIES
        return Level.CUT if count else Level.NONE
