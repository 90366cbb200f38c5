"""The stop: there from the first fill, for every unit filled, and the time it is not there is counted."""

import pytest
from msgspec.structs import replace

from neuratrade.core.engine.cover import PROTECT_TIMEOUT_NS
from neuratrade.core.model import commands as c
from neuratrade.core.model import events as e
from neuratrade.core.model import facts as f
from neuratrade.core.model.intent import CloseIntent, DefinedRisk, Direction, EntryType
from neuratrade.core.model.market import NS_PER_SECOND, Quote
from neuratrade.core.model.orders import (
    Fill,
    Liquidity,
    OrderRole,
    OrderStatus,
    OrderType,
    Side,
    TimeInForce,
)
from neuratrade.core.model.venue_rules import PAPER_RULES
from tests.simulation.hand import Hand
from tests.simulation.world import BINARY, PERP, SPOT, D, fill_of, intent

ENTRY, STOP, TARGET, EXIT = OrderRole.ENTRY, OrderRole.STOP, OrderRole.TARGET, OrderRole.EXIT


@pytest.mark.parametrize(
    ("kind", "order_type", "in_force"),
    [
        (EntryType.MARKET, OrderType.MARKET, TimeInForce.IOC),
        (EntryType.LIMIT, OrderType.LIMIT, TimeInForce.GTD),
        (EntryType.STOP, OrderType.STOP, TimeInForce.GTD),
    ],
)
def test_each_kind_of_entry_is_sent_as_the_order_it_is(
    kind: EntryType, order_type: OrderType, in_force: TimeInForce
) -> None:
    hand = Hand()
    hand.propose(intent(order_type=kind, trigger="100.3"))
    (command,) = hand.commands
    assert isinstance(command, c.SubmitOrder)
    request = command.order.request
    assert (request.order_type, request.time_in_force, request.side) == (order_type, in_force, Side.BUY)
    level = {EntryType.LIMIT: request.limit_price, EntryType.STOP: request.stop_price}.get(kind)
    assert level == (None if kind is EntryType.MARKET else D("100.3"))
    assert (request.expires_ns is None) == (kind is EntryType.MARKET)


@pytest.mark.parametrize("direction", [Direction.LONG, Direction.SHORT])
def test_the_first_partial_fill_sends_a_stop_for_what_was_filled(direction: Direction) -> None:
    hand = Hand()
    stop = 95 if direction is Direction.LONG else 105
    target = 110 if direction is Direction.LONG else 90
    hand.propose(intent(direction=direction, stop=stop, targets=((target, 1),), order_type=EntryType.LIMIT))
    hand.accept(ENTRY)
    hand.fill(ENTRY, "0.3", 100)
    request = hand.order(STOP).request
    assert (request.quantity, request.stop_price) == (D("0.3"), D(stop))
    assert request.side is (Side.SELL if direction is Direction.LONG else Side.BUY)
    assert not hand.bracket.protected
    hand.accept(STOP)
    assert hand.bracket.protected


def test_each_further_fill_resizes_the_stop() -> None:
    hand = Hand()
    hand.propose(intent(order_type=EntryType.LIMIT))
    hand.accept(ENTRY)
    hand.fill(ENTRY, "0.3", 100)
    hand.accept(STOP)
    hand.fill(ENTRY, "0.2", 100)
    (command,) = hand.commands
    assert isinstance(command, c.AmendOrder)
    assert (command.quantity, command.stop_price) == (D("0.5"), D(95))
    hand.amended(STOP, "0.5", 95)
    assert hand.bracket.protected


def test_a_fill_while_an_amend_is_outstanding_amends_again_after_it() -> None:
    hand = Hand()
    hand.propose(intent(order_type=EntryType.LIMIT))
    hand.accept(ENTRY)
    hand.fill(ENTRY, "0.3", 100)
    hand.accept(STOP)
    hand.fill(ENTRY, "0.2", 100)
    hand.fill(ENTRY, "0.5", 100)
    assert hand.commands == []
    hand.amended(STOP, "0.5", 95)
    assert not hand.bracket.protected
    (command,) = hand.commands
    assert isinstance(command, c.AmendOrder)
    assert command.quantity == D(1)
    hand.amended(STOP, 1, 95)
    assert hand.bracket.protected


