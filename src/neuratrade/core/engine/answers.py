"""What venues say, taken in: checked, recorded, and followed.

Words about an order may come late, twice, out of order, or about an order that was thought over. A repeated
one changes nothing; a late execution opens its bracket again; what no order of ours explains is put into
quarantine, never booked.
"""

from decimal import Decimal
from typing import NamedTuple, assert_never

from msgspec.structs import replace

from neuratrade.core.engine import brackets as rules
from neuratrade.core.engine import exits
from neuratrade.core.engine.doubt import need_not_wait
from neuratrade.core.engine.fold.brackets import KEPT_NS, allocation
from neuratrade.core.engine.governors import move
from neuratrade.core.engine.markets import Markets
from neuratrade.core.engine.protection import after_amended
from neuratrade.core.engine.sense import is_amount, is_price
from neuratrade.core.engine.state import BracketPhase, BracketState, OrderState
from neuratrade.core.engine.translation import fill_in_present_terms, in_present_terms
from neuratrade.core.engine.turn import Turn
from neuratrade.core.model import facts as f
from neuratrade.core.model.decimals import ONE, ZERO
from neuratrade.core.model.market import NS_PER_SECOND
from neuratrade.core.model.orders import Fill, Liquidity, OrderRole, OrderStatus

LOOK_AGAIN_NS = 2 * NS_PER_SECOND
"""After an order in doubt was looked up, how long until it is looked up again."""

STRANGE_FILL_NS = KEPT_NS * 2 // 3
"""Older executions of unknown orders may be those of a bracket that is forgotten: nothing is said of them."""


class Taken(NamedTuple):
    """A word that was recorded and is to be followed. asked: what was asked of the order before it."""

    bracket: BracketState
    order: OrderState
    event: f.VenueEvent
    asked: str


def take_answer(turn: Turn, event: f.VenueEvent, markets: Markets) -> BracketState | None:
    """Takes one word about an order of ours; the bracket it moved, or None where it moved nothing."""
    taken = record_answer(turn, event, markets)
    if taken is None:
        return None
    follow(turn, taken, markets)
    return taken.bracket


def record_answer(turn: Turn, event: f.VenueEvent, markets: Markets) -> Taken | None:
    """Writes one word down without doing anything about it yet; None where it says nothing new."""
    event = in_present_terms(turn.state, event)
    coid = event.fill.client_order_id if isinstance(event, f.OrderFilled) else event.client_order_id
    order = turn.state.orders.get(coid)
    if order is None:
        order = _of_closed_bracket(turn, event, coid)
    if order is not None and isinstance(event, f.FillCorrected) and not _contradicts(order, event):
        event = _first_told(turn, order, event)
    if order is None or _contradicts(order, event):
        _quarantine(turn, event)
        if order is None or not _ends_in_doubt(order, event):
            return None
        event = f.OrderUnknown(event.at_ns, coid, "its end was told with a fill that cannot be")
    elif isinstance(event, f.RequestRejected) and _may_have_grown(order):
        event = f.OrderUnknown(event.at_ns, coid, "something was refused, and an amend may have been taken")
    if _is_repeated(order, event):
        return None
    bracket = turn.state.brackets[order.request.bracket_id]
    asked = order.asked
    turn.record(_stamped(_with_rate(turn, event), turn.at_ns))
    return Taken(bracket, order, event, asked)


def _first_told(turn: Turn, order: OrderState, event: f.FillCorrected) -> f.FillCorrected | f.OrderFilled:
    """A correction of an execution that never came tells of it: it is one like any other, and is guarded."""
    if event.trade_id in order.executions or not event.quantity:
        return event
    request = order.request
    fill = Fill(
        trade_id=event.trade_id,
        client_order_id=request.client_order_id,
        account_id=request.account_id,
        instrument=request.instrument,
        side=request.side,
        quantity=event.quantity,
        price=event.price,
        fee=event.fee,
        fee_currency=turn.state.instruments[request.instrument].quote,
        liquidity=Liquidity.TAKER,
        at_ns=event.at_ns,
    )
    return f.OrderFilled(event.at_ns, fill)


