"""Our transport at the JERQ server: logins, streams, delay, silence, torn frames, and what it waits for."""

import asyncio
import time
from contextlib import aclosing
from decimal import Decimal

import pytest

from neuratrade.core.model.errors import Refused, Retryable, UsageError
from neuratrade.feeds.barchart.jerq import LARGEST_FRAME, JerqLogin, JerqTransport, jerq_url
from neuratrade.feeds.barchart.transport import ClockTick, Opened, QuoteTick, Tick, TradeTick
from neuratrade.feeds.clock import ManualClock, SystemClock
from neuratrade.rehearsal.faults import Fault, FaultKind
from neuratrade.rehearsal.jerq import PASSWORD, TOKEN, USER
from tests.contract.rehearsal.jerq_world import ES, GC, JerqWorld, heard, jerq

D = Decimal
LOGIN = JerqLogin(USER, PASSWORD)
BOTH = ("ESZ26", "GCZ26")


def transport(world: JerqWorld, login: JerqLogin = LOGIN) -> JerqTransport:
    return JerqTransport(world.server.url, login, SystemClock(), draw=lambda: 0.0)


async def until(ticks: object, count: int, found: list[Tick] | None = None) -> list[Tick]:
    """Ticks up to so many that are no clock."""
    found = [] if found is None else found
    async for tick in ticks:  # type: ignore[attr-defined]
        found.append(tick)
        if sum(not isinstance(item, ClockTick) for item in found) >= count:
            break
    return found


@pytest.mark.parametrize("torn", [None, 1, 2])
async def test_snapshots_come_first_then_quotes_and_trades_to_the_last_digit(torn: int | None) -> None:
    async with jerq(torn=torn) as world, aclosing(transport(world).ticks(BOTH)) as ticks:
        found = await until(ticks, 3)
        for step in range(20):
            world.quote(ES, f"{6900 + step}.25", f"{6900 + step}.50", step + 1, 7)
            world.trade(ES, f"{6900 + step}.50", step + 1)
            world.trade(GC, f"4065.{step % 10}", 2)
        found = [tick for tick in await until(ticks, 63, found) if not isinstance(tick, ClockTick)]
    assert isinstance(found[0], Opened)
    first, second = found[1:3]
    assert isinstance(first, QuoteTick)
    assert isinstance(second, QuoteTick)
    assert (first.symbol, first.bid, first.ask, first.bid_size) == (
        "ESZ26",
        D("6900.00"),
        D("6900.25"),
        D(11),
    )
    assert (second.symbol, second.bid, second.ask) == ("GCZ26", D("4065.1"), D("4065.3"))
    quotes = [tick for tick in found[3:] if isinstance(tick, QuoteTick)]
    trades = [tick for tick in found[3:] if isinstance(tick, TradeTick)]
    assert [(tick.bid, tick.bid_size) for tick in quotes] == [
        (D(f"{6900 + i}.25"), D(i + 1)) for i in range(20)
    ]
    assert [tick.size for tick in trades if tick.symbol == "ESZ26"] == [D(i + 1) for i in range(20)]
    assert [tick.price for tick in trades if tick.symbol == "GCZ26"] == [
        D(f"4065.{i % 10}") for i in range(20)
    ]
    timed: list[QuoteTick | TradeTick] = [*quotes, *trades]
    for tick in timed:
        assert tick.delay_minutes == 0
        assert tick.at_ns is not None
        assert abs(tick.at_ns - time.time_ns()) < 60 * 10**9


async def test_a_delayed_server_is_told_as_such_in_every_tick() -> None:
    async with jerq(delay_minutes=10) as world, aclosing(transport(world).ticks(("ESZ26",))) as ticks:
        found = await until(ticks, 2)
        world.quote(ES, "6901.00", "6901.25")
        world.trade(ES, "6901.25", 1)
        late = [tick for tick in await until(ticks, 4, found) if isinstance(tick, QuoteTick | TradeTick)]
    assert [tick.delay_minutes for tick in late] == [-1, 10, 10]
    assert all(tick.at_ns is not None and tick.at_ns < time.time_ns() - 590 * 10**9 for tick in late)


async def test_the_clock_beats_while_nothing_else_is_said() -> None:
    async with jerq() as world, aclosing(transport(world).ticks(("ESZ26",))) as ticks:
        async with asyncio.timeout(10):
            async for tick in ticks:
                if isinstance(tick, ClockTick):
                    assert tick.at_ns is not None
                    assert abs(tick.at_ns - time.time_ns()) < 5 * 10**9
                    break


async def test_a_token_logs_in_too_and_leaving_is_said() -> None:
    async with jerq() as world:
        async with aclosing(transport(world, JerqLogin(token=TOKEN)).ticks(("ESZ26",))) as ticks:
            await until(ticks, 2)
        assert world.server.logins == 1
        assert world.server.commands[:2] == ["GO ESZ6=Ssc", "GO _TIMESTAMP_"]
        await heard(world, "LOGOUT")


