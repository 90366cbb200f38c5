"""Alpaca's news: typed, bounded, and as hostile as it likes without ending the stream."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest

from neuratrade.core.model.errors import Refused, Retryable, UsageError
from neuratrade.rehearsal.alpaca_words import At
from neuratrade.rehearsal.faults import Fault, FaultKind
from neuratrade.venues.alpaca.market_hosts import DataHosts
from neuratrade.venues.alpaca.market_reader import Codec
from neuratrade.venues.alpaca.news import MOST_SYMBOLS, MOST_TEXT, AlpacaNews, NewsItem
from tests.unit.rehearsal.exchange import BEGIN_NS, warped
from tests.unit.venues.alpaca.market_stage import KEYS, Floor, clock, floor

AT_NS = BEGIN_NS + 1_234_567_891
WIRE = {
    "id": 24843171, "headline": "A headline", "summary": "A summary", "author": "An author",
    "created_at": At(AT_NS), "updated_at": At(AT_NS), "content": "<p>", "url": "https://example.com/1",
    "symbols": ["AAPL", "MSFT"], "source": "benzinga",
}  # fmt: skip
ITEM = NewsItem(
    24843171, "A headline", "A summary", ("AAPL", "MSFT"), AT_NS, "https://example.com/1", "benzinga"
)
CODECS = pytest.mark.parametrize("codec", list(Codec))


class Desk:
    """A source of news, and what it told."""

    def __init__(self, here: Floor, news: AlpacaNews) -> None:
        self.here = here
        self.news = news
        self.told: list[NewsItem] = []
        self.lost: BaseException | None = None
        self.notes: list[str] = []

    async def tell(self, **terms: Any) -> None:
        """The venue tells a piece of news."""
        self.here.simulator.market_streams.publish_news(WIRE | terms)
        await asyncio.sleep(2.0)

    async def hear(self, *symbols: str) -> None:
        """Listens."""
        try:
            async with aclosing(self.news.items(symbols or ("*",))) as items:
                async for item in items:
                    self.told.append(item)
        except Exception as error:  # noqa: BLE001 - a test says what it may be
            self.lost = error


@asynccontextmanager
async def reading(
    *plan: Fault, codec: Codec = Codec.MSGPACK, symbols: tuple[str, ...] = ()
) -> AsyncIterator[Desk]:
    """A venue with news, and a reader of it."""
    async with floor(*plan) as here:
        notes: list[str] = []
        async with AlpacaNews(
            clock(), KEYS, codec=codec, hosts=here.market._hosts, note=notes.append
        ) as news:
            desk = Desk(here, news)
            desk.notes = notes
            task = asyncio.create_task(desk.hear(*symbols))
            await asyncio.sleep(2.0)
            yield desk
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@CODECS
@warped
async def test_news_is_told_with_its_time_to_the_nanosecond(codec: Codec) -> None:
    async with reading(codec=codec) as desk:
        await desk.tell()
        assert desk.told == [ITEM]
        with pytest.raises(AttributeError):
            desk.told[0].headline = "another"  # type: ignore[misc]


@warped
async def test_only_news_of_the_symbols_asked_for_is_told() -> None:
    async with reading(symbols=("MSFT",)) as desk:
        await desk.tell()
        await desk.tell(symbols=["TSLA"])
        assert desk.told == [ITEM]


@CODECS
@pytest.mark.parametrize("terms", [
    {"id": "seven"}, {"headline": None}, {"headline": 7}, {"created_at": 7}, {"created_at": "today"},
    {"summary": ["a"]}, {"symbols": "AAPL"}, {"symbols": [1, 2]}, {"url": {"a": 1}}, {"source": True},
])  # fmt: skip
@warped
async def test_news_without_sense_is_left_out_and_the_next_is_told(
    terms: dict[str, Any], codec: Codec
) -> None:
    async with reading(codec=codec) as desk:
        for said in ("*", "AAPL"):
            desk.here.simulator.market_streams.publish_news(
                WIRE | terms | ({} if "symbols" in terms else {"symbols": [said]})
            )
        await desk.tell()
        assert desk.told == [ITEM]
        assert desk.lost is None
        assert sum(desk.news.left_out.values()) == 2
        assert len(desk.notes) == 1


@warped
async def test_news_beyond_all_measure_is_cut_to_size() -> None:
    async with reading() as desk:
        await desk.tell(headline="x" * 10**6, summary="y" * 10**6, symbols=["AAPL"] * 10**4, url="z" * 10**6)
        (item,) = desk.told
        assert [len(text) for text in (item.headline, item.summary, item.url)] == [MOST_TEXT] * 3
        assert len(item.symbols) == MOST_SYMBOLS


@warped
async def test_news_of_nothing_in_particular_is_news_too() -> None:
    async with reading() as desk:
        await desk.tell(symbols=None, url=None)
        await desk.tell(symbols=[])
        assert [(item.symbols, item.url) for item in desk.told] == [((), ""), ((), ITEM.url)]


@warped
async def test_a_stream_of_news_that_is_cut_says_so() -> None:
    async with reading(Fault(10.0, FaultKind.PRICES_CUT)) as desk:
        await desk.tell()
        await asyncio.sleep(30.0)
        assert desk.told == [ITEM]
        assert isinstance(desk.lost, Retryable)


@warped
async def test_news_needs_keys_and_a_host_of_data() -> None:
    with pytest.raises(UsageError, match="keys"):
        AlpacaNews(clock(), None)
    with pytest.raises(Refused):
        AlpacaNews(clock(), KEYS, hosts=DataHosts(stream="wss://api.alpaca.markets"))
