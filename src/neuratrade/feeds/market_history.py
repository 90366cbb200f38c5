"""Which recorded markets are worth keeping, and how near at hand: the `market_history` policy.

Candles are kept for traded pairs only: of the thousands an exchange lists, those nobody trades would fill the
disk and answer no question. What is kept ages through three windows. The policy only says what belongs where;
nothing here reads, moves or deletes a file.
"""

from collections.abc import Iterable
from enum import StrEnum

import msgspec

from neuratrade.core.model.errors import UsageError
from neuratrade.core.model.market import NS_PER_DAY
from neuratrade.feeds.dataset import Series
from neuratrade.feeds.layout import SeriesKind


class Window(StrEnum):
    """How near at hand a bar is kept.

    HOT: in memory, for the warm-up of indicators. WARM: as files that are read as they are. COLD: in
    compressed months that are only read for research. GONE: not kept any more.
    """

    HOT = "hot"
    WARM = "warm"
    COLD = "cold"
    GONE = "gone"


class MarketHistory(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How old a bar may be in each window, days since its close; each must reach at least as far as the one
    before it.

    hot_days: what a desk warms its indicators with when it starts. warm_days: the 60 days on which a
    challenger is judged, and the 30 before them that warm its indicators. cold_days: five years hold a rise
    and a fall of most markets, and a year of minutes is some 13 MB; 0 is for ever.
    """

    hot_days: int = 30
    warm_days: int = 90
    cold_days: int = 1_826

    def __post_init__(self) -> None:
        if self.hot_days < 1:
            raise UsageError(f"market_history.hot_days must be at least 1, got {self.hot_days}")
        if self.warm_days < self.hot_days:
            raise UsageError(
                f"market_history.warm_days ({self.warm_days}) must not be less than hot_days "
                f"({self.hot_days})"
            )
        if self.cold_days and self.cold_days < self.warm_days:
            raise UsageError(
                f"market_history.cold_days ({self.cold_days}) must be 0 (for ever) or not less than "
                f"warm_days ({self.warm_days})"
            )

    def window_of(self, close_ns: int, now_ns: int) -> Window:
        """The window of a bar that closed at `close_ns`; one that is not closed yet is hot."""
        age_ns = now_ns - close_ns
        if age_ns <= self.hot_days * NS_PER_DAY:
            return Window.HOT
        if age_ns <= self.warm_days * NS_PER_DAY:
            return Window.WARM
        if not self.cold_days or age_ns <= self.cold_days * NS_PER_DAY:
            return Window.COLD
        return Window.GONE

    def begins_ns(self, window: Window, now_ns: int) -> int | None:
        """The oldest close that still belongs to a window; None where it reaches back for ever."""
        days = {Window.HOT: self.hot_days, Window.WARM: self.warm_days, Window.COLD: self.cold_days}
        reach = days.get(window, 0)
        return now_ns - reach * NS_PER_DAY if reach else None


def kept(series: Iterable[Series], traded: Iterable[str]) -> tuple[Series, ...]:
    """The series that are to be kept, in the same order: candles of traded pairs.

    traded: instrument keys, `BTC/USDT@binance`. Ticks are recordings that somebody asked for: this policy is
    about candles and keeps them all.
    """
    pairs = frozenset(traded)
    return tuple(item for item in series if item.kind is not SeriesKind.BARS or item.instrument in pairs)
