"""What venues say. Each becomes a fact as it comes; nothing here is ever made up by the desk."""

from decimal import Decimal

import msgspec

from neuratrade.core.model.decimals import ONE
from neuratrade.core.model.orders import Fill


class OrderAccepted(msgspec.Struct, frozen=True, tag="order_accepted"):
    """The venue has the order working."""

    at_ns: int
    client_order_id: str
    venue_order_id: str


class OrderRejected(msgspec.Struct, frozen=True, tag="order_rejected"):
    """The venue definitely did not take the order."""

    at_ns: int
    client_order_id: str
    reason: str


class OrderFilled(msgspec.Struct, frozen=True, tag="order_filled", gc=False):
    """An execution. fee_rate: quote currency per unit of the fee's currency, as known then; zero: unknown."""

    at_ns: int
    fill: Fill
    fee_rate: Decimal = ONE


class OrderCancelled(msgspec.Struct, frozen=True, tag="order_cancelled"):
    """The venue proved that the rest of the order is gone.

    filled: how much it says the order filled in all; None where it does not say. An end may overtake fills:
    the order is over for us only when all of them have come.
    """

    at_ns: int
    client_order_id: str
    reason: str = ""
    filled: Decimal | None = None


class OrderExpired(msgspec.Struct, frozen=True, tag="order_expired"):
    """The order's time in force ended at the venue. filled: in all, as in `OrderCancelled`."""

    at_ns: int
    client_order_id: str
    filled: Decimal | None = None


class OrderAmended(msgspec.Struct, frozen=True, tag="order_amended"):
    """The venue works the order with these new terms."""

    at_ns: int
    client_order_id: str
    quantity: Decimal
    stop_price: Decimal


class RequestRejected(msgspec.Struct, frozen=True, tag="request_rejected"):
    """The venue refused a cancel or an amend; the order stays as it was."""

    at_ns: int
    client_order_id: str
    reason: str


class OrderUnknown(msgspec.Struct, frozen=True, tag="order_unknown"):
    """The fate of an order is unknown: it is looked up by its client id, never resent."""

    at_ns: int
    client_order_id: str
    reason: str


class OrderNotFound(msgspec.Struct, frozen=True, tag="order_not_found"):
    """A look-up did not find the order. Not seen is not proof: a second look, later, has to agree."""

    at_ns: int
    client_order_id: str


class OrderTriggered(msgspec.Struct, frozen=True, tag="order_triggered"):
    """A stop was reached and became an order in the book; it may still be unfilled."""

    at_ns: int
    client_order_id: str


class FillCorrected(msgspec.Struct, frozen=True, tag="fill_corrected"):
    """The venue changed an execution it had told of. quantity zero: it was busted.

    quantity, price and fee are the execution's true terms; fee in the currency of the first telling.
    """

    at_ns: int
    client_order_id: str
    trade_id: str
    quantity: Decimal
    price: Decimal
    fee: Decimal
    fee_rate: Decimal = ONE


class Liquidated(msgspec.Struct, frozen=True, tag="liquidated"):
    """The venue itself closed a part of the position; no order of ours did. The fill names no order.

    shares: what each bracket bears of it, filled in by the engine when it books it. fee_rate: as in
    `OrderFilled`.
    """

    at_ns: int
    fill: Fill
    shares: dict[str, Decimal] = {}
    fee_rate: Decimal = ONE


VenueEvent = (
    OrderAccepted
    | OrderRejected
    | OrderFilled
    | OrderCancelled
    | OrderExpired
    | OrderAmended
    | RequestRejected
    | OrderUnknown
    | OrderNotFound
    | OrderTriggered
    | FillCorrected
)
"""What a venue says about one of our orders."""
