"""Alpaca's market data by REST: assets, minute bars, and the newest quotes and trades of crypto.

Everything here only reads, so whoever is told `Retryable` may ask again. Crypto data needs no key; stocks do.
"""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import TypeVar

import aiohttp
import msgspec

from neuratrade.core.model.errors import Retryable, UsageError
from neuratrade.core.model.instrument import Instrument, InstrumentKind
from neuratrade.core.model.market import NS_PER_DAY, NS_PER_MINUTE, Bar
from neuratrade.feeds.clock import Clock
from neuratrade.venues.alpaca.market_assets import WireAsset, instrument_of, is_crypto
from neuratrade.venues.alpaca.market_hosts import DataHosts
from neuratrade.venues.alpaca.market_wire import Unsound, WireBar, WireQuote, WireTrade, bar_of, moment
from neuratrade.venues.alpaca.rest import Keys
from neuratrade.venues.alpaca.wire import Problem
from neuratrade.venues.limiter import Budget, Limiter, Urgency

CRYPTO = "/v1beta3/crypto/us"
BUDGET = Budget(requests=200, seconds=60.0, kept=0)
"""Requests a minute that the free plan has. Those for orders are counted apart by the venue."""
ANSWER_S = 30.0
PAGE = 10_000
CLOSED = 5
"""Minutes to look back over for each bar wanted: exchanges of stocks are open for a fifth of the week."""

T = TypeVar("T")


class _Bars(msgspec.Struct, frozen=True):
    bars: dict[str, list[WireBar]] | None = None
    next_page_token: str | None = None


class _Trades(msgspec.Struct, frozen=True):
    trades: dict[str, list[WireTrade]] | None = None
    next_page_token: str | None = None


class _Quotes(msgspec.Struct, frozen=True):
    quotes: dict[str, WireQuote] | None = None


_bars = msgspec.json.Decoder(_Bars)
_trades = msgspec.json.Decoder(_Trades)
_quotes = msgspec.json.Decoder(_Quotes)
_asset = msgspec.json.Decoder(WireAsset)
_assets = msgspec.json.Decoder(list[WireAsset])
_problem = msgspec.json.Decoder(Problem)


class _NoSuch(UsageError):
    """The venue says that it has no such thing."""


