"""Our orders in Tradovate's words, and its fills and ends in ours.

Every order says that no person sent it (`isAutomated`), as the exchange demands. Numbers leave as JSON
numbers written from the decimal. A trailing stop is not sent: the desk moves its own stop, so that what it
guards is known to its books.
"""

from datetime import UTC, datetime
from decimal import Decimal

import msgspec

from neuratrade.core.model import facts as f
from neuratrade.core.model.decimals import ZERO, is_multiple
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.market import NS_PER_SECOND
from neuratrade.core.model.orders import Fill, Liquidity, OrderRequest, OrderType, Side, TimeInForce
from neuratrade.venues.port import VenueRefused
from neuratrade.venues.tradovate.entities import WireAccount, WireFill

TYPES = {
    OrderType.MARKET: "Market",
    OrderType.LIMIT: "Limit",
    OrderType.STOP: "Stop",
    OrderType.STOP_LIMIT: "StopLimit",
}
FORCES = {TimeInForce.GTC: "GTC", TimeInForce.IOC: "IOC", TimeInForce.GTD: "GTD"}
STOPS = frozenset({"Stop", "StopLimit", "TrailingStop", "TrailingStopLimit", "MIT", "LimitIfTouched"})
WORKING = frozenset({"Working", "PendingReplace", "PendingCancel"})
"""States in which the exchange has the order."""
OVER = frozenset({"Canceled", "Completed", "Expired", "Filled", "Rejected"})
REJECTIONS = frozenset({"RiskRejected", "ExecutionRejected"})
"""States of a command that was not done."""


def order_body(request: OrderRequest, contract: Instrument, account: WireAccount) -> str:
    """The body of `order/placeorder`. Raises VenueRefused for an order that is off the contract's grid."""
    _check_grid(request, contract)
    body: dict[str, object] = {
        "accountSpec": account.name,
        "accountId": account.id,
        "clOrdId": request.client_order_id,
        "action": "Buy" if request.side is Side.BUY else "Sell",
        "symbol": contract.asset,
        "orderQty": number(request.quantity),
        "orderType": TYPES[request.order_type],
        "timeInForce": _force(request),
        "isAutomated": True,
    }
    if request.limit_price is not None:
        body["price"] = number(request.limit_price)
    if request.stop_price is not None:
        body["stopPrice"] = number(request.stop_price)
    if request.time_in_force is TimeInForce.GTD and request.expires_ns is not None:
        body["expireTime"] = stamp(request.expires_ns)
    return msgspec.json.encode(body).decode()


def cancel_body(order: int) -> str:
    """The body of `order/cancelorder`. order: the venue's number."""
    return msgspec.json.encode({"orderId": order, "isAutomated": True}).decode()


def number(value: Decimal) -> msgspec.Raw:
    """A JSON number with every digit of the decimal, without an exponent."""
    return msgspec.Raw(format(value.normalize(), "f").encode())


def stamp(at_ns: int) -> str:
    """A time as the venue writes it, on the millisecond."""
    seconds, rest = divmod(at_ns, NS_PER_SECOND)
    whole = datetime.fromtimestamp(seconds, UTC)
    return f"{whole:%Y-%m-%dT%H:%M:%S}.{rest // 1_000_000:03d}Z"


def instant(text: str | None, otherwise_ns: int) -> int:
    """Nanoseconds of a time of the venue. otherwise_ns: for one that is missing or makes no sense."""
    try:
        told = datetime.fromisoformat(text or "")
    except ValueError:
        return otherwise_ns
    aware = told if told.tzinfo else told.replace(tzinfo=UTC)
    since = aware - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * NS_PER_SECOND + since.microseconds * 1_000


def fill_of(
    told: WireFill, coid: str, account_id: str, instrument: str, fee: Decimal, currency: str, now_ns: int
) -> Fill:
    """An execution in our words. Whether it rested is not told; fees are the same either way."""
    return Fill(
        trade_id=str(told.id),
        client_order_id=coid,
        account_id=account_id,
        instrument=instrument,
        side=side_of(told.action),
        quantity=told.qty,
        price=told.price,
        fee=fee,
        fee_currency=currency,
        liquidity=Liquidity.TAKER,
        at_ns=instant(told.timestamp, now_ns),
    )


def side_of(action: str | None) -> Side:
    """Buy or sell. Raises ValueError for another word: a guess would turn a position round."""
    if action == "Buy":
        return Side.BUY
    if action == "Sell":
        return Side.SELL
    raise ValueError("an action that is neither Buy nor Sell")


def end_of(state: str, coid: str, filled: Decimal, reason: str, now_ns: int) -> f.VenueEvent:
    """The end of an order that is over, with what it filled."""
    match state:
        case "Rejected" if filled == ZERO:
            return f.OrderRejected(now_ns, coid, reason or "rejected by the venue")
        case "Expired":
            return f.OrderExpired(now_ns, coid, filled)
        case _:
            return f.OrderCancelled(now_ns, coid, reason or state.lower(), filled)


def _force(request: OrderRequest) -> str:
    # A market order is over at once: it needs no time to rest.
    return "Day" if request.order_type is OrderType.MARKET else FORCES[request.time_in_force]


def _check_grid(request: OrderRequest, contract: Instrument) -> None:
    quantity = request.quantity
    if quantity < contract.min_quantity or not is_multiple(quantity, contract.lot) or quantity % 1:
        raise VenueRefused(f"not sent: {quantity} is no number of whole contracts of {contract.asset}")
    for price in (request.limit_price, request.stop_price):
        if price is not None and not is_multiple(price, contract.tick):
            raise VenueRefused(f"not sent: {price} is off the grid of {contract.asset}, {contract.tick}")
