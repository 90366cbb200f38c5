"""The mirror of a book against a plain dictionary, and against streams that were tampered with."""

from collections.abc import Iterable, Sequence
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuratrade.feeds.live.book import BookChange, BookMirror, BookSnapshot, Level, Outcome, SyncRule
from neuratrade.feeds.live.book_rules import BinanceFuturesRule, BinanceSpotRule, KrakenRule, OkxRule

D = Decimal
RULES: dict[str, SyncRule] = {
    "binance": BinanceSpotRule(),
    "binanceusdm": BinanceFuturesRule(),
    "kraken": KrakenRule(price_digits=1, quantity_digits=4),
    "okx": OkxRule(),
}
SHOWN = 10
Side = dict[Decimal, Decimal]

quantities = st.one_of(st.just(D(0)), st.integers(1, 50_000).map(lambda n: D(n) / 10_000))
bid_levels = st.tuples(st.integers(900, 999).map(lambda n: D(n) / 10), quantities)
ask_levels = st.tuples(st.integers(1001, 1100).map(lambda n: D(n) / 10), quantities)
moves = st.tuples(st.lists(bid_levels, max_size=6), st.lists(ask_levels, max_size=6))
streams = st.lists(moves, min_size=2, max_size=16)


class Exchange:
    """A venue's own book, as dictionaries, and what it tells of it by its own rule."""

    def __init__(self, name: str, *, sums: bool = True) -> None:
        self.name = name
        self.sums = sums
        self.bids: Side = {D("95"): D(1)}
        self.asks: Side = {D("105"): D(1)}
        self.last = 100
        self._shown = self.shown()

    def snapshot(self) -> BookSnapshot:
        """All of it, or what is shown."""
        bids, asks = self.shown()
        self._shown = (bids, asks)
        return BookSnapshot(0, bids, asks, last=self.last, checksum=self._sum())

    def move(self, bids: Sequence[Level], asks: Sequence[Level]) -> BookChange | None:
        """Changes it, and tells what of it is seen."""
        before, begin = self._shown, self.last
        put(self.bids, bids)
        put(self.asks, asks)
        now = self._shown = self.shown()
        if self.name == "kraken":
            bids, asks = seen(before[0], now[0], best=max), seen(before[1], now[1], best=min)
            if not bids and not asks:
                return None
        self.last += 3
        return BookChange(
            self.last,
            bids,
            asks,
            first=begin + 1 if self.name != "okx" else 0,
            last=self.last,
            before=begin if self.name != "binance" else None,
            checksum=self._sum(),
        )

    def shown(self) -> tuple[list[Level], list[Level]]:
        """Best first; only the top where the venue shows no more."""
        most = SHOWN if self.name == "kraken" else None
        return sorted(self.bids.items(), reverse=True)[:most], sorted(self.asks.items())[:most]

    def _sum(self) -> int | None:
        if self.name not in ("kraken", "okx") or not self.sums:
            return None
        probe = BookMirror("", RULES[self.name])
        probe.bids.fill(self.shown()[0], whole=True)
        probe.asks.fill(self.shown()[1], whole=True)
        return RULES[self.name].checksum(probe)


def put(side: Side, levels: Iterable[Level]) -> None:
    """What stands at some prices now."""
    for price, quantity in levels:
        if quantity:
            side[price] = quantity
        else:
            side.pop(price, None)


def seen(before: Sequence[Level], now: Sequence[Level], *, best: object) -> list[Level]:
    """What a client that holds only the top is told: new and changed levels, and those that are gone."""
    then, there = dict(before), dict(now)
    gone = [(price, D(0)) for price in then if price not in there and is_inside(price, now, best)]
    return gone + [(price, size) for price, size in now if then.get(price) != size]


def is_inside(price: Decimal, now: Sequence[Level], best: object) -> bool:
    """Whether a level would still be among those that are shown, were it there."""
    if len(now) < SHOWN:
        return True
    worst = now[-1][0]
    return price > worst if best is max else price < worst


def begun(exchange: Exchange) -> BookMirror:
    """A mirror that took the snapshot."""
    mirror = BookMirror("BTC/USDT@venue", RULES[exchange.name])
    assert mirror.restart(exchange.snapshot()) is Outcome.CHANGED
    return mirror


def shows(mirror: BookMirror, exchange: Exchange) -> bool:
    """Whether a mirror has what the venue shows."""
    bids, asks = exchange.shown()
    return mirror.bids.top(500) == bids and mirror.asks.top(500) == asks


