"""The way to Tradovate: one connection that stands for all requests, made anew when it is lost.

Whoever asks first brings it up; the others wait for the same one. What protects is let through at all
times, up to the budget: after the venue's 429 everything else waits for its hour, but a position without a
stop is worse than a longer wait, so stops, exits, cancels, look-ups of orders of unknown fate, and the
connection they need still leave. Nothing that opens does, and that is said at once instead of being kept
waiting.
"""

import asyncio
from collections.abc import Callable

import aiohttp
import msgspec

from neuratrade.core.model.market import NS_PER_SECOND
from neuratrade.feeds.clock import Clock, backoff_s
from neuratrade.venues.limiter import Budget, Limiter, Urgency
from neuratrade.venues.port import TooManyRequests, VenueRefused
from neuratrade.venues.tradovate.errors import Doubtful, Unauthorised, check
from neuratrade.venues.tradovate.hosts import Hosts
from neuratrade.venues.tradovate.login import Credentials, Login
from neuratrade.venues.tradovate.session import Hear, Hostile, Note, Session, open_session

BUDGET = Budget(requests=800, seconds=600.0, kept=300)
"""The venue allows 5,000 requests an hour, and 1,000 at once: this stays below both."""
LONGEST_WAIT = 2
"""Tries after which the pause between them grows no more (4 s): what is held wants to be looked after."""
OPENING_COSTS = 2
"""Requests to bring a connection up: who asks, and what is to be told."""


class Link:
    """The connection of one account, in `async with`. hear: takes what is told. note: takes troubles."""

    def __init__(self, hosts: Hosts, credentials: Credentials, clock: Clock, hear: Hear, note: Note) -> None:
        self._hosts = hosts
        self._credentials = credentials
        self._clock = clock
        self._hear = hear
        self._limiter = Limiter(BUDGET, clock)
        self._quiet_until_ns = 0
        self._token = ""
        self._session: Session | None = None
        self._opening: asyncio.Task[Session] | None = None
        self._failed = 0
        self._next_try_ns = 0
        self._keeping: asyncio.Task[None] | None = None
        self._http: aiohttp.ClientSession
        self._login: Login
        self.hostile = Hostile(note)

    async def __aenter__(self) -> "Link":
        # Its callers bound every call; a second bound here would only hide which one was hit.
        self._http = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None))
        self._login = Login(self._hosts.rest, self._credentials, self._http, self._clock)
        self._keeping = asyncio.create_task(self._login.keep())
        return self

    async def __aexit__(self, *_: object) -> None:
        tasks = [task for task in (self._keeping, self._opening) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()
        await self._http.close()

    async def session(self) -> Session:
        """The connection; brings one up where none stands. Raises as `open_session` and `Login`.

        After one that failed the next is tried a while later: until then nothing is asked or used up.
        """
        if self._session is not None and not self._session.is_over:
            return self._session
        wait_s = (self._next_try_ns - self._clock.now_ns()) / NS_PER_SECOND
        if wait_s > 0:
            raise Doubtful(f"there is no connection, the next one is tried in {wait_s:.1f} s")
        if self._opening is None or self._opening.done():
            self._opening = asyncio.create_task(self._open())
            self._opening.add_done_callback(_look_at)
        # Whoever gives up waiting must not take it down for the others.
        return await asyncio.shield(self._opening)

    async def ask(
        self,
        endpoint: str,
        *,
        query: str = "",
        body: str = "",
        urgency: Urgency = Urgency.ASK,
        leaving: Callable[[], None] = lambda: None,
    ) -> msgspec.Raw:
        """Sends one request, once, when its turn has come; what its answer holds.

        leaving: called right before it leaves. Raises VenueRefused for a proven no, Missing for 404,
        TooManyRequests, else Doubtful.
        """
        if urgency is Urgency.OPEN:
            self._check_quiet()
        await self.session()
        await self._limiter.turn(urgency)
        session = await self.session()
        leaving()
        answer = await session.request(endpoint, query, body)
        if answer.s == 401:
            # The venue ended the session itself: this was not done, and the next one needs a new token.
            self._login.forget(self._token)
            await session.close()
        try:
            return check(answer)
        except TooManyRequests as pressed:
            self._told_too_many(pressed)
            raise

    def _check_quiet(self) -> None:
        left_s = (self._quiet_until_ns - self._clock.now_ns()) / NS_PER_SECOND
        if left_s > 0:
            raise VenueRefused(
                f"not sent: the venue wants to be left alone for {left_s:.0f} s more, nothing is opened there"
            )

    def _told_too_many(self, pressed: TooManyRequests) -> None:
        until_ns = self._clock.now_ns() + round(pressed.retry_after_s * NS_PER_SECOND)
        self._quiet_until_ns = max(self._quiet_until_ns, until_ns)
        self._limiter.told_too_many(pressed.retry_after_s)

    async def _open(self) -> Session:
        before, self._session = self._session, None
        if before is not None:
            if before.revoked:
                self._login.forget(self._token)
            await before.close()
        self._limiter.charge(OPENING_COSTS)
        wait_s = backoff_s(min(self._failed, LONGEST_WAIT))
        self._failed += 1
        self._next_try_ns = self._clock.now_ns() + round(wait_s * NS_PER_SECOND)
        try:
            try:
                self._session = await self._opened()
            except Unauthorised:
                self._login.forget(self._token)
                self._session = await self._opened()
            self._failed = self._next_try_ns = 0
        except TooManyRequests as pressed:
            self._told_too_many(pressed)
            raise
        except Unauthorised:
            raise Doubtful("the venue takes none of its own tokens") from None
        return self._session

    async def _opened(self) -> Session:
        self._token = await self._login.token()
        return await open_session(
            self._http, self._hosts.socket, self._token, self._clock, self._hear, self.hostile
        )


def _look_at(opening: "asyncio.Task[Session]") -> None:
    if not opening.cancelled():
        opening.exception()
