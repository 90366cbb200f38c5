"""Binance USD-M futures on loopback, used by ccxt's own classes and held against recorded frames."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from neuratrade.core.model.market import Trade
from neuratrade.rehearsal.binance_usdm import RULES, BinanceUsdm
from neuratrade.rehearsal.faults import Act, Fault, FaultKind
from neuratrade.rehearsal.server import Credentials
from tests.contract.rehearsal import bench

D = Decimal
ccxt = bench.ccxt
PERP = bench.perpetual("binanceusdm", lot=D("0.001"), multiplier=D(1))
P = "BTC/USDT:USDT"
ID = "a1b2c3d4e5f60718293a4b5c6d7e8f{:02d}"


@asynccontextmanager
async def venue_of(
    *plan: Fault, credentials: Credentials = bench.CREDENTIALS, keys: dict[str, str] | None = None
) -> AsyncIterator[tuple[BinanceUsdm, Any]]:
    """A running venue with a market, and ccxt.pro's class led to it."""
    engine, troubles = bench.engine_of([PERP], {"USDT": "100000"}, RULES)
    if plan:
        troubles = bench.troubled(*plan)
    async with BinanceUsdm(engine, troubles, time.time_ns, credentials) as venue:
        venue.tape.play(bench.quote(PERP, "60000.0", "60000.1"))
        config = {
            "apiKey": bench.CREDENTIALS.key,
            "secret": bench.CREDENTIALS.secret,
            "enableRateLimit": False,
            "options": {"fetchCurrencies": False, "fetchOpenOrders": {"warnWithoutSymbol": False}},
        }
        client = bench.pro.binanceusdm(config | (keys or {}))
        client.has["fetchCurrencies"] = False
        async with bench.led_here(client, venue.hosts):
            yield venue, client


@contextmanager
def refused(client: Any, code: str, error: type[Exception]) -> Iterator[None]:
    """The venue says no with a code that ccxt has an exception for.

    Which one it raises it decides by the host of the request, so from loopback it raises a plain one.
    """
    with pytest.raises(ccxt.ExchangeError, match=code):
        yield
    assert client.exceptions["linear"]["exact"].get(code, client.exceptions["exact"].get(code)) is error


async def test_markets_are_as_the_contract_says() -> None:
    async with venue_of() as (_, client):
        markets = await client.load_markets()
    assert set(markets) == {P}
    market = markets[P]
    assert (market["id"], market["linear"], market["contractSize"]) == ("BTCUSDT", True, 1)
    assert (market["precision"]["amount"], market["precision"]["price"]) == (0.001, 0.1)
    assert (market["limits"]["amount"]["min"], market["limits"]["cost"]["min"]) == (0.001, 5)


