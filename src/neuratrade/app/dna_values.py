"""The kinds of value a DNA file is made of. Each refuses with what was found and what is allowed."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from difflib import get_close_matches

from pydantic import PlainValidator
from pydantic_core import PydanticCustomError

from neuratrade.core.model.market import NS_PER_SECOND

_ASSET = re.compile(r"[A-Z0-9][A-Z0-9._:/-]{0,39}")


def refusal(found: object, allowed: str) -> PydanticCustomError:
    """The error of one value: what was found, what is allowed."""
    return PydanticCustomError(
        "dna_value", "found {found}; {allowed}", {"found": shown(found), "allowed": allowed}
    )


def shown(found: object) -> str:
    """A value as the person wrote it, short."""
    match found:
        case bool():
            return f"the truth value {str(found).lower()}"
        case str():
            return f"the text {found[:60]!r}"
        case dict():
            return "a block of keys"
        case list():
            return f"a list of {len(found)}"
        case _:
            return str(found)


def nearest(found: object, choices: tuple[str, ...]) -> str:
    """`; did you mean X?`, or nothing where no choice is near."""
    near = get_close_matches(str(found), choices, n=1, cutoff=0.5)
    return f"; did you mean {near[0]}?" if near else ""


def number(low: Decimal | str, high: Decimal | str, unit: str, why: str = "") -> PlainValidator:
    """A Decimal from `low` to `high`. why: the rule behind the bounds, told when they are broken."""
    least, most = Decimal(low), Decimal(high)
    allowed = f"allowed is a number from {least:f} to {most:f} ({unit})"

    def check(found: object) -> Decimal:
        if not isinstance(found, Decimal):
            raise refusal(found, allowed + (", written without quotes" if isinstance(found, str) else ""))
        if not least <= found <= most:
            raise refusal(found, f"{allowed}: {why}" if why else allowed)
        return found

    return PlainValidator(check)


def whole(low: int, high: int, unit: str, why: str = "") -> PlainValidator:
    """An int from `low` to `high`."""
    return PlainValidator(_whole_check(low, high, unit, why))


def whole_decimal(low: int, high: int, unit: str, why: str = "") -> PlainValidator:
    """A Decimal without fraction from `low` to `high`."""
    check = _whole_check(low, high, unit, why)
    return PlainValidator(lambda found: Decimal(check(found)))


def _whole_check(low: int, high: int, unit: str, why: str) -> Callable[[object], int]:
    allowed = f"allowed is a whole number from {low} to {high} ({unit})"

    def check(found: object) -> int:
        if not isinstance(found, Decimal) or found != found.to_integral_value():
            raise refusal(found, allowed)
        if not low <= found <= high:
            raise refusal(found, f"{allowed}: {why}" if why else allowed)
        return int(found)

    return check


def word(*choices: str) -> PlainValidator:
    """One of `choices`, exactly."""

    def check(found: object) -> str:
        if not isinstance(found, str) or found not in choices:
            raise refusal(found, f"allowed is one of {', '.join(choices)}{nearest(found, choices)}")
        return found

    return PlainValidator(check)


def switch(found: object) -> bool:
    """True or false."""
    if not isinstance(found, bool):
        raise refusal(found, "allowed is true or false")
    return found


def asset_name(found: object) -> str:
    """An asset as instruments name it, `BTC/USDT`."""
    if not isinstance(found, str) or not _ASSET.fullmatch(found):
        raise refusal(found, "allowed is an asset in capitals, such as BTC/USDT")
    return found


def moment(found: object) -> int:
    """An ISO 8601 time with its zone, as nanoseconds UTC (whole seconds)."""
    try:
        at = datetime.fromisoformat(found) if isinstance(found, str) else None
    except ValueError:
        at = None
    if at is None or at.tzinfo is None or not 2000 <= at.year <= 2100:
        raise refusal(found, "allowed is a time with its zone, such as 2025-06-30T12:00:00Z")
    return int(at.astimezone(UTC).timestamp()) * NS_PER_SECOND
