"""The vendor's own client, unmodified, against the simulator of Alpaca, and its words against recorded ones.

The client is synchronous and repeats a request by itself after 429 and 504; it is called in a thread.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from neuratrade.core.model.market import Quote
from neuratrade.rehearsal.alpaca import KEY, SECRET, AlpacaSimulator
from neuratrade.rehearsal.faults import Act, Fault, FaultKind, Troubles
from neuratrade.rehearsal.matching import MatchingEngine
from tests.contract.rehearsal.alpaca_client import (
    APIError,
    GetOrdersRequest,
    LimitOrderRequest,
    MarketOrderRequest,
    Order,
    StopLimitOrderRequest,
    StopLossRequest,
    TakeProfitRequest,
    TradeUpdate,
    TradingClient,
    TradingStream,
    enums,
)
from tests.unit.rehearsal.exchange import AAPL, BTC, D

FIXTURES = Path("fixtures") / "alpaca"
WAIT_S = 10.0


class Exchange:
    """The simulator in real time, the vendor's clients on it, and a market."""

    def __init__(self, simulator: AlpacaSimulator) -> None:
        self.simulator = simulator
        self.engine = simulator.engine
        self.client = TradingClient(KEY, SECRET, paper=True, url_override=simulator.base)
        self.updates: list[TradeUpdate] = []

    def quote(self, bid: str, ask: str, size: str = "10", key: str = BTC.key) -> None:
        """The market stands at these prices."""
        self.engine.quote(Quote(key, time.time_ns(), D(bid), D(ask), D(size), D(size)))

    async def call(self, method: Callable[..., Any], *arguments: Any) -> Any:
        """Calls the synchronous client."""
        return await asyncio.to_thread(method, *arguments)

    async def submit(self, kind: type, **terms: Any) -> Order:
        """Sends an order of BTC/USD to buy one, unless told otherwise."""
        usual = {
            "symbol": "BTC/USD", "qty": 1,
            "side": enums.OrderSide.BUY, "time_in_force": enums.TimeInForce.GTC,
        }  # fmt: skip
        taken = await self.call(self.client.submit_order, kind(**(usual | terms)))
        assert isinstance(taken, Order)
        return taken

    async def refused(self, method: Callable[..., Any], *arguments: Any) -> tuple[int, int, str]:
        """Status, code and words of a refusal."""
        with pytest.raises(APIError) as caught:
            await self.call(method, *arguments)
        return caught.value.status_code, caught.value.code, caught.value.message

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """The vendor's stream fills `updates` until the block ends."""
        stream = TradingStream(KEY, SECRET, paper=True, url_override=f"{self.simulator.ws_base}/stream")

        async def take(update: TradeUpdate) -> None:
            self.updates.append(update)

        stream.subscribe_trade_updates(take)
        task = asyncio.create_task(stream._run_forever())  # type: ignore[no-untyped-call]
        try:
            await self.until(lambda: self.simulator.hub.is_heard(""))
            yield
        finally:
            await stream.stop_ws()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await stream.close()

    async def until(self, true: Callable[[], object]) -> None:
        """Waits for something that must come true."""
        async with asyncio.timeout(WAIT_S):
            while not true():  # noqa: ASYNC110 - the simulator tells nobody
                await asyncio.sleep(0.01)


def amount(text: object) -> Decimal:
    """A number as the vendor writes it: text without an exponent."""
    assert isinstance(text, str)
    assert "E" not in text
    return D(text)


@asynccontextmanager
async def exchange(*plan: Fault, balances: dict[str, Decimal] | None = None) -> AsyncIterator[Exchange]:
    """A market of 100 to 101 for BTC/USD, of 200 to 201 for AAPL."""
    engine = MatchingEngine([BTC, AAPL], {"USD": D(100_000)} if balances is None else balances, time.time_ns)
    async with AlpacaSimulator(
        engine, Troubles(plan, time.time_ns, time.time_ns()), time.time_ns
    ) as simulator:
        found = Exchange(simulator)
        found.quote("100", "101")
        found.quote("200", "201", key=AAPL.key)
        try:
            yield found
        finally:
            found.client._session.close()