async def test_public_data_is_what_was_played() -> None:
    async with venue_of() as (venue, client):
        bars = bench.play_bars(venue.tape, PERP)
        venue.tape.play(Trade(PERP.key, time.time_ns(), D("60000.1"), D("0.25"), aggressor_buy=True))
        book = await client.fetch_order_book(P)
        ticker = await client.fetch_ticker(P)
        best = await client.fetch_bids_asks([P])
        candles = await client.fetch_ohlcv(P)
        trades = await client.fetch_trades(P)
        now_ms = await client.fetch_time()
    assert book["asks"][:2] == [[60000.1, 0.3], [60000.2, 0.3]]
    assert ticker["last"] == 60000.1
    assert (best[P]["bid"], best[P]["ask"]) == (60000.0, 60000.1)
    assert [row[0] for row in candles] == [bar.open_ns // 10**6 for bar in bars]
    assert [(item["price"], item["amount"], item["side"]) for item in trades] == [(60000.1, 0.25, "buy")]
    assert abs(now_ms / 1000 - time.time()) < 5


async def test_a_limit_order_rests_is_found_by_client_id_and_can_be_cancelled() -> None:
    async with venue_of() as (_, client):
        made = await client.create_order(P, "limit", "buy", 0.1, 59000, {"clientOrderId": ID.format(1)})
        found = await client.fetch_order(None, P, {"clientOrderId": ID.format(1)})
        listed = await client.fetch_open_orders(P)
        everywhere = await client.fetch_open_orders()
        await client.cancel_order(None, P, {"clientOrderId": ID.format(1)})
        later = await client.fetch_order(made["id"], P)
        left = await client.fetch_open_orders(P)
    assert (found["id"], found["status"], found["price"], found["amount"]) == (made["id"], "open", 59000, 0.1)
    assert [order["id"] for order in listed] == [order["id"] for order in everywhere] == [made["id"]]
    assert (later["status"], left) == ("canceled", [])


async def test_a_market_order_walks_the_book_and_opens_a_position() -> None:
    async with venue_of() as (_, client):
        made = await client.create_order(P, "market", "buy", 0.5)
        mine = await client.fetch_my_trades(P)
        of_order = await client.fetch_my_trades(P, params={"orderId": made["id"]})
        (position,) = await client.fetch_positions([P])
        balance = await client.fetch_balance()
    assert (made["status"], made["filled"]) == ("closed", 0.5)
    assert [(item["price"], item["amount"]) for item in mine] == [(60000.1, 0.3), (60000.2, 0.2)]
    assert [item["id"] for item in mine] == [item["id"] for item in of_order]
    fee = D("0.0005") * (D("60000.1") * D("0.3") + D("60000.2") * D("0.2"))
    assert sum(D(str(item["fee"]["cost"])) for item in mine) == fee
    assert {item["fee"]["currency"] for item in mine} == {"USDT"}
    assert (position["side"], position["contracts"], position["entryPrice"]) == ("long", 0.5, 60000.14)
    gain = (D("60000.05") - D("60000.14")) * D("0.5")
    assert D(str(balance["USDT"]["total"])) == 100000 - fee + gain


async def test_a_limit_order_larger_than_the_book_is_filled_in_part() -> None:
    async with venue_of() as (venue, client):
        made = await client.create_order(P, "limit", "buy", 0.5, 60000.1)
        venue.tape.play(bench.quote(PERP, "60000.0", "60000.1"))
        later = await client.fetch_order(made["id"], P)
    assert (made["status"], made["filled"], made["remaining"]) == ("open", 0.3, 0.2)
    assert (later["status"], later["filled"]) == ("closed", 0.5)


@pytest.mark.parametrize(
    ("kind", "limit", "filled"), [("market", None, 0.4), ("limit", 58990, 0.4), ("limit", 59000.1, 0.0)]
)
async def test_a_stop_is_an_algo_order_until_it_triggers_and_a_plain_one_from_then_on(
    kind: str, limit: float | None, filled: float
) -> None:
    async with venue_of() as (venue, client):
        await client.create_order(P, "market", "buy", 0.4)
        params = {"stopLossPrice": 59000, "reduceOnly": True, "clientOrderId": ID.format(2)}
        made = await client.create_order(P, kind, "sell", 0.4, limit, params)
        plain = await client.fetch_open_orders(P)
        algos = await client.fetch_open_orders(P, params={"trigger": True})
        with pytest.raises(ccxt.OrderNotFound):
            await client.fetch_order(None, P, {"clientOrderId": ID.format(2)})
        waiting = await client.fetch_order(None, P, {"trigger": True, "clientOrderId": ID.format(2)})
        venue.tape.play(bench.quote(PERP, "58999.0", "58999.1"))
        algo = await client.fetch_order(made["id"], P, {"trigger": True})
        child = await client.fetch_order(None, P, {"clientOrderId": ID.format(2)})
    assert plain == []
    assert [(order["id"], order["triggerPrice"], order["reduceOnly"]) for order in algos] == [
        (made["id"], 59000, True)
    ]
    assert (waiting["id"], waiting["info"]["algoStatus"]) == (made["id"], "NEW")
    assert algo["info"]["algoStatus"] == ("FINISHED" if filled else "TRIGGERED")
    assert child["id"] == algo["info"]["actualOrderId"] != made["id"]
    assert child["filled"] == filled


async def test_a_stop_that_closes_the_position_closes_what_is_there_when_it_triggers() -> None:
    async with venue_of() as (venue, client):
        await client.create_order(P, "market", "buy", 0.2)
        params = {"stopLossPrice": 59000, "closePosition": True}
        made = await client.create_order(P, "market", "sell", None, None, params)
        await client.create_order(P, "market", "buy", 0.1)
        venue.tape.play(bench.quote(PERP, "58999.0", "58999.1"))
        left = await client.fetch_positions([P])
        algo = await client.fetch_order(made["id"], P, {"trigger": True})
    assert left == []
    assert (algo["info"]["closePosition"], algo["info"]["algoStatus"]) == (True, "FINISHED")


async def test_a_stop_never_turns_a_position_round() -> None:
    async with venue_of() as (venue, client):
        await client.create_order(P, "market", "buy", 0.2)
        params = {"stopLossPrice": 59000, "reduceOnly": True}
        await client.create_order(P, "market", "sell", 0.2, None, params)
        await client.create_order(P, "market", "sell", 0.3)
        venue.tape.play(bench.quote(PERP, "58999.0", "58999.1"))
        (position,) = await client.fetch_positions([P])
    assert (position["side"], position["contracts"]) == ("short", 0.1)


async def test_an_algo_order_is_cancelled_and_then_unknown() -> None:
    async with venue_of() as (_, client):
        await client.create_order(P, "market", "buy", 0.2)
        made = await client.create_order(P, "market", "sell", 0.2, None, {"stopLossPrice": 59000})
        await client.cancel_order(made["id"], P, {"trigger": True})
        left = await client.fetch_open_orders(P, params={"trigger": True})
        with pytest.raises(ccxt.OrderNotFound):
            await client.cancel_order(made["id"], P, {"trigger": True})
    assert left == []


async def test_a_limit_order_is_amended_in_place_and_a_stop_is_not_taken_as_a_plain_order() -> None:
    async with venue_of() as (_, client):
        made = await client.create_order(P, "limit", "buy", 0.1, 59000)
        await client.edit_order(made["id"], P, "limit", "buy", 0.2, 59100)
        order = await client.fetch_order(made["id"], P)
        with refused(client, "-4120", ccxt.InvalidOrder):
            await client.fapiPrivatePostOrder(
                {
                    "symbol": "BTCUSDT",
                    "side": "SELL",
                    "type": "STOP_MARKET",
                    "stopPrice": 59000,
                    "quantity": 1,
                }
            )
    assert (order["amount"], order["price"]) == (0.2, 59100)


async def test_a_client_id_is_unique_among_open_orders_only() -> None:
    async with venue_of() as (venue, client):
        params = {"clientOrderId": ID.format(4)}
        await client.create_order(P, "limit", "buy", 0.1, 59000, params)
        with refused(client, "-4116", ccxt.InvalidOrder):
            await client.create_order(P, "limit", "buy", 0.1, 59000, params)
        await client.cancel_order(None, P, params)
        await client.create_order(P, "limit", "buy", 0.1, 59000, params)
        assert len(venue.engine.orders) == 2


async def test_streams_and_rest_name_an_execution_alike() -> None:
    async with venue_of() as (venue, client):
        await client.load_markets()
        watching = asyncio.create_task(client.watch_my_trades(P))
        await bench.asked_for(venue.streams.hub, "user")
        await client.create_order(P, "market", "sell", 0.1)
        (told,) = await bench.soon(watching)
        (asked,) = await client.fetch_my_trades(P)
    same = ("id", "order", "symbol", "side", "price", "amount", "fee", "takerOrMaker")
    assert {name: told[name] for name in same} == {name: asked[name] for name in same}


async def test_a_triggered_stop_is_told_as_the_venue_tells_it() -> None:
    async with venue_of() as (venue, client), aiohttp.ClientSession() as session:
        key = (await client.fapiPrivatePostListenKey())["listenKey"]
        await client.create_order(P, "market", "buy", 0.2)
        async with session.ws_connect(f"{venue.ws_base}/private/ws?listenKey={key}") as socket:
            await bench.asked_for(venue.streams.hub, "user")
            params = {"stopLossPrice": 59000, "reduceOnly": True, "clientOrderId": ID.format(5)}
            await client.create_order(P, "market", "sell", 0.2, None, params)
            venue.tape.play(bench.quote(PERP, "58999.0", "58999.1"))
            frames = [json.loads((await bench.soon(socket.receive())).data) for _ in range(7)]
    told = [(frame["e"], frame.get("o", {}).get("X"), frame.get("o", {}).get("x")) for frame in frames]
    assert told == [
        ("ALGO_UPDATE", "NEW", None),
        ("ALGO_UPDATE", "TRIGGERING", None),
        ("ORDER_TRADE_UPDATE", "NEW", "NEW"),
        ("ACCOUNT_UPDATE", None, None),
        ("ORDER_TRADE_UPDATE", "FILLED", "TRADE"),
        ("ALGO_UPDATE", "TRIGGERED", None),
        ("ALGO_UPDATE", "FINISHED", None),
    ]
    assert frames[5]["o"]["ai"] == str(frames[4]["o"]["i"])
    assert frames[4]["o"]["c"] == frames[5]["o"]["caid"] == ID.format(5)
    assert D(frames[4]["o"]["rp"]) == (D("58999") - D("60000.1")) * D("0.2")
    assert [row["pa"] for row in frames[3]["a"]["P"]] == ["0.0"]


async def test_orders_balances_and_positions_are_streamed() -> None:
    async with venue_of() as (venue, client):
        await client.load_markets()
        client.options["watchPositions"] = {"fetchPositionsSnapshot": False}
        tasks = [
            asyncio.create_task(part)
            for part in (client.watch_orders(P), client.watch_balance(), client.watch_positions())
        ]
        await bench.asked_for(venue.streams.hub, "user")
        await asyncio.sleep(0.05)
        await client.create_order(P, "market", "buy", 0.1, None, {"clientOrderId": ID.format(6)})
        orders, balance, positions = await bench.soon(asyncio.gather(*tasks))
    assert orders[0]["clientOrderId"] == ID.format(6)
    assert balance["USDT"]["total"] == pytest.approx(100000 - 0.0005 * 6000.01)
    assert [(item["symbol"], item["contracts"]) for item in positions] == [(P, 0.1)]


async def test_the_book_stream_meets_its_snapshot_and_goes_on() -> None:
    async with venue_of() as (venue, client):
        await bench.soon(client.watch_order_book(P))
        for step in range(3):
            venue.tape.play(bench.quote(PERP, f"6000{step}.2", f"6000{step}.4", "0.7"))
            await bench.soon(client.watch_order_book(P))
        rest = await client.fetch_order_book(P)
        assert client.orderbooks[P]["bids"] == rest["bids"]
        assert client.orderbooks[P]["asks"] == rest["asks"]


async def test_trades_and_candles_are_streamed() -> None:
    async with venue_of() as (venue, client):
        await client.load_markets()
        trading = asyncio.create_task(client.watch_trades(P))
        charting = asyncio.create_task(client.watch_ohlcv(P))
        await bench.asked_for(venue.streams.hub, "btcusdt@trade", "btcusdt@kline_1m")
        bars = bench.play_bars(venue.tape, PERP, 1)
        venue.tape.play(Trade(PERP.key, time.time_ns(), D("60000.0"), D("0.2"), aggressor_buy=False))
        trades, candles = await bench.soon(asyncio.gather(trading, charting))
    assert [(item["price"], item["amount"], item["side"]) for item in trades] == [(60000.0, 0.2, "sell")]
    assert candles[-1][:2] == [bars[-1].open_ns // 10**6, 60000]


@pytest.mark.parametrize(
    ("keys", "code"), [({"apiKey": "another"}, "-2015"), ({"secret": "another"}, "-1022")]
)
async def test_a_request_with_a_wrong_key_is_refused(keys: dict[str, str], code: str) -> None:
    async with venue_of(keys=keys) as (_, client):
        with pytest.raises(ccxt.AuthenticationError, match=code):
            await client.fetch_balance()


async def test_a_timestamp_out_of_its_window_is_refused() -> None:
    async with venue_of(Fault(0.0, FaultKind.CLOCK_SKEW, 60.0)) as (_, client):
        await client.load_markets()
        with pytest.raises(ccxt.InvalidNonce, match="-1021"):
            await client.fetch_balance()
        await client.load_time_difference()
        assert await client.fetch_balance()


async def test_what_the_venue_refuses_is_told_in_its_words() -> None:
    async with venue_of() as (_, client):
        await client.load_markets()
        with refused(client, "-2019", ccxt.InsufficientFunds):
            await client.create_order(P, "limit", "buy", 100, 59000)
        with pytest.raises(ccxt.OrderNotFound, match="-2013"):
            await client.fetch_order(None, P, {"clientOrderId": ID.format(7)})
        with pytest.raises(ccxt.OrderNotFound, match="-2011"):
            await client.cancel_order(None, P, {"clientOrderId": ID.format(7)})
        with refused(client, "-2022", ccxt.InvalidOrder):
            await client.create_order(P, "limit", "sell", 0.1, 61000, {"reduceOnly": True})
        with refused(client, "-2021", ccxt.OrderImmediatelyFillable):
            await client.create_order(P, "market", "sell", 0.1, None, {"stopLossPrice": 61000})
        with refused(client, "-4164", ccxt.InvalidOrder):
            await client.fapiPrivatePostOrder(
                {
                    "symbol": "BTCUSDT",
                    "side": "BUY",
                    "type": "LIMIT",
                    "timeInForce": "GTC",
                    "price": 1000,
                    "quantity": 0.001,
                }
            )


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        (FaultKind.RATE_LIMITED, ccxt.DDoSProtection),
        (FaultKind.SERVER_ERROR, ccxt.OperationFailed),
        (FaultKind.CUT, ccxt.NetworkError),
    ],
)
async def test_an_overload_leaves_the_outcome_open(kind: FaultKind, error: type[Exception]) -> None:
    async with venue_of(Fault(0.0, kind, on=Act.SUBMIT)) as (venue, client):
        await client.load_markets()
        with pytest.raises(error) as caught:
            await client.create_order(P, "limit", "buy", 0.1, 59000)
        assert isinstance(caught.value, ccxt.OperationFailed)
        assert venue.troubles.met[kind.value] == 1


