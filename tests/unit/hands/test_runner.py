"""The runner: what breaks is told and journaled, what waits is served, and the end leaves all complete."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path

import pytest

from neuratrade.app.desk import Desk
from neuratrade.core.model import facts as f
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.market import NS_PER_SECOND, Bar
from neuratrade.feeds.clock import Clock, SystemClock
from neuratrade.feeds.port import Feed, Slice
from neuratrade.hands.door import Door
from neuratrade.hands.halt_file import HaltFile
from neuratrade.hands.inbox.delivery import Delivery
from neuratrade.hands.inbox.folder import FolderInbox
from neuratrade.hands.runner import Inboxes, Runner
from neuratrade.store.reader import JournalReader
from tests.unit.app.recorded_desk import opened, short_data


class FeedOf:
    """The recording of a desk, with something done on the way."""

    def __init__(self, desk: Desk, stop_at: int, then: Callable[[], Awaitable[None]]) -> None:
        self._desk = desk
        self._stop_at = stop_at
        self._then = then

    @property
    def instruments(self) -> tuple[Instrument, ...]:
        return self._desk.feed.instruments

    def history(self, before_ns: int, bars: int) -> dict[str, list[Bar]]:
        return self._desk.feed.history(before_ns, bars)

    async def stream(self, clock: Clock) -> AsyncIterator[Slice]:
        number = 0
        async for piece in self._desk.feed.stream(clock):
            number += 1
            if number == self._stop_at:
                await self._then()
            yield piece


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("data") / "home"
    short_data(home, 1)
    return home / "data"


@pytest.fixture
def home(data: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / "data").symlink_to(data)
    return folder


def runner_of(
    desk: Desk, feed: Feed, intents: FolderInbox | None = None, halt: HaltFile | None = None
) -> Runner:
    root, account = desk.home.root, desk.setup.account
    instruments = {item.key: item for item in desk.feed.instruments}
    inboxes = Inboxes(
        Door(instruments, account.venue, account.account_id, "ana"),
        intents or FolderInbox(root / "intents"),
        FolderInbox(root / "control", "control"),
    )
    switch = halt or HaltFile(root)
    return Runner(desk.simulated, feed, inboxes, switch, SystemClock(), desk.keep_house, desk.recall)


def journaled(home: Path) -> list[f.Fact]:
    with JournalReader.open(home / "neuratrade.db") as reader:
        return [row.fact() for row in reader.rows()]


def the_end(home: Path) -> f.RunEnded:
    last = journaled(home)[-1]
    assert isinstance(last, f.RunEnded)
    return last


async def never() -> None:
    await asyncio.Event().wait()


async def test_a_feed_that_breaks_ends_the_run_with_its_error_and_a_complete_journal(home: Path) -> None:
    async def breaks() -> None:
        raise ConnectionResetError("the line is dead")

    seen: list[f.Fact] = []
    with opened(home) as desk:
        desk.watch(seen.append)
        runner = runner_of(desk, FeedOf(desk, 300, breaks))
        with pytest.raises(ConnectionResetError, match="the line is dead"):
            await runner.run()
        assert desk.simulated.bars_seen == 2 * 299
    ended = the_end(home)
    assert (ended.finished, ended.reason) == (False, "the feed broke: the line is dead")
    assert journaled(home)[-len(seen) :] == seen


async def test_a_stream_that_breaks_while_the_market_is_silent_ends_the_run_at_once(home: Path) -> None:
    class Broken(FolderInbox):
        async def watch(
            self,
            deliver: Callable[[Delivery], Awaitable[None]],
            sleep: Callable[[float], Awaitable[None]],
            trouble: Callable[[str], None],
        ) -> None:
            await sleep(0.05)
            raise RuntimeError("made for this test")

    with opened(home) as desk:
        runner = runner_of(desk, FeedOf(desk, 1, never), Broken(home / "intents"))
        with pytest.raises(RuntimeError, match="made for this test"):
            await asyncio.wait_for(runner.run(), 2)
    assert the_end(home).reason == "the stream 'intents' broke: made for this test"


async def test_the_end_of_the_data_finishes_the_run_and_every_bar_was_seen(home: Path) -> None:
    with opened(home) as desk:
        ended = await desk.run()
        assert ended.finished
        assert desk.bars == desk.simulated.bars_seen == 2 * 1440
    assert the_end(home) == ended


async def test_a_stop_is_obeyed_before_the_next_price(home: Path) -> None:
    with opened(home) as desk:
        runner = runner_of(desk, FeedOf(desk, 100, never))
        running = asyncio.create_task(runner.run())
        await until(lambda: desk.simulated.bars_seen >= 2 * 99)
        runner.ask_to_stop("enough")
        ended = await asyncio.wait_for(running, 1)
    assert (ended.finished, ended.reason) == (False, "enough")


async def test_proposals_are_served_while_the_market_runs_at_full_speed(home: Path) -> None:
    inbox = home / "intents"
    inbox.mkdir()
    for number in range(30):
        (inbox / f"{number:02}.json").write_text(json.dumps({"intent_id": number}))
    with opened(home) as desk:
        ended = await desk.run()
    refused = [fact for fact in journaled(home) if isinstance(fact, f.DoorRefused)]
    assert [fact.name for fact in refused] == [f"{number:02}.json" for number in range(30)]
    assert max(fact.at_ns for fact in refused) < ended.at_ns
    assert len(list((inbox / "rejected").glob("*.reason.txt"))) == 30


async def test_a_verdict_that_cannot_be_handed_back_is_noted_and_stands_in_the_journal(home: Path) -> None:
    (home / "a-file").touch()
    nowhere = FolderInbox(home / "a-file" / "intents")
    with opened(home) as desk:
        runner = runner_of(desk, desk.feed, nowhere)
        await runner.inbound.put_delivery(Delivery("folder", "idea.json", b"{oops"))
        ended = await runner.run()
        assert ended.finished
        assert any("idea.json" in trouble for trouble in runner.health.troubles)
    assert "idea.json" in [fact.name for fact in journaled(home) if isinstance(fact, f.DoorRefused)]


async def test_the_watchdog_notes_what_blocks_the_loop(home: Path) -> None:
    async def blocks() -> None:
        await asyncio.sleep(0.3)
        deadline = time.monotonic() + 1.4
        while time.monotonic() < deadline:
            pass

    with opened(home) as desk:
        runner = runner_of(desk, FeedOf(desk, 10, blocks))
        await runner.run()
        assert runner.health.late >= 1
        assert runner.health.worst_lag_s > 1
        assert any("late" in trouble for trouble in runner.health.troubles)


async def test_troubles_are_counted_but_only_the_newest_are_kept(home: Path) -> None:
    with opened(home) as desk:
        health = desk.runner.health
        for number in range(1_000):
            health.note(str(number))
        assert (health.noted, len(health.troubles), health.troubles[-1]) == (1_000, 50, "999")


async def test_a_halt_file_counts_before_the_first_price_and_again_after_every_resume(home: Path) -> None:
    switch = home / "HALT"
    switch.write_text("now\n")
    moves: list[f.TradingState] = []

    def made_again_at_once(fact: f.Fact) -> None:
        if isinstance(fact, f.TradingStateMoved):
            moves.append(fact.state)
            if fact.state is f.TradingState.RUNNING:
                switch.write_text("now\n")

    with opened(home) as desk:
        begin_ns = desk.state.now_ns
        desk.watch(made_again_at_once)
        runner = runner_of(desk, FeedOf(desk, 1, never))
        running = asyncio.create_task(runner.run())
        await until(lambda: desk.state.trading_state is f.TradingState.HALTED)
        assert desk.state.now_ns == begin_ns
        for number in range(3):
            # Between these lines and the desk's answer nobody looks for the file.
            switch.unlink()
            runner.inbound.put_control(Delivery("control", f"{number}.json", request_to_resume()))
            await until(partial(has_as_many, moves, 3 + 2 * number))
        runner.ask_to_stop("enough")
        await running
    halted, resumed = f.TradingState.HALTED, f.TradingState.RUNNING
    assert moves == [halted, resumed, halted, resumed, halted, resumed, halted]


def has_as_many(moves: list[f.TradingState], wanted: int) -> bool:
    return len(moves) == wanted


def request_to_resume() -> bytes:
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return json.dumps(
        {"action": "resume", "operator_id": "ana", "reason": "again", "timestamp": stamp}
    ).encode()


async def test_what_people_do_while_nothing_happens_is_stamped_with_the_time_of_the_market(
    home: Path,
) -> None:
    with opened(home) as desk:
        runner = runner_of(desk, FeedOf(desk, 100, never))
        running = asyncio.create_task(runner.run())
        await until(lambda: desk.simulated.bars_seen >= 2 * 99)
        runner.inbound.put_control(Delivery("control", "r.json", request_to_resume()))
        runner.ask_to_stop("enough")
        await running
        begin_ns = journaled(home)[0].at_ns
    acted = [fact for fact in journaled(home) if isinstance(fact, f.OperatorActed)]
    assert [fact.at_ns - begin_ns for fact in acted] == [99 * 60 * NS_PER_SECOND]
    assert the_end(home).at_ns - begin_ns == 99 * 60 * NS_PER_SECOND


async def until(true: Callable[[], bool]) -> None:
    for _ in range(250):
        if true():
            return
        await asyncio.sleep(0.02)
    pytest.fail("waited five seconds in vain")
