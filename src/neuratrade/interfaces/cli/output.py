"""How every command speaks: tables for people, one JSON document for programs, errors on stderr."""

import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

OK, FAILED, WRONG_USAGE = 0, 1, 2


_encoder = msgspec.json.Encoder(decimal_format="number")


def print_json(value: object) -> None:
    """One JSON document on one line; amounts are numbers with all their digits."""
    sys.stdout.write(
        _encoder.encode(_tidy(msgspec.to_builtins(value, builtin_types=(Decimal,)))).decode() + "\n"
    )


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
    """An error, on stderr."""
    for line in message.splitlines():
        sys.stderr.write(f"error: {line}\n")


def console() -> "Console":
    """Where tables go. Wide enough when it is no terminal, so nothing is cut in a file."""
    from rich.console import Console

    return Console() if sys.stdout.isatty() else Console(width=160)


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
