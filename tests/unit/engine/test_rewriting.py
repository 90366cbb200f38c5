"""What a corporate action or new terms make of every number in the books, one by one."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from neuratrade.core.engine.fold import apply
from neuratrade.core.engine.state import BracketState, ClosedBracket, DeskState, Execution, OrderState
from neuratrade.core.model import facts as f
from neuratrade.core.model.account import Lot, Position, PositionMode
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.intent import DefinedRisk, EntryType, OpenIntent
from neuratrade.core.model.orders import OrderRole, OrderStatus
from tests.simulation.hand import Hand
from tests.simulation.world import BINARY, FUTURE, SPOT, T0, D, intent

NEXT = replace(FUTURE, asset="ESZ/USDT")
RENAMED = replace(SPOT, asset="ETX/USDT", base="ETX")


def books(item: Instrument = SPOT, **terms: object) -> tuple[DeskState, BracketState, OrderState]:
    """A desk with one bracket whose entry rests: its state, the bracket, the order."""
    hand = Hand()
    hand.propose(replace(intent(instrument=item, quantity=10, order_type=EntryType.LIMIT), **terms))
    hand.accept(OrderRole.ENTRY)
    return hand.state, hand.bracket, hand.order(OrderRole.ENTRY)


def acted(kind: f.ActionKind, item: Instrument = SPOT, **terms: object) -> f.CorporateActed:
    return replace(f.CorporateActed(T0, "paper", item.key, kind, action_id="x"), **terms)


SPLIT = acted(f.ActionKind.SPLIT, ratio=D(2))
DIVIDEND = acted(f.ActionKind.DIVIDEND, amount=D(2))
ROLL = acted(f.ActionKind.ROLL, FUTURE, amount=D(3), successor=NEXT)


def half_done(bracket: BracketState) -> None:
    """Eight of ten entered, one of them paid as a fee, two left again, a further exit under way."""
    bracket.entry_used, bracket.entered, bracket.base_fees = D(9), D(8), D(1)
    bracket.exited, bracket.exit_quantity = D(2), D(3)
    bracket.entry_value, bracket.exit_value, bracket.fees = D(800), D(220), D(7)
    bracket.best_price, bracket.exit_level = D(104), D("0.96")


@pytest.mark.parametrize(
    ("fact", "units", "entry_value", "exit_value", "stop", "best", "level"),
    [
        (SPLIT, 2, "800", "220", "47.5", "52", "0.48"),
        (acted(f.ActionKind.SPLIT, ratio=D(3), per=D(2)), "1.5", "800", "220", "63.34", "69.33", "0.64"),
        (replace(DIVIDEND, amount=D("0.5")), 1, "796", "218.5", "94.5", "103.5", "0.46"),
    ],
)
def test_every_number_of_a_bracket_is_in_the_new_terms(
    fact: f.CorporateActed,
    units: int | str,
    entry_value: str,
    exit_value: str,
    stop: str,
    best: str,
    level: str,
) -> None:
    state, bracket, _ = books()
    half_done(bracket)
    apply(state, fact)
    quantities = [bracket.quantity, bracket.entry_used, bracket.entered, bracket.base_fees, bracket.exited]
    assert quantities == [number * D(units) for number in (10, 9, 8, 1, 2)]
    assert (bracket.exit_quantity, bracket.held) == (3 * D(units), 5 * D(units))
    assert (bracket.entry_value, bracket.exit_value) == (D(entry_value), D(exit_value))
    assert (bracket.fees, bracket.stop_price, bracket.exit_level) == (D(7), D(stop), D(level))
    assert bracket.best_price is not None
    assert round(bracket.best_price, 2) == D(best)
    assert bracket.intent.stop_price == D(stop)
    assert bracket.last_exit_reason is None


def test_a_roll_moves_every_level_and_value_of_a_bracket_by_its_amount_and_no_quantity() -> None:
    state, bracket, _ = books(FUTURE)
    half_done(bracket)
    bracket.base_fees = D(0)
    apply(state, ROLL)
    assert (bracket.quantity, bracket.entered, bracket.exited, bracket.held) == (D(10), D(8), D(2), D(6))
    assert (bracket.entry_value, bracket.exit_value) == (D(800 + 3 * 8), D(220 + 3 * 2))
    assert (bracket.stop_price, bracket.best_price, bracket.exit_level) == (D(98), D(107), D(4))
    assert (bracket.intent.instrument, bracket.intent.trigger_price) == (NEXT.key, D(103))


def test_thirds_of_a_holding_that_paid_a_fee_in_kind_are_what_it_holds() -> None:
    state, bracket, _ = books()
    bracket.entered, bracket.base_fees = D(7), D(1)
    apply(state, replace(SPLIT, ratio=D(1), per=D(3)))
    assert bracket.held == 2
    assert bracket.base_fees == bracket.entered - 2


@pytest.mark.parametrize(
    ("entered", "before", "after"),
    [
        ("0.01", None, f.CloseReason.ACTION),
        ("0.01", f.CloseReason.TP, f.CloseReason.TP),
        ("0.02", None, None),
        ("0", None, None),
    ],
)
def test_what_an_action_leaves_below_a_lot_is_closed_by_it_unless_something_else_left_it(
    entered: str, before: f.CloseReason | None, after: f.CloseReason | None
) -> None:
    state, bracket, _ = books()
    bracket.entered, bracket.last_exit_reason = D(entered), before
    apply(state, replace(SPLIT, ratio=D(1), per=D(2)))
    assert bracket.last_exit_reason is after


def closing() -> f.BracketClosed:
    return f.BracketClosed(
        T0, "a", f.CloseReason.SL, D(8), D(100), D(96), D(7), D(-40), T0, 0, "paper", "tactical", dust=D(1)
    )


def test_how_a_bracket_ended_is_told_in_the_new_terms_whether_it_is_kept_or_open_again() -> None:
    rewritten = replace(closing(), entered=D(16), entry_price=D(50), exit_price=D(48), dust=D(2))
    state, bracket, order = books()
    bracket.closed = closing()
    apply(state, SPLIT)
    assert bracket.closed == rewritten

    state, bracket, order = books()
    state.brackets.clear()
    state.orders.clear()
    coid = order.request.client_order_id
    state.closed["a"] = ClosedBracket(bracket, {coid: order}, closing())
    apply(state, SPLIT)
    assert state.closed["a"].closed == rewritten
    assert state.closed["a"].bracket.quantity == 20
    assert state.closed["a"].orders[coid].quantity == 20


def test_parts_that_wait_to_be_left_are_counted_anew_and_other_timers_stay() -> None:
    state, _, _ = books()
    state.timers = {"reduce-2:a": 5, "reduce-2:b": 6, "hold:a": 7, "reduce-4:a": 8}
    apply(state, SPLIT)
    assert state.timers == {"reduce-4:a": 5, "reduce-2:b": 6, "hold:a": 7, "reduce-8:a": 8}


def test_what_another_bracket_account_or_instrument_has_stays_as_it_is() -> None:
    state, bracket, order = books(
        BINARY, trigger_price=D("0.5"), protection=DefinedRisk(D(5)), take_profits=()
    )
    apply(state, SPLIT)
    assert (bracket.quantity, order.quantity, order.listed_as) == (D(10), D(10), "")
    other = replace(bracket.intent, account_id="other", instrument=SPOT.key)
    bracket.intent = other
    apply(state, replace(SPLIT, action_id="y"))
    assert (bracket.quantity, order.quantity, order.listed_as) == (D(10), D(10), "")


# orders


def test_every_number_of_an_order_is_in_the_new_terms() -> None:
    state, _, order = books()
    order.filled, order.stop_price, order.stated = D(4), D(95), D(6)
    order.asked_quantity, order.asked_most = D(7), D(8)
    order.executions = {"t": Execution(D(4), D(100), D("0.3"), "USDT", T0)}
    apply(state, SPLIT)
    assert (order.quantity, order.filled, order.stated) == (D(20), D(8), D(12))
    assert (order.asked_quantity, order.asked_most, order.stop_price) == (D(14), D(16), D("47.5"))
    assert order.executions == {"t": Execution(D(8), D(50), D("0.3"), "USDT", T0)}
    assert order.request.quantity == 10, "what was asked for once is history"


def test_a_dividend_leaves_an_order_as_it_rests_and_only_an_entry_has_to_go() -> None:
    state, _, order = books()
    order.stop_price = D(95)
    apply(state, DIVIDEND)
    assert (order.quantity, order.stop_price, order.listed_as) == (D(10), D(95), SPOT.key)
    state, _, order = books()
    order.request = replace(order.request, role=OrderRole.STOP)
    order.stop_price = D(95)
    apply(state, DIVIDEND)
    assert (order.stop_price, order.listed_as) == (D(95), "")


@pytest.mark.parametrize(
    ("status", "missed", "marked"),
    [
        (OrderStatus.WORKING, None, True),
        (OrderStatus.UNKNOWN, T0, True),
        (OrderStatus.REJECTED, T0, True),
        (OrderStatus.REJECTED, None, False),
        (OrderStatus.FILLED, T0, False),
        (OrderStatus.CANCELLED, None, False),
    ],
)
def test_an_order_that_may_rest_at_the_venue_is_marked_as_listed_under_its_old_terms(
    status: OrderStatus, missed: int | None, marked: bool
) -> None:
    state, _, order = books()
    order.status, order.missed_ns = status, missed
    apply(state, SPLIT)
    assert order.listed_as == (SPOT.key if marked else "")


def test_an_order_keeps_the_name_it_is_listed_under_over_two_changes() -> None:
    state, _, order = books()
    apply(state, acted(f.ActionKind.SYMBOL_CHANGE, successor=RENAMED))
    assert (order.listed_as, order.request.instrument) == (SPOT.key, RENAMED.key)
    apply(state, replace(acted(f.ActionKind.SPLIT, RENAMED, ratio=D(2)), action_id="y"))
    assert (order.listed_as, order.request.instrument) == (SPOT.key, RENAMED.key)


# holdings


def test_a_split_of_what_is_owned_adds_units_and_of_a_derivative_only_contracts() -> None:
    for item, units in ((SPOT, D(6)), (FUTURE, D(0))):
        state, _, _ = books()
        account = state.accounts["paper"]
        account.balances[item.base] = D(6) if item is SPOT else D(0)
        lots = [Lot(D(2), D(100)), Lot(D(4), D(110))]
        account.positions[item.key] = Position(D(6), lots=lots)
        apply(state, acted(f.ActionKind.SPLIT, item, ratio=D(2)))
        position = account.positions[item.key]
        assert [(lot.quantity, lot.price) for lot in position.lots] == [(D(4), D(50)), (D(8), D(55))]
        assert position.quantity == 12
        assert account.balances[item.base] == 2 * units


@pytest.mark.parametrize(("item", "paid"), [(SPOT, 2 * 6), (FUTURE, 2 * 6 * 50)])
def test_a_dividend_is_cash_for_every_unit_and_contract(item: Instrument, paid: int) -> None:
    state, _, _ = books()
    account = state.accounts["paper"]
    account.positions[item.key] = Position(D(6), lots=[Lot(D(6), D(100))])
    apply(state, acted(f.ActionKind.DIVIDEND, item, amount=D(2)))
    assert account.balances["USDT"] == 100_000 + paid
    assert account.positions[item.key].lots[0].price == 100


@pytest.mark.parametrize(("new_base", "moved"), [("ETX", True), ("ETH", False)])
def test_under_a_new_name_units_move_with_it_where_their_own_name_is_new(new_base: str, moved: bool) -> None:
    state, _, _ = books()
    account = state.accounts["paper"]
    account.balances["ETH"] = D(6)
    account.positions[SPOT.key] = Position(D(6), lots=[Lot(D(6), D(100))])
    apply(state, acted(f.ActionKind.SYMBOL_CHANGE, successor=replace(RENAMED, base=new_base)))
    assert account.balances.get("ETX") == (6 if moved else None)
    assert account.balances["ETH"] == (0 if moved else 6)
    assert account.positions[RENAMED.key].lots[0].price == 100


def test_a_roll_moves_the_cost_of_both_sides_and_no_units() -> None:
    state, _, _ = books()
    account = state.accounts["paper"]
    account.account = replace(account.account, mode=PositionMode.HEDGE)
    for side, units in (("LONG", 6), ("SHORT", -2)):
        account.positions[f"{FUTURE.key}/{side}"] = Position(D(units), lots=[Lot(D(units), D(100))])
    apply(state, replace(ROLL, successor=replace(NEXT, base="ESZ")))
    held = {key: (item.quantity, item.lots[0].price) for key, item in account.positions.items()}
    assert held == {f"{NEXT.key}/LONG": (D(6), D(103)), f"{NEXT.key}/SHORT": (D(-2), D(103))}
    assert "ESZ" not in account.balances


# new terms


@pytest.mark.parametrize(
    ("change", "kind", "fits"),
    [
        ({"tick": D("0.005")}, EntryType.LIMIT, True),
        ({"tick": D("0.1")}, EntryType.LIMIT, False),
        ({"tick": D("0.1")}, EntryType.STOP, False),
        ({"lot": D("0.001")}, EntryType.LIMIT, True),
        ({"lot": D(3)}, EntryType.LIMIT, False),
        ({"tick": D("0.1"), "lot": D(3)}, EntryType.LIMIT, False),
    ],
)
def test_an_entry_rests_on_only_where_its_level_and_what_is_left_of_it_fit_the_new_grid(
    change: dict[str, Decimal], kind: EntryType, fits: bool
) -> None:
    state, _, order = books(order_type=kind, trigger_price=D("100.05"))
    apply(state, f.InstrumentUpdated(T0, replace(SPOT, **change)))
    assert order.listed_as == ("" if fits else SPOT.key)
    again = replace(SPOT, tick=D(7))
    order.listed_as = "before"
    apply(state, f.InstrumentUpdated(T0, again))
    assert order.listed_as == "before"


def test_only_live_entries_in_the_contract_itself_have_to_go() -> None:
    coarse = replace(SPOT, tick=D("0.1"))
    state, _, order = books(trigger_price=D("99.93"))
    order.request = replace(order.request, role=OrderRole.STOP)
    apply(state, f.InstrumentUpdated(T0, coarse))
    assert order.listed_as == "", "a stop is fitted, not taken away"
    state, _, order = books(trigger_price=D("99.93"))
    order.status = OrderStatus.CANCELLED
    apply(state, f.InstrumentUpdated(T0, coarse))
    assert order.listed_as == ""
    state, _, order = books(trigger_price=D("99.93"))
    apply(state, f.InstrumentUpdated(T0, replace(FUTURE, tick=D("0.5"))))
    assert order.listed_as == ""


def test_a_bracket_without_a_stop_gets_none_and_a_low_stop_is_fitted_too() -> None:
    risk: dict[str, object] = {"trigger_price": D("0.5"), "protection": DefinedRisk(D(5)), "take_profits": ()}
    state, bracket, _ = books(BINARY, **risk)
    apply(state, f.InstrumentUpdated(T0, replace(BINARY, tick=D("0.1"))))
    assert bracket.stop_price == 0
    state, bracket, _ = books()
    bracket.stop_price = D("0.93")
    apply(state, f.InstrumentUpdated(T0, replace(SPOT, tick=D("0.1"))))
    assert bracket.stop_price == D("1.0")


def test_levels_of_brackets_that_are_kept_a_while_are_fitted_and_those_of_other_contracts_are_not() -> None:
    state, bracket, order = books(trigger_price=D("99.93"))
    other: OpenIntent = replace(bracket.intent, instrument=FUTURE.key)
    copy = replace(bracket, intent=other)
    state.brackets = {"other": copy}
    state.closed["a"] = ClosedBracket(bracket, {order.request.client_order_id: order}, closing())
    apply(state, f.InstrumentUpdated(T0, replace(SPOT, tick=D("0.1"))))
    assert bracket.intent.trigger_price == D("99.9")
    assert copy.intent.trigger_price == D("99.93")
