"""Ways out: stop cancelled, its end awaited, exit sent, the rest under its stop again. Never sold twice."""

import pytest
from msgspec.structs import replace

from neuratrade.core.model import commands as c
from neuratrade.core.model import events as e
from neuratrade.core.model import facts as f
from neuratrade.core.model.intent import (
    AmendIntent,
    CancelIntent,
    CloseIntent,
    DefinedRisk,
    Direction,
    EntryType,
    ReduceIntent,
)
from neuratrade.core.model.market import NS_PER_SECOND, Quote
from neuratrade.core.model.orders import OrderRole, OrderType, Side, TimeInForce
from neuratrade.core.model.venue_rules import PAPER_RULES
from tests.simulation.hand import Hand
from tests.simulation.world import BINARY, FUTURE, PERP, SPOT, D, bar, fill_of, intent

ENTRY, STOP, TARGET, EXIT = OrderRole.ENTRY, OrderRole.STOP, OrderRole.TARGET, OrderRole.EXIT
LADDER = ((105, "0.5"), (110, "0.5"))


def close(hand: Hand, name: str = "close") -> None:
    hand.step(e.IntentArrived(CloseIntent(name, "paper", "op", "a", "enough", hand.now_ns), hand.now_ns))


def reduce(hand: Hand, fraction: str, name: str = "reduce") -> f.IntentJudged:
    order = ReduceIntent(name, "paper", "op", "a", D(fraction), "less", hand.now_ns)
    return judged(hand, e.IntentArrived(order, hand.now_ns))


def amend(hand: Hand, stop: str, name: str) -> f.IntentJudged:
    order = AmendIntent(name, "paper", "op", "a", D(stop), hand.now_ns)
    return judged(hand, e.IntentArrived(order, hand.now_ns))


def judged(hand: Hand, event: e.IntentArrived) -> f.IntentJudged:
    return next(fact for fact in hand.step(event).facts if isinstance(fact, f.IntentJudged))


def test_a_target_cancels_the_stop_awaits_its_end_and_then_exits() -> None:
    hand = Hand()
    hand.enter(intent())
    hand.quote("109.9")
    assert hand.commands == []
    hand.quote(110)
    assert [type(item) for item in hand.commands] == [c.CancelOrder]
    hand.quote(111)
    assert hand.commands == []
    hand.cancelled(STOP)
    (command,) = hand.commands
    assert isinstance(command, c.SubmitOrder)
    request = command.order.request
    assert (request.order_type, request.time_in_force) == (OrderType.LIMIT, TimeInForce.IOC)
    assert (request.limit_price, request.quantity) == (D(110), D(1))
    hand.fill(TARGET, 1, 110)
    assert hand.closed.reason is f.CloseReason.TP
    assert hand.closed.pnl == 10


def test_a_target_that_did_not_fill_puts_the_stop_back_and_stays_armed() -> None:
    hand = Hand()
    hand.enter(intent())
    hand.quote(110)
    hand.cancelled(STOP)
    hand.fill(TARGET, "0.4", 110)
    hand.cancelled(TARGET)
    assert hand.order(STOP).request.quantity == D("0.6")
    hand.accept(STOP)
    assert hand.bracket.protected
    hand.quote(110)
    hand.cancelled(STOP)
    assert hand.order(TARGET).request.quantity == D("0.6")
    hand.fill(TARGET, "0.6", 110)
    assert hand.closed.pnl == 10


def test_a_stop_that_fills_while_its_cancel_is_under_way_is_the_only_sale() -> None:
    hand = Hand()
    hand.enter(intent())
    hand.quote(110)
    hand.fill(STOP, 1, 95)
    assert hand.commands == []
    assert hand.closed.reason is f.CloseReason.SL
    hand.step(f.RequestRejected(hand.now_ns, "whatever", "no such order"))
    assert hand.state.brackets == {}


