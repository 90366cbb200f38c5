"""Money that people move while nobody knows its worth is neither profit nor loss, whenever that is known."""

from neuratrade.core.model import events as e
from neuratrade.core.model import facts as f
from neuratrade.core.model.orders import OrderRole
from tests.simulation.hand import Hand
from tests.simulation.invariants import check_replay
from tests.simulation.world import D, intent

ENTRY, STOP = OrderRole.ENTRY, OrderRole.STOP
LIMITS = {"drawdown_24h_fraction": "0.05", "session_drawdown_fraction": "0.04"}


def rate(hand: Hand, worth: str = "1.1") -> None:
    hand.step(e.RateSeen("EUR", "USDT", hand.now_ns, D(worth), "a test"))


def move(hand: Hand, amount: int, kind: str, name: str) -> None:
    hand.step(f.CashMoved(hand.now_ns, "paper", "EUR", D(amount), kind, None, name))


def marks(hand: Hand) -> None:
    for _ in range(3):
        hand.seconds(2)
        hand.tick()


def with_euros() -> Hand:
    """A desk with 100 000 USDT and 10 000 EUR, which just came back and knows no rate yet."""
    hand = Hand(LIMITS)
    rate(hand)
    move(hand, 10_000, "deposit", "in")
    marks(hand)
    hand.crash_after(f.Marked)
    hand.recover()
    return hand


def test_a_withdrawal_that_is_told_before_any_rate_after_a_restart_is_no_loss_and_flattens_nothing() -> None:
    hand = with_euros()
    move(hand, -10_000, "withdrawal", "out")
    marks(hand)
    rate(hand)
    marks(hand)
    account = hand.state.accounts["paper"]
    assert hand.state.trading_state is f.TradingState.RUNNING
    assert (account.equity, account.peak_24h, account.session_peak) == (D(100_000),) * 3
    assert (account.day_start_equity, account.max_drawdown, account.unrated) == (D(100_000), D(0), {})
    check_replay(hand.facts, hand.state)


def test_a_deposit_without_a_rate_is_no_profit_once_there_is_one() -> None:
    hand = Hand(LIMITS)
    marks(hand)
    move(hand, 10_000, "deposit", "in")
    marks(hand)
    assert hand.engine.equity("paper") is None
    rate(hand)
    marks(hand)
    account = hand.state.accounts["paper"]
    assert (account.equity, account.day_start_equity, account.peak) == (D(111_000),) * 3


def test_what_is_not_rated_yet_survives_a_crash_and_is_settled_once() -> None:
    hand = with_euros()
    move(hand, -10_000, "withdrawal", "out")
    hand.crash_after(f.CashMoved)
    hand.recover()
    rate(hand)
    marks(hand)
    hand.crash_after(f.CashMoved)
    hand.recover()
    rate(hand)
    marks(hand)
    assert hand.state.accounts["paper"].peak_24h == hand.state.accounts["paper"].equity == 100_000
    check_replay(hand.facts, hand.state)


def test_nothing_new_is_opened_while_a_movement_has_no_rate() -> None:
    hand = with_euros()
    move(hand, -10_000, "withdrawal", "out")
    step = hand.step(e.IntentArrived(intent(), hand.now_ns))
    assert not next(fact for fact in step.facts if isinstance(fact, f.IntentJudged)).approved


def test_funding_without_a_rate_shifts_no_peak_when_there_is_one() -> None:
    hand = with_euros()
    move(hand, -100, "funding", "paid")
    rate(hand)
    marks(hand)
    account = hand.state.accounts["paper"]
    assert (account.equity, account.session_peak) == (D(110_890), D(111_000))
