"""Stops on every kind of venue: which rests, how it is resized and moved, and which time counts as bare."""

import pytest

from neuratrade.core.engine.cover import PROTECT_TIMEOUT_NS
from neuratrade.core.model import commands as c
from neuratrade.core.model import facts as f
from neuratrade.core.model.intent import Direction, EntryType
from neuratrade.core.model.market import NS_PER_MS, NS_PER_SECOND
from neuratrade.core.model.orders import OrderRole, OrderStatus, OrderType
from neuratrade.core.model.venue_rules import VenueRules
from tests.semantics.venues import (
    ADDS,
    LOCKS,
    NO_STOPS,
    RESTING,
    STOP_LIMIT,
    accept,
    cancelled,
    guarded,
    kinds,
    live_exits,
    submits,
)
from tests.simulation.hand import Hand
from tests.simulation.world import PERP, SPOT, D, intent

ENTRY, STOP, EXIT = OrderRole.ENTRY, OrderRole.STOP, OrderRole.EXIT


def half_filled(rules: VenueRules) -> Hand:
    """A limit entry of 1 of which 0.5 is filled and guarded."""
    hand = Hand(rules=rules)
    hand.propose(intent(order_type=EntryType.LIMIT))
    hand.accept(ENTRY)
    hand.fill(ENTRY, "0.5", 100)
    hand.accept(STOP)
    assert guarded(hand)
    return hand


@pytest.mark.parametrize("name", RESTING)
def test_of_stop_target_ladder_and_trail_only_the_stop_rests(name: str) -> None:
    hand = Hand(rules=RESTING[name])
    hand.enter(intent(targets=((105, "0.5"), (110, "0.5")), trail="0.05"))
    (only,) = live_exits(hand)
    assert only.request.role is STOP
    assert only.quantity == 1
    hand.quote("104.9")
    assert [order.request.role for order in live_exits(hand)] == [STOP]


@pytest.mark.parametrize("direction", list(Direction))
def test_where_only_stop_limits_rest_the_stop_is_one_with_its_limit_beyond_its_trigger(
    direction: Direction,
) -> None:
    hand = Hand(rules=STOP_LIMIT)
    long = direction is Direction.LONG
    stop, target = (95, 110) if long else (105, 90)
    hand.enter(intent(direction=direction, stop=stop, targets=((target, 1),)))
    request = hand.order(STOP).request
    assert request.order_type is OrderType.STOP_LIMIT
    assert request.stop_price == stop
    assert request.limit_price == (D("94.5") if long else D("105.5")), "0.5 % further, on the tick"


def test_where_amends_are_missing_a_stop_for_the_delta_comes_before_the_old_one_is_touched() -> None:
    hand = half_filled(ADDS)
    first = hand.coid(STOP)
    hand.fill(ENTRY, "0.5", 100)
    (request,) = submits(hand.commands)
    assert kinds(hand.commands) == [c.SubmitOrder], "nothing is cancelled"
    assert (request.role, request.quantity, request.stop_price) == (STOP, D("0.5"), D(95))
    assert hand.state.orders[first].status is OrderStatus.WORKING
    assert not guarded(hand)
    hand.accept(STOP)
    assert guarded(hand)
    assert sum(order.remaining for order in live_exits(hand)) == 1


def test_where_the_balance_is_locked_a_resize_cancels_awaits_and_replaces_and_the_gap_counts() -> None:
    hand = half_filled(LOCKS)
    first = hand.coid(STOP)
    hand.fill(ENTRY, "0.5", 100)
    assert kinds(hand.commands) == [c.CancelOrder]
    assert not guarded(hand)
    hand.wait(70)
    assert submits(hand.commands) == [], "no second stop before the first one is proven gone"
    cancelled(hand, first)
    (request,) = submits(hand.commands)
    assert (request.role, request.quantity) == (STOP, D(1))
    hand.wait(30)
    hand.accept(STOP)
    assert guarded(hand)
    hand.wait(60_000)
    hand.fill(STOP, 1, 95)
    assert hand.closed.unprotected_ms == 100


@pytest.mark.parametrize("rules", [ADDS, LOCKS], ids=["adds", "locks"])
def test_where_amends_are_missing_a_trail_moves_by_cancel_and_replace_and_the_gap_counts(
    rules: VenueRules,
) -> None:
    hand = Hand(rules=rules)
    hand.enter(intent(trail="0.05", targets=()))
    hand.quote(110)
    assert kinds(hand.commands) == [c.CancelOrder]
    assert not guarded(hand)
    hand.wait(40)
    hand.cancelled(STOP)
    (request,) = submits(hand.commands)
    assert (request.quantity, request.stop_price) == (D(1), D("104.5"))
    hand.wait(20)
    hand.accept(STOP)
    assert guarded(hand)
    hand.fill(STOP, 1, "104.5")
    assert hand.closed.unprotected_ms == 60
    assert hand.closed.reason is f.CloseReason.TRAIL


