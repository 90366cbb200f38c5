"""An audit proves a sound journal, and names the first row that is not sound and what is wrong with it."""

import hashlib
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import pytest

from neuratrade.store.audit import AuditReport, verify_chain
from neuratrade.store.chain import GENESIS, framed, link
from neuratrade.store.checkpoint import Checkpoint
from neuratrade.store.errors import DatabaseAbsent
from neuratrade.store.journal import Journal
from neuratrade.store.keys import Ed25519Signer
from tests.unit.store.sample_facts import marked, run_started, signed_journal, write

ROWS = 45


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A journal of ROWS rows, in segments of ten, with a checkpoint every ten rows and at its end."""
    path = tmp_path / "desk.db"
    signed_journal(path, ROWS)
    return path


def tamper(path: Path, *statements: str, values: Sequence[object] = ()) -> None:
    """What somebody with the file can do: drop the guards, then write."""
    with sqlite3.connect(path) as connection:
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            connection.execute(statement, values)
    connection.close()


def audit(path: Path) -> AuditReport:
    """The audit a person runs."""
    return verify_chain(path, path.parent / "journal.checkpoints")


def rechain(path: Path, first: int) -> None:
    """Computes all hashes anew from a row on, as a forger without the key would."""
    with sqlite3.connect(path) as connection:
        query = (
            "SELECT seq, at_ns, run_id, account_id, kind, payload FROM journal WHERE seq >= ? ORDER BY seq"
        )
        before = connection.execute("SELECT hash FROM journal WHERE seq = ?", (first - 1,)).fetchone()
        prev = GENESIS if before is None else before[0]
        for seq, at_ns, *texts, payload in connection.execute(query, (first,)).fetchall():
            frames = b"".join(framed(text.encode()) for text in texts)
            digest = link(prev, seq, at_ns, frames, payload.encode())
            connection.execute(
                "UPDATE journal SET prev_hash = ?, hash = ? WHERE seq = ?", (prev, digest, seq)
            )
            prev = digest
    connection.close()


def test_a_sound_journal_is_proven(path: Path) -> None:
    report = audit(path)
    assert report.ok
    assert report.problem == ""
    assert (report.rows, report.head_seq, report.from_seq, report.first_bad_seq) == (ROWS, ROWS, 1, None)
    assert (report.segments, report.keys, report.unsigned_rows) == (4, 1, 0)
    assert report.checkpoints >= 5
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT hex(hash) FROM journal WHERE seq = 45").fetchone() == (
            report.head_hash.upper(),
        )
    connection.close()


def test_an_empty_journal_is_sound(tmp_path: Path) -> None:
    Journal.open(tmp_path / "desk.db", signer=Ed25519Signer()).close()
    report = audit(tmp_path / "desk.db")
    assert (report.ok, report.rows) == (True, 0)


def test_there_is_nothing_to_audit_where_nothing_ran(tmp_path: Path) -> None:
    with pytest.raises(DatabaseAbsent):
        audit(tmp_path / "desk.db")


def test_a_file_that_is_no_database_is_said_to_be_none(tmp_path: Path) -> None:
    (tmp_path / "desk.db").write_bytes(b"not a database at all, but long enough to be looked at" * 50)
    report = audit(tmp_path / "desk.db")
    assert not report.ok
    assert "cannot be read" in report.problem


def test_a_database_of_something_else_is_no_journal(tmp_path: Path) -> None:
    sqlite3.connect(tmp_path / "desk.db").execute("CREATE TABLE x (y)").connection.close()
    assert "no table journal" in audit(tmp_path / "desk.db").problem


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ("run_id = 'run-2'", "row 23 was changed"),
        ("account_id = 'paper-2'", "row 23 was changed"),
        ("at_ns = at_ns + 1", "row 23 was changed"),
        ("kind = 'marked '", "row 23 was changed"),
        ("payload = replace(payload, '10000', '10001')", "row 23 was changed"),
        ("payload = payload || ' '", "row 23 was changed"),
        ("hash = zeroblob(32)", "row 23 was changed"),
        ("hash = 'text'", "row 23 was changed"),
        ("prev_hash = zeroblob(32)", "row 23 does not follow row 22"),
        ("at_ns = 1.5", "row 23 has a value of the wrong type"),
        ("at_ns = 'soon'", "row 23 has a value of the wrong type"),
        ("payload = CAST(x'fffe' AS TEXT)", "row 23 was changed"),
        ("seq = 100", "gap: row 23 is missing"),
    ],
)
def test_a_change_of_any_column_is_found_and_named(path: Path, change: str, problem: str) -> None:
    tamper(path, f"UPDATE journal SET {change} WHERE seq = 23")
    report = audit(path)
    assert not report.ok
    assert report.first_bad_seq == 23
    assert problem in report.problem
    assert (report.rows, report.head_seq) == (22, 22)


def test_a_row_moved_in_front_of_the_first_is_named(path: Path) -> None:
    tamper(path, "UPDATE journal SET seq = -5 WHERE seq = 45")
    report = audit(path)
    assert (report.first_bad_seq, report.rows) == (-5, 0)


def test_moving_a_field_border_between_two_columns_is_found(path: Path) -> None:
    """`run-1`+`paper-1` and `run-1p`+`aper-1` are the same letters: lengths are part of what is hashed."""
    tamper(path, "UPDATE journal SET run_id = 'run-1p', account_id = 'aper-1' WHERE seq = 7")
    assert audit(path).first_bad_seq == 7


def test_a_missing_row_is_named(path: Path) -> None:
    tamper(path, "DELETE FROM journal WHERE seq = 12")
    report = audit(path)
    assert report.first_bad_seq == 12
    assert "gap: row 12 is missing, row 13" in report.problem


def test_two_swapped_rows_are_found(path: Path) -> None:
    tamper(
        path,
        "UPDATE journal SET seq = 1000 WHERE seq = 30",
        "UPDATE journal SET seq = 30 WHERE seq = 31",
        "UPDATE journal SET seq = 31 WHERE seq = 1000",
    )
    report = audit(path)
    assert report.first_bad_seq == 30
    assert "does not follow" in report.problem


def test_a_forged_fact_with_all_hashes_computed_anew_contradicts_the_next_checkpoint(path: Path) -> None:
    tamper(path, "UPDATE journal SET payload = replace(payload, '10000', '99999') WHERE seq = 23")
    rechain(path, 23)
    report = audit(path)
    assert report.first_bad_seq is not None
    assert 23 <= report.first_bad_seq <= 32
    assert "written anew" in report.problem or "sealed" in report.problem


def test_a_chain_written_anew_from_its_first_row_under_another_key_is_found(path: Path) -> None:
    """The forger has his own key, but not the checkpoint file."""
    forged = run_started(Ed25519Signer())
    tamper(
        path,
        "UPDATE journal SET payload = ? WHERE seq = 1",
        values=(msgspec.json.encode(forged).decode(),),
    )
    tamper(path, "DELETE FROM segments")
    rechain(path, 1)
    report = audit(path)
    assert report.first_bad_seq == 1
    assert "another hash than its checkpoint" in report.problem


@pytest.mark.parametrize("kept", [44, 40, 7, 0])
def test_a_cut_tail_is_found(path: Path, kept: int) -> None:
    tamper(path, f"DELETE FROM journal WHERE seq > {kept}", f"DELETE FROM segments WHERE last_seq > {kept}")
    report = audit(path)
    assert report.first_bad_seq == kept + 1
    assert "the tail was cut" in report.problem
    assert f"ends at {kept}" in report.problem


def test_a_payload_that_is_no_fact_is_named_even_when_its_hash_is_right(tmp_path: Path) -> None:
    path = tmp_path / "desk.db"
    with Journal.open(path, signer=Ed25519Signer()) as journal:
        write(journal, marked(1), marked(2))
    tamper(path, 'UPDATE journal SET payload = \'{"type":"no_such"}\' WHERE seq = 2')
    rechain(path, 2)
    report = audit(path)
    assert report.first_bad_seq == 2
    assert "row 2 holds no fact" in report.problem


def test_a_kind_that_is_not_the_payloads_is_named(tmp_path: Path) -> None:
    path = tmp_path / "desk.db"
    with Journal.open(path, signer=Ed25519Signer()) as journal:
        write(journal, marked(1), marked(2))
    tamper(path, "UPDATE journal SET kind = 'run_ended' WHERE seq = 2")
    rechain(path, 2)
    assert "but holds marked" in audit(path).problem


def edit_checkpoints(path: Path, edit: Callable[[list[bytes]], list[bytes]]) -> None:
    """Rewrites the checkpoint file line by line."""
    file = path.parent / "journal.checkpoints"
    file.write_bytes(b"".join(line + b"\n" for line in edit(file.read_bytes().splitlines())))


def test_a_missing_checkpoint_file_is_a_fault_of_a_journal_with_rows(path: Path) -> None:
    (path.parent / "journal.checkpoints").unlink()
    report = audit(path)
    assert not report.ok
    assert report.rows == ROWS
    assert "missing" in report.problem


def test_a_checkpoint_line_that_is_no_checkpoint_is_named_by_its_number(path: Path) -> None:
    edit_checkpoints(path, lambda lines: [lines[0], b"{garbage", *lines[2:]])
    report = audit(path)
    assert not report.ok
    assert "line 2" in report.problem


def test_an_unfinished_last_line_is_what_a_crash_leaves_and_no_fault(path: Path) -> None:
    file = path.parent / "journal.checkpoints"
    file.write_bytes(file.read_bytes() + b'{"count":46,"hash":"ab')
    assert audit(path).ok


@pytest.mark.parametrize("field", ["at_ns", "signature", "key_id"])
def test_a_forged_checkpoint_is_found(path: Path, field: str) -> None:
    def forge(lines: list[bytes]) -> list[bytes]:
        last = msgspec.json.decode(lines[-1], type=Checkpoint)
        values = {"at_ns": 5, "signature": "00" * 64, "key_id": "0" * 16}
        return [*lines[:-1], msgspec.json.encode(msgspec.structs.replace(last, **{field: values[field]}))]

    edit_checkpoints(path, forge)
    report = audit(path)
    assert report.first_bad_seq == ROWS
    assert ("unknown key" if field == "key_id" else "bad signature") in report.problem


def test_a_checkpoint_for_a_forged_chain_needs_a_key_the_chain_published(path: Path) -> None:
    """The forger rewrites the end and signs it himself, after the last honest checkpoint before it."""
    tamper(path, "UPDATE journal SET payload = replace(payload, '10000', '99999') WHERE seq = 44")
    rechain(path, 44)
    with sqlite3.connect(path) as connection:
        (head,) = connection.execute("SELECT hash FROM journal WHERE seq = 45").fetchone()
    connection.close()
    thief = Ed25519Signer()
    unsigned = Checkpoint(45, head.hex(), 1, thief.key_id)
    mine = msgspec.structs.replace(unsigned, signature=thief.sign(unsigned.signed_text()).hex())
    edit_checkpoints(path, lambda lines: [*lines[:-1], msgspec.json.encode(mine)])
    report = audit(path)
    assert report.first_bad_seq == 45
    assert "unknown key" in report.problem


def test_rows_and_checkpoints_written_anew_together_are_found_by_an_anchor_noted_elsewhere(
    tmp_path: Path,
) -> None:
    honest, forged = tmp_path / "a" / "desk.db", tmp_path / "b" / "desk.db"
    signed_journal(honest, 30)
    head = audit(honest).head_hash
    signed_journal(forged, 40)
    file = forged.parent / "journal.checkpoints"
    assert verify_chain(forged, file).ok
    assert verify_chain(honest, honest.parent / "journal.checkpoints", anchor=(30, head)).ok
    report = verify_chain(forged, file, anchor=(30, head))
    assert report.first_bad_seq == 30
    assert "anchor" in report.problem
    assert "the anchor counts 50" in verify_chain(forged, file, anchor=(50, head)).problem


def test_a_key_whose_id_is_not_its_own_is_named(tmp_path: Path) -> None:
    path = tmp_path / "desk.db"
    signer = Ed25519Signer()
    with Journal.open(path, signer=Ed25519Signer()) as journal:
        write(journal, msgspec.structs.replace(run_started(signer), key_id="0" * 16))
    assert "publishes a key" in audit(path).problem


def test_checkpoints_of_earlier_processes_verify_with_the_keys_found_in_the_chain(path: Path) -> None:
    signer = Ed25519Signer()
    with Journal.open(path, signer=signer, segment_rows=10) as journal:
        write(journal, run_started(signer, run_id="run-2"))
        write(journal, *(marked(at) for at in range(20)))
    report = audit(path)
    assert (report.ok, report.keys, report.rows) == (True, 2, ROWS + 21)


def test_an_audit_can_begin_at_a_sealed_segment(path: Path) -> None:
    report = verify_chain(path, path.parent / "journal.checkpoints", from_segment=20)
    assert (report.ok, report.from_seq, report.rows, report.head_seq) == (True, 21, 25, 45)
    tamper(path, "UPDATE journal SET at_ns = 0 WHERE seq = 30")
    report = verify_chain(path, path.parent / "journal.checkpoints", from_segment=20)
    assert report.first_bad_seq == 30


def test_an_audit_cannot_begin_where_no_segment_ends(path: Path) -> None:
    report = verify_chain(path, None, from_segment=21)
    assert not report.ok
    assert "no sealed segment ends at row 21" in report.problem


def test_a_changed_seal_is_found(path: Path) -> None:
    tamper(path, "UPDATE segments SET hash = zeroblob(32) WHERE last_seq = 20")
    report = audit(path)
    assert report.first_bad_seq == 20
    assert "sealed" in report.problem


def test_a_damaged_page_of_the_file_is_reported_and_does_not_stop_the_report(path: Path) -> None:
    content = bytearray(path.read_bytes())
    with sqlite3.connect(path) as connection:
        (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'journal'").fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    connection.close()
    content[(page - 1) * size : page * size] = b"\xff" * size
    path.write_bytes(bytes(content))
    assert not audit(path).ok


def test_the_hash_is_what_the_documentation_says() -> None:
    """Computed here from the words of the module, so that another program could check a journal too."""
    prev, seq, at_ns = GENESIS, 7, 1_700_000_000_000_000_000
    texts = [b"run", b"account", b"marked", b'{"a":1}']
    plain = prev + seq.to_bytes(8, "big") + at_ns.to_bytes(8, "big")
    plain += b"".join(len(text).to_bytes(4, "big") + text for text in texts)
    frames = b"".join(framed(text) for text in texts[:3])
    assert link(prev, seq, at_ns, frames, texts[3]) == hashlib.sha256(plain).digest()
