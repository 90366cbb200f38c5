"""What OKX tells everybody over REST: time, instruments, tickers, candles, book, trades."""

from collections.abc import Callable, Mapping

from neuratrade.core.model.decimals import ZERO
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.market import NS_PER_MINUTE, NS_PER_MS
from neuratrade.rehearsal import okx_words as words
from neuratrade.rehearsal.tape import Tape, plain

Params = Mapping[str, str]
SPANS = {
    f"{count}{unit}": count * minutes * NS_PER_MINUTE
    for unit, minutes, counts in (
        ("m", 1, (1, 3, 5, 15, 30)),
        ("H", 60, (1, 2, 4, 6, 12)),
        ("D", 1440, (1, 2, 3)),
    )
    for count in counts
}
"""Candle spans by the name OKX has for them."""


class OkxError(Exception):
    """An answer of OKX that says no. code: of OKX; status: of HTTP."""

    def __init__(self, code: str, message: str, status: int = 200) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


class OkxMarket:
    """The public methods, by path below `/api/v5`."""

    def __init__(self, tape: Tape, contracts: Mapping[str, Instrument], now_ns: Callable[[], int]) -> None:
        self._tape = tape
        self._contracts = {words.inst_id(contract): contract for contract in contracts.values()}
        self._now_ns = now_ns
        self.methods: dict[str, Callable[[Params], list[object]]] = {
            "public/time": lambda _: [{"ts": words.ms(now_ns())}],
            "public/instruments": self._instruments,
            "public/mark-price": self._mark_prices,
            "market/ticker": lambda params: [self.ticker(self.contract(params.get("instId", "")))],
            "market/tickers": self._tickers,
            "market/books": self._book,
            "market/candles": self._candles,
            "market/history-candles": self._candles,
            "market/trades": self._trades,
        }

    def contract(self, name: str) -> Instrument:
        """A contract by its id at OKX. Raises OkxError where there is none."""
        found = self._contracts.get(name)
        if found is None:
            raise OkxError("51001", "Instrument ID, Instrument ID code, or Spread ID doesn't exist.")
        return found

    def ticker(self, contract: Instrument) -> words.Row:
        """The last 24 hours and the best prices."""
        day, ladder = self._tape.day(contract.key), self._tape.ladder(contract.key)
        prints = self._tape.prints(contract.key)
        row: words.Row = {"instType": words.inst_type(contract), "instId": words.inst_id(contract)}
        bid, ask = ladder.bids[:1], ladder.asks[:1]
        base = day.volume * contract.multiplier if day else ZERO
        return row | {
            "last": plain(day.last) if day else "",
            "lastSz": plain(prints[-1].quantity) if prints else "0",
            "askPx": plain(ask[0].price) if ask else "",
            "askSz": plain(ask[0].quantity) if ask else "0",
            "bidPx": plain(bid[0].price) if bid else "",
            "bidSz": plain(bid[0].quantity) if bid else "0",
            "open24h": plain(day.open) if day else "",
            "high24h": plain(day.high) if day else "",
            "low24h": plain(day.low) if day else "",
            "sodUtc0": plain(day.open) if day else "",
            "sodUtc8": plain(day.open) if day else "",
            "volCcy24h": plain(base if contract.is_derivative else day.turnover) if day else "0",
            "vol24h": plain(day.volume) if day else "0",
            "ts": words.ms(self._now_ns()),
        }

    def _instruments(self, params: Params) -> list[object]:
        wanted, only = params.get("instType"), params.get("instId")
        return [
            words.instrument_row(contract)
            for name, contract in self._contracts.items()
            if words.inst_type(contract) == wanted and only in (None, name)
        ]

    def _mark_prices(self, params: Params) -> list[object]:
        wanted = params.get("instId")
        rows: list[object] = []
        for name, contract in self._contracts.items():
            day = self._tape.day(contract.key)
            if day is not None and wanted in (None, name):
                kind = words.inst_type(contract)
                price = plain(day.last)
                rows.append(
                    {"instType": kind, "instId": name, "markPx": price, "ts": words.ms(self._now_ns())}
                )
        return rows

    def _tickers(self, params: Params) -> list[object]:
        wanted = params.get("instType")
        return [self.ticker(item) for item in self._contracts.values() if words.inst_type(item) == wanted]

    def _book(self, params: Params) -> list[object]:
        contract = self.contract(params.get("instId", ""))
        rows = words.book_rows(self._tape.ladder(contract.key), int(params.get("sz", "1")))
        return [rows | {"ts": words.ms(self._now_ns()), "seqId": self._now_ns() // NS_PER_MS}]

    def _candles(self, params: Params) -> list[object]:
        contract = self.contract(params.get("instId", ""))
        span_ns = SPANS.get(params.get("bar", "1m").removesuffix("utc"))
        if span_ns is None:
            raise OkxError("51000", "Parameter bar error")
        after_ms, before_ms = int(params.get("after") or 1 << 62), int(params.get("before") or -1)
        now_ns = self._now_ns()
        rows: list[object] = [
            words.candle_row(bar, contract, complete=bar.close_ns <= now_ns)
            for bar in reversed(self._tape.bars(contract.key, span_ns))
            if before_ms < bar.open_ns // NS_PER_MS < after_ms
        ]
        return rows[: int(params.get("limit", "100"))]

    def _trades(self, params: Params) -> list[object]:
        contract = self.contract(params.get("instId", ""))
        prints = self._tape.prints(contract.key)[-int(params.get("limit", "100")) :]
        return [words.print_row(item, contract) for item in reversed(prints)]
