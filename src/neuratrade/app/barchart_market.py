"""Barchart as a venue of live data: futures and spot gold on its prices, traded on paper.

Barchart takes no orders and states no terms: what a contract costs to trade and ties up here are assumptions,
round and on the dear side. An index such as VIX has prices and nobody trades it, so it is refused here.
"""

import os
from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal

from neuratrade.core.model.errors import UsageError
from neuratrade.core.model.futures import (
    PRODUCTS,
    Contract,
    contract_of,
    front_month,
    instrument_of,
)
from neuratrade.core.model.instrument import Instrument, InstrumentKind
from neuratrade.feeds.barchart.jerq import JerqLogin, JerqTransport
from neuratrade.feeds.barchart.market import NAME, BarchartMarket
from neuratrade.feeds.barchart.ondemand import URL as ONDEMAND
from neuratrade.feeds.barchart.ondemand import OnDemand
from neuratrade.feeds.barchart.openfeed import URL as OPENFEED
from neuratrade.feeds.barchart.openfeed import Login, OpenfeedTransport
from neuratrade.feeds.barchart.symbols import SPELLED
from neuratrade.feeds.barchart.transport import BarchartTransport
from neuratrade.feeds.calendars import TradingCalendar, is_business_day
from neuratrade.feeds.clock import Clock
from neuratrade.feeds.contracts import flat_by_ns
from neuratrade.feeds.live.feed import MakeSource

COMMISSION = Decimal("2.50")
"""USD per contract and side, assumed."""
INITIAL_MARGIN, MAINTENANCE_MARGIN = Decimal("0.10"), Decimal("0.09")
"""Fractions of notional, assumed."""
GOLD = ("XAUUSD", "XAU/USD")
NEEDS_LOGIN = (
    "Barchart tells prices only to who has an account of its market data: give BARCHART_USERNAME and "
    "BARCHART_PASSWORD (or BARCHART_JWT), and BARCHART_APIKEY of OnDemand for the minutes of before"
)


def barchart_source(clock: Clock, host: str, note: Callable[[str], None]) -> MakeSource:
    """Connects to Barchart with what the environment names: over JERQ where it names a host of that, else
    over Openfeed. host: a simulator's `127.0.0.1:PORT` instead.

    Raises UsageError where no login is given, or Openfeed's message classes are not installed.
    """
    login = Login(
        os.environ.get("BARCHART_USERNAME", ""),
        os.environ.get("BARCHART_PASSWORD", ""),
        os.environ.get("BARCHART_JWT", ""),
    )
    if not (login.jwt or (login.username and login.password)):
        raise UsageError(NEEDS_LOGIN)
    apikey = os.environ.get("BARCHART_APIKEY", "")
    stream, rest = (f"ws://{host}/ws", f"http://{host}") if host else (OPENFEED, ONDEMAND)
    jerq = os.environ.get("BARCHART_JERQ_HOST", "")

    def make() -> BarchartMarket:
        transport: BarchartTransport
        if jerq:
            older = JerqLogin(login.username, login.password, login.jwt)
            transport = JerqTransport(jerq, older, clock, note)
        else:
            transport = OpenfeedTransport(clock, login, url=stream, note=note)
        history = OnDemand(apikey, transport.tally, url=rest) if apikey else None
        return BarchartMarket(
            transport, clock, history=history, describe=lambda symbols: contracts_of(symbols, clock.now_ns())
        )

    make()
    return make


def contracts_of(symbols: Sequence[str], now_ns: int) -> tuple[Instrument, ...]:
    """What symbols are: `ES` its front month now, `ESZ6` that contract, `XAUUSD` spot gold.

    Raises UsageError for what cannot be traded.
    """
    found = (_contract(symbol.strip().upper(), now_ns) for symbol in symbols)
    return tuple({item.key: item for item in found}.values())


def _contract(symbol: str, now_ns: int) -> Instrument:
    if symbol in GOLD:
        return _gold()
    if symbol in SPELLED:
        raise UsageError(f"{symbol} is an index: it has prices and nobody trades it; its futures could be")
    code = next((code for code in PRODUCTS if symbol == code), "")
    if not code:
        today = _exchange_day(symbol, now_ns)
        return _future(contract_of(symbol, today))
    today = TradingCalendar(PRODUCTS[code].calendar).day_of(now_ns)
    return _future(front_month(code, today, is_business_day))


def _exchange_day(symbol: str, now_ns: int) -> date:
    code = next((code for code in sorted(PRODUCTS, key=len, reverse=True) if symbol.startswith(code)), "ES")
    return TradingCalendar(PRODUCTS[code].calendar).day_of(now_ns)


def _future(contract: Contract) -> Instrument:
    return instrument_of(
        contract,
        NAME,
        commission=COMMISSION,
        initial_margin=INITIAL_MARGIN,
        maintenance_margin=MAINTENANCE_MARGIN,
        flat_by_ns=flat_by_ns(contract),
    )


def _gold() -> Instrument:
    ounce = Decimal("0.01")
    return Instrument(
        "XAUUSD", NAME, InstrumentKind.SPOT, "XAU", "USD",
        tick=Decimal("0.01"), lot=ounce, min_quantity=ounce, min_notional=Decimal(1),
    )  # fmt: skip
