"""Folds of facts about orders: planned, answered, filled, ended."""

from decimal import Decimal

from neuratrade.core.engine.ledger import book_fill, correct_fill
from neuratrade.core.engine.state import BracketPhase, BracketState, DeskState, Execution, OrderState
from neuratrade.core.model import facts as f
from neuratrade.core.model.decimals import ZERO
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.market import NS_PER_SECOND
from neuratrade.core.model.orders import Fill, Liquidity, OrderRole, OrderStatus

NOT_THERE_AFTER_NS = 2 * NS_PER_SECOND
"""Two look-ups this far apart have to miss an order before it counts as never taken."""


def order_planned(state: DeskState, fact: f.OrderPlanned) -> None:
    """An order of a bracket; an entry uses up its envelope."""
    request = fact.request
    coid = request.client_order_id
    state.orders[coid] = OrderState(request, request.quantity, request.stop_price, fact.at_ns, executions={})
    bracket = state.brackets[request.bracket_id]
    bracket.legs += 1
    match request.role:
        case OrderRole.ENTRY:
            bracket.entry_order = coid
            bracket.entry_used += request.quantity
            bracket.slices += 1
        case OrderRole.STOP:
            live = [key for key in bracket.stop_orders if state.orders[key].is_live]
            bracket.stop_orders = [*live, coid]
        case OrderRole.TARGET | OrderRole.EXIT:
            bracket.exit_order = coid
            # A target names its price: however often it is missed, no collar widens by it.
            bracket.exit_attempts += request.role is OrderRole.EXIT


def cancel_planned(state: DeskState, fact: f.CancelPlanned) -> None:
    """A cancel is under way."""
    order = state.orders[fact.client_order_id]
    order.asked, order.asked_ns = "cancel", fact.at_ns


def amend_planned(state: DeskState, fact: f.AmendPlanned) -> None:
    """An amend is under way."""
    order = state.orders[fact.client_order_id]
    order.asked_twice = order.asked == "amend"
    order.asked, order.asked_ns = "amend", fact.at_ns
    order.asked_quantity, order.asked_stop = fact.quantity, fact.stop_price
    order.asked_most = max(order.asked_most, fact.quantity)


def order_accepted(state: DeskState, fact: f.OrderAccepted) -> None:
    """The venue works it."""
    order = state.orders[fact.client_order_id]
    order.venue_order_id = fact.venue_order_id
    order.missed_ns = None
    if order.status is OrderStatus.UNKNOWN:
        # The answer to a look-up: whatever was asked of it before is asked again.
        order.asked, order.asked_most = "", ZERO
    if order.status is OrderStatus.REJECTED:
        # It was thought absent, and is there after all: it counts again until it is taken away.
        order.stated = None
        bracket = state.brackets[order.request.bracket_id]
        if order.request.role is OrderRole.STOP and fact.client_order_id not in bracket.stop_orders:
            bracket.stop_orders.append(fact.client_order_id)
        elif order.request.role is OrderRole.ENTRY:
            bracket.entry_used += max(order.quantity - order.filled, ZERO)
    if order.status in (OrderStatus.PLANNED, OrderStatus.UNKNOWN, OrderStatus.REJECTED):
        order.status = OrderStatus.WORKING if order.filled == 0 else OrderStatus.PARTIAL


def order_rejected(state: DeskState, fact: f.OrderRejected) -> None:
    """The venue did not take it."""
    _end(state, fact.client_order_id, OrderStatus.REJECTED, ZERO)


def order_cancelled(state: DeskState, fact: f.OrderCancelled) -> None:
    """The rest of it is gone."""
    _end(state, fact.client_order_id, OrderStatus.CANCELLED, fact.filled)


def order_expired(state: DeskState, fact: f.OrderExpired) -> None:
    """Its time is over."""
    _end(state, fact.client_order_id, OrderStatus.EXPIRED, fact.filled)


