"""OKX on loopback, used by ccxt's own classes and held against frames recorded from the venue."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from neuratrade.core.model.market import NS_PER_HOUR, Trade
from neuratrade.rehearsal import okx
from neuratrade.rehearsal.faults import Act, Fault, FaultKind
from neuratrade.rehearsal.okx_words import crc
from neuratrade.rehearsal.server import Credentials
from tests.contract.rehearsal import bench

D = Decimal
ccxt = bench.ccxt
SPOT = bench.spot("okx", fee_in_base=True)
SWAP = bench.perpetual("okx", lot=D("0.01"), multiplier=D("0.01"))
S, P = "BTC/USDT", "BTC/USDT:USDT"
ID = "a1b2c3d4e5f60718293a4b5c6d7e8f{:02d}"
NEWER = {".arg.uid", ".connId", ".data[].seqId", ".data[].prevSeqId"}
"""Fields OKX has sent since the frames were recorded in May 2022, all of which ccxt reads or ignores."""


@asynccontextmanager
async def venue_of(
    *plan: Fault, credentials: Credentials = bench.CREDENTIALS, keys: dict[str, str] | None = None
) -> AsyncIterator[tuple[okx.Okx, Any]]:
    """A running venue with a market, and ccxt.pro's class led to it."""
    engine, troubles = bench.engine_of([SPOT, SWAP], {"USDT": "100000", "BTC": "1"}, okx.RULES)
    if plan:
        troubles = bench.troubled(*plan)
    async with okx.Okx(engine, troubles, time.time_ns, credentials) as venue:
        venue.tape.play(bench.quote(SPOT, "60000.0", "60000.1"))
        venue.tape.play(bench.quote(SWAP, "60010.0", "60010.1", "20"))
        config = {
            "apiKey": bench.CREDENTIALS.key,
            "secret": bench.CREDENTIALS.secret,
            "password": bench.CREDENTIALS.passphrase,
            "enableRateLimit": False,
        }
        async with bench.led_here(bench.pro.okx(config | (keys or {})), venue.hosts) as client:
            yield venue, client


async def test_markets_are_as_the_contracts_say() -> None:
    async with venue_of() as (_, client):
        markets = await client.load_markets()
    assert set(markets) == {S, P}
    assert (markets[S]["id"], markets[P]["id"]) == ("BTC-USDT", "BTC-USDT-SWAP")
    assert markets[P]["contractSize"] == 0.01
    assert markets[P]["precision"] == {"amount": 0.01, "price": 0.1}
    assert (markets[P]["linear"], markets[P]["limits"]["leverage"]["max"]) == (True, 20)


