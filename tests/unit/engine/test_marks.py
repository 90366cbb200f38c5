"""What is marked, when, and at which side of the book; what old prices may and may not do meanwhile."""

from collections.abc import Callable

import pytest

from neuratrade.core.model import events as e
from neuratrade.core.model import facts as f
from neuratrade.core.model.intent import Direction
from neuratrade.core.model.market import NS_PER_DAY, NS_PER_HOUR, NS_PER_MINUTE, NS_PER_SECOND, Quote, Trade
from neuratrade.core.model.orders import OrderRole
from tests.simulation.hand import Hand
from tests.simulation.world import CASH, PERP, T0, D, intent
from tests.unit.engine.test_governors import holding, mark, state_of

STOP = OrderRole.STOP
RUNNING, REDUCING, HALTED = f.TradingState.RUNNING, f.TradingState.REDUCING, f.TradingState.HALTED


def marks_of(hand: Hand) -> list[f.Marked]:
    return [fact for fact in hand.facts if isinstance(fact, f.Marked)]


def moves_of(hand: Hand) -> list[f.TradingState]:
    return [fact.state for fact in hand.facts if isinstance(fact, f.TradingStateMoved)]


@pytest.mark.parametrize("quantity", ["0.001", "1", "2"])
@pytest.mark.parametrize(("direction", "price"), [(Direction.LONG, 101), (Direction.SHORT, 102)])
def test_however_small_a_long_is_marked_at_the_bid_and_a_short_at_the_ask(
    quantity: str, direction: Direction, price: int
) -> None:
    hand = Hand({"fat_finger_fraction": "1"})
    sign = direction.sign
    hand.enter(
        intent(direction=direction, stop=100 - 50 * sign, targets=(), quantity=max(D(quantity), D("0.05")))
    )
    if D(quantity) < D("0.05"):
        hand.fill(STOP, D("0.05") - D(quantity), 100)
    hand.quote(101, 102)
    assert hand.engine.marks() == {PERP.key: D(price)}


def test_a_change_of_exactly_one_basis_point_is_written_down_at_once_and_less_is_not() -> None:
    hand = holding({})
    assert hand.state.accounts["paper"].equity == 100_000
    before = len(marks_of(hand))
    hand.wait(1000)
    hand.engine.markets.see_rate(e.RateSeen("SOL", "USDT", hand.now_ns, D(1), "a test"))
    hand.step(f.CashMoved(hand.now_ns, "paper", "USDT", D("-9.999"), "funding"))
    hand.tick()
    assert len(marks_of(hand)) == before, "less than a basis point, a second after the last mark"
    hand.step(f.CashMoved(hand.now_ns, "paper", "USDT", D("-0.001"), "funding"))
    hand.tick()
    assert marks_of(hand)[before:] == [f.Marked(hand.now_ns, "paper", D(99_990), {PERP.key: D(100)})]


@pytest.mark.parametrize(("after_ms", "written"), [(59_999, False), (60_000, True)])
def test_a_small_change_is_written_down_once_a_minute_has_passed(after_ms: int, written: bool) -> None:
    hand = holding({})
    hand.step(f.CashMoved(hand.now_ns, "paper", "USDT", D(-1), "funding"))
    before = len(marks_of(hand))
    hand.wait(after_ms)
    hand.tick()
    assert (len(marks_of(hand)) > before) is written


def test_what_did_not_move_is_not_written_down_within_its_hour() -> None:
    hand = holding({})
    before = len(marks_of(hand))
    hand.now_ns = T0 + NS_PER_HOUR - 1
    hand.tick()
    assert len(marks_of(hand)) == before
    hand.now_ns = T0 + NS_PER_HOUR
    hand.tick()
    assert len(marks_of(hand)) == before + 1


def test_old_prices_hold_the_desk_back_once_and_do_not_let_go_while_they_are_old() -> None:
    hand = holding({"drawdown_24h_fraction": "0.05"})
    mark(hand, 95)
    hand.wait(91_000)
    for _ in range(4):
        hand.tick()
        hand.wait(1000)
    assert moves_of(hand) == [REDUCING], "not lifted for a moment"
    assert hand.state.governor == "stale_marks"


def test_fresh_prices_lift_only_what_old_ones_moved() -> None:
    hand = holding({"session_drawdown_fraction": "0.05"})
    hand.step(e.Halt(hand.now_ns, "op", "enough"))
    mark(hand, 100)
    mark(hand, 100)
    assert (state_of(hand), hand.state.governor) == (HALTED, "operator")


def test_a_fall_seen_once_before_prices_grew_old_is_not_half_a_proof_afterwards() -> None:
    hand = holding({"drawdown_24h_fraction": "0.05"})
    mark(hand, 95)
    hand.wait(91_000)
    hand.tick()
    mark(hand, 95)
    assert state_of(hand) is not HALTED, "the first mark of two begins anew"
    mark(hand, 95)
    assert state_of(hand) is HALTED


