"""Binance spot's words: order, trade and account bodies, stream frames, errors. Amounts are strings of eight
decimals, times are milliseconds.

Source: the venue's documentation of its spot REST API, WebSocket API and user data stream, read in November
2026, and the frames its unmodified ccxt client parses. What the venue sends when a stop is reached is
documented only as far as `w` and `W`: that frame is a guess.
"""

import hashlib
from decimal import Decimal
from typing import Any, NamedTuple

from neuratrade.core.model.decimals import BASIS_POINTS, ZERO
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.orders import OrderType, Side, TimeInForce
from neuratrade.rehearsal.orders import Change, ChangeKind, Execution, Reason, SimOrder, Status

Json = dict[str, Any]
NS_PER_MS = 1_000_000
NO_STP = "NONE"
PLACES = Decimal("0.00000001")


class Refusal(Exception):
    """An answer that is no success. status: of HTTP; code: the venue's own."""

    def __init__(self, status: int, code: int, words: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(words)
        self.status = status
        self.code = code
        self.words = words
        self.headers = headers or {}

    @property
    def body(self) -> Json:
        """As the venue words it."""
        return {"code": self.code, "msg": self.words}


class Known(NamedTuple):
    """How a reason of the matching engine is worded."""

    code: int
    words: str


REFUSALS = {
    Reason.DUPLICATE: Known(-2010, "Duplicate order sent."),
    Reason.UNKNOWN_SYMBOL: Known(-1121, "Invalid symbol."),
    Reason.UNKNOWN_ORDER: Known(-2011, "Unknown order sent."),
    Reason.GRID: Known(-1013, "Filter failure: LOT_SIZE"),
    Reason.MINIMUM: Known(-1013, "Filter failure: NOTIONAL"),
    Reason.BALANCE: Known(-2010, "Account has insufficient balance for requested action."),
    Reason.WOULD_TRIGGER: Known(-2010, "Stop price would trigger immediately."),
    Reason.WOULD_TAKE: Known(-2010, "Order would immediately match and take."),
    Reason.NO_MARKET: Known(-1013, "Market is closed."),
    Reason.PLANNED: Known(-2010, "This action is disabled on this account."),
    Reason.NOT_REDUCING: Known(-2010, "This action is disabled on this account."),
}
STATUSES = {
    Status.HELD: "PENDING_NEW",
    Status.OPEN: "NEW",
    Status.PARTIAL: "PARTIALLY_FILLED",
    Status.FILLED: "FILLED",
    Status.CANCELLED: "CANCELED",
    Status.EXPIRED: "EXPIRED",
}
WORDS_OF_TYPES = {
    OrderType.MARKET: "MARKET",
    OrderType.LIMIT: "LIMIT",
    OrderType.STOP: "STOP_LOSS",
    OrderType.STOP_LIMIT: "STOP_LOSS_LIMIT",
}
TYPES = {word: kind for kind, word in WORDS_OF_TYPES.items()}
TARGETS = {
    OrderType.LIMIT: "LIMIT_MAKER",
    OrderType.STOP: "TAKE_PROFIT",
    OrderType.STOP_LIMIT: "TAKE_PROFIT_LIMIT",
}
"""Types of a target: a limit order that may not take, a stop that is reached from the other side."""
NO_LIST = -1
EXECUTION_TYPES = {
    ChangeKind.HELD: "NEW",
    ChangeKind.ACCEPTED: "NEW",
    ChangeKind.TRIGGERED: "NEW",
    ChangeKind.TRADED: "TRADE",
    ChangeKind.AMENDED: "REPLACED",
    ChangeKind.CANCELLED: "CANCELED",
    ChangeKind.EXPIRED: "EXPIRED",
}


def text(amount: Decimal) -> str:
    """Eight decimals."""
    return f"{amount:.8f}"


def millis(at_ns: int) -> int:
    """Milliseconds of a time in nanoseconds."""
    return at_ns // NS_PER_MS


def symbol_id(contract: Instrument) -> str:
    """`BTCUSDT` of `BTC/USDT`."""
    return contract.base + contract.quote


def status_of(order: SimOrder) -> str:
    """Where an order stands. What is left of one at market expires there, it is not cancelled."""
    if order.status is Status.CANCELLED and order.ticket.order_type is OrderType.MARKET:
        return "EXPIRED"
    return STATUSES[order.status]


def type_of(order: SimOrder) -> str:
    """Its type."""
    ticket = order.ticket
    is_target = ticket.takes_profit or ticket.post_only
    return (TARGETS if is_target else WORDS_OF_TYPES)[ticket.order_type]


def cancel_id(order: SimOrder) -> str:
    """The id that a cancel of an order is told by."""
    return hashlib.sha256(f"cancel {order.order_id}".encode()).hexdigest()[:22]


def force_of(order: SimOrder) -> str:
    """Its time in force."""
    return "IOC" if order.ticket.time_in_force is TimeInForce.IOC else "GTC"


def order_body(order: SimOrder, contract: Instrument, list_id: int = NO_LIST) -> Json:
    """An order as it is listed."""
    works = not order.is_conditional and order.status is not Status.HELD
    works_at = millis(order.created_ns) if works else -1
    return {
        "symbol": symbol_id(contract),
        "orderId": order.order_id,
        "orderListId": list_id,
        "clientOrderId": order.ticket.client_id,
        "price": text(order.limit_price or ZERO),
        "origQty": text(order.quantity),
        "executedQty": text(order.filled),
        "cummulativeQuoteQty": text(order.value),
        "status": status_of(order),
        "timeInForce": force_of(order),
        "type": type_of(order),
        "side": order.ticket.side.value.upper(),
        "stopPrice": text(order.stop_price or ZERO),
        "icebergQty": text(ZERO),
        "time": millis(order.created_ns),
        "updateTime": millis(order.updated_ns),
        "isWorking": works,
        "workingTime": works_at,
        "origQuoteOrderQty": text(ZERO),
        "selfTradePreventionMode": NO_STP,
    }


def report_body(order: SimOrder, contract: Instrument, list_id: int = NO_LIST) -> Json:
    """The answer to a new order, without what it filled."""
    body = order_body(order, contract, list_id)
    for name in ("icebergQty", "time", "updateTime", "isWorking"):
        del body[name]
    if order.stop_price is None:
        del body["stopPrice"]
    return body | {"transactTime": millis(order.created_ns)}


def taken_body(order: SimOrder, contract: Instrument) -> Json:
    """The full answer to a new order, with what it filled at once."""
    body = report_body(order, contract)
    body["fills"] = [
        {
            "price": text(done.price),
            "qty": text(done.quantity),
            "commission": text(done.fee),
            "commissionAsset": done.fee_currency,
            "tradeId": done.number,
        }
        for done in order.executions
    ]
    return body


def cancelled_body(order: SimOrder, contract: Instrument, list_id: int = NO_LIST) -> Json:
    """The answer to a cancel: the order's own id moves to `origClientOrderId`."""
    body = order_body(order, contract, list_id)
    for name in ("icebergQty", "time", "updateTime", "isWorking", "workingTime"):
        del body[name]
    body["transactTime"] = millis(order.updated_ns)
    return body | {"origClientOrderId": order.ticket.client_id, "clientOrderId": cancel_id(order)}


def trade_body(done: Execution, contract: Instrument, list_id: int = NO_LIST) -> Json:
    """An execution in the list of trades, which names no client id."""
    return {
        "symbol": symbol_id(contract),
        "id": done.number,
        "orderId": done.order_id,
        "orderListId": list_id,
        "price": text(done.price),
        "qty": text(done.quantity),
        "quoteQty": text(done.price * done.quantity),
        "commission": text(done.fee),
        "commissionAsset": done.fee_currency,
        "time": millis(done.at_ns),
        "isBuyer": done.side is Side.BUY,
        "isMaker": done.is_maker,
        "isBestMatch": True,
    }


def execution_report(change: Change, contract: Instrument, list_id: int = NO_LIST, reason: str = "") -> Json:
    """The `executionReport` of a change. reason: why a list let the order expire, empty elsewhere."""
    order, done = change.order, change.execution
    ended = change.kind is ChangeKind.CANCELLED and status_of(order) == "CANCELED"
    at_ms = millis(change.at_ns)
    report: Json = {
        "e": "executionReport",
        "E": at_ms,
        "s": symbol_id(contract),
        "c": cancel_id(order) if ended else order.ticket.client_id,
        "S": order.ticket.side.value.upper(),
        "o": type_of(order),
        "f": force_of(order),
        "q": text(order.quantity),
        "p": text(order.limit_price or ZERO),
        "P": text(order.stop_price or ZERO),
        "F": text(ZERO),
        "g": list_id,
        "C": order.ticket.client_id if ended else "",
        "x": EXECUTION_TYPES[change.kind] if ended or order.is_live else _last_word(change),
        "X": status_of(order),
        "r": "NONE",
        "i": order.order_id,
        "l": text(ZERO if done is None else done.quantity),
        "z": text(order.filled),
        "L": text(ZERO if done is None else done.price),
        "n": "0" if done is None else text(done.fee),
        "N": None if done is None else done.fee_currency,
        "T": at_ms,
        "t": -1 if done is None else done.number,
        "I": order.order_id * 2 + 1,
        "w": order.is_live and not order.is_conditional and order.status is not Status.HELD,
        "m": done is not None and done.is_maker,
        "M": False,
        "O": millis(order.created_ns),
        "Z": text(order.value),
        "Y": text(ZERO if done is None else done.price * done.quantity),
        "Q": text(ZERO),
        "V": NO_STP,
    }
    if reason:
        report["eR"] = reason
    if not order.is_conditional and order.status is not Status.HELD:
        report["W"] = millis(order.updated_ns if order.triggered else order.created_ns)
    return report


def _last_word(change: Change) -> str:
    return "TRADE" if change.kind is ChangeKind.TRADED else "EXPIRED"


def commission(bps: Decimal) -> str:
    """A rate of fees as a fraction."""
    return text(bps / BASIS_POINTS)
