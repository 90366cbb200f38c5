"""The Binance spot simulator against ccxt's own classes, unmodified, with their URLs turned to it."""

import asyncio
import contextlib
import hashlib
import hmac
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import aiohttp
import pytest

from neuratrade.rehearsal.binance_spot import KEY, SECRET, BinanceSpotSimulator
from neuratrade.rehearsal.faults import Act, Fault, FaultKind
from neuratrade.rehearsal.orders import Status
from tests.contract.rehearsal.binance_world import D, binance, move
from tests.contract.rehearsal.ccxt_client import client

SYMBOL = "BTC/USDT"
SPOT_ONLY: dict[str, Any] = {"options": {"fetchMarkets": {"types": ["spot"]}}}


@contextlib.asynccontextmanager
async def traded(**world: Any) -> AsyncIterator[tuple[BinanceSpotSimulator, Any]]:
    """The simulator and a REST client that knows its markets."""
    async with binance(**world) as simulator, client(simulator, "binance", **SPOT_ONLY) as exchange:
        await exchange.load_markets()
        yield simulator, exchange


@contextlib.asynccontextmanager
async def streamed() -> AsyncIterator[tuple[BinanceSpotSimulator, Any]]:
    """The simulator and a streaming client that knows its markets."""
    async with binance() as simulator, client(simulator, "binance", streams=True, **SPOT_ONLY) as exchange:
        await exchange.load_markets()
        yield simulator, exchange


async def test_a_client_reads_the_grid_and_the_minimums_from_its_markets() -> None:
    async with traded() as (_, exchange):
        market = exchange.markets[SYMBOL]
        assert market["precision"]["price"] == 0.01
        assert market["precision"]["amount"] == 0.00001
        assert market["limits"]["cost"]["min"] == 5
        assert market["spot"]
        assert market["active"]


async def test_a_market_order_walks_the_book_and_tells_each_execution() -> None:
    async with traded() as (simulator, exchange):
        move(simulator, "100", "0.5")
        order = await exchange.create_order(SYMBOL, "market", "buy", 1.2, None, {"clientOrderId": "m1"})
        assert (order["status"], order["filled"], order["clientOrderId"]) == ("closed", 1.2, "m1")
        assert [float(fill["qty"]) for fill in order["info"]["fills"]] == [0.5, 0.5, 0.2]
        assert order["fees"] == [{"cost": 0.0012, "currency": "BTC"}]


async def test_what_a_market_order_finds_nobody_for_expires() -> None:
    async with traded() as (simulator, exchange):
        move(simulator, "100", "0.1")
        order = await exchange.create_order(SYMBOL, "market", "buy", 1.2, None, {"clientOrderId": "m1"})
        assert (order["status"], order["filled"]) == ("expired", 0.5)


async def test_a_limit_order_rests_is_filled_in_parts_and_is_found_by_its_client_id() -> None:
    async with traded() as (simulator, exchange):
        order = await exchange.create_order(SYMBOL, "limit", "buy", 2, 99, {"clientOrderId": "l1"})
        assert order["status"] == "open"
        move(simulator, "98.99", "0.7")
        found = await exchange.fetch_order("", SYMBOL, {"clientOrderId": "l1"})
        assert (found["status"], found["filled"], found["remaining"]) == ("open", 0.7, 1.3)
        assert [item["id"] for item in await exchange.fetch_open_orders(SYMBOL)] == [order["id"]]
        trades = await exchange.fetch_my_trades(SYMBOL)
        assert [(item["order"], item["amount"], item["price"]) for item in trades] == [
            (order["id"], 0.7, 99.0)
        ]
        assert trades[0]["takerOrMaker"] == "maker"


async def test_an_order_that_may_not_rest_expires() -> None:
    async with traded() as (_, exchange):
        order = await exchange.create_order(
            SYMBOL, "limit", "buy", 1, 99, {"clientOrderId": "i1", "timeInForce": "IOC"}
        )
        assert (order["status"], order["filled"]) == ("expired", 0)