def halted_by_a_rule(hand: Hand) -> None:
    mark(hand, 95)
    mark(hand, 95)


def halted_by_a_person(hand: Hand) -> None:
    hand.step(e.Halt(hand.now_ns, "op", "enough"))
    mark(hand, 95, 400)


@pytest.mark.parametrize("halt", [halted_by_a_rule, halted_by_a_person])
@pytest.mark.parametrize("later_ns", [91 * NS_PER_SECOND, NS_PER_DAY])
def test_a_fall_on_old_prices_lifts_no_halt_and_fresh_prices_do_not_either(
    halt: Callable[[Hand], None], later_ns: int
) -> None:
    hand = holding({"drawdown_24h_fraction": "0.05"})
    halt(hand)
    hand.now_ns += later_ns
    hand.tick()
    for _ in range(3):
        mark(hand, 100)
    assert (state_of(hand), hand.state.latched) == (HALTED, True)
    assert moves_of(hand) == [HALTED], "not for a moment"


def test_a_fall_on_old_prices_does_not_make_a_halt_of_the_session_lighter() -> None:
    hand = holding({"session_drawdown_fraction": "0.05"})
    halted_by_a_rule(hand)
    hand.wait(91_000)
    hand.tick()
    assert (state_of(hand), hand.state.governor) == (HALTED, "session_drawdown")


