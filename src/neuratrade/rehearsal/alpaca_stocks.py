"""A stock at Alpaca as it is rehearsed: a margin account, sessions, and recorded bars told as those of it.

No recorded market of stocks is shipped: the bars of the shipped coin are moved into a session and scaled to
the price of a share, what is traded of it likewise. So fills and prices are plausible, not those of a stock.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from datetime import date, time
from decimal import Decimal

from msgspec.structs import replace

from neuratrade.core.model.facts import SessionMoved
from neuratrade.core.model.instrument import Instrument, InstrumentKind
from neuratrade.core.model.market import NS_PER_MINUTE, Bar
from neuratrade.rehearsal.alpaca import AlpacaSimulator
from neuratrade.rehearsal.alpaca_calendar import Calendar, hours
from neuratrade.rehearsal.faults import Troubles
from neuratrade.rehearsal.matching import MatchingEngine, Rules
from neuratrade.venues.alpaca.venue import AlpacaVenue
from neuratrade.venues.port import Venue

SPY = Instrument(
    "SPY",
    "alpaca",
    InstrumentKind.EQUITY,
    "SPY",
    "USD",
    tick=Decimal("0.01"),
    lot=Decimal(1),
    min_quantity=Decimal(1),
    min_notional=Decimal(1),
)
CALENDAR = Calendar()
RULES = Rules(lends=True, trades=CALENDAR.trades)
A_SHARE = Decimal(250)
"""What a share costs when bars begin, dollars."""
A_DAY = date(2026, 11, 18)
CROSSES_EVERY = 5
"""Of so many seeds one has the market close while it is played."""
BEFORE_THE_END = 25
"""Of its bars, how many minutes before the last one the market then closes."""


def simulator(engine: MatchingEngine, troubles: Troubles, now_ns: Callable[[], int]) -> AlpacaSimulator:
    """The venue with its sessions."""
    return AlpacaSimulator(engine, troubles, now_ns, CALENDAR)


def sessions(venue: Venue) -> AsyncIterator[SessionMoved]:
    """When the adapter says that its stocks are traded."""
    if not isinstance(venue, AlpacaVenue):
        raise TypeError(f"a {type(venue).__name__} tells no sessions")
    return venue.sessions()


def session_of(bars: Sequence[Bar], seed: int) -> list[Bar]:
    """Bars moved into a session, or across its end for some seeds, at the price of a share."""
    session = hours(A_DAY, time(9, 30), time(16, 0))
    if seed % CROSSES_EVERY:
        begin_ns = session.open_ns + 60 * NS_PER_MINUTE * (seed % CROSSES_EVERY)
    else:
        begin_ns = session.close_ns - (len(bars) - BEFORE_THE_END) * NS_PER_MINUTE
    scale, late_ns = A_SHARE / bars[0].open, begin_ns - bars[0].open_ns

    def price(value: Decimal) -> Decimal:
        return SPY.round_price(value * scale)

    return [
        replace(
            bar,
            open_ns=bar.open_ns + late_ns,
            open=price(bar.open),
            high=price(bar.high),
            low=price(bar.low),
            close=price(bar.close),
            volume=SPY.round_quantity(bar.volume / scale),
        )
        for bar in bars
    ]