def test_a_stop_that_fills_in_part_while_its_cancel_is_under_way_leaves_the_rest_to_the_exit() -> None:
    hand = Hand()
    hand.enter(intent())
    hand.quote(110)
    hand.fill(STOP, "0.7", 95)
    hand.cancelled(STOP)
    assert hand.order(TARGET).request.quantity == D("0.3")
    hand.fill(TARGET, "0.3", 110)
    assert hand.closed.reason is f.CloseReason.TP


def test_a_ladder_leaves_in_parts_with_the_stop_fitted_between() -> None:
    hand = Hand()
    hand.enter(intent(targets=LADDER))
    hand.quote(105)
    hand.cancelled(STOP)
    assert hand.order(TARGET).request.quantity == D("0.5")
    hand.fill(TARGET, "0.5", 105)
    assert hand.order(STOP).request.quantity == D("0.5")
    hand.accept(STOP)
    hand.quote(110)
    hand.cancelled(STOP)
    hand.fill(TARGET, "0.5", 110)
    assert hand.closed.pnl == D("7.5")


def test_both_rungs_of_a_ladder_can_be_reached_on_one_bar() -> None:
    hand = Hand()
    hand.enter(intent(targets=LADDER))
    hand.seconds(60)
    wide = bar(1, 100, 111, 100, 110)
    hand.step(e.BarSeen(wide, hand.now_ns))
    hand.cancelled(STOP)
    hand.fill(TARGET, "0.5", 105)
    hand.accept(STOP)
    assert hand.leaving(), "the second rung lies in the same bar"
    hand.cancelled(STOP)
    hand.fill(TARGET, "0.5", 110)
    assert hand.closed.reason is f.CloseReason.TP


def test_a_ladder_keeps_what_it_does_not_sell() -> None:
    hand = Hand()
    hand.enter(intent(targets=((105, "0.25"),)))
    hand.quote(105)
    hand.cancelled(STOP)
    hand.fill(TARGET, "0.25", 105)
    hand.accept(STOP)
    hand.quote(200)
    assert hand.bracket.held == D("0.75")
    assert not hand.leaving()


def test_an_entry_that_fills_while_the_last_rung_leaves_is_not_left_without_a_target() -> None:
    hand = Hand()
    hand.propose(intent(order_type=EntryType.LIMIT))
    hand.accept(ENTRY)
    hand.fill(ENTRY, "0.5", 100)
    hand.accept(STOP)
    hand.quote(110)
    hand.fill(ENTRY, "0.5", 100)
    hand.cancelled(STOP)
    hand.fill(TARGET, "0.5", 110)
    assert hand.order(STOP).request.quantity == D("0.5")
    hand.accept(STOP)
    hand.quote(110)
    hand.cancelled(STOP)
    hand.fill(TARGET, "0.5", 110)
    assert hand.closed.reason is f.CloseReason.TP


@pytest.mark.parametrize("direction", [Direction.LONG, Direction.SHORT])
def test_a_trail_tightens_and_never_loosens(direction: Direction) -> None:
    hand = Hand()
    sign = direction.sign
    hand.enter(intent(direction=direction, stop=100 - 5 * sign, trail="0.05", targets=()))
    hand.quote(*((100 + 20 * sign,) * 2))
    level = D(114) if sign > 0 else D(84)
    (command,) = hand.commands
    assert isinstance(command, c.AmendOrder)
    assert command.stop_price == level
    hand.amended(STOP, 1, level)
    hand.quote(*((100 + 10 * sign,) * 2))
    assert hand.commands == []
    assert hand.bracket.stop_price == level
    hand.fill(STOP, 1, level)
    assert hand.closed.reason is f.CloseReason.TRAIL
    assert hand.closed.pnl == (level - 100) * sign


@pytest.mark.parametrize(
    ("direction", "best", "level"),
    [
        (Direction.LONG, "120.1", "114.0"),
        (Direction.SHORT, "80.1", "84.2"),
    ],
)
def test_a_trail_between_ticks_keeps_its_whole_distance(direction: Direction, best: str, level: str) -> None:
    hand = Hand()
    hand.enter(intent(direction=direction, stop=100 - 5 * direction.sign, trail="0.05", targets=()))
    hand.quote(best, best)
    assert hand.bracket.stop_price == D(level)


