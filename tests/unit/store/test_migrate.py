"""Databases are made and upgraded by the migrations alone, whole or not at all."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from importlib.resources import files
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from neuratrade.store.database import connect
from neuratrade.store.errors import DatabaseAbsent, DatabaseMismatch
from neuratrade.store.migrate import HEAD, upgrade, version_of
from neuratrade.store.reader import JournalReader
from neuratrade.store.schema import metadata


def test_the_head_this_program_names_is_the_head_of_the_migrations() -> None:
    config = Config()
    config.set_main_option("script_location", "neuratrade.store:migrations")
    assert ScriptDirectory.from_config(config).get_heads() == [HEAD]


def test_the_migrations_make_the_schema_the_program_uses(tmp_path: Path) -> None:
    upgrade(tmp_path / "desk.db")
    engine = connect(tmp_path / "desk.db")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def test_upgrading_again_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "desk.db"
    upgrade(path)
    before = path.read_bytes()
    upgrade(path)
    assert path.read_bytes() == before


def test_a_database_that_is_up_to_date_costs_no_import_of_alembic(tmp_path: Path) -> None:
    upgrade(tmp_path / "desk.db")
    script = (
        "import sys; from neuratrade.store.migrate import upgrade; "
        "upgrade(sys.argv[1]); print('alembic' in sys.modules)"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "desk.db")]
    assert subprocess.check_output(command, text=True).strip() == "False"


def test_a_database_of_a_newer_program_is_refused_untouched(tmp_path: Path) -> None:
    path = tmp_path / "desk.db"
    upgrade(path)
    raw = sqlite3.connect(path)
    raw.execute("UPDATE alembic_version SET version_num = '9999_future'")
    raw.commit()
    with pytest.raises(DatabaseMismatch, match=r"'9999_future'.*newer version"):
        upgrade(path)
    assert raw.execute("SELECT version_num FROM alembic_version").fetchone() == ("9999_future",)
    raw.close()


def test_reading_asks_for_a_journal_of_this_version(tmp_path: Path) -> None:
    path = tmp_path / "desk.db"
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("CREATE TABLE x (y)")
        with pytest.raises(DatabaseAbsent, match="holds no journal yet"):
            JournalReader.open(path)
        upgrade(path)
        JournalReader.open(path).close()
        raw.execute("UPDATE alembic_version SET version_num = '0001_journal'")
        raw.commit()
        with pytest.raises(DatabaseMismatch, match="stands at schema '0001_journal'"):
            JournalReader.open(path)


def test_reading_a_file_that_is_no_database_says_so(tmp_path: Path) -> None:
    (tmp_path / "desk.db").write_bytes(b"not a database" * 100)
    with pytest.raises(DatabaseMismatch, match="cannot be read as a database"):
        JournalReader.open(tmp_path / "desk.db")


def test_a_migration_that_fails_half_way_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "desk.db"
    raw = sqlite3.connect(path)
    raw.execute("CREATE TABLE trades (somebody_elses INTEGER)")
    raw.commit()
    with pytest.raises(Exception, match="trades already exists"):
        upgrade(path)
    assert raw.execute("SELECT name FROM sqlite_master").fetchall() == [("trades",)]
    raw.execute("DROP TABLE trades")
    raw.commit()
    raw.close()
    upgrade(path)
    engine = connect(path)
    assert version_of(engine) == HEAD
    engine.dispose()


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("mysql://user:secret@localhost/x", "mysql databases are not supported"),
        ("sqlite:///:memory:", "in memory"),
        ("post gres://user:secret@localhost/x", "no database URL"),
    ],
)
def test_a_database_the_store_cannot_use_is_refused_without_telling_its_password(
    url: str, problem: str
) -> None:
    with pytest.raises(DatabaseMismatch, match=problem) as refusal:
        connect(url)
    assert "secret" not in str(refusal.value)


def test_the_migration_scripts_are_part_of_the_package() -> None:
    names = {item.name for item in files("neuratrade.store.migrations.versions").iterdir()}
    assert {"v0001_journal.py", "v0002_projections.py"} <= names
    assert files("neuratrade.store.migrations").joinpath("env.py").is_file()


@pytest.mark.parametrize(
    ("setting", "value"), [("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1)]
)
def test_every_connection_is_durable(tmp_path: Path, setting: str, value: object) -> None:
    engine = connect(tmp_path / "desk.db")
    with engine.connect() as connection:
        assert connection.exec_driver_sql(f"PRAGMA {setting}").scalar() == value
    engine.dispose()
