"""The watch folder takes each file exactly once, over a crash too, and nothing in it can block the rest."""

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from neuratrade.core.model.errors import Retryable
from neuratrade.hands.inbox.delivery import Delivery
from neuratrade.hands.inbox.folder import CLAIMED_AT_ONCE, FolderInbox


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "intents"
    path.mkdir()
    return path


def drop(folder: Path, name: str, content: bytes = b"{}") -> None:
    """Send a file the way a program should: written elsewhere, renamed in."""
    waiting = folder / f".{name}.tmp"
    waiting.write_bytes(content)
    waiting.rename(folder / name)


def names(path: Path) -> list[str]:
    return sorted(entry.name for entry in path.iterdir())


def test_a_file_is_delivered_once_and_its_verdict_lies_beside_it(folder: Path) -> None:
    drop(folder, "a.json", b'{"one": 1}')
    inbox = FolderInbox(folder)
    assert inbox.poll() == [Delivery("folder", "a.json", b'{"one": 1}')]
    assert inbox.poll() == []
    assert names(folder / "taken") == ["a.json"]
    inbox.answer("a.json", b'{"approved": true}')
    assert names(folder / "taken") == []
    assert (folder / "done" / "a.json").read_bytes() == b'{"one": 1}'
    assert (folder / "done" / "a.json.answer.json").read_bytes() == b'{"approved": true}'


def test_a_bad_file_goes_to_rejected_with_its_reasons(folder: Path) -> None:
    drop(folder, "a.json", b"rubbish")
    inbox = FolderInbox(folder)
    inbox.poll()
    inbox.reject("a.json", ["document: not JSON; send JSON", "more"])
    assert (folder / "rejected" / "a.json").read_bytes() == b"rubbish"
    assert (folder / "rejected" / "a.json.reason.txt").read_text() == "document: not JSON; send JSON\nmore\n"


def test_what_was_claimed_but_not_answered_comes_again_after_a_crash(folder: Path) -> None:
    drop(folder, "a.json", b"1")
    FolderInbox(folder).poll()
    drop(folder, "b.json", b"2")
    assert [d.name for d in FolderInbox(folder).poll()] == ["a.json", "b.json"]


@pytest.mark.parametrize(("place", "ending"), [("done", ".answer.json"), ("rejected", ".reason.txt")])
def test_a_crash_between_verdict_and_move_only_finishes_the_move(
    folder: Path, place: str, ending: str
) -> None:
    drop(folder, "a.json")
    FolderInbox(folder).poll()
    (folder / place / f"a.json{ending}").write_text("the verdict")
    assert FolderInbox(folder).poll() == []
    assert names(folder / place) == ["a.json", f"a.json{ending}"]
    assert names(folder / "taken") == []


def test_more_leftovers_than_fit_come_in_several_polls_and_all_of_them(folder: Path) -> None:
    for number in range(10):
        drop(folder, f"{number}.json")
    FolderInbox(folder).poll()
    inbox = FolderInbox(folder)
    seen = [delivery.name for _ in range(5) for delivery in inbox.poll(limit=4)]
    assert seen == [f"{number}.json" for number in range(10)]


def test_a_name_used_before_is_kept_apart_and_not_mistaken_for_answered(folder: Path) -> None:
    inbox = FolderInbox(folder)
    for expected in ("a.json", "a~2.json", "a~3.json"):
        drop(folder, "a.json", expected.encode())
        assert [d.name for d in inbox.poll()] == [expected]
        inbox.reject(expected, ["bad"])
    assert [(folder / "rejected" / n).read_text() for n in ("a.json", "a~2.json", "a~3.json")] == [
        "a.json",
        "a~2.json",
        "a~3.json",
    ]


def test_a_tidied_up_document_whose_answer_still_lies_there_does_not_answer_the_next_of_its_name(
    folder: Path,
) -> None:
    inbox = FolderInbox(folder)
    drop(folder, "a.json", b"1")
    inbox.poll()
    inbox.answer("a.json", b"{}")
    (folder / "done" / "a.json").unlink()
    drop(folder, "a.json", b"2")
    inbox.poll()
    assert FolderInbox(folder).poll() == [Delivery("folder", "a~2.json", b"2")]


