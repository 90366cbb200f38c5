"""A disk that drops what was not synced: whatever it keeps, nothing that was acknowledged is lost or doubled.

`kill -9` alone never tests this, since the system keeps what a killed process wrote. So one life of a real
desk on real files is recorded call by call, and the disk is made anew as a crash after a call may leave it.
`make crash` tries every call.
"""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash.disk import Disk, File, Folder, everything, nothing
from tests.crash.recording import Recording, Tally, Told, try_crashes
from tests.crash.syscalls import Call, why_not

SEED = 12
MEMORY = Path("/dev/shm")


@pytest.fixture(scope="module")
def room() -> Iterator[Path]:
    """A folder in memory where there is one: thousands of homes are made and thrown away."""
    problem = why_not()
    if problem:
        if os.environ.get("CI") and "not installed" in problem:
            pytest.fail(problem)
        pytest.skip(problem)
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        yield Path(folder)


@pytest.fixture(scope="module")
def recording(room: Path, repository: Path) -> Recording:
    """One life of a desk."""
    folder = room / "as-it-is"
    folder.mkdir()
    return Recording.make(folder, repository, SEED)


def test_the_recorded_calls_make_the_same_files_as_the_process_did(recording: Recording) -> None:
    *_, (_, _, disk, told) = recording.crash_points()
    real = {
        str(path.relative_to(recording.root)): None if path.is_dir() else path.read_bytes()
        for path in recording.root.rglob("*")
    }
    assert disk.image(everything) == real
    assert told.full == 2, "the disk was to be full twice"
    assert told.safe == len(told.facts) > 300
    assert len(told.sent) > 20
    assert len([name for name in real if name.endswith(".moved.jsonl")]) == 2


def test_after_a_crash_at_any_call_all_that_was_acknowledged_is_there_once(
    recording: Recording, room: Path
) -> None:
    tally = try_crashes(recording, room, share=0.05, chances=3, seed="suite")
    assert tally.violations == []
    assert tally.points > 50
    assert tally.different > 2 * tally.points


@pytest.mark.parametrize("setting", ["OFF", "NORMAL"])
def test_a_journal_that_does_not_sync_each_commit_is_found_out(
    room: Path, repository: Path, setting: str
) -> None:
    folder = room / setting
    folder.mkdir()
    weak = Recording.make(folder, repository, SEED, setting)
    tally = try_crashes(weak, room, share=0.02, chances=0, seed=setting)
    found = {violation.split(",")[0] for violation in tally.violations}
    assert len(found) > tally.points // 3, "a disk that forgets finds most of what was not synced"


def test_what_was_not_synced_may_be_lost_torn_or_there() -> None:
    file = File()
    file.write(0, b"a" * 1024)
    file.sync()
    file.write(256, b"b" * 512)
    answers = iter((False, True))
    assert file.after_crash(nothing) == b"a" * 1024
    assert file.after_crash(everything) == b"a" * 256 + b"b" * 512 + b"a" * 256
    assert file.after_crash(lambda: next(answers)) == b"a" * 512 + b"b" * 256 + b"a" * 256


def test_a_hole_that_was_not_written_is_zeros() -> None:
    file = File()
    file.write(0, b"x" * 1024)
    answers = iter((False, True))
    assert file.after_crash(lambda: next(answers)) == bytes(512) + b"x" * 512


def test_a_name_is_safe_only_with_its_folder() -> None:
    folder, file = Folder(), File()
    folder.change({"a": file})
    file.write(0, b"synced")
    file.sync()
    assert folder.after_crash(nothing) == {}
    folder.sync()
    folder.change({"a": None, "b": file})
    assert folder.after_crash(nothing) == {"a": file}
    assert folder.after_crash(everything) == {"b": file}


def test_a_call_the_disk_does_not_know_is_an_error_and_no_silent_hole() -> None:
    disk = Disk(Path("/home"))
    disk.take(Call("openat", (b"/home/file",), ("AT_FDCWD", "O_RDWR|O_CREAT", "0600"), 3))
    with pytest.raises(NotImplementedError, match="fallocate"):
        disk.take(Call("fallocate", (), ("3", "0", "0", "4096"), 0))


def test_what_is_told_is_kept_apart_from_what_is_safe() -> None:
    told = Told()
    for line in (b"fact {}\n", b"fact {}\n", b"safe 1\n", b"sent abc\n"):
        told.hear(line)
    assert (len(told.facts), told.safe, told.sent, told.full) == (2, 1, ["abc"], 0)
    assert Tally().violations == []
