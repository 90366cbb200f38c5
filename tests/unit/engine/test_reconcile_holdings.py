"""The reconciler and holdings: what is foreign, what is missing, what a person has to look at, and when."""

from decimal import Decimal

import pytest

from neuratrade.core.engine.differences import exact
from neuratrade.core.engine.engine import Engine, Step
from neuratrade.core.engine.judging import unknown_orders
from neuratrade.core.model import commands as c
from neuratrade.core.model import events as e
from neuratrade.core.model import facts as f
from neuratrade.core.model.account import Account, PositionMode
from neuratrade.core.model.facts import QuarantineKind, TradingState
from neuratrade.core.model.intent import CloseIntent, Direction, EntryType, Lane
from neuratrade.core.model.market import NS_PER_MS, NS_PER_SECOND
from neuratrade.core.model.orders import OrderRequest, OrderRole
from tests.simulation.hand import Hand
from tests.simulation.snapshots import begun, look, look_twice, snapshot, strange_order
from tests.simulation.world import PERP, SPOT, D, desk_engine, fill_of, intent, run_started, warm_up

ENTRY, STOP = OrderRole.ENTRY, OrderRole.STOP


def holding() -> Hand:
    """A desk that holds one unit under a working stop, for a while already."""
    hand = begun()
    hand.enter(intent())
    hand.seconds(10)
    return hand


def kinds(step: Step) -> list[type]:
    return [type(fact) for fact in step.facts]


def trading(hand: Hand) -> TradingState:
    return hand.state.trading_state


def foreign(hand: Hand) -> dict[str, D]:
    return hand.state.accounts["paper"].foreign


def restarted(hand: Hand) -> Hand:
    """The same desk after a restart: what it only remembered is gone."""
    hand.crash_after(type(hand.facts[-1]))
    return hand


# foreign holdings


def test_what_is_there_at_the_start_is_foreign_at_once() -> None:
    hand = Hand()
    step = look(hand, positions={PERP.key: 7})
    assert kinds(step) == [f.ForeignSeen]
    assert foreign(hand) == {PERP.key: D(7)}
    assert not hand.state.quarantine


def test_what_is_there_at_a_restart_is_foreign_at_once_beside_what_is_ours() -> None:
    hand = restarted(holding())
    look(hand, positions={PERP.key: 3})
    assert foreign(hand) == {PERP.key: D(2)}


def test_what_could_not_be_compared_at_the_start_still_counts_as_the_start() -> None:
    hand = holding()
    hand = restarted(hand)
    look(hand, positions={PERP.key: 3}, without=(hand.coid(STOP),))
    assert not foreign(hand)
    look(hand, positions={PERP.key: 3})
    assert foreign(hand) == {PERP.key: D(2)}


def test_more_at_the_venue_has_to_be_seen_twice_some_seconds_apart() -> None:
    hand = begun()
    assert kinds(look(hand, positions={PERP.key: 7})) == []
    hand.seconds(1)
    assert kinds(look(hand, positions={PERP.key: 7})) == []
    hand.seconds(4)
    assert kinds(look(hand, positions={PERP.key: 7})) == [f.ForeignSeen]
    assert kinds(look(hand, positions={PERP.key: 7})) == []


def test_a_second_look_that_was_asked_for_before_the_first_came_confirms_nothing() -> None:
    hand = begun()
    look(hand, positions={PERP.key: 7})
    hand.seconds(10)
    assert kinds(look(hand, positions={PERP.key: 7}, asked_ms_ago=9_000)) == []


def test_more_at_the_venue_that_one_look_does_not_show_begins_anew() -> None:
    hand = begun()
    look(hand, positions={PERP.key: 7})
    hand.seconds(4)
    look(hand)
    hand.seconds(4)
    assert kinds(look(hand, positions={PERP.key: 7})) == []


def test_differences_of_opposite_sign_do_not_confirm_each_other() -> None:
    hand = begun()
    look(hand, positions={PERP.key: 7})
    hand.seconds(10)
    assert kinds(look(hand, positions={PERP.key: -7})) == []
    hand.seconds(4)
    assert kinds(look(hand, positions={PERP.key: 7})) == []


