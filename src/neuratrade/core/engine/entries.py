"""Entries: the orders that get a bracket in, under its one approval, one of them at a time.

A sliced entry is market orders that take what is there (IOC), or limit orders that rest until the next
slice is due. What a slice did not get is cancelled, its end awaited with the fill the venue states, and only
then asked for again: so the children together never ask for more than was approved. Where the next child
stands follows from the approval's time and the orders in the books, so a crash loses nothing.

It ends for good (`EntryEnded`) when all was asked for, when the bracket leaves, its stop was reached, the
desk takes no new exposure, the approval expired, somebody cancelled it, or the venue keeps refusing.
"""

from decimal import Decimal

from neuratrade.core.engine.closing import close_if_over
from neuratrade.core.engine.cover import live_stops
from neuratrade.core.engine.slices import Slot, schedule, share_of, smallest_child, whole_or
from neuratrade.core.engine.state import BracketPhase, BracketState, DeskState, OrderState
from neuratrade.core.engine.turn import Turn
from neuratrade.core.model.decimals import ZERO
from neuratrade.core.model.facts import EntryEnded, TradingState
from neuratrade.core.model.intent import EntryType, Iceberg, Stop, Twap, Vwap
from neuratrade.core.model.market import NS_PER_MINUTE, NS_PER_SECOND
from neuratrade.core.model.orders import OrderRole, OrderStatus, OrderType, TimeInForce

MOST_REFUSED = 3
"""After so many children that the venue did not take, or took away again, it is asked no more."""
RETRY_NS = 5 * NS_PER_SECOND
BARE_WAIT_NS = NS_PER_SECOND
SHUT_WAIT_NS = NS_PER_MINUTE

_ORDER_TYPES = {
    EntryType.MARKET: OrderType.MARKET,
    EntryType.LIMIT: OrderType.LIMIT,
    EntryType.STOP: OrderType.STOP,
}


def open_bracket(turn: Turn, bracket: BracketState) -> None:
    """Sends the entry of a freshly approved bracket, or the first slice of it."""
    sliced = bracket.intent.execution is not None
    if not sliced:
        _send(turn, bracket, bracket.quantity)
    if sliced or bracket.intent.order_type is not EntryType.MARKET:
        turn.set_timer(f"entry:{bracket.bracket_id}", bracket.envelope.expires_ns)
    advance(turn, bracket)


def advance(turn: Turn, bracket: BracketState) -> None:
    """Takes a sliced entry one step further, if one is due; may be called at any time."""
    execution = bracket.intent.execution
    if execution is None or bracket.bracket_id not in turn.state.brackets:
        return
    why = "its entry is over" if bracket.entry_over else _why_over(turn, bracket)
    if why is not None:
        end_entry(turn, bracket, why)
    elif isinstance(execution, Iceberg):
        _show_next(turn, bracket, execution)
    else:
        _take_turn(turn, bracket, execution)


def end_entry(turn: Turn, bracket: BracketState, reason: str) -> None:
    """Asks for the end of an entry that could still fill, and sends no further slice."""
    name = bracket.bracket_id
    if bracket.intent.execution is None:
        entry = turn.order(bracket.entry_order)
        if entry is not None:
            turn.cancel(entry, reason)
        return
    first = not bracket.entry_over and name in turn.state.brackets
    if first:
        turn.record(EntryEnded(turn.at_ns, name, reason))
    for child in _live_children(turn.state, bracket):
        turn.cancel(child, reason)
    if first:
        close_if_over(turn, bracket)


def is_entering(state: DeskState, bracket: BracketState) -> bool:
    """Whether more of a bracket's approved quantity may still be entered."""
    if bracket.intent.execution is not None and not bracket.entry_over:
        return True
    newest = state.orders.get(bracket.entry_order or "")
    return newest is not None and newest.is_live


def ask_what_it_filled(turn: Turn, bracket: BracketState, child: OrderState) -> None:
    """Asks about a slice whose end came without its fill: until that is stated, its rest is not reused."""
    sliced = bracket.intent.execution is not None and bracket.bracket_id in turn.state.brackets
    if sliced and child.status.is_final and child.stated is None:
        turn.look_up(child)


def _live_children(state: DeskState, bracket: BracketState) -> list[OrderState]:
    return [child for child in _children(state, bracket) if child.is_live]


def _children(state: DeskState, bracket: BracketState) -> list[OrderState]:
    name = bracket.bracket_id
    return [
        order
        for order in state.orders.values()
        if order.request.bracket_id == name and order.request.role is OrderRole.ENTRY
    ]


def _why_over(turn: Turn, bracket: BracketState) -> str | None:
    """Why no further slice may be sent, or None."""
    if turn.state.trading_state is not TradingState.RUNNING:
        return "no new exposure"
    if turn.at_ns >= bracket.envelope.expires_ns:
        return "the approval expired"
    if bracket.phase is BracketPhase.EXITING or bracket.exited > 0:
        return "its position is being left"
    if any(stop.triggered_ns is not None for stop in live_stops(turn, bracket)):
        return "its stop was reached"
    if _refused(turn, bracket) >= MOST_REFUSED:
        return "the venue does not take its orders"
    return None


