"""The books of Tradovate as its clients see them: entities, each told of when it is made or changes.

An order has its terms in versions and its fate in commands, their reports and execution reports; a client id
is on the command alone. All of it follows from what the matching engine tells.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import assert_never

import msgspec

from neuratrade.rehearsal.matching import MatchingEngine
from neuratrade.rehearsal.orders import Change, ChangeKind, Execution, SimOrder
from neuratrade.rehearsal.tradovate_money import ACCOUNT_ID, Money
from neuratrade.rehearsal.tradovate_words import Said, day_of, fee_row, stamp, trade_date

ACCOUNT = "DEMO77"
FIRST_ORDER = 210_000
KEPT = (
    "orderVersion", "command", "commandReport", "executionReport",
    "fill", "fillFee", "position", "cashBalance",
)  # fmt: skip
LIVE = ("PendingNew", "Working", "Suspended")
Tell = Callable[[str, Said, str], None]


class Order(msgspec.Struct):
    """An order at the venue. engine_id: of the matching engine, once it is there. version: its present terms.

    trail: how far a trailing stop stays behind, None for others.
    """

    number: int
    key: str
    contract_id: int
    action: str
    at_ns: int
    client_id: str
    version: Said
    status: str = "PendingNew"
    engine_id: int | None = None
    parent: int | None = None
    oco: int | None = None
    admin: bool = False
    command: int = 0
    trail: Decimal | None = None

    @property
    def is_live(self) -> bool:
        """Whether more can come of it."""
        return self.status in LIVE

    def row(self) -> Said:
        """The entity `order`."""
        said: Said = {
            "id": self.number,
            "accountId": ACCOUNT_ID,
            "contractId": self.contract_id,
            "timestamp": stamp(self.at_ns),
            "action": self.action,
            "ordStatus": self.status,
            "executionProviderId": 1,
            "admin": self.admin,
        }
        links = {"ocoId": self.oco, "parentId": self.parent, "linkedId": self.oco}
        return said | {name: value for name, value in links.items() if value is not None}


class Book:
    """All entities of one account that come and go. tell: of each change, with its entity type and event.

    engine: what fills its orders. money: what the account has.
    """

    def __init__(self, engine: MatchingEngine, now_ns: Callable[[], int]) -> None:
        self.orders: dict[int, Order] = {}
        self.rows: dict[str, dict[int, Said]] = {name: {} for name in KEPT}
        self.tell: Tell = lambda *_: None
        self.engine = engine
        self._now_ns = now_ns
        self._entering: Order | None = None
        self._by_engine: dict[int, Order] = {}
        self._last = FIRST_ORDER
        self.money = Money(engine, now_ns)
        engine.listen(self._hear)
        self._put("cashBalance", self.money.row())

    def next_id(self) -> int:
        """A number for an entity."""
        self._last += 1
        return self._last

    # orders

    def add(self, order: Order) -> None:
        """Takes a new order in, with its version and command."""
        order.number = self.next_id()
        self.orders[order.number] = order
        self.tell("order", order.row(), "Created")
        self.revise(order, order.version)
        self.command(order, "New", order.client_id)

    def entering(self, order: Order | None) -> None:
        """Says which order the next one is that the matching engine takes."""
        self._entering = order

    def revise(self, order: Order, terms: Said) -> None:
        """Gives an order other terms."""
        order.version = {**terms, "id": self.next_id(), "orderId": order.number}
        self._put("orderVersion", order.version)

    def command(self, order: Order, kind: str, client_id: str = "") -> int:
        """Notes what was asked of an order: New, Modify or Cancel."""
        row: Said = {
            "id": self.next_id(),
            "orderId": order.number,
            "timestamp": stamp(self._now_ns()),
            "commandType": kind,
            "commandStatus": "PendingExecution",
            "isAutomated": True,
        }
        if client_id and not client_id.startswith("~"):
            row["clOrdId"] = client_id
        order.command = int(row["id"])
        self._put("command", row)
        return order.command

    def report(self, order: Order, status: str, reason: str = "", text: str = "") -> None:
        """Says how the last command of an order went."""
        row: Said = {
            "id": self.next_id(),
            "commandId": order.command,
            "timestamp": stamp(self._now_ns()),
            "commandStatus": status,
            "ordStatus": order.status,
        }
        if reason:
            row |= {"rejectReason": reason, "text": text}
        self._put("commandReport", row)
        command = {**self.rows["command"][order.command], "commandStatus": status}
        self._put("command", command, "Updated")

    def move(self, order: Order, status: str) -> None:
        """An order comes to another status."""
        order.status = status
        self.tell("order", order.row(), "Updated")

    def reject(self, order: Order, status: str, reason: str, text: str) -> None:
        """An order that was taken is refused after all."""
        order.status = "Rejected"
        self.report(order, status, reason, text)
        self._execution(order, "Rejected", None, rejectReason=reason, text=text)
        self.tell("order", order.row(), "Updated")

    def sim(self, order: Order) -> SimOrder | None:
        """The same order in the matching engine."""
        return None if order.engine_id is None else self.engine.orders[order.engine_id]

    # what the engine tells

    def _hear(self, change: Change) -> None:
        sim = change.order
        if change.kind is ChangeKind.ACCEPTED and self._entering is not None:
            self._entering.engine_id = sim.order_id
            self._by_engine[sim.order_id] = self._entering
            self._entering = None
        order = self._by_engine.get(sim.order_id)
        if order is None:
            return
        match change.kind:
            case ChangeKind.ACCEPTED:
                self.move(order, "Working")
                self.report(order, "AtExecution")
                self._execution(order, "New", sim)
            case ChangeKind.HELD | ChangeKind.TRIGGERED:
                # Legs of its own are kept by its own rules, and of a reached stop it tells nothing.
                pass
            case ChangeKind.TRADED:
                self._traded(order, sim, change.execution)
            case ChangeKind.AMENDED:
                self.report(order, "AtExecution")
                self._execution(order, "Replaced", sim)
            case ChangeKind.CANCELLED:
                self._ended(order, sim, "Canceled")
            case ChangeKind.EXPIRED:
                self._ended(order, sim, "Expired")
            case _:
                assert_never(change.kind)

    def _ended(self, order: Order, sim: SimOrder, status: str) -> None:
        self.move(order, status)
        if self.rows["command"][order.command]["commandType"] == "Cancel":
            self.report(order, "AtExecution")
        self._execution(order, status, sim)

    def _traded(self, order: Order, sim: SimOrder, done: Execution | None) -> None:
        if done is None:
            return
        if sim.remaining <= 0:
            self.move(order, "Filled")
        self._execution(order, "Trade", sim, done)
        fill = {
            "id": done.number,
            "orderId": order.number,
            "contractId": order.contract_id,
            "timestamp": stamp(done.at_ns),
            "tradeDate": trade_date(day_of(done.at_ns)),
            "action": order.action,
            "qty": done.quantity,
            "price": done.price,
            "active": True,
            "finallyPaired": 0,
        }
        self._put("fill", fill)
        self._put("fillFee", fee_row(done))
        self.money.take(done)
        rows = self.rows["position"]
        known = next((row for row in rows.values() if row["contractId"] == order.contract_id), None)
        position = self.money.position(done, order.contract_id, known)
        self._put("position", position, "Updated" if known else "Created")
        self._put("cashBalance", self.money.row(), "Updated")

    def _execution(
        self,
        order: Order,
        kind: str,
        sim: SimOrder | None,
        done: Execution | None = None,
        **more: object,
    ) -> None:
        now_ns = self._now_ns()
        row: Said = {
            "id": self.next_id(),
            "commandId": order.command,
            "name": f"{order.number}:{kind}",
            "accountId": ACCOUNT_ID,
            "contractId": order.contract_id,
            "timestamp": stamp(now_ns),
            "tradeDate": trade_date(day_of(now_ns)),
            "orderId": order.number,
            "execType": kind,
            "ordStatus": order.status,
            "action": order.action,
            **more,
        }
        if sim is not None:
            row |= {"cumQty": sim.filled, "exchangeOrderId": str(sim.order_id)}
            if sim.average_price is not None:
                row["avgPx"] = sim.average_price
        if done is not None:
            row |= {"lastQty": done.quantity, "lastPx": done.price, "execRefId": str(done.number)}
            row |= {"cumQty": done.total}
        self._put("executionReport", row)

    def _put(self, name: str, row: Said, event: str = "Created") -> None:
        self.rows[name][int(row["id"])] = row
        self.tell(name, row, event)
