"""Stops: exactly what is held rests under them, at the level now guarded, from the first fill on.

Where the venue amends, one stop follows size and level in place. Where it does not, more holding gets a
further stop before the old one is touched; less holding, a moved level, or a venue that locks what a
resting order may sell, means cancel and replace, and the gap counts as unprotected.
"""

from decimal import Decimal

from neuratrade.core.engine.closing import close_if_over
from neuratrade.core.engine.cover import WORKING, note_protection, resting_stops, still_there, stray_exits
from neuratrade.core.engine.doubt import need_not_wait
from neuratrade.core.engine.state import BracketPhase, BracketState, OrderState
from neuratrade.core.engine.turn import Turn
from neuratrade.core.model.decimals import ONE, ZERO, ceil_to, floor_to
from neuratrade.core.model.facts import TrailMoved
from neuratrade.core.model.intent import Direction, Stop
from neuratrade.core.model.market import NS_PER_SECOND
from neuratrade.core.model.orders import OrderRole, OrderType, Side

AMEND_AGAIN_NS = 5 * NS_PER_SECOND
"""How long until a venue that amended to other terms than it was asked for is asked again for those."""

SMALLEST_REPLACED_MOVE = Decimal("0.001")
"""Where a stop cannot be amended, a trail moves it only by a step worth the gap: fraction of the price."""


def guard(turn: Turn, bracket: BracketState, *, anew: bool = False) -> None:
    """Makes the stops fit what is held, notes whether they do, closes the bracket when all is over.

    anew: an amend under way may have been lost, so it is asked for again.
    """
    if close_if_over(turn, bracket):
        return
    guarded = isinstance(bracket.intent.protection, Stop) and turn.rules_of(bracket).rests_stops
    if guarded and bracket.phase is BracketPhase.OPEN and not _is_shut(turn, bracket):
        _fit_stops(turn, bracket, anew=anew)
    note_protection(turn, bracket)


def _is_shut(turn: Turn, bracket: BracketState) -> bool:
    """Whether the market is closed: a stop cannot be placed, so protection is pending."""
    return bracket.intent.instrument in turn.state.shut


def _fit_stops(turn: Turn, bracket: BracketState, *, anew: bool) -> None:
    wanted = still_there(turn, bracket)
    stops = [stop for stop in resting_stops(turn, bracket) if not need_not_wait(turn, bracket, stop)]
    if not all(need_not_wait(turn, bracket, order) for order in stray_exits(turn, bracket)):
        # An exit that was thought absent may sell yet: its end, which is asked for, brings us back here.
        return
    if not stops:
        if wanted > 0:
            send_stop(turn, bracket, wanted)
    elif wanted > 0 and any(awaits_escalation(stop) for stop in stops):
        # In its place a fresh one would begin to wait anew, and nobody would leave at market in time.
        return
    elif wanted == 0:
        for stop in stops:
            turn.cancel(stop, "nothing is held any more")
    elif any(_has_to_go(turn, bracket, stop) for stop in stops):
        for stop in stops:
            turn.cancel(stop, "its contract was changed")
    elif turn.rules_of(bracket).amends_stops and len(stops) == 1:
        _amend(turn, bracket, stops[0], wanted, anew=anew)
    elif all(stop.status in WORKING and not stop.asked for stop in stops):
        _replace(turn, bracket, stops, wanted)


def awaits_escalation(stop: OrderState) -> bool:
    """Whether a stop with a limit was reached: filled soon, or all that is held is left at market."""
    return stop.request.order_type is OrderType.STOP_LIMIT and stop.triggered_ns is not None


def _has_to_go(turn: Turn, bracket: BracketState, stop: OrderState) -> bool:
    """Whether a stop whose contract was changed cannot simply be given its new terms."""
    if not stop.listed_as:
        return False
    same = stop.listed_as == bracket.intent.instrument and stop.filled == 0
    return not (same and turn.rules_of(bracket).amends_stops)