async def test_commands_hold_no_more_symbols_than_the_server_takes() -> None:
    names = [f"A{number}" for number in range(600)]
    async with jerq() as world, aclosing(transport(world).ticks((*names, "ESZ26"))) as ticks:
        await until(ticks, 2)
        asked = [command.count("=") for command in world.server.commands if command.startswith("GO A")]
    assert asked == [250, 250, 101]


async def test_a_symbol_is_left_and_asked_for_anew() -> None:
    async with jerq() as world:
        ours = transport(world)
        with pytest.raises(Retryable):
            await ours.subscribe_again("ESZ26")
        async with aclosing(ours.ticks(("ESZ26",))) as ticks:
            found = await until(ticks, 2)
            await ours.subscribe_again("ESZ26")
            await until(ticks, 3, found)
            assert world.server.commands[-2:] == ["STOP ESZ6=Ssc", "GO ESZ6=Ssc"]
        with pytest.raises(Retryable):
            await ours.subscribe_again("ESZ26")


async def test_a_refused_login_is_the_users_to_mend_is_not_hammered_and_shows_no_secret() -> None:
    async with jerq() as world:
        clock = ManualClock(time.time_ns())
        ours = JerqTransport(
            world.server.url, JerqLogin("somebody", "hunter2-secret"), clock, draw=lambda: 0.0
        )
        waits: list[float] = []
        for _ in range(8):
            before = clock.now_ns()
            with pytest.raises(UsageError) as caught:
                await until(ours.ticks(("ESZ26",)), 1)
            waits.append((clock.now_ns() - before) / 1e9)
            assert "hunter2" not in str(caught.value)
            assert "somebody" not in str(caught.value)
        assert world.server.refused == 8
    assert waits[0] < 10
    for wait, least in zip(waits[1:], (60, 120, 240, 480, 960, 1_920, 3_600), strict=True):
        assert least - 1 <= wait <= least + 15


async def test_a_connection_that_says_nothing_is_over_after_ten_seconds() -> None:
    async with jerq([Fault(0.0, FaultKind.SILENT_STREAM, 600.0)]) as world:
        clock = ManualClock(time.time_ns())
        ours = JerqTransport(world.server.url, LOGIN, clock, draw=lambda: 0.0)
        with pytest.raises(Retryable, match="nothing"):
            await until(ours.ticks(("ESZ26",)), 99)


async def test_a_cut_connection_is_told() -> None:
    async with jerq([Fault(0.3, FaultKind.PRICES_CUT)]) as world:
        with pytest.raises(Retryable, match="over"):
            await until(transport(world).ticks(("ESZ26",)), 99)


async def test_a_frame_too_large_to_hold_ends_the_connection_and_not_the_desk() -> None:
    async with jerq() as world, aclosing(transport(world).ticks(("ESZ26",))) as ticks:
        await until(ticks, 2)
        world.server.tell(b"\x01" * (LARGEST_FRAME + 1), "S ESZ6")
        with pytest.raises(Retryable):
            await until(ticks, 99)


async def test_between_two_connections_it_waits_as_long_as_the_server_wants() -> None:
    async with jerq([Fault(0.0, FaultKind.SILENT_STREAM, 600.0)]) as world:
        clock = ManualClock(time.time_ns())
        ours = JerqTransport(world.server.url, LOGIN, clock, draw=lambda: 0.5)
        for _ in range(2):
            with pytest.raises(Retryable):
                await until(ours.ticks(("ESZ26",)), 99)
        waits = [slept for slept in clock.slept if slept > 1]
    assert waits == [pytest.approx(10, abs=1.1)]


async def test_a_server_that_is_not_there_may_be_asked_again() -> None:
    ours = JerqTransport("ws://127.0.0.1:9", LOGIN, ManualClock(time.time_ns()))
    with pytest.raises(Retryable):
        await anext(ours.ticks(("ESZ26",)))


@pytest.mark.parametrize(
    "host", ["ws://qsws-us-e-02.aws.barchart.com", "http://barchart.com", "ftp://127.0.0.1"]
)
def test_credentials_are_never_sent_in_the_clear(host: str) -> None:
    with pytest.raises(Refused):
        jerq_url(host)


def test_an_issued_host_is_asked_over_tls() -> None:
    assert jerq_url("qsws-us-e-02.aws.barchart.com") == "wss://qsws-us-e-02.aws.barchart.com/jerq"


@pytest.mark.parametrize(
    "login", [JerqLogin("a b", "c"), JerqLogin("a", ""), JerqLogin("a", "b\r\nGO X"), JerqLogin()]
)
async def test_credentials_that_no_command_can_hold_are_refused_before_anything_is_sent(
    login: JerqLogin,
) -> None:
    async with jerq() as world:
        with pytest.raises(UsageError):
            await anext(transport(world, login).ticks(("ESZ26",)))
        assert world.server.requests == 0


def test_a_login_is_never_shown() -> None:
    login = JerqLogin("somebody", "hunter2", "tok")
    assert repr(login) == "JerqLogin(…)"
    assert login.hide("no somebody hunter2 tok\x1b[31m") == "no … … … [31m"
