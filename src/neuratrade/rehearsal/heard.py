"""What a desk was told of one contract's market, and what it did while it knew that prices did not come.

Kept beside the desk, of what was handed to it: not what it believes, but what it could know.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence

import msgspec

from neuratrade.core.model import facts as f
from neuratrade.core.model.events import FeedStalled
from neuratrade.core.model.intent import OpenIntent
from neuratrade.core.model.market import NS_PER_SECOND, Bar
from neuratrade.core.model.orders import OrderRole
from neuratrade.feeds.port import Slice


class Silence(msgspec.Struct, frozen=True):
    """What the plays of a venue prove about a desk without prices.

    stalls: how often it knew that prices did not come; seconds: for how long in all. entries: what it opened
    meanwhile, at half the size and only while the last price was fresh. refused: what it did not open. stops:
    orders it sent meanwhile that protect.
    """

    stalls: int = 0
    seconds: float = 0.0
    entries: int = 0
    refused: int = 0
    stops: int = 0


class Stall(msgspec.Struct):
    """A time in which the desk knew that prices of its contract did not come. end_ns: None while it lasts."""

    begin_ns: int
    end_ns: int | None = None


class Heard:
    """What was told of one contract, to a desk in all its lives. counts: by kind of piece."""

    def __init__(self, key: str) -> None:
        self.counts: Counter[str] = Counter()
        self.stalls: list[Stall] = []
        self._key = key
        self._priced_ns: list[int] = []

    def take(self, piece: Slice, now_ns: int) -> None:
        """Something was told."""
        if isinstance(piece, FeedStalled):
            self._stall(piece, now_ns)
            return
        if isinstance(piece, list):
            found = [bar for bar in piece if bar.instrument == self._key]
            self.counts["bars"] += len(found)
            for bar in found:
                self._price(bar.close_ns)
        elif piece.instrument == self._key:
            self.counts[type(piece).__name__.lower() + "s"] += 1
            self._price(piece.at_ns)

    def take_history(self, bars: list[Bar]) -> None:
        """Bars were told before the stream began."""
        if bars:
            self._price(bars[-1].close_ns)

    def down(self, now_ns: int) -> None:
        """The desk is down, and is told nothing."""
        if self.stalls and self.stalls[-1].end_ns is None:
            self.stalls[-1].end_ns = now_ns

    def is_stalled(self, at_ns: int) -> bool:
        """Whether prices were known to be silent at a time."""
        return any(
            stall.begin_ns <= at_ns and (stall.end_ns is None or at_ns < stall.end_ns)
            for stall in self.stalls
        )

    def price_age_ns(self, at_ns: int) -> int | None:
        """How old the newest price was at a time; None where there was none."""
        place = bisect_right(self._priced_ns, at_ns)
        return at_ns - self._priced_ns[place - 1] if place else None

    def _price(self, at_ns: int) -> None:
        if not self._priced_ns or at_ns > self._priced_ns[-1]:
            self._priced_ns.append(at_ns)

    def _stall(self, told: FeedStalled, now_ns: int) -> None:
        lasts = bool(self.stalls) and self.stalls[-1].end_ns is None
        if told.instrument == self._key and told.stalled is not lasts:
            if told.stalled:
                self.stalls.append(Stall(now_ns))
            else:
                self.stalls[-1].end_ns = now_ns

    def silence(self, facts: Sequence[f.Fact], end_ns: int) -> Silence:
        """What was done meanwhile, by the journal. end_ns: when the play ended."""
        seconds = sum(((stall.end_ns or end_ns) - stall.begin_ns) / NS_PER_SECOND for stall in self.stalls)
        inside = [fact for fact in facts if self.is_stalled(fact.at_ns)]
        judged = [
            fact
            for fact in inside
            if isinstance(fact, f.IntentJudged) and isinstance(fact.intent, OpenIntent)
        ]
        stops = [
            fact
            for fact in inside
            if isinstance(fact, f.OrderPlanned) and fact.request.role is OrderRole.STOP
        ]
        opened = sum(fact.approved for fact in judged)
        return Silence(len(self.stalls), round(seconds, 3), opened, len(judged) - opened, len(stops))
