"""Futures on stage: orders at the simulated Tradovate, prices by the simulated Barchart.

The market is the recorded one of October 2013, told as that of the same weekday and hour 678 weeks later, so
that sessions and daylight saving are as they were; the contracts are those of December 2026. Venue and feed
are two simulators with faults of their own.
"""

import random
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from decimal import Decimal
from functools import cache
from pathlib import Path

from aiohttp import web
from msgspec.structs import replace

from neuratrade.core.model.futures import Contract, instrument_of
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.market import NS_PER_DAY, Bar
from neuratrade.feeds.barchart.jerq import JerqLogin, JerqTransport
from neuratrade.feeds.barchart.market import BarchartMarket
from neuratrade.feeds.barchart.ondemand import OnDemand
from neuratrade.feeds.barchart.openfeed import Login, OpenfeedTransport
from neuratrade.feeds.barchart.symbols import barchart_symbol
from neuratrade.feeds.barchart.transport import BarchartTransport
from neuratrade.feeds.catalogue import Catalogue
from neuratrade.feeds.clock import Clock
from neuratrade.feeds.layout import SeriesKind
from neuratrade.feeds.live.source import MarketSource
from neuratrade.rehearsal import jerq, jerq_words, openfeed
from neuratrade.rehearsal.faults import Act, Troubles
from neuratrade.rehearsal.jerq import JerqSimulator
from neuratrade.rehearsal.matching import MatchingEngine
from neuratrade.rehearsal.ondemand import OnDemand as History
from neuratrade.rehearsal.openfeed import OpenfeedSimulator
from neuratrade.rehearsal.server import Simulator
from neuratrade.rehearsal.tradovate import KEY, Tradovate
from neuratrade.rehearsal.tradovate_hours import ExchangeHours
from neuratrade.venues.port import Venue
from neuratrade.venues.tradovate.login import Credentials
from neuratrade.venues.tradovate.venue import TradovateVenue

LATER_NS = 678 * 7 * NS_PER_DAY
"""From the recorded days to those of the play."""
YEAR = 2026
COMMISSION = Decimal("2.25")
INITIAL_MARGIN, MAINTENANCE_MARGIN = Decimal("0.06"), Decimal("0.055")


def contract(code: str, year: int = YEAR, month: int = 12) -> Instrument:
    """A contract at Tradovate, at round costs and margins."""
    return instrument_of(
        Contract(code, year, month),
        "tradovate",
        commission=COMMISSION,
        initial_margin=INITIAL_MARGIN,
        maintenance_margin=MAINTENANCE_MARGIN,
    )


ES, GC, NQ = contract("ES"), contract("GC"), contract("NQ")
NEXT_ES, NEXT_GC = contract("ES", YEAR + 1, 3), contract("GC", YEAR + 1, 2)
ALSO = (GC, NEXT_ES, NEXT_GC)
ROLLS = {ES.key: NEXT_ES.key, GC.key: NEXT_GC.key}
BASIS = {NEXT_ES.key: Decimal("-6.50"), NEXT_GC.key: Decimal("0.60")}
"""What the next contract trades above the front one. Nothing of it was recorded: it is the front moved."""


@cache
def _recorded(code: str) -> tuple[Bar, ...]:
    dataset = Catalogue(Path()).open("futures")
    series = next(
        item
        for item in dataset.series
        if item.kind is SeriesKind.BARS and dataset.instrument(item.instrument).base == code
    )
    return tuple(event for event in series.events() if isinstance(event, Bar))


def told(bars: Sequence[Bar], seed: int) -> list[Bar]:
    """As many recorded minutes of ES, from a place drawn by the seed."""
    known = _recorded("ES")
    dice = random.Random(f"futures {seed}")  # noqa: S311 - a place is drawn, not kept secret
    first = dice.randrange(len(known) - len(bars))
    found = known[first : first + len(bars)]
    return [_moved(bar, ES) for bar in found]


def others(bars: Sequence[Bar]) -> dict[str, list[Bar]]:
    """The same minutes of gold, and of the next contracts of both."""
    begin_ns, end_ns = bars[0].open_ns, bars[-1].close_ns
    gold = [_moved(bar, GC) for bar in _recorded("GC") if begin_ns <= bar.open_ns + LATER_NS < end_ns]
    after = {item.key: item for item in ALSO}
    fronts = {ES.key: bars, GC.key: gold}
    found = {GC.key: gold}
    for old, new in ROLLS.items():
        found[new] = [_above(bar, after[new], BASIS[new]) for bar in fronts[old]]
    return found


