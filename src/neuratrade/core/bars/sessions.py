"""Which session a time belongs to, as a number: what session-anchored VWAP starts anew by.

A number and not a "first bar" flag, because the first bar of a session may be missing. Sessions come in as
data, a fixed offset or a list of openings: looking up time zones is I/O, and has no place here.
"""

from bisect import bisect_right

import msgspec

from neuratrade.core.model.market import NS_PER_DAY


class DaySessions(msgspec.Struct, frozen=True):
    """A session a day, all beginning at the same time UTC. offset_ns: from midnight UTC, in [0, one day)."""

    offset_ns: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.offset_ns < NS_PER_DAY:
            raise ValueError(f"offset_ns must lie in one day, got {self.offset_ns}")

    def number(self, open_ns: int) -> int:
        """Sessions since 1970 of a bar that opened, or a trade that happened, at `open_ns`."""
        return (open_ns - self.offset_ns) // NS_PER_DAY


class ListedSessions(msgspec.Struct, frozen=True):
    """Sessions by their openings, ns UTC, rising: for exchanges whose day moves with daylight saving or
    holidays.
    """

    openings: tuple[int, ...]

    def __post_init__(self) -> None:
        for earlier, later in zip(self.openings, self.openings[1:], strict=False):
            if later <= earlier:
                raise ValueError(f"openings must rise, got {later} after {earlier}")

    def number(self, open_ns: int) -> int:
        """How many listed sessions had begun at `open_ns`; 0 is before the first."""
        return bisect_right(self.openings, open_ns)
