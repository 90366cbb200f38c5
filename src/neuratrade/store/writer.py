"""The one connection that writes the journal, and what it refuses to write to.

SQLite would go on writing into a file that was deleted or replaced under it, and all of that would be
lost; so the file is looked at before each transaction. On PostgreSQL the session holds a lock for as long
as it lives, so that a second writer is turned away before it writes anything.
"""

import sqlite3
from contextlib import suppress
from pathlib import Path

import msgspec
from sqlalchemy import Connection, Engine, func, select
from sqlalchemy.exc import SQLAlchemyError

from neuratrade.store.database import sqlite_file, writing
from neuratrade.store.errors import JournalTaken

WRITER_LOCK = 0x4E54_4A4F  # a number other programs on the same server are unlikely to lock

_COLUMNS = {
    "journal": "seq, run_id, account_id, at_ns, kind, payload, prev_hash, hash",
    "segments": "first_seq, last_seq, hash",
    "emergency_moved": "line_id, seq",
}


class Group(msgspec.Struct, frozen=True):
    """Facts chained onto a head: the rows of one transaction, in the order of the columns above.

    head: (seq, hash) after it. next_segment: first row of the segment that is then open.
    """

    rows: list[tuple[int, str, str, int, str, str, bytes, bytes]]
    sealed: list[tuple[int, int, bytes]]
    moved: list[tuple[str, int]]
    head: tuple[int, bytes]
    next_segment: int


class Writer:
    """Writes groups. Belongs to one thread."""

    def __init__(self, engine: Engine) -> None:
        """Connects at once. Raises JournalTaken when another process writes, else SQLAlchemyError."""
        self._engine = engine
        self._file = sqlite_file(engine.url)
        self._connection: Connection | None = None
        mark = "?" if engine.dialect.name == "sqlite" else "%s"
        self._statements = {table: _insert(table, names, mark) for table, names in _COLUMNS.items()}
        self._identity = _identity(self._file)
        self.connect()

    def connect(self) -> Connection:
        """The connection, made anew where it was dropped."""
        if self._connection is None:
            self._require_file()
            connection = writing(self._engine).connect()
            if self._engine.dialect.name == "postgresql" and not _lock(connection):
                connection.close()
                raise JournalTaken(
                    f"another process writes the journal at {self._engine.url!r}: stop it first"
                )
            self._connection = connection
        return self._connection

    def write(self, group: Group) -> None:
        """Makes a group durable, or nothing of it. Raises SQLAlchemyError, sqlite3.Error or OSError."""
        self._require_file()
        connection = self.connect()
        raw = connection.connection.driver_connection
        if isinstance(raw, sqlite3.Connection):
            self._write_sqlite(raw, group)
            return
        with connection.begin():
            connection.exec_driver_sql(self._statements["journal"], group.rows)
            if group.sealed:
                connection.exec_driver_sql(self._statements["segments"], group.sealed)
            if group.moved:
                connection.exec_driver_sql(self._statements["emergency_moved"], group.moved)

    def _write_sqlite(self, raw: sqlite3.Connection, group: Group) -> None:
        """The same without SQLAlchemy in between, which costs twice the rest: orders wait for this."""
        raw.execute("BEGIN IMMEDIATE")
        try:
            raw.executemany(self._statements["journal"], group.rows)
            if group.sealed:
                raw.executemany(self._statements["segments"], group.sealed)
            if group.moved:
                raw.executemany(self._statements["emergency_moved"], group.moved)
            raw.execute("COMMIT")
        except BaseException:
            if raw.in_transaction:
                raw.execute("ROLLBACK")
            raise

    def drop(self) -> None:
        """Gives the connection up, whatever state it is in."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        with suppress(SQLAlchemyError):
            connection.invalidate()
        with suppress(SQLAlchemyError):
            connection.close()

    def _require_file(self) -> None:
        # Connecting to a file that is gone would quietly make an empty one in its place.
        if self._file is not None and _identity(self._file) != self._identity:
            raise FileNotFoundError(f"{self._file} was deleted or replaced while the desk had it open")


def _insert(table: str, names: str, mark: str) -> str:
    marks = ", ".join([mark] * (names.count(",") + 1))
    return f"INSERT INTO {table} ({names}) VALUES ({marks})"  # noqa: S608 (names are constants of this file)


def _lock(connection: Connection) -> bool:
    with connection.begin():
        return bool(connection.scalar(select(func.pg_try_advisory_lock(WRITER_LOCK))))


def _identity(file: Path | None) -> tuple[int, int] | None:
    """What tells this file from another of the same name; None when there is none."""
    if file is None:
        return None
    try:
        status = file.stat()
    except FileNotFoundError:
        return None
    return (status.st_dev, status.st_ino)
