"""Looking at a home from outside: state from its journal, read-only, whether a desk runs there or not."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from neuratrade.app.rebuild import rebuild_state
from neuratrade.core.engine.state import DeskState
from neuratrade.core.model.errors import UsageError
from neuratrade.store.home import Home, is_held
from neuratrade.store.reader import JournalReader
from neuratrade.store.snapshots import Snapshots


@dataclass(frozen=True, slots=True)
class Look:
    """What a home holds now. seq: the last journal row it shows."""

    home: Home
    state: DeskState
    seq: int
    running: bool


@contextmanager
def reading(home: Home) -> Iterator[JournalReader]:
    """The journal of a home, read-only. Raises UsageError when there is none yet."""
    if not home.database.exists():
        raise UsageError(
            f"{home.root}: no journal here yet; start a desk with `neuratrade run`, or set NEURATRADE_HOME"
        )
    with JournalReader.open(home.database) as reader:
        yield reader


def look_at(home: Home) -> Look:
    """State as of the last committed row."""
    with reading(home) as reader:
        state, seq = rebuild_state(reader, Snapshots(reader.engine))
    return Look(home, state, seq, is_held(home))
