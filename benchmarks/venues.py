"""From an intent to the order at each simulated venue: gate, facts on disk, signature, adapter, loopback.

Everything is on one loop in one process, in real time: the desk of the rehearsals, adapter, simulator. An
order has arrived when the simulator has its last byte. The floor is a bare aiohttp POST of the same bytes to
the same simulator (or a bare frame, where orders go over a socket), by turns with ours; what the row states
is how much longer ours took. Orders are limit orders that nobody meets; each is withdrawn by the desk before
the next. Few are sent where the venue allows few requests a minute, since the desk keeps to that.
"""

import asyncio
import tempfile
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from decimal import Decimal
from pathlib import Path
from statistics import quantiles

import aiohttp

from benchmarks.parts import Row
from neuratrade.core.model import events as e
from neuratrade.core.model.instrument import Instrument, InstrumentKind
from neuratrade.core.model.intent import Direction, EntryType, Lane, OpenIntent, Stop, TakeProfit
from neuratrade.core.model.market import NS_PER_MINUTE, NS_PER_MS, NS_PER_SECOND, Bar, Quote
from neuratrade.feeds.clock import SystemClock
from neuratrade.rehearsal.company import ACCOUNT, OPERATOR, Company
from neuratrade.rehearsal.faults import Troubles
from neuratrade.rehearsal.matching import MatchingEngine
from neuratrade.rehearsal.server import Simulator
from neuratrade.rehearsal.stages import STAGES, Stage

ORDERS = 25
FEW = {"alpaca": 12, "kraken": 3}
PAUSE_S = {"binance": 1.5, "okx": 2.0}
"""Between orders, where a venue counts requests over seconds."""
PRICE = Decimal(60_000)
SHARE = Decimal(600)
VENUES = tuple(name for name in STAGES if name != "barchart")
"""Barchart tells prices; the orders of its stage go to Tradovate."""
TARGET_MS = 2.0
WITHIN_S = 10.0


class Arrivals:
    """When requests that carry a body had arrived. last: path with query, and body, of the newest."""

    def __init__(self, simulator: Simulator) -> None:
        self._next: asyncio.Future[int] | None = None
        self.last = ("", b"")
        simulator.witness = self._see

    def expect(self) -> "asyncio.Future[int]":
        """The time of the next one, nanoseconds of the performance counter."""
        self._next = asyncio.get_running_loop().create_future()
        return self._next

    def _see(self, method: str, path: str, body: bytes) -> None:
        # Over a socket other requests carry bodies too, and may come in between.
        is_order = method == "POST" or (method == "WS" and path.endswith("/order/placeorder"))
        if is_order and self._next is not None and not self._next.done():
            self.last = (path, body)
            self._next.set_result(time.perf_counter_ns())


def run() -> dict[str, list[Row]]:
    """The rows of every venue."""
    return {"rows": [row for name in VENUES for row in asyncio.run(_measure(STAGES[name]()))]}


async def _measure(stage: Stage) -> list[Row]:
    clock, contract = SystemClock(), stage.contract
    engine = MatchingEngine([contract], stage.balances, clock.now_ns, stage.matching)
    ours, bare = [], []
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="neuratrade-bench-")))
        troubles = Troubles((), clock.now_ns, clock.now_ns())
        simulator = await stack.enter_async_context(stage.simulator(engine, troubles, clock.now_ns))
        engine.quote(_quote(contract, clock.now_ns()))
        venue = await stack.enter_async_context(stage.venue(simulator, ACCOUNT, [contract], clock))
        session = await stack.enter_async_context(aiohttp.ClientSession())
        company = Company(stage, venue, folder, clock)
        company.warm_up(_history(contract, clock.now_ns()))
        work = [company.serve(), *company.desk.streams(lambda _: None).values()]
        tasks = [asyncio.create_task(item) for item in work]
        arrivals = Arrivals(simulator)
        try:
            await _until(lambda: company.desk.is_listening)
            for number in range(FEW.get(stage.name, ORDERS) + 1):
                took = await _one(company, contract, arrivals, clock.now_ns(), number)
                floor = await _bare(session, simulator, arrivals)
                if number:
                    ours.append(took)
                    bare.append(floor)
                await _until(lambda: not company.engine.state.brackets and company.desk.is_idle)
                await asyncio.sleep(PAUSE_S.get(stage.name, 0.0))
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await company.close()
    return _rows(stage.name, ours, bare)


