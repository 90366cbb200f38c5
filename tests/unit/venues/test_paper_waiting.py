"""What rests at the paper venue is said with the prices it waits for, and never too wide."""

from decimal import Decimal

import pytest

from neuratrade.core.engine.quiet import Range
from neuratrade.core.model.account import Account
from neuratrade.core.model.instrument import Instrument, InstrumentKind
from neuratrade.core.model.market import NS_PER_MINUTE, Bar
from neuratrade.core.model.orders import OrderRequest, OrderRole, OrderType, Side
from neuratrade.venues.paper.costs import PaperCosts
from neuratrade.venues.paper.exchange import PaperExchange
from neuratrade.venues.paper.waiting import margin_room, resting_ranges

D = Decimal
PERP = Instrument(
    asset="A/USDT",
    venue="v",
    kind=InstrumentKind.PERPETUAL,
    base="A",
    quote="USDT",
    tick=D("0.01"),
    lot=D("0.001"),
    min_quantity=D("0.001"),
    min_notional=D(5),
    initial_margin=D("0.1"),
    maintenance_margin=D("0.1"),
)
FREE = PaperCosts(latency_ms=0, spread_fraction=D(0), slippage_bps=D(0), participation_fraction=D(1))


def exchange(cash: str = "1000") -> PaperExchange:
    return PaperExchange(Account("a", "v", "USDT"), {PERP.key: PERP}, D(cash), FREE)


def order(
    name: str,
    side: Side,
    kind: OrderType,
    quantity: str,
    *,
    limit_price: Decimal | None = None,
    stop_price: Decimal | None = None,
) -> OrderRequest:
    role = OrderRole.STOP if kind is OrderType.STOP else OrderRole.ENTRY
    return OrderRequest(
        client_order_id=name,
        account_id="a",
        instrument=PERP.key,
        side=side,
        order_type=kind,
        quantity=D(quantity),
        role=role,
        bracket_id="b",
        limit_price=limit_price,
        stop_price=stop_price,
    )


def trade(venue: PaperExchange, *requests: OrderRequest) -> None:
    """Sends orders before a bar at 100, and lets it begin."""
    bar = Bar(PERP.key, NS_PER_MINUTE, 0, D(100), D(100), D(100), D(100), D(1000))
    venue.open_bar(bar)
    for request in requests:
        venue.submit(request, 0)
    while venue.next_due_ns is not None:
        venue.run_next()
    venue.shut_bar(bar)


def test_stops_and_limits_bound_the_prices_between_which_nothing_fills() -> None:
    venue = exchange()
    trade(
        venue,
        order("s1", Side.SELL, OrderType.STOP, "1", stop_price=D(95)),
        order("s2", Side.SELL, OrderType.STOP, "1", stop_price=D(97)),
        order("l1", Side.BUY, OrderType.LIMIT, "1", limit_price=D(90)),
        order("b1", Side.BUY, OrderType.STOP, "1", stop_price=D(110)),
        order("l2", Side.SELL, OrderType.LIMIT, "1", limit_price=D(105)),
    )
    assert resting_ranges(venue) == {PERP.key: Range(D(97), D(105))}


def test_an_order_that_takes_any_price_leaves_no_range() -> None:
    venue = exchange()
    venue.pass_bar(Bar(PERP.key, NS_PER_MINUTE, 0, D(100), D(100), D(100), D(100), D(1000)))
    venue.submit(order("m", Side.BUY, OrderType.MARKET, "1"), NS_PER_MINUTE)
    venue.run_next()
    assert venue.orders
    assert resting_ranges(venue) is None


def test_nothing_rests_where_nothing_was_sent() -> None:
    assert resting_ranges(exchange()) == {}


@pytest.mark.parametrize(("side", "sign"), [(Side.BUY, 1), (Side.SELL, -1)])
def test_a_loss_just_short_of_the_room_leaves_the_margin_whole_and_one_beyond_does_not(
    side: Side, sign: int
) -> None:
    venue = exchange()
    trade(venue, order("m", side, OrderType.MARKET, "50"))
    room = margin_room(venue)
    assert room is not None
    # 50 units at 100 with 1,000 of equity: 500 is to be kept, and a tenth of what is lost on a short.
    assert room == pytest.approx(500 / 1.1)
    for share, held in ((0.999, True), (1.25, False)):
        moved = PERP.round_price(D(100) - D(repr(room * share / 50)) * sign)
        copy = exchange()
        trade(copy, order("m", side, OrderType.MARKET, "50"))
        copy.range_bar(Bar(PERP.key, NS_PER_MINUTE, 60, moved, moved, moved, moved, D(1000)), 61)
        assert bool(next(iter(copy.account.positions.values())).quantity) is held


def test_without_margined_positions_no_loss_matters_to_the_venue() -> None:
    assert margin_room(exchange()) is None