def test_a_day_is_rolled_once() -> None:
    hand = holding({})
    for _ in range(3):
        hand.now_ns += NS_PER_MINUTE
        hand.tick()
    days = [fact.day for fact in hand.facts if isinstance(fact, f.DayRolled)]
    assert days == [T0 // NS_PER_DAY]


@pytest.mark.parametrize(("hours", "peak"), [(23, 109_000), (24, 109_000), (25, 100_000)])
def test_a_peak_counts_for_the_24_hours_after_its_own(hours: int, peak: int) -> None:
    hand = holding({})
    mark(hand, 109)
    mark(hand, 100)
    hand.now_ns = T0 + hours * NS_PER_HOUR
    mark(hand, 100, 0)
    assert hand.state.accounts["paper"].peak_24h == peak
    assert hand.state.accounts["paper"].peak == 109_000


def test_an_hour_keeps_one_peak_however_often_it_is_marked() -> None:
    hand = holding({})
    for price in (101, 104, 102):
        mark(hand, price)
    assert hand.state.accounts["paper"].hour_peaks == [(T0 // NS_PER_HOUR, D(104_000))]


def test_a_posture_that_a_fall_drew_back_comes_forward_a_step_with_the_new_day_and_not_before() -> None:
    hand = holding({"session_drawdown_fraction": "0.04"})
    mark(hand, "96.5")
    mark(hand, "98.5")
    account = hand.state.accounts["paper"]
    assert account.posture == "DEFENSIVE", "not far enough from what drew it back"
    hand.now_ns = T0 + NS_PER_DAY
    mark(hand, "98.5", 0)
    assert account.posture == "BALANCED"
    moved = [fact for fact in hand.facts if isinstance(fact, f.PostureMoved)]
    assert [fact.posture for fact in moved] == ["DEFENSIVE", "BALANCED"]


def test_a_new_day_brings_a_posture_forward_also_while_the_price_is_doubted() -> None:
    hand = holding({"session_drawdown_fraction": "0.04"})
    mark(hand, "96.5")
    hand.now_ns = T0 + NS_PER_DAY - NS_PER_SECOND
    mark(hand, "98.5", 0)
    account = hand.state.accounts["paper"]
    assert account.posture == "DEFENSIVE"
    mark(hand, 80)
    assert account.equity == 98_500, "no mark"
    assert account.posture == "BALANCED"


def test_what_lifts_by_itself_leaves_no_latch_behind() -> None:
    hand = holding({"daily_loss_fraction": "0.02"})
    mark(hand, 98)
    mark(hand, 98)
    hand.now_ns = T0 + NS_PER_DAY
    mark(hand, 98, 0)
    assert (state_of(hand), hand.state.latched, hand.state.governor) == (RUNNING, False, "day_roll")
    mark(hand, 96)
    mark(hand, 96)
    assert state_of(hand) is REDUCING
    hand.now_ns += NS_PER_DAY
    mark(hand, 96, 0)
    assert state_of(hand) is RUNNING, "and so again the next day"


def test_fresh_prices_leave_no_latch_behind() -> None:
    hand = holding({"drawdown_24h_fraction": "0.05"})
    mark(hand, 95)
    hand.wait(91_000)
    hand.tick()
    assert state_of(hand) is REDUCING
    mark(hand, 100)
    assert (state_of(hand), hand.state.latched) == (RUNNING, False)


def test_before_the_first_mark_every_peak_is_the_cash_the_account_began_with() -> None:
    account = Hand().state.accounts["paper"]
    assert (account.session_peak, account.day_start_equity, account.peak) == (CASH, CASH, CASH)
    assert account.peak_24h == CASH


def test_a_traded_price_is_the_newest_price_unless_it_is_an_outlier() -> None:
    hand = holding({})
    hand.step(Trade(PERP.key, hand.now_ns, D(101), D(1)))
    assert hand.engine.markets.price_of(PERP.key) == 101
    hand.step(Trade(PERP.key, hand.now_ns, D(150), D(1)))
    assert hand.engine.markets.price_of(PERP.key) == 101


def test_a_person_latches_a_halt_that_would_have_ended_with_the_day() -> None:
    hand = holding({"session_drawdown_fraction": "0.05"})
    halted_by_a_rule(hand)
    assert not hand.state.latched
    hand.step(e.Halt(hand.now_ns, "op", "enough"))
    assert (hand.state.latched, hand.state.governor) == (True, "operator")
    hand.now_ns = T0 + NS_PER_DAY
    mark(hand, 95, 0)
    assert state_of(hand) is HALTED


def test_the_spread_of_a_book_is_a_share_of_its_middle() -> None:
    hand = Hand()
    hand.quote(99, 101)
    assert hand.engine.views[PERP.key].spread_fraction == D("0.02")


def test_word_of_a_connection_nobody_has_is_counted_and_changes_nothing() -> None:
    hand = Hand()
    strays = hand.engine.strays
    step = hand.step(e.ConnectionChanged("somebody", hand.now_ns, connected=True))
    assert (step.facts, step.commands, hand.engine.strays) == ([], [], strays + 1)


def test_of_two_hours_with_one_peak_the_later_one_is_kept() -> None:
    hand = holding({})
    hand.now_ns = T0 + NS_PER_HOUR
    mark(hand, 100, 0)
    assert hand.state.accounts["paper"].hour_peaks == [(T0 // NS_PER_HOUR + 1, D(100_000))]


@pytest.mark.parametrize(("equity", "state"), [("-0.5", REDUCING), ("0.05", RUNNING)])
def test_below_zero_each_peak_is_looked_at_since_the_lowest_shows_the_deepest_fall(
    equity: str, state: f.TradingState
) -> None:
    hand = Hand(
        {"daily_loss_fraction": "5", "session_drawdown_fraction": "50", "drawdown_24h_fraction": "50"}
    )
    hand.tick()
    account = hand.state.accounts["paper"]
    account.day_start_equity = D("0.1")
    account.balances["USDT"] = D(equity)
    for _ in range(2):
        hand.now_ns += NS_PER_SECOND
        hand.engine.step(e.ClockTick(hand.now_ns))
    assert state_of(hand) is state


@pytest.mark.parametrize(
    ("after_ms", "believed"), [((0, 1000), False), ((0, 998, 1), False), ((0, 999, 1), True)]
)
def test_a_jump_is_believed_by_the_third_price_that_agrees_over_a_second_and_not_before(
    after_ms: tuple[int, ...], believed: bool
) -> None:
    hand = Hand()
    hand.quote(100)
    for pause in after_ms:
        hand.wait(pause)
        hand.quote(150)
    assert hand.engine.markets.doubts(PERP.key) is not believed
    assert hand.engine.markets.price_of(PERP.key) == D("150.05" if believed else "100.05")


def test_a_fall_of_the_day_draws_back_also_where_the_session_began_after_it() -> None:
    hand = holding({"session_drawdown_fraction": "0.012"})
    account = hand.state.accounts["paper"]
    account.session_peak = account.equity = D(99_000)
    hand.engine.step(Quote(PERP.key, hand.now_ns, D("98.9"), D("98.9"), D(9), D(9)))
    hand.now_ns += NS_PER_SECOND
    hand.engine.step(e.ClockTick(hand.now_ns))
    assert account.peak_24h == 100_000
    assert account.posture == "DEFENSIVE"


@pytest.mark.parametrize(("limit", "state"), [("0.05", REDUCING), ("0.051", RUNNING)])
@pytest.mark.parametrize("name", ["session_drawdown_fraction", "drawdown_24h_fraction"])
def test_a_fall_on_old_prices_that_reaches_either_limit_holds_the_desk_back(
    name: str, limit: str, state: f.TradingState
) -> None:
    hand = holding({name: limit})
    hand.engine.markets.see_rate(e.RateSeen("SOL", "USDT", hand.now_ns, D(1), "a test"))
    mark(hand, 95)
    hand.now_ns += 100 * NS_PER_SECOND
    hand.tick()
    assert state_of(hand) is state
