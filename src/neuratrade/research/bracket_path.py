"""One bracket lived through bars in compiled code, by the rules the desk and the paper venue keep.

It answers what a trade would have come to that was never sent, so it errs where they err: at the open,
orders meet the open; over the range the stop comes first; a target is looked at after it, at its own level;
an entry filled inside a bar knows of that bar's best price only the close. Moments (when the stop stands,
when the time exit arrives) follow from the latency as they do there, so hardly any trade is told differently.

It refuses to guess: an entry that does not fill, or bars that end before the way out, give no result. One
unit is traded: a bar takes it whole or, where its volume leaves less than a lot, not at all.

Everything is float64, at most a rounding away from the desk's decimals; prices are snapped to the tick.
"""

from typing import Final, NamedTuple

import numpy as np

from neuratrade.core.indicators.kernel import kernel
from neuratrade.core.model.market import NS_PER_SECOND
from neuratrade.hands.simulated import RANGE_LEAD_NS
from neuratrade.research.columns import Floats, Times

MARKET: Final = 0
LIMIT: Final = 1
STOP: Final = 2

NONE: Final = 0
STOPPED: Final = 1
TARGET: Final = 2
TIME: Final = 3
TRAILED: Final = 4

_LEAD_NS: Final = RANGE_LEAD_NS
_WATCH_NS: Final = RANGE_LEAD_NS // 2
_OPEN_WINDOW_NS: Final = NS_PER_SECOND
_NEVER: Final = 2**62
_DUST: Final = 1e-9


class Tape(NamedTuple):
    """Bars of one instrument, each array of length n, and what trading it costs.

    ts: openings, ns. takes: whether a bar's volume takes at least one lot. tick: quote currency per unit;
    scale: ten to the number of its decimal places. worse: share of the price that taking costs on top
    (slippage and half the spread). maker, taker: fees as fractions of notional; commission: beside them, of
    the price of a unit, each way. half_ns: the way to the venue, or back.
    """

    ts: Times
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    takes: np.ndarray[tuple[int], np.dtype[np.bool_]]
    span_ns: int
    tick: float
    scale: float
    worse: float
    maker: float
    taker: float
    commission: float
    fee_in_base: bool
    through: bool
    half_ns: int


class Order(NamedTuple):
    """One bracket. sign: +1 long, -1 short. kind: MARKET, LIMIT or STOP. level: of the entry, on the tick.

    stop: nan without one. trail: fraction, nan without one. touches, prices, shares: the ladder, each of
    length m: where a rung is due, the tick it is sold at, and what part of the position. at_ns: when it was
    judged; rest_ns: how long the entry may rest; hold_ns: time exit after the fill, below zero for none.
    """

    sign: float
    kind: int
    level: float
    stop: float
    trail: float
    touches: Floats
    prices: Floats
    shares: Floats
    at_ns: int
    rest_ns: int
    hold_ns: int


@kernel
def _snapped(tape: Tape, price: float, up: bool) -> float:
    """`price` on the tick grid, away from us: a float a hair off a multiple is that multiple.

    The float is the one nearest to its decimal, so that it equals the same price in a bar: 0.1 * 1248 would
    lie above 124.8, and a bar that just touches it would not.
    """
    steps = price / tape.tick
    whole = np.rint(steps)
    if abs(steps - whole) > 1e-9 + 1e-12 * abs(steps):
        whole = np.ceil(steps) if up else np.floor(steps)
    return float(np.rint(whole * tape.tick * tape.scale) / tape.scale)


@kernel
def _taken(tape: Tape, base: float, side: float) -> float:
    """The price of taking around `base`, buying for side +1 and selling for -1."""
    return _snapped(tape, base * (1.0 + tape.worse * side), side > 0.0)


