"""A desk as a user has it: real processes in a home of their own, nothing patched, everything bounded."""

import contextlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from neuratrade.app.looking import Look, look_at
from neuratrade.core.model.errors import NeuraTradeError
from neuratrade.interfaces.cli.main import main
from neuratrade.store.home import Home

COMMAND = [sys.executable, "-c", "from neuratrade.interfaces.cli.main import main; main()"]
PATIENCE_S = 60.0
HEARING = [
    sys.executable,
    "-c",
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    "from neuratrade.interfaces.cli.main import main; main()",
]
"""The command as a terminal starts it: tests in the background may hand on that interrupts are ignored."""


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one JSON document on stdout; fails when there is more, or less."""
        return json.loads(self.out)


def environment(home: Path | str, **more: str) -> dict[str, str]:
    """The environment of a user whose desk lives in `home`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("NEURATRADE_")}
    return {**kept, "NEURATRADE_HOME": str(home), "PYTHONUNBUFFERED": "", **more}


def neuratrade(home: Path | str, *words: str, stdin: bytes = b"", **more: str) -> Ended:
    """Runs one command to its end in a process of its own."""
    done = subprocess.run(
        [*COMMAND, *words],
        input=stdin,
        capture_output=True,
        timeout=PATIENCE_S,
        env=environment(home, **more),
        check=False,
    )
    return _checked(Ended(done.returncode, done.stdout.decode(), done.stderr.decode()))


def here(home: Path | str, *words: str, stdin: bytes = b"") -> Ended:
    """Runs one command to its end in this process, the same way but without the half second to load it."""
    out, err = io.TextIOWrapper(io.BytesIO(), "utf-8"), io.TextIOWrapper(io.BytesIO(), "utf-8")
    with (
        mock.patch.dict(os.environ, environment(home), clear=True),
        mock.patch.multiple(
            sys,
            argv=["neuratrade", *words],
            stdin=io.TextIOWrapper(io.BytesIO(stdin)),
            stdout=out,
            stderr=err,
        ),
        _signals_as_they_were(),
        pytest.raises(SystemExit) as ended,
    ):
        main()
    said = [stream.buffer.getvalue().decode() for stream in (_flushed(out), _flushed(err))]
    assert isinstance(ended.value.code, int)
    return _checked(Ended(ended.value.code, *said))


@contextlib.contextmanager
def _signals_as_they_were() -> Iterator[None]:
    """A command that ends its process need not put back what it did to signals; here others come after it."""
    kept = {item: signal.getsignal(item) for item in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for item, handler in kept.items():
            signal.signal(item, handler)


def _flushed(stream: io.TextIOWrapper) -> Any:
    stream.flush()
    return stream


def _checked(ended: Ended) -> Ended:
    assert "Traceback" not in ended.err, ended.err
    return ended


@contextlib.contextmanager
def running(home: Path, *words: str, until_begun: bool = True) -> Iterator[subprocess.Popen[bytes]]:
    """A desk that runs beside the test, killed at the end if it is still there."""
    log = (home.parent / f"{home.name}.stderr").open("ab")
    process = subprocess.Popen(
        [*COMMAND, "run", *words], stdout=subprocess.PIPE, stderr=log, env=environment(home)
    )
    try:
        if until_begun:
            before = rows(home)
            wait_until(lambda: rows(home) > before or process.poll() is not None, "the desk begins")
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()
        log.close()


def end(process: subprocess.Popen[bytes], number: signal.Signals = signal.SIGINT) -> str:
    """Ends a desk in order and returns what it said."""
    process.send_signal(number)
    out, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, out.decode()
    return out.decode()


def look(home: Path) -> Look:
    """The state that the journal of a home tells, as `status` sees it."""
    return look_at(Home(home))


def rows(home: Path) -> int:
    """Journal rows in a home; 0 before there is a journal."""
    try:
        return look(home).seq
    except NeuraTradeError:
        return 0


def wait_until(true: Callable[[], bool], what: str, within_s: float = 30.0) -> float:
    """Waits for a condition and returns how long that took, seconds."""
    began = time.monotonic()
    while not true():
        waited = time.monotonic() - began
        assert waited < within_s, f"waited {waited:.1f} s in vain: {what}"
        time.sleep(0.02)
    return time.monotonic() - began


def copy_of(home: Path, target: Path) -> Path:
    """A home of its own for one test."""
    shutil.copytree(home, target)
    return target
