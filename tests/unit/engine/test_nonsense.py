"""Numbers that are none, and names of nothing, from venues and feeds: the desk goes on as if unsaid."""

import pytest
from msgspec.structs import replace

from neuratrade.core.model import commands as c
from neuratrade.core.model import events as e
from neuratrade.core.model import facts as f
from neuratrade.core.model.intent import EntryType
from neuratrade.core.model.market import NS_PER_MINUTE, Bar, Quote, Trade
from neuratrade.core.model.orders import Fill, Liquidity, OrderRole, OrderStatus, Side
from tests.simulation.hand import Hand
from tests.simulation.snapshots import listed, look
from tests.simulation.world import PERP, T0, D, bar, fill_of, intent

ENTRY, STOP = OrderRole.ENTRY, OrderRole.STOP
NO_PRICES = [D("NaN"), D("sNaN"), D("Infinity"), D("-Infinity"), D(-1), D(0), D("1E+400000"), D("1E+99")]
NO_AMOUNTS = NO_PRICES[:4] + NO_PRICES[6:]


def priced(price: D, key: str = PERP.key) -> list[e.Event]:
    """Everything that tells a price of a market."""
    odd = Bar(key, NS_PER_MINUTE, T0, price, price, price, price, D(1))
    return [
        Quote(key, T0, price, price, D(1), D(1)),
        Quote(key, T0, None, price, D(1), D(1)),
        Trade(key, T0, price, D(1)),
        e.MarkSeen(key, T0, price),
        e.BarSeen(odd, T0),
        e.BarClosed(odd, T0),
    ]


def untouched(hand: Hand, event: e.Event) -> None:
    """The event is counted as a stray, and the desk trades on."""
    strays, price = hand.engine.strays, hand.engine.markets.price_of(PERP.key)
    assert hand.step(event).facts == []
    assert hand.engine.strays == strays + 1
    assert hand.engine.markets.price_of(PERP.key) == price
    hand.tick()
    hand.quote(101)
    hand.seconds(1)
    hand.tick()


@pytest.mark.parametrize("price", NO_PRICES, ids=str)
def test_what_is_no_price_is_not_taken(price: D) -> None:
    for event in priced(price):
        hand = Hand()
        hand.enter(intent())
        untouched(hand, event)
        hand.propose(intent("b", trigger=101))


@pytest.mark.parametrize("event", priced(D(100), "DOGE/USDT@test"), ids=lambda event: type(event).__name__)
def test_a_market_nobody_asked_for_is_not_taken(event: e.Event) -> None:
    untouched(Hand(), event)
    untouched(Hand(), e.FeedStalled(T0, "DOGE/USDT@test", stalled=True))


def test_a_bar_whose_volume_is_none_is_not_taken() -> None:
    for volume in (D("NaN"), D(-1), D("Infinity")):
        untouched(Hand(), e.BarClosed(replace(bar(0, 100, 101, 99, 100), volume=volume), T0))


@pytest.mark.parametrize("number", NO_AMOUNTS, ids=str)
def test_money_and_rates_that_are_no_numbers_are_not_taken(number: D) -> None:
    hand = Hand()
    before = dict(hand.state.accounts["paper"].balances)
    for event in (
        f.CashMoved(T0, "paper", "USDT", number),
        f.CashMoved(T0, "paper", "BNB", D(1), rate=number),
        e.RateSeen("BNB", "USDT", T0, number, "venue"),
    ):
        untouched(hand, event)
    assert hand.state.accounts["paper"].balances == before


def test_terms_by_which_nothing_can_be_traded_are_not_taken() -> None:
    for terms in ({"lot": D(0)}, {"tick": D(-1)}, {"lot": D("NaN")}, {"multiplier": D(0)}):
        hand = Hand()
        untouched(hand, f.InstrumentUpdated(T0, replace(PERP, **terms)))
        assert hand.state.instruments[PERP.key] == PERP


@pytest.mark.parametrize("field", ["quantity", "price", "fee"])
@pytest.mark.parametrize("number", [D("sNaN"), D("1E+400000"), D("1E+99"), D("1E-400000")], ids=str)
def test_an_execution_of_no_size_there_is_goes_to_quarantine(field: str, number: D) -> None:
    hand = Hand()
    hand.propose(intent())
    hand.accept(ENTRY)
    fill = fill_of(hand.order(ENTRY).request, 1, 100, "odd", hand.now_ns)
    odd = replace(fill, **{field: number})
    (fact,) = hand.step(f.OrderFilled(hand.now_ns, odd)).facts
    assert isinstance(fact, f.Quarantined)
    hand.fill(ENTRY, 1, 100)
    assert hand.bracket.held == 1