async def test_orders_of_every_type_are_taken_filled_and_shown() -> None:
    async with exchange(balances={"USD": D(100_000), "BTC": D(2)}) as here:
        bought = await here.submit(MarketOrderRequest)
        assert bought.status is enums.OrderStatus.FILLED
        assert (amount(bought.filled_qty), amount(bought.filled_avg_price)) == (D(1), D(101))
        rests = await here.submit(LimitOrderRequest, qty=0.5, limit_price=88.5, client_order_id="mine")
        assert (rests.status, rests.type, rests.limit_price) == (
            enums.OrderStatus.NEW,
            enums.OrderType.LIMIT,
            "88.5",
        )
        stop = await here.submit(
            StopLimitOrderRequest, qty=1, side=enums.OrderSide.SELL, stop_price=90, limit_price=89
        )
        assert (stop.type, stop.stop_price, stop.limit_price) == (enums.OrderType.STOP_LIMIT, "90.0", "89.0")
        share = await here.submit(
            MarketOrderRequest, symbol="AAPL", time_in_force=enums.TimeInForce.DAY, side=enums.OrderSide.BUY
        )
        assert (share.asset_class, share.time_in_force) == (enums.AssetClass.US_EQUITY, enums.TimeInForce.DAY)

        by_name = await here.call(here.client.get_order_by_client_id, "mine")
        by_id = await here.call(here.client.get_order_by_id, str(rests.id))
        assert by_name == by_id == rests
        found = await here.call(here.client.get_orders, GetOrdersRequest(status=enums.QueryOrderStatus.OPEN))
        assert {order.id for order in found} == {rests.id, stop.id}
        everything = await here.call(
            here.client.get_orders, GetOrdersRequest(status=enums.QueryOrderStatus.ALL)
        )
        assert len(everything) == 4


async def test_refusals_have_the_vendors_status_code_and_words() -> None:
    async with exchange() as here:
        await here.submit(LimitOrderRequest, limit_price=99, client_order_id="taken")

        def limit(**terms: Any) -> LimitOrderRequest:
            usual = {"symbol": "BTC/USD", "qty": 1, "side": "buy", "time_in_force": "gtc", "limit_price": 99}
            return LimitOrderRequest(**(usual | terms))

        submit = here.client.submit_order
        assert await here.refused(submit, limit(client_order_id="taken")) == (
            422, 40010001, "client_order_id must be unique",
        )  # fmt: skip
        assert (await here.refused(submit, limit(qty=10_000)))[:2] == (403, 40310000)
        assert (await here.refused(submit, limit(symbol="NO/SUCH")))[0] == 422
        assert (await here.refused(submit, limit(time_in_force="day")))[0] == 422
        assert (await here.refused(submit, limit(client_order_id="x" * 129)))[0] == 422
        bracket = limit(
            order_class=enums.OrderClass.BRACKET,
            take_profit=TakeProfitRequest(limit_price=110),
            stop_loss=StopLossRequest(stop_price=90, limit_price=89),
        )
        status, _, words = await here.refused(submit, bracket)
        assert status == 422
        assert "order_class" in words
        assert len(here.engine.orders) == 1


async def test_cancelling_is_answered_by_whether_it_could_be_done() -> None:
    async with exchange() as here:
        order = await here.submit(LimitOrderRequest, limit_price=99)
        assert await here.call(here.client.cancel_order_by_id, str(order.id)) is None
        assert (await here.refused(here.client.cancel_order_by_id, str(order.id)))[0] == 422
        nobody = "00000000-0000-0000-0000-000000000000"
        assert (await here.refused(here.client.cancel_order_by_id, nobody))[0] == 404
        assert (await here.refused(here.client.get_order_by_id, nobody))[0] == 404
        assert (await here.refused(here.client.get_order_by_client_id, "nobody"))[0] == 404
        gone = [await here.submit(LimitOrderRequest, limit_price=price) for price in (98, 97)]
        answers = await here.call(here.client.cancel_orders)
        assert {answer.id for answer in answers} == {order.id for order in gone}
        assert {answer.status for answer in answers} == {200}
        assert not here.engine.open_orders()


async def test_the_account_its_holdings_and_the_venue_are_shown() -> None:
    async with exchange() as here:
        await here.submit(MarketOrderRequest, qty=0.5)
        account = await here.call(here.client.get_account)
        assert (amount(account.cash), account.currency) == (D("99949.5"), "USD")
        assert account.status is enums.AccountStatus.ACTIVE
        (held,) = await here.call(here.client.get_all_positions)
        assert (held.symbol, amount(held.qty), held.side) == ("BTCUSD", D("0.49875"), enums.PositionSide.LONG)
        asset = await here.call(here.client.get_asset, "BTC/USD")
        assert (asset.symbol, asset.min_trade_increment, asset.price_increment) == ("BTC/USD", 1e-6, 0.01)
        assert (await here.refused(here.client.get_asset, "NO/SUCH"))[0] == 404
        assert (await here.call(here.client.get_clock)).is_open


