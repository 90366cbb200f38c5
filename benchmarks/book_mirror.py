"""How many level updates a second the mirror of a book takes, on recorded changes of Binance.

Beside it, in the same run and by turns, ccxt's own order book takes the same changes; it holds floats and
proves nothing. Before anything is timed, each quote the mirror gives is compared with the best prices the
venue itself told: a fast mirror of another book is worth nothing. Frames are decoded before, for both.
"""

import gzip
from bisect import bisect_right
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from statistics import median
from time import perf_counter_ns
from typing import NamedTuple

import msgspec

from benchmarks.parts import Row
from neuratrade.core.model.market import Quote
from neuratrade.feeds.live.book import BookChange, BookMirror, BookSnapshot, SyncRule
from neuratrade.feeds.live.book_rules import BinanceFuturesRule, BinanceSpotRule
from neuratrade.feeds.live.frames.binance import BinanceDecoder
from neuratrade.feeds.live.frames.heard import BestHeard, BookHeard
from neuratrade.venues.ccxt.lazy import prepare

DATA = Path(__file__).parents[2] / "shared" / "data" / "book" / "raw"
LOGS: dict[str, tuple[str, SyncRule]] = {
    "spot": ("hftbacktest_spot_btcusdt_20240808.gz", BinanceSpotRule()),
    "USD-M": ("hftbacktest_usdm_btcusdt_20240808.gz", BinanceFuturesRule()),
}
LEVELS_ASKED = 1000
TARGET = 50_000
ROUNDS = 5


class Log(NamedTuple):
    """A recorded stretch from its snapshot on. best: what the venue called the best, by update number."""

    snapshot: BookSnapshot
    changes: list[BookChange]
    numbers: list[int]
    best: list[BestHeard]

    @property
    def levels(self) -> int:
        """How many level updates there are."""
        return sum(len(change.bids) + len(change.asks) for change in self.changes)


def frames(path: Path) -> Iterator[bytes]:
    """Each frame of a log, without the time it came."""
    with gzip.open(path, "rb") as lines:
        for line in lines:
            yield line.partition(b" ")[2]


def read_log(name: str) -> Log:
    """A log up to where its market runs beyond the snapshot."""
    file, rule = LOGS[name]
    decoder, snapshot = BinanceDecoder(), None
    changes: list[BookChange] = []
    best: dict[int, BestHeard] = {}
    for frame in frames(DATA / file):
        if frame.startswith(b'{"lastUpdateId"'):
            told = decoder.snapshot(frame, "", LEVELS_ASKED, 0).told
            snapshot = told if isinstance(told, BookSnapshot) else None
            continue
        for heard in decoder.decode(frame, 0):
            if isinstance(heard, BestHeard):
                best[heard.number] = heard
            elif isinstance(heard, BookHeard) and isinstance(heard.told, BookChange):
                changes.append(heard.told)
    if snapshot is None:
        raise ValueError(f"there is no snapshot in {file}")
    mirror, known = BookMirror(name, rule), list[BookChange]()
    mirror.restart(snapshot)
    for change in changes:
        mirror.apply(change)
        if not mirror.is_whole:
            break
        known.append(change)
    numbers = sorted(best)
    return Log(snapshot, known, numbers, [best[number] for number in numbers])


def differing(log: Log, rule: SyncRule) -> tuple[int, int]:
    """How many quotes were compared with the venue's own best prices, and how many differ."""
    mirror = BookMirror("", rule)
    mirror.restart(log.snapshot)
    compared = different = 0
    for change in log.changes:
        mirror.apply(change)
        quote, place = mirror.quote(), bisect_right(log.numbers, mirror.last) - 1
        if quote is not None and place >= 0:
            compared += 1
            different += not _agrees(quote, log.best[place])
    return compared, different


def _agrees(quote: Quote, best: BestHeard) -> bool:
    return ((quote.bid, quote.bid_size), (quote.ask, quote.ask_size)) == (best.bid, best.ask)


def _mirror(log: Log, rule: SyncRule) -> Callable[[], None]:
    def work() -> None:
        mirror = BookMirror("", rule)
        mirror.restart(log.snapshot)
        for change in log.changes:
            mirror.apply(change)
            mirror.quote()

    return work


def _ccxt(log: Log) -> Callable[[], None]:
    """ccxt's order book, given what its handler of Binance gives it: floats, one level at a time."""
    prepare()
    order_book = import_module("ccxt.async_support.base.ws.order_book").OrderBook

    def floats(levels: object) -> list[list[float]]:
        return [[float(price), float(size)] for price, size in levels]  # type: ignore[attr-defined]

    begin = {"bids": floats(log.snapshot.bids), "asks": floats(log.snapshot.asks), "nonce": log.snapshot.last}
    changes = [(floats(change.bids), floats(change.asks)) for change in log.changes]

    def work() -> None:
        book = order_book(msgspec.json.decode(msgspec.json.encode(begin)))
        bids, asks = book["bids"], book["asks"]
        for bid_levels, ask_levels in changes:
            for level in ask_levels:
                asks.storeArray(level)
            for level in bid_levels:
                bids.storeArray(level)
            _ = bids[0] if bids else None, asks[0] if asks else None

    return work


def by_turns(works: list[Callable[[], None]]) -> list[float]:
    """Median seconds of each, done by turns."""
    times: list[list[int]] = [[] for _ in works]
    for turn in range(ROUNDS + 1):
        for work, taken in zip(works, times, strict=True):
            start = perf_counter_ns()
            work()
            if turn:
                taken.append(perf_counter_ns() - start)
    return [median(taken) / 1e9 for taken in times]


def run() -> dict[str, list[Row]]:
    """Level updates a second, and how many quotes were wrong."""
    rows: list[Row] = []
    for name, (_, rule) in LOGS.items():
        log = read_log(name)
        compared, different = differing(log, rule)
        ours, theirs = by_turns([_mirror(log, rule), _ccxt(log)])
        rows += [
            {
                "name": f"{name}: level updates, floor is ccxt's order book",
                "value": round(log.levels / ours),
                "unit": "updates/s",
                "floor": round(log.levels / theirs),
                "target": TARGET,
                "better": "higher",
            },
            {
                "name": f"{name}: quotes unlike the venue's best, of {compared:,}",
                "value": different,
                "unit": "quotes",
                "target": 0,
            },
        ]
    return {"rows": rows}