@pytest.mark.parametrize("field", ["quantity", "price", "fee"])
@pytest.mark.parametrize("number", NO_AMOUNTS, ids=str)
def test_nor_is_one_that_a_snapshot_lists(field: str, number: D) -> None:
    hand = Hand()
    hand.propose(intent())
    hand.accept(ENTRY)
    told = fill_of(hand.order(ENTRY).request, 1, 100, "odd", hand.now_ns)
    look(hand, fills=(replace(told, **{field: number}),))
    assert (hand.bracket.held, list(hand.state.quarantine)) == (D(0), [f"{PERP.key}:odd"])
    hand.fill(ENTRY, 1, 100)
    booked = fill_of(hand.order(ENTRY).request, 1, 100, "t1", hand.now_ns)
    look(hand, fills=(replace(booked, **{field: number}),))
    assert hand.bracket.held == 1
    assert [type(item) for item in hand.commands] == [c.LookUpOrder]


@pytest.mark.parametrize("number", [D("sNaN"), D("NaN"), D("1E+99"), D(-1)], ids=str)
def test_a_correction_to_nonsense_is_not_believed_also_of_a_bracket_that_is_over(number: D) -> None:
    hand = Hand()
    hand.enter(intent())
    request = hand.order(ENTRY).request
    told = f.FillCorrected(hand.now_ns, request.client_order_id, "t1", number, D(100), D(0))
    assert hand.step(told).facts == []
    assert hand.step(replace(told, quantity=D(1), fee_rate=number)).facts == []
    hand.fill(STOP, 1, 95)
    assert hand.state.brackets == {}
    assert hand.step(told).facts == []


@pytest.mark.parametrize("changes", [{"quantity": D("NaN")}, {"quantity": D(0)}, {"price": D(-1)}], ids=str)
def test_a_liquidation_that_cannot_be_true_goes_to_quarantine(changes: dict[str, D]) -> None:
    hand = Hand()
    hand.enter(intent())
    fill = Fill("L1", "", "paper", PERP.key, Side.SELL, D(1), D(90), D(0), "USDT", Liquidity.TAKER, T0)
    (fact,) = hand.step(f.Liquidated(hand.now_ns, replace(fill, **changes))).facts
    assert isinstance(fact, f.Quarantined)
    assert hand.bracket.held == 1


def test_an_entry_is_never_amended_so_no_word_of_it_changes_what_was_approved() -> None:
    hand = Hand()
    hand.propose(intent(order_type=EntryType.LIMIT))
    hand.accept(ENTRY)
    assert hand.amended(ENTRY, 50, 95).facts == []
    hand.step(f.OrderExpired(hand.now_ns, hand.coid(ENTRY), D(0)))
    (kept,) = hand.state.closed.values()
    assert kept.bracket.entry_used == 0


@pytest.mark.parametrize("filled", [D("NaN"), D(-1), D(7)], ids=str)
def test_an_end_told_with_a_fill_that_cannot_be_leaves_the_order_in_doubt(filled: D) -> None:
    hand = Hand()
    hand.enter(intent())
    step = hand.step(f.OrderCancelled(hand.now_ns, hand.coid(STOP), "venue", filled))
    assert hand.order(STOP).status is OrderStatus.UNKNOWN
    assert not hand.bracket.protected
    assert step.commands
    again = hand.step(f.OrderCancelled(hand.now_ns, hand.coid(STOP), "venue", filled))
    assert (again.facts, again.commands) == ([], [])
    hand.step(f.OrderCancelled(hand.now_ns, hand.coid(STOP), "venue", D(0)))
    hand.accept(STOP)
    assert hand.bracket.protected


def test_a_listed_order_whose_numbers_are_none_is_asked_about() -> None:
    hand = Hand()
    hand.enter(intent())
    hand.seconds(10)
    odd = listed(hand.order(STOP), quantity=D("sNaN"), filled=D("sNaN"), stop_price=D("sNaN"))
    look = e.VenueSnapshot(hand.now_ns, "paper", hand.now_ns, (), (odd,), None, None)
    assert hand.step(look).commands
    assert hand.bracket.protected
