"""The front door of the Binance spot simulator: keys, signatures, clocks, weights, and how an answer looks.

As strict as the venue, so that a client which is let in here says the right words there.
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

from neuratrade.core.model.market import NS_PER_SECOND
from neuratrade.rehearsal import binance_spot_words as words
from neuratrade.rehearsal.binance_spot_words import Json, Refusal, millis
from neuratrade.rehearsal.orders import Reason, Rejected

KEY, SECRET = "rehearsal-key", "rehearsal-secret"
WEIGHT_LIMIT, ORDER_LIMIT = 6000, 100
MINUTE_NS, TEN_SECONDS_NS = 60 * NS_PER_SECOND, 10 * NS_PER_SECOND
LONGEST_WINDOW_MS, AHEAD_MS = 60_000, 1_000
CLIENT_ID = re.compile(r"[.A-Z:/a-z0-9_-]{1,36}")
BANNED = re.compile(r"[^-0-9.eE]")

Asked = Mapping[str, str]
Handler = Callable[[Asked], Any]
Serve = Callable[[web.Request], Awaitable[web.Response]]


class Door:
    """Who comes in. weight_limit: request weight a minute; order_limit: orders in ten seconds."""

    def __init__(self, now_ns: Callable[[], int]) -> None:
        self.weight_limit = WEIGHT_LIMIT
        self.order_limit = ORDER_LIMIT
        self._now_ns = now_ns
        self._weights: deque[tuple[int, int]] = deque()
        self._orders_at: deque[int] = deque()

    @property
    def now_ns(self) -> int:
        """The venue's clock."""
        return self._now_ns()

    def open(self, weight: int, handler: Handler) -> Serve:
        """An answer to anybody."""

        async def serve(request: web.Request) -> web.Response:
            return self._served(weight, lambda: handler(request.query))

        return serve

    def signed(self, weight: int, handler: Handler) -> Serve:
        """An answer to who signs as the owner of the key."""

        async def serve(request: web.Request) -> web.Response:
            said = request.query_string + (await request.read()).decode()
            return self._served(weight, lambda: handler(self._authorised(request.headers, said)))

        return serve

    def _served(self, weight: int, ask: Callable[[], Any]) -> web.Response:
        try:
            self._weigh(weight)
            made = ask()
        except Rejected as rejected:
            return self._marked(answer(refusal_of(rejected)))
        except Refusal as refusal:
            return self._marked(answer(refusal))
        return self._marked(_json(made))

    def _authorised(self, headers: Mapping[str, str], said: str) -> dict[str, str]:
        """What a signed request asks. Raises Refusal for a wrong key, signature or clock."""
        check_key(headers.get("X-MBX-APIKEY"))
        asked = dict(parse_qsl(said, keep_blank_values=True))
        payload, _, signature = said.rpartition("&signature=")
        if not signature:
            raise missing("signature")
        check_signature(payload, signature)
        self.check_clock(asked.get("timestamp"), asked.get("recvWindow", "5000"))
        return asked

    def check_clock(self, told: str | None, window: str) -> None:
        """Raises Refusal for a request that is too old, or of the future."""
        if told is None:
            raise missing("timestamp")
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
            raise too_much("Too much request weight used; current limit is", self.weight_limit)

    def _used_weight(self) -> int:
        while self._weights and self._weights[0][0] <= self.now_ns - MINUTE_NS:
            self._weights.popleft()
        return sum(weight for _, weight in self._weights)

    def count_orders(self, count: int = 1) -> None:
        """Counts new orders. Raises Refusal for too many in ten seconds."""
        while self._orders_at and self._orders_at[0] <= self.now_ns - TEN_SECONDS_NS:
            self._orders_at.popleft()
        if len(self._orders_at) + count > self.order_limit:
            told = f"Too many new orders; current limit is {self.order_limit} orders per 10 SECOND."
            raise Refusal(429, -1015, told, {"Retry-After": "10"})
        self._orders_at.extend([self.now_ns] * count)

    def _marked(self, answer: web.Response) -> web.Response:
        answer.headers["X-MBX-USED-WEIGHT"] = str(self._used_weight())
        answer.headers["X-MBX-USED-WEIGHT-1M"] = str(self._used_weight())
        answer.headers["X-MBX-ORDER-COUNT-10S"] = str(len(self._orders_at))
        return answer


def number(asked: Asked, name: str) -> Decimal:
    """A parameter that is a number. Raises Refusal."""
    told = asked[name]
    try:
        value = Decimal(told)
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite() or BANNED.search(told) or "e" in told.lower():
        raise Refusal(400, -1100, f"Illegal characters found in parameter '{name}'; legal range is digits.")
    if value != value.quantize(words.PLACES):
        raise Refusal(400, -1111, f"Parameter '{name}' has too much precision.")
    return value


def check_key(key: str | None) -> None:
    """Raises Refusal for a key that is none of the account."""
    if not key:
        raise Refusal(401, -2014, "API-key format invalid.")
    if key != KEY:
        raise Refusal(401, -2015, "Invalid API-key, IP, or permissions for action.")


def check_signature(payload: str, signature: str) -> None:
    """Raises Refusal for a payload that the key's owner did not sign."""
    expected = hmac.new(SECRET.encode(), payload.encode(), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(signature, expected):
        raise Refusal(400, -1022, "Signature for this request is not valid.")


def missing(name: str) -> Refusal:
    """What is said of a parameter that is not there."""
    told = f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed."
    return Refusal(400, -1102, told)


def too_much(told: str, limit: int) -> Refusal:
    """What is said to who asks too much."""
    rest = "Please use WebSocket Streams for live updates to avoid polling the API."
    return Refusal(429, -1003, f"{told} {limit} request weight per 1 MINUTE. {rest}", {"Retry-After": "5"})


def refusal_of(rejected: Rejected) -> Refusal:
    """How the venue words why the matching engine does not do it."""
    known = words.REFUSALS.get(rejected.reason, words.REFUSALS[Reason.PLANNED])
    return Refusal(400, known.code, known.words)


def answer(refusal: Refusal) -> web.Response:
    """A refusal as it goes out."""
    return _json(refusal.body, refusal.status, refusal.headers)


def _json(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.Response(
        body=msgspec.json.encode(body),
        status=status,
        headers=dict(headers or {}),
        content_type="application/json",
    )


def encode(body: Json) -> str:
    """A frame."""
    return msgspec.json.encode(body).decode()
