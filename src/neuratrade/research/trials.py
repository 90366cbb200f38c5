"""What was ever tried on a period: the count without which a good Sharpe ratio means nothing.

Of a hundred worthless rules the best one looks good; only who knows that there were a hundred can tell. So
each proposal is written down before it runs, and a run that crashed counts like any other. Two periods that
overlap count together: days that were looked at once are looked at, whatever the other end of the window.

A proposal is its strategies with their parameters and assets: the same one tried again is no new draw.
"""

import math
import sqlite3
import statistics
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec

from neuratrade.core.model.errors import Retryable, UsageError
from neuratrade.feeds.clock import WALL

_TABLE = """
CREATE TABLE IF NOT EXISTS trial (
    id INTEGER PRIMARY KEY,
    at_ns INTEGER NOT NULL,
    start_ns INTEGER NOT NULL,
    end_ns INTEGER NOT NULL,
    proposal TEXT NOT NULL,
    who TEXT NOT NULL,
    daily_sharpe REAL
)
"""
_BUSY_S = 30.0


class Tried(msgspec.Struct, frozen=True):
    """What was tried on days of a period. proposals: different ones. known: how many of them ended with a
    Sharpe ratio; spread: standard deviation of those ratios, of daily returns and not annualised, 0.0 below
    two.
    """

    proposals: int
    known: int
    spread: float


class TrialLog:
    """The durable count of one home. Several processes may write at once.

    Raises UsageError for a file that is no such log, Retryable where it cannot be written now.
    """

    def __init__(self, path: Path, now_ns: Callable[[], int] = WALL.now_ns) -> None:
        self.path = path
        self._now_ns = now_ns
        path.parent.mkdir(parents=True, exist_ok=True)
        with self._open() as database:
            database.execute(_TABLE)

    def begin(self, start_ns: int, end_ns: int, proposals: Sequence[str], who: str) -> list[int]:
        """Counts proposals (their sha256) on (start_ns, end_ns]; on disk when this returns, and only then may
        they run. Returns one id each. Raises UsageError for a period that ends before it starts.
        """
        if start_ns >= end_ns:
            raise UsageError(f"a trial from {start_ns} to {end_ns} has no days; give a start before the end")
        at_ns, found = self._now_ns(), []
        with self._open() as database:
            for proposal in proposals:
                row = database.execute(
                    "INSERT INTO trial (at_ns, start_ns, end_ns, proposal, who) VALUES (?, ?, ?, ?, ?)",
                    (at_ns, start_ns, end_ns, proposal, who),
                )
                found.append(int(row.lastrowid or 0))
        return found

    def end(self, trial: int, daily_sharpe: float) -> None:
        """Adds what a trial came to. A ratio that is not defined stays out of the spread."""
        if not math.isfinite(daily_sharpe):
            return
        with self._open() as database:
            database.execute("UPDATE trial SET daily_sharpe = ? WHERE id = ?", (daily_sharpe, trial))

    def tried(self, start_ns: int, end_ns: int) -> Tried:
        """Everything tried on a period that shares a moment with (start_ns, end_ns]."""
        with self._open() as database:
            rows = database.execute(
                "SELECT proposal, AVG(daily_sharpe) FROM trial WHERE start_ns < ? AND end_ns > ? "
                "GROUP BY proposal",
                (end_ns, start_ns),
            ).fetchall()
        ratios = [float(ratio) for _, ratio in rows if ratio is not None]
        spread = statistics.stdev(ratios) if len(ratios) > 1 else 0.0
        return Tried(len(rows), len(ratios), spread)

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """A connection whose changes are committed at the end, or not made."""
        try:
            with closing(sqlite3.connect(self.path, timeout=_BUSY_S)) as database, database:
                database.execute("PRAGMA synchronous = FULL")
                yield database
        except sqlite3.DatabaseError as error:
            # SQLITE_ERROR is a table of another shape; every other operational error may pass.
            if isinstance(error, sqlite3.OperationalError) and error.sqlite_errorname != "SQLITE_ERROR":
                raise Retryable(f"{self.path} cannot be used now ({error}); nothing was counted") from error
            raise UsageError(
                f"{self.path} is no log of trials ({error}); move it away to begin a new one, and know that "
                "what it counted is forgotten then"
            ) from error
