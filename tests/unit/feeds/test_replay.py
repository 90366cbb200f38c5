"""Replay gives out what a desk would have seen, in that order, and never sooner."""

import inspect
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import msgspec
import polars as pl
import pytest

from neuratrade.core.model.errors import UsageError
from neuratrade.core.model.market import NS_PER_MINUTE, NS_PER_SECOND, Bar, Quote, Trade
from neuratrade.feeds.catalogue import SHIPPED, Catalogue
from neuratrade.feeds.clock import ManualClock, SystemClock
from neuratrade.feeds.dataset import Dataset, Event, Series
from neuratrade.feeds.layout import SeriesKind
from neuratrade.feeds.port import Feed, Recorded, RecordedFeed, event_ns
from neuratrade.feeds.replay import ReplayFeed, merge, paced

ONE = Decimal(1)


def bar(key: str, open_minute: int, minutes: int = 1) -> Bar:
    return Bar(key, minutes * NS_PER_MINUTE, open_minute * NS_PER_MINUTE, ONE, ONE, ONE, ONE, ONE)


def quote(key: str, at_ns: int) -> Quote:
    return Quote(key, at_ns, ONE, ONE, ONE, ONE)


def trade(key: str, at_ns: int, price: int = 1) -> Trade:
    return Trade(key, at_ns, Decimal(price), ONE)


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return Catalogue(tmp_path_factory.mktemp("data")).open(SHIPPED)


def test_bars_that_close_together_come_together_and_in_the_order_given() -> None:
    merged = list(merge([iter([bar("B", 0), bar("B", 1)]), iter([bar("A", 0), bar("A", 1)])]))
    assert merged == [[bar("B", 0), bar("A", 0)], [bar("B", 1), bar("A", 1)]]


def test_an_instrument_without_a_bar_does_not_hold_up_the_others() -> None:
    merged = list(merge([iter([bar("A", 0), bar("A", 1), bar("A", 2)]), iter([bar("B", 0), bar("B", 2)])]))
    assert [len(piece) for piece in merged if isinstance(piece, list)] == [2, 1, 2]


def test_a_bar_is_seen_when_it_closes_and_not_when_it_opens() -> None:
    inside = trade("A", 30 * NS_PER_SECOND)
    assert list(merge([iter([bar("A", 0)]), iter([inside])])) == [inside, [bar("A", 0)]]


def test_a_long_bar_comes_with_the_short_one_that_ends_it() -> None:
    short: list[Event] = [bar("A", minute) for minute in range(5)]
    merged = list(merge([iter(short), iter([bar("A", 0, minutes=5)])]))
    assert merged[:4] == [[item] for item in short[:4]]
    assert merged[4] == [short[4], bar("A", 0, minutes=5)]


def test_at_one_instant_bars_come_before_ticks_and_ticks_keep_their_sequence() -> None:
    at = NS_PER_MINUTE
    ticks: list[Event] = [trade("A", at, 1), trade("A", at, 3), trade("A", at, 2)]
    merged = list(merge([iter([bar("A", 0)]), iter([quote("A", at)]), iter(ticks)]))
    assert merged == [[bar("A", 0)], quote("A", at), *ticks]


def test_the_whole_shipped_replay_is_in_order_complete_and_the_same_every_time(shipped: Dataset) -> None:
    feed = ReplayFeed([shipped])
    slices = list(feed.slices())
    assert feed.total_bars == 60_480
    assert [len(piece) for piece in slices if isinstance(piece, list)] == [2] * 30_240
    assert all(event_ns(before) < event_ns(after) for before, after in pairwise(slices))
    assert list(ReplayFeed([shipped]).slices()) == slices


def test_a_replay_that_goes_on_where_another_stopped_loses_and_repeats_nothing(shipped: Dataset) -> None:
    whole = list(
        ReplayFeed(
            [shipped], end_ns=event_ns(next(ReplayFeed([shipped]).slices())) + 9 * NS_PER_MINUTE
        ).slices()
    )
    stopped = event_ns(whole[3])
    rest = ReplayFeed([shipped], start_ns=stopped, end_ns=event_ns(whole[-1]))
    assert len(whole) == 10
    assert whole[:4] + list(rest.slices()) == whole
    assert rest.total_bars == 12


def test_history_and_the_replay_after_it_meet_without_a_gap(shipped: Dataset) -> None:
    every = [piece for piece in ReplayFeed([shipped]).slices() if isinstance(piece, list)]
    at = event_ns(every[999])
    known = ReplayFeed([shipped]).history(at, 300)
    assert {key: len(bars) for key, bars in known.items()} == {
        "BTC/USDT@binanceusdm": 300,
        "ETH/USDT@binanceusdm": 300,
    }
    assert [list(pair) for pair in zip(*known.values(), strict=True)] == every[700:1_000]
    assert next(ReplayFeed([shipped], start_ns=at).slices()) == every[1_000]


def test_history_before_the_beginning_is_empty(shipped: Dataset) -> None:
    assert all(not bars for bars in ReplayFeed([shipped]).history(0, 10).values())


