"""Checkpoints are appended whole or not at all, and only the holder of a key can sign as it."""

from pathlib import Path

import msgspec
import pytest

from neuratrade.store.checkpoint import CheckpointFile
from neuratrade.store.keys import Ed25519Signer, key_id_of, verify

HEAD = bytes(range(32))


def test_checkpoints_are_read_back_as_written(tmp_path: Path) -> None:
    file, signer = CheckpointFile(tmp_path / "c"), Ed25519Signer()
    assert file.begin() is None
    written = [file.add(count, HEAD, count * 10, signer) for count in (1, 5)]
    assert file.read() == written
    assert file.begin() == written[-1]
    last = written[-1]
    assert verify(signer.public_key, last.signed_text(), bytes.fromhex(last.signature))


def test_an_unfinished_line_is_dropped_before_the_next_is_added(tmp_path: Path) -> None:
    file, signer = CheckpointFile(tmp_path / "c"), Ed25519Signer()
    file.begin()
    first = file.add(1, HEAD, 1, signer)
    with file.path.open("ab") as raw:
        raw.write(b'{"count":2,')
    assert file.begin() == first
    second = file.add(3, HEAD, 3, signer)
    assert file.read() == [first, second]


@pytest.mark.parametrize("lost", [slice(0, 40), slice(20, 90)])
def test_a_last_line_with_a_hole_is_what_a_loss_of_power_leaves_and_is_dropped(
    tmp_path: Path, lost: slice
) -> None:
    file, signer = CheckpointFile(tmp_path / "checkpoints"), Ed25519Signer()
    file.begin()
    kept = file.add(1, b"a" * 32, 1, signer)
    whole = len(file.path.read_bytes())
    file.add(2, b"b" * 32, 2, signer)
    torn = bytearray(file.path.read_bytes())
    torn[whole + lost.start : whole + lost.stop] = bytes(lost.stop - lost.start)
    file.path.write_bytes(torn)
    assert file.read() == [kept]
    assert file.begin() == kept
    added = file.add(3, b"c" * 32, 3, signer)
    assert file.read() == [kept, added]


def test_a_long_file_is_begun_by_its_end(tmp_path: Path) -> None:
    file, signer = CheckpointFile(tmp_path / "c"), Ed25519Signer()
    last = [file.add(count, HEAD, count, signer) for count in range(1, 60)][-1]
    size = file.path.stat().st_size
    assert file.begin() == last
    assert file.path.stat().st_size == size


def test_a_last_line_that_is_no_checkpoint_is_left_for_the_audit(tmp_path: Path) -> None:
    file = CheckpointFile(tmp_path / "c")
    file.path.write_bytes(b"garbage\n")
    assert file.begin() is None
    assert file.path.read_bytes() == b"garbage\n"
    with pytest.raises(ValueError, match="line 1 is no checkpoint"):
        file.read()


@pytest.mark.parametrize("values", [{"count": 2}, {"hash": "00"}, {"at_ns": 2}, {"key_id": "0" * 16}])
def test_the_signature_covers_every_field(tmp_path: Path, values: dict[str, object]) -> None:
    signer = Ed25519Signer()
    checkpoint = CheckpointFile(tmp_path / "c").add(1, HEAD, 1, signer)
    changed = msgspec.structs.replace(checkpoint, **values)
    assert not verify(signer.public_key, changed.signed_text(), bytes.fromhex(checkpoint.signature))


def test_a_key_is_named_by_its_public_half() -> None:
    signer, other = Ed25519Signer(), Ed25519Signer()
    assert signer.key_id == key_id_of(signer.public_key)
    assert len(signer.key_id) == 16
    assert signer.key_id != other.key_id
    signature = signer.sign(b"text")
    assert verify(signer.public_key, b"text", signature)
    assert not verify(other.public_key, b"text", signature)
    assert not verify(signer.public_key, b"text.", signature)


@pytest.mark.parametrize("public_key", ["", "zz", "00", "00" * 40])
def test_a_malformed_key_verifies_nothing(public_key: str) -> None:
    assert not verify(public_key, b"text", b"\0" * 64)
