"""Accounts, marks, cash: what a holding is valued at, what is profit, whose units are whose."""

import msgspec
import pytest

from neuratrade.core.engine.fold.brackets import allocation
from neuratrade.core.model import events as e
from neuratrade.core.model import facts as f
from neuratrade.core.model.approval import Envelope
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.intent import Direction, EntryType, Intent, Lane
from neuratrade.core.model.market import Quote, Trade
from neuratrade.core.model.orders import Fill, Liquidity, OrderRequest, OrderRole, Side
from tests.simulation.hand import Hand
from tests.simulation.world import PERP, SPOT, D, fill_of, intent
from tests.unit.engine.test_governors import holding, mark

ENTRY, STOP = OrderRole.ENTRY, OrderRole.STOP


def holds(direction: Direction = Direction.LONG, instrument: Instrument = PERP) -> Hand:
    """One unit held, entered at 100."""
    hand = Hand()
    stop, target = (95, 110) if direction is Direction.LONG else (105, 90)
    hand.enter(intent(direction=direction, stop=stop, targets=((target, 1),), instrument=instrument))
    return hand


def book(hand: Hand, bid: str | None, ask: str | None, instrument: Instrument = PERP) -> D:
    """The mark of what is held when the book is this."""
    low, high = (None if side is None else D(side) for side in (bid, ask))
    hand.step(Quote(instrument.key, hand.now_ns, low, high, D(1), D(1)))
    return hand.engine.marks()[instrument.key]


def test_a_long_is_marked_at_the_bid_and_a_short_at_the_ask() -> None:
    assert book(holds(Direction.LONG), "100", "101") == 100
    assert book(holds(Direction.SHORT), "100", "101") == 101


@pytest.mark.parametrize("direction", list(Direction))
def test_a_book_wider_than_the_limit_is_marked_at_its_middle_also_after_a_trade(direction: Direction) -> None:
    hand = holds(direction)
    assert book(hand, "98", "100") == (98 if direction is Direction.LONG else 100), "two percent is not wide"
    assert book(hand, "97.9", "100") == D("98.95")
    hand.step(Trade(PERP.key, hand.now_ns, D("97.9"), D(1)))
    assert hand.engine.marks()[PERP.key] == D("98.95"), "a trade is no middle"


def test_a_one_sided_book_is_marked_at_the_side_there_is() -> None:
    assert book(holds(), None, "101") == 101
    assert book(holds(Direction.SHORT), "99", None) == 99
    hand = holds()
    book(hand, None, "101")
    hand.step(Trade(PERP.key, hand.now_ns, D(99), D(1)))
    assert hand.engine.marks()[PERP.key] == 101


def test_an_empty_book_is_marked_at_the_last_price() -> None:
    hand = holds()
    book(hand, "100", "101")
    assert book(hand, None, None) == D("100.5")


def test_a_perpetual_is_marked_at_the_venues_own_mark_while_that_is_fresh() -> None:
    hand = holds()
    book(hand, "100", "101")
    hand.step(e.MarkSeen(PERP.key, hand.now_ns, D("99.7")))
    assert hand.engine.marks()[PERP.key] == D("99.7")
    hand.seconds(60)
    hand.tick()
    assert hand.engine.marks()[PERP.key] == D("99.7")
    hand.seconds(1)
    hand.step(f.CashMoved(hand.now_ns, "paper", "USDT", D(0), "funding"))
    assert hand.engine.marks()[PERP.key] == 100, "a minute later it is too old"


def test_what_is_no_perpetual_is_not_marked_at_a_venues_mark() -> None:
    hand = holds(instrument=SPOT)
    book(hand, "100", "101", SPOT)
    hand.step(e.MarkSeen(SPOT.key, hand.now_ns, D(50)))
    assert hand.engine.marks()[SPOT.key] == 100


