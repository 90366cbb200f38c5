"""The promotion gate: whether a challenger earned the next step of the ladder, and not one more.

Sixty days are a coin flip: the standard error of an annual Sharpe ratio over them is about 2.5. So a good
ratio alone passes nothing. It has to survive that it is the best of everything ever tried on those days (the
deflated Sharpe ratio), and to beat the champion on the same days by more than luck (the probability of that
by a paired bootstrap of both). All checks are always made and told, passed or not.

Ratios are of daily returns net of all costs; annual ones times the square root of `days_per_year`.
"""

import math
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Final

import msgspec
import numpy as np

from neuratrade.core.model.errors import UsageError
from neuratrade.core.model.market import NS_PER_DAY
from neuratrade.research.columns import Floats
from neuratrade.research.ladder import Rung, next_rung
from neuratrade.research.metrics.bootstrap import block_length, draw_places
from neuratrade.research.metrics.deflated import deflated_of, expected_best
from neuratrade.research.metrics.returns import sharpe
from neuratrade.research.trials import Tried

RESAMPLES: Final = 4_000
SEED: Final = 20_140_731
FRESH_NS: Final = 2 * NS_PER_DAY
"""How old the end of the window may be: the last sixty days, not the best."""
FEW_KNOWN: Final = 10
"""Below so many known ratios their spread says little; it then counts at least as much as pure luck gives."""