def test_a_price_near_the_entry_does_not_move_a_tight_stop_back() -> None:
    hand = Hand()
    hand.enter(intent(stop=99, trail="0.05", targets=()))
    hand.quote(101)
    assert hand.commands == []
    assert hand.bracket.stop_price == 99


def test_time_is_up_when_the_hold_time_ends() -> None:
    hand = Hand()
    hand.enter(intent(hold_s=300))
    hand.seconds(299)
    assert not hand.leaving()
    hand.seconds(1)
    hand.cancelled(STOP)
    request = hand.order(EXIT).request
    assert (request.order_type, request.time_in_force) == (OrderType.MARKET, TimeInForce.IOC)
    hand.fill(EXIT, 1, 101)
    assert hand.closed.reason is f.CloseReason.TIME


def test_an_exit_that_must_be_whole_asks_again_until_it_is() -> None:
    hand = Hand()
    hand.enter(intent(hold_s=300))
    hand.seconds(300)
    hand.cancelled(STOP)
    hand.fill(EXIT, "0.9", 101)
    hand.cancelled(EXIT)
    hand.accept(STOP)
    hand.seconds(1)
    hand.cancelled(STOP)
    hand.fill(EXIT, "0.1", 101)
    assert hand.closed.reason is f.CloseReason.TIME


def test_time_that_is_up_during_another_exit_is_not_forgotten() -> None:
    hand = Hand()
    hand.enter(intent(hold_s=300))
    hand.seconds(299.9)
    hand.quote(110)
    hand.seconds(0.2)
    hand.cancelled(STOP)
    hand.cancelled(TARGET)
    hand.accept(STOP)
    hand.seconds(2)
    assert hand.bracket.exit_reason is f.CloseReason.TIME
    hand.cancelled(STOP)
    hand.fill(EXIT, 1, 101)
    assert hand.closed.reason is f.CloseReason.TIME


def test_a_person_can_close_by_hand() -> None:
    hand = Hand()
    hand.enter(intent())
    close(hand)
    hand.cancelled(STOP)
    hand.fill(EXIT, 1, 101)
    assert hand.closed.reason is f.CloseReason.MANUAL


def test_a_close_by_hand_also_closes_what_the_entry_fills_meanwhile() -> None:
    hand = Hand()
    hand.propose(intent(order_type=EntryType.LIMIT))
    hand.accept(ENTRY)
    close(hand)
    assert [type(item) for item in hand.commands] == [c.CancelOrder]
    hand.fill(ENTRY, 1, 100)
    hand.accept(STOP)
    hand.seconds(1)
    hand.cancelled(STOP)
    hand.fill(EXIT, 1, 100)
    assert hand.closed.reason is f.CloseReason.MANUAL


def test_a_reduction_by_hand_leaves_its_part_and_no_more() -> None:
    hand = Hand()
    hand.enter(intent())
    assert reduce(hand, "0.4").approved
    hand.cancelled(STOP)
    assert hand.order(EXIT).request.quantity == D("0.4")
    hand.fill(EXIT, "0.1", 101)
    hand.cancelled(EXIT)
    hand.accept(STOP)
    hand.seconds(1)
    hand.cancelled(STOP)
    assert hand.order(EXIT).request.quantity == D("0.3")
    hand.fill(EXIT, "0.3", 101)
    hand.accept(STOP)
    hand.seconds(60)
    assert hand.bracket.held == D("0.6")
    assert not hand.leaving()


@pytest.mark.parametrize("fraction", ["0", "-0.5", "1.1"])
def test_a_reduction_by_an_impossible_fraction_is_refused(fraction: str) -> None:
    hand = Hand()
    hand.enter(intent())
    judged = reduce(hand, fraction)
    assert (judged.approved, judged.quantity) == (False, D(0))
    assert hand.commands == []


