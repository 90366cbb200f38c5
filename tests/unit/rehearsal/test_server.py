"""What goes wrong at a simulated venue goes wrong as its name says: done or not done, told or not told."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
import pytest
from aiohttp import web

from neuratrade.core.model.orders import Side
from neuratrade.rehearsal.faults import Act, Fault, FaultKind, Troubles
from neuratrade.rehearsal.orders import Reason, Rejected
from neuratrade.rehearsal.server import Frame, Hub, Simulator
from tests.unit.rehearsal.exchange import BEGIN_NS, Floor, warped

S = 1_000_000_000
PRICES = "prices"


class Counting(Simulator):
    """A venue that counts what it did, and tells of it."""

    name = "counting"

    def __init__(self, floor: Floor, troubles: Troubles, now_ns: Callable[[], int]) -> None:
        super().__init__(floor.engine, troubles, now_ns)
        self.hub = Hub(troubles)
        self.done = 0
        self.is_open = True

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/do", self._do),
            web.get("/ask", self._do),
            web.get("/history", self._do),
            web.get("/stream", self._stream),
            web.get("/prices", self._prices),
        ]

    def act_of(self, request: web.Request) -> Act:
        if request.path == "/history":
            return Act.HISTORY
        return Act.SUBMIT if request.method == "POST" else Act.ASK

    def trouble_answer(self, status: int) -> web.Response:
        return web.Response(status=status, text=f"trouble {status}")

    async def _do(self, request: web.Request) -> web.Response:
        self.done += 1
        return web.Response(text=f"done {self.done}")

    async def _stream(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await self.hub.serve(socket, _echo, lambda: self.is_open, topics={""})
        return socket

    async def _prices(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await self.hub.serve(socket, _echo, topics={PRICES}, public=True)
        return socket


def _echo(frame: Frame) -> Frame | None:
    return None if frame == "hush" else f"heard {frame!s}"


@dataclass
class Place:
    """A venue, somebody who talks to it, and the time."""

    venue: Counting
    session: aiohttp.ClientSession

    async def do(self, path: str = "/do", method: str = "POST") -> tuple[int, str, float]:
        """Status and words of an answer, and how long it took; status 0 for a connection that was cut."""
        begin_s = asyncio.get_running_loop().time()
        try:
            async with self.session.request(method, path) as answer:
                found = (answer.status, await answer.text())
        except aiohttp.ServerDisconnectedError:
            found = (0, "")
        return *found, asyncio.get_running_loop().time() - begin_s

    @asynccontextmanager
    async def stream(
        self, heard: list[str], path: str = "/stream"
    ) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
        """Listens into `heard`; the end of the stream is heard as `end`."""

        async def hear() -> None:
            while (message := await socket.receive()).type is aiohttp.WSMsgType.TEXT:
                heard.append(message.data)
            heard.append("end")

        async with self.session.ws_connect(path) as socket:
            task = asyncio.create_task(hear())
            await asyncio.sleep(0.1)
            yield socket
            await asyncio.sleep(5.0)
            task.cancel()


@asynccontextmanager
async def place(*plan: Fault) -> AsyncIterator[Place]:
    loop = asyncio.get_running_loop()

    def now_ns() -> int:
        return BEGIN_NS + round(loop.time() * S)

    async with (
        Counting(Floor(), Troubles(plan, now_ns, BEGIN_NS), now_ns) as venue,
        aiohttp.ClientSession(venue.base) as session,
    ):
        yield Place(venue, session)


@pytest.mark.parametrize(
    ("kind", "status", "done", "at_least_s"),
    [
        (FaultKind.RATE_LIMITED, 429, 0, 0.0),
        (FaultKind.SERVER_ERROR, 500, 0, 0.0),
        (FaultKind.CUT, 0, 0, 0.0),
        (FaultKind.RATE_LIMITED_AFTER, 429, 1, 0.0),
        (FaultKind.SERVER_ERROR_AFTER, 500, 1, 0.0),
        (FaultKind.CUT_AFTER, 0, 1, 0.0),
        (FaultKind.SLOW, 200, 1, 7.0),
        (FaultKind.LATE, 200, 1, 7.0),
    ],
)
def test_a_request_in_trouble_is_done_or_not_as_its_fault_says(
    kind: FaultKind, status: int, done: int, at_least_s: float
) -> None:
    @warped
    async def scene() -> None:
        async with place(Fault(0.0, kind, 7.0, 1, Act.SUBMIT)) as here:
            assert (await here.do("/ask", "GET"))[0] == 200
            assert here.venue.done == 1
            got, _, took_s = await here.do()
            assert (got, here.venue.done) == (status, 1 + done)
            assert at_least_s <= took_s < at_least_s + 1.0
            assert (await here.do())[0] == 200
            assert here.venue.requests == 3
            assert here.venue.troubles.met == {kind.value: 1}

    scene()


@pytest.mark.parametrize(("kind", "at_once"), [(FaultKind.SLOW, True), (FaultKind.LATE, False)])
def test_who_gives_up_waiting_has_sent_it_all_the_same(kind: FaultKind, at_once: bool) -> None:
    @warped
    async def scene() -> None:
        async with place(Fault(0.0, kind, 10.0, 1, Act.SUBMIT)) as here:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(5.0):
                    await here.do()
            assert here.venue.done == (1 if at_once else 0)
            await asyncio.sleep(10.0)
            assert here.venue.done == 1

    scene()


@warped
async def test_under_maintenance_nothing_is_done_and_no_stream_is_opened_and_open_ones_end() -> None:
    async with place(Fault(10.0, FaultKind.MAINTENANCE, 20.0)) as here:
        heard: list[str] = []
        async with here.stream(heard):
            await asyncio.sleep(15.0)
            assert heard == ["end"]
            assert (await here.do())[:2] == (503, "trouble 503")
            assert (await here.do("/ask", "GET"))[0] == 503
            with pytest.raises(aiohttp.WSServerHandshakeError):
                await here.session.ws_connect("/stream")
            assert here.venue.done == 0
        await asyncio.sleep(20.0)
        assert (await here.do())[0] == 200


@warped
async def test_its_clock_may_be_off() -> None:
    async with place(Fault(10.0, FaultKind.CLOCK_SKEW, -3.0)) as here:
        assert here.venue.now_ns == BEGIN_NS
        await asyncio.sleep(10.0)
        assert here.venue.now_ns == pytest.approx(BEGIN_NS + 7 * S, abs=S // 1000)


@warped
async def test_orders_are_counted_by_name_and_a_stop_may_be_refused_by_plan() -> None:
    async with place(Fault(0.0, FaultKind.STOP_REJECTED)) as here:
        floor = Floor(balances={"USD": 10**6, "BTC": 5})  # type: ignore[dict-item]
        here.venue.engine = floor.engine
        floor.quote("100", "101")
        stop = floor.ticket(Side.SELL, "1", stop="90", name="stop")
        here.venue.place(floor.ticket(Side.BUY, "1", name="plain"))
        with pytest.raises(Rejected) as caught:
            here.venue.place(stop)
        assert caught.value.reason is Reason.PLANNED
        here.venue.place(stop)
        assert here.venue.submissions == {"plain": 1, "stop": 2}


# the stream


async def told(*frames: str, plan: tuple[Fault, ...] = (), pause_s: float = 0.0) -> list[str]:
    """What one listener hears of frames that are told one after the other."""
    heard: list[str] = []
    async with place(*plan) as here, here.stream(heard):
        for frame in frames:
            here.venue.hub.tell(frame)
            await asyncio.sleep(pause_s)
        await asyncio.sleep(3.0)
    return heard


@warped
async def test_everything_is_told_once_and_in_order_to_everybody_who_listens() -> None:
    assert await told("a", "b", "c") == ["a", "b", "c"]
    first: list[str] = []
    second: list[str] = []
    async with place() as here:
        async with here.stream(first), here.stream(second):
            here.venue.hub.tell("a")
        here.venue.is_open = False
        async with here.stream(second) as socket:
            here.venue.hub.tell("b")
            await socket.send_str("word")
            await socket.send_str("hush")
    assert first == ["a"]
    assert second == ["a", "heard word"]


@warped
async def test_an_event_may_be_told_twice() -> None:
    plan = (Fault(0.0, FaultKind.DUPLICATED, times=2),)
    assert await told("a", "b", "c", plan=plan) == ["a", "a", "b", "b", "c"]


@warped
async def test_events_may_come_out_of_order_and_none_is_lost() -> None:
    plan = (Fault(0.0, FaultKind.REORDERED, times=2),)
    assert await told("a", "b", "c", "d", plan=plan) == ["c", "a", "b", "d"]
    assert await told("a", plan=plan) == ["a"]


@warped
async def test_what_is_held_back_is_not_told_to_who_comes_later() -> None:
    plan = (Fault(0.0, FaultKind.REORDERED), Fault(0.5, FaultKind.DISCONNECT))
    first: list[str] = []
    second: list[str] = []
    async with place(*plan) as here:
        async with here.stream(first):
            here.venue.hub.tell("a")
            await asyncio.sleep(0.8)
        async with here.stream(second):
            await asyncio.sleep(5.0)
            here.venue.hub.tell("b")
    assert second == ["b"]


@warped
async def test_what_nobody_hears_uses_up_no_fault() -> None:
    heard: list[str] = []
    async with place(Fault(0.0, FaultKind.DUPLICATED)) as here:
        here.venue.hub.tell("a")
        async with here.stream(heard):
            here.venue.hub.tell("b")
    assert heard == ["b", "b"]


@warped
async def test_a_silent_stream_tells_nothing_and_stays_open() -> None:
    plan = (Fault(0.0, FaultKind.SILENT_STREAM, 10.0),)
    assert await told("a", "b", "c", plan=plan, pause_s=6.0) == ["c"]


@warped
async def test_a_stream_that_is_cut_ends_and_another_may_be_opened() -> None:
    heard: list[str] = []
    async with place(Fault(2.0, FaultKind.DISCONNECT)) as here:
        async with here.stream(heard):
            await asyncio.sleep(5.0)
            here.venue.hub.tell("a")
        assert heard == ["end"]
        async with here.stream(heard):
            here.venue.hub.tell("b")
    assert heard == ["end", "b"]


# prices


async def priced(*frames: str, plan: tuple[Fault, ...] = (), pause_s: float = 0.0) -> list[str]:
    """What one listener hears of prices, while one who listens to the account hears the same of its own."""
    heard: list[str] = []
    private: list[str] = []
    async with place(*plan) as here, here.stream(heard, "/prices"), here.stream(private):
        for frame in frames:
            here.venue.hub.publish(frame, PRICES)
            here.venue.hub.tell(frame)
            await asyncio.sleep(pause_s)
        await asyncio.sleep(3.0)
    assert private == list(frames), "faults of prices meet no stream of an account"
    return heard


@warped
async def test_prices_are_told_once_in_order_unless_the_plan_has_it_otherwise() -> None:
    assert await priced("a", "b", "c") == ["a", "b", "c"]
    twice, mixed = FaultKind.PRICES_TWICE, FaultKind.PRICES_REORDERED
    assert await priced("a", "b", "c", plan=(Fault(0.0, twice, times=2),)) == ["a", "a", "b", "b", "c"]
    assert await priced("a", "b", "c", plan=(Fault(0.0, mixed, times=2),)) == ["c", "a", "b"]
    assert await priced("a", plan=(Fault(0.0, mixed),)) == ["a"]


@warped
async def test_a_stuck_line_tells_everything_in_order_once_it_is_free() -> None:
    heard: list[str] = []
    async with place(Fault(0.0, FaultKind.PRICES_LATE, 30.0)) as here, here.stream(heard, "/prices"):
        here.venue.hub.publish("a", PRICES)
        await asyncio.sleep(20.0)
        here.venue.hub.publish("b", PRICES)
        assert heard == []
        await asyncio.sleep(11.0)
        assert heard == ["a", "b"]


@warped
async def test_prices_that_are_cut_leave_the_account_its_stream_and_the_other_way_round() -> None:
    for kind, cut, stands in (
        (FaultKind.PRICES_CUT, "/prices", "/stream"),
        (FaultKind.DISCONNECT, "/stream", "/prices"),
    ):
        ended: list[str] = []
        other: list[str] = []
        async with place(Fault(2.0, kind)) as here:
            async with here.stream(ended, cut), here.stream(other, stands):
                await asyncio.sleep(5.0)
            assert (ended, other) == (["end"], [])
            async with here.stream(ended, cut):
                assert ended == ["end"]


@warped
async def test_while_prices_are_down_no_stream_of_them_stands_and_no_history_is_told() -> None:
    heard: list[str] = []
    async with place(Fault(0.0, FaultKind.PRICES_DOWN, 30.0)) as here:
        async with here.stream(heard, "/prices"):
            assert heard == ["end"]
        assert (await here.do("/history", "GET"))[:2] == (503, "trouble 503")
        assert (await here.do("/ask", "GET"))[0] == 200
        assert (await here.do())[0] == 200
        await asyncio.sleep(30.0)
        assert (await here.do("/history", "GET"))[0] == 200
        async with here.stream(heard, "/prices"):
            here.venue.hub.publish("a", PRICES)
            await asyncio.sleep(1.0)
            assert heard == ["end", "a"]
