"""What Barchart calls what the desk trades: ESZ6 at a broker is its ESZ26, spot gold its ^XAUUSD.

Barchart writes the year of a future with two digits. Brokers write it with one, so the decade is that of the
next such year from now on; a contract that expired lately keeps its own. Everything else is one of a few
names that are spelled out here, or already Barchart's own spelling.
"""

import re
from datetime import UTC, datetime

from neuratrade.core.model.errors import UsageError
from neuratrade.core.model.futures import year_of
from neuratrade.core.model.market import NS_PER_SECOND

FUTURE = re.compile(r"([A-Z][A-Z0-9]{0,2})([FGHJKMNQUVXZ])(\d{4}|\d{1,2})")
SPELLED = {
    "XAUUSD": "^XAUUSD",
    "XAU/USD": "^XAUUSD",
    "VIX": "$VIX",
}
OWN = re.compile(r"[$^][A-Z0-9]{1,12}")


def barchart_symbol(asset: str, now_ns: int) -> str:
    """Barchart's symbol of an asset. now_ns: tells the decade of a year of one digit.

    Raises UsageError for what it has no name of.
    """
    name = asset.strip().upper()
    if name in SPELLED:
        return SPELLED[name]
    if OWN.fullmatch(name):
        return name
    found = FUTURE.fullmatch(name)
    if found is None:
        raise UsageError(
            f"{asset!r} has no name at Barchart here: give a futures contract such as ESZ26, or one of "
            f"{', '.join(sorted(SPELLED))}"
        )
    root, month, digits = found.groups()
    this_year = datetime.fromtimestamp(now_ns // NS_PER_SECOND, UTC).year
    year = int(digits) if len(digits) > 1 else year_of(int(digits), this_year)
    return f"{root}{month}{year % 100:02d}"