def test_what_is_foreign_moves_and_ends_as_its_owner_trades_it() -> None:
    hand = Hand()
    look(hand, positions={PERP.key: 7})
    hand.seconds(10)
    look_twice(hand, positions={PERP.key: 3})
    assert foreign(hand) == {PERP.key: D(3)}
    hand.seconds(10)
    look_twice(hand, positions={PERP.key: 0})
    assert foreign(hand) == {}
    assert not hand.state.quarantine
    assert trading(hand) is TradingState.RUNNING


def test_less_of_what_is_foreign_is_no_loss_of_ours() -> None:
    hand = restarted(holding())
    look(hand, positions={PERP.key: 3})
    hand.seconds(10)
    look_twice(hand, positions={PERP.key: "1.5"})
    assert foreign(hand) == {PERP.key: D("0.5")}
    assert trading(hand) is TradingState.RUNNING


def test_the_end_of_what_is_foreign_beside_ours_is_no_loss_of_ours() -> None:
    hand = restarted(holding())
    look(hand, positions={PERP.key: 3})
    assert foreign(hand) == {PERP.key: D(2)}
    hand.seconds(10)
    look_twice(hand, positions={PERP.key: 1})
    assert foreign(hand) == {}
    assert not hand.state.quarantine
    assert trading(hand) is TradingState.RUNNING


def test_what_is_foreign_against_us_may_shrink_without_a_loss_of_ours() -> None:
    hand = Hand()
    look(hand, positions={PERP.key: -3})
    hand.seconds(10)
    hand.enter(intent())
    hand.seconds(10)
    assert look_twice(hand, positions={PERP.key: -2}).facts == []
    hand.seconds(10)
    look_twice(hand, positions={PERP.key: -1})
    assert foreign(hand) == {PERP.key: D(-2)}
    hand.seconds(10)
    look_twice(hand, positions={PERP.key: -2})
    assert PERP.key in hand.state.quarantine


def test_one_name_for_an_order_and_a_holding_is_kept_apart() -> None:
    hand = holding()
    strange = (strange_order(PERP.key),)
    look_twice(hand, positions={PERP.key: 0}, extra=strange)
    kept = {name: item.kind for name, item in hand.state.quarantine.items()}
    assert kept == {PERP.key: QuarantineKind.ORDER, f"position {PERP.key}": QuarantineKind.POSITION}
    hand.seconds(1)
    look(hand, extra=strange)
    assert list(hand.state.quarantine) == [PERP.key]


def test_an_instrument_the_desk_does_not_trade_is_shown_as_foreign() -> None:
    hand = Hand()
    look(hand, positions={"DOGE/USDT@test": 9})
    assert foreign(hand) == {"DOGE/USDT@test": D(9)}


def test_flatten_all_leaves_foreign_alone() -> None:
    hand = restarted(holding())
    look(hand, positions={PERP.key: 3, SPOT.key: 4})
    hand.step(e.Halt(hand.now_ns, "ana", "enough", f.KillPolicy.FLATTEN_ALL))
    hand.step(f.OrderCancelled(hand.now_ns, hand.coid(STOP), "asked", D(0)))
    assert hand.order(OrderRole.EXIT).quantity == 1
    hand.fill(OrderRole.EXIT, 1, 100)
    assert not hand.state.brackets
    planned = [fact.request for fact in hand.facts if isinstance(fact, f.OrderPlanned)]
    assert sum(item.quantity for item in planned if item.role is OrderRole.EXIT) == 1
    assert foreign(hand) == {PERP.key: D(2), SPOT.key: D(4)}


def test_what_is_foreign_is_outside_equity() -> None:
    hand = Hand()
    look(hand, positions={PERP.key: 7})
    hand.tick()
    assert hand.engine.equity("paper") == 100_000


# less than we hold


def test_less_than_we_hold_seen_twice_is_quarantined_and_halts_until_a_person_resumes() -> None:
    hand = holding()
    assert kinds(look(hand, positions={PERP.key: "0.5"})) == []
    hand.seconds(10)
    step = look(hand, positions={PERP.key: "0.5"})
    assert kinds(step) == [f.Quarantined, f.TradingStateMoved, f.Reconciled]
    state = hand.state
    assert state.quarantine[PERP.key].kind is QuarantineKind.POSITION
    assert (state.trading_state, state.latched, state.governor) == (TradingState.HALTED, True, "reconcile")
    assert hand.bracket.held == 1, "nothing is booked that no execution tells"
    assert hand.order(STOP).is_live, "what is left stays guarded"
    assert not hand.order(STOP).asked
    assert unknown_orders(state, "paper", PERP.key, state.now_ns) == 1
    assert step.commands == []


