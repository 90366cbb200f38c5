"""Versions: whole or not there, with where they came from, and never changed unnoticed."""

import hashlib
import json
from decimal import Decimal
from pathlib import Path

import pytest
from msgspec.structs import replace

from neuratrade.core.model.errors import UsageError
from neuratrade.core.strategies.dna import Dna, RiskDna
from neuratrade.research.dna_file import dna_text
from neuratrade.research.promotion import Decision, judge_challenger
from neuratrade.research.variants import dna_with
from neuratrade.research.versions import DNA_FILE, PROVENANCE_FILE, Versions
from tests.unit.research.small_desk import plan
from tests.unit.research.test_promotion import STRONG

NOW = 1_750_000_000_123_456_789
PARENT = replace(plan().dna, version=4, sha256="a" * 64)
CHALLENGER = dna_with(PARENT, "rsi_rule", {"buy_level_points": Decimal(27)})
PASSED = judge_challenger(STRONG)
WEAK = replace(STRONG, daily=(None,) * 60, trades=3)
FAILED = judge_challenger(WEAK)


def store(tmp_path: Path) -> Versions:
    return Versions(tmp_path / "versions", now_ns=lambda: NOW)


def test_a_challenger_that_passed_becomes_the_next_version_with_its_provenance(tmp_path: Path) -> None:
    version = store(tmp_path).settle(CHALLENGER, PARENT, STRONG, PASSED, "nightly reflection")
    assert version is not None
    found = version.provenance
    assert (found.version, found.who, found.parent_sha256) == (5, "nightly reflection", "a" * 64)
    assert found.at_ns == NOW // 10**9 * 10**9
    assert (found.evidence, found.decision) == (STRONG, PASSED)
    raw = version.path.read_bytes()
    assert found.dna_sha256 == hashlib.sha256(raw).hexdigest()
    assert b"version: 5\nlast_updated: 2025-06-15T15:06:40Z\n" in raw
    assert b"buy_level_points: 27" in raw
    assert store(tmp_path).all() == (version,)


def test_numbers_rise_and_what_was_written_is_never_written_again(tmp_path: Path) -> None:
    book = store(tmp_path)
    for _ in range(3):
        book.settle(CHALLENGER, PARENT, STRONG, PASSED, "me")
    assert [version.provenance.version for version in book.all()] == [5, 6, 7]


def test_a_challenger_that_failed_is_logged_with_reasons_and_no_version_is_made(tmp_path: Path) -> None:
    book = store(tmp_path)
    assert book.settle(CHALLENGER, PARENT, WEAK, FAILED, "me") is None
    assert book.settle(CHALLENGER, PARENT, WEAK, FAILED, "me") is None
    assert book.all() == ()
    first, second = book.refusals()
    assert first == second
    assert (first.evidence, first.decision) == (WEAK, FAILED)
    assert "3 trades closed, 30 are asked for" in first.decision.reasons
    assert "buy_level_points: 27" in first.text


def test_a_version_whose_writing_was_cut_short_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    book = store(tmp_path)

    def cut(self: Path, target: Path) -> Path:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(Path, "rename", cut)
    with pytest.raises(OSError, match="Input/output error"):
        book.settle(CHALLENGER, PARENT, STRONG, PASSED, "me")
    monkeypatch.undo()
    assert book.all() == ()
    assert book.settle(CHALLENGER, PARENT, STRONG, PASSED, "me") is not None


def test_a_number_another_process_took_is_left_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    book = store(tmp_path)
    real, other = Path.rename, list[Path]()

    def first_one_loses(self: Path, target: Path) -> Path:
        if not other:
            other.append(target)
            target.mkdir()
            (target / "theirs").touch()
        return real(self, target)

    monkeypatch.setattr(Path, "rename", first_one_loses)
    version = book.settle(CHALLENGER, PARENT, STRONG, PASSED, "me")
    assert version is not None
    assert version.provenance.version == 6
    assert [path.name for path in other[0].iterdir()] == ["theirs"]


@pytest.mark.parametrize("file", [DNA_FILE, PROVENANCE_FILE])
@pytest.mark.parametrize("harm", ["gone", "empty", "changed"])
def test_a_version_that_was_harmed_is_refused_by_name(tmp_path: Path, file: str, harm: str) -> None:
    book = store(tmp_path)
    version = book.settle(CHALLENGER, PARENT, STRONG, PASSED, "me")
    assert version is not None
    path = version.path.with_name(file)
    if harm == "gone":
        path.unlink()
    elif harm == "empty":
        path.write_bytes(b"")
    elif file == DNA_FILE:
        path.write_bytes(path.read_bytes().replace(b"27", b"28"))
    else:
        raw = json.loads(path.read_bytes())
        path.write_text(json.dumps(raw | {"version": 9}))
    with pytest.raises(UsageError, match=r"v000005.* (is no whole version|is not what its provenance says)"):
        book.all()


def test_a_version_that_is_not_there_is_told_with_those_that_are(tmp_path: Path) -> None:
    book = store(tmp_path)
    with pytest.raises(UsageError, match="has no version 5; it has none"):
        book.read(5)
    book.settle(CHALLENGER, PARENT, STRONG, PASSED, "me")
    assert book.read(5).provenance.version == 5
    with pytest.raises(UsageError, match="has no version 9; it has 5"):
        book.read(9)


def test_a_line_that_is_no_refusal_is_named_and_a_torn_last_one_left_out(tmp_path: Path) -> None:
    book = store(tmp_path)
    book.settle(CHALLENGER, PARENT, WEAK, FAILED, "me")
    path = book.folder / "refused.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:50])
    assert len(book.refusals()) == 1
    path.write_bytes(whole + b"{}\n")
    with pytest.raises(UsageError, match=r"refused.jsonl line 2 is no refusal"):
        book.refusals()


@pytest.mark.parametrize(
    ("parent", "decision", "who", "told"),
    [
        (PARENT, PASSED, " ", "a version needs somebody who proposed it; give who"),
        (replace(PARENT, sha256=""), PASSED, "me", "the parent is no DNA of a file"),
        (PARENT, replace(FAILED, passed=True), "me", "this decision contradicts its own checks"),
        (PARENT, replace(PASSED, passed=False), "me", "this decision contradicts its own checks"),
        (PARENT, replace(PASSED, checks=()), "me", "this decision contradicts its own checks"),
    ],
)
def test_what_cannot_be_a_version_is_refused_and_nothing_is_written(
    tmp_path: Path, parent: Dna, decision: Decision, who: str, told: str
) -> None:
    with pytest.raises(UsageError, match=told):
        store(tmp_path).settle(CHALLENGER, parent, STRONG, decision, who)
    assert not (tmp_path / "versions").exists()


SETTINGS = PARENT.strategies["rsi_rule"]


@pytest.mark.parametrize(
    ("dna", "told"),
    [
        (replace(PARENT, assets={}), "a DNA without assets trades nothing"),
        (replace(PARENT, last_updated_ns=10**30), "is no time a DNA file can hold"),
        (replace(PARENT, risk=RiskDna(limits={"fat_finger_fraction": Decimal(1)})), "no key for the limit"),
        (
            replace(PARENT, strategies={"rsi_rule": replace(SETTINGS, entry_expiry_minutes=None)}),
            "cannot say that entries rest without end",
        ),
        (
            replace(PARENT, strategies={"rsi_rule": replace(SETTINGS, confidence_cap=Decimal("NaN"))}),
            "NaN is no number a DNA file can hold",
        ),
    ],
)
def test_a_dna_a_file_cannot_say_is_refused(dna: Dna, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        dna_text(dna)
