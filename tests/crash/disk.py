"""A disk that keeps only what it was made to keep: what a machine may find there after it lost its power.

The rules are the strict ones of POSIX, not the kind ones of one file system. What was written to a file is
safe once that file was synced; a name in a folder, once that folder was; nothing else ever. Of what was not
synced each sector of 512 bytes may be there, in any version since the last sync, or not; a file is as long as
the last piece of it that is there, with zeros where a piece is missing. Names of one folder appear and go in
their order, so that of several changes a first part may be there. A sector is never half old and half new.
"""

import random
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import msgspec

from tests.crash.syscalls import Call

SECTOR = 512
Keep = Callable[[], bool]


class File:
    """One file's bytes: those that are safe, and what was done since."""

    def __init__(self) -> None:
        self.safe = b""
        self.seen = bytearray()
        self.pending: list[tuple[int, bytes | None]] = []

    def write(self, offset: int, data: bytes) -> None:
        """Writes, unsynced."""
        self.pending.append((offset, data))
        _put(self.seen, offset, data)

    def truncate(self, size: int) -> None:
        """Cuts or lengthens, unsynced."""
        if size != len(self.seen):
            self.pending.append((size, None))
            _cut(self.seen, size)

    def sync(self) -> None:
        """All of it is safe."""
        if self.pending:
            self.safe, self.pending = bytes(self.seen), []

    def after_crash(self, keep: Keep) -> bytes:
        """What is found of it."""
        found = bytearray(self.safe)
        for offset, data in self.pending:
            if data is None:
                if keep():
                    _cut(found, offset)
                continue
            start = 0
            while start < len(data):
                end = min(len(data), start + SECTOR - (offset + start) % SECTOR)
                if keep():
                    _put(found, offset + start, data[start:end])
                start = end
        return bytes(found)


class Folder:
    """One folder's names: those that are safe, and what was done since."""

    def __init__(self) -> None:
        self.safe: dict[str, File | Folder] = {}
        self.seen: dict[str, File | Folder] = {}
        self.pending: list[dict[str, File | Folder | None]] = []

    def change(self, change: "dict[str, File | Folder | None]") -> None:
        """Names that appear or go (None) at once, unsynced."""
        self.pending.append(change)
        _rename(self.seen, change)

    def sync(self) -> None:
        """All names are safe."""
        self.safe, self.pending = dict(self.seen), []

    def after_crash(self, keep: Keep) -> "dict[str, File | Folder]":
        """The names that are found."""
        found = dict(self.safe)
        for change in self.pending:
            if not keep():
                break
            _rename(found, change)
        return found


def _put(content: bytearray, offset: int, data: bytes) -> None:
    if offset > len(content):
        content.extend(bytes(offset - len(content)))
    content[offset : offset + len(data)] = data


def _cut(content: bytearray, size: int) -> None:
    if size < len(content):
        del content[size:]
    else:
        content.extend(bytes(size - len(content)))


def _rename(names: "dict[str, File | Folder]", change: "dict[str, File | Folder | None]") -> None:
    for name, what in change.items():
        if what is None:
            names.pop(name, None)
        else:
            names[name] = what


class _Opened(msgspec.Struct):
    what: File | Folder
    appends: bool
    offset: int = 0


