"""From the columns of a file to numbers: times in nanoseconds, prices and amounts as floats, in pieces.

Reading and checking both go through here and through `feeds.rules`, so that a file that passed the check
cannot fail, or mean something else, when it is replayed.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

from neuratrade.feeds.layout import AMOUNTS, BUY_WORDS, PRICES, SELL_WORDS, Layout, SeriesKind, find_layout
from neuratrade.feeds.problems import Problems
from neuratrade.feeds.table import BadFile, Table, read_frames
from neuratrade.feeds.times import TimeReader, time_column_error

if TYPE_CHECKING:
    import polars as pl

_MAY_BE_MISSING = frozenset(("bid", "ask", "bid_size", "ask_size"))
"""A side of a book may have no order."""


class Rows(msgspec.Struct, frozen=True):
    """A piece of a file in normal form.

    frame: `ts` (Int64, ns UTC), the fields of the kind (Float64), `side` of trades (Boolean, true for a
    buying aggressor); null where a cell could not be read. first_row: number of its first row, from 1.
    """

    frame: "pl.DataFrame"
    first_row: int


def read_rows(table: Table, kind: SeriesKind, problems: Problems, times: TimeReader) -> Iterator[Rows]:
    """The pieces of a table in normal form; cells that cannot be read go to `problems`.

    Raises BadFile when a column is missing, has the wrong type, or the file breaks off.
    """
    layout, errors = find_layout(table.header, kind)
    row = 1
    for frame in read_frames(table):
        errors = errors or _type_errors(frame, layout)
        if errors:
            break
        yield Rows(_normal_form(frame, layout, times, row, problems), row)
        row += frame.height
    if errors:
        raise BadFile("\n".join(f"{table.path}: {error}" for error in errors))


def _type_errors(frame: "pl.DataFrame", layout: Layout) -> list[str]:
    errors = []
    time_error = time_column_error(layout.columns["ts"], frame.schema[layout.columns["ts"]])
    if time_error:
        errors.append(f"ts: {time_error}")
    for field in (*PRICES[layout.kind], *AMOUNTS[layout.kind]):
        column = frame[layout.columns[field]]
        if not _can_hold_numbers(column):
            errors.append(f"{field}: column {column.name!r} holds {column.dtype}, not numbers")
    return errors


def _can_hold_numbers(column: "pl.Series") -> bool:
    import polars as pl

    return column.dtype.is_numeric() or column.dtype in (pl.String, pl.Null)


def _normal_form(
    frame: "pl.DataFrame", layout: Layout, times: TimeReader, row: int, problems: Problems
) -> "pl.DataFrame":
    import polars as pl

    columns = [times.read(frame[layout.columns["ts"]], row, problems).alias("ts")]
    columns += [
        _numbers(frame[layout.columns[field]], field, row, problems).alias(field)
        for field in (*PRICES[layout.kind], *AMOUNTS[layout.kind])
    ]
    if "side" in layout.columns:
        columns.append(_sides(frame[layout.columns["side"]], row, problems).alias("side"))
    if "buyer_is_maker" in layout.columns and "side" not in layout.columns:
        columns.append(~_sides(frame[layout.columns["buyer_is_maker"]], row, problems).alias("side"))
    frame = pl.DataFrame(columns)
    if layout.kind is SeriesKind.TRADES and "side" not in frame.columns:
        return frame.with_columns(pl.lit(None, dtype=pl.Boolean).alias("side"))
    return frame


def _numbers(column: "pl.Series", field: str, first_row: int, problems: Problems) -> "pl.Series":
    import polars as pl

    if field not in _MAY_BE_MISSING:
        problems.add_where(column.is_null(), first_row, field, lambda _: "is missing")
    read = column
    if column.dtype == pl.String:
        text = column.str.strip_chars()
        read = text.cast(pl.Float64, strict=False)
        problems.add_where(
            read.is_null() & text.is_not_null(), first_row, field, lambda i: f"{text[i]!r} is no number"
        )
    numbers = read.cast(pl.Float64)
    # One zero: -0.0 would be written, and hashed, as another number.
    return numbers.set(numbers == 0, 0.0) if (numbers == 0).any() else numbers


def _sides(column: "pl.Series", first_row: int, problems: Problems) -> "pl.Series":
    import polars as pl

    words = column.cast(pl.String).str.strip_chars().str.to_lowercase()
    known = words.is_in(list(BUY_WORDS | SELL_WORDS))
    problems.add_where(~known, first_row, "side", lambda i: f"{words[i]!r} is neither buy nor sell")
    return pl.select(pl.when(known).then(words.is_in(list(BUY_WORDS)))).to_series()
