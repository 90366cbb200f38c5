"""A halt whose reason is on record holds after a restart, wherever the journal ended."""

import pytest

from neuratrade.core.model import events as e
from neuratrade.core.model import facts as f
from neuratrade.core.model.orders import Fill, Liquidity, OrderRole, Side
from tests.simulation.hand import Hand
from tests.simulation.invariants import check_replay
from tests.simulation.world import PERP, D, fill_of, intent

ENTRY, STOP, EXIT = OrderRole.ENTRY, OrderRole.STOP, OrderRole.EXIT
HALTED, RUNNING = f.TradingState.HALTED, f.TradingState.RUNNING


def state_of(hand: Hand) -> f.TradingState:
    return hand.state.trading_state


def lost_twice(quantity: str = "1") -> Hand:
    hand = Hand({"kill_losses": "2"})
    for name in ("a", "b"):
        hand.propose(intent(name, quantity=quantity, targets=()))
        hand.accept(ENTRY)
        hand.fill(ENTRY, quantity, 100)
        hand.accept(STOP)
        hand.fill(STOP, quantity, 95)
        hand.seconds(1)
    assert state_of(hand) is HALTED
    return hand


@pytest.mark.parametrize("quantity", ["1", "0.1"])
def test_the_loss_that_completes_a_streak_halts_also_when_the_desk_went_down_with_it(quantity: str) -> None:
    hand = lost_twice(quantity)
    hand.crash_after(f.BracketClosed)
    hand.recover()
    assert (state_of(hand), hand.state.latched) == (HALTED, True)
    check_replay(hand.facts, hand.state)


def test_a_streak_that_a_person_resumed_from_halts_no_second_time_at_a_restart() -> None:
    hand = lost_twice()
    hand.step(e.Resume(hand.now_ns, "op", "seen"))
    hand.crash_after(f.TradingStateMoved)
    hand.recover()
    assert state_of(hand) is RUNNING


@pytest.mark.parametrize("policy", list(f.KillPolicy))
def test_a_halt_by_a_person_holds_after_a_crash_that_cut_it_short(policy: f.KillPolicy) -> None:
    hand = Hand()
    hand.enter(intent())
    hand.step(e.Halt(hand.now_ns, "op", "enough", policy))
    hand.crash_after(f.OperatorActed)
    hand.recover()
    assert (state_of(hand), hand.state.governor, hand.state.latched) == (HALTED, "operator", True)
    check_replay(hand.facts, hand.state)


def test_what_was_left_too_much_halts_and_is_bought_back_after_a_crash() -> None:
    hand = Hand(checked=False)
    hand.enter(intent(targets=()))
    request = hand.order(STOP).request
    hand.fill(STOP, 1, 95)
    hand.step(f.OrderFilled(hand.now_ns, fill_of(request, 1, 95, "twice", hand.now_ns)))
    hand.crash_after(f.OrderFilled)
    hand.recover()
    assert (state_of(hand), hand.leaving()) == (HALTED, True)
    hand.fill(EXIT, 1, 96)
    assert hand.state.brackets == {}
    check_replay(hand.facts, hand.state)


@pytest.mark.parametrize("kind", [f.TradingStateMoved, f.Liquidated])
def test_a_liquidation_halts_wherever_the_desk_went_down_with_it(kind: type[f.Fact]) -> None:
    hand = Hand(checked=False)
    hand.enter(intent(quantity=2, targets=()))
    told = Fill(
        "L", "", "paper", PERP.key, Side.SELL, D(1), D(90), D(0), "USDT", Liquidity.TAKER, hand.now_ns
    )
    hand.step(f.Liquidated(hand.now_ns, told))
    hand.crash_after(kind)
    hand.recover()
    hand.step(f.Liquidated(hand.now_ns, told))
    assert (state_of(hand), hand.bracket.held) == (HALTED, D(1))
    check_replay(hand.facts, hand.state)


def test_a_day_that_begins_lets_the_desk_trade_wherever_it_went_down() -> None:
    for kind in (f.TradingStateMoved, f.DayRolled):
        hand = Hand({"daily_loss_fraction": "0.01"})
        hand.tick()
        hand.enter(intent(quantity=100, stop=80, targets=()))
        for _ in range(2):
            hand.quote(89)
            hand.tick()
            hand.seconds(2)
        assert state_of(hand) is f.TradingState.REDUCING
        hand.seconds(24 * 3600)
        hand.quote(89)
        hand.tick()
        hand.crash_after(kind)
        hand.recover()
        hand.quote(89)
        hand.tick()
        assert state_of(hand) is RUNNING


def test_a_flatten_that_was_cut_short_waits_for_the_exit_under_way_and_leaves_what_that_leaves() -> None:
    hand = Hand()
    hand.enter(intent(targets=((110, "0.5"),)))
    hand.quote(110)
    hand.cancelled(STOP)
    hand.step(e.Halt(hand.now_ns, "ana", "enough", f.KillPolicy.FLATTEN_ALL))
    hand.crash_after(f.OperatorActed)
    hand.recover()
    assert hand.leaving()
    assert not [fact for fact in hand.tick().facts if isinstance(fact, f.TimerSet)]
    hand.fill(OrderRole.TARGET, "0.5", 110)
    hand.tick()
    assert hand.bracket.exit_reason is f.CloseReason.KILL
