"""Binance USD-M futures on loopback: its REST interface, signed as it wants it, over a matching engine.

A request that is refused is an HTTP 400 with a code. How orders are handled is in `binance_usdm_orders`, the
streams in `binance_usdm_streams`.
"""

import hmac
from collections.abc import Callable
from urllib.parse import parse_qsl

from aiohttp import web

from neuratrade.rehearsal import binance_usdm_words as words
from neuratrade.rehearsal.binance_usdm_account import BinanceUsdmAccount
from neuratrade.rehearsal.binance_usdm_market import BinanceError, BinanceUsdmMarket
from neuratrade.rehearsal.binance_usdm_orders import BinanceUsdmOrders, Params
from neuratrade.rehearsal.binance_usdm_streams import BinanceUsdmStreams
from neuratrade.rehearsal.faults import Act, Troubles
from neuratrade.rehearsal.matching import MatchingEngine, Rules
from neuratrade.rehearsal.orders import Reason, Rejected
from neuratrade.rehearsal.server import REHEARSAL_KEY, Credentials, Simulator, respond
from neuratrade.rehearsal.tape import Tape

RULES = Rules(frees_client_ids=True)
WINDOW_MS = 5_000
AHEAD_MS = 1_000
ORDER_PATHS = ("v1/order", "v1/algoOrder")
KEY_ONLY = ("v1/listenKey",)


class BinanceUsdm(Simulator):
    """One account of USD-M futures. hosts: where each host of the venue is found on loopback."""

    name = "binance_usdm"

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
        self.market = BinanceUsdmMarket(self)
        self.orders = BinanceUsdmOrders(self)
        self.account = BinanceUsdmAccount(self)
        self.streams = BinanceUsdmStreams(self)
        self._methods: dict[tuple[str, str], Callable[[Params], object]] = {
            ("POST", "v1/listenKey"): self.streams.give_key,
            ("PUT", "v1/listenKey"): self.streams.extend_key,
            ("DELETE", "v1/listenKey"): self.streams.take_key,
        }
        self._methods |= self.orders.methods
        self._methods |= {("GET", path): method for path, method in self.account.methods.items()}

    @property
    def hosts(self) -> dict[str, str]:
        """Host of the venue to `HOST:PORT` on loopback."""
        return dict.fromkeys(
            ("fapi.binance.com", "api.binance.com", "fstream.binance.com"), f"127.0.0.1:{self.port}"
        )

    def routes(self) -> list[web.RouteDef]:
        """REST, the permissions of the key, and the streams."""
        return [
            web.route("*", "/fapi/{path:.+}", self._serve),
            web.get("/sapi/v1/account/apiRestrictions", self._key),
            *(web.get(path, self.streams.serve) for path in self.streams.paths),
        ]

    def act_of(self, request: web.Request) -> Act:
        """By method and path."""
        path = request.path.removeprefix("/fapi/")
        if path.removeprefix("v1/") in self.market.methods:
            return Act.HISTORY if path.endswith("klines") else Act.DATA
        if request.method == "GET" or path in KEY_ONLY:
            return Act.ASK
        return Act.SUBMIT if request.method == "POST" and path in ORDER_PATHS else Act.CHANGE

    def trouble_answer(self, status: int) -> web.Response:
        """429 with a time to wait; an outage is a 503 that leaves the outcome open."""
        if status == 429:
            answer = _no(BinanceError(-1003, "Too many requests; please use the websocket.", 429))
            answer.headers["Retry-After"] = "1"
            return answer
        if status == 500:
            text = "Unknown error, please check your request or try again later."
            return _no(BinanceError(-1000, text, 503))
        return _no(BinanceError(-1008, "Server is currently overloaded with other requests.", 503))

    # the door

    async def _serve(self, request: web.Request) -> web.Response:
        path, public = request.match_info["path"], request.match_info["path"].removeprefix("v1/")
        try:
            if request.method == "GET" and public in self.market.methods:
                return respond(self.market.methods[public](dict(request.query)))
            method = self._methods.get((request.method, path))
            if method is None:
                raise BinanceError(-5000, f"Path /fapi/{path}, Method {request.method} is invalid", 404)
            return respond(method(await self._admit(request, signed=path not in KEY_ONLY)))
        except BinanceError as error:
            return _no(error)
        except Rejected as error:
            return _no(_refusal(error))
        except (ValueError, ArithmeticError):
            return _no(BinanceError(-1100, "Illegal characters found in a parameter."))

    async def _key(self, request: web.Request) -> web.Response:
        try:
            await self._admit(request, signed=True)
        except BinanceError as error:
            return _no(error)
        except ValueError:
            return _no(BinanceError(-1100, "Illegal characters found in a parameter."))
        return respond(self.account.key_row())

    async def _admit(self, request: web.Request, *, signed: bool) -> Params:
        key = request.headers.get("X-MBX-APIKEY", "")
        if not key:
            raise BinanceError(-2014, "API-key format invalid.", 401)
        if key != self.credentials.key:
            raise BinanceError(-2015, "Invalid API-key, IP, or permissions for action.", 401)
        said = request.rel_url.raw_query_string + await request.text()
        params = dict(parse_qsl(said, keep_blank_values=True))
        if not signed:
            return params
        text, _, sign = said.rpartition("&signature=")
        right = hmac.new(self.credentials.secret.encode(), text.encode(), "sha256").hexdigest()
        if not hmac.compare_digest(right, sign):
            raise BinanceError(-1022, "Signature for this request is not valid.")
        now, told = words.ms(self.now_ns), int(params.get("timestamp") or 0)
        if told >= now + AHEAD_MS or now - told > int(params.get("recvWindow") or WINDOW_MS):
            raise BinanceError(-1021, "Timestamp for this request is outside of the recvWindow.")
        return params


def _refusal(no: Rejected) -> BinanceError:
    if no.reason is Reason.GRID and no.detail.startswith("quantity"):
        return BinanceError(-1111, "Precision is over the maximum defined for this asset.")
    return BinanceError(*words.REFUSALS[no.reason])


def _no(error: BinanceError) -> web.Response:
    return respond({"code": error.code, "msg": str(error)}, error.status)
