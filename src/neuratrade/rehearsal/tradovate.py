"""Tradovate on loopback: futures by REST and by WebSocket, over a matching engine.

Both ways call the same operations with the same bodies: what can be asked by one can be asked by the other.
Logins and budgets are in `tradovate_auth`, orders in `tradovate_orders`, what is told in `tradovate_streams`.
Refused here though the venue has it: order strategies, market data beyond quotes, replay, several accounts,
split synchronisation, and order types whose terms are not documented.
"""

from collections.abc import Callable
from datetime import UTC, datetime

from aiohttp import web

from neuratrade.core.model.market import NS_PER_SECOND
from neuratrade.rehearsal.faults import Act, Troubles
from neuratrade.rehearsal.matching import MatchingEngine, Rules
from neuratrade.rehearsal.server import Credentials, Simulator, wire
from neuratrade.rehearsal.tape import Tape
from neuratrade.rehearsal.tradovate_account import Account
from neuratrade.rehearsal.tradovate_auth import Door, Session
from neuratrade.rehearsal.tradovate_book import Book
from neuratrade.rehearsal.tradovate_contracts import Contracts
from neuratrade.rehearsal.tradovate_hours import ExchangeHours, Hours
from neuratrade.rehearsal.tradovate_money import ACCOUNT_ID
from neuratrade.rehearsal.tradovate_orders import Orders
from neuratrade.rehearsal.tradovate_risk import Risk
from neuratrade.rehearsal.tradovate_streams import TradovateStreams, read
from neuratrade.rehearsal.tradovate_words import Said, TradovateError, not_found

RULES = Rules(lends=True, ignores_client_ids=True, nets_margin=True)
KEY = Credentials("rehearsal", "rehearsal-secret", "rehearsal-password")
"""Name, API secret and password (`passphrase`) of a user that is none."""
GETS = ("auth/renewaccesstoken", "auth/me")
LOGIN = "auth/accesstokenrequest"
SUBMITS = ("order/placeorder", "order/placeoso", "order/placeoco")
CHANGES = ("order/modifyorder", "order/cancelorder", "order/liquidateposition", "order/liquidatepositions")


class Tradovate(Simulator):
    """One account at Tradovate. hosts: where each host of the venue is found on loopback."""

    name = "tradovate"
    account_id = ACCOUNT_ID

    def __init__(
        self,
        engine: MatchingEngine,
        troubles: Troubles,
        now_ns: Callable[[], int],
        credentials: Credentials = KEY,
        hours: Hours | None = None,
        *,
        has_active: bool = False,
    ) -> None:
        super().__init__(engine, troubles, now_ns)
        # What the clock says here is what it says to clients: a venue knows no other.
        clock = self._clock
        year = datetime.fromtimestamp(now_ns() // NS_PER_SECOND, UTC).year
        self.credentials = credentials
        self.hours = hours or ExchangeHours()
        self.tape = Tape(engine, troubles, now_ns)
        self.door = Door(credentials, troubles, clock)
        self.contracts = Contracts(engine.contracts.values(), year)
        self.book = Book(engine, clock)
        self.risk = Risk(engine, self.book, self.contracts, self.hours, clock)
        self.orders = Orders(
            self.book, self.contracts, self.risk, self.hours, troubles, clock, self.submissions
        )
        self.account = Account(engine, self.book, self.contracts, self.risk, clock, has_active=has_active)
        self.streams = TradovateStreams(self)

    def _clock(self) -> int:
        return self.now_ns

    @property
    def hosts(self) -> dict[str, str]:
        """Host of the venue to `HOST:PORT` on loopback."""
        here = f"127.0.0.1:{self.port}"
        return {f"{name}.tradovateapi.com": here for name in ("demo", "live", "md")}

    def routes(self) -> list[web.RouteDef]:
        """All of REST, and the sockets."""
        return [
            web.get("/v1/websocket", self.streams.serve),
            web.get("/v1/{path:.+}", self._serve),
            web.post("/v1/{path:.+}", self._serve),
        ]

    def act_of(self, request: web.Request) -> Act:
        """By the endpoint."""
        return self.act(request.path.removeprefix("/v1/").lower())

    def act(self, endpoint: str) -> Act:
        """What a call is about, by whichever way it comes."""
        if endpoint in SUBMITS:
            return Act.SUBMIT
        if endpoint in CHANGES or endpoint in self.account.changes:
            return Act.CHANGE
        return Act.DATA if endpoint.startswith(("auth", "md/")) else Act.ASK

    def trouble_answer(self, status: int) -> web.Response:
        """Without a word where it is too much, else as what stands before the venue has it."""
        if status != 429:
            return _words(status, "Service is unavailable")
        self.door.overload()
        return web.Response(status=429)

    def way(self) -> float:
        """Seconds a message takes one way."""
        return self._way()

    def call(self, endpoint: str, asked: Said, session: Session | None) -> object:
        """Answers a call whose sender was let in. Raises TradovateError."""
        if endpoint == LOGIN:
            return self.door.login(asked)
        if session is None:
            raise TradovateError(401, "Access is denied")
        if endpoint == "auth/renewaccesstoken":
            return self.door.renew(session)
        if endpoint == "auth/me":
            return self.door.me()
        self.engine.expire()
        self.orders.settle()
        operation = (
            self.account.questions.get(endpoint)
            or self.orders.changes.get(endpoint)
            or self.account.changes.get(endpoint)
        )
        if operation is None:
            raise not_found(endpoint)
        try:
            return operation(asked)
        except (ValueError, TypeError, ArithmeticError) as error:
            raise TradovateError(400, f"Malformed request: {error}") from None

    # the door

    async def _serve(self, request: web.Request) -> web.Response:
        endpoint = request.match_info["path"].strip("/").lower()
        try:
            self.door.count(endpoint)
            if (request.method == "GET") is not (endpoint in GETS or endpoint in self.account.reads):
                raise not_found(endpoint)
            asked: Said = dict(request.query) | read(await request.text())
            token = request.headers.get("Authorization", "").removeprefix("Bearer ")
            return _words(200, self.call(endpoint, asked, self.door.session_of(token)))
        except TradovateError as error:
            return (
                web.Response(status=error.status) if error.body is None else _words(error.status, error.body)
            )


def _words(status: int, body: object) -> web.Response:
    if isinstance(body, str):
        return web.Response(status=status, text=body)
    return web.Response(status=status, text=wire(body, numbers=True), content_type="application/json")
