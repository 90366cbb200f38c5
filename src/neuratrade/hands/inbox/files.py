"""Files that strangers write and read while we do: taken whole, written whole, never followed elsewhere."""

import os
import secrets
import stat
from pathlib import Path

from neuratrade.core.model.errors import UsageError
from neuratrade.hands.strict_json import MAX_BYTES

_SAFE_STEM_BYTES = 160


class Unfit(UsageError):
    """What lies there is no readable file of a sensible size."""


def read_document(path: Path) -> bytes:
    """The bytes of a plain file. Raises Unfit for links, folders, pipes, sizes over 64 KiB, no permission.

    Neither follows a link nor waits for the other end of a pipe, so nothing in the folder can make the
    desk read what the sender may not, or stand still.
    """
    flags = os.O_RDONLY
    for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_BINARY"):
        flags |= getattr(os, name, 0)
    try:
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode):
            raise Unfit("file: is a symbolic link; put the document itself here")
        if not stat.S_ISREG(mode):
            raise Unfit("file: is no plain file; put a JSON document here")
        with os.fdopen(os.open(path, flags), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise Unfit("file: was exchanged for something else; put a JSON document here")
            if status.st_size > MAX_BYTES:
                raise Unfit(
                    f"file: {status.st_size} bytes, the limit is {MAX_BYTES}; send one document a file"
                )
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise Unfit(f"file: cannot be read ({error.strerror}); check its kind and permissions") from None


def write_whole(path: Path, content: bytes, *, durable: bool = False) -> None:
    """Write so that a reader sees all of it or nothing. durable: on disk before the name appears."""
    waiting = path.with_name(f".{secrets.token_hex(8)}.tmp")
    try:
        with waiting.open("xb") as file:
            file.write(content)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        waiting.replace(path)
    except BaseException:
        waiting.unlink(missing_ok=True)
        raise


def exists(path: Path) -> bool:
    """Whether anything bears this name, a link to nowhere included."""
    return os.path.lexists(path)


def safe_name(name: str) -> str:
    """`name` as it may stand in a journal and as a file name with endings added: printable, not too long."""
    stem = name[: -len(".json")] if name.casefold().endswith(".json") else name
    plain = "".join(c if c.isprintable() else "_" for c in stem)
    while len(plain.encode("utf-8")) > _SAFE_STEM_BYTES:
        plain = plain[:-1]
    return f"{plain}.json"
