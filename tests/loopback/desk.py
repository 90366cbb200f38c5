"""A live desk on the loopback venue: real sockets, a real signer and sender, served as by the runner."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from decimal import Decimal

import msgspec

from neuratrade.core.engine.engine import Engine
from neuratrade.core.model import events as e
from neuratrade.core.model import facts as f
from neuratrade.core.model.intent import OpenIntent
from neuratrade.core.model.market import NS_PER_MINUTE, Quote
from neuratrade.core.model.orders import OrderRequest, OrderRole
from neuratrade.feeds.clock import SystemClock
from neuratrade.hands.inbound import Inbound
from neuratrade.hands.live import LiveDesk, Patience
from neuratrade.hands.recorder import MemoryRecorder
from neuratrade.hands.sender import Sender
from neuratrade.store.errors import JournalUnwritable
from neuratrade.store.keys import Ed25519Signer, verify
from neuratrade.venues.port import Venue
from tests.loopback.http_venue import HttpVenue
from tests.loopback.venue import Fault, LoopbackVenue, serve
from tests.simulation.world import PERP, desk_engine, intent, run_started, warm_up

PATIENCE = Patience(submit_s=0.3, change_s=0.3, look_up_s=0.3, snapshot_s=1.0, closing_s=0.5)
WAIT_S = 10.0


class FragileRecorder(MemoryRecorder):
    """A recorder whose disk can be full."""

    def __init__(self) -> None:
        super().__init__()
        self.full = False

    def flush(self) -> None:
        """Raises JournalUnwritable while the disk is full."""
        if self.full:
            raise JournalUnwritable("the disk is full")


class LiveWorld:
    """A desk, its venue, and what both of them did."""

    def __init__(
        self, books: LoopbackVenue, venue: Venue, patience: Patience, reconcile_every_ns: int
    ) -> None:
        now_ns = time.time_ns()
        signer = Ed25519Signer()
        self.books = books
        self.inbound = Inbound()
        self.recorder = FragileRecorder()
        self.notes: list[str] = []
        self.seen: list[e.Event] = []
        config = replace(desk_engine().config, signer=signer, reconcile_every_ns=reconcile_every_ns)
        self.engine = Engine(config)
        self.sender = Sender(verify)
        clock = SystemClock()
        self.desk = LiveDesk(
            self.engine, venue, self.recorder, self.sender, self.inbound, clock, "paper", patience=patience
        )
        started = run_started(at_ns=now_ns)
        keys = {"key_id": signer.key_id, "public_key": signer.public_key}
        self.desk.take(msgspec.structs.replace(started, **keys))
        warm_up(self.engine, until_ns=now_ns // NS_PER_MINUTE * NS_PER_MINUTE)

    async def serve(self) -> None:
        """The loop of the runner, without inboxes."""
        while True:
            event = await self.inbound.get()
            assert not isinstance(event, list)
            self.seen.append(event)  # type: ignore[arg-type]
            self.desk.take(event)  # type: ignore[arg-type]
            await asyncio.sleep(0)

    def propose(self, proposal: OpenIntent | None = None) -> OrderRequest:
        """Has an intent judged and returns the entry that was planned for it."""
        now_ns = self.desk.now_ns
        made = (
            intent(at_ns=now_ns) if proposal is None else msgspec.structs.replace(proposal, created_ns=now_ns)
        )
        self.quote(100)
        judged = self.desk.judge(e.IntentArrived(made, now_ns))
        assert judged is not None
        assert judged.approved, [layer for layer in judged.layers if layer.verdict.blocks]
        planned = [
            request for request in self.planned(OrderRole.ENTRY) if request.bracket_id == made.intent_id
        ]
        return planned[-1]

    def quote(self, price: int) -> None:
        """The market stands at a price."""
        level, size = Decimal(price), Decimal(10)
        self.desk.tick(Quote(PERP.key, self.desk.now_ns, level, level, size, size))

    def planned(self, role: OrderRole) -> list[OrderRequest]:
        """Orders of a role, in the order they were planned."""
        facts = self.recorder.facts
        return [
            fact.request for fact in facts if isinstance(fact, f.OrderPlanned) and fact.request.role is role
        ]

    def kinds(self, coid: str) -> list[str]:
        """What became of an order, as the journal has it."""
        return [f.kind_of(fact) for fact in self.recorder.facts if _order_of(fact) == coid]

    def fault(self, **wanted: object) -> None:
        """Something goes wrong at the venue from now on."""
        self.books.faults.append(msgspec.convert(wanted, Fault))

    def halt(self, policy: f.KillPolicy = f.KillPolicy.CANCEL_ENTRIES) -> None:
        """A person halts the desk."""
        self.desk.take(e.Halt(self.desk.now_ns, "ana", "news", policy))

    def has_compared(self) -> bool:
        """Whether the snapshot that a new stream asks for has come: no later one may answer for a test."""
        return any(isinstance(event, e.VenueSnapshot) for event in self.seen)

    async def until(self, true: Callable[[], object], what: str) -> None:
        """Waits for something that must come true."""
        deadline = time.monotonic() + WAIT_S
        while not true():
            assert time.monotonic() < deadline, f"waited in vain: {what}; {self.books.arrivals} {self.notes}"
            await asyncio.sleep(0.005)


def _order_of(fact: f.Fact) -> str:
    if isinstance(fact, f.OrderFilled):
        return fact.fill.client_order_id
    if isinstance(fact, f.OrderPlanned):
        return fact.request.client_order_id
    return str(getattr(fact, "client_order_id", ""))


@contextlib.asynccontextmanager
async def live_world(
    patience: Patience = PATIENCE,
    settle_s: float = 0.0,
    *,
    listening: bool = True,
    reconcile_every_ns: int = 0,
) -> AsyncIterator[LiveWorld]:
    """A live desk that runs until the block ends."""
    books = LoopbackVenue()
    port, end = await serve(books)
    try:
        async with HttpVenue(port, settle_s) as venue:
            world = LiveWorld(books, venue, patience, reconcile_every_ns)
            streams = world.desk.streams(world.notes.append) if listening else {}
            tasks = [asyncio.create_task(work) for work in (world.serve(), *streams.values())]
            try:
                if listening:
                    await world.until(lambda: world.desk.is_listening, "the stream stands")
                    await world.until(world.has_compared, "the books were compared, once")
                yield world
                for task in tasks:
                    if task.done():
                        task.result()
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                await world.desk.close()
    finally:
        await end()
