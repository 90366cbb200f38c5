"""Whether an order fits the approval it claims. Asked by the engine when it makes the order and again by
the sender just before it leaves, each from its own books.
"""

from decimal import Decimal

from neuratrade.core.model.approval import Approved, Envelope, seal
from neuratrade.core.model.orders import OrderRequest


def objection(
    request: OrderRequest, envelope: Envelope, *, now_ns: int, used: Decimal, held: Decimal
) -> str | None:
    """Why the order may not leave, or None.

    now_ns: engine time. used: entry quantity already planned under this envelope, zero or above. held: signed
    quantity the bracket holds now; an order that reduces may neither grow nor flip it.
    """
    same = (
        request.account_id == envelope.account_id
        and request.instrument == envelope.instrument
        and request.bracket_id == envelope.bracket_id
    )
    if not same:
        return "it names another account, instrument or bracket"
    if not request.quantity.is_finite() or request.quantity <= 0:
        return f"its quantity {request.quantity} is not a number above zero"
    if request.role.reduces:
        return _reducing(request, held)
    if request.side is not envelope.side:
        return f"entries go {envelope.side.value} only"
    if now_ns > envelope.expires_ns:
        return f"the approval expired {now_ns - envelope.expires_ns} ns ago"
    if request.expires_ns is not None and request.expires_ns > envelope.expires_ns:
        return f"it would rest {request.expires_ns - envelope.expires_ns} ns longer than approved"
    if used < 0:
        return f"the quantity used so far, {used}, cannot be below zero"
    if used + request.quantity > envelope.max_quantity:
        return f"{used} + {request.quantity} is more than the approved {envelope.max_quantity}"
    return None


def _reducing(request: OrderRequest, held: Decimal) -> str | None:
    if held * request.side.sign >= 0:
        return f"a {request.side.value} would not reduce a holding of {held}"
    if request.quantity > abs(held):
        return f"{request.quantity} would flip a holding of {held}"
    return None


def approve(
    request: OrderRequest, envelope: Envelope, *, now_ns: int, used: Decimal, held: Decimal
) -> Approved:
    """The order, approved. Raises Refused with the objection."""

    def check(asked: OrderRequest, under: Envelope) -> str | None:
        return objection(asked, under, now_ns=now_ns, used=used, held=held)

    return seal(request, envelope, check)
