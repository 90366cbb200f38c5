"""Crypto of Alpaca's without keys: the newest quotes and every trade, asked for every few seconds.

A trade may be listed a little after others that came later, so each question reaches back beyond the one
before; what was told already is not told again.
"""

from collections.abc import AsyncGenerator, Mapping

from neuratrade.core.model.market import NS_PER_SECOND
from neuratrade.feeds.clock import Clock
from neuratrade.feeds.live.source import Piece, SourceOpened
from neuratrade.venues.alpaca.market_reader import Reader
from neuratrade.venues.alpaca.market_rest import DataRest
from neuratrade.venues.alpaca.market_wire import WireQuote

EVERY_S = 2
"""Two questions each time: 60 a minute, of the 200 that an account has; who has none gets fewer."""
AFTER_NS = NS_PER_SECOND // 4
REACH_NS = 60 * NS_PER_SECOND


async def poll(
    rest: DataRest, reader: Reader, clock: Clock, keys: Mapping[str, str]
) -> AsyncGenerator[Piece]:
    """Pieces of crypto pairs. keys: instrument by symbol. Raises as `DataRest` does."""
    symbols = list(keys)
    quoted: dict[str, WireQuote] = {}
    begin_ns = asked_ns = clock.now_ns()
    is_open = False
    while True:
        now_ns = clock.now_ns()
        trades = await rest.trades_since(symbols, max(asked_ns - REACH_NS, begin_ns))
        quotes = await rest.latest_quotes(symbols)
        asked_ns = now_ns
        if not is_open:
            is_open = True
            yield SourceOpened()
        for symbol, key in keys.items():
            for trade in trades.get(symbol, []):
                if not reader.knows(trade, key) and (piece := reader.piece(trade, key)) is not None:
                    yield piece
            quote = quotes.get(symbol)
            if quote is not None and quote != quoted.get(symbol):
                quoted[symbol] = quote
                if (piece := reader.piece(quote, key)) is not None:
                    yield piece
        await clock.sleep(_wait_s(clock.now_ns()))


def _wait_s(now_ns: int) -> float:
    """Until the next question. One comes soon after each minute, before the bar of that minute is made."""
    every_ns = EVERY_S * NS_PER_SECOND
    return (every_ns - (now_ns - AFTER_NS) % every_ns) / NS_PER_SECOND