@kernel
def _at_open(tape: Tape, order: Order, i: int, rests: bool, triggered: bool) -> float:
    """The price the entry gets at the open of bar i, nan where it does not fill there."""
    price = tape.open[i]
    if order.kind == LIMIT:
        room = (order.level - price) * order.sign
        return price if room > 0.0 or (room == 0.0 and not (rests and tape.through)) else np.nan
    if order.kind == STOP and not triggered and (price - order.level) * order.sign < 0.0:
        return np.nan
    return _taken(tape, price, order.sign)


@kernel
def _in_range(tape: Tape, order: Order, i: int) -> float:
    """The price the resting entry gets over the range of bar i, nan where it does not fill there."""
    long = order.sign > 0.0
    if order.kind == LIMIT:
        room = (order.level - (tape.low[i] if long else tape.high[i])) * order.sign
        return order.level if room > 0.0 or (room == 0.0 and not tape.through) else np.nan
    beyond = ((tape.high[i] if long else tape.low[i]) - order.level) * order.sign
    return _taken(tape, order.level, order.sign) if beyond >= 0.0 else np.nan


@kernel
def _enter(tape: Tape, order: Order) -> tuple[int, int, float]:
    """Bar, moment and price of the entry; bar -1 where it does not fill."""
    arrives = order.at_ns + tape.half_ns
    until = order.at_ns + order.rest_ns
    triggered = False
    for i in range(np.searchsorted(tape.ts, arrives - tape.span_ns, side="right"), tape.ts.shape[0]):
        opens = tape.ts[i]
        ranges = opens + tape.span_ns - _LEAD_NS
        rests = arrives < opens
        if order.kind != MARKET and rests and until < opens:
            break
        if arrives >= ranges:
            # What arrives inside a bar waits for the next one: its price may be gone already.
            if order.kind == MARKET:
                break
            continue
        price = _at_open(tape, order, i, rests, triggered)
        if not np.isnan(price):
            if tape.takes[i]:
                return i, max(opens, arrives), price
            triggered = True
        if order.kind == MARKET:
            break
        if until >= ranges:
            price = _in_range(tape, order, i)
            if not np.isnan(price):
                if tape.takes[i]:
                    return i, ranges, price
                triggered = True
    return -1, 0, np.nan


@kernel
def _climb(tape: Tape, order: Order, i: int, best: float, done: int, left: float) -> tuple[int, float, float]:
    """Rungs of the ladder that bar i reaches: how many are done then, what is left, what they brought.

    Each is a stop taken away and an order that has to arrive before the bar ends. A rung that was reached,
    but not filled, is told by -1 - done.
    """
    value = 0.0
    closes = tape.ts[i] + tape.span_ns
    arrives = closes - _WATCH_NS + 3 * tape.half_ns
    furthest = tape.high[i] if order.sign > 0.0 else tape.low[i]
    whole = order.shares.sum() >= 1.0 - _DUST
    while done < order.prices.shape[0] and (best - order.touches[done]) * order.sign >= 0.0:
        price = order.prices[done]
        if not tape.takes[i] or arrives >= closes or (furthest - price) * order.sign < 0.0:
            return -1 - done, left, value
        last = whole and done == order.prices.shape[0] - 1
        sold = left if last or order.shares[done] > left - _DUST else order.shares[done]
        value += sold * price
        left -= sold
        done += 1
        if left <= 0.0:
            break
        arrives += 4 * tape.half_ns
    return done, left, value


@kernel
def _stopped(tape: Tape, order: Order, i: int, stop: float, stands: int, gone: int, triggered: bool) -> float:
    """The price bar i reaches the stop at, which is there from `stands` to `gone`; nan where it does not."""
    opens = tape.ts[i]
    closes = opens + tape.span_ns
    ranges = closes - _LEAD_NS
    if stands < ranges and gone >= opens and (triggered or (stop - tape.open[i]) * order.sign >= 0.0):
        return _taken(tape, tape.open[i], -order.sign)
    worst = tape.low[i] if order.sign > 0.0 else tape.high[i]
    if stands < closes and gone >= ranges and (stop - worst) * order.sign >= 0.0:
        return _taken(tape, stop, -order.sign)
    return np.nan


