"""Proves a journal, or names the first row that breaks it and says how.

One pass in order, page by page, with bounded memory. Each row must follow the last without a gap, carry
its predecessor's hash, hash to what it says, and hold a fact of its kind and time. Each checkpoint on the
way must name the hash found there and be signed by a key that the chain itself published before it; a
checkpoint beyond the last row means that the tail was cut.

What a proof is worth: without the signing key nobody can change, reorder, remove or insert a row that a
checkpoint covers, even by computing all hashes anew, as long as the checkpoint file is out of his reach.
Rows after the last checkpoint are only chained. Somebody who can write the database and the checkpoint
file can cut both at one place, or write both anew under his own key; an `anchor` noted elsewhere (count
and hash of an old checkpoint) finds that.
"""

import struct
from collections.abc import Iterator
from pathlib import Path

import msgspec
from sqlalchemy import Engine, inspect, select
from sqlalchemy.exc import SQLAlchemyError

from neuratrade.core.model.facts import Fact, RunStarted, decode_fact, kind_of
from neuratrade.store.chain import GENESIS, LARGEST_INTEGER, framed, link
from neuratrade.store.checkpoint import Checkpoint, CheckpointFile
from neuratrade.store.database import connect
from neuratrade.store.keys import key_id_of, verify
from neuratrade.store.schema import journal, segments

PAGE_ROWS = 5_000
_TEXTS = ("run_id", "account_id", "kind", "payload")


class AuditReport(msgspec.Struct, frozen=True):
    """What an audit found.

    rows: rows proven, from `from_seq` on. head_seq, head_hash: of the last proven row. first_bad_seq: the
    first row that breaks the chain; None when the fault is in no one row. problem: empty when ok.
    checkpoints: signatures that held. unsigned_rows: proven rows after the last checkpoint. keys: signing
    keys the chain published.
    """

    ok: bool
    rows: int
    head_seq: int
    head_hash: str
    first_bad_seq: int | None = None
    problem: str = ""
    from_seq: int = 1
    checkpoints: int = 0
    segments: int = 0
    keys: int = 0
    unsigned_rows: int = 0


class _Broken(Exception):
    """The audit found what it looks for. seq: the row at fault, if it is one row's."""

    def __init__(self, seq: int | None, problem: str) -> None:
        super().__init__(problem)
        self.seq = seq


_Raw = tuple[int, bytes, bytes, int, bytes, bytes, bytes, bytes]


def verify_chain(
    where: str | Path | Engine,
    checkpoints: Path | None,
    *,
    from_segment: int | None = None,
    anchor: tuple[int, str] | None = None,
) -> AuditReport:
    """Audits the journal at a path, a URL or an engine against its checkpoint file.

    checkpoints: None audits the chain alone. from_segment: begin after the sealed segment that ends at this
    seq, trusting its hash and the public keys before it. anchor: (count, hash in hex) noted elsewhere.
    Raises DatabaseAbsent when there is no database; everything wrong inside one is in the report.
    """
    engine = where if isinstance(where, Engine) else connect(where, read_only=True)
    audit = _Audit(engine, anchor)
    try:
        audit.run(checkpoints, from_segment)
    except _Broken as broken:
        return audit.report(broken.seq, str(broken))
    except SQLAlchemyError as error:
        cause = getattr(error, "orig", None) or error
        return audit.report(None, f"the database cannot be read after row {audit.seq}: {cause}")
    finally:
        if engine is not where:
            engine.dispose()
    return audit.report(None, "")