@pytest.mark.parametrize("may_withdraw", [False, True])
async def test_the_key_says_what_it_may_do(may_withdraw: bool) -> None:
    credentials = bench.CREDENTIALS._replace(may_withdraw=may_withdraw)
    async with venue_of(credentials=credentials) as (_, client):
        answer = await client.sapiGetAccountApiRestrictions()
    assert answer["enableWithdrawals"] is may_withdraw
    assert answer["enableFutures"] is True


@pytest.mark.shared
async def test_public_frames_have_the_fields_of_recorded_ones(shared_data: Path) -> None:
    folder = shared_data / "fixtures" / "binance" / "cryptofeed"
    frames = [json.loads(text) for text in bench.recorded(folder / "BINANCE_FUTURES.ws.1.0.gz")]
    told: list[dict[str, Any]] = []
    names = "btcusdt@aggTrade/btcusdt@depth@100ms/btcusdt@kline_1m/btcusdt@bookTicker"
    async with (
        venue_of() as (venue, _),
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{venue.ws_base}/stream?streams={names}") as socket,
    ):
        await bench.asked_for(venue.streams.hub, "wrapped btcusdt@aggTrade")
        venue.tape.play(bench.quote(PERP, "60000.2", "60000.4", "0.7"))
        venue.tape.play(Trade(PERP.key, time.time_ns(), D("60000.0"), D("0.2"), aggressor_buy=False))
        told += [json.loads((await bench.soon(socket.receive())).data) for _ in range(5)]
    assert {frame["data"]["e"] for frame in told} == {"aggTrade", "depthUpdate", "kline", "bookTicker"}
    for frame in told:
        theirs = [item for item in frames if item["data"]["e"] == frame["data"]["e"]]
        assert bench.unknown_fields(frame, theirs) == []
        assert not bench.missing_fields(frame["data"], [item["data"] for item in theirs])
        if frame["data"]["e"] == "kline":
            assert not bench.missing_fields(frame["data"]["k"], [item["data"]["k"] for item in theirs])


