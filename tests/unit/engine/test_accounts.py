"""Accounts: two sides of one instrument, several currencies, money no trade moved, and liquidation."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from neuratrade.core.engine.judging import gate_view
from neuratrade.core.engine.ledger import equity_of
from neuratrade.core.engine.margin import liquidation_of_position, maintenance_needed
from neuratrade.core.engine.state import AccountState
from neuratrade.core.model import events as e
from neuratrade.core.model import facts as f
from neuratrade.core.model.account import MarginMode, PositionMode
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.intent import Direction, Lane, OpenIntent
from neuratrade.core.model.market import NS_PER_HOUR, NS_PER_MINUTE, Bar, Quote
from neuratrade.core.model.orders import Fill, Liquidity, OrderRole, Side
from tests.simulation.hand import Hand
from tests.simulation.world import ACCOUNT, FUTURE, PERP, SPOT, T0, D, fill_of, intent, run_started

EURO = replace(PERP, asset="DAX/EUR", base="DAX", quote="EUR")
SHARE = replace(SPOT, asset="SAP/EUR", base="SAP", quote="EUR", fee_in_base=False)


def account_of(hand: Hand) -> AccountState:
    return hand.state.accounts["paper"]


def trading(mode: PositionMode, *, checked: bool = True) -> Hand:
    hand = Hand(checked=checked)
    account = replace(ACCOUNT, mode=mode)
    hand.step(replace(run_started(at_ns=hand.now_ns), account=account))
    return hand


def open_whole(hand: Hand, proposal: OpenIntent, price: int | str = 100) -> None:
    """Opens one bracket beside those there are."""
    hand.propose(proposal)
    bracket = hand.state.brackets[proposal.intent_id]
    entry = hand.state.orders[bracket.entry_order or ""].request
    hand.step(f.OrderAccepted(hand.now_ns, entry.client_order_id, "V"))
    name = f"{proposal.intent_id}-in"
    quantity = proposal.quantity or D(1)
    hand.step(f.OrderFilled(hand.now_ns, fill_of(entry, quantity, price, name, hand.now_ns)))
    for coid in bracket.stop_orders:
        hand.step(f.OrderAccepted(hand.now_ns, coid, "V"))


def both_ways(hand: Hand, long: int = 5, short: int = 2) -> None:
    open_whole(hand, intent("a", quantity=long, lane=Lane.MOMENTUM))
    down = intent("b", direction=Direction.SHORT, stop=105, targets=((90, 1),), quantity=short)
    open_whole(hand, down)


def listed(item: Instrument) -> Hand:
    """A hand that may also trade `item`, whose market is warm."""
    hand = Hand()
    hand.step(f.InstrumentUpdated(hand.now_ns, item))
    for open_ns in (T0 - 25 * NS_PER_HOUR, *(T0 - n * NS_PER_MINUTE for n in range(30, 0, -1))):
        prices = (D(100), D("100.5"), D("99.5"), D(100))
        warm = Bar(item.key, NS_PER_MINUTE, open_ns, *prices, D(1_000_000))
        hand.engine.step(e.BarClosed(warm, warm.close_ns, warm_up=True))
    return hand


def rate(hand: Hand, value: str | int, currency: str = "EUR") -> None:
    hand.step(e.RateSeen(currency, "USDT", hand.now_ns, D(value), "bank"))


def axe(hand: Hand, side: Side, quantity: int | str, trade_id: str = "L", price: int = 90) -> f.Liquidated:
    taker = Liquidity.TAKER
    fill = Fill(
        trade_id, "", "paper", PERP.key, side, D(quantity), D(price), D(1), "USDT", taker, hand.now_ns
    )
    return f.Liquidated(hand.now_ns, fill)


# two sides


def test_in_hedge_mode_long_and_short_stand_side_by_side() -> None:
    hand = trading(PositionMode.HEDGE)
    both_ways(hand)
    held = {key: item.quantity for key, item in account_of(hand).positions.items()}
    assert held == {f"{PERP.key}/LONG": D(5), f"{PERP.key}/SHORT": D(-2)}


def test_in_net_mode_two_lanes_are_one_position_and_two_brackets() -> None:
    hand = Hand()
    both_ways(hand)
    assert account_of(hand).positions[PERP.key].quantity == 3
    assert {key: item.held_signed for key, item in hand.state.brackets.items()} == {"a": D(5), "b": D(-2)}
    assert all(item.protected for item in hand.state.brackets.values())


@pytest.mark.parametrize("mode", PositionMode)
def test_each_side_is_valued_at_its_own_side_of_the_book(mode: PositionMode) -> None:
    hand = trading(mode)
    both_ways(hand)
    hand.step(Quote(PERP.key, hand.now_ns, D(101), D("101.5"), D(9), D(9)))
    gained = D(5) - D(2) * D("1.5") if mode is PositionMode.HEDGE else D(3)
    assert hand.engine.equity("paper") == 100_000 + gained


@pytest.mark.parametrize("mode", PositionMode)
def test_both_sides_leave_with_what_each_of_them_earned(mode: PositionMode) -> None:
    hand = trading(mode)
    both_ways(hand)
    for name, price in (("a", 95), ("b", 105)):
        bracket = hand.state.brackets[name]
        stop = hand.state.orders[bracket.stop_orders[-1]].request
        done = fill_of(stop, stop.quantity, price, f"{name}-out", hand.now_ns)
        hand.step(f.OrderFilled(hand.now_ns, done))
    earned = {fact.bracket_id: fact.pnl for fact in hand.facts if isinstance(fact, f.BracketClosed)}
    assert earned == {"a": D(-25), "b": D(-10)}
    assert hand.engine.equity("paper") == 100_000 - 35
    assert all(position.quantity == 0 for position in account_of(hand).positions.values())


# liquidation


@pytest.mark.parametrize("mode", PositionMode)
def test_a_liquidation_takes_from_the_side_it_closes_and_leaves_the_other(mode: PositionMode) -> None:
    hand = trading(mode, checked=False)
    both_ways(hand)
    hand.step(axe(hand, Side.SELL, 3))
    assert {key: item.held for key, item in hand.state.brackets.items()} == {"a": D(2), "b": D(2)}
    net = sum((item.quantity for item in account_of(hand).positions.values()), D(0))
    assert net == 0
    assert hand.state.trading_state is f.TradingState.HALTED
    assert hand.state.latched


def test_the_stop_shrinks_to_what_a_liquidation_left() -> None:
    hand = Hand(checked=False)
    open_whole(hand, intent("a", quantity=5))
    hand.step(axe(hand, Side.SELL, 3))
    (amend,) = [fact for fact in hand.facts if isinstance(fact, f.AmendPlanned)]
    assert amend.quantity == 2


def test_a_whole_liquidation_closes_the_bracket_and_counts_its_fee() -> None:
    hand = Hand(checked=False)
    open_whole(hand, intent("a", quantity=5))
    hand.step(axe(hand, Side.SELL, 5))
    hand.cancelled(OrderRole.STOP)
    assert hand.closed.reason is f.CloseReason.LIQUIDATED
    assert hand.closed.pnl == -51
    assert hand.engine.equity("paper") == 100_000 - 51


def test_the_same_liquidation_told_twice_is_booked_once() -> None:
    hand = Hand(checked=False)
    open_whole(hand, intent("a", quantity=5))
    event = axe(hand, Side.SELL, 2)
    hand.step(event)
    assert hand.step(event).facts == []
    assert hand.bracket.held == 3


def test_what_a_liquidation_closed_beyond_our_brackets_is_put_into_quarantine() -> None:
    hand = Hand(checked=False)
    open_whole(hand, intent("a", quantity=5))
    hand.step(axe(hand, Side.SELL, 8))
    assert account_of(hand).positions[PERP.key].quantity == 0
    (kept,) = hand.state.quarantine.values()
    assert "3" in kept.detail


def test_a_liquidation_fee_in_a_third_currency_is_converted() -> None:
    hand = Hand(checked=False)
    open_whole(hand, intent("a", quantity=5))
    hand.step(e.RateSeen("BNB", "USDT", hand.now_ns, D(300), "bank"))
    event = axe(hand, Side.SELL, 5)
    hand.step(replace(event, fill=replace(event.fill, fee=D("0.01"), fee_currency="BNB")))
    hand.cancelled(OrderRole.STOP)
    assert hand.closed.fees == 3
    assert hand.closed.pnl == -53


# cash movements


def test_a_movement_is_booked_once_however_often_it_is_told_also_after_a_restart() -> None:
    hand = Hand()
    deposit = f.CashMoved(hand.now_ns, "paper", "USDT", D(500), movement_id="d-1")
    assert len(hand.step(deposit).facts) == 1
    assert hand.step(deposit).facts == []
    hand.crash_after(f.CashMoved)
    assert hand.step(deposit).facts == []
    assert hand.engine.state.accounts["paper"].balances["USDT"] == 100_500
    hand.step(replace(deposit, movement_id="d-2"))
    assert hand.engine.state.accounts["paper"].balances["USDT"] == 101_000


def test_movements_the_venue_does_not_name_are_each_booked() -> None:
    hand = Hand()
    for _ in range(2):
        hand.step(f.CashMoved(hand.now_ns, "paper", "USDT", D(500)))
    assert hand.engine.state.accounts["paper"].balances["USDT"] == 101_000


# currencies


def test_equity_of_several_currencies_is_exact() -> None:
    hand = listed(EURO)
    rate(hand, "1.1")
    hand.step(f.CashMoved(hand.now_ns, "paper", "EUR", D(1000), "deposit"))
    open_whole(hand, replace(intent("a", quantity=4), instrument=EURO.key))
    hand.step(Quote(EURO.key, hand.now_ns, D(102), D("102.1"), D(9), D(9)))
    assert hand.engine.equity("paper") == 100_000 + D(1000) * D("1.1") + 4 * 2 * D("1.1")


def test_a_derivative_in_another_currency_needs_its_rate_even_without_cash_there() -> None:
    hand = listed(EURO)
    rate(hand, "1.25")
    open_whole(hand, replace(intent("a", quantity=4), instrument=EURO.key))
    hand.step(Quote(EURO.key, hand.now_ns, D(99), D("99.1"), D(9), D(9)))
    assert hand.engine.equity("paper") == 100_000 - D(4) * D("1.25")


def test_without_a_rate_there_is_no_equity_and_no_mark() -> None:
    hand = listed(EURO)
    hand.step(f.CashMoved(hand.now_ns, "paper", "EUR", D(1000), "deposit"))
    assert hand.engine.equity("paper") is None
    hand.wait(120_000)
    assert hand.tick().facts == []


def test_a_market_that_trades_one_currency_for_the_other_gives_the_rate_both_ways() -> None:
    hand = Hand()
    pair = replace(SPOT, asset="EUR/USDT", base="EUR")
    hand.step(f.InstrumentUpdated(hand.now_ns, pair))
    hand.step(Quote(pair.key, hand.now_ns, D("1.24"), D("1.26"), D(9), D(9)))
    markets = hand.engine.markets
    assert markets.value_of_one("EUR", "USDT") == D("1.25")
    assert markets.value_of_one("USDT", "EUR") == D("0.8")
    found = markets.rate("EUR", "USDT")
    assert found is not None
    assert found.source == pair.key


def test_a_fall_seen_through_an_old_rate_only_keeps_new_exposure_out() -> None:
    hand = listed(EURO)
    hand.step(replace(run_started({"drawdown_24h_fraction": "0.05"}, at_ns=hand.now_ns)))
    hand.step(f.InstrumentUpdated(hand.now_ns, EURO))
    rate(hand, 1)
    hand.step(f.CashMoved(hand.now_ns, "paper", "EUR", D(100_000), "deposit"))
    open_whole(hand, replace(intent("a", quantity=4), instrument=EURO.key))
    hand.tick()
    limit_ns = hand.state.limits.conversion_age_ns
    rate(hand, "0.5")
    hand.now_ns += limit_ns + 1
    for _ in range(3):
        hand.now_ns += 2_000_000_000
        hand.step(Quote(EURO.key, hand.now_ns, D(100), D("100.1"), D(9), D(9)))
        hand.tick()
    assert hand.state.trading_state.value == "REDUCING"
    assert hand.bracket.exit_reason is None
    rate(hand, "0.5")
    for _ in range(3):
        hand.now_ns += 2_000_000_000
        hand.tick()
    assert hand.state.trading_state.value == "HALTED"
    assert hand.bracket.exit_reason is f.CloseReason.KILL


def test_an_old_conversion_of_any_balance_keeps_entries_out() -> None:
    hand = Hand()
    hand.step(f.CashMoved(hand.now_ns, "paper", "EUR", D(1000), "deposit"))
    rate(hand, "1.1")
    told_ns = hand.now_ns
    hand.enter(intent("fresh", lane=Lane.MOMENTUM))
    hand.now_ns = told_ns + hand.state.limits.conversion_age_ns + 1
    hand.quote(100)
    step = hand.step(e.IntentArrived(intent("late", at_ns=hand.now_ns), hand.now_ns))
    judged = next(fact for fact in step.facts if isinstance(fact, f.IntentJudged))
    assert "conversion" in [item.name for item in judged.layers if item.verdict.blocks]
    rate(hand, "1.1")
    hand.propose(intent("again", at_ns=hand.now_ns))


def test_the_profit_of_a_trade_counts_in_the_currency_of_its_account() -> None:
    hand = listed(SHARE)
    rate(hand, "1.1")
    hand.step(f.CashMoved(hand.now_ns, "paper", "EUR", D(10_000), "deposit"))
    open_whole(hand, replace(intent("a", quantity=10), instrument=SHARE.key))
    rate(hand, "1.2")
    hand.fill(OrderRole.STOP, 10, 95)
    assert (hand.closed.pnl, hand.closed.pnl_home) == (D(-50), D(-60))
    assert hand.state.counts.pnl == -60


def test_a_profit_that_nobody_can_convert_is_not_added_to_one_of_another_currency() -> None:
    hand = listed(SHARE)
    rate(hand, 1)
    open_whole(hand, replace(intent("a", quantity=10), instrument=SHARE.key))
    hand.engine.markets._rates.clear()
    hand.fill(OrderRole.STOP, 10, 95)
    assert hand.closed.pnl_home is None
    assert hand.state.counts.pnl == 0
    assert account_of(hand).losses == 1


def test_the_gate_sees_foreign_notional_in_the_currency_of_the_account() -> None:
    hand = listed(EURO)
    rate(hand, "1.5")
    open_whole(hand, replace(intent("a", quantity=4), instrument=EURO.key))
    asked = replace(intent("b", quantity=1), instrument=EURO.key)
    seen = gate_view(hand.state, asked, hand.engine.config, hand.engine.markets, hand.now_ns + 7)
    assert seen.account is not None
    assert seen.account.gross_notional == seen.account.instrument_notional == 600
    assert (seen.conversion, seen.conversion_age_ns) == (D("1.5"), 7)
    hand.engine.markets._rates.clear()
    blind = gate_view(hand.state, asked, hand.engine.config, hand.engine.markets, hand.now_ns)
    assert blind.account is not None
    assert (blind.conversion, blind.account.equity) == (None, None)


# money no trade moved


@pytest.mark.parametrize("kind", ["deposit", "withdrawal", "transfer"])
@pytest.mark.parametrize("currency", ["USDT", "EUR"])
def test_what_people_bring_or_take_shifts_peaks_and_the_day_and_is_no_profit(
    kind: str, currency: str
) -> None:
    hand = Hand()
    rate(hand, "1.25")
    hand.tick()
    amount = D(-800) if kind == "withdrawal" else D(800)
    hand.step(f.CashMoved(hand.now_ns, "paper", currency, amount, kind))
    worth = amount * (D("1.25") if currency == "EUR" else 1)
    account = account_of(hand)
    moved = [account.equity, account.day_start_equity, account.session_peak, account.peak, account.peak_24h]
    assert moved == [100_000 + worth] * 5
    hand.wait(120_000)
    rate(hand, "1.25")
    hand.tick()
    assert account.max_drawdown == 0
    assert hand.state.counts.pnl == 0
    assert hand.engine.equity("paper") == 100_000 + worth


@pytest.mark.parametrize("kind", ["funding", "borrow", "fee", "correction"])
def test_what_an_account_pays_or_earns_is_in_equity_but_moves_no_peak_and_no_trade(kind: str) -> None:
    hand = Hand()
    hand.enter(intent(quantity=4))
    hand.tick()
    peak = account_of(hand).peak
    hand.step(f.CashMoved(hand.now_ns, "paper", "USDT", D("-12.5"), kind))
    assert account_of(hand).peak == peak
    assert account_of(hand).balances["USDT"] == 100_000 - D("12.5")
    assert hand.engine.equity("paper") == 100_000 - D("12.5")
    hand.fill(OrderRole.STOP, 4, 95)
    assert hand.closed.pnl == -20


# margin


def test_a_multiplier_scales_profit_equity_and_margin() -> None:
    hand = Hand()
    hand.enter(replace(intent(quantity=2), instrument=FUTURE.key))
    hand.step(Quote(FUTURE.key, hand.now_ns, D(101), D("101.25"), D(9), D(9)))
    assert hand.engine.equity("paper") == 100_000 + 2 * 50
    hand.fill(OrderRole.STOP, 2, 95)
    assert hand.closed.pnl == -5 * 2 * 50


def margined(margin: MarginMode, quantity: int) -> tuple[AccountState, dict[str, Instrument]]:
    hand = Hand()
    open_whole(
        hand,
        intent("a", quantity=abs(quantity))
        if quantity > 0
        else intent("a", direction=Direction.SHORT, stop=105, targets=(), quantity=-quantity),
    )
    state = account_of(hand)
    state.account = replace(state.account, margin=margin)
    state.balances["USDT"] = D(1000)
    contract = replace(PERP, maintenance_margin=D("0.02"))
    return state, {PERP.key: contract}


@pytest.mark.parametrize("quantity", [40, -40])
def test_at_the_cross_liquidation_price_equity_is_exactly_what_must_be_kept(quantity: int) -> None:
    account, contracts = margined(MarginMode.CROSS, quantity)
    level = liquidation_of_position(account, contracts, PERP.key)
    assert level is not None
    equity = equity_of(account, contracts, {PERP.key: level})
    needed = maintenance_needed(account, contracts, {PERP.key: level}, {})
    assert equity is not None
    assert needed is not None
    assert abs(equity - needed) < Decimal("1e-20")


@pytest.mark.parametrize(("quantity", "level"), [(40, D(95) / D("0.98")), (-40, D(105) / D("1.02"))])
def test_with_isolated_margin_a_position_answers_for_itself(quantity: int, level: Decimal) -> None:
    account, contracts = margined(MarginMode.ISOLATED, quantity)
    assert liquidation_of_position(account, contracts, PERP.key) == level


def test_what_needs_no_maintenance_is_never_liquidated() -> None:
    account, _ = margined(MarginMode.CROSS, 40)
    assert liquidation_of_position(account, {PERP.key: PERP}, PERP.key) is None


def test_units_held_through_a_position_and_the_accounts_own_currency_need_no_conversion() -> None:
    hand = Hand()
    hand.enter(intent("spot", instrument=SPOT, quantity=4, targets=()))
    open_whole(hand, intent("perp", quantity=1))
    account = account_of(hand)
    assert account.balances["ETH"] == 4
    assert hand.engine.markets.conversions(account) == []
    hand.step(f.CashMoved(hand.now_ns, "paper", "ETH", D(1), "deposit"))
    (rate_of_more,) = hand.engine.markets.conversions(account)
    assert rate_of_more is not None
    assert rate_of_more.source == SPOT.key


def test_what_is_quoted_in_the_accounts_own_currency_is_converted_at_no_age() -> None:
    hand = Hand()
    seen = gate_view(hand.state, intent(), hand.engine.config, hand.engine.markets, hand.now_ns + 7)
    assert (seen.conversion, seen.conversion_age_ns) == (D(1), 0)


def test_an_intent_for_what_nobody_knows_is_refused() -> None:
    hand = Hand()
    stranger = replace(intent(), instrument="NOBODY@test")
    step = hand.step(e.IntentArrived(stranger, hand.now_ns))
    (judged,) = (fact for fact in step.facts if isinstance(fact, f.IntentJudged))
    assert not judged.approved
    elsewhere = hand.step(e.IntentArrived(replace(intent("b"), account_id="nobody"), hand.now_ns))
    (judged,) = (fact for fact in elsewhere.facts if isinstance(fact, f.IntentJudged))
    assert not judged.approved


def test_what_a_stop_of_one_bracket_sold_untold_is_not_missed_in_another() -> None:
    hand = Hand(checked=False)
    open_whole(hand, intent("a", quantity=2, lane=Lane.MOMENTUM))
    open_whole(hand, intent("b", quantity=2))
    one, other = (hand.state.brackets[name].stop_orders[-1] for name in ("a", "b"))
    hand.step(f.OrderCancelled(hand.now_ns, other, "", D(1)))
    hand.step(f.OrderCancelled(hand.now_ns, one, "", D(0)))
    stops = {name: hand.state.brackets[name].stop_orders[-1] for name in ("a", "b")}
    assert {name: hand.state.orders[coid].quantity for name, coid in stops.items()} == {"a": 2, "b": 1}
