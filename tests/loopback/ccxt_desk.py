"""A live desk on the ccxt adapter and the Binance spot simulator, in a loop whose time jumps."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from typing import Any, TypeVar

import msgspec

from neuratrade.core.engine.config import EngineConfig
from neuratrade.core.engine.engine import Engine
from neuratrade.core.indicators.native import NativeProvider
from neuratrade.core.model import events as e
from neuratrade.core.model import facts as f
from neuratrade.core.model.account import Account
from neuratrade.core.model.intent import OpenIntent
from neuratrade.core.model.market import NS_PER_MINUTE, NS_PER_SECOND, Quote
from neuratrade.core.model.orders import OrderRequest, OrderRole
from neuratrade.core.strategies.dna import Dna
from neuratrade.hands.inbound import Inbound
from neuratrade.hands.live import LiveDesk
from neuratrade.hands.recorder import MemoryRecorder
from neuratrade.hands.sender import Sender
from neuratrade.rehearsal.binance_spot import KEY, RULES, SECRET, BinanceSpotSimulator
from neuratrade.rehearsal.faults import Fault, Troubles
from neuratrade.rehearsal.matching import MatchingEngine
from neuratrade.rehearsal.warp import WarpClock, WarpLoop, run_warped
from neuratrade.store.keys import Ed25519Signer, verify
from neuratrade.venues.ccxt.exchange import Keys
from neuratrade.venues.ccxt.venue import CcxtVenue
from neuratrade.venues.port import Cleared
from tests.contract.rehearsal.binance_world import BTC, D, place_of
from tests.simulation.world import CALM, OPEN_HANDED, intent, warm_up

BEGIN_NS = 1_795_000_020 * NS_PER_SECOND
CASH = D(100_000)
WAIT_S = 120.0
RECONCILE_NS = 5 * NS_PER_SECOND
KEYS = Keys(KEY, SECRET)

T = TypeVar("T")


class WatchedVenue(CcxtVenue):
    """The adapter, and what it was given to submit."""

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self.cleared: list[Cleared] = []

    async def submit(self, order: Cleared) -> Sequence[f.VenueEvent]:
        """As the adapter does."""
        self.cleared.append(order)
        return await super().submit(order)


class CcxtWorld:
    """A desk, its venue, the exchange behind it, and what the desk wrote down."""

    def __init__(self, simulator: BinanceSpotSimulator, venue: WatchedVenue, clock: WarpClock) -> None:
        signer = Ed25519Signer()
        self.simulator = simulator
        self.venue = venue
        self.clock = clock
        self.inbound = Inbound()
        self.recorder = MemoryRecorder()
        self.notes: list[str] = []
        self.seen: list[object] = []
        self.engine = Engine(
            EngineConfig(
                "paper",
                "op",
                {BTC.key: BTC},
                (),
                Dna(1, 0, {}, {}),
                NativeProvider(),
                signer,
                gate_span_ns=NS_PER_MINUTE,
                regime=CALM,
                venue_rules={"binance": venue.rules},
                reconcile_every_ns=RECONCILE_NS,
            )
        )
        self.desk = LiveDesk(self.engine, venue, self.recorder, Sender(verify), self.inbound, clock, "paper")
        now_ns = clock.now_ns()
        self.desk.take(
            f.RunStarted(
                now_ns,
                "run",
                "live",
                Account("paper", "binance", "USDT"),
                CASH,
                "made",
                True,
                (BTC,),
                OPEN_HANDED,
                {},
                signer.key_id,
                signer.public_key,
                "0",
            )
        )
        warm_up(self.engine, until_ns=now_ns // NS_PER_MINUTE * NS_PER_MINUTE)

    async def serve(self) -> None:
        """The loop of the runner, without inboxes."""
        while True:
            event: Any = await self.inbound.get()
            self.seen.append(event)
            self.desk.take(event)
            await asyncio.sleep(0)

    def quote(self, price: str, size: str = "10") -> None:
        """The market moves, at the exchange and in the desk's eyes."""
        level, amount, now_ns = D(price), D(size), self.clock.now_ns()
        moved = Quote(BTC.key, now_ns, level, level + BTC.tick, amount, amount)
        self.simulator.engine.quote(moved)
        self.desk.tick(moved)

    def propose(self, proposal: OpenIntent | None = None) -> OrderRequest:
        """Has an intent judged and returns the entry that was planned for it."""
        now_ns = self.desk.now_ns
        made = intent(instrument=BTC) if proposal is None else proposal
        made = msgspec.structs.replace(made, created_ns=now_ns)
        judged = self.desk.judge(e.IntentArrived(made, now_ns))
        assert judged is not None
        assert judged.approved, [layer for layer in judged.layers if layer.verdict.blocks]
        return self.planned(OrderRole.ENTRY)[-1]

    def planned(self, role: OrderRole) -> list[OrderRequest]:
        """Orders of a role, in the order they were planned."""
        return [
            fact.request
            for fact in self.recorder.facts
            if isinstance(fact, f.OrderPlanned) and fact.request.role is role
        ]

    def facts(self, kind: type[T]) -> list[T]:
        """Facts of a kind."""
        return [fact for fact in self.recorder.facts if isinstance(fact, kind)]

    @property
    def differences(self) -> tuple[str, ...]:
        """What books and venue disagree on."""
        return self.engine.state.accounts["paper"].differences

    async def compared(self) -> None:
        """Waits for a look that was asked for from now on."""
        now_ns = self.clock.now_ns()
        await self.until(
            lambda: any(isinstance(item, e.VenueSnapshot) and item.asked_ns > now_ns for item in self.seen),
            "books and venue are compared",
        )

    async def until(self, true: Callable[[], object], what: str) -> None:
        """Waits for something that must come true, in the loop's time."""
        deadline = asyncio.get_running_loop().time() + WAIT_S
        while not true():
            now = asyncio.get_running_loop().time()
            assert now < deadline, f"waited in vain: {what}; {self.recorder.facts[-8:]} {self.notes}"
            await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def ccxt_world(plan: Sequence[Fault] = (), *, listening: bool = True) -> AsyncIterator[CcxtWorld]:
    """A live desk that runs until the block ends, at a market that stands at 100."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, WarpLoop)
    clock = WarpClock(loop, BEGIN_NS)
    engine = MatchingEngine([BTC], {"USDT": CASH}, clock.now_ns, RULES)
    troubles = Troubles(plan, clock.now_ns, BEGIN_NS)
    async with BinanceSpotSimulator(engine, troubles, clock.now_ns) as simulator:
        venue = WatchedVenue("paper", "binance", [BTC], KEYS, clock, elsewhere=place_of(simulator))
        async with venue:
            world = CcxtWorld(simulator, venue, clock)
            streams = world.desk.streams(world.notes.append) if listening else {}
            tasks = [asyncio.create_task(work) for work in (world.serve(), *streams.values())]
            try:
                world.quote("100")
                if listening:
                    await world.until(lambda: world.desk.is_listening, "the stream stands")
                    await world.compared()
                yield world
                for task in tasks:
                    if task.done():
                        task.result()
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                await world.desk.close()


def lived(story: Callable[[CcxtWorld], Coroutine[Any, Any, None]], plan: Sequence[Fault] = ()) -> None:
    """Runs a story in such a world."""

    async def run() -> None:
        async with ccxt_world(plan) as world:
            await story(world)

    run_warped(run())