@pytest.mark.shared
async def test_symbols_and_books_over_rest_have_the_fields_of_recorded_ones(shared_data: Path) -> None:
    folder = shared_data / "fixtures" / "binance" / "cryptofeed"
    (info,) = _answers(folder / "BINANCE_FUTURES.0.gz")
    books = _answers(folder / "BINANCE_FUTURES.http.0.0.gz")
    async with venue_of() as (venue, _), aiohttp.ClientSession() as session:
        async with session.get(f"{venue.base}/fapi/v1/exchangeInfo") as answer:
            ours = await answer.json()
        async with session.get(f"{venue.base}/fapi/v1/depth?symbol=BTCUSDT&limit=5") as answer:
            book = await answer.json()
    assert bench.unknown_fields(ours, [info]) == []
    assert not bench.missing_fields(ours, [info])
    assert not bench.missing_fields(ours["symbols"][0], info["symbols"])
    assert bench.unknown_fields(book, books) == []
    assert not bench.missing_fields(book, books)


def _answers(path: Path) -> list[dict[str, Any]]:
    return [json.loads(text) for text in bench.recorded_answers(path)]


ORDER = {
    "symbol": "BTCUSDT",
    "side": "BUY",
    "type": "LIMIT",
    "timeInForce": "GTC",
    "price": "59000",
    "quantity": "0.1",
}
STOP = {"algoType": "CONDITIONAL", "symbol": "BTCUSDT", "side": "SELL", "type": "STOP_MARKET"}