def _of_closed_bracket(turn: Turn, event: f.VenueEvent, coid: str) -> OrderState | None:
    """An order of a bracket that is over: opened again when something new is true of it."""
    for bracket_id, kept in turn.state.closed.items():
        order = kept.orders.get(coid)
        if order is not None:
            if not _contradicts(order, event) and not _is_repeated(order, event):
                turn.record(f.BracketReopened(turn.at_ns, bracket_id))
            return order
    return None


def _is_repeated(order: OrderState, event: f.VenueEvent) -> bool:
    match event:
        case f.OrderFilled(fill=fill):
            return fill.trade_id in order.executions
        case f.FillCorrected():
            told = order.executions.get(event.trade_id)
            return told is not None and (told.quantity, told.price, told.fee) == (
                event.quantity,
                event.price,
                event.fee,
            )
        case f.OrderAccepted():
            # An order proven absent that is there after all is news; a late word about another is not.
            # What the venue itself rejected, perhaps long after it took it, is over.
            absent = order.status is OrderStatus.REJECTED and order.missed_ns is not None
            return order.status.is_final and not absent
        case f.OrderCancelled(filled=filled) | f.OrderExpired(filled=filled):
            # The first end that states what was filled is news even after one that did not.
            untold = order.stated is None and filled is not None and order.filled < order.quantity
            # So is a lower number while some of it is still waited for: what was missing was busted.
            lowered = order.missing > 0 and filled is not None and filled < (order.stated or ZERO)
            return order.status.is_final and not untold and not lowered
        case f.OrderTriggered():
            return order.status.is_final or order.triggered_ns is not None
        case f.OrderAmended():
            return order.status.is_final or _was_told_late(order, event)
        case _:
            return order.status.is_final


def _was_told_late(order: OrderState, event: f.OrderAmended) -> bool:
    """Whether these are the terms of an earlier amend: they answer nothing, and may not be true any more.

    Where the amend under way was lost and these terms hold on, it is asked for again in time.
    """
    terms = (event.quantity, event.stop_price)
    known, asked = (order.quantity, order.stop_price), (order.asked_quantity, order.asked_stop)
    waits_for_others = order.asked == "amend" and terms == known and terms != asked
    return waits_for_others or ZERO < event.quantity <= order.filled


def _ends_in_doubt(order: OrderState, event: f.VenueEvent) -> bool:
    """Whether an order may be over, but not in the way it was told: it is looked up until that is clear."""
    ends = isinstance(event, f.OrderCancelled | f.OrderExpired)
    return ends and not order.status.is_final and order.status is not OrderStatus.UNKNOWN


def _may_have_grown(order: OrderState) -> bool:
    """Whether a refusal leaves open if an order is filled whole: another amend may have enlarged it."""
    whole = ZERO < order.quantity <= order.filled < order.asked_most
    about_the_only_amend = order.asked == "amend" and not order.asked_twice
    return whole and not about_the_only_amend and not order.status.is_final


def _contradicts(order: OrderState, event: f.VenueEvent) -> bool:
    """Whether an event cannot be about this order, whatever its id. Too much filled can: that is real."""
    request = order.request
    match event:
        case f.OrderAmended():
            # Nothing but stops is ever amended: of an entry it would be an approval that nobody gave.
            return request.role is not OrderRole.STOP or not is_price(event.quantity, event.stop_price)
        case f.FillCorrected():
            numbers = (event.quantity, event.price, event.fee, event.fee_rate)
            return not is_amount(*numbers) or min(event.quantity, event.price, event.fee_rate) < 0
        case f.OrderCancelled(filled=filled) | f.OrderExpired(filled=filled):
            # An amend without an answer may have been taken, and what was executed was there to be.
            most = max(order.quantity, order.asked_quantity, order.filled)
            return filled is not None and not (is_amount(filled) and ZERO <= filled <= most)
        case f.OrderFilled(fill=fill):
            same = (fill.account_id, fill.instrument, fill.side) == (
                request.account_id,
                request.instrument,
                request.side,
            )
            sound = is_price(fill.quantity, fill.price) and is_amount(fill.fee, event.fee_rate)
            return not (same and sound and event.fee_rate >= 0)
        case _:
            return False


