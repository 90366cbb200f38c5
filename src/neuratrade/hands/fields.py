"""The kinds of field that documents from outside are made of, each with its JSON Schema.

Every kind refuses with a sentence that says what came and what to write instead. Numbers are bounded in
size and digits, because a number such as 1E+1000000 is short to send and fatal to calculate with.
"""

import re
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, TypeVar

from pydantic import PlainValidator, WithJsonSchema

from neuratrade.core.engine.slices import MOST_CHILDREN
from neuratrade.core.model.decimals import ZERO
from neuratrade.core.model.intent import Direction, EntryType, Lane
from neuratrade.core.model.market import NS_PER_SECOND
from neuratrade.hands.findings import nearest_of
from neuratrade.hands.strict_json import NotANumber, shown

MAX_DIGITS = 24
LARGEST = Decimal("1E+12")
SMALLEST = Decimal("1E-12")
DAY_S = Decimal(86_400)
YEAR_S = Decimal(366 * 24 * 3600)
SHORTEST_S = Decimal("0.001")

# Control characters, line and direction marks and lone surrogates: they do not print, or print as lies.
_UNPRINTABLE = r"\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff"
_NOTE_UNPRINTABLE = r"\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff"
LINE_PATTERN = rf"^(?=.*\S)[^{_UNPRINTABLE}]+$"
NOTE_PATTERN = rf"^[^{_NOTE_UNPRINTABLE}]*$"
UUID_PATTERN = r"^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$"
MOMENT_PATTERN = (
    r"^([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})$"
)
_LINE = re.compile(LINE_PATTERN)
_NOTE = re.compile(NOTE_PATTERN)
_UUID = re.compile(UUID_PATTERN)
_MOMENT = re.compile(MOMENT_PATTERN)
_NAIVE_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9:.]*)?")

Choice = TypeVar("Choice", bound=StrEnum)

LINE_LENGTH = 128
EVIDENCE_LENGTH = 256
TAG_KEY_LENGTH = 64
TAG_VALUE_LENGTH = 1024
MAX_TAGS = 32


def number(value: object) -> Decimal:
    """A JSON number as sent, digit by digit. Raises ValueError for anything else or beyond the bounds."""
    if isinstance(value, NotANumber):
        raise ValueError(f"{value.literal} is not a finite number of sensible size; send a plain number")
    if isinstance(value, str):
        raise ValueError(f"{shown(value)} is text; write the number without quotes")
    if not isinstance(value, Decimal):
        raise ValueError(f"{shown(value)} is not a number; send a plain number")
    if len(value.as_tuple().digits) > MAX_DIGITS:
        raise ValueError(f"{shown(value)} has more than {MAX_DIGITS} digits; round it")
    # copy_abs, since abs rounds to the context and overflows on what is to be refused here
    if value and not SMALLEST <= value.copy_abs() <= LARGEST:
        raise ValueError(f"{shown(value)} is outside {SMALLEST} to {LARGEST}; check its exponent")
    return value or ZERO  # a zero may carry an exponent of a million too


def positive(value: object) -> Decimal:
    """A number above zero."""
    found = number(value)
    if found <= ZERO:
        raise ValueError(f"{shown(found)} is not above zero; send a positive number")
    return found


def fraction(value: object) -> Decimal:
    """A share above 0, at most 1."""
    found = positive(value)
    if found > 1:
        raise ValueError(f"{shown(found)} is above 1; write a fraction, 50 % is 0.5")
    return found


def confidence(value: object) -> Decimal:
    """A number from 0 to 1."""
    found = number(value)
    if not 0 <= found <= 1:
        raise ValueError(f"{shown(found)} is outside 0 to 1; write a fraction, 85 % is 0.85")
    return found


def trail(value: object) -> Decimal:
    """A distance behind the best price, a fraction of it, above 0 and at most 0.2."""
    found = positive(value)
    if found > Decimal("0.2"):
        raise ValueError(f"{shown(found)} is above 0.2; write a fraction, 1.5 % is 0.015")
    return found


def seconds_up_to(limit: Decimal, value: object) -> Decimal:
    """A duration in seconds from 0.001 to `limit`."""
    found = number(value)
    if not SHORTEST_S <= found <= limit:
        raise ValueError(f"{shown(found)} is outside {SHORTEST_S} to {limit} seconds; send seconds")
    return found