DESK = """
import os, pathlib, sys
from neuratrade.hands.inbox.folder import FolderInbox
inbox = FolderInbox(pathlib.Path(sys.argv[1]))
journal = os.open(sys.argv[2], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
while deliveries := inbox.poll(limit=1):
    os.write(journal, deliveries[0].raw + b"\\n")
    os.fsync(journal)
    inbox.answer(deliveries[0].name, b"{}")
"""


def test_desks_that_are_killed_at_any_moment_lose_nothing_and_repeat_only_what_was_not_answered(
    folder: Path,
) -> None:
    sent = {str(number) for number in range(400)}
    for number in sent:
        (folder / f"{number}.json").write_text(number)
    journal = folder.parent / "journal"
    journal.touch()
    killed = 0
    for target in (1, 60, 120, 180, 240):
        with subprocess.Popen([sys.executable, "-c", DESK, str(folder), str(journal)]) as desk:
            while journal.read_bytes().count(b"\n") < target and desk.poll() is None:
                time.sleep(0.001)
            desk.kill()
        killed += 1
    subprocess.run([sys.executable, "-c", DESK, str(folder), str(journal)], check=True, timeout=60)
    lines = journal.read_text().split()
    assert set(lines) == sent
    assert len(lines) <= len(sent) + killed
    assert names(folder / "taken") == []


def test_the_same_name_while_the_first_is_still_judged_is_kept_apart(folder: Path) -> None:
    inbox = FolderInbox(folder)
    drop(folder, "a.json", b"1")
    inbox.poll()
    drop(folder, "a.json", b"2")
    assert inbox.poll() == [Delivery("folder", "a~2.json", b"2")]


@pytest.mark.parametrize("name", [".a.json", "a.json.tmp", "a.json.part", "a.txt", "a.json~"])
def test_files_that_are_not_complete_are_left_alone(folder: Path, name: str) -> None:
    (folder / name).write_text("{")
    assert FolderInbox(folder).poll() == []
    assert (folder / name).read_text() == "{"


def test_a_file_that_is_being_filled_is_given_a_moment_and_an_empty_one_is_refused_after_it(
    folder: Path,
) -> None:
    inbox = FolderInbox(folder)
    (folder / "slow.json").touch()
    (folder / "empty.json").touch()
    assert inbox.poll() == []
    (folder / "slow.json").write_text("{}")
    assert [d.name for _ in range(5) for d in inbox.poll()] == ["slow.json", "empty.json"]


def make_link(path: Path) -> None:
    secret = path.parent.parent / "secret.txt"
    secret.write_text("password")
    path.symlink_to(secret)


def make_large(path: Path) -> None:
    path.write_bytes(b" " * 65_537)


UNFIT = {
    "link": (make_link, "file: is a symbolic link"),
    "dangling link": (lambda path: path.symlink_to("nowhere"), "file: is a symbolic link"),
    "folder": (lambda path: path.mkdir(), "file: is no plain file"),
    "full folder": (lambda path: (path / "deep").mkdir(parents=True), "file: is no plain file"),
    "pipe": (os.mkfifo, "file: is no plain file"),
    "huge file": (make_large, "file: 65537 bytes, the limit is 65536"),
}


