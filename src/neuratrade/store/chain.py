"""The hash chain: how one journal row vouches for all rows before it.

    hash = SHA-256( previous hash, 32 bytes
                  | seq, 8 bytes | at_ns, 8 bytes                     big-endian, signed
                  | length, 4 bytes, then the UTF-8 bytes of each of run_id, account_id, kind, payload )

Fixed widths and length prefixes make the framing unambiguous: no two different rows give the same bytes.
The first row's previous hash is GENESIS, which also names the version of this layout.
"""

import hashlib
import struct
from functools import lru_cache

GENESIS = hashlib.sha256(b"neuratrade journal 1").digest()
LARGEST_INTEGER = 2**63 - 1

_numbers = struct.Struct(">qq").pack
_length = struct.Struct(">I").pack


@lru_cache(maxsize=1024)
def framed(text: bytes) -> bytes:
    """`text` with its length in front. Kept, since a journal names few runs, accounts and kinds."""
    return _length(len(text)) + text


def link(prev_hash: bytes, seq: int, at_ns: int, frames: bytes, payload: bytes) -> bytes:
    """The 32-byte hash of a row. frames: run_id, account_id and kind, each framed."""
    return hashlib.sha256(
        b"".join((prev_hash, _numbers(seq, at_ns), frames, _length(len(payload)), payload))
    ).digest()


def owner_frame(run_id: str, account_id: str) -> bytes:
    """The framed run and account of a row; the same for a whole run, so callers keep it."""
    return framed(run_id.encode()) + framed(account_id.encode())