async def _one(company: Company, contract: Instrument, arrivals: Arrivals, now_ns: int, number: int) -> float:
    """Milliseconds from an intent to its order at the venue."""
    await company.show(_quote(contract, now_ns))
    await asyncio.sleep(0.05)
    arrived = arrivals.expect()
    began_ns = time.perf_counter_ns()
    judged = company.judge(e.IntentArrived(_intent(contract, number, now_ns), now_ns))
    if judged is None or not judged.approved:
        raise RuntimeError(f"an intent was refused: {judged}")
    async with asyncio.timeout(WITHIN_S):
        return (await arrived - began_ns) / NS_PER_MS


async def _bare(session: aiohttp.ClientSession, simulator: Simulator, arrivals: Arrivals) -> float:
    """Milliseconds from nothing but the bytes of that order to the venue."""
    path, body = arrivals.last
    if path.endswith("/order/placeorder"):
        return await _bare_frame(session, simulator, arrivals)
    arrived = arrivals.expect()
    began_ns = time.perf_counter_ns()
    async with session.post(f"{simulator.base}{path}", data=body) as answer:
        await answer.read()
    return (await arrived - began_ns) / NS_PER_MS


async def _bare_frame(session: aiohttp.ClientSession, simulator: Simulator, arrivals: Arrivals) -> float:
    """The same over a socket that stands. Nobody is logged in there, so nothing comes of it."""
    path, body = arrivals.last
    async with session.ws_connect(f"{simulator.ws_base}/v1/websocket") as socket:
        await socket.receive()
        arrived = arrivals.expect()
        began_ns = time.perf_counter_ns()
        await socket.send_str(f"{path[1:]}\n1\n\n{body.decode()}")
        return (await arrived - began_ns) / NS_PER_MS


async def _until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(90.0):
        while not true():  # noqa: ASYNC110 - a bench has nothing to be told by
            await asyncio.sleep(0.01)


def _rows(name: str, ours: list[float], bare: list[float]) -> list[Row]:
    cut, floor = quantiles(ours, n=100), quantiles(bare, n=100)
    return [
        {
            "name": f"{name}: intent to order at its simulator, over a bare request, p50 of {len(ours)}",
            "value": round(cut[49] - floor[49], 2),
            "unit": "ms",
            "target": TARGET_MS,
        },
        {
            "name": f"{name}: the same, whole, p50",
            "value": round(cut[49], 2),
            "unit": "ms",
            "floor": round(floor[49], 2),
        },
        {
            "name": f"{name}: the same, whole, p99",
            "value": round(cut[98], 2),
            "unit": "ms",
            "floor": round(floor[98], 2),
        },
    ]


def _price(contract: Instrument) -> Decimal:
    """At which a unit or a contract is worth `PRICE`, or a share `SHARE`."""
    return SHARE if contract.kind is InstrumentKind.EQUITY else PRICE / contract.multiplier


def _quote(contract: Instrument, at_ns: int) -> Quote:
    return Quote(
        contract.key, at_ns, _price(contract), _price(contract) + contract.tick, Decimal(5), Decimal(5)
    )


def _history(contract: Instrument, now_ns: int) -> list[Bar]:
    first_ns = now_ns - now_ns % NS_PER_MINUTE - 60 * NS_PER_MINUTE
    price = _price(contract)
    high, low = price * Decimal("1.001"), price * Decimal("0.999")
    return [
        Bar(
            contract.key,
            NS_PER_MINUTE,
            first_ns + n * NS_PER_MINUTE,
            price,
            high,
            low,
            price,
            Decimal(10_000),
        )
        for n in range(60)
    ]


def _intent(contract: Instrument, number: int, now_ns: int) -> OpenIntent:
    """A limit order to buy a little below the market, withdrawn after 0.2 s."""
    price = contract.round_price(_price(contract) * Decimal("0.9995"))
    return OpenIntent(
        intent_id=f"bench-{number}",
        account_id=ACCOUNT,
        operator_id=OPERATOR,
        instrument=contract.key,
        direction=Direction.LONG,
        trigger_price=price,
        protection=Stop(contract.round_price(price * Decimal("0.997")), None),
        take_profits=(TakeProfit(contract.round_price(price * Decimal("1.004")), Decimal(1)),),
        confidence=Decimal("0.9"),
        strategy_ref="bench",
        created_ns=now_ns,
        order_type=EntryType.LIMIT,
        lane=Lane.TACTICAL,
        entry_expiry_ns=NS_PER_SECOND // 5,
        max_hold_ns=None,
        tags={},
    )
