"""Reading the journal: rows in order, page by page, so that neither memory nor a long transaction grows."""

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import msgspec
from sqlalchemy import Engine, select

from neuratrade.core.model.facts import Fact, decode_fact
from neuratrade.store.chain import GENESIS
from neuratrade.store.database import connect
from neuratrade.store.migrate import require_head
from neuratrade.store.schema import journal

PAGE_ROWS = 4_000


class JournalRow(msgspec.Struct, frozen=True):
    """One row as it lies in the database. payload: the exact text of `encode_fact`."""

    seq: int
    run_id: str
    account_id: str
    at_ns: int
    kind: str
    payload: str
    prev_hash: bytes
    hash: bytes

    def fact(self) -> Fact:
        """The fact of this row. Raises msgspec.ValidationError when the payload is none."""
        return decode_fact(self.payload)


class JournalReader:
    """Reads a journal that this or another process writes. Sees committed rows only."""

    def __init__(self, engine: Engine) -> None:
        """Reads through an engine of `neuratrade.store.database.connect`; the caller disposes of it."""
        self.engine = engine

    @classmethod
    def open(cls, where: str | Path) -> "JournalReader":
        """A reader that cannot write.

        Raises DatabaseAbsent when there is no journal there, DatabaseMismatch when it is one of another
        version of this program.
        """
        engine = connect(where, read_only=True)
        try:
            require_head(engine)
        except BaseException:
            engine.dispose()
            raise
        return cls(engine)

    def rows(
        self,
        after_seq: int = 0,
        *,
        upto: int | None = None,
        kinds: tuple[str, ...] = (),
        page_rows: int = PAGE_ROWS,
    ) -> Iterator[JournalRow]:
        """Rows in order with after_seq < seq <= upto; only those of `kinds` when any are given."""
        while True:
            page = self._page(after_seq, upto, kinds, page_rows)
            yield from page
            if len(page) < page_rows:
                return
            after_seq = page[-1].seq

    def head(self) -> tuple[int, bytes]:
        """(seq, hash) of the last row; (0, GENESIS) of an empty journal."""
        last = select(journal.c.seq, journal.c.hash).order_by(journal.c.seq.desc()).limit(1)
        with self.engine.connect() as connection:
            row = connection.execute(last).first()
        return (0, GENESIS) if row is None else (int(row[0]), bytes(row[1]))

    def close(self) -> None:
        """Lets the database go."""
        self.engine.dispose()

    def __enter__(self) -> "JournalReader":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _page(
        self, after_seq: int, upto: int | None, kinds: tuple[str, ...], page_rows: int
    ) -> list[JournalRow]:
        wanted = select(*journal.c).where(journal.c.seq > after_seq).order_by(journal.c.seq).limit(page_rows)
        if upto is not None:
            wanted = wanted.where(journal.c.seq <= upto)
        if kinds:
            wanted = wanted.where(journal.c.kind.in_(kinds))
        with self.engine.connect() as connection:
            return [JournalRow(*row) for row in connection.execute(wanted).all()]
