"""What Alpaca can do for coins and for stocks, and how brackets are kept there.

One account trades both, but one adapter only one of them: the desk knows one set of rules a venue.
Stocks: a stop without a limit rests, over night too; one to buy is given a limit by the venue, 2.5 % above
(4 % below 50 dollars). In a margin account what is sold and not there is sold short, so two exits could both
be filled. A replacement is another order under another id, its success proves nothing, and how partial fills
are split between the two is not told: a stop is cancelled, then placed.
Source: docs.alpaca.markets/docs/orders-at-alpaca, /docs/crypto-orders, as of 2026.
"""

from collections.abc import Sequence
from typing import NamedTuple

from neuratrade.core.model.errors import UsageError
from neuratrade.core.model.instrument import Instrument, InstrumentKind
from neuratrade.core.model.orders import OrderType
from neuratrade.core.model.venue_rules import VenueRules
from neuratrade.venues.limiter import Budget
from neuratrade.venues.port import Capabilities, NativeExit

BUDGET = Budget(requests=200, seconds=60.0, kept=60)
"""Requests a minute and account."""
COMES_WITHIN_S = 5.0


class Terms(NamedTuple):
    """Of one kind of contract."""

    rules: VenueRules
    capabilities: Capabilities


COINS = Terms(
    VenueRules(
        stop_market=False,
        stop_limit=True,
        amends_stops=False,
        balance_lock=True,
        sells_only_what_is_held=True,
    ),
    Capabilities(
        frozenset({OrderType.MARKET, OrderType.LIMIT, OrderType.STOP_LIMIT}),
        amends=False,
        settle_s=COMES_WITHIN_S,
        rate=BUDGET,
    ),
)
STOCKS = Terms(
    VenueRules(stop_market=True, stop_limit=True, amends_stops=False, balance_lock=True),
    Capabilities(
        frozenset(OrderType),
        amends=False,
        settle_s=COMES_WITHIN_S,
        native_exits=frozenset(NativeExit),
        rate=BUDGET,
    ),
)
OF_KIND = {InstrumentKind.SPOT: COINS, InstrumentKind.EQUITY: STOCKS}


def terms_of(contracts: Sequence[Instrument]) -> Terms:
    """Those of contracts of one kind, of coins where there are none. Raises UsageError for others."""
    kinds = {item.kind for item in contracts} or {InstrumentKind.SPOT}
    if len(kinds) > 1 or not kinds <= set(OF_KIND):
        said = ", ".join(sorted(kinds))
        raise UsageError(f"an adapter of Alpaca trades either coins or stocks (spot or equity); got {said}")
    return OF_KIND[kinds.pop()]
