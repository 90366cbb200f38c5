"""All markets as the engine sees them now: prices, marks, conversions, and how far they can be trusted.

Volatile: a restart builds it anew from history and from what comes.
"""

from decimal import Decimal
from typing import NamedTuple

from neuratrade.core.engine.config import EngineConfig
from neuratrade.core.engine.market import MarketView
from neuratrade.core.engine.outliers import PriceFilter
from neuratrade.core.engine.state import AccountState, instrument_of_position
from neuratrade.core.model.decimals import ONE
from neuratrade.core.model.events import MarkSeen, RateSeen, VenueHealth
from neuratrade.core.model.instrument import InstrumentKind
from neuratrade.core.model.market import NS_PER_MINUTE, Quote, Trade

VENUE_MARK_AGE_NS = NS_PER_MINUTE


class Rate(NamedTuple):
    """A conversion with its source: `value` of one currency per unit of another, as of `at_ns`."""

    value: Decimal
    at_ns: int
    source: str


class Markets:
    """One view an instrument, and what lies between them."""

    def __init__(self, config: EngineConfig) -> None:
        self.views = {key: MarketView(item, config) for key, item in config.instruments.items()}
        self._filter = PriceFilter()
        self._venue_marks: dict[str, MarkSeen] = {}
        self._rates: dict[tuple[str, str], Rate] = {}
        self._degraded: set[str] = set()

    def see_quote(self, quote: Quote) -> bool:
        """Takes a quote; False where its price is held back as an outlier."""
        mid = quote.mid
        if mid is not None and not self._filter.believes(quote.instrument, mid, quote.at_ns):
            return False
        self.views[quote.instrument].see_quote(quote)
        return True

    def see_trade(self, trade: Trade, at_ns: int) -> None:
        """Takes a traded price."""
        if self._filter.believes(trade.instrument, trade.price, at_ns):
            self.views[trade.instrument].see_price(trade.price, at_ns)

    def see_mark(self, event: MarkSeen) -> None:
        """Takes a venue's mark price."""
        self._venue_marks[event.instrument] = event

    def see_rate(self, event: RateSeen) -> None:
        """Takes a conversion rate."""
        self._rates[event.currency, event.into] = Rate(event.rate, event.at_ns, event.source)

    def see_health(self, event: VenueHealth) -> None:
        """Takes word of how well a venue answers."""
        if event.degraded:
            self._degraded.add(event.venue)
        else:
            self._degraded.discard(event.venue)

    def is_degraded(self, instrument: str) -> bool:
        """Whether the venue or the feed of an instrument is in trouble."""
        view = self.views[instrument]
        return view.stalled or view.instrument.venue in self._degraded

    def doubts(self, instrument: str) -> bool:
        """Whether the newest price is held back as an outlier."""
        return self._filter.held_back(instrument) is not None

    def held_back(self, instrument: str) -> Decimal | None:
        """The newest price where it is held back as an outlier, quote currency per unit."""
        return self._filter.held_back(instrument)

    def price_of(self, instrument: str) -> Decimal | None:
        """Last believed price, quote currency per unit."""
        view = self.views.get(instrument)
        return None if view is None else view.price

    def marks(self, accounts: dict[str, AccountState], now_ns: int) -> dict[str, Decimal]:
        """Price of every held position for valuing it, by position key; without those that have none."""
        prices: dict[str, Decimal] = {}
        for account in accounts.values():
            for key, position in account.positions.items():
                if position.quantity:
                    price = self.mark_of(instrument_of_position(key), position.quantity, now_ns)
                    if price is not None:
                        prices[key] = price
        return prices

    def mark_of(self, instrument: str, quantity: Decimal, now_ns: int) -> Decimal | None:
        """What a signed holding is valued at, quote currency per unit.

        Perpetuals at the venue's own mark, others and those without a fresh one by their book.
        """
        view = self.views.get(instrument)
        if view is None:
            return None
        mark = self._venue_marks.get(instrument)
        fresh = mark is not None and now_ns - mark.at_ns <= VENUE_MARK_AGE_NS
        if mark is not None and fresh and view.instrument.kind is InstrumentKind.PERPETUAL:
            return mark.price
        return view.mark_for(quantity)

    def is_stale(self, instrument: str, at_ns: int, age_ns: int) -> bool:
        """Whether the price of an instrument is too old, or not believed, to judge a fall by."""
        view = self.views[instrument]
        return view.stalled or self.doubts(instrument) or at_ns - view.price_ns > age_ns

    def rate(self, currency: str, into: str) -> Rate | None:
        """What a currency is worth in another: as told, else from a market that trades one for the other."""
        if currency == into:
            return Rate(ONE, 2**63, "identity")
        told = self._rates.get((currency, into))
        if told is not None:
            return told
        for view in self.views.values():
            contract = view.instrument
            if contract.base == currency and contract.quote == into and view.price is not None:
                return Rate(view.price, view.price_ns, contract.key)
        return None

    def rates_of(self, account: AccountState) -> "AccountRates":
        """Account currency per unit of every other currency the account has."""
        return AccountRates(self, account)


class AccountRates:
    """The rates of one account's currencies, each looked for when it is asked for: mostly none is."""

    __slots__ = ("_account", "_markets")

    def __init__(self, markets: Markets, account: AccountState) -> None:
        self._markets = markets
        self._account = account

    def get(self, currency: str) -> Decimal | None:
        """Account currency per unit; None when it is not known, or the account never had any."""
        if currency not in self._account.balances:
            return None
        found = self._markets.rate(currency, self._account.account.currency)
        return None if found is None else found.value
