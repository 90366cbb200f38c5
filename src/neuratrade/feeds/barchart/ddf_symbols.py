"""Symbols of Barchart as its DDF has them: a future has one digit of its year on the wire, ESZ26 is ESZ6.

Nothing else differs: `^XAUUSD` is spot gold, `$VIX` an index. Ten years on, the digit means another contract,
so contracts that far away are refused, and so are rolling ones (ES*0), whose meaning changes underneath.
Source: lib/utilities/parsers/SymbolParser.js of the vendor's marketdata-api-js.
"""

import re
from collections.abc import Iterable

from neuratrade.core.model.errors import UsageError
from neuratrade.feeds.barchart.symbols import FUTURE

YEARS = range(-1, 9)
"""From the present one: those whose last digit tells them apart."""
_NAME = re.compile(r"[A-Z0-9^$][A-Z0-9.^$|_/-]{0,31}")


def to_wire(symbol: str, year: int) -> str:
    """What a symbol is called on the wire. year: the present one. Raises UsageError where it has no name."""
    if "*" in symbol:
        raise UsageError(f"{symbol} is a rolling contract; name the contract itself, such as ESZ26")
    if not _NAME.fullmatch(symbol):
        raise UsageError(f"{symbol!r} is no symbol of Barchart's; they are such as ESZ26, ^XAUUSD, $VIX")
    future = FUTURE.fullmatch(symbol)
    if future is None:
        return symbol
    root, month, digits = future.groups()
    if len(digits) == 2 and int(digits) not in [(year + ahead) % 100 for ahead in YEARS]:
        raise UsageError(
            f"{symbol} is not of the years {year + YEARS[0]} to {year + YEARS[-1]}: Barchart's stream tells "
            "a year by its last digit"
        )
    return f"{root}{month}{digits[-1]}"


def wire_names(symbols: Iterable[str], year: int) -> dict[str, str]:
    """Symbols by their names on the wire. Raises UsageError, also where two share a name."""
    names: dict[str, str] = {}
    for symbol in symbols:
        name = to_wire(symbol, year)
        if names.setdefault(name, symbol) != symbol:
            raise UsageError(f"{names[name]} and {symbol} are one symbol on Barchart's stream, {name}")
    return names
