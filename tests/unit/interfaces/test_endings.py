"""How commands end: exit codes, one sentence, one JSON document, whatever the home is like."""

from collections.abc import Callable
from pathlib import Path

import pytest

from neuratrade.hands.halt_file import HaltFile
from neuratrade.store.home import Home, HomeLock
from tests.unit.interfaces.command_line import CommandLine

LOOKING = [
    ("status",),
    ("positions",),
    ("orders",),
    ("why",),
    ("why", "0123"),
    ("whatif", "--limit", "confidence=0.9"),
    ("audit", "verify"),
]
OPERATING = [
    ("resume", "--reason", "x"),
    ("flatten", "--reason", "x"),
    ("limit", "trades_per_day", "3", "--reason", "x"),
]


def absent(home: Path) -> None:
    assert not home.exists()


def a_file(home: Path) -> None:
    home.write_text("not a folder")


def with_rubbish_for_a_database(home: Path) -> None:
    home.mkdir()
    (home / "neuratrade.db").write_bytes(b"\x00rubbish" * 4_000)


def with_an_empty_database(home: Path) -> None:
    home.mkdir()
    (home / "neuratrade.db").touch()


def with_a_folder_for_a_database(home: Path) -> None:
    (home / "neuratrade.db").mkdir(parents=True)


@pytest.mark.parametrize(
    "spoil",
    [
        absent,
        a_file,
        with_rubbish_for_a_database,
        with_an_empty_database,
        with_a_folder_for_a_database,
    ],
)
def test_a_home_that_cannot_be_read_is_told_in_a_sentence(
    neuratrade: CommandLine, neuratrade_home: Path, spoil: Callable[[Path], None]
) -> None:
    spoil(neuratrade_home)
    for words in (*LOOKING, *OPERATING):
        ended = neuratrade(*words, "--json")
        assert ended.code == 1, (words, ended)
        assert ended.document["ok"] is False
        assert "fault in NeuraTrade" not in ended.err
        assert "sqlalche.me" not in ended.err
        if "error" in ended.document:
            assert ended.err.replace("error: ", "").strip() == ended.document["error"].strip()


def test_a_home_that_cannot_hold_a_desk_is_refused_with_what_to_do(
    neuratrade: CommandLine, neuratrade_home: Path
) -> None:
    a_file(neuratrade_home)
    for words in (("run", "--speed", "max"), ("halt",)):
        ended = neuratrade(*words, "--json")
        assert ended.code == 2
        assert "set NEURATRADE_HOME to a folder that you may write" in ended.document["error"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nonsense",), "No such command"),
        (("statu",), "Did you mean"),
        (("status", "--jsom"), "No such option"),
        (("run", "--speed", "fast"), "above zero"),
        (("run", "--speed", "-1"), "above zero"),
        (("run", "--speed", "nan"), "above zero"),
        (("run", "--data", "nope"), "not in the catalogue"),
        (("run", "--dna", "/no/such/dna.yaml"), "/no/such/dna.yaml: does not exist"),
        (("whatif",), "Missing option"),
        (("whatif", "--limit", "confidence"), "NAME=VALUE"),
        (("whatif", "--limit", "confidense=0.9"), "did you mean confidence?"),
        (("whatif", "--limit", "confidence=high"), "is not a number"),
        (("whatif", "--limit", "confidence=-1"), "zero or above"),
        (("whatif", "--limit", "confidence=nan"), "finite"),
        (("whatif", "--limit", "trades_per_day=2.5"), "whole number"),
        (("whatif", "--limit", "leverage=1e300"), "too large"),
        (("halt", "--policy", "panic"), "cancel_entries, close_perps, flatten_all"),
        (("resume",), "Missing option"),
        (("limit", "trades_per_day", "many", "--reason", "x"), "is not a number"),
        (("why", "--last", "0"), "greater than or equal to 1"),
        (("intent", "submit", "/no/such/file"), "nothing was sent"),
        (("intent", "submit", "/"), "nothing was sent"),
    ],
)
def test_wrong_usage_ends_with_2_says_what_was_wrong_and_does_nothing(
    neuratrade: CommandLine, neuratrade_home: Path, words: tuple[str, ...], said: str
) -> None:
    ended = neuratrade(*words, "--json")
    assert ended.code == 2, ended
    assert said in ended.err
    assert ended.document["ok"] is False
    assert not (neuratrade_home / "neuratrade.db").exists()