def test_where_amends_are_missing_a_trail_step_not_worth_its_gap_is_not_made() -> None:
    hand = Hand(rules=ADDS)
    hand.enter(intent(trail="0.05", targets=()))
    hand.quote("100.1")
    assert hand.commands == []
    assert guarded(hand)


def test_a_trail_is_watched_here_and_each_move_is_on_record_with_the_price_seen() -> None:
    hand = Hand()
    hand.enter(intent(trail="0.05", targets=()))
    hand.quote(120)
    moved = [fact for fact in hand.facts if isinstance(fact, f.TrailMoved)]
    assert [(fact.stop_price, fact.seen) for fact in moved] == [(D(114), D(120))]
    (command,) = hand.commands
    assert isinstance(command, c.AmendOrder), "an amend of the stop, no second order"


@pytest.mark.parametrize("rules", [ADDS, STOP_LIMIT], ids=["stop", "stop_limit"])
def test_a_stop_that_was_reached_counts_as_bare_until_it_is_filled(rules: VenueRules) -> None:
    hand = Hand(rules=rules)
    hand.enter(intent())
    hand.step(f.OrderTriggered(hand.now_ns, hand.coid(STOP)))
    assert not guarded(hand)
    hand.wait(1300)
    hand.fill(STOP, 1, 95)
    assert hand.closed.unprotected_ms == 1300


def test_a_stop_limit_that_was_reached_and_stays_unfilled_is_taken_away_and_left_marketably() -> None:
    hand = Hand(rules=STOP_LIMIT)
    hand.enter(intent())
    hand.step(f.OrderTriggered(hand.now_ns, hand.coid(STOP)))
    hand.quote(94)
    hand.wait(1999)
    assert not hand.leaving()
    hand.wait(1)
    assert hand.leaving()
    assert kinds(hand.commands) == [c.CancelOrder]
    hand.cancelled(STOP)
    (request,) = submits(hand.commands)
    assert request.role is EXIT
    assert request.limit_price == D("93.5"), "marketable: half a percent under the market"
    hand.fill(EXIT, 1, 94)
    assert hand.closed.reason is f.CloseReason.SL


def test_a_stop_limit_filled_in_part_escalates_what_is_left() -> None:
    hand = Hand(rules=STOP_LIMIT)
    hand.enter(intent())
    hand.fill(STOP, "0.4", "94.6")
    hand.seconds(2)
    hand.cancelled(STOP)
    (request,) = submits(hand.commands)
    assert (request.role, request.quantity) == (EXIT, D("0.6"))


def test_a_stop_limit_that_filled_in_time_escalates_nothing() -> None:
    hand = Hand(rules=STOP_LIMIT)
    hand.enter(intent())
    hand.step(f.OrderTriggered(hand.now_ns, hand.coid(STOP)))
    hand.wait(1999)
    hand.fill(STOP, 1, "94.7")
    hand.seconds(10)
    assert hand.state.brackets == {}
    assert not any(request.role is EXIT for request in submits(hand.commands))


@pytest.mark.parametrize("direction", list(Direction))
def test_where_no_stop_rests_the_stop_is_watched_here_and_left_when_reached(direction: Direction) -> None:
    hand = Hand(rules=NO_STOPS, checked=False)
    long = direction is Direction.LONG
    stop, target = (95, 110) if long else (105, 90)
    hand.propose(intent(direction=direction, stop=stop, targets=((target, 1),)))
    hand.accept(ENTRY)
    hand.fill(ENTRY, 1, 100)
    assert live_exits(hand) == []
    assert guarded(hand)
    near, there = ("95.1", 95) if long else ("104.9", 105)
    hand.quote(near, near)
    assert not hand.leaving()
    hand.quote(there, there)
    (request,) = submits(hand.commands)
    assert (request.role, request.quantity) == (EXIT, D(1))
    assert not guarded(hand)
    hand.wait(250)
    hand.fill(EXIT, 1, there)
    assert hand.closed.reason is f.CloseReason.SL
    assert hand.closed.unprotected_ms == 250


def held_by_a_local_stop() -> Hand:
    hand = Hand(rules=NO_STOPS, checked=False)
    hand.propose(intent(targets=()))
    hand.accept(ENTRY)
    hand.fill(ENTRY, 1, 100)
    return hand


def test_while_the_process_was_down_a_local_stop_guarded_nothing_and_that_time_counts() -> None:
    hand = held_by_a_local_stop()
    hand.wait(1000)
    hand.quote(100)
    hand.tick()
    hand.crash_after(f.OrderFilled)
    down_since_ns = hand.state.now_ns
    hand.now_ns = down_since_ns + 90 * NS_PER_SECOND
    hand.recover()
    assert guarded(hand), "it is watched again"
    assert hand.bracket.unprotected_ns == 90 * NS_PER_SECOND
    hand.quote(95, 95)
    hand.fill(EXIT, 1, 95)
    assert hand.closed.unprotected_ms == 90_000
    assert hand.state.counts.unprotected_ms_max == 90_000


