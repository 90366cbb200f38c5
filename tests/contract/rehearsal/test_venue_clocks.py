"""What the simulated venues do after a while, in a time that jumps."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import aiohttp
import pytest

from neuratrade.core.model.orders import OrderType, Side, TimeInForce
from neuratrade.rehearsal import binance_usdm, kraken
from neuratrade.rehearsal.faults import Fault, FaultKind, Troubles
from neuratrade.rehearsal.matching import MatchingEngine, Rules
from neuratrade.rehearsal.orders import Ticket
from neuratrade.rehearsal.warp import WarpClock, WarpLoop, run_warped
from tests.contract.rehearsal import bench

D = Decimal
BEGIN_NS = 1_750_000_000 * 10**9
PERP = bench.perpetual("binanceusdm", lot=D("0.001"), multiplier=D(1))
BTC = bench.spot("kraken", "USD")
Body = Callable[[Any, WarpClock, aiohttp.ClientSession], Awaitable[None]]


def warped(venue: type[Any], contract: Any, rules: Rules, body: Body, *plan: Fault) -> None:
    """Runs `body` with a venue that has a market, in a time that jumps."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, WarpLoop)
        clock = WarpClock(loop, BEGIN_NS)
        engine = MatchingEngine([contract], {contract.quote: D(100_000)}, clock.now_ns, rules)
        troubles = Troubles(plan, clock.now_ns, BEGIN_NS)
        async with venue(engine, troubles, clock.now_ns) as running, aiohttp.ClientSession() as session:
            running.tape.play(bench.quote(contract, "60000.0", "60000.1"))
            await body(running, clock, session)

    run_warped(main())


def buy(contract: Any, client_id: str, **terms: Any) -> Ticket:
    """A tenth of a coin, far below the market."""
    return Ticket(client_id, contract.key, Side.BUY, OrderType.LIMIT, D("0.1"), D(59000), **terms)


async def next_frame(socket: aiohttp.ClientWebSocketResponse) -> dict[str, Any]:
    """The next one that is no heartbeat."""
    while True:
        frame: dict[str, Any] = json.loads((await socket.receive(timeout=30)).data)
        if frame.get("channel") != "heartbeat":
            return frame


def test_a_listen_key_of_binance_lives_an_hour_from_when_it_was_last_extended() -> None:
    async def body(venue: Any, clock: WarpClock, session: aiohttp.ClientSession) -> None:
        headers = {"X-MBX-APIKEY": venue.credentials.key}
        address = f"{venue.base}/fapi/v1/listenKey"
        async with session.post(address, headers=headers) as answer:
            key = (await answer.json())["listenKey"]
        async with session.ws_connect(f"{venue.ws_base}/private/ws?listenKey={key}") as socket:
            await clock.sleep(59 * 60)
            async with session.put(address, headers=headers) as answer:
                assert answer.status == 200
            await clock.sleep(59 * 60)
            venue.place(buy(PERP, "one"))
            assert (await next_frame(socket))["o"]["c"] == "one"
            await clock.sleep(61)
            venue.place(buy(PERP, "two"))
            assert (await next_frame(socket))["e"] == "listenKeyExpired"
        async with session.put(address, headers=headers) as answer:
            assert (await answer.json())["code"] == -1125
        async with session.get(f"{venue.base}/private/ws?listenKey={key}") as answer:
            assert answer.status == 400

    warped(binance_usdm.BinanceUsdm, PERP, binance_usdm.RULES, body)


def test_a_token_of_kraken_opens_private_channels_for_a_quarter_of_an_hour() -> None:
    async def body(venue: Any, clock: WarpClock, session: aiohttp.ClientSession) -> None:
        venue.account.tokens["mine"] = clock.now_ns() + 900 * 10**9
        asked = {"method": "subscribe", "params": {"channel": "executions", "token": "mine"}}
        async with session.ws_connect(f"{venue.ws_base}/auth/v2") as socket:
            await next_frame(socket)
            await socket.send_json(asked)
            assert (await next_frame(socket))["success"] is True
            assert (await next_frame(socket))["type"] == "snapshot"
            await clock.sleep(901)
            await socket.send_json(asked)
            assert (await next_frame(socket))["error"] == "ESession:Invalid session"

    warped(kraken.Kraken, BTC, kraken.RULES, body)


def test_an_order_of_kraken_that_was_to_rest_until_now_expires_and_is_told() -> None:
    async def body(venue: Any, clock: WarpClock, session: aiohttp.ClientSession) -> None:
        venue.account.tokens["mine"] = clock.now_ns() + 900 * 10**9
        async with session.ws_connect(f"{venue.ws_base}/auth/v2") as socket:
            await socket.send_json(
                {"method": "subscribe", "params": {"channel": "executions", "token": "mine"}}
            )
            for _ in range(3):
                await next_frame(socket)
            until_ns = clock.now_ns() + 60 * 10**9
            venue.place(buy(BTC, "one", time_in_force=TimeInForce.GTD, expires_ns=until_ns))
            told = [(await next_frame(socket))["data"][0]["exec_type"] for _ in range(2)]
            await clock.sleep(61)
            venue.tape.play(bench.quote(BTC, "60000.0", "60000.1"))
            told.append((await next_frame(socket))["data"][0]["exec_type"])
        assert told == ["pending_new", "new", "expired"]

    warped(kraken.Kraken, BTC, kraken.RULES, body)


@pytest.mark.parametrize(
    ("kind", "cut", "stands"),
    [(FaultKind.DISCONNECT, "/auth/v2", "/v2"), (FaultKind.PRICES_CUT, "/v2", "/auth/v2")],
)
def test_every_connection_of_a_kind_is_cut_together_and_the_other_kind_stands(
    kind: FaultKind, cut: str, stands: str
) -> None:
    async def body(venue: Any, clock: WarpClock, session: aiohttp.ClientSession) -> None:
        other = await session.ws_connect(venue.ws_base + stands)
        sockets = [await session.ws_connect(venue.ws_base + cut) for _ in range(2)]
        await clock.sleep(20)
        for socket in sockets:
            while (await socket.receive(timeout=5)).type is aiohttp.WSMsgType.TEXT:
                continue
            assert socket.closed
        assert (await next_frame(other))["channel"] == "status"
        again = await session.ws_connect(venue.ws_base + cut)
        assert (await next_frame(again))["channel"] == "status"
        await clock.sleep(5)
        assert not other.closed
        await again.close()

    warped(kraken.Kraken, BTC, kraken.RULES, body, Fault(10.0, kind))


def test_a_silent_symbol_is_caught_up_with_in_one_step() -> None:
    async def body(venue: Any, clock: WarpClock, session: aiohttp.ClientSession) -> None:
        async with session.ws_connect(f"{venue.ws_base}/v2") as socket:
            asked = {"channel": "book", "symbol": ["BTC/USD"]}
            await socket.send_json({"method": "subscribe", "params": asked})
            for _ in range(3):
                await next_frame(socket)
            await clock.sleep(11)
            venue.tape.play(bench.quote(BTC, "60001.0", "60001.1"))
            await clock.sleep(30)
            venue.tape.play(bench.quote(BTC, "60002.0", "60002.1"))
            row = (await next_frame(socket))["data"][0]
        assert max(level["price"] for level in row["bids"] if level["qty"]) == 60002.0

    warped(kraken.Kraken, BTC, kraken.RULES, body, Fault(10.0, FaultKind.SILENT_SYMBOL, 30.0))
