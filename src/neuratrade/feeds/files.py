"""Writing files so that a crash leaves the old one or the new one, and never a part of either."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from neuratrade.core.model.errors import UsageError

_LOOK_EVERY_S = 0.05


def write_atomically(path: Path, payload: bytes) -> None:
    """Write beside the target, sync, rename, sync the folder. Raises OSError with the target as it was."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with temporary.open("wb") as file:
            file.write(payload)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    _sync(path.parent)


def make_folders(root: Path, inside: str) -> Path:
    """The folder `inside` below `root`, made so that it outlives a crash. Raises OSError."""
    folder = root
    for name in inside.split("/"):
        above, folder = folder, folder / name
        if not folder.is_dir():
            folder.mkdir(exist_ok=True)
            _sync(above)
    return folder


@contextmanager
def exclusive(path: Path, patience_s: float = 0.0) -> Iterator[None]:
    """Hold a lock file that the system gives back when the process ends.

    patience_s: how long to wait for it. Raises UsageError when another has it for longer.
    """
    until = time.monotonic() + patience_s
    with path.open("a+b") as file:
        while not _locked(file.fileno()):
            if time.monotonic() >= until:
                raise UsageError(f"{path.parent}: another import is writing there; try again when it is done")
            time.sleep(_LOOK_EVERY_S)
        yield


def _locked(descriptor: int) -> bool:
    try:
        _lock(descriptor)
    except OSError:
        return False
    return True


if sys.platform == "win32":

    def _sync(folder: Path) -> None:
        """Folders cannot be synced there; renames are journaled."""

    def _lock(descriptor: int) -> None:
        import msvcrt

        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
else:

    def _sync(folder: Path) -> None:
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _lock(descriptor: int) -> None:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
