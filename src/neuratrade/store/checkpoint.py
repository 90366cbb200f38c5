"""Signed checkpoints: what the journal's head was, said outside of the database.

A hash chain alone cannot tell that its end is missing: a shorter chain is as valid as the whole. A
checkpoint says that at some time the chain had this many rows and this head, so a journal that has fewer
was cut, and one that differs was rewritten. The file is append-only, one JSON object a line, fsynced.

What this does not find: rows cut off after the last checkpoint; and the work of somebody who can write
both the database and this file, cuts both at the same place, or writes both anew with a key of his own.
Against that, note a checkpoint somewhere he cannot write, and give it to the audit.
"""

import os
from contextlib import suppress
from pathlib import Path

import msgspec

from neuratrade.core.model.approval import Signer

FILE_NAME = "journal.checkpoints"
_SIGNED_AS = b"neuratrade journal checkpoint 1\n"
_TAIL_BYTES = 4_096  # some ten lines


class Checkpoint(msgspec.Struct, frozen=True):
    """The head at one moment. count: rows so far, which is the head's seq. hash, signature: hex."""

    count: int
    hash: str
    at_ns: int
    key_id: str
    signature: str = ""

    def signed_text(self) -> bytes:
        """The bytes the signature covers: every field but the signature itself."""
        return _SIGNED_AS + msgspec.json.encode(msgspec.structs.replace(self, signature=""))


class CheckpointFile:
    """The file of checkpoints of one journal. One writer; anyone may read."""

    def __init__(self, path: Path) -> None:
        """Names the file; nothing is touched yet."""
        self.path = path

    def begin(self) -> Checkpoint | None:
        """Makes the file when there is none and returns its last checkpoint, if that can be read.

        A last line that a crash left unfinished, or with a hole, is dropped: it was never acknowledged.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("ab+") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _TAIL_BYTES))
            tail = file.read()
            kept = _whole_lines(tail)
            file.truncate(size - len(tail) + kept)
            os.fsync(file.fileno())
        sync_folder(self.path.parent)
        lines = tail[:kept].split(b"\n")[-2:-1]
        try:
            return msgspec.json.decode(lines[0], type=Checkpoint) if lines else None
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None

    def add(self, count: int, head: bytes, at_ns: int, signer: Signer) -> Checkpoint:
        """Signs and appends a checkpoint; it is on disk when this returns.

        Raises OSError when it cannot be written; the file is then as before.
        """
        unsigned = Checkpoint(count, head.hex(), at_ns, signer.key_id)
        checkpoint = msgspec.structs.replace(unsigned, signature=signer.sign(unsigned.signed_text()).hex())
        append_durably(self.path, msgspec.json.encode(checkpoint) + b"\n")
        return checkpoint

    def read(self) -> list[Checkpoint]:
        """All checkpoints, oldest first; a last line that a crash tore is left out.

        Raises FileNotFoundError without a file, ValueError naming the line that is no checkpoint.
        """
        found = []
        content = self.path.read_bytes()
        lines = content[: _whole_lines(content)].split(b"\n")
        for number, line in enumerate(lines[:-1], start=1):
            try:
                found.append(msgspec.json.decode(line, type=Checkpoint))
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise ValueError(f"{self.path} line {number} is no checkpoint: {error}") from error
        return found


def _whole_lines(content: bytes) -> int:
    """How many bytes of it are lines that no crash tore: what was lost inside of one is read as NUL."""
    end = content.rfind(b"\n") + 1
    begin = content.rfind(b"\n", 0, max(end - 1, 0)) + 1
    return begin if b"\0" in content[begin:end] else end


def append_durably(path: Path, lines: bytes) -> None:
    """Appends whole lines and syncs. Raises OSError; then nothing of `lines` stays in the file."""
    with path.open("ab", buffering=0) as file:
        size = file.seek(0, os.SEEK_END)
        try:
            written = 0
            while written < len(lines):
                written += file.write(lines[written:])
            os.fsync(file.fileno())
        except OSError:
            file.truncate(size)
            with suppress(OSError):
                os.fsync(file.fileno())
            raise


def sync_folder(folder: Path) -> None:
    """Makes the names in a folder durable, where the platform lets a folder be synced."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
