"""Health and pressure: three silences make a venue degraded, and refusals for load lead on step by step."""

import asyncio

import pytest

from neuratrade.core.model.errors import Refused
from neuratrade.core.model.market import NS_PER_SECOND
from neuratrade.feeds.clock import backoff_s
from neuratrade.rehearsal.warp import WarpClock, WarpLoop
from neuratrade.venues.health import PING_S, watch_health
from neuratrade.venues.hosts import check_trading_host
from neuratrade.venues.pressure import Level, Pressure


def test_waits_grow_to_eight_seconds_each_a_little_off() -> None:
    assert [backoff_s(attempt, lambda: 0.5) for attempt in range(6)] == [1, 2, 4, 8, 8, 8]
    assert (backoff_s(1, lambda: 0.0), round(backoff_s(1, lambda: 1.0), 6)) == (1.6, 2.4)
    assert len({backoff_s(0) for _ in range(20)}) > 1


def told(answers: str, seconds: float) -> list[tuple[bool, float]]:
    """What is told, and when, of a venue that answers (`+`) or not (`-`), the last for ever."""
    loop = WarpLoop()
    clock, asked, found = WarpClock(loop, 0), iter(answers), []
    last = answers[-1]

    async def ping() -> None:
        if next(asked, last) == "-":
            raise TimeoutError

    async def watch() -> None:
        async for degraded in watch_health(ping, clock):
            at_s = clock.now_ns() / NS_PER_SECOND
            found.append((degraded, at_s))

    async def main() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(seconds):
                await watch()

    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(main())
    return found


def test_a_venue_that_answers_is_asked_every_half_minute_and_nothing_is_told() -> None:
    assert told("+", 20 * PING_S) == []


def test_two_failures_are_nothing_and_three_degrade_until_it_answers_again() -> None:
    assert told("+--+--+", 600) == []
    (first, again) = told("+---+", 600)
    assert (first[0], again[0]) == (True, False)
    assert 30 + 0.8 + 1.6 <= first[1] <= 30 + 1.2 + 2.4
    assert again[1] > first[1]


def test_it_is_told_once_however_long_it_is_silent() -> None:
    assert [degraded for degraded, _ in told("-", 900)] == [True]


def test_refusals_for_load_within_a_minute_cut_then_stop_entries_then_ask_for_a_pause() -> None:
    pressure = Pressure()
    levels = [pressure.told(second * NS_PER_SECOND) for second in range(7)]
    assert levels == [Level.CUT, Level.CUT, *[Level.NO_ENTRIES] * 3, Level.PAUSE, Level.PAUSE]
    assert pressure.level(62 * NS_PER_SECOND) is Level.NO_ENTRIES
    assert pressure.level(300 * NS_PER_SECOND) is Level.NONE


@pytest.mark.parametrize(
    "url",
    [
        "https://api.alpaca.markets",
        "https://api.binance.com",
        "https://paper-api.alpaca.markets.example.com",
        "https://127.0.0.1.example.com",
        "https://example.com/127.0.0.1",
        "https://user:paper-api.alpaca.markets@example.com",
        "http://10.0.0.1:8080",
        "http://0.0.0.0",
        "wss://stream.binance.com:9443",
        "not a url",
        "",
    ],
)
def test_orders_go_to_no_host_that_trades_money_whatever_its_name_looks_like(url: str) -> None:
    with pytest.raises(Refused, match=r"orders are not sent to .*use a sandbox, a rehearsal"):
        check_trading_host(url)


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:81", "ws://localhost:81", "http://[::1]:81", "https://paper-api.alpaca.markets/v2"],
)
def test_this_machine_and_official_sandboxes_are_let_through(url: str) -> None:
    assert check_trading_host(url) == url
