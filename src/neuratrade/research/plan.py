"""A backtest's plan: all that decides how it goes, so that two runs of it over the same data agree.

Nothing is taken from the machine, the clock or a configuration file on the way. What departs from the desk's
own defaults can be read off the plan, and every report prints it: a result under loosened limits that does
not say so is no result.
"""

import hashlib
from decimal import Decimal

import msgspec

from neuratrade.core.indicators.choice import Library
from neuratrade.core.model.account import Account
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.market import NS_PER_MINUTE
from neuratrade.core.regime import RegimeParams
from neuratrade.core.risk.limits import DEFAULTS, Limits, departures, told
from neuratrade.core.risk.posture import Phase, Posture, Profile
from neuratrade.core.strategies.dna import Dna
from neuratrade.research.funding import RecordedFunding, funding_notes
from neuratrade.venues.paper.costs import PaperCosts

GATE_SPAN_NS = 15 * NS_PER_MINUTE
DEFAULT_CASH = Decimal(100_000)


class Carry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What holding costs. funding_fraction: of a perpetual's notional, paid by longs to shorts every
    `funding_every_ns` (below zero: the other way). borrow_fraction_per_year: of a short's notional on what is
    owned, paid each day. recorded: rates of perpetuals that were charged at their own times; one that has
    them is not charged `funding_fraction`.
    """

    funding_fraction: Decimal = Decimal(0)
    funding_every_ns: int = 8 * 60 * NS_PER_MINUTE
    borrow_fraction_per_year: Decimal = Decimal(0)
    recorded: tuple[RecordedFunding, ...] = ()


class BacktestPlan(msgspec.Struct, frozen=True, kw_only=True):
    """One backtest.

    dna: strategies with their parameters, exits and assets; complete. account: what it trades in, its
    currency. instruments: contracts with the fees of this run. start_ns, end_ns: entries are judged on bars
    that close in (start_ns, end_ns]; what lies before is history for the indicators. assumed_volume_24h:
    quote currency traded in 24 hours, until 24 hours were seen; None refuses until then.
    """

    dna: Dna
    account: Account
    instruments: tuple[Instrument, ...]
    cash: Decimal = DEFAULT_CASH
    costs: PaperCosts = PaperCosts()
    carry: Carry = Carry()
    limits: Limits = DEFAULTS
    regime: RegimeParams = RegimeParams()
    gate_span_ns: int = GATE_SPAN_NS
    assumed_volume_24h: Decimal | None = None
    profile: Profile = Profile.MEDIUM
    boldest: Posture = Posture.BALANCED
    phase: Phase = Phase.MATURE
    indicators: Library = Library.NATIVE
    start_ns: int | None = None
    end_ns: int | None = None

    @property
    def strategy_sha256(self) -> str:
        """Names the strategies and their parameters: equal for equal ones, whatever they are tried on."""
        known = msgspec.json.encode((self.dna.strategies, self.dna.assets), order="deterministic")
        return hashlib.sha256(known).hexdigest()

    @property
    def departures(self) -> dict[str, str]:
        """What differs from the defaults of the desk, by name, for people."""
        found = departures(self.limits)
        plain = BacktestPlan(dna=self.dna, account=self.account, instruments=())
        for name in _NAMED:
            ours, default = getattr(self, name), getattr(plain, name)
            if ours != default:
                found[name] = _told(name, ours, default)
        return found

    def carry_notes(self, after_ns: int, until_ns: int) -> tuple[str, ...]:
        """What is not charged over (after_ns, until_ns] though funding was recorded; empty for all of it."""
        known = {item.instrument for item in self.carry.recorded}
        others = [item for item in self.instruments if item.key not in known]
        free = () if self.carry.funding_fraction else others
        return tuple(funding_notes(self.carry.recorded, free, after_ns, until_ns))


_NAMED = (
    "costs",
    "carry",
    "regime",
    "gate_span_ns",
    "assumed_volume_24h",
    "profile",
    "boldest",
    "phase",
    "indicators",
)


def _told(name: str, ours: object, default: object) -> str:
    """Only what differs, where there are fields."""
    if isinstance(ours, msgspec.Struct):
        names = [field.name for field in msgspec.structs.fields(type(ours))]
        pairs = [(name, getattr(ours, name), getattr(default, name)) for name in names]
        return ", ".join(f"{name} {_pair(name, one, two)}" for name, one, two in pairs if one != two)
    return _pair(name, ours, default)


def _pair(name: str, ours: object, default: object) -> str:
    if isinstance(ours, tuple):
        return f"{'; '.join(item.told for item in ours)} (default none)"
    return f"{told(name, ours)} (default {told(name, default)})"
