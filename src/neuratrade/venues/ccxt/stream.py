"""The private stream of one account through ccxt: orders and executions, as they come, until it is lost.

Each stream is an exchange instance of its own, so that nothing a lost one left behind is taken for news. It
stands when every connection is up and all that was asked on them was answered. A connection that answers no
ping is lost (`wire.py`); ccxt itself would wait on it for as long as it likes.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import Any

from neuratrade.venues.ccxt.dialect import Dialect
from neuratrade.venues.ccxt.errors import Doubtful, words_of
from neuratrade.venues.ccxt.exchange import Exchange, Order, Trade, own_numbers, tap
from neuratrade.venues.ccxt.wire import Elsewhere, Wire

STAND_S = 15.0
LOOK_S = 0.02
LOOKS = 3

Told = tuple[str, Sequence[Order] | Sequence[Trade]]


class PrivateStream:
    """A stream, in `async with`. make: a new instance on a wire. known: one whose markets it may use."""

    def __init__(
        self, make: Callable[[Wire], Exchange], elsewhere: Elsewhere | None, dialect: Dialect, known: Exchange
    ) -> None:
        self._make = make
        self._dialect = dialect
        self._known = known
        self._wire = Wire(elsewhere, trades=True)
        self._queue: asyncio.Queue[Told] = asyncio.Queue()
        self._answers = 0
        self._pumps: list[asyncio.Task[None]] = []
        self._exchange: Exchange

    async def __aenter__(self) -> "PrivateStream":
        await self._wire.__aenter__()
        with own_numbers():
            made = self._make(self._wire)
            made.options["timeDifference"] = self._known.options.get("timeDifference", 0)
            made.set_markets(self._known.markets, self._known.currencies)
            tap(made, self._hear)
            self._exchange = made
            watches = [("orders", made.watch_orders)]
            if made.has.get("watchMyTrades"):
                watches.append(("trades", made.watch_my_trades))
            self._pumps = [asyncio.create_task(self._pump(what, watch)) for what, watch in watches]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for pump in self._pumps:
            pump.cancel()
        await asyncio.gather(*self._pumps, return_exceptions=True)
        await self._exchange.close()
        await self._wire.close()

    async def stands(self) -> None:
        """Returns once it stands. Raises Doubtful where it does not in time, or is refused."""
        try:
            async with asyncio.timeout(STAND_S):
                looks = 0
                while looks < LOOKS:
                    self._check()
                    await asyncio.sleep(LOOK_S)
                    looks = looks + 1 if self._is_up() else 0
        except TimeoutError as late:
            raise Doubtful(f"the stream did not stand within {STAND_S:g} s") from late

    async def next(self) -> Told:
        """What is told next. Raises Doubtful when the stream is lost, after all that came before."""
        waiting = asyncio.create_task(self._queue.get())
        try:
            await asyncio.wait([waiting, *self._pumps], return_when=asyncio.FIRST_COMPLETED)
            if waiting.done():
                return waiting.result()
            self._check()
            raise Doubtful("the stream ended")
        finally:
            waiting.cancel()

    def _is_up(self) -> bool:
        # ccxt keeps some that are never dialled: they only order callers who log in at the same time.
        clients = [item for item in self._exchange.clients.values() if item.connecting or item.connection]
        connected = bool(clients) and all(client.isConnected for client in clients)
        said = self._wire.frames_sent
        return connected and self._answers >= said and (said > 0 or not self._dialect.subscribes)

    def _hear(self, message: object) -> None:
        self._answers += self._dialect.acknowledges(message)

    def _check(self) -> None:
        for pump in self._pumps:
            if pump.done() and not pump.cancelled():
                error = pump.exception()
                words = words_of(error) if isinstance(error, Exception) else str(error)
                raise Doubtful(f"the stream was lost: {words}") from error

    async def _pump(self, what: str, watch: Callable[[], Awaitable[Sequence[Any]]]) -> None:
        with own_numbers():
            while True:
                # Nothing may be awaited between two of these: what comes meanwhile would wait for more.
                self._queue.put_nowait((what, [dict(item) for item in await watch()]))
