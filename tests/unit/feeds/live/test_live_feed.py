"""A live feed connects anew, tells what stalled, drops what is late, and ends where it never can open."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar

import pytest

from neuratrade.core.model.errors import Terminal, UsageError
from neuratrade.core.model.events import FeedStalled
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.market import NS_PER_MINUTE, NS_PER_SECOND, Bar, Quote, Trade
from neuratrade.feeds.clock import Clock
from neuratrade.feeds.live.feed import LiveFeed
from neuratrade.feeds.live.source import Beat, BookLost, Delayed, Piece, SourceOpened
from neuratrade.feeds.live.statistics import (
    ConnectionReading,
    SymbolReading,
    read_reading,
    write_reading,
)
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
    unreadable: ClassVar[dict[str, int]] = {"torn frames": 2}

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


def heard(
    script: Script, seconds: float, tell: Callable[[ConnectionReading], None] = lambda _: None
) -> tuple[list[Slice], list[str], LiveFeed]:
    """What a reader is told in so many seconds of the loop's time."""
    told: list[Slice] = []
    notes: list[str] = []

    async def listen() -> LiveFeed:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, WarpLoop)
        script.clock = WarpClock(loop, BEGIN_NS)
        feed = LiveFeed(lambda: script, [BTC], {}, notes.append, tell)

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


def test_where_coming_back_would_do_harm_nothing_is_connected_anew_and_prices_stay_stalled() -> None:
    with pytest.raises(Terminal, match="used elsewhere"):
        heard(Script([fails(Terminal("used elsewhere"))]), 5.0)
    script = Script([opened, quote(), wait(1.0), fails(Terminal("used elsewhere"))], [opened, quote()])
    told, notes, feed = heard(script, 600.0)
    assert script.opened == 1
    assert [item.stalled for item in of(FeedStalled, told)] == [False, True]
    assert feed.statistics.ended == "used elsewhere"
    assert sum("used elsewhere" in note for note in notes) == 1


def test_prices_told_late_are_never_prices_and_stall_their_instrument_until_one_is_of_the_present() -> None:
    late: Say = lambda _: Delayed(BTC.key, 10)  # noqa: E731 - a line of the script
    each: list[Say] = [late, wait(10.0)]
    script = Script([opened, quote(), wait(1.0), *each * 60, quote(), wait(1.0)])
    told, notes, feed = heard(script, 602.0)
    assert [item.stalled for item in of(FeedStalled, told)] == [False, True, False]
    assert len(of(Quote, told)) == 2
    assert script.opened == 1, "who speaks late is not silent"
    assert [note for note in notes if "delayed by 10 minutes" in note] == notes, "told once"
    symbol = feed.statistics.symbols[BTC.key]
    assert (symbol.delayed, symbol.pieces, symbol.delay_minutes) == (60, 2, 0)


def test_an_instrument_of_which_nobody_knows_yet_whether_it_is_told_late_waits_for_its_first_price() -> None:
    script = Script([lambda _: Delayed(BTC.key, None), opened, wait(1.0), quote(), wait(1.0)])
    told, notes, _ = heard(script, 1.5)
    assert [type(item) for item in told] == [FeedStalled, FeedStalled, Quote]
    assert [item.stalled for item in of(FeedStalled, told)] == [True, False]
    assert notes == []


def test_no_minute_is_told_while_delayed_and_those_of_meanwhile_as_the_venue_has_them() -> None:
    late: list[Say] = [lambda _: Delayed(BTC.key, -1), wait(10.0)]
    present: list[Say] = [trade, wait(10.0)]
    told, _, _ = heard(Script([opened, *late * 20, *present * 10]), 300.0)
    first = next(place for place, item in enumerate(told) if isinstance(item, list))
    assert any(isinstance(item, Trade) for item in told[:first]), "none before a price of the present"
    closes = [bars[-1].close_ns for bars in of(list, told)]
    assert closes == [closes[0] + n * M for n in range(len(closes))], "no gap"


def test_a_connection_that_beats_is_kept_while_its_market_is_closed() -> None:
    each: list[Say] = [lambda _: Beat(), wait(10.0)]
    script = Script([opened, quote(), *each * 360])
    told, _, _ = heard(script, 3600.0)
    assert script.opened == 1
    assert of(FeedStalled, told)[-1].stalled, "its prices are none of the present all the same"


def test_a_closed_market_without_a_beat_is_not_connected_to_in_a_row() -> None:
    script = Script(*[[opened] for _ in range(50)])
    heard(script, 3600.0)
    assert script.opened <= 30, "every two minutes at most"


def test_the_statistics_tell_what_came_what_did_not_and_when() -> None:
    readings: list[ConnectionReading] = []
    script = Script(
        [opened, quote(), quote(11.0), wait(4.0), lambda _: BookLost(BTC.key, "torn"), fails(OSError())],
        [opened, wait(60.0)],
    )
    heard(script, 6.0, readings.append)
    first, last = readings[0], readings[-1]
    assert (first.is_open, first.symbols[0].is_stalled, first.pieces) == (False, True, 0)
    assert (last.is_open, last.opened, last.lost, last.late, last.pieces, last.gaps) == (True, 2, 1, 1, 2, 1)
    assert last.unreadable == {"torn frames": 2}
    assert last.symbols[0].heard_ns == BEGIN_NS
    assert last.written_ns == BEGIN_NS + 6 * S


def test_statistics_are_written_whole_and_read_back(tmp_path: Path) -> None:
    path = tmp_path / "feed.json"
    assert read_reading(path) is None
    reading = ConnectionReading("x", 5, True, 1, 0, 0, 3, 0, "", {"a": 1}, (SymbolReading("A@x", 3),))
    write_reading(path, reading)
    write_reading(path, reading)
    assert read_reading(path) == reading
    assert [item.name for item in tmp_path.iterdir()] == ["feed.json"]
    path.write_text("{")
    with pytest.raises(UsageError, match="cannot be read"):
        read_reading(path)
