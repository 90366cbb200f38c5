"""Kraken spot on loopback, used by ccxt's own classes and held against frames recorded from the venue."""

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from neuratrade.core.model.market import Trade
from neuratrade.rehearsal.faults import Act, Fault, FaultKind
from neuratrade.rehearsal.kraken import RULES, Kraken
from neuratrade.rehearsal.kraken_words import crc
from tests.contract.rehearsal import bench

D = Decimal
ccxt = bench.ccxt
BTC = bench.spot("kraken", "USD")
SYMBOL = "BTC/USD"
ID = "6d1b345e-2821-40e2-ad83-{:012d}"


@asynccontextmanager
async def kraken(*plan: Fault, **keys: Any) -> AsyncIterator[tuple[Kraken, Any]]:
    """A running venue with a market, and ccxt.pro's class led to it."""
    engine, troubles = bench.engine_of([BTC], {"USD": "100000", "BTC": "1"}, RULES)
    if plan:
        troubles = bench.troubled(*plan)
    async with Kraken(engine, troubles, time.time_ns, bench.CREDENTIALS) as venue:
        venue.tape.play(bench.quote(BTC, "60000.0", "60000.1"))
        config = {
            "apiKey": bench.CREDENTIALS.key,
            "secret": bench.CREDENTIALS.secret,
            "enableRateLimit": False,
        } | keys
        async with bench.led_here(bench.pro.kraken(config), venue.hosts) as client:
            yield venue, client


async def test_markets_are_as_the_contract_says() -> None:
    async with kraken() as (_, client):
        market = (await client.load_markets())[SYMBOL]
    assert (market["id"], market["altname"], market["wsId"]) == ("XXBTZUSD", "XBTUSD", "XBT/USD")
    assert market["precision"] == {"amount": 1e-08, "price": 0.1}
    assert (market["limits"]["amount"]["min"], market["limits"]["cost"]["min"]) == (0.00005, 0.5)
    assert (market["taker"], market["maker"]) == (0.004, 0.0025)


