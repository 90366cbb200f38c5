"""The ladder a challenger climbs: replay, paper, shadow, small capital, full; one step at a time.

Evidence of a step lets it climb one; a breach throws it back to the first at once, from wherever it is, and
the champion trades alone again. What cannot be judged (a figure that is no number) is no evidence on the way
up, and a breach where money is at stake. No evidence is taken from before a step was reached: good days on
paper prove nothing about shadow.
"""

from decimal import Decimal
from enum import StrEnum
from typing import Final

import msgspec
from msgspec.structs import replace

from neuratrade.core.model.decimals import ZERO
from neuratrade.core.model.errors import UsageError
from neuratrade.core.model.market import NS_PER_DAY


class Rung(StrEnum):
    """Where a challenger stands. SHADOW: beside the champion, without orders. SMALL: with a capped sum."""

    REPLAY = "replay"
    PAPER = "paper"
    SHADOW = "shadow"
    SMALL = "small"
    FULL = "full"


RUNGS: Final = tuple(Rung)


class LadderLimits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a step asks for. Drawdowns are fractions of equity, amounts in the reporting currency.

    drawdown: from which a challenger is thrown back, on every step; small_drawdown: with small capital.
    """

    paper_days: int = 7
    paper_trades: int = 100
    shadow_days: int = 7
    small_days: int = 7
    small_trades: int = 30
    small_capital: Decimal = Decimal(100)
    small_drawdown: Decimal = Decimal("0.02")
    drawdown: Decimal = Decimal("0.10")


class RungEvidence(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a challenger did on one step, since it reached it.

    rung: where it did it. from_ns, to_ns: UTC; on replay to_ns is when the gate decided. trades: closed (in
    shadow: as if). net: result after all costs, reporting currency; champion_net: the champion's over the
    same days, None where it was not measured. drawdown: deepest fall, fraction of equity. orders: sent to a
    venue. gate_passed: the promotion gate's decision, asked for on replay. breaches: what else was broken (a
    limit, an unprotected position), in words.
    """

    rung: Rung
    dna_sha256: str
    from_ns: int
    to_ns: int
    trades: int = 0
    net: Decimal = ZERO
    champion_net: Decimal | None = None
    drawdown: Decimal = ZERO
    orders: int = 0
    gate_passed: bool = False
    breaches: tuple[str, ...] = ()

    @property
    def days(self) -> float:
        """How long it took."""
        return (self.to_ns - self.from_ns) / NS_PER_DAY


