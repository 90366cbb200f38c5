"""A sender in another process learns for certain what became of its document, or that it is uncertain."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from neuratrade.core.model.errors import UsageError
from neuratrade.hands.inbox.delivery import Delivery
from neuratrade.hands.inbox.folder import FolderInbox
from neuratrade.hands.inbox.submit import Answer, Outcome, submit_through_folder


@contextmanager
def desk(home: Path, judge: Callable[[FolderInbox, Delivery], None]) -> Iterator[None]:
    """A desk on another thread that judges what comes into `intents/`."""
    stop = threading.Event()
    inbox = FolderInbox(home / "intents")

    def run() -> None:
        while not stop.wait(0.005):
            for delivery in inbox.poll():
                judge(inbox, delivery)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    path = tmp_path / "home"
    path.mkdir()
    return path


def test_the_desks_verdict_comes_back(home: Path) -> None:
    with desk(home, lambda inbox, delivery: inbox.answer(delivery.name, b'{"echo":' + delivery.raw + b"}")):
        assert submit_through_folder(home, b'{"a":1}', 5) == Answer(Outcome.JUDGED, '{"echo":{"a":1}}')


def test_the_reasons_of_a_bad_document_come_back(home: Path) -> None:
    with desk(home, lambda inbox, delivery: inbox.reject(delivery.name, ["asset: is missing", "x: y"])):
        assert submit_through_folder(home, b"{}", 5) == Answer(Outcome.TURNED_AWAY, "asset: is missing\nx: y")


def test_without_a_desk_the_document_is_withdrawn_and_can_never_be_taken(home: Path) -> None:
    answer = submit_through_folder(home, b"{}", 0.1)
    assert answer.outcome is Outcome.WITHDRAWN
    assert "nothing was done" in answer.text
    assert FolderInbox(home / "intents").poll() == []


def test_a_document_taken_but_not_answered_is_said_to_be_uncertain(home: Path) -> None:
    with desk(home, lambda inbox, delivery: None):
        answer = submit_through_folder(home, b"{}", 0.1)
    assert answer.outcome is Outcome.UNKNOWN
    assert "do not send it again" in answer.text


def test_a_verdict_just_after_the_time_limit_still_counts(home: Path) -> None:
    def late(inbox: FolderInbox, delivery: Delivery) -> None:
        time.sleep(0.4)
        inbox.answer(delivery.name, b"late")

    with desk(home, late):
        assert submit_through_folder(home, b"{}", 0.1) == Answer(Outcome.JUDGED, "late")


def test_without_a_home_nothing_is_made_and_the_message_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="run `neuratrade run` or set NEURATRADE_HOME"):
        submit_through_folder(tmp_path / "nowhere", b"{}", 1)
    assert not (tmp_path / "nowhere").exists()


def test_a_document_that_could_never_be_taken_is_refused_before_it_is_sent(home: Path) -> None:
    with pytest.raises(UsageError, match="the limit is 65536"):
        submit_through_folder(home, b" " * 65_537, 1)
    assert list(home.iterdir()) == []


def test_of_many_senders_in_many_processes_each_gets_its_own_verdict(home: Path) -> None:
    program = (
        "import sys, pathlib\n"
        "from neuratrade.hands.inbox.submit import submit_through_folder\n"
        "for n in range(10):\n"
        "    sent = f'{sys.argv[2]}-{n}'\n"
        "    assert submit_through_folder(pathlib.Path(sys.argv[1]), sent.encode(), 20).text == sent\n"
    )
    taken: list[bytes] = []

    def judge(inbox: FolderInbox, delivery: Delivery) -> None:
        taken.append(delivery.raw)
        inbox.answer(delivery.name, delivery.raw)

    with desk(home, judge):
        senders = [subprocess.Popen([sys.executable, "-c", program, str(home), str(n)]) for n in range(3)]
        assert [sender.wait(60) for sender in senders] == [0, 0, 0]
    assert sorted(taken) == sorted(f"{s}-{n}".encode() for s in range(3) for n in range(10))
