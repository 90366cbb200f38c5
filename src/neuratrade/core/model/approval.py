"""What the gate says: reports, envelopes, and the only thing a venue may be given.

An approval is an envelope, not a ticket: it covers the entry up to a quantity until it expires, and any
order that shrinks the same bracket's position, without expiry. The signature covers the envelope; the
sender checks both before anything leaves.
"""

from collections.abc import Callable
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Never, Protocol, final

import msgspec

from neuratrade.core.model.errors import Refused
from neuratrade.core.model.orders import OrderRequest, Side


class Verdict(StrEnum):
    """What one layer says. NOT_EVALUATED names a missing input and refuses new exposure."""

    APPROVE = "approve"
    RESIZE = "resize"
    REFUSE = "refuse"
    NOT_EVALUATED = "not_evaluated"

    @property
    def blocks(self) -> bool:
        """Whether this verdict keeps new exposure out."""
        return self in BLOCKING


BLOCKING = frozenset({Verdict.REFUSE, Verdict.NOT_EVALUATED})


class LayerReport(msgspec.Struct, frozen=True, gc=False):
    """One layer's answer: what it saw, what limit it applied, and the size it leaves (size layers).

    It holds only texts and a number, so no cycle, and the collector need not look at it.
    """

    name: str
    verdict: Verdict
    reason: str
    observed: str
    limit: str
    quantity: Decimal | None = None


class Envelope(msgspec.Struct, frozen=True, gc=False):
    """What an approval allows. side and max_quantity are the entry's; expires_ns ends the entry only."""

    approval_id: str
    account_id: str
    instrument: str
    bracket_id: str
    side: Side
    max_quantity: Decimal
    issued_ns: int
    expires_ns: int
    key_id: str = ""
    signature: bytes = b""

    def signed_text(self) -> bytes:
        """The bytes the signature covers: every field but the signature itself."""
        return msgspec.json.encode(msgspec.structs.replace(self, signature=b""))


class Signer(Protocol):
    """Whoever holds the private key. In split deployment that is the hands process alone."""

    @property
    def key_id(self) -> str: ...

    def sign(self, payload: bytes) -> bytes: ...


@final
class Approved:
    """An order request inside the envelope that allows it. Only the gate's `approve` makes one."""

    __slots__ = ("_envelope", "_request")
    _request: OrderRequest
    _envelope: Envelope

    if TYPE_CHECKING:

        def __new__(cls, _only_the_gate_makes_one: Never, /) -> "Approved": ...

    else:

        def __new__(cls, *_: object, **__: object) -> "Approved":
            """Refuses: an approval comes from the gate, never from a constructor."""
            raise Refused("an approved order can only be made by the risk gate; send an intent instead")

    def __init_subclass__(cls) -> None:
        """Refuses: a subclass could answer with another order than the one that was checked."""
        raise Refused("Approved cannot be subclassed; send an intent to the risk gate instead")

    def __setattr__(self, name: str, value: object) -> None:
        """Refuses: what was checked is what is sent."""
        raise Refused(f"an approved order cannot be changed: {name} stays as the risk gate saw it")

    @property
    def request(self) -> OrderRequest:
        """The order that is allowed."""
        return self._request

    @property
    def envelope(self) -> Envelope:
        """The signed permission it falls under."""
        return self._envelope


def seal(
    request: OrderRequest, envelope: Envelope, check: Callable[[OrderRequest, Envelope], str | None]
) -> Approved:
    """Joins a request with its envelope after `check` found no objection. Raises Refused otherwise.

    Kept apart from the class so that one search for `seal(` finds every place that can approve.
    """
    objection = check(request, envelope)
    if objection is not None:
        raise Refused(f"order {request.client_order_id} does not fit its approval: {objection}")
    approved = object.__new__(Approved)
    object.__setattr__(approved, "_request", request)
    object.__setattr__(approved, "_envelope", envelope)
    return approved
