"""Logging in to Tradovate, and staying so: one session, renewed before it ends, never a second beside it.

A token lives for 80 minutes. It is renewed at 65, which keeps the same session; a fresh login would open
another, and the venue ends the oldest of too many. A wrong password and a penalty both come as HTTP 200. A
penalty is waited out and the same request is sent again with its ticket; one that only a person can lift, and
a 429, stop all logins for an hour. Nothing secret is ever in an error.
Source: the vendor's documentation and its own examples of access, read in November 2026.
"""

import asyncio
from contextlib import suppress
from typing import Any

import aiohttp
import msgspec

from neuratrade.core.model.errors import UsageError
from neuratrade.core.model.market import NS_PER_SECOND
from neuratrade.feeds.clock import Clock
from neuratrade.venues.limiter import Budget, Limiter, Urgency
from neuratrade.venues.port import TooManyRequests
from neuratrade.venues.tradovate.errors import HOUR_S, Doubtful, Unauthorised, short, status_error
from neuratrade.venues.tradovate.words import instant

LIFE_S = 80 * 60.0
RENEW_AT = 65 / 80
"""Of its life, when a token is renewed."""
RENEW_AGAIN_S = 60.0
MARGIN_S = 1.0
"""How much longer than told a penalty is waited out."""
LONGEST_PENALTY_S = 900.0
PENALTIES = 3
"""How many penalties in a row are waited out."""
LOGINS = Budget(10, 60.0, 0)
"""Requests of access in a minute."""


class Credentials(msgspec.Struct, frozen=True):
    """Who asks. Never shown. device_id: stays the same here for good. cid, secret: the API key."""

    name: str
    password: str
    cid: int
    secret: str
    device_id: str
    app_id: str = "NeuraTrade"
    app_version: str = "1.0"

    def __repr__(self) -> str:
        """Without what is secret."""
        return "Credentials(…)"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """Without what is secret, where a traceback is drawn too."""
        return []


class Granted(msgspec.Struct, frozen=True, rename="camel"):
    """The answer to a login or a renewal: a token, or a penalty, or why there is none."""

    access_token: str | None = None
    expiration_time: str | None = None
    error_text: str | None = None
    p_ticket: str | None = msgspec.field(default=None, name="p-ticket")
    p_time: float | None = msgspec.field(default=None, name="p-time")
    p_captcha: bool | None = msgspec.field(default=None, name="p-captcha")


class Token(msgspec.Struct, frozen=True):
    """A token and when it ends and is to be renewed, on our clock. Never shown."""

    text: str
    renew_ns: int
    ends_ns: int

    def __repr__(self) -> str:
        """Without the token."""
        return "Token(…)"


_granted = msgspec.json.Decoder(Granted)


