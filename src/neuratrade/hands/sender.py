"""The sender: the last hand an order passes, with its own books and no trust in the ones before.

It checks the gate's signature over the envelope and that the order fits it: entry quantity used so far,
expiry, and that an exit can only shrink what its bracket holds. Its books are folded from the same facts the
journal has, so a restart does not make a used approval fresh.
"""

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import NamedTuple

import msgspec

from neuratrade.core.engine.fold.brackets import KEPT_NS
from neuratrade.core.engine.state import BracketState, DeskState, Execution, OrderState
from neuratrade.core.model import facts as f
from neuratrade.core.model.approval import Approved, Envelope
from neuratrade.core.model.decimals import ZERO
from neuratrade.core.model.errors import Refused
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.orders import OrderRequest, OrderRole
from neuratrade.core.risk.permit import objection
from neuratrade.venues.port import Cleared, clear

NOTHING = Execution(ZERO, ZERO, ZERO, "")
Verify = Callable[[str, bytes, bytes], bool]


class Sender:
    """Checks every order before it leaves. verify(public_key, payload, signature) is the signature scheme."""

    def __init__(self, verify: Verify) -> None:
        self._verify = verify
        self._keys: dict[str, str] = {}
        self._used: dict[str, Decimal] = {}
        self._held: dict[str, Decimal] = {}
        self._planned: dict[str, OrderRequest] = {}
        self._filled: dict[str, Decimal] = {}
        self._told: dict[str, dict[str, Execution]] = {}
        self._bases: dict[str, str] = {}
        self._envelopes: dict[str, Envelope] = {}
        self._closed: dict[str, _Closed] = {}
        self._checked: set[Envelope] = set()

    def restore(self, state: DeskState) -> None:
        """Takes its books from durable state after a restart."""
        self._keys = dict(state.keys)
        self._bases = _bases_of(state.instruments.values())
        for kept in state.closed.values():
            self._restore_bracket(kept.bracket, kept.orders)
            self._put_away(kept.bracket.bracket_id, kept.closed.at_ns)
        for bracket in state.brackets.values():
            name = bracket.bracket_id
            mine = [order for order in state.orders.values() if order.request.bracket_id == name]
            self._restore_bracket(bracket, mine)

    def _restore_bracket(self, bracket: BracketState, orders: list[OrderState]) -> None:
        self._envelopes[bracket.bracket_id] = bracket.envelope
        self._used[bracket.bracket_id] = bracket.entry_used
        self._held[bracket.bracket_id] = bracket.held_signed
        for order in orders:
            coid = order.request.client_order_id
            self._planned[coid] = order.request
            self._filled[coid] = order.filled
            self._told[coid] = dict(order.executions)

    def learn(self, fact: f.Fact) -> None:
        """Keeps the books: call with every fact, in order, also with those of the journal at start."""
        match fact:
            case f.RunStarted(key_id=key_id, public_key=public_key):
                self._keys[key_id] = public_key
                self._bases = _bases_of(fact.instruments)
                if fact.fresh:
                    # What an earlier run approved is nobody's any more.
                    self._used, self._held, self._planned, self._filled = {}, {}, {}, {}
                    self._envelopes, self._checked, self._told, self._closed = {}, set(), {}, {}
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
            case f.OrderFilled(fill=fill):
                done = Execution(fill.quantity, fill.price, fill.fee, fill.fee_currency)
                self._take_execution(fill.client_order_id, fill.trade_id, done)
            case f.FillCorrected(client_order_id=coid, trade_id=trade_id):
                told = self._told.get(coid, {}).get(trade_id)
                currency = "" if told is None else told.fee_currency
                done = Execution(fact.quantity, fact.price, fact.fee, currency)
                self._take_execution(coid, trade_id, done)
            case f.BracketClosed(bracket_id=bracket_id, at_ns=at_ns):
                self._put_away(bracket_id, at_ns)
            case f.BracketReopened(bracket_id=bracket_id):
                self._bring_back(bracket_id)
            case _:
                pass

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

    def _take_execution(self, coid: str, trade_id: str, done: Execution) -> None:
        """An execution has these terms; one that was told before is corrected to them."""
        request = self._planned.get(coid)
        if request is None:
            return
        told = self._told.setdefault(coid, {})
        before = told.get(trade_id, NOTHING)
        told[trade_id] = done
        change = done.quantity - before.quantity
        held = self._held.get(request.bracket_id, ZERO) + change * request.side.sign
        # A fee paid in what is held is not held any more.
        base = self._bases.get(request.instrument)
        paid = (done.fee if done.fee_currency == base else ZERO) - (
            before.fee if before.fee_currency == base else ZERO
        )
        self._held[request.bracket_id] = held - paid
        self._filled[coid] = self._filled.get(coid, ZERO) + change

    def _put_away(self, bracket_id: str, at_ns: int) -> None:
        """A bracket is over. It is kept as long as the state keeps it, since it may be opened again."""
        for name in [name for name, kept in self._closed.items() if kept.at_ns < at_ns - KEPT_NS]:
            del self._closed[name]
        envelope = self._envelopes.pop(bracket_id, None)
        if envelope is None:
            return
        self._checked.discard(envelope)
        orders = [coid for coid, request in self._planned.items() if request.bracket_id == bracket_id]
        self._closed[bracket_id] = _Closed(
            at_ns,
            envelope,
            self._used.pop(bracket_id, ZERO),
            self._held.pop(bracket_id, ZERO),
            {coid: self._planned.pop(coid) for coid in orders},
            {coid: self._told.pop(coid) for coid in orders if coid in self._told},
        )
        for coid in orders:
            self._filled.pop(coid, None)

    def _bring_back(self, bracket_id: str) -> None:
        kept = self._closed.pop(bracket_id, None)
        if kept is None:
            return
        self._envelopes[bracket_id] = kept.envelope
        self._used[bracket_id], self._held[bracket_id] = kept.used, kept.held
        self._planned |= kept.planned
        self._told |= kept.told
        for coid, told in kept.told.items():
            self._filled[coid] = sum((done.quantity for done in told.values()), ZERO)


def _bases_of(instruments: Iterable[Instrument]) -> dict[str, str]:
    return {item.key: item.base for item in instruments if not item.is_derivative}


class _Closed(NamedTuple):
    """The books of a bracket that is over."""

    at_ns: int
    envelope: Envelope
    used: Decimal
    held: Decimal
    planned: dict[str, OrderRequest]
    told: dict[str, dict[str, Execution]]
