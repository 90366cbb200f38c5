"""The journal keeps what it was given, in order, once, and lets nobody change it."""

import sqlite3
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from neuratrade.core.model.facts import encode_fact
from neuratrade.store.audit import verify_chain
from neuratrade.store.chain import GENESIS
from neuratrade.store.errors import DatabaseAbsent, JournalCut, JournalTaken, JournalUnwritable
from neuratrade.store.journal import Journal
from neuratrade.store.keys import Ed25519Signer
from neuratrade.store.reader import PAGE_ROWS, JournalReader
from neuratrade.store.writer import Group, Writer
from tests.unit.store.sample_facts import ACCOUNT, RUN, filled, marked, run_started, signed_journal, write

REST = "run_id, account_id, at_ns, kind, payload, prev_hash, hash"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the database will be."""
    return tmp_path / "desk.db"


def test_an_empty_journal_has_the_genesis_as_head(path: Path) -> None:
    with Journal.open(path, signer=Ed25519Signer()) as journal:
        assert journal.head() == (0, GENESIS)
        assert journal.commit() == 0


def test_nothing_appended_is_visible_before_the_commit(path: Path) -> None:
    with Journal.open(path, signer=Ed25519Signer()) as journal, JournalReader.open(path) as other:
        journal.append(marked(5), run_id=RUN, account_id=ACCOUNT)
        assert list(other.rows()) == []
        assert list(journal.rows()) == []
        assert journal.head()[0] == 0
        assert journal.commit() == 1
        assert [row.seq for row in other.rows()] == [1]


def test_a_row_holds_the_exact_text_of_the_fact(path: Path) -> None:
    fact = filled("i", price="60000.10", quantity="0.00012300")
    with Journal.open(path, signer=Ed25519Signer()) as journal:
        write(journal, fact)
        (row,) = journal.rows()
    assert row.payload.encode() == encode_fact(fact)
    assert row.fact() == fact
    assert (row.run_id, row.account_id, row.at_ns, row.kind) == (RUN, ACCOUNT, 4, "order_filled")


def test_a_reopened_journal_goes_on_where_it_ended(path: Path) -> None:
    with Journal.open(path, signer=Ed25519Signer()) as journal:
        write(journal, marked(1), marked(2))
        head = journal.head()
    with Journal.open(path, signer=Ed25519Signer()) as journal:
        assert journal.head() == head
        assert write(journal, marked(3)) == 3
        assert [row.seq for row in journal.rows()] == [1, 2, 3]
        assert [row.seq for row in journal.rows(after_seq=2)] == [3]


def test_rows_come_whole_and_in_order_over_many_pages(path: Path) -> None:
    count = PAGE_ROWS * 2 + 1
    with Journal.open(path, signer=Ed25519Signer()) as journal:
        write(journal, *(marked(at) for at in range(count)))
        assert [row.seq for row in journal.rows()] == list(range(1, count + 1))


def test_closing_commits_what_is_buffered(path: Path) -> None:
    with Journal.open(path, signer=Ed25519Signer()) as journal:
        journal.append(marked(1), run_id=RUN, account_id=ACCOUNT)
    with JournalReader.open(path) as reader:
        assert reader.head()[0] == 1


@pytest.mark.parametrize("at_ns", [-1, 2**63])
def test_a_time_the_database_cannot_hold_is_refused_before_it_is_buffered(path: Path, at_ns: int) -> None:
    with Journal.open(path, signer=Ed25519Signer()) as journal:
        with pytest.raises(ValueError, match=f"marked.at_ns is {at_ns}"):
            journal.append(marked(at_ns), run_id=RUN, account_id=ACCOUNT)
        assert journal.buffered() == ()


@pytest.mark.parametrize("run_id", ["", "a\0b"])
def test_an_owner_that_is_no_text_is_refused(path: Path, run_id: str) -> None:
    with Journal.open(path, signer=Ed25519Signer()) as journal, pytest.raises(ValueError, match="run_id"):
        journal.append(marked(1), run_id=run_id, account_id=ACCOUNT)


def test_reading_a_journal_that_is_not_there_does_not_make_one(path: Path) -> None:
    with pytest.raises(DatabaseAbsent, match="nothing has run"):
        JournalReader.open(path)
    assert not path.exists()


def test_a_reader_cannot_write(path: Path) -> None:
    signed_journal(path, 3)
    with (
        JournalReader.open(path) as reader,
        reader.engine.connect() as connection,
        pytest.raises(OperationalError, match="readonly"),
    ):
        connection.exec_driver_sql("DELETE FROM snapshots")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE journal SET payload = 'x' WHERE seq = 2",
        "DELETE FROM journal WHERE seq = 5",
        "DELETE FROM journal",
        f"INSERT OR REPLACE INTO journal SELECT 2, {REST} FROM journal WHERE seq = 2",
        "REPLACE INTO journal SELECT * FROM journal WHERE seq = 5",
        "INSERT INTO journal SELECT * FROM journal WHERE seq = 5 ON CONFLICT DO UPDATE SET payload = 'x'",
        f"INSERT INTO journal SELECT 99, {REST} FROM journal WHERE seq = 5",
        f"INSERT INTO journal ({REST}) SELECT {REST} FROM journal WHERE seq = 5",
        "UPDATE segments SET hash = x'00'",
        "DELETE FROM segments",
        "INSERT OR REPLACE INTO segments VALUES (1, 3, x'00')",
        "INSERT OR REPLACE INTO segments VALUES (7, 3, x'00')",
        "INSERT INTO segments VALUES (9, 12, x'00')",
        "UPDATE emergency_moved SET seq = 9",
        "DELETE FROM emergency_moved",
        "INSERT OR REPLACE INTO emergency_moved VALUES ('line', 9)",
    ],
)
def test_the_database_itself_refuses_to_change_what_was_written(path: Path, statement: str) -> None:
    checkpoints = signed_journal(path, 5, segment_rows=3, group=1)
    with sqlite3.connect(path) as connection:
        connection.execute("INSERT INTO emergency_moved VALUES ('line', 1)")
        connection.commit()
        before = connection.execute("SELECT * FROM journal").fetchall()
        assert connection.execute("SELECT count(*) FROM segments").fetchone() == (1,)
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            connection.execute(statement)
        assert connection.execute("SELECT * FROM journal").fetchall() == before
    connection.close()
    assert verify_chain(path, checkpoints).ok


def test_a_second_writer_is_found_out_before_it_forks_the_chain(path: Path) -> None:
    first = Journal.open(path, signer=Ed25519Signer())
    second = Journal.open(path, signer=Ed25519Signer())
    write(first, marked(1))
    second.append(marked(2), run_id=RUN, account_id=ACCOUNT)
    with pytest.raises(JournalTaken, match="another process writes"):
        second.commit()
    second.abandon()
    assert write(first, marked(3)) == 2
    first.close()
    assert verify_chain(path, None).ok


def test_a_group_whose_answer_was_lost_is_not_written_twice(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The commit reaches the disk, then the connection breaks before the writer hears of it."""
    real = Writer.write

    def commit_then_fail(self: Writer, group: Group) -> None:
        real(self, group)
        raise OperationalError("COMMIT", {}, sqlite3.OperationalError("disk I/O error"))

    with Journal.open(path, signer=Ed25519Signer()) as journal:
        write(journal, marked(1))
        with monkeypatch.context() as patched:
            patched.setattr(Writer, "write", commit_then_fail)
            assert write(journal, marked(2), marked(3)) == 3
        assert write(journal, marked(4)) == 4
        assert [row.at_ns for row in journal.rows()] == [1, 2, 3, 4]


