"""Word that comes when nobody waits for it any more: no second exit beside one that turned up, no crash."""

import pytest
from msgspec.structs import replace

from neuratrade.core.engine.state import OrderState
from neuratrade.core.model import commands as c
from neuratrade.core.model import events as e
from neuratrade.core.model import facts as f
from neuratrade.core.model.intent import CloseIntent, EntryType, Iceberg, Twap
from neuratrade.core.model.market import NS_PER_SECOND
from neuratrade.core.model.orders import Fill, Liquidity, OrderRole, Side
from neuratrade.core.model.venue_rules import VenueRules
from tests.simulation.hand import Hand
from tests.simulation.world import PERP, D, fill_of, intent

ENTRY, STOP, TARGET, EXIT = OrderRole.ENTRY, OrderRole.STOP, OrderRole.TARGET, OrderRole.EXIT


def live_exits(hand: Hand) -> list[OrderState]:
    return [order for order in hand.state.orders.values() if order.is_live and order.request.role.reduces]


def exit_thought_absent(hand: Hand) -> str:
    """A bracket is left, its exit is found nowhere, twice; the stop is back. The id of that exit."""
    hand.enter(intent(targets=()))
    hand.step(e.IntentArrived(CloseIntent("c", "paper", "op", "a", "", hand.now_ns), hand.now_ns))
    hand.cancelled(STOP)
    coid = hand.coid(EXIT)
    hand.gone(EXIT)
    hand.accept(STOP)
    return coid


def test_no_exit_leaves_while_an_earlier_one_that_turned_up_may_still_sell() -> None:
    hand = Hand(checked=False)
    lost = exit_thought_absent(hand)
    hand.seconds(5)
    assert hand.leaving()
    hand.step(f.OrderAccepted(hand.now_ns, lost, "V"))
    hand.cancelled(STOP)
    assert [order.request.client_order_id for order in live_exits(hand)] == [lost]
    hand.step(f.OrderCancelled(hand.now_ns, lost, "asked", D(0)))
    (exit_,) = live_exits(hand)
    assert (exit_.request.role, exit_.quantity) == (EXIT, D(1))
    hand.fill(EXIT, 1, 99)
    assert hand.state.brackets == {}


def test_an_exit_that_turned_up_and_sells_takes_the_place_of_the_next_one() -> None:
    hand = Hand(checked=False)
    lost = exit_thought_absent(hand)
    request = hand.state.orders[lost].request
    hand.seconds(5)
    hand.step(f.OrderAccepted(hand.now_ns, lost, "V"))
    hand.cancelled(STOP)
    hand.step(f.OrderFilled(hand.now_ns, fill_of(request, 1, 99, "late", hand.now_ns)))
    assert hand.state.brackets == {}
    assert hand.state.accounts["paper"].positions[PERP.key].quantity == 0
    assert hand.state.trading_state is f.TradingState.RUNNING


def test_no_stop_is_sent_beside_an_exit_that_turned_up() -> None:
    hand = Hand(rules=VenueRules(amends_stops=False, exit_collars=()), checked=False)
    lost = exit_thought_absent(hand)
    hand.step(f.OrderAccepted(hand.now_ns, lost, "V"))
    hand.cancelled(STOP)
    assert [order.request.client_order_id for order in live_exits(hand)] == [lost]
    assert not hand.bracket.protected
    hand.step(f.OrderCancelled(hand.now_ns, lost, "asked", D(0)))
    hand.accept(STOP)
    assert hand.bracket.protected


def test_a_liquidation_that_ends_a_sliced_entry_with_its_bracket_is_booked() -> None:
    hand = Hand(rules=VenueRules(stop_market=False), checked=False)
    sliced = intent(order_type=EntryType.LIMIT, targets=(), expiry_s=600)
    hand.propose(replace(sliced, execution=Iceberg(D("0.5"))))
    hand.accept(ENTRY)
    hand.fill(ENTRY, "0.5", 100)
    hand.step(f.OrderCancelled(hand.now_ns, hand.coid(ENTRY), "venue", D(0)))
    half, now_ns = D("0.5"), hand.now_ns
    fill = Fill("L", "", "paper", PERP.key, Side.SELL, half, D(90), D(0), "USDT", Liquidity.TAKER, now_ns)
    hand.step(f.Liquidated(now_ns, fill))
    assert hand.closed.reason is f.CloseReason.LIQUIDATED
    assert hand.state.accounts["paper"].positions[PERP.key].quantity == 0


