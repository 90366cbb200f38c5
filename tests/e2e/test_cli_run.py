"""`run`: ends by itself with a summary, the same each time; stops in order; one home, one desk."""

import os
import pty
import re
import select
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from neuratrade.core.model.facts import RunEnded
from neuratrade.store.reader import JournalReader
from tests.e2e.desk_process import (
    COMMAND,
    end,
    environment,
    here,
    look,
    neuratrade,
    rows,
    running,
    wait_until,
)

OF_THIS_RUN_ONLY = ("run_id", "seconds", "worst_lag_s")


def last_fact(home: Path) -> object:
    with JournalReader.open(home / "neuratrade.db") as reader:
        return list(reader.rows())[-1].fact()


def test_a_run_on_the_shipped_data_ends_by_itself_with_its_numbers(finished: tuple[Path, Any]) -> None:
    _, summary = finished
    for name in ("bars", "intents", "approved", "refused", "trades", "pnl", "max_drawdown"):
        assert isinstance(summary[name], int | float), name
    assert summary["bars"] == 60_480
    assert summary["intents"] == summary["approved"] + summary["refused"]
    assert summary["trades"] >= 20
    assert summary["trades"] <= sum(summary["closed_by"].values())
    assert len([count for count in summary["refused_by"].values() if count > 0]) >= 6
    assert 0 <= summary["unprotected_ms_max"] <= 5_000
    assert summary["finished"] is True


def test_two_fresh_homes_give_the_same_summary(fresh_home: Path, short_finished: tuple[Path, Any]) -> None:
    _, first = short_finished
    second = neuratrade(fresh_home, "run", "--speed", "max", "--json").document
    assert first["run_id"] != second["run_id"]
    for name in OF_THIS_RUN_ONLY:
        del first[name], second[name]
    assert first == second


def test_nothing_but_the_summary_is_printed_for_programs(short_finished: tuple[Path, Any]) -> None:
    home, summary = short_finished
    assert summary["rows"] == rows(home)
    equity = 10_000 + summary["pnl"]
    assert summary["equity"] == pytest.approx(equity, abs=1e-6)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_a_run_in_order_and_the_next_one_goes_on(
    stopped_home: Path, number: signal.Signals
) -> None:
    before = look(stopped_home).state
    with running(stopped_home, "--speed", "3000") as process:
        wait_until(lambda: look(stopped_home).state.now_ns > before.now_ns, "the market goes on")
        said = end(process, number)
    assert f"going on with run {before.run_id}" in said
    assert f"the desk has stopped: {number.name} was received" in said
    assert "summary so far (paper)" in said
    ended = last_fact(stopped_home)
    assert isinstance(ended, RunEnded)
    assert not ended.finished
    after = look(stopped_home).state
    assert after.run_id == before.run_id
    assert after.counts.intents >= before.counts.intents
    assert after.seen >= before.seen


@pytest.mark.parametrize("delay_s", [0.05, 0.5])
def test_an_interrupt_while_the_desk_opens_says_so_and_leaves_a_home_that_starts(
    fresh_home: Path, delay_s: float
) -> None:
    process = subprocess.Popen(
        [*COMMAND, "run", "--speed", "60"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(fresh_home),
    )
    time.sleep(delay_s)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert b"Traceback" not in err or delay_s < 0.1  # before our first line Python itself answers
    assert process.returncode != 0 or b"error" not in err
    assert here(fresh_home, "status").code in (0, 1)


def test_a_second_run_in_the_same_home_says_who_holds_it(stopped_home: Path) -> None:
    with running(stopped_home, "--speed", "60") as process:
        second = neuratrade(stopped_home, "run", "--speed", "max", "--json")
        assert second.code == 1
        assert second.document["ok"] is False
        assert f"process {process.pid} on" in second.err
        assert "one home, one desk" in second.err
        end(process)


def test_looking_beside_a_running_desk_does_not_disturb_it(stopped_home: Path) -> None:
    with running(stopped_home, "--speed", "3000") as process:
        for command in ("status", "positions", "orders", "why"):
            ended = here(stopped_home, command, "--json")
            assert ended.code == 0, ended.err
            assert ended.document is not None
        assert here(stopped_home, "status", "--json").document["running"] is True
        assert here(stopped_home, "audit", "verify", "--json").document["ok"] is True
        said = end(process)
    assert "trouble" not in said
    assert here(stopped_home, "status", "--json").document["running"] is False


def test_piped_output_is_plain_lines_with_the_reasons(fresh_home: Path) -> None:
    ended = neuratrade(fresh_home, "run", "--speed", "max")
    assert ended.code == 0
    assert "\x1b" not in ended.out
    lines = ended.out.splitlines()
    assert any(
        re.search(r"APPROVED  (LONG|SHORT) \S+ \S+ [\d.]+ at [\d.]+, stop [\d.]+", line) for line in lines
    )
    assert any(re.search(r"CLOSED    .* by (TP|SL|TRAIL|TIME), net -?[\d.]+", line) for line in lines)
    assert any(re.search(r"REFUSED   .* by .*confidence", line) for line in lines)
    assert any("summary (paper)" in line for line in lines)


def test_a_reader_who_leaves_stops_the_desk_in_order(fresh_home: Path) -> None:
    process = subprocess.Popen(
        [*COMMAND, "run", "--speed", "max"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(fresh_home),
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    err = process.stderr.read()
    process.stderr.close()
    assert process.wait(30) == 1
    assert b"Traceback" not in err
    ended = last_fact(fresh_home)
    assert isinstance(ended, RunEnded)
    assert "its output cannot be written" in ended.reason
    assert here(fresh_home, "audit", "verify", "--json").document["ok"] is True


def test_a_terminal_shows_clock_equity_limits_positions_and_decisions(stopped_home: Path) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, "run", "--speed", "20000"],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=environment(stopped_home, COLUMNS="120", LINES="40", TERM="xterm-256color"),
    )
    os.close(theirs)
    try:
        shown = read_until(ours, process, 20.0, r"refused +(confidence|trades_per_day|lot|concurrent): ")
        process.send_signal(signal.SIGINT)
        shown += read_until(ours, process, 20.0, "audit verify")
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()
        os.close(ours)
    for text in ("UTC", "equity ", "drawdown ", "trades_per_day", " of 5", "positions", "last decisions"):
        assert text in shown, text
    assert re.search(r"refused +\w+: ", shown)
    assert re.search(r"2025-05-1\d \d\d:\d\d:\d\d UTC", shown)
    assert "━" in shown
    assert "summary so far" in shown


def read_until(terminal: int, process: subprocess.Popen[bytes], within_s: float, pattern: str) -> str:
    """What the terminal shows, until a pattern was seen in it or the time is over."""
    seen = b""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline and not re.search(pattern, plain(seen)):
        ready, _, _ = select.select([terminal], [], [], 0.1)
        if ready:
            try:
                seen += os.read(terminal, 65_536)
            except OSError:
                break
        elif process.poll() is not None:
            break
    return plain(seen)


def plain(shown: bytes) -> str:
    """Without the codes for colours and places."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode("utf-8", errors="replace"))