async def test_public_data_is_what_was_played() -> None:
    async with kraken() as (venue, client):
        bars = bench.play_bars(venue.tape, BTC)
        venue.tape.play(Trade(BTC.key, time.time_ns(), D("60000.1"), D("0.25"), aggressor_buy=True))
        book = await client.fetch_order_book(SYMBOL)
        ticker = await client.fetch_ticker(SYMBOL)
        candles = await client.fetch_ohlcv(SYMBOL)
        trades = await client.fetch_trades(SYMBOL)
        now_ms = await client.fetch_time()
    assert [level[:2] for level in book["bids"][:2]] == [[60000.0, 0.3], [59999.9, 0.3]]
    assert [level[:2] for level in book["asks"][:2]] == [[60000.1, 0.3], [60000.2, 0.3]]
    assert (ticker["bid"], ticker["ask"], ticker["last"]) == (60000.0, 60000.1, 60000.1)
    assert [row[0] for row in candles] == [bar.open_ns // 10**6 for bar in bars]
    assert candles[-1][1:] == [60009.0, 60019.0, 59990.0, 60001.0, 2.0]
    assert [(item["price"], item["amount"], item["side"]) for item in trades] == [(60000.1, 0.25, "buy")]
    assert abs(now_ms / 1000 - time.time()) < 5


async def test_a_limit_order_rests_is_found_by_client_id_and_can_be_cancelled() -> None:
    async with kraken() as (_, client):
        made = await client.create_order(SYMBOL, "limit", "buy", 0.1, 59000, {"clientOrderId": ID.format(1)})
        listed = await client.fetch_open_orders(SYMBOL, params={"clientOrderId": ID.format(1)})
        others = await client.fetch_open_orders(SYMBOL, params={"clientOrderId": ID.format(2)})
        asked = await client.fetch_order(made["id"], SYMBOL)
        await client.cancel_order(None, SYMBOL, {"clientOrderId": ID.format(1)})
        left = await client.fetch_open_orders(SYMBOL)
        closed = await client.fetch_closed_orders(SYMBOL, params={"clientOrderId": ID.format(1)})
    assert [(order["id"], order["clientOrderId"]) for order in listed] == [(made["id"], ID.format(1))]
    assert others == []
    assert (asked["status"], asked["price"], asked["amount"], asked["filled"]) == ("open", 59000, 0.1, 0)
    assert left == []
    assert [(order["id"], order["status"]) for order in closed] == [(made["id"], "canceled")]


async def test_a_market_order_walks_the_book_and_its_parts_are_the_account_s_trades() -> None:
    async with kraken() as (_, client):
        made = await client.create_order(SYMBOL, "market", "buy", 0.5)
        order = await client.fetch_order(made["id"], SYMBOL)
        mine = await client.fetch_my_trades(SYMBOL)
        of_order = await client.fetch_order_trades(made["id"], SYMBOL, params={"trades": order["trades"]})
        balance = await client.fetch_balance()
    assert (order["status"], order["filled"], len(order["trades"])) == ("closed", 0.5, 2)
    assert [(item["price"], item["amount"]) for item in mine] == [(60000.1, 0.3), (60000.2, 0.2)]
    assert {item["id"] for item in mine} == {item["id"] for item in of_order}
    assert {item["order"] for item in mine} == {made["id"]}
    cost, fee = D("30000.07"), D("120.00028")
    assert sum(D(str(item["fee"]["cost"])) for item in mine) == fee
    assert {item["fee"]["currency"] for item in mine} == {"USD"}
    assert balance["BTC"]["total"] == 1.5
    assert D(str(balance["USD"]["total"])) == 100000 - cost - fee


async def test_a_limit_order_larger_than_the_book_is_filled_in_part() -> None:
    async with kraken() as (venue, client):
        made = await client.create_order(SYMBOL, "limit", "buy", 0.5, 60000.1)
        order = await client.fetch_order(made["id"], SYMBOL)
        balance = await client.fetch_balance()
        venue.tape.play(bench.quote(BTC, "60000.0", "60000.1"))
        later = await client.fetch_order(made["id"], SYMBOL)
    assert (order["status"], order["filled"], order["remaining"]) == ("open", 0.3, 0.2)
    assert balance["USD"]["used"] == pytest.approx(0.2 * 60000.1)
    assert (later["status"], later["filled"]) == ("closed", 0.5)


@pytest.mark.parametrize(
    ("kind", "limit", "filled"), [("market", None, 0.4), ("limit", 58990, 0.4), ("limit", 59000.1, 0.0)]
)
async def test_a_stop_waits_triggers_and_is_filled_as_its_limit_lets_it(
    kind: str, limit: float | None, filled: float
) -> None:
    async with kraken() as (venue, client):
        params = {"stopLossPrice": 59000, "clientOrderId": ID.format(3)}
        made = await client.create_order(SYMBOL, kind, "sell", 0.4, limit, params)
        waiting = await client.fetch_open_orders(SYMBOL)
        venue.tape.play(bench.quote(BTC, "58999.0", "58999.1"))
        order = await client.fetch_order(made["id"], SYMBOL)
    assert [(item["stopLossPrice"], item["type"], item["filled"]) for item in waiting] == [(59000, kind, 0)]
    assert order["filled"] == filled


async def test_an_order_is_amended_in_place() -> None:
    async with kraken() as (_, client):
        made = await client.create_order(SYMBOL, "limit", "buy", 0.1, 59000)
        await client.edit_order(made["id"], SYMBOL, "limit", "buy", 0.2, 59100)
        stop = await client.create_order(SYMBOL, "market", "sell", 0.2, None, {"stopLossPrice": 58000})
        await client.edit_order(stop["id"], SYMBOL, "market", "sell", 0.3, None, {"stopLossPrice": 58500})
        orders = {order["id"]: order for order in await client.fetch_open_orders(SYMBOL)}
    assert (orders[made["id"]]["amount"], orders[made["id"]]["price"]) == (0.2, 59100)
    assert (orders[stop["id"]]["amount"], orders[stop["id"]]["stopLossPrice"]) == (0.3, 58500)


async def test_a_client_id_is_unique_among_open_orders_only() -> None:
    async with kraken() as (venue, client):
        params = {"clientOrderId": ID.format(4)}
        await client.create_order(SYMBOL, "limit", "buy", 0.1, 59000, params)
        with pytest.raises(ccxt.ExchangeError, match="cl_ord_id"):
            await client.create_order(SYMBOL, "limit", "buy", 0.1, 59000, params)
        await client.cancel_order(None, SYMBOL, params)
        await client.create_order(SYMBOL, "limit", "buy", 0.1, 59000, params)
        assert len(venue.engine.orders) == 2


async def test_a_resting_sale_holds_what_it_sells_so_a_second_one_is_refused() -> None:
    async with kraken() as (_, client):
        await client.create_order(SYMBOL, "market", "sell", 1, None, {"stopLossPrice": 59000})
        with pytest.raises(ccxt.InsufficientFunds):
            await client.create_order(SYMBOL, "limit", "sell", 1, 61000)


async def test_streams_and_rest_name_an_execution_alike() -> None:
    async with kraken() as (venue, client):
        await client.load_markets()
        watching = asyncio.create_task(client.watch_my_trades(SYMBOL))
        await bench.asked_for(venue.streams.hub, "executions")
        await client.create_order(SYMBOL, "market", "sell", 0.1)
        (told,) = await bench.soon(watching)
        (asked,) = await client.fetch_my_trades(SYMBOL)
    same = ("id", "order", "symbol", "side", "price", "amount", "fee", "takerOrMaker")
    assert {name: told[name] for name in same} == {name: asked[name] for name in same}


async def test_an_order_is_told_from_taken_to_cancelled() -> None:
    async with kraken() as (venue, client):
        await client.load_markets()
        states: list[str] = []

        async def watch() -> None:
            while "canceled" not in states:
                states.extend(order["info"]["exec_type"] for order in await client.watch_orders())

        watching = asyncio.create_task(watch())
        await bench.asked_for(venue.streams.hub, "executions")
        params = {"clientOrderId": ID.format(5)}
        await client.create_order(SYMBOL, "limit", "buy", 0.1, 59000, params)
        await client.edit_order(None, SYMBOL, "limit", "buy", 0.1, 59100, params)
        await client.cancel_order(None, SYMBOL, params)
        await bench.soon(watching)
    assert states[0] == "pending_new"
    assert states[-1] == "canceled"


async def test_the_book_stream_goes_on_from_its_snapshot() -> None:
    async with kraken() as (venue, client):
        first = [list(level) for level in (await bench.soon(client.watch_order_book(SYMBOL)))["bids"]]
        venue.tape.play(bench.quote(BTC, "60000.2", "60000.4", "0.7"))
        second = await bench.soon(client.watch_order_book(SYMBOL))
        rest = await client.fetch_order_book(SYMBOL)
    assert first[0] == [60000.0, 0.3]
    assert second["bids"] == [level[:2] for level in rest["bids"]]
    assert second["asks"] == [level[:2] for level in rest["asks"]]


async def test_trades_candles_and_balances_are_streamed() -> None:
    async with kraken() as (venue, client):
        bars = bench.play_bars(venue.tape, BTC)
        candles = await bench.soon(client.watch_ohlcv(SYMBOL))
        trading = asyncio.create_task(client.watch_trades(SYMBOL))
        await bench.asked_for(venue.streams.hub, f"trade {BTC.key}")
        venue.tape.play(Trade(BTC.key, time.time_ns(), D("60000.0"), D("0.2"), aggressor_buy=False))
        trades = await bench.soon(trading)
        balance = await bench.soon(client.watch_balance())
    assert candles[-1][:2] == [bars[-1].open_ns // 10**6, 60009]
    assert [(item["price"], item["amount"], item["side"]) for item in trades] == [(60000.0, 0.2, "sell")]
    assert balance["BTC"]["total"] == 1


@pytest.mark.parametrize(
    ("keys", "error", "says"),
    [
        ({"apiKey": "another"}, ccxt.AuthenticationError, "EAPI:Invalid key"),
        ({"secret": "YW5vdGhlcg=="}, ccxt.ExchangeError, "EAPI:Invalid signature"),
    ],
)
async def test_a_request_with_a_wrong_key_is_refused(
    keys: dict[str, str], error: type[Exception], says: str
) -> None:
    async with kraken(**keys) as (_, client):
        with pytest.raises(error, match=says):
            await client.fetch_balance()


async def test_a_nonce_that_does_not_rise_is_refused() -> None:
    async with kraken() as (_, client):
        await client.fetch_balance()
        client.incrementing_nonce = lambda: 5
        with pytest.raises(ccxt.InvalidNonce):
            await client.fetch_balance()


async def test_a_request_that_is_dealt_with_late_is_not_refused_for_one_that_came_after_it() -> None:
    async with kraken(Fault(0.0, FaultKind.LATE, 0.5, on=Act.ASK)) as (_, client):
        late = asyncio.create_task(client.fetch_balance())
        await asyncio.sleep(0.2)
        assert "USD" in await client.fetch_balance()
        assert not late.done()
        assert "USD" in await late


async def test_what_the_venue_refuses_is_told_in_its_words() -> None:
    async with kraken() as (_, client):
        await client.load_markets()
        with pytest.raises(ccxt.InsufficientFunds):
            await client.create_order(SYMBOL, "limit", "buy", 10, 59000)
        with pytest.raises(ccxt.InvalidOrder, match="volume minimum not met"):
            await client.create_order(SYMBOL, "limit", "buy", 0.00001, 59000)
        with pytest.raises(ccxt.OrderNotFound):
            await client.cancel_order("O00000-00000-0000ZZ", SYMBOL)
        with pytest.raises(ccxt.ExchangeError, match="userref"):
            await client.fetch_order("O00000-00000-0000ZZ", SYMBOL, {"clientOrderId": ID.format(6)})
        with pytest.raises(ccxt.ExchangeError, match="oflags"):
            await client.create_order(SYMBOL, "limit", "buy", 0.1, 59000, {"oflags": "fcib"})


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        (FaultKind.RATE_LIMITED, ccxt.DDoSProtection),
        (FaultKind.SERVER_ERROR, ccxt.ExchangeNotAvailable),
        (FaultKind.CUT, ccxt.NetworkError),
    ],
)
async def test_an_overload_leaves_the_outcome_open(kind: FaultKind, error: type[Exception]) -> None:
    async with kraken(Fault(0.0, kind, on=Act.SUBMIT)) as (venue, client):
        await client.load_markets()
        with pytest.raises(error) as caught:
            await client.create_order(SYMBOL, "limit", "buy", 0.1, 59000)
        assert isinstance(caught.value, ccxt.OperationFailed)
        assert venue.troubles.met[kind.value] == 1


