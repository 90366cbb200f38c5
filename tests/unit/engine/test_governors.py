"""Standing rules over time: each trips where it should, not before, and is lifted only as it may be."""

from dataclasses import replace

import pytest

from neuratrade.core.bars.sessions import DaySessions
from neuratrade.core.engine.engine import Engine
from neuratrade.core.engine.judging import gate_view
from neuratrade.core.model import commands as c
from neuratrade.core.model import events as e
from neuratrade.core.model import facts as f
from neuratrade.core.model.intent import EntryType, Lane, OpenIntent
from neuratrade.core.model.market import NS_PER_DAY, NS_PER_HOUR, NS_PER_SECOND, Quote
from neuratrade.core.model.orders import OrderRole
from tests.simulation.hand import Hand
from tests.simulation.world import PERP, SPOT, T0, D, desk_engine, fill_of, intent, run_started, warm_up

ENTRY, STOP, EXIT = OrderRole.ENTRY, OrderRole.STOP, OrderRole.EXIT
RUNNING, REDUCING, HALTED = f.TradingState.RUNNING, f.TradingState.REDUCING, f.TradingState.HALTED
FRESH = {"price_age_ns": str(90 * NS_PER_SECOND)}


def holding(limits: dict[str, str]) -> Hand:
    """A desk worth 100,000 that bought 1,000 at 100 and marked itself once: one point is one percent."""
    hand = Hand(FRESH | limits)
    hand.propose(intent(quantity=1000, stop=50, targets=()))
    hand.accept(ENTRY)
    hand.fill(ENTRY, 1000, 100)
    hand.accept(STOP)
    mark(hand, 100)
    return hand


def mark(hand: Hand, price: int | str, after_ms: int = 1000) -> None:
    hand.wait(after_ms)
    hand.quote(price, price)
    hand.tick()


def state_of(hand: Hand) -> f.TradingState:
    return hand.state.trading_state


def resume(hand: Hand) -> None:
    hand.step(e.Resume(hand.now_ns, "op", "looked into it"))


def test_a_day_that_lost_too_much_goes_reducing_and_the_next_day_runs() -> None:
    hand = holding({"daily_loss_fraction": "0.02"})
    mark(hand, 98)
    assert state_of(hand) is RUNNING
    mark(hand, 98)
    assert state_of(hand) is REDUCING
    assert hand.state.governor == "daily_loss"
    hand.now_ns = T0 + NS_PER_DAY
    mark(hand, 98, 0)
    assert state_of(hand) is RUNNING
    assert hand.state.accounts["paper"].day_start_equity == 98_000


@pytest.mark.parametrize(
    ("name", "state"),
    [("daily_loss", REDUCING), ("session_drawdown", HALTED), ("drawdown_24h", HALTED)],
)
def test_a_drawdown_rule_needs_two_marks_a_second_apart(name: str, state: f.TradingState) -> None:
    hand = holding({f"{name}_fraction": "0.05"})
    mark(hand, "95.1")
    mark(hand, "95.1")
    assert state_of(hand) is RUNNING, "not reached yet"
    mark(hand, 95)
    mark(hand, 95, after_ms=999)
    assert state_of(hand) is RUNNING, "too soon after the first"
    mark(hand, 96)
    mark(hand, 95)
    assert state_of(hand) is RUNNING, "a better mark in between begins anew"
    mark(hand, 95)
    assert state_of(hand) is state
    assert hand.state.governor == name


def test_a_session_that_fell_too_far_halts_and_cancels_entries_but_keeps_positions() -> None:
    hand = holding({"session_drawdown_fraction": "0.012"})
    hand.propose(intent("b", order_type=EntryType.LIMIT, trigger=90, stop=85, targets=()))
    mark(hand, 98)
    mark(hand, 98)
    assert state_of(hand) is HALTED
    assert not hand.state.latched
    (cancel,) = hand.commands
    assert isinstance(cancel, c.CancelOrder)
    assert cancel.client_order_id == hand.state.brackets["b"].entry_order
    hand.now_ns = T0 + NS_PER_DAY
    mark(hand, 98, 0)
    assert state_of(hand) is RUNNING, "a new day"


def test_the_24_hour_rule_flattens_and_only_a_person_lifts_its_latch() -> None:
    hand = holding({"drawdown_24h_fraction": "0.05"})
    mark(hand, 95)
    mark(hand, 95)
    assert state_of(hand) is HALTED
    assert hand.state.latched
    assert hand.bracket.exit_reason is f.CloseReason.KILL
    hand.cancelled(STOP)
    hand.fill(EXIT, 1000, 95)
    hand.now_ns = T0 + NS_PER_DAY
    mark(hand, 95, 0)
    assert state_of(hand) is HALTED, "no new day lifts it"
    hand.now_ns += 2 * NS_PER_HOUR
    mark(hand, 95, 0)
    resume(hand)
    assert state_of(hand) is RUNNING


