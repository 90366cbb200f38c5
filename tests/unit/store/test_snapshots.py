"""Snapshots give a fast start or none; a damaged one is never taken for the truth."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from neuratrade.store.journal import Journal
from neuratrade.store.keys import Ed25519Signer
from neuratrade.store.snapshots import Snapshots
from tests.unit.store.sample_facts import marked, write


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """A journal of ten rows."""
    with Journal.open(tmp_path / "desk.db", signer=Ed25519Signer()) as journal:
        write(journal, *(marked(at) for at in range(10)))
        yield journal


@pytest.fixture
def raw(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """The same database, without the store."""
    connection = sqlite3.connect(tmp_path / "desk.db", isolation_level=None)
    yield connection
    connection.close()


def test_without_snapshots_there_is_none(journal: Journal) -> None:
    assert Snapshots(journal.engine).latest() is None


def test_the_latest_comes_back_and_only_the_last_few_stay(journal: Journal, raw: sqlite3.Connection) -> None:
    snapshots = Snapshots(journal.engine, keep=3)
    for seq in range(1, 8):
        snapshots.save(seq, b"state %d" % seq)
    assert snapshots.latest() == (7, b"state 7")
    assert raw.execute("SELECT seq FROM snapshots ORDER BY seq").fetchall() == [(5,), (6,), (7,)]


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE snapshots SET state = x'00' WHERE seq = 7",
        "UPDATE snapshots SET sha256 = x'00' WHERE seq = 7",
        "UPDATE snapshots SET seq = 9 WHERE seq = 7",
        "UPDATE snapshots SET seq = 99 WHERE seq = 7",
    ],
)
def test_a_damaged_snapshot_is_passed_over_for_an_older_one_or_for_none(
    journal: Journal, raw: sqlite3.Connection, damage: str
) -> None:
    snapshots = Snapshots(journal.engine)
    snapshots.save(3, b"older")
    snapshots.save(7, b"newer")
    raw.execute(damage)
    assert snapshots.latest() == (3, b"older")
    raw.execute("DELETE FROM snapshots WHERE seq = 3")
    assert snapshots.latest() is None


def test_a_snapshot_of_another_history_is_passed_over(journal: Journal, raw: sqlite3.Connection) -> None:
    Snapshots(journal.engine).save(7, b"state")
    raw.execute("DROP TRIGGER journal_no_update")
    raw.execute("UPDATE journal SET hash = zeroblob(32) WHERE seq = 7")
    assert Snapshots(journal.engine).latest() is None


def test_a_snapshot_of_a_row_that_is_not_there_is_refused(journal: Journal) -> None:
    with pytest.raises(ValueError, match="no journal row 11"):
        Snapshots(journal.engine).save(11, b"state")


def test_saving_again_for_one_row_replaces_what_was_there(journal: Journal) -> None:
    snapshots = Snapshots(journal.engine)
    snapshots.save(5, b"first")
    snapshots.save(5, b"second")
    assert snapshots.latest() == (5, b"second")
