"""Tradovate's door: logins, tokens of 80 minutes, penalties and budgets.

A wrong password and a penalty are HTTP 200. A penalty is lifted by sending the same request again with its
ticket, not before its time. Who goes beyond a budget is answered nothing but 429 for an hour, and for another
hour from each request it sends meanwhile. Too many sessions end the oldest.
"""

from collections import deque
from collections.abc import Callable

import msgspec

from neuratrade.core.model.market import NS_PER_MINUTE, NS_PER_SECOND
from neuratrade.rehearsal.faults import FaultKind, Troubles
from neuratrade.rehearsal.server import Credentials
from neuratrade.rehearsal.tradovate_words import Said, TradovateError, stamp, violations

TOKEN_LIFE_NS = 80 * NS_PER_MINUTE
HOUR_NS = 60 * NS_PER_MINUTE
PENALTY_S = 5
REQUESTS = ((NS_PER_SECOND, 1_000), (NS_PER_MINUTE, 5_000), (HOUR_NS, 5_000))
"""How many requests in how long."""
LOGINS = ((NS_PER_MINUTE, 10),)
REFUSED = "Incorrect username or password. Please try again, noting that passwords are case-sensitive."
USER_ID = 5
USER = "rehearsal"


class Session(msgspec.Struct):
    """One login. market_token: for the market data socket. expires_ns: when both end."""

    token: str
    market_token: str
    expires_ns: int


class Penalty(msgspec.Struct, frozen=True):
    """What the next login is answered instead. seconds: to wait; captcha: nobody can solve it by program."""

    seconds: int = PENALTY_S
    captcha: bool = False


class _Budget:
    """Requests within spans of time."""

    def __init__(self, limits: tuple[tuple[int, int], ...]) -> None:
        self._limits = limits
        self._times: deque[int] = deque()

    def take(self, now_ns: int) -> bool:
        """Counts a request; whether it is within all limits."""
        longest = max(span for span, _ in self._limits)
        while self._times and self._times[0] <= now_ns - longest:
            self._times.popleft()
        self._times.append(now_ns)
        return all(self._within(span, most, now_ns) for span, most in self._limits)

    def _within(self, span: int, most: int, now_ns: int) -> bool:
        if len(self._times) <= most:
            return True
        return self._times[-most - 1] <= now_ns - span


class Door:
    """Who may come in. credentials: name and password (`passphrase`), and the API secret (`secret`)."""

    def __init__(self, credentials: Credentials, troubles: Troubles, now_ns: Callable[[], int]) -> None:
        self.credentials = credentials
        self.sessions: dict[str, Session] = {}
        self.penalties: deque[Penalty] = deque()
        self.most_sessions = 2
        self.logins = 0
        self.renewals = 0
        self.stopped_until_ns = 0
        self._troubles = troubles
        self._now_ns = now_ns
        self._requests = _Budget(REQUESTS)
        self._tries = _Budget(LOGINS)
        self._tickets: dict[str, tuple[Said, int]] = {}
        self._count = 0

    def count(self, endpoint: str) -> None:
        """Takes a request into the budgets. Raises TradovateError 429."""
        now_ns = self._now_ns()
        within = self._requests.take(now_ns)
        if endpoint == "auth/accesstokenrequest":
            within = self._tries.take(now_ns) and within
        if not within or now_ns < self.stopped_until_ns:
            self.stopped_until_ns = now_ns + HOUR_NS
            raise TradovateError(429)

    def session_of(self, token: str) -> Session | None:
        """The session of a token (of either kind) that holds."""
        for session in self.sessions.values():
            if token and token in (session.token, session.market_token):
                return session if self._now_ns() < session.expires_ns else None
        return None

    def login(self, asked: Said) -> Said:
        """`auth/accesstokenrequest`."""
        missing = [name for name in ("name", "password") if not isinstance(asked.get(name), str)]
        if missing:
            raise violations(*(("required", f"{name} is required") for name in missing))
        ticket = asked.pop("p-ticket", None)
        penalty = self._due(asked, ticket)
        if penalty is not None:
            return penalty
        mine = self.credentials
        if (asked["name"], asked["password"]) != (mine.key, mine.passphrase):
            return {"errorText": REFUSED}
        if "sec" in asked and (asked["sec"] != mine.secret or "cid" not in asked):
            return {"errorText": "Incorrect API key"}
        self.logins += 1
        while len(self.sessions) >= self.most_sessions:
            del self.sessions[next(iter(self.sessions))]
        number = self._next()
        session = Session(f"access-{number}", f"market-{number}", self._now_ns() + TOKEN_LIFE_NS)
        self.sessions[session.token] = session
        return self._words(session)

    def renew(self, session: Session) -> Said:
        """`auth/renewaccesstoken`: the same session for longer, with a new token."""
        self.renewals += 1
        del self.sessions[session.token]
        session.token = f"access-{self._next()}"
        session.expires_ns = self._now_ns() + TOKEN_LIFE_NS
        self.sessions[session.token] = session
        return self._words(session)

    def me(self) -> Said:
        """`auth/me`."""
        return {
            "userId": USER_ID,
            "name": USER,
            "fullName": USER,
            "email": "nobody@localhost",
            "emailVerified": True,
            "isTrial": False,
            "organizationName": "",
        }

    def revoke(self, session: Session | None) -> None:
        """Ends one session."""
        self.sessions = {token: item for token, item in self.sessions.items() if item is not session}

    def forget(self) -> None:
        """Ends all sessions, as a venue does that starts anew."""
        self.sessions.clear()

    def _due(self, asked: Said, ticket: object) -> Said | None:
        """The penalty that stands in the way of a login."""
        now_ns = self._now_ns()
        if isinstance(ticket, str):
            of, from_ns = self._tickets.pop(ticket, ({}, 0))
            if of == asked and now_ns >= from_ns:
                return None
            return self._penalty(asked, Penalty())
        if self.penalties:
            return self._penalty(asked, self.penalties.popleft())
        if self._troubles.next_of(FaultKind.RATE_LIMITED) is not None:
            return self._penalty(asked, Penalty())
        return None

    def _penalty(self, asked: Said, penalty: Penalty) -> Said:
        ticket = f"ticket-{self._next()}"
        if not penalty.captcha:
            self._tickets[ticket] = (dict(asked), self._now_ns() + penalty.seconds * NS_PER_SECOND)
        return {"p-ticket": ticket, "p-time": penalty.seconds, "p-captcha": penalty.captcha}

    def _next(self) -> int:
        self._count += 1
        return self._count

    def _words(self, session: Session) -> Said:
        return {
            "accessToken": session.token,
            "mdAccessToken": session.market_token,
            "expirationTime": stamp(session.expires_ns),
            "passwordExpirationTime": stamp(session.expires_ns + 365 * 24 * HOUR_NS),
            "userStatus": "Active",
            "userId": USER_ID,
            "name": USER,
            "hasLive": False,
            "hasFunded": False,
            "hasMarketData": True,
            "outdatedLiquidationPolicy": False,
            "outdatedTermsOfService": False,
        }