@kernel
def _follow(tape: Tape, order: Order, best: float, peak: float, stop: float) -> float:
    """Where the trail puts the stop behind `best`; nan where it stays."""
    if (best - peak) * order.sign <= 0.0:
        return np.nan
    level = _snapped(tape, best * (1.0 - order.trail * order.sign), order.sign < 0.0)
    return level if (level - stop) * order.sign > 0.0 else np.nan


@kernel
def _leave(tape: Tape, order: Order, first: int, filled: int, entry: float, held: float) -> tuple[int, float]:
    """How `held` is left, and what it brings, from bar `first` on; NONE where the bars end."""
    sign, stop, half = order.sign, order.stop, tape.half_ns
    opened, stands = filled + half, filled + 2 * half
    due = opened + order.hold_ns if order.hold_ns >= 0 else _NEVER
    gone, leaves = due + half, due + 3 * half
    peak, left, value, done = entry, held, 0.0, 0
    triggered, reason = False, STOPPED
    for i in range(first, tape.ts.shape[0]):
        opens, takes = tape.ts[i], tape.takes[i]
        closes = opens + tape.span_ns
        price = _stopped(tape, order, i, stop, stands, gone, triggered)
        if not np.isnan(price):
            triggered = True
            if takes:
                return reason, value + left * price
        if leaves < closes - _LEAD_NS and takes:
            return TIME, value + left * _taken(tape, tape.open[i], -sign)
        if opened <= closes - _WATCH_NS < due:
            furthest = tape.high[i] if sign > 0.0 else tape.low[i]
            best = furthest if opened <= opens + _OPEN_WINDOW_NS else tape.close[i]
            before = done
            done, left, brought = _climb(tape, order, i, best, done, left)
            value += brought
            if left <= 0.0:
                return TARGET, value
            if done < 0:
                # The stop was taken away for it and sent anew: it waits again, unless this range reaches it.
                triggered = (stop - (tape.low[i] if sign > 0.0 else tape.high[i])) * sign >= 0.0
            moved = np.nan if done < 0 else _follow(tape, order, best, peak, stop)
            done = max(done, -1 - done)
            if not np.isnan(moved):
                peak, stop, reason = best, moved, TRAILED
                # The stop moves behind a price of this very bar, whose range may hold both. After a rung
                # there first has to be a stop again.
                rungs = done - before
                arrives = closes - _WATCH_NS + (half if rungs == 0 else (4 * rungs + 3) * half)
                price = _stopped(tape, order, i, stop, arrives, gone, False)
                if not np.isnan(price):
                    triggered = True
                    if takes:
                        return reason, value + left * price
        if leaves < closes and takes:
            return TIME, value + left * _taken(tape, tape.close[i], -sign)
    return NONE, np.nan


@kernel
def live(tape: Tape, order: Order) -> tuple[int, float]:
    """How a bracket ends, and its net result as a fraction of the entry price; (NONE, nan) where unknown.

    The result is that of `TradeDone.return_fraction`: what was brought in, less what was paid, less fees, of
    the notional entered.
    """
    place, filled, entry = _enter(tape, order)
    if place < 0:
        return NONE, np.nan
    rests = order.at_ns + tape.half_ns < filled
    fee = tape.maker if order.kind == LIMIT and rests and entry == order.level else tape.taker
    # What is bought for a fee in base comes short by it, and that much less is sold.
    short = fee if tape.fee_in_base and order.sign > 0.0 else 0.0
    reason, value = _leave(tape, order, place, filled, entry, 1.0 - short)
    if reason == NONE:
        return NONE, np.nan
    paid = (fee - short) * entry + tape.taker * value + 2.0 * tape.commission
    return reason, ((value - entry) * order.sign - paid) / entry
