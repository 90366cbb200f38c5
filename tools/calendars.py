"""Writes the table of trading calendars that ships with the package (`python -m tools.calendars`).

The days and hours are those of pandas_market_calendars; only this tool and the test that compares the table
with it need that library, so that no desk has to load it.
"""

import json
from datetime import date
from pathlib import Path
from typing import Any

FIRST, LAST = date(2010, 1, 1), date(2035, 12, 31)
NAMES = {
    "CME equity index": "CME Globex Equity",
    "COMEX metals": "CMEGlobex_Gold",
    "US equities": "NYSE",
}
TABLE = Path(__file__).parents[1] / "src/neuratrade/data/calendars.json"


def table() -> dict[str, Any]:
    """Every calendar by its name here; the form is that of `feeds.calendars`."""
    return {name: _calendar(theirs) for name, theirs in NAMES.items()}


def _calendar(name: str) -> dict[str, Any]:
    from pandas_market_calendars import get_calendar

    known = get_calendar(name)
    rows = known.schedule(FIRST.isoformat(), LAST.isoformat())
    zone = str(known.tz)
    opens = rows["market_open"].dt.tz_convert(zone)
    closes = rows["market_close"].dt.tz_convert(zone)
    days = [stamp.date() for stamp in rows.index]
    usual_open, usual_close = (item.dt.strftime("%H:%M").mode()[0] for item in (opens, closes))
    if {at.strftime("%H:%M") for at in opens} != {usual_open}:
        raise ValueError(f"{name} does not always open at {usual_open}: the table cannot say that")
    held = set(days)
    weekdays = [day for day in _days() if day.weekday() < 5]
    ends = [(day, at.strftime("%H:%M")) for day, at in zip(days, closes, strict=True)]
    return {
        "zone": zone,
        "open": usual_open,
        "opens_day_before": bool((opens.iloc[0].date() - days[0]).days),
        "close": usual_close,
        "closed": [day.isoformat() for day in weekdays if day not in held],
        "early": {day.isoformat(): end for day, end in ends if end != usual_close},
    }


def _days() -> list[date]:
    return [date.fromordinal(number) for number in range(FIRST.toordinal(), LAST.toordinal() + 1)]


def text() -> str:
    """The table as it is written."""
    head = {"first": FIRST.isoformat(), "last": LAST.isoformat(), "calendars": table()}
    return json.dumps(head, indent=1) + "\n"


if __name__ == "__main__":
    TABLE.write_text(text())
    print(f"{TABLE.name}: {len(NAMES)} calendars, {FIRST} to {LAST}")
