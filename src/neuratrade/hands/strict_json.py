"""Read one JSON object from bytes that a stranger sent, exactly and within bounds.

Promise: numbers become `Decimal` by their very digits, never by way of a float; arbitrary bytes give a
value or a `BadDocument`, nothing else, in time linear in their length. Refused: what two readers could
take differently (a name given twice, a byte order mark, text after the object) and what is built to
exhaust a reader (size, depth, numbers of a million digits).
"""

import json
import re
from collections.abc import Iterable
from decimal import Decimal

import msgspec

from neuratrade.core.model.errors import UsageError

MAX_BYTES = 64 * 1024
MAX_DEPTH = 8
MAX_NUMBER_CHARACTERS = 48

_BOM = b"\xef\xbb\xbf"
# The quantifier is possessive and the closing quote optional, so that no text makes the scan go back.
_STRING_OR_BRACKET = re.compile(r'"(?:[^"\\]|\\.)*+"?|[\[\]{}]', re.DOTALL)
_SHOWN_CHARACTERS = 60


class BadDocument(UsageError):
    """The bytes are not one JSON object. The message says what they are and what to send."""


class NotANumber(msgspec.Struct, frozen=True):
    """A number literal with no usable value: NaN, Infinity, or too long to be meant. literal: clipped."""

    literal: str


class JsonObject(msgspec.Struct, frozen=True):
    """fields: the members of the outermost object. repeated: names given twice, at any depth."""

    fields: dict[str, object]
    repeated: tuple[str, ...]


def read_object(raw: bytes) -> JsonObject:
    """The one object in `raw` (UTF-8, at most 64 KiB). Raises BadDocument."""
    text = _text_of(raw)
    _refuse_depth(text)
    repeated: list[str] = []

    def members(pairs: Iterable[tuple[str, object]]) -> dict[str, object]:
        found: dict[str, object] = {}
        for name, value in pairs:
            if name in found:
                repeated.append(name)
            found[name] = value
        return found

    try:
        value = json.loads(
            text, parse_float=_number, parse_int=_number, parse_constant=NotANumber, object_pairs_hook=members
        )
    except json.JSONDecodeError as error:
        raise BadDocument(_syntax_message(error)) from None
    if not isinstance(value, dict):
        raise BadDocument(f"document: one JSON object is expected, this is {shown(value)}; send {{...}}")
    return JsonObject(value, tuple(dict.fromkeys(repeated)))


def shown(value: object) -> str:
    """`value` as an error message may show it: short, on one line, without control characters."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case Decimal():
            return _clipped(str(value))
        case NotANumber():
            return value.literal
        case str():
            # repr escapes whatever does not print, so nobody can write to a terminal or a log this way.
            return _clipped(repr(value[: _SHOWN_CHARACTERS + 1]))
        case list():
            return "a list"
        case _:
            return "an object"


def _text_of(raw: bytes) -> str:
    if len(raw) > MAX_BYTES:
        raise BadDocument(f"document: {len(raw)} bytes, the limit is {MAX_BYTES}; send one intent a document")
    if raw.startswith(_BOM):
        raise BadDocument("document: starts with a byte order mark; save it as UTF-8 without BOM")
    if not raw.strip():
        raise BadDocument("document: empty; send one JSON object")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadDocument(f"document: not UTF-8 at byte {error.start}; save it as UTF-8") from None


def _refuse_depth(text: str) -> None:
    depth = 0
    for found in _STRING_OR_BRACKET.finditer(text):
        mark = found.group()[0]
        if mark in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise BadDocument(f"document: nested deeper than {MAX_DEPTH} levels; send a flat object")
        elif mark in "]}":
            depth -= 1


def _number(literal: str) -> Decimal | NotANumber:
    if len(literal) > MAX_NUMBER_CHARACTERS:
        return NotANumber(_clipped(literal))
    try:
        return Decimal(literal)
    except ArithmeticError:  # an exponent beyond what Decimal can hold
        return NotANumber(_clipped(literal))


def _syntax_message(error: json.JSONDecodeError) -> str:
    where = f"line {error.lineno} column {error.colno}"
    if error.msg == "Extra data":
        return f"document: more text follows the object at {where}; send one object a document"
    return f"document: not JSON at {where}: {error.msg}; send one JSON object"


def _clipped(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}..."
