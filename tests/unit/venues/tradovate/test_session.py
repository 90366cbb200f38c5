"""One connection: signs of life by a timer of their own, answers by number, silence is death."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import aiohttp
import pytest
from aiohttp import web

from neuratrade.rehearsal.faults import Fault, FaultKind
from neuratrade.rehearsal.warp import WarpClock, WarpLoop
from neuratrade.venues.port import TooManyRequests
from neuratrade.venues.tradovate.errors import Doubtful, Unauthorised
from neuratrade.venues.tradovate.session import Hostile, Session, open_session
from tests.unit.venues.tradovate.stage import BEGIN_NS, on_stage, warped

Answer = Callable[[str, int], str | None]


def yes(_endpoint: str, number: int) -> str | None:
    """Everything is fine."""
    return f'a[{{"i":{number},"s":200,"d":{{}}}}]'


def only_at_first(endpoint: str, number: int) -> str | None:
    """The connection is let stand, and nothing is said from then on."""
    return yes(endpoint, number) if endpoint in ("authorize", "user/syncrequest") else None


class Host:
    """A socket that answers as a test wants. heard: what it was told, and when, seconds."""

    def __init__(self, answer: Answer, *, beats: bool = True) -> None:
        self._answer = answer
        self._beats = beats
        self.heard: list[tuple[float, str]] = []
        self.sockets: list[web.WebSocketResponse] = []

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        """One connection."""
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.sockets.append(socket)
        await socket.send_str("o")
        beating = asyncio.create_task(self._beat(socket))
        try:
            async for message in socket:
                self.heard.append((asyncio.get_running_loop().time(), message.data))
                if message.data != "[]":
                    endpoint, number, *_ = message.data.split("\n")
                    answer = self._answer(endpoint, int(number))
                    if answer is not None:
                        await socket.send_str(answer)
        finally:
            beating.cancel()
        return socket

    async def _beat(self, socket: web.WebSocketResponse) -> None:
        while self._beats:
            await asyncio.sleep(2.5)
            await socket.send_str("h")


@asynccontextmanager
async def session_at(host: Host) -> AsyncIterator[Session]:
    """A connection to it."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, WarpLoop)
    app = web.Application()
    app.router.add_get("/", host.serve)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    clock = WarpClock(loop, BEGIN_NS)
    try:
        async with aiohttp.ClientSession() as http:
            session = await open_session(http, url, "T", clock, lambda _: None, Hostile(lambda _: None))
            try:
                yield session
            finally:
                await session.close()
    finally:
        await runner.cleanup()


@warped
async def test_it_says_who_asks_and_names_what_it_wants_to_be_told() -> None:
    host = Host(yes)
    async with session_at(host):
        said = [text for _, text in host.heard]
        assert said[0] == "authorize\n1\n\nT"
        endpoint, number, query, body = said[1].split("\n")
        assert (endpoint, number, query) == ("user/syncrequest", "2", "")
        wanted = json.loads(body)
        assert wanted["splitResponses"] is False
        assert {"order", "command", "executionReport", "fill", "fillFee"} <= set(wanted["entityTypes"])
        assert "users" not in wanted


@warped
async def test_signs_of_life_leave_every_two_and_a_half_seconds_whatever_is_heard() -> None:
    host = Host(only_at_first, beats=False)
    async with session_at(host):
        await asyncio.sleep(9.0)
        beats = [at_s for at_s, text in host.heard if text == "[]"]
        assert [round(at_s, 3) for at_s in beats] == [2.5, 5.0, 7.5]


@warped
async def test_a_connection_without_signs_of_life_is_dead() -> None:
    async with session_at(Host(only_at_first, beats=False)) as session:
        await asyncio.sleep(15.0)
        assert session.is_over
        assert "nothing was heard" in session.ended.result()


@warped
async def test_one_that_has_nothing_to_tell_but_lives_is_not() -> None:
    async with session_at(Host(only_at_first)) as session:
        await asyncio.sleep(600.0)
        assert not session.is_over


@warped
async def test_a_request_that_is_not_answered_ends_in_doubt() -> None:
    async with session_at(Host(only_at_first)) as session:
        with pytest.raises(Doubtful, match="no answer within"):
            await session.request("order/placeorder", body="{}")


@warped
async def test_what_was_on_its_way_when_the_connection_was_lost_ends_in_doubt() -> None:
    host = Host(only_at_first)
    async with session_at(host) as session:
        asked = asyncio.create_task(session.request("order/placeorder", body="{}"))
        await asyncio.sleep(0.1)
        await host.sockets[0].close()
        with pytest.raises(Doubtful, match="the connection was lost"):
            await asked
        with pytest.raises(Doubtful, match="the connection is lost"):
            await session.request("order/placeorder", body="{}")


@warped
async def test_answers_find_their_requests_in_any_order() -> None:
    held: list[int] = []

    def late(endpoint: str, number: int) -> str | None:
        if endpoint == "last":
            rest = ",".join(f'{{"i":{n},"s":200,"d":{n}}}' for n in (number, *reversed(held)))
            return f"a[{rest}]"
        if endpoint == "held":
            held.append(number)
            return None
        return yes(endpoint, number)

    async with session_at(Host(late)) as session:
        asked = [asyncio.create_task(session.request("held")) for _ in range(3)]
        await asyncio.sleep(0.1)
        last = await session.request("last")
        answers = [await task for task in asked]
        assert [bytes(item.d) for item in (*answers, last)] == [b"3", b"4", b"5", b"6"]


@pytest.mark.parametrize(
    ("status", "error"),
    [(401, Unauthorised), (429, TooManyRequests), (423, TooManyRequests), (500, Doubtful)],
)
@warped
async def test_one_that_is_not_let_in_says_why(status: int, error: type[Exception]) -> None:
    with pytest.raises(error):
        async with session_at(Host(lambda _, number: f'a[{{"i":{number},"s":{status}}}]')):
            pass


@warped
async def test_one_that_does_not_stand_in_time_is_given_up() -> None:
    with pytest.raises(Doubtful, match="did not stand within"):
        async with session_at(Host(lambda *_: None)):
            pass


@warped
async def test_while_no_connection_can_be_had_few_are_tried_and_the_budget_is_kept() -> None:
    async with on_stage(Fault(60.0, FaultKind.MAINTENANCE, seconds=120.0)) as scene:
        await asyncio.sleep(61.0)
        before, refused = scene.simulator.requests, 0
        for _ in range(100):
            with suppress(Exception):
                await scene.venue.ping()
                refused -= 1
            refused += 1
            await asyncio.sleep(1.0)
        assert refused == 100
        assert scene.simulator.requests - before <= 40
        await asyncio.sleep(40.0)
        await scene.venue.ping()