def test_what_came_after_a_group_whose_answer_was_lost_is_written_behind_it(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The commit reaches the disk, the answer is lost, and for a while the database cannot be asked."""
    real = Writer.write

    def commit_then_vanish(self: Writer, group: Group) -> None:
        real(self, group)
        path.rename(path.with_suffix(".away"))
        raise OSError("the disk went away")

    with Journal.open(path, signer=Ed25519Signer()) as journal:
        write(journal, marked(1))
        with monkeypatch.context() as patched:
            patched.setattr(Writer, "write", commit_then_vanish)
            with pytest.raises(JournalUnwritable, match="the disk went away"):
                write(journal, marked(2), marked(3))
        journal.append(marked(4), run_id=RUN, account_id=ACCOUNT)
        assert [fact.seq for fact in journal.buffered()] == [2, 3, None]
        path.with_suffix(".away").rename(path)
        assert journal.commit() == 4
        assert [row.at_ns for row in journal.rows()] == [1, 2, 3, 4]


def test_a_group_that_failed_stays_buffered_and_the_retry_writes_it_once(path: Path) -> None:
    with Journal.open(path, signer=Ed25519Signer()) as journal:
        write(journal, marked(1))
        blocker = sqlite3.connect(path)
        blocker.execute(
            "CREATE TRIGGER full BEFORE INSERT ON journal BEGIN SELECT RAISE(ABORT, 'no room'); END"
        )
        blocker.commit()
        journal.append(marked(2), run_id=RUN, account_id=ACCOUNT)
        with pytest.raises(JournalUnwritable, match=r"1 facts after row 1 .* no room.* kept in memory"):
            journal.commit()
        journal.append(marked(3), run_id=RUN, account_id=ACCOUNT)
        with pytest.raises(JournalUnwritable, match="2 facts after row 1"):
            journal.commit()
        assert [fact.seq for fact in journal.buffered()] == [2, 3]
        blocker.execute("DROP TRIGGER full")
        blocker.commit()
        blocker.close()
        assert journal.commit() == 3
        assert [row.at_ns for row in journal.rows()] == [1, 2, 3]
        assert journal.buffered() == ()


def test_a_database_deleted_under_the_desk_is_noticed_and_not_made_anew(path: Path) -> None:
    journal = Journal.open(path, signer=Ed25519Signer())
    write(journal, marked(1))
    path.rename(path.with_suffix(".away"))
    journal.append(marked(2), run_id=RUN, account_id=ACCOUNT)
    for _ in range(2):
        with pytest.raises(JournalUnwritable, match="deleted or replaced"):
            journal.commit()
    assert len(journal.buffered()) == 1
    assert not path.exists()
    path.with_suffix(".away").rename(path)
    assert journal.commit() == 2
    journal.close()


def test_a_database_replaced_under_the_desk_is_not_written_to(path: Path) -> None:
    journal = Journal.open(path, signer=Ed25519Signer())
    other = path.with_name("other.db")
    signed_journal(other, 1)
    other.replace(path)
    journal.append(marked(2), run_id=RUN, account_id=ACCOUNT)
    with pytest.raises(JournalUnwritable, match="deleted or replaced"):
        journal.commit()
    journal.abandon()


def test_a_journal_shorter_than_its_checkpoint_is_not_opened(path: Path, tmp_path: Path) -> None:
    checkpoints = signed_journal(path, 20)
    other = tmp_path / "older.db"
    with Journal.open(other, signer=Ed25519Signer(), checkpoints=tmp_path / "other.checkpoints") as older:
        write(older, marked(1))
    with pytest.raises(JournalCut, match=r"lacks row 20, .*audit verify"):
        Journal.open(other, signer=Ed25519Signer(), checkpoints=checkpoints)


def test_a_journal_with_another_row_than_its_checkpoint_is_not_opened(path: Path, tmp_path: Path) -> None:
    checkpoints = signed_journal(path, 20)
    other = tmp_path / "other" / "desk.db"
    signed_journal(other, 30)
    with pytest.raises(JournalCut, match="has another row 20"):
        Journal.open(other, signer=Ed25519Signer(), checkpoints=checkpoints)


def test_the_first_checkpoint_follows_the_fact_that_publishes_the_key(path: Path) -> None:
    signer = Ed25519Signer()
    file = path.parent / "journal.checkpoints"
    journal = Journal.open(path, signer=signer)
    write(journal, marked(1))
    assert journal.checkpoint() is False
    assert file.read_bytes() == b""
    write(journal, run_started(Ed25519Signer()))
    assert file.read_bytes() == b""
    write(journal, run_started(signer))
    assert file.read_bytes().count(b"\n") == 1
    journal.abandon()
    report = verify_chain(path, file)
    assert (report.ok, report.checkpoints, report.unsigned_rows) == (True, 1, 0)


def test_a_checkpoint_that_cannot_be_written_does_not_unmake_the_commit(path: Path) -> None:
    signer = Ed25519Signer()
    journal = Journal.open(path, signer=signer)
    file = path.parent / "journal.checkpoints"
    file.unlink()
    file.mkdir()
    assert write(journal, run_started(signer)) == 1
    problem = journal.checkpoint_problem
    assert isinstance(problem, OSError)
    file.rmdir()
    assert write(journal, marked(2)) == 2
    assert journal.checkpoint_problem is None
    journal.close()
    assert verify_chain(path, file).checkpoints == 1


def test_amounts_survive_to_the_last_digit(path: Path) -> None:
    amount = "123456789012345678901234567890.000000000000000000000000000001"
    with Journal.open(path, signer=Ed25519Signer()) as journal:
        write(journal, marked(1, equity=amount))
        fact = next(journal.rows()).fact()
    assert getattr(fact, "equity", None) == Decimal(amount)
