"""One home, one desk: found by its name, entered by one, given back however the holder ends."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from neuratrade.store.errors import HomeLocked
from neuratrade.store.home import Home, HomeLock, holder_of, is_held

HOLD = """
import sys, os
from neuratrade.store.home import Home, HomeLock
from neuratrade.store.errors import HomeLocked
try:
    HomeLock(Home.resolve()).acquire()
except HomeLocked as refusal:
    print("refused", refusal, flush=True)
else:
    print("held", os.getpid(), flush=True)
    sys.stdin.read()
"""


def contender() -> "subprocess.Popen[str]":
    """A process that tries to take the home and holds it until its input ends."""
    command = [sys.executable, "-c", HOLD]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def first_word(process: "subprocess.Popen[str]") -> str:
    """What it said."""
    assert process.stdout is not None
    return process.stdout.readline().partition(" ")[0].strip()


def end(process: "subprocess.Popen[str]") -> None:
    """Lets it go and waits."""
    process.communicate(timeout=30)


def test_the_environment_names_the_home(tmp_path: Path) -> None:
    assert Home.resolve({"NEURATRADE_HOME": str(tmp_path / "a")}).root == tmp_path / "a"


@pytest.mark.skipif(sys.platform != "linux", reason="Linux user data folder")
def test_without_a_name_the_home_is_the_users_data_folder(tmp_path: Path) -> None:
    assert Home.resolve({"XDG_DATA_HOME": str(tmp_path)}).root == tmp_path / "neuratrade"
    assert Home.resolve({"NEURATRADE_HOME": " "}).root == Path.home() / ".local" / "share" / "neuratrade"


def test_a_relative_home_becomes_absolute() -> None:
    assert Home.resolve({"NEURATRADE_HOME": "here"}).root == Path.cwd() / "here"


def test_creating_a_home_makes_its_folders_for_the_owner_alone(neuratrade_home: Path) -> None:
    home = Home.resolve().create()
    assert home.root == neuratrade_home
    assert all(folder.is_dir() for folder in (home.config, home.logs, home.intents, home.rejected))
    assert not home.halt_file.exists()
    if os.name == "posix":
        assert home.root.stat().st_mode & 0o077 == 0
    home.create()


def test_a_second_holder_is_told_who_holds_the_home(neuratrade_home: Path) -> None:
    home = Home.resolve()
    with HomeLock(home):
        assert is_held(home)
        with pytest.raises(HomeLocked) as refusal:
            HomeLock(home).acquire()
        text = str(refusal.value)
        assert str(neuratrade_home) in text
        assert f"process {os.getpid()} on {socket.gethostname()}, since 2" in text
        process = contender()
        said, _ = process.communicate(timeout=30)
        assert said.startswith("refused")
        assert f"process {os.getpid()} " in said
    assert not is_held(home)
    with HomeLock(home):
        pass


def test_two_homes_do_not_know_each_other(tmp_path: Path) -> None:
    with HomeLock(Home(tmp_path / "a")), HomeLock(Home(tmp_path / "b")):
        assert is_held(Home(tmp_path / "a"))


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is POSIX")
def test_the_system_gives_the_lock_back_after_kill_9() -> None:
    home = Home.resolve()
    process = contender()
    assert first_word(process) == "held"
    holder = holder_of(home)
    assert holder is not None
    assert holder.pid == process.pid
    with pytest.raises(HomeLocked, match=f"process {process.pid} on"):
        HomeLock(home).acquire()
    process.send_signal(signal.SIGKILL)
    end(process)
    with HomeLock(home):
        assert is_held(home)


def test_of_many_processes_that_race_exactly_one_wins() -> None:
    processes = [contender() for _ in range(6)]
    try:
        words = [first_word(process) for process in processes]
    finally:
        for process in processes:
            end(process)
    assert sorted(words) == ["held"] + ["refused"] * 5


@pytest.mark.skipif(not hasattr(os, "fork"), reason="fork is POSIX")
def test_a_forked_worker_that_outlives_the_desk_does_not_keep_the_home_locked() -> None:
    script = """
import os, sys
from neuratrade.store.home import Home, HomeLock
HomeLock(Home.resolve()).acquire()
child = os.fork()
if child == 0:
    print("forked", flush=True)
    sys.stdin.read()
os._exit(0)
"""
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert first_word(process) == "forked"
    process.wait(timeout=30)
    with HomeLock(Home.resolve()):
        pass
    end(process)


def test_a_home_that_nobody_entered_is_not_held() -> None:
    assert not is_held(Home.resolve())


def test_a_lock_note_that_cannot_be_read_still_refuses_with_a_reason() -> None:
    home = Home.resolve()
    with HomeLock(home):
        home.lock_file.write_bytes(b"")
        with pytest.raises(HomeLocked, match="another process"):
            HomeLock(home).acquire()
