"""The market a desk trades, recorded or live: what differs between them, in one place.

A recorded market begins with its data and ends with it; a live one is there for as long as the desk is.
Either way the desk has the same engine, the same gate and the same simulated venue.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.market import NS_PER_MINUTE, Bar
from neuratrade.feeds.dataset import Dataset
from neuratrade.feeds.layout import SeriesKind
from neuratrade.feeds.live.feed import MakeSource

LIVE = "live:"
"""How the name of a live market begins; the rest is its venue."""


class Market(Protocol):
    """What the engine has to know of a market before it begins."""

    @property
    def name(self) -> str:
        """As the journal has it: of a dataset, or `live:VENUE`."""
        ...

    @property
    def instruments(self) -> tuple[Instrument, ...]:
        """What is traded there."""
        ...

    @property
    def span_ns(self) -> int:
        """Length of its bars."""
        ...


@dataclass(frozen=True, slots=True)
class RecordedMarket:
    """A dataset that is replayed."""

    dataset: Dataset

    @property
    def name(self) -> str:
        """Of the dataset."""
        return self.dataset.name

    @property
    def instruments(self) -> tuple[Instrument, ...]:
        """Of the dataset."""
        return self.dataset.instruments

    @property
    def span_ns(self) -> int:
        """Length of its bars; of those made of its trades, where it has none: a minute."""
        bars = (item for item in self.dataset.series if item.kind is SeriesKind.BARS)
        return next((item.span_ns for item in bars), NS_PER_MINUTE)


@dataclass(frozen=True, slots=True)
class LiveMarket:
    """A venue's present. make: connects to its data. history: what is known of before, by instrument key."""

    venue: str
    make: MakeSource
    instruments: tuple[Instrument, ...]
    history: Mapping[str, list[Bar]]
    span_ns: int = NS_PER_MINUTE

    @property
    def name(self) -> str:
        """`live:VENUE`."""
        return f"{LIVE}{self.venue}"
