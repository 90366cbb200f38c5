"""The rows of Kraken's private channel `executions`.

An order is told whole once, when it is taken; what follows names it by its ids and tells only what changed.
Shapes as in frames recorded from the venue in 2024 and 2026 that public test suites hold.
"""

from typing import TYPE_CHECKING, assert_never

from neuratrade.core.model.decimals import ZERO
from neuratrade.rehearsal import kraken_words as words
from neuratrade.rehearsal.orders import Change, ChangeKind, SimOrder, Status

if TYPE_CHECKING:
    from neuratrade.rehearsal.kraken import Kraken

Said = dict[str, object]


class ExecutionRows:
    """Rows about the orders of one `Kraken`."""

    def __init__(self, venue: "Kraken") -> None:
        self._venue = venue

    def whole(self, order: SimOrder) -> Said:
        """A working order as a snapshot has it."""
        return self._whole(order, _state(order))

    def of(self, change: Change) -> list[Said]:
        """What is told of a change, a frame each, in order."""
        order = change.order
        match change.kind:
            case ChangeKind.ACCEPTED:
                return [self._whole(order, "pending_new"), self._part(order, "new", "new")]
            case ChangeKind.TRIGGERED:
                return [{**self._part(order, "status", "new"), "triggers": _triggers(order)}]
            case ChangeKind.TRADED:
                filled = order.status is Status.FILLED
                return [self.execution(change)] + [self._sums(order, "filled")] * filled
            case ChangeKind.AMENDED:
                return [self._amended(order)]
            case ChangeKind.CANCELLED:
                why = "User requested"
                return [{**self._sums(order, "canceled"), "cancel_reason": why, "reason": why}]
            case ChangeKind.HELD:
                return []
            case ChangeKind.EXPIRED:
                return [{**self._sums(order, "expired"), "reason": "Order expired"}]
            case _:
                assert_never(change.kind)

    def _whole(self, order: SimOrder, state: str) -> Said:
        pair = self._venue.pairs[order.ticket.symbol]
        row: Said = {
            "order_id": words.mark("O", order.order_id),
            "symbol": pair.symbol,
            "order_qty": order.quantity,
            "cum_cost": order.value,
            "time_in_force": words.time_in_force(order),
            "exec_type": state if state == "pending_new" else "new",
            "side": order.ticket.side.value,
            "order_type": words.type_name(order),
            **self._owner(order),
            "limit_price_type": "static",
            "stop_price": order.stop_price or ZERO,
            "order_status": state,
            "fee_usd_equiv": sum((done.fee for done in order.executions), ZERO),
            "fee_ccy_pref": "fciq",
            "timestamp": words.stamp(order.updated_ns),
        }
        if order.limit_price is not None:
            row["limit_price"] = order.limit_price
        if order.ticket.stop_price is not None:
            row["triggers"] = _triggers(order)
        if state != "pending_new":
            row |= {"cum_qty": order.filled, "avg_price": order.average_price or ZERO}
        return row

    def _part(self, order: SimOrder, kind: str, state: str) -> Said:
        return {
            "timestamp": words.stamp(order.updated_ns),
            "order_status": state,
            "exec_type": kind,
            **self._owner(order),
            "order_id": words.mark("O", order.order_id),
        }

    def _sums(self, order: SimOrder, state: str) -> Said:
        return {
            **self._part(order, state, state),
            "cum_qty": order.filled,
            "cum_cost": order.value,
            "fee_usd_equiv": sum((done.fee for done in order.executions), ZERO),
            "avg_price": order.average_price or ZERO,
        }

    def _amended(self, order: SimOrder) -> Said:
        row = {
            **self._part(order, "amended", _state(order)),
            "cum_qty": order.filled,
            "reason": "User requested",
            "amended": True,
            "order_qty": order.quantity,
        }
        if order.limit_price is not None:
            row |= {"limit_price": order.limit_price, "limit_price_type": "static"}
        if order.ticket.stop_price is not None:
            row["triggers"] = _triggers(order)
        return row

    def execution(self, change: Change) -> Said:
        """One execution; the order is called partly filled by it even where it is filled."""
        done, order = change.execution, change.order
        if done is None:
            return {}
        pair = self._venue.pairs[done.symbol]
        return {
            "order_id": words.mark("O", done.order_id),
            **self._owner(order),
            "exec_id": words.mark("T", done.number),
            "exec_type": "trade",
            "trade_id": done.number,
            "symbol": pair.symbol,
            "side": done.side.value,
            "last_qty": done.quantity,
            "last_price": done.price,
            "liquidity_ind": "m" if done.is_maker else "t",
            "cost": done.quantity * done.price,
            "order_status": "partially_filled",
            "order_type": words.type_name(order),
            "timestamp": words.stamp(done.at_ns),
            "fee_usd_equiv": done.fee,
            "fees": [{"asset": done.fee_currency, "qty": done.fee}],
        }

    def _owner(self, order: SimOrder) -> Said:
        client_id = self._venue.client_id(order)
        return {"cl_ord_id": client_id} if client_id else {"order_userref": 0}


def _triggers(order: SimOrder) -> Said:
    return {
        "reference": "last",
        "price": order.stop_price or ZERO,
        "price_type": "static",
        "status": "triggered" if order.triggered else "untriggered",
    }


def _state(order: SimOrder) -> str:
    return "partially_filled" if order.filled else "new"
