"""What a journal promises holds on every database it can live in: one suite, SQLite and PostgreSQL."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, select, text
from sqlalchemy.exc import DBAPIError

from neuratrade.core.model.orders import OrderRole
from neuratrade.store.audit import verify_chain
from neuratrade.store.database import connect
from neuratrade.store.emergency import EmergencyFile
from neuratrade.store.errors import DatabaseMismatch, JournalTaken, JournalUnwritable
from neuratrade.store.journal import Journal
from neuratrade.store.keys import Ed25519Signer
from neuratrade.store.migrate import HEAD, upgrade, version_of
from neuratrade.store.projections import TABLES, Projector
from neuratrade.store.reader import JournalReader
from neuratrade.store.schema import metadata, positions, trades
from neuratrade.store.snapshots import Snapshots
from tests.unit.store.sample_facts import (
    ACCOUNT,
    RUN,
    closed,
    filled,
    judged,
    marked,
    planned,
    run_started,
    write,
)

REST = "run_id, account_id, at_ns, kind, payload, prev_hash, hash"
AMOUNT = "123456789012345678.000000000000000001"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database."""
    if request.param == "sqlite":
        return str(tmp_path / "desk.db")
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture
def checkpoints(tmp_path: Path) -> Path:
    """The checkpoint file."""
    return tmp_path / "journal.checkpoints"


@pytest.fixture
def reopen(where: str, checkpoints: Path) -> Callable[[], Journal]:
    """Opens the journal as a new process would."""
    return lambda: Journal.open(where, signer=Ed25519Signer(), checkpoints=checkpoints, segment_rows=10)


@contextmanager
def closing_without_commit(journal: Journal) -> Iterator[Journal]:
    """A journal that is let go as it is."""
    try:
        yield journal
    finally:
        journal.abandon()


def execute(where: str, *statements: str) -> None:
    """What somebody with access to the database does."""
    engine = connect(where)
    try:
        for statement in statements:
            with engine.begin() as connection:
                connection.execute(text(statement))
    finally:
        engine.dispose()


def drop_guards(where: str) -> None:
    """Takes the triggers away, as an owner of the database can."""
    engine: Engine = connect(where)
    with engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            names = connection.scalars(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).all()
            for name in names:
                connection.execute(text(f"DROP TRIGGER {name}"))
        else:
            connection.execute(text("ALTER TABLE journal DISABLE TRIGGER ALL"))
            connection.execute(text("ALTER TABLE segments DISABLE TRIGGER ALL"))
    engine.dispose()


def test_an_empty_database_is_made_by_the_migrations_as_the_program_expects_it(where: str) -> None:
    upgrade(where)
    upgrade(where)
    engine = connect(where)
    assert version_of(engine) == HEAD
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def test_a_newer_database_is_refused(where: str) -> None:
    upgrade(where)
    execute(where, "UPDATE alembic_version SET version_num = '9999_future'")
    with pytest.raises(DatabaseMismatch, match="newer version"):
        upgrade(where)


def test_rows_are_committed_read_back_and_proven(
    where: str, reopen: Callable[[], Journal], checkpoints: Path
) -> None:
    signer = Ed25519Signer()
    with Journal.open(where, signer=signer, checkpoints=checkpoints, segment_rows=10) as journal:
        journal.append(run_started(signer), run_id=RUN, account_id=ACCOUNT)
        with JournalReader.open(where) as reader:
            assert list(reader.rows()) == []
        assert journal.commit() == 1
        assert write(journal, *(marked(at, equity=AMOUNT) for at in range(2, 35))) == 34
    with reopen() as journal:
        assert [row.at_ns for row in journal.rows()] == list(range(1, 35))
        assert write(journal, marked(99)) == 35
    report = verify_chain(where, checkpoints)
    assert report.ok, report.problem
    assert (report.rows, report.segments, report.keys) == (35, 3, 1)
    assert verify_chain(where, checkpoints, from_segment=20).rows == 15


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE journal SET payload = 'x' WHERE seq = 2",
        "DELETE FROM journal WHERE seq = 3",
        f"INSERT INTO journal SELECT 99, {REST} FROM journal WHERE seq = 3",
        f"INSERT INTO journal SELECT 2, {REST} FROM journal WHERE seq = 2 "
        "ON CONFLICT (seq) DO UPDATE SET payload = 'x'",
        "UPDATE segments SET last_seq = 9",
        "DELETE FROM segments",
        "UPDATE emergency_moved SET seq = 9",
        "DELETE FROM emergency_moved",
    ],
)
def test_the_database_refuses_to_change_what_was_written(
    where: str, checkpoints: Path, statement: str
) -> None:
    with Journal.open(where, signer=Ed25519Signer(), checkpoints=checkpoints, segment_rows=2) as journal:
        write(journal, marked(1), marked(2), marked(3))
    execute(where, "INSERT INTO emergency_moved VALUES ('line', 1)")
    with pytest.raises(DBAPIError, match="append-only"):
        execute(where, statement)
    assert verify_chain(where, None).rows == 3


