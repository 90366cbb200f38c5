"""Words of Tradovate: how orders, fills and money are written on its wire.

Numbers are JSON numbers and times are UTC with milliseconds. The names and values are those of the venue's
OpenAPI document (partner.tradovate.com, read 2026-08-21).
"""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from neuratrade.core.model.decimals import ZERO, floor_to
from neuratrade.core.model.market import NS_PER_MS, NS_PER_SECOND
from neuratrade.core.model.orders import OrderType
from neuratrade.rehearsal.orders import Execution, Reason

Said = dict[str, Any]
CHICAGO = ZoneInfo("America/Chicago")
ACTIONS = ("Buy", "Sell")
ORDER_TYPES = {
    "Market": OrderType.MARKET,
    "Limit": OrderType.LIMIT,
    "Stop": OrderType.STOP,
    "StopLimit": OrderType.STOP_LIMIT,
    "TrailingStop": OrderType.STOP,
}
UNSPECIFIED_TYPES = ("LimitIfTouched", "MIT", "QTS", "TrailingStopLimit")
TIMES_IN_FORCE = ("Day", "FOK", "GTC", "GTD", "IOC")
FAILURES = {
    Reason.UNKNOWN_SYMBOL: "InvalidContract",
    Reason.UNKNOWN_ORDER: "TooLate",
    Reason.GRID: "InvalidPrice",
    Reason.NO_MARKET: "NoQuote",
}
NFA_FEE = Decimal("0.02")
CENT = Decimal("0.01")
USD = 1
"""The number of the currency."""


class TradovateError(Exception):
    """A call that is refused with a status of its own. body: what goes with it, None for nothing."""

    def __init__(self, status: int, body: object = None) -> None:
        super().__init__(str(status))
        self.status = status
        self.body = body


class Failed(Exception):
    """A request that is refused in an HTTP 200. reason: one of the venue's failure reasons."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


def violations(*lines: tuple[str, str]) -> TradovateError:
    """The answer to a body that is not as it must be: constraint and description of each."""
    return TradovateError(400, {"violations": [{"constraint": a, "description": b} for a, b in lines]})


def not_found(what: str) -> TradovateError:
    """The answer to what is not there: its text is in quotes, as recorded from the venue."""
    return TradovateError(404, f'"Not found: {what}"')


def stamp(at_ns: int) -> str:
    """A time as the venue writes it."""
    whole, rest = divmod(at_ns, NS_PER_SECOND)
    return datetime.fromtimestamp(whole, UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{rest // NS_PER_MS:03d}Z"


def instant(text: object) -> int:
    """Nanoseconds of a time as the venue takes it. Raises TradovateError."""
    try:
        told = datetime.fromisoformat(str(text))
    except ValueError:
        raise violations(("format", f"{text} is no time")) from None
    return round((told if told.tzinfo else told.replace(tzinfo=UTC)).timestamp()) * NS_PER_SECOND


def day_of(at_ns: int) -> date:
    """The trade date: it begins at 17:00 of Chicago on the evening before."""
    local = datetime.fromtimestamp(at_ns // NS_PER_SECOND, CHICAGO)
    day = (local.replace(tzinfo=None) + timedelta(hours=7)).date()
    return day + timedelta(days=max(7 - day.isoweekday() + 1, 0) if day.isoweekday() > 5 else 0)


def trade_date(day: date) -> Said:
    """A trade date on the wire."""
    return {"year": day.year, "month": day.month, "day": day.day}


def fee_row(done: Execution) -> Said:
    """What one fill cost, by who gets it. The parts add up to the commission of the contract."""
    nfa = min(NFA_FEE * done.quantity, done.fee)
    exchange = floor_to((done.fee - nfa) * Decimal("0.6"), CENT)
    parts = {"exchange": exchange, "nfa": nfa}
    row: Said = {"id": done.number}
    for name in ("clearing", "exchange", "nfa", "brokerage", "ip", "orderRouting"):
        row |= {f"{name}Fee": parts.get(name, ZERO), f"{name}CurrencyId": USD}
    return row | {"commission": done.fee - nfa - exchange, "commissionCurrencyId": USD}
