"""Orders at Binance USD-M futures: plain ones and algo orders.

Orders that wait for a stop are algo orders with endpoints and ids of their own, and cannot be changed, only
replaced. A client id must be unique among open orders only. Refused here though Binance has it: take-profit
and trailing orders, GTX, FOK, hedge mode.
"""

from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING

from neuratrade.core.model.decimals import ZERO
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.market import NS_PER_MS
from neuratrade.core.model.orders import OrderType, Side, TimeInForce
from neuratrade.rehearsal import binance_usdm_words as words
from neuratrade.rehearsal.binance_usdm_market import BinanceError
from neuratrade.rehearsal.orders import Change, ChangeKind, Reason, Rejected, SimOrder, Ticket

if TYPE_CHECKING:
    from neuratrade.rehearsal.binance_usdm import BinanceUsdm

Params = dict[str, str]


class BinanceUsdmOrders:
    """Changes and questions about orders, by method and path below `/fapi`.

    closing: client ids of algo orders that close whatever is held.
    """

    def __init__(self, venue: "BinanceUsdm") -> None:
        self._venue = venue
        self._engine = venue.engine
        self.closing: set[str] = set()
        venue.engine.listen(self._size_closing)
        self.methods: dict[tuple[str, str], Callable[[Params], object]] = {
            ("POST", "v1/order"): self._place,
            ("GET", "v1/order"): self._ask,
            ("PUT", "v1/order"): self._amend,
            ("DELETE", "v1/order"): self._cancel,
            ("DELETE", "v1/allOpenOrders"): self._cancel_all,
            ("GET", "v1/openOrders"): lambda params: self._rows(params, live=True),
            ("GET", "v1/allOrders"): lambda params: self._rows(params, live=False),
            ("POST", "v1/algoOrder"): self._place_algo,
            ("GET", "v1/algoOrder"): lambda params: self.algo_row(self._algo(params, -2013)),
            ("DELETE", "v1/algoOrder"): self._cancel_algo,
            ("DELETE", "v1/algoOpenOrders"): self._cancel_algos,
            ("GET", "v1/openAlgoOrders"): lambda params: self._algos(params, live=True),
            ("GET", "v1/allAlgoOrders"): lambda params: self._algos(params, live=False),
            ("POST", "v1/leverage"): self._leverage,
        }

    def algo_row(self, order: SimOrder) -> words.Row:
        """An algo order in the words of Binance."""
        return words.algo_row(order, self._contract(order), closes=order.ticket.client_id in self.closing)

    def _place(self, params: Params) -> object:
        kind = params.get("type")
        if kind not in ("MARKET", "LIMIT"):
            stops = kind in (
                "STOP",
                "STOP_MARKET",
                "TAKE_PROFIT",
                "TAKE_PROFIT_MARKET",
                "TRAILING_STOP_MARKET",
            )
            text = (
                "Order type not supported for this endpoint. Please use the Algo Order API endpoints instead."
            )
            raise BinanceError(-4120, text) if stops else BinanceError(-1116, "Invalid orderType.")
        limit = _decimal(params, "price") if kind == "LIMIT" else None
        if kind == "LIMIT" and (limit is None or "timeInForce" not in params):
            raise BinanceError(
                -1102, "Mandatory parameter 'price' was not sent, was empty/null, or malformed."
            )
        order = self._venue.place(
            self._ticket(
                params,
                params.get("newClientOrderId", ""),
                OrderType.MARKET if limit is None else OrderType.LIMIT,
                _decimal(params, "quantity") or ZERO,
                limit,
            )
        )
        return words.order_row(order, self._contract(order))

    def _ticket(
        self,
        params: Params,
        client_id: str,
        kind: OrderType,
        quantity: Decimal,
        limit: Decimal | None,
        stop: Decimal | None = None,
    ) -> Ticket:
        contract = self._venue.market.contract(params)
        if params.get("side") not in ("BUY", "SELL"):
            raise BinanceError(-1117, "Invalid side.")
        if params.get("positionSide", "BOTH") != "BOTH":
            raise BinanceError(-4061, "Order's position side does not match user's setting.")
        if len(client_id) > 36:
            raise BinanceError(-4015, "Client order id length should be less than 36 chars")
        force = params.get("timeInForce", "GTC")
        if force not in ("GTC", "IOC", "GTD"):
            raise BinanceError(-1115, "Invalid timeInForce.")
        until = int(params.get("goodTillDate") or 0)
        return Ticket(
            client_id=client_id or f"~{self._engine.next_number()}",
            symbol=contract.key,
            side=Side(params["side"].lower()),
            order_type=kind,
            quantity=quantity,
            limit_price=limit,
            stop_price=stop,
            time_in_force=TimeInForce(force.lower()),
            expires_ns=until * NS_PER_MS if force == "GTD" else None,
            reduce_only=params.get("reduceOnly", "").lower() == "true",
        )

    def _ask(self, params: Params) -> object:
        order = self._plain(params, -2013)
        return words.order_row(order, self._contract(order))

    def _amend(self, params: Params) -> object:
        order = self._plain(params, -2013)
        if order.limit_price is None:
            raise BinanceError(-4050, "Only LIMIT order is supported.")
        quantity, limit = _decimal(params, "quantity"), _decimal(params, "price")
        if quantity is None or limit is None:
            raise BinanceError(-1102, "Mandatory parameter was not sent, was empty/null, or malformed.")
        if (quantity, limit) == (order.quantity, order.limit_price):
            raise BinanceError(-5027, "No need to modify the order.")
        if quantity <= order.filled:
            self._engine.cancel(order.order_id)
        else:
            self._engine.amend(order.order_id, quantity, limit, order.stop_price)
        return words.order_row(order, self._contract(order))

    def _cancel(self, params: Params) -> object:
        order = self._engine.cancel(self._plain(params, -2011).order_id)
        return words.order_row(order, self._contract(order))

    def _cancel_all(self, params: Params) -> object:
        for order in self._engine.open_orders(self._venue.market.contract(params).key):
            if words.is_placed(order):
                self._engine.cancel(order.order_id)
        return {"code": 200, "msg": "The operation of cancel all open order is done."}

    def _plain(self, params: Params, code: int) -> SimOrder:
        contract = self._venue.market.contract(params)
        if "orderId" in params:
            order = self._engine.orders.get(_number(params, "orderId") - words.FIRST_ORDER)
        else:
            order = self._engine.find(params.get("origClientOrderId", ""))
        if order is None or order.ticket.symbol != contract.key or not words.is_placed(order):
            raise BinanceError(code, "Order does not exist." if code == -2013 else "Unknown order sent.")
        return order

    def _rows(self, params: Params, *, live: bool) -> object:
        wanted = self._venue.market.contract(params).key if "symbol" in params or not live else None
        since, limit = int(params.get("orderId") or 0), int(params.get("limit") or 500)
        orders = [
            order
            for order in self._engine.orders.values()
            if words.is_placed(order)
            and wanted in (None, order.ticket.symbol)
            and (order.is_live or not live)
            and words.order_id(order) >= since
        ]
        return [words.order_row(order, self._contract(order)) for order in orders[-limit:]]

    def _contract(self, order: SimOrder) -> Instrument:
        return self._engine.contracts[order.ticket.symbol]

    # algo orders

    def _place_algo(self, params: Params) -> object:
        kinds = {"STOP_MARKET": OrderType.STOP, "STOP": OrderType.STOP_LIMIT}
        kind = kinds.get(params.get("type", ""))
        if kind is None or params.get("algoType") != "CONDITIONAL":
            raise BinanceError(-1116, "Invalid orderType.")
        limit = _decimal(params, "price") if kind is OrderType.STOP_LIMIT else None
        stop = _decimal(params, "triggerPrice")
        if stop is None or (kind is OrderType.STOP_LIMIT and limit is None):
            raise BinanceError(-1102, "Mandatory parameter 'triggerPrice' was not sent, was empty/null.")
        quantity, closes = _decimal(params, "quantity"), params.get("closePosition", "").lower() == "true"
        if closes and (quantity is not None or "reduceOnly" in params):
            raise BinanceError(-4136, "Target strategy invalid for orderType STOP_MARKET,closePosition true")
        if closes:
            params = params | {"reduceOnly": "true"}
            quantity = abs(self._engine.account.position(self._venue.market.contract(params).key))
        client_id = params.get("clientAlgoId", "")
        ticket = self._ticket(params, client_id, kind, quantity or ZERO, limit, stop)
        # The engine tells of an order while it takes it, and whether it closes has to be known by then.
        self.closing.discard(ticket.client_id)
        if closes:
            self.closing.add(ticket.client_id)
        return self.algo_row(self._venue.place(ticket))

    def _size_closing(self, change: Change) -> None:
        # What closes a position closes what there is when it triggers, not what there was before.
        ticket = change.order.ticket
        if change.kind is ChangeKind.TRIGGERED and ticket.client_id in self.closing:
            held = abs(self._engine.account.position(ticket.symbol))
            self._engine.orders[change.order.order_id].quantity = change.order.quantity = held

    def _cancel_algo(self, params: Params) -> object:
        order = self._engine.cancel(self._waiting(self._algo(params, -2011)).order_id)
        row = {"algoId": words.algo_id(order), "clientAlgoId": words.client_id(order)}
        return row | {"code": "200", "msg": "success"}

    def _cancel_algos(self, params: Params) -> object:
        for order in self._engine.open_orders(self._venue.market.contract(params).key):
            if order.is_conditional:
                self._engine.cancel(order.order_id)
        return {"code": 200, "msg": "The operation of cancel all open order is done."}

    def _waiting(self, order: SimOrder) -> SimOrder:
        if order.triggered:
            raise Rejected(Reason.UNKNOWN_ORDER)
        return order

    def _algo(self, params: Params, code: int) -> SimOrder:
        if "algoId" in params:
            order = self._engine.orders.get(_number(params, "algoId") - words.FIRST_ALGO)
        else:
            order = self._engine.find(params.get("clientAlgoId", ""))
        if order is None or not words.is_algo(order):
            raise BinanceError(code, "Order does not exist." if code == -2013 else "Unknown order sent.")
        return order

    def _algos(self, params: Params, *, live: bool) -> object:
        wanted = self._venue.market.contract(params).key if "symbol" in params or not live else None
        return [
            self.algo_row(order)
            for order in self._engine.orders.values()
            if words.is_algo(order)
            and wanted in (None, order.ticket.symbol)
            and ((order.is_live and not order.triggered) or not live)
        ]

    def _leverage(self, params: Params) -> object:
        contract = self._venue.market.contract(params)
        return {
            "leverage": int(params.get("leverage", "1")),
            "maxNotionalValue": "1000000000",
            "symbol": words.symbol(contract),
        }


def _number(params: Params, name: str) -> int:
    text = params.get(name, "")
    if not text.isdigit():
        raise BinanceError(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")
    return int(text)


def _decimal(params: Params, name: str) -> Decimal | None:
    text = params.get(name)
    if not text:
        return None
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite() or value < 0:
        raise BinanceError(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")
    return value
