"""Barchart's OnDemand over REST: minutes of the past, and the newest quotes with how old they may be.

Its status is in the body. Nobody states in which zone it reads the dates of a question, so whole days around
what is wanted are asked for and the rows sorted out by their own times, which carry their offset. The key is
part of every URL, so no error or note holds a URL.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import aiohttp
import msgspec

from neuratrade.core.model.decimals import ZERO
from neuratrade.core.model.errors import NeuraTradeError, Retryable, UsageError
from neuratrade.core.model.market import NS_PER_DAY, NS_PER_MINUTE, NS_PER_SECOND, Bar
from neuratrade.feeds.barchart.hosts import check_url
from neuratrade.feeds.barchart.transport import Tally

URL = "https://ondemand.websol.barchart.com"
DAY_MINUTES = NS_PER_DAY // NS_PER_MINUTE
NO_CONTENT = 204
REFUSED = (400, 401, 403, 404)
MOST_BYTES = 64 * 2**20
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

MODES = {"R": 0, "I": -1, "D": -1}
"""Delay by mode: real time; delayed and end of day by nobody knows how many minutes."""


class _Status(msgspec.Struct):
    code: int
    message: str = ""


class _Row(msgspec.Struct):
    timestamp: str
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal | None = None


class Reading(msgspec.Struct, frozen=True):
    """The newest prices of a symbol. at_ns: of its last trade. delay_minutes: as in `transport`."""

    symbol: str
    last: Decimal | None
    bid: Decimal | None
    ask: Decimal | None
    at_ns: int | None
    delay_minutes: int


class _Quoted(msgspec.Struct, rename="camel"):
    symbol: str
    mode: str = ""
    last_price: Decimal | None = None
    bid: Decimal | None = None
    ask: Decimal | None = None
    trade_timestamp: str | None = None


class _Answer(msgspec.Struct):
    status: _Status
    results: list[msgspec.Raw] | None = None


class OnDemand:
    """Questions of one key, in `async with`. tally: counts rows that could not be read.

    Raises Refused for a URL that others can read on the way.
    """

    def __init__(self, apikey: str, tally: Tally, *, url: str = URL) -> None:
        self._apikey = apikey
        self._tally = tally
        self._url = check_url(url).rstrip("/")
        self._session: aiohttp.ClientSession

    async def __aenter__(self) -> "OnDemand":
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60.0))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def history(self, symbol: str, key: str, bars: int, before_ns: int) -> list[Bar]:
        """The last one-minute bars of a symbol that were complete at `before_ns`, oldest first.

        key: of the instrument they are given to. Minutes without a trade are not there. Raises UsageError for
        what will never be answered, Retryable for what may be.
        """
        if bars < 1:
            return []
        end_ns = before_ns - before_ns % NS_PER_MINUTE
        begin_ns = end_ns - bars * NS_PER_MINUTE
        begin, end = _moment(begin_ns - NS_PER_DAY), _moment(end_ns + 2 * NS_PER_DAY)
        days = (end.date() - begin.date()).days
        rows = await self._ask(
            "getHistory",
            symbol=symbol,
            type="minutes",
            interval="1",
            startDate=f"{begin:%Y%m%d}",
            endDate=f"{end:%Y%m%d}",
            maxRecords=str(days * DAY_MINUTES),
            order="asc",
        )
        found: dict[int, Bar] = {}
        for raw in rows:
            bar = self._bar(raw, key)
            if bar is not None and begin_ns <= bar.open_ns < end_ns:
                found[bar.open_ns] = bar
        return [found[open_ns] for open_ns in sorted(found)]

    async def quotes(self, symbols: Sequence[str]) -> dict[str, Reading]:
        """The newest prices by symbol; what it does not know is not there. Raises as `history` does."""
        rows = await self._ask("getQuote", symbols=",".join(symbols), fields="bid,ask")
        found: dict[str, Reading] = {}
        for raw in rows:
            try:
                row = msgspec.json.decode(raw, type=_Quoted)
                at_ns = None if row.trade_timestamp is None else _ns_of(row.trade_timestamp)
            except (msgspec.DecodeError, ValueError):
                self._tally.leave_out("quotes of OnDemand that are none")
                continue
            # A mode that is not known is not taken for the present.
            delay = MODES.get(row.mode.upper(), -1)
            found[row.symbol] = Reading(row.symbol, row.last_price, row.bid, row.ask, at_ns, delay)
        return found

    async def _ask(self, what: str, **query: str) -> list[msgspec.Raw]:
        try:
            async with self._session.get(
                f"{self._url}/{what}.json", params={"apikey": self._apikey, **query}, allow_redirects=False
            ) as response:
                status = response.status
                body = await response.content.read(MOST_BYTES) if status == 200 else b""
                while status == 200 and (more := await response.content.read(MOST_BYTES)):
                    body += more
                    if len(body) > MOST_BYTES:
                        raise Retryable(f"OnDemand answered {what} with more than {MOST_BYTES} bytes")
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise Retryable(f"OnDemand gave no answer to {what}: {type(error).__name__}") from None
        if status != 200:
            raise _refusal(what, status, f"HTTP {status}")
        try:
            answer = msgspec.json.decode(body, type=_Answer)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise Retryable(f"OnDemand answered {what} with what is none of its answers") from None
        if answer.status.code == NO_CONTENT:
            return []
        if answer.status.code != 200:
            words = answer.status.message.replace(self._apikey, "***") if self._apikey else ""
            raise _refusal(what, answer.status.code, words[:200])
        return answer.results or []

    def _bar(self, raw: msgspec.Raw, key: str) -> Bar | None:
        try:
            row = msgspec.json.decode(raw, type=_Row)
            open_ns = _ns_of(row.timestamp)
        except (msgspec.DecodeError, ValueError):
            self._tally.leave_out("bars of OnDemand that are none")
            return None
        prices = (row.open, row.high, row.low, row.close)
        volume = row.volume if row.volume is not None else ZERO
        sound = all(value.is_finite() for value in (*prices, volume)) and volume >= 0
        if not sound or open_ns % NS_PER_MINUTE or row.low != min(prices) or row.high != max(prices):
            self._tally.leave_out("bars of OnDemand that contradict themselves")
            return None
        return Bar(key, NS_PER_MINUTE, open_ns, row.open, row.high, row.low, row.close, volume)


def _refusal(what: str, code: int, words: str) -> NeuraTradeError:
    told = f"OnDemand did not answer {what} (status {code}: {words})"
    if code in REFUSED:
        return UsageError(f"{told}: check the API key, what it gives access to, and the symbol")
    return Retryable(told)


def _moment(at_ns: int) -> datetime:
    return datetime.fromtimestamp(at_ns // NS_PER_SECOND, UTC)


def _ns_of(stamp: str) -> int:
    """Nanoseconds UTC. Raises ValueError for what is no time, or does not say its offset."""
    at = datetime.fromisoformat(stamp)
    if at.tzinfo is None:
        raise ValueError("a time without an offset")
    return (at - _EPOCH) // _MICROSECOND * 1_000
