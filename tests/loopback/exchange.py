"""An exchange of our own that answers like Binance's public REST API, so that an unmodified ccxt talks to it.

Bars are made from their time alone, so that any page of them can be checked against any other. What goes
wrong is put in by hand: answers that come before the real one, hours without a bar, bars that cannot be.
"""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

MS = {"1m": 60_000, "5m": 300_000, "1h": 3_600_000, "1d": 86_400_000}
PAGE = 1_000


class Fault:
    """An answer given in place of the real one; a status of 0 cuts the connection."""

    def __init__(self, status: int, body: str = "", **headers: str) -> None:
        self.status = status
        self.body = body
        self.headers = headers


class LoopbackExchange:
    """What the exchange has, and what it was asked.

    listed_ms: opening of its first bar. holes: [from, to) without bars, ms. changed: rows answered in place
    of those of an opening. faults: answers to the next questions for bars. asked: `startTime` and `interval`
    of each question for bars that was answered.
    """

    def __init__(self) -> None:
        self.port = 0
        self.begin_anew()

    def begin_anew(self) -> None:
        """As it was when it opened."""
        self.now_ms: int | None = None
        self.listed_ms = 1_700_000_000_000 // 86_400_000 * 86_400_000
        self.holes: list[tuple[int, int]] = []
        self.changed: dict[int, list[Any]] = {}
        self.faults: list[Fault] = []
        self.asked: list[tuple[int, str]] = []
        self.after: Callable[[int], None] = lambda pages: None
        self.keeps_newest_only = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def time_ms(self) -> int:
        return self.now_ms if self.now_ms is not None else time.time_ns() // 1_000_000

    def klines(self, query: dict[str, str]) -> list[list[Any]]:
        span = MS[query["interval"]]
        limit = int(query.get("limit", 500))
        since = int(query.get("startTime", 0))
        self.asked.append((since, query["interval"]))
        self.after(len(self.asked))
        opening = -(-max(since, self.listed_ms) // span) * span
        if self.keeps_newest_only:
            opening = max(opening, self.time_ms // span * span - (limit - 1) * span)
        rows: list[list[Any]] = []
        while opening <= self.time_ms and len(rows) < min(limit, PAGE):
            hole = next(
                (end for begin, end in self.holes if begin <= opening and opening + span <= end), None
            )
            if hole is None:
                rows.append(self.changed.get(opening, bar(opening, span)))
                opening += span
            else:
                opening = -(-hole // span) * span
        return rows


def bar(opening: int, span: int) -> list[Any]:
    """A bar as it is written on the wire, made from its time alone."""
    low = 100 + opening // 60_000 % 50
    prices = [f"{low + part:.2f}" for part in (0.5, 1, 0, 0.25)]
    return [opening, *prices, f"{1 + opening // 60_000 % 7:.3f}", opening + span - 1, "0", 1, "0", "0", "0"]


def spot(symbol: str, base: str, quote: str) -> dict[str, Any]:
    return {
        "symbol": symbol,
        "status": "TRADING",
        "baseAsset": base,
        "baseAssetPrecision": 8,
        "quoteAsset": quote,
        "quotePrecision": 8,
        "orderTypes": ["LIMIT", "MARKET"],
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": [
            {
                "filterType": "PRICE_FILTER",
                "minPrice": "0.01",
                "maxPrice": "1000000",
                "tickSize": "0.01000000",
            },
            {"filterType": "LOT_SIZE", "minQty": "0.00010000", "maxQty": "9000", "stepSize": "0.00010000"},
            {"filterType": "NOTIONAL", "minNotional": "5.00000000"},
        ],
        "permissions": ["SPOT"],
    }


def future(symbol: str, base: str, quote: str, margin: str) -> dict[str, Any]:
    return {
        "symbol": symbol,
        "pair": symbol,
        "contractType": "PERPETUAL",
        "deliveryDate": 4133404800000,
        "onboardDate": 1569398400000,
        "status": "TRADING",
        "contractStatus": "TRADING",
        "baseAsset": base,
        "quoteAsset": quote,
        "marginAsset": margin,
        "pricePrecision": 2,
        "quantityPrecision": 3,
        "filters": [
            {"filterType": "PRICE_FILTER", "minPrice": "0.1", "maxPrice": "1000000", "tickSize": "0.10"},
            {"filterType": "LOT_SIZE", "minQty": "0.001", "maxQty": "1000", "stepSize": "0.001"},
            {"filterType": "MIN_NOTIONAL", "notional": "100"},
        ],
        "orderTypes": ["LIMIT", "MARKET"],
    }


MARKETS = {
    "/api/v3/exchangeInfo": [spot("BTCUSDT", "BTC", "USDT"), spot("ETHUSDT", "ETH", "USDT")],
    "/fapi/v1/exchangeInfo": [future("BTCUSDT", "BTC", "USDT", "USDT")],
    "/dapi/v1/exchangeInfo": [{**future("BTCUSD_PERP", "BTC", "USD", "BTC"), "contractSize": 100}],
}


@contextmanager
def loopback_exchange() -> Iterator[LoopbackExchange]:
    """An exchange that listens on a port of this machine until the block ends."""
    exchange = LoopbackExchange()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            address = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(address.query).items()}
            if address.path in MARKETS:
                self.answer(200, json.dumps({"symbols": MARKETS[address.path]}))
            elif address.path.endswith("/time"):
                self.answer(200, json.dumps({"serverTime": exchange.time_ms}))
            elif exchange.faults:
                fault = exchange.faults.pop(0)
                if fault.status:
                    self.answer(fault.status, fault.body, **fault.headers)
                else:
                    self.close_connection = True
            else:
                self.answer(200, json.dumps(exchange.klines(query)))

        def answer(self, status: int, body: str, **headers: str) -> None:
            payload = body.encode()
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", **headers}.items():
                self.send_header(name.replace("_", "-"), value)
            self.send_header("Content-Length", str(len(payload)))
            # A client that was interrupted is gone before it is answered.
            with suppress(BrokenPipeError, ConnectionResetError):
                self.end_headers()
                self.wfile.write(payload)

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    exchange.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield exchange
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
