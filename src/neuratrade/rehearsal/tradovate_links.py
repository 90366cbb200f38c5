"""What hangs together at Tradovate: brackets that wait for their parent, and orders that cancel each other.

Where the documents are silent, the worst that fits them holds: brackets go out when their parent is filled
whole and end with it otherwise, however much of it was filled; and a linked order is cancelled when the other
is filled whole, not before, nor when the other is cancelled. Trailing stops are moved here too.
"""

from collections import deque
from collections.abc import Callable
from decimal import Decimal

from neuratrade.core.model.market import Quote
from neuratrade.core.model.orders import Side
from neuratrade.rehearsal.faults import FaultKind, Troubles
from neuratrade.rehearsal.orders import Change, Reason, Rejected, Ticket
from neuratrade.rehearsal.tradovate_book import Book, Order
from neuratrade.rehearsal.tradovate_words import FAILURES


class Links:
    """Hands orders to the exchange and does what the end of one brings for others.

    waiting: brackets and the tickets they become. after: what is done once all has settled at a quote.
    """

    def __init__(self, book: Book, troubles: Troubles, after: Callable[[], None]) -> None:
        self._book = book
        self._engine = book.engine
        self._troubles = troubles
        self._after = after
        self.waiting: dict[int, tuple[Order, Ticket]] = {}
        self._due: deque[Order] = deque()
        self._engine.listen(self._note)
        self._engine.watch(self._quoted)

    def hand(self, order: Order, ticket: Ticket) -> None:
        """Hands an order to the exchange, which may refuse it by a command report."""
        self._book.entering(order)
        try:
            if ticket.stop_price is not None and self._troubles.next_of(FaultKind.STOP_REJECTED) is not None:
                raise Rejected(Reason.PLANNED)
            if order.version["timeInForce"] == "FOK" and self._engine.takeable(ticket) < ticket.quantity:
                self._book.entering(None)
                self._book.move(order, "Working")
                self._book.report(order, "AtExecution")
                self._book.move(order, "Expired")
                return
            self._engine.place(ticket)
        except Rejected as error:
            self._book.entering(None)
            status = "RiskRejected" if error.reason is Reason.BALANCE else "ExecutionRejected"
            reason = FAILURES.get(error.reason, "OtherExecutionRelated")
            self._book.reject(order, status, reason, str(error))
            self._due.append(order)

    def end(self, order: Order, client_id: str = "") -> int:
        """Cancels an order; the number of that command."""
        number = self._book.command(order, "Cancel", client_id)
        if order.number in self.waiting:
            del self.waiting[order.number]
            self._book.move(order, "Canceled")
            self._book.report(order, "AtExecution")
            self._due.append(order)
        elif order.engine_id is not None:
            self._engine.cancel(order.engine_id)
        return number

    def _note(self, change: Change) -> None:
        if not change.order.is_live:
            number = change.order.order_id
            mine = (item for item in self._book.orders.values() if item.engine_id == number)
            self._due.extend(mine)

    def settle(self) -> None:
        """Does what the end of an order brings: brackets go out or end, the linked order is cancelled."""
        while self._due:
            order = self._due.popleft()
            self._children(order)
            other = self._book.orders.get(order.oco or 0)
            if order.status == "Filled" and other is not None and other.is_live:
                self.end(other)

    def _children(self, parent: Order) -> None:
        for order, ticket in [pair for pair in self.waiting.values() if pair[0].parent == parent.number]:
            if order.number not in self.waiting:
                continue
            if parent.status == "Filled":
                del self.waiting[order.number]
                self.hand(order, ticket)
            elif parent.status == "Rejected":
                del self.waiting[order.number]
                self._book.reject(order, "ExecutionRejected", "ParentRejected", "its parent was refused")
            else:
                self.end(order)

    def _quoted(self, quote: Quote) -> None:
        self.settle()
        for order in list(self._book.orders.values()):
            if order.trail is not None and order.is_live and order.key == quote.instrument:
                self._trail(order, order.trail, quote)
        self._after()

    def _trail(self, order: Order, trail: Decimal, quote: Quote) -> None:
        sim = self._book.sim(order)
        if sim is None or sim.stop_price is None or sim.triggered:
            return
        side = sim.ticket.side
        best = quote.ask if side is Side.BUY else quote.bid
        if best is None:
            return
        stop = best + trail * side.sign
        if (sim.stop_price - stop) * side.sign > 0:
            sim.stop_price = stop
            self._book.revise(order, {**order.version, "stopPrice": stop})