async def test_the_key_says_what_it_may_do() -> None:
    async with kraken() as (_, client):
        answer = await client.private_post_getapikeyinfo()
    assert "withdraw-funds" not in answer["result"]["permissions"]
    assert "modify-trades" in answer["result"]["permissions"]


@pytest.mark.shared
def test_the_checksum_is_the_one_of_recorded_books(shared_data: Path) -> None:
    path = shared_data / "fixtures" / "kraken" / "cryptofeed" / "KRAKEN.ws.50.0.gz"
    books: dict[int, dict[str, dict[str, str]]] = {}
    checked = 0
    for text in bench.recorded(path):
        frame = json.loads(text)
        if not isinstance(frame, list):
            continue
        book = books.setdefault(frame[0], {"a": {}, "b": {}})
        parts = {name: rows for part in frame[1:-2] for name, rows in part.items()}
        for name, rows in parts.items():
            if name == "c":
                continue
            for row in rows:
                book[name[0]].pop(row[0], None)
                if D(row[1]):
                    book[name[0]][row[0]] = row[1]
        if "c" in parts:
            asks = sorted(book["a"].items(), key=lambda level: D(level[0]))[:10]
            bids = sorted(book["b"].items(), key=lambda level: -D(level[0]))[:10]
            assert crc([*asks, *bids]) == int(parts["c"])
            checked += 1
    assert checked > 1000


