"""What each kind of fact does to the rows for people.

A row counts as real money unless the journal says that its run or its fill was paper: an unknown origin
must not pass for play. Positions are booked by the engine's own ledger, so that they cannot drift from it.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec
from sqlalchemy import Connection, update

from neuratrade.core.engine.ledger import book_fill
from neuratrade.core.engine.state import AccountState, position_key
from neuratrade.core.model import facts as f
from neuratrade.core.model.account import Account, Lot, Position
from neuratrade.core.model.decimals import ZERO
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.intent import BasketIntent, Direction, Intent, OpenIntent
from neuratrade.core.model.orders import FINAL_STATUSES, Fill, OrderRole, OrderStatus, Side
from neuratrade.store.errors import ProjectionBroken
from neuratrade.store.schema import decisions, orders, positions, runs, trades
from neuratrade.store.working_rows import Row, WorkingRows


class FactRows:
    """The rows one batch of facts touches, inside one transaction."""

    def __init__(self, connection: Connection) -> None:
        """Nothing is written before `flush`."""
        self._connection = connection
        opened = (decisions.c.kind == "open") & decisions.c.approved
        self._runs = WorkingRows(connection, runs, "run_id")
        self._decisions = WorkingRows(connection, decisions, "bracket_id", only=opened)
        self._orders = WorkingRows(connection, orders, "client_order_id")
        self._positions = WorkingRows(connection, positions, "account_id", "instrument")
        self._trades = WorkingRows(connection, trades, "seq")
        self._instruments: dict[str, Instrument] = {}
        self._accounts: dict[str, Account] = {}

    def enter_run(self, fact: f.RunStarted) -> None:
        """Takes up the instruments of a run."""
        self._instruments = {item.key: item for item in fact.instruments}
        self._accounts[fact.account.account_id] = fact.account

    def apply(self, seq: int, run_id: str, account_id: str, fact: f.Fact) -> None:
        """Applies one journal row; rows must come in order."""
        fold = _FOLDS.get(type(fact))
        if fold is not None:
            fold(self, {"seq": seq, "run_id": run_id, "account_id": account_id}, fact)

    def flush(self) -> None:
        """Writes what the facts did."""
        for rows in (self._runs, self._decisions, self._orders, self._positions, self._trades):
            rows.flush()

    def run_started(self, row: Row, fact: f.RunStarted) -> None:
        """A run; a fresh one begins without the orders and positions of those before it."""
        self.enter_run(fact)
        self._runs.add(
            row
            | {
                "mode": fact.mode,
                "paper_trade": fact.account.paper,
                "source": fact.source,
                "version": fact.version,
                "started_ns": fact.at_ns,
                "ended_ns": None,
                "end_reason": "",
            }
        )
        if fact.fresh:
            self.flush()
            self._forget_account(fact)

    def run_ended(self, row: Row, fact: f.RunEnded) -> None:
        """The end of a run, where it ended in order."""
        run = self._runs.find(row["run_id"])
        if run is not None:
            self._runs.change(run, ended_ns=fact.at_ns, end_reason=fact.reason)

    def intent_judged(self, row: Row, fact: f.IntentJudged) -> None:
        """A decision, taken or refused, with the whole report of the layers."""
        intent = fact.intent
        blocker = next((layer for layer in fact.layers if layer.verdict.blocks), None)
        judged = {
            "intent_id": intent.intent_id,
            "operator_id": intent.operator_id,
            "source": intent.source,
            "kind": str(intent.__struct_config__.tag),
            "approved": fact.approved,
            "quantity": fact.quantity,
            "refused_by": "" if blocker is None or fact.approved else blocker.name,
            "reason": "" if blocker is None or fact.approved else blocker.reason,
            "layers": msgspec.json.encode(fact.layers).decode(),
            "seen": msgspec.json.encode(fact.seen).decode(),
            "judged_ns": fact.at_ns,
            "outcome": "",
            "paper_trade": self._is_paper(row["run_id"]),
        }
        opened = fact.approved and type(intent) is OpenIntent
        self._decisions.add(row | judged | self._proposal(intent), findable=opened)

    def order_planned(self, row: Row, fact: f.OrderPlanned) -> None:
        """An order on its way."""
        request = fact.request
        decision = self._decisions.find(request.bracket_id) or {}
        self._orders.add(
            row
            | {
                "client_order_id": request.client_order_id,
                "venue_order_id": "",
                "bracket_id": request.bracket_id,
                "account_id": request.account_id,
                "operator_id": decision.get("operator_id", ""),
                "strategy_ref": decision.get("strategy_ref", ""),
                "instrument": request.instrument,
                "side": request.side.value,
                "role": request.role.value,
                "order_type": request.order_type.value,
                "quantity": request.quantity,
                "limit_price": request.limit_price,
                "stop_price": request.stop_price,
                "status": OrderStatus.PLANNED.value,
                "filled": ZERO,
                "average_price": None,
                "reason": "",
                "planned_ns": fact.at_ns,
                "updated_ns": fact.at_ns,
                "paper_trade": self._is_paper(row["run_id"]),
            }
        )

    def order_accepted(self, _: Row, fact: f.OrderAccepted) -> None:
        """The venue works it; a fill may have been faster than this answer."""
        order = self._orders.find(fact.client_order_id)
        if order is None:
            return
        waiting = order["status"] in (OrderStatus.PLANNED.value, OrderStatus.UNKNOWN.value)
        status = OrderStatus.WORKING.value if waiting else order["status"]
        self._orders.change(order, status=status, venue_order_id=fact.venue_order_id, updated_ns=fact.at_ns)

    def order_amended(self, _: Row, fact: f.OrderAmended) -> None:
        """New terms."""
        order = self._orders.find(fact.client_order_id)
        if order is not None:
            self._orders.change(
                order, quantity=fact.quantity, stop_price=fact.stop_price, updated_ns=fact.at_ns
            )

    def order_moved(self, fact: "_OrderEnd", status: OrderStatus) -> None:
        """A status that needs no more than the reason the venue gave."""
        order = self._orders.find(fact.client_order_id)
        if order is not None:
            reason = str(getattr(fact, "reason", ""))
            self._orders.change(order, status=status.value, reason=reason, updated_ns=fact.at_ns)

    def order_filled(self, _: Row, fact: f.OrderFilled) -> None:
        """An execution: the order's average, and the position."""
        fill = fact.fill
        order = self._orders.find(fill.client_order_id)
        if order is not None:
            before: Decimal = order["filled"]
            filled = before + fill.quantity
            value = before * (order["average_price"] or ZERO) + fill.quantity * fill.price
            done = filled >= order["quantity"]
            self._orders.change(
                order,
                filled=filled,
                average_price=value / filled,
                status=(OrderStatus.FILLED if done else OrderStatus.PARTIAL).value,
                updated_ns=fact.at_ns,
            )
        self._book(fill, order or {})

    def bracket_closed(self, row: Row, fact: f.BracketClosed) -> None:
        """A trade, if anything was ever filled; in any case the outcome of its decision."""
        decision = self._decisions.find(fact.bracket_id)
        if decision is not None:
            self._decisions.change(decision, outcome=fact.reason.value)
        if fact.entered == 0:
            return
        known = decision or {}
        self._trades.add(
            row
            | {name: known.get(name, "") for name in _FROM_DECISION}
            | {
                "account_id": fact.account_id,
                "lane": fact.lane,
                "stop_price": known.get("stop_price"),
                "target_price": known.get("target_price"),
                "tags": known.get("tags", "{}"),
                "bracket_id": fact.bracket_id,
                "quantity": fact.entered,
                "entry_price": fact.entry_price,
                "exit_price": fact.exit_price,
                "fees": fact.fees,
                "pnl": fact.pnl,
                "reason": fact.reason.value,
                "opened_ns": fact.opened_ns,
                "closed_ns": fact.at_ns,
                "unprotected_ms": fact.unprotected_ms,
                "paper_trade": known.get("paper_trade", self._is_paper(row["run_id"])),
            }
        )

    def _forget_account(self, fact: f.RunStarted) -> None:
        account_id = fact.account.account_id
        live = [status.value for status in OrderStatus if status not in FINAL_STATUSES]
        self._connection.execute(
            update(orders)
            .where(orders.c.account_id == account_id, orders.c.status.in_(live))
            .values(status=OrderStatus.CANCELLED.value, reason="a fresh account began", updated_ns=fact.at_ns)
        )
        self._connection.execute(positions.delete().where(positions.c.account_id == account_id))

    def _is_paper(self, run_id: str) -> bool:
        run = self._runs.find(run_id)
        return run is not None and bool(run["paper_trade"])

    def _proposal(self, intent: Intent) -> Row:
        """What was proposed. Anything but an OPEN takes its instrument and strategy from its bracket."""
        if isinstance(intent, OpenIntent):
            return {
                "bracket_id": intent.intent_id,
                "strategy_ref": intent.strategy_ref,
                "lane": intent.lane.value,
                "instrument": intent.instrument,
                "direction": intent.direction.value,
                "trigger_price": intent.trigger_price,
                "stop_price": intent.stop_price,
                "target_price": intent.take_profits[0].price if intent.take_profits else None,
                "confidence": intent.confidence,
                "tags": msgspec.json.encode(intent.tags).decode(),
            }
        bracket_id = "" if isinstance(intent, BasketIntent) else intent.bracket_id
        opened = self._decisions.find(bracket_id) or {}
        return {
            "bracket_id": bracket_id,
            "strategy_ref": opened.get("strategy_ref", ""),
            "lane": opened.get("lane", ""),
            "instrument": opened.get("instrument", ""),
            "direction": opened.get("direction", ""),
            "trigger_price": None,
            "stop_price": getattr(intent, "stop_price", None),
            "target_price": None,
            "confidence": None,
            "tags": "{}",
        }

    def _book(self, fill: Fill, order: Row) -> None:
        instrument = self._instruments.get(fill.instrument)
        if instrument is None:
            raise ProjectionBroken(
                f"fill {fill.trade_id} is in {fill.instrument}, which no run announced: its position cannot "
                "be booked; run `neuratrade audit verify`"
            )
        account = AccountState(self._accounts[fill.account_id], {})
        direction = _direction(fill.side, order)
        key = position_key(account.account, fill.instrument, direction)
        held = self._positions.find(fill.account_id, key)
        if held is None:
            held = self._positions.add(
                {
                    "account_id": fill.account_id,
                    "instrument": key,
                    "quantity": ZERO,
                    "average_cost": ZERO,
                    "lots": "[]",
                }
            )
        lots = msgspec.json.decode(held["lots"], type=list[Lot])
        position = account.positions[key] = Position(held["quantity"], lots=lots)
        was_flat = position.quantity == 0
        book_fill(account, instrument, fill, direction)
        self._positions.change(
            held,
            quantity=position.quantity,
            average_cost=position.cost,
            lots=msgspec.json.encode(position.lots).decode(),
            operator_id=order.get("operator_id", ""),
            strategy_ref=order.get("strategy_ref", ""),
            opened_ns=fill.at_ns if was_flat else held["opened_ns"],
            updated_ns=fill.at_ns,
            paper_trade=fill.paper_trade,
        )


