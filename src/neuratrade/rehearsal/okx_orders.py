"""Orders at OKX: placing, changing, cancelling, looking up and listing them, plain ones and algo orders.

Orders that wait for a stop are algo orders with lists and ids of their own. They hold no money until they are
triggered, and fail then if it is gone. Those attached to an order are in `okx_attached`. Refused here though
OKX has it: take-profits alone, trailing algo orders, post-only and FOK, isolated margin, hedged positions.
"""

from collections.abc import Callable
from decimal import Decimal

import msgspec

from neuratrade.core.model.decimals import ZERO
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.market import NS_PER_HOUR
from neuratrade.core.model.orders import OrderType, TimeInForce
from neuratrade.rehearsal import okx_words as words
from neuratrade.rehearsal.matching import MatchingEngine
from neuratrade.rehearsal.okx_asked import Asked, client_id_of, decimal_of, ticket_of
from neuratrade.rehearsal.okx_attached import OkxAttached
from neuratrade.rehearsal.okx_market import OkxError, OkxMarket
from neuratrade.rehearsal.orders import Reason, Rejected, SimOrder, Status, Ticket

FORGOTTEN_NS = 2 * NS_PER_HOUR
"""How long a cancelled order of which nothing was filled can be looked up."""


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
        self.attached = OkxAttached(engine)
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
        if kind not in ("market", "limit", "ioc"):
            raise OkxError("51000", "Parameter ordType error")
        limit = None if kind == "market" else decimal_of(asked, "px")
        if kind != "market" and limit is None:
            raise OkxError("51000", "Parameter px error")
        ticket = ticket_of(asked, contract, client_id_of(asked, "clOrdId") or self._nameless())
        ticket = msgspec.structs.replace(
            ticket,
            order_type=OrderType.MARKET if kind == "market" else OrderType.LIMIT,
            quantity=self._size(asked, contract),
            limit_price=limit,
            time_in_force=TimeInForce.IOC if kind == "ioc" else TimeInForce.GTC,
        )
        if not asked.get("attachAlgoOrds"):
            return self._hand_over(ticket)
        exit_ = self.attached.exit_of(asked["attachAlgoOrds"], contract)
        return self.attached.attachments.place(ticket, exit_, self._hand_over)

    def _place_algo(self, asked: Asked) -> SimOrder:
        contract = self._market.contract(str(asked.get("instId", "")))
        kind = str(asked.get("ordType"))
        if kind == "oco":
            tied = msgspec.structs.replace(
                ticket_of(asked, contract, ""), quantity=decimal_of(asked, "sz") or ZERO
            )
            return self.attached.place_pair(asked, tied, self._hand_over)
        names = {"conditional": ("slTriggerPx", "slOrdPx"), "trigger": ("triggerPx", "orderPx")}.get(kind)
        if names is None or asked.get("tpTriggerPx"):
            raise OkxError("51000", "Parameter ordType error")
        stop, limit = decimal_of(asked, names[0]), decimal_of(asked, names[1])
        if stop is None or limit is None:
            raise OkxError("50014", f"Parameter {names[0]} can not be empty")
        quantity = decimal_of(asked, "sz")
        if asked.get("closeFraction") == "1":
            quantity = abs(self._engine.account.position(contract.key))
        ticket = ticket_of(asked, contract, client_id_of(asked, "algoClOrdId") or self._nameless())
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
        size = decimal_of(asked, "sz") or ZERO
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
        quantity = decimal_of(asked, "newSz") or order.quantity
        limit = decimal_of(asked, "newPx") or order.limit_price
        return self._engine.amend(order.order_id, quantity, limit, order.stop_price)

    def _amend_algo(self, asked: Asked) -> SimOrder:
        order = self._algo(asked)
        if order.triggered or self.attached.legs(order):
            # That terms of an attached order can be changed, and how, is not played.
            raise Rejected(Reason.UNKNOWN_ORDER)
        names = ("newSlTriggerPx", "newSlOrdPx")
        if self.kinds[order.ticket.client_id] == "trigger":
            names = ("newTriggerPx", "newOrdPx")
        stop, limit = decimal_of(asked, names[0]) or order.stop_price, decimal_of(asked, names[1])
        if limit is None:
            limit = order.limit_price
        quantity = decimal_of(asked, "newSz") or order.quantity
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
        if order is None or not self._is_told(order):
            raise Rejected(Reason.UNKNOWN_ORDER)
        return self.attached.lead(order)

    def _is_told(self, order: SimOrder) -> bool:
        """Whether an algo order has these ids."""
        is_face = self.attached.face(order).order_id == order.order_id
        return words.is_algo(order) and order.was_placed and is_face

    def _order_row(self, params: dict[str, str]) -> list[words.Row]:
        try:
            order = self._plain(dict(params))
        except Rejected:
            raise OkxError("51603", "Order does not exist") from None
        return [self.order_row(order)]

    def _algo_row(self, params: dict[str, str]) -> list[words.Row]:
        try:
            order = self._algo(dict(params))
        except Rejected:
            raise OkxError("51603", "Order does not exist") from None
        return [self.algo_row(order)]

    def algo_row(self, order: SimOrder) -> words.Row:
        """An algo order in the words of OKX."""
        row = words.algo_row(order, self._contract(order), self._kind(order))
        return self.attached.both(row, order)

    def order_row(self, order: SimOrder) -> words.Row:
        """A plain order in the words of OKX."""
        return words.order_row(order, self._contract(order)) | self.ties(order)

    def ties(self, order: SimOrder) -> words.Row:
        """What ties a plain order to algo orders: those attached to it, and the one it came of."""
        row: words.Row = {"attachAlgoOrds": self.attached.rows(order)}
        face = self.attached.face(order)
        if face.order_id != order.order_id:
            row |= {"algoId": words.algo_id(face), "algoClOrdId": words.client_id(face)}
            row |= {"linkedAlgoOrd": {"algoId": words.algo_id(face)}}
        return row

    def _kind(self, order: SimOrder) -> str:
        return self.kinds.get(order.ticket.client_id) or self.attached.kind(order)

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
        return [self.order_row(order) for order in orders]

    def _history(self, params: dict[str, str]) -> list[words.Row]:
        orders = self._listed(params, lambda order: not order.is_live and words.is_placed(order))
        return [self.order_row(order) for order in orders]

    def _algos_pending(self, params: dict[str, str]) -> list[words.Row]:
        return self._algos(params, lambda lead: lead.is_live and not lead.triggered)

    def _algos_history(self, params: dict[str, str]) -> list[words.Row]:
        return self._algos(params, lambda lead: not lead.is_live or lead.triggered)

    def _algos(self, params: dict[str, str], wanted: Callable[[SimOrder], bool]) -> list[words.Row]:
        kinds = params.get("ordType", "").split(",")
        if kinds == [""]:
            raise OkxError("50014", "Parameter ordType can not be empty", 400)
        number, client_id = params.get("algoId"), params.get("algoClOrdId")
        lead = self.attached.lead
        return [
            self.algo_row(lead(order))
            for order in self._listed(params, lambda order: self._is_told(order) and wanted(lead(order)))
            if self._kind(order) in kinds
            and number in (None, words.algo_id(order))
            and client_id in (None, words.client_id(order))
        ]