@pytest.mark.parametrize(("kind", "limit"), [("market", None), ("limit", 94.5)])
async def test_a_stop_rests_apart_from_the_book_until_its_price_is_reached(
    kind: str, limit: float | None
) -> None:
    async with traded() as (simulator, exchange):
        asked = {"clientOrderId": "s1", "stopLossPrice": 95}
        order = await exchange.create_order(SYMBOL, kind, "sell", 0.5, limit, asked)
        listed = (await exchange.fetch_open_orders(SYMBOL))[0]
        assert (listed["id"], listed["triggerPrice"]) == (order["id"], 95)
        assert listed["info"]["isWorking"] is False
        move(simulator, "95")
        found = await exchange.fetch_order(order["id"], SYMBOL)
        assert (found["status"], found["filled"]) == ("closed", 0.5)


async def test_a_cancel_says_what_was_filled_before() -> None:
    async with traded() as (simulator, exchange):
        order = await exchange.create_order(SYMBOL, "limit", "buy", 2, 99, {"clientOrderId": "l1"})
        move(simulator, "98.99", "0.7")
        gone = await exchange.cancel_order("", SYMBOL, {"clientOrderId": "l1"})
        assert (gone["id"], gone["status"], gone["filled"]) == (order["id"], "canceled", 0.7)
        assert await exchange.fetch_open_orders(SYMBOL) == []


async def test_open_orders_lock_what_they_would_spend() -> None:
    async with traded() as (_, exchange):
        await exchange.create_order(SYMBOL, "limit", "sell", 0.4, 110, {"clientOrderId": "l1"})
        balance = await exchange.fetch_balance()
        assert (balance["BTC"]["free"], balance["BTC"]["used"], balance["BTC"]["total"]) == (0.6, 0.4, 1)


async def test_an_id_may_be_used_again_once_its_order_is_over_as_at_the_venue() -> None:
    async with traded() as (simulator, exchange):
        for _ in range(2):
            await exchange.create_order(SYMBOL, "market", "buy", 0.1, None, {"clientOrderId": "again"})
        assert len(simulator.engine.orders) == 2


async def rest(exchange: Any) -> None:
    await exchange.create_order(SYMBOL, "limit", "buy", 1, 90, {"clientOrderId": "taken"})


REFUSED: list[tuple[str, str, Callable[[Any], Any]]] = [
    (
        "InvalidOrder",
        "Duplicate order sent.",
        lambda x: x.create_order(SYMBOL, "limit", "buy", 1, 90, {"clientOrderId": "taken"}),
    ),
    (
        "InsufficientFunds",
        "insufficient balance",
        lambda x: x.create_order(SYMBOL, "limit", "sell", 2, 110, {"clientOrderId": "a"}),
    ),
    (
        "OrderImmediatelyFillable",
        "would trigger",
        lambda x: x.create_order(
            SYMBOL, "market", "sell", 1, None, {"clientOrderId": "a", "stopLossPrice": 101}
        ),
    ),
    ("InvalidOrder", "LOT_SIZE", lambda x: x.private_post_order(plain(quantity="0.000011"))),
    ("InvalidOrder", "PRICE_FILTER", lambda x: x.private_post_order(plain(price="99.001"))),
    ("BadRequest", "NOTIONAL", lambda x: x.private_post_order(plain(quantity="0.00001"))),
    ("BadRequest", "-1111", lambda x: x.private_post_order(plain(quantity="1.123456789"))),
    ("BadRequest", "-1100", lambda x: x.private_post_order(plain(quantity="1e-3"))),
    ("BadRequest", "-1102", lambda x: x.private_post_order(plain(price=""))),
    ("BadRequest", "-1116", lambda x: x.private_post_order(plain(type="HOPE"))),
    ("BadRequest", "-1106", lambda x: x.private_post_order(plain(type="MARKET"))),
    ("BadSymbol", "-1121", lambda x: x.private_post_order(plain(symbol="NOPE"))),
    ("OrderNotFound", "-2013", lambda x: x.fetch_order("", SYMBOL, {"clientOrderId": "nobody"})),
    ("OrderNotFound", "-2011", lambda x: x.cancel_order("", SYMBOL, {"clientOrderId": "nobody"})),
]


