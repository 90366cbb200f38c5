"""Versions of the DNA: each in a folder of its own, with where it came from, and never changed again.

A version appears as a whole or not at all (the folder is written beside its place and renamed), holds the DNA
file the desk reads and the provenance (who, when, parent, evidence, decision), and is checked against its own
hash whenever it is read. What did not pass is written down too: a line a refusal, with the reasons.
"""

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec
from msgspec.structs import replace

from neuratrade.core.model.errors import UsageError
from neuratrade.core.model.market import NS_PER_SECOND
from neuratrade.core.strategies.dna import Dna
from neuratrade.feeds.clock import WALL
from neuratrade.feeds.files import write_atomically
from neuratrade.research.dna_file import dna_text
from neuratrade.research.promotion import Decision, Evidence
from neuratrade.store.checkpoint import append_durably, sync_folder

DNA_FILE: Final = "strategy_dna.yaml"
PROVENANCE_FILE: Final = "provenance.json"
REFUSALS_FILE: Final = "refused.jsonl"
_ATTEMPTS: Final = 100


class Provenance(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a version came from. who: a person, or what proposed it. parent_sha256: of the DNA file it was
    made from. evidence, decision: what the promotion gate saw and said.
    """

    version: int
    who: str
    at_ns: int
    parent_sha256: str
    dna_sha256: str
    evidence: Evidence
    decision: Decision


class Refusal(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A challenger that did not pass: `text` is the DNA file it would have been."""

    who: str
    at_ns: int
    parent_sha256: str
    evidence: Evidence
    decision: Decision
    text: str


class Version(msgspec.Struct, frozen=True):
    """One version on disk. path: of its DNA file."""

    path: Path
    provenance: Provenance


class Versions:
    """The versions of one home."""

    def __init__(self, folder: Path, now_ns: Callable[[], int] = WALL.now_ns) -> None:
        self.folder = folder
        self._now_ns = now_ns

    def settle(
        self, dna: Dna, parent: Dna, evidence: Evidence, decision: Decision, who: str
    ) -> Version | None:
        """Writes the challenger as the next version when it passed, else the refusal; the parent stays.

        dna: the challenger; its version and time are set here. Raises UsageError for a decision that is not
        of this evidence, a parent that has no file, an empty `who`, or a DNA a file cannot say.
        """
        if not who.strip():
            raise UsageError("a version needs somebody who proposed it; give who")
        if len(parent.sha256) != 64:
            raise UsageError("the parent is no DNA of a file (it has no SHA-256); load it from its file")
        passed = bool(decision.checks) and all(check.passed for check in decision.checks)
        if passed is not decision.passed:
            raise UsageError("this decision contradicts its own checks; ask the gate again")
        at_ns = self._now_ns() // NS_PER_SECOND * NS_PER_SECOND
        if decision.passed:
            return self._write(replace(dna, last_updated_ns=at_ns), parent, evidence, decision, who)
        text = dna_text(replace(dna, last_updated_ns=at_ns)).decode()
        refusal = Refusal(
            who=who, at_ns=at_ns, parent_sha256=parent.sha256, evidence=evidence, decision=decision, text=text
        )
        self.folder.mkdir(parents=True, exist_ok=True)
        append_durably(self.folder / REFUSALS_FILE, msgspec.json.encode(refusal) + b"\n")
        return None

    def all(self) -> tuple[Version, ...]:
        """Every version, oldest first. Raises UsageError for one that was changed or is not whole."""
        return tuple(self._read(number) for number in self._numbers())

    def read(self, number: int) -> Version:
        """One version. Raises UsageError for one that is not there, was changed, or is not whole."""
        if number not in self._numbers():
            known = ", ".join(map(str, self._numbers())) or "none"
            raise UsageError(f"{self.folder} has no version {number}; it has {known}")
        return self._read(number)

    def refusals(self) -> tuple[Refusal, ...]:
        """Everything that did not pass, oldest first; a last line that a crash tore is left out.

        Raises UsageError naming a line that is no refusal.
        """
        path = self.folder / REFUSALS_FILE
        lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
        found = []
        for number, line in enumerate(lines, start=1):
            try:
                found.append(msgspec.json.decode(line, type=Refusal))
            except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                raise UsageError(f"{path} line {number} is no refusal: {error}") from error
        return tuple(found)

    def _write(self, dna: Dna, parent: Dna, evidence: Evidence, decision: Decision, who: str) -> Version:
        self.folder.mkdir(parents=True, exist_ok=True)
        for _ in range(_ATTEMPTS):
            number = max([parent.version, *self._numbers()]) + 1
            raw = dna_text(replace(dna, version=number))
            provenance = Provenance(
                version=number,
                who=who,
                at_ns=dna.last_updated_ns,
                parent_sha256=parent.sha256,
                dna_sha256=hashlib.sha256(raw).hexdigest(),
                evidence=evidence,
                decision=decision,
            )
            beside = self.folder / f".{number}.{os.getpid()}.part"
            shutil.rmtree(beside, ignore_errors=True)
            beside.mkdir()
            write_atomically(beside / DNA_FILE, raw)
            write_atomically(beside / PROVENANCE_FILE, msgspec.json.encode(provenance) + b"\n")
            try:
                # A folder that is there and not empty is not replaced: another process took the number.
                beside.rename(self.folder / _name(number))
            except OSError:
                shutil.rmtree(beside, ignore_errors=True)
                if not (self.folder / _name(number)).exists():
                    raise
                continue
            sync_folder(self.folder)
            return self._read(number)
        raise UsageError(
            f"{self.folder}: no number was free in {_ATTEMPTS} attempts; is it written elsewhere?"
        )

    def _numbers(self) -> list[int]:
        names = [item.name for item in self.folder.glob("v*")] if self.folder.is_dir() else []
        return sorted(int(name[1:]) for name in names if name[1:].isascii() and name[1:].isdigit())

    def _read(self, number: int) -> Version:
        folder = self.folder / _name(number)
        try:
            raw = (folder / DNA_FILE).read_bytes()
            provenance = msgspec.json.decode((folder / PROVENANCE_FILE).read_bytes(), type=Provenance)
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise UsageError(f"{folder} is no whole version: {error}; restore it from a backup") from error
        if hashlib.sha256(raw).hexdigest() != provenance.dna_sha256 or provenance.version != number:
            raise UsageError(
                f"{folder / DNA_FILE} is not what its provenance says: it was changed after it was written; "
                "restore it, and propose what was changed as a new version"
            )
        return Version(folder / DNA_FILE, provenance)


def _name(number: int) -> str:
    return f"v{number:06d}"