async def test_public_data_is_what_was_played() -> None:
    async with venue_of() as (venue, client):
        bars = bench.play_bars(venue.tape, SPOT)
        venue.tape.play(Trade(SPOT.key, time.time_ns(), D("60000.1"), D("0.25"), aggressor_buy=True))
        book = await client.fetch_order_book(S)
        ticker = await client.fetch_ticker(S)
        candles = await client.fetch_ohlcv(S)
        fives = await client.fetch_ohlcv(S, "5m")
        trades = await client.fetch_trades(S)
        now_ms = await client.fetch_time()
    assert [level[:2] for level in book["asks"][:2]] == [[60000.1, 0.3], [60000.2, 0.3]]
    assert (ticker["bid"], ticker["ask"], ticker["last"]) == (60000.0, 60000.1, 60000.1)
    assert [row[0] for row in candles] == [bar.open_ns // 10**6 for bar in bars]
    assert sum(row[5] for row in fives) == sum(row[5] for row in candles) == 20
    assert [(item["price"], item["amount"], item["side"]) for item in trades] == [(60000.1, 0.25, "buy")]
    assert abs(now_ms / 1000 - time.time()) < 5


async def test_a_limit_order_rests_is_found_by_client_id_and_can_be_cancelled() -> None:
    async with venue_of() as (_, client):
        made = await client.create_order(S, "limit", "buy", 0.1, 59000, {"clientOrderId": ID.format(1)})
        found = await client.fetch_order(None, S, {"clientOrderId": ID.format(1)})
        listed = await client.fetch_open_orders(S)
        await client.cancel_order(None, S, {"clientOrderId": ID.format(1)})
        later = await client.fetch_order(None, S, {"clientOrderId": ID.format(1)})
        left = await client.fetch_open_orders(S)
    assert (found["id"], found["status"], found["price"], found["amount"]) == (made["id"], "open", 59000, 0.1)
    assert [order["id"] for order in listed] == [made["id"]]
    assert (later["status"], left) == ("canceled", [])


async def test_a_market_order_walks_the_book_and_pays_in_what_it_bought() -> None:
    async with venue_of() as (_, client):
        made = await client.create_order(S, "market", "buy", 0.5)
        order = await client.fetch_order(made["id"], S)
        mine = await client.fetch_my_trades(S)
        of_order = await client.fetch_order_trades(made["id"], S)
        balance = await client.fetch_balance()
    assert (order["status"], order["filled"]) == ("closed", 0.5)
    assert [(item["price"], item["amount"]) for item in mine] == [(60000.1, 0.3), (60000.2, 0.2)]
    assert [item["id"] for item in mine] == [item["id"] for item in of_order]
    assert [(item["fee"]["cost"], item["fee"]["currency"]) for item in mine] == [
        (0.0012, "BTC"),
        (0.0008, "BTC"),
    ]
    assert all(item["info"]["fee"].startswith("-") for item in mine)
    assert balance["BTC"]["total"] == 1.498
    assert balance["USDT"]["total"] == pytest.approx(100000 - 30000.07)


async def test_a_limit_order_larger_than_the_book_is_filled_in_part() -> None:
    async with venue_of() as (venue, client):
        made = await client.create_order(S, "limit", "buy", 0.5, 60000.1)
        order = await client.fetch_order(made["id"], S)
        venue.tape.play(bench.quote(SPOT, "60000.0", "60000.1"))
        later = await client.fetch_order(made["id"], S)
    assert (order["status"], order["filled"], order["remaining"]) == ("open", 0.3, 0.2)
    assert (later["status"], later["filled"]) == ("closed", 0.5)


@pytest.mark.parametrize(
    ("kind", "limit", "filled"), [("market", None, 0.4), ("limit", 58990, 0.4), ("limit", 59000.1, 0.0)]
)
async def test_a_stop_is_an_algo_order_until_it_triggers_and_a_plain_one_from_then_on(
    kind: str, limit: float | None, filled: float
) -> None:
    async with venue_of() as (venue, client):
        params = {"stopLossPrice": 59000, "algoClOrdId": ID.format(2), "tdMode": "cash"}
        made = await client.create_order(S, kind, "sell", 0.4, limit, params)
        plain = await client.fetch_open_orders(S)
        algos = await client.fetch_open_orders(S, params={"ordType": "conditional"})
        waiting = await client.fetch_order(None, S, {"trigger": True, "clientOrderId": ID.format(2)})
        with pytest.raises(ccxt.OrderNotFound):
            await client.fetch_order(str(int(made["id"]) - 10**18), S)
        venue.tape.play(bench.quote(SPOT, "58999.0", "58999.1"))
        algo = await client.fetch_order(made["id"], S, {"trigger": True})
        child = await client.fetch_order(algo["info"]["ordIdList"][0], S)
        assert child["id"] == made["id"]
        assert child["info"]["ordId"] == str(int(made["id"]) - 10**18)
        assert await client.fetch_open_orders(S, params={"ordType": "conditional"}) == []
        assert len(await client.fetch_open_orders(S)) == (filled == 0)
        mine = await client.fetch_my_trades(S)
    assert plain == []
    assert [(order["id"], order["stopLossPrice"]) for order in algos] == [(made["id"], 59000)]
    assert (waiting["id"], waiting["status"], waiting["info"]["state"]) == (made["id"], "open", "live")
    assert algo["info"]["state"] == "effective"
    assert (child["info"]["algoClOrdId"], child["clientOrderId"]) == (ID.format(2), None)
    assert child["filled"] == filled
    assert sum(item["amount"] for item in mine) == pytest.approx(filled)
    assert {item["order"] for item in mine} <= {child["info"]["ordId"]}


async def test_a_stop_holds_nothing_and_fails_when_its_coins_are_gone() -> None:
    async with venue_of() as (venue, client):
        made = await client.create_order(S, "market", "sell", 1, None, {"stopLossPrice": 59000})
        await client.create_order(S, "market", "sell", 1)
        venue.tape.play(bench.quote(SPOT, "58999.0", "58999.1"))
        algo = await client.fetch_order(made["id"], S, {"trigger": True})
    assert (algo["status"], algo["info"]["failCode"], algo["info"]["ordIdList"]) == ("canceled", "51008", [])


async def test_a_stop_beyond_the_market_is_refused() -> None:
    async with venue_of() as (_, client):
        with pytest.raises(ccxt.InvalidOrder, match="51280"):
            await client.create_order(S, "market", "sell", 0.1, None, {"stopLossPrice": 61000})


async def test_an_algo_order_is_amended_and_cancelled() -> None:
    async with venue_of() as (_, client):
        made = await client.create_order(S, "market", "sell", 0.4, None, {"stopLossPrice": 59000})
        await client.edit_order(
            made["id"], S, "conditional", "sell", 0.5, None, {"stopLossPrice": 59100, "newSlOrdPx": "-1"}
        )
        amended = await client.fetch_order(made["id"], S, {"trigger": True})
        await client.cancel_order(made["id"], S, {"trigger": True})
        left = await client.fetch_open_orders(S, params={"ordType": "conditional"})
    assert (amended["amount"], amended["stopLossPrice"]) == (0.5, 59100)
    assert left == []


async def test_a_plain_order_is_amended_in_place() -> None:
    async with venue_of() as (_, client):
        made = await client.create_order(S, "limit", "buy", 0.1, 59000)
        await client.edit_order(made["id"], S, "limit", "buy", 0.2, 59100)
        order = await client.fetch_order(made["id"], S)
    assert (order["amount"], order["price"]) == (0.2, 59100)


async def test_a_perpetual_is_opened_protected_and_closed_by_its_stop() -> None:
    async with venue_of() as (venue, client):
        await client.create_order(P, "market", "buy", 10)
        (position,) = await client.fetch_positions([P])
        stop = {"stopLossPrice": 59000, "reduceOnly": True, "algoClOrdId": ID.format(3)}
        await client.create_order(P, "market", "sell", 10, None, stop)
        venue.tape.play(bench.quote(SWAP, "58999.0", "58999.1", "20"))
        left = await client.fetch_positions([P])
        mine = await client.fetch_my_trades(P)
        balance = await client.fetch_balance()
    assert (position["side"], position["contracts"], position["entryPrice"]) == ("long", 10, 60010.1)
    assert left == []
    fees = D("0.0005") * D("0.1") * (D("60010.1") + D("58999"))
    assert sum(D(str(item["fee"]["cost"])) for item in mine) == fees
    assert {item["fee"]["currency"] for item in mine} == {"USDT"}
    assert D(str(balance["USDT"]["total"])) == 100000 - fees - D("0.1") * (D("60010.1") - D("58999"))


async def test_reduce_only_does_not_open() -> None:
    async with venue_of() as (_, client):
        with pytest.raises(ccxt.ExchangeError, match="51169"):
            await client.create_order(P, "limit", "sell", 1, 61000, {"reduceOnly": True})


async def test_a_client_id_is_taken_once() -> None:
    async with venue_of() as (_, client):
        params = {"clientOrderId": ID.format(4)}
        await client.create_order(S, "limit", "buy", 0.1, 59000, params)
        with pytest.raises(ccxt.InvalidOrder, match="51016"):
            await client.create_order(S, "limit", "buy", 0.1, 59000, params)


async def test_streams_and_rest_name_an_execution_alike() -> None:
    async with venue_of() as (venue, client):
        await client.load_markets()
        watching = asyncio.create_task(client.watch_my_trades(S))
        await bench.asked_for(venue.streams.hub, "orders SPOT")
        await client.create_order(S, "market", "sell", 0.1)
        (told,) = await bench.soon(watching)
        (asked,) = await client.fetch_my_trades(S)
    assert told["info"]["tradeId"] == asked["id"]
    same = ("order", "symbol", "side", "price", "amount")
    assert {name: told[name] for name in same} == {name: asked[name] for name in same}
    assert (told["info"]["fillFee"], told["info"]["execType"]) == (asked["info"]["fee"], "T")


async def test_a_triggered_stop_is_told_on_both_channels() -> None:
    async with venue_of() as (venue, client):
        await client.load_markets()
        plain = asyncio.create_task(client.watch_orders(S))
        algos = asyncio.create_task(client.watch_orders(S, params={"trigger": True}))
        await bench.asked_for(venue.streams.hub, "orders SPOT", "orders-algo SPOT")
        params = {"stopLossPrice": 59000, "algoClOrdId": ID.format(5)}
        made = await client.create_order(S, "market", "sell", 0.2, None, params)
        (algo,) = await bench.soon(algos)
        venue.tape.play(bench.quote(SPOT, "58999.0", "58999.1"))
        (order,) = await bench.soon(plain)
    assert (algo["id"], algo["info"]["algoClOrdId"]) == (made["id"], ID.format(5))
    assert order["info"]["algoId"] == made["id"]


async def test_the_book_stream_goes_on_from_its_snapshot() -> None:
    async with venue_of() as (venue, client):
        await bench.soon(client.watch_order_book(S))
        for step in range(3):
            venue.tape.play(bench.quote(SPOT, f"6000{step}.2", f"6000{step}.4", "0.7"))
            await bench.soon(client.watch_order_book(S))
        book = client.orderbooks[S]
        rest = await client.fetch_order_book(S)
    assert book["bids"] == [level[:2] for level in rest["bids"]]
    assert book["asks"] == [level[:2] for level in rest["asks"]]


async def test_trades_candles_tickers_balances_and_positions_are_streamed() -> None:
    async with venue_of() as (venue, client):
        bars = bench.play_bars(venue.tape, SPOT)
        candles = await bench.soon(client.watch_ohlcv(S))
        ticker = await bench.soon(client.watch_ticker(S))
        trading = asyncio.create_task(client.watch_trades(S))
        await bench.asked_for(venue.streams.hub, f"trades {SPOT.key}")
        venue.tape.play(Trade(SPOT.key, time.time_ns(), D("60000.0"), D("0.2"), aggressor_buy=False))
        trades = await bench.soon(trading)
        balance = await bench.soon(client.watch_balance())
        await client.create_order(P, "market", "buy", 10)
        positions = await bench.soon(client.watch_positions())
    assert candles[-1][:2] == [bars[-1].open_ns // 10**6, 60009]
    assert ticker["bid"] == 60000.0
    assert [(item["price"], item["amount"], item["side"]) for item in trades] == [(60000.0, 0.2, "sell")]
    assert balance["BTC"]["total"] == 1
    assert [item["contracts"] for item in positions] == [10]


@pytest.mark.parametrize(
    ("keys", "code"),
    [({"apiKey": "another"}, "50111"), ({"secret": "another"}, "50113"), ({"password": "another"}, "50105")],
)
async def test_a_request_with_a_wrong_key_is_refused(keys: dict[str, str], code: str) -> None:
    async with venue_of(keys=keys) as (_, client):
        client.has["fetchCurrencies"] = False
        with pytest.raises(ccxt.AuthenticationError, match=code):
            await client.fetch_balance()
        with pytest.raises(ccxt.AuthenticationError):
            await bench.soon(client.watch_balance())


async def test_a_timestamp_out_of_its_window_is_refused() -> None:
    async with venue_of(Fault(0.0, FaultKind.CLOCK_SKEW, 60.0)) as (_, client):
        client.has["fetchCurrencies"] = False
        await client.load_markets()
        with pytest.raises(ccxt.InvalidNonce, match="50102"):
            await client.fetch_balance()
        await client.load_time_difference()
        assert await client.fetch_balance()


async def test_what_the_venue_refuses_is_told_in_its_words() -> None:
    async with venue_of() as (_, client):
        await client.load_markets()
        with pytest.raises(ccxt.InsufficientFunds, match="51008"):
            await client.create_order(S, "limit", "buy", 10, 59000)
        with pytest.raises(ccxt.OrderNotFound, match="51603"):
            await client.fetch_order(None, S, {"clientOrderId": ID.format(6)})
        with pytest.raises(ccxt.OrderNotFound, match="51400"):
            await client.cancel_order(None, S, {"clientOrderId": ID.format(6)})
        with pytest.raises(ccxt.OrderNotFound, match="51503"):
            await client.edit_order("1", S, "limit", "buy", 0.1, 59000)
        with pytest.raises(ccxt.BadRequest, match="clOrdId"):
            await client.create_order(S, "limit", "buy", 0.1, 59000, {"clientOrderId": "with-dashes"})


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        (FaultKind.RATE_LIMITED, ccxt.RateLimitExceeded),
        (FaultKind.SERVER_ERROR, ccxt.ExchangeNotAvailable),
        (FaultKind.CUT, ccxt.NetworkError),
    ],
)
async def test_an_overload_leaves_the_outcome_open(kind: FaultKind, error: type[Exception]) -> None:
    async with venue_of(Fault(0.0, kind, on=Act.SUBMIT)) as (venue, client):
        await client.load_markets()
        with pytest.raises(error) as caught:
            await client.create_order(S, "limit", "buy", 0.1, 59000)
        assert isinstance(caught.value, ccxt.OperationFailed)
        assert venue.troubles.met[kind.value] == 1


