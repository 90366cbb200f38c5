"""Binance spot on loopback: signed REST, the user data stream of the WebSocket API, public streams.

It is as strict as the venue: signatures, clocks, filters, ids, weights. Where it can be told from the venue
only by its address, an adapter that passes here says the right words there.
"""

import hashlib
import hmac
import re
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from aiohttp import web

from neuratrade.core.model.decimals import ZERO, is_multiple
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.market import NS_PER_SECOND
from neuratrade.core.model.orders import OrderType, Side, TimeInForce
from neuratrade.rehearsal import binance_spot_words as words
from neuratrade.rehearsal.binance_spot_market import PublicMarket
from neuratrade.rehearsal.binance_spot_words import Json, Refusal, millis, symbol_id
from neuratrade.rehearsal.faults import Act, Troubles
from neuratrade.rehearsal.matching import MatchingEngine, Rules
from neuratrade.rehearsal.orders import Change, Reason, Rejected, SimOrder, Ticket
from neuratrade.rehearsal.server import Frame, Hub, Simulator
from neuratrade.rehearsal.tape import Played

KEY, SECRET = "rehearsal-key", "rehearsal-secret"
RULES = Rules(frees_client_ids=True, fee_step=words.PLACES)
WEIGHT_LIMIT, ORDER_LIMIT = 6000, 100
MINUTE_NS, TEN_SECONDS_NS = 60 * NS_PER_SECOND, 10 * NS_PER_SECOND
LONGEST_WINDOW_MS, AHEAD_MS = 60_000, 1_000
MOST_ALGO_ORDERS = 5
CLIENT_ID = re.compile(r"[.A-Z:/a-z0-9_-]{1,36}")
BANNED = re.compile(r"[^-0-9.eE]")

Handler = Callable[[web.Request, Mapping[str, str]], Awaitable[Any]]


