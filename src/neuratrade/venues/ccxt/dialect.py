"""What ccxt leaves to its caller and exchanges differ in: ids, stops, lists, rights of a key. The default.

It is cautious. It does what every exchange of ccxt does in the same way, looks orders up by going
through lists, and says what it cannot do: no stop rests there, and what its key may do is not known.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

from yarl import URL

from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.orders import OrderRequest, OrderType, TimeInForce
from neuratrade.core.model.venue_rules import VenueRules
from neuratrade.venues.ccxt.exchange import Exchange, Order, Trade
from neuratrade.venues.ccxt.words import stop_of, text
from neuratrade.venues.limiter import Budget
from neuratrade.venues.port import Capabilities, DeadMan, NativeExit

LOOK_BACK = 500
STOPS = (OrderType.STOP, OrderType.STOP_LIMIT)


class Asked(NamedTuple):
    """An order in ccxt's words."""

    type: str
    price: str | None
    params: dict[str, Any]


class Permissions(NamedTuple):
    """What a key may do. may_withdraw: None where the venue cannot be asked."""

    may_withdraw: bool | None
    detail: str


class Lists(NamedTuple):
    """Open orders. conditional: None where the venue's list of those cannot be had."""

    plain: Sequence[Order]
    conditional: Sequence[Order] | None


class Dialect:
    """The cautious default: orders at market or limit, no stops, look-ups through lists."""

    order_types = frozenset({OrderType.MARKET, OrderType.LIMIT})
    rules = VenueRules(stop_market=False, stop_limit=False, amends_stops=False, balance_lock=True)
    doubtful_codes: frozenset[str] = frozenset()
    options: ClassVar[Mapping[str, Any]] = {}
    fee_in_base = False
    answers_fills = False
    subscribes = True
    one_at_a_time = False
    budget = Budget(60, 60.0, 20)
    settle_s = 10.0
    native_exits: frozenset[NativeExit] = frozenset()
    trusted_exits: frozenset[NativeExit] = frozenset()
    dead_man = DeadMan.OFF
    asks_permissions = False

    @property
    def capabilities(self) -> Capabilities:
        """What the port says of it."""
        return Capabilities(
            self.order_types,
            amends=self.rules.amends_stops,
            settle_s=self.settle_s,
            native_exits=self.native_exits,
            trusted_exits=self.trusted_exits,
            dead_man=self.dead_man,
            asks_permissions=self.asks_permissions,
            rate=self.budget,
        )

    def weigh(self, method: str, url: URL) -> int:
        """How much of the budget a request uses."""
        return 1

    def objection(self, exchange: Exchange) -> str | None:
        """Why no desk can be run at an exchange, None where one can."""
        lacks = [
            name for name in ("fetchOpenOrders", "fetchMyTrades", "watchOrders") if not exchange.has.get(name)
        ]
        if not (exchange.has.get("fetchOrders") or exchange.has.get("fetchClosedOrders")):
            lacks.append("fetchOrders or fetchClosedOrders")
        return f"ccxt offers no {', '.join(lacks)} there" if lacks else None

    def ask(self, request: OrderRequest, contract: Instrument) -> Asked:
        """An order in ccxt's words. Raises ValueError for one this venue has no words for."""
        if request.order_type not in self.order_types:
            raise ValueError(f"no {request.order_type.value} order is known to rest at this venue")
        params: dict[str, Any] = {"clientOrderId": request.client_order_id}
        if contract.is_derivative and request.role.reduces:
            params["reduceOnly"] = True
        limited = request.limit_price is not None
        if limited:
            params["timeInForce"] = "IOC" if request.time_in_force is TimeInForce.IOC else "GTC"
        if request.order_type in STOPS and request.stop_price is not None:
            params["stopLossPrice"] = text(request.stop_price)
        price = None if request.limit_price is None else text(request.limit_price)
        return Asked("limit" if limited else "market", price, params)

    async def find(self, exchange: Exchange, symbol: str, coid: str) -> Order | None:
        """An order by the id we gave it; None where the venue proves that it has none."""
        lists = [await exchange.fetch_open_orders(symbol)]
        if exchange.has.get("fetchOrders"):
            lists.append(await exchange.fetch_orders(symbol, None, LOOK_BACK))
        else:
            lists.append(await exchange.fetch_closed_orders(symbol, None, LOOK_BACK))
        for order in (order for each in lists for order in each):
            if order.get("clientOrderId") == coid:
                return order
        return None

    async def cancel(self, exchange: Exchange, symbol: str, coid: str, order_id: str | None) -> Order:
        """Asks for the end of an order."""
        if order_id is None:
            found = await self.find(exchange, symbol, coid)
            order_id = None if found is None else str(found["id"])
        if order_id is None:
            raise LookupError(f"no order {coid} to cancel")
        return await exchange.cancel_order(order_id, symbol, {})

    async def executions(self, exchange: Exchange, symbol: str, order: Order) -> Sequence[Trade]:
        """Executions of one order, oldest first."""
        order_id = str(order["id"])
        if exchange.has.get("fetchOrderTrades") is True:
            return await exchange.fetch_order_trades(order_id, symbol)
        since = order.get("timestamp")
        found = await exchange.fetch_my_trades(symbol, None if since is None else int(since) - 1000)
        return [trade for trade in found if str(trade.get("order")) == order_id]

    async def open_orders(self, exchange: Exchange, symbols: Sequence[str]) -> Lists:
        """What is open, in both lists."""
        found = [order for symbol in symbols for order in await exchange.fetch_open_orders(symbol)]
        return self.sorted_out(found, None)

    def sorted_out(self, one: Sequence[Order], other: Sequence[Order] | None) -> Lists:
        """Waiting stops apart from what works."""
        everything = [*one, *(other or ())]
        waiting = [order for order in everything if self.waits(order)]
        return Lists(
            [order for order in everything if not self.waits(order)], waiting if other is not None else None
        )

    def waits(self, order: Order) -> bool:
        """Whether an order waits for its stop to be reached."""
        return stop_of(order) is not None and not self.is_triggered(order)

    def is_triggered(self, order: Order) -> bool:
        """Whether it is an order with a stop, and that was reached."""
        return False

    def client_id(self, order: Order) -> str:
        """The id we gave an order; empty where it is not ours."""
        return str(order.get("clientOrderId") or "")

    def client_id_of(self, trade: Trade) -> str | None:
        """The id we gave the order of an execution, where the venue tells it with it."""
        return None

    def heard(self, order: Order) -> Order:
        """An order of the stream, with what ccxt leaves out of it."""
        return order

    def with_fee(self, trade: Trade) -> Trade:
        """The execution with its fee as paid above zero, where ccxt has it otherwise."""
        return trade

    def acknowledges(self, message: object) -> bool:
        """Whether a frame answers one of ours."""
        return True

    async def permissions(self, exchange: Exchange) -> Permissions:
        """What the key may do."""
        return Permissions(None, f"{exchange.id} cannot be asked through ccxt what a key may do")
