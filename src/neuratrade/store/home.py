"""The home folder: one desk, one folder, one holder.

Two desks on one folder would each believe that the money, the counters and the limits are its own. So a
desk takes an exclusive lock that the operating system gives back when the process ends, however it ends;
a second one is told who holds it.
"""

import os
import socket
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType

import msgspec

from neuratrade.store.checkpoint import sync_folder
from neuratrade.store.errors import HomeLocked

VARIABLE = "NEURATRADE_HOME"
DATABASE_VARIABLE = "NEURATRADE_DATABASE_URL"


class Home(msgspec.Struct, frozen=True):
    """A home folder and the places in it."""

    root: Path
    database_url: str = ""

    @classmethod
    def resolve(cls, environment: Mapping[str, str] | None = None) -> "Home":
        """The folder `NEURATRADE_HOME` names, or else the platform's user data folder. Creates nothing.

        `NEURATRADE_DATABASE_URL` puts journal and projections into that database (PostgreSQL) instead of a
        file in the folder; it is read from the environment only, since it may hold a password.
        """
        known = os.environ if environment is None else environment
        named = known.get(VARIABLE, "").strip()
        root = Path(named).expanduser().absolute() if named else _user_data_folder(known)
        return cls(root, known.get(DATABASE_VARIABLE, "").strip())

    @property
    def journal(self) -> str | Path:
        """Where the journal is: the database named, or the SQLite file here."""
        return self.database_url or self.database

    @property
    def has_journal(self) -> bool:
        """Whether there can be a journal to read: a database was named, or the file is there."""
        return bool(self.database_url) or self.database.is_file()

    @property
    def database(self) -> Path:
        """The SQLite file of the journal, the projections and the snapshots."""
        return self.root / "neuratrade.db"

    @property
    def checkpoints(self) -> Path:
        """Signed checkpoints of the journal."""
        return self.root / "journal.checkpoints"

    @property
    def emergency(self) -> Path:
        """Facts that could not be journaled when they happened."""
        return self.root / "emergency.jsonl"

    @property
    def config(self) -> Path:
        """The operator's configuration."""
        return self.root / "config"

    @property
    def logs(self) -> Path:
        """Log files."""
        return self.root / "logs"

    @property
    def intents(self) -> Path:
        """The watch folder for intents."""
        return self.root / "intents"

    @property
    def rejected(self) -> Path:
        """Where intent files go that are no intents, each with its reason."""
        return self.intents / "rejected"

    @property
    def halt_file(self) -> Path:
        """While a file of this name exists, the desk is halted."""
        return self.root / "HALT"

    @property
    def feed_statistics(self) -> Path:
        """What the live feed of the desk that runs here counted, as of a moment ago."""
        return self.root / "feed.json"

    @property
    def lock_file(self) -> Path:
        """What the holder of the home has locked."""
        return self.root / "desk.lock"

    def create(self) -> "Home":
        """Makes the folders that are missing; only the owner may enter. Returns the same home.

        A new home is on disk when this returns: else a loss of power could take the folder away with all
        that was synced inside it.
        """
        new = [folder for folder in (self.root, *self.root.parents) if not folder.exists()]
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in (self.config, self.logs, self.rejected):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in new:
            # A folder that may be written but not read cannot be synced by anybody but its owner.
            with suppress(PermissionError):
                sync_folder(folder.parent)
        return self


def _user_data_folder(environment: Mapping[str, str]) -> Path:
    user = Path.home()
    if sys.platform == "win32":
        return Path(environment.get("LOCALAPPDATA") or user / "AppData" / "Local") / "NeuraTrade"
    if sys.platform == "darwin":
        return user / "Library" / "Application Support" / "NeuraTrade"
    return Path(environment.get("XDG_DATA_HOME") or user / ".local" / "share") / "neuratrade"


class Holder(msgspec.Struct, frozen=True):
    """Who holds a home. started_ns: UTC."""

    pid: int
    host: str
    started_ns: int


class HomeLock:
    """The exclusive right to run a desk in a home, for as long as this process lives or until `release`."""

    def __init__(self, home: Home) -> None:
        """Names the lock; `acquire` or `with` takes it."""
        self._home = home
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Takes the lock at once or raises HomeLocked, which says who has it."""
        if self._descriptor is not None:
            return
        self._home.create()
        descriptor = os.open(self._home.lock_file, os.O_RDWR | os.O_CREAT, 0o600)
        if not _locked(descriptor):
            os.close(descriptor)
            raise HomeLocked(_refusal(self._home))
        self._descriptor = descriptor
        os.ftruncate(descriptor, 0)
        os.write(descriptor, msgspec.json.encode(Holder(os.getpid(), socket.gethostname(), time.time_ns())))
        os.fsync(descriptor)
        if hasattr(os, "register_at_fork"):
            # A forked worker shares the lock through its copy: without this it would outlive the desk.
            os.register_at_fork(after_in_child=self.release)

    def release(self) -> None:
        """Gives the lock back; does nothing when it is not held."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> "HomeLock":
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def holder_of(home: Home) -> Holder | None:
    """Who wrote itself into the lock last; None when nobody did or the note cannot be read.

    A holder writes its note just after it has the lock, so an empty note is looked at again for a moment.
    """
    for _ in range(20):
        try:
            return msgspec.json.decode(home.lock_file.read_bytes(), type=Holder)
        except (OSError, msgspec.DecodeError):
            time.sleep(0.005)
    return None


def is_held(home: Home) -> bool:
    """Whether a desk holds the home now."""
    if not home.lock_file.exists():
        return False
    descriptor = os.open(home.lock_file, os.O_RDWR)
    try:
        return not _locked(descriptor)
    finally:
        os.close(descriptor)


def _refusal(home: Home) -> str:
    holder = holder_of(home)
    if holder is None:
        who = "another process, which left no note of itself"
    else:
        since = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(holder.started_ns // 1_000_000_000))
        who = f"process {holder.pid} on {holder.host}, since {since}"
    return (
        f"{home.root} is in use by {who}: one home, one desk. Stop that one first, "
        f"or set {VARIABLE} to another folder"
    )


if sys.platform == "win32":
    import msvcrt

    def _locked(descriptor: int) -> bool:
        # One byte far behind the note: Windows locks keep others from reading what they cover.
        os.lseek(descriptor, 1 << 30, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        finally:
            os.lseek(descriptor, 0, os.SEEK_SET)
        return True

else:
    import fcntl

    def _locked(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