def _direction(side: Side, order: Row) -> Direction:
    """The direction of the position an execution belongs to; one without an order opens its own side."""
    opens = order.get("role", OrderRole.ENTRY.value) == OrderRole.ENTRY.value
    return Direction.LONG if (side is Side.BUY) is opens else Direction.SHORT


_FROM_DECISION = ("intent_id", "operator_id", "strategy_ref", "instrument", "direction")
_OrderEnd = f.OrderCancelled | f.OrderExpired | f.OrderRejected | f.OrderNotFound | f.OrderUnknown


def _moved_to(status: OrderStatus) -> Callable[[FactRows, Row, Any], None]:
    def fold(rows: FactRows, _: Row, fact: _OrderEnd) -> None:
        rows.order_moved(fact, status)

    return fold


_FOLDS: dict[type[Any], Callable[[FactRows, Row, Any], None]] = {
    f.RunStarted: FactRows.run_started,
    f.RunEnded: FactRows.run_ended,
    f.IntentJudged: FactRows.intent_judged,
    f.OrderPlanned: FactRows.order_planned,
    f.OrderAccepted: FactRows.order_accepted,
    f.OrderAmended: FactRows.order_amended,
    f.OrderFilled: FactRows.order_filled,
    f.OrderCancelled: _moved_to(OrderStatus.CANCELLED),
    f.OrderExpired: _moved_to(OrderStatus.EXPIRED),
    f.OrderRejected: _moved_to(OrderStatus.REJECTED),
    f.OrderNotFound: _moved_to(OrderStatus.REJECTED),
    f.OrderUnknown: _moved_to(OrderStatus.UNKNOWN),
    f.BracketClosed: FactRows.bracket_closed,
}
KINDS: tuple[str, ...] = tuple(str(fact.__struct_config__.tag) for fact in _FOLDS)
