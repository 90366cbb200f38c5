"""Alpaca's news as it comes.

The text is written by strangers: it is shown and judged, never obeyed, and nothing is traded on it here.
"""

from collections import Counter
from collections.abc import AsyncGenerator, Sequence

import aiohttp
import msgspec

from neuratrade.core.model.errors import UsageError
from neuratrade.feeds.clock import Clock
from neuratrade.venues.alpaca.market_hosts import PRODUCTION, DataHosts, check_data_hosts
from neuratrade.venues.alpaca.market_reader import Codec, Note, Reader
from neuratrade.venues.alpaca.market_rest import ANSWER_S
from neuratrade.venues.alpaca.market_stream import connect
from neuratrade.venues.alpaca.market_wire import Unsound, WireNews, ns_of
from neuratrade.venues.alpaca.rest import Keys

NEWS_STREAM = "/v1beta1/news"
MOST_TEXT = 20_000
"""Characters kept of a headline or summary."""
MOST_SYMBOLS = 500


class NewsItem(msgspec.Struct, frozen=True):
    """One piece of news. headline, summary, url, source: untrusted text, possibly written to mislead.

    symbols: as the venue wrote them. at_ns: when it was published.
    """

    id: int
    headline: str
    summary: str
    symbols: tuple[str, ...]
    at_ns: int
    url: str
    source: str


class AlpacaNews:
    """The stream of news, in `async with`. Raises UsageError without keys, which it always needs."""

    def __init__(
        self,
        clock: Clock,
        keys: Keys | None,
        *,
        codec: Codec = Codec.MSGPACK,
        hosts: DataHosts = PRODUCTION,
        note: Note = lambda _: None,
    ) -> None:
        if keys is None:
            raise UsageError("Alpaca gives its news only to who has keys: a free paper account has some")
        self._keys = keys
        self._codec = codec
        self._url = check_data_hosts(hosts).stream + NEWS_STREAM
        self._reader = Reader(codec, clock, note)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> "AlpacaNews":
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=ANSWER_S))
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    @property
    def left_out(self) -> Counter[str]:
        """How much was left out, by kind."""
        return self._reader.left_out

    async def items(self, symbols: Sequence[str] = ("*",)) -> AsyncGenerator[NewsItem]:
        """News of these symbols, of all by default. Raises as a market stream does when it is lost."""
        if self._session is None:
            raise RuntimeError("the source is not open: use it in `async with`")
        stream = await connect(self._session, self._url, self._keys, self._reader, self._codec)
        try:
            await stream.subscribe({"news": list(symbols)})
            async for message in stream.data():
                if not isinstance(message, WireNews):
                    self._reader.leave_out("data that nobody asked for")
                elif (item := self._item(message)) is not None:
                    yield item
        finally:
            await stream.close()

    def _item(self, wire: WireNews) -> NewsItem | None:
        try:
            at_ns = ns_of(wire.created_at)
        except Unsound as error:
            self._reader.leave_out(str(error))
            return None
        return NewsItem(
            wire.id,
            wire.headline[:MOST_TEXT],
            wire.summary[:MOST_TEXT],
            (wire.symbols or ())[:MOST_SYMBOLS],
            at_ns,
            (wire.url or "")[:MOST_TEXT],
            wire.source[:MOST_TEXT],
        )
