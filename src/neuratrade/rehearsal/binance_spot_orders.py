"""Orders at the Binance spot simulator: placing, cancelling, finding and listing them, and executions.

An order of a list is found here like any other; its end is the end of the list (`binance_spot_lists`).
"""

from collections.abc import Callable

from aiohttp import web

from neuratrade.core.model.decimals import is_multiple
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.orders import OrderType, Side, TimeInForce
from neuratrade.rehearsal import binance_spot_words as words
from neuratrade.rehearsal.binance_spot_door import CLIENT_ID, Asked, Door, missing, number
from neuratrade.rehearsal.binance_spot_lists import OrderLists
from neuratrade.rehearsal.binance_spot_words import Json, Refusal, millis
from neuratrade.rehearsal.matching import MatchingEngine
from neuratrade.rehearsal.orders import SimOrder, Ticket

MOST_ALGO_ORDERS = 5


class Orders:
    """The orders of one account. contract_of: of a request; raises Refusal. hand_over: takes a ticket."""

    def __init__(
        self,
        engine: MatchingEngine,
        door: Door,
        lists: OrderLists,
        contract_of: Callable[[Asked], Instrument],
        hand_over: Callable[[Ticket], SimOrder],
    ) -> None:
        self._engine = engine
        self._door = door
        self._lists = lists
        self._contract = contract_of
        self._hand_over = hand_over

    def routes(self) -> list[web.RouteDef]:
        """Below `/api/v3`."""
        signed = self._door.signed
        return [
            web.post("/api/v3/order", signed(1, self._submit)),
            web.get("/api/v3/order", signed(4, self._order)),
            web.delete("/api/v3/order", signed(1, self._cancel)),
            web.get("/api/v3/openOrders", signed(6, self._open_orders)),
            web.delete("/api/v3/openOrders", signed(1, self._cancel_all)),
            web.get("/api/v3/allOrders", signed(20, self._all_orders)),
            web.get("/api/v3/myTrades", signed(20, self._my_trades)),
        ]

    def _submit(self, asked: Asked) -> Json:
        self._door.count_orders()
        contract = self._contract(asked)
        ticket = _ticket(contract, asked)
        self._check_filters(contract, ticket)
        return words.taken_body(self._hand_over(ticket), contract)

    def _check_filters(self, contract: Instrument, ticket: Ticket) -> None:
        for price in (ticket.limit_price, ticket.stop_price):
            if price is not None and not (price > 0 and is_multiple(price, contract.tick)):
                raise Refusal(400, -1013, "Filter failure: PRICE_FILTER")
        here = [order for order in self._engine.open_orders(contract.key) if order.is_conditional]
        if ticket.stop_price is not None and len(here) >= MOST_ALGO_ORDERS:
            raise Refusal(400, -1013, "Filter failure: MAX_NUM_ALGO_ORDERS")

    def _order(self, asked: Asked) -> Json:
        contract = self._contract(asked)
        order = self._find(contract, asked)
        if order is None:
            raise Refusal(400, -2013, "Order does not exist.")
        return self._body(order, contract)

    def _cancel(self, asked: Asked) -> Json:
        contract = self._contract(asked)
        order = self._find(contract, asked)
        if order is None or not order.is_live:
            raise Refusal(400, -2011, "Unknown order sent.")
        return self._end(order, contract)

    def _end(self, order: SimOrder, contract: Instrument) -> Json:
        ended = self._engine.cancel(order.order_id)
        return words.cancelled_body(ended, contract, self._lists.number_of(order))

    def _cancel_all(self, asked: Asked) -> list[Json]:
        contract = self._contract(asked)
        found = self._engine.open_orders(contract.key)
        if not found:
            raise Refusal(400, -2011, "Unknown order sent.")
        ended = []
        for order in found:
            # The end of one of a list is the end of all of it.
            list_ = self._lists.of(order)
            if order.is_live:
                ended.append(self._end(order, contract) if list_ is None else self._lists.end(list_))
        return ended

    def _body(self, order: SimOrder, contract: Instrument) -> Json:
        return words.order_body(order, contract, self._lists.number_of(order))

    def _open_orders(self, asked: Asked) -> list[Json]:
        chosen = self._contract(asked).key if "symbol" in asked else None
        contracts = self._engine.contracts
        return [
            self._body(order, contracts[order.ticket.symbol])
            for order in self._engine.orders.values()
            if order.is_live and chosen in (None, order.ticket.symbol)
        ]

    def _all_orders(self, asked: Asked) -> list[Json]:
        contract = self._contract(asked)
        begin_ms, end_ms = _between(asked)
        found = [
            self._body(order, contract)
            for order in self._engine.orders.values()
            if order.ticket.symbol == contract.key
            and order.order_id >= int(asked.get("orderId", "0"))
            and begin_ms <= millis(order.created_ns) <= end_ms
        ]
        return _page(found, asked, from_the_begin="orderId" in asked or "startTime" in asked)

    def _my_trades(self, asked: Asked) -> list[Json]:
        contract = self._contract(asked)
        begin_ms, end_ms = _between(asked)
        found = [
            words.trade_body(done, contract, self._lists.number_of(self._engine.orders[done.order_id]))
            for done in self._engine.executions
            if done.symbol == contract.key
            and done.number >= int(asked.get("fromId", "0"))
            and ("orderId" not in asked or done.order_id == int(asked["orderId"]))
            and begin_ms <= millis(done.at_ns) <= end_ms
        ]
        return _page(found, asked, from_the_begin="fromId" in asked or "startTime" in asked)

    def _find(self, contract: Instrument, asked: Asked) -> SimOrder | None:
        if "orderId" in asked:
            told = asked["orderId"]
            order = self._engine.orders.get(int(told)) if told.isdigit() else None
        elif "origClientOrderId" in asked:
            order = self._engine.find(asked["origClientOrderId"])
        else:
            words_ = "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!"
            raise Refusal(400, -1102, words_)
        return order if order is not None and order.ticket.symbol == contract.key else None