def test_a_bracket_of_which_all_was_busted_below_a_lot_can_be_opened_again() -> None:
    hand = Hand(checked=False)
    hand.enter(intent(targets=()))
    entry, stop = hand.order(ENTRY).request, hand.order(STOP).request
    odd = D("0.0004")
    hand.step(f.OrderFilled(hand.now_ns, fill_of(stop, odd, 95, "odd", hand.now_ns)))
    hand.step(f.FillCorrected(hand.now_ns, entry.client_order_id, "t1", D(0), D(100), D(0)))
    for order in live_exits(hand):
        hand.step(f.OrderCancelled(hand.now_ns, order.request.client_order_id, "asked", odd))
    assert hand.state.brackets == {}
    assert hand.state.accounts["paper"].dust == {PERP.key: -odd}
    hand.now_ns += NS_PER_SECOND
    hand.step(f.OrderFilled(hand.now_ns, fill_of(entry, 1, 100, "late", hand.now_ns)))
    assert hand.bracket.held == 1 - odd
    assert hand.state.accounts["paper"].dust[PERP.key] == 0


def test_no_slice_is_asked_for_once_the_venue_filled_more_than_all_of_them() -> None:
    hand = Hand(checked=False)
    hand.propose(replace(intent(targets=()), execution=Twap(2, 20 * NS_PER_SECOND)))
    hand.accept(ENTRY)
    hand.fill(ENTRY, 3, 100)
    hand.accept(STOP)
    hand.seconds(30)
    asked = [fact.request.quantity for fact in hand.facts if isinstance(fact, f.OrderPlanned)]
    assert asked == [D("0.5"), D(3)], "one slice, and a stop for all that it filled"


def amends(hand: Hand) -> list[tuple[D, D]]:
    plans = [fact for fact in hand.facts if isinstance(fact, f.AmendPlanned)]
    return [(plan.quantity, plan.stop_price) for plan in plans]


def test_a_venue_that_amends_to_terms_of_its_own_is_asked_again_but_not_at_once() -> None:
    hand = Hand()
    hand.enter(intent(trail="0.04", targets=()))
    hand.quote(108)
    for _ in range(10):
        hand.amended(STOP, 1, "103.5")
        hand.quote(108)
    assert len(amends(hand)) == 1
    hand.seconds(6)
    assert len(amends(hand)) == 2
    hand.amended(STOP, 1, "103.4")
    hand.quote(109)
    assert amends(hand)[-1] == (D(1), D("104.6")), "a level that moved is news, and waits for nothing"
    hand.amended(STOP, 1, "104.6")
    hand.seconds(20)
    assert len(amends(hand)) == 3
    assert hand.bracket.protected


def test_terms_of_an_earlier_amend_told_again_answer_no_later_one() -> None:
    hand = Hand()
    hand.enter(intent(trail="0.04", targets=()))
    hand.quote(108)
    hand.amended(STOP, 1, "103.6")
    hand.quote(109)
    assert hand.amended(STOP, 1, "103.6").facts == []
    assert hand.order(STOP).asked == "amend"
    hand.now_ns += 5 * NS_PER_SECOND
    again = hand.tick()
    assert {type(item) for item in again.commands} >= {c.AmendOrder, c.LookUpOrder}, "should it be lost"
    assert amends(hand)[-1] == (D(1), D("104.6"))
    hand.amended(STOP, 1, "104.6")
    assert (hand.order(STOP).asked, hand.bracket.protected) == ("", True)


def test_an_entry_rejected_overfilled_and_there_after_all_uses_what_it_filled() -> None:
    hand = Hand(checked=False)
    hand.propose(intent(order_type=EntryType.LIMIT, targets=()))
    request = hand.order(ENTRY).request
    hand.rejected(ENTRY)
    late = fill_of(request, "1.5", 100, "late", hand.now_ns)
    hand.step(f.OrderFilled(hand.now_ns, late))
    hand.step(f.OrderAccepted(hand.now_ns, request.client_order_id, "V"))
    assert hand.bracket.entry_used == D("1.5")
    assert hand.order(STOP).request.quantity == D("1.5")


def test_what_was_left_too_much_is_bought_back_and_no_target_comes_in_between() -> None:
    hand = Hand(checked=False)
    hand.enter(intent(targets=((110, "0.5"), (120, "0.5"))))
    stop = hand.order(STOP).request
    hand.step(f.OrderFilled(hand.now_ns, fill_of(stop, "1.5", 95, "s", hand.now_ns)))
    assert hand.bracket.held == D("-0.5")
    hand.expired(EXIT)
    for price in (112, 113):
        step = hand.quote(price)
        assert not any(isinstance(item, f.TriggerFired) for item in step.facts)
    hand.seconds(2)
    assert (hand.order(EXIT).request.side, hand.order(EXIT).request.quantity) == (Side.BUY, D("0.5"))