def count(value: object) -> int:
    """A whole number of slices from 2 to `MOST_CHILDREN`."""
    found = number(value)
    if found != found.to_integral_value() or not 2 <= found <= MOST_CHILDREN:
        raise ValueError(f"{shown(found)} is no whole number from 2 to {MOST_CHILDREN}; send a count")
    return int(found)


def weight(value: object) -> Decimal:
    """A share of volume, zero or above."""
    found = number(value)
    if found < ZERO:
        raise ValueError(f"{shown(found)} is below zero; send zero or more")
    return found


def line_of(value: object, longest: int = LINE_LENGTH) -> str:
    """Printable text on one line, 1 to `longest` characters."""
    if not isinstance(value, str):
        raise ValueError(f"{shown(value)} is not text; send a string")
    if len(value) > longest:
        raise ValueError(f"{len(value)} characters, the limit is {longest}; shorten it")
    if not value.strip():
        raise ValueError("is empty; send some text")
    if not _LINE.fullmatch(value):
        raise ValueError(f"{shown(value)} holds characters that do not print; send plain text on one line")
    return value


def uuid_of(value: object) -> str:
    """A UUID in its 36 characters, lower-cased so that one id has one spelling."""
    if not isinstance(value, str) or not _UUID.fullmatch(value):
        raise ValueError(f"{shown(value)} is not a UUID; send one such as the 36 characters of `uuidgen`")
    return value.lower()


def moment_ns(value: object) -> int:
    """Nanoseconds UTC of an RFC 3339 time that names its offset. Raises ValueError for a naive one."""
    found = _MOMENT.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        if isinstance(value, str) and _NAIVE_MOMENT.fullmatch(value):
            raise ValueError(f"{shown(value)} names no time zone; end it with Z or an offset such as +02:00")
        raise ValueError(f"{shown(value)} is not an ISO 8601 time; write it like 2026-02-12T19:15:00Z")
    clock, digits, offset = found.groups()
    try:
        seconds = _seconds_of(clock) - _offset_seconds(offset)
    except ValueError:
        raise ValueError(f"{shown(value)} does not exist in the calendar; check its parts") from None
    return seconds * NS_PER_SECOND + int((digits or ".")[1:].ljust(9, "0"))


def choice_of(kind: type[Choice], value: object) -> Choice:
    """The member of `kind` that `value` spells exactly."""
    for choice in kind:
        if choice == value:
            return choice
    near = nearest_of(value, kind) if isinstance(value, str) else ""
    advice = f"did you mean {near}?" if near else "send one of these"
    raise ValueError(f"{shown(value)} is none of {', '.join(kind)}; {advice}")


def tags_of(value: object) -> dict[str, str]:
    """A flat map of text to text, bounded in count and length."""
    if not isinstance(value, dict):
        raise ValueError(f'{shown(value)} is not a map of text to text; send {{"session": "london"}}')
    if len(value) > MAX_TAGS:
        raise ValueError(f"{len(value)} tags, the limit is {MAX_TAGS}; send fewer")
    for name, text in value.items():
        try:
            line_of(name, TAG_KEY_LENGTH)
        except ValueError as error:
            raise ValueError(f"the name {shown(name)}: {error}") from None
        if not isinstance(text, str):
            raise ValueError(f"{shown(name)} is {shown(text)}; every tag is text, quote it")
        if len(text) > TAG_VALUE_LENGTH:
            raise ValueError(f"{shown(name)} has {len(text)} characters, the limit is {TAG_VALUE_LENGTH}")
        if not _NOTE.fullmatch(text):
            raise ValueError(f"{shown(name)} holds characters that do not print; send plain text")
    return dict(value)


def _seconds_of(clock: str) -> int:
    elapsed = datetime.fromisoformat(f"{clock}+00:00") - datetime(1970, 1, 1, tzinfo=timezone(timedelta()))
    return elapsed.days * 86_400 + elapsed.seconds


def _offset_seconds(offset: str) -> int:
    if offset == "Z":
        return 0
    hours, minutes = int(offset[1:3]), int(offset[4:6])
    if hours > 23 or minutes > 59:
        raise ValueError(offset)
    return (hours * 3600 + minutes * 60) * (-1 if offset[0] == "-" else 1)


