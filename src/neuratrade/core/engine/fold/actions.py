"""Folds of corporate actions, rolls and new terms: holdings, brackets and levels are rewritten.

Nothing is earned by it: what is held is worth after the action what it was worth before, and a dividend is
cash that the price loses. What orders rest at the venue is not known from then on: they are marked, so that
they are amended or taken away, never trusted.
"""

from decimal import Decimal

from msgspec.structs import replace

from neuratrade.core.engine.ledger import credit, take_over
from neuratrade.core.engine.state import (
    AccountState,
    BracketState,
    ClosedBracket,
    DeskState,
    Execution,
    OrderState,
)
from neuratrade.core.engine.terms import (
    cost,
    intent_after,
    intent_on_grid,
    level,
    moved_value,
    on_grid,
    stop_on_grid,
    timer_of_part,
    units,
)
from neuratrade.core.model import facts as f
from neuratrade.core.model.account import Position
from neuratrade.core.model.decimals import ZERO, is_multiple
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.intent import Direction
from neuratrade.core.model.orders import OrderRole, OrderStatus


def corporate_acted(state: DeskState, fact: f.CorporateActed) -> None:
    """Rewrites what an account has of an instrument."""
    account = state.accounts[fact.account_id]
    account.actions[fact.action_id] = replace(fact, envelopes=())
    old = state.instruments.get(fact.instrument)
    if old is None:
        return
    new = fact.successor or old
    state.instruments[new.key] = new
    rewrite_holdings(account, old, fact)
    for bracket, orders, closed in _brackets_of(state, fact):
        _rewrite_bracket(state, bracket, fact, new)
        for order in orders:
            _rewrite_order(order, fact, new)
        if closed is not None:
            closed.closed = _rewrite_closing(closed.closed, fact)
    if fact.successor is not None:
        _take_its_place(state, fact, new)


def _brackets_of(
    state: DeskState, fact: f.CorporateActed
) -> list[tuple[BracketState, list[OrderState], ClosedBracket | None]]:
    """Brackets of the account in the instrument with their orders, open ones and those kept a while."""
    found: list[tuple[BracketState, list[OrderState], ClosedBracket | None]] = []
    for bracket in state.brackets.values():
        mine = [order for order in state.orders.values() if order.request.bracket_id == bracket.bracket_id]
        found.append((bracket, mine, None))
    found += [(kept.bracket, list(kept.orders.values()), kept) for kept in state.closed.values()]
    return [
        item
        for item in found
        if item[0].intent.account_id == fact.account_id and item[0].intent.instrument == fact.instrument
    ]


def rewrite_holdings(account: AccountState, old: Instrument, fact: f.CorporateActed) -> None:
    """Positions, money, dust and foreign holdings of one account. old: the contract before the action."""
    for key in position_keys(account.positions, old.key):
        position = account.positions[key]
        match fact.kind:
            case f.ActionKind.SPLIT:
                before = position.quantity
                for lot in position.lots:
                    lot.quantity, lot.price = units(fact, lot.quantity), cost(fact, lot.price)
                position.quantity = sum((lot.quantity for lot in position.lots), ZERO)
                if not old.is_derivative:
                    credit(account, old.base, position.quantity - before)
            case f.ActionKind.DIVIDEND:
                credit(account, old.quote, fact.amount * position.quantity * old.multiplier)
            case f.ActionKind.SYMBOL_CHANGE | f.ActionKind.ROLL:
                if fact.successor is not None:
                    _move_position(account, key, old, fact.successor, fact)
    new = fact.successor or old
    for units_of in (account.dust, account.foreign):
        if old.key in units_of:
            there = units(fact, units_of.pop(old.key))
            units_of[new.key] = units_of[new.key] + there if new.key in units_of else there


def position_keys(positions: dict[str, Position], instrument: str) -> list[str]:
    """Where an account keeps its holdings of an instrument."""
    wanted = {instrument, *(f"{instrument}/{direction.value}" for direction in Direction)}
    return [key for key in positions if key in wanted]


def _move_position(
    account: AccountState, key: str, old: Instrument, new: Instrument, fact: f.CorporateActed
) -> None:
    position = account.positions.pop(key)
    for lot in position.lots:
        lot.price = cost(fact, lot.price)
    if not old.is_derivative and new.base != old.base:
        credit(account, old.base, -position.quantity)
        credit(account, new.base, position.quantity)
    take_over(account, new, new.key + key.removeprefix(old.key), position)


def _rewrite_bracket(
    state: DeskState, bracket: BracketState, fact: f.CorporateActed, contract: Instrument
) -> None:
    _rewrite_parts_to_leave(state, bracket, fact)
    _rewrite_quantities(bracket, fact)
    bracket.entry_value += moved_value(fact, bracket.entered)
    bracket.exit_value += moved_value(fact, bracket.entered - bracket.held)
    if bracket.intent.execution is not None:
        # No further slice: what is left of its approval was meant for another market.
        bracket.entry_over = True
        state.timers.pop(f"slice:{bracket.bracket_id}", None)
    direction = bracket.intent.direction
    bracket.intent = intent_after(fact, contract, bracket.intent)
    bracket.stop_price = stop_on_grid(contract, direction, level(fact, bracket.stop_price))
    if bracket.best_price is not None:
        bracket.best_price = level(fact, bracket.best_price)
    if bracket.exit_level > 0:
        bracket.exit_level = on_grid(contract, level(fact, bracket.exit_level))
    if bracket.closed is not None:
        bracket.closed = _rewrite_closing(bracket.closed, fact)
    if bracket.entered > 0 and contract.round_quantity(abs(bracket.held)) == 0:
        bracket.last_exit_reason = bracket.last_exit_reason or f.CloseReason.ACTION
    for envelope in fact.envelopes:
        if envelope.bracket_id == bracket.bracket_id:
            bracket.envelope = envelope


