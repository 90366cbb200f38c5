"""Reading the time column of a data file: whole numbers in s, ms, us or ns, or ISO 8601 with an offset.

A time without a zone is refused, since it could be anybody's local time, and an hour's shift in prices is a
look-ahead nobody sees. The first value of a file decides its unit; another unit further down is an error.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from neuratrade.core.model.errors import UsageError
from neuratrade.feeds.layout import TIME_UNITS, YEAR_1990_NS, YEAR_2100_NS, unit_of
from neuratrade.feeds.problems import Problems

if TYPE_CHECKING:
    import polars as pl

ISO = "ISO 8601"
ISO_EXAMPLE = "2025-05-13T00:00:00Z"


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def time_of(text: str) -> int:
    """Nanoseconds UTC of a time a person wrote: a day (its first instant, UTC), or a time with its zone.

    Raises UsageError for anything else, and outside of 1990 to 2100.
    """
    day_only = re.fullmatch(r"\d{4}-\d\d-\d\d", text.strip())
    try:
        at = datetime.fromisoformat(text.strip() + ("T00:00:00+00:00" if day_only else ""))
    except ValueError as error:
        raise UsageError(f"{text!r} is no time; write 2025-03-01 or {ISO_EXAMPLE}") from error
    if at.tzinfo is None:
        raise UsageError(f"{text!r} has no time zone; write UTC as {ISO_EXAMPLE}")
    at_ns = (at - _EPOCH) // timedelta(microseconds=1) * 1_000
    if not YEAR_1990_NS <= at_ns < YEAR_2100_NS:
        raise UsageError(f"{text!r} lies outside of 1990 to 2100; write 2025-03-01 or {ISO_EXAMPLE}")
    return at_ns


def time_column_error(name: str, dtype: "pl.DataType") -> str | None:
    """Why a column of this type cannot hold times, or None when it can."""
    import polars as pl

    if isinstance(dtype, pl.Datetime):
        if dtype.time_zone is None:
            return f"column {name!r} holds times without a time zone; write them as UTC"
        return None
    if dtype.is_integer() or dtype.is_float() or dtype in (pl.String, pl.Null):
        return None
    return f"column {name!r} holds {dtype}; write times in s, ms, us, ns or as {ISO_EXAMPLE}"


class TimeReader:
    """Turns the time column of one file, piece by piece, into nanoseconds UTC."""

    def __init__(self) -> None:
        self.unit: str | None = None

    def read(self, column: "pl.Series", first_row: int, problems: Problems) -> "pl.Series":
        """Int64 nanoseconds UTC; null where a value is no time, with its problem noted."""
        import polars as pl

        problems.add_where(column.is_null(), first_row, "ts", lambda _: "is missing")
        if isinstance(column.dtype, pl.Datetime):
            self.unit = self.unit or ISO
            return column.dt.epoch("ns")
        if column.dtype == pl.String:
            return self._read_text(column.str.strip_chars(), first_row, problems)
        return self._read_numbers(column, first_row, problems)

    def _read_text(self, column: "pl.Series", first_row: int, problems: Problems) -> "pl.Series":
        import polars as pl

        if self.unit is None:
            present = column.drop_nulls().head(1).to_list()
            if present and not present[0].replace(".", "", 1).isdigit():
                self.unit = ISO
        if self.unit == ISO:
            return _read_iso(column, first_row, problems)
        numbers = column.cast(pl.Int64, strict=False)
        if column.str.contains(".", literal=True).any():
            numbers = column.cast(pl.Float64, strict=False)
        unreadable = numbers.is_null() & column.is_not_null()
        problems.add_where(
            unreadable, first_row, "ts", lambda i: f"{column[i]!r} is no whole number; use one form of time"
        )
        return self._read_numbers(numbers, first_row, problems)

    def _read_numbers(self, column: "pl.Series", first_row: int, problems: Problems) -> "pl.Series":
        import polars as pl

        if self.unit is None:
            present = column.drop_nulls().head(1).to_list()
            first = unit_of(float(present[0])) if present else None
            self.unit = first.name if first else None
        name = self.unit or "ms"
        unit = next((item for item in TIME_UNITS if item.name == name), TIME_UNITS[1])
        rough = column.cast(pl.Float64)
        usable = (rough >= YEAR_1990_NS / unit.ns) & (rough < YEAR_2100_NS / unit.ns)
        problems.add_where(~usable, first_row, "ts", lambda i: _unit_error(column[i], name))
        kept = pl.select(pl.when(usable).then(column)).to_series()
        if not column.dtype.is_float():
            return kept.cast(pl.Int64) * unit.ns
        # A float time holds microseconds at best; rounding to them undoes what it cannot hold.
        return (kept * (unit.ns / 1_000)).round().cast(pl.Int64) * 1_000


def _unit_error(value: float, expected: str) -> str:
    found = unit_of(float(value))
    if found is None:
        return f"{value} is no time between 1990 and 2100 in s, ms, us or ns"
    return f"{value} is in {found.name} but the file began in {expected}; use one unit"


def _read_iso(column: "pl.Series", first_row: int, problems: Problems) -> "pl.Series":
    even = column.str.replace(r"[zZ]$|\s*UTC$", "+00:00").str.replace(" ", "T", literal=True)
    even = even.str.replace(r"T(\d\d:\d\d)([+-])", "T${1}:00${2}")
    read = even.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f%:z", time_unit="ns", time_zone="UTC", strict=False)
    naive = column.str.contains(r"^\d{4}-\d\d-\d\d([T ][\d:.]+)?$")
    problems.add_where(
        naive & read.is_null(),
        first_row,
        "ts",
        lambda i: f"{column[i]!r} has no time zone; write UTC as {ISO_EXAMPLE}",
    )
    problems.add_where(
        ~naive & read.is_null(),
        first_row,
        "ts",
        lambda i: f"{column[i]!r} is no time such as {ISO_EXAMPLE}; use one form of time",
    )
    return read.dt.epoch("ns")