def _moved(bar: Bar, item: Instrument) -> Bar:
    return replace(bar, instrument=item.key, open_ns=bar.open_ns + LATER_NS)


def _above(bar: Bar, item: Instrument, basis: Decimal) -> Bar:
    open_, high, low, close = (price + basis for price in (bar.open, bar.high, bar.low, bar.close))
    return replace(bar, instrument=item.key, open=open_, high=high, low=low, close=close)


_HOURS = ExchangeHours()


def trades(_: Instrument, at_ns: int) -> bool:
    """Whether the exchange is open, for its matching engine."""
    return _HOURS.is_open(at_ns)


def venue_simulator(engine: MatchingEngine, troubles: Troubles, now_ns: Callable[[], int]) -> Simulator:
    """Tradovate, with the exchange's own hours."""
    return Tradovate(engine, troubles, now_ns, hours=_HOURS)


def venue(
    simulator: Simulator, account_id: str, contracts: Sequence[Instrument], clock: Clock
) -> AbstractAsyncContextManager[Venue]:
    """The adapter, with a login that opens nothing."""
    given = Credentials(KEY.key, KEY.passphrase, 1, KEY.secret, "rehearsal")
    return TradovateVenue(account_id, contracts, given, clock, simulator.base, allow_unverified=True)


def _symbols(engine: MatchingEngine, now_ns: Callable[[], int]) -> dict[str, str]:
    return {barchart_symbol(item.asset, now_ns()): key for key, item in engine.contracts.items()}


def openfeed_simulator(engine: MatchingEngine, troubles: Troubles, now_ns: Callable[[], int]) -> Simulator:
    """Openfeed's gateway, with OnDemand on the same port."""
    return OpenfeedSimulator(engine, troubles, now_ns, _symbols(engine, now_ns))


def openfeed_market(
    simulator: Simulator, _: Sequence[Instrument], clock: Clock
) -> AbstractAsyncContextManager[MarketSource]:
    """Prices by Openfeed."""
    login = Login(openfeed.USERNAME, openfeed.PASSWORD, "")
    return _market(OpenfeedTransport(clock, login, url=f"{simulator.ws_base}/ws"), simulator, clock)


class _Jerq(JerqSimulator):
    """JERQ, with OnDemand beside it."""

    def __init__(self, engine: MatchingEngine, troubles: Troubles, now_ns: Callable[[], int]) -> None:
        listed = {
            key: (jerq_words.gold if item.base == "GC" else jerq_words.es)(item.asset)
            for key, item in engine.contracts.items()
        }
        super().__init__(engine, troubles, now_ns, listed, torn=1)
        self._history = History(
            engine, self.tape, lambda: self.now_ns, _symbols(engine, now_ns), openfeed.APIKEY
        )

    def routes(self) -> list[web.RouteDef]:
        """The stream, and the past."""
        return [*super().routes(), *self._history.routes()]

    def act_of(self, request: web.Request) -> Act:
        """Nothing here takes orders."""
        return Act.HISTORY if request.path == "/getHistory.json" else Act.DATA


def jerq_simulator(engine: MatchingEngine, troubles: Troubles, now_ns: Callable[[], int]) -> Simulator:
    """JERQ, its frames torn, with OnDemand on the same port."""
    return _Jerq(engine, troubles, now_ns)


def jerq_market(
    simulator: Simulator, _: Sequence[Instrument], clock: Clock
) -> AbstractAsyncContextManager[MarketSource]:
    """Prices by DDF over JERQ."""
    transport = JerqTransport(simulator.ws_base, JerqLogin(jerq.USER, jerq.PASSWORD, ""), clock)
    return _market(transport, simulator, clock)


def _market(transport: BarchartTransport, simulator: Simulator, clock: Clock) -> BarchartMarket:
    history = OnDemand(openfeed.APIKEY, transport.tally, url=simulator.base)
    return BarchartMarket(transport, clock, history=history)
