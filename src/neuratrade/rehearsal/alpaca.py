"""Alpaca's trading API on loopback: REST orders, positions and account, and the `trade_updates` stream.

Words, statuses and codes are those of the vendor's documentation and of its own client, which passes here
unmodified. Crypto knows simple orders only, of three types and two times in force, as at the venue.
"""

import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec
from aiohttp import web

from neuratrade.core.model.decimals import ZERO
from neuratrade.core.model.instrument import Instrument, InstrumentKind
from neuratrade.core.model.market import NS_PER_SECOND
from neuratrade.core.model.orders import OrderType, Side, TimeInForce
from neuratrade.rehearsal.alpaca_market import AlpacaMarketRest
from neuratrade.rehearsal.alpaca_market_streams import AlpacaMarketStreams
from neuratrade.rehearsal.faults import Act, Troubles
from neuratrade.rehearsal.matching import MatchingEngine
from neuratrade.rehearsal.orders import (
    Change,
    ChangeKind,
    Execution,
    Reason,
    Rejected,
    SimOrder,
    Status,
    Ticket,
)
from neuratrade.rehearsal.server import Frame, Handler, Hub, Simulator
from neuratrade.rehearsal.tape import Tape

KEY, SECRET = "REHEARSAL-KEY", "rehearsal-secret"
SPACE = uuid.UUID("6f1e3a52-0d5c-4f0e-9c7a-5a1c2f0b7d11")
TYPES = {
    "market": OrderType.MARKET,
    "limit": OrderType.LIMIT,
    "stop": OrderType.STOP,
    "stop_limit": OrderType.STOP_LIMIT,
}
LONGEST_ID = 128
CRYPTO_TYPES = ("market", "limit", "stop_limit")
EVENTS = {
    ChangeKind.ACCEPTED: "new",
    ChangeKind.CANCELLED: "canceled",
    ChangeKind.EXPIRED: "canceled",
}
CODES = {
    Reason.DUPLICATE: (422, 40010001, "client_order_id must be unique"),
    Reason.UNKNOWN_SYMBOL: (422, 42210000, "asset not found"),
    Reason.BALANCE: (403, 40310000, "insufficient balance"),
    Reason.MINIMUM: (403, 40310000, "cost basis must be >= minimal amount of order 1"),
    Reason.UNKNOWN_ORDER: (404, 40410000, "order not found"),
}
OTHER = (422, 42210000, "unprocessable")

Json = dict[str, Any]


