"""Alpaca's trading API on loopback: REST orders, positions and account, and the `trade_updates` stream.

Words, statuses and codes are those of the vendor's documentation and of its own client, which passes here
unmodified. Crypto knows simple orders only, of three types and two times in force. Stocks keep to sessions,
may be sold short, and know orders with exits attached.
"""

import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime

import msgspec
from aiohttp import web

from neuratrade.core.model.instrument import Instrument, InstrumentKind
from neuratrade.core.model.market import NS_PER_SECOND, Quote
from neuratrade.core.model.orders import Side, TimeInForce
from neuratrade.rehearsal.alpaca_account import AlpacaAccount
from neuratrade.rehearsal.alpaca_answers import Json, answer, body_of, invalid, uuid_of, worded
from neuratrade.rehearsal.alpaca_calendar import Calendar, around_the_clock
from neuratrade.rehearsal.alpaca_market import AlpacaMarketRest
from neuratrade.rehearsal.alpaca_market_streams import AlpacaMarketStreams
from neuratrade.rehearsal.alpaca_means import Means
from neuratrade.rehearsal.alpaca_native import Legs, exit_of, leg_ticket, legs_of
from neuratrade.rehearsal.alpaca_orders import SIMPLE, check, check_penny, number, shares_of, ticket_of
from neuratrade.rehearsal.alpaca_stream import Listener, TradeUpdates
from neuratrade.rehearsal.alpaca_views import OrderViews
from neuratrade.rehearsal.attached import Attachments, Tie
from neuratrade.rehearsal.faults import Act, Troubles
from neuratrade.rehearsal.matching import MatchingEngine
from neuratrade.rehearsal.orders import Reason, Rejected, SimOrder, Ticket
from neuratrade.rehearsal.server import Handler, Hub, Simulator
from neuratrade.rehearsal.tape import Tape

KEY, SECRET = "REHEARSAL-KEY", "rehearsal-secret"


