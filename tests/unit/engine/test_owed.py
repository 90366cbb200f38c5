"""Fills a venue states and does not tell of: what is sure to be there is guarded, and left, meanwhile."""

import pytest

from neuratrade.core.model import commands as c
from neuratrade.core.model import events as e
from neuratrade.core.model import facts as f
from neuratrade.core.model.intent import CloseIntent
from neuratrade.core.model.orders import OrderRole
from neuratrade.core.model.venue_rules import VenueRules
from tests.semantics.venues import RESTING, guarded, submits
from tests.simulation.hand import Hand
from tests.simulation.world import PERP, D, fill_of, intent

STOP, EXIT = OrderRole.STOP, OrderRole.EXIT


def stated(hand: Hand) -> list[tuple[OrderRole, D]]:
    """The stop is over and 0.4 of it is said to have filled; what is sent then."""
    step = hand.step(f.OrderCancelled(hand.now_ns, hand.coid(STOP), "venue", D("0.4")))
    return [(item.role, item.quantity) for item in submits(step.commands)]


def tell(hand: Hand, coid: str) -> None:
    (order,) = (item.request for item in hand.state.orders.values() if item.request.client_order_id == coid)
    hand.step(f.OrderFilled(hand.now_ns, fill_of(order, D("0.4"), 95, "late", hand.now_ns)))


@pytest.mark.parametrize("rules", RESTING.values(), ids=RESTING)
def test_the_rest_is_guarded_at_once(rules: VenueRules) -> None:
    hand = Hand(rules=rules)
    hand.enter(intent(targets=()))
    first = hand.coid(STOP)
    assert stated(hand) == [(STOP, D("0.6"))]
    hand.accept(STOP)
    assert not guarded(hand), "what was not told of counts as bare"
    tell(hand, first)
    assert guarded(hand)
    assert hand.order(STOP).quantity == D("0.6")


def test_the_rest_is_left_at_once_and_no_more_than_that() -> None:
    hand = Hand()
    hand.enter(intent(targets=()))
    first = hand.coid(STOP)
    hand.step(e.IntentArrived(CloseIntent("c", "paper", "op", "a", "", hand.now_ns), hand.now_ns))
    assert stated(hand) == [(EXIT, D("0.6"))]
    hand.fill(EXIT, "0.6", 99)
    tell(hand, first)
    assert hand.state.brackets == {}
    assert hand.state.accounts["paper"].positions[PERP.key].quantity == 0


def test_a_fill_that_is_never_told_is_asked_for_and_nothing_else_is_sent_for_it() -> None:
    hand = Hand()
    hand.enter(intent(targets=()))
    hand.step(e.IntentArrived(CloseIntent("c", "paper", "op", "a", "", hand.now_ns), hand.now_ns))
    stated(hand)
    hand.fill(EXIT, "0.6", 99)
    sent, asked = len([fact for fact in hand.facts if isinstance(fact, f.OrderPlanned)]), 0
    for _ in range(300):
        hand.seconds(1)
        asked += any(isinstance(item, c.LookUpOrder) for item in hand.commands)
        hand.tick()
        asked += any(isinstance(item, c.LookUpOrder) for item in hand.commands)
    assert asked > 10
    assert len([fact for fact in hand.facts if isinstance(fact, f.OrderPlanned)]) == sent
    assert hand.bracket.held == D("0.4")
