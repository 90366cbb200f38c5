"""Orders and executions in a venue's snapshot, taken in through the same door as everything a venue says.

An execution of ours is booked like any other; an order of ours is adopted, or asked about where venue and
books disagree. Absence proves nothing: an order that is not listed is looked up, and its instrument counts
as unproven until the venue has answered.
"""

from decimal import Decimal
from typing import NamedTuple

from neuratrade.core.engine.answers import (
    STRANGE_FILL_NS,
    Taken,
    follow,
    record_answer,
    take_answer,
    take_liquidation,
)
from neuratrade.core.engine.differences import Difference, exact, reference_of
from neuratrade.core.engine.markets import Markets
from neuratrade.core.engine.sense import is_amount
from neuratrade.core.engine.state import DeskState, OrderState
from neuratrade.core.engine.turn import Turn
from neuratrade.core.model import facts as f
from neuratrade.core.model.decimals import ONE
from neuratrade.core.model.events import VenueOrder, VenueSnapshot
from neuratrade.core.model.market import NS_PER_SECOND
from neuratrade.core.model.orders import Fill, OrderRole, OrderStatus, OrderType

SETTLE_NS = 2 * NS_PER_SECOND
"""What happened this shortly before a snapshot was asked for may be missing in it."""

WORKING = (OrderStatus.WORKING, OrderStatus.PARTIAL)
CONDITIONAL = (OrderType.STOP, OrderType.STOP_LIMIT)


class Sightings(NamedTuple):
    """What the order lists led to. unproven: instruments where something about an order is open.

    strange: orders at the venue that are not ours. revenants: ours that are over in our books, but listed.
    """

    unproven: set[str]
    strange: list[Difference]
    revenants: list[tuple[OrderState, VenueOrder]]


def take_fills(turn: Turn, snapshot: VenueSnapshot, markets: Markets, since_ns: int) -> list[Difference]:
    """Books executions of ours that are new; what no order of ours explains goes into quarantine once.

    One whose terms are not those booked is looked up: a list may be older than what was told since. Those
    the venue made itself (liquidations) are taken in their place in time. All are booked before any is
    followed, or what one of them led to would be outdated by the next before it left.

    since_ns: when the desk began; what strangers did before is not asked about.
    """
    account = turn.state.accounts[snapshot.account_id]
    oldest_ns = max(turn.at_ns - STRANGE_FILL_NS, since_ns)
    strange: list[Difference] = []
    booked: list[Taken] = []
    forced = {fill.trade_id for fill in snapshot.liquidations}
    for fill in sorted((*snapshot.fills, *snapshot.liquidations), key=lambda item: item.at_ns):
        if fill.account_id != snapshot.account_id:
            continue
        order = _order_of(turn.state, fill.client_order_id)
        if order is not None and _is_known(turn, order, fill):
            continue
        if order is None and fill.at_ns <= oldest_ns:
            continue
        difference = _strange_fill(fill)
        if difference.sentence not in account.differences:
            if fill.trade_id in forced:
                take_liquidation(turn, f.Liquidated(snapshot.at_ns, fill))
            else:
                taken = record_answer(turn, f.OrderFilled(snapshot.at_ns, fill), markets)
                booked += [] if taken is None else [taken]
        if difference.sentence in account.differences or difference.reference in turn.state.quarantine:
            strange.append(difference)
    for taken in booked:
        if taken.bracket.bracket_id in turn.state.brackets:
            follow(turn, taken, markets)
    return strange


def _is_known(turn: Turn, order: OrderState, fill: Fill) -> bool:
    """Whether an execution of ours is booked, or busted before it was told; asks where its terms differ."""
    booked = order.executions.get(fill.trade_id)
    told = (fill.quantity, fill.price, fill.fee)
    sensible = is_amount(*told)
    if booked is not None and not (sensible and told == (booked.quantity, booked.price, booked.fee)):
        turn.look_up(order)
    return booked is not None or (sensible and fill.quantity == 0)


def _strange_fill(fill: Fill) -> Difference:
    reference = f"{fill.instrument}:{fill.trade_id}"
    about = "no order of ours explains this execution"
    return Difference(f.QuarantineKind.FILL, reference, fill.instrument, ONE, about, about)


