"""What was acknowledged is there after `kill -9`, and a full disk loses nothing either."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from neuratrade.store.audit import verify_chain
from neuratrade.store.emergency import EmergencyFile
from neuratrade.store.journal import Journal
from neuratrade.store.keys import Ed25519Signer
from tests.unit.store.sample_facts import marked, run_started, write

WRITER = "tests.unit.store.crashing_writer"


def start(path: Path, repository: Path, *, group: int, disk_bytes: int = 0) -> "subprocess.Popen[str]":
    """A writer in a process of its own."""
    command = [sys.executable, "-m", WRITER, str(path), str(group), str(disk_bytes)]
    return subprocess.Popen(command, cwd=repository, stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize("seed", range(6))
def test_every_acknowledged_row_survives_kill_9_and_the_chain_verifies(
    tmp_path: Path, repository: Path, seed: int
) -> None:
    chance = random.Random(seed)
    path, acknowledged = tmp_path / "desk.db", 0
    for _ in range(2):
        process = start(path, repository, group=chance.choice([1, 3, 400]))
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(chance.uniform(0, 0.15))
        process.kill()
        rest = process.stdout.read().splitlines()
        assert process.wait(timeout=30) == -signal.SIGKILL
        process.stdout.close()
        acknowledged = max(acknowledged, *(int(line) for line in rest if line.isdigit()), 1)
        report = verify_chain(path, path.parent / "journal.checkpoints")
        assert report.ok, report.problem
        assert report.rows >= acknowledged
    signer = Ed25519Signer()
    with Journal.open(path, signer=signer) as journal:
        head = journal.head()[0]
        assert write(journal, run_started(signer), marked(1)) == head + 2
    report = verify_chain(path, path.parent / "journal.checkpoints")
    assert (report.ok, report.keys, report.unsigned_rows) == (True, 3, 0)


@pytest.mark.skipif(sys.platform == "win32", reason="file size limits are POSIX")
def test_a_full_disk_raises_keeps_the_rows_and_they_come_into_the_journal_later(
    tmp_path: Path, repository: Path
) -> None:
    path = tmp_path / "desk.db"
    process = start(path, repository, group=100, disk_bytes=600_000)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 0, said
    *acknowledged, failed, rescued = said.splitlines()
    assert failed == "failed 100"
    assert rescued == "rescued 100"
    last = int(acknowledged[-1])
    assert verify_chain(path, tmp_path / "journal.checkpoints").rows == last
    with Journal.open(path, signer=Ed25519Signer()) as journal:
        result = EmergencyFile(tmp_path / "emergency.jsonl").reconcile(journal)
        assert (result.moved, result.already_there, result.damaged) == (100, 0, 0)
        numbers = [row.at_ns for row in journal.rows(after_seq=1)]
    assert numbers == list(range(2, last + 101))
    assert verify_chain(path, tmp_path / "journal.checkpoints").ok
