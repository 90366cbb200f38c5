"""Two amends of one stop, and one of them refused: which of the two is not said, so the venue is asked."""

from neuratrade.core.model import commands as c
from neuratrade.core.model import events as e
from neuratrade.core.model import facts as f
from neuratrade.core.model.intent import CloseIntent, EntryType
from neuratrade.core.model.orders import OrderRole, OrderStatus
from tests.simulation.hand import Hand
from tests.simulation.invariants import check_replay
from tests.simulation.world import D, intent

ENTRY, STOP = OrderRole.ENTRY, OrderRole.STOP


def growing(*, twice: bool, refused: bool = True) -> Hand:
    """A stop of one, filled whole, that is asked to be two, once or twice; one amend may be refused."""
    hand = Hand()
    hand.enter_by_halves(intent(quantity=2, order_type=EntryType.LIMIT, targets=()))
    if twice:
        hand.recover()
        assert sum(isinstance(fact, f.AmendPlanned) for fact in hand.facts) == 2
    hand.fill(STOP, 1, 95)
    if refused:
        hand.refused(STOP)
    return hand


def stops_sent(hand: Hand) -> int:
    planned = (fact.request.role for fact in hand.facts if isinstance(fact, f.OrderPlanned))
    return sum(role is STOP for role in planned)


def test_a_stop_filled_to_its_old_size_is_not_over_while_the_other_amend_may_have_enlarged_it() -> None:
    hand = growing(twice=True)
    assert stops_sent(hand) == 1
    assert [type(item) for item in hand.commands][-1:] == [c.LookUpOrder]
    hand.accept(STOP)
    hand.amended(STOP, 2, 95)
    assert (hand.order(STOP).remaining, stops_sent(hand)) == (D(1), 1)
    assert hand.order(STOP).status is not OrderStatus.FILLED
    hand.fill(STOP, 1, 95)
    assert hand.closed.reason is f.CloseReason.SL
    check_replay(hand.facts, hand.state)


def test_once_the_venue_says_it_is_filled_whole_the_rest_gets_a_stop_of_its_own() -> None:
    hand = growing(twice=True)
    hand.step(f.OrderCancelled(hand.now_ns, hand.coid(STOP), "filled whole", D(1)))
    assert (stops_sent(hand), hand.order(STOP).quantity) == (2, D(1))


def test_after_one_amend_a_refusal_says_all_there_is_to_know() -> None:
    hand = growing(twice=False)
    assert (stops_sent(hand), hand.order(STOP).quantity) == (2, D(1))


def test_nor_is_it_over_while_it_is_taken_away_and_the_amend_may_have_enlarged_it() -> None:
    hand = Hand()
    hand.enter_by_halves(intent(quantity=2, order_type=EntryType.LIMIT, targets=()))
    hand.step(e.IntentArrived(CloseIntent("x", "paper", "op", "a", "enough", hand.now_ns), hand.now_ns))
    stop = hand.order(STOP)
    assert (stop.asked, stop.quantity) == ("cancel", D(1))
    hand.fill(STOP, 1, 95)
    assert not exits_sent(hand), "the other one may be sold by the stop too"
    hand.refused(STOP)
    assert [type(item) for item in hand.commands] == [c.LookUpOrder]
    hand.fill(STOP, 1, 95)
    assert (hand.closed.reason, exits_sent(hand)) == (f.CloseReason.SL, 0)
    check_replay(hand.facts, hand.state)


def test_the_end_of_a_stop_is_believed_also_when_it_filled_more_than_it_was_known_to_be() -> None:
    hand = growing(twice=False, refused=False)
    hand.step(f.OrderCancelled(hand.now_ns, hand.coid(STOP), "filled whole", D(2)))
    assert (hand.order(STOP).missing, stops_sent(hand)) == (D(1), 1)
    hand.fill(STOP, 1, 95)
    assert hand.closed.reason is f.CloseReason.SL


def test_but_not_that_it_filled_more_than_was_ever_asked_for() -> None:
    hand = growing(twice=False, refused=False)
    hand.step(f.OrderCancelled(hand.now_ns, hand.coid(STOP), "filled whole", D(3)))
    assert hand.order(STOP).status is OrderStatus.UNKNOWN


def exits_sent(hand: Hand) -> int:
    planned = (fact.request.role for fact in hand.facts if isinstance(fact, f.OrderPlanned))
    return sum(role is OrderRole.EXIT for role in planned)