def test_ticks_and_bars_of_files_are_merged(shipped: Dataset, tmp_path: Path) -> None:
    first_open = 1_747_094_400_000
    file = tmp_path / "quotes.parquet"
    pl.DataFrame(
        {
            "ts": [first_open + 30_000, first_open + 60_000],
            "bid": 1.0,
            "ask": 2.0,
            "bid_size": 1.0,
            "ask_size": 1.0,
        }
    ).write_parquet(file)
    key = shipped.series[0].instrument
    quotes = msgspec.structs.replace(shipped, series=(Series(file, SeriesKind.QUOTES, key),))
    end_ns = (first_open + 120_000) * 1_000_000
    pieces = list(ReplayFeed([quotes, shipped], end_ns=end_ns).slices())
    assert [type(piece) for piece in pieces] == [Quote, list, Quote, list]


def test_the_same_series_twice_is_refused(shipped: Dataset) -> None:
    with pytest.raises(UsageError, match=r"both hold bars of BTC/USDT@binanceusdm; give one"):
        ReplayFeed([shipped, shipped])


def test_two_descriptions_of_one_instrument_are_refused(shipped: Dataset) -> None:
    dearer = tuple(msgspec.structs.replace(item, taker_fee_bps=Decimal(9)) for item in shipped.instruments)
    other = msgspec.structs.replace(
        shipped,
        instruments=dearer,
        series=tuple(msgspec.structs.replace(item, span_ns=5 * NS_PER_MINUTE) for item in shipped.series),
    )
    with pytest.raises(UsageError, match=r"describes BTC/USDT@binanceusdm otherwise"):
        ReplayFeed([shipped, other])


@pytest.mark.parametrize("speed", [0.0, -1.0, float("nan")])
def test_a_speed_that_would_never_move_is_refused(speed: float, shipped: Dataset) -> None:
    with pytest.raises(UsageError, match="speed must be above zero"):
        ReplayFeed([shipped], speed=speed)


def test_nothing_to_replay_is_refused() -> None:
    with pytest.raises(UsageError, match="at least one dataset"):
        ReplayFeed([])


def test_an_end_before_the_start_is_refused(shipped: Dataset) -> None:
    with pytest.raises(UsageError, match="must lie before its end"):
        ReplayFeed([shipped], start_ns=2, end_ns=2)


async def taken_at(pieces: AsyncIterator[Recorded], clock: ManualClock) -> list[int]:
    return [clock.now_ns() async for _ in pieces]


def minutes(count: int) -> Iterator[Recorded]:
    return ([bar("A", minute)] for minute in range(count))


async def test_at_speed_sixty_a_minute_lasts_a_second() -> None:
    clock = ManualClock(5 * NS_PER_SECOND)
    assert await taken_at(paced(minutes(4), clock, 60), clock) == [
        second * NS_PER_SECOND for second in (5, 6, 7, 8)
    ]


async def test_the_time_a_reader_takes_is_not_added_to_the_pace() -> None:
    clock = ManualClock()
    at = []
    async for _ in paced(minutes(4), clock, 60):
        at.append(clock.now_ns())
        clock.advance(0.4)
    assert at == [second * NS_PER_SECOND for second in range(4)]


async def test_after_a_long_pause_the_replay_goes_on_at_its_pace_instead_of_flooding() -> None:
    clock = ManualClock()
    at = []
    async for _ in paced(minutes(6), clock, 60):
        at.append(clock.now_ns() // NS_PER_SECOND)
        if len(at) == 2:
            clock.advance(100)
    assert at == [0, 1, 101, 102, 103, 104]


async def test_without_a_speed_nothing_waits_but_others_get_their_turn(shipped: Dataset) -> None:
    clock = ManualClock()
    feed = ReplayFeed([shipped])
    pieces = [piece async for piece in feed.stream(clock)]
    assert len(pieces) == 30_240
    assert set(clock.slept) == {0}
    assert len(clock.slept) > 100


def test_the_system_clock_never_runs_backwards(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SystemClock()
    before = clock.now_ns()
    monkeypatch.setattr("time.time_ns", lambda: 0)
    assert clock.now_ns() >= before


async def test_the_system_clock_waits() -> None:
    clock = SystemClock()
    before = clock.now_ns()
    await clock.sleep(0.01)
    assert clock.now_ns() - before >= 9_000_000
    await clock.sleep(-1)


def test_a_manual_clock_refuses_to_go_back() -> None:
    with pytest.raises(ValueError, match="never runs backwards"):
        ManualClock().advance(-1)


def test_a_feed_has_no_way_to_place_an_order(shipped: Dataset) -> None:
    feed: RecordedFeed = ReplayFeed([shipped])
    plain: Feed = feed
    offered = {name for name, _ in inspect.getmembers(plain) if not name.startswith("_")}
    assert offered == {
        "instruments",
        "total_bars",
        "slices",
        "stream",
        "history",
        "start_ns",
        "end_ns",
        "speed",
    }
