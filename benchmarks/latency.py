"""How long an order takes from its cause to the venue: the live desk, its journal synced, its orders signed.

Two ways are timed, each over the runner with everything that runs beside it, one at a time and with idle
queues. A tick that ends a bar: bar, indicators, regime, strategy, gate, signature, facts on disk, sender,
until the venue client is given the order. An intent: bus, door, gate, signature, facts on disk, sender,
HTTP, until the loopback venue, a process of its own, has read the order (one monotonic clock for both).
The floors do the part nobody can save, in the same run and by turns with what they are compared with: a
kilobyte written and synced, and a bare aiohttp POST of the same order read by the same venue.
"""

import asyncio
import dataclasses
import json
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import quantiles

import aiohttp
import msgspec

from neuratrade.core.engine.config import EngineConfig
from neuratrade.core.engine.engine import Engine
from neuratrade.core.indicators.kernel import kernel
from neuratrade.core.indicators.native import NativeProvider
from neuratrade.core.model import facts as f
from neuratrade.core.model.commands import CancelOrder, LookUpOrder
from neuratrade.core.model.events import VenueSnapshot
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.intent import Direction
from neuratrade.core.model.market import NS_PER_MINUTE, NS_PER_SECOND, Bar, Trade
from neuratrade.core.model.orders import OrderRequest, OrderRole, OrderType, Side
from neuratrade.core.strategies.dna import AssetDna, Dna
from neuratrade.core.strategies.ema_cross import EMA_CROSS
from neuratrade.core.strategies.port import Row
from neuratrade.core.strategies.registry import default_settings
from neuratrade.core.strategies.rule import RuleStrategy, known
from neuratrade.feeds.clock import Clock, SystemClock
from neuratrade.feeds.port import Slice
from neuratrade.hands.door import Door
from neuratrade.hands.halt_file import HaltFile
from neuratrade.hands.inbound import Inbound
from neuratrade.hands.inbox.bus import InProcessBus
from neuratrade.hands.inbox.folder import FolderInbox
from neuratrade.hands.live import LiveDesk
from neuratrade.hands.recorder import JournalRecorder
from neuratrade.hands.runner import Inboxes, Runner
from neuratrade.hands.sender import Sender
from neuratrade.hands.trades import TradedMarkets
from neuratrade.store.emergency import EmergencyFile
from neuratrade.store.journal import Journal
from neuratrade.store.keys import Ed25519Signer, verify
from neuratrade.venues.keys import KeyCheck
from neuratrade.venues.port import Capabilities, Cleared, StreamOpened, Venue, VenueRefused, request_of
from tests.loopback.http_venue import HttpVenue
from tests.loopback.venue import Seen
from tests.simulation.world import CALM, PERP, run_started, warm_up

WARM_UP, SAMPLES, BLOCK = 200, 2_000, 50
IDLE_S = 0.002
HISTORY_BARS = 200
KILOBYTE = b"x" * 1024
REFUSE_ALL = b'{"on": "submit", "kind": "refuse", "times": 1000000000}'
ROOT = Path(__file__).parent.parent


@kernel
def _always(previous: Row, current: Row, close: float, levels: Row) -> int:
    return 1 if known(previous, current) else 0


class LiveFeed:
    """A market that says what it is told to, when it is told to."""

    def __init__(self, contract: Instrument) -> None:
        self.instruments = (contract,)
        self.queue: asyncio.Queue[Slice] = asyncio.Queue()

    async def stream(self, clock: Clock) -> AsyncIterator[Slice]:
        """What is put into the queue."""
        while True:
            yield await self.queue.get()

    def history(self, before_ns: int, bars: int) -> dict[str, list[Bar]]:
        """None."""
        return {}


