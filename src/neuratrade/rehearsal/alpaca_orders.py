"""What Alpaca takes as an order, and how it shows one.

Crypto knows simple orders only, of three types and two times in force. Stocks know stops without a limit and
orders for the day, in whole shares here: fractions, hours before and after the session, auctions and
fill-or-kill are refused, since nothing here would play them.
Source: docs.alpaca.markets/docs/orders-at-alpaca and /docs/crypto-orders, as of 2026.
"""

import uuid
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from neuratrade.core.model.decimals import ONE, ZERO, is_multiple
from neuratrade.core.model.instrument import Instrument, InstrumentKind
from neuratrade.core.model.orders import OrderType, Side, TimeInForce
from neuratrade.rehearsal.alpaca_answers import NotTaken, invalid
from neuratrade.rehearsal.orders import Ticket

TYPES = {
    "market": OrderType.MARKET,
    "limit": OrderType.LIMIT,
    "stop": OrderType.STOP,
    "stop_limit": OrderType.STOP_LIMIT,
}
NEEDED = {"limit": ("limit_price",), "stop": ("stop_price",), "stop_limit": ("stop_price", "limit_price")}
LONGEST_ID = 128
CRYPTO_TYPES = ("market", "limit", "stop_limit")
SIMPLE = ("", "simple", None)
CLASSES = ("bracket", "oco", "oto")
CENT, SUB_PENNY = Decimal("0.01"), Decimal("0.0001")
COLLAR_FROM = Decimal(50)
COLLAR, CHEAP_COLLAR = Decimal("0.025"), Decimal("0.04")
"""How far above its stop the limit lies that the venue gives a stop to buy: from 50 dollars on, and below."""


def check(contract: Instrument, body: Mapping[str, Any]) -> None:
    """Raises NotTaken for an order the venue does not know."""
    kind = body.get("type", "")
    if kind not in TYPES:
        raise invalid(f"invalid order type: {kind}")
    if body.get("side") not in ("buy", "sell"):
        raise invalid(f"invalid side: {body.get('side', '')}")
    if len(str(body.get("client_order_id") or "")) > LONGEST_ID:
        raise invalid(f"client_order_id must be no more than {LONGEST_ID} characters")
    if not all(_is_number(body.get(name)) for name in ("qty", "limit_price", "stop_price")):
        raise invalid("cannot parse a number")
    if contract.kind is InstrumentKind.SPOT:
        _check_crypto(body)
    else:
        _check_stock(body)
    missing = [name for name in NEEDED.get(kind, ()) if body.get(name) is None]
    if missing and body.get("order_class") != "oco":
        raise invalid(f"{kind} orders require {missing[0].replace('_', ' ')}")


def _check_crypto(body: Mapping[str, Any]) -> None:
    if body.get("order_class", "") not in SIMPLE:
        raise invalid("crypto orders not allowed for advanced order_class: otoco")
    if body["type"] not in CRYPTO_TYPES:
        raise invalid("invalid order type for crypto order")
    if body.get("time_in_force") not in ("gtc", "ioc"):
        raise invalid("invalid crypto time_in_force")


def _check_stock(body: Mapping[str, Any]) -> None:
    force, name = body.get("time_in_force"), body.get("order_class", "")
    if name not in (*SIMPLE, *CLASSES):
        raise invalid(f"invalid order_class: {name}")
    if name in CLASSES and force not in ("day", "gtc"):
        raise NotTaken(422, 40010001, f'{name} orders support only "day" or "gtc" time_in_force')
    if force not in ("day", "gtc", "ioc"):
        raise invalid("invalid time_in_force")
    if force == "ioc" and body["type"] not in ("market", "limit"):
        raise invalid(f'{body["type"]} orders support only "day" or "gtc" time_in_force')
    if body.get("extended_hours"):
        raise invalid("not rehearsed: hours before and after the session are not played here")
    if not is_multiple(number(body, "qty") or ZERO, ONE):
        if name in CLASSES:
            raise invalid("fractional orders must be simple orders")
        raise invalid("fractional orders must be DAY orders, and are not rehearsed")
    for field in ("limit_price", "stop_price"):
        check_penny(field, number(body, field))


def check_penny(field: str, price: Decimal | None) -> None:
    """Raises NotTaken for a price of a stock with more digits than there may be."""
    if price is not None and not is_multiple(price, CENT if price >= ONE else SUB_PENNY):
        raise invalid(
            f"invalid {field} {price}. sub-penny increment does not fulfill minimum pricing criteria"
        )


def number(body: Mapping[str, Any], name: str) -> Decimal | None:
    """A number of a body that was looked at."""
    value = body.get(name)
    return None if value is None else Decimal(str(value))


def _is_number(value: object) -> bool:
    """Whether the venue reads this as a number, nothing at all included."""
    try:
        return value is None or Decimal(str(value)).is_finite()
    except InvalidOperation:
        return False


def shares_of(contract: Instrument, body: Mapping[str, Any]) -> Decimal | None:
    """The quantity of an order that was looked at; of shares without the digits a client of floats adds."""
    asked = number(body, "qty")
    whole = contract.kind is InstrumentKind.EQUITY and asked is not None
    return asked.to_integral_value() if whole and asked is not None else asked


def ticket_of(contract: Instrument, body: Mapping[str, Any], day_ends_ns: int) -> Ticket:
    """An order that was looked at. day_ends_ns: when one for the day ends."""
    kind, side, stop = TYPES[body["type"]], Side(body["side"]), number(body, "stop_price")
    limit = number(body, "limit_price")
    if contract.kind is InstrumentKind.EQUITY and kind is OrderType.STOP and side is Side.BUY and stop:
        limit = collared(contract, stop)
    return Ticket(
        client_id=body.get("client_order_id") or str(uuid.uuid4()),
        symbol=contract.key,
        side=side,
        order_type=kind,
        quantity=shares_of(contract, body) or ZERO,
        limit_price=limit,
        stop_price=stop,
        time_in_force=TimeInForce.IOC if body["time_in_force"] == "ioc" else TimeInForce.GTC,
        expires_ns=day_ends_ns if body["time_in_force"] == "day" else None,
    )


def collared(contract: Instrument, stop: Decimal) -> Decimal:
    """The limit the venue gives to a stop to buy."""
    return contract.round_price(stop * (ONE + (COLLAR if stop >= COLLAR_FROM else CHEAP_COLLAR)))
