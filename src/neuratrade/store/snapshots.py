"""Snapshots of state for a fast start. A cache: losing all of them costs time, never truth.

A snapshot says "this is the state after row `seq`". Its digest covers the row's own hash, so that one of
another history, or one that was damaged, is passed over for an older one or for none.
"""

import hashlib

from sqlalchemy import Connection, Engine, delete, insert, select

from neuratrade.store.database import writing
from neuratrade.store.schema import journal, snapshots

KEPT = 3


class Snapshots:
    """The snapshots of one journal."""

    def __init__(self, engine: Engine, *, keep: int = KEPT) -> None:
        """Uses the journal's engine; the newest `keep` snapshots stay."""
        self._engine = engine
        self._keep = keep

    def save(self, seq: int, state: bytes) -> None:
        """Keeps the state after row `seq`. Raises ValueError when the journal has no such row."""
        with writing(self._engine).begin() as connection:
            digest = _digest(connection, seq, state)
            if digest is None:
                raise ValueError(f"no journal row {seq}: a snapshot belongs to a row that is on disk")
            connection.execute(delete(snapshots).where(snapshots.c.seq >= seq))
            connection.execute(insert(snapshots).values(seq=seq, sha256=digest, state=state))
            kept = select(snapshots.c.seq).order_by(snapshots.c.seq.desc()).limit(self._keep)
            oldest = min(connection.scalars(kept))
            connection.execute(delete(snapshots).where(snapshots.c.seq < oldest))

    def latest(self) -> tuple[int, bytes] | None:
        """(seq, state) of the newest sound snapshot; None when there is none."""
        newest = select(snapshots.c.seq, snapshots.c.sha256, snapshots.c.state).order_by(
            snapshots.c.seq.desc()
        )
        with self._engine.connect() as connection:
            for seq, digest, state in connection.execute(newest).all():
                if bytes(digest) == _digest(connection, seq, bytes(state)):
                    return int(seq), bytes(state)
        return None


def _digest(connection: Connection, seq: int, state: bytes) -> bytes | None:
    row_hash = connection.scalar(select(journal.c.hash).where(journal.c.seq == seq))
    if row_hash is None:
        return None
    return hashlib.sha256(seq.to_bytes(8, "big") + bytes(row_hash) + state).digest()
