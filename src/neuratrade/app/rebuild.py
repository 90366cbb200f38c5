"""Durable state from the journal: the newest snapshot, and every fact after it."""

from neuratrade.core.engine.fold import apply
from neuratrade.core.engine.state import DeskState, state_of_snapshot
from neuratrade.store.reader import JournalReader
from neuratrade.store.snapshots import Snapshots


def rebuild_state(reader: JournalReader, snapshots: Snapshots | None) -> tuple[DeskState, int]:
    """State = fold(journal), and the seq it stands at. A snapshot only saves time."""
    state, seq = DeskState(), 0
    saved = None if snapshots is None else snapshots.latest()
    if saved is not None:
        # One that another version kept may not fit this one; the facts themselves always do.
        kept = state_of_snapshot(saved[1])
        if kept is not None:
            state, seq = kept, saved[0]
    for row in reader.rows(after_seq=seq):
        apply(state, row.fact())
        seq = row.seq
    return state, seq
