"""The paper venue on quotes: the side of the book that is there, up to the size that is there."""

import pytest

from neuratrade.core.model.market import NS_PER_SECOND, Quote, Trade
from neuratrade.core.model.orders import OrderRole, OrderType, Side, TimeInForce
from tests.simulation.world import PERP, T0, D
from tests.unit.venues.test_paper_bars import BUY, SELL, Venue, prices_of


def quote(venue: Venue, bid: str | None, ask: str | None, size: str = "10", second: int = 0) -> None:
    at_ns = T0 + second * NS_PER_SECOND
    venue.run(at_ns)
    sides = [None if level is None else D(level) for level in (bid, ask)]
    venue.exchange.see_quote(Quote(PERP.key, at_ns, sides[0], sides[1], D(size), D(size)))
    venue.run(at_ns)


@pytest.mark.parametrize(("side", "price"), [(BUY, "100.2"), (SELL, "100")])
def test_a_market_order_buys_at_the_ask_and_sells_at_the_bid(side: Side, price: str) -> None:
    venue = Venue()
    quote(venue, "100", "100.2")
    venue.send(side=side)
    venue.run(T0 + NS_PER_SECOND)
    assert prices_of(venue) == [D(price)]


def test_no_more_is_filled_than_a_quote_offers_to_all_orders_together() -> None:
    venue = Venue()
    quote(venue, "100", "100.2", size="1.5")
    venue.send(coid="one")
    venue.send(coid="two")
    venue.run(T0 + NS_PER_SECOND)
    assert [fill.quantity for fill in venue.fills] == [D(1), D("0.5")]
    assert venue.ends[-1] == "OrderCancelled"


def test_a_side_that_is_empty_fills_nothing() -> None:
    venue = Venue()
    quote(venue, "100", None)
    venue.send()
    venue.run(T0 + NS_PER_SECOND)
    assert venue.fills == []


def test_a_stop_waits_for_the_side_it_would_trade_at() -> None:
    venue = Venue()
    quote(venue, "100", "100.2")
    venue.send(side=SELL, kind=OrderType.STOP, stop=95, role=OrderRole.STOP)
    quote(venue, "95.1", "95.2", second=1)
    assert venue.fills == []
    quote(venue, "94.8", "95.2", size="0.4", second=2)
    quote(venue, "97", "97.2", second=3)
    quote(venue, "97", "97.2", second=4)
    assert [(fill.price, fill.quantity) for fill in venue.fills] == [
        (D("94.8"), D("0.4")),
        (D(97), D("0.6")),
    ]


def test_a_resting_limit_fills_at_its_own_level_once_the_book_goes_through_it() -> None:
    venue = Venue()
    quote(venue, "100", "100.2")
    venue.send(kind=OrderType.LIMIT, limit=99)
    quote(venue, "98.8", "99", second=1)
    assert venue.fills == []
    quote(venue, "98.7", "98.9", second=2)
    quote(venue, "98.7", "98.9", second=3)
    assert prices_of(venue) == [99]
    assert venue.fills[0].liquidity.value == "maker"


def test_a_limit_that_arrives_marketable_trades_at_the_quote() -> None:
    venue = Venue()
    quote(venue, "100", "100.2")
    venue.send(kind=OrderType.LIMIT, limit=101, in_force=TimeInForce.IOC)
    venue.run(T0 + NS_PER_SECOND)
    assert prices_of(venue) == [D("100.2")]
    assert venue.fills[0].liquidity.value == "taker"


def test_public_trades_fill_nothing() -> None:
    venue = Venue()
    quote(venue, "100", "100.2")
    venue.send(kind=OrderType.LIMIT, limit=99)
    venue.run(T0 + NS_PER_SECOND)
    venue.exchange.see_trade(Trade(PERP.key, T0 + NS_PER_SECOND, D(90), D(1)))
    venue.run(T0 + 2 * NS_PER_SECOND)
    assert venue.fills == []
    assert venue.exchange.equity() == 100_000
