"""Barchart's OnDemand on loopback: minutes and quotes of a tape, in its words.

The status that counts is inside the body: the HTTP status is 200 for nearly everything. Times are those of
the exchange, with their offset from UTC; a minute without a trade is not there.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from aiohttp import web

from neuratrade.core.model.market import NS_PER_MINUTE, NS_PER_SECOND, Bar
from neuratrade.rehearsal.matching import MatchingEngine
from neuratrade.rehearsal.server import respond
from neuratrade.rehearsal.tape import Tape

ZONE = ZoneInfo("America/Chicago")
FEW = 1_000
"""Rows that are given unless `maxRecords` asks for more."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class OnDemand:
    """Two of its questions. code: what every answer says instead, None for what is due. mode: R, I or D;
    delay_ns: how long its minutes are kept back.
    """

    def __init__(
        self,
        engine: MatchingEngine,
        tape: Tape,
        now_ns: Callable[[], int],
        symbols: Mapping[str, str],
        apikey: str,
    ) -> None:
        self.code: int | None = None
        self.mode = "R"
        self.delay_ns = 0
        self.asked: list[str] = []
        self._engine = engine
        self._tape = tape
        self._now_ns = now_ns
        self._symbols = symbols
        self._apikey = apikey

    def routes(self) -> list[web.RouteDef]:
        """By format; JSON alone is spoken here."""
        return [web.get("/getHistory.json", self._history), web.get("/getQuote.json", self._quote)]

    def _problem(self, request: web.Request) -> web.Response | None:
        self.asked.append(request.path)
        if request.query.get("apikey") != self._apikey:
            return _answer(401, f"Invalid API key {request.query.get('apikey')}")
        return None if self.code is None else _answer(self.code, "No.")

    async def _history(self, request: web.Request) -> web.Response:
        problem = self._problem(request)
        if problem is not None:
            return problem
        query = request.query
        key = self._symbols.get(query.get("symbol", ""))
        if key is None or query.get("type") != "minutes":
            return _answer(204, "Success, but no content to return.")
        begin, end = _local(query.get("startDate", "19700101")), _local(query.get("endDate", "21000101"))
        span_ns = int(query.get("interval", "1")) * NS_PER_MINUTE
        newest_ns = self._now_ns() - self.delay_ns
        bars = [
            bar
            for bar in self._tape.bars(key, span_ns)
            if begin <= bar.open_ns < end and bar.volume and bar.open_ns <= newest_ns
        ]
        if query.get("order") == "desc":
            bars.reverse()
        most = int(query.get("maxRecords", str(FEW)))
        return _answer(200, "Success.", [_row(query["symbol"], bar) for bar in bars[:most]])

    async def _quote(self, request: web.Request) -> web.Response:
        problem = self._problem(request)
        if problem is not None:
            return problem
        rows = []
        for symbol in request.query.get("symbols", "").split(","):
            key = self._symbols.get(symbol)
            quote = None if key is None else self._engine.quotes.get(key)
            if key is None or quote is None:
                continue
            prints = self._tape.prints(key)
            at_ns = prints[-1].at_ns if prints else quote.at_ns
            rows.append(
                {
                    "symbol": symbol,
                    "name": symbol,
                    "dayCode": "1",
                    "serverTimestamp": _stamp(self._now_ns()),
                    "mode": self.mode,
                    "lastPrice": _number(prints[-1].price if prints else None),
                    "tradeTimestamp": _stamp(at_ns),
                    "bid": _number(quote.bid),
                    "ask": _number(quote.ask),
                    "bidSize": _number(quote.bid_size),
                    "askSize": _number(quote.ask_size),
                }
            )
        return _answer(200, "Success.", rows)


def _answer(code: int, message: str, results: object = None) -> web.Response:
    return respond({"status": {"code": code, "message": message}, "results": results})


def _row(symbol: str, bar: Bar) -> dict[str, object]:
    at = _moment(bar.open_ns)
    return {
        "symbol": symbol,
        "timestamp": at.isoformat(timespec="seconds"),
        "tradingDay": f"{at:%Y-%m-%d}",
        "open": _number(bar.open),
        "high": _number(bar.high),
        "low": _number(bar.low),
        "close": _number(bar.close),
        "volume": _number(bar.volume),
        "openInterest": None,
    }


def _number(value: Decimal | None) -> float | None:
    return None if value is None else float(value)


def _moment(at_ns: int) -> datetime:
    return (EPOCH + timedelta(microseconds=at_ns // 1000)).astimezone(ZONE)


def _stamp(at_ns: int) -> str:
    return _moment(at_ns).isoformat(timespec="seconds")


def _local(text: str) -> int:
    at = datetime.strptime(text.ljust(14, "0"), "%Y%m%d%H%M%S").replace(tzinfo=ZONE)
    return int((at - EPOCH).total_seconds()) * NS_PER_SECOND
