"""Live public data of any exchange ccxt streams: what is traded there, its minutes, trades and best prices.

No key is in it, and its session sends questions only: no order can leave through it, so every public host may
be asked. Instances are never shared with those that trade. Numbers are exact where the venue sends them as
text; where its stream sends JSON numbers (Kraken), ccxt reads them as binary floats, and what is told is the
shortest number that reads the same: what was sent, up to 15 digits.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import TypeVar

from neuratrade.core.model.errors import NeuraTradeError, Retryable, UsageError
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.market import NS_PER_MINUTE, NS_PER_MS, Bar
from neuratrade.feeds.clock import Clock
from neuratrade.feeds.live.source import Piece, SourceOpened
from neuratrade.venues.ccxt.dialects import dialect_of
from neuratrade.venues.ccxt.errors import kinds_of, words_of
from neuratrade.venues.ccxt.exchange import Exchange, make_exchange, own_numbers
from neuratrade.venues.ccxt.markets import MarketsRead, contracts_of
from neuratrade.venues.ccxt.public_stream import MOST_CACHED, PublicStream, check_streams
from neuratrade.venues.ccxt.sink import Sink, TradeIds
from neuratrade.venues.ccxt.symbols import symbol_named
from neuratrade.venues.ccxt.wire import Elsewhere, Wire, watched

PAGE = 300
"""Minutes asked for at once: no exchange we know gives fewer without saying so."""
MS_PER_MINUTE = NS_PER_MINUTE // NS_PER_MS
NEVER = frozenset({"BadSymbol", "NotSupported", "ArgumentsRequired"})

T = TypeVar("T")


class CcxtMarket:
    """Public data of one exchange, in `async with`. name: as ccxt has it.

    elsewhere: where its hosts are found instead, for a rehearsal (see `Wire`). On entry raises UsageError
    where ccxt is not installed, knows no such exchange, or offers no stream of it.
    """

    def __init__(self, name: str, clock: Clock, *, elsewhere: Elsewhere | None = None) -> None:
        self._name = name
        self._clock = clock
        self._elsewhere = elsewhere
        self._dialect = dialect_of(name)
        self._wire = Wire(elsewhere, trades=False)
        self._exchange: Exchange
        self._markets: MarketsRead | None = None
        self._ids = TradeIds()
        self._sink = Sink(self._ids)
        self._main: PublicStream | None = None
        self._again: dict[str, PublicStream] = {}

    @property
    def venue(self) -> str:
        """Name of the exchange."""
        return self._name

    @property
    def hostile(self) -> Mapping[str, int]:
        """How often something came since the stream was opened that could not be read, by what it was."""
        return dict(self._sink.hostile)

    @property
    def unreadable(self) -> Mapping[str, int]:
        """The same."""
        return self.hostile

    async def __aenter__(self) -> "CcxtMarket":
        await self._wire.__aenter__()
        try:
            with own_numbers():
                self._exchange = self._made(self._wire)
            check_streams(self._exchange)
        except BaseException:
            await self._wire.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._exchange.close()
        await self._wire.close()

    def _made(self, wire: Wire) -> Exchange:
        options = {**self._dialect.options, "tradesLimit": MOST_CACHED}
        return make_exchange(self._name, wire, self._clock, None, options, limited=True)

    # questions

    async def instruments(self, symbols: Sequence[str]) -> tuple[Instrument, ...]:
        """What these symbols are, read anew from the exchange."""
        self._markets = await self._read_markets(again=True)
        by_symbol = {symbol: key for key, symbol in self._markets.symbols.items()}
        known = self._exchange.markets or {}
        named = [symbol_named(item, self._name, by_symbol, known) for item in symbols]
        return tuple(self._markets.contracts[by_symbol[symbol]] for symbol in dict.fromkeys(named))

    async def history(self, instrument: Instrument, bars: int, before_ns: int) -> list[Bar]:
        """The last one-minute bars that were complete at `before_ns`, oldest first; as many as it has."""
        if not self._exchange.has.get("fetchOHLCV") or bars < 1:
            return []
        symbol = (await self._symbols([instrument]))[0]
        end_ms = before_ns // NS_PER_MINUTE * MS_PER_MINUTE
        begin_ms = end_ms - bars * MS_PER_MINUTE
        found: dict[int, Bar] = {}
        since_ms = begin_ms
        while since_ms < end_ms:
            wanted = min(PAGE, (end_ms - since_ms) // MS_PER_MINUTE)
            ask = partial(self._exchange.fetch_ohlcv, symbol, "1m", since_ms, wanted)
            page = [row for row in await self._ask(ask) if since_ms <= int(row[0]) < end_ms]
            for row in page:
                found[int(row[0])] = _bar(instrument.key, row)
            # A page without trades may be empty although others follow.
            since_ms = max(int(row[0]) for row in page) if page else since_ms + (wanted - 1) * MS_PER_MINUTE
            since_ms += MS_PER_MINUTE
        return [found[at_ms] for at_ms in sorted(found)]

    async def _symbols(self, instruments: Sequence[Instrument]) -> list[str]:
        """ccxt's symbols of instruments."""
        if self._markets is None:
            self._markets = await self._read_markets(again=False)
        unknown = [item.key for item in instruments if item.key not in self._markets.symbols]
        if unknown:
            raise UsageError(f"{self._name} has no market {', '.join(unknown)}")
        return [self._markets.symbols[item.key] for item in instruments]

    async def _read_markets(self, *, again: bool) -> MarketsRead:
        at_ns = self._clock.now_ns()
        markets = await self._ask(partial(self._exchange.load_markets, again))
        return contracts_of(markets, self._name, at_ns, fee_in_base=self._dialect.fee_in_base)

    async def _ask(self, ask: Callable[[], Awaitable[T]]) -> T:
        """An answer. Raises Retryable where there was none."""
        with own_numbers(), watched(asks=True):
            try:
                return await ask()
            except NeuraTradeError:
                raise
            except Exception as error:
                if kinds_of(error) & NEVER:
                    raise UsageError(f"{self._name} cannot be asked that: {words_of(error)}") from error
                raise Retryable(f"{self._name} gave no answer: {words_of(error)}") from error

    # the stream

    async def pieces(self, instruments: Sequence[Instrument]) -> AsyncGenerator[Piece]:
        """Trades and best prices as they come, from `SourceOpened` on. Raises Retryable when it is lost."""
        symbols = await self._symbols(instruments)
        self._sink = Sink(self._ids)
        wanted = {symbol: item.key for symbol, item in zip(symbols, instruments, strict=True)}
        self._main = PublicStream(
            self._made, self._elsewhere, self._exchange, wanted, self._sink, self._clock
        )
        try:
            async with self._main:
                await self._main.stands()
                yield SourceOpened()
                async for piece in self._sink.read():
                    yield piece
        finally:
            self._main = None
            again, self._again = self._again, {}
            for stream in again.values():
                await stream.__aexit__(None, None, None)

    async def subscribe_again(self, instrument: Instrument) -> None:
        """Asks for it on a connection of its own, the one way every exchange has; the old one is dropped.

        Raises Retryable where that is not granted, or where nothing is streamed.
        """
        (symbol,) = await self._symbols([instrument])
        if self._main is None:
            raise Retryable(f"no stream of {self._name} is open")
        wanted = {symbol: instrument.key}
        stream = PublicStream(self._made, self._elsewhere, self._exchange, wanted, self._sink, self._clock)
        await stream.__aenter__()
        try:
            await stream.stands()
        except BaseException:
            await stream.__aexit__(None, None, None)
            raise
        self._main.drop(symbol)
        before, self._again[symbol] = self._again.get(symbol), stream
        if before is not None:
            await before.__aexit__(None, None, None)


def _bar(key: str, row: Sequence[object]) -> Bar:
    opened, high, low, close, volume = (Decimal(str(item or 0)) for item in row[1:6])
    return Bar(key, NS_PER_MINUTE, int(str(row[0])) * NS_PER_MS, opened, high, low, close, volume)