def _ticket(contract: Instrument, asked: Asked) -> Ticket:
    """The order a request asks for. Raises Refusal as the venue does for one that is malformed."""
    for name in ("side", "type", "quantity"):
        if not asked.get(name):
            raise missing(name)
    kind = words.TYPES.get(asked["type"])
    if kind is None:
        raise Refusal(400, -1116, "Invalid orderType.")
    if asked["side"] not in ("BUY", "SELL"):
        raise Refusal(400, -1117, "Invalid side.")
    client_id = asked.get("newClientOrderId", "")
    if not CLIENT_ID.fullmatch(client_id):
        raise Refusal(400, -1100, "Illegal characters found in parameter 'newClientOrderId'.")
    limited = kind in (OrderType.LIMIT, OrderType.STOP_LIMIT)
    stops = kind in (OrderType.STOP, OrderType.STOP_LIMIT)
    for name, wanted in (("price", limited), ("timeInForce", limited), ("stopPrice", stops)):
        if wanted and not asked.get(name):
            raise missing(name)
        if name in asked and not wanted:
            raise Refusal(400, -1106, f"Parameter '{name}' sent when not required.")
    force = asked.get("timeInForce", "GTC")
    if force not in ("GTC", "IOC"):
        raise Refusal(400, -1115, "Invalid timeInForce.")
    return Ticket(
        client_id,
        contract.key,
        Side(asked["side"].lower()),
        kind,
        number(asked, "quantity"),
        number(asked, "price") if limited else None,
        number(asked, "stopPrice") if stops else None,
        TimeInForce(force.lower()),
    )


def _between(asked: Asked) -> tuple[int, int]:
    return int(asked.get("startTime", "0")), int(asked.get("endTime", str(1 << 62)))


def _page(found: list[Json], asked: Asked, *, from_the_begin: bool) -> list[Json]:
    limit = int(asked.get("limit", "500"))
    return found[:limit] if from_the_begin else found[-limit:]