def test_at_the_start_too_less_than_we_hold_is_looked_at_twice() -> None:
    hand = restarted(holding())
    assert kinds(look(hand, positions={PERP.key: 0})) == []
    hand.seconds(10)
    assert f.Quarantined in kinds(look(hand, positions={PERP.key: 0}))


def test_a_position_that_agrees_again_is_lifted_but_the_halt_stays() -> None:
    hand = holding()
    look_twice(hand, positions={PERP.key: "0.5"})
    hand.seconds(1)
    step = look(hand)
    assert kinds(step) == [f.QuarantineLifted, f.Reconciled]
    assert not hand.state.quarantine
    assert hand.state.accounts["paper"].differences == ()
    assert trading(hand) is TradingState.HALTED
    hand.step(e.Resume(hand.now_ns, "ana", "found it"))
    assert trading(hand) is TradingState.RUNNING


def test_the_same_difference_says_nothing_again_and_a_resumed_desk_stays_resumed() -> None:
    hand = holding()
    look_twice(hand, positions={PERP.key: "0.5"})
    hand.step(e.Resume(hand.now_ns, "ana", "I know"))
    for _ in range(3):
        hand.seconds(10)
        assert kinds(look(hand, positions={PERP.key: "0.50"})) == []
    assert trading(hand) is TradingState.RUNNING
    assert hand.state.quarantine, "new exposure in it stays out all the same"


def test_a_difference_that_grows_halts_again() -> None:
    hand = holding()
    look_twice(hand, positions={PERP.key: "0.5"})
    hand.step(e.Resume(hand.now_ns, "ana", "I know"))
    hand.seconds(10)
    step = look(hand, positions={PERP.key: "0.2"})
    assert kinds(step) == [f.TradingStateMoved, f.Reconciled]
    assert trading(hand) is TradingState.HALTED


def test_what_a_person_settled_stays_settled_over_a_restart_until_it_changes() -> None:
    hand = holding()
    look_twice(hand, positions={PERP.key: "0.5"})
    hand.step(e.LiftQuarantine(hand.now_ns, "ana", "", PERP.key, "sold by hand"))
    hand.step(e.Resume(hand.now_ns, "ana", "sold by hand"))
    hand = restarted(hand)
    hand.seconds(10)
    look_twice(hand, positions={PERP.key: "0.5"})
    assert not hand.state.quarantine
    hand.seconds(10)
    look_twice(hand, positions={PERP.key: "0.4"})
    assert PERP.key in hand.state.quarantine


def test_the_other_way_round_is_less_than_we_hold() -> None:
    hand = holding()
    look_twice(hand, positions={PERP.key: -2})
    assert PERP.key in hand.state.quarantine
    assert not foreign(hand)


def test_a_short_is_missed_like_a_long() -> None:
    hand = begun()
    hand.enter(intent(direction=Direction.SHORT, stop=105, targets=()))
    hand.seconds(10)
    assert look_twice(hand).facts == []
    look_twice(hand, positions={PERP.key: "-0.5"})
    assert PERP.key in hand.state.quarantine
    hand.seconds(10)
    look_twice(hand, positions={PERP.key: -3})
    assert not hand.state.quarantine
    assert foreign(hand) == {PERP.key: D(-2)}


# when nothing is compared


def test_a_snapshot_older_than_a_fill_accuses_nobody() -> None:
    hand = begun()
    hand.enter(intent())
    for _ in range(2):
        step = look(hand, asked_ms_ago=1, positions={PERP.key: 0}, balances={"USDT": 5})
        assert step.facts == []
    hand.seconds(1)
    assert look(hand, positions={PERP.key: 0}).facts == []
    hand.seconds(2)
    look(hand, positions={PERP.key: 0})
    hand.seconds(6)
    assert f.Quarantined in kinds(look(hand, positions={PERP.key: 0}))


