"""The emergency file: where facts go when the journal cannot be written.

A desk that cannot write its journal takes no new exposure, but it still leaves what it holds, and what it
does then must not be forgotten. The facts go to an append-only file, each group synced as one, and into the
journal at the next start: exactly once, because the id of each line is noted in the same transaction as its
row. A row whose commit had succeeded although its answer was lost is recognised by its hash. Of a group that
a crash tore apart only what stands before the tear comes in.
"""

import hashlib
import secrets
from collections.abc import Sequence
from pathlib import Path

import msgspec
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from neuratrade.core.model.facts import Fact, decode_fact, encode_fact, kind_of
from neuratrade.store.checkpoint import append_durably, sync_folder
from neuratrade.store.errors import JournalUnwritable
from neuratrade.store.journal import Buffered, Journal
from neuratrade.store.schema import emergency_moved
from neuratrade.store.schema import journal as journal_table

GROUP_LINES = 500


class _Line(msgspec.Struct, frozen=True):
    """One line of a group that was written at once.

    line_id: the group and the line's place in it, from 0. seq, hash: the row a failed commit meant to write.
    check: SHA-256 of the other fields.
    """

    line_id: str
    run_id: str
    account_id: str
    fact: str
    seq: int | None = None
    hash: str | None = None
    check: str = ""

    def sealed(self) -> "_Line":
        return msgspec.structs.replace(self, check=self._digest())

    def group_and_place(self) -> tuple[str, int]:
        group, _, place = self.line_id.partition("-")
        return group, int(place) if place.isdigit() else 0

    def is_sound(self) -> bool:
        return self.check == self._digest()

    def _digest(self) -> str:
        return hashlib.sha256(msgspec.json.encode(msgspec.structs.replace(self, check=""))).hexdigest()


class Reconciled(msgspec.Struct, frozen=True):
    """What became of an emergency file. damaged: lines that could not be read, kept in `kept_at`."""

    moved: int = 0
    already_there: int = 0
    damaged: int = 0
    kept_at: str = ""


class EmergencyFile:
    """The emergency file of a home. One writer."""

    def __init__(self, path: Path) -> None:
        """Names the file; nothing is touched yet."""
        self.path = path

    def take_buffer(self, journal: Journal) -> int:
        """Moves what the journal holds in memory into the file; returns how many facts that were.

        Raises OSError when this file cannot be written either; the journal then still holds them.
        """
        facts = [fact for fact in journal.buffered() if not fact.line_id]
        if facts:
            self._add(facts)
        journal.discard()
        return len(facts)

    def record(self, fact: Fact, *, run_id: str, account_id: str) -> None:
        """Writes one fact; it is on disk when this returns. Raises OSError when it cannot be."""
        self._add([Buffered(run_id, account_id, fact.at_ns, kind_of(fact), encode_fact(fact))])

    def reconcile(self, journal: Journal) -> Reconciled:
        """Moves the file's facts into the journal, each exactly once, and puts the file aside.

        Safe to be killed at any point and to be called again. The file is kept under another name, never
        deleted. Raises JournalUnwritable when the journal still cannot be written; the file stays then.
        """
        if not self.path.exists():
            return Reconciled()
        lines, damaged = self._read()
        try:
            known = _already_in(journal, lines)
        except SQLAlchemyError as error:
            raise JournalUnwritable(f"the journal cannot be read, so {self.path} stays: {error}") from error
        waiting = [line for line in lines if line.line_id not in known]
        # An earlier try that failed may have left some of them in the journal's memory.
        buffered = {fact.line_id for fact in journal.buffered()}
        fresh = [line for line in waiting if line.line_id not in buffered]
        for start in range(0, len(fresh), GROUP_LINES):
            journal.append_encoded([_buffered(line) for line in fresh[start : start + GROUP_LINES]])
            journal.commit()
        journal.commit()
        kept_at = self._put_aside(lines)
        return Reconciled(len(waiting), len(known), damaged, str(kept_at))

    def _add(self, facts: Sequence[Buffered]) -> None:
        group = secrets.token_hex(16)
        lines = (
            _Line(
                f"{group}-{place}",
                fact.run_id,
                fact.account_id,
                fact.payload.decode(),
                fact.seq,
                None if fact.hash is None else fact.hash.hex(),
            ).sealed()
            for place, fact in enumerate(facts)
        )
        is_new = not self.path.exists()
        # A line that a crash cut short must not swallow the first one after it.
        start = b"" if is_new or self.path.read_bytes()[-1:] in (b"", b"\n") else b"\n"
        append_durably(self.path, start + b"".join(msgspec.json.encode(line) + b"\n" for line in lines))
        if is_new:
            sync_folder(self.path.parent)

    def _read(self) -> tuple[list[_Line], int]:
        lines, damaged = [], 0
        for text in self.path.read_bytes().splitlines():
            try:
                line = msgspec.json.decode(text, type=_Line)
                decode_fact(line.fact)
            except (msgspec.DecodeError, UnicodeDecodeError):
                damaged += 1
                continue
            if line.is_sound():
                lines.append(line)
            else:
                damaged += 1
        whole = _without_torn_end(lines)
        return whole, damaged + len(lines) - len(whole)

    def _put_aside(self, lines: Sequence[_Line]) -> Path:
        name = lines[0].line_id if lines else secrets.token_hex(16)
        target = self.path.with_name(f"{self.path.stem}.{name}.moved{self.path.suffix}")
        self.path.replace(target)
        sync_folder(self.path.parent)
        return target


def _without_torn_end(lines: list[_Line]) -> list[_Line]:
    """Leaves out what a crash tore from the group it was written with.

    Of the last group, never acknowledged then, a crash may leave later lines without earlier ones. A history
    with a hole is none: it would fold to a state that never was. Each group before was synced as a whole.
    """
    if not lines:
        return []
    last, _ = lines[-1].group_and_place()
    first = next(number for number, line in enumerate(lines) if line.group_and_place()[0] == last)
    torn = (n for n, line in enumerate(lines[first:]) if line.group_and_place()[1] != n)
    return lines[: first + next(torn, len(lines))]


def _buffered(line: _Line) -> Buffered:
    fact = decode_fact(line.fact)
    return Buffered(
        line.run_id, line.account_id, fact.at_ns, kind_of(fact), line.fact.encode(), line_id=line.line_id
    )


def _already_in(journal: Journal, lines: Sequence[_Line]) -> set[str]:
    """Ids of lines that are in the journal: moved before, or written by a commit whose answer was lost."""
    ids = {line.line_id for line in lines}
    with journal.engine.connect() as connection:
        known = ids & set(connection.scalars(select(emergency_moved.c.line_id)))
        for line in lines:
            if line.seq is not None and line.hash is not None and line.line_id not in known:
                row = select(journal_table.c.hash).where(journal_table.c.seq == line.seq)
                found = connection.scalar(row)
                if found is not None and bytes(found).hex() == line.hash:
                    known.add(line.line_id)
    return known