class HandedOver:
    """A venue client that notes when it is given an order, and refuses it."""

    key_check = KeyCheck.VERIFIED

    def __init__(self) -> None:
        self.capabilities = Capabilities(frozenset(OrderType), amends=True, settle_s=0.0)
        self.given_ns = 0

    async def submit(self, order: Cleared) -> Sequence[f.VenueEvent]:
        """Notes the time."""
        request_of(order)
        self.given_ns = time.monotonic_ns()
        raise VenueRefused("this venue takes nothing")

    async def cancel(self, order: CancelOrder) -> Sequence[f.VenueEvent]:
        """Never has anything to cancel."""
        raise VenueRefused("nothing rests here")

    async def amend(self, order: Cleared, quantity: Decimal, stop_price: Decimal) -> Sequence[f.VenueEvent]:
        """Never has anything to amend."""
        raise VenueRefused("nothing rests here")

    async def look_up(self, order: LookUpOrder) -> Sequence[f.VenueEvent]:
        """Knows no order."""
        return [f.OrderNotFound(time.time_ns(), order.client_order_id)]

    async def snapshot(self, account_id: str) -> VenueSnapshot:
        """An empty account."""
        now_ns = time.time_ns()
        return VenueSnapshot(now_ns, account_id, now_ns, (), (), {})

    async def ping(self) -> None:
        """Is there."""

    async def events(self) -> AsyncIterator[f.VenueEvent | StreamOpened]:
        """A stream that stands and is silent."""
        yield StreamOpened()
        await asyncio.Event().wait()


@dataclasses.dataclass(frozen=True, slots=True)
class Bench:
    """A live desk that runs, and the ends to push and to look at."""

    desk: LiveDesk
    feed: LiveFeed
    bus: InProcessBus
    begun_ns: int

    async def settle(self) -> None:
        """Waits until nothing is on its way and no bracket is open, then a little longer."""
        while self.desk.engine.state.brackets or not self.desk.is_idle:  # noqa: ASYNC110 - looked at from outside
            await asyncio.sleep(0.0005)
        await asyncio.sleep(IDLE_S)

    def planned(self) -> int:
        """How many intents were approved so far."""
        return self.desk.engine.state.counts.approved


@asynccontextmanager
async def running_desk(home: Path, venue: Venue, *, with_strategy: bool) -> AsyncIterator[Bench]:
    """A live desk with a journal in `home`."""
    signer, clock, bus, feed = Ed25519Signer(), SystemClock(), InProcessBus(), LiveFeed(PERP)
    contracts, asset = {PERP.key: PERP}, AssetDna(PERP.asset, (EMA_CROSS.name,), 240)
    settings = msgspec.structs.replace(
        default_settings(EMA_CROSS.name), timeframe_minutes=1, confidence_floor=Decimal("0.8")
    )
    dna = Dna(1, 0, {PERP.asset: asset}, {EMA_CROSS.name: settings})
    speaks = RuleStrategy(dataclasses.replace(EMA_CROSS, rule=_always), settings, (asset,))
    config = EngineConfig(
        "paper",
        "bench",
        contracts,
        (speaks,) if with_strategy else (),
        dna,
        NativeProvider(),
        signer,
        gate_span_ns=NS_PER_MINUTE,
        regime=CALM,
    )
    engine, inbound = Engine(config), Inbound()
    markets = TradedMarkets(
        contracts, contracts, contracts, span_ns=NS_PER_MINUTE, spread_fraction=Decimal("0.0001")
    )
    with Journal.open(home / "desk.db", signer=signer) as journal:
        recorder = JournalRecorder(journal, EmergencyFile(home / "emergency"), "bench", "paper")
        desk = LiveDesk(engine, venue, recorder, Sender(verify), inbound, clock, "paper", markets=markets)
        begun_ns = clock.now_ns() // NS_PER_MINUTE * NS_PER_MINUTE
        started = run_started(at_ns=begun_ns)
        keys = {"key_id": signer.key_id, "public_key": signer.public_key}
        desk.take(msgspec.structs.replace(started, instruments=(PERP,), **keys))
        warm_up(engine, until_ns=begun_ns - HISTORY_BARS * NS_PER_MINUTE)
        for number in range(HISTORY_BARS):
            desk.warm_up(_bar(begun_ns + (number - HISTORY_BARS) * NS_PER_MINUTE, number))
        door = Door(contracts, PERP.venue, "paper", "bench")
        inboxes = Inboxes(door, FolderInbox(home / "intents"), FolderInbox(home / "control", "control"), bus)
        runner = Runner(
            desk, feed, inboxes, HaltFile(home), clock, lambda: None, lambda _: None, inbound=inbound
        )
        task = asyncio.create_task(runner.run())
        while not desk.is_listening:  # noqa: ASYNC110 - looked at from outside
            await asyncio.sleep(0.01)
        try:
            yield Bench(desk, feed, bus, begun_ns)
        finally:
            runner.ask_to_stop("measured")
            await task
            await desk.close()


