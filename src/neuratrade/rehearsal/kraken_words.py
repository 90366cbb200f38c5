"""How Kraken words what a matching engine knows: names of assets and pairs, orders, trades, refusals.

Source: docs.kraken.com (REST `Trading`, WebSocket v2 `executions`), and what ccxt 4.5.90 reads of it. Sizes
have 8 digits, costs and fees 5 or more: a rounded fee would not be the one that was booked.
"""

import zlib
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import NamedTuple

from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.market import NS_PER_MS, NS_PER_SECOND
from neuratrade.core.model.orders import OrderType, TimeInForce
from neuratrade.rehearsal.orders import Execution, Reason, Rejected, SimOrder, Status
from neuratrade.rehearsal.tape import Ladder, decimals, plain

LOT_DIGITS = 8
COST_DIGITS = 5
CHECKED_LEVELS = 10
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_LEGACY = {"BTC": "XXBT", "ETH": "XETH", "XRP": "XXRP", "LTC": "XLTC", "XLM": "XXLM", "DOGE": "XXDG"}
_FIAT = {"USD": "ZUSD", "EUR": "ZEUR", "GBP": "ZGBP", "CAD": "ZCAD", "JPY": "ZJPY", "AUD": "ZAUD"}
_SHORT = {"BTC": "XBT", "DOGE": "XDG"}
ORDER_TYPES = {
    "market": OrderType.MARKET,
    "limit": OrderType.LIMIT,
    "stop-loss": OrderType.STOP,
    "stop-loss-limit": OrderType.STOP_LIMIT,
}
TYPE_NAMES = {kind: name for name, kind in ORDER_TYPES.items()}
GAINS = "take-profit"
REFUSALS = {
    Reason.DUPLICATE: "EGeneral:Invalid arguments:cl_ord_id",
    Reason.UNKNOWN_SYMBOL: "EQuery:Unknown asset pair",
    Reason.UNKNOWN_ORDER: "EOrder:Unknown order",
    Reason.GRID: "EOrder:Invalid price",
    Reason.MINIMUM: "EOrder:Cost minimum not met",
    Reason.BALANCE: "EOrder:Insufficient funds",
    Reason.WOULD_TRIGGER: "EOrder:Invalid price",
    Reason.NOT_REDUCING: "EOrder:Reduce only:No position exists",
    Reason.WOULD_TAKE: "EOrder:Post only order",
    Reason.NO_MARKET: "EService:Market in cancel_only mode",
    Reason.PLANNED: "EOrder:Orders limit exceeded",
}
_STATES = {
    Status.HELD: "pending",
    Status.OPEN: "open",
    Status.PARTIAL: "open",
    Status.FILLED: "closed",
    Status.CANCELLED: "canceled",
    Status.EXPIRED: "expired",
}


class Pair(NamedTuple):
    """One contract in the words of Kraken. key: `XXBTZUSD`; altname: `XBTUSD`; symbol: `BTC/USD`."""

    contract: Instrument
    key: str
    altname: str
    wsname: str
    symbol: str
    digits: int


def asset_code(currency: str) -> str:
    """`BTC` is `XXBT`."""
    return _LEGACY.get(currency) or _FIAT.get(currency) or currency


def altname(currency: str) -> str:
    """`BTC` is `XBT`."""
    return _SHORT.get(currency, currency)


def pair_of(contract: Instrument) -> Pair:
    """A contract in the words of Kraken: old assets have names of four letters where both sides have."""
    short = altname(contract.base) + altname(contract.quote)
    old = contract.base in _LEGACY and (contract.quote in _FIAT or contract.quote in _LEGACY)
    return Pair(
        contract,
        asset_code(contract.base) + asset_code(contract.quote) if old else short,
        short,
        f"{altname(contract.base)}/{altname(contract.quote)}",
        f"{contract.base}/{contract.quote}",
        decimals(contract.tick),
    )


def mark(letter: str, number: int) -> str:
    """An id like `O00000-00000-00001A`."""
    text = ""
    while number:
        number, digit = divmod(number, 36)
        text = _DIGITS[digit] + text
    text = text.rjust(16, "0")
    return f"{letter}{text[:5]}-{text[5:10]}-{text[10:]}"


def number_of(text: str) -> int | None:
    """The number behind such an id, None where it is none."""
    digits = text[1:].replace("-", "")
    try:
        return int(digits, 36) if len(digits) == 16 else None
    except ValueError:
        return None


def seconds(at_ns: int) -> float:
    """Seconds with four digits, as REST has them."""
    return round(at_ns / NS_PER_SECOND, 4)


