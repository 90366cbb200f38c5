"""A loop whose time jumps: waits cost nothing, yet nothing that is on its way is overtaken by a time-out."""

import asyncio
import socket
import threading
import time

import pytest

from neuratrade.core.model.market import NS_PER_SECOND
from neuratrade.rehearsal.warp import WarpClock, WarpLoop, run_warped
from tests.unit.rehearsal.exchange import BEGIN_NS

DAY_S = 86_400.0


def warp_loop() -> WarpLoop:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, WarpLoop)
    return loop


async def end(writer: asyncio.StreamWriter) -> None:
    """Closes a connection, and lets its other end see that."""
    writer.close()
    await writer.wait_closed()
    await asyncio.sleep(0.1)


def test_days_pass_in_no_time_on_the_clock_of_the_loop() -> None:
    async def sleep() -> tuple[int, int]:
        clock = WarpClock(warp_loop(), BEGIN_NS)
        before = clock.now_ns()
        await clock.sleep(30 * DAY_S)
        return before, clock.now_ns()

    begun = time.monotonic()
    before, after = run_warped(sleep())
    assert before == BEGIN_NS
    assert after == BEGIN_NS + round(30 * DAY_S) * NS_PER_SECOND
    # Ten orders of magnitude lie between what was waited and what it may take.
    assert time.monotonic() - begun < DAY_S


def test_who_waits_longer_is_served_later() -> None:
    told: list[float] = []

    async def wait(seconds: float) -> None:
        await asyncio.sleep(seconds)
        told.append(seconds)

    async def race() -> None:
        await asyncio.gather(*(wait(seconds) for seconds in (3600.0, 0.001, 59.0, 60.0, 0.0)))

    run_warped(race())
    assert told == [0.0, 0.001, 59.0, 60.0, 3600.0]


def test_a_sleep_of_less_than_nothing_is_none() -> None:
    async def sleep() -> float:
        await WarpClock(warp_loop(), BEGIN_NS).sleep(-5.0)
        return warp_loop().time()

    assert run_warped(sleep()) == 0.0


def test_a_time_out_ends_what_never_comes() -> None:
    async def wait() -> float:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5.0):
                await asyncio.Event().wait()
        return warp_loop().time()

    assert run_warped(wait()) == pytest.approx(5.0)


def test_what_is_on_its_way_over_a_socket_comes_before_time_jumps() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            writer.write(line.upper())
        await end(writer)

    async def talk() -> float:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        async with server:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            for number in range(200):
                writer.write(f"word {number}\n".encode())
                async with asyncio.timeout(0.001):
                    assert await reader.readline() == f"WORD {number}\n".encode()
            elapsed_s = warp_loop().time()
            await end(writer)
        return elapsed_s

    assert run_warped(talk()) == 0.0


def test_a_server_that_takes_its_time_takes_the_time_of_the_loop() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        await asyncio.sleep(10.0)
        writer.write(b"late\n")
        await end(writer)

    async def talk() -> tuple[float, float]:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        async with server:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            writer.write(b"word\n")
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(5.0):
                    await reader.readline()
            gave_up_s = warp_loop().time()
            assert await reader.readline() == b"late\n"
            came_s = warp_loop().time()
            await end(writer)
        return gave_up_s, came_s

    gave_up_s, came_s = run_warped(talk())
    assert gave_up_s == pytest.approx(5.0)
    assert came_s == pytest.approx(10.0)


def test_without_a_timer_it_waits_for_a_socket_in_real_time() -> None:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)

    async def hear() -> bytes:
        threading.Timer(0.05, theirs.send, (b"x",)).start()
        return await asyncio.get_running_loop().sock_recv(ours, 1)

    with ours, theirs:
        assert run_warped(hear()) == b"x"


def test_what_goes_wrong_inside_comes_out() -> None:
    async def fail() -> None:
        await asyncio.sleep(1.0)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run_warped(fail())


def test_what_goes_from_end_to_end_in_the_loop_has_arrived_when_it_was_sent() -> None:
    families: list[int] = []

    async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        families.append(writer.get_extra_info("socket").family)
        writer.write(await reader.readline())
        writer.close()

    async def call() -> tuple[bytes, bytes]:
        server = await asyncio.start_server(hear, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with server:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"by host and port\n")
            first = await reader.readline()
            await end(writer)
            dialled = socket.socket()
            dialled.setblocking(False)
            await asyncio.get_running_loop().sock_connect(dialled, ("127.0.0.1", port))
            reader, writer = await asyncio.open_connection(sock=dialled)
            writer.write(b"by a socket\n")
            second = await reader.readline()
            await end(writer)
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)
        return first, second

    assert run_warped(call()) == (b"by host and port\n", b"by a socket\n")
    assert families == [socket.AF_UNIX, socket.AF_UNIX]


def test_a_timer_fires_at_the_same_instant_however_many_jumps_led_there() -> None:
    async def wait(others: int) -> float:
        naps = [asyncio.create_task(asyncio.sleep(0.1 + number / 7)) for number in range(others)]
        await asyncio.sleep(100 / 3)
        await asyncio.gather(*naps)
        return warp_loop().time()

    assert len({run_warped(wait(others)) for others in (0, 1, 17, 230)}) == 1
