"""The Tradovate adapter before its simulator, on a loop whose time jumps."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import msgspec

from neuratrade.core.model import facts as f
from neuratrade.core.model.commands import CancelOrder, LookUpOrder
from neuratrade.core.model.market import Quote
from neuratrade.core.model.orders import OrderRequest, OrderRole, OrderType, Side
from neuratrade.rehearsal.faults import Fault, Troubles
from neuratrade.rehearsal.matching import MatchingEngine
from neuratrade.rehearsal.stages import STAGES
from neuratrade.rehearsal.tradovate import KEY, RULES, Tradovate
from neuratrade.rehearsal.tradovate_hours import AlwaysOpen
from neuratrade.rehearsal.warp import WarpClock, WarpLoop
from neuratrade.venues.port import StreamOpened
from neuratrade.venues.tradovate.login import Credentials
from neuratrade.venues.tradovate.venue import TradovateVenue
from tests.contract.venues.stand import BEGIN_NS, D, cleared, warped

__all__ = ["BEGIN_NS", "CREDENTIALS", "ES", "D", "Scene", "cleared", "on_stage", "order", "warped"]

ES = STAGES["tradovate"]().contract
CREDENTIALS = Credentials(KEY.key, KEY.passphrase, 1, KEY.secret, "device-1")


def order(name: str, side: Side, quantity: int = 2, **terms: Any) -> OrderRequest:
    """An order of ES; of the type that its prices make it."""
    limit, stop = terms.pop("limit", None), terms.pop("stop", None)
    kind = {
        (False, False): OrderType.MARKET, (True, False): OrderType.LIMIT,
        (False, True): OrderType.STOP, (True, True): OrderType.STOP_LIMIT,
    }[limit is not None, stop is not None]  # fmt: skip
    role = OrderRole.ENTRY if stop is None else OrderRole.STOP
    return OrderRequest(
        name,
        "main",
        ES.key,
        side,
        kind,
        D(quantity),
        terms.pop("role", role),
        "bracket",
        limit_price=None if limit is None else D(limit),
        stop_price=None if stop is None else D(stop),
        **terms,
    )


class Scene:
    """The adapter and its venue. told: what the stream said. notes: troubles told of."""

    def __init__(self, venue: TradovateVenue, simulator: Tradovate, clock: WarpClock) -> None:
        self.venue = venue
        self.simulator = simulator
        self.clock = clock
        self.told: list[f.VenueEvent | StreamOpened] = []
        self.notes: list[str] = []
        self.losses: list[Exception] = []

    def quote(self, bid: str, ask: str, size: int = 50) -> None:
        """The market stands at these prices."""
        now_ns = self.clock.now_ns()
        self.simulator.engine.quote(Quote(ES.key, now_ns, D(bid), D(ask), D(size), D(size)))

    async def submit(self, request: OrderRequest) -> None:
        """Sends an order."""
        self.told += await self.venue.submit(cleared(request))

    async def cancel(self, name: str) -> None:
        """Asks for the end of an order."""
        self.told += await self.venue.cancel(CancelOrder("main", ES.key, name))

    async def look_up(self, name: str) -> list[f.VenueEvent]:
        """What became of an order."""
        return list(await self.venue.look_up(LookUpOrder("main", ES.key, name)))

    def about(self, name: str) -> list[f.VenueEvent]:
        """What was told of an order."""
        found = []
        for item in self.told:
            if not isinstance(item, StreamOpened):
                coid = item.fill.client_order_id if isinstance(item, f.OrderFilled) else item.client_order_id
                found += [item] if coid == name else []
        return found

    def say(self, frame: str) -> None:
        """Has the venue send this to every connection, as it stands."""
        for topics in self.simulator.streams.hub.topics:
            own = next(topic for topic in topics or () if topic.startswith("#"))
            self.simulator.streams.hub.publish(frame, own)

    def prop(self, kind: str, entity: dict[str, Any]) -> None:
        """Has the venue tell of an entity."""
        said = [{"e": "props", "d": {"entityType": kind, "entity": entity, "eventType": "Updated"}}]
        self.say("a" + msgspec.json.encode(said).decode())

    async def listen(self) -> None:
        """Hears the stream until it is lost."""
        try:
            async for item in self.venue.events():
                self.told.append(item)
        except Exception as error:
            self.losses.append(error)
            raise

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Hears the stream while the block lasts."""
        task = asyncio.create_task(self.listen())
        await asyncio.sleep(1.0)
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await task


@asynccontextmanager
async def on_stage(
    *plan: Fault,
    dress: Callable[[Tradovate], None] = lambda _: None,
    credentials: Credentials = CREDENTIALS,
    **options: Any,
) -> AsyncIterator[Scene]:
    """The adapter, opened, with ES at 6000 to 6000.25. dress: changes the simulator before."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, WarpLoop)
    clock = WarpClock(loop, BEGIN_NS)
    engine = MatchingEngine([ES], {"USD": D(5_000_000)}, clock.now_ns, RULES)
    troubles = Troubles(plan, clock.now_ns, BEGIN_NS)
    notes: list[str] = []
    async with Tradovate(engine, troubles, clock.now_ns, hours=AlwaysOpen()) as simulator:
        dress(simulator)
        now_ns = clock.now_ns()
        engine.quote(Quote(ES.key, now_ns, D(6000), D("6000.25"), D(50), D(50)))
        given = {"allow_unverified": True, "note": notes.append, **options}
        venue = TradovateVenue("main", [ES], credentials, clock, simulator.base, **given)
        async with venue:
            scene = Scene(venue, simulator, clock)
            scene.notes = notes
            yield scene