def test_an_entry_thought_absent_that_turns_up_while_the_desk_is_halted_is_taken_away() -> None:
    hand = Hand()
    hand.propose(intent(order_type=EntryType.LIMIT))
    hand.unknown(ENTRY)
    coid = hand.coid(ENTRY)
    hand.gone(ENTRY)
    assert not hand.state.brackets
    hand.step(e.Halt(hand.now_ns, "ana", "enough", f.KillPolicy.CANCEL_ENTRIES))
    hand.step(f.OrderAccepted(hand.now_ns, coid, "there after all"))
    assert [type(item) for item in hand.commands] == [c.CancelOrder]
    assert hand.order(ENTRY).asked == "cancel"


def test_a_stop_that_turns_up_while_the_exit_works_is_taken_away_and_the_exit_goes_on() -> None:
    hand = Hand(checked=False)
    hand.enter(intent(targets=()))
    lost = hand.coid(STOP)
    hand.step(e.IntentArrived(CloseIntent("c", "paper", "op", "a", "", hand.now_ns), hand.now_ns))
    hand.gone(STOP)
    hand.accept(EXIT)
    hand.step(f.OrderAccepted(hand.now_ns, lost, "V"))
    assert hand.leaving()
    assert [item.client_order_id for item in hand.commands if isinstance(item, c.CancelOrder)] == [lost]
    hand.fill(EXIT, 1, 99)
    hand.step(f.OrderCancelled(hand.now_ns, lost, "", D(0)))
    assert hand.closed.reason is f.CloseReason.MANUAL


def test_a_late_fill_of_an_entry_whose_end_stated_nothing_uses_up_no_more_than_was_asked_for() -> None:
    hand = Hand()
    hand.propose(intent(order_type=EntryType.LIMIT, targets=()))
    hand.accept(ENTRY)
    request = hand.order(ENTRY).request
    hand.cancelled(ENTRY)
    assert not hand.state.brackets
    hand.step(f.OrderFilled(hand.now_ns, fill_of(request, "0.4", 100, "late", hand.now_ns)))
    assert (hand.bracket.held, hand.bracket.entry_used) == (D("0.4"), D(1))


def test_a_restart_while_an_entry_rests_sets_no_time_exit() -> None:
    hand = Hand()
    hand.propose(intent(order_type=EntryType.LIMIT, hold_s=600))
    hand.accept(ENTRY)
    hand.crash_after(f.OrderAccepted)
    hand.recover()
    assert "hold:a" not in hand.state.timers


def test_an_entry_thought_absent_that_turns_up_uses_up_its_approval_again() -> None:
    hand = Hand()
    hand.propose(intent(order_type=EntryType.LIMIT, targets=()))
    hand.accept(ENTRY)
    request = hand.order(ENTRY).request
    hand.fill(ENTRY, "0.25", 100)
    hand.accept(STOP)
    hand.gone(ENTRY)
    assert hand.bracket.entry_used == D("0.25"), "what never came may be used again"
    hand.step(f.OrderAccepted(hand.now_ns, request.client_order_id, "there after all"))
    assert hand.bracket.entry_used == 1


def test_a_correction_of_an_execution_that_never_came_tells_of_it_and_what_it_made_is_guarded() -> None:
    hand = Hand()
    hand.propose(intent(order_type=EntryType.LIMIT, targets=()))
    hand.accept(ENTRY)
    told = f.FillCorrected(hand.now_ns, hand.coid(ENTRY), "lost", D("0.5"), D(100), D("0.1"))
    hand.step(told)
    assert hand.bracket.held == D("0.5")
    assert hand.order(STOP).quantity == D("0.5")
    request = hand.order(ENTRY).request
    hand.step(f.OrderFilled(hand.now_ns, fill_of(request, "0.7", 99, "lost", hand.now_ns)))
    assert hand.bracket.held == D("0.5"), "what it was first told to be comes late and is not true any more"


def test_an_execution_busted_before_it_was_told_of_never_counts() -> None:
    hand = Hand()
    hand.propose(intent(order_type=EntryType.LIMIT, targets=()))
    hand.accept(ENTRY)
    request = hand.order(ENTRY).request
    hand.step(f.FillCorrected(hand.now_ns, request.client_order_id, "lost", D(0), D(100), D(0)))
    hand.step(f.OrderFilled(hand.now_ns, fill_of(request, "0.5", 100, "lost", hand.now_ns)))
    assert hand.bracket.held == 0


@pytest.mark.parametrize("number", ["NaN", "-0.5", "Infinity"])
def test_a_nonsensical_correction_of_an_execution_that_never_came_changes_nothing(number: str) -> None:
    hand = Hand()
    hand.propose(intent(order_type=EntryType.LIMIT, targets=()))
    hand.accept(ENTRY)
    told = f.FillCorrected(hand.now_ns, hand.coid(ENTRY), "lost", D(number), D(100), D(0))
    assert hand.step(told).facts == []