def test_a_bracket_that_leaves_already_refuses_to_be_left_again() -> None:
    hand = Hand()
    hand.enter(intent())
    close(hand)
    assert not reduce(hand, "0.5").approved


def test_an_amend_moves_the_stop_towards_less_risk_only() -> None:
    hand = Hand()
    hand.enter(intent())
    assert not amend(hand, "94", "one").approved
    assert not amend(hand, "95", "two").approved
    assert hand.commands == []
    assert amend(hand, "97", "three").approved
    (command,) = hand.commands
    assert isinstance(command, c.AmendOrder)
    assert command.stop_price == 97
    hand.amended(STOP, 1, 97)
    assert not amend(hand, "98", "three").approved, "the same id twice"


def test_an_amend_off_the_tick_grid_is_put_on_it_towards_less_risk() -> None:
    hand = Hand()
    hand.enter(intent())
    assert amend(hand, "95.5", "half").approved
    assert hand.bracket.stop_price == D("95.5")
    assert amend(hand, "97.03", "off").approved
    assert hand.bracket.stop_price == D("97.1")


def test_an_amend_while_leaving_holds_for_the_stop_that_comes_back() -> None:
    hand = Hand()
    hand.enter(intent())
    hand.quote(110)
    assert amend(hand, "97", "late").approved
    hand.cancelled(STOP)
    hand.cancelled(TARGET)
    assert hand.order(STOP).request.stop_price == 97


def test_a_cancel_by_hand_ends_the_entry_and_keeps_what_was_filled_protected() -> None:
    hand = Hand()
    hand.propose(intent(order_type=EntryType.LIMIT))
    hand.accept(ENTRY)
    hand.fill(ENTRY, "0.3", 100)
    hand.accept(STOP)
    order = CancelIntent("c", "paper", "op", "a", "no more", hand.now_ns)
    hand.step(e.IntentArrived(order, hand.now_ns))
    hand.cancelled(ENTRY)
    assert hand.bracket.held == D("0.3")
    assert hand.bracket.protected


def test_what_is_being_cancelled_is_not_cancelled_twice() -> None:
    hand = Hand()
    hand.propose(intent(order_type=EntryType.LIMIT))
    hand.accept(ENTRY)
    for name in ("once", "twice"):
        order = CancelIntent(name, "paper", "op", "a", "no more", hand.now_ns)
        hand.step(e.IntentArrived(order, hand.now_ns))
    assert hand.commands == []
    assert sum(isinstance(fact, f.CancelPlanned) for fact in hand.facts) == 1


def test_an_entry_still_working_is_cancelled_when_the_exit_begins() -> None:
    hand = Hand()
    hand.propose(intent(order_type=EntryType.LIMIT))
    hand.accept(ENTRY)
    hand.fill(ENTRY, "0.5", 100)
    hand.accept(STOP)
    hand.quote(110)
    cancels = [item.client_order_id for item in hand.commands if isinstance(item, c.CancelOrder)]
    assert cancels == [hand.coid(ENTRY), hand.coid(STOP)]


def test_an_entry_that_was_never_filled_closes_without_a_trade() -> None:
    hand = Hand()
    hand.propose(intent(order_type=EntryType.LIMIT, expiry_s=60))
    hand.accept(ENTRY)
    hand.seconds(60)
    assert [type(item) for item in hand.commands] == [c.CancelOrder]
    hand.expired(ENTRY)
    assert hand.closed.reason is f.CloseReason.NO_ENTRY
    assert hand.state.counts.trades == 0
    assert hand.state.accounts["paper"].opened_today == {}


def test_an_expired_entry_keeps_what_it_filled() -> None:
    hand = Hand()
    hand.propose(intent(order_type=EntryType.LIMIT, expiry_s=60))
    hand.accept(ENTRY)
    hand.fill(ENTRY, "0.5", 100)
    hand.accept(STOP)
    hand.seconds(60)
    hand.expired(ENTRY)
    assert hand.bracket.held == D("0.5")
    assert hand.bracket.protected
    hand.fill(STOP, "0.5", 95)
    assert hand.closed.entered == D("0.5")


