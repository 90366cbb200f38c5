"""Symbols of Barchart as its DDF has them: a future has one digit of its year on the wire, ESZ26 is ESZ6.

Nothing else differs: `^XAUUSD` is spot gold, `$VIX` an index. Ten years on, the digit means another contract,
so contracts that far away are refused, and so are rolling ones (ES*0), whose meaning changes underneath.
Source: lib/utilities/parsers/SymbolParser.js of the vendor's marketdata-api-js.
"""

import re
from collections.abc import Iterable

from neuratrade.core.model.errors import UsageError

FARTHEST_YEARS = 9
_FUTURE = re.compile(r"([A-Z][A-Z0-9]{0,2})([FGHJKMNQUVXZ])([0-9]{1,2})")
_NAME = re.compile(r"[A-Z0-9^$][A-Z0-9.^$|_/-]{0,31}")


def to_wire(symbol: str, year: int) -> str:
    """What a symbol is called on the wire. year: the present one. Raises UsageError where it has no name."""
    if "*" in symbol:
        raise UsageError(f"{symbol} is a rolling contract; name the contract itself, such as ESZ26")
    if not _NAME.fullmatch(symbol):
        raise UsageError(f"{symbol!r} is no symbol of Barchart's; they are such as ESZ26, ^XAUUSD, $VIX")
    future = _FUTURE.fullmatch(symbol)
    if future is None:
        return symbol
    full = full_year(future[3], year)
    if full > year + FARTHEST_YEARS or full < year:
        raise UsageError(
            f"{symbol} is not of the years {year} to {year + FARTHEST_YEARS}: Barchart's stream tells a year "
            "by its last digit"
        )
    return f"{future[1]}{future[2]}{full % 10}"


def from_wire(symbol: str, year: int) -> str:
    """A symbol of the wire with both digits of its year, ESZ6 as ESZ26. year: the present one."""
    future = _FUTURE.fullmatch(symbol)
    if future is None:
        return symbol
    return f"{future[1]}{future[2]}{full_year(future[3], year) % 100:02d}"


def full_year(digits: str, year: int) -> int:
    """The year of two digits, of this century; or of one digit, the next one from a year on."""
    if len(digits) == 2:
        return year - year % 100 + int(digits)
    return year + (int(digits) - year) % 10


def wire_names(symbols: Iterable[str], year: int) -> dict[str, str]:
    """Symbols by their names on the wire. Raises UsageError, also where two share a name."""
    names: dict[str, str] = {}
    for symbol in symbols:
        name = to_wire(symbol, year)
        if names.setdefault(name, symbol) != symbol:
            raise UsageError(f"{names[name]} and {symbol} are one symbol on Barchart's stream, {name}")
    return names
