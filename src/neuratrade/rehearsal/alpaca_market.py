"""What Alpaca tells of the market by REST: the list of assets is the trading API's, the rest is data.

Crypto is told to everybody, stocks to who has keys, as at the venue.
"""

import base64
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from aiohttp import web

from neuratrade.core.bars.timeframe import span_of
from neuratrade.core.model.errors import UsageError
from neuratrade.core.model.instrument import Instrument, InstrumentKind
from neuratrade.core.model.market import NS_PER_SECOND, Bar
from neuratrade.rehearsal import alpaca_words as words
from neuratrade.rehearsal.matching import MatchingEngine
from neuratrade.rehearsal.server import Handler
from neuratrade.rehearsal.tape import Tape

CRYPTO = "/v1beta3/crypto/us"
STOCKS = "/v2/stocks"
MOST = 10_000
SPANS = {"Min": "m", "T": "m", "Hour": "h", "H": "h", "Day": "d", "D": "d"}
Rows = dict[str, list[words.Json]]


class _Refused(Exception):
    """A request that the venue answers with status 400 and these words."""


class AlpacaMarketRest:
    """The data endpoints. known: lets only who has keys through."""

    def __init__(
        self,
        engine: MatchingEngine,
        tape: Tape,
        now_ns: Callable[[], int],
        known: Callable[[Handler], Handler],
    ) -> None:
        self._engine = engine
        self._tape = tape
        self._now_ns = now_ns
        self._known = known

    def routes(self) -> list[web.RouteDef]:
        """Bars and trades of both, the newest quotes and trades of both."""
        routes = []
        for path, kind in ((CRYPTO, InstrumentKind.SPOT), (STOCKS, InstrumentKind.EQUITY)):
            latest = f"{path}/latest" if kind is InstrumentKind.SPOT else path
            newest = "" if kind is InstrumentKind.SPOT else "/latest"
            for where, answer in (
                (f"{path}/bars", self._bars),
                (f"{path}/trades", self._trades),
                (f"{latest}/quotes{newest}", self._latest_quotes),
                (f"{latest}/trades{newest}", self._latest_trades),
            ):
                handler = self._of(kind, answer)
                routes.append(
                    web.get(where, handler if kind is InstrumentKind.SPOT else self._known(handler))
                )
        return routes

    def _of(
        self,
        kind: InstrumentKind,
        answer: Callable[[Mapping[str, str], dict[str, Instrument]], words.Json],
    ) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            try:
                symbols = [name for name in request.query.get("symbols", "").split(",") if name]
                if not symbols:
                    raise _Refused("symbols is required")
                body = answer(request.query, self._contracts(symbols, kind))
            except _Refused as refused:
                return _answer({"message": str(refused)}, 400)
            return _answer(body)

        return handle

    def _contracts(self, symbols: list[str], kind: InstrumentKind) -> dict[str, Instrument]:
        listed = {item.asset: item for item in self._engine.contracts.values() if item.kind is kind}
        if kind is InstrumentKind.SPOT:
            for symbol in symbols:
                if "/" not in symbol:
                    raise _Refused(f"invalid symbol: {symbol}")
        return {symbol: listed[symbol] for symbol in symbols if symbol in listed}

    def _bars(self, query: Mapping[str, str], contracts: dict[str, Instrument]) -> words.Json:
        span_ns = _span(query.get("timeframe", ""))

        def row(bar: Bar) -> words.Json:
            prints = self._tape.prints(bar.instrument, bar.open_ns)
            return words.bar(bar, [item for item in prints if item.at_ns < bar.close_ns])

        found = {
            symbol: [(bar.open_ns, row(bar)) for bar in self._tape.bars(contract.key, span_ns)]
            for symbol, contract in contracts.items()
        }
        return self._page("bars", query, found)

    def _trades(self, query: Mapping[str, str], contracts: dict[str, Instrument]) -> words.Json:
        found = {
            symbol: [
                (item.at_ns, words.trade(item, contract.kind)) for item in self._tape.prints(contract.key)
            ]
            for symbol, contract in contracts.items()
        }
        return self._page("trades", query, found)

    def _page(
        self, name: str, query: Mapping[str, str], found: dict[str, list[tuple[int, words.Json]]]
    ) -> words.Json:
        """One page: symbols in order of their names, each by time; a token says where the next one begins."""
        now_ns = self._now_ns()
        midnight_ns = now_ns - now_ns % (86_400 * NS_PER_SECOND)
        start_ns = _time(query["start"]) if "start" in query else midnight_ns
        end_ns = _time(query["end"]) if "end" in query else now_ns
        limit = int(query.get("limit", 1000))
        if not 1 <= limit <= MOST:
            raise _Refused("limit must be between 1 and 10000")
        down = query.get("sort") == "desc"
        rows = [
            (symbol, row)
            for symbol in sorted(found)
            for at_ns, row in sorted(found[symbol], key=lambda item: item[0], reverse=down)
            if start_ns <= at_ns <= end_ns
        ]
        first = _place(query.get("page_token", ""))
        page: Rows = {}
        for symbol, row in rows[first : first + limit]:
            page.setdefault(symbol, []).append(row)
        after = first + limit
        token = base64.b64encode(str(after).encode()).decode() if after < len(rows) else None
        return {name: page, "next_page_token": token}

    def _latest_quotes(self, _: Mapping[str, str], contracts: dict[str, Instrument]) -> words.Json:
        quotes = {symbol: self._engine.quotes.get(item.key) for symbol, item in contracts.items()}
        return {
            "quotes": {
                symbol: words.quote(quote, contracts[symbol].kind)
                for symbol, quote in quotes.items()
                if quote is not None
            }
        }

    def _latest_trades(self, _: Mapping[str, str], contracts: dict[str, Instrument]) -> words.Json:
        prints = {symbol: self._tape.prints(item.key)[-1:] for symbol, item in contracts.items()}
        return {
            "trades": {
                symbol: words.trade(found[0], contracts[symbol].kind)
                for symbol, found in prints.items()
                if found
            }
        }


def _answer(body: words.Json, status: int = 200) -> web.Response:
    return web.Response(text=words.as_json(body), status=status, content_type="application/json")


def _span(timeframe: str) -> int:
    digits = timeframe.rstrip("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
    unit = SPANS.get(timeframe[len(digits) :], "")
    try:
        return span_of(f"{digits or 1}{unit}")
    except UsageError:
        raise _Refused(f"invalid timeframe: {timeframe}") from None


def _time(text: str) -> int:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise _Refused(f"invalid time: {text}") from None
    whole = at.replace(microsecond=0, tzinfo=at.tzinfo or UTC)
    fraction = text.partition(".")[2].rstrip("Z").partition("+")[0]
    return int(whole.timestamp()) * NS_PER_SECOND + int(fraction[:9].ljust(9, "0") or 0)


def _place(token: str) -> int:
    try:
        return int(base64.b64decode(token)) if token else 0
    except ValueError:
        raise _Refused("invalid page token") from None