def plain(**changed: str) -> dict[str, str]:
    """A limit order in the venue's own words."""
    asked = {
        "symbol": "BTCUSDT",
        "side": "BUY",
        "type": "LIMIT",
        "timeInForce": "GTC",
        "quantity": "1",
        "price": "90",
        "newClientOrderId": "p1",
    }
    return asked | changed


@pytest.mark.parametrize(("kind", "words", "ask"), REFUSED, ids=[f"{k}-{w}" for k, w, _ in REFUSED])
async def test_what_the_venue_refuses_is_refused_in_its_words(
    kind: str, words: str, ask: Callable[[Any], Any]
) -> None:
    async with traded() as (simulator, exchange):
        await rest(exchange)
        with pytest.raises(Exception, match=words) as refused:
            await ask(exchange)
        assert type(refused.value).__name__ == kind
        assert len(simulator.engine.orders) == 1


@pytest.mark.parametrize(
    ("config", "kind", "code"),
    [
        ({"secret": "wrong"}, "AuthenticationError", "-1022"),
        ({"apiKey": "wrong"}, "AuthenticationError", "-2015"),
    ],
)
async def test_a_request_that_is_not_ours_is_turned_away(
    config: dict[str, Any], kind: str, code: str
) -> None:
    async with binance() as simulator, client(simulator, "binance", **SPOT_ONLY, **config) as exchange:
        exchange.options["fetchCurrencies"] = exchange.options["fetchMargins"] = False
        with pytest.raises(Exception, match=code) as refused:
            await exchange.fetch_balance()
        assert type(refused.value).__name__ == kind


@pytest.mark.parametrize(
    ("off_ms", "words"), [(-11_000, "outside of the recvWindow"), (2_000, "ahead of the")]
)
async def test_a_clock_that_is_off_is_refused_and_nothing_is_placed(off_ms: int, words: str) -> None:
    async with traded() as (simulator, exchange):
        exchange.options["timeDifference"] = -off_ms
        with pytest.raises(Exception, match=words) as refused:
            await rest(exchange)
        assert type(refused.value).__name__ == "InvalidNonce"
        assert not simulator.engine.orders


async def test_weight_is_counted_then_refused_then_banned() -> None:
    async with traded() as (simulator, exchange):
        await exchange.fetch_balance()
        used = int(exchange.last_response_headers["X-MBX-USED-WEIGHT-1M"])
        assert used >= 40
        simulator.door.weight_limit = used + 10
        with pytest.raises(Exception, match="429") as refused:
            await exchange.fetch_balance()
        assert type(refused.value).__name__ == "DDoSProtection"
        assert exchange.last_response_headers["Retry-After"] == "5"
        answers = [await words_of(exchange.fetch_balance()) for _ in range(10)]
        assert "418" in answers[-1]
        assert int(exchange.last_response_headers["Retry-After"]) > 5


async def words_of(asked: Coroutine[Any, Any, Any]) -> str:
    """Why something was refused, empty where it was not."""
    try:
        await asked
    except Exception as error:  # noqa: BLE001 - classes of ccxt cannot be named without importing all of it
        return str(error)
    return ""


async def test_too_many_orders_in_ten_seconds_are_refused() -> None:
    async with traded() as (simulator, exchange):
        simulator.door.order_limit = 1
        await rest(exchange)
        with pytest.raises(Exception, match="-1015"):
            await exchange.create_order(SYMBOL, "limit", "buy", 1, 91, {"clientOrderId": "b"})
        assert len(simulator.engine.orders) == 1


