"""Rounding of prices and quantities: the one place where a number meets a tick or a lot.

Quantities are only ever rounded down, because a desk that rounds up sells what it does not own and
risks more than it was allowed. Prices go to the side that is worse for us where it matters (stops) and
to the nearest tick elsewhere.
"""

from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal

ZERO = Decimal(0)
ONE = Decimal(1)
BASIS_POINTS = Decimal(10_000)


def floor_to(value: Decimal, step: Decimal) -> Decimal:
    """Largest multiple of `step` that is not above `value`. Raises ValueError for a step <= 0."""
    return _snap(value, step, ROUND_FLOOR)


def ceil_to(value: Decimal, step: Decimal) -> Decimal:
    """Smallest multiple of `step` that is not below `value`."""
    return _snap(value, step, ROUND_CEILING)


def nearest(value: Decimal, step: Decimal) -> Decimal:
    """Multiple of `step` nearest to `value`; halves go to the even multiple."""
    return _snap(value, step, ROUND_HALF_EVEN)


def is_multiple(value: Decimal, step: Decimal) -> bool:
    """Whether `value` lies on the grid of `step`."""
    return value % step == 0


def _snap(value: Decimal, step: Decimal, rounding: str) -> Decimal:
    if step <= 0:
        raise ValueError(f"step must be above zero, got {step}")
    return (value / step).quantize(ONE, rounding=rounding) * step


def decimal_of(value: float) -> Decimal:
    """The shortest decimal that reads back as `value`; the door between float arrays and money."""
    return Decimal(repr(float(value)))
