"""The sender: the last hand an order passes, with its own books and no trust in the ones before.

It checks the gate's signature over the envelope and that the order fits it: entry quantity used so far,
expiry, and that an exit can only shrink what its bracket holds. Its books are folded from the same facts the
journal has, so a restart does not make a used approval fresh.
"""

from collections.abc import Callable
from decimal import Decimal

from neuratrade.core.engine.state import DeskState
from neuratrade.core.model import facts as f
from neuratrade.core.model.approval import Approved, Envelope
from neuratrade.core.model.errors import Refused
from neuratrade.core.model.orders import OrderRole
from neuratrade.core.risk.permit import objection
from neuratrade.hands.envelopes import Envelopes
from neuratrade.venues.port import Cleared, clear

Verify = Callable[[str, bytes, bytes], bool]


class Sender:
    """Checks every order before it leaves. verify(public_key, payload, signature) is the signature scheme."""

    def __init__(self, verify: Verify) -> None:
        self._verify = verify
        self._keys: dict[str, str] = {}
        self._books = Envelopes()
        self._checked: set[Envelope] = set()

    @property
    def used(self) -> dict[str, Decimal]:
        """Entry quantity used under each approval, by bracket id."""
        return self._books.used

    def restore(self, state: DeskState) -> None:
        """Takes its books from durable state after a restart."""
        self._keys = dict(state.keys)
        self._books.restore(state)

    def learn(self, fact: f.Fact) -> None:
        """Keeps the books: call with every fact, in order, also with those of the journal at start."""
        match fact:
            case f.RunStarted(key_id=key_id, public_key=public_key):
                self._keys[key_id] = public_key
                if fact.fresh:
                    self._checked = set()
            case f.BracketClosed(bracket_id=bracket_id):
                book = self._books.open_book(bracket_id)
                if book is not None:
                    self._checked.discard(book.envelope)
            case _:
                pass
        self._books.learn(fact)

    def clear(self, approved: Approved, now_ns: int) -> Cleared:
        """The order as a venue may be given it. Raises Refused when it may not leave."""
        return clear(approved, lambda order: self.check(order, now_ns))

    def check(self, approved: Approved, now_ns: int) -> None:
        """Raises Refused when the order may not leave."""
        request, envelope = approved.request, approved.envelope
        self._check_signature(envelope)
        coid = request.client_order_id
        book = self._books.open_book(request.bracket_id)
        order = None if book is None else book.orders.get(coid)
        if book is None or book.envelope != envelope:
            raise Refused(f"approval {envelope.approval_id} is not the one that was journaled")
        if order is None or order.request != request:
            raise Refused(f"order {coid} was not journaled before it was to be sent, or not like this")
        used = book.used - request.quantity if request.role is OrderRole.ENTRY else book.used
        found = objection(request, envelope, now_ns=now_ns, used=used, held=book.held)
        if found is not None:
            raise Refused(f"order {coid} was stopped at the sender: {found}")

    def _check_signature(self, envelope: Envelope) -> None:
        if envelope in self._checked:
            return
        public_key = self._keys.get(envelope.key_id)
        if public_key is None:
            raise Refused(f"approval {envelope.approval_id} is signed with unknown key {envelope.key_id!r}")
        if not self._verify(public_key, envelope.signed_text(), envelope.signature):
            raise Refused(f"approval {envelope.approval_id} has a signature that does not fit")
        self._checked.add(envelope)