def test_a_fill_before_the_stop_is_accepted_waits_for_the_acceptance() -> None:
    hand = Hand()
    hand.propose(intent(order_type=EntryType.LIMIT))
    hand.accept(ENTRY)
    hand.fill(ENTRY, "0.3", 100)
    hand.fill(ENTRY, "0.7", 100)
    assert hand.commands == []
    hand.accept(STOP)
    (command,) = hand.commands
    assert isinstance(command, c.AmendOrder)
    assert command.quantity == D(1)


def test_unprotected_time_counts_from_the_fill_to_the_working_stop() -> None:
    hand = Hand()
    hand.propose(intent())
    hand.accept(ENTRY)
    hand.fill(ENTRY, 1, 100)
    hand.wait(120)
    hand.accept(STOP)
    hand.wait(60_000)
    hand.fill(STOP, 1, 95)
    assert hand.closed.unprotected_ms == 120
    assert hand.state.counts.unprotected_ms_max == 120


def test_unprotected_time_counts_the_gap_of_a_resize_and_of_an_exit() -> None:
    hand = Hand()
    hand.propose(intent(order_type=EntryType.LIMIT))
    hand.accept(ENTRY)
    hand.fill(ENTRY, "0.5", 100)
    hand.wait(10)
    hand.accept(STOP)
    hand.wait(1000)
    hand.fill(ENTRY, "0.5", 100)
    hand.wait(20)
    hand.amended(STOP, 1, 95)
    hand.wait(1000)
    hand.quote(110)
    hand.wait(30)
    hand.cancelled(STOP)
    hand.wait(40)
    hand.fill(TARGET, 1, 110)
    assert hand.closed.unprotected_ms == 10 + 20 + 30 + 40