def test_to_resume_resets_no_peak_so_the_rule_holds_on() -> None:
    hand = holding({"drawdown_24h_fraction": "0.05"})
    mark(hand, 95)
    mark(hand, 95)
    peaks = hand.state.accounts["paper"].hour_peaks
    resume(hand)
    assert hand.state.accounts["paper"].hour_peaks == peaks
    mark(hand, 95)
    assert state_of(hand) is HALTED


def test_a_peak_is_forgotten_after_a_day_even_when_nothing_was_marked_since() -> None:
    hand = holding({"drawdown_24h_fraction": "0.05"})
    mark(hand, 96)
    hand.fill(STOP, 1000, 96)
    hand.tick()
    hand.now_ns = T0 + 3 * NS_PER_DAY
    hand.tick()
    assert hand.state.accounts["paper"].peak_24h == 96_000
    assert hand.state.accounts["paper"].peak == 100_000


def test_a_lighter_rule_never_lifts_a_heavier_one() -> None:
    hand = holding({"session_drawdown_fraction": "0.03", "daily_loss_fraction": "0.05"})
    mark(hand, 97)
    mark(hand, 97)
    assert hand.state.governor == "session_drawdown"
    mark(hand, 95)
    mark(hand, 95)
    moves = [fact.state for fact in hand.facts if isinstance(fact, f.TradingStateMoved)]
    assert moves == [HALTED], "not for a moment"


def test_no_rule_lifts_the_halt_of_a_person() -> None:
    hand = holding({"daily_loss_fraction": "0.02"})
    hand.step(e.Halt(hand.now_ns, "op", "enough"))
    mark(hand, 95)
    mark(hand, 95)
    hand.now_ns = T0 + NS_PER_DAY
    mark(hand, 95, 0)
    assert state_of(hand) is HALTED
    assert hand.state.governor == "operator"


def test_a_missing_price_makes_no_mark() -> None:
    hand = holding({"drawdown_24h_fraction": "0.05"})
    hand.propose(intent("b", instrument=SPOT, targets=()))
    hand.engine.views[SPOT.key].price = None
    other = hand.state.brackets["b"]
    coid = other.entry_order or ""
    hand.step(f.OrderAccepted(hand.now_ns, coid, "V"))
    fill_spot(hand, coid)
    before = hand.state.accounts["paper"].marked_ns
    mark(hand, 90)
    mark(hand, 90)
    assert hand.state.accounts["paper"].marked_ns == before
    assert state_of(hand) is RUNNING


def fill_spot(hand: Hand, coid: str) -> None:
    request = hand.state.orders[coid].request
    hand.step(f.OrderFilled(hand.now_ns, fill_of(request, 1, 100, "s1", hand.now_ns)))


@pytest.mark.parametrize("name", ["session_drawdown", "drawdown_24h"])
def test_an_old_price_keeps_new_exposure_out_but_never_flattens(name: str) -> None:
    hand = holding({f"{name}_fraction": "0.05"})
    mark(hand, 95)
    hand.wait(91_000)
    for _ in range(3):
        hand.tick()
        hand.wait(1000)
    assert state_of(hand) is REDUCING
    assert hand.bracket.exit_reason is None
    mark(hand, 100)
    assert state_of(hand) is RUNNING, "a fresh price that shows no fall lifts it"


def test_a_feed_that_is_stalled_is_as_good_as_old_prices() -> None:
    hand = holding({"drawdown_24h_fraction": "0.05"})
    hand.step(e.FeedStalled(hand.now_ns, PERP.key, True))
    mark(hand, 95)
    mark(hand, 95)
    assert state_of(hand) is REDUCING
    hand.step(e.FeedStalled(hand.now_ns, PERP.key, False))
    mark(hand, 95)
    mark(hand, 95)
    assert state_of(hand) is HALTED


def test_a_deposit_shifts_peaks_and_is_no_profit() -> None:
    hand = holding({"daily_loss_fraction": "0.02"})
    before = hand.state.accounts["paper"]
    peak, start = before.session_peak, before.day_start_equity
    hand.step(f.CashMoved(hand.now_ns, "paper", "USDT", D(50_000), "deposit"))
    account = hand.state.accounts["paper"]
    assert (account.session_peak, account.day_start_equity) == (peak + 50_000, start + 50_000)
    assert (account.peak, account.peak_24h, account.equity) == (D(150_000), D(150_000), D(150_000))
    hand.step(f.CashMoved(hand.now_ns, "paper", "USDT", D(-50_000), "withdrawal"))
    mark(hand, 100)
    mark(hand, 100)
    assert state_of(hand) is RUNNING, "money taken out is no loss"
    assert hand.state.accounts["paper"].max_drawdown == 0