def test_a_rejected_entry_closes_its_bracket() -> None:
    hand = Hand()
    hand.propose(intent())
    hand.rejected(ENTRY)
    assert hand.closed.reason is f.CloseReason.NO_ENTRY
    assert hand.state.orders == {}
    assert hand.state.timers == {}


@pytest.mark.parametrize("direction", [Direction.LONG, Direction.SHORT])
def test_a_future_counts_its_multiplier_in_the_profit(direction: Direction) -> None:
    hand = Hand()
    sign = direction.sign
    proposal = intent(
        direction=direction, instrument=FUTURE, stop=100 - 5 * sign, targets=((100 + 10 * sign, 1),)
    )
    hand.enter(proposal)
    hand.fill(STOP, 1, 100 - 5 * sign, fee=2)
    assert hand.closed.pnl == -5 * 50 - 2
    assert hand.state.accounts["paper"].balances["USDT"] == 100_000 - 252


def test_a_cancel_the_venue_refuses_is_looked_into_and_the_exit_is_tried_again() -> None:
    hand = Hand()
    hand.enter(intent(hold_s=60))
    hand.seconds(60)
    hand.refused(STOP)
    (command,) = hand.commands
    assert isinstance(command, c.LookUpOrder)
    hand.accept(STOP)
    assert not hand.leaving()
    assert hand.bracket.protected
    hand.seconds(1)
    hand.cancelled(STOP)
    hand.fill(EXIT, 1, 99)
    assert hand.closed.reason is f.CloseReason.TIME


def test_a_cancel_whose_fate_is_unknown_is_asked_again_once_the_stop_is_found_working() -> None:
    hand = Hand()
    hand.enter(intent(hold_s=60))
    hand.seconds(60)
    hand.unknown(STOP)
    (command,) = hand.commands
    assert isinstance(command, c.LookUpOrder)
    hand.accept(STOP)
    hand.seconds(1)
    hand.cancelled(STOP)
    hand.fill(EXIT, 1, 99)
    assert hand.closed.reason is f.CloseReason.TIME


def test_an_exit_of_unknown_fate_is_looked_up_and_never_sent_twice() -> None:
    hand = Hand()
    hand.enter(intent())
    hand.quote(110)
    hand.cancelled(STOP)
    hand.unknown(TARGET)
    assert [type(item) for item in hand.commands] == [c.LookUpOrder]
    hand.seconds(5)
    assert [type(item) for item in hand.commands] == [c.LookUpOrder]
    hand.not_found(TARGET)
    assert hand.order(STOP).request.quantity == 1


def test_every_reason_to_close_but_liquidation_is_reached_here() -> None:
    """LIQUIDATED and ACTION are of the account; the others are each reached by a test above."""
    reached = {"TP", "SL", "TRAIL", "TIME", "KILL", "MANUAL", "NO_ENTRY"}
    assert {reason.value for reason in f.CloseReason} - reached == {"LIQUIDATED", "ACTION"}


def test_a_perpetual_is_flattened_by_the_policy_for_perpetuals() -> None:
    hand = Hand()
    hand.enter(intent())
    halt = e.Halt(hand.now_ns, "op", "enough", f.KillPolicy.CLOSE_PERPS)
    hand.step(halt)
    assert hand.bracket.exit_reason is f.CloseReason.KILL
    assert PERP.is_derivative


def shut(hand: Hand, *, is_open: bool = False) -> None:
    hand.step(f.SessionMoved(hand.now_ns, PERP.key, is_open))


def test_a_time_exit_in_a_closed_market_keeps_the_stop_and_leaves_at_the_opening() -> None:
    hand = Hand()
    hand.enter(intent(hold_s=60))
    shut(hand)
    hand.seconds(300)
    assert (hand.order(STOP).is_live, hand.order(STOP).asked, hand.bracket.protected) == (True, "", True)
    shut(hand, is_open=True)
    hand.wait(1)
    assert hand.order(STOP).asked == "cancel"
    hand.cancelled(STOP)
    hand.fill(EXIT, 1, 99)
    assert hand.closed.reason is f.CloseReason.TIME