@pytest.mark.parametrize(
    ("fault", "kind", "placed"),
    [
        (FaultKind.SERVER_ERROR, "RequestTimeout", 0),
        (FaultKind.SERVER_ERROR_AFTER, "RequestTimeout", 1),
        (FaultKind.RATE_LIMITED, "DDoSProtection", 0),
        (FaultKind.RATE_LIMITED_AFTER, "DDoSProtection", 1),
        (FaultKind.CUT, "ExchangeNotAvailable", 0),
        (FaultKind.CUT_AFTER, "ExchangeNotAvailable", 1),
    ],
)
async def test_an_answer_that_proves_nothing_is_one_a_client_cannot_read_the_outcome_from(
    fault: FaultKind, kind: str, placed: int
) -> None:
    async with traded(plan=[Fault(0.0, fault, on=Act.SUBMIT)]) as (simulator, exchange):
        with pytest.raises(Exception, match="binance") as doubtful:
            await rest(exchange)
        assert type(doubtful.value).__name__ == kind
        assert len(simulator.engine.orders) == placed


async def test_the_user_stream_tells_orders_and_trades() -> None:
    async with streamed() as (simulator, exchange):
        await exchange.authenticate({"type": "spot"})
        orders = asyncio.create_task(exchange.watch_orders(SYMBOL))
        trades = asyncio.create_task(exchange.watch_my_trades(SYMBOL))
        await asyncio.sleep(0)
        placed = await exchange.create_order(SYMBOL, "limit", "buy", 2, 99, {"clientOrderId": "w1"})
        told = (await asyncio.wait_for(orders, 5))[-1]
        assert (told["id"], told["status"], told["clientOrderId"]) == (placed["id"], "open", "w1")
        move(simulator, "98.99", "0.7")
        trade = (await asyncio.wait_for(trades, 5))[-1]
        assert (trade["order"], trade["amount"], trade["price"]) == (placed["id"], 0.7, 99.0)
        listed = await exchange.fetch_my_trades(SYMBOL)
        assert trade["id"] == listed[-1]["id"]


async def test_a_cancel_is_told_under_the_id_of_its_order() -> None:
    async with streamed() as (_, exchange):
        await exchange.create_order(SYMBOL, "limit", "buy", 2, 99, {"clientOrderId": "w1"})
        await exchange.authenticate({"type": "spot"})
        orders = asyncio.create_task(exchange.watch_orders(SYMBOL))
        await asyncio.sleep(0)
        await exchange.cancel_order("", SYMBOL, {"clientOrderId": "w1"})
        told = (await asyncio.wait_for(orders, 5))[-1]
        assert (told["clientOrderId"], told["status"]) == ("w1", "canceled")


@contextlib.asynccontextmanager
async def user_socket(simulator: BinanceSpotSimulator) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    """A bare connection to the WebSocket API."""
    url = f"{simulator.ws_base}/ws-api/v3"
    async with aiohttp.ClientSession() as session, session.ws_connect(url) as socket:
        yield socket