def test_a_deposit_of_another_currency_counts_at_its_rate_and_without_one_when_one_is_known() -> None:
    hand = holding({})
    account = hand.state.accounts["paper"]
    hand.step(f.CashMoved(hand.now_ns, "paper", "SOL", D(3), "deposit"))
    assert account.equity == account.session_peak == 100_000
    assert account.balances["SOL"] == 3
    hand.step(e.RateSeen("SOL", "USDT", hand.now_ns, D(20), "a test"))
    hand.step(f.CashMoved(hand.now_ns, "paper", "SOL", D(2), "deposit"))
    assert account.equity == account.session_peak == account.day_start_equity == 100_100


def test_funding_is_a_cost_and_shifts_no_peak() -> None:
    hand = holding({})
    hand.step(f.CashMoved(hand.now_ns, "paper", "USDT", D(-100), "funding"))
    mark(hand, 100)
    account = hand.state.accounts["paper"]
    assert (account.equity, account.session_peak) == (D(99_900), D(100_000))


def lose(hand: Hand, name: str, lane: Lane = Lane.TACTICAL) -> f.IntentJudged:
    proposal = intent(name, targets=(), lane=lane, at_ns=hand.now_ns)
    step = hand.step(e.IntentArrived(proposal, hand.now_ns))
    judged = next(fact for fact in step.facts if isinstance(fact, f.IntentJudged))
    if judged.approved:
        hand.accept(ENTRY)
        hand.fill(ENTRY, judged.quantity, 100)
        hand.accept(STOP)
        hand.fill(STOP, judged.quantity, 95)
    return judged


def refusals(judged: f.IntentJudged) -> set[str]:
    return {layer.name for layer in judged.layers if layer.verdict.blocks}


def test_two_losses_in_a_row_pause_their_lane_until_the_next_day() -> None:
    hand = Hand({"session_losses": "2"})
    hand.tick()
    assert lose(hand, "1").approved
    assert lose(hand, "2").approved
    assert refusals(lose(hand, "3")) == {"loss_streak"}
    assert lose(hand, "4", Lane.SCALP).approved, "another lane goes on"
    hand.now_ns = T0 + NS_PER_DAY
    hand.quote(100)
    hand.tick()
    assert lose(hand, "5").approved


def test_five_losses_in_a_row_across_days_halt_until_a_person_resumes() -> None:
    hand = Hand({"kill_losses": "5"})
    for day in range(5):
        hand.now_ns = T0 + day * NS_PER_DAY
        hand.quote(100)
        hand.tick()
        assert state_of(hand) is RUNNING
        assert lose(hand, str(day)).approved
    assert state_of(hand) is HALTED
    assert hand.state.latched
    hand.now_ns = T0 + 9 * NS_PER_DAY
    hand.quote(100)
    hand.tick()
    assert state_of(hand) is HALTED
    resume(hand)
    assert state_of(hand) is RUNNING


def test_a_win_ends_the_streak() -> None:
    hand = Hand({"session_losses": "2", "kill_losses": "3"})
    lose(hand, "1")
    hand.propose(intent("w", targets=()))
    hand.accept(ENTRY)
    hand.fill(ENTRY, hand.bracket.quantity, 100)
    hand.accept(STOP)
    hand.fill(STOP, hand.bracket.held, 101)
    assert lose(hand, "2").approved
    assert lose(hand, "3").approved
    assert state_of(hand) is RUNNING


def resting_and_held() -> Hand:
    hand = Hand()
    hand.enter(intent())
    hand.propose(intent("s", instrument=SPOT))
    coid = hand.state.brackets["s"].entry_order or ""
    hand.step(f.OrderAccepted(hand.now_ns, coid, "V"))
    fill_spot(hand, coid)
    hand.propose(intent("e", order_type=EntryType.LIMIT, trigger=90, stop=85))
    return hand


@pytest.mark.parametrize(
    ("policy", "leaving"),
    [
        (f.KillPolicy.CANCEL_ENTRIES, set()),
        (f.KillPolicy.CLOSE_PERPS, {"a"}),
        (f.KillPolicy.FLATTEN_ALL, {"a", "s"}),
    ],
)
def test_a_halt_does_to_positions_what_its_policy_says(policy: f.KillPolicy, leaving: set[str]) -> None:
    hand = resting_and_held()
    step = hand.step(e.Halt(hand.now_ns, "op", "enough", policy))
    going = {key for key, item in hand.state.brackets.items() if item.exit_reason is f.CloseReason.KILL}
    assert going == leaving
    cancelled = {item.client_order_id for item in step.commands if isinstance(item, c.CancelOrder)}
    assert hand.state.brackets["e"].entry_order in cancelled
    assert hand.state.latched