def take_orders(turn: Turn, snapshot: VenueSnapshot, markets: Markets, asked_ns: int) -> Sightings:
    """Adopts the orders of ours that are listed, asks about those that are not, names all others."""
    seen = Sightings(set(), [], [])
    listed: set[str] = set()
    plain = snapshot.plain or ()
    for place, item in enumerate((*plain, *(snapshot.conditional or ()))):
        order = _ours(turn.state, snapshot.account_id, item)
        if order is None:
            seen.strange.append(_strange_order(turn.state, snapshot, item))
            continue
        listed.add(order.request.client_order_id)
        if order.is_live:
            _adopt(turn, snapshot, markets, order, item, asked_ns)
            if place < len(plain) and _may_be_triggered(order):
                turn.look_up(order)
        else:
            seen.revenants.append((order, item))
        if order.in_doubt or not order.is_live or not _is_same(item.filled, order.filled):
            seen.unproven.add(order.request.instrument)
    for order in list(turn.state.orders.values()):
        request = order.request
        if request.account_id != snapshot.account_id or not order.is_live:
            continue
        if request.client_order_id not in listed:
            seen.unproven.add(request.instrument)
            _ask_about_absent(turn, snapshot, order, asked_ns)
    return seen


def _adopt(
    turn: Turn, snapshot: VenueSnapshot, markets: Markets, order: OrderState, item: VenueOrder, asked_ns: int
) -> None:
    """The order works at the venue: that is news where nobody had said so, and no proof of an older miss."""
    coid = order.request.client_order_id
    if order.status in (OrderStatus.PLANNED, OrderStatus.UNKNOWN):
        if order.missed_ns is None or order.missed_ns < asked_ns:
            take_answer(turn, f.OrderAccepted(snapshot.at_ns, coid, item.venue_order_id), markets)
        else:
            turn.look_up(order)
            return
    more = not item.filled.is_finite() or item.filled > order.filled
    if more or _has_other_terms(order, item, asked_ns):
        turn.look_up(order)


def _may_be_triggered(order: OrderState) -> bool:
    """Whether a stop that is listed as a plain order was reached, and nobody told us so."""
    stop = order.request.role is OrderRole.STOP and order.request.order_type in CONDITIONAL
    return stop and order.status in WORKING and order.triggered_ns is None


def _has_other_terms(order: OrderState, item: VenueOrder, asked_ns: int) -> bool:
    """Whether a stop rests with a size or level that is not ours and that no request of ours explains."""
    if item.stop_price is None or order.asked or order.asked_ns > asked_ns - SETTLE_NS:
        return False
    same_level = order.stop_price is not None and _is_same(item.stop_price, order.stop_price)
    return not (same_level and _is_same(item.quantity, order.quantity))


def _is_same(told: Decimal, ours: Decimal) -> bool:
    """Whether a number of the venue's is ours; what is no number is not."""
    return told.is_finite() and told == ours


def _ask_about_absent(turn: Turn, snapshot: VenueSnapshot, order: OrderState, asked_ns: int) -> None:
    own = snapshot.conditional if order.request.order_type in CONDITIONAL else snapshot.plain
    should_work = order.status in WORKING and order.planned_ns <= asked_ns - SETTLE_NS
    if own is not None and should_work:
        turn.look_up(order)


def _strange_order(state: DeskState, snapshot: VenueSnapshot, item: VenueOrder) -> Difference:
    name = item.client_order_id or item.venue_order_id or f"{item.instrument} {item.side.value}"
    detail = f"{item.side.value} {exact(item.quantity)}, filled {exact(item.filled)}"
    if item.stop_price is not None:
        detail += f", stop {exact(item.stop_price)}"
    kind = f.QuarantineKind.ORDER
    return Difference(
        kind,
        reference_of(state, state.accounts[snapshot.account_id], kind, name),
        item.instrument,
        ONE,
        "an order at the venue that is not ours",
        f"{detail}, venue id {item.venue_order_id or 'unnamed'}",
    )


def _ours(state: DeskState, account_id: str, item: VenueOrder) -> OrderState | None:
    """Our order that a listed one is: by the id we gave it, or by the venue's where it lists no other."""
    if item.client_order_id:
        order = _order_of(state, item.client_order_id)
        mine = order is not None and order.request.account_id == account_id
        return order if mine and order is not None and order.request.instrument == item.instrument else None
    if not item.venue_order_id:
        return None
    for order in _all_orders(state):
        same = (order.venue_order_id, order.request.account_id, order.request.instrument)
        if same == (item.venue_order_id, account_id, item.instrument):
            return order
    return None


def _order_of(state: DeskState, coid: str) -> OrderState | None:
    order = state.orders.get(coid)
    if order is not None or not coid:
        return order
    return next((kept.orders[coid] for kept in state.closed.values() if coid in kept.orders), None)


def _all_orders(state: DeskState) -> list[OrderState]:
    return [
        *state.orders.values(),
        *(order for kept in state.closed.values() for order in kept.orders.values()),
    ]
