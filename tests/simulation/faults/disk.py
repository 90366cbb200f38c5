"""A disk that keeps only what was synced, whole groups at a time, and that may be full for a while.

While the journal cannot be written facts go to an emergency file, as they do in `hands.recorder`; both
survive a crash, what merely waits in memory does not.
"""

from collections.abc import Callable, Sequence

from neuratrade.core.engine.fold import apply
from neuratrade.core.engine.state import DeskState, state_bytes, state_from
from neuratrade.core.model import facts as f
from neuratrade.store.errors import JournalUnwritable

CHECKPOINT_EVERY = 250


class Disk:
    """Rows that survive. full: whether the journal cannot be written now."""

    def __init__(self) -> None:
        self.full = False
        self.rows: list[bytes] = []
        self.emergency: list[bytes] = []
        self.planned: set[str] = set()
        self._checkpoint = (0, state_bytes(DeskState()))

    def keep(self, facts: Sequence[f.Fact], payloads: Sequence[bytes], *, aside: bool) -> None:
        """Makes one group safe, in the journal or aside in the emergency file."""
        (self.emergency if aside else self.rows).extend(payloads)
        self.planned.update(
            item.request.client_order_id for item in facts if isinstance(item, f.OrderPlanned)
        )

    def move_in(self) -> bool:
        """Moves the emergency file into the journal; whether it could."""
        if self.full:
            return False
        self.rows += self.emergency
        self.emergency = []
        return True

    def checkpoint(self, state: DeskState) -> None:
        """Keeps a snapshot of the state that all rows make, now and then."""
        if len(self.rows) - self._checkpoint[0] >= CHECKPOINT_EVERY:
            self._checkpoint = (len(self.rows), state_bytes(state))

    def rebuild(self) -> DeskState:
        """What a restart finds: the newest snapshot and the rows after it."""
        count, payload = self._checkpoint
        state = state_from(payload)
        for row in self.rows[count:]:
            apply(state, f.decode_fact(row))
        return state

    def replay(self) -> DeskState:
        """All rows folded from the very first."""
        state = DeskState()
        for row in self.rows:
            apply(state, f.decode_fact(row))
        return state


class DiskRecorder:
    """A recorder on such a disk. before_flush is called while a group is still nowhere."""

    def __init__(self, disk: Disk, before_flush: Callable[[], None]) -> None:
        self._disk = disk
        self._before_flush = before_flush
        self._facts: list[f.Fact] = []
        self._payloads: list[bytes] = []
        self._diverted = False
        self._pressing = False

    @property
    def unsafe(self) -> list[f.Fact]:
        """Facts that a crash would lose now."""
        return self._facts

    @property
    def diverted(self) -> bool:
        """Whether facts go to the emergency file."""
        return self._diverted

    @property
    def last_payloads(self) -> list[bytes]:
        """What waits, as it will be written."""
        return self._payloads

    def record(self, facts: Sequence[f.Fact]) -> None:
        """Takes facts; they are not safe yet."""
        self._facts.extend(facts)
        self._payloads.extend(map(f.encode_fact, facts))
        self._pressing = self._pressing or any(not isinstance(item, f.Marked) for item in facts)

    @property
    def pressing(self) -> bool:
        """Whether anything but marks waits."""
        return self._pressing

    def flush(self) -> None:
        """Makes all safe. Raises JournalUnwritable when it had to go to the emergency file."""
        if not self._facts and not self._diverted:
            return
        self._before_flush()
        self._diverted = self._diverted or self._disk.full
        self._disk.keep(self._facts, self._payloads, aside=self._diverted)
        self._facts, self._payloads, self._pressing = [], [], False
        if self._diverted:
            raise JournalUnwritable("no space left")

    def return_to_journal(self) -> bool:
        """Moves the emergency file back; whether facts go to the journal again."""
        if self._diverted and self._disk.move_in():
            self._diverted = False
        return not self._diverted