class BinanceSpotSimulator(Simulator):
    """The venue for one account. contracts of the engine: spot. restrictions: what its key may do.

    weight_limit: request weight a minute; order_limit: orders in ten seconds.
    """

    name = "binance"

    def __init__(self, engine: MatchingEngine, troubles: Troubles, now_ns: Callable[[], int]) -> None:
        super().__init__(engine, troubles, now_ns)
        self.hub = Hub(troubles)
        self.market = PublicMarket(engine, troubles, lambda: self.now_ns)
        self.weight_limit = WEIGHT_LIMIT
        self.order_limit = ORDER_LIMIT
        self.restrictions = {
            "ipRestrict": True,
            "enableReading": True,
            "enableSpotAndMarginTrading": True,
            "enableWithdrawals": False,
            "enableInternalTransfer": False,
            "permitsUniversalTransfer": False,
            "enableFutures": False,
            "enableMargin": False,
        }
        self._symbols = {symbol_id(item): item for item in engine.contracts.values()}
        self._weights: deque[tuple[int, int]] = deque()
        self._orders_at: deque[int] = deque()
        self._cancel_ids: dict[int, str] = {}
        self._subscriptions = 0
        engine.listen(self._on_change)

    def routes(self) -> list[web.RouteDef]:
        """REST of version 3, the few of `sapi` that a desk asks, and both kinds of streams."""
        return [
            web.get("/api/v3/ping", self._open(1, self._ping)),
            web.get("/api/v3/time", self._open(1, self._time)),
            web.get("/api/v3/exchangeInfo", self._open(20, self._exchange_info)),
            web.get("/api/v3/depth", self._open(5, self._depth)),
            web.get("/api/v3/klines", self._open(2, self._klines)),
            web.get("/api/v3/ticker/bookTicker", self._open(2, self._book_ticker)),
            web.post("/api/v3/order", self._signed(1, self._submit)),
            web.get("/api/v3/order", self._signed(4, self._order)),
            web.delete("/api/v3/order", self._signed(1, self._cancel)),
            web.get("/api/v3/openOrders", self._signed(6, self._open_orders)),
            web.delete("/api/v3/openOrders", self._signed(1, self._cancel_all)),
            web.get("/api/v3/allOrders", self._signed(20, self._all_orders)),
            web.get("/api/v3/myTrades", self._signed(20, self._my_trades)),
            web.get("/api/v3/account", self._signed(20, self._account)),
            web.get("/sapi/v1/account/apiRestrictions", self._signed(1, self._api_restrictions)),
            web.get("/sapi/v1/asset/tradeFee", self._signed(1, self._trade_fee)),
            web.get("/sapi/v1/capital/config/getall", self._signed(10, self._nothing)),
            web.get("/sapi/v1/margin/allAssets", self._signed(1, self._nothing)),
            web.get("/sapi/v1/margin/allPairs", self._signed(1, self._nothing)),
            web.get("/sapi/v1/margin/isolated/allPairs", self._signed(1, self._nothing)),
            web.get("/ws-api/v3", self._private_stream),
            web.get("/ws/{number}", self._public_stream),
        ]

    def play(self, item: Played) -> None:
        """The market goes on: what happens is told to everybody."""
        self.market.play(item)

    def act_of(self, request: web.Request) -> Act:
        """By method and path."""
        if request.path in ("/api/v3/order", "/api/v3/openOrders"):
            return {"POST": Act.SUBMIT, "DELETE": Act.CHANGE}.get(request.method, Act.ASK)
        if request.path == "/api/v3/klines":
            return Act.HISTORY
        signed = ("/api/v3/account", "/api/v3/allOrders", "/api/v3/myTrades")
        return Act.ASK if request.path in signed or request.path.startswith("/sapi") else Act.DATA

    def trouble_answer(self, status: int) -> web.Response:
        """The words of its front door; a 5xx says nothing about what became of a request."""
        if status == 429:
            return _answer(_too_much("Too much request weight used; current limit is", self.weight_limit))
        if status == 503:
            return web.Response(status=503, text="<html>503 Service Temporarily Unavailable</html>")
        unknown = "Timeout waiting for response from backend server. Send status unknown; "
        return _answer(Refusal(status, -1007, unknown + "execution status unknown."))

    # the door

    def _open(self, weight: int, handler: Handler) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def serve(request: web.Request) -> web.Response:
            try:
                self._weigh(weight)
                made = await handler(request, request.query)
            except Refusal as refusal:
                return self._marked(_answer(refusal))
            return self._marked(_json(made))

        return serve

    def _signed(self, weight: int, handler: Handler) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def checked(request: web.Request, _: Mapping[str, str]) -> Any:
            said = request.query_string + (await request.read()).decode()
            return await handler(request, self._authorised(request.headers, said))

        return self._open(weight, checked)

    def _authorised(self, headers: Mapping[str, str], said: str) -> dict[str, str]:
        """What a signed request asks. Raises Refusal for a wrong key, signature or clock."""
        _check_key(headers.get("X-MBX-APIKEY"))
        asked = dict(parse_qsl(said, keep_blank_values=True))
        payload, _, signature = said.rpartition("&signature=")
        if not signature:
            raise _missing("signature")
        _check_signature(payload, signature)
        self._check_clock(asked.get("timestamp"), asked.get("recvWindow", "5000"))
        return asked

    def _check_clock(self, told: str | None, window: str) -> None:
        if told is None:
            raise _missing("timestamp")
        if not (told.isdigit() and window.isdigit() and int(window) <= LONGEST_WINDOW_MS):
            raise Refusal(400, -1131, "recvWindow must be less than 60000.")
        now_ms, then_ms = millis(self.now_ns), int(told)
        if then_ms >= now_ms + AHEAD_MS:
            raise Refusal(400, -1021, "Timestamp for this request was 1000ms ahead of the server's time.")
        if now_ms - then_ms > int(window):
            raise Refusal(400, -1021, "Timestamp for this request is outside of the recvWindow.")

    def _weigh(self, weight: int) -> None:
        used = self._used_weight() + weight
        self._weights.append((self.now_ns, weight))
        if used > 2 * self.weight_limit:
            until = millis(self.now_ns + 2 * MINUTE_NS)
            told = f"Way too much request weight used; IP banned until {until}. Please use WebSocket Streams "
            raise Refusal(418, -1003, told + "for live updates to avoid bans.", {"Retry-After": "120"})
        if used > self.weight_limit:
            raise _too_much("Too much request weight used; current limit is", self.weight_limit)

    def _used_weight(self) -> int:
        while self._weights and self._weights[0][0] <= self.now_ns - MINUTE_NS:
            self._weights.popleft()
        return sum(weight for _, weight in self._weights)

    def _count_order(self) -> None:
        while self._orders_at and self._orders_at[0] <= self.now_ns - TEN_SECONDS_NS:
            self._orders_at.popleft()
        if len(self._orders_at) >= self.order_limit:
            told = f"Too many new orders; current limit is {self.order_limit} orders per 10 SECOND."
            raise Refusal(429, -1015, told, {"Retry-After": "10"})
        self._orders_at.append(self.now_ns)

    def _marked(self, answer: web.Response) -> web.Response:
        answer.headers["X-MBX-USED-WEIGHT"] = str(self._used_weight())
        answer.headers["X-MBX-USED-WEIGHT-1M"] = str(self._used_weight())
        answer.headers["X-MBX-ORDER-COUNT-10S"] = str(len(self._orders_at))
        return answer

    # open to all

    async def _ping(self, _: web.Request, __: Mapping[str, str]) -> Json:
        return {}

    async def _time(self, _: web.Request, __: Mapping[str, str]) -> Json:
        return {"serverTime": millis(self.now_ns)}

    async def _exchange_info(self, _: web.Request, __: Mapping[str, str]) -> Json:
        weight = {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1}
        orders = {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10}
        return {
            "timezone": "UTC",
            "serverTime": millis(self.now_ns),
            "rateLimits": [weight | {"limit": self.weight_limit}, orders | {"limit": self.order_limit}],
            "exchangeFilters": [],
            "symbols": [words.symbol_body(item) for item in self._symbols.values()],
        }

    async def _depth(self, _: web.Request, asked: Mapping[str, str]) -> Json:
        return self.market.depth(self._contract(asked))

    async def _klines(self, _: web.Request, asked: Mapping[str, str]) -> list[list[Any]]:
        if asked.get("interval") != "1m":
            raise Refusal(400, -1120, "Invalid interval.")
        return self.market.klines(
            self._contract(asked),
            int(asked.get("limit", "500")),
            int(asked["startTime"]) if "startTime" in asked else None,
        )

    async def _book_ticker(self, _: web.Request, asked: Mapping[str, str]) -> Any:
        if "symbol" in asked:
            return self.market.book_ticker(self._contract(asked))
        return [self.market.book_ticker(item) for item in self._symbols.values()]

    # orders

    async def _submit(self, _: web.Request, asked: Mapping[str, str]) -> Json:
        self._count_order()
        contract = self._contract(asked)
        ticket = _ticket(contract, asked)
        self._check_filters(contract, ticket)
        try:
            order = self.place(ticket)
        except Rejected as rejected:
            raise _refusal(rejected) from rejected
        return words.taken_body(order, contract)

    def _check_filters(self, contract: Instrument, ticket: Ticket) -> None:
        for price in (ticket.limit_price, ticket.stop_price):
            if price is not None and not (price > 0 and is_multiple(price, contract.tick)):
                raise Refusal(400, -1013, "Filter failure: PRICE_FILTER")
        here = [order for order in self.engine.open_orders(contract.key) if order.is_conditional]
        if ticket.stop_price is not None and len(here) >= MOST_ALGO_ORDERS:
            raise Refusal(400, -1013, "Filter failure: MAX_NUM_ALGO_ORDERS")

    async def _order(self, _: web.Request, asked: Mapping[str, str]) -> Json:
        contract = self._contract(asked)
        order = self._find(contract, asked)
        if order is None:
            raise Refusal(400, -2013, "Order does not exist.")
        return words.order_body(order, contract)

    async def _cancel(self, _: web.Request, asked: Mapping[str, str]) -> Json:
        contract = self._contract(asked)
        order = self._find(contract, asked)
        if order is None or not order.is_live:
            raise Refusal(400, -2011, "Unknown order sent.")
        return self._end(order, contract)

    def _end(self, order: SimOrder, contract: Instrument) -> Json:
        cancel_id = hashlib.sha256(f"cancel {order.order_id}".encode()).hexdigest()[:22]
        self._cancel_ids[order.order_id] = cancel_id
        return words.cancelled_body(self.engine.cancel(order.order_id), contract, cancel_id)

    async def _cancel_all(self, _: web.Request, asked: Mapping[str, str]) -> list[Json]:
        contract = self._contract(asked)
        found = self.engine.open_orders(contract.key)
        if not found:
            raise Refusal(400, -2011, "Unknown order sent.")
        return [self._end(order, contract) for order in found]

    async def _open_orders(self, _: web.Request, asked: Mapping[str, str]) -> list[Json]:
        chosen = self._contract(asked).key if "symbol" in asked else None
        contracts = self.engine.contracts
        return [
            words.order_body(order, contracts[order.ticket.symbol])
            for order in self.engine.open_orders(chosen)
        ]

    async def _all_orders(self, _: web.Request, asked: Mapping[str, str]) -> list[Json]:
        contract = self._contract(asked)
        begin_ms, end_ms = _between(asked)
        found = [
            words.order_body(order, contract)
            for order in self.engine.orders.values()
            if order.ticket.symbol == contract.key
            and order.order_id >= int(asked.get("orderId", "0"))
            and begin_ms <= millis(order.created_ns) <= end_ms
        ]
        return _page(found, asked, from_the_begin="orderId" in asked or "startTime" in asked)

    async def _my_trades(self, _: web.Request, asked: Mapping[str, str]) -> list[Json]:
        contract = self._contract(asked)
        begin_ms, end_ms = _between(asked)
        found = [
            words.trade_body(done, contract)
            for done in self.engine.executions
            if done.symbol == contract.key
            and done.number >= int(asked.get("fromId", "0"))
            and ("orderId" not in asked or done.order_id == int(asked["orderId"]))
            and begin_ms <= millis(done.at_ns) <= end_ms
        ]
        return _page(found, asked, from_the_begin="fromId" in asked or "startTime" in asked)

    def _find(self, contract: Instrument, asked: Mapping[str, str]) -> SimOrder | None:
        if "orderId" in asked:
            number = asked["orderId"]
            order = self.engine.orders.get(int(number)) if number.isdigit() else None
        elif "origClientOrderId" in asked:
            order = self.engine.find(asked["origClientOrderId"])
        else:
            words_ = "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!"
            raise Refusal(400, -1102, words_)
        return order if order is not None and order.ticket.symbol == contract.key else None

    def _contract(self, asked: Mapping[str, str]) -> Instrument:
        if "symbol" not in asked:
            raise _missing("symbol")
        contract = self._symbols.get(asked["symbol"])
        if contract is None:
            raise Refusal(400, -1121, "Invalid symbol.")
        return contract

    # the account

    async def _account(self, _: web.Request, __: Mapping[str, str]) -> Json:
        some = next(iter(self._symbols.values()))
        maker, taker = words.commission(some.maker_fee_bps), words.commission(some.taker_fee_bps)
        return {
            "makerCommission": int(some.maker_fee_bps),
            "takerCommission": int(some.taker_fee_bps),
            "buyerCommission": 0,
            "sellerCommission": 0,
            "commissionRates": {
                "maker": maker,
                "taker": taker,
                "buyer": words.text(ZERO),
                "seller": words.text(ZERO),
            },
            "canTrade": True,
            "canWithdraw": self.restrictions["enableWithdrawals"],
            "canDeposit": True,
            "brokered": False,
            "requireSelfTradePrevention": False,
            "preventSor": False,
            "updateTime": millis(self.now_ns),
            "accountType": "SPOT",
            "balances": [
                {"asset": asset, "free": words.text(free), "locked": words.text(locked)}
                for asset, (free, locked) in self._balances().items()
            ],
            "permissions": ["SPOT"],
            "uid": 1,
        }

    def _balances(self) -> dict[str, tuple[Decimal, Decimal]]:
        engine = self.engine
        locked = engine.account.locked(engine.open_orders(), engine.contracts)
        return {
            asset: (total - locked.get(asset, ZERO), locked.get(asset, ZERO))
            for asset, total in engine.account.balances.items()
        }

    async def _api_restrictions(self, _: web.Request, __: Mapping[str, str]) -> Json:
        return {"createTime": millis(self.now_ns), **self.restrictions}

    async def _nothing(self, _: web.Request, __: Mapping[str, str]) -> list[Json]:
        return []

    async def _trade_fee(self, _: web.Request, __: Mapping[str, str]) -> list[Json]:
        return [
            {
                "symbol": symbol,
                "makerCommission": words.commission(item.maker_fee_bps),
                "takerCommission": words.commission(item.taker_fee_bps),
            }
            for symbol, item in self._symbols.items()
        ]

    # streams

    def _on_change(self, change: Change) -> None:
        contract = self.engine.contracts[change.order.ticket.symbol]
        cancel_id = self._cancel_ids.get(change.order.order_id, change.order.ticket.client_id)
        self._tell(words.execution_report(change, contract, cancel_id))
        touched = (contract.base, contract.quote)
        self._tell(
            {
                "e": "outboundAccountPosition",
                "E": millis(self.now_ns),
                "u": millis(self.now_ns),
                "B": [
                    {"a": asset, "f": words.text(free), "l": words.text(locked)}
                    for asset, (free, locked) in self._balances().items()
                    if asset in touched
                ],
            }
        )

    def _tell(self, event: Json) -> None:
        self.hub.tell(_encode({"subscriptionId": 0, "event": event}))

    async def _private_stream(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        subscribed: list[str] = []
        await self.hub.serve(socket, lambda said: self._hear(said, subscribed), lambda: bool(subscribed))
        return socket

    def _hear(self, said: Frame, subscribed: list[str]) -> Frame:
        asked = msgspec.json.decode(said)
        number, params = asked.get("id"), asked.get("params") or {}
        try:
            result = self._called(str(asked.get("method")), params, subscribed)
        except Refusal as refusal:
            return _encode({"id": number, "status": refusal.status, "error": refusal.body})
        return _encode({"id": number, "status": 200, "result": result})

    def _called(self, method: str, params: Mapping[str, Any], subscribed: list[str]) -> Json:
        match method:
            case "ping":
                return {}
            case "time":
                return {"serverTime": millis(self.now_ns)}
            case "userDataStream.subscribe.signature":
                told = {name: str(value) for name, value in params.items()}
                signature = told.pop("signature", "")
                payload = "&".join(f"{name}={told[name]}" for name in sorted(told))
                _check_key(told.get("apiKey"))
                _check_signature(payload, signature)
                self._check_clock(told.get("timestamp"), told.get("recvWindow", "5000"))
                subscribed.append(method)
                return {"subscriptionId": 0}
            case "userDataStream.unsubscribe":
                subscribed.clear()
                return {}
            case _:
                raise Refusal(400, -1000, f"Unknown method '{method}'.")

    async def _public_stream(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await self.market.serve(socket)
        return socket


def _ticket(contract: Instrument, asked: Mapping[str, str]) -> Ticket:
    """The order a request asks for. Raises Refusal as the venue does for one that is malformed."""
    for name in ("side", "type", "quantity"):
        if not asked.get(name):
            raise _missing(name)
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
            raise _missing(name)
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
        _number(asked, "quantity"),
        _number(asked, "price") if limited else None,
        _number(asked, "stopPrice") if stops else None,
        TimeInForce(force.lower()),
    )


def _number(asked: Mapping[str, str], name: str) -> Decimal:
    told = asked[name]
    try:
        number = Decimal(told)
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or BANNED.search(told) or "e" in told.lower():
        raise Refusal(400, -1100, f"Illegal characters found in parameter '{name}'; legal range is digits.")
    if number != number.quantize(words.PLACES):
        raise Refusal(400, -1111, f"Parameter '{name}' has too much precision.")
    return number


def _between(asked: Mapping[str, str]) -> tuple[int, int]:
    return int(asked.get("startTime", "0")), int(asked.get("endTime", str(1 << 62)))


def _page(found: list[Json], asked: Mapping[str, str], *, from_the_begin: bool) -> list[Json]:
    limit = int(asked.get("limit", "500"))
    return found[:limit] if from_the_begin else found[-limit:]


def _check_key(key: str | None) -> None:
    if not key:
        raise Refusal(401, -2014, "API-key format invalid.")
    if key != KEY:
        raise Refusal(401, -2015, "Invalid API-key, IP, or permissions for action.")


def _check_signature(payload: str, signature: str) -> None:
    expected = hmac.new(SECRET.encode(), payload.encode(), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(signature, expected):
        raise Refusal(400, -1022, "Signature for this request is not valid.")


def _missing(name: str) -> Refusal:
    told = f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed."
    return Refusal(400, -1102, told)


def _too_much(told: str, limit: int) -> Refusal:
    rest = "Please use WebSocket Streams for live updates to avoid polling the API."
    return Refusal(429, -1003, f"{told} {limit} request weight per 1 MINUTE. {rest}", {"Retry-After": "5"})


def _refusal(rejected: Rejected) -> Refusal:
    known = words.REFUSALS.get(rejected.reason, words.REFUSALS[Reason.PLANNED])
    return Refusal(400, known.code, known.words)


def _answer(refusal: Refusal) -> web.Response:
    return _json(refusal.body, refusal.status, refusal.headers)


def _json(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.Response(
        body=msgspec.json.encode(body),
        status=status,
        headers=dict(headers or {}),
        content_type="application/json",
    )


def _encode(body: Json) -> str:
    return msgspec.json.encode(body).decode()
