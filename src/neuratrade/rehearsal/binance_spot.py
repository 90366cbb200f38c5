"""Binance spot on loopback: signed REST, the user data stream of the WebSocket API, public streams.

It is as strict as the venue: signatures, clocks, filters, ids, weights. Where it can be told from the venue
only by its address, an adapter that passes here says the right words there.
"""

from collections.abc import Callable
from typing import Any

from aiohttp import web

from neuratrade.core.model.instrument import Instrument
from neuratrade.rehearsal import binance_spot_words as words
from neuratrade.rehearsal.attached import Attachments
from neuratrade.rehearsal.binance_spot_account import Account
from neuratrade.rehearsal.binance_spot_door import KEY, SECRET, Asked, Door, answer, missing, too_much
from neuratrade.rehearsal.binance_spot_lists import OrderLists
from neuratrade.rehearsal.binance_spot_market import PublicMarket
from neuratrade.rehearsal.binance_spot_orders import Orders
from neuratrade.rehearsal.binance_spot_streams import UserStream
from neuratrade.rehearsal.binance_spot_symbols import symbol_body
from neuratrade.rehearsal.binance_spot_words import Json, Refusal, millis, symbol_id
from neuratrade.rehearsal.faults import Act, Troubles
from neuratrade.rehearsal.matching import MatchingEngine, Rules
from neuratrade.rehearsal.server import Hub, Simulator
from neuratrade.rehearsal.tape import Played

__all__ = ["KEY", "RULES", "SECRET", "BinanceSpotSimulator"]
RULES = Rules(frees_client_ids=True, fee_step=words.PLACES)
CHANGES = ("/api/v3/order", "/api/v3/openOrders")


class BinanceSpotSimulator(Simulator):
    """The venue for one account. contracts of the engine: spot."""

    name = "binance"

    def __init__(self, engine: MatchingEngine, troubles: Troubles, now_ns: Callable[[], int]) -> None:
        super().__init__(engine, troubles, now_ns)

        def now() -> int:
            return self.now_ns

        self.hub = Hub(troubles)
        self.market = PublicMarket(engine, troubles, now)
        self.door = Door(now)
        self._symbols = {symbol_id(item): item for item in engine.contracts.values()}
        self.account = Account(engine, self.door, self._symbols, now)
        self.attachments = Attachments(engine)
        self._lists = OrderLists(engine, self.attachments, self.door, self._contract, self.place, now)
        self._orders = Orders(engine, self.door, self._lists, self._contract, self.place)
        self._stream = UserStream(engine, self.hub, self.door, self.account, self._lists, now)

    def routes(self) -> list[web.RouteDef]:
        """REST of version 3, the few of `sapi` that a desk asks, and both kinds of streams."""
        opened = self.door.open
        return [
            web.get("/api/v3/ping", opened(1, lambda _: {})),
            web.get("/api/v3/time", opened(1, lambda _: {"serverTime": millis(self.now_ns)})),
            web.get("/api/v3/exchangeInfo", opened(20, self._exchange_info)),
            web.get("/api/v3/depth", opened(5, lambda asked: self.market.depth(self._contract(asked)))),
            web.get("/api/v3/klines", opened(2, self._klines)),
            web.get("/api/v3/ticker/bookTicker", opened(2, self._book_ticker)),
            *self._orders.routes(),
            *self._lists.routes(),
            *self.account.routes(),
            web.get("/ws-api/v3", self._stream.serve),
            web.get("/ws/{number}", self._public_stream),
        ]

    def play(self, item: Played) -> None:
        """The market goes on: what happens is told to everybody."""
        self.market.play(item)

    def act_of(self, request: web.Request) -> Act:
        """By method and path."""
        if request.path in CHANGES or request.path.startswith("/api/v3/orderList"):
            return {"POST": Act.SUBMIT, "DELETE": Act.CHANGE}.get(request.method, Act.ASK)
        if request.path == "/api/v3/klines":
            return Act.HISTORY
        signed = ("/api/v3/account", "/api/v3/allOrders", "/api/v3/myTrades", "/api/v3/openOrderList")
        return Act.ASK if request.path in signed or request.path.startswith("/sapi") else Act.DATA

    def trouble_answer(self, status: int) -> web.Response:
        """The words of its front door; a 5xx says nothing about what became of a request."""
        if status == 429:
            return answer(too_much("Too much request weight used; current limit is", self.door.weight_limit))
        if status == 503:
            return web.Response(status=503, text="<html>503 Service Temporarily Unavailable</html>")
        unknown = "Timeout waiting for response from backend server. Send status unknown; "
        return answer(Refusal(status, -1007, unknown + "execution status unknown."))

    def _exchange_info(self, _: Asked) -> Json:
        weight = {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1}
        orders = {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10}
        return {
            "timezone": "UTC",
            "serverTime": millis(self.now_ns),
            "rateLimits": [
                weight | {"limit": self.door.weight_limit},
                orders | {"limit": self.door.order_limit},
            ],
            "exchangeFilters": [],
            "symbols": [symbol_body(item) for item in self._symbols.values()],
        }

    def _klines(self, asked: Asked) -> list[list[Any]]:
        if asked.get("interval") != "1m":
            raise Refusal(400, -1120, "Invalid interval.")
        return self.market.klines(
            self._contract(asked),
            int(asked.get("limit", "500")),
            int(asked["startTime"]) if "startTime" in asked else None,
        )

    def _book_ticker(self, asked: Asked) -> Any:
        if "symbol" in asked:
            return self.market.book_ticker(self._contract(asked))
        return [self.market.book_ticker(item) for item in self._symbols.values()]

    def _contract(self, asked: Asked) -> Instrument:
        if "symbol" not in asked:
            raise missing("symbol")
        contract = self._symbols.get(asked["symbol"])
        if contract is None:
            raise Refusal(400, -1121, "Invalid symbol.")
        return contract

    async def _public_stream(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await self.market.serve(socket)
        return socket