def order_not_found(state: DeskState, fact: f.OrderNotFound) -> None:
    """A look-up missed it; the second one, late enough, ends it."""
    order = state.orders[fact.client_order_id]
    if order.missed_ns is None:
        order.missed_ns = fact.at_ns
        _in_doubt(order, fact.at_ns)
    elif fact.at_ns - order.missed_ns >= NOT_THERE_AFTER_NS:
        _end(state, fact.client_order_id, OrderStatus.REJECTED, ZERO)


def _end(state: DeskState, coid: str, status: OrderStatus, stated: Decimal | None) -> None:
    order = state.orders[coid]
    told = order.status.is_final and order.stated is not None
    order.status, order.asked, order.stated = status, "", stated
    bracket = state.brackets[order.request.bracket_id]
    if order.request.role is OrderRole.STOP and status is OrderStatus.REJECTED:
        bracket.stop_rejects += 1
    if order.request.role is OrderRole.ENTRY and stated is not None and not told:
        # Only what the venue states as never filled may be used again.
        bracket.entry_used -= order.quantity - max(order.filled, stated)


def order_amended(state: DeskState, fact: f.OrderAmended) -> None:
    """The venue works it with these terms."""
    order = state.orders[fact.client_order_id]
    order.quantity, order.stop_price = fact.quantity, fact.stop_price
    if order.listed_as == order.request.instrument:
        order.listed_as = ""
    if fact.quantity >= order.asked_most or order.asked == "amend":
        order.asked_most = ZERO
    if order.asked == "amend":
        order.asked = ""
    if order.status is OrderStatus.UNKNOWN:
        order.status = OrderStatus.WORKING
    _fill_up(order)


def request_rejected(state: DeskState, fact: f.RequestRejected) -> None:
    """A cancel or amend did nothing. A refused cancel says nothing of an amend that was never answered."""
    order = state.orders[fact.client_order_id]
    if order.asked == "amend" and not order.asked_twice:
        order.asked_most = ZERO
    order.asked = ""
    _fill_up(order)


def order_triggered(state: DeskState, fact: f.OrderTriggered) -> None:
    """Its stop was reached."""
    order = state.orders[fact.client_order_id]
    if order.triggered_ns is None:
        order.triggered_ns = fact.at_ns


def order_unknown(state: DeskState, fact: f.OrderUnknown) -> None:
    """Its fate has to be looked up."""
    _in_doubt(state.orders[fact.client_order_id], fact.at_ns)


def _in_doubt(order: OrderState, at_ns: int) -> None:
    if order.status is not OrderStatus.UNKNOWN:
        order.unknown_ns = at_ns
    order.status = OrderStatus.UNKNOWN


def order_filled(state: DeskState, fact: f.OrderFilled) -> None:
    """An execution: the order, its bracket, the ledger."""
    fill = fact.fill
    order = state.orders[fill.client_order_id]
    order.executions[fill.trade_id] = Execution(
        fill.quantity, fill.price, fill.fee, fill.fee_currency, fill.at_ns
    )
    known = max(order.filled, order.stated or ZERO)
    order.filled += fill.quantity
    if order.request.role is OrderRole.ENTRY and order.status.is_final and order.stated is not None:
        # It filled more than was stated at its end: what was given back then is used after all.
        state.brackets[order.request.bracket_id].entry_used += max(order.filled - known, ZERO)
    if order.request.role is OrderRole.STOP and order.triggered_ns is None:
        order.triggered_ns = fact.at_ns
    if not order.status.is_final:
        # A fill that was late behind its order's end must not bring that order back to life.
        order.status = OrderStatus.PARTIAL
        _fill_up(order)
    instrument = state.instruments[fill.instrument]
    account = state.accounts[fill.account_id]
    bracket = state.brackets[order.request.bracket_id]
    book_fill(account, instrument, fill, bracket.intent.direction)
    if order.request.role is OrderRole.ENTRY and bracket.entered == 0:
        bracket.opened_ns = fact.at_ns
        lane = bracket.intent.lane.value
        account.opened_today[lane] = account.opened_today.get(lane, 0) + 1
    _count(bracket, instrument, order.request.role, fill, fact.fee_rate)
    if order.request.role is OrderRole.ENTRY:
        if bracket.phase is BracketPhase.ENTERING:
            bracket.phase, bracket.best_price = BracketPhase.OPEN, fill.price
    else:
        if bracket.phase is BracketPhase.ENTERING:
            # Left before anything is known to be entered: what that made is there to be left again.
            bracket.phase = BracketPhase.OPEN
        _name_the_way_out(bracket, order.request.role)


