"""Rows for people: runs, decisions, orders, positions and trades, made from the journal and nothing else.

They say nothing the journal does not say, so they may be thrown away and made again, with equal results.
How far the journal was applied is written in the transaction that applies it: a crash neither skips a row
nor applies one twice. Decimals are kept to the last digit.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from sqlalchemy import Connection, Engine, Table, delete, func, insert, select, update

from neuratrade.core.model.facts import RunStarted
from neuratrade.store.database import writing
from neuratrade.store.fact_rows import KINDS, FactRows
from neuratrade.store.reader import JournalReader, JournalRow
from neuratrade.store.schema import contracts, decisions, journal, orders, positions, projected, runs, trades

BATCH_ROWS = 2_000
TABLES: tuple[Table, ...] = (runs, decisions, orders, positions, trades, contracts)
_NAME = "desk"


class Projector:
    """Applies journal rows to the tables, in order, a batch in one transaction."""

    def __init__(self, engine: Engine, *, batch_rows: int = BATCH_ROWS) -> None:
        """Uses the journal's engine; call it from the thread that owns the journal."""
        self._engine = engine
        self._reader = JournalReader(engine)
        self._batch_rows = batch_rows

    def applied(self) -> int:
        """The seq of the last row that is in the tables."""
        with self._engine.connect() as connection:
            return _applied(connection)

    def project(self, upto: int | None = None) -> int:
        """Applies committed rows up to a seq, or all; returns the last seq applied.

        Calling it again, or after a crash, does no harm.
        """
        goal = self._reader.head()[0] if upto is None else min(upto, self._reader.head()[0])
        reached = self.applied()
        while reached < goal:
            with writing(self._engine).begin() as connection:
                reached = self._apply_batch(connection, goal)
        return reached

    def rebuild(self) -> int:
        """Empties the tables and applies the whole journal again; returns the last seq applied."""
        with writing(self._engine).begin() as connection:
            for table in (*TABLES, projected):
                connection.execute(delete(table))
        return self.project()

    def _apply_batch(self, connection: Connection, goal: int) -> int:
        after = _applied(connection)
        rows = list(islice(self._rows(after, goal), self._batch_rows))
        reached = rows[-1].seq if len(rows) == self._batch_rows else goal
        self._apply(connection, rows, after)
        moved = connection.execute(update(projected).where(projected.c.name == _NAME).values(seq=reached))
        if moved.rowcount == 0:
            connection.execute(insert(projected).values(name=_NAME, seq=reached))
        return reached

    def _apply(self, connection: Connection, rows: Sequence[JournalRow], after: int) -> None:
        if not rows:
            return
        fact_rows = FactRows(connection)
        earlier = self._last_start(connection, after)
        if earlier is not None:
            fact_rows.enter_run(earlier)
        _apply_all(fact_rows, rows)
        fact_rows.flush()

    def _rows(self, after: int, goal: int) -> Iterator[JournalRow]:
        return self._reader.rows(after, upto=goal, kinds=KINDS, page_rows=self._batch_rows)

    def _last_start(self, connection: Connection, upto: int) -> RunStarted | None:
        """The run that was under way at a row: its instruments are needed to book fills."""
        started = select(func.max(journal.c.seq)).where(
            journal.c.kind == "run_started", journal.c.seq <= upto
        )
        seq = connection.scalar(started)
        if seq is None:
            return None
        fact = next(self._reader.rows(seq - 1, upto=seq, page_rows=1)).fact()
        return fact if isinstance(fact, RunStarted) else None


def _apply_all(fact_rows: FactRows, rows: Iterable[JournalRow]) -> None:
    for row in rows:
        fact_rows.apply(row.seq, row.run_id, row.account_id, row.fact())


def _applied(connection: Connection) -> int:
    found = connection.scalar(select(projected.c.seq).where(projected.c.name == _NAME).with_for_update())
    return int(found or 0)