@pytest.mark.parametrize(
    ("method", "params", "code"),
    [
        ("PostOrder", {"symbol": "NOPE"}, "-1121"),
        ("PostOrder", {"side": "HOLD"}, "-1117"),
        ("PostOrder", {"type": "ICEBERG"}, "-1116"),
        ("PostOrder", {"timeInForce": "EVER"}, "-1115"),
        ("PostOrder", {"positionSide": "LONG"}, "-4061"),
        ("PostOrder", {"quantity": "much"}, "-1102"),
        ("PostOrder", {"quantity": "-1"}, "-1102"),
        ("PostOrder", {"quantity": "0"}, "-1111"),
        ("PostOrder", {"quantity": "1e400"}, "-1100"),
        ("PostOrder", {"price": "NaN"}, "-1102"),
        ("PostOrder", {"price": "59000.05"}, "-4014"),
        ("PostOrder", {"newClientOrderId": "x" * 37}, "-4015"),
        ("PostOrder", {"goodTillDate": "tomorrow", "timeInForce": "GTD"}, "-1100"),
        ("PostAlgoOrder", {"quantity": "0.1"}, "-1102"),
        ("PostAlgoOrder", {"triggerPrice": "59000", "closePosition": "true", "quantity": "1"}, "-4136"),
        ("PostAlgoOrder", {"triggerPrice": "59000", "type": "TRAILING_STOP_MARKET"}, "-1116"),
        ("GetOrder", {"orderId": "what"}, "-1102"),
        ("DeleteAlgoOrder", {"algoId": "1"}, "-2011"),
        ("GetUserTrades", {"startTime": "yesterday"}, "-1100"),
    ],
)
async def test_a_hostile_request_is_refused_in_words_and_changes_nothing(
    method: str, params: dict[str, str], code: str
) -> None:
    async with venue_of() as (venue, client):
        asked = {"PostOrder": ORDER, "PostAlgoOrder": STOP}.get(method, {"symbol": "BTCUSDT"}) | params
        with pytest.raises(ccxt.BaseError, match=code):
            await getattr(client, f"fapiPrivate{method}")(asked)
        assert not venue.engine.orders


async def test_candles_grow_from_quotes_and_trades_where_none_are_played() -> None:
    async with venue_of() as (venue, client):
        venue.tape.play(bench.quote(PERP, "59990.0", "59990.1"))
        venue.tape.play(bench.quote(PERP, "60010.0", "60010.1"))
        await client.create_order(P, "market", "buy", 0.2)
        candles = await client.fetch_ohlcv(P)
        hours = await client.fetch_ohlcv(P, "1h")
    assert max(row[2] for row in candles) == 60010.1
    assert min(row[3] for row in candles) == 59990.05
    assert sum(row[5] for row in candles) == sum(row[5] for row in hours) == 0.2
