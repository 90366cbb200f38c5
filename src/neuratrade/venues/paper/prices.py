"""Which price an order gets on paper. Pure functions; every rule errs against the trader.

Bars: a bar tells a range, not a path. At the open, orders meet the open. Over the range, stops come first,
so a bar that touches both stop and target is a stop; a stop the price jumped over fills at the open, not at
its level. A limit that rested fills at its level or at a better open. Over the range the open is past: what
was sent or moved since then trades at its level, never at a price from before it was there.
"""

from decimal import Decimal
from enum import Enum

import msgspec

from neuratrade.core.model.decimals import BASIS_POINTS, ONE, ZERO, ceil_to, floor_to
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.market import Bar, Quote
from neuratrade.core.model.orders import Side
from neuratrade.venues.paper.costs import PaperCosts


class Phase(Enum):
    """Which part of a bar is being lived through."""

    SHUT = 0
    OPEN = 1
    RANGE = 2


class Tape(msgspec.Struct):
    """What the venue knows of one market: the bar being lived through, or the last quote.

    taken: how much of it our orders took already, by their side.
    """

    bar: Bar | None = None
    phase: Phase = Phase.SHUT
    quote: Quote | None = None
    last: Decimal | None = None
    taken: dict[Side, Decimal] = {}


def taking_price(contract: Instrument, costs: PaperCosts, side: Side, base: Decimal, spread: bool) -> Decimal:
    """The price of taking liquidity around `base`: half the spread (where `spread`) and slippage worse."""
    worse = costs.slippage_bps / BASIS_POINTS + (costs.spread_fraction / 2 if spread else ZERO)
    raw = base * (ONE + worse * side.sign)
    return ceil_to(raw, contract.tick) if side is Side.BUY else floor_to(raw, contract.tick)


def after_impact(
    contract: Instrument, costs: PaperCosts, tape: Tape, side: Side, price: Decimal, quantity: Decimal
) -> Decimal:
    """`price` moved against us by what taking `quantity` of the bar or quote does to it, on the tick grid."""
    there = _traded(tape, side)
    if not costs.impact_bps or there <= 0:
        return price
    worse = costs.impact_bps / BASIS_POINTS * min(quantity / there, ONE)
    raw = price * (ONE + worse * side.sign)
    return ceil_to(raw, contract.tick) if side is Side.BUY else floor_to(raw, contract.tick)


def _traded(tape: Tape, side: Side) -> Decimal:
    """What could be traded with: the side of the quote, or the bar's volume."""
    if tape.quote is not None:
        return tape.quote.ask_size if side is Side.BUY else tape.quote.bid_size
    return ZERO if tape.bar is None else tape.bar.volume


def market_base(tape: Tape, side: Side) -> tuple[Decimal, bool] | None:
    """Where a market order trades now, and whether half a spread is still to be added; None = nowhere."""
    if tape.quote is not None:
        price = tape.quote.ask if side is Side.BUY else tape.quote.bid
        return None if price is None else (price, False)
    if tape.bar is None or tape.phase is Phase.SHUT:
        return None
    return (tape.bar.open if tape.phase is Phase.OPEN else tape.bar.close), True


def stop_base(tape: Tape, side: Side, stop: Decimal) -> Decimal | None:
    """The price a stop triggers at, or None while it does not: its level, or the open that jumped it."""
    if tape.quote is not None:
        price = tape.quote.ask if side is Side.BUY else tape.quote.bid
        return price if price is not None and (price - stop) * side.sign >= 0 else None
    bar = tape.bar
    if bar is None or tape.phase is Phase.SHUT:
        return None
    if tape.phase is Phase.OPEN:
        return bar.open if (bar.open - stop) * side.sign >= 0 else None
    extreme = bar.high if side is Side.BUY else bar.low
    return stop if (extreme - stop) * side.sign >= 0 else None


def limit_price(tape: Tape, side: Side, limit: Decimal, *, resting: bool, through: bool) -> Decimal | None:
    """The price a limit order trades at, or None while it does not.

    resting: it waits in the book and pays the maker's fee at its own level; with `through` the price must
    go beyond the level. One that arrives marketable trades at the better open or quote.
    """
    sign = side.sign
    if tape.quote is not None:
        price = tape.quote.ask if side is Side.BUY else tape.quote.bid
        if price is None:
            return None
        room = (limit - price) * sign
        if resting:
            return limit if room > 0 or (room == 0 and not through) else None
        return price if room >= 0 else None
    bar = tape.bar
    if bar is None or tape.phase is Phase.SHUT:
        return None
    at_open = tape.phase is Phase.OPEN
    extreme = bar.low if side is Side.BUY else bar.high
    room = (limit - (bar.open if at_open else extreme)) * sign
    if room < 0 or (room == 0 and resting and through):
        return None
    return bar.open if at_open else limit


def takeable(tape: Tape, side: Side, contract: Instrument, costs: PaperCosts) -> Decimal:
    """The most that may still be taken of this bar or quote, units of base, rounded down to the lot."""
    if tape.quote is not None:
        size = tape.quote.ask_size if side is Side.BUY else tape.quote.bid_size
    elif tape.bar is not None:
        size = tape.bar.volume * costs.participation_fraction
    else:
        return ZERO
    return contract.round_quantity(max(size - tape.taken.get(side, ZERO), ZERO))
