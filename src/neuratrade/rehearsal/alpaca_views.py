"""How Alpaca's simulator shows orders: their state in the venue's words, and what belongs together."""

from collections.abc import Callable

from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.orders import OrderType
from neuratrade.rehearsal.alpaca_account import class_of
from neuratrade.rehearsal.alpaca_answers import Json, text, text_or_none, uuid_of
from neuratrade.rehearsal.attached import Attachments, Family
from neuratrade.rehearsal.matching import MatchingEngine
from neuratrade.rehearsal.orders import Change, ChangeKind, SimOrder, Status
from neuratrade.venues.alpaca.market_wire import moment


class OrderViews:
    """Orders as the venue tells them.

    forces: time in force as it was asked for, by client id. classes: order class, by client id. waiting:
    orders that came outside of a session and are with no exchange yet. replaced_by, replaces: by number.
    """

    def __init__(
        self, engine: MatchingEngine, attached: Attachments, trades: Callable[[Instrument], bool]
    ) -> None:
        self._engine = engine
        self._attached = attached
        self.forces: dict[str, str] = {}
        self.classes: dict[str, str] = {}
        self.waiting: set[int] = set()
        self.replaced_by: dict[int, int | None] = {}
        self.replaces: dict[int, int] = {}
        self._trades = trades
        engine.listen(self._on_change)

    def _on_change(self, change: Change) -> None:
        order = change.order
        closed = not self._trades(self._engine.contracts[order.ticket.symbol])
        if change.kind is ChangeKind.ACCEPTED and closed:
            self.waiting.add(order.order_id)
        elif change.execution is not None:
            self.waiting.discard(order.order_id)

    def status(self, order: SimOrder) -> str:
        """Where an order stands."""
        match order.status:
            case Status.HELD:
                return "held"
            case Status.OPEN if self._stands_behind(order):
                return "held"
            case Status.OPEN:
                return "accepted" if order.order_id in self.waiting else "new"
            case Status.PARTIAL:
                return "partially_filled"
            case Status.FILLED:
                return "filled"
            case Status.CANCELLED | Status.EXPIRED:
                if order.order_id in self.replaced_by:
                    return "replaced"
                ends_ns = order.ticket.expires_ns
                return "expired" if ends_ns is not None and order.updated_ns >= ends_ns else "canceled"

    def is_open(self, order: SimOrder) -> bool:
        """Whether it is listed as open: what is held is not."""
        return order.is_live and self.status(order) != "held"

    def order(self, order: SimOrder, *, nested: bool = False) -> Json:
        """An order in the vendor's form. nested: with its legs."""
        ticket, contract = order.ticket, self._engine.contracts[order.ticket.symbol]
        state, ended, average = self.status(order), moment(order.updated_ns), order.average_price
        family = self._attached.family(order.order_id)
        first = self._first(family)
        asked = ticket if first is None else first.ticket
        leads = first is not None and first.order_id == order.order_id
        legs = self._legs(family, order) if nested and leads else []
        return {
            "id": uuid_of(order.order_id),
            "client_order_id": uuid_of(ticket.client_id) if ticket.client_id[0] == "~" else ticket.client_id,
            "created_at": moment(order.created_ns),
            "updated_at": ended,
            "submitted_at": moment(order.created_ns),
            "filled_at": ended if state == "filled" else None,
            "expired_at": ended if state == "expired" else None,
            "canceled_at": ended if state == "canceled" else None,
            "failed_at": None,
            "replaced_at": ended if state == "replaced" else None,
            "replaced_by": self._id_of(self.replaced_by.get(order.order_id)),
            "replaces": self._id_of(self.replaces.get(order.order_id)),
            "asset_id": uuid_of(contract.asset),
            "symbol": contract.asset,
            "asset_class": class_of(contract),
            "notional": None,
            "qty": text(order.quantity),
            "filled_qty": text(order.filled),
            "filled_avg_price": text_or_none(average and round(average, 9)),
            "order_class": self.classes.get(asked.client_id, ""),
            "order_type": ticket.order_type.value,
            "type": ticket.order_type.value,
            "side": ticket.side.value,
            "time_in_force": self.forces.get(asked.client_id, ticket.time_in_force.value),
            "limit_price": None if ticket.order_type is OrderType.STOP else text_or_none(order.limit_price),
            "stop_price": text_or_none(order.stop_price),
            "status": state,
            "extended_hours": False,
            "legs": legs or None,
            "trail_percent": None,
            "trail_price": None,
            "hwm": None,
        }

    def _stands_behind(self, order: SimOrder) -> bool:
        """Whether it is a stop whose target rests beside it: the venue calls it held until it is reached."""
        family = self._attached.family(order.order_id)
        if family is None or not order.is_conditional:
            return False
        return any(leg.is_live and leg.stop_price is None for leg in self._attached.legs(family))

    def _first(self, family: Family | None) -> SimOrder | None:
        """The order that a group was asked for by."""
        if family is None:
            return None
        if family.entry_id is not None:
            return self._engine.orders[family.entry_id]
        return self._attached.legs(family)[0] if family.leg_ids else None

    def _legs(self, family: Family | None, first: SimOrder) -> list[Json]:
        if family is None:
            return []
        return [self.order(leg) for leg in self._attached.legs(family) if leg.order_id != first.order_id]

    def _id_of(self, number: int | None) -> str | None:
        return None if number is None else uuid_of(number)