def test_while_fills_come_no_two_looks_that_lag_behind_them_agree_on_a_loss() -> None:
    hand = begun()
    hand.propose(intent())
    hand.accept(ENTRY)
    for part in ("0.2", "0.3", "0.5"):
        hand.seconds(10)
        hand.fill(ENTRY, part, 100)
        if hand.order(STOP).asked:
            hand.amended(STOP, hand.order(STOP).asked_quantity, 95)
        else:
            hand.accept(STOP)
        assert look(hand, asked_ms_ago=1, positions={PERP.key: 0}, balances={"USDT": 5}).facts == []


def test_money_is_not_compared_while_any_order_is_in_doubt() -> None:
    hand = holding()
    lost = (hand.coid(STOP),)
    assert look_twice(hand, balances={"USDT": 5}, without=lost).facts == []
    hand.seconds(10)
    assert f.Quarantined in kinds(look_twice(hand, balances={"USDT": 5}))


def test_a_fill_from_a_clock_far_ahead_does_not_end_comparing_for_ever() -> None:
    hand = begun()
    hand.propose(intent())
    hand.accept(ENTRY)
    ahead = fill_of(hand.order(ENTRY).request, 1, 100, "t", hand.now_ns + 3600 * NS_PER_SECOND)
    hand.step(f.OrderFilled(hand.now_ns, ahead))
    hand.now_ns = hand.state.now_ns
    hand.accept(STOP)
    hand.seconds(3)
    look_twice(hand, positions={PERP.key: 0})
    assert PERP.key in hand.state.quarantine


def test_an_order_in_doubt_keeps_its_instrument_from_being_compared_and_no_other() -> None:
    hand = begun()
    hand.enter(intent())
    hand.propose(intent("b", instrument=SPOT, trigger=90, stop=85, order_type=EntryType.LIMIT, targets=()))
    hand.seconds(10)
    wrong = {PERP.key: 5, SPOT.key: 5}
    doubt = [o for o in hand.state.orders.values() if o.request.instrument == SPOT.key]
    hidden = (doubt[0].request.client_order_id,)
    look_twice(hand, positions=wrong, without=hidden)
    assert foreign(hand) == {PERP.key: D(4)}


@pytest.mark.parametrize("value", ["NaN", "sNaN", "Infinity", "-Infinity"])
def test_numbers_that_are_none_are_not_compared(value: str) -> None:
    hand = holding()
    step = look_twice(hand, positions={PERP.key: value}, balances={"USDT": value})
    assert step.facts == []


def test_positions_and_balances_that_were_not_told_prove_nothing() -> None:
    hand = holding()
    wrong = snapshot(hand, positions={PERP.key: 0}, balances={"USDT": 1})
    for missing in ({"positions": None}, {"balances": None, "positions": None}):
        fields = {name: getattr(wrong, name) for name in wrong.__struct_fields__} | missing
        hand.step(
            e.VenueSnapshot(**fields | {"at_ns": hand.now_ns, "asked_ns": hand.now_ns, "balances": None})
        )
        hand.seconds(10)
    assert not hand.state.quarantine


# several brackets, one net


def two_lanes() -> Hand:
    """Long 2 in one lane and short 1 in another, of one instrument: the venue sees a net of 1."""
    hand = begun()
    hand.enter(intent(quantity=2, targets=()))
    first = hand.bracket.bracket_id
    hand.propose(intent("b", direction=Direction.SHORT, stop=105, lane=Lane.SCALP, targets=(), quantity=1))
    second = hand.state.brackets["b"]
    assert first != second.bracket_id
    entry = hand.state.orders[second.entry_order or ""].request
    hand.step(f.OrderAccepted(hand.now_ns, entry.client_order_id, "V2"))
    hand.step(f.OrderFilled(hand.now_ns, fill_of(entry, 1, 100, "s1", hand.now_ns)))
    hand.step(f.OrderAccepted(hand.now_ns, second.stop_orders[-1], "V3"))
    hand.seconds(10)
    return hand


