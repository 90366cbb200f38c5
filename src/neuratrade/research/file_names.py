"""What a data file holds, by the name people give it: `binance_BTCUSDT_1m.parquet`, `BTC_USDT-1h.feather`.

A guess, so it is always said where it was used. A name that fits no habit gives none.
"""

import re
from pathlib import Path

_QUOTES = "USDT USDC FDUSD BUSD TUSD USD EUR GBP JPY TRY KRW BTC ETH BNB".split()
_NAME = re.compile(
    r"(?:(?P<venue>[a-z][a-z0-9]*)_)?"
    r"(?P<symbol>[A-Z0-9]{1,16}(?:[-_][A-Z]{2,6})?)"
    r"(?:[-_](?:\d+[smhdw]|trades|ticks|tape|bars|[A-Z]+-\d+[smhdw])(?:[-_.].*)?)?"
)
NO_VENUE = "file"


def guess_market(path: Path) -> tuple[str, str] | None:
    """Asset and venue by a file's name, `("BTC/USDT", "binance")`; the venue is NO_VENUE if not named."""
    named = _NAME.fullmatch(path.stem)
    if named is None:
        return None
    asset = _asset_of(named["symbol"])
    return None if asset is None else (asset, named["venue"] or NO_VENUE)


def _asset_of(symbol: str) -> str | None:
    base, separator, quote = symbol.replace("_", "-").partition("-")
    if separator:
        return f"{base}/{quote}" if quote in _QUOTES else symbol
    for known in _QUOTES:
        if symbol.endswith(known) and len(symbol) > len(known):
            return f"{symbol.removesuffix(known)}/{known}"
    return symbol if symbol.isalpha() else None
