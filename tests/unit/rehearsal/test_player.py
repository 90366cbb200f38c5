"""The market of a rehearsal is the recorded one, in quotes and in trades."""

import asyncio
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

from neuratrade.core.bars.aggregate import BarBuilder
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.market import NS_PER_MINUTE, Bar, Quote, Trade
from neuratrade.feeds.catalogue import Catalogue
from neuratrade.rehearsal.faults import Fault, FaultKind, Troubles
from neuratrade.rehearsal.player import STEPS, THIN_SHARE, Player
from neuratrade.rehearsal.recording import recorded_bars, stretch
from neuratrade.rehearsal.tape import Played
from tests.unit.rehearsal.exchange import BEGIN_NS, BTC, ETH, D, Floor, warped

OPEN_NS = BEGIN_NS // NS_PER_MINUTE * NS_PER_MINUTE + NS_PER_MINUTE


def bar(number: int, *prices: str, volume: str = "500") -> Bar:
    """A minute of these: open, high, low, close."""
    opened, high, low, close = map(D, prices)
    return Bar(
        BTC.key, NS_PER_MINUTE, OPEN_NS + number * NS_PER_MINUTE, opened, high, low, close, D(volume)
    )  # fmt: skip


RISING, FALLING = bar(0, "100", "110", "95", "105"), bar(1, "105", "108", "90", "92")


class Set:
    """A player and what it played, on a clock that moves when somebody sleeps."""

    def __init__(self, *bars: Bar, plan: tuple[Fault, ...] = (), beside: Instrument | None = None) -> None:
        self.floor = Floor()
        self.played: list[Played] = []
        self.seen_ns: list[int] = []
        self.floor.now_ns = OPEN_NS
        troubles = Troubles(plan, self.now_ns, OPEN_NS)
        self.player = Player(BTC, bars, self.floor.engine, troubles, self, [self.take, self.match], beside)

    def now_ns(self) -> int:
        return self.floor.now_ns

    async def sleep(self, seconds: float) -> None:
        self.floor.now_ns += max(round(seconds * 1e9), 0)
        await asyncio.sleep(0)

    def take(self, item: Played) -> None:
        self.played.append(item)
        self.seen_ns.append(self.floor.now_ns)

    def match(self, item: Played) -> None:
        if isinstance(item, Quote) and item.instrument == BTC.key:
            self.floor.engine.quote(item)


def mids(quotes: list[Quote]) -> list[Decimal]:
    return [quote.mid for quote in quotes if quote.mid is not None]


def test_a_minute_goes_from_its_open_by_both_extremes_to_its_close() -> None:
    for played, first in ((RISING, "low"), (FALLING, "high")):
        path = mids(list(Set().player.quotes(played)))
        assert len(path) == STEPS
        assert (path[0], path[-1]) == (played.open, played.close)
        assert (max(path), min(path)) == (played.high, played.low)
        assert (path.index(played.low) < path.index(played.high)) is (first == "low")


def test_quotes_lie_within_their_minute_on_the_grid_with_something_on_each_side() -> None:
    for volume, size in (("500", D(10)), ("0", BTC.lot)):
        quotes = list(Set().player.quotes(bar(0, "100", "110", "95", "105", volume=volume)))
        assert all(before.at_ns < after.at_ns for before, after in pairwise(quotes))
        assert quotes[0].at_ns == OPEN_NS
        assert quotes[-1].at_ns < RISING.close_ns
        for quote in quotes:
            assert quote.bid is not None
            assert quote.ask is not None
            assert quote.bid < quote.ask
            assert BTC.round_price(quote.bid) == quote.bid
            assert (quote.bid_size, quote.ask_size) == (size, size)


@warped
async def test_each_tick_is_played_in_its_time_and_each_bar_when_it_closes() -> None:
    here = Set(RISING, FALLING)
    await here.player.play()
    assert [item for item in here.played if isinstance(item, Bar)] == [RISING, FALLING]
    assert sum(isinstance(item, Quote) for item in here.played) == 2 * STEPS
    for item, seen_ns in zip(here.played, here.seen_ns, strict=True):
        assert seen_ns == (item.close_ns if isinstance(item, Bar) else item.at_ns)


@warped
async def test_bars_of_the_trades_are_the_recorded_ones() -> None:
    odd = bar(2, "100", "110", "95", "105", volume="0.000007")
    here = Set(RISING, FALLING, odd)
    await here.player.play()
    builder = BarBuilder(BTC.key, NS_PER_MINUTE, complete_from_ns=OPEN_NS)
    built = [
        made for item in here.played if isinstance(item, Trade) for made in builder.add_trade(item)
    ] + builder.advance(odd.close_ns)
    assert built == [RISING, FALLING, odd]


@warped
async def test_a_minute_in_which_nothing_was_traded_has_no_trade() -> None:
    here = Set(bar(0, "100", "110", "95", "105", volume="0"))
    await here.player.play()
    assert not [item for item in here.played if isinstance(item, Trade)]


@warped
async def test_what_is_beside_is_told_of_now_and_then_and_its_minutes_whole() -> None:
    here = Set(RISING, beside=ETH)
    here.player.before([FALLING])
    await here.player.play()
    told = [item for item in here.played if item.instrument == ETH.key]
    assert [item.open_ns for item in told if isinstance(item, Bar)] == [FALLING.open_ns, RISING.open_ns]
    assert sum(isinstance(item, Quote) for item in told) == sum(isinstance(item, Trade) for item in told)
    assert 1 < sum(isinstance(item, Quote) for item in told) < STEPS


@warped
async def test_after_its_end_the_market_goes_on_as_it_was_and_each_quote_differs_from_the_last() -> None:
    here = Set(RISING)
    await here.player.play()
    before = len(here.played)
    going = asyncio.create_task(here.player.go_on())
    for _ in range(20):
        await asyncio.sleep(0)
    going.cancel()
    quotes = [item for item in here.played[before:] if isinstance(item, Quote)]
    assert len(quotes) > 5
    assert len({quote.mid for quote in quotes}) == 1
    for one, after in pairwise(quotes):
        assert after.at_ns == one.at_ns + 1_000_000_000
        assert (after.bid, after.bid_size) != (one.bid, one.bid_size)


@warped
async def test_a_thin_book_is_thin_while_it_lasts() -> None:
    here = Set(RISING, FALLING, plan=(Fault(0.0, FaultKind.THIN, 60.0),))
    order = here.floor.buy("1", limit="96")
    await here.player.play()
    assert {done.quantity for done in order.executions if done.at_ns < RISING.close_ns} == {10 * THIN_SHARE}
    assert order.filled == 1


def test_a_stretch_of_the_recording_is_drawn_by_its_seed_and_told_as_the_contract(tmp_path: Path) -> None:
    bars = recorded_bars(Catalogue(tmp_path).open("shipped"))
    one, again, other = (stretch(bars, BTC, seed, 90) for seed in (1, 1, 2))
    assert one == again
    assert one != other
    assert len(one) == 90
    assert all(after.open_ns - before.open_ns == NS_PER_MINUTE for before, after in pairwise(one))
    for told in one:
        assert told.instrument == BTC.key
        assert BTC.round_price(told.close) == told.close
    assert {first.open_ns for first in (stretch(bars, BTC, seed, 90)[0] for seed in range(30))} > {
        one[0].open_ns
    }