async def test_a_cancelled_order_without_fills_is_forgotten_after_two_hours() -> None:
    async with venue_of() as (venue, client):
        made = await client.create_order(S, "limit", "buy", 0.1, 59000)
        await client.cancel_order(made["id"], S)
        venue.engine.orders[int(made["id"]) % 10**18].updated_ns -= 3 * NS_PER_HOUR
        with pytest.raises(ccxt.OrderNotFound):
            await client.fetch_order(made["id"], S)


@pytest.mark.parametrize("may_withdraw", [False, True])
async def test_the_key_says_what_it_may_do(may_withdraw: bool) -> None:
    credentials = bench.CREDENTIALS._replace(may_withdraw=may_withdraw)
    async with venue_of(credentials=credentials) as (_, client):
        answer = await client.private_get_account_config()
    assert answer["data"][0]["perm"] == "read_only,trade" + ",withdraw" * may_withdraw


@pytest.mark.shared
def test_the_checksum_is_the_one_of_recorded_books(shared_data: Path) -> None:
    books: dict[str, dict[str, dict[str, str]]] = {}
    checked = 0
    for frame in _recorded(shared_data):
        if frame.get("arg", {}).get("channel") != "books" or "data" not in frame:
            continue
        book = books.setdefault(frame["arg"]["instId"], {"asks": {}, "bids": {}})
        for row in frame["data"]:
            for side in book:
                if frame["action"] == "snapshot":
                    book[side] = {}
                for level in row[side]:
                    book[side].pop(level[0], None)
                    if level[1] != "0":
                        book[side][level[0]] = level[1]
            bids = sorted(book["bids"].items(), key=lambda level: -D(level[0]))[:25]
            asks = sorted(book["asks"].items(), key=lambda level: D(level[0]))[:25]
            assert (
                crc([":".join(level) for level in bids], [":".join(level) for level in asks])
                == row["checksum"]
            )
            checked += 1
    assert checked > 100


