"""Rounding of prices and quantities: the one place where a number meets a tick or a lot.

Quantities are only ever rounded down, because a desk that rounds up sells what it does not own and
risks more than it was allowed. Prices go to the side that is worse for us where it matters (stops) and
to the nearest tick elsewhere.
"""

from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Context, Decimal

ZERO = Decimal(0)
ONE = Decimal(1)
BASIS_POINTS = Decimal(10_000)

# The quotient is rounded the same way as the result. At the usual 28 digits, half even, a value a hair below
# a multiple would round up to it before it could be floored.
_FLOOR = Context(prec=100, rounding=ROUND_FLOOR)
_CEILING = Context(prec=100, rounding=ROUND_CEILING)
_NEAREST = Context(prec=100, rounding=ROUND_HALF_EVEN)


def floor_to(value: Decimal, step: Decimal) -> Decimal:
    """Largest multiple of `step` that is not above `value`. Raises ValueError for a step <= 0."""
    if value.is_signed() or not value.is_finite():
        return _snap(value, step, _FLOOR)
    _check_step(step)
    # Of what is not below zero the whole part of the quotient is its floor, and found without its digits.
    return _FLOOR.multiply(_FLOOR.divide_int(value, step), step)


def ceil_to(value: Decimal, step: Decimal) -> Decimal:
    """Smallest multiple of `step` that is not below `value`. Raises ValueError for a step <= 0."""
    return _snap(value, step, _CEILING)


def nearest(value: Decimal, step: Decimal) -> Decimal:
    """Multiple of `step` nearest to `value`; halves go to the even one. Raises ValueError for a step <= 0."""
    return _snap(value, step, _NEAREST)


def is_multiple(value: Decimal, step: Decimal) -> bool:
    """Whether `value` lies on the grid of `step`. Raises ValueError for a step <= 0."""
    _check_step(step)
    return _FLOOR.remainder(value, step) == 0


def _snap(value: Decimal, step: Decimal, context: Context) -> Decimal:
    _check_step(step)
    return context.multiply(context.quantize(context.divide(value, step), ONE), step)


def _check_step(step: Decimal) -> None:
    if step <= 0:
        raise ValueError(f"step must be above zero, got {step}")


def decimal_of(value: float) -> Decimal:
    """The shortest decimal that reads back as `value`; the door between float arrays and money."""
    return Decimal(repr(float(value)))