ORDER = {"pair": "XBTUSD", "type": "buy", "ordertype": "limit", "volume": "0.1", "price": "59000"}


@pytest.mark.parametrize(
    ("method", "params", "says"),
    [
        ("addorder", {"pair": "NOPE"}, "EQuery:Unknown asset pair"),
        ("addorder", {"pair": ""}, "EQuery:Unknown asset pair"),
        ("addorder", {"type": "hold"}, "EGeneral:Invalid arguments:type"),
        ("addorder", {"ordertype": "iceberg"}, "EGeneral:Invalid arguments:ordertype"),
        ("addorder", {"volume": "much"}, "EGeneral:Invalid arguments:volume"),
        ("addorder", {"volume": "-1"}, "EGeneral:Invalid arguments:volume"),
        ("addorder", {"volume": "1e400"}, "EGeneral:Invalid arguments"),
        ("addorder", {"price": "NaN"}, "EGeneral:Invalid arguments:price"),
        ("addorder", {"price": "+5"}, "EGeneral:Invalid arguments:price"),
        ("addorder", {"price": "59000.05"}, "EOrder:Invalid price"),
        ("addorder", {"timeinforce": "FOREVER"}, "EGeneral:Invalid arguments:timeinforce"),
        ("addorder", {"expiretm": "tomorrow"}, "EGeneral:Invalid arguments:expiretm"),
        ("addorder", {"leverage": "5:1"}, "EGeneral:Invalid arguments:leverage"),
        ("amendorder", {"txid": "what"}, "EOrder:Unknown order"),
        ("closedorders", {"ofs": "one"}, "EGeneral:Invalid arguments"),
        ("tradeshistory", {"start": "yesterday"}, "EGeneral:Invalid arguments"),
        ("querytrades", {"txid": "T1,T2"}, "EOrder:Invalid order"),
    ],
)
async def test_a_hostile_request_is_refused_in_words_and_changes_nothing(
    method: str, params: dict[str, str], says: str
) -> None:
    async with kraken() as (venue, client):
        asked = ORDER | params if method == "addorder" else params
        with pytest.raises(ccxt.ExchangeError, match=re.escape(says)):
            await getattr(client, f"private_post_{method}")(asked)
        assert not venue.engine.orders