class Disk:
    """The files below one root, as they are and as they may be found. ignored: endings of names that are not
    looked at, since nobody reads them after a crash."""

    def __init__(self, root: Path, ignored: tuple[str, ...] = ("-shm",)) -> None:
        self.top = Folder()
        self.syncs = 0
        self._root = PurePosixPath(str(root))
        self._ignored = ignored
        self._opened: dict[int, _Opened] = {}

    def take(self, call: Call) -> bool:
        """Does what a call did. False when it did nothing to a file below the root."""
        match call.name:
            case "openat" | "open" | "creat":
                return self._open(call)
            case "close":
                self._opened.pop(int(call.words[0]), None)
                return False
            case "mkdir" | "mkdirat":
                return self._name(call.text[0], Folder())
            case "unlink" | "unlinkat" | "rmdir":
                return self._name(call.text[0], None)
            case "rename" | "renameat" | "renameat2":
                return self._move(*call.text)
            case _:
                return self._by_descriptor(call)

    def image(self, keep: Keep) -> dict[str, bytes | None]:
        """Content by path below the root after a crash now; None for a folder."""
        found: dict[str, bytes | None] = {}
        waiting: list[tuple[str, Folder]] = [("", self.top)]
        while waiting:
            path, folder = waiting.pop()
            for name, what in folder.after_crash(keep).items():
                full = f"{path}/{name}" if path else name
                if isinstance(what, Folder):
                    found[full] = None
                    waiting.append((full, what))
                else:
                    found[full] = what.after_crash(keep)
        return found

    def _by_descriptor(self, call: Call) -> bool:
        descriptor = int(call.words[0]) if call.words and call.words[0].lstrip("-").isdigit() else -1
        opened = self._opened.get(descriptor)
        if opened is None:
            return False
        match call.name, opened.what:
            case "fsync" | "fdatasync", what:
                what.sync()
                self.syncs += 1
            case "pwrite64", File() as file:
                file.write(int(call.words[2]), call.text[0][: call.result])
            case "write", File() as file:
                if opened.appends:
                    opened.offset = len(file.seen)
                file.write(opened.offset, call.text[0][: call.result])
                opened.offset += call.result
            case "ftruncate", File() as file:
                file.truncate(int(call.words[1]))
            case "lseek", _:
                opened.offset = call.result
                return False
            case "fcntl", _ if "F_DUPFD" not in call.words[1]:
                return False
            case name, _:
                raise NotImplementedError(f"{name} on a file below {self._root}: teach the disk")
        return True

    def _open(self, call: Call) -> bool:
        place = self._place(call.text[0])
        if place is None:
            return False
        folder, name = place
        flags = set(call.words[-1].split("|")) | set("|".join(call.words).split("|"))
        new = name not in folder.seen if name else False
        if new:
            assert "O_CREAT" in flags, call
            folder.change({name: File()})
        what = folder.seen[name] if name else folder
        self._opened[call.result] = _Opened(what, "O_APPEND" in flags)
        if isinstance(what, File) and "O_TRUNC" in flags:
            what.truncate(0)
        return new

    def _name(self, path: bytes, what: Folder | None) -> bool:
        place = self._place(path)
        if place is None:
            return False
        folder, name = place
        folder.change({name: what})
        return True

    def _move(self, old: bytes, new: bytes) -> bool:
        before, after = self._place(old), self._place(new)
        if before is None and after is None:
            return False
        assert before is not None, (old, new)
        assert after is not None, (old, new)
        assert before[0] is after[0], "a move between folders is two changes: teach the disk"
        folder = before[0]
        folder.change({before[1]: None, after[1]: folder.seen[before[1]]})
        return True

    def _place(self, path: bytes) -> tuple[Folder, str] | None:
        """The folder and the name in it; the root itself has no name. None for what is not looked at."""
        found = PurePosixPath(path.decode(errors="surrogateescape"))
        if not found.is_relative_to(self._root) or found.name.endswith(self._ignored):
            return None
        folder, parts = self.top, found.relative_to(self._root).parts
        for part in parts[:-1]:
            below = folder.seen[part]
            assert isinstance(below, Folder), path
            folder = below
        return folder, parts[-1] if parts else ""


def nothing() -> bool:
    """The disk kept nothing that it need not keep."""
    return False


def everything() -> bool:
    """The disk kept all: what `kill -9` leaves."""
    return True


def by_chance(seed: str) -> Keep:
    """The disk kept some; how much is a matter of the seed too."""
    dice = random.Random(seed)
    share = dice.choice((0.05, 0.5, 0.5, 0.95))
    return lambda: dice.random() < share
