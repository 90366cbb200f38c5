"""Conditional closes at the Kraken simulator, by the parameter that ccxt's own class has for them."""

from typing import Any

import pytest

from tests.contract.rehearsal import bench
from tests.contract.rehearsal.test_kraken import BTC, SYMBOL, kraken

STOP = {"close": {"ordertype": "stop-loss", "price": "57000"}}


def move(venue: Any, bid: str, ask: str, size: str = "5") -> None:
    """The market stands here."""
    venue.tape.play(bench.quote(BTC, bid, ask, size))


async def closes(exchange: Any, entry: Any) -> list[Any]:
    """Open orders that came of an entry."""
    found = await exchange.fetch_open_orders(SYMBOL)
    return [item for item in found if item["info"]["refid"] == entry["id"]]


async def test_every_fill_of_an_order_places_a_close_of_its_own_size() -> None:
    async with kraken() as (venue, exchange):
        entry = await exchange.create_order(SYMBOL, "limit", "buy", 1, 59000, STOP)
        assert entry["info"]["descr"]["close"] == "close position @ stop loss 57000.0"
        assert await closes(exchange, entry) == []
        move(venue, "58000.0", "58900.0", "0.4")
        move(venue, "58000.0", "58900.0", "0.25")
        found = await closes(exchange, entry)
        assert sorted(item["amount"] for item in found) == [0.25, 0.4]
        assert not any("cl_ord_id" in item["info"] for item in found)
        assert {(item["side"], item["stopPrice"]) for item in found} == {("sell", 57000)}


async def test_closes_stay_when_their_order_is_cancelled_and_sell_each_for_itself() -> None:
    async with kraken() as (venue, exchange):
        entry = await exchange.create_order(SYMBOL, "limit", "buy", 1, 59000, STOP)
        move(venue, "58000.0", "58900.0", "0.4")
        move(venue, "58000.0", "58900.0", "0.25")
        await exchange.cancel_order(entry["id"], SYMBOL)
        assert len(await closes(exchange, entry)) == 2
        move(venue, "56000.0", "56000.1")
        assert await closes(exchange, entry) == []
        assert venue.engine.account.balances["BTC"] == 1


async def test_a_close_outlives_the_position_it_was_to_close() -> None:
    async with kraken() as (venue, exchange):
        entry = await exchange.create_order(SYMBOL, "limit", "buy", 0.5, 59000, STOP)
        move(venue, "58000.0", "58900.0")
        await exchange.create_order(SYMBOL, "market", "sell", 0.5)
        move(venue, "56000.0", "56000.1")
        assert await closes(exchange, entry) == []
        assert venue.engine.account.balances["BTC"] == bench.D("0.5")


async def test_a_close_with_a_limit_and_one_that_gains_are_told_as_they_are() -> None:
    async with kraken() as (venue, exchange):
        for kind, price in (("stop-loss-limit", "57000"), ("take-profit", "65000")):
            close = {"ordertype": kind, "price": price, "price2": "56900"}
            entry = await exchange.create_order(SYMBOL, "limit", "buy", 0.1, 59000, {"close": close})
            move(venue, "58000.0", "58900.0")
            (found,) = await closes(exchange, entry)
            assert found["info"]["descr"]["ordertype"] == kind


async def test_a_fill_below_the_minimum_of_the_pair_has_no_close() -> None:
    async with kraken() as (venue, exchange):
        entry = await exchange.create_order(SYMBOL, "limit", "buy", 1, 59000, STOP)
        move(venue, "58000.0", "58900.0", "0.00004")
        assert venue.engine.account.balances["BTC"] > 1
        assert await closes(exchange, entry) == []


@pytest.mark.parametrize(
    "close",
    [
        {"ordertype": "trailing-stop", "price": "100"},
        {"ordertype": "market"},
        {"ordertype": "stop-loss"},
        {"ordertype": "stop-loss-limit", "price": "57000"},
    ],
)
async def test_a_close_that_makes_no_sense_is_refused_with_its_order(close: dict[str, str]) -> None:
    async with kraken() as (venue, exchange):
        with pytest.raises(bench.ccxt.BaseError, match="Invalid arguments"):
            await exchange.create_order(SYMBOL, "limit", "buy", 1, 59000, {"close": close})
        assert not venue.engine.orders
