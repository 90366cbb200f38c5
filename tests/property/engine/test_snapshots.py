"""Whatever a venue's snapshot claims, nothing is booked but executions of our orders, each once."""

from hypothesis import given, settings
from hypothesis import strategies as st

from neuratrade.core.engine.state import OrderState
from neuratrade.core.model import commands as c
from neuratrade.core.model import events as e
from neuratrade.core.model import facts as f
from neuratrade.core.model.intent import Direction, EntryType
from neuratrade.core.model.orders import Fill, Liquidity, OrderRole, Side
from tests.simulation.hand import Hand
from tests.simulation.snapshots import look
from tests.simulation.world import PERP, SPOT, D, fill_of, intent

NUMBERS = st.one_of(
    st.integers(-50, 50).map(lambda tenths: D(tenths) / 10),
    st.sampled_from([D("NaN"), D("Infinity"), D("1E+30"), D("1E-30")]),
)
POSITIVE = st.integers(1, 50).map(lambda tenths: D(tenths) / 10)
NAMES = st.sampled_from([PERP.key, SPOT.key, "DOGE/USDT@test", ""])
WORDS = st.text(max_size=8)


def desk() -> Hand:
    """Holds in one market, waits in another, and has a bracket that is over."""
    hand = Hand(checked=False)
    look(hand)
    hand.enter(intent("a", targets=()))
    held = hand.bracket
    hand.propose(intent("gone", order_type=EntryType.LIMIT))
    entry = hand.state.orders[hand.state.brackets["gone"].entry_order or ""].request.client_order_id
    hand.step(f.OrderCancelled(hand.now_ns, entry, "asked", D(0)))
    hand.propose(intent("b", instrument=SPOT, order_type=EntryType.LIMIT, targets=(), stop=95))
    hand.propose(
        intent("c", direction=Direction.SHORT, stop=105, trigger=101, order_type=EntryType.LIMIT, targets=())
    )
    hand.seconds(10)
    assert held.held == 1
    return hand


def all_orders(hand: Hand) -> list[OrderState]:
    kept = [order for item in hand.state.closed.values() for order in item.orders.values()]
    return [*hand.state.orders.values(), *kept]


@st.composite
def venue_orders(draw: st.DrawFn, orders: list[OrderState]) -> e.VenueOrder:
    """One order as a venue may list it: ours with anything changed, or a stranger's."""
    order = draw(st.sampled_from([*orders, None]))
    stop = draw(st.one_of(st.none(), NUMBERS))
    if order is None:
        name, venue_id, instrument = draw(WORDS), draw(WORDS), draw(NAMES)
        return e.VenueOrder(name, venue_id, instrument, Side.BUY, draw(NUMBERS), draw(NUMBERS), stop)
    request = order.request
    name = draw(st.sampled_from([request.client_order_id, ""]))
    instrument = draw(st.sampled_from([request.instrument, PERP.key]))
    return e.VenueOrder(
        name, order.venue_order_id, instrument, request.side, draw(NUMBERS), draw(NUMBERS), stop
    )


@st.composite
def strangers_fills(draw: st.DrawFn, now_ns: int) -> Fill:
    return Fill(
        draw(WORDS),
        draw(WORDS),
        draw(st.sampled_from(["paper", "other"])),
        draw(NAMES),
        draw(st.sampled_from(Side)),
        draw(NUMBERS),
        draw(NUMBERS),
        draw(NUMBERS),
        "USDT",
        Liquidity.TAKER,
        now_ns - draw(st.integers(-5, 5)) * 1_000_000_000,
    )


def draw_snapshot(data: st.DataObject, hand: Hand, fills: tuple[Fill, ...]) -> e.VenueSnapshot:
    orders = all_orders(hand)
    some = st.lists(venue_orders(orders), max_size=5).map(tuple)
    lists = st.one_of(st.none(), some)
    return e.VenueSnapshot(
        hand.now_ns,
        "paper",
        hand.now_ns - data.draw(st.integers(-1, 20)) * 1_000_000_000,
        data.draw(lists),
        data.draw(lists),
        data.draw(st.one_of(st.none(), st.dictionaries(NAMES, NUMBERS, max_size=3))),
        data.draw(st.one_of(st.none(), st.dictionaries(st.sampled_from(["USDT", "ETH", "X"]), NUMBERS))),
        fills,
    )


def booked(hand: Hand) -> tuple[dict[str, D], dict[str, D]]:
    account = hand.state.accounts["paper"]
    held = {key: item.quantity for key, item in account.positions.items() if item.quantity}
    return dict(account.balances), held


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_snapshots_without_executions_of_ours_never_change_money_or_holdings(data: st.DataObject) -> None:
    hand = desk()
    before = booked(hand)
    ours = {order.request.client_order_id for order in all_orders(hand)}
    for _ in range(data.draw(st.integers(1, 6))):
        fills = tuple(data.draw(st.lists(strangers_fills(hand.now_ns), max_size=2)))
        step = hand.step(draw_snapshot(data, hand, fills))
        booking = (
            f.OrderFilled,
            f.CashMoved,
            f.Liquidated,
            f.FillCorrected,
            f.ForeignAdopted,
            f.BracketClosed,
        )
        assert not [fact for fact in step.facts if isinstance(fact, booking)]
        assert booked(hand) == before
        cancelled = {item.client_order_id for item in step.commands if isinstance(item, c.CancelOrder)}
        assert cancelled <= ours, "nobody else's order is ever touched"
        opening = [item for item in step.commands if isinstance(item, c.SubmitOrder)]
        assert all(item.order.request.role is not OrderRole.ENTRY for item in opening)
        hand.seconds(data.draw(st.sampled_from([0, 1, 6])))


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_executions_of_ours_are_booked_once_however_often_they_are_told(data: st.DataObject) -> None:
    hand = desk()
    entry = hand.state.orders[hand.state.brackets["b"].entry_order or ""].request
    parts = data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=3))
    # All of them together stay within the one unit that was ordered.
    fills = [
        fill_of(entry, D(part) / 20, 99, f"p{place}", hand.now_ns - place) for place, part in enumerate(parts)
    ]
    told: set[str] = set()
    for _ in range(data.draw(st.integers(1, 5))):
        some = data.draw(st.lists(st.sampled_from(fills), max_size=4))
        step = hand.step(draw_snapshot(data, hand, tuple(some)))
        new = [fact.fill.trade_id for fact in step.facts if isinstance(fact, f.OrderFilled)]
        assert len(new) == len(set(new))
        assert set(new) == {fill.trade_id for fill in some} - told
        told |= set(new)
        hand.seconds(data.draw(st.sampled_from([0, 6])))
    expected = sum((fill.quantity for fill in fills if fill.trade_id in told), D(0))
    assert hand.state.brackets["b"].entered == expected