def test_a_kill_in_a_closed_market_keeps_the_stop_and_leaves_at_the_opening() -> None:
    hand = Hand()
    hand.enter(intent())
    shut(hand)
    hand.step(e.Halt(hand.now_ns, "op", "enough", f.KillPolicy.FLATTEN_ALL))
    hand.seconds(90)
    assert (hand.order(STOP).is_live, hand.order(STOP).asked) == (True, "")
    shut(hand, is_open=True)
    hand.wait(1)
    assert hand.order(STOP).asked == "cancel"


def test_a_part_that_was_to_be_sold_in_a_closed_market_is_sold_at_the_opening_once() -> None:
    hand = Hand()
    hand.enter(intent(targets=()))
    shut(hand)
    assert reduce(hand, "0.4").approved
    hand.seconds(150)
    assert (hand.order(STOP).is_live, hand.order(STOP).asked) == (True, "")
    shut(hand, is_open=True)
    hand.wait(1)
    hand.cancelled(STOP)
    assert hand.order(EXIT).request.quantity == D("0.4")
    hand.fill(EXIT, "0.4", 100)
    hand.accept(STOP)
    assert hand.order(STOP).quantity == D("0.6")
    hand.seconds(150)
    assert hand.bracket.held == D("0.6")


def test_a_session_that_is_told_again_changes_nothing() -> None:
    hand = Hand()
    hand.enter(intent())
    assert hand.step(f.SessionMoved(hand.now_ns, PERP.key, True)).facts == []
    shut(hand)
    assert hand.step(f.SessionMoved(hand.now_ns, PERP.key, False)).facts == []


def test_a_cancel_by_hand_is_taken_also_while_all_of_it_is_leaving() -> None:
    hand = Hand()
    hand.enter(intent())
    close(hand)
    assert hand.leaving()
    word = CancelIntent("stop", "paper", "op", "a", "no more of it", hand.now_ns)
    assert judged(hand, e.IntentArrived(word, hand.now_ns)).approved


@pytest.mark.parametrize("quantity", ["0.5", "0.06"])
def test_less_than_one_unit_is_left_in_parts_and_tried_again_like_any_more(quantity: str) -> None:
    hand = Hand()
    half = D(quantity) / 2
    hand.enter(intent(quantity=quantity, targets=()))
    reduce(hand, "0.5")
    hand.cancelled(STOP)
    assert hand.order(EXIT).quantity == half
    hand.expired(EXIT)
    assert hand.order(STOP).quantity == D(quantity)
    hand.accept(STOP)
    hand.seconds(1)
    hand.cancelled(STOP)
    hand.fill(EXIT, half, 99)
    hand.accept(STOP)
    assert (hand.bracket.held, hand.order(STOP).quantity, hand.bracket.protected) == (half, half, True)
    assert [timer for timer in hand.state.timers if timer.startswith("reduce-")] == []
    close(hand)
    hand.cancelled(STOP)
    hand.fill(EXIT, half, 99)
    assert hand.closed.reason is f.CloseReason.MANUAL


def test_what_was_left_too_much_of_less_than_one_unit_is_bought_back() -> None:
    hand = Hand(checked=False)
    hand.enter(intent(quantity="0.5", targets=()))
    hand.fill(STOP, "0.8", 95)
    request = hand.order(EXIT).request
    assert (request.side, request.quantity) == (Side.BUY, D("0.3"))
    assert hand.state.trading_state is f.TradingState.HALTED
    hand.fill(EXIT, "0.3", 95)
    assert hand.closed.dust == 0