def test_two_lanes_long_and_short_are_one_net_at_the_venue() -> None:
    hand = two_lanes()
    assert look_twice(hand, positions={PERP.key: 1}).facts == []
    hand.seconds(10)
    look_twice(hand, positions={PERP.key: 4})
    assert foreign(hand) == {PERP.key: D(3)}
    hand.seconds(10)
    look_twice(hand, positions={PERP.key: "0.5"})
    assert PERP.key in hand.state.quarantine


def hedged() -> Hand:
    """A desk whose account keeps long and short side by side."""
    hand = Hand.__new__(Hand)
    Hand.__init__(hand)
    account = Account("paper", "test", "USDT", mode=PositionMode.HEDGE)
    started = run_started()
    fields = {name: getattr(started, name) for name in started.__struct_fields__}
    hand.step(f.RunStarted(**fields | {"account": account}))
    look(hand)
    hand.seconds(10)
    return hand


def test_side_by_side_a_net_that_differs_while_both_sides_are_held_is_never_called_foreign() -> None:
    """A net of 4 where 2 long and 1 short are ours may be more long, or our short that is gone."""
    hand = hedged()
    hand.enter(intent(quantity=2, targets=()))
    hand.propose(intent("b", direction=Direction.SHORT, stop=105, targets=(), quantity=1))
    second = hand.state.brackets["b"]
    entry = hand.state.orders[second.entry_order or ""].request
    hand.step(f.OrderAccepted(hand.now_ns, entry.client_order_id, "V2"))
    hand.step(f.OrderFilled(hand.now_ns, fill_of(entry, 1, 100, "s1", hand.now_ns)))
    hand.step(f.OrderAccepted(hand.now_ns, second.stop_orders[-1], "V3"))
    hand.seconds(10)
    assert look_twice(hand, positions={PERP.key: 1}).facts == []
    hand.seconds(10)
    look_twice(hand, positions={PERP.key: 4})
    assert PERP.key in hand.state.quarantine
    assert not foreign(hand)


def test_side_by_side_with_one_side_held_more_on_that_side_is_foreign_and_less_is_not() -> None:
    hand = hedged()
    hand.enter(intent(quantity=2, targets=()))
    hand.seconds(10)
    look_twice(hand, positions={PERP.key: 3})
    assert foreign(hand) == {PERP.key: D(1)}
    hand.seconds(10)
    look_twice(hand, positions={PERP.key: 1})
    assert PERP.key in hand.state.quarantine


def test_side_by_side_an_entry_that_filled_nothing_is_no_side() -> None:
    hand = hedged()
    hand.enter(intent(quantity=2, targets=()))
    short = intent(
        "b", direction=Direction.SHORT, stop=125, trigger=120, targets=(), order_type=EntryType.LIMIT
    )
    hand.propose(short)
    coid = hand.state.brackets["b"].entry_order or ""
    hand.step(f.OrderAccepted(hand.now_ns, coid, "V2"))
    hand.seconds(10)
    look_twice(hand, positions={PERP.key: 3})
    assert foreign(hand) == {PERP.key: D(1)}
    assert not hand.state.quarantine


def test_dust_is_ours() -> None:
    hand = begun()
    hand.propose(intent(instrument=SPOT, stop=95, targets=(), quantity=1))
    hand.accept(ENTRY)
    hand.fill(ENTRY, 1, 100, fee="0.001", currency="ETH")
    hand.accept(STOP)
    hand.fill(STOP, "0.99", 95)
    assert hand.state.accounts["paper"].dust == {SPOT.key: D("0.009")}
    hand.seconds(10)
    assert look_twice(hand).facts == []
    hand.seconds(10)
    look_twice(hand, positions={SPOT.key: 0})
    assert SPOT.key in hand.state.quarantine


# money


def test_a_balance_that_differs_twice_is_quarantined_and_reduces_until_it_matches() -> None:
    hand = begun()
    assert kinds(look(hand, balances={"USDT": 99_990})) == []
    hand.seconds(10)
    step = look(hand, balances={"USDT": 99_990})
    assert kinds(step) == [f.Quarantined, f.Reconciled, f.TradingStateMoved]
    state = hand.state
    assert (state.trading_state, state.latched, state.governor) == (TradingState.REDUCING, False, "reconcile")
    assert unknown_orders(state, "paper", SPOT.key, state.now_ns) == 1, "money is missing wherever one trades"
    hand.seconds(10)
    step = look(hand)
    assert kinds(step) == [f.QuarantineLifted, f.Reconciled, f.TradingStateMoved]
    assert trading(hand) is TradingState.RUNNING
    assert state.accounts["paper"].balances == {"USDT": D(100_000)}
    assert not [fact for fact in hand.facts if isinstance(fact, f.CashMoved)]


