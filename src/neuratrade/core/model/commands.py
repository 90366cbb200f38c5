"""Commands: what the engine wants done outside. Each was journaled as a fact before it is handed over."""

from dataclasses import dataclass
from decimal import Decimal

from neuratrade.core.model.approval import Approved


@dataclass(frozen=True, slots=True)
class SubmitOrder:
    """Send this approved order to its venue, once."""

    order: Approved


@dataclass(frozen=True, slots=True)
class CancelOrder:
    """Cancel what is left of an order."""

    account_id: str
    instrument: str
    client_order_id: str


@dataclass(frozen=True, slots=True)
class AmendOrder:
    """Change quantity and stop price of a working stop. order: its approval, checked again."""

    order: Approved
    quantity: Decimal
    stop_price: Decimal


@dataclass(frozen=True, slots=True)
class LookUpOrder:
    """Ask the venue what became of an order whose fate is unknown."""

    account_id: str
    instrument: str
    client_order_id: str


@dataclass(frozen=True, slots=True)
class TakeSnapshot:
    """Ask the venue for everything an account has; the answer is a `VenueSnapshot`."""

    account_id: str


Command = SubmitOrder | CancelOrder | AmendOrder | LookUpOrder | TakeSnapshot