@pytest.mark.parametrize("kind", ["deposit", "withdrawal", "transfer"])
def test_money_that_people_move_shifts_every_peak_and_day_start_and_is_no_profit(kind: str) -> None:
    hand = holding({})
    mark(hand, 101)
    account = hand.state.accounts["paper"]
    amount = D(-30_000) if kind == "withdrawal" else D(30_000)
    before = (account.equity, account.session_peak, account.peak, account.peak_24h, account.day_start_equity)
    pnl = hand.state.counts.pnl
    hand.step(f.CashMoved(hand.now_ns, "paper", "USDT", amount, kind))
    after = (account.equity, account.session_peak, account.peak, account.peak_24h, account.day_start_equity)
    assert after == tuple(value + amount for value in before)
    assert hand.state.counts.pnl == pnl
    mark(hand, 101)
    assert account.equity == before[0] + amount
    assert account.max_drawdown == 0


@pytest.mark.parametrize("kind", ["funding", "borrow", "fee", "correction"])
def test_what_the_venue_charges_is_in_the_ledger_and_shifts_no_peak(kind: str) -> None:
    hand = holding({})
    account = hand.state.accounts["paper"]
    cash, peaks = account.balances["USDT"], (account.session_peak, account.peak, account.day_start_equity)
    hand.step(f.CashMoved(hand.now_ns, "paper", "USDT", D(-250), kind))
    assert account.balances["USDT"] == cash - 250
    assert (account.session_peak, account.peak, account.day_start_equity) == peaks
    mark(hand, 100)
    assert account.equity == 99_750


def test_a_conversion_has_a_source_and_a_time_and_equity_waits_for_it() -> None:
    hand = holding({})
    hand.step(f.CashMoved(hand.now_ns, "paper", "EUR", D(100), "deposit"))
    assert hand.engine.equity("paper") is None, "nobody said what it is worth"
    hand.step(e.RateSeen("EUR", "USDT", hand.now_ns, D("1.1"), "ECB"))
    rate = hand.engine.markets.rate("EUR", "USDT")
    assert rate is not None
    assert (rate.source, rate.at_ns) == ("ECB", hand.now_ns)
    assert hand.engine.equity("paper") == 100_110


def test_without_a_conversion_nothing_new_is_opened() -> None:
    hand = holding({})
    hand.step(f.CashMoved(hand.now_ns, "paper", "EUR", D(100), "deposit"))
    step = hand.step(e.IntentArrived(intent("b", at_ns=hand.now_ns), hand.now_ns))
    judged = next(fact for fact in step.facts if isinstance(fact, f.IntentJudged))
    assert not judged.approved


@pytest.mark.parametrize(
    "kind", [OrderRequest, Fill, Envelope, f.Marked, f.DayRolled, f.CashMoved, f.BracketClosed]
)
def test_what_belongs_to_an_account_names_it(kind: type[msgspec.Struct]) -> None:
    field = next(item for item in msgspec.structs.fields(kind) if item.name == "account_id")
    assert kind is f.BracketClosed or field.required, "no default that would book to the wrong account"


def test_every_kind_of_intent_names_its_account() -> None:
    for kind in Intent.__args__:
        assert next(item for item in msgspec.structs.fields(kind) if item.name == "account_id").required


def two_lanes(*, checked: bool = True) -> Hand:
    """Two lanes hold 0.6 and 0.2 of one instrument, each with a stop of its own."""
    hand = Hand(checked=checked)
    for name, quantity, stop, lane in (("a", "0.6", 95, Lane.TACTICAL), ("b", "0.2", 90, Lane.MOMENTUM)):
        hand.propose(intent(name, quantity=quantity, stop=stop, lane=lane, targets=()))
        enter(hand, name)
    return hand


def enter(hand: Hand, name: str) -> None:
    bracket = hand.state.brackets[name]
    order = hand.state.orders[bracket.entry_order or ""]
    hand.step(f.OrderAccepted(hand.now_ns, order.request.client_order_id, "V"))
    fill = fill_of(order.request, bracket.quantity, 100, f"entry-{name}", hand.now_ns)
    hand.step(f.OrderFilled(hand.now_ns, fill))
    hand.wait(1)
    (stop,) = bracket.stop_orders
    hand.step(f.OrderAccepted(hand.now_ns, stop, "V"))