def test_errors_go_to_stderr_and_leave_stdout_empty_for_people(neuratrade: CommandLine) -> None:
    ended = neuratrade("status")
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.count("error: ") == 1
    assert "neuratrade run" in ended.err


def test_a_halt_without_a_desk_stands_until_a_person_resumes(
    neuratrade: CommandLine, neuratrade_home: Path
) -> None:
    halted = neuratrade("halt", "--reason", "the [/news] is bad", "--policy", "flatten_all", "--json")
    assert (halted.code, halted.document) == (0, {"state": "HALTED", "running": False})
    seen = HaltFile(neuratrade_home).look()
    assert seen is not None
    assert (seen.reason, seen.policy.value) == ("the [/news] is bad", "flatten_all")
    resumed = neuratrade("resume", "--reason", "looked", "--json")
    assert (resumed.code, resumed.document["state"]) == (0, "RUNNING")
    assert HaltFile(neuratrade_home).look() is None


def test_a_resume_takes_every_spelling_of_the_file_away_but_no_folder(
    neuratrade: CommandLine, neuratrade_home: Path
) -> None:
    neuratrade_home.mkdir()
    for name in ("HALT", "Halt.TXT"):
        (neuratrade_home / name).touch()
    assert neuratrade("resume", "--reason", "x").code == 0
    assert list(neuratrade_home.glob("[Hh][Aa]*")) == []
    (neuratrade_home / "HALT").mkdir()
    refused = neuratrade("resume", "--reason", "x")
    assert (refused.code, "remove it by hand" in refused.err) == (2, True)
    assert HaltFile(neuratrade_home).look() is not None


def test_a_halt_that_a_busy_desk_does_not_answer_stands_all_the_same(
    neuratrade: CommandLine, neuratrade_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("neuratrade.interfaces.cli.operate.ANSWER_WITHIN_S", 0.1)
    with HomeLock(Home(neuratrade_home)):
        halted = neuratrade("halt", "--reason", "x")
        assert (halted.code, "HALT file stands" in halted.err) == (1, True)
        resumed = neuratrade("resume", "--reason", "x")
        assert resumed.code == 1
    assert HaltFile(neuratrade_home).look() is not None


def test_an_intent_without_a_desk_is_withdrawn_in_time(
    neuratrade: CommandLine, neuratrade_home: Path, tmp_path: Path
) -> None:
    neuratrade_home.mkdir()
    idea = tmp_path / "idea.json"
    idea.write_text('{"intent_id": 1}')
    ended = neuratrade("intent", "submit", str(idea), "--timeout", "0.2", "--json")
    assert ended.code == 1
    assert ended.document["answers"][0]["outcome"] == "withdrawn"
    assert "no desk runs" in ended.err
    assert list((neuratrade_home / "intents").glob("*.json")) == []


def test_a_fault_of_ours_is_told_in_a_sentence_and_its_trace_is_kept(
    neuratrade: CommandLine, neuratrade_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(**_: object) -> None:
        raise ZeroDivisionError("made for this test")

    (neuratrade_home / "logs").mkdir(parents=True)
    monkeypatch.setattr("neuratrade.interfaces.cli.look.show_status", broken)
    ended = neuratrade("status", "--json")
    assert ended.code == 1
    assert "a fault in NeuraTrade (ZeroDivisionError: made for this test)" in ended.document["error"]
    (kept,) = (neuratrade_home / "logs").glob("neuratrade-fault-*.txt")
    assert "made for this test" in kept.read_text()
    assert str(kept) in ended.err