async def test_a_stream_asked_for_with_a_wrong_signature_is_refused_and_tells_nothing() -> None:
    async with traded() as (simulator, exchange), user_socket(simulator) as socket:
        told = {"apiKey": KEY, "timestamp": time.time_ns() // 1_000_000, "signature": "0" * 64}
        await socket.send_json({"id": "1", "method": "userDataStream.subscribe.signature", "params": told})
        answer = await socket.receive_json()
        assert (answer["id"], answer["status"], answer["error"]["code"]) == ("1", 400, -1022)
        await rest(exchange)
        await socket.send_json({"id": "2", "method": "ping"})
        assert (await socket.receive_json()) == {"id": "2", "status": 200, "result": {}}


async def test_a_mirror_of_the_book_follows_its_differences() -> None:
    async with streamed() as (simulator, exchange):
        book = await asyncio.wait_for(mirrored(exchange, simulator, "100"), 5)
        for price in ("101", "100.5", "102"):
            move(simulator, price)
            async with asyncio.timeout(5):
                while book["bids"][0][0] != float(price):
                    book = await exchange.watch_order_book(SYMBOL)
            assert len(book["bids"]) == len(book["asks"]) == 5


async def mirrored(exchange: Any, simulator: BinanceSpotSimulator, price: str) -> Any:
    """A book that stands: the venue tells of it only when it moves."""
    waiting = asyncio.create_task(exchange.watch_order_book(SYMBOL))
    while not waiting.done():
        await asyncio.sleep(0.02)
        move(simulator, price, "9")
        move(simulator, price)
    return waiting.result()


async def test_public_trades_and_minutes_are_told() -> None:
    async with streamed() as (simulator, exchange):
        trades = asyncio.create_task(exchange.watch_trades(SYMBOL))
        bars = asyncio.create_task(exchange.watch_ohlcv(SYMBOL, "1m"))
        while not (trades.done() and bars.done()):
            await asyncio.sleep(0.02)
            move(simulator, "101")
            number = str(time.monotonic_ns())
            await exchange.create_order(SYMBOL, "market", "buy", 0.1, None, {"clientOrderId": number})
        assert trades.result()[-1]["price"] == 101.01
        assert bars.result()[-1][2] >= 101
        listed = await exchange.fetch_ohlcv(SYMBOL, "1m")
        assert listed[-1][2] >= 101


async def test_what_a_key_may_do_can_be_asked() -> None:
    async with traded() as (_, exchange):
        told = await exchange.sapi_get_account_apirestrictions()
        assert (told["enableWithdrawals"], told["enableSpotAndMarginTrading"]) == (False, True)


async def test_a_signature_covers_every_byte_of_the_request() -> None:
    async with binance() as simulator, aiohttp.ClientSession() as session:
        payload = f"symbol=BTCUSDT&timestamp={time.time_ns() // 1_000_000}"
        signature = hmac.new(SECRET.encode(), payload.encode(), hashlib.sha256).hexdigest()
        url = f"{simulator.base}/api/v3/openOrders"
        headers = {"X-MBX-APIKEY": KEY}
        async with session.get(f"{url}?{payload}&signature={signature}", headers=headers) as answer:
            assert answer.status == 200
        changed = payload.replace("timestamp", "recvWindow=9&timestamp")
        async with session.get(f"{url}?{changed}&signature={signature}", headers=headers) as answer:
            assert (answer.status, (await answer.json())["code"]) == (400, -1022)


async def test_only_so_many_stops_may_wait_at_one_market() -> None:
    async with traded() as (simulator, exchange):
        for number in range(5):
            asked = {"clientOrderId": f"s{number}", "stopLossPrice": 90}
            await exchange.create_order(SYMBOL, "market", "sell", 0.1, None, asked)
        one_more = {"clientOrderId": "more", "stopLossPrice": 90}
        with pytest.raises(Exception, match="MAX_NUM_ALGO_ORDERS"):
            await exchange.create_order(SYMBOL, "market", "sell", 0.1, None, one_more)
        assert len(simulator.engine.orders) == 5


async def test_books_add_up_to_the_last_digit_the_venue_shows() -> None:
    async with traded(balances={"USDT": D("1000.12345678"), "BTC": D(0)}) as (simulator, exchange):
        move(simulator, "97.13", "0.07777")
        await exchange.create_order(SYMBOL, "market", "buy", 0.33333, None, {"clientOrderId": "b"})
        move(simulator, "101.37", "0.01111")
        await exchange.create_order(SYMBOL, "market", "sell", 0.05555, None, {"clientOrderId": "s"})
        told = {
            item["asset"]: D(item["free"]) for item in (await exchange.fetch_balance())["info"]["balances"]
        }
        trades = [item["info"] for item in await exchange.fetch_my_trades(SYMBOL)]
        money = D("1000.12345678")
        for item in trades:
            fee = D(item["commission"]) if item["commissionAsset"] == "USDT" else D(0)
            money += D(item["quoteQty"]) * (-1 if item["isBuyer"] else 1) - fee
        assert told["USDT"] == money
        assert all(order.status is not Status.OPEN for order in simulator.engine.orders.values())
