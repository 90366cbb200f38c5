"""Kraken spot on loopback: its REST interface, signed as it wants it, over a matching engine.

What Kraken refuses is refused in an HTTP 200 with an `error` list. A client id must be unique among open
orders only, so an order sent twice is there twice once the first is over. Its streams are in
`kraken_streams`. Refused here though Kraken has it: margin, take-profit and trailing orders, FOK, relative
prices, amounts in quote currency, fees in base, conditional closes that trail.
"""

import base64
import hashlib
import hmac
from collections.abc import Callable

from aiohttp import web

from neuratrade.core.model.market import NS_PER_SECOND
from neuratrade.core.model.orders import OrderType, Side, TimeInForce
from neuratrade.rehearsal import kraken_words as words
from neuratrade.rehearsal.attached import Attachments
from neuratrade.rehearsal.faults import Act, Troubles
from neuratrade.rehearsal.kraken_account import KrakenAccount
from neuratrade.rehearsal.kraken_asked import close_of, decimal_of, page_of, prices_of, said_in, side_of
from neuratrade.rehearsal.kraken_market import KrakenError, KrakenMarket, Params
from neuratrade.rehearsal.kraken_streams import KrakenStreams
from neuratrade.rehearsal.matching import MatchingEngine, Rules
from neuratrade.rehearsal.orders import Execution, Rejected, SimOrder, Ticket
from neuratrade.rehearsal.server import REHEARSAL_KEY, Credentials, Simulator, respond
from neuratrade.rehearsal.tape import Tape

RULES = Rules(refuses_crossed_stops=False, frees_client_ids=True)
CHANGES = ("AmendOrder", "CancelOrder", "CancelAll")
IS_NEW = web.RequestKey("is_new", bool)
"""Whether the nonce of a request was above all before it."""