class AlpacaSimulator(Simulator):
    """The venue for one account. contracts of kind SPOT are its crypto, EQUITY its stocks.

    calendar: when stocks are traded, always where None; the engine's `Rules.trades` has to be its `trades`.
    means: what the account may trade.
    """

    name = "alpaca"

    def __init__(
        self,
        engine: MatchingEngine,
        troubles: Troubles,
        now_ns: Callable[[], int],
        calendar: Calendar | None = None,
    ) -> None:
        super().__init__(engine, troubles, now_ns)
        self.hub = Hub(troubles)
        self.calendar = calendar or Calendar(around_the_clock)
        self.means = Means(engine)
        self.attached = Attachments(engine)
        self.account = AlpacaAccount(engine, self.means)
        self.views = OrderViews(engine, self.attached, self._trades)
        self._updates = TradeUpdates(engine, self.views, self.hub)
        self.tape = Tape(engine, troubles, now_ns)
        self.market = AlpacaMarketRest(engine, self.tape, lambda: self.now_ns, _known)
        self.market_streams = AlpacaMarketStreams(engine, self.tape, troubles, (KEY, SECRET))
        self._symbols = {item.asset: item for item in engine.contracts.values()}
        engine.watch(self._on_quote)

    def routes(self) -> list[web.RouteDef]:
        """Trading endpoints of version 2, its stream, and all that is public."""
        account = self.account
        return [
            web.post("/v2/orders", _taken(self._submit)),
            web.get("/v2/orders", _taken(self._orders)),
            web.delete("/v2/orders", _taken(self._cancel_all)),
            web.get("/v2/orders:by_client_order_id", _taken(self._by_client_id)),
            web.get("/v2/orders/{id}", _taken(self._order)),
            web.patch("/v2/orders/{id}", _taken(self._replace)),
            web.delete("/v2/orders/{id}", _taken(self._cancel)),
            web.get("/v2/account", _known(account.account)),
            web.get("/v2/positions", _known(account.positions)),
            web.get("/v2/account/activities/FILL", _known(account.fills)),
            web.get("/v2/assets", _known(account.assets)),
            web.get("/v2/assets/{symbol:.+}", _known(account.asset)),
            web.get("/v2/clock", _known(self._clock)),
            web.get("/v2/calendar", _known(self._days)),
            web.get("/stream", self._stream),
            *self.market.routes(),
            *self.market_streams.routes(),
        ]

    def act_of(self, request: web.Request) -> Act:
        """By method and path."""
        if request.path.startswith("/v2/orders"):
            return {"POST": Act.SUBMIT, "DELETE": Act.CHANGE, "PATCH": Act.CHANGE}.get(
                request.method, Act.ASK
            )
        if not request.path.startswith(("/v1beta", "/v2/stocks")):
            return Act.ASK
        return Act.HISTORY if request.path.endswith("/bars") else Act.DATA

    def trouble_answer(self, status: int) -> web.Response:
        """The body of the vendor's front door."""
        reset = {"X-RateLimit-Reset": str(self.now_ns // NS_PER_SECOND + 1)} if status == 429 else {}
        words = {429: "too many requests.", 503: "service unavailable"}.get(status, "internal server error")
        return answer({"code": status * 100_000, "message": words}, status, reset)

    def arrived(self, request: web.Request, body: str) -> None:
        """Whatever is asked is asked after all that time has brought about."""
        self._keep_hours()

    def order_json(self, order: SimOrder) -> Json:
        """An order in the vendor's form."""
        return self.views.order(order)

    # orders

    async def _submit(self, request: web.Request) -> web.Response:
        body = await body_of(request)
        contract = self._symbols.get(body.get("symbol", ""))
        if contract is None:
            raise Rejected(Reason.UNKNOWN_SYMBOL)
        check(contract, body)
        is_complex = body.get("order_class", "") not in SIMPLE
        legs = legs_of(contract, body, self.engine.quotes.get(contract.key)) if is_complex else None
        ticket = ticket_of(contract, body, self.calendar.end_of_day(self._now_ns()))
        if self.engine.find(ticket.client_id) is None:
            self.means.check(ticket, is_complex=is_complex)
            self.views.forces[ticket.client_id] = body["time_in_force"]
            self.views.classes[ticket.client_id] = body.get("order_class") or ""
        order = self.place(ticket) if legs is None else self._place_group(body["order_class"], ticket, legs)
        if ticket.time_in_force is TimeInForce.IOC and not self._trades(contract):
            # Nobody is there to take it at once.
            self.engine.cancel(order.order_id)
        return answer(self.views.order(order, nested=True))

    def _place_group(self, order_class: str, ticket: Ticket, legs: Legs) -> SimOrder:
        target, stop = legs
        if order_class != "oco":
            return self.attached.place(ticket, exit_of(legs), self.place)
        held = self.means.held(self.engine.contracts[ticket.symbol])
        if not held or (held > 0) is (ticket.side is Side.BUY):
            raise invalid("oco orders must be exit orders")
        tickets = [leg_ticket(ticket, leg) for leg in (target, stop) if leg is not None]
        family = self.attached.place_tied(tickets, Tie.REDUCES, self.place)
        return self.attached.legs(family)[0]

    async def _orders(self, request: web.Request) -> web.Response:
        wanted, nested = request.query.get("status", "open"), _is_nested(request)
        found = [
            order
            for order in self.engine.orders.values()
            if wanted == "all" or self.views.is_open(order) is (wanted == "open")
        ]
        found.sort(key=lambda order: order.created_ns, reverse=request.query.get("direction") != "asc")
        limit = int(request.query.get("limit", 50))
        return answer([self.views.order(order, nested=nested) for order in found[:limit]])

    async def _by_client_id(self, request: web.Request) -> web.Response:
        order = self.engine.find(request.query.get("client_order_id", ""))
        if order is None:
            raise Rejected(Reason.UNKNOWN_ORDER)
        return answer(self.views.order(order))

    async def _order(self, request: web.Request) -> web.Response:
        return answer(self.views.order(self._find(request), nested=_is_nested(request)))

    async def _cancel(self, request: web.Request) -> web.Response:
        self.engine.cancel(self._find_live(request).order_id)
        return web.Response(status=204)

    async def _cancel_all(self, request: web.Request) -> web.Response:
        ended = [order.order_id for order in self.engine.open_orders() if self.views.is_open(order)]
        for number_ in ended:
            # The end of one may have been that of others.
            if self.engine.orders[number_].is_live:
                self.engine.cancel(number_)
        return answer([{"id": uuid_of(number_), "status": 200} for number_ in ended], 207)

    async def _replace(self, request: web.Request) -> web.Response:
        """Another order in place of one: of what is left of it, where no quantity is given."""
        body, old = await body_of(request), self._find_live(request)
        contract = self.engine.contracts[old.ticket.symbol]
        if contract.kind is not InstrumentKind.EQUITY or self.attached.family(old.order_id) is not None:
            raise invalid("not rehearsed: only simple orders of stocks are replaced here")
        if old.order_id in self.views.waiting:
            raise invalid(f'order is already in "{self.views.status(old)}" state')
        changed = {name: number(body, name) for name in ("limit_price", "stop_price")}
        shares = shares_of(contract, body)
        if not {*body} & {"qty", "time_in_force", "limit_price", "stop_price"}:
            raise invalid("order parameters are not changed")
        for field in ("limit_price", "stop_price"):
            check_penny(field, changed[field])
        force = body.get("time_in_force") or self.views.forces[old.ticket.client_id]
        fresh = msgspec.structs.replace(
            old.ticket,
            client_id=body.get("client_order_id") or str(uuid.uuid4()),
            quantity=shares or old.remaining,
            limit_price=changed["limit_price"] or old.limit_price,
            stop_price=changed["stop_price"] or old.stop_price,
            expires_ns=self.calendar.end_of_day(self._now_ns()) if force == "day" else None,
        )
        self.means.check(fresh, without=old)
        self.engine.check(fresh)
        self.views.forces[fresh.client_id] = force
        self.views.replaced_by[old.order_id] = None
        self.engine.cancel(old.order_id)
        order = self.engine.place(fresh)
        self.views.replaced_by[old.order_id], self.views.replaces[order.order_id] = (
            order.order_id, old.order_id,
        )  # fmt: skip
        return answer(self.views.order(order))

    def _find(self, request: web.Request) -> SimOrder:
        wanted = request.match_info["id"]
        for order in self.engine.orders.values():
            if uuid_of(order.order_id) == wanted:
                return order
        raise Rejected(Reason.UNKNOWN_ORDER)

    def _find_live(self, request: web.Request) -> SimOrder:
        order = self._find(request)
        if not order.is_live:
            raise invalid(f'order is already in "{self.views.status(order)}" state')
        return order

    # hours

    def _trades(self, contract: Instrument) -> bool:
        return self.calendar.trades(contract, self._now_ns())

    def _on_quote(self, _quote: Quote) -> None:
        self._keep_hours()

    def _keep_hours(self) -> None:
        """Ends what was for the day, with what is attached to it; hands on what waited for the session."""
        self.engine.expire()
        for order in self.engine.open_orders():
            family = self.attached.family(order.order_id)
            entry = None if family is None or family.entry_id is None else self.engine.orders[family.entry_id]
            ends_ns = None if entry is None else entry.ticket.expires_ns
            if order.is_live and ends_ns is not None and self._now_ns() >= ends_ns:
                self.engine.lapse(order.order_id)
        for number_ in sorted(self.views.waiting):
            order = self.engine.orders[number_]
            if not order.is_live or self._trades(self.engine.contracts[order.ticket.symbol]):
                self.views.waiting.discard(number_)
                if order.is_live:
                    self._updates.tell_new(order, self._now_ns())

    async def _clock(self, _request: web.Request) -> web.Response:
        return answer(self.calendar.clock_json(self.now_ns))

    async def _days(self, request: web.Request) -> web.Response:
        today = datetime.fromtimestamp(self.now_ns // NS_PER_SECOND, UTC).date().isoformat()
        first, last = (request.query.get(name) or today for name in ("start", "end"))
        return answer(self.calendar.days_json(_date(first), _date(last)))

    # the stream

    async def _stream(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        listener = Listener((KEY, SECRET))
        await self.hub.serve(
            socket,
            listener.hear,
            lambda: listener.listens,
            lambda: listener.was_heard and not listener.is_known,
        )
        return socket


def _is_nested(request: web.Request) -> bool:
    return request.query.get("nested", "").lower() == "true"


def _date(said: str) -> date:
    return datetime.fromisoformat(said).date()


def _known(handler: Handler) -> Handler:
    """Answers only who shows the keys of the account."""

    async def answered(request: web.Request) -> web.StreamResponse:
        headers = request.headers
        if (headers.get("APCA-API-KEY-ID"), headers.get("APCA-API-SECRET-KEY")) != (KEY, SECRET):
            return answer({"code": 40110000, "message": "request is not authorized"}, 401)
        return await handler(request)

    return answered


def _taken(handler: Handler) -> Handler:
    """Answers only who shows the keys, refusals in the venue's words."""
    return _known(worded(handler))