def test_a_position_that_stays_unprotected_too_long_is_left() -> None:
    hand = Hand()
    hand.propose(intent())
    hand.accept(ENTRY)
    hand.fill(ENTRY, 1, 100)
    hand.wait(PROTECT_TIMEOUT_NS // 1_000_000 - 1)
    assert not hand.leaving()
    hand.wait(1)
    assert hand.leaving()
    lookups = [item for item in hand.commands if isinstance(item, c.LookUpOrder)]
    assert [item.client_order_id for item in lookups] == [hand.coid(STOP)]
    hand.gone(STOP)
    hand.fill(EXIT, 1, 99)
    assert hand.closed.reason is f.CloseReason.KILL
    assert hand.closed.unprotected_ms == 7000


def test_a_stop_in_time_is_no_reason_to_leave() -> None:
    hand = Hand()
    hand.propose(intent())
    hand.accept(ENTRY)
    hand.fill(ENTRY, 1, 100)
    hand.wait(4999)
    hand.accept(STOP)
    hand.wait(60_000)
    assert not hand.leaving()
    assert hand.bracket.protected


def test_a_rejected_stop_is_sent_again_under_another_id_and_three_rejects_leave() -> None:
    hand = Hand()
    hand.propose(intent())
    hand.accept(ENTRY)
    hand.fill(ENTRY, 1, 100)
    seen = set()
    for _ in range(3):
        seen.add(hand.coid(STOP))
        hand.rejected(STOP)
    assert len(seen) == 3
    assert hand.order(STOP).status is OrderStatus.REJECTED
    hand.accept(EXIT)
    hand.fill(EXIT, 1, 99)
    assert hand.closed.reason is f.CloseReason.KILL


def test_a_rejected_exit_puts_the_stop_back_and_tries_again() -> None:
    hand = Hand()
    hand.enter(intent(hold_s=60))
    hand.seconds(60)
    hand.cancelled(STOP)
    hand.rejected(EXIT)
    hand.accept(STOP)
    assert hand.bracket.protected
    hand.seconds(1)
    assert hand.leaving()
    hand.cancelled(STOP)
    hand.fill(EXIT, 1, 101)
    assert hand.closed.reason is f.CloseReason.TIME


def test_a_stop_that_vanished_is_sent_again() -> None:
    hand = Hand()
    hand.enter(intent())
    hand.cancelled(STOP)
    assert not hand.bracket.protected
    hand.accept(STOP)
    assert hand.bracket.protected


def test_what_a_stop_that_was_reached_left_unfilled_counts_as_bare() -> None:
    hand = Hand()
    hand.enter(intent())
    hand.fill(STOP, "0.6", 95)
    assert hand.commands == []
    assert not hand.bracket.protected
    hand.wait(1500)
    hand.fill(STOP, "0.4", 94)
    assert hand.closed.unprotected_ms == 1500
    assert hand.closed.reason is f.CloseReason.SL
    assert hand.closed.exit_price == D("94.6")


def test_the_trail_follows_even_when_the_stop_filled_in_part() -> None:
    hand = Hand()
    hand.enter(intent(trail="0.05", targets=()))
    hand.fill(STOP, "0.6", 95)
    hand.quote(120)
    (command,) = hand.commands
    assert isinstance(command, c.AmendOrder)
    assert (command.quantity, command.stop_price) == (D(1), D(114))
    assert command.order.request.quantity == D("0.4")


def test_a_refused_amend_replaces_the_stop_and_counts_the_gap() -> None:
    hand = Hand()
    hand.propose(intent(order_type=EntryType.LIMIT))
    hand.accept(ENTRY)
    hand.fill(ENTRY, "0.5", 100)
    hand.accept(STOP)
    hand.fill(ENTRY, "0.5", 100)
    hand.refused(STOP)
    (command,) = hand.commands
    assert isinstance(command, c.CancelOrder)
    hand.wait(70)
    hand.cancelled(STOP)
    assert hand.order(STOP).request.quantity == 1
    hand.wait(30)
    hand.accept(STOP)
    hand.fill(STOP, 1, 95)
    assert hand.closed.unprotected_ms == 100


def test_a_trail_whose_amend_is_refused_does_not_count_as_protection_while_it_is_replaced() -> None:
    hand = Hand()
    hand.enter(intent(trail="0.05", targets=()))
    hand.quote(120)
    hand.refused(STOP)
    assert hand.bracket.protected is False
    hand.cancelled(STOP)
    hand.accept(STOP)
    assert hand.order(STOP).stop_price == 114


def test_spot_protects_what_can_be_sold_and_tracks_the_dust() -> None:
    hand = Hand()
    hand.propose(intent(instrument=SPOT))
    hand.accept(ENTRY)
    hand.fill(ENTRY, 1, 100, fee="0.001", currency="ETH")
    assert hand.order(STOP).request.quantity == D("0.99")
    hand.accept(STOP)
    assert hand.bracket.protected
    hand.fill(STOP, "0.99", 95, fee="0.09405")
    account = hand.state.accounts["paper"]
    assert account.positions[SPOT.key].quantity == D("0.009")
    closed = hand.closed
    # Bought 1 for 100, lost 0.001 to the fee, sold 0.99 at 95; the dust of 0.009 is still worth what it cost.
    assert closed.pnl == D("94.05") - D("0.09405") + D("0.9") - 100
    assert closed.fees == D("0.1") + D("0.09405")


def test_defined_risk_needs_no_stop_and_leaves_at_its_target() -> None:
    hand = Hand()
    premium = DefinedRisk(D("0.5"))
    hand.propose(intent(instrument=BINARY, trigger="0.5", targets=(("0.8", 1),), protection=premium))
    hand.accept(ENTRY)
    hand.fill(ENTRY, 1, "0.5")
    assert hand.commands == []
    assert hand.bracket.protected
    hand.step(Quote(BINARY.key, hand.now_ns, D("0.8"), D("0.81"), D(100), D(100)))
    hand.fill(TARGET, 1, "0.8")
    assert hand.closed.reason is f.CloseReason.TP
    assert hand.closed.pnl == D("0.3")


def test_the_stop_that_did_its_work_cancels_what_is_left_of_the_entry() -> None:
    hand = Hand()
    hand.propose(intent(order_type=EntryType.LIMIT))
    hand.accept(ENTRY)
    hand.fill(ENTRY, "0.5", 100)
    hand.accept(STOP)
    hand.fill(STOP, "0.5", 95)
    assert [type(item) for item in hand.commands] == [c.CancelOrder]
    hand.fill(ENTRY, "0.1", 95)
    assert hand.order(STOP).request.quantity == D("0.1")
    hand.accept(STOP)
    hand.cancelled(ENTRY)
    hand.fill(STOP, "0.1", 94)
    assert hand.closed.entered == D("0.6")
    assert hand.closed.reason is f.CloseReason.SL


def test_a_stop_amended_while_its_cancel_is_under_way_does_not_count_as_protection() -> None:
    hand = Hand()
    hand.propose(intent(order_type=EntryType.LIMIT))
    hand.accept(ENTRY)
    hand.fill(ENTRY, "0.5", 100)
    hand.accept(STOP)
    hand.fill(ENTRY, "0.5", 100)
    hand.quote(110)
    assert hand.order(STOP).asked == "cancel"
    hand.amended(STOP, 1, 95)
    assert hand.order(STOP).asked == "cancel"
    assert not hand.bracket.protected


def test_a_stop_that_a_closed_market_does_not_amend_guards_on_and_is_fitted_at_the_opening() -> None:
    hand = Hand()
    hand.enter_by_halves(intent(quantity=2, order_type=EntryType.LIMIT, targets=()))
    hand.step(f.SessionMoved(hand.now_ns, PERP.key, False))
    hand.refused(STOP)
    assert (hand.order(STOP).asked, hand.order(STOP).is_live, hand.bracket.protected) == ("", True, False)
    hand.seconds(30)
    assert hand.commands == []
    hand.step(f.SessionMoved(hand.now_ns, PERP.key, True))
    (command,) = hand.commands
    assert isinstance(command, c.AmendOrder)
    assert command.quantity == 2


def test_the_time_exit_is_set_once_however_many_fills_come() -> None:
    hand = Hand()
    hand.propose(intent(order_type=EntryType.LIMIT, hold_s=600))
    hand.accept(ENTRY)
    first_ns = hand.now_ns
    for _ in range(3):
        hand.fill(ENTRY, "0.3", 100)
        hand.seconds(1)
    holds = [fact for fact in hand.facts if isinstance(fact, f.TimerSet) and fact.timer_id == "hold:a"]
    assert [fact.due_ns - first_ns for fact in holds] == [600 * NS_PER_SECOND]


def test_what_left_more_than_was_held_counts_as_bare_until_it_is_bought_back() -> None:
    hand = Hand(checked=False)
    hand.enter(intent())
    hand.fill(STOP, "1.5", 95)
    assert (hand.bracket.held, hand.bracket.protected) == (D("-0.5"), False)


def test_what_happens_to_a_position_that_stays_bare_gives_it_no_more_time() -> None:
    hand = Hand()
    hand.propose(intent(order_type=EntryType.LIMIT))
    hand.accept(ENTRY)
    hand.fill(ENTRY, "0.3", 100)
    due_ns = hand.state.timers["protect:a"]
    assert due_ns == hand.now_ns + 5 * NS_PER_SECOND
    hand.seconds(3)
    hand.fill(ENTRY, "0.3", 100)
    assert hand.state.timers["protect:a"] == due_ns


def test_a_venue_that_amends_to_other_terms_is_asked_again_five_seconds_after_the_first_time() -> None:
    hand = Hand()
    hand.enter_by_halves(intent(quantity=2, order_type=EntryType.LIMIT, targets=()))
    hand.amended(STOP, "1.5", 95)
    due_ns = hand.now_ns + 5 * NS_PER_SECOND
    assert hand.state.timers["amend:a"] == due_ns
    hand.seconds(2)
    assert hand.order(STOP).asked == "amend", "what is bare is asked for at once"
    hand.amended(STOP, "1.75", 95)
    assert hand.state.timers["amend:a"] == due_ns


def two_stops(**other: object) -> tuple[Hand, list[str]]:
    """A venue that amends nothing: each half that was entered has a working stop of its own."""
    rules = replace(PAPER_RULES, amends_stops=False, **other)
    hand = Hand(rules=rules, checked=False)
    hand.propose(intent(quantity=1, order_type=EntryType.LIMIT, targets=()))
    hand.accept(ENTRY)
    for _ in range(2):
        hand.fill(ENTRY, "0.5", 100)
        hand.accept(STOP)
    assert [hand.state.orders[coid].quantity for coid in hand.bracket.stop_orders] == [D("0.5")] * 2
    assert hand.bracket.protected
    return hand, list(hand.bracket.stop_orders)


def liquidate(hand: Hand, quantity: str) -> None:
    fill = Fill(
        "L", "", "paper", PERP.key, Side.SELL, D(quantity), D(96), D(0), "USDT", Liquidity.TAKER, hand.now_ns
    )
    hand.step(f.Liquidated(hand.now_ns, fill))


def cancelled(hand: Hand) -> list[str]:
    return [item.client_order_id for item in hand.commands if isinstance(item, c.CancelOrder)]


def test_of_two_stops_no_more_are_taken_away_than_do_not_fit() -> None:
    hand, (_, newer) = two_stops()
    liquidate(hand, "0.3")
    assert cancelled(hand) == [newer]


def test_a_stop_that_was_reached_is_taken_away_once_what_it_guarded_is_sold_elsewhere() -> None:
    hand, (older, newer) = two_stops(stop_market=False, stop_limit=True)
    hand.step(f.OrderTriggered(hand.now_ns, newer))
    hand.step(f.OrderCancelled(hand.now_ns, older, "filled whole", D("0.5")))
    assert hand.state.orders[older].missing == D("0.5")
    liquidate(hand, "0.5")
    assert cancelled(hand) == [newer]


def test_the_terms_a_venue_tells_of_a_stop_in_doubt_prove_that_it_works() -> None:
    hand = Hand()
    hand.enter(intent())
    hand.unknown(STOP)
    assert not hand.bracket.protected
    hand.amended(STOP, 1, 95)
    assert hand.order(STOP).status is OrderStatus.WORKING
    assert hand.bracket.protected


def test_a_stop_was_reached_when_it_first_filled_however_often_it_fills() -> None:
    hand = Hand()
    hand.enter(intent())
    hand.fill(STOP, "0.3", 95)
    first_ns = hand.now_ns
    hand.seconds(1)
    hand.fill(STOP, "0.3", 95)
    assert hand.order(STOP).triggered_ns == first_ns


def test_where_nothing_is_amended_a_further_stop_waits_until_the_one_before_it_works() -> None:
    hand = Hand(rules=replace(PAPER_RULES, amends_stops=False))
    hand.propose(intent(order_type=EntryType.LIMIT, targets=()))
    hand.accept(ENTRY)
    hand.fill(ENTRY, "0.5", 100)
    hand.fill(ENTRY, "0.3", 100)
    assert len(hand.bracket.stop_orders) == 1
    hand.accept(STOP)
    assert [hand.state.orders[coid].quantity for coid in hand.bracket.stop_orders] == [D("0.5"), D("0.3")]


def test_what_stays_bare_is_looked_at_every_five_seconds_and_once_it_leaves_every_minute() -> None:
    hand = Hand()
    hand.propose(intent(order_type=EntryType.LIMIT, targets=()))
    hand.accept(ENTRY)
    hand.fill(ENTRY, 1, 100)
    hand.seconds(5)
    assert hand.leaving()
    assert hand.state.timers["protect:a"] == hand.now_ns + 5 * NS_PER_SECOND
    hand.seconds(5)
    assert hand.state.timers["protect:a"] == hand.now_ns + 60 * NS_PER_SECOND


def test_a_refused_cancel_says_nothing_of_an_enlargement_that_was_never_answered() -> None:
    """The stop may be larger than its last known terms: no exit beside it until the venue stated its end."""
    hand = Hand()
    hand.propose(intent(quantity=2))
    hand.accept(ENTRY)
    hand.fill(ENTRY, 1, 100)
    hand.accept(STOP)
    hand.fill(ENTRY, 1, 100)
    stop = hand.coid(STOP)
    assert any(isinstance(item, c.AmendOrder) for item in hand.commands)
    hand.step(e.IntentArrived(CloseIntent("close", "paper", "op", "a", "enough", hand.now_ns), hand.now_ns))
    hand.step(f.RequestRejected(hand.now_ns, stop, "no such open order"))
    hand.step(f.OrderFilled(hand.now_ns, fill_of(hand.order(STOP).request, 1, 95, "t9", hand.now_ns)))
    assert not [item for item in hand.commands if isinstance(item, c.SubmitOrder)]
    hand.step(f.OrderCancelled(hand.now_ns, stop, "filled whole", D(2)))
    assert not [item for item in hand.commands if isinstance(item, c.SubmitOrder)]


@pytest.mark.parametrize(("told_s", "counted_ms"), [(0, 1000), (80, 81_000), (3600, 91_000)])
def test_a_fill_that_is_told_late_was_bare_from_the_moment_it_was_filled(
    told_s: int, counted_ms: int
) -> None:
    """And never from before it was sent: clocks of venues differ from ours."""
    hand = Hand()
    hand.propose(intent())
    hand.accept(ENTRY)
    hand.wait(90_000)
    filled_ns = hand.now_ns - told_s * NS_PER_SECOND
    hand.step(f.OrderFilled(hand.now_ns, fill_of(hand.order(ENTRY).request, 1, 100, "t", filled_ns)))
    hand.wait(1000)
    hand.accept(STOP)
    assert hand.bracket.unprotected_ns // 1_000_000 == counted_ms