class Login:
    """One session at one host. rest: where paths begin. http: an open client."""

    def __init__(
        self, rest: str, credentials: Credentials, http: aiohttp.ClientSession, clock: Clock
    ) -> None:
        self._rest = rest
        self._credentials = credentials
        self._http = http
        self._clock = clock
        self._limiter = Limiter(LOGINS, clock)
        self._token: Token | None = None
        self._one_at_a_time = asyncio.Lock()
        self._stopped_until_ns = 0
        self._stopped_by = ""
        self._refused: UsageError | None = None

    async def token(self) -> str:
        """A token that lives; logs in where there is none.

        Raises UsageError for credentials that were refused, once and for all; TooManyRequests while logins
        are stopped; Doubtful where the venue gave no answer with sense.
        """
        async with self._one_at_a_time:
            if self._token is None or self._clock.now_ns() >= self._token.ends_ns:
                self._token = await self._log_in()
            return self._token.text

    def forget(self, token: str) -> None:
        """The venue does not know this token any more: the next one comes by a login."""
        if self._token is not None and self._token.text == token:
            self._token = None

    async def keep(self) -> None:
        """Renews the token in time, for ever. Runs beside what uses it."""
        while True:
            token = self._token
            now_ns = self._clock.now_ns()
            wait_ns = RENEW_AGAIN_S * NS_PER_SECOND if token is None else token.renew_ns - now_ns
            if token is None or wait_ns > 0:
                await self._clock.sleep(max(wait_ns, NS_PER_SECOND) / NS_PER_SECOND)
                continue
            # It lives on meanwhile; what ends it in the end is its time, or the venue's word.
            with suppress(TooManyRequests, Doubtful, Unauthorised, aiohttp.ClientError, OSError):
                await self._renew(token)
            if self._token is token:
                await self._clock.sleep(RENEW_AGAIN_S)

    async def _renew(self, token: Token) -> None:
        async with self._one_at_a_time:
            self._check_stopped()
            try:
                told = await self._ask("GET", "auth/renewaccesstoken", token=token.text)
            except Unauthorised:
                self.forget(token.text)
                raise
            if self._token is token and told.access_token:
                self._token = self._kept(told.access_token, told.expiration_time)

    async def _log_in(self) -> Token:
        mine = self._credentials
        said: dict[str, object] = {
            "name": mine.name,
            "password": mine.password,
            "appId": mine.app_id,
            "appVersion": mine.app_version,
            "deviceId": mine.device_id,
            "cid": mine.cid,
            "sec": mine.secret,
        }
        for ticket in [None] * (PENALTIES + 1):
            del ticket
            self._check_stopped()
            told = await self._ask("POST", "auth/accesstokenrequest", body=msgspec.json.encode(said))
            if told.p_ticket is None:
                return self._judged(told)
            if told.p_captcha:
                self._stop(
                    HOUR_S,
                    "the venue wants a person to prove that they are one: log in once with a browser; "
                    "no login is tried for an hour",
                )
            wait_s = max(told.p_time or 0.0, 0.0) + MARGIN_S
            if wait_s > LONGEST_PENALTY_S:
                self._stop(wait_s, f"the venue allows no login for {wait_s:.0f} s")
            await self._clock.sleep(wait_s)
            said = {**said, "p-ticket": told.p_ticket}
        self._stop(HOUR_S, f"the venue answered {PENALTIES + 1} logins in a row with a penalty")
        raise AssertionError("stopping raises")

    def _judged(self, told: Granted) -> Token:
        if told.access_token:
            return self._kept(told.access_token, told.expiration_time)
        if told.error_text:
            self._refused = UsageError(
                f"Tradovate refused the login: {self._without_secrets(told.error_text)} Nothing was sent but "
                "the login, and it is not tried again: check name, password, cid and sec of the API key (API "
                "access is an add-on that has to be bought), then start again"
            )
            raise self._refused
        raise Doubtful("the login was answered with neither a token nor a reason")

    def _kept(self, text: str, ends: str | None) -> Token:
        now_ns = self._clock.now_ns()
        longest_ns = round(LIFE_S * NS_PER_SECOND)
        # The venue's clock may be off, so its word counts only where it makes the life shorter.
        left_ns = min(max(instant(ends, now_ns + longest_ns) - now_ns, 60 * NS_PER_SECOND), longest_ns)
        return Token(text, now_ns + round(left_ns * RENEW_AT), now_ns + left_ns)

    def _check_stopped(self) -> None:
        if self._refused is not None:
            raise self._refused
        left_s = (self._stopped_until_ns - self._clock.now_ns()) / NS_PER_SECOND
        if left_s > 0:
            raise TooManyRequests(self._stopped_by, left_s)

    def _stop(self, seconds: float, words: str) -> None:
        self._stopped_until_ns = self._clock.now_ns() + round(seconds * NS_PER_SECOND)
        self._stopped_by = words
        raise TooManyRequests(words, seconds)

    async def _ask(self, method: str, path: str, *, body: bytes | None = None, token: str = "") -> Granted:
        """One request. Raises Unauthorised, TooManyRequests, Doubtful; never with what was sent."""
        await self._limiter.turn(Urgency.PROTECT)
        headers = {"Content-Type": "application/json"} if body is not None else {}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        try:
            async with self._http.request(
                method, f"{self._rest}/{path}", data=body, headers=headers, allow_redirects=False
            ) as answer:
                status, raw = answer.status, await answer.read()
        except (aiohttp.ClientError, OSError) as error:
            raise Doubtful(f"no answer to {path}: {type(error).__name__}") from None
        if status == 200:
            try:
                return _granted.decode(raw)
            except msgspec.DecodeError:
                raise Doubtful(f"the answer to {path} makes no sense") from None
        if status == 401 and token:
            raise Unauthorised("the venue does not know the token any more")
        problem = status_error(status, f"{path} was answered with status {status}")
        if isinstance(problem, TooManyRequests):
            self._stop(problem.retry_after_s, str(problem))
        raise Doubtful(f"{path} was answered with status {status}")

    def _without_secrets(self, text: str) -> str:
        mine = self._credentials
        for secret in (mine.password, mine.secret):
            text = text.replace(secret, "…") if secret else text
        return short(text)
