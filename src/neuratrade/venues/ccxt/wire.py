"""The session ccxt's classes send through, and the proof it keeps of what was sent and what was answered.

ccxt takes any session. Ours sends each request once: what aiohttp would repeat on a connection that was cut
(a DELETE too), or send again where an answer redirects, it does not. It knows for each call how many requests
that could change something left, and which of them were answered whole, since the class of an error proves
neither. It pings streams, so that a dead connection is no quiet market. And it lets nothing out to a host
where orders may not go today; a session for market data reaches every host, with questions alone.
"""

import re
import ssl
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache
from types import TracebackType
from typing import Any

import aiohttp
from yarl import URL

from neuratrade.core.model.errors import Refused
from neuratrade.venues.hosts import check_trading_host
from neuratrade.venues.limiter import Limiter, Urgency

HEARTBEAT_S = 10.0
"""How often a stream is asked whether it still stands; half of it may pass until it answers."""
LONGEST_PAUSE_S = 120.0
TOO_MUCH = frozenset({418, 429})
QUESTIONS = frozenset({"get", "head"})
POSTED_QUESTIONS = re.compile(r"info|bullet-public|get_[a-z_]+")
"""Ends of paths that some exchanges want questions about markets posted to; no order is taken there."""

Elsewhere = str | Mapping[str, str]


@dataclass
class Sent:
    """What one call sent. asks: whether all of it are questions, whatever their method is.

    changes: requests that may change something; answered: the statuses of those answered whole.
    told_to_wait_s: for how long the venue wants to be left alone, if it said so. has_turn: its requests
    need not wait for their turn any more, since the call did before they were signed; paid: what that used.
    """

    asks: bool
    urgency: Urgency = Urgency.ASK
    told_to_wait_s: float | None = None
    changes: int = 0
    questions: int = 0
    has_turn: bool = False
    paid: int = 0
    answered: list[int] = field(default_factory=list)


_sent: ContextVar[Sent | None] = ContextVar("sent", default=None)


@contextmanager
def watched(*, asks: bool, urgency: Urgency = Urgency.ASK) -> Iterator[Sent]:
    """What is sent inside, by this task. asks: whether nothing in it changes anything."""
    sent = Sent(asks, urgency)
    token = _sent.set(sent)
    try:
        yield sent
    finally:
        _sent.reset(token)