def _amend(turn: Turn, bracket: BracketState, stop: OrderState, wanted: Decimal, *, anew: bool) -> None:
    if stop.status not in WORKING or (stop.asked and not (anew and stop.asked == "amend")):
        return
    moved = stop.stop_price != bracket.stop_price
    if stop.remaining != wanted or moved or stop.asked or stop.listed_as:
        quantity, level = stop.filled + wanted, bracket.stop_price
        same = (quantity, level) == (stop.asked_quantity, stop.asked_stop)
        # A level may wait, cover may not: what is bare is asked for at once, as often as it takes.
        if same and not stop.listed_as and stop.remaining >= wanted and _waits(turn, bracket):
            return
        reason = "follow the level guarded" if moved else "fit the quantity held"
        turn.amend(bracket, stop, quantity, level, reason)


def after_amended(turn: Turn, bracket: BracketState, stop: OrderState) -> None:
    """Follows the answer to an amend: a venue that made other terms of it is asked again, but not at once."""
    if (stop.quantity, stop.stop_price) != (stop.asked_quantity, stop.asked_stop) and not _waits(
        turn, bracket
    ):
        turn.set_timer(_amend_timer(bracket), turn.at_ns + AMEND_AGAIN_NS)


def _waits(turn: Turn, bracket: BracketState) -> bool:
    return _amend_timer(bracket) in turn.state.timers


def _amend_timer(bracket: BracketState) -> str:
    return f"amend:{bracket.bracket_id}"


def _replace(turn: Turn, bracket: BracketState, stops: list[OrderState], wanted: Decimal) -> None:
    """Fits stops that cannot be amended. What has to go is cancelled; its end brings us back here."""
    if any(stop.stop_price != bracket.stop_price for stop in stops):
        for stop in stops:
            turn.cancel(stop, "replaced at another level")
        return
    # A stop that was reached guards nothing, but what is left of it may still sell.
    cover = sum((stop.remaining for stop in stops), ZERO)
    if cover < wanted and not turn.rules_of(bracket).balance_lock:
        send_stop(turn, bracket, wanted - cover)
    elif cover != wanted:
        locks = turn.rules_of(bracket).balance_lock
        while stops and (cover > wanted or (locks and cover != wanted)):
            stop = stops.pop()
            cover -= stop.remaining
            turn.cancel(stop, "replaced to fit the quantity held")


def send_stop(turn: Turn, bracket: BracketState, quantity: Decimal) -> None:
    """Sends a stop for `quantity` at the level now guarded, of the best type the venue has."""
    rules, side = turn.rules_of(bracket), exit_side(bracket)
    if rules.stop_market:
        turn.send(bracket, OrderRole.STOP, side, OrderType.STOP, quantity, stop_price=bracket.stop_price)
        return
    contract = turn.instrument_of(bracket)
    limit = contract.round_price(bracket.stop_price * (ONE + rules.stop_limit_offset * side.sign))
    turn.send(
        bracket,
        OrderRole.STOP,
        side,
        OrderType.STOP_LIMIT,
        quantity,
        limit_price=max(limit, contract.tick),
        stop_price=bracket.stop_price,
    )


def exit_side(bracket: BracketState) -> Side:
    """The side that leaves the bracket's position."""
    return Side.SELL if bracket.intent.direction is Direction.LONG else Side.BUY


def follow_trail(turn: Turn, bracket: BracketState, best: Decimal) -> None:
    """Moves the guarded level behind the best price seen; never away from the market."""
    protection = bracket.intent.protection
    if not isinstance(protection, Stop) or protection.trail_fraction is None or bracket.best_price is None:
        return
    sign = bracket.intent.direction.sign
    if (best - bracket.best_price) * sign <= 0:
        return
    tick = turn.instrument_of(bracket).tick
    raw = best * (ONE - protection.trail_fraction * sign)
    level = floor_to(raw, tick) if sign > 0 else ceil_to(raw, tick)
    step = (level - bracket.stop_price) * sign
    rules = turn.rules_of(bracket)
    replaced = rules.rests_stops and not rules.amends_stops
    if step <= 0 or (replaced and step < best * SMALLEST_REPLACED_MOVE):
        return
    turn.record(TrailMoved(turn.at_ns, bracket.bracket_id, level, best))
    guard(turn, bracket)