def test_a_balance_a_person_settled_lets_the_desk_trade_and_stays_settled() -> None:
    hand = begun()
    look_twice(hand, balances={"USDT": 99_990})
    step = hand.step(e.LiftQuarantine(hand.now_ns, "ana", "paper", "USDT", "a fee of the bank"))
    assert kinds(step) == [f.QuarantineLifted, f.TradingStateMoved]
    assert trading(hand) is TradingState.RUNNING
    hand.seconds(10)
    assert kinds(look_twice(hand, balances={"USDT": 99_990})) == []
    hand.seconds(10)
    look_twice(hand, balances={"USDT": 99_980})
    assert trading(hand) is TradingState.REDUCING


def test_a_balance_never_lifts_another_rule_nor_lightens_a_halt() -> None:
    hand = begun()
    hand.step(e.Halt(hand.now_ns, "ana", "news"))
    look_twice(hand, balances={"USDT": 99_990})
    assert trading(hand) is TradingState.HALTED
    hand.seconds(10)
    look(hand)
    assert trading(hand) is TradingState.HALTED


def test_a_day_that_begins_does_not_end_what_a_balance_keeps_the_desk_from() -> None:
    hand = begun()
    look_twice(hand, balances={"USDT": 99_990})
    hand.seconds(24 * 3600)
    hand.tick()
    assert trading(hand) is TradingState.REDUCING


def test_a_tolerance_lets_small_differences_be() -> None:
    config = desk_engine().config
    hand = Hand()
    changed = type(config)(
        **{name: getattr(config, name) for name in config.__slots__}
        | {"balance_tolerance_fraction": Decimal("0.0001")}
    )
    hand.engine = Engine(changed, hand.state)
    warm_up(hand.engine)
    look(hand)
    hand.seconds(10)
    assert look_twice(hand, balances={"USDT": "99990.1"}).facts == []
    hand.seconds(10)
    look_twice(hand, balances={"USDT": "99989"})
    assert "USDT" in hand.state.quarantine


def test_units_that_are_foreign_are_not_missed_as_money() -> None:
    hand = Hand()
    look(hand, positions={SPOT.key: 4}, balances={"ETH": 4})
    hand.seconds(10)
    hand.enter(intent(instrument=SPOT, stop=95, targets=(), quantity=1))
    hand.seconds(10)
    assert look_twice(hand, positions={SPOT.key: 5}, balances={"ETH": 5}).facts == []
    hand.seconds(10)
    look_twice(hand, positions={SPOT.key: 5}, balances={"ETH": 6})
    assert "ETH" in hand.state.quarantine


def test_coins_our_books_never_had_are_nobody_s_concern() -> None:
    hand = begun()
    assert look_twice(hand, balances={"SHIB": 5}).facts == []


def test_all_that_differs_is_written_down_in_one_order() -> None:
    hand = holding()
    look_twice(hand, positions={PERP.key: "0.5"}, balances={"USDT": 5})
    assert hand.state.accounts["paper"].differences == tuple(sorted(hand.state.accounts["paper"].differences))
    assert len(hand.state.accounts["paper"].differences) == 2


@pytest.mark.parametrize(
    ("number", "words"),
    [
        ("100", "100"),
        ("100.500", "100.5"),
        ("-0.0000001", "-0.0000001"),
        ("0", "0"),
        ("1E+30", "1" + "0" * 30),
        ("1E+31", "1E+31"),
        ("1E-31", "1E-31"),
    ],
)
def test_numbers_in_words_are_written_out_to_the_last_digit_unless_huge_or_tiny(
    number: str, words: str
) -> None:
    assert exact(D(number)) == words


def test_halves_of_opposite_sign_do_not_confirm_each_other_either() -> None:
    hand = begun()
    look(hand, positions={PERP.key: "0.5"})
    hand.seconds(10)
    assert kinds(look(hand, positions={PERP.key: "-0.5"})) == []
    hand.seconds(10)
    assert kinds(look(hand, positions={PERP.key: "0.5"})) == []