def _bar(open_ns: int, number: int) -> Bar:
    level, half = _price(number), Decimal("0.5")
    return Bar(PERP.key, NS_PER_MINUTE, open_ns, level, level + half, level - half, level, Decimal(1000))


def _price(number: int) -> Decimal:
    """A price that goes up and down."""
    return Decimal(100) + Decimal(number % 20) / 10


def synced_write(descriptor: int) -> float:
    """Seconds for a kilobyte written and synced."""
    began = time.perf_counter()
    os.write(descriptor, KILOBYTE)
    os.fdatasync(descriptor)
    return time.perf_counter() - began


async def ticks(home: Path) -> dict[str, list[float]]:
    """Milliseconds from a tick to the venue client, and of the synced kilobyte beside it."""
    venue = HandedOver()
    ours: list[float] = []
    floor: list[float] = []
    descriptor = os.open(home / "floor", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    async with running_desk(home, venue, with_strategy=True) as bench:
        for number in range(1, WARM_UP + SAMPLES + 1):
            price = _price(number)
            tick = Trade(PERP.key, bench.begun_ns + number * NS_PER_MINUTE, price, Decimal(1000))
            before, venue.given_ns = bench.planned(), 0
            began_ns = time.monotonic_ns()
            bench.feed.queue.put_nowait(tick)
            while not venue.given_ns and number > 2:
                await asyncio.sleep(IDLE_S)
                if time.monotonic_ns() - began_ns > 5 * NS_PER_SECOND:
                    raise RuntimeError(f"tick {number} led to no order; {before} intents approved")
            await bench.settle()
            if number > WARM_UP:
                ours.append((venue.given_ns - began_ns) / 1e6)
            if number % BLOCK == 0:
                for _ in range(BLOCK):
                    floor.append(synced_write(descriptor) * 1e3)
                    await asyncio.sleep(IDLE_S)
    os.close(descriptor)
    return {"ours": ours, "floor": floor}


def _document(number: int) -> bytes:
    document = {
        "intent_id": f"{number:08x}-0000-4000-8000-000000000000",
        "asset": PERP.asset,
        "direction": Direction.LONG.value,
        "order_type": "market",
        "trigger_price": 100,
        "stop_loss": 98,
        "take_profit": 104,
        "confidence": 0.9,
        "quantity": 1,
        "strategy_ref": "bench",
        "timestamp": datetime.now(UTC).isoformat(),
    }
    return json.dumps(document).encode()


async def intents(home: Path) -> dict[str, list[float]]:
    """Milliseconds from an intent on the bus, and from a bare POST, until the venue has read the order."""
    async with AsyncExitStack() as stack:
        server = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.loopback.venue", cwd=ROOT, stdout=asyncio.subprocess.PIPE
        )
        assert server.stdout is not None
        try:
            port = int(await server.stdout.readline())
            venue = await stack.enter_async_context(HttpVenue(port))
            bare = await stack.enter_async_context(aiohttp.ClientSession(f"http://127.0.0.1:{port}"))
            async with bare.post("/faults", data=REFUSE_ALL) as answer:
                answer.raise_for_status()
            began = await _send_all(home, venue, bare)
            async with bare.get("/seen") as answer:
                received = msgspec.json.decode(await answer.read(), type=Seen).received_ns
        finally:
            server.kill()
            await server.wait()
    return {
        name: [(received[coid] - began_ns) / 1e6 for coid, began_ns in times.items()]
        for name, times in began.items()
    }


