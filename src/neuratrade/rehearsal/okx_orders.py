"""Orders at OKX: placing, changing, cancelling, looking up and listing them, plain ones and algo orders.

Orders that wait for a stop are algo orders with lists and ids of their own. They hold no money until they are
triggered, and fail then if it is gone. Refused here though OKX has it: take-profit, trailing and attached
algo orders, post-only and FOK, isolated margin, hedged positions.
"""

from collections.abc import Callable
from decimal import Decimal, InvalidOperation

import msgspec

from neuratrade.core.model.decimals import ZERO
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.market import NS_PER_HOUR
from neuratrade.core.model.orders import OrderType, Side, TimeInForce
from neuratrade.rehearsal import okx_words as words
from neuratrade.rehearsal.matching import MatchingEngine
from neuratrade.rehearsal.okx_market import OkxError, OkxMarket
from neuratrade.rehearsal.orders import Reason, Rejected, SimOrder, Status, Ticket

FORGOTTEN_NS = 2 * NS_PER_HOUR
"""How long a cancelled order of which nothing was filled can be looked up."""

Asked = dict[str, object]


class OkxOrders:
    """Changes and questions about orders, by path below `/api/v5`.

    hand_over: takes a ticket, or raises Rejected. kinds: of an algo order, by client id.
    """

    def __init__(
        self,
        engine: MatchingEngine,
        market: OkxMarket,
        hand_over: Callable[[Ticket], SimOrder],
        now_ns: Callable[[], int],
    ) -> None:
        self._engine = engine
        self._market = market
        self._hand_over = hand_over
        self._now_ns = now_ns
        self.kinds: dict[str, str] = {}
        self.changes: dict[str, Callable[[Asked], SimOrder]] = {
            "trade/order": self._place,
            "trade/batch-orders": self._place,
            "trade/order-algo": self._place_algo,
            "trade/cancel-order": self._cancel,
            "trade/cancel-batch-orders": self._cancel,
            "trade/cancel-algos": self._cancel_algo,
            "trade/amend-order": self._amend,
            "trade/amend-batch-orders": self._amend,
            "trade/amend-algos": self._amend_algo,
        }
        self.questions: dict[str, Callable[[dict[str, str]], list[words.Row]]] = {
            "trade/order": self._order_row,
            "trade/orders-pending": self._pending,
            "trade/orders-history": self._history,
            "trade/orders-history-archive": self._history,
            "trade/order-algo": self._algo_row,
            "trade/orders-algo-pending": self._algos_pending,
            "trade/orders-algo-history": self._algos_history,
        }

    def _place(self, asked: Asked) -> SimOrder:
        contract = self._market.contract(str(asked.get("instId", "")))
        kind = asked.get("ordType")
        if kind not in ("market", "limit", "ioc") or asked.get("attachAlgoOrds"):
            raise OkxError("51000", "Parameter ordType error")
        limit = None if kind == "market" else _decimal(asked, "px")
        if kind != "market" and limit is None:
            raise OkxError("51000", "Parameter px error")
        ticket = _ticket(asked, contract, _client_id(asked, "clOrdId") or self._nameless())
        return self._hand_over(
            msgspec.structs.replace(
                ticket,
                order_type=OrderType.MARKET if kind == "market" else OrderType.LIMIT,
                quantity=self._size(asked, contract),
                limit_price=limit,
                time_in_force=TimeInForce.IOC if kind == "ioc" else TimeInForce.GTC,
            )
        )

    def _place_algo(self, asked: Asked) -> SimOrder:
        contract = self._market.contract(str(asked.get("instId", "")))
        kind = str(asked.get("ordType"))
        names = {"conditional": ("slTriggerPx", "slOrdPx"), "trigger": ("triggerPx", "orderPx")}.get(kind)
        if names is None or asked.get("tpTriggerPx"):
            raise OkxError("51000", "Parameter ordType error")
        stop, limit = _decimal(asked, names[0]), _decimal(asked, names[1])
        if stop is None or limit is None:
            raise OkxError("50014", f"Parameter {names[0]} can not be empty")
        quantity = _decimal(asked, "sz")
        if asked.get("closeFraction") == "1":
            quantity = abs(self._engine.account.position(contract.key))
        ticket = _ticket(asked, contract, _client_id(asked, "algoClOrdId") or self._nameless())
        ticket = msgspec.structs.replace(
            ticket,
            order_type=OrderType.STOP if limit < 0 else OrderType.STOP_LIMIT,
            quantity=quantity or ZERO,
            limit_price=None if limit < 0 else limit,
            stop_price=stop,
        )
        # The engine tells of an order while it takes it, and what kind it is has to be known by then.
        self.kinds[ticket.client_id] = kind
        return self._hand_over(ticket)

    def _nameless(self) -> str:
        return f"~{self._engine.next_number()}"

    def _size(self, asked: Asked, contract: Instrument) -> Decimal:
        size = _decimal(asked, "sz") or ZERO
        in_quote = asked.get("tgtCcy", "quote_ccy") == "quote_ccy" and asked.get("side") == "buy"
        if asked.get("ordType") != "market" or contract.is_derivative or not in_quote:
            return size
        quote = self._engine.quotes.get(contract.key)
        if quote is None or quote.ask is None:
            raise Rejected(Reason.NO_MARKET)
        return contract.round_quantity(size / quote.ask)

    def _cancel(self, asked: Asked) -> SimOrder:
        return self._engine.cancel(self._plain(asked).order_id)

    def _cancel_algo(self, asked: Asked) -> SimOrder:
        order = self._algo(asked)
        if order.triggered:
            raise Rejected(Reason.UNKNOWN_ORDER)
        return self._engine.cancel(order.order_id)

    def _amend(self, asked: Asked) -> SimOrder:
        order = self._plain(asked)
        quantity = _decimal(asked, "newSz") or order.quantity
        limit = _decimal(asked, "newPx") or order.limit_price
        return self._engine.amend(order.order_id, quantity, limit, order.stop_price)

    def _amend_algo(self, asked: Asked) -> SimOrder:
        order = self._algo(asked)
        if order.triggered:
            raise Rejected(Reason.UNKNOWN_ORDER)
        names = ("newSlTriggerPx", "newSlOrdPx")
        if self.kinds[order.ticket.client_id] == "trigger":
            names = ("newTriggerPx", "newOrdPx")
        stop, limit = _decimal(asked, names[0]) or order.stop_price, _decimal(asked, names[1])
        if limit is None:
            limit = order.limit_price
        quantity = _decimal(asked, "newSz") or order.quantity
        return self._engine.amend(order.order_id, quantity, None if limit and limit < 0 else limit, stop)

    # questions

    def _plain(self, asked: Asked) -> SimOrder:
        client_id, number = asked.get("clOrdId"), str(asked.get("ordId") or "")
        order = None
        if number.isdigit():
            order = self._engine.orders.get(int(number) - words.FIRST_ORDER)
        elif client_id:
            order = self._engine.find(str(client_id))
            order = None if order is None or words.is_algo(order) else order
        if order is None or not words.is_placed(order) or self._is_forgotten(order):
            raise Rejected(Reason.UNKNOWN_ORDER)
        return order

    def _is_forgotten(self, order: SimOrder) -> bool:
        ended = order.status in (Status.CANCELLED, Status.EXPIRED) and not order.filled
        return ended and self._now_ns() - order.updated_ns > FORGOTTEN_NS

    def _algo(self, asked: Asked) -> SimOrder:
        client_id, number = asked.get("algoClOrdId"), str(asked.get("algoId") or "")
        order = None
        if number.isdigit():
            order = self._engine.orders.get(int(number) - words.FIRST_ALGO)
        elif client_id:
            order = self._engine.find(str(client_id))
        if order is None or not words.is_algo(order):
            raise Rejected(Reason.UNKNOWN_ORDER)
        return order

    def _order_row(self, params: dict[str, str]) -> list[words.Row]:
        try:
            order = self._plain(dict(params))
        except Rejected:
            raise OkxError("51603", "Order does not exist") from None
        return [words.order_row(order, self._contract(order))]

    def _algo_row(self, params: dict[str, str]) -> list[words.Row]:
        try:
            order = self._algo(dict(params))
        except Rejected:
            raise OkxError("51603", "Order does not exist") from None
        return [self.algo_row(order)]

    def algo_row(self, order: SimOrder) -> words.Row:
        """An algo order in the words of OKX."""
        return words.algo_row(order, self._contract(order), self.kinds[order.ticket.client_id])

    def _contract(self, order: SimOrder) -> Instrument:
        return self._engine.contracts[order.ticket.symbol]

    def _listed(self, params: dict[str, str], wanted: Callable[[SimOrder], bool]) -> list[SimOrder]:
        """Orders of the kind asked for, newest first, a page of them."""
        found = [
            order
            for order in reversed(self._engine.orders.values())
            if wanted(order)
            and params.get("instId", words.inst_id(self._contract(order)))
            == words.inst_id(self._contract(order))
            and params.get("instType", words.inst_type(self._contract(order)))
            == words.inst_type(self._contract(order))
        ]
        after = params.get("after")
        if after:
            number = int(after) % words.FIRST_ORDER % (words.FIRST_ALGO - words.FIRST_ORDER)
            found = [order for order in found if order.order_id < number]
        return found[: min(int(params.get("limit") or 100), 100)]

    def _pending(self, params: dict[str, str]) -> list[words.Row]:
        orders = self._listed(params, lambda order: order.is_live and words.is_placed(order))
        return [words.order_row(order, self._contract(order)) for order in orders]

    def _history(self, params: dict[str, str]) -> list[words.Row]:
        orders = self._listed(params, lambda order: not order.is_live and words.is_placed(order))
        return [words.order_row(order, self._contract(order)) for order in orders]

    def _algos_pending(self, params: dict[str, str]) -> list[words.Row]:
        return self._algos(params, lambda order: order.is_live and not order.triggered)

    def _algos_history(self, params: dict[str, str]) -> list[words.Row]:
        return self._algos(params, lambda order: not order.is_live or order.triggered)

    def _algos(self, params: dict[str, str], wanted: Callable[[SimOrder], bool]) -> list[words.Row]:
        kinds = params.get("ordType", "").split(",")
        if kinds == [""]:
            raise OkxError("50014", "Parameter ordType can not be empty", 400)
        number, client_id = params.get("algoId"), params.get("algoClOrdId")
        return [
            self.algo_row(order)
            for order in self._listed(params, lambda order: words.is_algo(order) and wanted(order))
            if self.kinds[order.ticket.client_id] in kinds
            and number in (None, words.algo_id(order))
            and client_id in (None, words.client_id(order))
        ]


def _ticket(asked: Asked, contract: Instrument, client_id: str) -> Ticket:
    """What an order is besides its type, size and prices."""
    if asked.get("side") not in ("buy", "sell"):
        raise OkxError("51000", "Parameter side error")
    modes = ("cross",) if contract.is_derivative else ("cash", "cross")
    if asked.get("tdMode") not in modes:
        raise OkxError("51000", "Parameter tdMode error")
    return Ticket(
        client_id=client_id,
        symbol=contract.key,
        side=Side(str(asked["side"])),
        order_type=OrderType.MARKET,
        quantity=ZERO,
        reduce_only=contract.is_derivative and str(asked.get("reduceOnly")).lower() == "true",
    )


def _client_id(asked: Asked, name: str) -> str:
    text = str(asked.get(name) or "")
    if len(text) > 32 or (text and not (text.isascii() and text.isalnum())):
        raise OkxError("51000", f"Parameter {name} error")
    return text


def _decimal(asked: Asked, name: str) -> Decimal | None:
    text = asked.get(name)
    if text in (None, ""):
        return None
    try:
        value = Decimal(str(text))
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite() or (value < 0 and value != -1):
        raise OkxError("51000", f"Parameter {name} error")
    return value