def _quarantine(turn: Turn, event: f.VenueEvent) -> None:
    """An execution that no order of ours explains is written down once; other strange words mean nothing.

    A stream that was silent for long tells old ones; those that were never booked show in the position.
    """
    if not isinstance(event, f.OrderFilled):
        return
    fill = event.fill
    reference = f"{fill.instrument}:{fill.trade_id}"
    known = turn.state.quarantine.get(reference)
    forgotten = fill.at_ns <= turn.at_ns - STRANGE_FILL_NS
    if known is not None or forgotten or fill.account_id not in turn.state.accounts:
        return
    detail = f"{fill.side.value} {fill.quantity} at {fill.price} of order {fill.client_order_id or 'unnamed'}"
    turn.record(
        f.Quarantined(turn.at_ns, fill.account_id, f.QuarantineKind.FILL, reference, fill.instrument, detail)
    )


def _with_rate(turn: Turn, event: f.VenueEvent) -> f.VenueEvent:
    """An execution, or its correction, with the rate its fee has in the quote currency now."""
    match event:
        case f.OrderFilled(fill=fill):
            return replace(event, fee_rate=_fee_rate(turn, fill))
        case f.FillCorrected():
            order = turn.state.orders[event.client_order_id]
            told = order.executions.get(event.trade_id)
            rate = ONE if told is None else _rate_of(turn, order.request.instrument, told.fee_currency)
            return replace(event, fee_rate=rate)
        case _:
            return event


def _fee_rate(turn: Turn, fill: Fill) -> Decimal:
    return _rate_of(turn, fill.instrument, fill.fee_currency)


def _rate_of(turn: Turn, instrument: str, currency: str) -> Decimal:
    """Quote currency per unit of a fee's currency now; zero where nobody knows it."""
    contract = turn.state.instruments[instrument]
    if currency == contract.quote or (currency == contract.base and not contract.is_derivative):
        return ONE
    return turn.rate_of(currency, contract.quote) or ZERO


def _stamped(event: f.VenueEvent, at_ns: int) -> f.VenueEvent:
    """The fact at engine time: what came late is true from now on. A fill keeps the venue's own time."""
    return event if event.at_ns >= at_ns else replace(event, at_ns=at_ns)


def _after_execution(turn: Turn, taken: Taken, markets: Markets) -> None:
    bracket, order, event, _ = taken
    if isinstance(event, f.OrderFilled):
        # What was entered is bare from then on, however late it is told.
        turn.filled_ns = min(max(event.fill.at_ns, order.planned_ns), turn.at_ns)
    leave_when_flipped(turn, bracket, markets)
    rules.after_fill(turn, bracket, order)


def follow(turn: Turn, taken: Taken, markets: Markets) -> None:
    """Does what a word that was recorded asks for."""
    bracket, order, event, asked = taken
    match event:
        case f.OrderFilled() | f.FillCorrected():
            _after_execution(turn, taken, markets)
        case f.OrderAccepted():
            _after_accepted(turn, bracket, order, asked)
        case f.OrderAmended():
            if asked == "amend":
                after_amended(turn, bracket, order)
            rules.go_on(turn, bracket)
        case f.OrderTriggered():
            rules.after_triggered(turn, bracket, order)
        case f.OrderCancelled() | f.OrderExpired() | f.OrderRejected():
            if order.missing > 0:
                look_later(turn, bracket, order)
            rules.after_done(turn, bracket, order)
        case f.OrderNotFound():
            if order.is_live:
                look_later(turn, bracket, order)
            rules.after_done(turn, bracket, order)
        case f.RequestRejected():
            rules.after_refused_request(turn, bracket, order, asked)
        case f.OrderUnknown():
            look_later(turn, bracket, order)
            turn.look_up(order)
            rules.go_on(turn, bracket)
        case _:
            assert_never(event)


