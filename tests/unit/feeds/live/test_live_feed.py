"""A live feed connects anew, tells what stalled, drops what is late, and ends where it never can open."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from decimal import Decimal
from typing import Any

import pytest

from neuratrade.core.model.errors import UsageError
from neuratrade.core.model.events import FeedStalled
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.market import NS_PER_MINUTE, NS_PER_SECOND, Bar, Quote, Trade
from neuratrade.feeds.clock import Clock
from neuratrade.feeds.live.feed import LiveFeed
from neuratrade.feeds.live.source import BookLost, Piece, SourceOpened
from neuratrade.feeds.port import Slice
from neuratrade.rehearsal.warp import WarpClock, WarpLoop, run_warped
from tests.unit.rehearsal.exchange import BTC

M, S = NS_PER_MINUTE, NS_PER_SECOND
BEGIN_NS = 1_000_000 * M + 30 * S
Step = float | Piece | Exception
"""Seconds to wait, a piece to tell, or how the connection ends."""
Say = Callable[[int], Step]


class Script:
    """A venue that tells what each of its connections is written to; then it is quiet."""

    venue = "script"

    def __init__(self, *connections: Sequence[Say]) -> None:
        self.connections = list(connections)
        self.opened = self.closed = 0
        self.again: list[str] = []
        self.clock: Clock

    async def __aenter__(self) -> "Script":
        return self

    async def __aexit__(self, *_: object) -> None:
        return None

    async def instruments(self, symbols: Sequence[str]) -> tuple[Instrument, ...]:
        return (BTC,)

    async def history(self, instrument: Instrument, bars: int, before_ns: int) -> list[Bar]:
        first = before_ns // M - bars
        one = Decimal(1)
        return [Bar(BTC.key, M, (first + n) * M, one, one, one, one, one) for n in range(bars)]

    async def pieces(self, instruments: Sequence[Instrument]) -> AsyncGenerator[Piece]:
        steps = self.connections[self.opened] if self.opened < len(self.connections) else []
        self.opened += 1
        try:
            for step in steps:
                said = step(self.clock.now_ns())
                if isinstance(said, Exception):
                    raise said
                if isinstance(said, int | float):
                    await self.clock.sleep(said)
                else:
                    yield said
            await asyncio.Event().wait()
        finally:
            self.closed += 1

    async def subscribe_again(self, instrument: Instrument) -> None:
        self.again.append(instrument.key)


def opened(_: int) -> SourceOpened:
    return SourceOpened()


def quote(age_s: float = 0.0) -> Callable[[int], Quote]:
    return lambda now: Quote(BTC.key, now - round(age_s * S), Decimal(5), Decimal(6), Decimal(1), Decimal(1))


def trade(now: int) -> Trade:
    return Trade(BTC.key, now, Decimal(5), Decimal(1))


def wait(seconds: float) -> Callable[[int], float]:
    return lambda _: seconds


def fails(error: Exception) -> Callable[[int], Exception]:
    return lambda _: error


def heard(script: Script, seconds: float) -> tuple[list[Slice], list[str], LiveFeed]:
    """What a reader is told in so many seconds of the loop's time."""
    told: list[Slice] = []
    notes: list[str] = []

    async def listen() -> LiveFeed:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, WarpLoop)
        script.clock = WarpClock(loop, BEGIN_NS)
        feed = LiveFeed(lambda: script, [BTC], {}, notes.append)

        async def read() -> None:
            async for piece in feed.stream(script.clock):
                told.append(piece)  # noqa: PERF401 - what was told before an end counts too

        reader = asyncio.create_task(read())
        done, _ = await asyncio.wait(
            (reader, asyncio.create_task(script.clock.sleep(seconds))), return_when="FIRST_COMPLETED"
        )
        if reader in done:
            reader.result()
        reader.cancel()
        await asyncio.gather(reader, return_exceptions=True)
        return feed

    return told, notes, run_warped(listen())


def of(kind: type[Any], told: list[Slice]) -> list[Any]:
    return [piece for piece in told if isinstance(piece, kind)]


def test_pieces_are_stamped_with_their_receipt_and_late_ones_are_dropped_and_counted() -> None:
    script = Script([opened, quote(3.0), quote(11.0), wait(1.0), trade])
    told, _, feed = heard(script, 5.0)
    assert [item.at_ns for item in told if isinstance(item, Quote)] == [BEGIN_NS]
    assert [item.at_ns for item in told if isinstance(item, Trade)] == [BEGIN_NS + S]
    assert feed.late == 1


def test_a_lost_connection_stalls_prices_and_is_made_anew_with_growing_waits() -> None:
    script = Script(
        [opened, quote(), wait(1.0), fails(ConnectionError("cut"))],
        [fails(ConnectionError("refused"))],
        [fails(ConnectionError("refused"))],
        [opened, quote()],
    )
    told, notes, feed = heard(script, 30.0)
    stalls = [item.stalled for item in of(FeedStalled, told)]
    assert stalls == [False, True, True, True, False]
    assert len(of(Quote, told)) == 2
    assert (script.opened, script.closed, feed.lost) == (4, 4, 1)
    waits = [float(note.split(" in ")[1].removesuffix(" s")) for note in notes]
    assert waits == pytest.approx([1, 2, 4], rel=0.25)


def test_a_minute_is_told_once_whole_and_one_that_was_torn_as_the_venue_has_it() -> None:
    each: list[Say] = [trade, wait(10.0)]
    steps = [opened, *each * 12]
    told, _, _ = heard(Script(steps), 100.0)
    first, second = of(list, told)[-2:]
    assert [bar.close_ns for bar in first] == [BEGIN_NS + 30 * S]
    assert first[0].close == 1
    assert [(bar.open_ns, bar.close, bar.volume) for bar in second] == [(BEGIN_NS + 30 * S, 5, 6)]


def test_an_instrument_that_falls_silent_is_asked_for_anew_and_then_the_connection() -> None:
    each: list[Say] = [quote(), wait(1.0)]
    talks = [opened, *each * 40]
    script = Script(talks, [opened, quote()])
    told, notes, _ = heard(script, 80.0)
    assert script.again == [BTC.key]
    assert script.opened == 2
    assert any("silent for 30 s" in note for note in notes)
    assert any("nothing was heard" in note for note in notes)
    assert [item.stalled for item in of(FeedStalled, told)][:3] == [False, True, True]


def test_what_can_never_open_ends_the_feed_and_what_once_stood_does_not() -> None:
    with pytest.raises(UsageError, match="no keys"):
        heard(Script([fails(UsageError("no keys"))]), 5.0)
    script = Script([opened, fails(UsageError("not any more"))], [opened, quote()])
    told, notes, _ = heard(script, 10.0)
    assert len(of(Quote, told)) == 1
    assert any("not any more" in note for note in notes)


def test_a_lost_book_is_told_and_nothing_ends() -> None:
    script = Script([opened, lambda _: BookLost(BTC.key, "a change is missing"), quote()])
    told, notes, _ = heard(script, 3.0)
    assert len(of(Quote, told)) == 1
    assert "a change is missing" in notes[0]


def test_a_reader_that_leaves_leaves_no_connection_behind() -> None:
    script = Script([opened, *[quote()] * 10_000])
    heard(script, 0.0)
    assert script.opened == script.closed
