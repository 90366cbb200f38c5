"""The fold knows every fact, changes nothing it does not understand, and tells where a journal lies."""

from typing import get_args

import pytest
from msgspec.structs import replace

from neuratrade.core.engine.fold import _FOLDS, apply
from neuratrade.core.engine.state import DeskState, state_bytes, state_from
from neuratrade.core.model import events as e
from neuratrade.core.model import facts as f
from neuratrade.core.model.intent import EntryType
from neuratrade.core.model.orders import OrderRole
from tests.simulation.hand import Hand
from tests.simulation.world import PERP, SPOT, T0, D, fill_of, intent, run_started


def test_every_kind_of_fact_has_a_fold_and_no_fold_is_left_over() -> None:
    assert set(get_args(f.Fact)) == set(_FOLDS)


@pytest.mark.parametrize(
    "fact",
    [
        f.OrderAccepted(T0, "nobody", "V"),
        f.OrderCancelled(T0, "nobody"),
        f.CancelPlanned(T0, "nobody", ""),
        f.AmendPlanned(T0, "nobody", D(1), D(1), ""),
        f.TrailMoved(T0, "nobody", D(1), D(1)),
        f.BracketClosed(
            T0, "nobody", f.CloseReason.SL, D(1), D(1), D(1), D(0), D(0), T0, 0, "paper", "tactical"
        ),
        f.Marked(T0, "nobody", D(1), {}),
    ],
    ids=lambda fact: type(fact).__name__,
)
def test_a_fact_about_the_unknown_is_an_error_in_a_journal(fact: f.Fact) -> None:
    state = DeskState()
    apply(state, run_started())
    with pytest.raises(KeyError):
        apply(state, fact)


def test_a_fill_of_an_unknown_order_is_an_error_in_a_journal() -> None:
    hand = Hand()
    hand.propose(intent())
    fill = fill_of(hand.order(OrderRole.ENTRY).request, 1, 100, "t", T0)
    state = DeskState()
    apply(state, run_started())
    with pytest.raises(KeyError):
        apply(state, f.OrderFilled(T0, fill))


def test_a_state_reads_back_from_its_bytes() -> None:
    hand = Hand()
    hand.enter(intent(order_type=EntryType.LIMIT, hold_s=60))
    hand.tick()
    payload = state_bytes(hand.state)
    assert state_bytes(state_from(payload)) == payload


def test_a_fresh_run_starts_over_but_keeps_the_latch_of_a_person() -> None:
    state = DeskState()
    apply(state, run_started())
    moved = f.TradingStateMoved(T0, f.TradingState.HALTED, "operator", "enough", "", "", True)
    apply(state, moved)
    apply(state, run_started())
    assert state.trading_state.value == "HALTED"
    apply(state, f.TradingStateMoved(T0, f.TradingState.HALTED, "drawdown_24h", "deep", "", "", True))
    apply(state, run_started())
    assert state.trading_state.value == "RUNNING"


def test_a_run_that_goes_on_keeps_everything() -> None:
    hand = Hand()
    hand.enter(intent())
    before = state_bytes(hand.state)
    hand.step(run_started(at_ns=hand.now_ns, fresh=False))
    assert state_bytes(hand.state) == before


def test_counters_and_outcomes_are_part_of_the_state() -> None:
    hand = Hand()
    hand.enter(intent())
    hand.fill(OrderRole.STOP, 1, 95)
    state = state_from(state_bytes(hand.state))
    assert sum(state.accounts["paper"].opened_today.values()) == 1
    assert state.accounts["paper"].losses == 1
    assert state.accounts["paper"].lanes["tactical"].session_losses == 1
    assert state.outcomes["test"].closed == 1
    assert state.counts.closed_by == {"SL": 1}
    assert state.seen == {"a"}


def test_a_fresh_run_knows_nothing_of_what_the_one_before_it_held() -> None:
    hand = Hand()
    hand.enter(intent(order_type=EntryType.LIMIT, hold_s=60))
    hand.step(f.SessionMoved(hand.now_ns, SPOT.key, False))
    kind = f.QuarantineKind.ORDER
    for state in (hand.state, hand._twin):
        state.quarantine["x"] = f.Quarantined(hand.now_ns, "paper", kind, "x", PERP.key, "")
    fresh = DeskState()
    apply(fresh, run_started(at_ns=hand.now_ns))
    apply(hand.state, run_started(at_ns=hand.now_ns))
    assert state_bytes(hand.state) == state_bytes(fresh)


def test_what_is_refused_is_counted_with_each_layer_that_refused_it() -> None:
    hand = Hand({"confidence": "1"})
    doubtful = replace(intent(), confidence=D("0.9"))
    for name in ("one", "two"):
        hand.step(e.IntentArrived(replace(doubtful, intent_id=name), hand.now_ns))
    hand.propose(intent("sure"))
    counts = hand.state.counts
    assert (counts.intents, counts.approved, counts.refused) == (3, 1, 2)
    assert counts.refused_by == {"confidence": 2}
