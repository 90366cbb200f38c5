"""Requests to Alpaca, each sent once, and what their answers prove.

Only the venue's own words prove a refusal: a status that a proxy may give as well (408, 425, 429, every 5xx),
a cut connection or a body that makes no sense leaves the outcome open. A duplicate client id is no refusal
either: it says that the order is there.
"""

from collections.abc import Mapping
from typing import Any, TypeVar

import aiohttp
import msgspec

from neuratrade.venues.alpaca.wire import Problem
from neuratrade.venues.limiter import Limiter, Urgency
from neuratrade.venues.port import TooManyRequests, VenueRefused

NOT_SO_SURE = frozenset({408, 425, 429})
DUPLICATE = 40010001

T = TypeVar("T")
_problem = msgspec.json.Decoder(Problem)


class Doubtful(Exception):
    """An answer that proves nothing."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(f"status {status}: {words}")
        self.status = status


class Missing(Exception):
    """The venue says that it has no such thing."""


class Keys(msgspec.Struct, frozen=True):
    """Who asks. Never shown."""

    key_id: str
    secret: str

    @property
    def headers(self) -> dict[str, str]:
        """What every request bears."""
        return {"APCA-API-KEY-ID": self.key_id, "APCA-API-SECRET-KEY": self.secret}

    def __repr__(self) -> str:
        """Without what is secret."""
        return "Keys(…)"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """Without what is secret, where a traceback is drawn too."""
        return []


class Rest:
    """The REST side of one account, in `async with`. base: scheme and host. requests: how many were sent."""

    def __init__(self, base: str, keys: Keys, limiter: Limiter) -> None:
        self._base = base
        self._limiter = limiter
        self._headers = keys.headers
        self.requests = 0
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> "Rest":
        # Its callers bound every call; a second bound here would only hide which one was hit.
        unbounded = aiohttp.ClientTimeout(total=None)
        self._session = aiohttp.ClientSession(
            self._base, headers=self._headers, timeout=unbounded, middlewares=(_once,)
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.session.close()

    @property
    def session(self) -> aiohttp.ClientSession:
        """The open session. Raises RuntimeError outside of `async with`."""
        if self._session is None:
            raise RuntimeError("the adapter is not open: use it in `async with`")
        return self._session

    async def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
        urgency: Urgency = Urgency.ASK,
    ) -> bytes:
        """Sends one request, once, when its turn has come.

        Raises Missing for 404, VenueRefused for a proven no, TooManyRequests, else Doubtful.
        """
        await self._limiter.turn(urgency)
        self.requests += 1
        headers = {"Content-Type": "application/json"} if body is not None else {}
        async with self.session.request(
            method, path, params=query, data=body, headers=headers, allow_redirects=False
        ) as answer:
            raw = await answer.read()
        if answer.status in (200, 204, 207):
            return raw
        if answer.status == 429:
            retry_after_s = _retry_after(answer.headers)
            self._limiter.told_too_many(retry_after_s)
            raise TooManyRequests("the venue says: too many requests", retry_after_s)
        problem = _words(raw)
        proven = 400 <= answer.status < 500 and answer.status not in NOT_SO_SURE
        if not proven or problem is None or problem.code in (0, DUPLICATE):
            words = "no words of its own" if problem is None else problem.message
            raise Doubtful(answer.status, words)
        if answer.status == 404:
            raise Missing(problem.message)
        raise VenueRefused(f"{problem.message} ({answer.status}, {problem.code})")

    async def read(
        self,
        decoder: msgspec.json.Decoder[T],
        path: str,
        query: Mapping[str, str] | None = None,
        urgency: Urgency = Urgency.ASK,
    ) -> T:
        """A GET and its answer. Raises as `call`, and msgspec.DecodeError for an answer without sense."""
        return decoder.decode(await self.call("GET", path, query=query, urgency=urgency))


async def _once(request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Sends a request. Raises Doubtful where its connection is lost."""
    try:
        return await send(request)
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        # After these the session would send whatever it deems idempotent again, a cancel among them.
        raise Doubtful(0, f"the connection was lost: {error}") from error


def _words(raw: bytes) -> Problem | None:
    try:
        return _problem.decode(raw)
    except msgspec.DecodeError:
        return None


def _retry_after(headers: Mapping[str, str]) -> float:
    try:
        return max(float(headers.get("Retry-After", "0")), 0.0)
    except ValueError:
        return 0.0
