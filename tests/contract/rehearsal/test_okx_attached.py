"""Stops and targets attached to orders at the OKX simulator, by unified parameters of ccxt's own class."""

import asyncio
from typing import Any

import pytest

from tests.contract.rehearsal import bench
from tests.contract.rehearsal.test_okx import SPOT, venue_of

LEGS = {"stopLoss": {"triggerPrice": 57000}, "takeProfit": {"triggerPrice": 65000}}
STOP = {"stopLoss": {"triggerPrice": 57000, "price": 56900}}
KINDS = ("conditional", "oco")


def move(venue: Any, bid: str, ask: str, size: str = "5") -> None:
    """The market stands here."""
    venue.tape.play(bench.quote(SPOT, bid, ask, size))


async def algos(exchange: Any, kind: str) -> list[Any]:
    """Algo orders that wait, as they are told."""
    found = await exchange.fetch_open_orders("BTC/USDT", None, None, {"ordType": kind, "trigger": True})
    return [item["info"] for item in found]


async def test_nothing_waits_for_a_part_of_an_order_while_the_rest_of_it_rests() -> None:
    async with venue_of() as (venue, exchange):
        order = await exchange.create_order("BTC/USDT", "limit", "buy", 1, 59000, LEGS)
        move(venue, "58000.0", "58900.0", "0.4")
        found = await exchange.fetch_order(order["id"], "BTC/USDT")
        assert (found["filled"], found["stopLossPrice"], found["takeProfitPrice"]) == (0.4, 57000, 65000)
        assert [await algos(exchange, kind) for kind in KINDS] == [[], []]


async def test_both_are_one_algo_order_for_all_of_it_once_it_is_filled_whole() -> None:
    async with venue_of() as (venue, exchange):
        await exchange.create_order("BTC/USDT", "limit", "buy", 1, 59000, LEGS)
        move(venue, "58000.0", "58900.0")
        (row,) = await algos(exchange, "oco")
        assert (row["sz"], row["slTriggerPx"], row["tpTriggerPx"], row["state"]) == (
            "1",
            "57000",
            "65000",
            "live",
        )


async def test_once_the_rest_is_cancelled_both_wait_for_what_was_filled() -> None:
    async with venue_of() as (venue, exchange):
        order = await exchange.create_order("BTC/USDT", "limit", "buy", 1, 59000, LEGS)
        move(venue, "58000.0", "58900.0", "0.4")
        await exchange.cancel_order(order["id"], "BTC/USDT")
        (row,) = await algos(exchange, "oco")
        assert float(row["sz"]) == 0.4


async def test_an_order_that_ends_unfilled_leaves_no_algo_order() -> None:
    async with venue_of() as (_, exchange):
        order = await exchange.create_order("BTC/USDT", "limit", "buy", 1, 59000, LEGS)
        await exchange.cancel_order(order["id"], "BTC/USDT")
        asked = {"ordType": "oco", "state": "canceled"}
        assert (await exchange.private_get_trade_orders_algo_history(asked))["data"] == []


@pytest.mark.parametrize(("bid", "side"), [("56000.0", "sl"), ("65500.0", "tp")])
async def test_whichever_is_reached_sells_and_the_other_is_gone(bid: str, side: str) -> None:
    async with venue_of() as (venue, exchange):
        await exchange.create_order("BTC/USDT", "limit", "buy", 0.5, 59000, LEGS)
        move(venue, "58000.0", "58900.0")
        (waiting,) = await algos(exchange, "oco")
        move(venue, bid, str(float(bid) + 0.1))
        assert await algos(exchange, "oco") == []
        asked = {"ordType": "oco", "state": "effective"}
        (row,) = (await exchange.private_get_trade_orders_algo_history(asked))["data"]
        assert (row["algoId"], row["actualSide"], row["actualSz"]) == (waiting["algoId"], side, "0.5")
        sold = await exchange.fetch_order(row["ordId"], "BTC/USDT")
        assert (sold["side"], sold["filled"], sold["info"]["algoId"]) == ("sell", 0.5, row["algoId"])


async def test_a_stop_alone_is_a_conditional_order_that_can_be_cancelled() -> None:
    async with venue_of() as (venue, exchange):
        await exchange.create_order("BTC/USDT", "limit", "buy", 0.5, 59000, STOP)
        move(venue, "58000.0", "58900.0")
        (row,) = await algos(exchange, "conditional")
        assert (row["slTriggerPx"], row["slOrdPx"], row["tpTriggerPx"]) == ("57000", "56900", "")
        await exchange.cancel_order(row["algoId"], "BTC/USDT", {"trigger": True})
        assert await algos(exchange, "conditional") == []


