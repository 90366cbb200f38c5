"""A file system that is really full, under a real desk: no new exposure, exits go out, nothing is forgotten.

Where no file system may be mounted, the same is proven with a limit on the size of files in
`tests/unit/hands/test_recorder.py`.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from neuratrade.core.model import facts as f
from neuratrade.hands.halt_file import HaltFile
from neuratrade.store.emergency import EmergencyFile
from neuratrade.store.home import Home
from neuratrade.store.reader import JournalReader
from tests.crash.killing import make_home
from tests.e2e.desk_process import Ended, copy_of, end, here, look, neuratrade, rows, running, wait_until
from tests.e2e.test_cli_intents import proposal

SIZE = "16m"
SPEED = "600"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stopped home that can trade; each test works on a copy."""
    return make_home(tmp_path_factory.mktemp("made"))


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """The folder of a file system of its own that is soon full."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip(f"no file system may be mounted here: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_link_called_like_a_policy_halts_with_it_and_takes_no_room(tmp_path: Path) -> None:
    (tmp_path / "HALT").symlink_to("flatten_all")
    seen = HaltFile(tmp_path).look()
    assert seen is not None
    assert seen.policy is f.KillPolicy.FLATTEN_ALL
    (tmp_path / "HALT").unlink()
    (tmp_path / "HALT").symlink_to("nowhere")
    seen = HaltFile(tmp_path).look()
    assert seen is not None
    assert seen.policy is f.KillPolicy.CANCEL_ENTRIES


def fill(folder: Path) -> None:
    """Leaves not a byte."""
    with (folder / "ballast").open("wb", buffering=0) as ballast:
        for piece in (1 << 20, 1 << 12, 1):
            try:
                while ballast.write(bytes(piece)) == piece:
                    pass
            except OSError:
                continue
    free = os.statvfs(folder)
    assert free.f_bavail == 0


def make_room(folder: Path) -> None:
    (folder / "ballast").unlink()


def propose(home: Path) -> Ended:
    document = json.dumps(proposal(home)).encode()
    return here(home, "intent", "submit", "-", "--json", stdin=document + b"\n")


def hold_something(home: Path) -> str:
    """Opens a position through the command line and returns its bracket."""
    answer = propose(home)
    assert answer.code == 0, answer.document
    wait_until(lambda: any(b.held for b in look(home).state.brackets.values()), "the entry fills")
    return next(key for key, bracket in look(home).state.brackets.items() if bracket.held)


def facts_of(home: Path) -> list[f.Fact]:
    with JournalReader.open(home / "neuratrade.db") as reader:
        return [row.fact() for row in reader.rows()]


def starts(home: Path) -> int:
    return sum(isinstance(fact, f.RunStarted) for fact in facts_of(home))


def has_begun(home: Path, before: int) -> bool:
    return starts(home) > before


def emergency_lines(home: Path) -> list[str]:
    file = home / "emergency.jsonl"
    return file.read_text().splitlines() if file.exists() else []


def check_left_once(home: Path, bracket_id: str) -> None:
    """The journal knows of the exit, once, and of nothing that was sent or filled twice."""
    facts = facts_of(home)
    closed = [fact.bracket_id for fact in facts if isinstance(fact, f.BracketClosed)]
    assert closed.count(bracket_id) == 1
    assert len(closed) == len(set(closed))
    fills = [fact.fill.trade_id for fact in facts if isinstance(fact, f.OrderFilled)]
    planned = [fact.request.client_order_id for fact in facts if isinstance(fact, f.OrderPlanned)]
    assert (len(fills), len(planned)) == (len(set(fills)), len(set(planned)))
    audit = here(home, "audit", "verify", "--json")
    assert (audit.code, audit.document["ok"]) == (0, True)


def test_with_the_journals_disk_full_a_desk_leaves_what_it_holds_and_the_journal_learns_of_it_once(
    small: Path, made: Path, tmp_path: Path
) -> None:
    home = copy_of(made, tmp_path / "home")
    shutil.move(home / "neuratrade.db", small)
    (home / "neuratrade.db").symlink_to(small / "neuratrade.db")
    with running(home, "--speed", SPEED) as process:
        bracket_id = hold_something(home)
        fill(small)
        head = rows(home)
        left = here(home, "flatten", "--reason", "the disk is full", "--json")
        assert (left.code, left.document["state"]) == (0, "HALTED")
        wait_until(lambda: any("bracket_closed" in line for line in emergency_lines(home)), "the exit")
        refused = propose(home)
        assert refused.code == 1, refused.document
        assert rows(home) == head, "the disk was not full"
        process.kill()
    assert bracket_id in look(home).state.brackets, "the journal knows nothing of it yet"
    waiting = len(emergency_lines(home))
    stuck = neuratrade(home, "run", "--speed", SPEED)
    assert stuck.code == 1
    assert "disk is full" in stuck.err
    assert len(emergency_lines(home)) == waiting
    make_room(small)
    for _ in range(2):
        begun = starts(home)
        with running(home, "--speed", SPEED) as process:
            wait_until(partial(has_begun, home, begun), "what waited is there, and the desk begins")
            assert bracket_id not in look(home).state.brackets
            assert look(home).state.trading_state is f.TradingState.HALTED
            end(process)
        check_left_once(home, bracket_id)
    started = [place for place, fact in enumerate(facts_of(home), start=1) if isinstance(fact, f.RunStarted)]
    assert started[-2] == head + waiting + 1, "all that waited comes before the new start, and once"
    assert not EmergencyFile(Home(home).emergency).path.exists()
    assert len(list(home.glob("emergency.*.moved.jsonl"))) == 1


@pytest.mark.parametrize("switch", ["by hand", "halt", "flatten"])
def test_with_the_whole_home_full_the_kill_switch_works_and_all_is_journaled_once_there_is_room(
    small: Path, made: Path, switch: str
) -> None:
    home = copy_of(made, small / "home")
    with running(home, "--speed", SPEED) as process:
        bracket_id = hold_something(home)
        fill(small)
        match switch:
            case "by hand":
                (home / "HALT").touch()
            case "halt":
                halted = here(home, "halt", "--reason", "full", "--policy", "flatten_all")
                assert "HALT file stands" in halted.err
            case _:
                here(home, "flatten", "--reason", "full")
        assert os.path.lexists(home / "HALT")
        refused = propose(home)
        assert refused.code != 0
        make_room(small)
        wait_until(lambda: look(home).state.trading_state is f.TradingState.HALTED, "halted, and journaled")
        if switch != "by hand":
            wait_until(lambda: bracket_id not in look(home).state.brackets, "left, and journaled")
            check_left_once(home, bracket_id)
        end(process)
    halts = [fact for fact in facts_of(home) if isinstance(fact, f.OperatorActed) and fact.action == "halt"]
    assert len([fact for fact in halts if fact.operator_id == "halt-file"]) == 1
    assert here(home, "audit", "verify", "--json").document["ok"] is True
    assert not emergency_lines(home)