def _fill_up(order: OrderState) -> None:
    """Ends an order that is filled whole, unless an amend without an answer may have made it larger."""
    if order.filled >= max(order.quantity, order.asked_most) and not order.status.is_final:
        order.status, order.asked = OrderStatus.FILLED, ""


def _count(
    bracket: BracketState,
    instrument: Instrument,
    role: OrderRole,
    fill: Fill,
    fee_rate: Decimal,
    sign: int = 1,
) -> None:
    """Counts an execution, or with sign -1 takes one back."""
    quantity, value = fill.quantity * sign, fill.quantity * fill.price * sign
    if fill.fee_currency == instrument.base and not instrument.is_derivative:
        bracket.base_fees += fill.fee * sign * bracket.intent.direction.sign
    else:
        bracket.fees += fill.fee * fee_rate * sign
    if role is OrderRole.ENTRY:
        bracket.entered += quantity
        bracket.entry_value += value
        return
    # Leaving what too large an exit made goes the other way, and takes back what was left too much.
    back = -1 if fill.side is bracket.envelope.side else 1
    bracket.exited += quantity * back
    bracket.exit_value += value * back


def _name_the_way_out(bracket: BracketState, role: OrderRole) -> None:
    stopped = f.CloseReason.TRAIL if bracket.trailed else f.CloseReason.SL
    left_for = bracket.exit_reason or bracket.last_exit_reason or f.CloseReason.KILL
    bracket.last_exit_reason = stopped if role is OrderRole.STOP else left_for


def fill_corrected(state: DeskState, fact: f.FillCorrected) -> None:
    """An execution was not what it was told to be: everything it moved is moved again."""
    order = state.orders[fact.client_order_id]
    request = order.request
    quote = state.instruments[request.instrument].quote
    told = order.executions.get(fact.trade_id, Execution(ZERO, fact.price, ZERO, quote))
    true = Execution(fact.quantity, fact.price, fact.fee, told.fee_currency, told.at_ns)
    order.executions[fact.trade_id] = true
    order.filled += true.quantity - told.quantity
    if order.stated is not None:
        # What the venue stated it filled in all changed with it, or it would be waited for forever.
        order.stated = max(order.stated + true.quantity - told.quantity, ZERO)
    if order.status is OrderStatus.FILLED and order.filled < order.quantity:
        # What was busted is not open again: venues do not put a matched order back into the book.
        order.status = OrderStatus.CANCELLED
    instrument = state.instruments[request.instrument]
    bracket = state.brackets[request.bracket_id]
    was = _as_fill(order, fact.trade_id, told, fact.at_ns)
    now = _as_fill(order, fact.trade_id, true, fact.at_ns)
    correct_fill(
        state.accounts[request.account_id],
        instrument,
        was,
        bracket.intent.direction,
        true.quantity,
        true.price,
        true.fee,
    )
    _count(bracket, instrument, request.role, was, fact.fee_rate, -1)
    _count(bracket, instrument, request.role, now, fact.fee_rate)


def _as_fill(order: OrderState, trade_id: str, done: Execution, at_ns: int) -> Fill:
    request = order.request
    return Fill(
        trade_id,
        request.client_order_id,
        request.account_id,
        request.instrument,
        request.side,
        done.quantity,
        done.price,
        done.fee,
        done.fee_currency,
        Liquidity.TAKER,
        at_ns,
    )
