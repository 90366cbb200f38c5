"""Ctrl-C in the middle of research: one sentence, one document, exit 130, and nothing finished is lost."""

import json
import os
import pty
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from tests.e2e.desk_process import HEARING, PATIENCE_S, Ended, environment, neuratrade, wait_until

SLOW = ("backtest", "rsi_rule", "--data", "shipped", "--every-bar")
SEARCH = ("optimize", "rsi_rule", "--data", "shipped", "--symbol", "BTC/USDT", "--from", "2025-05-28")
SPACE = ("--space", "buy_level_points=10:49,rsi_period_bars=5:30", "--min-trades", "1")


@contextmanager
def started(home: Path, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    """A command in a process group of its own, as a terminal has it; killed at the end."""
    process = subprocess.Popen(
        [*HEARING, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(home),
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


def interrupted(process: subprocess.Popen[bytes], begun: Callable[[], bool]) -> Ended:
    """Waits until it has begun, sends what Ctrl-C sends (to the whole group), and waits for its end."""
    wait_until(lambda: begun() or process.poll() is not None, "the command begins", PATIENCE_S)
    assert process.poll() is None, process.communicate()
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=PATIENCE_S)
    ended = Ended(process.returncode, out.decode(), err.decode())
    assert "Traceback" not in ended.err, ended.err
    return ended


def has_loaded(process: subprocess.Popen[bytes], library: str) -> bool:
    """Whether it has come so far: numpy is loaded as a command begins, polars as it reads market data."""
    with suppress(OSError):
        return library in Path(f"/proc/{process.pid}/maps").read_text()
    return False


def trials(home: Path) -> int:
    """Finished trials in the storage of a home."""
    file = home / "research" / "studies.sqlite"
    if not file.exists():
        return 0
    engine = create_engine(f"sqlite:///{file}")
    try:
        with engine.connect() as connection:
            return int(
                connection.execute(text("select count(*) from trials where state = 'COMPLETE'")).scalar_one()
            )
    except Exception:  # noqa: BLE001 - its tables are not made yet
        return 0
    finally:
        engine.dispose()


def test_a_backtest_that_is_interrupted_says_so_in_one_sentence_and_one_document(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with started(home, *SLOW, "--json") as process:
        ended = interrupted(process, lambda: has_loaded(process, "polars"))
    assert ended.code == 130
    message = "interrupted: nothing was kept; run the same command again"
    assert json.loads(ended.out) == {"ok": False, "error": message}
    assert ended.err == f"error: {message}\n"
    assert not (home / "backtests").exists()


def test_before_it_has_begun_an_interrupt_is_told_all_the_same(tmp_path: Path) -> None:
    with started(tmp_path / "home", *SLOW, "--json") as process:
        ended = interrupted(process, lambda: has_loaded(process, "numpy"))
    assert ended.code == 130
    assert json.loads(ended.out)["error"].startswith("interrupted")
    assert ended.err.count("error: ") == 1


def test_ctrl_c_on_a_terminal_wipes_the_bar_and_leaves_one_sentence(tmp_path: Path) -> None:
    main, side = pty.openpty()
    process = subprocess.Popen(
        [*HEARING, *SLOW],
        stdin=side,
        stdout=subprocess.PIPE,
        stderr=side,
        env=environment(tmp_path / "home", TERM="xterm"),
        start_new_session=True,
    )
    os.close(side)
    seen = b""
    try:
        while b"backtest" not in seen:
            seen += os.read(main, 4096)
        os.killpg(process.pid, signal.SIGINT)
        with suppress(OSError):
            while more := os.read(main, 4096):
                seen += more
        out, _ = process.communicate(timeout=PATIENCE_S)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        os.close(main)
    assert (process.returncode, out) == (130, b"")
    assert seen.decode().count("error: interrupted: nothing was kept; run the same command again") == 1
    assert "Traceback" not in seen.decode()


@pytest.mark.parametrize("jobs", ["1", pytest.param("2", marks=pytest.mark.slow)])
def test_a_search_that_is_interrupted_keeps_its_trials_and_goes_on(jobs: str, tmp_path: Path) -> None:
    home = tmp_path / "home"
    words = (*SEARCH, *SPACE, "--jobs", jobs, "--json")
    with started(home, *words, "--trials", "900") as process:
        ended = interrupted(process, lambda: trials(home) >= 2)
    document = json.loads(ended.out)
    assert (ended.code, document["interrupted"]) == (130, True)
    # One that was stored in the very moment of the interrupt may not be counted yet; it is not lost.
    assert document["trials"] >= 1
    assert ended.err.startswith(f"error: interrupted: {document['trials']} trials are kept in sqlite:///")
    assert ended.err.endswith("; run the same again to go on\n")
    again = neuratrade(home, *words, "--trials", str(document["trials"] + 2))
    assert again.code == 0, again.err
    # The batch that was cut short is finished first; what was done is not done again.
    assert again.document["trials"] >= document["trials"] + 2
    assert (again.document["interrupted"], again.document["ran"] > 0) == (False, True)
    assert again.document["ran"] <= again.document["trials"] - document["trials"]
    first = {trial["number"]: trial["value"] for trial in document["all"]}
    assert first.items() <= {trial["number"]: trial["value"] for trial in again.document["all"]}.items()


def test_a_walk_forward_that_is_interrupted_says_what_is_kept(tmp_path: Path) -> None:
    home = tmp_path / "home"
    words = (
        "walkforward",
        *SEARCH[1:6],
        *SPACE,
        "--train-days",
        "4",
        "--test-days",
        "2",
        "--jobs",
        "1",
        "--json",
    )
    with started(home, *words, "--trials", "400") as process:
        ended = interrupted(process, lambda: trials(home) >= 1)
    assert (ended.code, json.loads(ended.out)["interrupted"]) == (130, True)
    assert "windows are done; finished trials are kept; run the same command again to go on" in ended.err
    assert trials(home) >= 1