@pytest.mark.shared
async def test_public_frames_have_the_fields_of_recorded_ones(shared_data: Path) -> None:
    frames = _recorded(shared_data)
    told: list[dict[str, Any]] = []
    async with (
        venue_of() as (venue, _),
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{venue.ws_base}/ws/v5/public") as socket,
    ):
        channels = ("books", "trades", "tickers")
        args = [{"channel": channel, "instId": "BTC-USDT"} for channel in channels]
        await socket.send_str(json.dumps({"op": "subscribe", "args": args}))
        await bench.asked_for(venue.streams.hub, *(f"{channel} {SPOT.key}" for channel in channels))
        venue.tape.play(bench.quote(SPOT, "60000.2", "60000.4", "0.7"))
        venue.tape.play(Trade(SPOT.key, time.time_ns(), D("60000.0"), D("0.2"), aggressor_buy=False))
        told += [json.loads((await bench.soon(socket.receive())).data) for _ in range(8)]
    seen = {(_kind(frame)) for frame in told}
    assert len(seen) == 7, seen
    for frame in told:
        theirs = [item for item in frames if _kind(item) == _kind(frame)]
        assert set(bench.unknown_fields(frame, theirs)) <= NEWER, frame
        assert not bench.missing_fields(frame, theirs)
        for row in frame.get("data", []):
            rows = [row for item in theirs for row in item["data"]]
            assert not bench.missing_fields(row, rows), row