@pytest.mark.postgres
@pytest.mark.parametrize("table", ["journal", "segments", "emergency_moved"])
def test_postgresql_refuses_to_truncate(postgres_url: str, tmp_path: Path, table: str) -> None:
    with Journal.open(postgres_url, signer=Ed25519Signer(), checkpoints=tmp_path / "c") as journal:
        write(journal, marked(1))
    with pytest.raises(DBAPIError, match=f"{table} is append-only"):
        execute(postgres_url, f"TRUNCATE {table}")


def test_tampering_behind_the_guards_is_named(where: str, checkpoints: Path) -> None:
    signer = Ed25519Signer()
    with Journal.open(where, signer=signer, checkpoints=checkpoints, segment_rows=10) as journal:
        write(journal, run_started(signer), *(marked(at) for at in range(2, 31)))
    drop_guards(where)
    execute(where, "UPDATE journal SET payload = replace(payload, '10000', '10001') WHERE seq = 17")
    report = verify_chain(where, checkpoints)
    assert (report.ok, report.first_bad_seq) == (False, 17)
    execute(where, "DELETE FROM journal WHERE seq > 12", "DELETE FROM segments WHERE last_seq > 12")
    report = verify_chain(where, checkpoints)
    assert report.first_bad_seq == 13
    assert "the tail was cut" in report.problem


def test_two_writers_never_fork_the_chain(where: str, reopen: Callable[[], Journal]) -> None:
    first = reopen()
    write(first, marked(1))

    def write_second() -> None:
        with closing_without_commit(reopen()) as second:
            write(first, marked(2))
            write(second, marked(3))

    with pytest.raises(JournalTaken):
        write_second()
    write(first, marked(4))
    first.close()
    report = verify_chain(where, None)
    assert report.ok, report.problem


@pytest.mark.postgres
def test_a_postgresql_session_that_is_cut_off_costs_no_fact_and_doubles_none(
    postgres_url: str, tmp_path: Path
) -> None:
    with Journal.open(postgres_url, signer=Ed25519Signer(), checkpoints=tmp_path / "c") as journal:
        write(journal, marked(1))
        execute(
            postgres_url,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()",
        )
        journal.append(marked(2), run_id=RUN, account_id=ACCOUNT)
        for _ in range(3):
            try:
                journal.commit()
            except JournalUnwritable:
                continue
            break
        assert [row.at_ns for row in journal.rows()] == [1, 2]
        with pytest.raises(JournalTaken, match="another process writes"):
            Journal.open(postgres_url, signer=Ed25519Signer(), checkpoints=tmp_path / "d")


@pytest.mark.postgres
def test_a_postgresql_that_cannot_be_reached_is_an_unwritable_journal(tmp_path: Path) -> None:
    with pytest.raises(JournalUnwritable, match="cannot open the journal") as failure:
        Journal.open(
            f"postgresql://user:secret@/x?host={tmp_path}",
            signer=Ed25519Signer(),
            checkpoints=tmp_path / "c",
        )
    assert "secret" not in str(failure.value)


def test_emergency_facts_come_in_exactly_once(
    where: str, reopen: Callable[[], Journal], tmp_path: Path
) -> None:
    file = EmergencyFile(tmp_path / "emergency.jsonl")
    file.record(marked(5), run_id=RUN, account_id=ACCOUNT)
    content = file.path.read_bytes()
    with reopen() as journal:
        assert file.reconcile(journal).moved == 1
        file.path.write_bytes(content)
        assert file.reconcile(journal).already_there == 1
        assert [row.at_ns for row in journal.rows()] == [5]


def test_snapshots_are_kept_and_checked(where: str, reopen: Callable[[], Journal]) -> None:
    with reopen() as journal:
        write(journal, marked(1), marked(2))
        snapshots = Snapshots(journal.engine)
        snapshots.save(1, b"one")
        snapshots.save(2, b"two\x00")
        assert snapshots.latest() == (2, b"two\x00")
        execute(where, "UPDATE snapshots SET sha256 = state WHERE seq = 2")
        assert snapshots.latest() == (1, b"one")


def test_projections_are_exact_and_can_be_made_again(where: str, reopen: Callable[[], Journal]) -> None:
    with reopen() as journal:
        write(journal, run_started(Ed25519Signer()), judged("i1"), planned("i1", quantity="3"))
        write(journal, filled("i1", quantity="1", price="0.1"), filled("i1", quantity="2", price="0.2"))
        write(journal, planned("i1", OrderRole.STOP), filled("i1", OrderRole.STOP, quantity="0.5"))
        write(journal, closed("i1", pnl=AMOUNT))
        projector = Projector(journal.engine, batch_rows=3)
        assert projector.project() == 8
        with journal.engine.connect() as connection:
            before = {table.name: connection.execute(select(table)).all() for table in TABLES}
            trade = connection.execute(select(trades)).mappings().one()
            position = connection.execute(select(positions)).mappings().one()
        assert trade["pnl"] == Decimal(AMOUNT)
        assert json.loads(trade["tags"]) == {"session": "asia"}
        assert position["quantity"] == Decimal("2.5")
        assert position["average_cost"] == Decimal("0.18"), "what was bought first was sold first"
        assert projector.rebuild() == 8
        with journal.engine.connect() as connection:
            assert {table.name: connection.execute(select(table)).all() for table in TABLES} == before
