"""What a venue would refuse costs the stop for nothing: parts too small, rests too small, targets refused."""

import pytest
from msgspec.structs import replace

from neuratrade.core.model import events as e
from neuratrade.core.model import facts as f
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.intent import ReduceIntent
from neuratrade.core.model.market import Quote
from neuratrade.core.model.orders import OrderRole
from tests.simulation.hand import Hand
from tests.simulation.invariants import check_replay
from tests.simulation.world import FUTURE, SPOT, D, intent

ENTRY, STOP, TARGET, EXIT = OrderRole.ENTRY, OrderRole.STOP, OrderRole.TARGET, OrderRole.EXIT
BY_QUANTITY = replace(SPOT, min_quantity=D(1))
# A unit at 100 is worth just enough to rest at a stop that is limited a little below.
BY_WORTH = replace(SPOT, min_notional=D("90.25"))


def targets_tried(hand: Hand) -> int:
    planned = (fact.request.role for fact in hand.facts if isinstance(fact, f.OrderPlanned))
    return sum(role is TARGET for role in planned)


def refuse_at_target(hand: Hand) -> None:
    hand.quote(111)
    hand.cancelled(STOP)
    hand.rejected(TARGET)
    hand.accept(STOP)


def test_a_target_that_the_venue_refuses_is_tried_again_after_a_while_and_guarded_meanwhile() -> None:
    hand = Hand()
    hand.enter(intent())
    refuse_at_target(hand)
    for _ in range(49):
        hand.wait(100)
        hand.quote(112)
        assert hand.bracket.protected
    assert targets_tried(hand) == 1
    hand.wait(100)
    refuse_at_target(hand)
    assert targets_tried(hand) == 2
    check_replay(hand.facts, hand.state)


def test_a_target_that_was_only_missed_is_tried_at_the_next_price() -> None:
    hand = Hand()
    hand.enter(intent())
    hand.quote(110)
    hand.cancelled(STOP)
    hand.expired(TARGET)
    hand.accept(STOP)
    hand.quote(110)
    assert hand.leaving()


def reduced(item: Instrument, fraction: str, quantity: int = 4) -> Hand:
    hand = Hand()
    hand.enter(intent(instrument=item, quantity=quantity, targets=()))
    hand.step(f.InstrumentUpdated(hand.now_ns, item))
    hand.step(Quote(item.key, hand.now_ns, D(100), D(100) + item.tick, D(9), D(9)))
    word = ReduceIntent("less", "paper", "op", "a", D(fraction), "less", hand.now_ns)
    hand.step(e.IntentArrived(word, hand.now_ns))
    hand.cancelled(STOP)
    return hand


@pytest.mark.parametrize("item", [BY_QUANTITY, BY_WORTH])
@pytest.mark.parametrize(
    ("fraction", "left"),
    [("0.5", "2"), ("0.75", "3"), ("0.76", "4"), ("0.99", "4"), ("0.25", "1"), ("0.01", "1")],
)
def test_no_part_is_left_that_is_too_small_nor_a_rest_that_could_not_be_guarded(
    item: Instrument, fraction: str, left: str
) -> None:
    hand = reduced(item, fraction)
    assert hand.order(EXIT).quantity == D(left)
    hand.fill(EXIT, left, 100)
    assert (hand.state.brackets == {}) is (left == "4")


def test_what_is_too_small_in_all_is_left_whole() -> None:
    assert reduced(replace(SPOT, min_quantity=D(5)), "0.5").order(EXIT).quantity == 4


def test_of_a_derivative_what_reduces_may_be_worth_little() -> None:
    hand = reduced(replace(FUTURE, min_notional=D(1_000_000)), "0.5")
    assert hand.order(EXIT).quantity == 2


@pytest.mark.parametrize(("fraction", "left"), [("0.5", "0.06"), ("0.75", "0.12"), ("0.1", "0.06")])
def test_nor_of_what_is_less_than_one_unit_in_all(fraction: str, left: str) -> None:
    hand = Hand()
    hand.enter(intent(instrument=SPOT, quantity="0.12", targets=()))
    hand.step(Quote(SPOT.key, hand.now_ns, D(100), D(100), D(9), D(9)))
    word = ReduceIntent("less", "paper", "op", "a", D(fraction), "less", hand.now_ns)
    hand.step(e.IntentArrived(word, hand.now_ns))
    hand.cancelled(STOP)
    assert hand.order(EXIT).quantity == D(left)


def test_what_an_entry_got_too_little_of_for_any_order_is_dust_and_its_bracket_is_over() -> None:
    hand = Hand()
    hand.propose(intent(instrument=SPOT, quantity=1, targets=()))
    hand.accept(ENTRY)
    hand.fill(ENTRY, "0.04", 100)
    assert hand.bracket.protected, "more of it may come"
    hand.step(f.OrderCancelled(hand.now_ns, hand.coid(ENTRY), "IOC remainder", D("0.04")))
    assert (hand.closed.entered, hand.closed.dust) == (D("0.04"), D("0.04"))
    assert hand.state.accounts["paper"].dust[SPOT.key] == D("0.04")
    assert not [fact for fact in hand.facts if isinstance(fact, f.OrderPlanned) and fact.request.role is STOP]
    check_replay(hand.facts, hand.state)


def test_what_was_filled_whole_is_guarded_though_the_venue_now_wants_more_for_an_order() -> None:
    hand = reduced(replace(SPOT, min_notional=D(10_000)), "0.5")
    assert hand.order(EXIT).quantity == 4


def test_where_exits_and_stops_are_both_refused_they_are_tried_again_in_time_not_without_end() -> None:
    hand = Hand()
    hand.enter(intent())
    hand.step(e.Halt(hand.now_ns, "ana", "out", f.KillPolicy.FLATTEN_ALL))
    hand.cancelled(STOP)
    tries = 0
    for _ in range(60):
        live = [order for order in hand.state.orders.values() if order.is_live]
        for order in live:
            hand.step(f.OrderRejected(hand.now_ns, order.request.client_order_id, "no"))
            tries += 1
        if not live:
            hand.seconds(1)
    assert tries < 40
    assert hand.state.timers, "it is not given up"
    check_replay(hand.facts, hand.state)
