"""How the store connects: one place that decides durability, so that no caller can weaken it.

SQLite runs in WAL mode with `synchronous=FULL` (and the drive's cache flushed where the platform needs to
be told); PostgreSQL sessions force `synchronous_commit`, and a server with `fsync = off` is refused.
Transactions are begun explicitly: Python's own rules would leave schema changes outside of them, and a
crash in the middle of a migration would then leave half a schema.
"""

import sqlite3
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import ConnectionPoolEntry

from neuratrade.store.errors import DatabaseAbsent, DatabaseMismatch

BUSY_TIMEOUT_MS = 5_000
POSTGRES_DRIVER = "postgresql+psycopg"
_WRITES = "neuratrade_writes"
_SQLITE_SETTINGS = (
    f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}",
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA fullfsync = ON",
    "PRAGMA checkpoint_fullfsync = ON",
    "PRAGMA foreign_keys = ON",
)


def database_url(where: str | Path) -> URL:
    """The URL of a database given as a file path or as a URL; PostgreSQL always by psycopg 3.

    Raises DatabaseMismatch for anything else.
    """
    text = str(where)
    if isinstance(where, Path) or "://" not in text:
        return URL.create("sqlite", database=str(Path(where).expanduser().resolve()))
    try:
        url = make_url(text)
    except ArgumentError as error:
        raise DatabaseMismatch(f"{text.partition('://')[0]}://... is no database URL: {error}") from error
    match url.get_backend_name():
        case "postgresql":
            return url.set(drivername=POSTGRES_DRIVER)
        case "sqlite":
            return url.set(drivername="sqlite")
        case other:
            raise DatabaseMismatch(f"{other} databases are not supported: use SQLite or PostgreSQL")


def sqlite_file(url: URL) -> Path | None:
    """The file a SQLite URL names; None for a server or a database in memory."""
    if url.get_backend_name() != "sqlite" or not url.database or url.database == ":memory:":
        return None
    return Path(url.database)


def connect(where: str | Path, *, read_only: bool = False) -> Engine:
    """An engine with the store's durability settings.

    Raises DatabaseAbsent when `read_only` and the SQLite file does not exist: reading must not create it.
    """
    url = database_url(where)
    if url.get_backend_name() == "postgresql":
        engine = _postgres_engine(url)
        _prepare_postgres(engine, read_only=read_only)
        return engine
    file = sqlite_file(url)
    if file is None:
        raise DatabaseMismatch("a journal in memory is none: give the path of a file")
    if read_only and not file.is_file():
        raise DatabaseAbsent(f"there is no database at {file}: nothing has run in this home folder yet")
    if not read_only:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(mode=0o600, exist_ok=True)
    engine = create_engine(url, creator=_existing_only(file))
    _prepare_sqlite(engine, read_only=read_only)
    return engine


def _postgres_engine(url: URL) -> Engine:
    try:
        return create_engine(url)
    except ModuleNotFoundError as error:
        raise DatabaseMismatch(f"PostgreSQL needs {error.name}: install neuratrade[postgres]") from error


def _existing_only(file: Path) -> Callable[[], sqlite3.Connection]:
    """Connects to a file that is there: a desk whose database vanished must not go on with an empty one."""
    address = f"{file.absolute().as_uri()}?mode=rw"
    return lambda: sqlite3.connect(address, uri=True, isolation_level=None, check_same_thread=False)


def _prepare_sqlite(engine: Engine, *, read_only: bool) -> None:
    @event.listens_for(engine, "connect")
    def configure(raw: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
        cursor = raw.cursor()
        for setting in (*_SQLITE_SETTINGS, *(["PRAGMA query_only = ON"] if read_only else [])):
            cursor.execute(setting)
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # A writer takes the lock at once: upgrading a read transaction later fails without waiting.
        writes = connection.get_execution_options().get(_WRITES, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def writing(engine: Engine) -> Engine:
    """The same engine, whose transactions are going to write."""
    return engine.execution_options(**{_WRITES: True})


def _prepare_postgres(engine: Engine, *, read_only: bool) -> None:
    @event.listens_for(engine, "connect")
    def configure(raw: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
        cursor = raw.cursor()
        cursor.execute("SHOW fsync")
        answer = cursor.fetchone()
        if answer is not None and answer[0] == "off":
            raise DatabaseMismatch(
                "this PostgreSQL server runs with fsync = off: a journal there can be lost"
            )
        cursor.execute("SET SESSION synchronous_commit = on")
        if read_only:
            cursor.execute("SET SESSION default_transaction_read_only = on")
        cursor.close()
        raw.commit()
