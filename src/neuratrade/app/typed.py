"""What people type for research, as times, amounts, settings and limits.

Everything is read strictly, and what cannot be read is refused with the option it was typed for, what was
found there and what would be right. Nothing is guessed: a comma in a number or a word for a date would make
a run of another question than the one that was asked.
"""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from difflib import get_close_matches

from neuratrade.core.model.errors import UsageError
from neuratrade.core.risk.limits import Limits, with_limit
from neuratrade.research.space import Value, settings_of

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SMALLEST = timedelta(microseconds=1)
_PLACES = 18
"""Decimal places an amount may have: beyond it, arithmetic with prices could lose what it says."""


def moment(text: str, option: str) -> int | None:
    """A time from text, ns UTC; None for none. Without a zone it is UTC. Raises UsageError."""
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"{option} {text!r}: write a date such as 2025-03-01 or a time such as 2025-03-01T12:00Z"
        ) from None
    at = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
    return (at - _EPOCH) // _SMALLEST * 1000


def amount(text: str, option: str, *, above: Decimal | None = None, most: Decimal | None = None) -> Decimal:
    """A number from text, zero or above. above: it must be more than that; most: the largest allowed."""
    value = _number(text, option)
    if not value.is_finite() or value < 0 or (above is not None and value <= above):
        least = "zero or above" if above is None else f"above {above}"
        raise UsageError(f"{option} {text}: give a number {least}")
    if most is not None and value > most:
        raise UsageError(f"{option} {text}: give at most {most}")
    if value and value.adjusted() < -_PLACES:
        raise UsageError(f"{option} {text}: is too small to reckon with; give 0 or a larger number")
    return value


def signed_amount(text: str, option: str, *, most: Decimal) -> Decimal:
    """A number from text, from -most to most."""
    value = _number(text, option)
    if not value.is_finite() or abs(value) > most:
        raise UsageError(f"{option} {text}: give a number from -{most} to {most}")
    return value


def _number(text: str, option: str) -> Decimal:
    try:
        return Decimal(text)
    except ArithmeticError:
        raise UsageError(f"{option} {text!r} is not a number; write it such as 10 or 0.5") from None


def parse_values(strategy: str, texts: tuple[str, ...]) -> dict[str, Value]:
    """Settings of a strategy from `NAME=VALUE`, several in one text by commas. Raises UsageError."""
    settings = settings_of(strategy)
    values: dict[str, Value] = {}
    for part in (item.strip() for text in texts for item in text.split(",") if item.strip()):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or not name or not value:
            raise UsageError(f"--params {part!r}: write NAME=VALUE, for example {next(iter(settings))}=14")
        if name not in settings:
            near = get_close_matches(name, settings, n=1, cutoff=0.4)
            hint = f"did you mean {near[0]}?" if near else f"choose from {', '.join(settings)}"
            raise UsageError(f"--params: {strategy} has no setting {name!r}; {hint}")
        if name in values:
            raise UsageError(f"--params names {name} twice; keep one")
        if settings[name].options:
            values[name] = value
            continue
        try:
            values[name] = Decimal(value)
        except ArithmeticError:
            raise UsageError(f"--params {name}: {value!r} is not a number") from None
    return values


def parse_limits(texts: tuple[str, ...], limits: Limits) -> Limits:
    """`limits` with these, `NAME=VALUE` each: in a backtest ceilings too are parameters.

    Raises UsageError.
    """
    seen: set[str] = set()
    for text in texts:
        name, equals, value = (piece.strip() for piece in text.partition("="))
        if not equals:
            raise UsageError(f"--limit {text!r}: write NAME=VALUE, for example confidence=0.9")
        if name in seen:
            raise UsageError(f"--limit names {name} twice; keep one")
        seen.add(name)
        limits = with_limit(limits, name, value)
    return limits
