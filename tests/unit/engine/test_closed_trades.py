"""What a trade leaves behind when it is over: its money, its counts, its lane, and none of its timers."""

import pytest

from neuratrade.core.model import facts as f
from neuratrade.core.model.intent import EntryType, Lane
from neuratrade.core.model.market import NS_PER_MINUTE
from neuratrade.core.model.orders import OrderRole
from tests.simulation.hand import Hand
from tests.simulation.world import SPOT, D, fill_of, intent

ENTRY, STOP, EXIT = OrderRole.ENTRY, OrderRole.STOP, OrderRole.EXIT


def trade(hand: Hand, name: str, out: int | str, *, lane: Lane = Lane.TACTICAL, fee: str = "0") -> None:
    """One unit bought at 100 and sold at `out`, each side at that fee."""
    hand.propose(intent(name, targets=(), lane=lane, at_ns=hand.now_ns))
    hand.accept(ENTRY)
    hand.fill(ENTRY, 1, 100, fee=fee)
    hand.accept(STOP)
    hand.fill(STOP, 1, out, fee=fee)


def test_trades_wins_profit_fees_and_reasons_are_counted_one_by_one() -> None:
    hand = Hand()
    for name, out in (("a", 103), ("b", 95), ("c", 104)):
        trade(hand, name, out, fee="0.25")
    counts = hand.state.counts
    assert (counts.intents, counts.approved, counts.refused) == (3, 3, 0)
    assert (counts.trades, counts.wins) == (3, 2)
    assert (counts.pnl, counts.fees) == (D(3 - 5 + 4) - D("1.5"), D("1.5"))
    assert counts.closed_by == {"SL": 3}
    outcome = hand.state.outcomes["test"]
    assert (outcome.closed, outcome.won) == (3, 2)
    assert hand.state.accounts["paper"].balances["USDT"] == D(100_000) + counts.pnl


def test_a_trade_that_only_paid_its_fees_is_a_loss() -> None:
    hand = Hand()
    trade(hand, "a", 100, fee="0.01")
    assert hand.state.counts.wins == 0
    assert hand.state.accounts["paper"].losses == 1


def test_a_trade_that_made_nothing_is_neither_a_win_nor_a_loss() -> None:
    hand = Hand()
    trade(hand, "a", 95)
    lost_ns = hand.now_ns
    hand.wait(1000)
    trade(hand, "b", 100)
    account = hand.state.accounts["paper"]
    assert (account.losses, account.lanes["tactical"].session_losses) == (1, 1)
    assert account.lanes["tactical"].last_loss_ns == lost_ns
    assert (hand.state.counts.trades, hand.state.counts.wins) == (2, 0)
    assert (hand.state.outcomes["test"].closed, hand.state.outcomes["test"].won) == (2, 0)


def test_the_smallest_profit_is_a_win_and_the_smallest_loss_a_loss() -> None:
    hand = Hand()
    trade(hand, "a", "100.1")
    assert (hand.state.counts.wins, hand.state.outcomes["test"].won) == (1, 1)
    trade(hand, "b", "99.9")
    assert hand.state.counts.wins == 1
    assert hand.state.accounts["paper"].losses == 1


def test_losses_count_for_their_lane_and_together_for_the_account_until_a_win() -> None:
    hand = Hand()
    trade(hand, "a", 95)
    trade(hand, "b", 95, lane=Lane.SCALP)
    hand.wait(1000)
    trade(hand, "c", 95)
    account = hand.state.accounts["paper"]
    assert account.losses == 3
    assert {name: lane.session_losses for name, lane in account.lanes.items()} == {"tactical": 2, "scalp": 1}
    assert account.lanes["tactical"].last_loss_ns == hand.now_ns
    assert account.lanes["scalp"].last_loss_ns == hand.now_ns - 1_000_000_000
    trade(hand, "d", 105, lane=Lane.SCALP)
    assert account.losses == 0
    assert {name: lane.session_losses for name, lane in account.lanes.items()} == {"tactical": 2, "scalp": 0}


def test_what_never_entered_is_no_trade() -> None:
    hand = Hand()
    hand.propose(intent(order_type=EntryType.LIMIT))
    hand.rejected(ENTRY)
    counts = hand.state.counts
    assert (counts.approved, counts.trades, counts.closed_by) == (1, 0, {})
    assert hand.state.outcomes == {}
    assert hand.state.accounts["paper"].lanes == {}


def test_the_longest_time_without_a_stop_is_remembered_not_the_last() -> None:
    hand = Hand()
    for name, gap_ms in (("a", 30), ("b", 200), ("c", 40)):
        hand.propose(intent(name, targets=()))
        hand.accept(ENTRY)
        hand.fill(ENTRY, 1, 100)
        hand.wait(gap_ms)
        hand.accept(STOP)
        hand.fill(STOP, 1, 95)
        assert hand.closed.unprotected_ms == gap_ms
    assert hand.state.counts.unprotected_ms_max == 200


def test_the_close_of_a_bracket_ends_its_timers_and_no_others() -> None:
    hand = Hand()
    hand.propose(intent("a", hold_s=60, targets=()))
    hand.accept(ENTRY)
    hand.fill(ENTRY, 1, 100)
    hand.accept(STOP)
    stop = hand.coid(STOP)
    hand.propose(intent("b", order_type=EntryType.LIMIT, trigger=90, stop=85, targets=(), expiry_s=600))
    assert {"hold:a", "entry:b"} <= set(hand.state.timers)
    request = hand.state.orders[stop].request
    hand.step(f.OrderFilled(hand.now_ns, fill_of(request, 1, 95, "out", hand.now_ns)))
    assert set(hand.state.timers) == {"entry:b"}
    assert [order.request.bracket_id for order in hand.state.orders.values()] == ["b"]


