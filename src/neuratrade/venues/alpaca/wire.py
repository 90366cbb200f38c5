"""Alpaca's words as they come over the wire, and how an order of ours is worded. Amounts are strings.

Unknown fields, events and states are let be: the venue adds some every few months, and an adapter that
raises at one of them misses the fill in the next frame. `done_for_day` is no end: what is good until
cancelled goes on the next day.
Source: the vendor's documentation of its Trading API v2, read in November 2026.
"""

from datetime import datetime
from decimal import Decimal

import msgspec

from neuratrade.core.model.decimals import ONE, is_multiple
from neuratrade.core.model.instrument import Instrument, InstrumentKind
from neuratrade.core.model.orders import OrderRequest, OrderType, TimeInForce
from neuratrade.venues.port import VenueRefused

ENDED = frozenset({"filled", "canceled", "expired", "replaced", "rejected"})


class WireOrder(msgspec.Struct, frozen=True):
    """An order. qty: None for one by notional. created_at: left out in some events."""

    id: str
    client_order_id: str
    symbol: str
    side: str
    status: str
    created_at: datetime | None = None
    type: str = ""
    time_in_force: str = ""
    qty: Decimal | None = None
    filled_qty: Decimal = Decimal(0)
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None


class Update(msgspec.Struct, frozen=True):
    """One event of `trade_updates`. price and qty: of this execution alone."""

    event: str
    order: WireOrder
    timestamp: datetime | None = None
    price: Decimal | None = None
    qty: Decimal | None = None


class Frame(msgspec.Struct, frozen=True):
    """A frame of the trading stream, its data not looked into yet."""

    stream: str = ""
    data: msgspec.Raw = msgspec.Raw(b"{}")


class Authorisation(msgspec.Struct, frozen=True):
    """The answer to `authenticate`."""

    status: str = ""


class Activity(msgspec.Struct, frozen=True):
    """An execution of the account. cum_qty: filled of its order with this one."""

    id: str
    order_id: str
    transaction_time: datetime
    price: Decimal
    qty: Decimal
    cum_qty: Decimal
    side: str
    symbol: str


class WirePosition(msgspec.Struct, frozen=True):
    """A holding. symbol: crypto without its slash. qty: negative where short, or said by `side`."""

    symbol: str
    qty: Decimal
    side: str = "long"


class WireAccount(msgspec.Struct, frozen=True):
    """The account. cash: US dollars."""

    cash: Decimal
    currency: str = "USD"
    trading_blocked: bool = False
    account_blocked: bool = False


class Problem(msgspec.Struct, frozen=True):
    """Why something was not done."""

    code: int = 0
    message: str = ""


def order_body(request: OrderRequest, contract: Instrument) -> bytes:
    """The order as it is posted. Raises VenueRefused for one the venue has no words for."""
    crypto = contract.kind is InstrumentKind.SPOT
    if crypto and request.order_type is OrderType.STOP:
        raise VenueRefused("not sent: crypto at Alpaca knows no stop order without a limit")
    if not crypto and not is_multiple(request.quantity, ONE):
        raise VenueRefused("not sent: parts of a share are for orders of a day only, and no stop could rest")
    body = {
        "symbol": contract.asset,
        "qty": _text(request.quantity),
        "side": request.side.value,
        "type": request.order_type.value,
        "time_in_force": _force(request) if crypto else _force_of_stock(request),
        "client_order_id": request.client_order_id,
    }
    if request.limit_price is not None:
        body["limit_price"] = _text(request.limit_price)
    if request.stop_price is not None:
        body["stop_price"] = _text(request.stop_price)
    return msgspec.json.encode(body)


def _force(request: OrderRequest) -> str:
    # It has no date to rest until: the engine's own timer cancels a resting entry.
    return "ioc" if request.time_in_force is TimeInForce.IOC else "gtc"


def _force_of_stock(request: OrderRequest) -> str:
    """How long an order of stocks is good for.

    Whatever protects is good until cancelled: one for the day would leave a position bare over night. An
    entry that is to rest until a time is for the day: with the desk gone, nothing opens on another one. To
    take at once needs an arrangement with the venue; the last way out, at market, must not hang on that.
    """
    if request.time_in_force is TimeInForce.IOC:
        last_way_out = request.role.reduces and request.order_type is OrderType.MARKET
        return "day" if last_way_out else "ioc"
    return "day" if request.time_in_force is TimeInForce.GTD and not request.role.reduces else "gtc"


def _text(number: Decimal) -> str:
    """Without an exponent, which the venue does not read."""
    return format(number.normalize(), "f")
