"""A venue on loopback that speaks plain HTTP, keeps every order it was sent, and misbehaves when asked to.

It is there to prove what the hands do with a venue that answers late, not at all, or wrongly. Orders are
known by client id; a second submission of one id is counted and refused, as venues do. Market orders and
limit orders that may not rest are filled at once, all others rest until `POST /fill`. It keeps no money, and
so says nothing of balances.

Run it on its own by `python -m tests.loopback.venue`: it prints its port and serves until it is killed.
"""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Literal

import msgspec
from aiohttp import web

from neuratrade.core.model import facts as f
from neuratrade.core.model.events import VenueOrder, VenueSnapshot
from neuratrade.core.model.facts import VenueEvent, encode_fact
from neuratrade.core.model.orders import Fill, Liquidity, OrderRequest, OrderType, TimeInForce

BEAT_S = 0.2
PRICE = Decimal(100)

Act = Literal["submit", "cancel", "amend", "look_up", "snapshot"]
Kind = Literal["late", "delay", "drop", "drop_before", "status", "refuse"]


class Fault(msgspec.Struct):
    """What goes wrong with the next `times` requests of one kind.

    late: done at once, answered after `seconds`. delay: done and answered after `seconds`. drop: done, then
    the connection is cut. drop_before: cut, not done. status: done, but answered with `code`. refuse: not
    done, and said so.
    """

    on: Act
    kind: Kind
    times: int = 1
    seconds: float = 0.0
    code: int = 500


class Seen(msgspec.Struct):
    """What the venue noticed. received_ns: monotonic clock, with the whole request there, by client id."""

    submissions: dict[str, int]
    arrivals: list[str]
    received_ns: dict[str, int]


class _Order(msgspec.Struct):
    request: OrderRequest
    told: list[VenueEvent]
    quantity: Decimal
    stop_price: Decimal | None
    filled: Decimal = Decimal(0)
    over: bool = False


class AmendTerms(msgspec.Struct):
    """New terms of a stop."""

    quantity: Decimal
    stop_price: Decimal


class FillOrder(msgspec.Struct):
    """A fill that is to happen. quantity: None for all that is left."""

    client_order_id: str
    quantity: Decimal | None = None
    price: Decimal = PRICE


def _all_of(order: _Order, coid: str) -> list[VenueEvent]:
    if order.filled < order.quantity:
        return list(order.told)
    return [*order.told, f.OrderCancelled(time.time_ns(), coid, "filled whole", order.filled)]


