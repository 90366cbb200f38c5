"""Recorded bars for a rehearsal: a stretch of the shipped market, told as that of a stage's contract."""

import random
from collections.abc import Sequence

from msgspec.structs import replace

from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.market import Bar
from neuratrade.feeds.dataset import Dataset
from neuratrade.feeds.layout import SeriesKind


def recorded_bars(dataset: Dataset) -> list[Bar]:
    """The bars of a dataset's first series of them."""
    series = next(item for item in dataset.series if item.kind is SeriesKind.BARS)
    return [event for event in series.events() if isinstance(event, Bar)]


def stretch(bars: Sequence[Bar], contract: Instrument, seed: int, minutes: int) -> list[Bar]:
    """So many bars from a place drawn by the seed, on the contract's grid."""
    dice = random.Random(f"stretch {seed}")  # noqa: S311 - a place is drawn, not kept secret
    first = dice.randrange(len(bars) - minutes)
    return [_told_as(bar, contract) for bar in bars[first : first + minutes]]


def _told_as(bar: Bar, contract: Instrument) -> Bar:
    snap = contract.round_price
    return replace(
        bar,
        instrument=contract.key,
        open=snap(bar.open),
        high=snap(bar.high),
        low=snap(bar.low),
        close=snap(bar.close),
    )
