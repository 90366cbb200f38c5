"""Legs of order lists as requests to the Binance spot simulator word them: parameters under a prefix."""

from decimal import Decimal

from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.orders import OrderType, Side, TimeInForce
from neuratrade.rehearsal import binance_spot_words as words
from neuratrade.rehearsal.attached import Leg
from neuratrade.rehearsal.binance_spot_door import CLIENT_ID, Asked, missing, number
from neuratrade.rehearsal.binance_spot_words import Refusal
from neuratrade.rehearsal.orders import Ticket

LEG_TYPES: dict[str, tuple[OrderType, bool]] = {
    word: (kind, False) for word, kind in words.TYPES.items() if kind is not OrderType.MARKET
}
LEG_TYPES |= {word: (kind, True) for kind, word in words.TARGETS.items()}
"""By the venue's word: the type, and whether it gains."""


def leg_of(asked: Asked, prefix: str, quantity: Decimal) -> Leg:
    """A leg by its prefix. Raises Refusal as the venue does for one that is malformed."""
    if not asked.get(f"{prefix}Type"):
        raise missing(f"{prefix}Type")
    known = LEG_TYPES.get(asked[f"{prefix}Type"])
    if known is None:
        raise Refusal(400, -1158, "Order type not supported in OCO.")
    kind, gains = known
    limited = kind in (OrderType.LIMIT, OrderType.STOP_LIMIT)
    stops = kind in (OrderType.STOP, OrderType.STOP_LIMIT)
    for name in ("IcebergQty", "TrailingDelta", "PegPriceType"):
        if asked.get(prefix + name):
            raise Refusal(400, -1106, f"Parameter '{prefix}{name}' sent when not required.")
    makes = kind is OrderType.LIMIT and gains
    return Leg(
        kind,
        needed(asked, f"{prefix}StopPrice") if stops else None,
        needed(asked, f"{prefix}Price") if limited else None,
        name_of(asked, f"{prefix}ClientOrderId"),
        quantity,
        takes_profit=gains and not makes,
        post_only=makes,
        time_in_force=force_of(asked, f"{prefix}TimeInForce") if limited and not makes else TimeInForce.GTC,
    )


def pair(legs: list[Leg]) -> list[Leg]:
    """Two legs of which one gains and the other loses; one alone may do either."""
    gains = [leg.takes_profit or leg.post_only for leg in legs]
    if len(legs) > 1 and len(set(gains)) == 1:
        raise Refusal(400, -1168, "At least one OCO order must be contingent.")
    return legs


def side_of(asked: Asked, name: str) -> Side:
    """A side. Raises Refusal."""
    if asked.get(name) not in ("BUY", "SELL"):
        raise Refusal(400, -1117, "Invalid side.")
    return Side(asked[name].lower())


def force_of(asked: Asked, name: str) -> TimeInForce:
    """A time in force. Raises Refusal."""
    if not asked.get(name):
        raise missing(name)
    if asked[name] not in ("GTC", "IOC"):
        raise Refusal(400, -1115, "Invalid timeInForce.")
    return TimeInForce(asked[name].lower())


def needed(asked: Asked, name: str) -> Decimal:
    """A number that may not be missing. Raises Refusal."""
    if not asked.get(name):
        raise missing(name)
    return number(asked, name)


def name_of(asked: Asked, name: str) -> str:
    """A client id. Raises Refusal."""
    if not CLIENT_ID.fullmatch(asked.get(name, "")):
        raise Refusal(400, -1100, f"Illegal characters found in parameter '{name}'.")
    return asked[name]


def ticket_of(contract: Instrument, side: Side, leg: Leg, quantity: Decimal) -> Ticket:
    """A leg that works at once."""
    return Ticket(
        leg.client_id,
        contract.key,
        side,
        leg.order_type,
        quantity,
        leg.limit_price,
        leg.stop_price,
        leg.time_in_force,
        takes_profit=leg.takes_profit,
        post_only=leg.post_only,
    )
