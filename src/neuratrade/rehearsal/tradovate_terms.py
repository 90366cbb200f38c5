"""How an order is asked for at Tradovate: what a body must have, and the ticket it becomes.

A stop is triggered at `stopPrice`; the venue's documents also have it in `price` in places, which is refused
here, for nobody can say that it works. Types the documents name without saying how they work are refused.
"""

from decimal import Decimal
from typing import NamedTuple

from neuratrade.core.model.decimals import is_multiple
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.orders import OrderType, Side, TimeInForce
from neuratrade.rehearsal.orders import Ticket
from neuratrade.rehearsal.tradovate_words import (
    ACTIONS,
    ORDER_TYPES,
    TIMES_IN_FORCE,
    UNSPECIFIED_TYPES,
    Failed,
    Said,
    instant,
    violations,
)

REQUIRED = ("action", "symbol", "orderQty", "orderType")
LONGEST_ID = 64


class Terms(NamedTuple):
    """What an order is to be. quantity: contracts. trail: of a trailing stop, points."""

    kind: str
    quantity: Decimal
    price: Decimal | None
    stop: Decimal | None
    trail: Decimal | None
    in_force: str
    expires_ns: int | None

    @property
    def order_type(self) -> OrderType:
        """As the matching engine calls it."""
        return ORDER_TYPES[self.kind]

    def version(self) -> Said:
        """The entity `orderVersion` without its numbers."""
        said: Said = {
            "orderQty": self.quantity,
            "orderType": self.kind,
            "price": self.price,
            "stopPrice": self.stop,
            "pegDifference": self.trail,
            "timeInForce": self.in_force,
        }
        return {name: value for name, value in said.items() if value is not None}

    def ticket(self, client_id: str, instrument: Instrument, action: str, day_ends_ns: int) -> Ticket:
        """For the matching engine. FOK has been decided before; what is left of it is IOC."""
        at_once = self.in_force in ("IOC", "FOK")
        expires_ns = day_ends_ns if self.in_force == "Day" else self.expires_ns
        return Ticket(
            client_id=client_id,
            symbol=instrument.key,
            side=Side.BUY if action == "Buy" else Side.SELL,
            order_type=self.order_type,
            quantity=self.quantity,
            limit_price=self.price,
            stop_price=self.stop,
            time_in_force=TimeInForce.IOC if at_once else TimeInForce.GTC,
            expires_ns=None if at_once else expires_ns,
        )


def check(body: Said, required: tuple[str, ...] = REQUIRED) -> None:
    """Whether a body has what it must. Raises TradovateError 400.

    An order of a program must say that it is one, or the exchange takes it for a person's: refused.
    """
    missing = [("required", f"{name} is required") for name in required if body.get(name) is None]
    if body.get("isAutomated") is not True:
        missing.append(("required", "isAutomated must be true for orders of programs"))
    if "action" in required and body.get("action") not in (None, *ACTIONS):
        missing.append(("enum", "action is Buy or Sell"))
    if len(str(body.get("clOrdId", ""))) > LONGEST_ID:
        missing.append(("maxLength", "clOrdId is too long"))
    if missing:
        raise violations(*missing)


def terms_of(body: Said, instrument: Instrument, quantity: object = None) -> Terms:
    """What a body asks for. quantity: of the parent, for a bracket. Raises TradovateError and Failed."""
    kind, in_force = str(body.get("orderType")), str(body.get("timeInForce", "Day"))
    if kind in UNSPECIFIED_TYPES:
        raise Failed("Unsupported", f"{kind} is not part of this rehearsal")
    if kind not in ORDER_TYPES or in_force not in TIMES_IN_FORCE:
        raise violations(("enum", f"orderType {kind}, timeInForce {in_force}"))
    count = Decimal(str(body.get("orderQty") if quantity is None else quantity))
    if count <= 0 or not is_multiple(count, instrument.lot):
        raise violations(("minimum", f"orderQty {count}"))
    expires_ns = instant(body.get("expireTime")) if in_force == "GTD" else None
    trails = kind == "TrailingStop"
    return Terms(
        kind,
        count,
        _price(body, "price", instrument, wanted=kind in ("Limit", "StopLimit")),
        _price(body, "stopPrice", instrument, wanted=kind in ("Stop", "StopLimit", "TrailingStop")),
        abs(_number(body, "pegDifference") or Decimal(0)) or None if trails else None,
        in_force,
        expires_ns,
    )


def _price(body: Said, name: str, instrument: Instrument, *, wanted: bool) -> Decimal | None:
    value = _number(body, name)
    if not wanted:
        # An order that says more than its type has is not what its sender thinks it is.
        if value is not None:
            raise Failed("InvalidPrice", f"{name} does not go with {body.get('orderType')}")
        return None
    if value is None or value <= 0 or not is_multiple(value, instrument.tick):
        raise Failed("InvalidPrice", f"{name} {value} is not on the grid of {instrument.tick}")
    return value


def _number(body: Said, name: str) -> Decimal | None:
    value = body.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise violations(("type", f"{name} is a number"))
    return Decimal(value)
