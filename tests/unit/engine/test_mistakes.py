"""What must never happen, told as it would happen: each of these is the mistake of some real desk."""

import pytest

from neuratrade.core.engine.state import snapshot_of, state_of_snapshot
from neuratrade.core.model import commands as c
from neuratrade.core.model import events as e
from neuratrade.core.model import facts as f
from neuratrade.core.model.market import NS_PER_SECOND
from neuratrade.core.model.orders import OrderRole
from tests.simulation.hand import Hand
from tests.simulation.world import PERP, D, desk_engine, intent, run_started, warm_up

ENTRY, STOP = OrderRole.ENTRY, OrderRole.STOP
FRESH = {"price_age_ns": str(90 * NS_PER_SECOND)}


def opened_again(hand: Hand) -> None:
    """The desk is closed, its state comes back from a snapshot, and its run goes on."""
    state = state_of_snapshot(snapshot_of(hand.state))
    assert state is not None
    hand.engine = desk_engine(state)
    warm_up(hand.engine)
    hand.step(run_started(at_ns=hand.now_ns, fresh=False))


def mark(hand: Hand, price: int | str) -> None:
    hand.wait(1000)
    hand.quote(price, price)
    hand.tick()


def state_of(hand: Hand) -> f.TradingState:
    return hand.state.trading_state


@pytest.mark.parametrize(
    ("limit", "governor"),
    [("session_drawdown_fraction", "session_drawdown"), ("drawdown_24h_fraction", "drawdown_24h")],
)
def test_a_fall_is_counted_from_the_peak_before_the_restart(limit: str, governor: str) -> None:
    """100,000 become 110,000, then 106,000; after the restart 104,000: six thousand under the peak."""
    hand = Hand(FRESH | {limit: "0.05"})
    hand.enter(intent(quantity=1000, stop=50, targets=()))
    for price in (100, 110, 106):
        mark(hand, price)
    opened_again(hand)
    assert state_of(hand) is f.TradingState.RUNNING
    for _ in range(2):
        mark(hand, 104)
    assert state_of(hand) is f.TradingState.HALTED
    assert hand.state.governor == governor


def test_the_trades_of_a_day_are_still_spent_after_a_restart() -> None:
    hand = Hand({"trades_per_day": "1"})
    hand.enter(intent())
    opened_again(hand)
    step = hand.step(e.IntentArrived(intent("b", at_ns=hand.now_ns), hand.now_ns))
    (judged,) = [fact for fact in step.facts if isinstance(fact, f.IntentJudged)]
    assert "trades_per_day" in [layer.name for layer in judged.layers if layer.verdict.blocks]
    assert step.commands == []


def test_a_stop_of_unknown_fate_is_looked_up_and_no_second_one_is_sent() -> None:
    hand = Hand()
    hand.propose(intent())
    hand.accept(ENTRY)
    hand.fill(ENTRY, 1, 100)
    stop = hand.coid(STOP)
    step = hand.unknown(STOP)
    assert [command for command in step.commands if isinstance(command, c.SubmitOrder)] == []
    (command,) = step.commands
    assert isinstance(command, c.LookUpOrder)
    assert command.client_order_id == stop
    hand.accept(STOP)
    assert hand.bracket.protected


def test_what_the_gate_leaves_of_a_size_is_never_rounded_up_to_the_next_lot() -> None:
    hand = Hand()
    asked = PERP.lot * D("1000.9")
    hand.propose(intent(quantity=asked))
    assert hand.bracket.quantity == PERP.lot * 1000
    assert hand.order(ENTRY).quantity <= asked
