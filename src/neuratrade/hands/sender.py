"""The sender: the last hand an order passes, with its own books and no trust in the ones before.

It checks the gate's signature over the envelope and that the order fits it: entry quantity used so far,
expiry, and that an exit can only shrink what its bracket holds. Its books are folded from the same facts the
journal has, so a restart does not make a used approval fresh.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import NamedTuple

import msgspec

from neuratrade.core.engine.fold.brackets import KEPT_NS
from neuratrade.core.engine.fold.orders import NOT_THERE_AFTER_NS
from neuratrade.core.engine.state import DeskState
from neuratrade.core.model import facts as f
from neuratrade.core.model.approval import Approved, Envelope
from neuratrade.core.model.decimals import ZERO
from neuratrade.core.model.errors import Refused
from neuratrade.core.model.orders import OrderRequest, OrderRole, OrderStatus
from neuratrade.core.risk.permit import objection
from neuratrade.venues.port import Cleared, clear

Verify = Callable[[str, bytes, bytes], bool]


class _Closed(NamedTuple):
    """The books of a bracket that is over, for an execution that comes late and opens it again."""

    at_ns: int
    envelope: Envelope
    used: Decimal
    held: Decimal
    planned: dict[str, OrderRequest]
    filled: dict[str, Decimal]


class Sender:
    """Checks every order before it leaves. verify(public_key, payload, signature) is the signature scheme."""

    def __init__(self, verify: Verify) -> None:
        self._verify = verify
        self._keys: dict[str, str] = {}
        self._used: dict[str, Decimal] = {}
        self._held: dict[str, Decimal] = {}
        self._planned: dict[str, OrderRequest] = {}
        self._filled: dict[str, Decimal] = {}
        self._missed: dict[str, int] = {}
        self._absent: set[str] = set()
        self._envelopes: dict[str, Envelope] = {}
        self._checked: set[Envelope] = set()
        self._closed: dict[str, _Closed] = {}

    @property
    def used(self) -> dict[str, Decimal]:
        """Entry quantity used under each approval, by bracket id."""
        return dict(self._used)

    def restore(self, state: DeskState) -> None:
        """Takes its books from durable state after a restart."""
        self._keys = dict(state.keys)
        for bracket in state.brackets.values():
            self._envelopes[bracket.bracket_id] = bracket.envelope
            self._used[bracket.bracket_id] = bracket.entry_used
            self._held[bracket.bracket_id] = bracket.held_signed
        for coid, order in state.orders.items():
            self._planned[coid] = order.request
            self._filled[coid] = order.filled
            if order.missed_ns is not None:
                self._missed[coid] = order.missed_ns
            if order.status is OrderStatus.REJECTED:
                self._absent.add(coid)
        for bracket_id, kept in state.closed.items():
            bracket = kept.bracket
            self._closed[bracket_id] = _Closed(
                kept.closed.at_ns,
                bracket.envelope,
                bracket.entry_used,
                bracket.held_signed,
                {coid: order.request for coid, order in kept.orders.items()},
                {coid: order.filled for coid, order in kept.orders.items()},
            )

    def learn(self, fact: f.Fact) -> None:
        """Keeps the books: call with every fact, in order, also with those of the journal at start."""
        match fact:
            case f.RunStarted(key_id=key_id, public_key=public_key):
                self._keys[key_id] = public_key
                if fact.fresh:
                    # What an earlier run approved is nobody's any more.
                    self._used, self._held, self._planned, self._filled = {}, {}, {}, {}
                    self._envelopes, self._checked = {}, set()
                    self._missed, self._absent, self._closed = {}, set(), {}
            case f.IntentJudged(envelope=envelope) if envelope is not None:
                self._envelopes[envelope.bracket_id] = envelope
            case f.OrderPlanned(request=request):
                self._planned[request.client_order_id] = request
                if request.role is OrderRole.ENTRY:
                    used = self._used.get(request.bracket_id, ZERO)
                    self._used[request.bracket_id] = used + request.quantity
            case f.AmendPlanned(client_order_id=coid) if coid in self._planned:
                left = fact.quantity - self._filled.get(coid, ZERO)
                terms = {"quantity": left, "stop_price": fact.stop_price}
                self._planned[coid] = msgspec.structs.replace(self._planned[coid], **terms)
            case f.OrderFilled(fill=fill) if fill.client_order_id in self._planned:
                bracket_id = self._planned[fill.client_order_id].bracket_id
                held = self._held.get(bracket_id, ZERO)
                self._held[bracket_id] = held + fill.quantity * fill.side.sign
                filled = self._filled.get(fill.client_order_id, ZERO)
                self._filled[fill.client_order_id] = filled + fill.quantity
            case f.ForeignAdopted(envelope=envelope, quantity=quantity):
                # Its entry is used up from the beginning: only what shrinks it may leave.
                self._envelopes[envelope.bracket_id] = envelope
                self._used[envelope.bracket_id] = quantity
                self._held[envelope.bracket_id] = quantity * envelope.side.sign
            case f.BracketClosed(bracket_id=bracket_id):
                self._put_away(bracket_id, fact.at_ns)
            case f.BracketReopened(bracket_id=bracket_id):
                self._take_up(bracket_id)
            case _:
                self._learn_end(fact)

    def _learn_end(self, fact: f.Fact) -> None:
        """Follows how orders end: what an entry is stated never to have filled may be asked for again."""
        match fact:
            case f.OrderRejected(client_order_id=coid):
                self._release(coid, ZERO)
                self._absent.add(coid)
            case f.OrderCancelled(filled=filled) | f.OrderExpired(filled=filled) if filled is not None:
                self._release(fact.client_order_id, filled)
            case f.OrderNotFound(client_order_id=coid):
                self._note_missing(coid, fact.at_ns)
            case f.OrderAccepted(client_order_id=coid):
                self._note_there(coid)
            case _:
                pass

    def _release(self, coid: str, stated: Decimal) -> None:
        """Gives back what the venue states an entry never filled, and nothing else."""
        request = self._planned.get(coid)
        if request is not None and request.role is OrderRole.ENTRY:
            unfilled = request.quantity - max(self._filled.get(coid, ZERO), stated)
            self._used[request.bracket_id] = self._used.get(request.bracket_id, ZERO) - unfilled

    def _note_missing(self, coid: str, at_ns: int) -> None:
        """The first miss proves nothing; one that comes late enough after it ends the order."""
        first_ns = self._missed.setdefault(coid, at_ns)
        if at_ns - first_ns >= NOT_THERE_AFTER_NS:
            self._release(coid, ZERO)
            self._absent.add(coid)

    def _note_there(self, coid: str) -> None:
        """An order that was thought absent is there after all: what it may fill is used again."""
        self._missed.pop(coid, None)
        if coid not in self._absent:
            return
        self._absent.discard(coid)
        request = self._planned.get(coid)
        if request is not None and request.role is OrderRole.ENTRY:
            may_fill = request.quantity - self._filled.get(coid, ZERO)
            self._used[request.bracket_id] = self._used.get(request.bracket_id, ZERO) + may_fill

    def clear(self, approved: Approved, now_ns: int) -> Cleared:
        """The order as a venue may be given it. Raises Refused when it may not leave."""
        return clear(approved, lambda order: self.check(order, now_ns))

    def check(self, approved: Approved, now_ns: int) -> None:
        """Raises Refused when the order may not leave."""
        request, envelope = approved.request, approved.envelope
        self._check_signature(envelope)
        if self._planned.get(request.client_order_id) != request:
            coid = request.client_order_id
            raise Refused(f"order {coid} was not journaled before it was to be sent, or not like this")
        if self._envelopes.get(envelope.bracket_id) != envelope:
            raise Refused(f"approval {envelope.approval_id} is not the one that was journaled")
        used = self._used.get(request.bracket_id, ZERO)
        if request.role is OrderRole.ENTRY:
            used -= request.quantity
        held = self._held.get(request.bracket_id, ZERO)
        found = objection(request, envelope, now_ns=now_ns, used=used, held=held)
        if found is not None:
            raise Refused(f"order {request.client_order_id} was stopped at the sender: {found}")

    def _check_signature(self, envelope: Envelope) -> None:
        if envelope in self._checked:
            return
        public_key = self._keys.get(envelope.key_id)
        if public_key is None:
            raise Refused(f"approval {envelope.approval_id} is signed with unknown key {envelope.key_id!r}")
        if not self._verify(public_key, envelope.signed_text(), envelope.signature):
            raise Refused(f"approval {envelope.approval_id} has a signature that does not fit")
        self._checked.add(envelope)

    def _put_away(self, bracket_id: str, at_ns: int) -> None:
        """Forgets a bracket that is over, but for as long as the engine would open it again."""
        self._closed = {key: kept for key, kept in self._closed.items() if kept.at_ns >= at_ns - KEPT_NS}
        envelope = self._envelopes.pop(bracket_id, None)
        used, held = self._used.pop(bracket_id, ZERO), self._held.pop(bracket_id, ZERO)
        planned = {key: order for key, order in self._planned.items() if order.bracket_id == bracket_id}
        filled = {key: self._filled[key] for key in planned if key in self._filled}
        if envelope is not None:
            self._checked.discard(envelope)
            self._closed[bracket_id] = _Closed(at_ns, envelope, used, held, planned, filled)
        for key in planned:
            del self._planned[key]
            self._filled.pop(key, None)
            self._missed.pop(key, None)
            self._absent.discard(key)

    def _take_up(self, bracket_id: str) -> None:
        """An execution came late: what is held of it may be left and guarded again."""
        kept = self._closed.pop(bracket_id, None)
        if kept is not None:
            self._envelopes[bracket_id] = kept.envelope
            self._used[bracket_id], self._held[bracket_id] = kept.used, kept.held
            self._planned |= kept.planned
            self._filled |= kept.filled
