"""What an engine is made of: all that is fixed for one run. Limits are state: a person may change them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from neuratrade.core.bars.sessions import DaySessions, ListedSessions
from neuratrade.core.engine.reading import BarReader
from neuratrade.core.indicators.provider import IndicatorProvider
from neuratrade.core.model.approval import Signer
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.market import NS_PER_MINUTE
from neuratrade.core.model.venue_rules import VenueRules
from neuratrade.core.regime import RegimeParams
from neuratrade.core.risk.posture import Phase, Posture, Profile
from neuratrade.core.strategies.dna import Dna
from neuratrade.core.strategies.port import Strategy


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """One desk's fixed parts.

    instruments: by key. base_span_ns: the span of the bars that arrive. gate_span_ns: timeframe of the
    true range the gate judges stops by. assumed_spread_fraction: of the price, where only bars are known.
    days: which trading day a time belongs to; UTC days by default. signer: None makes unsigned approvals
    that no venue accepts. venue_rules: by venue name.
    reconcile_every_ns: how often books and venue are compared; 0: only when the desk starts.
    profile, phase: what the operator and the desk's age allow; boldest: the posture drawdown steps down from.
    assumed_volume_24h: quote currency, until 24 hours of volume were seen; None: not known until then.
    reader_of: who reads an instrument's bars; None: indicators are kept and advanced bar by bar.
    balance_tolerance_fraction: how far a balance may differ from the venue's, of the greater amount.
    """

    account_id: str
    operator_id: str
    instruments: dict[str, Instrument]
    strategies: tuple[Strategy, ...]
    dna: Dna
    provider: IndicatorProvider
    signer: Signer | None
    base_span_ns: int = NS_PER_MINUTE
    gate_span_ns: int = 15 * NS_PER_MINUTE
    assumed_spread_fraction: Decimal = Decimal("0.0002")
    days: DaySessions | ListedSessions = field(default_factory=DaySessions)
    regime: RegimeParams = field(default_factory=RegimeParams)
    venue_rules: Mapping[str, VenueRules] = field(default_factory=dict)
    reconcile_every_ns: int = 0
    profile: Profile = Profile.MEDIUM
    phase: Phase = Phase.MATURE
    boldest: Posture = Posture.BALANCED
    balance_tolerance_fraction: Decimal = Decimal(0)
    assumed_volume_24h: Decimal | None = None
    reader_of: Callable[[Instrument], BarReader] | None = None
