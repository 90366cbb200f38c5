"""How every command speaks: tables for people, one JSON document for programs, errors on stderr."""

import sys
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

OK, FAILED, WRONG_USAGE, INTERRUPTED = 0, 1, 2, 130


_encoder = msgspec.json.Encoder(decimal_format="number")
_documents: list[int] = []
_errors: list[str] = []


def print_json(value: object) -> None:
    """One JSON document on one line, UTF-8 whatever the terminal; amounts are numbers with all digits."""
    write_bytes(_encoder.encode(_tidy(msgspec.to_builtins(value, builtin_types=(Decimal,)))) + b"\n")


def write_bytes(document: bytes) -> None:
    """Writes a document as it is, after everything printed so far."""
    sys.stdout.flush()
    sys.stdout.buffer.write(document)
    sys.stdout.buffer.flush()
    _documents.append(len(document))


def begin_output() -> None:
    """Called once a command line begins."""
    _documents.clear()
    _errors.clear()


def json_was_printed() -> bool:
    """Whether this process has printed its document: a program that reads it expects one."""
    return bool(_documents)


def error_was_printed() -> bool:
    """Whether this process has told what went wrong."""
    return bool(_errors)


def _tidy(value: object) -> object:
    """Decimals without trailing zeros, and what JSON has no number for as null."""
    match value:
        case Decimal():
            return Decimal(number(value)) if value.is_finite() else None
        case dict():
            return {key: _tidy(item) for key, item in value.items()}
        case list() | tuple():
            return [_tidy(item) for item in value]
        case _:
            return value


def print_error(message: str) -> None:
    """An error, on stderr; nothing where stderr cannot be written."""
    _errors.append(message)
    with suppress(OSError):
        for line in message.splitlines():
            sys.stderr.write(f"error: {line}\n")
        sys.stderr.flush()


def print_note(message: str) -> None:
    """Something to know that is no error, on stderr."""
    with suppress(OSError):
        sys.stderr.write(f"note: {message}\n")
        sys.stderr.flush()


def console() -> "Console":
    """Where tables go. Wide enough when it is no terminal, so nothing is cut in a file.

    Without markup: what others wrote (reasons, tags, names) is shown as it is, brackets and all.
    """
    from rich.console import Console

    width = None if sys.stdout.isatty() else 160
    return Console(file=sys.stdout, width=width, markup=False, highlight=False, emoji=False)


def styled(text: str, style: str) -> "Text":
    """Text in a colour."""
    from rich.text import Text

    return Text(text, style)


def verdict_of(*, approved: bool) -> "Text":
    """The verdict on an intent, in its colour."""
    return styled("approved", "green") if approved else styled("refused", "red")


def table(title: str, *columns: str, right: Iterable[str] = ()) -> "Table":
    """An empty table; `right` names the columns of numbers."""
    from rich.table import Table

    made = Table(title=title, title_justify="left", header_style="bold")
    numbers = set(right)
    for column in columns:
        made.add_column(column, justify="right" if column in numbers else "left")
    return made


def when(at_ns: int) -> str:
    """A time for people, UTC to the second."""
    return datetime.fromtimestamp(at_ns // 1_000_000_000, UTC).strftime("%Y-%m-%d %H:%M:%S")


def money(amount: Decimal) -> str:
    """An amount with thousands separated, two decimals."""
    return f"{amount:,.2f}"


def number(value: Decimal) -> str:
    """A price or quantity without trailing zeros and without exponent."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def percent(fraction: Decimal) -> str:
    """A fraction as percent."""
    return f"{fraction * 100:.2f} %"
