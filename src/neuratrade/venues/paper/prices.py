"""Which price an order gets on paper. Pure functions; every rule errs against the trader.

Bars: a bar tells a range, not a path. At the open, orders meet the open. Over the range, stops come first,
so a bar that touches both stop and target is a stop; a stop the price jumped over fills at the open, not at
its level. A limit fills at its level or at a better open.
"""

from decimal import Decimal
from enum import Enum

import msgspec

from neuratrade.core.model.decimals import BASIS_POINTS, ONE, ceil_to, floor_to
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
    """What the venue knows of one market: the bar being lived through, or the last quote."""

    bar: Bar | None = None
    phase: Phase = Phase.SHUT
    quote: Quote | None = None
    last: Decimal | None = None


def taking_price(contract: Instrument, costs: PaperCosts, side: Side, base: Decimal, spread: bool) -> Decimal:
    """The price of taking liquidity around `base`: half the spread (where `spread`) and slippage worse."""
    worse = costs.slippage_bps / BASIS_POINTS + (costs.spread_fraction / 2 if spread else Decimal(0))
    raw = base * (ONE + worse * side.sign)
    return ceil_to(raw, contract.tick) if side is Side.BUY else floor_to(raw, contract.tick)


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
    if (bar.open - stop) * side.sign >= 0:
        return bar.open
    if tape.phase is Phase.OPEN:
        return None
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
    if (limit - bar.open) * sign >= 0:
        return bar.open
    if tape.phase is Phase.OPEN:
        return None
    extreme = bar.low if side is Side.BUY else bar.high
    room = (limit - extreme) * sign
    if room > 0 or (room == 0 and not (resting and through)):
        return limit
    return None


def takeable(tape: Tape, side: Side, contract: Instrument, costs: PaperCosts) -> Decimal:
    """The most one order may take now, units of base, rounded down to the lot."""
    if tape.quote is not None:
        size = tape.quote.ask_size if side is Side.BUY else tape.quote.bid_size
        return contract.round_quantity(size)
    if tape.bar is None:
        return Decimal(0)
    return contract.round_quantity(tape.bar.volume * costs.participation_fraction)