class Wire:
    """A session for ccxt, in `async with`.

    elsewhere: where the exchange's hosts are found instead, `HOST:PORT` with a path before theirs if need be,
    for all of them or by host. limiter: whose turn it is; weigh: by how much. trades: whether
    orders go through it: then it reaches only hosts that may have them. Otherwise it sends nothing that could
    be one.
    """

    def __init__(
        self,
        elsewhere: Elsewhere | None = None,
        *,
        trades: bool,
        limiter: Limiter | None = None,
        weigh: Callable[[str, URL], int] = lambda *_: 1,
    ) -> None:
        for place in () if elsewhere is None else _places(elsewhere):
            check_trading_host(f"http://{place}")
        self._elsewhere = elsewhere
        self._trades = trades
        self._session: aiohttp.ClientSession | None = None
        self._limiter = limiter
        self._weigh = weigh
        self.frames_sent = 0

    async def __aenter__(self) -> "Wire":
        connector = (
            aiohttp.TCPConnector(ssl=_trusted()) if self._elsewhere is None else aiohttp.TCPConnector()
        )
        session = aiohttp.ClientSession(connector=connector, ws_response_class=_counting(self))
        # Otherwise aiohttp sends a DELETE again on a new connection when a kept one turns out to be cut.
        session._retry_connection = False  # noqa: SLF001
        self._session = session
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Ends all connections."""
        if self._session is not None:
            await self._session.close()

    @property
    def closed(self) -> bool:
        """Whether nothing can be sent."""
        return self._session is None or self._session.closed

    @property
    def headers(self) -> Mapping[str, str]:
        """What every request carries: nothing of ours."""
        return self._open.headers

    @property
    def cookie_jar(self) -> aiohttp.abc.AbstractCookieJar:
        """Where an exchange keeps its cookies."""
        return self._open.cookie_jar

    @property
    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise RuntimeError("the session is not open: use it in `async with`")
        return self._session

    def get(self, url: URL, **how: Any) -> "_Request":
        """A question."""
        return _Request(self, "get", url, how)

    def post(self, url: URL, **how: Any) -> "_Request":
        """Sends once."""
        return _Request(self, "post", url, how)

    def put(self, url: URL, **how: Any) -> "_Request":
        """Sends once."""
        return _Request(self, "put", url, how)

    def patch(self, url: URL, **how: Any) -> "_Request":
        """Sends once."""
        return _Request(self, "patch", url, how)

    def delete(self, url: URL, **how: Any) -> "_Request":
        """Sends once."""
        return _Request(self, "delete", url, how)

    def ws_connect(self, url: str, **how: Any) -> Any:
        """A connection for a stream that is pinged."""
        return self._open.ws_connect(self._turned(URL(url)), **{**how, "heartbeat": HEARTBEAT_S})

    def _turned(self, url: URL) -> URL:
        if self._elsewhere is not None:
            return _moved(url, self._elsewhere)
        if self._trades:
            check_trading_host(str(url))
        return url

    async def send(self, method: str, url: URL, how: Mapping[str, Any]) -> aiohttp.ClientResponse:
        """Sends one request, once, when its turn has come."""
        sent = _sent.get()
        question = _is_question(method, sent)
        weight = self._weigh(method, url)
        if self._limiter is not None and sent is not None and sent.has_turn:
            # It was signed for this moment, so it does not wait again, and later ones pay for it.
            self._limiter.charge(weight - sent.paid)
            sent.paid = 0
        elif self._limiter is not None:
            await self._limiter.turn(Urgency.DATA if sent is None else sent.urgency, weight)
        if not self._trades:
            _check_question(method, url)
        turned = self._turned(url)
        if sent is not None:
            sent.changes += not question
            sent.questions += question
        return await self._open.request(method, turned, **{**how, "allow_redirects": False})

    def note(self, answer: aiohttp.ClientResponse, method: str) -> None:
        """An answer came whole."""
        sent = _sent.get()
        if sent is not None and not _is_question(method, sent):
            sent.answered.append(answer.status)
        if answer.status in TOO_MUCH:
            pause_s = min(_seconds(answer.headers.get("Retry-After", "1")), LONGEST_PAUSE_S)
            if sent is not None:
                sent.told_to_wait_s = pause_s
            if self._limiter is not None:
                self._limiter.told_too_many(pause_s)


class _Request:
    """One request, as `async with` has it."""

    def __init__(self, wire: Wire, method: str, url: URL, how: Mapping[str, Any]) -> None:
        self._wire = wire
        self._method = method
        self._url = url
        self._how = how
        self._answer: aiohttp.ClientResponse | None = None

    async def __aenter__(self) -> aiohttp.ClientResponse:
        self._answer = await self._wire.send(self._method, self._url, self._how)
        return self._answer

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._answer is None:
            return
        if kind is None:
            self._wire.note(self._answer, self._method)
        self._answer.release()
        await self._answer.wait_for_close()


def _counting(wire: Wire) -> type[aiohttp.ClientWebSocketResponse]:
    class Counting(aiohttp.ClientWebSocketResponse):
        """Counts what is said, so that it can be known when all of it was answered."""

        async def send_str(self, data: str, compress: int | None = None) -> None:
            wire.frames_sent += 1
            await super().send_str(data, compress)

    return Counting


def _places(elsewhere: Elsewhere) -> Iterable[str]:
    return [elsewhere] if isinstance(elsewhere, str) else elsewhere.values()


def _moved(url: URL, elsewhere: Elsewhere) -> URL:
    """The same request at another place, its path and query as they were signed."""
    if isinstance(elsewhere, str):
        place = elsewhere
    else:
        found = elsewhere.get(url.host or "") or elsewhere.get(url.raw_authority)
        if found is None:
            raise Refused(f"nothing stands for {url.host} in this rehearsal, and it is not asked itself")
        place = found
    scheme = "ws" if url.scheme.startswith("ws") else "http"
    return URL(f"{scheme}://{place}{url.raw_path_qs}", encoded=True)


@cache
def _trusted() -> ssl.SSLContext:
    import certifi

    return ssl.create_default_context(cafile=certifi.where())


def _check_question(method: str, url: URL) -> None:
    """Raises Refused for what could change something at a venue."""
    posted = method == "post" and POSTED_QUESTIONS.fullmatch(url.name) is not None
    if method not in QUESTIONS and not posted:
        raise Refused(
            f"{method.upper()} {url.path} is not sent to {url.host}: this connection is for market data, and "
            "could change something there"
        )


def _is_question(method: str, sent: Sent | None) -> bool:
    return method in QUESTIONS or (sent is not None and sent.asks)


def _seconds(told: str) -> float:
    try:
        return max(float(told), 0.0)
    except ValueError:
        return 1.0