def _refused(turn: Turn, bracket: BracketState) -> int:
    """Children the venue did not take; of an iceberg, which cancels none itself, also those it took away."""
    ended = [child.status for child in _children(turn.state, bracket) if child.status.is_final]
    if isinstance(bracket.intent.execution, Iceberg):
        return sum(status is not OrderStatus.FILLED for status in ended)
    return sum(status is OrderStatus.REJECTED for status in ended)


def _free(turn: Turn, bracket: BracketState) -> Decimal:
    """Approved quantity that may be asked for now.

    What was asked for in an order that could not be found is not asked for again: it may turn up. Where more
    was filled than was asked for, that counts.
    """
    lost = (
        child.quantity - child.filled
        for child in _children(turn.state, bracket)
        if child.status is OrderStatus.REJECTED and child.missed_ns is not None
    )
    return bracket.quantity - max(bracket.entry_used, bracket.entered) - sum(lost, ZERO)


def _take_turn(turn: Turn, bracket: BracketState, execution: Twap | Vwap) -> None:
    """Sends the slice whose time it is, after the one before it ended; sees to it that the next one comes."""
    contract, issued_ns = turn.instrument_of(bracket), bracket.envelope.issued_ns
    smallest = smallest_child(bracket.intent, contract)
    slots = schedule(execution, bracket.quantity, contract, smallest)
    place = _place(slots, turn.at_ns - issued_ns)
    if place + 1 < len(slots):
        _wake(turn, bracket, issued_ns + slots[place + 1].after_ns)
    if place < 0:
        return
    newest, live = turn.order(bracket.entry_order), _live_children(turn.state, bracket)
    if newest is not None and newest.planned_ns >= issued_ns + slots[place].after_ns:
        if not live and place + 1 == len(slots):
            end_entry(turn, bracket, "all of it was asked for")
    elif live:
        for child in live:
            turn.cancel(child, "the next slice is due: its rest is carried over")
    else:
        free = _free(turn, bracket)
        _send_child(turn, bracket, share_of(slots, place, free, contract, smallest), smallest)


def _place(slots: tuple[Slot, ...], age_ns: int) -> int:
    """The newest slot whose time has come, -1 before the first one."""
    return max((place for place, slot in enumerate(slots) if slot.after_ns <= age_ns), default=-1)


def _show_next(turn: Turn, bracket: BracketState, execution: Iceberg) -> None:
    """Rests the next part of an iceberg once the one before it is gone."""
    if _live_children(turn.state, bracket):
        return
    newest = turn.order(bracket.entry_order)
    taken_away = newest is not None and newest.status is not OrderStatus.FILLED
    if newest is not None and taken_away and turn.at_ns < newest.planned_ns + RETRY_NS:
        _wake(turn, bracket, newest.planned_ns + RETRY_NS)
        return
    contract = turn.instrument_of(bracket)
    smallest, free = smallest_child(bracket.intent, contract), _free(turn, bracket)
    shown = min(contract.round_quantity(execution.shown), free)
    _send_child(turn, bracket, whole_or(shown, free, contract, smallest), smallest)


def _send_child(turn: Turn, bracket: BracketState, quantity: Decimal, smallest: Decimal) -> None:
    """Sends a child, unless it is too small to be one, or what was filled before is not guarded yet."""
    if quantity < smallest:
        end_entry(turn, bracket, "all of it was asked for, or too little is left to be an order")
    elif bracket.intent.instrument in turn.state.shut:
        _wake(turn, bracket, turn.at_ns + SHUT_WAIT_NS)
    elif isinstance(bracket.intent.protection, Stop) and not bracket.protected:
        _wake(turn, bracket, turn.at_ns + BARE_WAIT_NS)
    else:
        _send(turn, bracket, quantity)


def _send(turn: Turn, bracket: BracketState, quantity: Decimal) -> None:
    kind = bracket.intent.order_type
    price = turn.instrument_of(bracket).round_price(bracket.intent.trigger_price)
    resting = kind is not EntryType.MARKET
    turn.send(
        bracket,
        OrderRole.ENTRY,
        bracket.envelope.side,
        _ORDER_TYPES[kind],
        quantity,
        limit_price=price if kind is EntryType.LIMIT else None,
        stop_price=price if kind is EntryType.STOP else None,
        time_in_force=TimeInForce.GTD if resting else TimeInForce.IOC,
        expires_ns=bracket.envelope.expires_ns if resting else None,
    )


def _wake(turn: Turn, bracket: BracketState, due_ns: int) -> None:
    """Wants to be called again then, or earlier where that is wanted already."""
    timer_id = f"slice:{bracket.bracket_id}"
    if turn.state.timers.get(timer_id, due_ns + 1) > due_ns:
        turn.set_timer(timer_id, due_ns)
