"""The HALT file halts in every shape it can have, within a second, and never says less than it knows."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from neuratrade.core.model.facts import KillPolicy
from neuratrade.hands.halt_file import HaltFile, HaltSeen, raise_halt

DEFAULT = KillPolicy.CANCEL_ENTRIES


@pytest.fixture
def home(tmp_path: Path) -> Path:
    path = tmp_path / "home"
    path.mkdir()
    return path


SHAPES: dict[str, tuple[Callable[[Path], object], str, KillPolicy]] = {
    "empty": (lambda path: path.touch(), "HALT is there", DEFAULT),
    "reason": (lambda path: path.write_text("exchange outage\n"), "exchange outage", DEFAULT),
    "policy": (lambda path: path.write_text("flatten_all"), "HALT is there", KillPolicy.FLATTEN_ALL),
    "policy and reason": (
        lambda path: path.write_text("Close_Perps\r\nfunding\nmad\n"),
        "funding mad",
        KillPolicy.CLOSE_PERPS,
    ),
    "policy in a sentence": (
        lambda path: path.write_text("do not flatten_all"),
        "do not flatten_all",
        DEFAULT,
    ),
    "mark and policy": (
        lambda path: path.write_bytes(b"\xef\xbb\xbfflatten_all"),
        "HALT",
        KillPolicy.FLATTEN_ALL,
    ),
    "terminal escapes": (lambda path: path.write_text("a\x1b[2Jb"), "a [2Jb", DEFAULT),
    "rubbish": (lambda path: path.write_bytes(bytes(range(256))), "its content is no text", DEFAULT),
    "huge": (lambda path: path.write_bytes(b"x" * 100_000), "HALT is there; file: 100000 bytes", DEFAULT),
    "folder": (lambda path: path.mkdir(), "HALT is there; file: is no plain file", DEFAULT),
    "dangling link": (
        lambda path: path.symlink_to("nowhere"),
        "HALT is there; file: is a symbolic link",
        DEFAULT,
    ),
    "link to itself": (
        lambda path: path.symlink_to("HALT"),
        "HALT is there; file: is a symbolic link",
        DEFAULT,
    ),
    "pipe": (os.mkfifo, "HALT is there; file: is no plain file", DEFAULT),
    "lower case": (lambda path: path.with_name("halt").touch(), "halt is there", DEFAULT),
    "with an ending": (lambda path: path.with_name("Halt.TXT").write_text("now"), "now", DEFAULT),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_presence_counts_in_every_shape(home: Path, shape: str) -> None:
    make, reason, policy = SHAPES[shape]
    make(home / "HALT")
    seen = HaltFile(home).look()
    assert seen is not None
    assert reason in seen.reason
    assert seen.reason.isprintable()
    assert seen.policy is policy


def test_a_home_without_the_file_does_not_halt(home: Path) -> None:
    (home / "HALTED").touch()
    (home / "intents").mkdir()
    assert HaltFile(home).look() is None


@pytest.mark.parametrize("home_is", ["missing", "a file", "a broken link", "no name at all"])
def test_a_home_that_cannot_be_looked_into_halts(tmp_path: Path, home_is: str) -> None:
    home = tmp_path / "home"
    match home_is:
        case "a file":
            home.touch()
        case "a broken link":
            home.symlink_to("nowhere")
        case "no name at all":
            home = Path("\x00")
        case _:
            pass
    seen = HaltFile(home, KillPolicy.FLATTEN_ALL).look()
    assert seen is not None
    assert seen.reason.startswith("the home folder cannot be read")
    assert seen.policy is KillPolicy.FLATTEN_ALL


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
@pytest.mark.parametrize("mode", [0o000, 0o100])
def test_a_home_nobody_may_list_halts(home: Path, mode: int) -> None:
    home.chmod(mode)
    try:
        assert HaltFile(home).look() is not None
    finally:
        home.chmod(0o700)


def test_what_raise_halt_writes_is_what_is_seen(home: Path) -> None:
    raise_halt(home, "flood in the data centre", KillPolicy.FLATTEN_ALL)
    assert HaltFile(home).look() == HaltSeen("flood in the data centre", KillPolicy.FLATTEN_ALL)
    raise_halt(home, "again")
    assert HaltFile(home).look() == HaltSeen("again", DEFAULT)
    assert [path.name for path in home.iterdir()] == ["HALT"]


def test_raise_halt_leaves_a_folder_of_that_name_to_halt_as_it_is(home: Path) -> None:
    (home / "HALT").mkdir()
    raise_halt(home, "again")
    assert (home / "HALT").is_dir()


def test_while_another_process_renames_over_the_file_no_look_misses_it(home: Path) -> None:
    raise_halt(home, "start")
    program = (
        "import sys, pathlib, time\n"
        "from neuratrade.hands.halt_file import raise_halt\n"
        "end = time.monotonic() + 1.0\n"
        "n = 0\n"
        "while time.monotonic() < end:\n"
        "    raise_halt(pathlib.Path(sys.argv[1]), f'reason {n}')\n"
        "    n += 1\n"
        "print(n)\n"
    )
    halt_file = HaltFile(home)
    with subprocess.Popen([sys.executable, "-c", program, str(home)], stdout=subprocess.PIPE) as writer:
        looks = 0
        while writer.poll() is None:
            assert halt_file.look() is not None
            looks += 1
        assert writer.stdout is not None
        assert int(writer.stdout.read()) > 10
    assert looks > 100


def test_a_file_that_comes_and_goes_never_makes_a_look_raise(home: Path) -> None:
    program = (
        "import sys, pathlib, time\n"
        "path = pathlib.Path(sys.argv[1], 'HALT')\n"
        "end = time.monotonic() + 1.0\n"
        "while time.monotonic() < end:\n"
        "    path.write_text('flatten_all'); path.unlink(); path.mkdir(); path.rmdir()\n"
    )
    halt_file = HaltFile(home)
    with subprocess.Popen([sys.executable, "-c", program, str(home)]) as writer:
        seen = set()
        while writer.poll() is None:
            seen.add(halt_file.look() is not None)
    assert writer.returncode == 0
    assert seen == {True, False}
    assert halt_file.look() is None


def test_a_look_is_cheap_enough_to_poll(home: Path) -> None:
    for number in range(100):
        (home / f"segment-{number}").touch()
    halt_file = HaltFile(home)
    began = time.process_time()
    for _ in range(100):
        halt_file.look()
    assert time.process_time() - began < 0.5
