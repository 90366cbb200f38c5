"""Futures as instants: until when each contract may be held, which is the front one, and when it is left.

The days come from `core.model.futures`, the hours from the exchange's calendar.
"""

from collections.abc import Iterable
from datetime import date

from neuratrade.core.model.futures import (
    PRODUCTS,
    Contract,
    contract_of,
    flat_by,
    front_month,
    roll_day,
)
from neuratrade.core.model.instrument import Instrument, InstrumentKind
from neuratrade.core.model.market import NS_PER_HOUR
from neuratrade.core.rolls import Roll
from neuratrade.feeds.calendars import Session, TradingCalendar, is_business_day

BEFORE_CLOSE_NS = NS_PER_HOUR
"""Before the close of its last session a contract is left: at the close itself nobody trades it any more."""


def flat_by_ns(contract: Contract) -> int:
    """When nothing of a contract may be held any more."""
    return _session(contract, flat_by(contract, is_business_day)).close_ns - BEFORE_CLOSE_NS


def roll_from_ns(contract: Contract) -> int:
    """When a contract is left for the next one: at the beginning of its roll day's session."""
    return _session(contract, roll_day(contract, is_business_day)).open_ns


def front_contracts(code: str, today: date) -> tuple[Contract, Contract]:
    """The front contract of a product on a day, and the one that follows it. Raises UsageError."""
    front = front_month(code, today, is_business_day)
    return front, front.next()


def rolls_of(instruments: Iterable[Instrument], today: date) -> dict[str, Roll]:
    """What is rolled into what among these: futures whose next contract is one of them too."""
    futures = {
        (item.venue, contract_of(item.asset, today)): item
        for item in instruments
        if item.kind is InstrumentKind.FUTURE and item.base in PRODUCTS
    }
    return {
        item.key: Roll(futures[venue, contract.next()].key, roll_from_ns(contract))
        for (venue, contract), item in futures.items()
        if (venue, contract.next()) in futures
    }


def _session(contract: Contract, day: date) -> Session:
    """The session of a business day, which every exchange of futures holds, if only in part."""
    found = TradingCalendar(contract.product.calendar).session(day)
    if found is None:
        raise LookupError(f"{contract.product.calendar} has no session on the business day {day}")
    return found
