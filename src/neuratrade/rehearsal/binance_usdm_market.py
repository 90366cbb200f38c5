"""What Binance USD-M futures tell everybody over REST: time, symbols, book, trades, candles, tickers."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from neuratrade.core.model.instrument import Instrument
from neuratrade.rehearsal import binance_usdm_words as words
from neuratrade.rehearsal.tape import plain

if TYPE_CHECKING:
    from neuratrade.rehearsal.binance_usdm import BinanceUsdm

Params = Mapping[str, str]


class BinanceError(Exception):
    """An answer of Binance that says no. code: of Binance; status: of HTTP."""

    def __init__(self, code: int, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


class BinanceUsdmMarket:
    """The public methods, by path below `/fapi/v1`."""

    def __init__(self, venue: "BinanceUsdm") -> None:
        self._venue = venue
        self._symbols = {words.symbol(item): item for item in venue.engine.contracts.values()}
        self.methods: dict[str, Callable[[Params], object]] = {
            "ping": lambda _: {},
            "time": lambda _: {"serverTime": words.ms(venue.now_ns)},
            "exchangeInfo": self._info,
            "depth": self._depth,
            "trades": self._trades,
            "aggTrades": self._aggregates,
            "klines": self._candles,
            "ticker/24hr": lambda params: self._each(params, self._day),
            "ticker/bookTicker": lambda params: self._each(params, self._best),
            "ticker/price": lambda params: self._each(params, self._price),
        }

    def contract(self, params: Params) -> Instrument:
        """The contract a request names. Raises BinanceError where there is none."""
        found = self._symbols.get(params.get("symbol", ""))
        if found is None:
            raise BinanceError(-1121, "Invalid symbol.")
        return found

    def named(self, symbol: str) -> Instrument | None:
        """A contract by its symbol in any case."""
        return self._symbols.get(symbol.upper())

    def _info(self, _: Params) -> object:
        assets = sorted({item.quote for item in self._symbols.values()})
        return {
            "timezone": "UTC",
            "serverTime": words.ms(self._venue.now_ns),
            "futuresType": "U_MARGINED",
            "rateLimits": [
                {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 2400},
                {"rateLimitType": "ORDERS", "interval": "MINUTE", "intervalNum": 1, "limit": 1200},
                {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 300},
            ],
            "exchangeFilters": [],
            "assets": [
                {"asset": name, "marginAvailable": True, "autoAssetExchange": "-10000"} for name in assets
            ],
            "symbols": [words.symbol_row(item) for item in self._symbols.values()],
        }

    def _depth(self, params: Params) -> object:
        contract, limit = self.contract(params), int(params.get("limit") or 500)
        ladder, number = self._venue.streams.book(contract.key)
        now = words.ms(self._venue.now_ns)
        return {
            "lastUpdateId": number,
            "E": now,
            "T": now,
            "bids": words.levels(ladder.bids[:limit]),
            "asks": words.levels(ladder.asks[:limit]),
        }

    def _trades(self, params: Params) -> object:
        prints = self._venue.tape.prints(self.contract(params).key)[-int(params.get("limit") or 500) :]
        return [
            {
                "id": item.number,
                "price": plain(item.price),
                "qty": plain(item.quantity),
                "quoteQty": plain(item.price * item.quantity),
                "time": words.ms(item.at_ns),
                "isBuyerMaker": not item.buys,
            }
            for item in prints
        ]

    def _aggregates(self, params: Params) -> object:
        begin, end = int(params.get("startTime") or 0), int(params.get("endTime") or 1 << 62)
        prints = self._venue.tape.prints(self.contract(params).key)
        found = [item for item in prints if begin <= words.ms(item.at_ns) <= end]
        limit = int(params.get("limit") or 500)
        page = found[:limit] if "startTime" in params else found[-limit:]
        return [words.aggregate_row(item) for item in page]

    def _candles(self, params: Params) -> object:
        contract, span_ns = self.contract(params), words.SPANS.get(params.get("interval", ""))
        if span_ns is None:
            raise BinanceError(-1120, "Invalid interval.")
        begin, end = int(params.get("startTime") or 0), int(params.get("endTime") or 1 << 62)
        bars = [
            bar
            for bar in self._venue.tape.bars(contract.key, span_ns)
            if begin <= words.ms(bar.open_ns) <= end
        ]
        limit = int(params.get("limit") or 500)
        return [words.candle(bar) for bar in (bars[:limit] if "startTime" in params else bars[-limit:])]

    def _each(self, params: Params, row: Callable[[Instrument], words.Row]) -> object:
        if "symbol" in params:
            return row(self.contract(params))
        return [row(item) for item in self._symbols.values()]

    def _day(self, contract: Instrument) -> words.Row:
        day, now = self._venue.tape.day(contract.key), words.ms(self._venue.now_ns)
        prints = self._venue.tape.prints(contract.key)
        row: words.Row = {"symbol": words.symbol(contract)}
        if day is None:
            return row
        return row | {
            "priceChange": plain(day.last - day.open),
            "priceChangePercent": plain((day.last - day.open) / day.open * 100, 3),
            "weightedAvgPrice": plain(day.vwap, 8),
            "lastPrice": plain(day.last),
            "lastQty": plain(prints[-1].quantity) if prints else "0",
            "openPrice": plain(day.open),
            "highPrice": plain(day.high),
            "lowPrice": plain(day.low),
            "volume": plain(day.volume),
            "quoteVolume": plain(day.turnover),
            "openTime": now - 86_400_000,
            "closeTime": now,
            "firstId": prints[0].number if prints else -1,
            "lastId": prints[-1].number if prints else -1,
            "count": day.trades,
        }

    def _best(self, contract: Instrument) -> words.Row:
        ladder, now = self._venue.tape.ladder(contract.key), words.ms(self._venue.now_ns)
        bid, ask = ladder.bids[:1], ladder.asks[:1]
        return {
            "symbol": words.symbol(contract),
            "bidPrice": plain(bid[0].price) if bid else "0",
            "bidQty": plain(bid[0].quantity) if bid else "0",
            "askPrice": plain(ask[0].price) if ask else "0",
            "askQty": plain(ask[0].quantity) if ask else "0",
            "time": now,
            "lastUpdateId": self._venue.streams.book(contract.key)[1],
        }

    def _price(self, contract: Instrument) -> words.Row:
        day = self._venue.tape.day(contract.key)
        price = plain(day.last) if day else "0"
        return {"symbol": words.symbol(contract), "price": price, "time": words.ms(self._venue.now_ns)}
