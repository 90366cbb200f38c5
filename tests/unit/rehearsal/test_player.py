"""The market of a rehearsal is the recorded one, and only the desk can be kept from seeing it."""

from decimal import Decimal
from itertools import pairwise
from pathlib import Path

from neuratrade.core.model.market import NS_PER_MINUTE, Bar, Quote
from neuratrade.feeds.catalogue import Catalogue
from neuratrade.rehearsal.faults import Fault, FaultKind, Troubles
from neuratrade.rehearsal.player import STEPS, THIN_SHARE, Player
from neuratrade.rehearsal.recording import recorded_bars, stretch
from tests.unit.rehearsal.exchange import BEGIN_NS, BTC, D, Floor, warped

OPEN_NS = BEGIN_NS // NS_PER_MINUTE * NS_PER_MINUTE + NS_PER_MINUTE


def bar(number: int, *prices: str, volume: str = "500") -> Bar:
    """A minute of these: open, high, low, close."""
    opened, high, low, close = map(D, prices)
    return Bar(
        BTC.key, NS_PER_MINUTE, OPEN_NS + number * NS_PER_MINUTE, opened, high, low, close, D(volume)
    )  # fmt: skip


RISING, FALLING = bar(0, "100", "110", "95", "105"), bar(1, "105", "108", "90", "92")


class Set:
    """A player and what it showed, on a clock that moves when somebody sleeps."""

    def __init__(self, *bars: Bar, plan: tuple[Fault, ...] = ()) -> None:
        self.floor = Floor()
        self.shown: list[Quote | list[Bar]] = []
        self.seen_ns: list[int] = []
        self.floor.now_ns = OPEN_NS
        troubles = Troubles(plan, self.now_ns, OPEN_NS)
        self.player = Player(BTC, bars, self.floor.engine, troubles, self)

    def now_ns(self) -> int:
        return self.floor.now_ns

    async def sleep(self, seconds: float) -> None:
        self.floor.now_ns += max(round(seconds * 1e9), 0)

    async def show(self, piece: list[Bar] | Quote) -> None:
        self.shown.append(piece)
        self.seen_ns.append(self.floor.now_ns)


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
async def test_the_desk_sees_each_quote_when_it_is_made_and_each_bar_when_it_closes() -> None:
    here = Set(RISING, FALLING)
    await here.player.play(here.show)
    assert len(here.shown) == 2 * (STEPS + 1)
    for piece, seen_ns in zip(here.shown, here.seen_ns, strict=True):
        assert seen_ns == (piece[0].close_ns if isinstance(piece, list) else piece.at_ns)
    assert here.shown[STEPS] == [RISING]


@warped
async def test_a_symbol_falls_silent_for_the_desk_while_the_exchange_trades_on() -> None:
    here = Set(RISING, FALLING, plan=(Fault(0.0, FaultKind.SILENT_SYMBOL, 60.0),))
    order = here.floor.buy("1", limit="96")
    await here.player.play(here.show)
    assert order.filled == 1
    assert order.updated_ns < RISING.close_ns
    assert all(seen_ns >= RISING.close_ns for seen_ns in here.seen_ns)


@warped
async def test_a_thin_book_is_thin_while_it_lasts() -> None:
    here = Set(RISING, FALLING, plan=(Fault(0.0, FaultKind.THIN, 60.0),))
    order = here.floor.buy("1", limit="96")
    await here.player.play(here.show)
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
