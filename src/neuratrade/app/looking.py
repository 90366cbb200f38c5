"""Looking at a home from outside: state from its journal, read-only, whether a desk runs there or not."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import msgspec
from sqlalchemy import inspect
from sqlalchemy.exc import SQLAlchemyError

from neuratrade.app.rebuild import rebuild_state
from neuratrade.core.engine.state import DeskState
from neuratrade.core.model.errors import Terminal, UsageError
from neuratrade.store.errors import DatabaseAbsent
from neuratrade.store.home import VARIABLE, Home, is_held
from neuratrade.store.reader import JournalReader
from neuratrade.store.schema import snapshots
from neuratrade.store.snapshots import Snapshots


@dataclass(frozen=True, slots=True)
class Look:
    """What a home holds now. seq: the last journal row it shows."""

    home: Home
    state: DeskState
    seq: int
    running: bool


def home_in_use() -> Home:
    """The home this process means. Raises UsageError where neither a variable nor the user names one."""
    try:
        return Home.resolve()
    except RuntimeError:
        raise UsageError(f"this user has no home folder: set {VARIABLE} to a folder for the desk") from None


def made(home: Home) -> Home:
    """The same home with all its folders. Raises UsageError when it cannot be made."""
    try:
        return home.create()
    except OSError as error:
        raise UsageError(
            f"{home.root}: cannot hold a desk ({error.filename}: {error.strerror}); "
            f"set {VARIABLE} to a folder that you may write"
        ) from None


@contextmanager
def readable(home: Home) -> Iterator[None]:
    """Tells what is wrong with a journal that cannot be read, instead of how that was found out."""
    try:
        yield
    except SQLAlchemyError as error:
        cause = str(getattr(error, "orig", None) or error)
        raise Terminal(
            f"{home.root}: the journal cannot be read ({cause}); if that stays so, see `neuratrade audit "
            "verify`, then restore the database from a backup or move it aside to begin anew"
        ) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Terminal(
            f"{home.root}: the journal holds a row that this version cannot read ({error}); "
            "`neuratrade audit verify` names it"
        ) from error


@contextmanager
def reading(home: Home) -> Iterator[JournalReader]:
    """The journal of a home, read-only. Raises DatabaseAbsent when there is none yet."""
    with readable(home):
        if not home.has_journal:
            raise _no_journal(home)
        with JournalReader.open(home.journal) as reader:
            if not inspect(reader.engine).has_table(snapshots.name):
                raise _no_journal(home)
            yield reader


def look_at(home: Home) -> Look:
    """State as of the last committed row. Raises DatabaseAbsent when no run has begun yet."""
    with reading(home) as reader:
        state, seq = rebuild_state(reader, Snapshots(reader.engine))
    if not state.run_id:
        raise _no_journal(home)
    return Look(home, state, seq, is_held(home))


def _no_journal(home: Home) -> DatabaseAbsent:
    return DatabaseAbsent(
        f"{home.root}: no run is journaled here yet; start a desk with `neuratrade run`, or set {VARIABLE}"
    )
