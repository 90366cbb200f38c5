"""Times of Barchart's DDF: wall clocks without a zone, as UTC across daylight saving.

A message has the wall clock of its exchange, the clock beat and the update time of a snapshot that of the
server, which is in Chicago. The hour that comes twice in autumn is read as the one nearer to this machine's
clock, since the beat is as ambiguous as the rest; an hour that never was, in spring, is refused, and so is
the time of an exchange whose zone is not known: the age of such a price cannot be told.

Zones by exchange code: DDF_Exchange and DDF_ExchangeKind in the vendor's barchart-feed-ddf (2024); that of
NASDAQ and that of the server also by the recorded log, whose name is the instant it begins.
"""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from neuratrade.core.model.market import NS_PER_HOUR, NS_PER_MS, NS_PER_SECOND
from neuratrade.feeds.barchart.ddf_messages import Unreadable

CHICAGO = "America/Chicago"
NEW_YORK = "America/New_York"
SERVER_ZONE = CHICAGO

CHICAGO_CODES = "BbCcEeGgJjKkLlMmWwYZzPp$_"
"""CBOT, ICE US, COMEX (E), MGEX, NYMEX, KCBT, ICE EU, CME (M), ICE Canada, metals, books, S&P, forex ($)."""
NEW_YORK_CODES = "AaDdFfIiNnOoQqRrSsUuXxy4"
"""AMEX, bulletin board, funds, indices (I), NYSE, Dow Jones, NASDAQ, CBOE (R, r), TSX, pink sheets, BATS."""
ZONES = dict.fromkeys(CHICAGO_CODES, CHICAGO) | dict.fromkeys(NEW_YORK_CODES, NEW_YORK)

NEVER_WAS = "times of an hour that daylight saving left out"
NO_ZONE = "exchange codes whose time zone is unknown"
BROKEN = "broken times"
MOST_KEPT = 4_096

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class ZoneTimes:
    """Wall-clock times of one zone. near: nanoseconds UTC of about when they were told."""

    def __init__(self, zone: str) -> None:
        self._zone = ZoneInfo(zone)
        self._shifts: dict[int, tuple[int, ...]] = {}

    def utc_ns(self, local_ns: int, near_ns: int) -> int:
        """The instant of a wall clock. Raises Unreadable where there was none."""
        hour = local_ns // NS_PER_HOUR
        shifts = self._shifts.get(hour)
        if shifts is None:
            if len(self._shifts) >= MOST_KEPT:
                self._shifts.clear()
            shifts = self._shifts[hour] = self._shifts_of(hour)
        if len(shifts) == 1:
            return local_ns + shifts[0]
        if not shifts:
            raise Unreadable(NEVER_WAS)
        return min((local_ns + shift for shift in shifts), key=lambda instant: abs(instant - near_ns))

    def _shifts_of(self, hour: int) -> tuple[int, ...]:
        """What to add to a wall clock of this hour: zones of the table change on the hour."""
        wall = datetime(1970, 1, 1) + timedelta(hours=hour)  # noqa: DTZ001 - a wall clock without a zone
        found: dict[int, None] = {}
        for fold in (0, 1):
            instant = wall.replace(tzinfo=self._zone, fold=fold).astimezone(UTC)
            if instant.astimezone(self._zone).replace(tzinfo=None) == wall:
                shift = instant - wall.replace(tzinfo=UTC)
                found[round(shift.total_seconds()) * NS_PER_SECOND] = None
        return tuple(found)


class DdfTimes:
    """Times of messages by the code of their exchange, and of the server."""

    def __init__(self) -> None:
        zones = {name: ZoneTimes(name) for name in {*ZONES.values(), SERVER_ZONE}}
        self._by_code = {code: zones[name] for code, name in ZONES.items()}
        self._server = zones[SERVER_ZONE]

    def of_exchange(self, local_ns: int, code: str, near_ns: int) -> int:
        """Nanoseconds UTC of an exchange's wall clock. Raises Unreadable."""
        times = self._by_code.get(code)
        if times is None:
            raise Unreadable(NO_ZONE)
        return times.utc_ns(local_ns, near_ns)

    def of_server(self, local_ns: int, near_ns: int) -> int:
        """Nanoseconds UTC of the server's wall clock. Raises Unreadable."""
        return self._server.utc_ns(local_ns, near_ns)


_SECONDS: dict[str, int] = {}


def nine_bytes(text: str) -> int:
    """The wall clock at the end of a message: century, then year, month, day, hour, minute and second above
    64, then milliseconds, the low byte first, which may be more than a second has. Raises Unreadable.
    """
    key = text[:7]
    seconds = _SECONDS.get(key)
    if seconds is None:
        if len(text) != 9:
            raise Unreadable(BROKEN)
        if len(_SECONDS) >= MOST_KEPT:
            _SECONDS.clear()
        century, *rest = (ord(byte) for byte in key)
        year, month, day, hour, minute, second = (value - 64 for value in rest)
        seconds = _SECONDS[key] = _wall_seconds(century * 100 + year, month, day, hour, minute, second)
    return seconds * NS_PER_SECOND + (ord(text[7]) + (ord(text[8]) << 8)) * NS_PER_MS


def fourteen_digits(text: str) -> int:
    """The wall clock of `20261120101530`. Raises Unreadable."""
    if len(text) != 14 or not (text.isascii() and text.isdigit()):
        raise Unreadable(BROKEN)
    parts = (int(text[:4]), *(int(text[at : at + 2]) for at in range(4, 14, 2)))
    return _wall_seconds(*parts) * NS_PER_SECOND


def _wall_seconds(year: int, month: int, day: int, hour: int, minute: int, second: int) -> int:
    try:
        wall = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        raise Unreadable(BROKEN) from None
    return (wall - _EPOCH) // timedelta(seconds=1)
