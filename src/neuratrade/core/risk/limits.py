"""The two tables of limits: hard ceilings, and defaults that only an operator may loosen.

A ceiling is never loosened at run time by anybody; a default only by a journaled act with a reason.
Everything is a fraction, a count, a duration or an amount, and its name says which.
"""

import difflib
from collections.abc import Mapping
from decimal import Decimal

import msgspec

from neuratrade.core.model.errors import UsageError
from neuratrade.core.model.market import NS_PER_MINUTE, NS_PER_MS, NS_PER_SECOND


class Limits(msgspec.Struct, frozen=True):
    """Every number the gate and the governors apply. Amounts are in the reporting currency (USD-like)."""

    # ceilings
    risk_per_trade_fraction: Decimal = Decimal("0.02")
    position_fraction: Decimal = Decimal("0.10")
    leverage: Decimal = Decimal(2)
    stop_distance_fraction: Decimal = Decimal("0.05")
    slippage_fraction: Decimal = Decimal("0.001")
    drawdown_24h_fraction: Decimal = Decimal("0.05")
    # defaults
    trades_per_day: int = 5
    scalp_trades_per_day: int = 50
    concurrent: int = 3
    session_drawdown_fraction: Decimal = Decimal("0.012")
    daily_loss_fraction: Decimal = Decimal("0.02")
    confidence: Decimal = Decimal("0.75")
    session_losses: int = 2
    kill_losses: int = 5
    order_usd: Decimal = Decimal(25_000)
    total_usd: Decimal = Decimal(100_000)
    # defaults of judgement
    fat_finger_fraction: Decimal = Decimal("0.05")
    stop_min_atr: Decimal = Decimal("0.3")
    stop_max_atr: Decimal = Decimal(5)
    cost_multiple: Decimal = Decimal("1.5")
    atr_risk_fraction: Decimal = Decimal("0.01")
    kelly_fraction: Decimal = Decimal("0.25")
    kelly_min_outcomes: int = 30
    uncalibrated_risk_fraction: Decimal = Decimal("0.005")
    volume_24h_share_fraction: Decimal = Decimal("0.001")
    price_age_ns: int = 90 * NS_PER_SECOND
    conversion_age_ns: int = 15 * NS_PER_MINUTE
    future_tolerance_ns: int = 2 * NS_PER_SECOND
    lane_cooldown_ns: int = 5 * NS_PER_MINUTE


CEILINGS = Limits()
CEILING_NAMES = (
    "risk_per_trade_fraction",
    "position_fraction",
    "leverage",
    "stop_distance_fraction",
    "slippage_fraction",
    "drawdown_24h_fraction",
)
DEFAULTS = Limits()
HIGHEST_KELLY = Decimal("0.5")
"""Fractional Kelly lies from a quarter, the default, to a half: beyond that an estimate's error ruins."""
NAMES = tuple(f.name for f in msgspec.structs.fields(Limits))
TIGHTER_WHEN_HIGHER = frozenset(
    {"confidence", "stop_min_atr", "cost_multiple", "kelly_min_outcomes", "lane_cooldown_ns"}
)
"""Limits that admit less the larger they are; of all others a smaller value is the tighter one."""
LARGEST_EXPONENT = 18
"""Decimal places a limit may lie above or below one: beyond it, arithmetic with prices could overflow."""


def parse_limit(name: str, value: str) -> Decimal | int:
    """The typed value of a limit from text. Raises UsageError naming what is wrong and the nearest name."""
    if name not in NAMES:
        near = difflib.get_close_matches(name, NAMES, n=1)
        hint = f"; did you mean {near[0]}?" if near else f"; known limits: {', '.join(NAMES)}"
        raise UsageError(f"unknown limit {name!r}{hint}")
    current = getattr(DEFAULTS, name)
    try:
        number = Decimal(value)
    except ArithmeticError:
        raise UsageError(f"limit {name}: {value!r} is not a number") from None
    if not number.is_finite() or number < 0:
        raise UsageError(f"limit {name}: {value!r} must be a finite number, zero or above")
    if number and abs(number.adjusted()) > LARGEST_EXPONENT:
        raise UsageError(f"limit {name}: {value!r} is too large or too small to reckon with")
    if isinstance(current, int):
        if number != number.to_integral_value():
            raise UsageError(f"limit {name}: {value!r} must be a whole number")
        return int(number)
    return number


def with_limit(limits: Limits, name: str, value: str) -> Limits:
    """`limits` with one number replaced (whatif and backtests: ceilings too). Raises UsageError."""
    return msgspec.structs.replace(limits, **{name: parse_limit(name, value)})


def limits_of(values: Mapping[str, str]) -> Limits:
    """The defaults with these limits, given as text, in their place. Raises UsageError."""
    limits = DEFAULTS
    for name, value in values.items():
        limits = with_limit(limits, name, value)
    return limits


def tightened(limits: Limits, bounds: Mapping[str, Decimal | int]) -> Limits:
    """`limits` with each bound, by the name of its limit, that is tighter; the others stay as they are."""
    changes: dict[str, Decimal | int] = {}
    for name, bound in bounds.items():
        current = getattr(limits, name)
        tighter = max(current, bound) if name in TIGHTER_WHEN_HIGHER else min(current, bound)
        changes[name] = int(tighter) if isinstance(current, int) else Decimal(tighter)
    return msgspec.structs.replace(limits, **changes)


def operator_limit(limits: Limits, name: str, value: str) -> Limits:
    """`limits` as a person may change them at run time: a ceiling can be tightened, never loosened.

    Raises UsageError.
    """
    changed = with_limit(limits, name, value)
    objections = over_ceiling(changed)
    if changed.kelly_fraction > HIGHEST_KELLY:
        objections.append(
            f"kelly_fraction = {changed.kelly_fraction} is above {HIGHEST_KELLY}, half of Kelly"
        )
    if objections:
        raise UsageError("; ".join(objections))
    return changed


def over_ceiling(limits: Limits) -> list[str]:
    """What in `limits` lies above a hard ceiling, one sentence each; empty when nothing does."""
    return [
        f"{name} = {getattr(limits, name)} is above the hard ceiling {getattr(CEILINGS, name)}"
        for name in CEILING_NAMES
        if getattr(limits, name) > getattr(CEILINGS, name)
    ]


def departures(limits: Limits) -> dict[str, str]:
    """Every limit that differs from its default, as `name: value (default ...)` for reports."""
    return {
        name: f"{told(name, getattr(limits, name))} (default {told(name, getattr(DEFAULTS, name))})"
        for name in NAMES
        if getattr(limits, name) != getattr(DEFAULTS, name)
    }


def told(name: str, value: object) -> str:
    """A setting's value for people: durations (`_ns`) in their largest whole unit, such as `5 min`."""
    if not name.endswith("_ns") or not isinstance(value, int) or not value:
        return "0 s" if name.endswith("_ns") and value == 0 else str(value)
    return next(f"{value // length} {unit}" for unit, length in _UNITS.items() if value % length == 0)


_UNITS = {"h": 60 * NS_PER_MINUTE, "min": NS_PER_MINUTE, "s": NS_PER_SECOND, "ms": NS_PER_MS, "ns": 1}
