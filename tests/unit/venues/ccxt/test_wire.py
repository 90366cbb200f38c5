"""The session under ccxt: each request leaves once, and only to where it may."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import aiohttp
import pytest
from aiohttp import web
from yarl import URL

from neuratrade.core.model.errors import Refused
from neuratrade.rehearsal.warp import WarpClock, WarpLoop, run_warped
from neuratrade.venues.ccxt.wire import HEARTBEAT_S, Wire, watched
from neuratrade.venues.limiter import Budget, Limiter, Urgency

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
VENUE = URL("https://api.example.com/order?a=%2B1&b=x%20y")


class Front:
    """A server that counts, and cuts what comes after the first request of a connection."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.cuts = False

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Answers, or cuts."""
        self.seen.append(f"{request.method} {request.raw_path}")
        if self.cuts and request.transport is not None:
            request.transport.abort()
        if request.path == "/moved":
            raise web.HTTPTemporaryRedirect("/order")
        return web.json_response(
            {}, status=429 if request.path == "/busy" else 200, headers={"Retry-After": "7"}
        )


@contextlib.asynccontextmanager
async def served(handler: Handler) -> AsyncIterator[str]:
    """The place of a server that answers by `handler`."""
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", handler)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def test_another_host_is_turned_to_the_base_and_its_query_left_as_it_was_signed() -> None:
    front = Front()
    async with served(front.serve) as base, Wire(base, trades=True) as wire, wire.get(VENUE) as answer:
        assert answer.status == 200
    assert front.seen == ["GET /order?a=%2B1&b=x%20y"]


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
async def test_a_change_on_a_connection_that_is_cut_is_not_sent_again(method: str) -> None:
    front = Front()
    async with served(front.serve) as base, Wire(base, trades=True) as wire:
        async with wire.get(VENUE) as answer:
            await answer.read()
        front.cuts = True
        with watched(asks=False) as sent, pytest.raises(aiohttp.ClientError):
            async with getattr(wire, method)(VENUE):
                pass
    assert [line.split()[0] for line in front.seen] == ["GET", method.upper()]
    assert (sent.changes, sent.answered) == (1, [])


async def test_a_change_is_not_sent_to_where_an_answer_points() -> None:
    front = Front()
    moved = URL("https://api.example.com/moved")
    async with served(front.serve) as base, Wire(base, trades=True) as wire, wire.post(moved) as answer:
        assert answer.status == 307
    assert len(front.seen) == 1


async def test_a_body_that_breaks_off_is_no_answer() -> None:
    async def broken(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Length": "100"})
        await answer.prepare(request)
        await answer.write(b"{")
        assert request.transport is not None
        request.transport.close()
        return answer

    async with served(broken) as base, Wire(base, trades=True) as wire:
        with watched(asks=False) as sent, pytest.raises(aiohttp.ClientError):
            async with wire.post(VENUE) as answer:
                await answer.text()
    assert (sent.changes, sent.answered) == (1, [])


async def test_orders_go_to_no_host_that_trades_money() -> None:
    async with Wire(trades=True) as wire:
        with pytest.raises(Refused, match=r"orders are not sent to api\.binance\.com"):
            async with wire.post(URL("https://api.binance.com/api/v3/order")):
                pass
        with pytest.raises(Refused, match="orders are not sent to ws-api"):
            wire.ws_connect("wss://ws-api.binance.com:443/ws-api/v3")


async def test_hosts_are_found_one_by_one_and_others_are_not_asked() -> None:
    front = Front()
    async with served(front.serve) as place:
        known = {"api.example.com": f"{place}/private", "ws.example.com:8443": place}
        async with Wire(known, trades=True) as wire:
            async with wire.get(VENUE):
                pass
            with pytest.raises(Refused, match=r"nothing stands for other\.example\.com"):
                async with wire.get(URL("https://other.example.com/order")):
                    pass
    assert front.seen == ["GET /private/order?a=%2B1&b=x%20y"]


async def test_a_base_that_trades_money_is_no_base() -> None:
    with pytest.raises(Refused, match="orders are not sent to"):
        Wire("api.binance.com", trades=True)


def test_questions_wait_while_the_venue_wants_to_be_left_alone_and_what_protects_does_not() -> None:
    async def story() -> tuple[float | None, float, float]:
        front, loop = Front(), asyncio.get_running_loop()
        assert isinstance(loop, WarpLoop)
        limiter = Limiter(Budget(100, 1.0, 10), WarpClock(loop, 0))
        async with served(front.serve) as place, Wire(place, trades=True, limiter=limiter) as wire:
            busy = URL("https://api.example.com/busy")
            with watched(asks=True) as sent:
                async with wire.get(busy) as answer:
                    assert answer.status == 429
            begin = loop.time()
            with watched(asks=False, urgency=Urgency.PROTECT):
                async with wire.post(VENUE):
                    after_change = loop.time() - begin
            with watched(asks=True):
                async with wire.get(VENUE):
                    after_question = loop.time() - begin
        return sent.told_to_wait_s, after_change, after_question

    told_s, after_change, after_question = run_warped(story())
    assert told_s == 7
    assert after_change < 1
    assert after_question >= 7


def test_a_stream_that_answers_no_ping_is_lost() -> None:
    async def deaf(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse(autoping=False)
        await socket.prepare(request)
        await asyncio.sleep(600)
        return socket

    async def story() -> tuple[float, aiohttp.WSMsgType]:
        loop = asyncio.get_running_loop()
        async with served(deaf) as base, Wire(base, trades=True) as wire:
            socket = await wire.ws_connect("wss://stream.example.com/ws", autoping=False).__aenter__()
            begin = loop.time()
            message = await socket.receive()
            await socket.close()
            return loop.time() - begin, message.type

    elapsed_s, kind = run_warped(story())
    assert kind in (aiohttp.WSMsgType.ERROR, aiohttp.WSMsgType.CLOSED)
    assert HEARTBEAT_S <= elapsed_s <= 2 * HEARTBEAT_S + 1
