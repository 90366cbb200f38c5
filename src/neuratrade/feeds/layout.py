"""What the columns of a data file mean: their names, their synonyms, and the unit of their times.

Files come from many tools, so common other names are understood. Nothing is guessed beyond that: two columns
for one field, a missing one, or a time without a zone is an error that names the column and what to write.
"""

import re
from difflib import get_close_matches
from enum import StrEnum

import msgspec

from neuratrade.core.model.market import NS_PER_MS, NS_PER_SECOND


class SeriesKind(StrEnum):
    """What the rows of a file are."""

    BARS = "bars"
    TRADES = "trades"
    QUOTES = "quotes"


class Field(msgspec.Struct, frozen=True):
    """One field a row must or may have, and the other names it goes by (lower case, letters and digits
    only).
    """

    name: str
    synonyms: frozenset[str]
    required: bool = True


def _field(name: str, synonyms: str = "", *, required: bool = True) -> Field:
    return Field(name, frozenset([_plain(name), *synonyms.split()]), required)


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


TIME_NAMES = "timestamp date datetime time opentime timems timens tsms tsns tsevent unix"
_TIME = _field("ts", TIME_NAMES)

FIELDS: dict[SeriesKind, tuple[Field, ...]] = {
    SeriesKind.BARS: (
        _TIME,
        _field("open", "o openprice"),
        _field("high", "h highprice max"),
        _field("low", "l lowprice min"),
        _field("close", "c closeprice last"),
        _field("volume", "v vol basevolume volumebase"),
    ),
    SeriesKind.TRADES: (
        _TIME,
        _field("price", "p px tradeprice"),
        _field("quantity", "q qty size amount volume vol"),
        _field("side", "aggressor aggressorside takerside buyeristaker", required=False),
        _field("buyer_is_maker", "isbuyermaker", required=False),
    ),
    SeriesKind.QUOTES: (
        _TIME,
        _field("bid", "b bidprice bestbid bidpx"),
        _field("ask", "a askprice bestask askpx offer"),
        _field("bid_size", "bidqty bidquantity bidvolume bidamount bestbidsize"),
        _field("ask_size", "askqty askquantity askvolume askamount bestasksize"),
    ),
}

PRICES: dict[SeriesKind, tuple[str, ...]] = {
    SeriesKind.BARS: ("open", "high", "low", "close"),
    SeriesKind.TRADES: ("price",),
    SeriesKind.QUOTES: ("bid", "ask"),
}
AMOUNTS: dict[SeriesKind, tuple[str, ...]] = {
    SeriesKind.BARS: ("volume",),
    SeriesKind.TRADES: ("quantity",),
    SeriesKind.QUOTES: ("bid_size", "ask_size"),
}

BUY_WORDS = frozenset(("buy", "b", "bid", "1", "true"))
SELL_WORDS = frozenset(("sell", "s", "ask", "-1", "false"))


class Layout(msgspec.Struct, frozen=True):
    """Which column of a file holds which field."""

    kind: SeriesKind
    columns: dict[str, str]


def find_layout(header: list[str], kind: SeriesKind) -> tuple[Layout, list[str]]:
    """The layout of a header, and what is wrong with it (empty when it can be used)."""
    columns, errors = find_columns(header, FIELDS[kind])
    return Layout(kind, columns), errors


def find_columns(header: list[str], fields: tuple[Field, ...]) -> tuple[dict[str, str], list[str]]:
    """The column of each field, and what is wrong with the header (empty when it can be used)."""
    columns: dict[str, str] = {}
    errors: list[str] = []
    for field in fields:
        found = _columns_of(field, header)
        if len(found) > 1:
            errors.append(f"{field.name}: columns {', '.join(found)} all mean {field.name}; keep one")
        elif found:
            columns[field.name] = found[0]
        elif field.required:
            errors.append(_missing(field, header))
    return columns, errors


def _columns_of(field: Field, header: list[str]) -> list[str]:
    exact = [name for name in header if name == field.name]
    return exact or [name for name in header if _plain(name) in field.synonyms]


def _missing(field: Field, header: list[str]) -> str:
    near = get_close_matches(_plain(field.name), {_plain(name): name for name in header}, n=1, cutoff=0.5)
    nearest = next((name for name in header if near and _plain(name) == near[0]), None)
    hint = f"did you mean {nearest!r}? " if nearest else ""
    return f"{field.name}: no such column; {hint}the file has {', '.join(header) or 'none'}"


class TimeUnit(msgspec.Struct, frozen=True):
    """A unit of whole-number times, with the range it is recognised by: 1990 to 2100."""

    name: str
    ns: int

    def covers(self, value: float) -> bool:
        """Whether `value` in this unit lies between 1990 and 2100."""
        return YEAR_1990_NS <= value * self.ns < YEAR_2100_NS


YEAR_1990_NS = 631_152_000 * NS_PER_SECOND
YEAR_2100_NS = 4_102_444_800 * NS_PER_SECOND

TIME_UNITS = (
    TimeUnit("s", NS_PER_SECOND),
    TimeUnit("ms", NS_PER_MS),
    TimeUnit("us", 1_000),
    TimeUnit("ns", 1),
)


def unit_of(value: float) -> TimeUnit | None:
    """The unit in which `value` is a time between 1990 and 2100; the four ranges do not touch."""
    return next((unit for unit in TIME_UNITS if unit.covers(value)), None)
