"""Kills for drawdown: on two marks that can be believed, never on one that cannot, and as promised."""

import pytest

from neuratrade.core.model import events as e
from neuratrade.core.model import facts as f
from neuratrade.core.model.market import NS_PER_DAY, NS_PER_MINUTE
from neuratrade.core.model.orders import OrderRole
from neuratrade.hands.recorder import MemoryRecorder
from neuratrade.hands.simulated import SimulatedDesk
from tests.semantics.venues import submits
from tests.simulation.hand import Hand
from tests.simulation.world import T0, WatchedExchange, bar, desk_engine, intent, run_started, warm_up
from tests.unit.engine.test_governors import holding, mark, resume, state_of

STOP, EXIT = OrderRole.STOP, OrderRole.EXIT
RUNNING, REDUCING, HALTED = f.TradingState.RUNNING, f.TradingState.REDUCING, f.TradingState.HALTED


@pytest.mark.parametrize("name", ["session_drawdown", "drawdown_24h"])
def test_a_price_far_off_keeps_new_exposure_out_while_it_is_doubted_and_never_flattens(name: str) -> None:
    hand = holding({f"{name}_fraction": "0.05"})
    for _ in range(2):
        mark(hand, 80, after_ms=400)
    assert state_of(hand) is REDUCING
    assert hand.bracket.exit_reason is None
    assert hand.state.accounts["paper"].equity == 100_000, "it is no mark"
    mark(hand, 100)
    assert state_of(hand) is RUNNING, "it was a bad tick"
    mark(hand, 100)
    assert hand.bracket.exit_reason is None


def test_a_price_far_off_that_would_cost_little_changes_nothing() -> None:
    hand = holding({"drawdown_24h_fraction": "0.5", "session_drawdown_fraction": "0.5"})
    mark(hand, 80)
    assert state_of(hand) is RUNNING


def test_a_market_that_really_fell_is_believed_and_then_needs_two_marks_of_its_own() -> None:
    hand = holding({"drawdown_24h_fraction": "0.05"})
    for _ in range(2):
        mark(hand, 80, after_ms=600)
    assert state_of(hand) is REDUCING
    mark(hand, 80, after_ms=600)
    assert hand.bracket.exit_reason is None, "the first mark that is believed"
    mark(hand, 80)
    assert state_of(hand) is HALTED
    assert hand.bracket.exit_reason is f.CloseReason.KILL


def test_one_bar_alone_kills_nothing_and_the_next_one_confirms_it() -> None:
    engine = desk_engine()
    recorder = MemoryRecorder()
    desk = SimulatedDesk(engine, WatchedExchange(), recorder, None)
    desk.take(run_started({"drawdown_24h_fraction": "0.05"}))
    warm_up(engine)
    desk.judge(e.IntentArrived(intent(quantity=1000, stop=50, targets=()), T0))
    desk.bars([bar(0, 100, 100, 100, 100, volume=10_000)])
    desk.bars([bar(1, 100, 100, 94, 94, volume=10_000)])
    assert engine.state.trading_state is RUNNING
    desk.bars([bar(2, 94, 94, 94, 94, volume=10_000)])
    assert engine.state.trading_state is HALTED
    killed = next(fact for fact in recorder.facts if isinstance(fact, f.TradingStateMoved))
    assert killed.at_ns - T0 == 3 * NS_PER_MINUTE


def test_daily_loss_reduces_and_touches_neither_the_position_nor_the_latch() -> None:
    hand = holding({"daily_loss_fraction": "0.02"})
    mark(hand, 98)
    mark(hand, 98)
    assert (state_of(hand), hand.state.latched) == (REDUCING, False)
    assert hand.bracket.exit_reason is None
    assert hand.bracket.protected


@pytest.mark.parametrize("limits", [{"drawdown_24h_fraction": "0.05"}, {"session_drawdown_fraction": "0.05"}])
def test_to_resume_keeps_every_peak_and_day_start(limits: dict[str, str]) -> None:
    hand = holding(limits)
    mark(hand, 103)
    mark(hand, 97)
    mark(hand, 97)
    account = hand.state.accounts["paper"]
    before = (account.session_peak, account.peak, account.peak_24h, account.day_start_equity, account.losses)
    assert before[0] == 103_000
    resume(hand)
    assert state_of(hand) is RUNNING
    after = (account.session_peak, account.peak, account.peak_24h, account.day_start_equity, account.losses)
    assert after == before


def test_the_24_hour_kill_flattens_until_flat_and_stays_latched_for_days() -> None:
    hand = holding({"drawdown_24h_fraction": "0.05"})
    mark(hand, 95)
    mark(hand, 95)
    hand.cancelled(STOP)
    hand.fill(EXIT, 400, 95)
    hand.expired(EXIT)
    hand.accept(STOP)
    hand.seconds(1)
    hand.cancelled(STOP)
    (request,) = submits(hand.commands)
    assert request.quantity == 600
    hand.fill(EXIT, 600, 95)
    assert hand.closed.reason is f.CloseReason.KILL
    for _ in range(3):
        hand.now_ns += NS_PER_DAY
        mark(hand, 95, 0)
        assert (state_of(hand), hand.state.latched) == (HALTED, True)


def test_a_kill_while_the_first_kill_is_carried_out_sends_no_second_exit() -> None:
    hand: Hand = holding({"drawdown_24h_fraction": "0.05"})
    mark(hand, 95)
    mark(hand, 95)
    hand.cancelled(STOP)
    sent = [fact for fact in hand.facts if isinstance(fact, f.OrderPlanned) and fact.request.role is EXIT]
    mark(hand, 94)
    mark(hand, 94)
    again = [fact for fact in hand.facts if isinstance(fact, f.OrderPlanned) and fact.request.role is EXIT]
    assert len(sent) == len(again) == 1
