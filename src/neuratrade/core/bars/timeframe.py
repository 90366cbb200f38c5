"""Names of bar lengths: `1m`, `4h`, `1d`, `1w`. One place, so that no two parts read `1M` differently.

Months and years are refused: they have no fixed length, and a bar of unknown length has no close time.
"""

import re

from neuratrade.core.model.errors import UsageError
from neuratrade.core.model.market import NS_PER_DAY, NS_PER_HOUR, NS_PER_MINUTE, NS_PER_SECOND

NS_PER_WEEK = 7 * NS_PER_DAY
MONDAY_OFFSET_NS = 4 * NS_PER_DAY
"""Weeks begin on Mondays; 1970-01-01 was a Thursday."""

_UNITS = {"w": NS_PER_WEEK, "d": NS_PER_DAY, "h": NS_PER_HOUR, "m": NS_PER_MINUTE, "s": NS_PER_SECOND}


def span_of(timeframe: str) -> int:
    """Nanoseconds of a timeframe such as `5m`.

    Raises UsageError for anything else than a count and s, m, h, d, w.
    """
    match = re.fullmatch(r"([1-9][0-9]{0,4})([smhdw])", timeframe)
    if match is None:
        raise UsageError(
            f"timeframe {timeframe!r}: write a count and one of s, m, h, d, w, for example 1m or 4h"
        )
    return int(match[1]) * _UNITS[match[2]]


def timeframe_of(span_ns: int) -> str:
    """The name of a span, in its largest whole unit.

    Raises UsageError where it is no whole number of seconds.
    """
    for unit, length in _UNITS.items():
        if span_ns > 0 and span_ns % length == 0:
            return f"{span_ns // length}{unit}"
    raise UsageError(f"a span of {span_ns} ns is not a whole number of seconds above zero")


def grid_offset(span_ns: int) -> int:
    """Where the usual grid of a span begins, nanoseconds after 1970-01-01 UTC: Monday for whole weeks, else
    0.
    """
    return MONDAY_OFFSET_NS if span_ns % NS_PER_WEEK == 0 else 0