class DataRest:
    """Reads, in `async with`. keys: None for crypto data alone. feed: of stocks."""

    def __init__(self, hosts: DataHosts, keys: Keys | None, feed: str, clock: Clock) -> None:
        self._hosts = hosts
        self._has_keys = keys is not None
        self._headers = {} if keys is None else keys.headers
        self._feed = feed
        self._limiter = Limiter(BUDGET, clock)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> "DataRest":
        # A stream is opened by the same session and lives on its own time: only its answers are bounded.
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=ANSWER_S))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.session.close()

    @property
    def session(self) -> aiohttp.ClientSession:
        """The open session. Raises RuntimeError outside of `async with`."""
        if self._session is None:
            raise RuntimeError("the source is not open: use it in `async with`")
        return self._session

    async def instrument(self, symbol: str) -> Instrument:
        """What a symbol is. Raises UsageError for one that is not traded, naming the nearest ones."""
        if not self._has_keys:
            return await self._unlisted(symbol)
        try:
            asset = await self._read(_asset, self._hosts.assets + f"/v2/assets/{symbol}")
        except _NoSuch:
            raise UsageError(await self._nearest(symbol)) from None
        if asset.status != "active" or not asset.tradable:
            raise UsageError(f"{symbol} is listed by Alpaca and not traded there now")
        return instrument_of(asset)

    async def history(self, instrument: Instrument, count: int, before_ns: int) -> tuple[list[Bar], int]:
        """The last complete minutes with trades before a time, oldest first, and how many were unsound."""
        crypto = instrument.kind is InstrumentKind.SPOT
        back_ns = count * CLOSED * NS_PER_MINUTE + 7 * NS_PER_DAY
        query = {
            "symbols": instrument.asset,
            "timeframe": "1Min",
            "start": moment(max(before_ns - back_ns, 0)),
            # The end is the last opening that is told; what opens there must be complete before.
            "end": moment(before_ns - NS_PER_MINUTE),
            "sort": "desc",
        }
        if not crypto:
            query |= {"feed": self._feed, "adjustment": "raw"}
        found: dict[int, Bar] = {}
        broken = 0
        query["limit"] = str(min(count, PAGE))
        while len(found) < count:
            page = await self._read(
                _bars, self._hosts.rest + (CRYPTO if crypto else "/v2/stocks") + "/bars", query
            )
            wires = (page.bars or {}).get(instrument.asset, [])
            for wire in wires:
                try:
                    bar = bar_of(wire, instrument.key)
                except Unsound:
                    broken += 1
                    continue
                if bar.close_ns <= before_ns and bar.volume:
                    found[bar.open_ns] = bar
            if page.next_page_token is None or not wires:
                break
            # There are more than wanted where nothing was traded for long: the rest in few, large pages.
            query |= {"page_token": page.next_page_token, "limit": str(PAGE)}
        return [found[at] for at in sorted(found)[-count:]], broken

    async def latest_quotes(self, symbols: Sequence[str]) -> dict[str, WireQuote]:
        """The newest quote of each crypto pair."""
        page = await self._read(
            _quotes, self._hosts.rest + CRYPTO + "/latest/quotes", {"symbols": ",".join(symbols)}
        )
        return page.quotes or {}

    async def trades_since(self, symbols: Sequence[str], since_ns: int) -> dict[str, list[WireTrade]]:
        """All trades of crypto pairs from a time on, oldest first."""
        query = {"symbols": ",".join(symbols), "start": moment(since_ns), "limit": str(PAGE), "sort": "asc"}
        found: dict[str, list[WireTrade]] = {}
        while True:
            page = await self._read(_trades, self._hosts.rest + CRYPTO + "/trades", query)
            for symbol, trades in (page.trades or {}).items():
                found.setdefault(symbol, []).extend(trades)
            if page.next_page_token is None:
                return found
            query["page_token"] = page.next_page_token

    async def _unlisted(self, symbol: str) -> Instrument:
        """What can be known of a pair without a key: that it is quoted, and how finely."""
        if not is_crypto(symbol):
            raise UsageError(
                f"{symbol}: Alpaca shows stocks only to who has keys (a free paper account has some); "
                "without keys there is crypto, written as BTC/USD"
            )
        quote = (await self.latest_quotes([symbol])).get(symbol)
        if quote is None:
            raise UsageError(
                f"{symbol}: Alpaca has no quote of it; its list of pairs is shown only to who has keys"
            )
        return instrument_of(WireAsset(symbol, "crypto"), seen=(quote.bid, quote.ask))

    async def _nearest(self, symbol: str) -> str:
        query = {"status": "active", "asset_class": "crypto" if is_crypto(symbol) else "us_equity"}
        listed = await self._read(_assets, self._hosts.assets + "/v2/assets", query)
        near = get_close_matches(symbol, [item.symbol for item in listed if item.tradable], n=3, cutoff=0.5)
        return f"{symbol} is not traded at Alpaca" + (f"; near it are {', '.join(near)}" if near else "")

    async def _read(
        self, decoder: msgspec.json.Decoder[T], url: str, query: Mapping[str, str] | None = None
    ) -> T:
        await self._limiter.turn(Urgency.DATA)
        try:
            async with self.session.get(
                url, params=query, headers=self._headers, allow_redirects=False
            ) as answer:
                raw = await answer.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Retryable(
                f"Alpaca's market data cannot be reached: {str(error) or type(error).__name__}"
            ) from None
        if answer.status != 200:
            raise self._problem(answer.status, raw, answer.headers)
        try:
            return decoder.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise Retryable(f"Alpaca's market data answered something that makes no sense: {error}") from None

    def _problem(self, status: int, raw: bytes, headers: Mapping[str, str]) -> Exception:
        words = _words(raw)
        if status == 404:
            return _NoSuch(f"Alpaca's market data: there is no such thing ({words})")
        if status in (401, 403):
            keys = (
                "these keys are not accepted (those of a paper account are needed for its list of assets), "
                "or not for this data"
                if self._has_keys
                else "keys are needed"
            )
            return UsageError(f"Alpaca's market data: {keys} ({words})")
        if status in (400, 422):
            return UsageError(f"Alpaca's market data: {words}")
        if status == 429:
            after_s = headers.get("Retry-After", "")
            self._limiter.told_too_many(float(after_s) if after_s.isdecimal() else 1.0)
        return Retryable(f"Alpaca's market data: status {status}: {words}")


def _words(raw: bytes) -> str:
    try:
        return _problem.decode(raw).message[:200] or "no words"
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return "no words of its own"
