"""What several streams of one exchange heard, for one reader: each trade once, and nothing left out.

It holds what its reader has not taken yet. A reader that falls far behind is told that it lost the stream,
since a desk that is minutes late must not believe that it is on time.
"""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator

from neuratrade.core.model.errors import Retryable
from neuratrade.feeds.live.source import Piece

MOST_WAITING = 200_000
MOST_IDS = 5_000


class TradeIds:
    """Which trades were told of late: none is told twice, by two streams or after a new start."""

    def __init__(self) -> None:
        self._ids: dict[str, dict[str, None]] = {}

    def is_new(self, instrument: str, told_id: object) -> bool:
        """Whether a trade was not told yet; it is from now on. One without a number is always new."""
        if told_id is None:
            return True
        ids, name = self._ids.setdefault(instrument, {}), str(told_id)
        if name in ids:
            return False
        ids[name] = None
        if len(ids) > MOST_IDS:
            del ids[next(iter(ids))]
        return True


class Sink:
    """Where streams put what they hear, and their reader finds it. hostile: what could not be read."""

    def __init__(self, ids: TradeIds) -> None:
        self.ids = ids
        self._pieces: deque[Piece] = deque()
        self._news = asyncio.Event()
        self._lost: Exception | None = None
        self.hostile: Counter[str] = Counter()

    def put(self, piece: Piece) -> None:
        """One piece. A reader that is too slow has lost the stream: nothing is left out for it."""
        self._pieces.append(piece)
        if len(self._pieces) > MOST_WAITING:
            self.lose(Retryable(f"more than {MOST_WAITING:,} pieces wait for their reader"))
        self._news.set()

    def note(self, symbol: str, error: Exception) -> None:
        """Something about a symbol could not be read."""
        self.hostile[f"{symbol}: {type(error).__name__}"] += 1

    def lose(self, why: Exception) -> None:
        """The end, after what came before."""
        if self._lost is None:
            self._lost = why
        self._news.set()

    async def read(self) -> AsyncIterator[Piece]:
        """What comes. Raises what it was lost by."""
        while True:
            while self._pieces:
                yield self._pieces.popleft()
            if self._lost is not None:
                raise self._lost
            self._news.clear()
            await self._news.wait()