class Kraken(Simulator):
    """One account at Kraken. hosts: where each host of the venue is found on loopback."""

    name = "kraken"

    def __init__(
        self,
        engine: MatchingEngine,
        troubles: Troubles,
        now_ns: Callable[[], int],
        credentials: Credentials = REHEARSAL_KEY,
    ) -> None:
        super().__init__(engine, troubles, now_ns)
        self.credentials = credentials
        self.tape = Tape(engine, troubles, now_ns)
        self.pairs = {key: words.pair_of(contract) for key, contract in engine.contracts.items()}
        self.account = KrakenAccount(engine, credentials, lambda: self.now_ns)
        self.market = KrakenMarket(self.tape, self.pairs, lambda: self.now_ns)
        self.streams = KrakenStreams(self)
        self.attachments = Attachments(engine)
        self._nonce = -1
        self._private: dict[str, Callable[[Params], object]] = {
            "AddOrder": self._add,
            "AmendOrder": self._amend,
            "CancelOrder": self._cancel,
            "CancelAll": self._cancel_all,
            "OpenOrders": self._open,
            "ClosedOrders": self._closed,
            "QueryOrders": self._query_orders,
            "TradesHistory": self._trades,
            "QueryTrades": self._query_trades,
        } | self.account.methods

    @property
    def hosts(self) -> dict[str, str]:
        """Host of the venue to `HOST:PORT` on loopback, with a path where two hosts share their paths."""
        here = f"127.0.0.1:{self.port}"
        return {"api.kraken.com": here, "ws.kraken.com": here, "ws-auth.kraken.com": f"{here}/auth"}

    def routes(self) -> list[web.RouteDef]:
        """REST and both streams."""
        return [
            web.get("/0/public/{method}", self._serve_public),
            web.post("/0/private/{method}", self._serve_private),
            web.get("/v2", self.streams.serve_public),
            web.get("/auth/v2", self.streams.serve_private),
        ]

    def act_of(self, request: web.Request) -> Act:
        """By the name of the method."""
        method = request.path.rsplit("/", 1)[-1]
        if "/private/" not in request.path:
            return Act.HISTORY if method == "OHLC" else Act.DATA
        return Act.SUBMIT if method == "AddOrder" else Act.CHANGE if method in CHANGES else Act.ASK

    def trouble_answer(self, status: int) -> web.Response:
        """An overload is an HTTP 200; only what stands before Kraken answers with a status of its own."""
        if status == 500:
            return web.Response(status=520, text="error code: 520")
        return _no("EAPI:Rate limit exceeded" if status == 429 else "EService:Unavailable")

    def client_id(self, order: SimOrder) -> str:
        """The id its owner gave an order, empty where none."""
        return "" if order.ticket.client_id.startswith("~") else order.ticket.client_id

    # the door

    async def _serve_public(self, request: web.Request) -> web.Response:
        return self._call(self.market.methods, request, dict(request.query))

    async def _serve_private(self, request: web.Request) -> web.Response:
        body = await request.text()
        try:
            params = self._admit(request, body)
        except KrakenError as error:
            return _no(str(error))
        return self._call(self._private, request, params)

    def _call(
        self, methods: dict[str, Callable[[Params], object]], request: web.Request, params: Params
    ) -> web.Response:
        method = methods.get(request.match_info["method"])
        if method is None:
            return _no("EGeneral:Unknown method")
        try:
            return respond({"error": [], "result": method(params)})
        except KrakenError as error:
            return _no(str(error))
        except Rejected as error:
            return _no(words.refusal(error))
        except (ValueError, ArithmeticError):
            return _no("EGeneral:Invalid arguments")

    def arrived(self, request: web.Request, body: str) -> None:
        """A nonce has to rise from request to request, in the order they come in."""
        nonce = said_in(request, body).get("nonce", "") if request.path.startswith("/0/private") else ""
        if nonce.isdigit() and request.headers.get("API-Key") == self.credentials.key:
            request[IS_NEW] = int(nonce) > self._nonce
            self._nonce = max(self._nonce, int(nonce))

    def _admit(self, request: web.Request, body: str) -> Params:
        if request.headers.get("API-Key") != self.credentials.key:
            raise KrakenError("EAPI:Invalid key")
        params = said_in(request, body)
        digest = hashlib.sha256((params.get("nonce", "") + body).encode()).digest()
        secret = base64.b64decode(self.credentials.secret)
        sign = base64.b64encode(hmac.digest(secret, request.path.encode() + digest, "sha512")).decode()
        if not hmac.compare_digest(sign, request.headers.get("API-Sign", "")):
            raise KrakenError("EAPI:Invalid signature")
        if not request.get(IS_NEW):
            raise KrakenError("EAPI:Invalid nonce")
        return params

    # orders

    def _add(self, params: Params) -> object:
        for word in ("leverage", "displayvol"):
            if params.get(word, "none") != "none":
                raise KrakenError(f"EGeneral:Invalid arguments:{word}")
        if params.get("oflags", "fciq") not in ("fciq", "post", "fciq,post"):
            raise KrakenError("EGeneral:Invalid arguments:oflags")
        kind = words.ORDER_TYPES.get(params.get("ordertype", ""))
        if kind is None:
            raise KrakenError("EGeneral:Invalid arguments:ordertype")
        pair = self.market.pair(params)
        ticket = self._ticket(params, pair, kind)
        if "post" in params.get("oflags", "") and self._crosses(ticket):
            raise KrakenError("EOrder:Post only order")
        close = close_of(params)
        if close is None:
            order = self.place(ticket)
        else:
            order = self.attachments.place(ticket, close, self.place)
        described = {"order": words.words_of(order, pair)}
        if close is not None:
            described["close"] = self._close(order)
        return {"txid": [words.mark("O", order.order_id)], "descr": described}

    def _close(self, order: SimOrder) -> str:
        """What is attached to an order, as its description has it; empty where nothing is."""
        family = self.attachments.family(order.order_id)
        if family is None or family.exit is None:
            return ""
        (leg,) = family.exit.legs
        pair = self.pairs[order.ticket.symbol]
        terms = words.terms_of(leg.order_type, leg.stop_price, leg.limit_price, pair, gains=leg.takes_profit)
        return f"close position @ {terms}"

    def _ticket(self, params: Params, pair: words.Pair, kind: OrderType) -> Ticket:
        stop, limit = prices_of(params, kind)
        quantity = decimal_of(params, "volume")
        if quantity is None:
            raise KrakenError("EGeneral:Invalid arguments:volume")
        force = params.get("timeinforce", "GTC")
        if force not in ("GTC", "IOC", "GTD"):
            raise KrakenError("EGeneral:Invalid arguments:timeinforce")
        return Ticket(
            client_id=params.get("cl_ord_id") or f"~{self.engine.next_number()}",
            symbol=pair.contract.key,
            side=side_of(params),
            order_type=kind,
            quantity=quantity,
            limit_price=limit,
            stop_price=stop,
            time_in_force=TimeInForce(force.lower()),
            expires_ns=self._expiry(params),
        )

    def _expiry(self, params: Params) -> int | None:
        text = params.get("expiretm", "0")
        value = text.removeprefix("+")
        if not value.isdigit():
            raise KrakenError("EGeneral:Invalid arguments:expiretm")
        after_ns = int(value) * NS_PER_SECOND
        return (self.now_ns + after_ns if text.startswith("+") else after_ns) if after_ns else None

    def _crosses(self, ticket: Ticket) -> bool:
        quote = self.engine.quotes.get(ticket.symbol)
        other = None if quote is None else quote.ask if ticket.side is Side.BUY else quote.bid
        if other is None or ticket.limit_price is None:
            return False
        return (ticket.limit_price - other) * ticket.side.sign >= 0

    def _amend(self, params: Params) -> object:
        order = self._order(params)
        quantity = decimal_of(params, "order_qty") or order.quantity
        if quantity <= order.filled:
            self.engine.cancel(order.order_id)
        else:
            limit = decimal_of(params, "limit_price") or order.limit_price
            stop = decimal_of(params, "trigger_price") or order.stop_price
            self.engine.amend(order.order_id, quantity, limit, stop)
        return {"amend_id": words.mark("T", self.engine.next_number())}

    def _cancel(self, params: Params) -> object:
        self.engine.cancel(self._order(params).order_id)
        return {"count": 1}

    def _cancel_all(self, _: Params) -> object:
        live = self.engine.open_orders()
        for order in live:
            self.engine.cancel(order.order_id)
        return {"count": len(live)}

    def _order(self, params: Params) -> SimOrder:
        client_id = params.get("cl_ord_id")
        if client_id:
            order = self.engine.find(client_id)
        else:
            order = self.engine.orders.get(words.number_of(params.get("txid", "")) or 0)
        if order is None:
            raise KrakenError("EOrder:Unknown order")
        return order

    def _rows(self, params: Params, orders: list[SimOrder]) -> dict[str, object]:
        wanted = params.get("cl_ord_id")
        trades = params.get("trades", "").lower() == "true"
        rows: dict[str, object] = {}
        for order in orders:
            if wanted and order.ticket.client_id != wanted:
                continue
            pair = self.pairs[order.ticket.symbol]
            row = words.order_row(order, pair, self.client_id(order), self._close(order), trades=trades)
            family = self.attachments.family(order.order_id)
            if family is not None and family.came_of is not None:
                row["refid"] = words.mark("O", family.came_of)
            rows[words.mark("O", order.order_id)] = row
        return rows

    def _open(self, params: Params) -> object:
        return {"open": self._rows(params, self.engine.open_orders())}

    def _closed(self, params: Params) -> object:
        rows = self._rows(params, [item for item in self.engine.orders.values() if not item.is_live])
        return {"closed": dict(list(reversed(rows.items()))[page_of(params)]), "count": len(rows)}

    def _query_orders(self, params: Params) -> object:
        if params.get("userref", "0").lstrip("-").isdigit() is False:
            raise KrakenError("EGeneral:Invalid arguments:userref")
        numbers = [words.number_of(text) for text in params.get("txid", "").split(",")]
        orders = [self.engine.orders[number] for number in numbers if number in self.engine.orders]
        if not orders:
            raise KrakenError("EOrder:Unknown order")
        return self._rows({"trades": params.get("trades", "")}, orders)

    def _trades(self, params: Params) -> object:
        begin, end = float(params.get("start") or 0), float(params.get("end") or "inf")
        done = [item for item in self.engine.executions if begin < words.seconds(item.at_ns) <= end]
        return {"trades": self._trade_rows(done[::-1][page_of(params)]), "count": len(done)}

    def _query_trades(self, params: Params) -> object:
        numbers = [words.number_of(text) for text in params.get("txid", "").split(",")]
        done = [item for item in self.engine.executions if item.number in numbers]
        if len(done) != len(numbers):
            raise KrakenError("EOrder:Invalid order")
        return self._trade_rows(done)

    def _trade_rows(self, done: list[Execution]) -> dict[str, object]:
        return {
            words.mark("T", item.number): words.trade_row(
                item, self.engine.orders[item.order_id], self.pairs[item.symbol]
            )
            for item in done
        }


def _no(message: str) -> web.Response:
    return respond({"error": [message]})
