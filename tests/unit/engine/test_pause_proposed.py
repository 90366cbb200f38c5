"""A venue that pushes back proposes a pause: a person answers, and nothing is moved anywhere by itself."""

import pytest
from msgspec.structs import replace

from neuratrade.core.model import events as e
from neuratrade.core.model import facts as f
from neuratrade.core.model.orders import OrderRole
from neuratrade.core.risk.permit import objection
from tests.simulation.hand import Hand
from tests.simulation.world import PERP, SPOT, D, intent


def propose(hand: Hand, account: str = "paper") -> list[f.Fact]:
    told = f.PauseProposed(hand.now_ns, account, "pressure", "it refuses requests", "6 within a minute")
    step = hand.step(told)
    assert step.commands == [], "a proposal sends nothing"
    return step.facts


def test_a_proposed_pause_is_on_record_once_and_changes_nothing_until_it_is_answered() -> None:
    hand = Hand()
    hand.enter(intent("mine"))
    (told,) = propose(hand)
    assert hand.state.pause_proposed == told
    assert hand.state.trading_state is f.TradingState.RUNNING
    assert propose(hand) == [], "who was asked is not asked again"


@pytest.mark.parametrize("answer", ["halt", "resume"])
def test_halt_and_resume_answer_it_and_then_it_may_be_proposed_anew(answer: str) -> None:
    hand = Hand()
    propose(hand)
    if answer == "halt":
        hand.step(e.Halt(hand.now_ns, "ana", "as proposed", f.KillPolicy.CANCEL_ENTRIES))
        assert hand.state.trading_state is f.TradingState.HALTED
        assert propose(hand) == [], "a desk that is halted needs no pause"
    else:
        hand.step(e.Resume(hand.now_ns, "ana", "it may go on"))
        assert hand.state.trading_state is f.TradingState.RUNNING
        assert hand.state.pause_proposed is None
        assert len(propose(hand)) == 1
    assert (hand.state.pause_proposed is None) == (answer == "halt")


def test_a_proposal_for_an_account_nobody_has_is_counted_and_dropped() -> None:
    hand = Hand()
    assert propose(hand, account="another") == []
    assert hand.engine.strays == 1


def test_a_venue_in_trouble_opens_nothing_anywhere_and_an_approval_holds_for_one_place_alone() -> None:
    hand = Hand()
    hand.enter(intent("mine"))
    planned = len([fact for fact in hand.facts if isinstance(fact, f.OrderPlanned)])
    propose(hand)
    for event in (
        e.VenueHealth(PERP.venue, hand.now_ns, True),
        e.ConnectionChanged("paper", hand.now_ns, False),
        e.ClockTick(hand.now_ns),
    ):
        hand.step(event)
    hand.seconds(60)
    assert len([fact for fact in hand.facts if isinstance(fact, f.OrderPlanned)]) == planned
    bracket = hand.bracket
    entry = hand.order(OrderRole.ENTRY).request
    for elsewhere in (replace(entry, instrument=SPOT.key), replace(entry, account_id="another")):
        found = objection(elsewhere, bracket.envelope, now_ns=hand.now_ns, used=D(0), held=D(0))
        assert found == "it names another account, instrument or bracket"
