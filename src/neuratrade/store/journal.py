"""The journal: nothing happens that is not first on disk.

`append` only encodes and buffers; `commit` chains the buffered facts onto the head and writes them in one
transaction that is synced to disk when it returns. Before that nobody sees any of them, and the caller
must let no effect of them leave the process. A group that cannot be written stays buffered and raises
`JournalUnwritable`: commit again, or move what is `buffered` to the emergency file and `discard` it.

One owner: a Journal belongs to one thread, and a database to one Journal. A second writer is found out
(`JournalTaken`) before it can fork the chain: the database itself accepts only the next seq, and on
PostgreSQL a lock of the session keeps the second one out from the start.
"""

import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType

import msgspec
from sqlalchemy import Engine, func, select
from sqlalchemy.exc import SQLAlchemyError

from neuratrade.core.model.approval import Signer
from neuratrade.core.model.facts import Fact, RunStarted, encode_fact, kind_of
from neuratrade.store.chain import LARGEST_INTEGER, framed, link, owner_frame
from neuratrade.store.checkpoint import FILE_NAME, CheckpointFile
from neuratrade.store.database import connect, database_url, sqlite_file
from neuratrade.store.errors import JournalCut, JournalTaken, JournalUnwritable
from neuratrade.store.home import Home
from neuratrade.store.migrate import upgrade_engine
from neuratrade.store.reader import JournalReader, JournalRow
from neuratrade.store.schema import segments
from neuratrade.store.writer import Group, Writer

SEGMENT_ROWS = 10_000
CHECKPOINT_SECONDS = 300.0


class Buffered(msgspec.Struct, frozen=True):
    """A fact that waits for its commit.

    payload: the bytes of `encode_fact`. seq, hash: the row it was to become in a commit that failed, and
    may nevertheless have become; None when no commit was tried. line_id: the line of an emergency file that
    holds it too; noted in the transaction that writes the row, so that it never comes in twice.
    """

    run_id: str
    account_id: str
    at_ns: int
    kind: str
    payload: bytes
    seq: int | None = None
    hash: bytes | None = None
    line_id: str = ""


