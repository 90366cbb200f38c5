"""Opening a live market: its venue's public data, asked what it trades and what happened lately.

Data only: nothing here holds a key that could trade, or reaches a host that takes orders.
"""

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from neuratrade.app.markets import LiveMarket
from neuratrade.core.model.errors import Retryable, UsageError
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.market import Bar
from neuratrade.feeds.clock import Clock
from neuratrade.feeds.live.feed import MakeSource

if TYPE_CHECKING:
    from neuratrade.venues.alpaca.rest import Keys

HISTORY_BARS = 3 * 24 * 60
"""Minutes asked for before a live market is traded; indicators that need more are warm later."""
MOST_SYMBOLS = 50
ASK_S = 120.0
"""How long a venue may take to tell what is asked before the desk opens."""
DEFAULTS = {
    "alpaca": ("BTC/USD", "ETH/USD"),
    "barchart": ("ES", "NQ", "GC"),
    "binance": ("BTC/USDT", "ETH/USDT"),
    "binanceusdm": ("BTC/USDT:USDT", "ETH/USDT:USDT"),
    "kraken": ("BTC/USD", "ETH/USD"),
    "okx": ("BTC/USDT", "ETH/USDT"),
}
"""What is traded where nothing is named."""

Progress = Callable[[str, int, int], None]
Note = Callable[[str], None]


def open_live(
    venue: str, symbols: Sequence[str], clock: Clock, *, host: str, progress: Progress, note: Note
) -> LiveMarket:
    """Asks a venue what it trades, and for its last minutes.

    symbols: as the venue's markets are called, those of `DEFAULTS` where there are none. host: a simulator's
    `127.0.0.1:PORT` instead of the venue. note: takes troubles of its stream. Raises UsageError for a venue
    or symbols that cannot be traded, Retryable where the venue cannot be reached.
    """
    wanted = _wanted(venue, symbols)
    make = source_of(venue, clock, host=host, note=note)
    instruments, history = asyncio.run(_ask(venue, make, wanted, clock, progress))
    quotes = {item.quote for item in instruments}
    if len(quotes) > 1:
        raise UsageError(f"--symbols mixes quote currencies {', '.join(sorted(quotes))}; take one a run")
    return LiveMarket(venue, make, instruments, history)


def source_of(venue: str, clock: Clock, *, host: str, note: Note) -> MakeSource:
    """Connects to a venue's public data. Raises UsageError for a venue that is not known."""
    if venue == "alpaca":
        return _alpaca(clock, host, note)
    if venue == "barchart":
        from neuratrade.app.barchart_market import barchart_source

        return barchart_source(clock, host, note)
    from neuratrade.venues.ccxt.lazy import exchange_class
    from neuratrade.venues.ccxt.market import CcxtMarket

    exchange_class(venue, streams=True)
    return lambda: CcxtMarket(venue, clock, elsewhere=host or None)


def _alpaca(clock: Clock, host: str, note: Note) -> MakeSource:
    from neuratrade.venues.alpaca.market import AlpacaMarket
    from neuratrade.venues.alpaca.market_hosts import PRODUCTION, loopback

    hosts = loopback(f"http://{host}") if host else PRODUCTION
    keys = _alpaca_keys()
    return lambda: AlpacaMarket(clock, keys, hosts=hosts, note=note)


def _alpaca_keys() -> "Keys | None":
    """Of the environment, where both are given; without them there is crypto by REST."""
    from neuratrade.venues.alpaca.rest import Keys

    key, secret = os.environ.get("APCA_API_KEY_ID", ""), os.environ.get("APCA_API_SECRET_KEY", "")
    return Keys(key, secret) if key and secret else None


def _wanted(venue: str, symbols: Sequence[str]) -> tuple[str, ...]:
    wanted = tuple(dict.fromkeys(symbols)) or DEFAULTS.get(venue, ())
    if not wanted:
        raise UsageError(f"--symbols is needed for {venue}, such as --symbols BTC/USDT,ETH/USDT")
    if len(wanted) > MOST_SYMBOLS:
        raise UsageError(f"--symbols names {len(wanted)} symbols; a desk follows {MOST_SYMBOLS} at most")
    return wanted


async def _ask(
    venue: str, make: MakeSource, symbols: Sequence[str], clock: Clock, progress: Progress
) -> tuple[tuple[Instrument, ...], Mapping[str, list[Bar]]]:
    try:
        async with asyncio.timeout(ASK_S), make() as source:
            progress(f"asking {venue} what it trades", 0, 0)
            instruments = await source.instruments(symbols)
            history: dict[str, list[Bar]] = {}
            for number, item in enumerate(instruments):
                progress(f"history of {item.key}", number, len(instruments))
                history[item.key] = await source.history(item, HISTORY_BARS, clock.now_ns())
    except TimeoutError:
        raise Retryable(
            f"{venue} did not tell its markets within {ASK_S:.0f} s; nothing was begun: try again, or name "
            "fewer --symbols"
        ) from None
    return instruments, history
