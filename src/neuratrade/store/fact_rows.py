"""What each kind of fact does to the rows for people.

A row counts as real money unless the journal says that its run or its fill was paper: an unknown origin
must not pass for play. Positions are booked by the engine's own ledger, so that they cannot drift from it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import msgspec
from sqlalchemy import Connection, select, update

from neuratrade.core.engine.fold.actions import rewrite_holdings
from neuratrade.core.engine.fold.orders import NOT_THERE_AFTER_NS
from neuratrade.core.engine.ledger import book_fill, correct_fill
from neuratrade.core.engine.state import AccountState, Execution, position_key
from neuratrade.core.engine.terms import cost, level, units
from neuratrade.core.model import facts as f
from neuratrade.core.model.account import Account, Lot, Position
from neuratrade.core.model.decimals import ZERO
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.intent import BasketIntent, Direction, Intent, OpenIntent
from neuratrade.core.model.orders import FINAL_STATUSES, Fill, Liquidity, OrderRole, OrderStatus, Side
from neuratrade.store.errors import ProjectionBroken
from neuratrade.store.schema import contracts, decisions, orders, positions, runs, trades
from neuratrade.store.working_rows import Row, WorkingRows


class FactRows:
    """The rows one batch of facts touches, inside one transaction."""

    def __init__(self, connection: Connection) -> None:
        """Nothing is written before `flush`."""
        self._connection = connection
        opened = decisions.c.kind.in_(_OPENED) & decisions.c.approved
        self._runs = WorkingRows(connection, runs, "run_id")
        self._decisions = WorkingRows(connection, decisions, "bracket_id", only=opened)
        self._orders = WorkingRows(connection, orders, "client_order_id")
        self._positions = WorkingRows(connection, positions, "account_id", "instrument")
        self._trades = WorkingRows(connection, trades, "bracket_id")
        self._contracts = WorkingRows(connection, contracts, "instrument")
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
        self._contracts.flush()

    def run_started(self, row: Row, fact: f.RunStarted) -> None:
        """A run; a fresh one begins without the orders and positions of those before it."""
        self.enter_run(fact)
        for item in fact.instruments:
            changed = self._contracts.find(item.key)
            if changed is not None:
                self._contracts.remove(changed)
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
                "executions": "{}",
                "missed_ns": None,
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
        # One that was thought never taken is there after all.
        waiting = order["status"] in (
            OrderStatus.PLANNED.value,
            OrderStatus.UNKNOWN.value,
            OrderStatus.REJECTED.value,
        )
        there = (OrderStatus.PARTIAL if order["filled"] else OrderStatus.WORKING).value
        status = there if waiting else order["status"]
        told = {"venue_order_id": fact.venue_order_id, "missed_ns": None, "updated_ns": fact.at_ns}
        self._orders.change(order, status=status, **told)

    def order_triggered(self, _: Row, fact: f.OrderTriggered) -> None:
        """Its stop was reached; it may still be unfilled."""
        order = self._orders.find(fact.client_order_id)
        if order is not None and order["status"] not in _FINAL:
            self._orders.change(order, status=TRIGGERED, updated_ns=fact.at_ns)

    def order_not_found(self, _: Row, fact: f.OrderNotFound) -> None:
        """A look-up missed it: unknown, until a second one, late enough, misses it too."""
        order = self._orders.find(fact.client_order_id)
        if order is None:
            return
        missed_ns = order["missed_ns"]
        if missed_ns is None:
            self._orders.change(
                order, status=OrderStatus.UNKNOWN.value, missed_ns=fact.at_ns, updated_ns=fact.at_ns
            )
        elif fact.at_ns - missed_ns >= NOT_THERE_AFTER_NS:
            self._orders.change(order, status=OrderStatus.REJECTED.value, updated_ns=fact.at_ns)

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
            executions = _decode(order["executions"])
            executions[fill.trade_id] = Execution(
                fill.quantity, fill.price, fill.fee, fill.fee_currency, fill.at_ns
            )
            status = order["status"]
            if status not in _FINAL:
                done = _filled(executions) >= order["quantity"]
                status = (OrderStatus.FILLED if done else OrderStatus.PARTIAL).value
            self._note_executions(order, executions, status, fact.at_ns)
        row = order or {}
        with self._holding(fill.account_id, fill.instrument, self._direction(fill.side, row)) as held:
            account, contract, direction = held
            book_fill(account, contract, fill, direction)
        self._stamp(fill.account_id, fill.instrument, direction, fill, row)

    def fill_corrected(self, _: Row, fact: f.FillCorrected) -> None:
        """An execution was not what it was told to be: the order and the position are as if it never had."""
        order = self._orders.find(fact.client_order_id)
        if order is None:
            return
        executions = _decode(order["executions"])
        told = executions.get(fact.trade_id)
        if told is None:
            told = Execution(ZERO, fact.price, ZERO, self._instrument(order["instrument"]).quote)
        executions[fact.trade_id] = msgspec.structs.replace(
            told, quantity=fact.quantity, price=fact.price, fee=fact.fee
        )
        status = order["status"]
        if status == OrderStatus.FILLED.value and _filled(executions) < order["quantity"]:
            status = OrderStatus.CANCELLED.value
        self._note_executions(order, executions, status, fact.at_ns)
        side = Side(order["side"])
        fill = Fill(
            fact.trade_id,
            fact.client_order_id,
            order["account_id"],
            order["instrument"],
            side,
            told.quantity,
            told.price,
            told.fee,
            told.fee_currency,
            Liquidity.TAKER,
            fact.at_ns,
            paper_trade=bool(order["paper_trade"]),
        )
        with self._holding(fill.account_id, fill.instrument, self._direction(side, order)) as held:
            account, contract, direction = held
            correct_fill(account, contract, fill, direction, fact.quantity, fact.price, fact.fee)
        self._stamp(fill.account_id, fill.instrument, direction, fill, order)

    def liquidated(self, _: Row, fact: f.Liquidated) -> None:
        """The venue closed a part of a position itself."""
        fill = fact.fill
        bracket = {"bracket_id": next(iter(fact.shares), "")}
        opposite = self._direction(fill.side.opposite, bracket)
        with self._holding(fill.account_id, fill.instrument, opposite) as held:
            account, contract, direction = held
            book_fill(account, contract, fill, direction)
        self._stamp(fill.account_id, fill.instrument, direction, fill, bracket)

    def foreign_adopted(self, row: Row, fact: f.ForeignAdopted) -> None:
        """A person's decision, and a position that no order of ours opened."""
        intent = fact.intent
        paper = self._is_paper(row["run_id"])
        judged = {
            "intent_id": intent.intent_id,
            "operator_id": fact.operator_id,
            "source": intent.source,
            "kind": ADOPTED,
            "approved": True,
            "quantity": fact.quantity,
            "refused_by": "",
            "reason": fact.reason,
            "layers": "[]",
            "seen": "{}",
            "judged_ns": fact.at_ns,
            "outcome": "",
            "paper_trade": paper,
        }
        decision = self._decisions.add(row | judged | self._proposal(intent))
        contract = self._instrument(intent.instrument)
        fill = Fill(
            intent.intent_id,
            "",
            intent.account_id,
            intent.instrument,
            fact.envelope.side,
            fact.quantity,
            fact.price,
            ZERO,
            contract.quote,
            Liquidity.MAKER,
            fact.at_ns,
            paper_trade=paper,
        )
        with self._holding(fill.account_id, fill.instrument, intent.direction) as held:
            book_fill(held[0], contract, fill, intent.direction)
        self._stamp(fill.account_id, fill.instrument, intent.direction, fill, decision)

    def corporate_acted(self, _: Row, fact: f.CorporateActed) -> None:
        """Positions and the orders of open brackets in the new terms."""
        old = self._instruments_known(fact.instrument)
        if old is None:
            return
        new = fact.successor or old
        account = AccountState(self._accounts[fact.account_id], {})
        keys = {position_key(account.account, item.key, way) for item in (old, new) for way in Direction}
        rows = {key: self._positions.find(fact.account_id, key) for key in sorted(keys)}
        for key, row in rows.items():
            if row is not None:
                lots = msgspec.json.decode(row["lots"], type=list[Lot])
                account.positions[key] = Position(row["quantity"], lots=lots)
        rewrite_holdings(account, old, fact)
        before = {key: row for key, row in rows.items() if row is not None}
        for key, position in account.positions.items():
            known = before.get(key) or next(row for row in before.values())
            if key not in before:
                known = self._positions.add(known | {"instrument": key})
            self._write(known, position)
        for key, row in before.items():
            if key not in account.positions:
                self._positions.remove(row)
        if fact.successor is not None:
            self._keep_contract(new)
        self._rewrite_orders(fact, new)

    def instrument_updated(self, _: Row, fact: f.InstrumentUpdated) -> None:
        """Another grid from now on."""
        self._keep_contract(fact.instrument)

    def bracket_reopened(self, _: Row, fact: f.BracketReopened) -> None:
        """It was not over: its trade is written anew when it is."""
        trade = self._trades.find(fact.bracket_id)
        if trade is not None:
            self._trades.remove(trade)
        decision = self._decisions.find(fact.bracket_id)
        if decision is not None:
            self._decisions.change(decision, outcome="")

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
                "pnl_home": fact.pnl_home,
                "reason": fact.reason.value,
                "opened_ns": fact.opened_ns,
                "closed_ns": fact.at_ns,
                "unprotected_ms": fact.unprotected_ms,
                "paper_trade": known.get("paper_trade", self._is_paper(row["run_id"])),
            }
        )

    def _forget_account(self, fact: f.RunStarted) -> None:
        account_id = fact.account.account_id
        live = [TRIGGERED, *(status.value for status in OrderStatus if status not in FINAL_STATUSES)]
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

    def _instruments_known(self, key: str) -> Instrument | None:
        changed = self._contracts.find(key)
        if changed is not None:
            return msgspec.json.decode(changed["terms"], type=Instrument)
        return self._instruments.get(key)

    def _instrument(self, key: str) -> Instrument:
        found = self._instruments_known(key)
        if found is None:
            raise ProjectionBroken(
                f"a fill is in {key}, which no run announced: its position cannot be booked; "
                "run `neuratrade audit verify`"
            )
        return found

    def _keep_contract(self, contract: Instrument) -> None:
        terms = msgspec.json.encode(contract).decode()
        row = self._contracts.find(contract.key)
        if row is None:
            self._contracts.add({"instrument": contract.key, "terms": terms})
        else:
            self._contracts.change(row, terms=terms)

    def _note_executions(self, order: Row, executions: dict[str, Execution], status: str, at_ns: int) -> None:
        filled = _filled(executions)
        value = sum((done.quantity * done.price for done in executions.values()), ZERO)
        self._orders.change(
            order,
            executions=msgspec.json.encode(executions).decode(),
            filled=filled,
            average_price=value / filled if filled else None,
            status=status,
            updated_ns=at_ns,
        )

    def _rewrite_orders(self, fact: f.CorporateActed, contract: Instrument) -> None:
        """Orders of the brackets an action touched count its units, as the engine's own books do."""
        touched = [envelope.bracket_id for envelope in fact.envelopes]
        if not touched:
            return
        self._orders.flush()
        mine = select(orders.c.client_order_id).where(
            orders.c.account_id == fact.account_id, orders.c.bracket_id.in_(touched)
        )
        for coid in self._connection.scalars(mine).all():
            order = self._orders.find(coid)
            if order is None or order["instrument"] != fact.instrument:
                continue
            executions = {
                trade_id: msgspec.structs.replace(
                    done, quantity=units(fact, done.quantity), price=cost(fact, done.price)
                )
                for trade_id, done in _decode(order["executions"]).items()
            }
            self._note_executions(order, executions, order["status"], fact.at_ns)
            stop = order["stop_price"]
            self._orders.change(
                order,
                instrument=contract.key,
                quantity=units(fact, order["quantity"]),
                stop_price=None if stop is None else level(fact, stop),
            )

    @contextmanager
    def _holding(
        self, account_id: str, instrument: str, direction: Direction
    ) -> Iterator[tuple[AccountState, Instrument, Direction]]:
        """An account that holds the one position of an instrument, to be booked into; written back after."""
        contract = self._instrument(instrument)
        account = AccountState(self._accounts[account_id], {})
        key = position_key(account.account, instrument, direction)
        row = self._positions.find(account_id, key)
        if row is None:
            row = self._positions.add(_EMPTY_POSITION | {"account_id": account_id, "instrument": key})
        lots = msgspec.json.decode(row["lots"], type=list[Lot])
        account.positions[key] = Position(row["quantity"], lots=lots)
        yield account, contract, direction
        self._write(row, account.positions[key])

    def _write(self, row: Row, position: Position) -> None:
        self._positions.change(
            row,
            quantity=position.quantity,
            average_cost=position.cost,
            lots=msgspec.json.encode(position.lots).decode(),
        )

    def _stamp(self, account_id: str, instrument: str, direction: Direction, fill: Fill, of: Row) -> None:
        """Whose position it is and since when; an execution of a flat one opened it."""
        key = position_key(self._accounts[account_id], instrument, direction)
        row = self._positions.find(account_id, key)
        if row is None:
            return
        bracket = self._decisions.find(of.get("bracket_id", "")) or {}
        opened_ns = row["opened_ns"]
        lots = msgspec.json.decode(row["lots"], type=list[Lot])
        if lots and all(lot.opened_ns == fill.at_ns for lot in lots):
            opened_ns = fill.at_ns
        self._positions.change(
            row,
            operator_id=of.get("operator_id") or bracket.get("operator_id", ""),
            strategy_ref=of.get("strategy_ref") or bracket.get("strategy_ref", ""),
            opened_ns=opened_ns,
            updated_ns=fill.at_ns,
            paper_trade=fill.paper_trade,
        )

    def _direction(self, side: Side, order: Row) -> Direction:
        """The direction of the bracket an execution belongs to; one without a bracket opens its own side."""
        decision = self._decisions.find(order.get("bracket_id", ""))
        if decision is not None and decision["direction"]:
            return Direction(decision["direction"])
        opens = order.get("role", OrderRole.ENTRY.value) == OrderRole.ENTRY.value
        return Direction.LONG if (side is Side.BUY) is opens else Direction.SHORT


