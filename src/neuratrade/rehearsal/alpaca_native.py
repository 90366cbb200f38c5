"""Alpaca's order classes for stocks: bracket, one-triggers-other, one-cancels-other.

By the vendor's documentation the exits of an entry work once it "is completely filled", and not before; the
end of any order of the group ends the rest of it. What becomes of the exits of an entry that is filled in
part and then ends is not told: taken at its word, the group is cancelled and the part stays bare.
Source: docs.alpaca.markets/docs/orders-at-alpaca (Bracket, OCO, OTO, threshold of stop prices).
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from msgspec.structs import replace

from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.market import Quote
from neuratrade.core.model.orders import OrderType, Side
from neuratrade.rehearsal.alpaca_answers import invalid
from neuratrade.rehearsal.alpaca_orders import CENT, check_penny, collared, number
from neuratrade.rehearsal.attached import Exit, Leg, Opens, Tie
from neuratrade.rehearsal.orders import Ticket

Legs = tuple[Leg | None, Leg | None]
"""Take-profit and stop-loss."""


def legs_of(contract: Instrument, body: Mapping[str, Any], quote: Quote | None) -> Legs:
    """The exits that are asked for. Raises NotTaken where the venue would not take them."""
    name = body["order_class"]
    takes, stops = body.get("take_profit") or {}, body.get("stop_loss") or {}
    target, stop, limit = (
        number(takes, "limit_price"), number(stops, "stop_price"), number(stops, "limit_price"),
    )  # fmt: skip
    if name == "oto":
        if (target is None) is (stop is None):
            raise invalid("oto orders require either take_profit.limit_price or stop_loss.stop_price")
    elif target is None:
        raise invalid(f"{name} orders require take_profit.limit_price")
    elif stop is None:
        raise invalid(f"{name} orders require stop_loss.stop_price")
    if name == "oco" and body["type"] != "limit":
        raise invalid("oco orders must be limit orders")
    for price in (target, stop, limit):
        check_penny("price of a leg", price)
    leaves = Side(body["side"]) if name == "oco" else Side(body["side"]).opposite
    _check_levels(leaves, target, stop, _bases(body, target, quote))
    takes_profit = None if target is None else Leg(OrderType.LIMIT, limit_price=target)
    return takes_profit, None if stop is None else _stop_leg(contract, leaves, stop, limit)


def exit_of(legs: Legs) -> Exit:
    """What an entry has attached by this."""
    there = tuple(leg for leg in legs if leg is not None)
    return Exit(there, Opens.FULL_FILL, Tie.REDUCES if len(there) > 1 else Tie.NONE, ends_together=True)


def leg_ticket(ticket: Ticket, leg: Leg) -> Ticket:
    """A leg of an exit without an entry; the target bears the client id it was asked for by."""
    client_id = ticket.client_id if leg.stop_price is None else f"~{ticket.client_id}"
    return replace(
        ticket,
        client_id=client_id,
        order_type=leg.order_type,
        limit_price=leg.limit_price,
        stop_price=leg.stop_price,
    )


def _stop_leg(contract: Instrument, leaves: Side, stop: Decimal, limit: Decimal | None) -> Leg:
    if limit is not None:
        return Leg(OrderType.STOP_LIMIT, stop, limit)
    return Leg(OrderType.STOP, stop, collared(contract, stop) if leaves is Side.BUY else None)


def _bases(body: Mapping[str, Any], target: Decimal | None, quote: Quote | None) -> list[Decimal]:
    """Prices the stop has to keep its distance from."""
    first = target if body["order_class"] == "oco" else number(body, "limit_price")
    market = None if quote is None else quote.mid
    return [price for price in (first, market) if price is not None]


def _check_levels(leaves: Side, target: Decimal | None, stop: Decimal | None, bases: list[Decimal]) -> None:
    if stop is None:
        return
    down = leaves is Side.SELL
    if target is not None and (target <= stop if down else target >= stop):
        raise invalid("take_profit.limit_price must be beyond stop_loss.stop_price")
    for base in bases:
        if down and stop > base - CENT:
            raise invalid("stop_loss.stop_price must be <= base_price - 0.01")
        if not down and stop < base + CENT:
            raise invalid("stop_loss.stop_price must be >= base_price + 0.01")
