"""Futures: products, the names of their contracts, when each is the front one, and until when it may be held.

Date arithmetic alone; which days are business days is passed in, since holidays are data. Nothing here is
ever held into delivery or to expiry: `flat_by` is before the first notice of what is delivered, and before
the last day of what is settled in cash. Months, ticks, multipliers and rules of expiry: CME Group's contract
specifications.
"""

import re
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum

import msgspec

from neuratrade.core.model.errors import UsageError
from neuratrade.core.model.instrument import Instrument, InstrumentKind

IsBusinessDay = Callable[[date], bool]

MONTH_CODES = "FGHJKMNQUVXZ"
"""January to December."""
_SYMBOL = re.compile(rf"([A-Z0-9]{{1,4}}?)([{MONTH_CODES}])(\d{{1,2}})")
_FRIDAY = 4
_YEARS_AHEAD = 8
"""How far ahead of today a one-digit year may lie; it means the past otherwise."""


class Settlement(StrEnum):
    """What a contract becomes at its end."""

    CASH = "cash"
    DELIVERY = "delivery"


class Product(msgspec.Struct, frozen=True):
    """What contracts of one kind have in common.

    code: root of the symbol. exchange: where it is listed. calendar: name of its trading calendar
    (`feeds.calendars`). multiplier: quote currency per point. months: codes of those that are actively
    traded.
    """

    code: str
    name: str
    exchange: str
    calendar: str
    tick: Decimal
    multiplier: Decimal
    months: str
    settlement: Settlement


def _product(code: str, name: str, tick: str, multiplier: str, *, metal: bool) -> Product:
    exchange, calendar = ("COMEX", "COMEX metals") if metal else ("CME", "CME equity index")
    months, settlement = ("GJMQVZ", Settlement.DELIVERY) if metal else ("HMUZ", Settlement.CASH)
    return Product(code, name, exchange, calendar, Decimal(tick), Decimal(multiplier), months, settlement)


PRODUCTS = {
    item.code: item
    for item in (
        _product("ES", "E-mini S&P 500", "0.25", "50", metal=False),
        _product("MES", "Micro E-mini S&P 500", "0.25", "5", metal=False),
        _product("NQ", "E-mini Nasdaq-100", "0.25", "20", metal=False),
        _product("MNQ", "Micro E-mini Nasdaq-100", "0.25", "2", metal=False),
        _product("GC", "Gold", "0.10", "100", metal=True),
        _product("MGC", "Micro gold", "0.10", "10", metal=True),
    )
}


class Contract(msgspec.Struct, frozen=True, order=True):
    """One contract of a product. month: 1 to 12. Contracts sort by product, then by time."""

    code: str
    year: int
    month: int

    @property
    def product(self) -> Product:
        """Its product."""
        return PRODUCTS[self.code]

    @property
    def symbol(self) -> str:
        """With one digit of the year, as venues write it: `ESZ6`."""
        return f"{self.code}{MONTH_CODES[self.month - 1]}{self.year % 10}"

    @property
    def long_symbol(self) -> str:
        """With two digits of the year: `ESZ26`."""
        return f"{self.code}{MONTH_CODES[self.month - 1]}{self.year % 100:02}"

    def next(self) -> "Contract":
        """The one that follows among the active months."""
        months = [MONTH_CODES.index(code) + 1 for code in self.product.months]
        later = [month for month in months if month > self.month]
        return (
            Contract(self.code, self.year, later[0])
            if later
            else Contract(self.code, self.year + 1, months[0])
        )


def contract_of(symbol: str, today: date) -> Contract:
    """The contract a symbol names: `ESZ6`, `ESZ26`. One digit means the year nearest to today's decade
    that is not further ahead than contracts are listed.

    Raises UsageError where it names none that is known here.
    """
    found = _SYMBOL.fullmatch(symbol.upper())
    if found is None or found[1] not in PRODUCTS:
        known = ", ".join(PRODUCTS)
        raise UsageError(f"{symbol} is no futures contract known here: products are {known}, as in ESZ6")
    code, letter, digits = found[1], found[2], found[3]
    year = year_of(int(digits), today.year) if len(digits) == 1 else today.year // 100 * 100 + int(digits)
    return Contract(code, year, MONTH_CODES.index(letter) + 1)


