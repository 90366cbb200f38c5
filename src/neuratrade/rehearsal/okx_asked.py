"""What requests to OKX about orders say: numbers, ids, and what an order is besides its type."""

from decimal import Decimal, InvalidOperation

from neuratrade.core.model.decimals import ZERO
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.orders import OrderType, Side
from neuratrade.rehearsal.okx_market import OkxError
from neuratrade.rehearsal.orders import Ticket

Asked = dict[str, object]


def ticket_of(asked: Asked, contract: Instrument, client_id: str) -> Ticket:
    """What an order is besides its type, size and prices. Raises OkxError."""
    if asked.get("side") not in ("buy", "sell"):
        raise OkxError("51000", "Parameter side error")
    modes = ("cross",) if contract.is_derivative else ("cash", "cross")
    if asked.get("tdMode") not in modes:
        raise OkxError("51000", "Parameter tdMode error")
    return Ticket(
        client_id=client_id,
        symbol=contract.key,
        side=Side(str(asked["side"])),
        order_type=OrderType.MARKET,
        quantity=ZERO,
        reduce_only=contract.is_derivative and str(asked.get("reduceOnly")).lower() == "true",
    )


def client_id_of(asked: Asked, name: str) -> str:
    """A client id, empty where none is given. Raises OkxError."""
    text = str(asked.get(name) or "")
    if len(text) > 32 or (text and not (text.isascii() and text.isalnum())):
        raise OkxError("51000", f"Parameter {name} error")
    return text


def decimal_of(asked: Asked, name: str) -> Decimal | None:
    """A number, None where none is given; -1 stands for the market. Raises OkxError."""
    text = asked.get(name)
    if text in (None, ""):
        return None
    try:
        value = Decimal(str(text))
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite() or (value < 0 and value != -1):
        raise OkxError("51000", f"Parameter {name} error")
    return value
