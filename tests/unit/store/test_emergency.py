"""Facts the journal could not take reach it later, each exactly once, whatever is killed in between."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from neuratrade.store.audit import verify_chain
from neuratrade.store.emergency import EmergencyFile
from neuratrade.store.errors import JournalUnwritable
from neuratrade.store.journal import Journal
from neuratrade.store.keys import Ed25519Signer
from neuratrade.store.writer import Group, Writer
from tests.unit.store.sample_facts import ACCOUNT, RUN, marked, write


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the database will be."""
    return tmp_path / "desk.db"


@pytest.fixture
def emergency(tmp_path: Path) -> EmergencyFile:
    """An emergency file that is not there yet."""
    return EmergencyFile(tmp_path / "emergency.jsonl")


def open_journal(path: Path) -> Journal:
    """The journal as a new process opens it."""
    return Journal.open(path, signer=Ed25519Signer())


def record(emergency: EmergencyFile, *times: int) -> None:
    """Marks that could not be journaled."""
    for at_ns in times:
        emergency.record(marked(at_ns), run_id=RUN, account_id=ACCOUNT)


def test_without_an_emergency_there_is_nothing_to_do(path: Path, emergency: EmergencyFile) -> None:
    with open_journal(path) as journal:
        assert emergency.reconcile(journal).moved == 0
        assert journal.head()[0] == 0


def test_facts_move_into_the_journal_in_order_and_the_file_is_put_aside(
    path: Path, emergency: EmergencyFile
) -> None:
    record(emergency, *range(1, 8))
    with open_journal(path) as journal:
        result = emergency.reconcile(journal)
        assert [row.at_ns for row in journal.rows()] == list(range(1, 8))
        assert (result.moved, result.already_there, result.damaged) == (7, 0, 0)
        assert not emergency.path.exists()
        assert Path(result.kept_at).is_file()
        assert emergency.reconcile(journal).moved == 0
    assert verify_chain(path, None).ok


def test_a_crash_after_the_commit_and_before_the_file_is_put_aside_doubles_nothing(
    path: Path, emergency: EmergencyFile
) -> None:
    record(emergency, 1, 2)
    content = emergency.path.read_bytes()
    with open_journal(path) as journal:
        emergency.reconcile(journal)
    emergency.path.write_bytes(content)
    record(emergency, 3)
    with open_journal(path) as journal:
        result = emergency.reconcile(journal)
        assert (result.moved, result.already_there) == (1, 2)
        assert [row.at_ns for row in journal.rows()] == [1, 2, 3]


