"""A mirror of a venue's book: a snapshot, and every change since, or nothing.

A mirror that missed one change goes on looking like a book, with levels that nobody offers any more; a stop
judged on it fires at a price that was never there. So each change must prove that it follows the one before,
by the venue's own rule (`book_rules.py`). Where it does not, or a checksum is wrong, or a level is no number,
or bids stand above asks, or what is known of a side ran out, the mirror is lost: it has no quote and wants a
new snapshot. Memory is bounded: levels per side, and changes kept for a snapshot that is on its way.
"""

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import Protocol

import msgspec

from neuratrade.core.model.decimals import ZERO
from neuratrade.core.model.market import BookLevel, Quote

Level = tuple[Decimal, Decimal]
"""Price and the quantity that stands there now; zero where nothing does any more."""
LEAST, MOST = Decimal("1e-30"), Decimal("1e30")
"""Between these a price or a quantity is one; beyond, it is an accident or an attack."""
MOST_KEPT = 5_000
"""Changes kept for a snapshot that is awaited. At ten a second that is eight minutes of waiting."""


class BookSnapshot(msgspec.Struct, frozen=True, gc=False):
    """A book as it stood. last: number of its last change, 0 where the venue counts none.

    whole: whether it shows all there is; otherwise nothing is known beyond its worst levels.
    """

    at_ns: int
    bids: Sequence[Level]
    asks: Sequence[Level]
    last: int = 0
    checksum: int | None = None
    whole: bool = True


class BookChange(msgspec.Struct, frozen=True, gc=False):
    """What became of some levels. first, last: numbers of the changes in it; before: the last one before it.

    What a venue does not tell stays at its default: its rule does not look at it.
    """

    at_ns: int
    bids: Sequence[Level]
    asks: Sequence[Level]
    first: int = 0
    last: int = 0
    before: int | None = None
    checksum: int | None = None


class Fit(Enum):
    """Where a change belongs."""

    NEXT = "next"
    OLD = "old"
    GAP = "gap"


class Outcome(Enum):
    """What became of what a mirror was told.

    CHANGED: it is in the book. OLD: it was there before; nothing changes. KEPT: it waits for a snapshot.
    DROPPED: no snapshot could be joined to it. LOST: the mirror is not whole any more, or still not.
    """

    CHANGED = "changed"
    OLD = "old"
    KEPT = "kept"
    DROPPED = "dropped"
    LOST = "lost"


class SyncRule(Protocol):
    """How one venue proves that nothing is missing."""

    @property
    def keeps(self) -> bool:
        """Whether changes that come before the snapshot can be joined to it."""
        ...

    @property
    def most_levels(self) -> int:
        """Levels per side that are held."""
        ...

    @property
    def refills(self) -> bool:
        """Whether the venue tells a level anew that comes back among those held."""
        ...

    def fit(self, last: int, change: BookChange, *, first: bool) -> Fit:
        """Where a change belongs after number `last`. first: whether `last` is that of a snapshot."""
        ...

    def checksum(self, mirror: "BookMirror") -> int | None:
        """What the venue's checksum of this book would be; None where it has none."""
        ...


class BookSide:
    """One side of a book: prices in order, so that the best is at an end, and the quantity at each."""

    __slots__ = ("best_last", "horizon", "prices", "sizes")

    def __init__(self, *, best_last: bool) -> None:
        self.best_last = best_last
        self.prices: list[Decimal] = []
        self.sizes: dict[Decimal, Decimal] = {}
        self.horizon: Decimal | None = None

    def fill(self, levels: Sequence[Level], *, whole: bool) -> None:
        """Takes these levels for all that is known."""
        self.sizes = {price: quantity for price, quantity in levels if quantity}
        self.prices = sorted(self.sizes)
        self.horizon = None if whole or not self.prices else self.prices[0 if self.best_last else -1]

    def put(self, levels: Sequence[Level]) -> None:
        """Sets what stands at some prices now."""
        prices, sizes = self.prices, self.sizes
        for price, quantity in levels:
            if quantity:
                if price not in sizes:
                    insort(prices, price)
                sizes[price] = quantity
            elif sizes.pop(price, None) is not None:
                del prices[bisect_left(prices, price)]

    def cut(self, most: int, *, refills: bool) -> None:
        """Forgets the worst levels above a number; where nobody tells them anew, knowledge ends there."""
        excess = len(self.prices) - most
        if excess <= 0:
            return
        gone = self.prices[:excess] if self.best_last else self.prices[-excess:]
        for price in gone:
            del self.sizes[price]
        del self.prices[slice(None, excess) if self.best_last else slice(-excess, None)]
        if not refills:
            worst = self.prices[0 if self.best_last else -1]
            nearer = max if self.best_last else min
            self.horizon = worst if self.horizon is None else nearer(worst, self.horizon)

    @property
    def best(self) -> Decimal | None:
        """The best price."""
        return self.prices[-1 if self.best_last else 0] if self.prices else None

    def top(self, count: int) -> list[Level]:
        """The best levels, best first."""
        if self.best_last:
            prices = self.prices[-count:] if count else []
            prices.reverse()
        else:
            prices = self.prices[:count]
        return [(price, self.sizes[price]) for price in prices]

    @property
    def is_exhausted(self) -> bool:
        """Whether the best level is beyond what was known whole."""
        if self.horizon is None:
            return False
        best = self.best
        return best is None or (best < self.horizon if self.best_last else best > self.horizon)


