"""A stop with a limit that was reached is left alone: it fills soon, or all is left at market in time."""

import pytest
from msgspec.structs import replace

from neuratrade.core.model import commands as c
from neuratrade.core.model import events as e
from neuratrade.core.model import facts as f
from neuratrade.core.model.intent import AmendIntent, EntryType
from neuratrade.core.model.orders import OrderRole
from neuratrade.core.model.venue_rules import VenueRules
from tests.semantics.venues import STOP_LIMIT
from tests.simulation.hand import Hand
from tests.simulation.invariants import check_replay
from tests.simulation.world import D, intent

ENTRY, STOP, EXIT = OrderRole.ENTRY, OrderRole.STOP, OrderRole.EXIT
RULES = [replace(STOP_LIMIT, amends_stops=True), replace(STOP_LIMIT, amends_stops=False)]


def amend(hand: Hand, stop: str) -> None:
    hand.step(e.IntentArrived(AmendIntent(stop, "paper", "op", "a", D(stop), hand.now_ns), hand.now_ns))


def reach(hand: Hand) -> None:
    hand.step(f.OrderTriggered(hand.now_ns, hand.coid(STOP)))


def leaves_in_time(hand: Hand) -> None:
    hand.wait(1900)
    assert not hand.leaving()
    hand.wait(100)
    assert hand.leaving()
    hand.cancelled(STOP)
    assert hand.order(EXIT).quantity == hand.bracket.held
    check_replay(hand.facts, hand.state)


@pytest.mark.parametrize("rules", RULES, ids=["amending venue", "replacing venue"])
def test_no_amend_by_hand_puts_off_the_time_at_which_a_stop_that_was_reached_is_left_at_market(
    rules: VenueRules,
) -> None:
    hand = Hand(rules=rules)
    hand.enter(intent(targets=()))
    reach(hand)
    for stop in ("96", "97", "98"):
        amend(hand, stop)
        assert hand.commands == []
    leaves_in_time(hand)


@pytest.mark.parametrize("rules", RULES, ids=["amending venue", "replacing venue"])
def test_what_enters_after_the_stop_was_reached_is_left_with_the_rest(rules: VenueRules) -> None:
    hand = Hand(rules=rules)
    hand.propose(intent(quantity=2, order_type=EntryType.LIMIT, targets=()))
    hand.accept(ENTRY)
    hand.fill(ENTRY, 1, 100)
    hand.accept(STOP)
    reach(hand)
    hand.fill(ENTRY, 1, 94)
    assert not hand.bracket.protected
    leaves_in_time(hand)


def test_a_stop_reached_while_it_is_amended_is_not_taken_away_when_the_amend_is_refused() -> None:
    hand = Hand(rules=RULES[0])
    hand.enter(intent(targets=()))
    amend(hand, "96")
    reach(hand)
    hand.refused(STOP)
    assert not any(isinstance(item, c.CancelOrder) for item in hand.commands)
    leaves_in_time(hand)


def test_a_stop_that_was_reached_is_left_in_time_after_a_crash() -> None:
    hand = Hand(rules=RULES[0])
    hand.enter(intent(targets=()))
    reach(hand)
    amend(hand, "96")
    hand.crash_after(f.StopMoved)
    hand.recover()
    assert not any(isinstance(item, c.AmendOrder) for item in hand.commands)
    leaves_in_time(hand)
