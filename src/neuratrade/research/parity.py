"""Do two indicator libraries say the same? Native kernels against TA-Lib, over the same bars.

For each output of each indicator both have: how many bars were compared, whether both begin at the same bar,
and the largest difference. A difference is judged against the size of the indicator itself, since a value
near zero (a MACD at its crossing) makes any relative difference look like a disaster.
"""

from collections.abc import Iterator
from typing import Final

import msgspec
import numpy as np

from neuratrade.core.indicators.native import NativeProvider
from neuratrade.core.indicators.provider import IndicatorProvider, bar_table
from neuratrade.core.indicators.registry import DEFINITIONS, indicator
from neuratrade.core.indicators.spec import IndicatorSpec
from neuratrade.core.indicators.ta_lib import TaLibProvider
from neuratrade.core.model.errors import UsageError
from neuratrade.research.columns import Columns, Floats

TOLERANCE: Final = 1e-9
"""Largest difference allowed, of the largest absolute value of the output over these bars."""


class Parity(msgspec.Struct, frozen=True, kw_only=True):
    """One output of one indicator, native against TA-Lib.

    bars: compared, those for which both have a value. warm_up_bars: how many bars later TA-Lib begins, below
    zero for earlier. one_sided: bars behind both beginnings at which only one has a value. max_absolute: in
    units of the indicator. max_relative: of the larger absolute value of the pair. tolerance: largest
    absolute difference allowed here. agrees: same beginning, no bar one-sided, within the tolerance.
    """

    indicator: str
    output: str
    bars: int
    warm_up_bars: int
    one_sided: int
    max_absolute: float
    max_relative: float
    tolerance: float
    agrees: bool

    @property
    def verdict(self) -> str:
        """In words."""
        if self.agrees:
            return f"agree within {self.tolerance:.3g}"
        if not self.bars:
            return "not enough bars to compare"
        if self.warm_up_bars or self.one_sided:
            return (
                f"differ: TA-Lib begins {self.warm_up_bars} bars later, {self.one_sided} bars have one value"
            )
        return f"differ by {self.max_absolute:.3g}, more than {self.tolerance:.3g}"


def parity_report(bars: Columns, tolerance: float = TOLERANCE) -> tuple[Parity, ...]:
    """Every output of every indicator that both have, with default parameters.

    tolerance: of the largest absolute value of each output. Raises UsageError without TA-Lib, without bars,
    or for a tolerance that is no fraction.
    """
    if not len(bars):
        raise UsageError("there are no bars to compare indicators on")
    if not 0 <= tolerance < 1:
        raise UsageError(f"a tolerance of {tolerance} is no fraction; give 0 or more, below 1")
    try:
        other = TaLibProvider()
    except ValueError as error:
        raise UsageError(str(error)) from error
    table = bar_table(open=bars.open, high=bars.high, low=bars.low, close=bars.close, volume=bars.volume)
    found: list[Parity] = []
    for spec in shared_specs(other):
        found += _compared(spec, other, table, tolerance)
    return tuple(found)


def shared_specs(other: IndicatorProvider) -> Iterator[IndicatorSpec]:
    """Indicators of ours that another provider has too, with default parameters."""
    for name in DEFINITIONS:
        spec = indicator(name)
        try:
            other.live([spec])
        except ValueError:
            continue
        yield spec


def _compared(
    spec: IndicatorSpec, other: IndicatorProvider, table: Floats, tolerance: float
) -> Iterator[Parity]:
    ours, theirs = NativeProvider().batch(spec, table), other.batch(spec, table)
    for place, output in enumerate(DEFINITIONS[spec.name].outputs):
        yield _pair(spec, output, ours[:, place], theirs[:, place], tolerance)


def _pair(spec: IndicatorSpec, output: str, ours: Floats, theirs: Floats, tolerance: float) -> Parity:
    known, known_there = np.isfinite(ours), np.isfinite(theirs)
    both = known & known_there
    begins, begins_there = _first(known), _first(known_there)
    one_sided = int((known ^ known_there)[max(begins, begins_there) :].sum())
    difference = np.abs(ours[both] - theirs[both])
    size = np.maximum(np.abs(ours[both]), np.abs(theirs[both]))
    allowed = tolerance * float(size.max(initial=0.0))
    largest = float(difference.max(initial=0.0))
    relative = np.divide(difference, size, out=np.zeros_like(difference), where=size > 0)
    bars = int(both.sum())
    return Parity(
        indicator=str(spec),
        output=output,
        bars=bars,
        warm_up_bars=begins_there - begins,
        one_sided=one_sided,
        max_absolute=largest,
        max_relative=float(relative.max(initial=0.0)),
        tolerance=allowed,
        agrees=bars > 0 and begins == begins_there and one_sided == 0 and largest <= allowed,
    )


def _first(known: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> int:
    """The first bar with a value; the number of bars for none."""
    return int(np.argmax(known)) if known.any() else len(known)