def test_a_row_whose_commit_succeeded_without_an_answer_is_recognised(
    path: Path, emergency: EmergencyFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The group reaches the disk, the answer is lost, and then the database cannot be asked either."""
    real = Writer.write

    def commit_then_lose(self: Writer, group: Group) -> None:
        real(self, group)
        path.rename(path.with_suffix(".away"))
        raise OSError("the disk went away")

    journal = open_journal(path)
    write(journal, marked(1))
    with monkeypatch.context() as patched:
        patched.setattr(Writer, "write", commit_then_lose)
        with pytest.raises(JournalUnwritable, match="the disk went away"):
            write(journal, marked(2), marked(3))
    record(emergency, 4)
    assert emergency.take_buffer(journal) == 2
    path.with_suffix(".away").rename(path)
    assert write(journal, marked(5)) == 4
    journal.close()
    with open_journal(path) as journal:
        result = emergency.reconcile(journal)
        assert (result.moved, result.already_there) == (1, 2)
        assert [row.at_ns for row in journal.rows()] == [1, 2, 3, 5, 4]


def test_what_failed_for_certain_is_moved(path: Path, emergency: EmergencyFile) -> None:
    journal = open_journal(path)
    write(journal, marked(1))
    path.rename(path.with_suffix(".away"))
    with pytest.raises(JournalUnwritable):
        write(journal, marked(2))
    emergency.take_buffer(journal)
    assert journal.buffered() == ()
    path.with_suffix(".away").rename(path)
    assert emergency.reconcile(journal).moved == 1
    assert [row.at_ns for row in journal.rows()] == [1, 2]
    journal.close()


def test_a_line_cut_short_by_a_crash_takes_no_other_with_it(path: Path, emergency: EmergencyFile) -> None:
    record(emergency, 1, 2)
    emergency.path.write_bytes(emergency.path.read_bytes()[:-20])
    record(emergency, 3)
    with open_journal(path) as journal:
        result = emergency.reconcile(journal)
        assert (result.moved, result.damaged) == (2, 1)
        assert [row.at_ns for row in journal.rows()] == [1, 3]


def test_of_a_group_that_a_crash_tore_only_what_stands_before_the_tear_comes_in(
    path: Path, emergency: EmergencyFile
) -> None:
    """The disk kept the end of a group and not its middle: a history with a hole is none."""
    record(emergency, 1)
    with open_journal(path) as journal:
        for at_ns in (2, 3, 4, 5):
            journal.append(marked(at_ns), run_id=RUN, account_id=ACCOUNT)
        assert emergency.take_buffer(journal) == 4
        lines = emergency.path.read_bytes().splitlines(keepends=True)
        emergency.path.write_bytes(b"".join((*lines[:2], bytes(len(lines[2])), *lines[3:])))
        result = emergency.reconcile(journal)
        assert [row.at_ns for row in journal.rows()] == [1, 2]
        assert (result.moved, result.damaged) == (2, 2), "a hole has no line ends"
        assert lines[4] in Path(result.kept_at).read_bytes()


def test_a_line_that_was_changed_is_kept_out_and_counted(path: Path, emergency: EmergencyFile) -> None:
    record(emergency, 1, 2)
    emergency.path.write_bytes(emergency.path.read_bytes().replace(b"10000", b"90000", 1))
    with open_journal(path) as journal:
        result = emergency.reconcile(journal)
        assert (result.moved, result.damaged) == (1, 1)
        assert b"90000" in Path(result.kept_at).read_bytes()


@contextmanager
def no_room(path: Path) -> Iterator[None]:
    """A database that can be read but takes nothing more."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(
            "CREATE TRIGGER full BEFORE INSERT ON journal BEGIN SELECT RAISE(ABORT, 'full'); END"
        )
        connection.commit()
        yield
        connection.execute("DROP TRIGGER full")
        connection.commit()


def test_while_the_journal_stays_unwritable_the_file_stays(path: Path, emergency: EmergencyFile) -> None:
    record(emergency, 1, 2)
    with open_journal(path) as journal:
        with no_room(path):
            with pytest.raises(JournalUnwritable):
                write(journal, marked(9))
            for _ in range(2):
                with pytest.raises(JournalUnwritable):
                    emergency.reconcile(journal)
            assert emergency.path.exists()
            assert emergency.take_buffer(journal) == 1
        assert emergency.reconcile(journal).moved == 3
        assert [row.at_ns for row in journal.rows()] == [1, 2, 9]


@pytest.mark.parametrize("finish", ["commit", "reconcile"])
def test_a_failed_reconciliation_is_finished_later_and_doubles_nothing(
    path: Path, emergency: EmergencyFile, finish: str
) -> None:
    record(emergency, 1, 2)
    with open_journal(path) as journal:
        with no_room(path):
            with pytest.raises(JournalUnwritable):
                write(journal, marked(9))
            with pytest.raises(JournalUnwritable):
                emergency.reconcile(journal)
        if finish == "commit":
            assert journal.commit() == 3
        result = emergency.reconcile(journal)
        assert result.moved + result.already_there == 2
        assert [row.at_ns for row in journal.rows()] == [9, 1, 2]


def test_a_journal_that_cannot_be_read_leaves_the_file_where_it_is(
    path: Path, emergency: EmergencyFile
) -> None:
    record(emergency, 1)
    journal = open_journal(path)
    path.rename(path.with_suffix(".away"))
    journal.engine.dispose()
    with pytest.raises(JournalUnwritable, match="cannot be read"):
        emergency.reconcile(journal)
    assert emergency.path.exists()
    journal.abandon()
