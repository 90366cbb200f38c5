"""When the trading day begins, from a time zone and a time of day, as the list of openings the core takes.

Zone files are read here, once, at the start. Where clocks are put forward over the opening, the day begins as
much later as the clocks jumped; where they are put back over it, the day begins the first time the clock
shows it, and the hour that comes twice begins no second day.
"""

import re
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from neuratrade.app.dna_values import refusal
from neuratrade.core.bars.sessions import DaySessions, ListedSessions
from neuratrade.core.model.market import NS_PER_MINUTE, NS_PER_SECOND

FIRST = date(1990, 1, 1)
LAST = date(2080, 1, 1)
"""The day that begins here never ends: nobody's desk runs so long on one file."""
_TIME = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")


def zone_name(found: object) -> str:
    """The name of a time zone that this machine knows, `America/New_York`."""
    try:
        if isinstance(found, str):
            return ZoneInfo(found).key
    except (ZoneInfoNotFoundError, ValueError, OSError):
        pass
    raise refusal(found, "allowed is a time zone that this machine knows, such as UTC or America/New_York")


def time_of_day(found: object) -> str:
    """Hours and minutes, `17:00`."""
    if not isinstance(found, str) or not _TIME.fullmatch(found):
        raise refusal(found, 'allowed is a time of day in quotes, "00:00" to "23:59"')
    return found


@lru_cache(maxsize=4)
def trading_days(zone: str, begins: str) -> DaySessions | ListedSessions:
    """The trading days of a zone whose clocks show `begins` ("HH:MM") as each of them opens."""
    at = time.fromisoformat(begins)
    if zone == "UTC":
        return DaySessions((at.hour * 60 + at.minute) * NS_PER_MINUTE)
    local = ZoneInfo(zone)
    openings, day = [], FIRST
    while day <= LAST:
        opens = datetime.combine(day, at, local).astimezone(UTC)
        openings.append(int(opens.timestamp()) * NS_PER_SECOND)
        day += timedelta(days=1)
    # A zone that crossed the date line skipped a whole day: two dates with one opening are one day.
    return ListedSessions(tuple(sorted(set(openings))))