async def test_keys_it_does_not_know_are_401_everywhere() -> None:
    async with exchange() as here:
        order = await here.submit(LimitOrderRequest, limit_price=99)
        stranger = TradingClient(KEY, "guessed", paper=True, url_override=here.simulator.base)
        for method, *arguments in (
            (stranger.get_account,), (stranger.get_all_positions,), (stranger.get_orders,),
            (stranger.get_clock,), (stranger.cancel_orders,), (stranger.get_asset, "BTC/USD"),
            (stranger.get_order_by_id, str(order.id)), (stranger.cancel_order_by_id, str(order.id)),
            (stranger.get_order_by_client_id, order.client_order_id),
        ):  # fmt: skip
            assert (await here.refused(method, *arguments))[:2] == (401, 40110000)
        stranger._session.close()
        assert len(here.engine.open_orders()) == 1


async def test_the_vendors_client_sends_again_after_a_429_and_is_told_that_the_order_is_there() -> None:
    async with exchange(Fault(0.0, FaultKind.RATE_LIMITED_AFTER, on=Act.SUBMIT)) as here:
        here.client._retry_wait = 0
        request = MarketOrderRequest(
            symbol="BTC/USD", qty=1, side=enums.OrderSide.BUY, time_in_force="gtc", client_order_id="once"
        )
        assert (await here.refused(here.client.submit_order, request))[:2] == (422, 40010001)
        assert here.simulator.submissions == {"once": 2}
        assert len(here.engine.orders) == 1


async def test_the_stream_tells_what_the_vendors_models_read() -> None:
    async with exchange() as here, here.listening():
        order = await here.submit(LimitOrderRequest, limit_price=99, client_order_id="a")
        here.quote("98", "99", size="0.25")
        here.quote("98", "99", size="5")
        await here.submit(LimitOrderRequest, limit_price=90, client_order_id="b")
        await here.call(here.client.cancel_orders)
        await here.until(lambda: len(here.updates) == 5)
        told = [(item.event, item.order.client_order_id, item.order.status) for item in here.updates]
        assert told == [
            (enums.TradeEvent.NEW, "a", enums.OrderStatus.NEW),
            (enums.TradeEvent.PARTIAL_FILL, "a", enums.OrderStatus.PARTIALLY_FILLED),
            (enums.TradeEvent.FILL, "a", enums.OrderStatus.FILLED),
            (enums.TradeEvent.NEW, "b", enums.OrderStatus.NEW),
            (enums.TradeEvent.CANCELED, "b", enums.OrderStatus.CANCELED),
        ]
        part, rest = here.updates[1:3]
        assert (part.qty, part.price, amount(part.order.filled_qty)) == (0.25, 99.0, D("0.25"))
        assert (rest.qty, rest.position_qty, amount(rest.order.filled_qty)) == (0.75, 0.9985, D(1))
        assert rest.order.id == order.id
        assert part.execution_id != rest.execution_id
        assert rest.order.filled_at is not None
        assert here.updates[4].order.canceled_at is not None


async def test_the_stream_ends_for_keys_it_does_not_know() -> None:
    async with exchange() as here, aiohttp.ClientSession() as session:
        async with session.ws_connect(f"{here.simulator.ws_base}/stream") as socket:
            await socket.send_str(json.dumps({"action": "listen", "data": {"streams": ["trade_updates"]}}))
            await socket.receive(timeout=WAIT_S)
            await here.submit(MarketOrderRequest)
            assert (await socket.receive(timeout=WAIT_S)).type is aiohttp.WSMsgType.CLOSE
        async with session.ws_connect(f"{here.simulator.ws_base}/stream") as socket:
            await socket.send_str(
                json.dumps({"action": "authenticate", "data": {"key_id": KEY, "secret_key": "guessed"}})
            )
            answer = await socket.receive(timeout=WAIT_S)
            assert json.loads(answer.data) == {
                "stream": "authorization", "data": {"status": "unauthorized", "action": "authenticate"},
            }  # fmt: skip
            assert (await socket.receive(timeout=WAIT_S)).type is aiohttp.WSMsgType.CLOSE


# recorded words


def recorded(shared_data: Path, name: str) -> Any:
    return json.loads((shared_data / FIXTURES / "rest" / f"trading__trading_client__{name}.json").read_text())


def one(found: Any) -> dict[str, Any]:
    """The first of a list, or the thing itself."""
    return found[0] if isinstance(found, list) else found  # type: ignore[no-any-return]


def fits(ours: dict[str, Any], theirs: dict[str, Any], numbers_as_text: bool = True) -> list[str]:
    """What of ours is not as recorded: unknown names, and JSON types other than theirs."""
    found = [f"{name} is not in the recording" for name in ours if name not in theirs]
    for name in ours.keys() & theirs.keys():
        mine, other = ours[name], theirs[name]
        if mine is None or other is None:
            continue
        if numbers_as_text and isinstance(other, int | float) and not isinstance(other, bool):
            other = str(other)
        if type(mine) is not type(other):
            found.append(f"{name} is {mine!r}, recorded is {other!r}")
    return found


