"""The sender's own books: what each approval still allows, and what its bracket holds.

Folded from the same facts as the engine's state but by other code, so that a mistake in one of them is
stopped by the other. A bracket that is over is kept for as long as the engine would open it again.
"""

from collections.abc import Iterable
from decimal import Decimal

import msgspec

from neuratrade.core.engine.fold.brackets import KEPT_NS
from neuratrade.core.engine.fold.orders import NOT_THERE_AFTER_NS
from neuratrade.core.engine.state import BracketState, DeskState, Execution, OrderState
from neuratrade.core.engine.terms import units
from neuratrade.core.model import facts as f
from neuratrade.core.model.approval import Envelope
from neuratrade.core.model.decimals import ZERO
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.orders import OrderRequest, OrderRole, OrderStatus

NOTHING = Execution(ZERO, ZERO, ZERO, "")


class OrderBook(msgspec.Struct):
    """One order. request: as journaled, with the terms of its last amend.

    absent: proven not to be there. released: what it never filled is free again, all but what is `stated`.
    """

    request: OrderRequest
    executions: dict[str, Execution]
    missed_ns: int | None = None
    absent: bool = False
    released: bool = False
    stated: Decimal = ZERO

    @property
    def filled(self) -> Decimal:
        """Quantity executed so far."""
        return sum((done.quantity for done in self.executions.values()), ZERO)


class EnvelopeBook(msgspec.Struct):
    """One approval. used: entry quantity out of it. held: signed quantity its bracket holds."""

    envelope: Envelope
    orders: dict[str, OrderBook]
    used: Decimal = ZERO
    held: Decimal = ZERO
    closed_ns: int | None = None


