"""A strict subset of YAML, with the line and column of every key and value.

Settings that decide about money must mean the same to the person who wrote them, to this program and to the
next tool. So this reader refuses what YAML makes guess-work: `yes` as a truth value, `010` as eight, `1:30`
as ninety, a key given twice (the last would win in silence), tags, anchors and aliases (ten lines of them
expand to gigabytes), several documents, tabs as indentation. Numbers keep their text and become Decimal;
dates stay text for whoever wants one.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import NoReturn, Protocol

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from neuratrade.core.model.errors import UsageError

Value = dict[str, "Value"] | list["Value"] | str | bool | Decimal
Place = tuple[str | int, ...]
"""Where a value stands: keys, and positions in lists from 0."""

MAX_BYTES = 256 * 1024
MAX_DEPTH = 12
MAX_NODES = 20_000
MAX_TEXT = 400
MAX_DIGITS = 28

_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?")
_TAG = "tag:yaml.org,2002:"


class _Position(Protocol):
    """A mark of PyYAML, whichever of its two parsers made it; both count from 0."""

    line: int
    column: int


@dataclass(frozen=True, slots=True, order=True)
class Mark:
    """A place in a file; both count from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Document:
    """A mapping read from a file, and where its keys and values stand. raw: the bytes of the file."""

    path: Path
    raw: bytes
    root: dict[str, Value]
    keys: dict[Place, Mark] = field(default_factory=dict)
    values: dict[Place, Mark] = field(default_factory=dict)

    def key_mark(self, place: Place) -> Mark:
        """Where the key of `place` stands, or the nearest key above it."""
        while place:
            mark = self.keys.get(place) or self.values.get(place)
            if mark is not None:
                return mark
            place = place[:-1]
        return Mark(1, 1)

    def value_mark(self, place: Place) -> Mark:
        """Where the value of `place` stands, or the nearest key above it."""
        return self.values.get(place) or self.key_mark(place)


class YamlRefused(UsageError):
    """A file that cannot be read as strict YAML. The message names file, line and column."""

    def __init__(self, path: Path, mark: Mark | None, what: str) -> None:
        super().__init__(f"{where(path, mark)}: {what}")


def where(path: Path, mark: Mark | None) -> str:
    """`file:line:column`, as editors understand it."""
    return f"{path}:{mark.line}:{mark.column}" if mark else f"{path}"


