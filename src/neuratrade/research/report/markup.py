"""Markup that cannot be broken by what somebody typed.

Names of assets, strategies and notes come from files and people. Every value put into markup is escaped here,
unless it is markup already; a page is only ever made of `Html`, so forgetting to escape is a type error.
"""

import html
import json
from collections.abc import Iterable, Sequence
from decimal import Decimal
from math import isfinite

NOTHING = "–"
"""What stands where there is no figure."""
MINUS = "\N{MINUS SIGN}"
_LARGEST = 1e15


class Html(str):
    """Text that is markup already and is never escaped again."""

    __slots__ = ()


def text(value: object) -> Html:
    """`value` as text of a page, also safe within a quoted attribute."""
    return value if isinstance(value, Html) else Html(html.escape(str(value)))


def fill(template: str, *values: object) -> Html:
    """`template`, markup written in our code, with each `{}` replaced by an escaped value."""
    return Html(template.format(*map(text, values)))


def join(parts: Iterable[Html], between: str = "") -> Html:
    """Markup one after the other."""
    return Html(between.join(parts))


def json_block(name: str, value: object) -> Html:
    """A block of data for the script of the page. No value in it can end the block."""
    plain = json.dumps(value, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    for sign in "<>&":
        plain = plain.replace(sign, f"\\u{ord(sign):04x}")
    return Html(f'<script type="application/json" id="{name}">{plain}</script>')


def table(caption: str, heads: Iterable[str], rows: Iterable[Iterable[object]], kinds: str = "") -> Html:
    """A plain table. kinds: one letter a column, `n` for numbers (set to the right), anything else text.

    The first cell of a row is its heading.
    """
    marks = [' class="n"' if kind == "n" else "" for kind in kinds.ljust(30)]
    names = [f'<th scope="col"{mark}>{text(name)}</th>' for name, mark in zip(heads, marks, strict=False)]
    body = "".join(_row([text(cell) for cell in row], marks) for row in rows)
    return Html(
        f'<div class="scroll" tabindex="0" role="region" aria-label="{text(caption)}"><table>'
        f"<caption>{text(caption)}</caption>"
        f"<thead><tr>{''.join(names)}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _row(cells: Sequence[Html], marks: Sequence[str]) -> str:
    rest = "".join(f"<td{mark}>{cell}</td>" for cell, mark in zip(cells[1:], marks[1:], strict=False))
    return f'<tr><th scope="row"{marks[0]}>{cells[0]}</th>{rest}</tr>'


def number(value: Decimal | float | None, places: int = 2, *, signed: bool = False) -> Html:
    """A figure with thousands apart; `–` where there is none. Very large ones in powers of ten."""
    if value is None or not isfinite(value):
        return Html(NOTHING)
    plain = f"{value:,.{places}f}" if -_LARGEST < value < _LARGEST else _power(float(value))
    if plain.startswith("-"):
        return Html(plain[1:] if not plain.strip("-0.,") else MINUS + plain[1:])
    return Html("+" + plain if signed and plain.strip("0.,") else plain)


def _power(value: float) -> str:
    mantissa, _, exponent = f"{value:.3e}".partition("e")
    return f"{mantissa} × 10^{int(exponent)}"


def percent(fraction: Decimal | float | None, places: int = 2, *, signed: bool = False) -> Html:
    """A fraction as per cent; `–` where there is none."""
    if fraction is None or not isfinite(fraction):
        return Html(NOTHING)
    return Html(number(float(fraction) * 100, places, signed=signed) + "\N{NO-BREAK SPACE}%")


def exact(value: Decimal | None) -> Html:
    """A price or quantity with all the digits it has and no others."""
    if value is None:
        return Html(NOTHING)
    if value and abs(value.adjusted()) > 15:
        return number(value)
    plain = f"{value:,f}"
    if "." in plain:
        plain = plain.rstrip("0").rstrip(".")
    return Html(MINUS + plain[1:] if plain.startswith("-") else plain)
