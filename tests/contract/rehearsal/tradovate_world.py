"""A simulated Tradovate in a test's hand: ES and GC, a clock, and a client that knows only framing."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import aiohttp

from neuratrade.core.model.instrument import Instrument, InstrumentKind
from neuratrade.core.model.market import NS_PER_SECOND, Quote
from neuratrade.rehearsal.faults import Fault, Troubles
from neuratrade.rehearsal.matching import MatchingEngine
from neuratrade.rehearsal.tradovate import KEY, RULES, Tradovate
from neuratrade.rehearsal.tradovate_hours import Hours
from neuratrade.rehearsal.warp import WarpClock, WarpLoop
from tests.contract.rehearsal import tradovate_schema as schema

D = Decimal
BEGIN_NS = 1_795_446_000 * NS_PER_SECOND
"""Monday 2026-11-23, 15:00 UTC: 09:00 in Chicago."""
LOGIN = {
    "name": KEY.key, "password": KEY.passphrase, "appId": "neuratrade", "appVersion": "1",
    "deviceId": "rehearsal-device", "cid": 1, "sec": KEY.secret,
}  # fmt: skip


def future(asset: str, tick: str, multiplier: int, commission: str = "2.50") -> Instrument:
    """A contract of the CME."""
    return Instrument(
        asset, "tradovate", InstrumentKind.FUTURE, asset[:-2], "USD",
        tick=D(tick), lot=D(1), min_quantity=D(1), min_notional=D(0), multiplier=D(multiplier),
        commission=D(commission), initial_margin=D("0.06"), maintenance_margin=D("0.05"),
    )  # fmt: skip


ES = future("ESZ6", "0.25", 50)
GC = future("GCZ6", "0.10", 100)
ES_ID, GC_ID = 3_000_001, 3_000_005


class World:
    """The venue, its engine and clock, and a token that holds."""

    def __init__(self, venue: Tradovate, engine: MatchingEngine, clock: WarpClock) -> None:
        self.venue = venue
        self.engine = engine
        self.clock = clock
        self.http = aiohttp.ClientSession()
        self.token = ""
        self.lines: list[Line] = []

    def quote(self, bid: str, ask: str, size: str = "50", contract: Instrument = ES) -> None:
        """The market stands there."""
        sizes = D(size), D(size)
        self.engine.quote(Quote(contract.key, self.clock.now_ns(), D(bid), D(ask), *sizes))

    async def login(self, **more: Any) -> Any:
        """Asks for a token, and keeps it."""
        said = await self.post("auth/accesstokenrequest", **{**LOGIN, **more})
        self.token = said.get("accessToken", self.token) if isinstance(said, dict) else self.token
        return said

    async def ask(self, method: str, path: str, body: Any = None, **query: Any) -> tuple[int, Any]:
        """One request by REST: status and what was answered."""
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        url = f"{self.venue.base}/v1/{path}"
        async with self.http.request(method, url, json=body, params=query, headers=headers) as answer:
            text = await answer.text()
            return answer.status, json.loads(text) if text.startswith(("{", "[")) else text

    async def get(self, path: str, **query: Any) -> Any:
        """What is there."""
        status, said = await self.ask("GET", path, **query)
        assert status == 200, (status, said)
        return said

    async def post(self, path: str, **body: Any) -> Any:
        """What comes of it."""
        status, said = await self.ask("POST", path, body)
        assert status == 200, (status, said)
        return said

    async def order(self, action: str, quantity: int, kind: str = "Market", **more: Any) -> Any:
        """An order for ES unless `symbol` says otherwise."""
        return await self.post("order/placeorder", **terms(action, quantity, kind, **more))

    async def bare(self, token: str | None = None) -> "Line":
        """A socket that is authorised and told of nothing yet."""
        line = await self.door()
        assert (await line.ask("authorize", token or self.token))["s"] == 200
        return line

    async def door(self) -> "Line":
        """A socket that is open."""
        line = Line(await self.http.ws_connect(f"{self.venue.ws_base}/v1/websocket"))
        self.lines.append(line)
        await line.until(lambda: line.frames)
        return line

    async def line(self, token: str | None = None, *names: str) -> "Line":
        """A socket that is told of all entities, unless names say which."""
        line = await self.bare(token)
        asked = list(names) or list(schema.ENTITIES)
        await line.ask("user/syncrequest", {"splitResponses": False, "entityTypes": asked})
        return line


class Line:
    """A socket: sends a beat every 2.5 seconds, keeps what came."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.frames: list[str] = []
        self.events: list[Any] = []
        self.answers: dict[int, Any] = {}
        self.beats = True
        self._count = 0
        self._came = asyncio.Event()
        self.tasks = [asyncio.create_task(self._listen()), asyncio.create_task(self._beat())]

    async def _beat(self) -> None:
        while not self.socket.closed:
            await asyncio.sleep(2.5)
            if self.beats and not self.socket.closed:
                await self.socket.send_str("[]")

    async def _listen(self) -> None:
        try:
            await self._frames()
        finally:
            self._came.set()

    async def _frames(self) -> None:
        async for message in self.socket:
            text = str(message.data)
            self.frames.append(text)
            for item in json.loads(text[1:]) if text.startswith("a") else ():
                if "i" in item:
                    self.answers[item["i"]] = item
                else:
                    if item["e"] == "props":
                        schema.check(item["d"]["entityType"], item["d"]["entity"])
                    self.events.append(item)
            self._came.set()

    async def until(self, done: Any) -> None:
        """Waits until something is so, or the socket is closed."""
        while not done() and not self.is_over:
            self._came.clear()
            async with asyncio.timeout(3600):
                await self._came.wait()

    @property
    def is_over(self) -> bool:
        """Whether the connection has ended. Raises what was wrong with a frame."""
        listening = self.tasks[0]
        if listening.done() and not listening.cancelled():
            listening.result()
        return listening.done()

    async def send(self, endpoint: str, body: Any = None, query: str = "") -> int:
        """Sends a request; its number."""
        self._count += 1
        text = "" if body is None else body if isinstance(body, str) else json.dumps(body)
        await self.socket.send_str(f"{endpoint}\n{self._count}\n{query}\n{text}")
        return self._count

    async def ask(self, endpoint: str, body: Any = None, query: str = "") -> Any:
        """Sends a request and waits for what is answered."""
        number = await self.send(endpoint, body, query)
        await self.until(lambda: number in self.answers)
        return self.answers.get(number)

    def props(self, name: str) -> list[Any]:
        """The entities of a kind that were told, in order."""
        said = [item["d"] for item in self.events if item["e"] == "props"]
        return [item["entity"] for item in said if item["entityType"] == name]

    def states(self, number: int) -> list[str]:
        """What was told of the status of an order."""
        return [row["ordStatus"] for row in self.props("order") if row["id"] == number]


