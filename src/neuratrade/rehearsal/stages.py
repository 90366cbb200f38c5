"""The venues that can be rehearsed: what is traded there, its simulator, and the adapters that are tried.

Adding a venue is one entry in `STAGES`: `venue` makes what takes orders, `market` what tells prices. Where
somebody else tells prices, `data` makes a simulator of that one too; it has faults of its own.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from decimal import Decimal

from msgspec.structs import replace

from neuratrade.core.model.facts import SessionMoved
from neuratrade.core.model.instrument import Instrument, InstrumentKind
from neuratrade.core.model.market import Bar
from neuratrade.core.model.venue_rules import VenueRules
from neuratrade.feeds.clock import Clock
from neuratrade.feeds.live.source import MarketSource
from neuratrade.rehearsal.faults import Troubles
from neuratrade.rehearsal.matching import MatchingEngine, Rules
from neuratrade.rehearsal.server import REHEARSAL_KEY, Credentials, Simulator
from neuratrade.venues.port import Venue

Elsewhere = str | Mapping[str, str]

MakeSimulator = Callable[[MatchingEngine, Troubles, Callable[[], int]], Simulator]
MakeVenue = Callable[[Simulator, str, Sequence[Instrument], Clock], AbstractAsyncContextManager[Venue]]
MakeMarket = Callable[[Simulator, Sequence[Instrument], Clock], AbstractAsyncContextManager[MarketSource]]
"""Its simulator is the one that tells prices."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One venue on stage. contract: what is traded. balances: what the account begins with.

    beside: what else is told of and never traded: a contract that falls silent is only known for silent where
    another goes on. data: who tells prices, where that is not the venue itself. told: makes recorded bars
    those of its market, by a seed. sessions: when that is open, as the venue tells.
    limits: of the gate, where the defaults would let not even the smallest order pass. also: what is traded
    too, with `others` to make the bars of each beside those of `contract`. rolls: what is rolled into what in
    the middle of a play, by key. by_calendar: whether sessions and rolls follow the exchanges' calendars.
    """

    name: str
    contract: Instrument
    balances: Mapping[str, Decimal]
    currency: str
    rules: VenueRules
    simulator: MakeSimulator
    venue: MakeVenue
    market: MakeMarket
    matching: Rules = field(default_factory=Rules)
    beside: Instrument | None = None
    data: MakeSimulator | None = None
    told: Callable[[Sequence[Bar], int], list[Bar]] = lambda bars, _: list(bars)
    sessions: Callable[[Venue], AsyncIterator[SessionMoved]] | None = None
    limits: Mapping[str, str] = field(default_factory=dict)
    also: tuple[Instrument, ...] = ()
    others: Callable[[Sequence[Bar]], dict[str, list[Bar]]] = lambda _: {}
    rolls: Mapping[str, str] = field(default_factory=dict)
    by_calendar: bool = False

    @property
    def traded(self) -> tuple[Instrument, ...]:
        """All that is traded."""
        return (self.contract, *self.also)

    @property
    def contracts(self) -> tuple[Instrument, ...]:
        """All that is told of, what is traded first."""
        return self.traded if self.beside is None else (*self.traded, self.beside)


def beside(contract: Instrument, base: str = "ETH") -> Instrument:
    """Another contract of the same terms."""
    return replace(contract, asset=contract.asset.replace(contract.base, base), base=base)


def _alpaca() -> Stage:
    from neuratrade.rehearsal.alpaca import AlpacaSimulator
    from neuratrade.venues.alpaca.terms import COINS

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

    balances = {"USD": Decimal(100_000)}
    return Stage(
        "alpaca",
        contract,
        balances,
        "USD",
        COINS.rules,
        AlpacaSimulator,
        _alpaca_venue,
        _alpaca_market,
        beside=beside(contract),
    )


def _alpaca_stocks() -> Stage:
    from neuratrade.rehearsal.alpaca_stocks import RULES, SPY, session_of, sessions, simulator
    from neuratrade.venues.alpaca.terms import STOCKS

    return Stage(
        "alpaca_stocks",
        SPY,
        {"USD": Decimal(100_000)},
        "USD",
        STOCKS.rules,
        simulator,
        _alpaca_venue,
        _alpaca_market,
        RULES,
        told=session_of,
        sessions=sessions,
    )


def _alpaca_market(
    simulator: Simulator, _: Sequence[Instrument], clock: Clock
) -> AbstractAsyncContextManager[MarketSource]:
    from neuratrade.rehearsal.alpaca import KEY, SECRET
    from neuratrade.venues.alpaca.market import AlpacaMarket
    from neuratrade.venues.alpaca.market_hosts import loopback
    from neuratrade.venues.alpaca.rest import Keys

    return AlpacaMarket(clock, Keys(KEY, SECRET), hosts=loopback(simulator.base))


def _alpaca_venue(
    simulator: Simulator, account_id: str, contracts: Sequence[Instrument], clock: Clock
) -> AbstractAsyncContextManager[Venue]:
    from neuratrade.rehearsal.alpaca import KEY, SECRET
    from neuratrade.venues.alpaca.rest import Keys
    from neuratrade.venues.alpaca.venue import AlpacaVenue

    # The key of a rehearsal opens nothing.
    keys = Keys(KEY, SECRET)
    return AlpacaVenue(account_id, contracts, keys, clock, simulator.base, allow_unverified=True)


def _exchange(
    simulator: MakeSimulator, name: str, contract: Instrument, matching: Rules, keys: Credentials
) -> Stage:
    """A stage whose adapter is that of ccxt. Raises UsageError where ccxt is not installed."""
    from neuratrade.venues.ccxt.dialects import dialect_of
    from neuratrade.venues.ccxt.exchange import Keys
    from neuratrade.venues.ccxt.lazy import exchange_class
    from neuratrade.venues.ccxt.market import CcxtMarket
    from neuratrade.venues.ccxt.venue import CcxtVenue

    exchange_class(name, streams=True)

    def venue(
        simulator: Simulator, account_id: str, contracts: Sequence[Instrument], clock: Clock
    ) -> AbstractAsyncContextManager[Venue]:
        given = Keys(keys.key, keys.secret, keys.passphrase)
        return CcxtVenue(account_id, name, contracts, given, clock, elsewhere=_hosts(simulator))

    def market(
        simulator: Simulator, _: Sequence[Instrument], clock: Clock
    ) -> AbstractAsyncContextManager[MarketSource]:
        return CcxtMarket(name, clock, elsewhere=_hosts(simulator))

    rules = dialect_of(name).rules
    balances = {contract.quote: Decimal(100_000)}
    return Stage(
        name,
        contract,
        balances,
        contract.quote,
        rules,
        simulator,
        venue,
        market,
        matching,
        beside(contract),
    )


def _hosts(simulator: Simulator) -> Elsewhere:
    found: Elsewhere = getattr(simulator, "hosts", f"127.0.0.1:{simulator.port}")
    return found


def _spot(venue: str, quote: str, lot: str, least: str, bps: tuple[int, int], *, in_base: bool) -> Instrument:
    return Instrument(
        f"BTC/{quote}",
        venue,
        InstrumentKind.SPOT,
        "BTC",
        quote,
        tick=Decimal("0.1"),
        lot=Decimal(lot),
        min_quantity=Decimal(lot),
        min_notional=Decimal(least),
        maker_fee_bps=Decimal(bps[0]),
        taker_fee_bps=Decimal(bps[1]),
        fee_in_base=in_base,
    )


def _binance() -> Stage:
    from neuratrade.rehearsal.binance_spot import KEY, RULES, SECRET, BinanceSpotSimulator

    contract = replace(_spot("binance", "USDT", "0.00001", "5", (10, 10), in_base=True), tick=Decimal("0.01"))
    return _exchange(BinanceSpotSimulator, "binance", contract, RULES, Credentials(KEY, SECRET))


def _binanceusdm() -> Stage:
    from neuratrade.rehearsal.binance_usdm import RULES, BinanceUsdm

    contract = Instrument(
        "BTC/USDT:USDT",
        "binanceusdm",
        InstrumentKind.PERPETUAL,
        "BTC",
        "USDT",
        tick=Decimal("0.1"),
        lot=Decimal("0.001"),
        min_quantity=Decimal("0.001"),
        min_notional=Decimal(5),
        maker_fee_bps=Decimal(2),
        taker_fee_bps=Decimal(5),
        initial_margin=Decimal("0.05"),
        maintenance_margin=Decimal("0.025"),
    )
    return _exchange(BinanceUsdm, "binanceusdm", contract, RULES, REHEARSAL_KEY)


def _kraken() -> Stage:
    from neuratrade.rehearsal.kraken import RULES, Kraken

    contract = replace(
        _spot("kraken", "USD", "0.00000001", "0.5", (25, 40), in_base=False), min_quantity=Decimal("0.00005")
    )
    return _exchange(Kraken, "kraken", contract, RULES, REHEARSAL_KEY)


def _okx() -> Stage:
    from neuratrade.rehearsal.okx import RULES, Okx

    contract = _spot("okx", "USDT", "0.00000001", "1", (8, 10), in_base=True)
    contract = replace(contract, min_quantity=Decimal("0.00001"))
    return _exchange(Okx, "okx", contract, RULES, REHEARSAL_KEY)


def _tradovate() -> Stage:
    """Orders at Tradovate, prices by Openfeed. Raises UsageError where its message classes are missing."""
    from neuratrade.rehearsal import futures

    return _futures("tradovate", futures.openfeed_market, futures.openfeed_simulator)


def _barchart() -> Stage:
    """The same account, on prices by DDF over JERQ."""
    from neuratrade.rehearsal import futures

    return _futures("barchart", futures.jerq_market, futures.jerq_simulator)


def _futures(name: str, market: MakeMarket, data: MakeSimulator) -> Stage:
    from neuratrade.rehearsal import futures
    from neuratrade.rehearsal.tradovate import RULES
    from neuratrade.venues.tradovate.venue import RULES as KEPT

    return Stage(
        name,
        futures.ES,
        {"USD": Decimal(2_000_000)},
        "USD",
        KEPT,
        futures.venue_simulator,
        futures.venue,
        market,
        RULES._replace(trades=futures.trades),
        beside=futures.NQ,
        data=data,
        told=futures.told,
        also=futures.ALSO,
        others=futures.others,
        rolls=futures.ROLLS,
        by_calendar=True,
        # One contract is worth more than all that the defaults, made for coins, let be held.
        limits={"order_usd": "4000000", "total_usd": "4000000"},
    )


STAGES: dict[str, Callable[[], Stage]] = {
    "alpaca": _alpaca,
    "alpaca_stocks": _alpaca_stocks,
    "binance": _binance,
    "binanceusdm": _binanceusdm,
    "kraken": _kraken,
    "okx": _okx,
    "tradovate": _tradovate,
    "barchart": _barchart,
}
