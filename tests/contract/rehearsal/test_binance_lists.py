"""Order lists of the Binance spot simulator against ccxt's own class, by endpoints it does not unify."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import msgspec
import pytest

from neuratrade.rehearsal.binance_spot import KEY, SECRET, BinanceSpotSimulator
from neuratrade.rehearsal.binance_spot_door import encode
from neuratrade.rehearsal.orders import Status
from tests.contract.rehearsal.binance_world import D, binance, move
from tests.contract.rehearsal.ccxt_client import client

SPOT_ONLY: dict[str, Any] = {"options": {"fetchMarkets": {"types": ["spot"]}}}
SYMBOL = "BTC/USDT"
OCO = {
    "symbol": "BTCUSDT", "side": "SELL", "quantity": "0.5", "listClientOrderId": "pair",
    "aboveType": "LIMIT_MAKER", "abovePrice": "110", "aboveClientOrderId": "target",
    "belowType": "STOP_LOSS", "belowStopPrice": "95", "belowClientOrderId": "stop",
}  # fmt: skip
WORKING = {
    "symbol": "BTCUSDT", "listClientOrderId": "bracket", "workingType": "LIMIT", "workingSide": "BUY",
    "workingPrice": "99", "workingQuantity": "0.5", "workingTimeInForce": "GTC",
    "workingClientOrderId": "entry", "pendingSide": "SELL",
}  # fmt: skip
OTO = WORKING | {
    "pendingType": "STOP_LOSS", "pendingStopPrice": "95", "pendingQuantity": "0.4995",
    "pendingClientOrderId": "stop",
}  # fmt: skip
OTOCO = WORKING | {
    "pendingQuantity": "0.4995",
    "pendingAboveType": "LIMIT_MAKER", "pendingAbovePrice": "110", "pendingAboveClientOrderId": "target",
    "pendingBelowType": "STOP_LOSS_LIMIT", "pendingBelowStopPrice": "95", "pendingBelowPrice": "94",
    "pendingBelowTimeInForce": "GTC", "pendingBelowClientOrderId": "stop",
}  # fmt: skip


@asynccontextmanager
async def traded(**world: Any) -> AsyncIterator[tuple[BinanceSpotSimulator, Any]]:
    """The simulator and a client that knows its markets."""
    async with binance(**world) as simulator, client(simulator, "binance", **SPOT_ONLY) as exchange:
        await exchange.load_markets()
        yield simulator, exchange


async def statuses(exchange: Any, *names: str) -> list[str]:
    """What the venue says of orders, by the ids their owner gave them."""
    found = [
        await exchange.fetch_order("", SYMBOL, {"clientOrderId": name, "origClientOrderId": name})
        for name in names
    ]
    return [item["info"]["status"] for item in found]


async def test_a_pair_for_a_position_is_a_list_of_two_and_holds_its_coins_once() -> None:
    async with traded() as (_, exchange):
        made = await exchange.private_post_orderlist_oco(OCO | {"quantity": "1"})
        assert (made["contingencyType"], made["listOrderStatus"]) == ("OCO", "EXECUTING")
        kinds = [(item["type"], item["status"], item["side"]) for item in made["orderReports"]]
        assert kinds == [("LIMIT_MAKER", "NEW", "SELL"), ("STOP_LOSS", "NEW", "SELL")]
        assert (await exchange.fetch_balance())["BTC"] == {"free": 0.0, "used": 1.0, "total": 1.0}
        found = await exchange.private_get_orderlist({"origClientOrderId": "pair"})
        assert [item["clientOrderId"] for item in found["orders"]] == ["target", "stop"]
        lists = {item["info"]["orderListId"] for item in await exchange.fetch_open_orders(SYMBOL)}
        assert lists == {made["orderListId"]}


async def test_the_first_part_of_a_target_ends_the_stop_of_its_pair() -> None:
    async with traded() as (simulator, exchange):
        await exchange.private_post_orderlist_oco(OCO)
        move(simulator, "110", "0.2")
        assert await statuses(exchange, "target", "stop") == ["PARTIALLY_FILLED", "EXPIRED"]
        found = await exchange.private_get_orderlist({"origClientOrderId": "pair"})
        assert found["listStatusType"] == "EXEC_STARTED"


async def test_a_stop_that_is_reached_ends_the_target_of_its_pair_and_with_it_the_list() -> None:
    async with traded() as (simulator, exchange):
        await exchange.private_post_orderlist_oco(OCO)
        move(simulator, "94")
        assert await statuses(exchange, "target", "stop") == ["EXPIRED", "FILLED"]
        found = await exchange.private_get_orderlist({"origClientOrderId": "pair"})
        assert (found["listStatusType"], found["listOrderStatus"]) == ("ALL_DONE", "ALL_DONE")
        assert await exchange.private_get_openorderlist() == []
        assert len(await exchange.private_get_allorderlist()) == 1


@pytest.mark.parametrize(
    ("terms", "words"),
    [
        ({"abovePrice": "99"}, "relationship of the prices"),
        ({"belowStopPrice": "101"}, "relationship of the prices"),
        ({"quantity": "2"}, "insufficient balance"),
        ({"belowType": "TAKE_PROFIT"}, "At least one OCO order must be contingent"),
        ({"aboveType": "MARKET"}, "Order type not supported in OCO"),
        ({"aboveTrailingDelta": "100"}, "sent when not required"),
    ],
)
async def test_a_pair_that_makes_no_sense_is_refused_whole(terms: dict[str, str], words: str) -> None:
    async with traded() as (simulator, exchange):
        with pytest.raises(Exception, match=words):
            await exchange.private_post_orderlist_oco(OCO | terms)
        assert not simulator.engine.open_orders()
        assert await exchange.private_get_allorderlist() == []


@pytest.mark.parametrize(("form", "legs"), [("oto", ["stop"]), ("otoco", ["target", "stop"])])
async def test_pending_orders_are_placed_once_the_working_order_is_filled_whole(
    form: str, legs: list[str]
) -> None:
    async with traded() as (simulator, exchange):
        place = getattr(exchange, f"private_post_orderlist_{form}")
        made = await place(OTO if form == "oto" else OTOCO)
        assert made["contingencyType"] == "OTO"
        assert [item["status"] for item in made["orderReports"]] == ["NEW", *["PENDING_NEW"] * len(legs)]
        move(simulator, "98.99", "0.3")
        assert await statuses(exchange, "entry", *legs) == ["PARTIALLY_FILLED", *["PENDING_NEW"] * len(legs)]
        move(simulator, "98.99", "0.2")
        assert await statuses(exchange, "entry", *legs) == ["FILLED", *["NEW"] * len(legs)]


async def test_a_working_order_that_is_filled_at_once_is_answered_with_pending_orders_still_pending() -> None:
    async with traded() as (_, exchange):
        made = await exchange.private_post_orderlist_otoco(OTOCO | {"workingPrice": "100.01"})
        assert [item["status"] for item in made["orderReports"]] == ["FILLED", "PENDING_NEW", "PENDING_NEW"]
        assert await statuses(exchange, "target", "stop") == ["NEW", "NEW"]


@pytest.mark.parametrize("ended", ["entry", "stop"])
async def test_the_end_of_one_order_of_a_list_is_the_end_of_all(ended: str) -> None:
    async with traded() as (simulator, exchange):
        await exchange.private_post_orderlist_otoco(OTOCO)
        move(simulator, "98.99", "0.3")
        await exchange.cancel_order("", SYMBOL, {"clientOrderId": ended, "origClientOrderId": ended})
        assert await statuses(exchange, "entry", "target", "stop") == ["CANCELED"] * 3
        assert simulator.engine.account.balances["BTC"] == D("1.3") - D("0.0003")


async def test_a_list_is_cancelled_by_its_id() -> None:
    async with traded() as (_, exchange):
        await exchange.private_post_orderlist_oco(OCO)
        asked = {"symbol": "BTCUSDT", "listClientOrderId": "pair"}
        ended = await exchange.private_delete_orderlist(asked)
        assert ended["listStatusType"] == "ALL_DONE"
        assert [item["origClientOrderId"] for item in ended["orderReports"]] == ["target", "stop"]
        assert await statuses(exchange, "target", "stop") == ["CANCELED", "CANCELED"]
        with pytest.raises(Exception, match="Unknown order"):
            await exchange.private_delete_orderlist(asked)


async def test_a_pending_pair_larger_than_what_was_received_expires_and_leaves_nothing() -> None:
    async with traded(balances={"USDT": D(1000)}) as (simulator, exchange):
        await exchange.private_post_orderlist_otoco(OTOCO | {"pendingQuantity": "0.5"})
        move(simulator, "98.99", "0.5")
        assert await statuses(exchange, "entry", "target", "stop") == ["FILLED", "EXPIRED", "EXPIRED"]
        assert simulator.engine.open_orders() == []


async def test_an_id_of_an_open_list_is_not_taken_twice() -> None:
    async with traded() as (_, exchange):
        await exchange.private_post_orderlist_otoco(OTOCO)
        with pytest.raises(Exception, match="Duplicate order"):
            await exchange.private_post_orderlist_oco(OCO | {"listClientOrderId": "bracket"})
        with pytest.raises(Exception, match="Duplicate order"):
            await exchange.private_post_orderlist_oto(
                OTO | {"listClientOrderId": "b", "workingClientOrderId": "e"}
            )


async def test_the_stream_tells_of_a_list_and_why_an_order_of_it_expired() -> None:
    async with traded() as (simulator, exchange), aiohttp.ClientSession() as session:
        async with session.ws_connect(f"ws://127.0.0.1:{simulator.port}/ws-api/v3") as socket:
            stamp = str(exchange.milliseconds())
            payload = f"apiKey={KEY}&timestamp={stamp}"
            signature = exchange.hmac(payload.encode(), SECRET.encode(), hashlib.sha256)
            asked = {"apiKey": KEY, "timestamp": stamp, "signature": signature}
            await socket.send_str(
                encode({"id": 1, "method": "userDataStream.subscribe.signature", "params": asked})
            )
            assert (await socket.receive_json())["status"] == 200
            await exchange.private_post_orderlist_otoco(OTOCO)
            move(simulator, "98.99", "0.5")
            move(simulator, "110", "0.2")
            await exchange.cancel_order(
                "", SYMBOL, {"clientOrderId": "target", "origClientOrderId": "target"}
            )
            told: list[dict[str, Any]] = []
            while not told or told[-1].get("l") != "ALL_DONE":
                frame = await asyncio.wait_for(socket.receive_str(), 5)
                told.append(msgspec.json.decode(frame)["event"])
        lists = [
            (item["l"], item["L"], item["c"], len(item["O"])) for item in told if item["e"] == "listStatus"
        ]
        running = ("EXEC_STARTED", "EXECUTING", "OTO", 3)
        assert lists == [running, running, ("ALL_DONE", "ALL_DONE", "OTO", 3)]
        reports = [item for item in told if item["e"] == "executionReport"]
        assert len({item["g"] for item in reports}) == 1
        assert {item["g"] for item in reports} != {-1}
        stop = [(item["x"], item["X"], item.get("eR")) for item in reports if item["c"] == "stop"]
        assert stop == [
            ("NEW", "PENDING_NEW", None), ("NEW", "NEW", None), ("EXPIRED", "EXPIRED", "OCO_TRIGGER"),
        ]  # fmt: skip
        assert all(order.status is not Status.HELD for order in simulator.engine.orders.values())
