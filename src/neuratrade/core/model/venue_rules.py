"""What a venue can do, as far as brackets depend on it. Adapters state it; contract tests hold them to it."""

from decimal import Decimal

import msgspec

from neuratrade.core.model.market import NS_PER_SECOND


class VenueRules(msgspec.Struct, frozen=True):
    """How protection and exits are expressed at one venue.

    stop_market, stop_limit: stop types that rest there; with neither, stops are watched here and downtime
    counts as unprotected. amends_stops: a working stop can be moved and resized in place. balance_lock: a
    second exit is refused while one rests, so a resize without amend has to cancel first. stop_limit_offset:
    how far beyond its trigger a stop-limit's limit lies, fraction of the price. escalate_ns: how long a
    triggered stop-limit may stay unfilled. exit_collars: how far from the last price an exit may be filled,
    fraction, attempt by attempt; after the last one, and where there are none, exits go at market.
    sells_only_what_is_held: the venue itself lets nobody sell a coin that the account has not, nor flip a
    derivative by an order that reduces; so of two exits for one holding only one can be filled.
    """

    stop_market: bool = True
    stop_limit: bool = False
    amends_stops: bool = True
    balance_lock: bool = False
    sells_only_what_is_held: bool = False
    stop_limit_offset: Decimal = Decimal("0.005")
    escalate_ns: int = 2 * NS_PER_SECOND
    exit_collars: tuple[Decimal, ...] = (Decimal("0.005"), Decimal("0.01"), Decimal("0.02"), Decimal("0.05"))

    @property
    def rests_stops(self) -> bool:
        """Whether any stop type rests at the venue."""
        return self.stop_market or self.stop_limit


PAPER_RULES = VenueRules(exit_collars=())
"""The paper venue: it takes every order type, and its fills already carry their slippage."""