async def _send_all(home: Path, venue: Venue, bare: aiohttp.ClientSession) -> dict[str, dict[str, int]]:
    ours: dict[str, int] = {}
    floor: dict[str, int] = {}
    latest = [""]

    def keep(fact: f.Fact) -> None:
        if isinstance(fact, f.OrderPlanned):
            latest[0] = fact.request.client_order_id

    async with running_desk(home, venue, with_strategy=False) as bench:
        bench.desk.watch(keep)
        price = Trade(PERP.key, bench.desk.now_ns, Decimal(100), Decimal(1000))
        bench.feed.queue.put_nowait(price)
        await bench.settle()
        for number in range(1, WARM_UP + SAMPLES + 1):
            raw, before = _document(number), latest[0]
            began_ns = time.monotonic_ns()
            name = await bench.bus.publish(raw, "bench")
            verdict = await bench.bus.verdict(name, 5.0)
            await bench.settle()
            if latest[0] == before:
                raise RuntimeError(f"intent {number} led to no order: {verdict!r}")
            if number > WARM_UP:
                ours[latest[0]] = began_ns
            if number % BLOCK == 0:
                for place in range(BLOCK):
                    coid = f"{number:016x}{place:016x}"
                    floor[coid] = await _post_bare(bare, coid)
    return {"ours": ours, "floor": floor}


async def _post_bare(session: aiohttp.ClientSession, coid: str) -> int:
    request = OrderRequest(
        coid, "paper", PERP.key, Side.BUY, OrderType.MARKET, Decimal(1), OrderRole.ENTRY, "bench"
    )
    body = msgspec.json.encode(request)
    began_ns = time.monotonic_ns()
    async with session.post("/orders", data=body) as answer:
        await answer.read()
    await asyncio.sleep(IDLE_S)
    return began_ns


def _rows(
    name: str, floor: str, measured: dict[str, list[float]], targets: tuple[float, float]
) -> list[object]:
    rows: list[object] = []
    for label, place, target in zip(("p50", "p99"), (49, 98), targets, strict=True):
        ours, least = (round(quantiles(measured[key], n=100)[place], 3) for key in ("ours", "floor"))
        rows.append(
            {
                "name": f"{name}, {label} (floor: {floor})",
                "value": ours,
                "unit": "ms",
                "target": target,
                "floor": least,
            }
        )
    return rows


def _nautilus() -> dict[str, object]:
    try:
        found = f"{version('nautilus_trader')} is installed, but this program does not drive it"
    except PackageNotFoundError:
        found = "not installed"
    return {"name": f"nautilus_trader, quote to execution client: {found}", "value": None, "unit": "ms"}


def run() -> dict[str, object]:
    """Rows {name, value, unit, target, floor}; target is the most the value may be."""
    with tempfile.TemporaryDirectory(prefix="neuratrade-bench-") as folder:
        homes = [Path(folder) / name for name in ("ticks", "intents")]
        for home in homes:
            home.mkdir()
        handed = asyncio.run(ticks(homes[0]))
        received = asyncio.run(intents(homes[1]))
    return {
        "rows": [
            *_rows("tick to signed, journaled order at the venue client", "1 KB synced", handed, (0.9, 2.5)),
            *_rows("intent to order read by an HTTP venue", "bare POST", received, (1.5, 5.0)),
            _nautilus(),
        ]
    }
