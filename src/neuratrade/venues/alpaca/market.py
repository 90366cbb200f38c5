"""Alpaca's market data as it comes: stocks and crypto by stream, or crypto by REST where there are no keys.

Streams need the keys of an account; a free one has them. Without keys the vendor gives crypto over REST, so
quotes and all trades are asked for every few seconds: complete, and that much later. Data only, from data
hosts only. Bars come from trades elsewhere, never from the stream, so that they are the same everywhere.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing

from neuratrade.core.model.errors import UsageError
from neuratrade.core.model.instrument import Instrument, InstrumentKind
from neuratrade.core.model.market import Bar
from neuratrade.feeds.clock import Clock
from neuratrade.feeds.live.source import Piece, SourceOpened
from neuratrade.venues.alpaca.market_assets import NAME
from neuratrade.venues.alpaca.market_hosts import PRODUCTION, DataHosts, check_data_hosts
from neuratrade.venues.alpaca.market_polling import poll
from neuratrade.venues.alpaca.market_reader import Codec, Note, Reader
from neuratrade.venues.alpaca.market_rest import DataRest
from neuratrade.venues.alpaca.market_stream import Channels, MarketStream, connect
from neuratrade.venues.alpaca.market_wire import WireNews
from neuratrade.venues.alpaca.rest import Keys

FEEDS = ("iex", "sip", "delayed_sip", "test")
CRYPTO_STREAM = "/v1beta3/crypto/us"
MOST_WAITING = 1_000
"""Pieces kept for a reader; then the stream waits, and the venue ends it if that lasts."""
NEEDS_KEYS = (
    "Alpaca streams stocks only to who has keys: give the key and secret of an account (a free paper account "
    "has some), or trade crypto, which needs none"
)


class AlpacaMarket:
    """Live data of Alpaca's, in `async with`.

    keys: None for crypto by REST. feed: of stocks; `iex` is free, `sip` is paid. note: told the first time
    something was left out. Raises Refused for a host that serves no data, UsageError for a feed it lacks.
    """

    def __init__(
        self,
        clock: Clock,
        keys: Keys | None = None,
        *,
        feed: str = "iex",
        codec: Codec = Codec.MSGPACK,
        hosts: DataHosts = PRODUCTION,
        note: Note = lambda _: None,
    ) -> None:
        if feed not in FEEDS:
            raise UsageError(f"feed {feed!r} of stocks is not known; choose one of {', '.join(FEEDS)}")
        self._clock = clock
        self._keys = keys
        self._codec = codec
        self._hosts = check_data_hosts(hosts)
        self._stocks = f"/v2/{feed}"
        self._reader = Reader(codec, clock, note)
        self._rest = DataRest(hosts, keys, "sip" if feed == "delayed_sip" else feed, clock)
        self._streams: dict[str, MarketStream] = {}

    async def __aenter__(self) -> "AlpacaMarket":
        await self._rest.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._rest.__aexit__()

    @property
    def venue(self) -> str:
        """`alpaca`."""
        return NAME

    @property
    def left_out(self) -> Counter[str]:
        """How much was left out of the streams, by kind."""
        return self._reader.left_out

    @property
    def unreadable(self) -> Mapping[str, int]:
        """The same."""
        return dict(self._reader.left_out)

    async def instruments(self, symbols: Sequence[str]) -> tuple[Instrument, ...]:
        """What these symbols are, by the list of assets; without keys, by what is quoted.

        Raises UsageError for what is not traded or needs keys, Retryable where nobody answers.
        """
        return tuple([await self._rest.instrument(symbol) for symbol in symbols])

    async def history(self, instrument: Instrument, bars: int, before_ns: int) -> list[Bar]:
        """The venue's own minutes in which something was traded.

        Those of crypto without a trade it makes of quotes; they are left out, as a stream of trades has none.
        """
        found, broken = await self._rest.history(instrument, bars, before_ns)
        for _ in range(broken):
            self._reader.leave_out("bars that contradict themselves")
        return found

    async def pieces(self, instruments: Sequence[Instrument]) -> AsyncGenerator[Piece]:
        """Quotes and trades. Raises UsageError where asking again cannot help, else Retryable."""
        groups: dict[str, dict[str, str]] = {}
        for item in instruments:
            path = CRYPTO_STREAM if item.kind is InstrumentKind.SPOT else self._stocks
            groups.setdefault(path, {})[item.asset] = item.key
        if self._keys is None:
            if self._stocks in groups:
                raise UsageError(NEEDS_KEYS)
            found = poll(self._rest, self._reader, self._clock, groups.get(CRYPTO_STREAM, {}))
        else:
            found = self._streamed(self._keys, groups)
        async with aclosing(found):
            async for piece in found:
                yield piece

    async def subscribe_again(self, instrument: Instrument) -> None:
        """Leaves the channels of an instrument and joins them again. By REST there is nothing to join."""
        path = CRYPTO_STREAM if instrument.kind is InstrumentKind.SPOT else self._stocks
        stream = self._streams.get(path)
        if stream is not None:
            await stream.ask("unsubscribe", _channels([instrument.asset]))
            await stream.ask("subscribe", _channels([instrument.asset]))

    async def _streamed(self, keys: Keys, groups: dict[str, dict[str, str]]) -> AsyncGenerator[Piece]:
        # Its own, for another call may have begun before the garbage of this one is collected.
        streams: dict[str, MarketStream] = {}
        self._streams = streams
        try:
            for path, names in groups.items():
                stream = await connect(
                    self._rest.session, self._hosts.stream + path, keys, self._reader, self._codec
                )
                streams[path] = stream
                await stream.subscribe(_channels(list(names)))
            yield SourceOpened()
            heard = [self._heard(streams[path], names) for path, names in groups.items()]
            async with aclosing(merged(heard) if len(heard) > 1 else heard[0]) as pieces:
                async for piece in pieces:
                    yield piece
        finally:
            for stream in streams.values():
                await stream.close()

    async def _heard(self, stream: MarketStream, names: dict[str, str]) -> AsyncGenerator[Piece]:
        async with aclosing(stream.data()) as data:
            async for message in data:
                piece = self._reader.piece(
                    message, names.get("" if isinstance(message, WireNews) else message.symbol, "")
                )
                if piece is not None:
                    yield piece


async def merged(sources: Sequence[AsyncGenerator[Piece]]) -> AsyncGenerator[Piece]:
    """Pieces of several sources as they come. Raises what the first raised, after what came before."""
    ready: asyncio.Queue[Piece | Exception] = asyncio.Queue(MOST_WAITING)

    async def forward(source: AsyncGenerator[Piece]) -> None:
        try:
            async with aclosing(source):
                async for piece in source:
                    await ready.put(piece)
        except Exception as error:  # noqa: BLE001 - whoever reads is to be told all of them
            await ready.put(error)

    tasks = [asyncio.create_task(forward(source)) for source in sources]
    try:
        while True:
            item = await ready.get()
            if isinstance(item, Exception):
                raise item
            yield item
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _channels(symbols: Sequence[str]) -> Channels:
    return {"trades": symbols, "quotes": symbols}