def _choice_schema(kind: type[StrEnum]) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "enum": [choice.value for choice in kind]})


def _number_schema(minimum: str, maximum: Decimal) -> WithJsonSchema:
    return WithJsonSchema(
        {"type": "number", "minimum": _json_number(minimum), "maximum": _json_number(maximum)}
    )


def _json_number(value: Decimal | str) -> int | float:
    exact = Decimal(value)
    return int(exact) if exact == exact.to_integral_value() else float(exact)


def _text_schema(pattern: str, longest: int) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "minLength": 1, "maxLength": longest, "pattern": pattern})


def _ttl(value: object) -> Decimal:
    return seconds_up_to(DAY_S, value)


def _duration(value: object) -> Decimal:
    return seconds_up_to(YEAR_S, value)


def _span(value: object) -> Decimal:
    return seconds_up_to(DAY_S, value)


def _evidence_id(value: object) -> str:
    return line_of(value, EVIDENCE_LENGTH)


def _direction(value: object) -> Direction:
    return choice_of(Direction, value)


def _entry_type(value: object) -> EntryType:
    return choice_of(EntryType, value)


def _lane(value: object) -> Lane:
    return choice_of(Lane, value)


_POSITIVE = _number_schema("1E-12", LARGEST)
_DURATION = _number_schema("0.001", YEAR_S)
_LINE_SCHEMA = _text_schema(LINE_PATTERN, LINE_LENGTH)

Positive = Annotated[Decimal, PlainValidator(positive), _POSITIVE]
OptionalPositive = Annotated[Decimal | None, PlainValidator(positive), _POSITIVE]
Fraction = Annotated[Decimal, PlainValidator(fraction), _number_schema("1E-12", Decimal(1))]
Confidence = Annotated[Decimal, PlainValidator(confidence), _number_schema("0", Decimal(1))]
OptionalTrail = Annotated[Decimal | None, PlainValidator(trail), _number_schema("1E-12", Decimal("0.2"))]
Ttl = Annotated[Decimal, PlainValidator(_ttl), _number_schema("0.001", DAY_S)]
Span = Annotated[Decimal, PlainValidator(_span), _number_schema("0.001", DAY_S)]
Count = Annotated[
    int,
    PlainValidator(count),
    WithJsonSchema({"type": "integer", "minimum": 2, "maximum": MOST_CHILDREN}),
]
Weight = Annotated[Decimal, PlainValidator(weight), _number_schema("0", LARGEST)]
OptionalDuration = Annotated[Decimal | None, PlainValidator(_duration), _DURATION]
Line = Annotated[str, PlainValidator(line_of), _LINE_SCHEMA]
OptionalLine = Annotated[str | None, PlainValidator(line_of), _LINE_SCHEMA]
EvidenceId = Annotated[str, PlainValidator(_evidence_id), _text_schema(LINE_PATTERN, EVIDENCE_LENGTH)]
DirectionChoice = Annotated[Direction, PlainValidator(_direction), _choice_schema(Direction)]
EntryTypeChoice = Annotated[EntryType, PlainValidator(_entry_type), _choice_schema(EntryType)]
LaneChoice = Annotated[Lane, PlainValidator(_lane), _choice_schema(Lane)]
Uuid = Annotated[
    str,
    PlainValidator(uuid_of),
    WithJsonSchema({"type": "string", "format": "uuid", "pattern": UUID_PATTERN}),
]
_MOMENT_SCHEMA = WithJsonSchema({"type": "string", "format": "date-time", "pattern": MOMENT_PATTERN})
MomentNs = Annotated[int, PlainValidator(moment_ns), _MOMENT_SCHEMA]
OptionalMomentNs = Annotated[int | None, PlainValidator(moment_ns), _MOMENT_SCHEMA]
Tags = Annotated[
    dict[str, str],
    PlainValidator(tags_of),
    WithJsonSchema(
        {
            "type": "object",
            "maxProperties": MAX_TAGS,
            "propertyNames": {"minLength": 1, "maxLength": TAG_KEY_LENGTH, "pattern": LINE_PATTERN},
            "additionalProperties": {
                "type": "string",
                "maxLength": TAG_VALUE_LENGTH,
                "pattern": NOTE_PATTERN,
            },
        }
    ),
]