class LoopbackVenue:
    """The books of the venue and its HTTP face. is_silent: its stream stands but tells nothing."""

    def __init__(self) -> None:
        self.orders: dict[str, _Order] = {}
        self.submissions: Counter[str] = Counter()
        self.arrivals: list[str] = []
        self.received_ns: dict[str, int] = {}
        self.faults: list[Fault] = []
        self.streams: set[asyncio.Queue[bytes]] = set()
        self.snapshots = 0
        self.is_silent = False
        self.app = web.Application()
        self.app.add_routes(
            [
                web.post("/orders", self._on_submit),
                web.post("/orders/{coid}/cancel", self._on_cancel),
                web.post("/orders/{coid}/amend", self._on_amend),
                web.get("/orders/{coid}", self._on_look_up),
                web.get("/account", self._on_account),
                web.get("/events", self._on_events),
                web.post("/faults", self._on_faults),
                web.post("/fill", self._on_fill),
                web.post("/cut", self._on_cut),
                web.get("/seen", self._on_seen),
            ]
        )

    # what a test asks directly

    def fill(self, wanted: FillOrder) -> None:
        """Fills a resting order and tells it by the stream."""
        order = self.orders[wanted.client_order_id]
        left = order.quantity - order.filled
        self._fill(order, left if wanted.quantity is None else wanted.quantity, wanted.price)

    def cut_streams(self) -> None:
        """Ends every stream of events; what happens until they are opened again is told to nobody."""
        for stream in self.streams:
            stream.put_nowait(b"")
        self.streams.clear()

    # requests

    async def _on_submit(self, http: web.Request) -> web.StreamResponse:
        raw = await http.read()
        received_ns = time.monotonic_ns()
        request = msgspec.json.decode(raw, type=OrderRequest)
        coid = request.client_order_id
        self._arrived("submit", coid)
        self.submissions[coid] += 1
        self.received_ns.setdefault(coid, received_ns)

        def do() -> list[VenueEvent] | str:
            if coid in self.orders:
                return "this client id was used before"
            return self._take(request)

        return await self._answer("submit", http, do)

    async def _on_cancel(self, http: web.Request) -> web.StreamResponse:
        coid = http.match_info["coid"]
        self._arrived("cancel", coid)

        def do() -> list[VenueEvent] | str:
            order = self.orders.get(coid)
            if order is None or order.over:
                return "no such working order"
            return [self._end(order, f.OrderCancelled(time.time_ns(), coid, "asked"))]

        return await self._answer("cancel", http, do)

    async def _on_amend(self, http: web.Request) -> web.StreamResponse:
        coid = http.match_info["coid"]
        terms = msgspec.json.decode(await http.read(), type=AmendTerms)
        self._arrived("amend", coid)

        def do() -> list[VenueEvent] | str:
            order = self.orders.get(coid)
            if order is None or order.over:
                return "no such working order"
            order.quantity, order.stop_price = terms.quantity, terms.stop_price
            amended = f.OrderAmended(time.time_ns(), coid, terms.quantity, terms.stop_price)
            return [self._tell(order, amended)]

        return await self._answer("amend", http, do)

    async def _on_look_up(self, http: web.Request) -> web.StreamResponse:
        coid = http.match_info["coid"]
        self._arrived("look_up", coid)

        def do() -> list[VenueEvent] | str:
            order = self.orders.get(coid)
            return [f.OrderNotFound(time.time_ns(), coid)] if order is None else _all_of(order, coid)

        return await self._answer("look_up", http, do)

    async def _on_account(self, http: web.Request) -> web.StreamResponse:
        self.snapshots += 1
        self._arrived("snapshot", "")
        return await self._answer("snapshot", http, lambda: [self._snapshot(http.query["account_id"])])

    async def _on_events(self, http: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(http)
        stream: asyncio.Queue[bytes] = asyncio.Queue()
        self.streams.add(stream)
        await response.write(b"\n")
        try:
            while True:
                try:
                    line = await asyncio.wait_for(stream.get(), BEAT_S)
                except TimeoutError:
                    line = b"\n"
                if not line:
                    return response
                await response.write(line)
        except ConnectionResetError:
            return response
        finally:
            self.streams.discard(stream)

    async def _on_faults(self, http: web.Request) -> web.StreamResponse:
        self.faults.append(msgspec.json.decode(await http.read(), type=Fault))
        return web.Response()

    async def _on_fill(self, http: web.Request) -> web.StreamResponse:
        self.fill(msgspec.json.decode(await http.read(), type=FillOrder))
        return web.Response()

    async def _on_cut(self, _: web.Request) -> web.StreamResponse:
        self.cut_streams()
        return web.Response()

    async def _on_seen(self, _: web.Request) -> web.StreamResponse:
        seen = Seen(dict(self.submissions), self.arrivals, self.received_ns)
        return web.Response(body=msgspec.json.encode(seen))

    async def _answer(
        self, act: Act, http: web.Request, do: Callable[[], list[VenueEvent] | list[VenueSnapshot] | str]
    ) -> web.StreamResponse:
        fault = self._fault_of(act)
        if fault is not None:
            if fault.kind == "delay":
                await asyncio.sleep(fault.seconds)
            if fault.kind == "refuse":
                return web.Response(status=400, body=msgspec.json.encode({"error": "as the test wished"}))
            if fault.kind == "drop_before":
                return self._cut(http)
        done = do()
        if fault is not None and fault.kind == "late":
            await asyncio.sleep(fault.seconds)
        if fault is not None and fault.kind == "drop":
            return self._cut(http)
        if fault is not None and fault.kind == "status":
            return web.Response(status=fault.code, body=b"<html>something is wrong</html>")
        if isinstance(done, str):
            return web.Response(status=400, body=msgspec.json.encode({"error": done}))
        return web.Response(body=msgspec.json.encode(done))

    def _cut(self, http: web.Request) -> web.StreamResponse:
        if http.transport is not None:
            http.transport.abort()
        return web.Response()

    def _fault_of(self, act: Act) -> Fault | None:
        for fault in self.faults:
            if fault.on == act and fault.times > 0:
                fault.times -= 1
                return fault
        return None

    # books

    def _arrived(self, act: Act, coid: str) -> None:
        self.arrivals.append(f"{act} {coid}".strip())

    def _take(self, request: OrderRequest) -> list[VenueEvent]:
        now_ns, coid = time.time_ns(), request.client_order_id
        order = _Order(request, [], request.quantity, request.stop_price)
        self.orders[coid] = order
        self._tell(order, f.OrderAccepted(now_ns, coid, f"V-{len(self.orders)}"))
        if request.order_type is OrderType.MARKET or (
            request.order_type is OrderType.LIMIT and request.time_in_force is TimeInForce.IOC
        ):
            self._fill(order, request.quantity, request.limit_price or PRICE)
        return list(order.told)

    def _fill(self, order: _Order, quantity: Decimal, price: Decimal) -> None:
        request, now_ns = order.request, time.time_ns()
        coid = request.client_order_id
        order.filled += quantity
        order.over = order.filled >= order.quantity
        number = sum(isinstance(event, f.OrderFilled) for event in order.told)
        fill = Fill(
            f"{coid}-{number}",
            coid,
            request.account_id,
            request.instrument,
            request.side,
            quantity,
            price,
            Decimal(0),
            "USDT",
            Liquidity.TAKER,
            now_ns,
        )
        self._tell(order, f.OrderFilled(now_ns, fill))

    def _end(self, order: _Order, event: f.OrderCancelled) -> VenueEvent:
        order.over = True
        return self._tell(order, event)

    def _tell(self, order: _Order, event: VenueEvent) -> VenueEvent:
        order.told.append(event)
        for stream in () if self.is_silent else self.streams:
            stream.put_nowait(encode_fact(event) + b"\n")
        return event

    def _snapshot(self, account_id: str) -> VenueSnapshot:
        now_ns = time.time_ns()
        positions: dict[str, Decimal] = {}
        fills: list[Fill] = []
        for order in self.orders.values():
            for event in order.told:
                if isinstance(event, f.OrderFilled):
                    key, signed = event.fill.instrument, event.fill.quantity * event.fill.side.sign
                    positions[key] = positions.get(key, Decimal(0)) + signed
                    fills.append(event.fill)
        live = [order for order in self.orders.values() if not order.over]
        plain = tuple(_listed(order) for order in live if order.stop_price is None)
        conditional = tuple(_listed(order) for order in live if order.stop_price is not None)
        return VenueSnapshot(now_ns, account_id, now_ns, plain, conditional, positions, None, tuple(fills))


def _listed(order: _Order) -> VenueOrder:
    request = order.request
    return VenueOrder(
        request.client_order_id,
        "",
        request.instrument,
        request.side,
        order.quantity,
        order.filled,
        order.stop_price,
    )


async def serve(venue: LoopbackVenue) -> tuple[int, Callable[[], Awaitable[None]]]:
    """Serves on a free port of 127.0.0.1; returns the port and what ends it."""
    runner = web.AppRunner(venue.app, access_log=None, shutdown_timeout=0.2)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port: int = runner.addresses[0][1]

    async def end() -> None:
        venue.cut_streams()
        await runner.cleanup()

    return port, end


async def _main() -> None:
    port, _ = await serve(LoopbackVenue())
    print(port, flush=True)  # noqa: T201 - the port is what this process is asked for
    await asyncio.Event().wait()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_main())
