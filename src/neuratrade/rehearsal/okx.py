"""OKX on loopback, spot and linear perpetuals: its REST interface v5, signed as it wants it.

One account in single-currency margin mode with net positions. A request about one order is an HTTP 200 whose
`code` or `sCode` may say no; how orders are handled is in `okx_orders`, the streams in `okx_streams`.
"""

import base64
import hmac
from collections.abc import Callable
from datetime import datetime

import msgspec
from aiohttp import web

from neuratrade.core.model.market import NS_PER_SECOND
from neuratrade.core.model.orders import Side
from neuratrade.rehearsal import okx_words as words
from neuratrade.rehearsal.faults import Act, Troubles
from neuratrade.rehearsal.matching import MatchingEngine, Rules
from neuratrade.rehearsal.okx_account import OkxAccount
from neuratrade.rehearsal.okx_asked import Asked
from neuratrade.rehearsal.okx_market import OkxError, OkxMarket
from neuratrade.rehearsal.okx_orders import OkxOrders
from neuratrade.rehearsal.okx_streams import OkxStreams
from neuratrade.rehearsal.orders import Reason, Rejected
from neuratrade.rehearsal.server import REHEARSAL_KEY, Credentials, Simulator, respond
from neuratrade.rehearsal.tape import Tape

RULES = Rules(locks_conditionals=False)
WINDOW_NS = 30 * NS_PER_SECOND
SUBMITS = ("trade/order", "trade/batch-orders", "trade/order-algo")


class Okx(Simulator):
    """One account at OKX. hosts: where each host of the venue is found on loopback."""

    name = "okx"

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
        self.market = OkxMarket(self.tape, engine.contracts, lambda: self.now_ns)
        self.account = OkxAccount(engine, self.market, credentials, lambda: self.now_ns)
        self.orders = OkxOrders(engine, self.market, self.place, lambda: self.now_ns)
        self.streams = OkxStreams(self)
        self._questions = self.orders.questions | self.account.methods

    @property
    def hosts(self) -> dict[str, str]:
        """Host of the venue to `HOST:PORT` on loopback."""
        here = f"127.0.0.1:{self.port}"
        return dict.fromkeys(("www.okx.com", "{hostname}", "ws.okx.com:443", "ws.okx.com:8443"), here)

    def routes(self) -> list[web.RouteDef]:
        """REST and the three streams."""
        return [
            web.get("/api/v5/{path:.+}", self._answer),
            web.post("/api/v5/{path:.+}", self._change),
            web.get("/ws/v5/{kind}", self.streams.serve),
        ]

    def act_of(self, request: web.Request) -> Act:
        """By method and path."""
        path = request.path.removeprefix("/api/v5/")
        if path in self.market.methods:
            return Act.HISTORY if path.endswith("candles") else Act.DATA
        if request.method == "GET":
            return Act.ASK
        return Act.SUBMIT if path in SUBMITS else Act.CHANGE

    def trouble_answer(self, status: int) -> web.Response:
        """With a status and a code of its own."""
        code, message = {
            429: ("50011", "Too Many Requests"),
            500: ("50026", "System error. Try again later."),
        }.get(status, ("50001", "Service temporarily unavailable. Try again later."))
        return _no(OkxError(code, message, status))

    # the door

    async def _answer(self, request: web.Request) -> web.Response:
        path, params = request.match_info["path"], dict(request.query)
        try:
            if path in self.market.methods:
                return respond({"code": "0", "msg": "", "data": self.market.methods[path](params)})
            self._admit(request, "")
            if path not in self._questions:
                raise OkxError("50047", f"{path} is not part of this rehearsal", 404)
            return respond({"code": "0", "msg": "", "data": self._questions[path](params)})
        except OkxError as error:
            return _no(error)
        except (ValueError, ArithmeticError):
            return _no(OkxError("51000", "Parameter error", 400))

    async def _change(self, request: web.Request) -> web.Response:
        path, body = request.match_info["path"], await request.text()
        begin_us = str(self.now_ns // 1000)
        try:
            self._admit(request, body)
            if path not in self.orders.changes:
                raise OkxError("50047", f"{path} is not part of this rehearsal", 404)
            said = msgspec.json.decode(body or "{}")
        except OkxError as error:
            return _no(error)
        except msgspec.DecodeError:
            return _no(OkxError("50002", "JSON syntax error", 400))
        asked = said if isinstance(said, list) else [said]
        if not asked or not all(isinstance(item, dict) for item in asked):
            return _no(OkxError("50002", "JSON syntax error", 400))
        rows = [self._one(path, item) for item in asked]
        failed = sum(row["sCode"] != "0" for row in rows)
        code = "0" if not failed else "1" if failed == len(rows) else "2"
        message = {"0": "", "1": "All operations failed", "2": "Bulk operation partially succeeded"}[code]
        times = {"inTime": begin_us, "outTime": str(self.now_ns // 1000)}
        return respond({"code": code, "data": rows, "msg": message, **times})

    def _one(self, path: str, asked: Asked) -> words.Row:
        order, code, message = None, "0", "" if "cancel" in path or "amend" in path else "Order placed"
        try:
            order = self.orders.changes[path](asked)
        except OkxError as error:
            code, message = error.code, str(error)
        except (ValueError, ArithmeticError):
            code, message = "51000", "Parameter error"
        except Rejected as error:
            side = Side.BUY if asked.get("side") == "buy" else Side.SELL
            code, message = words.refusal(error, side)
            if error.reason is Reason.UNKNOWN_ORDER:
                code = "51503" if "amend" in path else "51400"
        row: words.Row = {"clOrdId": str(asked.get("clOrdId", "")), "sCode": code, "sMsg": message, "tag": ""}
        if "algo" in path:
            row |= {
                "algoId": words.algo_id(order) if order else str(asked.get("algoId", "")),
                "algoClOrdId": words.client_id(order) if order else str(asked.get("algoClOrdId", "")),
            }
            return row
        return row | {"ordId": words.order_id(order) if order else "", "ts": words.ms(self.now_ns)}

    def _admit(self, request: web.Request, body: str) -> None:
        headers, mine = request.headers, self.credentials
        if headers.get("OK-ACCESS-KEY") != mine.key:
            raise OkxError("50111", "Invalid OK-ACCESS-KEY", 401)
        if headers.get("OK-ACCESS-PASSPHRASE") != mine.passphrase:
            raise OkxError("50105", "OK-ACCESS-PASSPHRASE is incorrect.", 401)
        stamp = headers.get("OK-ACCESS-TIMESTAMP", "")
        try:
            told_ns = round(datetime.fromisoformat(stamp).timestamp() * NS_PER_SECOND)
        except ValueError:
            raise OkxError("50112", "Invalid OK-ACCESS-TIMESTAMP", 401) from None
        if abs(told_ns - self.now_ns) > WINDOW_NS:
            raise OkxError("50102", "Timestamp request expired", 401)
        if not hmac.compare_digest(
            self.sign(stamp + request.method + request.raw_path + body), headers.get("OK-ACCESS-SIGN", "")
        ):
            raise OkxError("50113", "Invalid Sign", 401)

    def sign(self, text: str) -> str:
        """What a request with this text is to be signed with."""
        return base64.b64encode(
            hmac.digest(self.credentials.secret.encode(), text.encode(), "sha256")
        ).decode()


def _no(error: OkxError) -> web.Response:
    return respond({"code": error.code, "data": [], "msg": str(error)}, error.status)
