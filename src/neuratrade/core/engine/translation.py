"""What venues say late, in the terms that hold now.

An execution from before a split counts old units at an old price; one that names a contract which another
took the place of means that one. Translated at the door, late words fit books that were rewritten.
"""

from decimal import Decimal

from msgspec.structs import replace

from neuratrade.core.engine.state import DeskState, Execution, OrderState
from neuratrade.core.engine.terms import actions_in_order, cost, units
from neuratrade.core.model import facts as f
from neuratrade.core.model.orders import Fill


def in_present_terms(state: DeskState, event: f.VenueEvent) -> f.VenueEvent:
    """A word about an order as it reads after every corporate action of its account."""
    if not any(account.actions for account in state.accounts.values()):
        return event
    match event:
        case f.OrderFilled(fill=fill):
            return replace(event, fill=fill_in_present_terms(state, fill))
        case f.OrderCancelled(filled=filled) | f.OrderExpired(filled=filled) if filled is not None:
            order = _order(state, event.client_order_id)
            return event if order is None else replace(event, filled=_stated(state, order, filled))
        case f.FillCorrected():
            order = _order(state, event.client_order_id)
            told = None if order is None else order.executions.get(event.trade_id)
            if order is None or told is None:
                return event
            return _correction(state, event, order, told)
        case _:
            return event


def fill_in_present_terms(state: DeskState, fill: Fill) -> Fill:
    """An execution in the contract, units and price that hold now."""
    account = state.accounts.get(fill.account_id)
    if account is None:
        return fill
    for action in actions_in_order(account.actions):
        if action.instrument != fill.instrument:
            continue
        if action.successor is not None:
            fill = replace(fill, instrument=action.successor.key, price=cost(action, fill.price))
        elif fill.at_ns < action.effective_ns:
            fill = replace(fill, quantity=units(action, fill.quantity), price=cost(action, fill.price))
    return fill


def _order(state: DeskState, coid: str) -> OrderState | None:
    found = state.orders.get(coid)
    if found is not None:
        return found
    return next((item.orders[coid] for item in state.closed.values() if coid in item.orders), None)


def _since(state: DeskState, order: OrderState, at_ns: int) -> list[f.CorporateActed]:
    """The actions that changed an order's contract after `at_ns`, in order."""
    actions = actions_in_order(state.accounts[order.request.account_id].actions)
    names = {order.request.instrument}
    found: list[f.CorporateActed] = []
    for action in reversed(actions):
        if action.successor is not None and action.successor.key in names:
            names.add(action.instrument)
        if action.instrument in names and at_ns < action.effective_ns:
            found.append(action)
    return found[::-1]


def _stated(state: DeskState, order: OrderState, filled: Decimal) -> Decimal:
    """What an order filled in all. Venues differ in whether they restate it, so what is known decides."""
    restated = filled
    for action in _since(state, order, order.planned_ns):
        restated = units(action, restated)
    if order.filled in (filled, restated):
        return order.filled
    return restated if order.filled <= restated <= order.quantity else filled


def _correction(
    state: DeskState, event: f.FillCorrected, order: OrderState, told: Execution
) -> f.FillCorrected:
    for action in _since(state, order, told.at_ns):
        quantity, price = units(action, event.quantity), cost(action, event.price)
        event = replace(event, quantity=quantity, price=price)
    return event