async def test_the_streamed_book_has_the_checksum_of_what_a_mirror_holds() -> None:
    async with (
        kraken() as (venue, _),
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{venue.ws_base}/v2") as socket,
    ):
        params = {"channel": "book", "symbol": [SYMBOL], "depth": 10}
        await socket.send_str(json.dumps({"method": "subscribe", "params": params}))
        await bench.asked_for(venue.streams.hub, f"book {BTC.key}")
        for step in range(5):
            venue.tape.play(bench.quote(BTC, f"6000{step}.2", f"6000{step}.4", f"0.{step + 1}"))
        mirror: dict[str, dict[Decimal, Decimal]] = {"bids": {}, "asks": {}}
        checked = 0
        while checked < 6:
            frame = json.loads((await bench.soon(socket.receive())).data, parse_float=D)
            for row in frame["data"] if frame.get("channel") == "book" else ():
                for side, levels in mirror.items():
                    levels.update({level["price"]: level["qty"] for level in row[side]})
                    mirror[side] = {price: size for price, size in levels.items() if size}
                levels_of = [*sorted(mirror["asks"].items())[:10], *sorted(mirror["bids"].items())[:-11:-1]]
                assert crc((f"{price:.1f}", f"{size:.8f}") for price, size in levels_of) == row["checksum"]
                checked += 1