class AlpacaSimulator(Simulator):
    """The venue for one account. contracts of kind SPOT are its crypto, EQUITY its stocks."""

    name = "alpaca"

    def __init__(self, engine: MatchingEngine, troubles: Troubles, now_ns: Callable[[], int]) -> None:
        super().__init__(engine, troubles, now_ns)
        self.hub = Hub(troubles)
        self.tape = Tape(engine, troubles, now_ns)
        self.market = AlpacaMarketRest(engine, self.tape, lambda: self.now_ns, _known)
        self.market_streams = AlpacaMarketStreams(engine, self.tape, troubles, (KEY, SECRET))
        self._symbols = {item.asset: item for item in engine.contracts.values()}
        self._by_uuid: dict[str, int] = {}
        self._forces: dict[str, str] = {}
        engine.listen(self._on_change)

    def routes(self) -> list[web.RouteDef]:
        """Trading endpoints of version 2, its stream, and all that is public."""
        return [
            web.post("/v2/orders", _known(self._submit)),
            web.get("/v2/orders", _known(self._orders)),
            web.delete("/v2/orders", _known(self._cancel_all)),
            web.get("/v2/orders:by_client_order_id", _known(self._by_client_id)),
            web.get("/v2/orders/{id}", _known(self._order)),
            web.delete("/v2/orders/{id}", _known(self._cancel)),
            web.get("/v2/account", _known(self._account)),
            web.get("/v2/positions", _known(self._positions)),
            web.get("/v2/account/activities/FILL", _known(self._fills)),
            web.get("/v2/assets", _known(self._assets)),
            web.get("/v2/assets/{symbol:.+}", _known(self._asset)),
            web.get("/v2/clock", _known(self._clock)),
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
        return _json({"code": status * 100_000, "message": words}, status, reset)

    # orders

    async def _submit(self, request: web.Request) -> web.Response:
        try:
            body = msgspec.json.decode(await request.read(), type=Json)
        except msgspec.DecodeError:
            return _json({"code": 40010000, "message": "request body format is invalid"}, 400)
        contract = self._symbols.get(body.get("symbol", ""))
        if contract is None:
            return _refusal(Rejected(Reason.UNKNOWN_SYMBOL))
        problem = _problem(contract, body)
        if problem:
            return _json({"code": 42210000, "message": problem}, 422)
        ticket = _ticket(contract, body)
        self._forces.setdefault(ticket.client_id, body["time_in_force"])
        try:
            order = self.place(ticket)
        except Rejected as rejected:
            return _refusal(rejected)
        return _json(self.order_json(order))

    async def _orders(self, request: web.Request) -> web.Response:
        wanted = request.query.get("status", "open")
        found = [
            order
            for order in self.engine.orders.values()
            if wanted == "all" or order.is_live is (wanted == "open")
        ]
        found.sort(key=lambda order: order.created_ns, reverse=request.query.get("direction") != "asc")
        limit = int(request.query.get("limit", 50))
        return _json([self.order_json(order) for order in found[:limit]])

    async def _by_client_id(self, request: web.Request) -> web.Response:
        order = self.engine.find(request.query.get("client_order_id", ""))
        return _refusal(Rejected(Reason.UNKNOWN_ORDER)) if order is None else _json(self.order_json(order))

    async def _order(self, request: web.Request) -> web.Response:
        order = self._find(request)
        return _refusal(Rejected(Reason.UNKNOWN_ORDER)) if order is None else _json(self.order_json(order))

    async def _cancel(self, request: web.Request) -> web.Response:
        order = self._find(request)
        if order is None:
            return _refusal(Rejected(Reason.UNKNOWN_ORDER))
        if not order.is_live:
            return _json({"code": 42210000, "message": f'order is already in "{_status(order)}" state'}, 422)
        self.engine.cancel(order.order_id)
        return web.Response(status=204)

    async def _cancel_all(self, request: web.Request) -> web.Response:
        ended = [self.engine.cancel(order.order_id) for order in self.engine.open_orders()]
        return _json([{"id": uuid_of(order.order_id), "status": 200} for order in ended], 207)

    def _find(self, request: web.Request) -> SimOrder | None:
        number = self._by_uuid.get(request.match_info["id"])
        return None if number is None else self.engine.orders[number]

    # the account

    async def _account(self, request: web.Request) -> web.Response:
        cash = self.engine.account.balances.get("USD", ZERO)
        worth = cash + sum((self._worth(item) for item in self._symbols.values()), ZERO)
        return _json(
            {
                "id": uuid_of(0),
                "account_number": "REHEARSAL",
                "status": "ACTIVE",
                "crypto_status": "ACTIVE",
                "currency": "USD",
                "cash": _text(cash),
                "equity": _text(worth),
                "last_equity": _text(worth),
                "portfolio_value": _text(worth),
                "buying_power": _text(self.engine.free("USD")),
                "non_marginable_buying_power": _text(self.engine.free("USD")),
                "trading_blocked": False,
                "transfers_blocked": False,
                "account_blocked": False,
                "trade_suspended_by_user": False,
                "shorting_enabled": False,
                "multiplier": "1",
                "created_at": moment(self.now_ns),
            }
        )

    def _worth(self, contract: Instrument) -> Decimal:
        quote = self.engine.quotes.get(contract.key)
        held = self.engine.account.balances.get(contract.base, ZERO)
        return ZERO if quote is None or quote.bid is None else held * quote.bid

    async def _positions(self, request: web.Request) -> web.Response:
        locked = self.engine.account.locked(self.engine.open_orders(), self.engine.contracts)
        found = []
        for contract in self._symbols.values():
            held = self.engine.account.balances.get(contract.base, ZERO)
            if held:
                free = held - locked.get(contract.base, ZERO)
                found.append(_position(contract, held, free, self._worth(contract)))
        return _json(found)

    async def _fills(self, request: web.Request) -> web.Response:
        """The newest first, `page_size` of them from behind the one named by `page_token`."""
        found = [self._activity(item) for item in reversed(self.engine.executions)]
        token = request.query.get("page_token")
        first = next((place + 1 for place, item in enumerate(found) if item["id"] == token), 0)
        return _json(found[first : first + int(request.query.get("page_size", 100))])

    def _activity(self, done: Execution) -> Json:
        order = self.engine.orders[done.order_id]
        at = datetime.fromtimestamp(done.at_ns / NS_PER_SECOND, UTC)
        whole = done.total >= order.quantity
        return {
            "id": f"{at:%Y%m%d%H%M%S}{at.microsecond // 1000:03d}::{uuid_of(done.number)}",
            "activity_type": "FILL",
            "transaction_time": moment(done.at_ns),
            "type": "fill" if whole else "partial_fill",
            "price": _text(done.price),
            "qty": _text(done.quantity),
            "side": done.side.value,
            "symbol": self.engine.contracts[done.symbol].asset,
            "leaves_qty": _text(order.quantity - done.total),
            "order_id": uuid_of(done.order_id),
            "cum_qty": _text(done.total),
            "order_status": "filled" if whole else "partially_filled",
        }

    async def _asset(self, request: web.Request) -> web.Response:
        contract = self._symbols.get(request.match_info["symbol"])
        if contract is None:
            return _json({"code": 40410000, "message": "asset not found"}, 404)
        return _json(_asset(contract))

    async def _assets(self, request: web.Request) -> web.Response:
        wanted = request.query.get("asset_class", "us_equity")
        return _json([_asset(item) for item in self._symbols.values() if _class(item) == wanted])

    async def _clock(self, _request: web.Request) -> web.Response:
        now = moment(self.now_ns)
        return _json({"timestamp": now, "is_open": True, "next_open": now, "next_close": now})

    # the stream

    async def _stream(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        session = _Session()
        await self.hub.serve(
            socket, session.hear, lambda: session.listens, lambda: session.was_heard and not session.is_known
        )
        return socket

    def _on_change(self, change: Change) -> None:
        order, done = change.order, change.execution
        self._by_uuid[uuid_of(order.order_id)] = order.order_id
        event = (
            ("fill" if order.status is Status.FILLED else "partial_fill") if done else EVENTS.get(change.kind)
        )
        if event is None:
            return
        data: Json = {"event": event, "timestamp": moment(change.at_ns), "order": self.order_json(order)}
        if done is not None:
            held = self.engine.account.balances.get(self.engine.contracts[done.symbol].base, ZERO)
            data |= {
                "execution_id": uuid_of(done.number),
                "price": _text(done.price),
                "qty": _text(done.quantity),
                "position_qty": _text(held),
            }
        self.hub.tell(msgspec.json.encode({"stream": "trade_updates", "data": data}))

    def order_json(self, order: SimOrder) -> Json:
        """An order in the vendor's form."""
        ticket, contract = order.ticket, self.engine.contracts[order.ticket.symbol]
        ended = moment(order.updated_ns)
        average = order.average_price
        return {
            "id": uuid_of(order.order_id),
            "client_order_id": ticket.client_id,
            "created_at": moment(order.created_ns),
            "updated_at": ended,
            "submitted_at": moment(order.created_ns),
            "filled_at": ended if order.status is Status.FILLED else None,
            "expired_at": None,
            "canceled_at": ended if order.status in (Status.CANCELLED, Status.EXPIRED) else None,
            "failed_at": None,
            "replaced_at": None,
            "replaced_by": None,
            "replaces": None,
            "asset_id": uuid_of(contract.asset),
            "symbol": contract.asset,
            "asset_class": _class(contract),
            "notional": None,
            "qty": _text(order.quantity),
            "filled_qty": _text(order.filled),
            "filled_avg_price": _text_or_none(average and round(average, 9)),
            "order_class": "",
            "order_type": ticket.order_type.value,
            "type": ticket.order_type.value,
            "side": ticket.side.value,
            "time_in_force": self._forces.get(ticket.client_id, ticket.time_in_force.value),
            "limit_price": _text_or_none(order.limit_price),
            "stop_price": _text_or_none(order.stop_price),
            "status": _status(order),
            "extended_hours": False,
            "legs": None,
            "trail_percent": None,
            "trail_price": None,
            "hwm": None,
        }


class _Session:
    """What one connection was told: it hears updates only once it is known and listens."""

    def __init__(self) -> None:
        self.was_heard = False
        self.is_known = False
        self.listens = False

    def hear(self, frame: Frame) -> Frame | None:
        """The answer. Who is not known is told so, and that is all."""
        said = msgspec.json.decode(frame, type=Json)
        data = said.get("data", said)
        self.was_heard = True
        match said.get("action"):
            case "authenticate" | "auth":
                pairs = ((data.get("key_id"), data.get("secret_key")), (data.get("key"), data.get("secret")))
                self.is_known = (KEY, SECRET) in pairs
                status = "authorized" if self.is_known else "unauthorized"
                return _frame("authorization", {"status": status, "action": "authenticate"})
            case "listen" if self.is_known:
                self.listens = "trade_updates" in data.get("streams", [])
                return _frame("listening", {"streams": data.get("streams", [])})
            case _:
                return _frame("listening", {"error": "required stream listen"})


def _frame(stream: str, data: Json) -> bytes:
    return msgspec.json.encode({"stream": stream, "data": data})


def _problem(contract: Instrument, body: Mapping[str, Any]) -> str:
    """What the venue says to an order it does not know; empty where it takes it."""
    kind, force = body.get("type", ""), body.get("time_in_force", "")
    if kind not in TYPES:
        return f"invalid order type: {kind}"
    if body.get("side") not in ("buy", "sell"):
        return f"invalid side: {body.get('side', '')}"
    if len(str(body.get("client_order_id") or "")) > LONGEST_ID:
        return f"client_order_id must be no more than {LONGEST_ID} characters"
    if not all(_is_number(body.get(name)) for name in ("qty", "limit_price", "stop_price")):
        return "cannot parse a number"
    if contract.kind is InstrumentKind.SPOT:
        if body.get("order_class", "") not in ("", "simple"):
            return "crypto orders not allowed for advanced order_class: otoco"
        if kind not in CRYPTO_TYPES:
            return "invalid order type for crypto order"
        if force not in ("gtc", "ioc"):
            return "invalid crypto time_in_force"
    elif force not in ("day", "gtc", "ioc"):
        return "invalid time_in_force"
    elif body.get("order_class", "") not in ("", "simple"):
        # The venue takes these for stocks. Who leaves out their legs would teach that they protect.
        return "not rehearsed: stocks know simple orders only here"
    needed = {"limit": ("limit_price",), "stop": ("stop_price",), "stop_limit": ("stop_price", "limit_price")}
    missing = [name for name in needed.get(kind, ()) if body.get(name) is None]
    return f"{kind} orders require {missing[0].replace('_', ' ')}" if missing else ""


def _is_number(value: object) -> bool:
    """Whether the venue reads this as a number, nothing at all included."""
    try:
        return value is None or Decimal(str(value)).is_finite()
    except InvalidOperation:
        return False


def _ticket(contract: Instrument, body: Mapping[str, Any]) -> Ticket:
    def number(name: str) -> Decimal | None:
        value = body.get(name)
        return None if value is None else Decimal(str(value))

    return Ticket(
        client_id=body.get("client_order_id") or str(uuid.uuid4()),
        symbol=contract.key,
        side=Side(body["side"]),
        order_type=TYPES[body["type"]],
        quantity=number("qty") or ZERO,
        limit_price=number("limit_price"),
        stop_price=number("stop_price"),
        time_in_force=TimeInForce.IOC if body["time_in_force"] == "ioc" else TimeInForce.GTC,
    )


def _status(order: SimOrder) -> str:
    return {
        Status.OPEN: "new",
        Status.PARTIAL: "partially_filled",
        Status.FILLED: "filled",
        Status.CANCELLED: "canceled",
        Status.EXPIRED: "canceled",
    }[order.status]


def _position(contract: Instrument, held: Decimal, free: Decimal, worth: Decimal) -> Json:
    return {
        "asset_id": uuid_of(contract.asset),
        "symbol": contract.asset.replace("/", ""),
        "exchange": "CRYPTO" if contract.kind is InstrumentKind.SPOT else "NASDAQ",
        "asset_class": _class(contract),
        "avg_entry_price": "0",
        "qty": _text(held),
        "qty_available": _text(free),
        "side": "long" if held > 0 else "short",
        "market_value": _text(worth),
        "cost_basis": "0",
        "unrealized_pl": "0",
        "unrealized_plpc": "0",
        "unrealized_intraday_pl": "0",
        "unrealized_intraday_plpc": "0",
        "current_price": _text(worth / held),
        "lastday_price": "0",
        "change_today": "0",
    }


def _asset(contract: Instrument) -> Json:
    found: Json = {
        "id": uuid_of(contract.asset),
        "class": _class(contract),
        "exchange": "CRYPTO" if contract.kind is InstrumentKind.SPOT else "NASDAQ",
        "symbol": contract.asset,
        "name": contract.asset,
        "status": "active",
        "tradable": True,
        "marginable": False,
        "shortable": False,
        "easy_to_borrow": False,
        "fractionable": True,
    }
    if contract.kind is InstrumentKind.SPOT:
        found |= {
            "min_order_size": _text(contract.min_quantity),
            "min_trade_increment": _text(contract.lot),
            "price_increment": _text(contract.tick),
        }
    return found


def _class(contract: Instrument) -> str:
    return "crypto" if contract.kind is InstrumentKind.SPOT else "us_equity"


def _known(handler: Handler) -> Handler:
    """Answers only who shows the keys of the account."""

    async def answer(request: web.Request) -> web.StreamResponse:
        headers = request.headers
        if (headers.get("APCA-API-KEY-ID"), headers.get("APCA-API-SECRET-KEY")) != (KEY, SECRET):
            return _json({"code": 40110000, "message": "request is not authorized"}, 401)
        return await handler(request)

    return answer


def _refusal(rejected: Rejected) -> web.Response:
    status, code, words = CODES.get(rejected.reason, OTHER)
    return _json({"code": code, "message": words if rejected.reason in CODES else str(rejected)}, status)


def _json(found: object, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.Response(
        body=msgspec.json.encode(found), status=status, content_type="application/json", headers=headers
    )


def _text(number: Decimal) -> str:
    """As the venue writes it: never with an exponent."""
    return format(number, "f")


def _text_or_none(number: Decimal | None) -> str | None:
    return None if number is None else _text(number)


def uuid_of(what: object) -> str:
    """The id the venue gives to something, always the same."""
    return str(uuid.uuid5(SPACE, str(what)))


def moment(at_ns: int) -> str:
    """RFC 3339 with nanoseconds."""
    at = datetime.fromtimestamp(at_ns // NS_PER_SECOND, UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at_ns % NS_PER_SECOND:09d}Z"