class _Audit:
    """The state of one pass."""

    def __init__(self, engine: Engine, anchor: tuple[int, str] | None) -> None:
        self.seq = 0
        self._engine = engine
        self._hash = GENESIS
        self._start = 0
        self._keys: dict[str, str] = {}
        self._due: list[Checkpoint] = []
        self._good = 0
        self._vouched = 0
        self._seals: dict[int, bytes] = {}
        self._sealed = 0
        self._anchor = anchor

    def report(self, seq: int | None, problem: str) -> AuditReport:
        """What is known now."""
        return AuditReport(
            ok=not problem,
            rows=self.seq - self._start,
            head_seq=self.seq,
            head_hash=self._hash.hex(),
            first_bad_seq=seq,
            problem=problem,
            from_seq=self._start + 1,
            checkpoints=self._good,
            segments=self._sealed,
            keys=len(self._keys),
            unsigned_rows=self.seq - max(self._vouched, self._start),
        )

    def run(self, checkpoints: Path | None, from_segment: int | None) -> None:
        """Walks the chain. Raises _Broken at the first fault."""
        self._require_tables()
        if from_segment is not None:
            self._start_after(from_segment)
        damage = self._load_checkpoints(checkpoints)
        self._load_seals()
        for row in self._rows():
            self._check(row)
        self._require_end()
        if damage:
            raise _Broken(None, damage)

    def _require_tables(self) -> None:
        missing = [name for name in ("journal", "segments") if not inspect(self._engine).has_table(name)]
        if missing:
            raise _Broken(None, f"the database has no table {missing[0]}: this is no journal")

    def _start_after(self, last_seq: int) -> None:
        sealed = select(segments.c.hash).where(segments.c.last_seq == last_seq)
        started = select(journal.c.seq, journal.c.payload).where(
            journal.c.kind == "run_started", journal.c.seq <= last_seq
        )
        with self._engine.connect() as connection:
            found = connection.scalar(sealed)
            if found is None:
                raise _Broken(None, f"no sealed segment ends at row {last_seq}")
            for seq, payload in connection.execute(started):
                self._learn_key(seq, self._decoded(seq, payload.encode()))
        self.seq = self._start = last_seq
        self._hash = bytes(found)

    def _load_checkpoints(self, path: Path | None) -> str:
        """Reads the file; returns what is wrong with it, to be told only if the rows themselves are sound."""
        if path is None:
            return ""
        try:
            found = CheckpointFile(path).read()
        except FileNotFoundError:
            return (
                f"the checkpoint file {path} is missing: a cut tail could not be found"
                if self._has_rows()
                else ""
            )
        except (OSError, ValueError) as error:
            return f"damaged checkpoint file: {error}"
        self._due = sorted((c for c in found if c.count >= self._start), key=lambda c: c.count, reverse=True)
        while self._due and self._due[-1].count <= self._start:
            self._check_checkpoint(self._due.pop(), self._hash)
        return ""

    def _has_rows(self) -> bool:
        with self._engine.connect() as connection:
            return connection.scalar(select(journal.c.seq).limit(1)) is not None

    def _load_seals(self) -> None:
        with self._engine.connect() as connection:
            for last, digest in connection.execute(select(segments.c.last_seq, segments.c.hash)):
                if last > self._start:
                    self._seals[last] = bytes(digest)

    def _rows(self) -> Iterator[_Raw]:
        """Rows with text as the bytes that lie in the file, since damaged text may not be text any more."""
        raw = "CAST({} AS BLOB)" if self._engine.dialect.name == "sqlite" else "convert_to({}, 'UTF8')"
        names = ", ".join(raw.format(c.name) if c.name in _TEXTS else c.name for c in journal.c)
        mark = "?" if self._engine.dialect.name == "sqlite" else "%s"
        page = f"SELECT {names} FROM journal WHERE seq > {mark} ORDER BY seq LIMIT {PAGE_ROWS}"  # noqa: S608
        after = self._start or -LARGEST_INTEGER
        while True:
            with self._engine.connect() as connection:
                found = connection.exec_driver_sql(page, (after,)).all()
            yield from (tuple(row) for row in found)
            if len(found) < PAGE_ROWS:
                return
            after = found[-1][0]

    def _check(self, row: _Raw) -> None:
        seq, run_id, account_id, at_ns, kind, payload, prev_hash, row_hash = row
        expected = self.seq + 1
        if seq != expected:
            raise _Broken(
                min(seq, expected), f"gap: row {expected} is missing, row {seq} stands in its place"
            )
        if prev_hash != self._hash:
            raise _Broken(
                seq, f"row {seq} does not follow row {seq - 1}: its prev_hash is not that row's hash"
            )
        try:
            frames = framed(run_id) + framed(account_id) + framed(kind)
            computed = link(prev_hash, seq, at_ns, frames, payload)
        except (struct.error, TypeError) as error:
            raise _Broken(seq, f"row {seq} has a value of the wrong type: {error}") from error
        if computed != row_hash:
            raise _Broken(seq, f"row {seq} was changed: its hash is not the hash of what it holds")
        fact = self._decoded(seq, payload)
        if kind_of(fact).encode() != kind or fact.at_ns != at_ns:
            raise _Broken(
                seq, f"row {seq} says {kind!r} at {at_ns}, but holds {kind_of(fact)} at {fact.at_ns}"
            )
        self._learn_key(seq, fact)
        self._check_vouchers(seq, computed)
        self.seq, self._hash = seq, computed

    def _decoded(self, seq: int, payload: bytes) -> Fact:
        try:
            return decode_fact(payload)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise _Broken(seq, f"row {seq} holds no fact this program can read: {error}") from error

    def _learn_key(self, seq: int, fact: Fact) -> None:
        if type(fact) is not RunStarted:
            return
        try:
            fits = key_id_of(fact.public_key) == fact.key_id
        except ValueError:
            fits = False
        if not fits:
            raise _Broken(seq, f"row {seq} publishes a key whose id {fact.key_id!r} is not its own")
        self._keys[fact.key_id] = fact.public_key

    def _check_vouchers(self, seq: int, digest: bytes) -> None:
        """What was said elsewhere about the chain up to this row: checkpoints, seals, the anchor."""
        if seq in self._seals:
            if self._seals[seq] != digest:
                raise _Broken(seq, f"row {seq} has another hash than the segment that was sealed with it")
            self._sealed += 1
        if self._anchor is not None and self._anchor[0] == seq and self._anchor[1] != digest.hex():
            raise _Broken(seq, f"row {seq} has another hash than the anchor: the journal was written anew")
        while self._due and self._due[-1].count == seq:
            self._check_checkpoint(self._due.pop(), digest)

    def _check_checkpoint(self, checkpoint: Checkpoint, digest: bytes) -> None:
        seq = checkpoint.count
        public_key = self._keys.get(checkpoint.key_id)
        if checkpoint.hash != digest.hex():
            raise _Broken(
                seq,
                f"row {seq} has another hash than its checkpoint: rows between {self._vouched + 1} and "
                f"{seq} were written anew, or the checkpoint was",
            )
        if public_key is None:
            raise _Broken(
                seq, f"the checkpoint at row {seq} is signed by {checkpoint.key_id!r}, an unknown key"
            )
        if not verify(public_key, checkpoint.signed_text(), _bytes_of(checkpoint.signature)):
            raise _Broken(seq, f"the checkpoint at row {seq} has a bad signature: it was forged or damaged")
        self._good += 1
        self._vouched = seq

    def _require_end(self) -> None:
        """Nothing may be vouched for that is not there."""
        if self._due:
            missing, who = self._due[-1].count, "a checkpoint counts"
        elif self._seals and max(self._seals) > self.seq:
            missing, who = max(self._seals), "a sealed segment counts"
        elif self._anchor is not None and self._anchor[0] > self.seq:
            missing, who = self._anchor[0], "the anchor counts"
        else:
            return
        raise _Broken(
            self.seq + 1, f"the tail was cut: {who} {missing} rows, but the journal ends at {self.seq}"
        )


def _bytes_of(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        return b""