async def test_a_stop_for_more_than_is_there_after_the_fee_fails_when_it_is_reached() -> None:
    async with venue_of() as (venue, exchange):
        venue.engine.account.balances["BTC"] = bench.D(0)
        await exchange.create_order("BTC/USDT", "limit", "buy", 0.5, 59000, STOP)
        move(venue, "58000.0", "58900.0")
        assert len(await algos(exchange, "conditional")) == 1
        move(venue, "56950.0", "56950.1")
        asked = {"ordType": "conditional", "state": "order_failed"}
        (row,) = (await exchange.private_get_trade_orders_algo_history(asked))["data"]
        assert (row["state"], row["failCode"], row["actualSz"]) == ("order_failed", "51008", "0")


async def test_a_stop_that_is_passed_by_the_time_it_is_placed_is_told_in_its_order() -> None:
    async with venue_of() as (venue, exchange):
        order = await exchange.create_order("BTC/USDT", "limit", "buy", 0.5, 59000, LEGS)
        move(venue, "56000.0", "56000.1")
        (row,) = (await exchange.fetch_order(order["id"], "BTC/USDT"))["info"]["attachAlgoOrds"]
        assert row["failCode"] == "51280"
        assert await algos(exchange, "oco") == []


async def test_the_stream_tells_of_the_algo_order_once() -> None:
    async with venue_of() as (venue, exchange):
        watched = asyncio.create_task(exchange.watch_orders("BTC/USDT", None, None, {"trigger": True}))
        await bench.asked_for(venue.streams.hub, "orders-algo SPOT")
        await exchange.create_order("BTC/USDT", "limit", "buy", 0.5, 59000, LEGS)
        move(venue, "58000.0", "58900.0")
        (told,) = await bench.soon(watched)
        assert (told["info"]["ordType"], told["info"]["sz"], told["status"]) == ("oco", "0.5", "open")


async def test_a_pair_for_a_position_is_one_algo_order_that_is_told_once_and_cancelled_whole() -> None:
    async with venue_of() as (venue, exchange):
        watched = asyncio.create_task(exchange.watch_orders("BTC/USDT", None, None, {"trigger": True}))
        await bench.asked_for(venue.streams.hub, "orders-algo SPOT")
        pair = {"stopLossPrice": 57000, "takeProfitPrice": 65000, "algoClOrdId": "pair1"}
        made = await exchange.create_order("BTC/USDT", "oco", "sell", 0.5, None, pair)
        (told,) = await bench.soon(watched)
        assert (told["id"], told["info"]["ordType"], told["info"]["tpTriggerPx"]) == (
            made["id"],
            "oco",
            "65000",
        )
        (row,) = await algos(exchange, "oco")
        assert (row["algoClOrdId"], row["slTriggerPx"], row["sz"]) == ("pair1", "57000", "0.5")
        await exchange.cancel_order(made["id"], "BTC/USDT", {"trigger": True})
        assert await algos(exchange, "oco") == []
        assert not venue.engine.open_orders()


async def test_the_target_of_a_pair_ends_its_stop_even_where_it_sells_a_part() -> None:
    async with venue_of() as (venue, exchange):
        pair = {"stopLossPrice": 57000, "takeProfitPrice": 65000}
        await exchange.create_order("BTC/USDT", "oco", "sell", 1, None, pair)
        move(venue, "65500.0", "65500.1", "0.1")
        assert venue.engine.account.balances["BTC"] == bench.D("0.5")
        assert not venue.engine.open_orders()


@pytest.mark.parametrize(
    "legs",
    [
        {"takeProfit": {"triggerPrice": 65000, "price": 65100}},
        {"stopLoss": {"triggerPrice": 57000, "triggerPriceType": "mark"}},
        {"attachAlgoOrds": [{}]},
        {"attachAlgoOrds": [{"slTriggerPx": "57000", "slOrdPx": "-1", "sz": "1"}]},
        {"attachAlgoOrds": [{"slTriggerPx": "57000", "slOrdPx": "-1"}] * 2},
    ],
)
async def test_what_is_not_played_of_attached_orders_is_refused(legs: dict[str, Any]) -> None:
    async with venue_of() as (venue, exchange):
        with pytest.raises(bench.ccxt.BaseError):
            await exchange.create_order("BTC/USDT", "limit", "buy", 0.5, 59000, legs)
        assert not venue.engine.orders
