"""Public trades, tickers and books of ccxt in our words. What is none raises, whatever it is.

Prices are positive and quantities not below zero, or there is no piece: a quote of a negative price would be
believed by whoever reads it.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from neuratrade.core.model.decimals import ZERO
from neuratrade.core.model.market import NS_PER_MS, Quote, Trade
from neuratrade.venues.ccxt.markets import number

Row = Mapping[str, Any]


def trade_of(row: Row, instrument: str) -> Trade:
    """A public trade. Raises for one of nothing."""
    price, quantity = number(row["price"]), number(row["amount"])
    if price is None or quantity is None or price <= 0 or quantity <= 0:
        raise ValueError("a trade of nothing")
    side = row.get("side")
    bought = None if side is None else side == "buy"
    return Trade(instrument, int(row["timestamp"]) * NS_PER_MS, price, quantity, bought)


def quote_of(row: Row, instrument: str, now_ns: int) -> Quote:
    """The best prices of a ticker. now_ns: its time where it has none."""
    bid, ask = number(row.get("bid")), number(row.get("ask"))
    sizes = number(row.get("bidVolume")) or ZERO, number(row.get("askVolume")) or ZERO
    return _quote(row, instrument, now_ns, (bid, sizes[0]), (ask, sizes[1]))


def quote_of_book(book: Row, instrument: str, now_ns: int) -> Quote:
    """The best prices of a book. now_ns: its time where it has none."""
    bid, ask = (
        (number(levels[0][0]), number(levels[0][1]) or ZERO) if levels else (None, ZERO)
        for levels in (book["bids"], book["asks"])
    )
    return _quote(book, instrument, now_ns, bid, ask)


def _quote(
    row: Row,
    instrument: str,
    now_ns: int,
    bid: tuple[Decimal | None, Decimal],
    ask: tuple[Decimal | None, Decimal],
) -> Quote:
    told_ms = row.get("timestamp")
    at_ns = now_ns if told_ms is None else int(told_ms) * NS_PER_MS
    if any(value is not None and value < 0 for value in (*bid, *ask)):
        raise ValueError("less than nothing")
    # Some venues tell a side where nobody is as a price of zero.
    return Quote(
        instrument,
        at_ns,
        bid[0] or None,
        ask[0] or None,
        bid[1] if bid[0] else ZERO,
        ask[1] if ask[0] else ZERO,
    )