class BookMirror:
    """The book of one instrument, kept by one venue's rule.

    >>> from neuratrade.feeds.live.book_rules import BinanceSpotRule
    >>> mirror = BookMirror("BTC/USDT@binance", BinanceSpotRule())
    >>> one = Decimal(1)
    >>> mirror.restart(BookSnapshot(0, [(Decimal(99), one)], [(Decimal(101), one)], last=7))
    <Outcome.CHANGED: 'changed'>
    >>> mirror.apply(BookChange(1, [(Decimal(100), one)], [], first=8, last=9))
    <Outcome.CHANGED: 'changed'>
    >>> mirror.apply(BookChange(2, [], [], first=11, last=11))
    <Outcome.LOST: 'lost'>
    """

    def __init__(self, instrument: str, rule: SyncRule) -> None:
        self.instrument = instrument
        self.rule = rule
        self.bids = BookSide(best_last=True)
        self.asks = BookSide(best_last=False)
        self.last = 0
        self.at_ns = 0
        self.is_whole = False
        self.reason = "no snapshot came yet"
        self.losses = 0
        self.old = 0
        self._is_first = True
        self._kept: deque[BookChange] = deque(maxlen=MOST_KEPT)

    def restart(self, snapshot: BookSnapshot) -> Outcome:
        """Begins anew from a snapshot, and joins what was kept to it. LOST: a newer one is needed."""
        problem = _unsound(snapshot.bids) or _unsound(snapshot.asks)
        if problem:
            return self._lose(problem)
        self.bids.fill(snapshot.bids, whole=snapshot.whole)
        self.asks.fill(snapshot.asks, whole=snapshot.whole)
        self.last, self.at_ns, self._is_first = snapshot.last, snapshot.at_ns, True
        self.is_whole, self.reason = True, ""
        if self._settle(snapshot.checksum) is Outcome.LOST:
            return Outcome.LOST
        while self._kept:
            # The first change that does not fit stays: it may well fit a newer snapshot.
            if self._join(self._kept[0]) is Outcome.LOST:
                return Outcome.LOST
            self._kept.popleft()
        return Outcome.CHANGED

    def apply(self, change: BookChange) -> Outcome:
        """Takes one change, in the order the venue sent them."""
        if self.is_whole:
            outcome = self._join(change)
            if outcome is Outcome.LOST and self.rule.keeps:
                self._kept.append(change)
            return outcome
        if not self.rule.keeps:
            return Outcome.DROPPED
        self._kept.append(change)
        return Outcome.KEPT

    def lose(self, reason: str) -> None:
        """Somebody knows that a change is missing: the connection was cut, a frame could not be read."""
        self._kept.clear()
        self._lose(reason)

    def quote(self, at_ns: int | None = None) -> Quote | None:
        """The best of both sides, None while the mirror is not whole. at_ns: that of the last change."""
        if not self.is_whole:
            return None
        bid, ask = self.bids.best, self.asks.best
        return Quote(
            self.instrument,
            self.at_ns if at_ns is None else at_ns,
            bid,
            ask,
            ZERO if bid is None else self.bids.sizes[bid],
            ZERO if ask is None else self.asks.sizes[ask],
        )

    def levels(self, count: int) -> tuple[tuple[BookLevel, ...], tuple[BookLevel, ...]]:
        """The best bids and asks, best first."""
        return (
            tuple(BookLevel(price, quantity) for price, quantity in self.bids.top(count)),
            tuple(BookLevel(price, quantity) for price, quantity in self.asks.top(count)),
        )

    @property
    def kept(self) -> int:
        """How many changes wait for a snapshot."""
        return len(self._kept)

    def _join(self, change: BookChange) -> Outcome:
        fit = self.rule.fit(self.last, change, first=self._is_first)
        if fit is Fit.OLD:
            self.old += 1
            return Outcome.OLD
        if fit is Fit.GAP:
            begin = change.first if change.before is None else change.before
            return self._lose(f"a change is missing: after {self.last} came {begin} to {change.last}")
        problem = _unsound(change.bids) or _unsound(change.asks)
        if problem:
            return self._lose(problem)
        self.bids.put(change.bids)
        self.asks.put(change.asks)
        self.last, self.at_ns, self._is_first = change.last, change.at_ns, False
        return self._settle(change.checksum)

    def _settle(self, checksum: int | None) -> Outcome:
        """Looks at the book as it is now: cut to what is held, and proven as far as that goes."""
        most, refills = self.rule.most_levels, self.rule.refills
        self.bids.cut(most, refills=refills)
        self.asks.cut(most, refills=refills)
        bid, ask = self.bids.best, self.asks.best
        if bid is not None and ask is not None and bid > ask:
            return self._lose(f"bids stand above asks: {bid} over {ask}")
        if self.bids.is_exhausted or self.asks.is_exhausted:
            return self._lose("the market ran beyond the levels the snapshot showed")
        if checksum is not None:
            ours = self.rule.checksum(self)
            if ours is not None and ours != checksum:
                return self._lose(f"the checksum is {ours}, the venue's {checksum}")
        return Outcome.CHANGED

    def _lose(self, reason: str) -> Outcome:
        self.losses += self.is_whole
        self.is_whole = False
        self.reason = reason
        self.bids.fill((), whole=True)
        self.asks.fill((), whole=True)
        return Outcome.LOST


def is_level(level: Level) -> bool:
    """Whether this is a price and a quantity, which may be zero."""
    return not _unsound((level,))


def _unsound(levels: Sequence[Level]) -> str:
    """Why these cannot be levels of a book; empty where they can."""
    try:
        for price, quantity in levels:
            if not LEAST <= price <= MOST or (quantity and not LEAST <= quantity <= MOST):
                return f"no level of a book: {quantity:.6g} at {price:.6g}"
    except InvalidOperation:
        return "a level of the book is not a number"
    return ""