@pytest.mark.parametrize("name", RULES)
@given(stream=streams)
def test_a_mirror_is_the_book_after_every_change(
    name: str, stream: list[tuple[list[Level], list[Level]]]
) -> None:
    exchange = Exchange(name)
    mirror = begun(exchange)
    for bids, asks in stream:
        change = exchange.move(bids, asks)
        if change is None:
            continue
        assert mirror.apply(change) is Outcome.CHANGED, mirror.reason
        assert shows(mirror, exchange)
        quote = mirror.quote()
        assert quote is not None
        best = max(exchange.bids, default=None), min(exchange.asks, default=None)
        assert (quote.bid, quote.ask) == best
        assert quote.bid_size == (exchange.bids[best[0]] if best[0] is not None else 0)


@pytest.mark.parametrize("how", ["drop", "duplicate", "swap"])
@pytest.mark.parametrize("name", RULES)
@given(stream=streams, place=st.integers(0, 29))
def test_a_stream_that_was_tampered_with_is_noticed(
    name: str, how: str, stream: list[tuple[list[Level], list[Level]]], place: int
) -> None:
    exchange = Exchange(name)
    mirror = begun(exchange)
    told, shown = [], []
    for bids, asks in stream:
        change = exchange.move(bids, asks)
        if change is not None:
            told.append(change)
            shown.append(exchange.shown())
    if len(told) < 2:
        return
    at = place % (len(told) - 1)
    tampered = {
        "drop": [*told[:at], *told[at + 1 :]],
        "duplicate": [*told[: at + 1], *told[at:]],
        "swap": [*told[:at], told[at + 1], told[at], *told[at + 2 :]],
    }[how]
    outcomes = [mirror.apply(change) for change in tampered]
    if name == "kraken":
        # Without numbers only the checksum can tell; where it does not, the book is that of the last word.
        last = shown[next(number for number, change in enumerate(told) if change is tampered[-1])]
        assert not mirror.is_whole or (mirror.bids.top(500), mirror.asks.top(500)) == last
    elif how == "duplicate":
        assert Outcome.OLD in outcomes, "and it is not taken twice"
        assert shows(mirror, exchange)
    else:
        assert Outcome.LOST in outcomes
        assert mirror.quote() is None
        assert mirror.losses == 1


@pytest.mark.parametrize("name", ["kraken", "okx"])
@given(stream=streams, place=st.integers(0, 29), shift=st.integers(1, 9))
def test_a_wrong_quantity_at_the_top_is_noticed_by_the_checksum(
    name: str, stream: list[tuple[list[Level], list[Level]]], place: int, shift: int
) -> None:
    exchange = Exchange(name)
    mirror = begun(exchange)
    told = [change for bids, asks in stream if (change := exchange.move(bids, asks)) is not None]
    if not told:
        return
    at = place % len(told)
    for change in told[:at]:
        mirror.apply(change)
    price = mirror.bids.best
    wrong = [*told[at].bids, (D("99.95"), D(shift))]
    assert price is None or price < D("99.95")
    outcome = mirror.apply(
        BookChange(0, wrong, told[at].asks, 0, told[at].last, told[at].before, told[at].checksum)
    )
    assert outcome is Outcome.LOST
    assert "checksum" in mirror.reason


@pytest.mark.parametrize("name", ["binance", "binanceusdm"])
@given(stream=streams, place=st.integers(0, 30))
def test_changes_that_came_before_the_snapshot_are_joined_to_it(
    name: str, stream: list[tuple[list[Level], list[Level]]], place: int
) -> None:
    exchange = Exchange(name)
    mirror = BookMirror("BTC/USDT@venue", RULES[name])
    snapshot = exchange.snapshot()
    for number, (bids, asks) in enumerate(stream):
        if number == place % len(stream):
            snapshot = exchange.snapshot()
        change = exchange.move(bids, asks)
        assert change is not None
        assert mirror.apply(change) is Outcome.KEPT
    assert mirror.quote() is None
    assert mirror.restart(snapshot) is Outcome.CHANGED, mirror.reason
    assert shows(mirror, exchange)


@pytest.mark.parametrize("name", ["binance", "binanceusdm"])
@given(stream=streams)
def test_a_mirror_that_was_lost_is_whole_again_after_a_newer_snapshot(
    name: str, stream: list[tuple[list[Level], list[Level]]]
) -> None:
    exchange = Exchange(name)
    mirror = begun(exchange)
    old = exchange.snapshot()
    for _ in range(2):
        exchange.move([], [])
    for bids, asks in stream:
        change = exchange.move(bids, asks)
        assert change is not None
        mirror.apply(change)
    assert not mirror.is_whole
    assert mirror.restart(old) is Outcome.LOST, "the old one does not reach what was kept"
    assert mirror.restart(exchange.snapshot()) is Outcome.CHANGED
    assert shows(mirror, exchange)
    change = exchange.move([], [])
    assert change is not None
    assert mirror.apply(change) is Outcome.CHANGED