class Standing(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who is on the ladder. champion: sha256 of the DNA that traded before, None for none. challenger: the
    one that climbs, None for none. since_ns: when it reached its rung. fell_ns: when one was last thrown
    back; a gate passed before then counts no more.
    """

    champion: str | None = None
    challenger: str | None = None
    rung: Rung = Rung.REPLAY
    since_ns: int = 0
    fell_ns: int = 0

    @property
    def live(self) -> str | None:
        """The DNA that trades with all capital."""
        return self.challenger if self.rung is Rung.FULL else self.champion


class Move(msgspec.Struct, frozen=True):
    """What evidence did. reasons: why it climbed, stayed or fell, one a sentence."""

    before: Standing
    after: Standing
    reasons: tuple[str, ...]

    @property
    def climbed(self) -> bool:
        """Whether it went up."""
        return RUNGS.index(self.after.rung) > RUNGS.index(self.before.rung)

    @property
    def fell(self) -> bool:
        """Whether it was thrown back."""
        return RUNGS.index(self.after.rung) < RUNGS.index(self.before.rung)


def next_rung(rung: Rung) -> Rung | None:
    """The step above; None above full."""
    place = RUNGS.index(rung) + 1
    return RUNGS[place] if place < len(RUNGS) else None


def challenged(standing: Standing, challenger: str, at_ns: int) -> Standing:
    """A new challenger on the first step. One that reached full is the champion from then on.

    Raises UsageError while another is climbing, and for the DNA that trades already.
    """
    if challenger == standing.live:
        raise UsageError(f"{challenger[:12]} is the DNA that trades already; there is nothing to challenge")
    climbing = standing.rung not in (Rung.REPLAY, Rung.FULL)
    if climbing and challenger != standing.challenger:
        raise UsageError(
            f"{str(standing.challenger)[:12]} is on the {standing.rung} step; "
            "withdraw it before another begins"
        )
    if climbing:
        raise UsageError(f"{challenger[:12]} is on the {standing.rung} step already")
    return Standing(champion=standing.live, challenger=challenger, since_ns=at_ns, fell_ns=standing.fell_ns)


def fallen(standing: Standing, at_ns: int) -> Standing:
    """Back on the first step; the champion trades."""
    return replace(standing, rung=Rung.REPLAY, since_ns=at_ns, fell_ns=at_ns)


def judge_rung(standing: Standing, evidence: RungEvidence, limits: LadderLimits, at_ns: int) -> Move:
    """What this evidence does to the challenger. at_ns: now. Pure: the same in, the same out."""
    if evidence.dna_sha256 != standing.challenger:
        told = (
            f"the evidence is of {evidence.dna_sha256[:12]}, and {str(standing.challenger)[:12]} is climbing"
        )
        return Move(standing, standing, (told,))
    broken = breaches_of(standing.rung, evidence, limits)
    if broken:
        return Move(standing, fallen(standing, at_ns), broken)
    above = next_rung(standing.rung)
    if above is None:
        return Move(standing, standing, ("nothing was breached; there is no step above full",))
    missing = _missing(standing, evidence, limits, at_ns)
    if missing:
        return Move(standing, standing, missing)
    return Move(
        standing, replace(standing, rung=above, since_ns=at_ns), (f"the {standing.rung} step is done",)
    )


def breaches_of(rung: Rung, evidence: RungEvidence, limits: LadderLimits) -> tuple[str, ...]:
    """What throws a challenger back. rung: where it stands; evidence of another step counts by both."""
    found = list(evidence.breaches)
    at_stake = Rung.SMALL in (rung, evidence.rung)
    limit = min(limits.small_drawdown, limits.drawdown) if at_stake else limits.drawdown
    if not evidence.drawdown.is_finite() or not evidence.net.is_finite():
        found.append(f"net {evidence.net} and drawdown {evidence.drawdown} are no figures to stand on")
    elif evidence.drawdown >= limit:
        found.append(f"drawdown {evidence.drawdown} reached {limit}")
    if evidence.rung is Rung.SHADOW and evidence.orders:
        found.append(f"{evidence.orders} orders were sent from shadow, which sends none")
    had_its_time = evidence.days >= limits.small_days and evidence.trades >= limits.small_trades
    if not found and rung is evidence.rung is Rung.SMALL and had_its_time and evidence.net <= 0:
        found.append(f"net {evidence.net} after {evidence.days:.1f} days and {evidence.trades} trades")
    return tuple(found)


def _missing(standing: Standing, evidence: RungEvidence, limits: LadderLimits, at_ns: int) -> tuple[str, ...]:
    """What is still asked for before the next step, one sentence each."""
    found = _untimely(standing, evidence, at_ns)
    match standing.rung:
        case Rung.REPLAY:
            if not evidence.gate_passed:
                found.append("the promotion gate was not passed")
            if evidence.to_ns <= standing.fell_ns:
                found.append("the gate decided before a challenger was last thrown back")
        case Rung.PAPER:
            _least(found, evidence, limits.paper_days, limits.paper_trades)
            _positive(found, evidence)
        case Rung.SHADOW:
            _least(found, evidence, limits.shadow_days, 0)
            if evidence.champion_net is None or not evidence.champion_net.is_finite():
                found.append("the champion's result over the same days is not known")
            elif evidence.net < evidence.champion_net:
                found.append(f"net {evidence.net} is below the champion's {evidence.champion_net}")
        case Rung.SMALL:
            _least(found, evidence, limits.small_days, limits.small_trades)
            _positive(found, evidence)
        case Rung.FULL:
            pass
    return tuple(found)


def _untimely(standing: Standing, evidence: RungEvidence, at_ns: int) -> list[str]:
    """Why the evidence is not of this step."""
    found: list[str] = []
    if evidence.rung is not standing.rung:
        found.append(f"the evidence is of {evidence.rung}, and the challenger is on {standing.rung}")
    if standing.rung is not Rung.REPLAY and evidence.from_ns < standing.since_ns:
        found.append(f"the evidence begins before the {standing.rung} step was reached")
    if evidence.from_ns > evidence.to_ns or evidence.to_ns > at_ns:
        found.append("the evidence ends before it begins, or in the future")
    return found


def _least(found: list[str], evidence: RungEvidence, days: int, trades: int) -> None:
    if evidence.days < days:
        found.append(f"{evidence.days:.1f} days, {days} are asked for")
    if evidence.trades < trades:
        found.append(f"{evidence.trades} trades, {trades} are asked for")


def _positive(found: list[str], evidence: RungEvidence) -> None:
    if evidence.net <= 0:
        found.append(f"net {evidence.net} is not above zero")


def ladder_departures(limits: LadderLimits) -> tuple[str, ...]:
    """Limits that ask for less than the defaults, for people; empty when none does."""
    plain, found = LadderLimits(), []
    for field in msgspec.structs.fields(LadderLimits):
        ours, default = getattr(limits, field.name), getattr(plain, field.name)
        more_is_looser = isinstance(default, Decimal)
        if ours > default if more_is_looser else ours < default:
            found.append(f"{field.name} {ours} (default {default})")
    return tuple(found)