def _decode(executions: str) -> dict[str, Execution]:
    return msgspec.json.decode(executions, type=dict[str, Execution])


def _filled(executions: dict[str, Execution]) -> Decimal:
    return sum((done.quantity for done in executions.values()), ZERO)


TRIGGERED = "triggered"
"""Status of an order whose stop was reached and which is not filled yet."""

ADOPTED = "adopt"
_OPENED = ("open", ADOPTED)
_FINAL = frozenset(status.value for status in FINAL_STATUSES)
_EMPTY_POSITION: Row = {
    "quantity": ZERO,
    "average_cost": ZERO,
    "lots": "[]",
    "operator_id": "",
    "strategy_ref": "",
    "opened_ns": 0,
    "updated_ns": 0,
    "paper_trade": False,
}
_FROM_DECISION = ("intent_id", "operator_id", "strategy_ref", "instrument", "direction")
_OrderEnd = f.OrderCancelled | f.OrderExpired | f.OrderRejected | f.OrderUnknown


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
    f.OrderNotFound: FactRows.order_not_found,
    f.OrderTriggered: FactRows.order_triggered,
    f.FillCorrected: FactRows.fill_corrected,
    f.Liquidated: FactRows.liquidated,
    f.ForeignAdopted: FactRows.foreign_adopted,
    f.CorporateActed: FactRows.corporate_acted,
    f.InstrumentUpdated: FactRows.instrument_updated,
    f.BracketReopened: FactRows.bracket_reopened,
    f.OrderUnknown: _moved_to(OrderStatus.UNKNOWN),
    f.BracketClosed: FactRows.bracket_closed,
}
KINDS: tuple[str, ...] = tuple(str(fact.__struct_config__.tag) for fact in _FOLDS)
