"""A live market as a feed: connected anew when it is lost, watched for silence, its bars whole.

Pieces are stamped with the time they are received, as everything that comes through the door; a bar is made
by the venue's times of its trades. What came too late to be the present is dropped and counted. Nothing here
ends by itself: a venue that cannot be reached is tried for ever, and the desk is told that prices stalled.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, suppress

from msgspec.structs import replace

from neuratrade.core.model.errors import UsageError
from neuratrade.core.model.events import FeedStalled
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.market import NS_PER_MINUTE, NS_PER_SECOND, Bar, Quote, Trade
from neuratrade.feeds.clock import Clock, backoff_s
from neuratrade.feeds.live.minutes import Minutes
from neuratrade.feeds.live.silence import Silence
from neuratrade.feeds.live.source import BookLost, MarketSource, Piece, SourceOpened
from neuratrade.feeds.port import Slice

MakeSource = Callable[[], AbstractAsyncContextManager[MarketSource]]

GRACE_NS = NS_PER_SECOND
"""How long after its close a bar waits for trades that are still on their way."""
ASK_S = 20.0
"""How long a venue may take to tell what was missed."""
LATE_NS = 10 * NS_PER_SECOND
"""A piece that is older than this on its receipt is no present price."""
LOOK_NS = NS_PER_SECOND
"""Whoever looks every so often looks at the same moments, so that the desk is woken once."""
WAITING = 4096
"""Pieces that may wait for the desk; then the connection waits."""


class LiveFeed:
    """The live market of one venue.

    make: a source, connected when entered; used once a run. history: bars known so far, by instrument key,
    oldest first. note: takes troubles that do not end anything. late, lost: pieces that came too late, and
    connections that were lost.
    """

    def __init__(
        self,
        make: MakeSource,
        instruments: Sequence[Instrument],
        history: Mapping[str, list[Bar]],
        note: Callable[[str], None],
    ) -> None:
        self._make = make
        self._instruments = {item.key: item for item in instruments}
        self._history = {key: list(bars) for key, bars in history.items()}
        self._minutes = {
            key: Minutes(item, self._history[key][-1].close_ns if self._history.get(key) else None)
            for key, item in self._instruments.items()
        }
        self._note = note
        self._queue: asyncio.Queue[Slice | BaseException] = asyncio.Queue(WAITING)
        self._opened = asyncio.Event()
        self._stood = False
        self.late = 0
        self.lost = 0

    @property
    def instruments(self) -> tuple[Instrument, ...]:
        """Every instrument it tells of."""
        return tuple(self._instruments.values())

    def history(self, before_ns: int, bars: int) -> dict[str, list[Bar]]:
        """Per instrument key, the last bars that were complete at `before_ns`."""
        return {
            key: [bar for bar in known if bar.close_ns <= before_ns][-bars:]
            for key, known in self._history.items()
        }

    async def stream(self, clock: Clock) -> AsyncIterator[Slice]:
        """Slices as they come, for ever. Raises UsageError where it can never open."""
        silence = Silence(self._instruments, clock.now_ns())
        async with self._make() as source:
            work = (
                self._listen(source, silence, clock),
                self._close_minutes(source, clock),
                self._watch(source, silence, clock),
            )
            tasks = [asyncio.create_task(item) for item in work]
            for task in tasks:
                task.add_done_callback(self._ended)
            try:
                while True:
                    piece = await self._queue.get()
                    if isinstance(piece, BaseException):
                        raise piece
                    yield piece
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    def _ended(self, task: asyncio.Task[None]) -> None:
        problem = None if task.cancelled() else task.exception()
        if problem is not None:
            with suppress(asyncio.QueueEmpty):
                if self._queue.full():
                    self._queue.get_nowait()
            self._queue.put_nowait(problem)

    # the connection

    async def _listen(self, source: MarketSource, silence: Silence, clock: Clock) -> None:
        failed = 0
        while True:
            problem = "it ended"
            listening = asyncio.create_task(self._hear(source, silence, clock))
            mute = asyncio.create_task(self._all_mute(silence, clock))
            try:
                done, _ = await asyncio.wait((listening, mute), return_when=asyncio.FIRST_COMPLETED)
                if mute in done:
                    problem = "nothing was heard"
                else:
                    listening.result()
            except UsageError as error:
                # What will not be otherwise the next time ends a desk that has just begun, with its reason.
                if not self._stood:
                    raise
                problem = str(error)
            except Exception as error:  # noqa: BLE001 - whatever breaks a stream, it is connected anew
                problem = f"{type(error).__name__}: {error}"
            finally:
                for task in (listening, mute):
                    task.cancel()
                await asyncio.gather(listening, mute, return_exceptions=True)
            if self._opened.is_set():
                failed = 0
                self.lost += 1
            await self._stall(clock)
            wait_s = backoff_s(failed)
            self._note(f"prices of {source.venue} were lost ({problem}): connecting anew in {wait_s:.1f} s")
            await clock.sleep(wait_s)
            failed += 1

    async def _hear(self, source: MarketSource, silence: Silence, clock: Clock) -> None:
        async with aclosing(source.pieces(self.instruments)) as pieces:
            async for piece in pieces:
                await self._take(piece, silence, clock.now_ns())

    async def _all_mute(self, silence: Silence, clock: Clock) -> None:
        """Ends once the connection stands and nobody says anything any more."""
        while not (self._opened.is_set() and silence.is_total):
            await _next_look(clock)

    async def _stall(self, clock: Clock) -> None:
        """No prices from here on."""
        self._opened.clear()
        for key, minutes in self._minutes.items():
            minutes.lost()
            await self._queue.put(FeedStalled(clock.now_ns(), key, stalled=True))

    async def _take(self, piece: Piece, silence: Silence, now_ns: int) -> None:
        if isinstance(piece, SourceOpened):
            self._opened.set()
            self._stood = True
            silence.opened(now_ns)
            for key, minutes in self._minutes.items():
                minutes.opened(now_ns)
                await self._queue.put(FeedStalled(now_ns, key, stalled=False))
            return
        if isinstance(piece, BookLost):
            self._note(f"the book of {piece.instrument} was lost ({piece.reason}); it is fetched anew")
            return
        if silence.heard(piece.instrument, now_ns):
            await self._queue.put(FeedStalled(now_ns, piece.instrument, stalled=False))
        if isinstance(piece, Trade):
            self._minutes[piece.instrument].take(piece)
        if piece.at_ns < now_ns - LATE_NS:
            self.late += 1
            return
        await self._queue.put(_received(piece, now_ns))

    # time

    async def _close_minutes(self, source: MarketSource, clock: Clock) -> None:
        """Gives out the bars of each minute, a moment after it ended."""
        while True:
            now_ns = clock.now_ns()
            close_ns = now_ns - now_ns % NS_PER_MINUTE + NS_PER_MINUTE
            await clock.sleep((close_ns + GRACE_NS - now_ns) / NS_PER_SECOND)
            found = await asyncio.gather(
                *(self._bars(minutes, close_ns, source) for minutes in self._minutes.values())
            )
            by_close: dict[int, list[Bar]] = {}
            for bar in (bar for bars in found for bar in bars):
                by_close.setdefault(bar.close_ns, []).append(bar)
            for at_ns in sorted(by_close):
                await self._queue.put(by_close[at_ns])

    async def _bars(self, minutes: Minutes, close_ns: int, source: MarketSource) -> list[Bar]:
        try:
            async with asyncio.timeout(ASK_S):
                return await minutes.ended_by(close_ns, source.history)
        except Exception as error:  # noqa: BLE001 - asked again at the end of the next minute
            problem = f"{type(error).__name__}: {error}"
            self._note(f"bars of {minutes.instrument.key} are missing and could not be had yet ({problem})")
            return []

    async def _watch(self, source: MarketSource, silence: Silence, clock: Clock) -> None:
        """Tells who fell silent while the connection stands, and asks for it anew."""
        while True:
            await _next_look(clock)
            if not self._opened.is_set():
                continue
            for key in silence.fell(clock.now_ns()):
                silent_s = silence.age_ns(key, clock.now_ns()) / NS_PER_SECOND
                self._note(f"{key} has been silent for {silent_s:.0f} s: asking for it anew")
                await self._queue.put(FeedStalled(clock.now_ns(), key, stalled=True))
                try:
                    async with asyncio.timeout(ASK_S):
                        await source.subscribe_again(self._instruments[key])
                except Exception as error:  # noqa: BLE001 - told again when its silence has doubled
                    self._note(f"{key} could not be asked for anew ({type(error).__name__}: {error})")


async def _next_look(clock: Clock) -> None:
    await clock.sleep((LOOK_NS - clock.now_ns() % LOOK_NS) / NS_PER_SECOND)


def _received(piece: Quote | Trade, now_ns: int) -> Quote | Trade:
    return replace(piece, at_ns=now_ns)