def _recorded(shared_data: Path) -> list[dict[str, Any]]:
    path = shared_data / "fixtures" / "okx" / "cryptofeed" / "OKX.ws.1.0.gz"
    return [json.loads(text) for text in bench.recorded(path)]


def _kind(frame: dict[str, Any]) -> tuple[object, ...]:
    return frame.get("event"), frame["arg"]["channel"], frame.get("action")


ORDER = {
    "instId": "BTC-USDT",
    "tdMode": "cash",
    "side": "buy",
    "ordType": "limit",
    "sz": "0.1",
    "px": "59000",
}
STOP = {"instId": "BTC-USDT", "tdMode": "cash", "side": "sell", "ordType": "conditional", "sz": "0.1"}


@pytest.mark.parametrize(
    ("method", "params", "code"),
    [
        ("order", {"instId": "NOPE-USDT"}, "51001"),
        ("order", {"side": "hold"}, "51000"),
        ("order", {"ordType": "iceberg"}, "51000"),
        ("order", {"tdMode": "isolated"}, "51000"),
        ("order", {"sz": "much"}, "51000"),
        ("order", {"sz": "-5"}, "51000"),
        ("order", {"sz": "1e400"}, "51000"),
        ("order", {"sz": ""}, "51121"),
        ("order", {"px": "NaN"}, "51000"),
        ("order", {"px": "59000.05"}, "51000"),
        ("order", {"clOrdId": "x" * 33}, "51000"),
        ("order", {"attachAlgoOrds": [{"slTriggerPx": "1"}]}, "50014"),
        ("order_algo", {}, "50014"),
        ("order_algo", {"slTriggerPx": "59000", "slOrdPx": "-1", "tpTriggerPx": "61000"}, "51000"),
        ("order_algo", {"slTriggerPx": "low", "slOrdPx": "-1"}, "51000"),
        ("cancel_order", {"ordId": "what"}, "51400"),
        ("amend_algos", {"algoId": "1"}, "51503"),
    ],
)
async def test_a_hostile_request_is_refused_in_words_and_changes_nothing(
    method: str, params: dict[str, Any], code: str
) -> None:
    async with venue_of() as (venue, client):
        asked = {"order": ORDER, "order_algo": STOP}.get(method, {"instId": "BTC-USDT"}) | params
        with pytest.raises(ccxt.ExchangeError, match=code):
            await getattr(client, f"private_post_trade_{method}")(asked)
        assert not venue.engine.orders


@pytest.mark.parametrize(
    ("path", "params", "code"),
    [
        ("trade_orders_algo_pending", {}, "50014"),
        ("trade_fills", {"begin": "yesterday"}, "51000"),
        ("trade_orders_history", {"instType": "SPOT", "after": "x"}, "51000"),
        ("trade_order", {"instId": "BTC-USDT"}, "51603"),
    ],
)
async def test_a_hostile_question_is_refused_in_words(path: str, params: dict[str, str], code: str) -> None:
    async with venue_of() as (_, client):
        with pytest.raises(ccxt.ExchangeError, match=code):
            await getattr(client, f"private_get_{path}")(params)