async def body_of(here: Exchange, path: str) -> Any:
    headers = {"APCA-API-KEY-ID": KEY, "APCA-API-SECRET-KEY": SECRET}
    async with (
        aiohttp.ClientSession(here.simulator.base, headers=headers) as session,
        session.get(path) as answer,
    ):
        assert answer.status == 200
        assert answer.content_type == "application/json"
        return json.loads(await answer.read())


RECORDED = {
    "test_order_routes__test_get_order_by_client_id": "/v2/orders:by_client_order_id?client_order_id=mine",
    "test_order_routes__test_get_orders": "/v2/orders?status=open",
    "test_position_routes__test_get_all_positions": "/v2/positions",
    "test_asset_routes__test_get_asset": "/v2/assets/AAPL",
}


LEFT_OUT = {"legs", "qty_available"}
"""What the vendor's models know, and one recording or another leaves out."""


@pytest.mark.shared
@pytest.mark.parametrize("name", RECORDED)
async def test_bodies_have_the_names_and_types_of_recorded_ones(name: str, shared_data: Path) -> None:
    theirs = recorded(shared_data, name)
    async with exchange() as here:
        await here.submit(MarketOrderRequest)
        await here.submit(LimitOrderRequest, limit_price=99, client_order_id="mine")
        ours = await body_of(here, RECORDED[name])
    assert type(ours) is type(theirs)
    assert set(fits(one(ours), one(theirs))) <= {f"{field} is not in the recording" for field in LEFT_OUT}


@pytest.mark.shared
async def test_frames_have_the_names_and_types_of_recorded_ones(shared_data: Path) -> None:
    lines = (shared_data / FIXTURES / "ws" / "trade_updates.jsonl").read_text().splitlines()
    recordings = [json.loads(json.loads(line)["text"]) for line in lines if json.loads(line)["dir"] == "recv"]
    said = ("authenticate", {"key_id": KEY, "secret_key": SECRET}), ("listen", {"streams": ["trade_updates"]})
    async with (
        exchange() as here,
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{here.simulator.ws_base}/stream") as socket,
    ):
        frames = []
        for action, data in said:
            await socket.send_str(json.dumps({"action": action, "data": data}))
            frames.append((await socket.receive(timeout=WAIT_S)).data)
        await here.submit(MarketOrderRequest)
        frames += [(await socket.receive(timeout=WAIT_S)).data for _ in range(2)]
    # The venue sends its JSON in binary frames.
    assert all(isinstance(frame, bytes) for frame in frames)
    ours = [json.loads(frame) for frame in frames]
    assert ours[:2] == recordings[:2]
    theirs = next(frame["data"] for frame in recordings[2:] if "asset_id" in frame["data"]["order"])
    fill = ours[3]["data"]
    assert fill["event"] == theirs["event"] == "fill"
    assert set(fill) == set(theirs)
    assert fits(fill, theirs, numbers_as_text=False) == []
    assert fits(fill["order"], theirs["order"], numbers_as_text=False) == []
    assert set(theirs["order"]) - set(fill["order"]) == {"cancel_requested_at"}
    assert set(ours[2]["data"]) == {"event", "timestamp", "order"}


@pytest.mark.shared
def test_our_adapter_reads_recorded_frames_and_bodies(shared_data: Path) -> None:
    import msgspec

    from neuratrade.venues.alpaca.wire import Frame, Update, WireOrder, WirePosition

    lines = (shared_data / FIXTURES / "ws" / "trade_updates.jsonl").read_text().splitlines()
    texts = [json.loads(line)["text"] for line in lines]
    updates = [
        msgspec.json.decode(frame.data, type=Update)
        for frame in (msgspec.json.decode(text, type=Frame) for text in texts)
        if frame.stream == "trade_updates"
    ]
    assert [(item.event, item.price, item.qty) for item in updates] == [
        ("fill", D("7.1831"), D(4)), ("fill", D("105.8988475"), D(30)),
    ]  # fmt: skip
    orders = msgspec.convert(
        recorded(shared_data, "test_order_routes__test_get_orders"), list[WireOrder], strict=False
    )
    assert orders[0].symbol == "SPY"
    positions = msgspec.convert(
        recorded(shared_data, "test_position_routes__test_get_all_positions"), list[WirePosition]
    )
    assert (positions[0].symbol, positions[0].qty) == ("AAPL", D(5))
