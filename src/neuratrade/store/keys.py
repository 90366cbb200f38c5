"""The desk's signing key: made when a process starts, never written anywhere.

The public half goes into the journal with the fact that a run started, so that what an earlier process
signed can be checked long after its key is gone. In one process the signature catches our own mistakes;
it becomes a wall only where the signing process is alone with its key.
"""

import hashlib

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey


class Ed25519Signer:
    """Signs with a key of its own. `key_id` and `public_key` (64 hex digits) are what others may know."""

    __slots__ = ("_private", "key_id", "public_key")

    def __init__(self) -> None:
        """Makes a new key from the system's randomness."""
        self._private = Ed25519PrivateKey.generate()
        raw = self._private.public_key().public_bytes_raw()
        self.public_key = raw.hex()
        self.key_id = key_id_of(self.public_key)

    def sign(self, payload: bytes) -> bytes:
        """The 64-byte signature of `payload`."""
        return self._private.sign(payload)


def key_id_of(public_key: str) -> str:
    """The first 16 hex digits of SHA-256 of the key. Raises ValueError when `public_key` is not hex."""
    return hashlib.sha256(bytes.fromhex(public_key)).hexdigest()[:16]


def verify(public_key: str, payload: bytes, signature: bytes) -> bool:
    """Whether the holder of `public_key` (hex) signed exactly `payload`; False for anything malformed."""
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key)).verify(signature, payload)
    except (InvalidSignature, ValueError):
        return False
    return True
