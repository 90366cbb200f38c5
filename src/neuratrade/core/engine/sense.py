"""Whether what comes from outside is made of numbers that can be reckoned with, and of things known here.

A venue or a feed may say anything. What is no price, no amount or no known contract is not taken: a number
that is none, or one so large that arithmetic with it overflows, would otherwise end the desk while it holds.
"""

from collections.abc import Callable, Collection
from decimal import Decimal
from typing import Any

from neuratrade.core.model import events as e
from neuratrade.core.model import facts as f
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.market import Bar, Quote, Trade

MOST_DIGITS, MOST_PLACES = 18, 30
"""Digits before the point and places behind it, beyond which a number is a mistake, not an amount."""


_LEAST_PRICE, _BEYOND_PRICES = Decimal(1).scaleb(-MOST_PLACES), Decimal(1).scaleb(MOST_DIGITS + 1)


# Every bar and quote passes here, so these are plain loops: a generator would cost more than what it checks.
def is_amount(*values: Decimal) -> bool:
    """Whether all are finite and of a size that can be reckoned with; any sign."""
    for value in values:  # noqa: SIM110
        if not (value.is_finite() and -MOST_PLACES <= value.adjusted() <= MOST_DIGITS):
            return False
    return True


def is_price(*values: Decimal) -> bool:
    """Whether all are amounts above zero."""
    for value in values:  # noqa: SIM110
        if not (value.is_finite() and _LEAST_PRICE <= value < _BEYOND_PRICES):
            return False
    return True


def makes_sense(event: e.Event, known: Collection[str]) -> bool:
    """Whether an event may be taken at all. known: keys of the instruments there are views of."""
    check = _CHECKS.get(type(event))
    return check is None or check(event, known)


def _bar(bar: Bar, known: Collection[str]) -> bool:
    return (
        bar.instrument in known
        and is_price(bar.open, bar.high, bar.low, bar.close)
        and is_amount(bar.volume)
        and bar.volume >= 0
    )


def _quote(quote: Quote, known: Collection[str]) -> bool:
    sides = [side for side in (quote.bid, quote.ask) if side is not None]
    return quote.instrument in known and is_price(*sides)


def _terms(contract: Instrument) -> bool:
    """Whether a contract can be traded by these terms: its grids are steps, its worth is not nothing."""
    least = (contract.min_quantity, contract.min_notional, contract.initial_margin)
    others = (contract.maker_fee_bps, contract.taker_fee_bps, contract.commission, contract.price_floor)
    return is_price(contract.tick, contract.lot, contract.multiplier) and is_amount(*least, *others)


def _movement(event: f.CashMoved) -> bool:
    return is_amount(event.amount) and (event.rate is None or is_price(event.rate))


_CHECKS: dict[type, Callable[[Any, Collection[str]], bool]] = {
    Quote: _quote,
    Trade: lambda event, known: event.instrument in known and is_price(event.price),
    e.BarSeen: lambda event, known: _bar(event.bar, known),
    e.BarClosed: lambda event, known: _bar(event.bar, known),
    e.MarkSeen: lambda event, known: event.instrument in known and is_price(event.price),
    e.RateSeen: lambda event, _: is_price(event.rate),
    e.FeedStalled: lambda event, known: event.instrument in known,
    f.CashMoved: lambda event, _: _movement(event),
    f.InstrumentUpdated: lambda event, _: _terms(event.instrument),
}
