"""A live market as a feed: connected anew when it is lost, watched for silence, its bars whole.

Pieces are stamped with the time they are received, as everything that comes through the door; a bar is made
by the venue's times of its trades. What came too late to be the present is dropped and counted. Nothing here
ends by itself: a venue that cannot be reached is tried for ever, and the desk is told that prices stalled.
Where to connect anew would do harm, nothing is, and prices stay stalled: what is held is still watched.
Prices that the venue tells late are none of the present either: they are counted, their instrument is
stalled, and none of its minutes is told, so that its last price grows old and nothing is opened on it.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, suppress

from msgspec.structs import replace

from neuratrade.core.model.errors import Terminal, UsageError
from neuratrade.core.model.events import FeedStalled
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.market import NS_PER_MINUTE, NS_PER_SECOND, Bar, Quote, Trade
from neuratrade.feeds.clock import Clock, backoff_s
from neuratrade.feeds.live.minutes import Minutes
from neuratrade.feeds.live.silence import Silence
from neuratrade.feeds.live.source import Beat, BookLost, Delayed, MarketSource, Piece, SourceOpened
from neuratrade.feeds.live.statistics import ConnectionReading, Statistics
from neuratrade.feeds.port import Slice

MakeSource = Callable[[], AbstractAsyncContextManager[MarketSource]]

GRACE_NS = NS_PER_SECOND
"""How long after its close a bar waits for trades that are still on their way."""
ASK_S = 20.0
"""How long a venue may take to tell what was missed."""
LATE_NS = 10 * NS_PER_SECOND
"""A piece that is older than this on its receipt is no present price."""
LOOK_S = 1.0
TELL_S = 2.0
"""How often the statistics are told."""
BEAT_NS = 60 * NS_PER_SECOND
"""How long after a beat of its own a connection is not taken for lost, however quiet its instruments."""
WAITING = 4096
"""Pieces that may wait for the desk; then the connection waits."""


class LiveFeed:
    """The live market of one venue.

    make: a source, connected when entered; used once a run. history: bars known so far, by instrument key,
    oldest first. note: takes troubles that do not end anything. tell: takes the statistics, every two
    seconds. late, lost: pieces that came too late, and connections that were lost.
    """

    def __init__(
        self,
        make: MakeSource,
        instruments: Sequence[Instrument],
        history: Mapping[str, list[Bar]],
        note: Callable[[str], None],
        tell: Callable[[ConnectionReading], None] = lambda _: None,
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
        self._tell = tell
        self._beat_ns: int | None = None
        self._delayed: dict[str, int | None] = {}
        self.statistics = Statistics(tuple(self._instruments))

    @property
    def late(self) -> int:
        """Pieces that came too late."""
        return self.statistics.late

    @property
    def lost(self) -> int:
        """Connections that were lost."""
        return self.statistics.lost

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
                self._tell_statistics(source, clock),
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
            problem, harm = "it ended", False
            listening = asyncio.create_task(self._hear(source, silence, clock))
            mute = asyncio.create_task(self._all_mute(silence, clock))
            try:
                done, _ = await asyncio.wait((listening, mute), return_when=asyncio.FIRST_COMPLETED)
                if mute in done:
                    problem = "nothing was heard"
                else:
                    listening.result()
            except (UsageError, Terminal) as error:
                # What will not be otherwise the next time ends a desk that has just begun, with its reason.
                if not self._stood:
                    raise
                problem, harm = str(error), isinstance(error, Terminal)
            except Exception as error:  # noqa: BLE001 - whatever breaks a stream, it is connected anew
                problem = f"{type(error).__name__}: {error}"
            finally:
                for task in (listening, mute):
                    task.cancel()
                await asyncio.gather(listening, mute, return_exceptions=True)
            if self._opened.is_set():
                failed = 0
                self.statistics.lost += 1
            await self._stall(clock)
            if harm:
                self.statistics.ended = problem
                self._note(f"prices of {source.venue} ended and are not asked for anew: {problem}")
                return
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
        while not (self._opened.is_set() and silence.is_total and not self._beats(clock.now_ns())):
            await clock.sleep(LOOK_S)

    def _beats(self, now_ns: int) -> bool:
        """Whether the connection itself says that it lives, whoever is quiet on it."""
        return self._beat_ns is not None and now_ns - self._beat_ns < BEAT_NS

    async def _stall(self, clock: Clock) -> None:
        """No prices from here on."""
        self._opened.clear()
        for key, minutes in self._minutes.items():
            minutes.lost()
            await self._set_stalled(key, clock.now_ns(), stalled=True)

    async def _set_stalled(self, key: str, now_ns: int, *, stalled: bool) -> None:
        self.statistics.symbols[key].stalled = stalled
        await self._queue.put(FeedStalled(now_ns, key, stalled=stalled))

    async def _take(self, piece: Piece, silence: Silence, now_ns: int) -> None:
        if isinstance(piece, SourceOpened):
            self._opened.set()
            self._stood = True
            self.statistics.opened += 1
            silence.opened(now_ns)
            for key, minutes in self._minutes.items():
                minutes.opened(now_ns)
                await self._set_stalled(key, now_ns, stalled=key in self._delayed)
            return
        if isinstance(piece, Beat):
            self._beat_ns = now_ns
            return
        if isinstance(piece, BookLost):
            self.statistics.symbols[piece.instrument].gaps += 1
            self._note(f"the book of {piece.instrument} was lost ({piece.reason}); it is fetched anew")
            return
        if isinstance(piece, Delayed):
            await self._take_delayed(piece, silence, now_ns)
            return
        self.statistics.heard(piece.instrument, now_ns)
        was_silent = silence.heard(piece.instrument, now_ns)
        if self._is_of_the_present_again(piece.instrument, now_ns) or was_silent:
            await self._set_stalled(piece.instrument, now_ns, stalled=False)
        if isinstance(piece, Trade):
            self._minutes[piece.instrument].take(piece)
        if piece.at_ns < now_ns - LATE_NS:
            self.statistics.symbols[piece.instrument].late += 1
            return
        await self._queue.put(_received(piece, now_ns))

    # what is told late

    async def _take_delayed(self, piece: Delayed, silence: Silence, now_ns: int) -> None:
        """Nothing of it is a price."""
        key, symbol = piece.instrument, self.statistics.symbols[piece.instrument]
        if piece.minutes is not None:
            silence.heard(key, now_ns)
            symbol.delayed += 1
            symbol.heard_ns = now_ns
        before = self._delayed.get(key, 0)
        self._delayed[key] = symbol.delay_minutes = piece.minutes
        if piece.minutes == before:
            return
        if piece.minutes is not None:
            self._minutes[key].lost()
            told = f"by {piece.minutes} minutes" if piece.minutes > 0 else "by nobody says how much"
            self._note(f"prices of {key} are delayed {told}: nothing is traded on them")
        if self._opened.is_set():
            await self._set_stalled(key, now_ns, stalled=True)

    def _is_of_the_present_again(self, key: str, now_ns: int) -> bool:
        if key not in self._delayed:
            return False
        if self._delayed.pop(key) is not None:
            self._minutes[key].opened(now_ns)
        self.statistics.symbols[key].delay_minutes = 0
        return True

    # time

    async def _tell_statistics(self, source: MarketSource, clock: Clock) -> None:
        while True:
            self._tell(
                self.statistics.reading(
                    source.venue,
                    clock.now_ns(),
                    is_open=self._opened.is_set(),
                    unreadable=dict(source.unreadable),
                )
            )
            await clock.sleep(TELL_S)

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
        if self._delayed.get(minutes.instrument.key):
            return []
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
            await clock.sleep(LOOK_S)
            if not self._opened.is_set():
                continue
            for key in silence.fell(clock.now_ns()):
                silent_s = silence.age_ns(key, clock.now_ns()) / NS_PER_SECOND
                self._note(f"{key} has been silent for {silent_s:.0f} s: asking for it anew")
                self.statistics.symbols[key].gaps += 1
                await self._set_stalled(key, clock.now_ns(), stalled=True)
                try:
                    async with asyncio.timeout(ASK_S):
                        await source.subscribe_again(self._instruments[key])
                except Exception as error:  # noqa: BLE001 - told again when its silence has doubled
                    self._note(f"{key} could not be asked for anew ({type(error).__name__}: {error})")


def _received(piece: Quote | Trade, now_ns: int) -> Quote | Trade:
    return replace(piece, at_ns=now_ns)