def late_fill(hand: Hand, coid: str, trade_id: str, quantity: str, price: int) -> f.OrderFilled:
    request = hand.state.closed["a"].orders[coid].request
    return f.OrderFilled(hand.now_ns, fill_of(request, D(quantity), price, trade_id, hand.now_ns, fee="0.5"))


def test_a_trade_opened_again_by_a_late_execution_is_counted_once_with_what_it_made_in_all() -> None:
    hand = Hand()
    hand.propose(intent(order_type=EntryType.LIMIT, targets=()))
    hand.accept(ENTRY)
    entry = hand.coid(ENTRY)
    hand.fill(ENTRY, "0.5", 100, fee="0.25")
    hand.accept(STOP)
    hand.cancelled(ENTRY)
    hand.fill(STOP, "0.5", 90, fee="0.25")
    assert (hand.state.counts.pnl, hand.state.counts.fees) == (D("-5.5"), D("0.5"))
    hand.step(late_fill(hand, entry, "late", "0.5", 100))
    hand.accept(STOP)
    hand.fill(STOP, "0.5", 120, fee="0.25")
    counts, account = hand.state.counts, hand.state.accounts["paper"]
    assert hand.closed.pnl == D(-5 + 10) - D("1.25")
    assert (counts.pnl, counts.fees) == (hand.closed.pnl, D("1.25"))
    assert (counts.trades, counts.wins, counts.closed_by) == (1, 0, {"SL": 1})
    assert (hand.state.outcomes["test"].closed, account.losses) == (1, 1)


def test_an_entry_filled_only_after_it_was_over_is_a_trade_from_then_on() -> None:
    hand = Hand()
    hand.propose(intent(order_type=EntryType.LIMIT, targets=()))
    hand.accept(ENTRY)
    entry = hand.coid(ENTRY)
    hand.cancelled(ENTRY)
    assert hand.state.counts.trades == 0
    hand.step(late_fill(hand, entry, "late", "1", 100))
    hand.accept(STOP)
    hand.fill(STOP, 1, 103)
    assert (hand.state.counts.trades, hand.state.counts.wins) == (1, 1)
    assert hand.state.counts.fees == D("0.5")


@pytest.mark.parametrize(("minutes", "kept"), [(15, {"a", "b"}), (16, {"b"})])
def test_a_closed_bracket_is_kept_a_quarter_of_an_hour_for_executions_that_come_late(
    minutes: int, kept: set[str]
) -> None:
    hand = Hand()
    trade(hand, "a", 95)
    hand.now_ns += minutes * NS_PER_MINUTE
    trade(hand, "b", 95)
    assert set(hand.state.closed) == kept


def test_dust_of_trades_adds_up_and_is_no_loss() -> None:
    hand = Hand()
    for name in ("a", "b"):
        hand.propose(intent(name, instrument=SPOT, targets=()))
        hand.accept(ENTRY)
        hand.fill(ENTRY, 1, 100, fee="0.004", currency="ETH")
        hand.accept(STOP)
        hand.fill(STOP, "0.99", 100)
        assert (hand.closed.dust, hand.closed.pnl) == (D("0.006"), D("-0.4"))
        assert hand.closed.fees == D("0.4")
    assert hand.state.accounts["paper"].dust == {SPOT.key: D("0.012")}


def test_dust_of_a_bracket_opened_again_is_counted_once() -> None:
    hand = Hand()
    hand.propose(intent(instrument=SPOT, quantity=2, order_type=EntryType.LIMIT, targets=()))
    hand.accept(ENTRY)
    entry = hand.order(ENTRY).request
    hand.fill(ENTRY, 1, 100, fee="0.004", currency="ETH")
    hand.accept(STOP)
    hand.cancelled(ENTRY)
    hand.fill(STOP, "0.99", 100)
    dust = hand.state.accounts["paper"].dust
    assert dust == {SPOT.key: D("0.006")}
    late = fill_of(entry, 1, 100, "late", hand.now_ns, D("0.004"), "ETH")
    hand.step(f.OrderFilled(hand.now_ns, late))
    assert dust == {SPOT.key: D(0)}, "held by its bracket again"
    hand.accept(STOP)
    hand.fill(STOP, "1", 100)
    assert dust == {SPOT.key: D("0.002")}
    assert hand.closed.dust == D("0.002")


def test_what_is_bought_outright_moves_both_currencies() -> None:
    hand = Hand()
    hand.propose(intent(instrument=SPOT, quantity=2, targets=()))
    hand.accept(ENTRY)
    hand.fill(ENTRY, 2, 100, fee="0.5")
    balances = hand.state.accounts["paper"].balances
    assert balances == {"USDT": D(100_000) - 200 - D("0.5"), "ETH": D(2)}
    hand.accept(STOP)
    hand.fill(STOP, 2, 95)
    assert balances == {"USDT": D(100_000) - 10 - D("0.5"), "ETH": D(0)}
    assert hand.state.accounts["paper"].positions[SPOT.key].realised == -10


def test_a_trade_of_a_derivative_moves_only_its_result_and_its_fees() -> None:
    hand = Hand()
    hand.propose(intent(quantity=2, targets=()))
    hand.accept(ENTRY)
    account = hand.state.accounts["paper"]
    assert account.filled_ns == 0, "nothing was executed yet"
    hand.fill(ENTRY, 2, 100, fee="0.5")
    assert account.filled_ns == hand.now_ns
    assert account.balances == {"USDT": D(100_000) - D("0.5")}
    hand.accept(STOP)
    hand.fill(STOP, 2, 95, fee="0.5")
    assert account.balances == {"USDT": D(100_000) - 11}
