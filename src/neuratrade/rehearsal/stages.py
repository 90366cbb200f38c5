"""The venues that can be rehearsed: what is traded there, its simulator, and the adapter that is tried.

Adding a venue is one entry in `STAGES`.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from decimal import Decimal

from neuratrade.core.model.instrument import Instrument, InstrumentKind
from neuratrade.core.model.venue_rules import VenueRules
from neuratrade.feeds.clock import Clock
from neuratrade.rehearsal.faults import Troubles
from neuratrade.rehearsal.matching import MatchingEngine, Rules
from neuratrade.rehearsal.server import Simulator
from neuratrade.venues.port import Venue

MakeSimulator = Callable[[MatchingEngine, Troubles, Callable[[], int]], Simulator]
MakeVenue = Callable[[Simulator, str, Sequence[Instrument], Clock], AbstractAsyncContextManager[Venue]]


@dataclass(frozen=True, slots=True)
class Stage:
    """One venue on stage. contract: what is traded. balances: what the account begins with."""

    name: str
    contract: Instrument
    balances: Mapping[str, Decimal]
    currency: str
    rules: VenueRules
    simulator: MakeSimulator
    venue: MakeVenue
    matching: Rules = field(default_factory=Rules)


def _alpaca() -> Stage:
    from neuratrade.rehearsal.alpaca import KEY, SECRET, AlpacaSimulator
    from neuratrade.venues.alpaca.rest import Keys
    from neuratrade.venues.alpaca.venue import RULES, AlpacaVenue

    contract = Instrument(
        "BTC/USD",
        "alpaca",
        InstrumentKind.SPOT,
        "BTC",
        "USD",
        tick=Decimal("0.01"),
        lot=Decimal("0.000001"),
        min_quantity=Decimal("0.000001"),
        min_notional=Decimal(1),
        maker_fee_bps=Decimal(15),
        taker_fee_bps=Decimal(25),
        fee_in_base=True,
    )

    def venue(
        simulator: Simulator, account_id: str, contracts: Sequence[Instrument], clock: Clock
    ) -> AbstractAsyncContextManager[Venue]:
        return AlpacaVenue(account_id, contracts, Keys(KEY, SECRET), clock, simulator.base)

    balances = {"USD": Decimal(100_000)}
    return Stage("alpaca", contract, balances, "USD", RULES, AlpacaSimulator, venue)


STAGES: dict[str, Callable[[], Stage]] = {"alpaca": _alpaca}