def dotted(place: Place) -> str:
    """`entry.BTC/USDT.strategies[0]`; `the file` for the whole."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place)
    return text.removeprefix(".") or "the file"


def read_document(path: Path) -> Document:
    """The mapping in the file at `path`. Raises YamlRefused with the first thing that is wrong."""
    raw = _read_bytes(path)
    text = _decode(path, raw)
    try:
        _check_events(path, text)
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        raise YamlRefused(path, _mark(error.problem_mark), f"not valid YAML: {_explain(error)}") from None
    except yaml.reader.ReaderError as error:
        at = _mark_at(text, error.position)
        raise YamlRefused(path, at, f"the character {error.character!r} is not allowed; remove it") from None
    if root is None:
        raise YamlRefused(path, None, "the file is empty; copy the shipped strategy_dna.yaml and edit it")
    if not isinstance(root, MappingNode):
        raise YamlRefused(
            path, _mark(root.start_mark), f"the file must be `key: value` lines, found {_kind(root)}"
        )
    reading = _Reading(path, {}, {})
    return Document(path, raw, reading.mapping(root, ()), reading.keys, reading.values)


def _read_bytes(path: Path) -> bytes:
    if not path.is_file():
        what = "is not a regular file" if path.exists() else "does not exist"
        raise YamlRefused(path, None, f"{what}; give the path of a YAML file")
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise YamlRefused(path, None, f"cannot be read ({error.strerror}); check its permissions") from None
    if len(raw) > MAX_BYTES:
        raise YamlRefused(
            path, None, f"larger than {MAX_BYTES // 1024} KiB; settings are a few KiB, check the path"
        )
    return raw


def _decode(path: Path, raw: bytes) -> str:
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        column = error.start - (raw.rfind(b"\n", 0, error.start) + 1) + 1
        found = f"byte 0x{raw[error.start]:02x} is not UTF-8"
        raise YamlRefused(path, Mark(line, column), f"{found}; save the file as UTF-8") from None
    for number, line_text in enumerate(text.splitlines(), start=1):
        indentation = line_text[: len(line_text) - len(line_text.lstrip(" \t"))]
        if "\t" in indentation and line_text.strip():
            at = Mark(number, indentation.index("\t") + 1)
            raise YamlRefused(path, at, "a tab in the indentation; indent with spaces")
    return text


def _check_events(path: Path, text: str) -> None:
    """Refuses what must not even be composed: aliases that multiply, nesting that overflows the stack."""
    depth = documents = 0
    for count, event in enumerate(yaml.parse(text, Loader=yaml.SafeLoader)):
        at = _mark(event.start_mark)
        if isinstance(event, yaml.NodeEvent) and event.anchor is not None:
            raise YamlRefused(path, at, "anchors and aliases (`&`, `*`) are not allowed; write the value out")
        if isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent) and event.tag is not None:
            raise YamlRefused(path, at, f"the tag {event.tag!r} is not allowed; write the plain value")
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if documents > 1:
            raise YamlRefused(path, at, "a second document (`---`) begins; keep one document a file")
        if depth > MAX_DEPTH:
            raise YamlRefused(path, at, f"nested deeper than {MAX_DEPTH} levels")
        if count > MAX_NODES:
            raise YamlRefused(path, at, f"more than {MAX_NODES} keys and values")


@dataclass(frozen=True, slots=True)
class _Reading:
    """Turns nodes into values and remembers where each stood."""

    path: Path
    keys: dict[Place, Mark]
    values: dict[Place, Mark]

    def value(self, node: Node, place: Place) -> Value:
        self.values[place] = _mark(node.start_mark)
        if isinstance(node, MappingNode):
            return self.mapping(node, place)
        if isinstance(node, SequenceNode):
            return [self.value(item, (*place, index)) for index, item in enumerate(node.value)]
        if not isinstance(node, ScalarNode):
            self.refuse(node, place, "neither a value, a list nor a block of keys")
        return self.scalar(node, place)

    def mapping(self, node: MappingNode, place: Place) -> dict[str, Value]:
        found: dict[str, Value] = {}
        for key, child in self.pairs(node, place):
            inner = (*place, key.value)
            if inner in self.keys:
                first = self.keys[inner].line
                self.refuse(key, inner, f"given twice (first in line {first}); keep one of them")
            self.keys[inner] = _mark(key.start_mark)
            found[key.value] = self.value(child, inner)
        return found

    def pairs(self, node: MappingNode, place: Place) -> Iterator[tuple[ScalarNode, Node]]:
        for key, child in node.value:
            if not isinstance(key, ScalarNode) or not key.value or len(key.value) > MAX_TEXT:
                self.refuse(key, place, "a key must be a short plain word")
            if key.tag == _TAG + "merge":
                self.refuse(key, place, "merging with `<<` is not allowed; write the keys out")
            yield key, child

    def scalar(self, node: ScalarNode, place: Place) -> Value:
        text = str(node.value)
        if len(text) > MAX_TEXT:
            self.refuse(node, place, f"a text of {len(text)} characters; at most {MAX_TEXT} are allowed")
        if node.style is not None:
            return text
        kind = node.tag.removeprefix(_TAG)
        if kind == "null":
            self.refuse(node, place, "no value; write one, or remove the key")
        if kind == "bool":
            if text not in ("true", "false"):
                self.refuse(
                    node,
                    place,
                    f"found {text!r}, which YAML reads as a truth value; write true or false, or quote it",
                )
            return text == "true"
        if kind in ("int", "float"):
            return self.number(node, place)
        return text

    def number(self, node: ScalarNode, place: Place) -> Decimal:
        text = node.value
        if text.lower().strip("+-.") in ("nan", "inf"):
            self.refuse(node, place, f"found {text}; a finite number is needed")
        if not _NUMBER.fullmatch(text):
            self.refuse(
                node, place, f"found {text!r}, which tools read differently; write plain digits such as 0.02"
            )
        if len(text.strip("-").replace(".", "")) > MAX_DIGITS:
            self.refuse(node, place, f"a number of more than {MAX_DIGITS} digits")
        return Decimal(text)

    def refuse(self, node: Node, place: Place, what: str) -> NoReturn:
        raise YamlRefused(self.path, _mark(node.start_mark), f"{dotted(place)}: {what}")


def _mark(mark: _Position | None) -> Mark:
    return Mark(mark.line + 1, mark.column + 1) if mark is not None else Mark(1, 1)


def _mark_at(text: str, position: int) -> Mark:
    before = text[:position]
    return Mark(before.count("\n") + 1, position - (before.rfind("\n") + 1) + 1)


def _explain(error: yaml.MarkedYAMLError) -> str:
    return " ".join(part for part in (error.context, error.problem) if part)


def _kind(node: Node) -> str:
    return "a list" if isinstance(node, SequenceNode) else f"the text {str(node.value)[:40]!r}"