def _rewrite_parts_to_leave(state: DeskState, bracket: BracketState, fact: f.CorporateActed) -> None:
    name = bracket.bracket_id
    ids = [key for key in state.timers if key.startswith("reduce-") and key.partition(":")[2] == name]
    # All are taken out first: what one becomes may be what another was.
    for timer_id, due_ns in [(key, state.timers.pop(key)) for key in ids]:
        part = units(fact, Decimal(timer_id.partition(":")[0].removeprefix("reduce-")))
        state.timers[timer_of_part(state.timers, name, part)] = due_ns


def _rewrite_quantities(bracket: BracketState, fact: f.CorporateActed) -> None:
    held = units(fact, bracket.held)
    for name in ("quantity", "entry_used", "entered", "exited", "base_fees", "exit_quantity"):
        setattr(bracket, name, units(fact, getattr(bracket, name)))
    # Thirds of several numbers do not add up: what is held is exact, or its stop would miss a lot of it.
    if bracket.exited:
        bracket.exited = bracket.entered - bracket.base_fees - held
    elif bracket.base_fees:
        bracket.base_fees = bracket.entered - held


def _rewrite_closing(closed: f.BracketClosed, fact: f.CorporateActed) -> f.BracketClosed:
    return replace(
        closed,
        entered=units(fact, closed.entered),
        entry_price=level(fact, closed.entry_price),
        exit_price=level(fact, closed.exit_price),
        dust=units(fact, closed.dust),
    )


def _rewrite_order(order: OrderState, fact: f.CorporateActed, contract: Instrument) -> None:
    request = order.request
    renamed = request.instrument != contract.key
    entry = request.role is OrderRole.ENTRY
    may_live = order.is_live or (order.status is OrderStatus.REJECTED and order.missed_ns is not None)
    if may_live and (entry or fact.kind is not f.ActionKind.DIVIDEND):
        order.listed_as = order.listed_as or request.instrument
    order.quantity, order.filled = units(fact, order.quantity), units(fact, order.filled)
    order.asked_quantity = units(fact, order.asked_quantity)
    order.asked_most = units(fact, order.asked_most)
    order.stated = None if order.stated is None else units(fact, order.stated)
    if order.stop_price is not None and fact.kind is not f.ActionKind.DIVIDEND:
        order.stop_price = level(fact, order.stop_price)
    for trade_id, done in order.executions.items():
        order.executions[trade_id] = _rewrite_execution(done, fact)
    if renamed:
        order.request = replace(request, instrument=contract.key)


def _rewrite_execution(done: Execution, fact: f.CorporateActed) -> Execution:
    return replace(done, quantity=units(fact, done.quantity), price=cost(fact, done.price))


def _take_its_place(state: DeskState, fact: f.CorporateActed, new: Instrument) -> None:
    """The successor stands where the old contract stood, unless another account still has that."""
    old = fact.instrument
    if old in state.shut:
        state.shut.add(new.key)
    for reference, item in list(state.quarantine.items()):
        if item.account_id == fact.account_id and item.instrument == old:
            del state.quarantine[reference]
            named = new.key + reference.removeprefix(old) if reference.startswith(old) else reference
            state.quarantine[named] = replace(item, instrument=new.key, reference=named)
    for basket in state.baskets.values():
        legs = (
            intent_after(fact, new, leg)
            if leg.instrument == old and leg.account_id == fact.account_id
            else leg
            for leg in basket.intent.legs
        )
        basket.intent = replace(basket.intent, legs=tuple(legs))
    if old not in instruments_in_use(state):
        state.instruments.pop(old, None)
        state.shut.discard(old)


def instruments_in_use(state: DeskState) -> set[str]:
    """Keys of the contracts that any account holds, trades, or traded a moment ago."""
    used = {bracket.intent.instrument for bracket in state.brackets.values()}
    used |= {kept.bracket.intent.instrument for kept in state.closed.values()}
    for account in state.accounts.values():
        used |= set(account.foreign) | set(account.dust)
        for key in state.instruments:
            used |= {key} if position_keys(account.positions, key) else set()
    return used


def fit_to_grid(state: DeskState, contract: Instrument) -> None:
    """Puts every level in a contract on the grid it has now; an entry that rests off it has to go."""
    kept = [item.bracket for item in state.closed.values()]
    for bracket in (*state.brackets.values(), *kept):
        if bracket.intent.instrument != contract.key:
            continue
        bracket.intent = intent_on_grid(contract, bracket.intent)
        if bracket.stop_price > 0:
            direction = bracket.intent.direction
            bracket.stop_price = stop_on_grid(contract, direction, bracket.stop_price)
    for order in state.orders.values():
        request = order.request
        if request.instrument == contract.key and request.role is OrderRole.ENTRY and order.is_live:
            levels = [price for price in (request.limit_price, order.stop_price) if price is not None]
            fits = all(is_multiple(price, contract.tick) for price in levels)
            if not (fits and is_multiple(order.remaining, contract.lot)):
                order.listed_as = order.listed_as or request.instrument


def instrument_updated(state: DeskState, fact: f.InstrumentUpdated) -> None:
    """The terms of a contract from now on."""
    state.instruments[fact.instrument.key] = fact.instrument
    fit_to_grid(state, fact.instrument)
