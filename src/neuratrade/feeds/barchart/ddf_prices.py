"""Prices of Barchart's DDF: whole numbers whose unit code says what their last digits mean.

Codes 2 to 7 are eighths to 256ths, with the numerator in the last one to three digits; 8 to F are decimals.
A text with a point is a price as it stands. Everything is exact, and what is no number is refused.
Source: lib/utilities/parse/ddf/value.js of the vendor's marketdata-api-js.
"""

import re
from decimal import Decimal
from functools import lru_cache

from msgspec import UNSET

from neuratrade.feeds.barchart.ddf_messages import Unreadable, Value

FRACTIONS = {"2": (1, 8), "3": (2, 16), "4": (2, 32), "5": (2, 64), "6": (3, 128), "7": (3, 256)}
"""By unit code: digits of the numerator, and the denominator."""
DECIMALS = {"8": 0, "9": 1, "A": 2, "B": 3, "C": 4, "D": 5, "E": 6, "F": 7}
"""By unit code: digits after the point."""
NOT_A_NUMBER = "prices that are no numbers"
UNKNOWN_UNIT = "unit codes that are unknown"
BAD_FRACTION = "prices with more than a whole in their fraction"
BAD_SIZE = "sizes that are no numbers"

_CODED = re.compile(r"-?[0-9]{1,15}")
_PLAIN = re.compile(r"-?(?:[0-9]{1,15}\.[0-9]{0,12}|\.[0-9]{1,12})")
_WHOLE = re.compile(r"[0-9]{1,15}")


@lru_cache(maxsize=32_768)
def price(text: str, unit: str) -> Value:
    """The price a text stands for. Raises Unreadable."""
    if not text:
        return UNSET
    if text == "-":
        return None
    if _PLAIN.fullmatch(text):
        return Decimal(text)
    if not _CODED.fullmatch(text):
        raise Unreadable(NOT_A_NUMBER)
    places = DECIMALS.get(unit)
    if places is not None:
        return Decimal(int(text)).scaleb(-places)
    if unit not in FRACTIONS:
        raise Unreadable(UNKNOWN_UNIT)
    digits, whole = FRACTIONS[unit]
    unsigned = text.lstrip("-")
    numerator = int(unsigned[-digits:])
    if numerator >= whole:
        raise Unreadable(BAD_FRACTION)
    found = int(unsigned[:-digits] or "0") + Decimal(numerator) / whole
    return -found if text.startswith("-") else found


@lru_cache(maxsize=8_192)
def size(text: str) -> Value:
    """A size, volume or count. Raises Unreadable."""
    if not text:
        return UNSET
    if text == "-":
        return None
    if not _WHOLE.fullmatch(text):
        raise Unreadable(BAD_SIZE)
    return Decimal(text)
