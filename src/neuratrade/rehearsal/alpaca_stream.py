"""Alpaca's stream `trade_updates`: who may listen, and how what becomes of an order is told."""

from typing import Any

import msgspec

from neuratrade.core.model.decimals import ZERO
from neuratrade.rehearsal.alpaca_answers import Json, text, uuid_of
from neuratrade.rehearsal.alpaca_views import OrderViews
from neuratrade.rehearsal.matching import MatchingEngine
from neuratrade.rehearsal.orders import Change, ChangeKind, SimOrder, Status
from neuratrade.rehearsal.server import Frame, Hub
from neuratrade.venues.alpaca.market_wire import moment

ENDS = (ChangeKind.CANCELLED, ChangeKind.EXPIRED)


class Listener:
    """What one connection was told: it hears updates only once it is known and listens."""

    def __init__(self, keys: tuple[str, str]) -> None:
        self._keys = keys
        self.was_heard = False
        self.is_known = False
        self.listens = False

    def hear(self, frame: Frame) -> Frame | None:
        """The answer. Who is not known is told so, and that is all."""
        said = msgspec.json.decode(frame, type=dict[str, Any])
        data = said.get("data", said)
        self.was_heard = True
        match said.get("action"):
            case "authenticate" | "auth":
                pairs = ((data.get("key_id"), data.get("secret_key")), (data.get("key"), data.get("secret")))
                self.is_known = self._keys in pairs
                status = "authorized" if self.is_known else "unauthorized"
                return _frame("authorization", {"status": status, "action": "authenticate"})
            case "listen" if self.is_known:
                self.listens = "trade_updates" in data.get("streams", [])
                return _frame("listening", {"streams": data.get("streams", [])})
            case _:
                return _frame("listening", {"error": "required stream listen"})


class TradeUpdates:
    """Tells the hub of every change that the venue tells of."""

    def __init__(self, engine: MatchingEngine, views: OrderViews, hub: Hub) -> None:
        self._engine = engine
        self._views = views
        self._hub = hub
        engine.listen(self._on_change)

    def tell_new(self, order: SimOrder, at_ns: int) -> None:
        """Tells that an order which waited for the session works by now."""
        self._tell("new", Change(ChangeKind.ACCEPTED, order, at_ns))

    def _tell(self, event: str, change: Change) -> None:
        order, done = change.order, change.execution
        data: Json = {"event": event, "timestamp": moment(change.at_ns), "order": self._views.order(order)}
        if done is not None:
            held = self._engine.account.balances.get(self._engine.contracts[done.symbol].base, ZERO)
            data |= {
                "execution_id": uuid_of(done.number),
                "price": text(done.price),
                "qty": text(done.quantity),
                "position_qty": text(held),
            }
        self._hub.tell(_frame("trade_updates", data))

    def _on_change(self, change: Change) -> None:
        event = self._event(change)
        if event:
            self._tell(event, change)

    def _event(self, change: Change) -> str:
        order = change.order
        if change.execution is not None:
            return "fill" if order.status is Status.FILLED else "partial_fill"
        if change.kind is ChangeKind.ACCEPTED or change.kind in ENDS:
            # A stop that waits beside a target is told of as little as it is listed.
            state = self._views.status(order)
            return "" if state == "held" else state
        return ""


def _frame(stream: str, data: Json) -> bytes:
    return msgspec.json.encode({"stream": stream, "data": data})