@pytest.mark.parametrize(
    ("direction", "stop", "limit"), [(Direction.LONG, 95, "99.6"), (Direction.SHORT, 105, "100.4")]
)
def test_the_price_an_exit_may_be_filled_at_is_rounded_away_so_that_it_fills(
    direction: Direction, stop: int, limit: str
) -> None:
    hand = Hand(rules=replace(PAPER_RULES, exit_collars=(D("0.0033"), D("0.01"))))
    hand.enter(intent(direction=direction, stop=stop, targets=()))
    close(hand)
    hand.cancelled(STOP)
    assert hand.order(EXIT).request.limit_price == D(limit)
    hand.expired(EXIT)
    hand.accept(STOP)
    hand.seconds(1)
    hand.cancelled(STOP)
    assert hand.order(EXIT).request.limit_price == 100 - direction.sign
    hand.expired(EXIT)
    hand.accept(STOP)
    hand.seconds(2)
    hand.cancelled(STOP)
    assert hand.order(EXIT).request.order_type is OrderType.MARKET, "after the last collar at any price"


def test_what_is_worth_less_than_one_is_left_within_its_collar_too() -> None:
    hand = Hand(rules=replace(PAPER_RULES, exit_collars=(D("0.1"),)))
    hand.propose(
        intent(instrument=BINARY, trigger="0.5", quantity=10, targets=(), protection=DefinedRisk(D(6)))
    )
    hand.accept(ENTRY)
    hand.fill(ENTRY, 10, "0.5")
    close(hand)
    assert hand.order(EXIT).request.limit_price == D("0.45")


def test_what_must_be_left_whole_is_tried_after_one_two_four_seconds_and_then_every_half_minute() -> None:
    hand = Hand()
    hand.enter(intent(targets=()))
    close(hand)
    pauses = []
    for _ in range(8):
        hand.cancelled(STOP)
        hand.expired(EXIT)
        hand.accept(STOP)
        pauses.append((hand.state.timers["exit-MANUAL:a"] - hand.now_ns) // NS_PER_SECOND)
        hand.seconds(pauses[-1])
    assert pauses == [1, 2, 4, 8, 16, 32, 32, 32]


def test_an_opening_hurries_only_what_waits_for_it() -> None:
    hand = Hand()
    for name, item in (("a", PERP), ("b", SPOT)):
        hand.propose(intent(name, instrument=item, targets=(), hold_s=3600))
        order = next(
            order for order in hand.state.orders.values() if order.request.bracket_id == name
        ).request
        hand.step(f.OrderAccepted(hand.now_ns, order.client_order_id, "V"))
        hand.step(f.OrderFilled(hand.now_ns, fill_of(order, 1, 100, name, hand.now_ns)))
        for coid in hand.state.brackets[name].stop_orders:
            hand.step(f.OrderAccepted(hand.now_ns, coid, "V"))
        hand.step(f.SessionMoved(hand.now_ns, item.key, False))
        word = CloseIntent(f"close-{name}", "paper", "op", name, "enough", hand.now_ns)
        hand.step(e.IntentArrived(word, hand.now_ns))
    before = dict(hand.state.timers)
    shut(hand, is_open=True)
    changed = {name for name, due_ns in hand.state.timers.items() if before.get(name) != due_ns}
    assert changed == {"exit-MANUAL:a"}
    assert hand.state.timers["exit-MANUAL:a"] == hand.now_ns


@pytest.mark.parametrize(("best", "moved"), [("199.9", False), ("200", True)])
def test_where_a_stop_is_replaced_a_trail_moves_it_by_a_thousandth_of_the_price_at_least(
    best: str, moved: bool
) -> None:
    hand = Hand(rules=replace(PAPER_RULES, amends_stops=False))
    hand.enter(intent(trail="0.05", targets=()))
    word = AmendIntent("up", "paper", "op", "a", D("189.8"), hand.now_ns)
    hand.step(e.IntentArrived(word, hand.now_ns))
    assert hand.bracket.stop_price == D("189.8")
    hand.step(Quote(PERP.key, hand.now_ns, D(best), D(best) + PERP.tick, D(9), D(9)))
    assert (hand.bracket.stop_price == 190) is moved
