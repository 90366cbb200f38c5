"""All markets as the engine sees them now: prices, marks, conversions, and how far they can be trusted.

Volatile: a restart builds it anew from history and from what comes.
"""

from decimal import Decimal
from typing import NamedTuple

from neuratrade.core.engine.config import EngineConfig
from neuratrade.core.engine.market import MarketView
from neuratrade.core.engine.outliers import PriceFilter
from neuratrade.core.engine.state import AccountState, instrument_of_position
from neuratrade.core.engine.terms import level
from neuratrade.core.model.decimals import ONE, ZERO
from neuratrade.core.model.events import MarkSeen, RateSeen, VenueHealth
from neuratrade.core.model.facts import ActionKind, CorporateActed
from neuratrade.core.model.instrument import Instrument, InstrumentKind
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
        self._config = config
        self.views = {key: MarketView(item, config) for key, item in config.instruments.items()}
        self._filter = PriceFilter()
        self._venue_marks: dict[str, MarkSeen] = {}
        self._rates: dict[tuple[str, str], Rate] = {}
        self._degraded: set[str] = set()

    def follow(self, contract: Instrument) -> None:
        """Looks at a contract from now on, with the terms it has now."""
        view = self.views.get(contract.key)
        if view is None:
            self.views[contract.key] = MarketView(contract, self._config)
        else:
            view.instrument = contract

    def act(self, action: CorporateActed, contract: Instrument) -> None:
        """A corporate action: prices go on in its terms. contract: what is traded from now on.

        What was reckoned from the prices before a split, or of another contract, says nothing about those to
        come: indicators and regime begin anew, and until they are warm nothing is entered.
        """
        before = self.views[action.instrument]
        view = before
        if action.kind is not ActionKind.DIVIDEND:
            known = self.views.get(contract.key) if action.successor is not None else None
            if known is not None and known.price is not None:
                return
            view = self.views[contract.key] = MarketView(contract, self._config)
        seen = (before.price, before.bid, before.ask)
        price, bid, ask = (None if item is None else level(action, item) for item in seen)
        view.begin_at(price, bid, ask, before.price_ns)
        view.stalled = before.stalled
        self._filter.forget(action.instrument)
        self._venue_marks.pop(action.instrument, None)

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

    def conversions(self, account: AccountState) -> list[Rate | None]:
        """Every conversion that an account's equity needs; None for one that nobody knows."""
        home = account.account.currency
        return [self.rate(currency, home) for currency in self._currencies(account)]

    def converts_stale(self, account: AccountState, at_ns: int, age_ns: int) -> bool:
        """Whether any conversion that an account's equity needs is too old to judge a fall by."""
        needed = self.conversions(account)
        return any(rate is None or at_ns - rate.at_ns > age_ns for rate in needed)

    def rate(self, currency: str, into: str) -> Rate | None:
        """What a currency is worth in another: as told, else from a market that trades one for the other."""
        if currency == into:
            return Rate(ONE, 2**63, "identity")
        told = self._rates.get((currency, into))
        if told is not None:
            return told
        for view in self.views.values():
            contract = view.instrument
            if not view.price:
                continue
            if (contract.base, contract.quote) == (currency, into):
                return Rate(view.price, view.price_ns, contract.key)
            if (contract.quote, contract.base) == (currency, into) and not contract.is_derivative:
                return Rate(ONE / view.price, view.price_ns, contract.key)
        return None

    def value_of_one(self, currency: str, into: str) -> Decimal | None:
        """What one unit of a currency is worth in another, or None."""
        found = self.rate(currency, into)
        return None if found is None else found.value

    def rates_of(self, account: AccountState) -> "AccountRates":
        """Account currency per unit of every other currency the account has."""
        return AccountRates(self, account)

    def _currencies(self, account: AccountState) -> set[str]:
        """Currencies but its own in which an account has cash, or holds something that is quoted in them."""
        home = account.account.currency
        found = set(account.unrated)
        owned: dict[str, Decimal] = {}
        for key, position in account.positions.items():
            view = self.views.get(instrument_of_position(key)) if position.quantity else None
            if view is not None:
                contract = view.instrument
                found.add(contract.quote)
                if not contract.is_derivative:
                    # Units held through a position are valued with it, at its own price.
                    owned[contract.base] = owned.get(contract.base, ZERO) + position.quantity
        for currency, amount in account.balances.items():
            if currency != home and amount != owned.get(currency, ZERO):
                found.add(currency)
        found.discard(home)
        return found


class AccountRates:
    """The rates of one account's currencies, each looked for when it is asked for: mostly none is."""

    __slots__ = ("_account", "_markets")

    def __init__(self, markets: Markets, account: AccountState) -> None:
        self._markets = markets
        self._account = account

    def get(self, currency: str) -> Decimal | None:
        """Account currency per unit; None when it is not known."""
        return self._markets.value_of_one(currency, self._account.account.currency)
