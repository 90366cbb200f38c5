"""Streams fall apart into documents, whatever their layout, and a broken one costs only itself."""

import io
import json
import os
import threading

import pytest

from neuratrade.hands.inbox.lines import documents

PRETTY = json.dumps({"a": [1, {"b": "}"}]}, indent=2)


def split(text: str) -> list[tuple[str, str]]:
    return [(d.name, d.raw.decode().strip() or d.faults[0]) for d in documents(io.BytesIO(text.encode()))]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("\n \n", []),
        ('{"a":1}', [("line 1", '{"a":1}')]),
        ('{"a":1}\n\n{"b":2}\n', [("line 1", '{"a":1}'), ("line 3", '{"b":2}')]),
        (PRETTY, [("line 1", PRETTY)]),
        (f"\n{PRETTY}\n{PRETTY}\n", [("line 2", PRETTY), ("line 10", PRETTY)]),
        ('{"a":"{[\\"{"}\n{"b":2}', [("line 1", '{"a":"{[\\"{"}'), ("line 2", '{"b":2}')]),
        ('{"a":\n{"b":2}\n', [("line 1", '{"a":'), ("line 2", '{"b":2}')]),
        ('rubbish\n{"b":2}\n', [("line 1", "rubbish"), ("line 2", '{"b":2}')]),
        ('}\n{"b":2}\n', [("line 1", "}"), ("line 2", '{"b":2}')]),
        ('{"a":1', [("line 1", '{"a":1')]),
    ],
)
def test_documents_are_told_apart(text: str, expected: list[tuple[str, str]]) -> None:
    assert split(text) == expected


def test_an_oversized_document_is_a_fault_and_the_next_one_is_whole() -> None:
    large = '{"a":"' + "x" * 200_000 + '"}'
    first, second = split(f'{large}\n{{"b":2}}\n')
    assert first == ("line 1", "document: 200009 bytes, the limit is 65536; send one intent a document")
    assert second == ("line 2", '{"b":2}')


def test_a_document_of_many_short_lines_that_never_ends_is_given_up_with_bounded_memory() -> None:
    (only,) = documents(io.BytesIO(b"{\n" + b"\n" * 300_000))
    assert only.faults
    assert only.raw == b""


def test_a_document_is_given_as_soon_as_its_line_has_come() -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as stream, os.fdopen(writing, "wb", buffering=0) as sender:
        found = documents(stream)
        sender.write(b'{"a":1}\n')
        watchdog = threading.Timer(10, sender.close)
        watchdog.start()
        assert next(found).raw == b'{"a":1}\n'
        assert watchdog.is_alive()
        watchdog.cancel()