def test_while_the_process_was_down_a_stop_that_rests_at_the_venue_guarded_on() -> None:
    hand = Hand()
    hand.enter(intent())
    hand.now_ns += 90 * NS_PER_SECOND
    hand.recover()
    assert hand.bracket.unprotected_ns == 0
    assert guarded(hand)


def test_what_was_bare_before_the_process_went_down_counts_through_it_once() -> None:
    hand = held_by_a_local_stop()
    hand.quote(95, 95)
    hand.wait(500)
    hand.recover()
    hand.wait(500)
    hand.fill(EXIT, 1, 95)
    assert hand.closed.unprotected_ms == 1000


def test_downtime_without_anything_held_counts_nothing() -> None:
    hand = Hand(rules=NO_STOPS, checked=False)
    hand.propose(intent(order_type=EntryType.LIMIT))
    hand.accept(ENTRY)
    hand.seconds(60)
    hand.recover()
    assert hand.bracket.unprotected_ns == 0


def test_unprotected_time_runs_from_the_first_fill_not_from_the_order() -> None:
    hand = Hand()
    hand.propose(intent(order_type=EntryType.LIMIT))
    hand.accept(ENTRY)
    hand.seconds(30)
    hand.fill(ENTRY, "0.1", 100)
    hand.wait(15)
    hand.accept(STOP)
    hand.fill(STOP, "0.1", 95)
    hand.cancelled(ENTRY)
    assert hand.closed.unprotected_ms == 15


def test_a_fee_in_base_shrinks_what_is_guarded_on_a_resize_too_and_the_dust_is_kept_in_the_books() -> None:
    hand = Hand()
    hand.propose(intent(instrument=SPOT, order_type=EntryType.LIMIT))
    hand.accept(ENTRY)
    hand.fill(ENTRY, "0.5", 100, fee="0.0005", currency="ETH")
    assert hand.order(STOP).request.quantity == D("0.49"), "0.4995 floored to the lot"
    hand.accept(STOP)
    assert guarded(hand)
    hand.fill(ENTRY, "0.5", 100, fee="0.0005", currency="ETH")
    (command,) = hand.commands
    assert isinstance(command, c.AmendOrder)
    assert command.quantity == D("0.99"), "0.999 floored to the lot"
    hand.amended(STOP, "0.99", 95)
    hand.fill(STOP, "0.99", 95)
    assert hand.closed.dust == D("0.009")
    assert hand.state.accounts["paper"].dust == {SPOT.key: D("0.009")}


def test_a_fee_in_quote_leaves_all_that_was_filled_to_be_guarded() -> None:
    hand = Hand()
    hand.propose(intent(instrument=SPOT))
    hand.accept(ENTRY)
    hand.fill(ENTRY, 1, 100, fee="0.1", currency="USDT")
    assert hand.order(STOP).request.quantity == 1


def test_while_the_market_is_closed_protection_is_pending_counts_as_bare_and_comes_with_the_opening() -> None:
    hand = Hand(checked=False)
    hand.propose(intent())
    hand.accept(ENTRY)
    hand.step(f.SessionMoved(hand.now_ns, PERP.key, False))
    hand.fill(ENTRY, 1, 100)
    assert submits(hand.commands) == []
    assert not guarded(hand)
    hand.wait(PROTECT_TIMEOUT_NS // NS_PER_MS * 3)
    assert not hand.leaving(), "nothing can be left while it is closed"
    hand.step(f.SessionMoved(hand.now_ns, PERP.key, True))
    (request,) = submits(hand.commands)
    assert (request.role, request.quantity) == (STOP, D(1))
    hand.accept(STOP)
    hand.fill(STOP, 1, 95)
    assert hand.closed.unprotected_ms == 15_000


def test_a_stop_of_unknown_fate_is_looked_up_under_its_own_id_and_no_other_is_sent() -> None:
    hand = Hand()
    hand.propose(intent())
    hand.accept(ENTRY)
    hand.fill(ENTRY, 1, 100)
    coid = hand.coid(STOP)
    hand.unknown(STOP)
    hand.wait(2000)
    assert hand.coid(STOP) == coid
    planned = [fact for fact in hand.facts if isinstance(fact, f.OrderPlanned) and fact.request.role is STOP]
    assert [fact.request.attempt for fact in planned] == [0]
    accept(hand, coid)
    assert guarded(hand)


def test_what_was_meant_for_a_stop_that_is_gone_does_not_touch_the_one_in_its_place() -> None:
    hand = Hand(rules=STOP_LIMIT)
    hand.enter(intent())
    hand.step(f.OrderTriggered(hand.now_ns, hand.coid(STOP)))
    hand.wait(500)
    hand.cancelled(STOP)
    hand.accept(STOP)
    assert guarded(hand)
    hand.seconds(10)
    assert not hand.leaving(), "the new stop was not reached"
    assert guarded(hand)