def test_two_lanes_on_one_instrument_hold_their_own_parts_and_the_venue_sees_the_net() -> None:
    hand = two_lanes()
    held = {name: (item.held, item.stop_price) for name, item in hand.state.brackets.items()}
    assert held == {"a": (D("0.6"), D(95)), "b": (D("0.2"), D(90))}
    assert hand.state.accounts["paper"].positions[PERP.key].quantity == D("0.8")
    (coid,) = hand.state.brackets["a"].stop_orders
    request = hand.state.orders[coid].request
    assert request.quantity == D("0.6")
    hand.step(f.OrderFilled(hand.now_ns, fill_of(request, "0.6", 95, "stop", hand.now_ns)))
    assert list(hand.state.brackets) == ["b"]
    assert hand.state.brackets["b"].protected
    assert hand.state.accounts["paper"].positions[PERP.key].quantity == D("0.2")


def liquidation(hand: Hand, quantity: str) -> f.Liquidated:
    fill = Fill(
        "liq",
        "",
        "paper",
        PERP.key,
        Side.SELL,
        D(quantity),
        D(80),
        D(0),
        "USDT",
        Liquidity.TAKER,
        hand.now_ns,
    )
    return f.Liquidated(hand.now_ns, fill)


@pytest.mark.parametrize(
    ("quantity", "shares"),
    [
        ("0.4", {"a": "0.3", "b": "0.1"}),
        ("0.001", {"a": "0.001"}),
        ("0.003", {"a": "0.003"}),
        ("0.8", {"a": "0.6", "b": "0.2"}),
    ],
)
def test_what_no_order_explains_is_shared_by_what_each_holds_floored_to_the_lot_the_rest_to_the_oldest(
    quantity: str, shares: dict[str, str]
) -> None:
    # What the venue takes away its stops exceed for a moment.
    hand = two_lanes(checked=False)
    shared = allocation(hand.state, "paper", PERP.key, Side.SELL, D(quantity))
    assert {item.bracket_id: share for item, share in shared} == {
        name: D(share) for name, share in shares.items()
    }
    hand.step(liquidation(hand, quantity))
    assert len(hand.commands) == len(shares), "each stop that is too large now is fitted or taken away"
    for name, share in shares.items():
        before = {"a": D("0.6"), "b": D("0.2")}[name]
        left = hand.state.brackets.get(name)
        assert (left.held if left is not None else D(0)) == before - D(share)
    assert hand.state.trading_state is f.TradingState.HALTED


def test_of_a_liquidation_what_is_not_ours_is_not_booked() -> None:
    hand = two_lanes(checked=False)
    hand.step(liquidation(hand, "1"))
    assert hand.state.accounts["paper"].positions[PERP.key].quantity == 0
    (strange,) = hand.state.quarantine.values()
    assert "0.2" in strange.detail


def test_new_terms_of_a_contract_hold_from_their_time_on_and_are_on_record() -> None:
    hand = Hand()
    hand.propose(intent(order_type=EntryType.LIMIT, trigger="99.7"))
    hand.accept(ENTRY)
    assert hand.order(ENTRY).request.limit_price == D("99.7")
    coarse = msgspec.structs.replace(PERP, tick=D("0.5"))
    hand.seconds(1)
    step = hand.step(f.InstrumentUpdated(hand.now_ns, coarse))
    assert step.facts[0] == f.InstrumentUpdated(hand.now_ns, coarse)
    assert [type(item) for item in step.facts[1:]] == [f.CancelPlanned], "its limit is off the grid now"
    hand.propose(intent("b", order_type=EntryType.LIMIT, trigger="99.7", at_ns=hand.now_ns))
    second = hand.state.orders[hand.state.brackets["b"].entry_order or ""]
    assert second.request.limit_price == D("99.5")
    assert hand.step(f.InstrumentUpdated(hand.now_ns, coarse)).facts == [], "told again, it is no news"