def year_of(digit: int, this_year: int) -> int:
    """The year whose last digit this is, from the one before this year to as far as contracts are listed."""
    year = this_year - this_year % 10 + digit
    if year < this_year - (9 - _YEARS_AHEAD):
        return year + 10
    return year - 10 if year > this_year + _YEARS_AHEAD else year


def instrument_of(
    contract: Contract,
    venue: str,
    *,
    commission: Decimal,
    initial_margin: Decimal,
    maintenance_margin: Decimal,
    flat_by_ns: int | None = None,
) -> Instrument:
    """The instrument a contract is at a venue.

    commission: USD per contract and side. initial_margin, maintenance_margin: fractions of notional.
    """
    product = contract.product
    one = Decimal(1)
    return Instrument(
        contract.symbol,
        venue,
        InstrumentKind.FUTURE,
        contract.code,
        "USD",
        tick=product.tick,
        lot=one,
        min_quantity=one,
        min_notional=Decimal(0),
        multiplier=product.multiplier,
        commission=commission,
        initial_margin=initial_margin,
        maintenance_margin=maintenance_margin,
        flat_by_ns=flat_by_ns,
    )


def last_trading_day(contract: Contract, is_business: IsBusinessDay) -> date:
    """Equity indices: the third Friday of the month, or the business day before. Gold: the third last
    business day of the month.
    """
    if contract.product.settlement is Settlement.CASH:
        first = date(contract.year, contract.month, 1)
        friday = first + timedelta((_FRIDAY - first.weekday()) % 7 + 14)
        return friday if is_business(friday) else business_day(friday, -1, is_business)
    return business_day(_after_month(contract.year, contract.month), -3, is_business)


def first_notice_day(contract: Contract, is_business: IsBusinessDay) -> date | None:
    """The last business day before the month of delivery; None for what is settled in cash."""
    if contract.product.settlement is Settlement.CASH:
        return None
    return business_day(date(contract.year, contract.month, 1), -1, is_business)


def roll_day(contract: Contract, is_business: IsBusinessDay) -> date:
    """From this day on the next contract is the front one.

    Equity indices: the Monday of the week of expiry, when volume has moved. Gold: four business days before
    its first notice.
    """
    notice = first_notice_day(contract, is_business)
    if notice is not None:
        return business_day(notice, -4, is_business)
    expiry = last_trading_day(contract, is_business)
    monday = expiry - timedelta(expiry.weekday())
    return monday if is_business(monday) else business_day(monday, -1, is_business)


def flat_by(contract: Contract, is_business: IsBusinessDay) -> date:
    """The last day it may be held: nothing of it may be left at the end of that day's session.

    Two business days before first notice, since a long held into the evening before may be assigned; one
    before the last trading day of what is settled in cash.
    """
    notice = first_notice_day(contract, is_business)
    if notice is not None:
        return business_day(notice, -2, is_business)
    return business_day(last_trading_day(contract, is_business), -1, is_business)


def front_month(code: str, today: date, is_business: IsBusinessDay) -> Contract:
    """The contract to trade on a day: the earliest whose roll day lies ahead. Raises UsageError."""
    if code not in PRODUCTS:
        raise UsageError(f"{code} is no futures product known here: {', '.join(PRODUCTS)}")
    contract = Contract(code, today.year - 1, 12).next()
    while roll_day(contract, is_business) <= today:
        contract = contract.next()
    return contract


def business_day(day: date, count: int, is_business: IsBusinessDay) -> date:
    """The count-th business day after a day (before it where count is below zero)."""
    step = timedelta(1 if count > 0 else -1)
    for _ in range(abs(count)):
        day += step
        while not is_business(day):
            day += step
    return day


def _after_month(year: int, month: int) -> date:
    return date(year + month // 12, month % 12 + 1, 1)