class GateLimits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a challenger must show. days: of the window, 30 at least. min_sharpe: annual. max_drawdown:
    fraction. min_deflated, min_beats: probabilities.
    """

    days: int = 60
    min_sharpe: float = 1.5
    max_drawdown: float = 0.10
    min_trades: int = 30
    min_deflated: float = 0.95
    min_beats: float = 0.95


DEFAULT_LIMITS: Final = GateLimits()
_TIGHTER_WHEN_LOWER: Final = frozenset({"max_drawdown"})
_ALLOWED: Final[dict[str, tuple[float, float]]] = {
    "days": (30, 3650),
    "min_sharpe": (0.0, 100.0),
    "max_drawdown": (0.0001, 1.0),
    "min_trades": (1, 1_000_000),
    "min_deflated": (0.5, 0.9999),
    "min_beats": (0.5, 0.9999),
}


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """What a challenger did out of sample.

    daily, champion_daily: net returns of each day of the window, fractions, the same days in the same order;
    no champion where nothing trades yet. end_ns: when the window ends; as_of_ns: now. max_drawdown: fraction,
    on every bar. None: not a number, and nothing that holds one passes. tried: everything ever tried on days
    of the window, this one counting (`TrialLog.tried`). rung: where the challenger stands.
    """

    challenger: str
    daily: tuple[float | None, ...]
    trades: int
    max_drawdown: float | None
    tried: Tried
    end_ns: int
    as_of_ns: int
    champion: str | None = None
    champion_daily: tuple[float | None, ...] | None = None
    days_per_year: float = 365.0
    rung: Rung = Rung.REPLAY


class Check(msgspec.Struct, frozen=True):
    """One question of the gate. seen, limit: as people read them. told: in words what was found."""

    name: str
    passed: bool
    seen: str
    limit: str
    told: str


class Decision(msgspec.Struct, frozen=True):
    """The gate's answer. grants: the one step a pass allows, None for none. departures: limits looser than
    the defaults; a pass under them is a weaker one, and says so.
    """

    passed: bool
    checks: tuple[Check, ...]
    grants: Rung | None
    departures: tuple[str, ...]

    @property
    def reasons(self) -> tuple[str, ...]:
        """What did not pass, one sentence each."""
        return tuple(check.told for check in self.checks if not check.passed)


def limits_of(values: Mapping[str, str]) -> GateLimits:
    """The defaults with these values, given as text. Raises UsageError naming what is wrong."""
    changes: dict[str, float | int] = {}
    for name, text in values.items():
        if name not in _ALLOWED:
            near = get_close_matches(name, _ALLOWED, n=1, cutoff=0.4)
            hint = f"did you mean {near[0]}?" if near else f"choose from {', '.join(_ALLOWED)}"
            raise UsageError(f"the promotion gate has no limit {name!r}; {hint}")
        low, high = _ALLOWED[name]
        whole = isinstance(getattr(DEFAULT_LIMITS, name), int)
        try:
            number = float(text)
        except ValueError:
            raise UsageError(f"{name}: {text!r} is not a number; allowed is {low:g} to {high:g}") from None
        if not low <= number <= high or (whole and number != int(number)):
            kind = "a whole number" if whole else "a number"
            raise UsageError(f"{name}: found {text}; allowed is {kind} from {low:g} to {high:g}")
        changes[name] = int(number) if whole else number
    return msgspec.structs.replace(DEFAULT_LIMITS, **changes)


def departures(limits: GateLimits) -> tuple[str, ...]:
    """Every limit that asks for less than its default, for people."""
    found = []
    for field in msgspec.structs.fields(GateLimits):
        ours, default = getattr(limits, field.name), getattr(DEFAULT_LIMITS, field.name)
        if ours > default if field.name in _TIGHTER_WHEN_LOWER else ours < default:
            found.append(f"{field.name} {ours} (default {default})")
    return tuple(found)


def judge_challenger(evidence: Evidence, limits: GateLimits = DEFAULT_LIMITS) -> Decision:
    """Whether the challenger passes, check by check. Pure: the same evidence gives the same decision."""
    daily = np.array(evidence.daily, dtype=np.float64)
    checks = (
        _window(daily, limits),
        _fresh(evidence),
        _sharpe(daily, evidence, limits),
        _drawdown(evidence, limits),
        Check(
            "trades",
            evidence.trades >= limits.min_trades,
            str(evidence.trades),
            f">= {limits.min_trades}",
            f"{evidence.trades} trades closed, {limits.min_trades} are asked for",
        ),
        _deflated(daily, evidence, limits),
        _beats(daily, evidence, limits),
    )
    passed = all(check.passed for check in checks)
    return Decision(passed, checks, next_rung(evidence.rung) if passed else None, departures(limits))


def _window(daily: Floats, limits: GateLimits) -> Check:
    finite, seen = bool(np.isfinite(daily).all()), len(daily)
    told = f"{seen} daily returns, and the window is the last {limits.days} days"
    if not finite:
        told = "a daily return is no number; the run they come from cannot be judged"
    return Check("window", finite and seen == limits.days, f"{seen} days", f"{limits.days} days", told)


def _fresh(evidence: Evidence) -> Check:
    age = (evidence.as_of_ns - evidence.end_ns) / NS_PER_DAY
    told = f"the window ended {age:.1f} days ago; it may be {FRESH_NS / NS_PER_DAY:g} days old at most"
    fresh = 0 <= evidence.as_of_ns - evidence.end_ns <= FRESH_NS
    return Check("fresh", fresh, f"{age:.1f} days", f"0 to {FRESH_NS / NS_PER_DAY:g} days", told)


def _sharpe(daily: Floats, evidence: Evidence, limits: GateLimits) -> Check:
    year = evidence.days_per_year
    known = _ratio(daily)
    annual = math.nan if known is None or not 0 < year < math.inf else known * math.sqrt(year)
    told = f"Sharpe {annual:.2f} a year (daily net returns, times the root of {year:g}); "
    return Check(
        "sharpe", annual > limits.min_sharpe, f"{annual:.2f}", f"> {limits.min_sharpe:g}",
        f"{told}more than {limits.min_sharpe:g} is asked for",
    )  # fmt: skip


def _drawdown(evidence: Evidence, limits: GateLimits) -> Check:
    seen = math.nan if evidence.max_drawdown is None else evidence.max_drawdown
    return Check(
        "max_drawdown", 0 <= seen < limits.max_drawdown, f"{seen:.2%}", f"< {limits.max_drawdown:.2%}",
        f"drawdown {seen:.2%}, below {limits.max_drawdown:.2%} is asked for",
    )  # fmt: skip


def _deflated(daily: Floats, evidence: Evidence, limits: GateLimits) -> Check:
    tried, count = max(evidence.tried.proposals, 1), len(daily)
    variance = evidence.tried.spread**2
    if evidence.tried.known < FEW_KNOWN and count > 1:
        # The variance of a ratio that is pure luck, to first order.
        variance = max(variance, 1.0 / (count - 1))
    found = None
    if _ratio(daily) is not None and math.isfinite(variance):
        found = deflated_of(daily, tried, variance)
    luck = (
        expected_best(tried, variance) * math.sqrt(evidence.days_per_year)
        if math.isfinite(variance)
        else math.nan
    )
    seen = math.nan if found is None else found
    told = (
        f"probability {seen:.3f} that the Sharpe is above zero, as the best of {tried} proposals tried on "
        f"these days (luck alone would show {luck:.2f} a year); {limits.min_deflated:g} is asked for"
    )
    return Check(
        "deflated_sharpe", seen >= limits.min_deflated, f"{seen:.3f}", f">= {limits.min_deflated:g}", told
    )


def _beats(daily: Floats, evidence: Evidence, limits: GateLimits) -> Check:
    if evidence.champion is None:
        told = "there is no champion to beat"
        return Check("beats_champion", True, "no champion", "none", told)
    theirs = np.array(evidence.champion_daily or (), dtype=np.float64)
    limit = f">= {limits.min_beats:g}"
    if len(theirs) != len(daily) or not np.isfinite(theirs).all():
        told = f"the champion has {len(theirs)} usable daily returns over the same {len(daily)} days"
        return Check("beats_champion", False, "unknown", limit, told)
    seen = probability_of_beating(daily, theirs)
    difference = ((_ratio(daily) or 0.0) - (_ratio(theirs) or 0.0)) * math.sqrt(evidence.days_per_year)
    told = (
        f"probability {seen:.3f} of a higher Sharpe than the champion's (difference {difference:.2f} a year; "
        f"paired bootstrap of {RESAMPLES} resamples); {limits.min_beats:g} is asked for"
    )
    return Check("beats_champion", seen >= limits.min_beats and difference > 0, f"{seen:.3f}", limit, told)


def _ratio(daily: Floats) -> float | None:
    return sharpe(daily) if len(daily) > 1 and bool(np.isfinite(daily).all()) else None


def probability_of_beating(ours: Floats, theirs: Floats) -> float:
    """Share of resamples in which `ours` has the higher Sharpe ratio; ties count half.

    Both daily, of the same days, shape (n,). Days are drawn together, so that what moved both moves both, in
    blocks (stationary bootstrap, the block length of `metrics.bootstrap`). A record without movement has the
    ratio 0. nan for fewer than two days. The same returns give the same number. Source: Politis and Romano
    1994; Ledoit and Wolf 2008 for comparing Sharpe ratios by it.
    """
    count = len(ours)
    if count < 2 or not np.isfinite(ours).all():
        return math.nan
    length, places = block_length(count), np.empty(count, dtype=np.int64)
    won = 0.0
    for number in range(RESAMPLES):
        draw_places(count, length, SEED, number, places)
        mine, other = sharpe(ours[places]) or 0.0, sharpe(theirs[places]) or 0.0
        won += 1.0 if mine > other else 0.5 if mine == other else 0.0
    return won / RESAMPLES