def stamp(at_ns: int) -> str:
    """RFC 3339 with microseconds, as the streams have it."""
    moment = datetime.fromtimestamp(at_ns // NS_PER_SECOND, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{at_ns % NS_PER_SECOND // 1000:06d}Z"


def type_name(order: SimOrder) -> str:
    """Its type."""
    name = TYPE_NAMES[order.ticket.order_type]
    return name.replace("stop-loss", GAINS) if order.ticket.takes_profit else name


def words_of(order: SimOrder, pair: Pair) -> str:
    """`buy 0.10000000 XBTUSD @ stop loss 59000.0 -> limit 58900.0`."""
    ticket = order.ticket
    terms = terms_of(ticket.order_type, order.stop_price, order.limit_price, pair, gains=ticket.takes_profit)
    return f"{ticket.side.value} {plain(order.quantity, LOT_DIGITS)} {pair.altname} @ {terms}"


def terms_of(kind: OrderType, stop: Decimal | None, limit: Decimal | None, pair: Pair, *, gains: bool) -> str:
    """`stop loss 59000.0 -> limit 58900.0`."""
    waits = "take profit" if gains else "stop loss"
    return {
        OrderType.MARKET: "market",
        OrderType.LIMIT: f"limit {_price(limit, pair)}",
        OrderType.STOP: f"{waits} {_price(stop, pair)}",
        OrderType.STOP_LIMIT: f"{waits} {_price(stop, pair)} -> limit {_price(limit, pair)}",
    }[kind]


def order_row(
    order: SimOrder, pair: Pair, client_id: str, close: str = "", *, trades: bool
) -> dict[str, object]:
    """An order as OpenOrders, ClosedOrders and QueryOrders have it. close: what is attached, in words."""
    stops = order.ticket.stop_price is not None
    first = order.stop_price if stops else order.limit_price
    row: dict[str, object] = {
        "refid": None,
        "userref": 0,
        "status": _STATES[order.status],
        "opentm": seconds(order.created_ns),
        "starttm": 0,
        "expiretm": 0 if order.ticket.expires_ns is None else order.ticket.expires_ns // NS_PER_SECOND,
        "descr": {
            "pair": pair.altname,
            "aclass": "forex",
            "type": order.ticket.side.value,
            "ordertype": type_name(order),
            "price": _price(first, pair),
            "price2": _price(order.limit_price, pair) if stops else "0",
            "leverage": "none",
            "order": words_of(order, pair),
            "close": close,
        },
        "vol": plain(order.quantity, LOT_DIGITS),
        "vol_exec": plain(order.filled, LOT_DIGITS),
        "cost": cost(order.value),
        "fee": cost(sum((done.fee for done in order.executions), Decimal(0))),
        "price": plain(order.average_price or Decimal(0), pair.digits),
        "stopprice": plain(order.stop_price or Decimal(0), 5),
        "limitprice": plain((order.limit_price if order.triggered else None) or Decimal(0), 5),
        "misc": "",
        "oflags": "fciq",
    }
    if stops:
        row["trigger"] = "last"
    if client_id:
        row["cl_ord_id"] = client_id
    if trades and order.executions:
        row["trades"] = [mark("T", done.number) for done in order.executions]
    if not order.is_live:
        row["closetm"] = seconds(order.updated_ns)
        row["reason"] = None if order.status is Status.FILLED else "User requested"
    return row


def trade_row(done: Execution, order: SimOrder, pair: Pair) -> dict[str, object]:
    """An execution as TradesHistory and QueryTrades have it."""
    return {
        "ordertxid": mark("O", done.order_id),
        "postxid": mark("P", done.order_id),
        "pair": pair.key,
        "aclass": "forex",
        "time": seconds(done.at_ns),
        "type": done.side.value,
        "ordertype": type_name(order),
        "price": plain(done.price, pair.digits),
        "cost": cost(done.quantity * done.price),
        "fee": cost(done.fee),
        "vol": plain(done.quantity, LOT_DIGITS),
        "margin": "0.00000",
        "leverage": "0",
        "misc": "",
        "trade_id": done.number,
        "maker": done.is_maker,
    }


def pair_row(pair: Pair) -> dict[str, object]:
    """A pair as AssetPairs has it."""
    contract = pair.contract
    return {
        "altname": pair.altname,
        "wsname": pair.wsname,
        "aclass_base": "currency",
        "base": asset_code(contract.base),
        "aclass_quote": "currency",
        "quote": asset_code(contract.quote),
        "lot": "unit",
        "cost_decimals": COST_DIGITS,
        "pair_decimals": pair.digits,
        "lot_decimals": decimals(contract.lot),
        "lot_multiplier": 1,
        "leverage_buy": [],
        "leverage_sell": [],
        "fees": [[0, float(contract.taker_fee_bps / 100)]],
        "fees_maker": [[0, float(contract.maker_fee_bps / 100)]],
        "fee_volume_currency": "ZUSD",
        "margin_call": 80,
        "margin_stop": 40,
        "ordermin": plain(contract.min_quantity),
        "costmin": plain(contract.min_notional),
        "tick_size": plain(contract.tick),
        "status": "online",
    }


def checksum(ladder: Ladder, price_digits: int, lot_digits: int) -> int:
    """CRC-32 of the ten best asks, then bids: price and size without point and leading zeros."""
    levels = (*ladder.asks[:CHECKED_LEVELS], *ladder.bids[:CHECKED_LEVELS])
    return crc((plain(level.price, price_digits), plain(level.quantity, lot_digits)) for level in levels)


def crc(levels: Iterable[tuple[str, str]]) -> int:
    """The checksum of levels as text, in the order Kraken takes them."""
    text = "".join(part.replace(".", "").lstrip("0") for level in levels for part in level)
    return zlib.crc32(text.encode())


def exact(value: Decimal, digits: int) -> Decimal:
    """A number with so many digits after its point, for JSON."""
    return Decimal(plain(value, digits))


def cost(value: Decimal, digits: int = COST_DIGITS) -> str:
    """A cost, fee or balance: so many digits, more where it has more."""
    return plain(value, max(digits, decimals(value) if value else 0))


def refusal(no: Rejected) -> str:
    """How Kraken words a refusal of the matching engine."""
    if no.reason is Reason.GRID and no.detail.startswith("quantity"):
        return "EGeneral:Invalid arguments:volume minimum not met"
    return REFUSALS[no.reason]


def time_in_force(order: SimOrder) -> str:
    """`GTC`, `IOC` or `GTD`."""
    return {TimeInForce.GTC: "GTC", TimeInForce.IOC: "IOC", TimeInForce.GTD: "GTD"}[
        order.ticket.time_in_force
    ]


def milliseconds(at_ns: int) -> int:
    """Milliseconds since the epoch."""
    return at_ns // NS_PER_MS


def _price(price: Decimal | None, pair: Pair) -> str:
    return "0" if price is None else plain(price, pair.digits)