def test_a_halted_desk_lets_nothing_new_in() -> None:
    hand = Hand()
    hand.step(e.Halt(hand.now_ns, "op", "enough"))
    step = hand.step(e.IntentArrived(intent(), hand.now_ns))
    judged = next(fact for fact in step.facts if isinstance(fact, f.IntentJudged))
    assert refusals(judged) == {"trading_state"}
    assert step.commands == []
    resume(hand)
    hand.propose(intent("b"))


def test_flatten_also_closes_what_an_entry_fills_behind_its_cancel() -> None:
    hand = Hand()
    hand.propose(intent(order_type=EntryType.LIMIT))
    hand.accept(ENTRY)
    hand.step(e.Halt(hand.now_ns, "op", "enough", f.KillPolicy.FLATTEN_ALL))
    hand.fill(ENTRY, 1, 100)
    hand.accept(STOP)
    hand.seconds(1)
    hand.cancelled(STOP)
    hand.fill(EXIT, 1, 100)
    assert hand.closed.reason is f.CloseReason.KILL


def test_flatten_also_closes_what_a_rung_under_way_leaves() -> None:
    hand = Hand()
    hand.enter(intent(targets=((105, "0.5"), (110, "0.5"))))
    hand.quote(105)
    hand.step(e.Halt(hand.now_ns, "op", "enough", f.KillPolicy.FLATTEN_ALL))
    hand.cancelled(STOP)
    hand.fill(OrderRole.TARGET, "0.5", 105)
    hand.accept(STOP)
    hand.seconds(1)
    hand.cancelled(STOP)
    hand.fill(EXIT, "0.5", 105)
    assert hand.closed.reason is f.CloseReason.KILL


def test_the_day_begins_where_the_offset_says() -> None:
    engine = engine_with_days(DaySessions(22 * NS_PER_HOUR))
    engine.step(run_started())
    warm_up(engine)
    engine.step(e.ClockTick(T0))
    day = engine.state.accounts["paper"].day
    engine.step(e.ClockTick(T0 + 22 * NS_PER_HOUR - 1))
    assert engine.state.accounts["paper"].day == day
    engine.step(e.ClockTick(T0 + 22 * NS_PER_HOUR))
    assert engine.state.accounts["paper"].day == day + 1


def engine_with_days(days: DaySessions) -> Engine:
    return Engine(replace(desk_engine().config, days=days))


def test_a_held_long_is_marked_at_the_bid_and_a_short_at_the_ask() -> None:
    hand = holding({})
    hand.step(Quote(PERP.key, hand.now_ns, D(101), D(102), D(1), D(1)))
    assert hand.engine.marks() == {PERP.key: D(101)}


def test_limits_count_what_may_still_be_entered() -> None:
    hand = Hand({"concurrent": "2", "position_fraction": "0.001", "trades_per_day": "2"})
    hand.propose(intent(order_type=EntryType.LIMIT, trigger=90, stop=85, quantity=5))
    assert hand.bracket.quantity == D("1.111"), "0.1 % of 100,000 at 90"
    judged = refusals_of(hand, intent("b", order_type=EntryType.LIMIT, trigger=90, stop=85))
    assert judged == {"lot"}, "the resting entry has taken the room"
    hand.propose(intent("c", instrument=SPOT))
    assert refusals_of(hand, intent("d", instrument=SPOT, quantity="0.01")) >= {
        "concurrent",
        "trades_per_day",
    }


def refusals_of(hand: Hand, proposal: OpenIntent) -> set[str]:
    step = hand.step(e.IntentArrived(proposal, hand.now_ns))
    return refusals(next(fact for fact in step.facts if isinstance(fact, f.IntentJudged)))


def test_scalps_do_not_use_up_the_days_of_other_lanes() -> None:
    hand = Hand()
    for number in range(5):
        scalp = intent(f"scalp-{number}", lane=Lane.SCALP)
        account = hand.state.accounts["paper"]
        account.opened_today[Lane.SCALP.value] = number
        seen = gate_view(hand.state, scalp, hand.engine.config, hand.engine.markets, hand.now_ns)
        assert seen.account is not None
        assert seen.account.trades_today == number
    other = gate_view(hand.state, intent(), hand.engine.config, hand.engine.markets, hand.now_ns)
    assert other.account is not None
    assert other.account.trades_today == 0