def _after_accepted(turn: Turn, bracket: BracketState, order: OrderState, asked: str) -> None:
    """Follows word that an order works. One thought absent goes; a stop that cannot go ends the way out."""
    shut = turn.state.trading_state is not f.TradingState.RUNNING
    if order.request.role is OrderRole.ENTRY and (shut or asked == "cancel"):
        # What was asked of it before its fate was in doubt is still wanted.
        turn.cancel(order, "no new exposure" if shut else "its cancel was lost")
    known = {bracket.entry_order, bracket.exit_order, *bracket.stop_orders}
    leaving = bracket.phase is BracketPhase.EXITING
    way_out = order.request.role in (OrderRole.TARGET, OrderRole.EXIT)
    if order.request.client_order_id not in known or (way_out and not leaving):
        turn.cancel(order, "it was replaced, since it was thought not to be there")
    under_way = turn.order(bracket.exit_order)
    over = under_way is None or not under_way.is_live
    if leaving and over and order.request.role is OrderRole.STOP and not order.asked:
        exits.end_exit(turn, bracket)
    elif bracket.bracket_id in turn.state.brackets:
        rules.go_on(turn, bracket)


def leave_when_flipped(turn: Turn, bracket: BracketState, markets: Markets) -> None:
    """More left than was held: it is booked, what it made is left again, and a person has to look."""
    contract = turn.instrument_of(bracket)
    if contract.round_quantity(abs(min(bracket.held, ZERO))) == 0:
        return
    reason = f"bracket {bracket.bracket_id} left more than it held"
    observed = str(bracket.held_signed)
    move(turn, f.TradingState.HALTED, "reconcile", reason, observed, "0", latched=True)
    level = markets.price_of(bracket.intent.instrument) or bracket.stop_price
    exits.leave(turn, bracket, f.CloseReason.KILL, level)


def look_later(turn: Turn, bracket: BracketState, order: OrderState) -> None:
    """Sets the timer that looks up what is in doubt about a bracket."""
    timer_id = f"lookup:{bracket.bracket_id}"
    if timer_id not in turn.state.timers:
        turn.set_timer(timer_id, turn.at_ns + LOOK_AGAIN_NS)


def look_again(turn: Turn, bracket: BracketState) -> None:
    """Asks once more about every order of a bracket whose fate is open, and stays at it."""
    doubtful = [
        order
        for order in turn.state.orders.values()
        if order.request.bracket_id == bracket.bracket_id and order.in_doubt
    ]
    for order in doubtful:
        if need_not_wait(turn, bracket, order):
            # Nothing waits for it: it is asked about more and more rarely (`supervision`).
            continue
        if order.asked == "cancel":
            turn.ask_again(order)
        turn.look_up(order)
    if doubtful:
        look_later(turn, bracket, doubtful[0])


def take_liquidation(turn: Turn, event: f.Liquidated) -> list[BracketState]:
    """Takes word that the venue closed a part of the position itself; the brackets that lost by it.

    What our brackets did not hold is not ours to book: it is put into quarantine.
    """
    fill = fill_in_present_terms(turn.state, event.fill)
    account = turn.state.accounts.get(fill.account_id)
    if (
        account is None
        or fill.instrument not in turn.state.instruments
        or fill.trade_id in account.liquidations
    ):
        return []
    if not (is_price(fill.quantity, fill.price) and is_amount(fill.fee)):
        _quarantine(turn, f.OrderFilled(turn.at_ns, fill))
        return []
    if _allocated(turn, fill):
        # First, so that a desk which goes down in between is halted; what it closes is none of theirs.
        reason = f"the venue closed {fill.quantity} of {fill.instrument} itself"
        observed = str(fill.quantity)
        move(turn, f.TradingState.HALTED, "liquidation", reason, observed, "0", latched=True)
    shared = _allocated(turn, fill)
    ours = sum((share for _, share in shared), ZERO)
    if ours:
        mine = replace(fill, quantity=ours, fee=fill.fee * ours / fill.quantity)
        shares = {bracket.bracket_id: share for bracket, share in shared}
        turn.record(f.Liquidated(turn.at_ns, mine, shares, _fee_rate(turn, fill)))
    if ours < fill.quantity:
        rest = replace(fill, quantity=fill.quantity - ours)
        _quarantine(turn, f.OrderFilled(turn.at_ns, rest))
    return [bracket for bracket, _ in shared]


def _allocated(turn: Turn, fill: Fill) -> list[tuple[BracketState, Decimal]]:
    return allocation(turn.state, fill.account_id, fill.instrument, fill.side, fill.quantity)
