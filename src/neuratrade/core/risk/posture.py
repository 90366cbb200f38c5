"""How much of its limits a desk uses: the one table that joins profile, posture and phase to numbers.

A stance only ever tightens. Its size factor never exceeds 1 and its bounds replace a limit only where they
are tighter, so whatever is chosen, the limits hold. Medium, BALANCED and mature leave every limit and every
size exactly as they are: those are the desk's defaults.
"""

from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache

import msgspec

from neuratrade.core.model.decimals import ONE, ZERO
from neuratrade.core.risk.limits import TIGHTER_WHEN_HIGHER, Limits, tightened


class Profile(StrEnum):
    """How much risk the operator wants at all. Custom: the operator's own limits say it."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CUSTOM = "custom"


class Posture(StrEnum):
    """How much of it the desk takes now; moves with the drawdown."""

    DEFENSIVE = "DEFENSIVE"
    BALANCED = "BALANCED"
    AGGRESSIVE = "AGGRESSIVE"


class Phase(StrEnum):
    """How much evidence the desk has of itself."""

    BOOTSTRAP = "bootstrap"
    GROWTH = "growth"
    SCALE = "scale"
    MATURE = "mature"


class Row(msgspec.Struct, frozen=True):
    """What one word means: its share in the size factor, and values by the name of a limit in `Limits`."""

    factor: Decimal
    bounds: Mapping[str, Decimal | int] = {}


CAUTIOUS: Mapping[str, Decimal | int] = {
    "confidence": Decimal("0.80"),
    "concurrent": 2,
    "trades_per_day": 3,
    "scalp_trades_per_day": 25,
}
TABLE: Mapping[Profile | Posture | Phase, Row] = {
    Profile.LOW: Row(Decimal("0.5"), CAUTIOUS),
    Profile.MEDIUM: Row(ONE),
    Profile.HIGH: Row(Decimal("1.25")),
    Profile.CUSTOM: Row(ONE),
    Posture.DEFENSIVE: Row(Decimal("0.5"), CAUTIOUS),
    Posture.BALANCED: Row(ONE),
    Posture.AGGRESSIVE: Row(Decimal("1.5")),
    Phase.BOOTSTRAP: Row(Decimal("0.25"), {**CAUTIOUS, "confidence": Decimal("0.85"), "concurrent": 1}),
    Phase.GROWTH: Row(Decimal("0.5"), {"concurrent": 2}),
    Phase.SCALE: Row(Decimal("0.75")),
    Phase.MATURE: Row(ONE),
}
"""A share above 1 gives back part of what another word of the stance took, never more than all of it."""

STEPS_DOWN = ((Decimal("0.5"), Posture.DEFENSIVE), (Decimal("0.25"), Posture.BALANCED))
"""From this share of the drawdown limit on, the posture is at most this one."""
RECOVERED = Decimal("0.5")
"""Within a day a posture rises again below this share of the drawdown at which it fell."""
_FIRST_STEP = min(share for share, _ in STEPS_DOWN)
_LADDER = (Posture.DEFENSIVE, Posture.BALANCED, Posture.AGGRESSIVE)


class Stance(msgspec.Struct, frozen=True):
    """Three words joined. factor: times the size, 0..1. bounds: the tightest of the three rows.

    words: as said to people. effect: the factor and the bounds, as said to people.
    """

    factor: Decimal
    bounds: Mapping[str, Decimal | int]
    words: str
    effect: str

    def tighten(self, limits: Limits) -> Limits:
        """`limits` with the bounds that are tighter; the same object where there are none."""
        return tightened(limits, self.bounds) if self.bounds else limits


@lru_cache(maxsize=len(Profile) * len(Posture) * len(Phase))
def stance(profile: Profile, posture: Posture, phase: Phase) -> Stance:
    """What the three words mean together."""
    share, bounds = ONE, dict[str, Decimal | int]()
    for word in (profile, posture, phase):
        share *= TABLE[word].factor
        for name, bound in TABLE[word].bounds.items():
            tighter = max if name in TIGHTER_WHEN_HIGHER else min
            bounds[name] = tighter(bounds.get(name, bound), bound)
    factor = min(ONE, share)
    signs = {name: ">=" if name in TIGHTER_WHEN_HIGHER else "<=" for name in bounds}
    effect = [f"x {factor.normalize():f}", *(f"{name} {signs[name]} {bounds[name]}" for name in bounds)]
    return Stance(factor, bounds, f"{profile.value}, {posture.value}, {phase.value}", ", ".join(effect))


def factor(profile: Profile, posture: Posture, phase: Phase) -> Decimal:
    """The share of a size the stance leaves, above 0, at most 1."""
    return stance(profile, posture, phase).factor


def next_posture(
    current: Posture,
    drawdown_fraction: Decimal,
    limits: Limits,
    *,
    new_day: bool,
    highest: Posture = Posture.BALANCED,
) -> Posture:
    """The posture that follows from the drawdown.

    drawdown_fraction: the deeper of the falls from the 24 h peak and from the session's peak. It is weighed
    against the tighter of their two limits, so that the desk draws back before a governor stops it. Down goes
    at once, as far as the drawdown says; up goes one step, on a new day or once the drawdown has shrunk well
    below what brought it down, and never above `highest`, the posture the operator chose: one that was
    bolder before the operator chose comes down to it.
    """
    limit = min(limits.session_drawdown_fraction, limits.drawdown_24h_fraction)
    used = drawdown_fraction / limit if limit > ZERO else ONE
    if current is highest and used < _FIRST_STEP:
        return current
    allowed = calmer(_at_most(used), highest)
    if calmer(allowed, current) is allowed:
        return allowed
    recovered = new_day or _at_most(used / RECOVERED) is not current
    return _LADDER[_LADDER.index(current) + 1] if recovered else current


def next_steps(current: Posture, highest: Posture) -> tuple[Decimal | None, Decimal | None]:
    """Shares of the drawdown limit at which a posture would change within a day: down from the first one on,
    up below the second. None where it cannot.
    """
    down = [share for share, posture in STEPS_DOWN if _LADDER.index(posture) < _LADDER.index(current)]
    if current is highest:
        return min(down, default=None), None
    held = [share for share, posture in STEPS_DOWN if _LADDER.index(posture) <= _LADDER.index(current)]
    return min(down, default=None), min(held) * RECOVERED


def calmer(one: Posture, other: Posture) -> Posture:
    """The one of the two that risks less."""
    return min(one, other, key=_LADDER.index)


def _at_most(used: Decimal) -> Posture:
    return next((posture for share, posture in STEPS_DOWN if used >= share), Posture.AGGRESSIVE)