class Journal:
    """The one writer of a journal. Made by `open`; commits nothing by itself except in `close`."""

    def __init__(
        self,
        engine: Engine,
        checkpoints: CheckpointFile,
        signer: Signer,
        *,
        segment_rows: int,
        now_ns: Callable[[], int],
    ) -> None:
        """Use `Journal.open`, which also prepares the database."""
        self.engine = engine
        self.checkpoint_problem: OSError | None = None
        self._writer = Writer(engine)
        self._reader = JournalReader(engine)
        self._checkpoints = checkpoints
        self._signer = signer
        self._segment_rows = segment_rows
        self._now_ns = now_ns
        self._buffer: list[Buffered] = []
        self._owners: dict[tuple[str, str], bytes] = {}
        self._attempt: Group | None = None
        self._attempt_discarded = False
        self._key_seen = False
        self._key_published = False
        self._head = self._reader.head()
        self._next_segment = _first_unsealed(engine)
        self._checkpointed = self._head[0]
        self._checkpoint_due = time.monotonic() + CHECKPOINT_SECONDS

    @classmethod
    def open(
        cls,
        where: str | Path,
        *,
        signer: Signer,
        checkpoints: Path | None = None,
        segment_rows: int = SEGMENT_ROWS,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> "Journal":
        """Opens, and creates or upgrades, the journal at a SQLite path or a database URL.

        checkpoints: their file; beside a SQLite file by default, in the home folder for a server.
        Raises JournalUnwritable when the database cannot be reached, DatabaseMismatch when it is newer than
        this program, JournalTaken when it has a writer, JournalCut when it lacks what a checkpoint saw.
        """
        file = sqlite_file(database_url(where))
        default = Home.resolve().checkpoints if file is None else file.parent / FILE_NAME
        checkpoint_file = CheckpointFile(checkpoints or default)
        journal = None
        engine = connect(where)
        try:
            upgrade_engine(engine)
            journal = cls(engine, checkpoint_file, signer, segment_rows=segment_rows, now_ns=now_ns)
            _refuse_cut(journal, checkpoint_file)
        except BaseException as error:
            if journal is not None:
                journal.abandon()
            engine.dispose()
            if isinstance(error, (SQLAlchemyError, OSError)):
                raise JournalUnwritable(
                    f"cannot open the journal at {engine.url!r}: {_cause(error)}"
                ) from error
            raise
        return journal

    def append(self, fact: Fact, *, run_id: str, account_id: str) -> None:
        """Buffers a fact. Raises ValueError for a time outside 0..2^63-1 ns or an empty owner."""
        at_ns = fact.at_ns
        if not 0 <= at_ns <= LARGEST_INTEGER:
            raise ValueError(f"{kind_of(fact)}.at_ns is {at_ns}: it must lie in 0..2^63-1 nanoseconds")
        self._know_owner(run_id, account_id)
        encoded = encode_fact(fact)
        if type(fact) is RunStarted and fact.key_id == self._signer.key_id:
            self._key_seen = True
        self._buffer.append(Buffered(run_id, account_id, at_ns, kind_of(fact), encoded))

    def append_encoded(self, facts: Sequence[Buffered]) -> None:
        """Buffers facts that were encoded before, for example by the process that could not write them."""
        for fact in facts:
            self._know_owner(fact.run_id, fact.account_id)
        self._buffer.extend(facts)

    def commit(self) -> int:
        """Writes all that is buffered in one transaction; it is on disk when this returns the last seq.

        Raises JournalUnwritable (the buffer is kept) or JournalTaken (a second writer; stop).
        """
        if self._attempt is not None:
            self._settle(self._attempt)
        if not self._buffer:
            return self._head[0]
        group = self._chain()
        try:
            self._writer.write(group)
        except (SQLAlchemyError, sqlite3.Error, OSError) as error:
            self._writer.drop()
            self._attempt, self._attempt_discarded = group, False
            if not self._settle(group, after=error):
                raise JournalUnwritable(self._unwritable(error)) from error
        else:
            self._accept(group)
        return self._head[0]

    def buffered(self) -> tuple[Buffered, ...]:
        """What waits for a commit, in order."""
        if self._attempt is None or self._attempt_discarded:
            return tuple(self._buffer)
        rows = self._attempt.rows
        tried = (
            msgspec.structs.replace(fact, seq=row[0], hash=row[7])
            for fact, row in zip(self._buffer, rows, strict=False)
        )
        return (*tried, *self._buffer[len(rows) :])

    def discard(self) -> None:
        """Forgets what is buffered, once it is safe elsewhere."""
        self._buffer.clear()
        self._attempt_discarded = True

    def rows(self, after_seq: int = 0) -> Iterator[JournalRow]:
        """Committed rows after a seq, in order, read page by page."""
        return self._reader.rows(after_seq)

    def head(self) -> tuple[int, bytes]:
        """(seq, hash) of the last committed row; (0, GENESIS) when there is none."""
        return self._head

    def checkpoint(self) -> bool:
        """Signs the head now. False when this process's key is not in the chain yet, or nothing is new.

        Raises OSError when the file cannot be written; the journal itself is not touched by that.
        """
        if not self._key_published or self._head[0] == self._checkpointed:
            return False
        self._checkpoints.add(*self._head, self._now_ns(), self._signer)
        self._checkpointed = self._head[0]
        self._checkpoint_due = time.monotonic() + CHECKPOINT_SECONDS
        self.checkpoint_problem = None
        return True

    def close(self) -> None:
        """Commits what is buffered, signs the head and lets the database go.

        Raises JournalUnwritable or OSError for what could not be done; the database is let go anyway.
        """
        try:
            self.commit()
            self.checkpoint()
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Lets the database go without writing anything more."""
        self._writer.drop()
        self.engine.dispose()

    def __enter__(self) -> "Journal":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _know_owner(self, run_id: str, account_id: str) -> None:
        if (run_id, account_id) in self._owners:
            return
        for name, text in (("run_id", run_id), ("account_id", account_id)):
            if not text or "\0" in text:
                raise ValueError(f"{name} is {text!r}: it must be text that is not empty")
        self._owners[run_id, account_id] = owner_frame(run_id, account_id)

    def _chain(self) -> Group:
        seq, prev = self._head
        first, rows, sealed, moved = self._next_segment, [], [], []
        for fact in self._buffer:
            seq += 1
            owner = self._owners[fact.run_id, fact.account_id]
            digest = link(prev, seq, fact.at_ns, owner + framed(fact.kind.encode()), fact.payload)
            text = fact.payload.decode()
            rows.append((seq, fact.run_id, fact.account_id, fact.at_ns, fact.kind, text, prev, digest))
            prev = digest
            if seq - first + 1 >= self._segment_rows:
                sealed.append((first, seq, digest))
                first = seq + 1
            if fact.line_id:
                moved.append((fact.line_id, seq))
        return Group(rows, sealed, moved, (seq, prev), first)

    def _accept(self, group: Group) -> None:
        del self._buffer[: len(group.rows)]
        self._move_head(group)
        if self._key_seen and not self._key_published:
            self._key_published = True
            self._checkpoint_due = 0.0
        full = self._head[0] - self._checkpointed >= self._segment_rows
        if full or time.monotonic() >= self._checkpoint_due:
            # The rows are safe: a checkpoint that fails is tried again with the next commit, not raised.
            try:
                self.checkpoint()
            except OSError as error:
                self.checkpoint_problem = error

    def _move_head(self, group: Group) -> None:
        self._head = group.head
        self._next_segment = group.next_segment
        self._attempt = None

    def _settle(self, attempt: Group, *, after: Exception | None = None) -> bool:
        """Finds out what became of a commit whose answer was lost; True when it had succeeded."""
        try:
            self._writer.connect()
            found = self._reader.head()
        except (SQLAlchemyError, OSError, JournalTaken) as error:
            self._writer.drop()
            raise JournalUnwritable(self._unwritable(after or error)) from error
        if found == attempt.head:
            if self._attempt_discarded:
                self._move_head(attempt)
            else:
                self._accept(attempt)
            return True
        if found != self._head:
            raise JournalTaken(
                f"the journal's head is row {found[0]}, but this process wrote up to row {self._head[0]}: "
                f"another process writes to {self.engine.url!r}. Stop one of them, then run "
                "`neuratrade audit verify`"
            )
        if self._attempt_discarded:
            self._attempt = None
        return False

    def _unwritable(self, error: Exception) -> str:
        return (
            f"{len(self._buffer)} facts after row {self._head[0]} could not be written to "
            f"{self.engine.url!r}: {_cause(error)}. They are kept in memory; no new exposure may be taken "
            "until they are on disk"
        )


def _first_unsealed(engine: Engine) -> int:
    with engine.connect() as connection:
        last = connection.scalar(select(func.max(segments.c.last_seq)))
    return int(last or 0) + 1


def _refuse_cut(journal: Journal, checkpoints: CheckpointFile) -> None:
    checkpoint = checkpoints.begin()
    if checkpoint is None or checkpoint.count < 1:
        return
    row = next(journal.rows(checkpoint.count - 1), None)
    if row is None or row.seq != checkpoint.count or row.hash.hex() != checkpoint.hash:
        what = "lacks" if row is None else "has another"
        raise JournalCut(
            f"the journal at {journal.engine.url!r} {what} row {checkpoint.count}, which {checkpoints.path} "
            "vouches for: it was cut, rewritten or replaced by an older copy. Run `neuratrade audit "
            "verify`, restore the database from a backup, or move both files aside to begin a new journal"
        )


def _cause(error: Exception) -> str:
    return str(getattr(error, "orig", None) or error)