class Envelopes:
    """All approvals that may still be used, by bracket id."""

    def __init__(self) -> None:
        self._books: dict[str, EnvelopeBook] = {}
        self._bracket_of: dict[str, str] = {}
        self._bases: dict[str, str] = {}

    def open_book(self, bracket_id: str) -> EnvelopeBook | None:
        """The book of a bracket that is not over."""
        book = self._books.get(bracket_id)
        return None if book is None or book.closed_ns is not None else book

    @property
    def used(self) -> dict[str, Decimal]:
        """Entry quantity used under each approval that is open."""
        return {key: book.used for key, book in self._books.items() if book.closed_ns is None}

    def restore(self, state: DeskState) -> None:
        """Takes the books from durable state after a restart."""
        self._learn_instruments(state.instruments.values())
        for kept in state.closed.values():
            self._restore(kept.bracket, kept.orders.values(), kept.closed.at_ns)
        for bracket in state.brackets.values():
            name = bracket.bracket_id
            mine = (order for order in state.orders.values() if order.request.bracket_id == name)
            self._restore(bracket, mine, None)

    def _restore(self, bracket: BracketState, orders: Iterable[OrderState], closed_ns: int | None) -> None:
        books = {}
        for order in orders:
            coid = order.request.client_order_id
            absent = order.status is OrderStatus.REJECTED
            released = order.status.is_final and order.stated is not None
            stated = order.stated or ZERO
            books[coid] = OrderBook(
                order.request, dict(order.executions), order.missed_ns, absent, released, stated
            )
            self._bracket_of[coid] = bracket.bracket_id
        self._books[bracket.bracket_id] = EnvelopeBook(
            bracket.envelope, books, bracket.entry_used, bracket.held_signed, closed_ns
        )

    def learn(self, fact: f.Fact) -> None:
        """Keeps the books: call with every fact, in order, also with those of the journal at start."""
        match fact:
            case f.RunStarted():
                if fact.fresh:
                    # What an earlier run approved is nobody's any more.
                    self._books, self._bracket_of = {}, {}
                self._learn_instruments(fact.instruments)
            case f.IntentJudged(envelope=envelope) if envelope is not None:
                self._books[envelope.bracket_id] = EnvelopeBook(envelope, {})
            case f.ForeignAdopted(envelope=envelope, quantity=quantity):
                # Its entry is used up from the beginning: only what shrinks it may leave.
                held = quantity * envelope.side.sign
                self._books[envelope.bracket_id] = EnvelopeBook(envelope, {}, quantity, held)
            case f.BracketClosed(bracket_id=bracket_id, at_ns=at_ns):
                self._put_away(bracket_id, at_ns)
            case f.BracketReopened(bracket_id=bracket_id) if bracket_id in self._books:
                self._books[bracket_id].closed_ns = None
            case f.Liquidated(fill=fill, shares=shares):
                for bracket_id, share in shares.items():
                    self._books[bracket_id].held += share * fill.side.sign
            case f.CorporateActed():
                self._act(fact)
            case f.OrderPlanned(request=request) if request.bracket_id in self._books:
                self._plan(request)
            case _:
                self._learn_answer(fact)

    def _learn_instruments(self, instruments: Iterable[Instrument]) -> None:
        self._bases = {item.key: item.base for item in instruments if not item.is_derivative}

    def _act(self, action: f.CorporateActed) -> None:
        """Approvals that a corporate action touched, signed anew, and their books in its units."""
        if action.successor is not None and action.instrument in self._bases:
            # Orders keep the name they were sent under; what is paid in kind is paid in the new one.
            self._bases[action.instrument] = self._bases[action.successor.key] = action.successor.base
        for envelope in action.envelopes:
            book = self._books.get(envelope.bracket_id)
            if book is None:
                continue
            book.envelope = envelope
            book.used, book.held = units(action, book.used), units(action, book.held)
            for order in book.orders.values():
                order.request = msgspec.structs.replace(
                    order.request, quantity=units(action, order.request.quantity)
                )
                for trade_id, done in order.executions.items():
                    quantity = units(action, done.quantity)
                    order.executions[trade_id] = msgspec.structs.replace(done, quantity=quantity)

    def _put_away(self, bracket_id: str, at_ns: int) -> None:
        oldest_ns = at_ns - KEPT_NS
        for name, book in list(self._books.items()):
            if book.closed_ns is not None and book.closed_ns < oldest_ns:
                del self._books[name]
                for coid in book.orders:
                    self._bracket_of.pop(coid, None)
        if bracket_id in self._books:
            self._books[bracket_id].closed_ns = at_ns

    def _plan(self, request: OrderRequest) -> None:
        book = self._books[request.bracket_id]
        book.orders[request.client_order_id] = OrderBook(request, {})
        self._bracket_of[request.client_order_id] = request.bracket_id
        if request.role is OrderRole.ENTRY:
            book.used += request.quantity

    def _learn_answer(self, fact: f.Fact) -> None:
        """Follows one order: its terms, its executions, and how it ends."""
        coid = fact.fill.client_order_id if isinstance(fact, f.OrderFilled) else _order_of(fact)
        book = self._books.get(self._bracket_of.get(coid, ""))
        if book is None:
            return
        order = book.orders[coid]
        match fact:
            case f.AmendPlanned():
                left = fact.quantity - order.filled
                order.request = msgspec.structs.replace(
                    order.request, quantity=left, stop_price=fact.stop_price
                )
            case f.OrderFilled(fill=fill):
                done = Execution(fill.quantity, fill.price, fill.fee, fill.fee_currency)
                if order.released and order.request.role is OrderRole.ENTRY:
                    # It was filled beyond what was stated: what was given back for that is used after all.
                    known = max(order.filled, order.stated)
                    book.used += max(order.filled + fill.quantity - known, ZERO)
                self._execute(book, order, fill.trade_id, done)
            case f.FillCorrected(trade_id=trade_id):
                currency = order.executions.get(trade_id, NOTHING).fee_currency
                self._execute(book, order, trade_id, Execution(fact.quantity, fact.price, fact.fee, currency))
            case f.OrderRejected():
                order.absent = True
                _release(book, order, ZERO)
            case f.OrderCancelled(filled=filled) | f.OrderExpired(filled=filled) if filled is not None:
                _release(book, order, filled)
            case f.OrderNotFound(at_ns=at_ns):
                _note_missing(book, order, at_ns)
            case f.OrderAccepted():
                _note_there(book, order)
            case _:
                pass

    def _execute(self, book: EnvelopeBook, order: OrderBook, trade_id: str, done: Execution) -> None:
        """An execution has these terms; one that was told before is corrected to them."""
        before = order.executions.get(trade_id, NOTHING)
        order.executions[trade_id] = done
        book.held += (done.quantity - before.quantity) * order.request.side.sign
        # A fee paid in what is held is not held any more.
        base = self._bases.get(order.request.instrument)
        book.held -= (done.fee if done.fee_currency == base else ZERO) - (
            before.fee if before.fee_currency == base else ZERO
        )


def _order_of(fact: f.Fact) -> str:
    coid = getattr(fact, "client_order_id", "")
    return coid if isinstance(coid, str) else ""


def _release(book: EnvelopeBook, order: OrderBook, stated: Decimal) -> None:
    """Gives back what the venue states an entry never filled, and nothing else."""
    if order.request.role is OrderRole.ENTRY and not order.released:
        order.released, order.stated = True, stated
        book.used -= order.request.quantity - max(order.filled, stated)


def _note_missing(book: EnvelopeBook, order: OrderBook, at_ns: int) -> None:
    """The first miss proves nothing; one that comes late enough after it ends the order."""
    if order.missed_ns is None:
        order.missed_ns = at_ns
    elif at_ns - order.missed_ns >= NOT_THERE_AFTER_NS and not order.absent:
        order.absent = True
        _release(book, order, ZERO)


def _note_there(book: EnvelopeBook, order: OrderBook) -> None:
    """An order that was thought absent is there after all: what it may fill is used again."""
    order.missed_ns = None
    if order.absent and order.request.role is OrderRole.ENTRY:
        book.used += max(order.request.quantity - order.filled, ZERO)
        order.released = False
    order.absent = False
