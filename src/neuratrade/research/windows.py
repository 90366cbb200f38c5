"""How a period is cut into training and test windows that share nothing.

A test lies behind its training. Between them lies a gap: the longest time a position may live, since a trade
begun in training could else still be open in the test, and an embargo of further bars, since indicators
remember. Test windows never overlap: a day that counts twice makes a short record look long.
"""

from decimal import Decimal

import msgspec

from neuratrade.core.model.errors import UsageError
from neuratrade.core.model.market import NS_PER_DAY, NS_PER_MINUTE
from neuratrade.research.plan import BacktestPlan
from neuratrade.research.space import Space


class Windows(msgspec.Struct, frozen=True, kw_only=True):
    """How a period is cut. train_days, test_days, step_days: 0 for a step of one test. anchored: training
    always begins at the start of the period. embargo_bars: bars left out beside the longest holding time.
    """

    train_days: int
    test_days: int
    step_days: int = 0
    anchored: bool = False
    embargo_bars: int = 0

    def __post_init__(self) -> None:
        for name in ("train_days", "test_days"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} is {getattr(self, name)}; a window has 1 day or more")
        if self.step_days and self.step_days < self.test_days:
            raise UsageError(
                f"step_days {self.step_days} is shorter than a test of {self.test_days} days: days would be "
                f"counted twice; give {self.test_days} or more"
            )
        if self.step_days < 0 or self.embargo_bars < 0:
            raise UsageError("step_days and embargo_bars are 0 or more")


class Window(msgspec.Struct, frozen=True):
    """One cut, ns UTC: training on (train_start_ns, train_end_ns], test on (test_start_ns, test_end_ns]."""

    train_start_ns: int
    train_end_ns: int
    test_start_ns: int
    test_end_ns: int


def cut(windows: Windows, start_ns: int, end_ns: int, hold_ns: int, span_ns: int) -> tuple[Window, ...]:
    """The windows of (start_ns, end_ns]. hold_ns: longest time a position may live. span_ns: of a bar.

    Raises UsageError for a period too short for one window, naming the least number of days, and for a gap
    that leaves nothing to train on.
    """
    gap_ns = hold_ns + windows.embargo_bars * span_ns
    train_ns, test_ns = windows.train_days * NS_PER_DAY, windows.test_days * NS_PER_DAY
    if gap_ns >= train_ns:
        least = gap_ns // NS_PER_DAY + 1
        raise UsageError(
            f"holding time and embargo leave out {gap_ns / NS_PER_DAY:.2f} days, and training has only "
            f"{windows.train_days}; train on {least} days or more"
        )
    if end_ns - start_ns < train_ns + test_ns:
        raise UsageError(
            f"one window needs {windows.train_days + windows.test_days} days ({windows.train_days} to train, "
            f"{windows.test_days} to test) and there are {(end_ns - start_ns) / NS_PER_DAY:.2f}; give more "
            "days or shorter windows"
        )
    step_ns = (windows.step_days or windows.test_days) * NS_PER_DAY
    found, border_ns = [], start_ns + train_ns
    while border_ns + test_ns <= end_ns:
        begin_ns = start_ns if windows.anchored else border_ns - train_ns
        found.append(Window(begin_ns, border_ns - gap_ns, border_ns, border_ns + test_ns))
        border_ns += step_ns
    return tuple(found)


def longest_hold_ns(plan: BacktestPlan, space: Space) -> int:
    """The longest a position of any variant can live, from proposal to the end of its holding time."""
    minutes = 0
    for name in plan.dna.strategies:
        for asset in plan.dna.assets_of(name):
            settings = plan.dna.strategies[name]
            rests = settings.entry_expiry_minutes or 0
            if name == space.strategy:
                rests = max(rests, _largest(space, "entry_expiry_minutes"))
            minutes = max(minutes, asset.max_hold_time_minutes + rests)
    return minutes * NS_PER_MINUTE


def _largest(space: Space, name: str) -> int:
    for dimension in space.dimensions:
        if dimension.name == name:
            return int(max(Decimal(dimension.at(place)) for place in (0, dimension.size - 1)))
    return 0