def terms(action: str, quantity: int, kind: str = "Market", **more: Any) -> dict[str, Any]:
    """The body of an order."""
    return {
        "accountId": 77, "accountSpec": "DEMO77", "action": action, "symbol": "ESZ6", "orderQty": quantity,
        "orderType": kind, "isAutomated": True,
    } | more  # fmt: skip


def bracket(action: str, quantity: int, kind: str = "Market", **more: Any) -> dict[str, Any]:
    """The body of a purchase or sale with a target and a stop around it."""
    exit_ = "Sell" if action == "Buy" else "Buy"
    legs = {
        "bracket1": {"action": exit_, "orderType": "Limit", "price": 6950, "clOrdId": "target"},
        "bracket2": {"action": exit_, "orderType": "Stop", "stopPrice": 6880, "clOrdId": "stop"},
    }
    return terms(action, quantity, kind, **(legs | more))


async def status(world: World, number: int) -> str:
    """Where an order stands."""
    return str((await world.get("order/item", id=number))["ordStatus"])


async def net(world: World, contract: int = ES_ID) -> int:
    """What is held of a contract."""
    return sum(row["netPos"] for row in await world.get("position/list") if row["contractId"] == contract)


async def reasons(world: World) -> list[tuple[str, str]]:
    """What command reports said against orders."""
    rows = await world.get("commandReport/list")
    return [(row["commandStatus"], row["rejectReason"]) for row in rows if "rejectReason" in row]


@asynccontextmanager
async def tradovate(
    *plan: Fault,
    cash: int = 200_000,
    contracts: Sequence[Instrument] = (ES, GC),
    hours: Hours | None = None,
    begin_ns: int = BEGIN_NS,
) -> AsyncIterator[World]:
    """A running venue with a market, logged in."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, WarpLoop)
    clock = WarpClock(loop, begin_ns)
    engine = MatchingEngine(contracts, {"USD": D(cash)}, clock.now_ns, RULES)
    troubles = Troubles(plan, clock.now_ns, begin_ns)
    async with Tradovate(engine, troubles, clock.now_ns, hours=hours) as venue:
        world = World(venue, engine, clock)
        try:
            world.quote("6900.00", "6900.25")
            world.quote("4100.0", "4100.2", contract=GC)
            await world.login()
            yield world
        finally:
            for line in world.lines:
                # Raises what was wrong with a frame nobody waited for.
                assert line.is_over in (True, False)
                await line.socket.close()
                for task in line.tasks:
                    task.cancel()
            await world.http.close()
