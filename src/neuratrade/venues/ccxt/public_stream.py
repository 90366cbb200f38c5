"""Public trades and best prices of one ccxt exchange as they come, each once, until the connection is lost.

ccxt keeps what it heard in caches and wakes whoever waits. Who waits again and again for many symbols is
given those of one, may be given them twice, and pays for every symbol with each message. So here a symbol is
asked for once, and after each batch of messages the caches themselves are emptied. A cache that ran over in
between is a loss, and is told as one.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from decimal import Decimal
from functools import partial
from types import TracebackType
from typing import Any, NamedTuple

from neuratrade.core.model.errors import Retryable, UsageError
from neuratrade.core.model.market import NS_PER_SECOND, Quote
from neuratrade.feeds.clock import Clock
from neuratrade.feeds.live.source import BookLost
from neuratrade.venues.ccxt.errors import kinds_of, words_of
from neuratrade.venues.ccxt.exchange import Exchange, own_numbers, tap
from neuratrade.venues.ccxt.public_words import Row, quote_of, quote_of_book, trade_of
from neuratrade.venues.ccxt.sink import Sink
from neuratrade.venues.ccxt.wire import Elsewhere, Wire

STAND_S = 15.0
LOOK_S = 0.02
LOOKS = 3
QUIET_LOOKS, LONG_LOOKS = 50, 250
"""How long nothing may be refused until a stream stands whose venue's answers are not known here: after all
was asked for; and where less was said than that, since some venues read from an address what is wanted."""
MOST_SYMBOLS = 100
MOST_CACHED = 5_000
NEWS_NS = 2 * NS_PER_SECOND
"""A trade that is older than its subscription by more than this is history, not news."""
ENDED = "the connection ended"
LOST_BOOKS = frozenset({"ChecksumError", "InvalidNonce"})
MOST_LOST_BOOKS = 5


class Answers(NamedTuple):
    """How a venue answers subscriptions. each: once for every symbol, or once for every message."""

    is_one: Callable[[Row], bool]
    each: bool


ANSWERS = {
    "binance": Answers(lambda row: row.get("id") is not None and row.get("result", row) is None, each=False),
    "kraken": Answers(lambda row: row.get("method") == "subscribe" and row.get("success") is True, each=True),
    "okx": Answers(lambda row: row.get("event") == "subscribe", each=True),
}
ANSWERS["binanceusdm"] = ANSWERS["binance"]
TRADE_PARAMS: dict[str, Mapping[str, Any]] = {"kraken": {"snapshot": False}}
"""What asks a venue not to begin with trades of the past."""


class PublicStream:
    """A stream, in `async with`. make: a new instance on a wire. known: one whose markets it may use.

    instruments: by ccxt's symbol.
    """

    def __init__(
        self,
        make: Callable[[Wire], Exchange],
        elsewhere: Elsewhere | None,
        known: Exchange,
        instruments: Mapping[str, str],
        sink: Sink,
        clock: Clock,
    ) -> None:
        self._make = make
        self._known = known
        self._instruments = dict(instruments)
        self._sink = sink
        self._clock = clock
        self._wire = Wire(elsewhere, trades=False)
        self._asked: list[asyncio.Task[None]] = []
        self._books: dict[str, asyncio.Task[None]] = {}
        self._answers = 0
        self._heard = False
        self._is_reading = False
        self._is_over = False
        self._begun_ns = 0
        self._seen: dict[str, object] = {}
        self._lost: Exception | None = None
        self._exchange: Exchange

    async def __aenter__(self) -> "PublicStream":
        await self._wire.__aenter__()
        with own_numbers():
            made = self._exchange = self._make(self._wire)
            made.set_markets(self._known.markets, self._known.currencies)
            if not made.has.get("watchBidsAsks"):
                # Books are kept in order by arithmetic, which texts have none of.
                made.number = Decimal
            tap(made, self._hear, self._forgive)
            self._watch_ends()
            self._begun_ns = self._clock.now_ns()
            self._ask_all(list(self._instruments))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_over = True
        tasks = [*self._asked, *self._books.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._exchange.close()
        await self._wire.close()

    def drop(self, symbol: str) -> None:
        """Tells nothing of a symbol any more: another stream does."""
        self._instruments.pop(symbol, None)
        task = self._books.pop(symbol, None)
        if task is not None:
            task.cancel()

    async def stands(self) -> None:
        """Returns once all that was asked for is granted. Raises Retryable where it is not, or too late."""
        looks, said = 0, 0
        known = self._exchange.id in ANSWERS
        for _ in range(round(STAND_S / LOOK_S)):
            self._check()
            await self._clock.sleep(LOOK_S)
            quiet = self._wire.frames_sent == said
            said = self._wire.frames_sent
            looks = looks + 1 if quiet and self._is_up() else 0
            asks = len(self._asked) + len(self._books)
            if looks >= (LOOKS if known else QUIET_LOOKS if said >= asks else LONG_LOOKS):
                return
        raise Retryable(f"{self._exchange.id} did not grant all subscriptions within {STAND_S:g} s")

    # asking

    def _ask_all(self, symbols: Sequence[str]) -> None:
        has, exchange = self._exchange.has, self._exchange
        pages = [symbols[at : at + MOST_SYMBOLS] for at in range(0, len(symbols), MOST_SYMBOLS)]
        params = TRADE_PARAMS.get(exchange.id, {})
        if has.get("watchTradesForSymbols"):
            for page in pages:
                self._ask(partial(exchange.watch_trades_for_symbols, page, None, None, dict(params)))
        else:
            for symbol in symbols:
                self._ask(partial(exchange.watch_trades, symbol, None, None, dict(params)))
        if has.get("watchBidsAsks"):
            for page in pages:
                self._ask(partial(exchange.watch_bids_asks, page))
        elif has.get("watchOrderBook"):
            self._books = {symbol: asyncio.create_task(self._watch_book(symbol)) for symbol in symbols}
        else:
            for symbol in symbols:
                self._ask(partial(exchange.watch_ticker, symbol))

    def _ask(self, watch: Callable[[], Awaitable[object]]) -> None:
        self._asked.append(asyncio.create_task(self._wait(watch)))

    async def _wait(self, watch: Callable[[], Awaitable[object]]) -> None:
        """Asks once; what comes is read from the caches."""
        try:
            with own_numbers():
                await watch()
        except Exception as error:  # noqa: BLE001 - ccxt's classes are there only once ccxt is
            # Its own reading of a cache may stumble; only what it says of the venue counts.
            if "BaseError" in kinds_of(error) or not self._heard:
                self._lose(error)

    async def _watch_book(self, symbol: str) -> None:
        lost = 0
        while True:
            try:
                with own_numbers():
                    book = await self._exchange.watch_order_book(symbol)
            except Exception as error:  # noqa: BLE001 - as above
                lost += 1
                if not kinds_of(error) & LOST_BOOKS or lost > MOST_LOST_BOOKS:
                    self._lose(error)
                    return
                self._sink.put(BookLost(self._instruments[symbol], words_of(error)))
                continue
            lost = 0
            self._tell(symbol, quote_of_book, book, self._clock.now_ns())

    # its end

    def _watch_ends(self) -> None:
        """Leaves a promise with each connection that nobody keeps: it is broken when the connection ends."""
        connect = self._exchange.client

        def client(url: str) -> Any:
            made = connect(url)
            if ENDED not in made.futures and not self._is_over:
                made.future(ENDED).add_done_callback(self._ended)
            return made

        self._exchange.client = client  # type: ignore[method-assign]

    def _ended(self, promised: "asyncio.Future[object]") -> None:
        if not promised.cancelled():
            error = promised.exception()
            self._lose(error if isinstance(error, Exception) else Retryable(ENDED))

    def _lose(self, error: Exception) -> None:
        """The end, after what came before it."""
        self._read()
        self._end(error)

    def _end(self, error: Exception) -> None:
        if not self._is_over and self._lost is None:
            self._lost = Retryable(f"the stream of {self._exchange.id} was lost: {words_of(error)}")
            self._lost.__cause__ = error
            self._sink.lose(self._lost)

    def _check(self) -> None:
        if self._lost is not None:
            raise self._lost

    def _is_up(self) -> bool:
        clients = [item for item in self._exchange.clients.values() if item.connecting or item.connection]
        if not clients or not all(client.isConnected for client in clients):
            return False
        answers = ANSWERS.get(self._exchange.id)
        if answers is None:
            return True
        return self._answers >= (2 * len(self._instruments) if answers.each else len(self._asked))

    # what comes

    def _hear(self, message: object) -> None:
        self._heard = True
        answers = ANSWERS.get(self._exchange.id)
        if answers is not None and isinstance(message, dict):
            self._answers += answers.is_one(message)
        if not self._is_reading:
            self._is_reading = True
            asyncio.get_running_loop().call_soon(self._read)

    def _forgive(self, error: Exception) -> None:
        self._sink.note("a frame", error)

    def _read(self) -> None:
        """Takes from the caches what came since."""
        self._is_reading = False
        if self._is_over or self._lost is not None:
            return
        now_ns = self._clock.now_ns()
        exchange = self._exchange
        for symbol in self._instruments:
            cache = exchange.trades.get(symbol)
            if cache:
                self._read_trades(symbol, cache)
            best = exchange.bidsasks.get(symbol) or exchange.tickers.get(symbol)
            if best is not None and best is not self._seen.get(symbol):
                self._seen[symbol] = best
                self._tell(symbol, quote_of, best, now_ns)

    def _read_trades(self, symbol: str, cache: Sequence[Row]) -> None:
        if len(cache) >= MOST_CACHED:
            self._end(Retryable(f"more trades of {symbol} came at once than ccxt keeps"))
            return
        rows = list(cache)
        # Kept, they would be told again, and hundreds of thousands of them walked by each garbage collection.
        cache.clear()  # type: ignore[attr-defined]
        for row in rows:
            self._tell_trade(symbol, row)

    def _tell_trade(self, symbol: str, row: Row) -> None:
        instrument = self._instruments[symbol]
        try:
            trade = trade_of(row, instrument)
        except Exception as error:  # noqa: BLE001 - a frame is anything; what is none must not end the rest
            self._sink.note(symbol, error)
            return
        if trade.at_ns >= self._begun_ns - NEWS_NS and self._sink.ids.is_new(instrument, row.get("id")):
            self._sink.put(trade)

    def _tell(self, symbol: str, read: Callable[[Row, str, int], Quote], row: Row, now_ns: int) -> None:
        instrument = self._instruments.get(symbol)
        if instrument is None:
            return
        try:
            self._sink.put(read(row, instrument, now_ns))
        except Exception as error:  # noqa: BLE001 - as above
            self._sink.note(symbol, error)


def check_streams(exchange: Exchange) -> None:
    """Raises UsageError where ccxt offers no trades or no best prices of an exchange as they come."""
    has = exchange.has
    lacks = [] if has.get("watchTrades") or has.get("watchTradesForSymbols") else ["trades"]
    if not any(has.get(name) for name in ("watchBidsAsks", "watchOrderBook", "watchTicker")):
        lacks.append("best prices")
    if lacks:
        raise UsageError(f"ccxt offers no stream of {' and '.join(lacks)} of {exchange.id}")