@pytest.mark.parametrize("kind", UNFIT)
def test_what_is_no_plain_file_is_rejected_unread_and_blocks_nobody(folder: Path, kind: str) -> None:
    make, expected = UNFIT[kind]
    make(folder / "a.json")
    drop(folder, "b.json", b"good")
    inbox = FolderInbox(folder)
    bad, good = sorted(inbox.poll(), key=lambda delivery: delivery.name)
    assert (bad.raw, good.raw) == (b"", b"good")
    assert bad.faults[0].startswith(expected)
    inbox.reject(bad.name, bad.faults)
    assert names(folder / "rejected") == ["a.json", "a.json.reason.txt"]
    assert names(folder / "taken") == ["b.json"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_nobody_may_read_is_rejected(folder: Path) -> None:
    drop(folder, "a.json")
    (folder / "a.json").chmod(0)
    (bad,) = FolderInbox(folder).poll()
    assert bad.faults[0].startswith("file: cannot be read (Permission denied)")


@pytest.mark.parametrize("name", ["bad\udcff\x1b[2J.json", "x" * 250 + ".json", "a\nb.json"])
def test_hostile_names_come_out_printable_and_short_enough_for_their_verdict(folder: Path, name: str) -> None:
    (folder / name).write_bytes(b"{}")
    inbox = FolderInbox(folder)
    (delivery,) = inbox.poll()
    assert delivery.name.isprintable()
    inbox.reject(delivery.name, ["bad"])
    assert len(names(folder / "rejected")) == 2


def test_the_longest_waiting_file_is_first_whatever_its_name_or_date(folder: Path) -> None:
    for name in ("z.json", "m.json", "a.json"):
        drop(folder, name)
        time.sleep(0.02)
    os.utime(folder / "a.json", (0, 0))
    assert [d.name for d in FolderInbox(folder).poll(limit=2)] == ["z.json", "m.json"]


def test_a_file_taken_back_before_its_turn_is_not_missed(folder: Path) -> None:
    for name in ("a.json", "b.json", "c.json"):
        drop(folder, name)
    inbox = FolderInbox(folder)
    inbox.poll(limit=1)
    (folder / "b.json").unlink()
    assert [d.name for d in inbox.poll()] == ["c.json"]


def test_a_folder_that_cannot_be_used_is_said_and_loses_nothing(tmp_path: Path) -> None:
    (tmp_path / "intents").write_text("a file stands where the folder should")
    with pytest.raises(Retryable, match="let the desk read and write everything in"):
        FolderInbox(tmp_path / "intents").poll()


def test_a_folder_deleted_under_the_desk_is_made_again(folder: Path) -> None:
    inbox = FolderInbox(folder)
    inbox.poll()
    for inner in ("taken", "done", "rejected"):
        (folder / inner).rmdir()
    folder.rmdir()
    assert inbox.poll() == []
    drop(folder, "a.json")
    assert len(inbox.poll()) == 1


def test_a_verdict_that_cannot_be_written_leaves_the_file_for_the_next_start(folder: Path) -> None:
    drop(folder, "a.json")
    inbox = FolderInbox(folder)
    inbox.poll()
    (folder / "done").rmdir()
    with pytest.raises(Retryable, match="judged again at the next start"):
        inbox.answer("a.json", b"{}")
    assert [d.name for d in FolderInbox(folder).poll()] == ["a.json"]


async def test_a_burst_of_ten_thousand_files_waits_in_place_while_the_queue_is_full(folder: Path) -> None:
    for number in range(10_000):
        (folder / f"{number}.json").write_bytes(b"{}")
    queue: asyncio.Queue[Delivery] = asyncio.Queue(100)
    inbox = FolderInbox(folder)
    watcher = asyncio.create_task(inbox.watch(queue.put, asyncio.sleep, lambda _: None))
    await asyncio.sleep(0.5)
    assert queue.full()
    claimed = len(list((folder / "taken").iterdir()))
    assert 100 <= claimed <= 100 + CLAIMED_AT_ONCE
    seen: set[str] = set()
    while len(seen) < 10_000:
        delivery = await asyncio.wait_for(queue.get(), 20)
        assert delivery.name not in seen
        seen.add(delivery.name)
        inbox.answer(delivery.name, b"{}")
    watcher.cancel()
    assert len(list((folder / "done").iterdir())) == 20_000


async def test_the_watcher_says_trouble_once_and_goes_on_when_it_is_mended(tmp_path: Path) -> None:
    folder = tmp_path / "intents"
    folder.write_text("not a folder")
    troubles: list[str] = []
    seen: asyncio.Queue[Delivery] = asyncio.Queue()

    async def hurry(_: float) -> None:
        await asyncio.sleep(0.001)

    watcher = asyncio.create_task(FolderInbox(folder).watch(seen.put, hurry, troubles.append))
    await asyncio.sleep(0.05)
    folder.unlink()
    folder.mkdir()
    drop(folder, "a.json")
    assert (await asyncio.wait_for(seen.get(), 5)).name == "a.json"
    watcher.cancel()
    assert len(troubles) == 1