def test_what_was_waited_for_at_the_start_is_believed_at_once_only_the_first_time() -> None:
    hand = restarted(holding())
    look(hand, positions={PERP.key: 3}, without=(hand.coid(STOP),))
    look(hand, positions={PERP.key: 3})
    assert foreign(hand) == {PERP.key: D(2)}
    hand.seconds(10)
    look(hand, positions={PERP.key: 4})
    assert foreign(hand) == {PERP.key: D(2)}, "from now on it takes two looks"


@pytest.mark.parametrize(("ahead_ms", "compared"), [(2000, False), (2001, True)])
def test_only_a_fill_from_more_than_two_seconds_ahead_is_a_wrong_clock_s(
    ahead_ms: int, compared: bool
) -> None:
    hand = begun()
    hand.propose(intent())
    hand.accept(ENTRY)
    at_ns = hand.now_ns + ahead_ms * NS_PER_MS
    hand.step(f.OrderFilled(hand.now_ns, fill_of(hand.order(ENTRY).request, 1, 100, "t", at_ns)))
    hand.accept(STOP)
    look(hand, positions={SPOT.key: 7})
    hand.seconds(6)
    asked = any(isinstance(item, c.TakeSnapshot) for item in hand.tick().commands)
    assert asked is compared, "what was seen once is asked about again"


# money while derivatives are held


def newest(hand: Hand, bracket: str, role: OrderRole) -> OrderRequest:
    requests = [order.request for order in hand.state.orders.values()]
    return [item for item in requests if (item.bracket_id, item.role) == (bracket, role)][-1]


def averaged() -> Hand:
    """Bought at 100 and at 104, and the first of it sold at 110: our books took the first lot out."""
    hand = begun()
    hand.enter(intent("a"))
    hand.propose(intent("b"))
    hand.step(f.OrderFilled(hand.now_ns, fill_of(newest(hand, "b", ENTRY), 1, 104, "in", hand.now_ns)))
    hand.step(f.OrderAccepted(hand.now_ns, newest(hand, "b", STOP).client_order_id, "V-b"))
    hand.step(e.IntentArrived(CloseIntent("close", "paper", "op", "a", "enough", hand.now_ns), hand.now_ns))
    hand.step(f.OrderCancelled(hand.now_ns, newest(hand, "a", STOP).client_order_id, "leaving", D(0)))
    out = newest(hand, "a", OrderRole.EXIT)
    hand.step(f.OrderFilled(hand.now_ns, fill_of(out, 1, 110, "out", hand.now_ns)))
    hand.seconds(10)
    return hand


def money_of(hand: Hand) -> D:
    return hand.state.accounts["paper"].balances["USDT"]


def test_cash_of_a_venue_that_closes_lots_by_their_average_agrees_where_it_tells_that_average() -> None:
    hand = averaged()
    by_average = money_of(hand) - 2
    assert look_twice(hand, balances={"USDT": by_average}, costs={PERP.key: D(102)}).facts == []
    assert not hand.state.quarantine


@pytest.mark.parametrize("costs", [None, {}, {PERP.key: D("102.01")}, {PERP.key: D(104)}])
def test_cash_that_no_average_explains_is_a_difference(costs: dict[str, D] | None) -> None:
    hand = averaged()
    look_twice(hand, balances={"USDT": money_of(hand) - 2}, costs=costs)
    assert [item.kind for item in hand.state.quarantine.values()] == [f.QuarantineKind.BALANCE]


def test_an_average_that_the_venue_rounded_is_no_difference() -> None:
    hand = averaged()
    told = {PERP.key: D("102.00001")}
    assert look_twice(hand, balances={"USDT": money_of(hand) - 2}, costs=told).facts == []


def test_what_a_stranger_entered_explains_no_cash_of_ours() -> None:
    hand = averaged()
    look_twice(hand, positions={PERP.key: 3})
    look_twice(hand, positions={PERP.key: 3}, balances={"USDT": money_of(hand) - 2}, costs={PERP.key: D(102)})
    assert [item.kind for item in hand.state.quarantine.values()] == [f.QuarantineKind.BALANCE]
