"""Recorded funding: the rates an exchange charged, read from its file and held against the run they are for.

A rate is a fraction of notional that longs pay to shorts, as exchanges give it: 0.0001 is one basis point. A
file holds one market; rates of several would charge each position many times over. A stretch of a run that
has no rate is said, since a cost that is missing looks just like one that is zero.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import msgspec

from neuratrade.core.model.instrument import Instrument, InstrumentKind
from neuratrade.core.model.market import NS_PER_HOUR, NS_PER_MINUTE
from neuratrade.feeds.layout import TIME_NAMES, Field, find_columns
from neuratrade.feeds.problems import Problems
from neuratrade.feeds.rules import iso_of
from neuratrade.feeds.table import BadFile, Table, open_table, read_frames
from neuratrade.feeds.times import TimeReader, time_column_error

if TYPE_CHECKING:
    import polars as pl

FIELDS = (
    Field(
        "ts", frozenset(f"ts {TIME_NAMES} fundingtime fundingtimestamp fundingratetimestamp calctime".split())
    ),
    Field(
        "funding_rate",
        frozenset("fundingrate rate funding lastfundingrate realizedrate fundingratevalue".split()),
    ),
)
MARKETS = ("symbol", "coin", "pair", "market", "instrument", "instid", "asset", "venue", "exchange")
"""Columns that say which market a row is of."""
USUAL_NS = 8 * NS_PER_HOUR
"""Time between two rates where a file holds only one."""
LATE_NS = NS_PER_MINUTE
"""Exchanges stamp a rate some milliseconds behind the hour it is for."""
MANY_PERCENT = Decimal("0.005")
"""A file whose rates are usually beyond this is likelier in percent than true."""
_ERRORS_SHOWN = 10
_FORM = "write fractions of notional, such as 0.0001 for one basis point"


class RecordedFunding(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Funding rates of one perpetual.

    instrument: key. source: name of the file they are from. at_ns: when each fell due, ns UTC, strictly
    rising. fractions: of notional, paid by longs to shorts then; below zero the other way.
    """

    instrument: str
    source: str
    at_ns: tuple[int, ...]
    fractions: tuple[Decimal, ...]

    @property
    def sha256(self) -> str:
        """Names the rates: equal for equal ones, whatever their file is called and written in."""
        known = msgspec.json.encode((self.at_ns, self.fractions))
        return hashlib.sha256(known).hexdigest()

    @property
    def usual_ns(self) -> int:
        """The commonest time from one rate to the next, to the minute; of equals the shortest."""
        apart = (later - one for one, later in pairwise(self.at_ns))
        steps = Counter((step + LATE_NS // 2) // LATE_NS * LATE_NS for step in apart)
        return max(steps.items(), key=lambda item: (item[1], -item[0]))[0] if steps else USUAL_NS

    @property
    def told(self) -> str:
        """For people: what they are of, how many, where from, and which numbers."""
        count = f"{len(self.at_ns):,} rate" + ("" if len(self.at_ns) == 1 else "s")
        return f"{self.instrument}: {count} of {self.source} (SHA-256 {self.sha256[:12]})"


def read_funding(path: Path, instrument: str) -> RecordedFunding:
    """Reads a Parquet, CSV or Feather file of one market's rates.

    Times are whole numbers in s, ms, us or ns, or ISO 8601 with a zone. Raises BadFile by file, row and
    column for what cannot be charged as it stands.
    """
    table = open_table(path)
    columns, errors = find_columns(table.header, FIELDS)
    if errors:
        raise BadFile("\n".join(f"{path}: {error}" for error in errors))
    problems, times = Problems(), TimeReader()
    at_ns: list[int | None] = []
    rates: list[float | None] = []
    markets: dict[str, set[str]] = {}
    for frame in read_frames(table):
        _check_types(table, frame, columns)
        _note_markets(frame, markets)
        row = len(at_ns) + 1
        at_ns += times.read(frame[columns["ts"]], row, problems).to_list()
        rates += _rates(frame[columns["funding_rate"]], row, problems).to_list()
    for name, found in markets.items():
        if len(found) > 1:
            raise BadFile(
                f"{path}: {name}: holds rates of {', '.join(sorted(found))}; keep the rows of one market"
            )
    if not at_ns:
        raise BadFile(f"{path}: holds no rows")
    _judge_order(at_ns, problems)
    if problems.count:
        raise BadFile("\n".join(_lines(table, problems)))
    return RecordedFunding(
        instrument,
        path.name,
        tuple(at for at in at_ns if at is not None),
        tuple(Decimal(repr(rate)) for rate in rates if rate is not None),
    )


def _check_types(table: Table, frame: "pl.DataFrame", columns: dict[str, str]) -> None:
    import polars as pl

    wrong = time_column_error(columns["ts"], frame.schema[columns["ts"]])
    if wrong:
        raise BadFile(f"{table.path}: ts: {wrong}")
    kind = frame.schema[columns["funding_rate"]]
    if not (kind.is_numeric() or kind in (pl.String, pl.Null)):
        raise BadFile(
            f"{table.path}: funding_rate: column {columns['funding_rate']!r} holds {kind}, not numbers; "
            f"{_FORM}"
        )


def _note_markets(frame: "pl.DataFrame", markets: dict[str, set[str]]) -> None:
    import polars as pl

    for name in frame.columns:
        if name.lower().replace("_", "") in MARKETS:
            found = frame[name].cast(pl.String).drop_nulls().unique().head(_ERRORS_SHOWN).to_list()
            markets.setdefault(name, set()).update(found)


def _rates(column: "pl.Series", first_row: int, problems: Problems) -> "pl.Series":
    import polars as pl

    field = "funding_rate"
    read = column
    if column.dtype == pl.String:
        text = column.str.strip_chars()
        read = text.cast(pl.Float64, strict=False)
        unread = read.is_null() & text.is_not_null()
        problems.add_where(unread, first_row, field, lambda i: f"{text[i]!r} is no number; {_FORM}")
    problems.add_where(
        column.is_null(), first_row, field, lambda _: "is missing; write 0 where nothing was charged"
    )
    numbers = read.cast(pl.Float64)
    problems.add_where(
        ~numbers.is_finite(), first_row, field, lambda i: f"{numbers[i]} is not a finite number; {_FORM}"
    )
    problems.add_where(
        numbers.is_finite() & (numbers.abs() > 1),
        first_row,
        field,
        lambda i: f"{numbers[i]} is beyond 100 % of the position; {_FORM}",
    )
    return numbers


def _judge_order(at_ns: list[int | None], problems: Problems) -> None:
    import polars as pl

    times = pl.Series("ts", at_ns, dtype=pl.Int64)
    before = times.shift(1)
    problems.add_where(
        times < before,
        1,
        "ts",
        lambda i: f"{iso_of(times[i])} comes after {iso_of(before[i])}: sort the rows by time",
    )
    problems.add_where(times == before, 1, "ts", lambda i: f"{iso_of(times[i])} stands twice: keep one row")


def _lines(table: Table, problems: Problems) -> list[str]:
    listed = sorted(problems.listed, key=lambda problem: problem.row)[:_ERRORS_SHOWN]
    lines = [f"{table.path}: {table.place(item.row)}: {item.field}: {item.message}" for item in listed]
    rest = problems.count - len(listed)
    return [*lines, f"{table.path}: and {rest:,} more of this kind"] if rest else lines


def funding_notes(
    recorded: Sequence[RecordedFunding], others: Sequence[Instrument], after_ns: int, until_ns: int
) -> Iterator[str]:
    """What a run over (after_ns, until_ns] has to say about its recorded rates: above all, where it has none.

    others: instruments of the run that bear neither recorded rates nor a constant one.
    """
    for item in recorded:
        yield from _stretches(item, after_ns, until_ns)
        usual = median(abs(fraction) for fraction in item.fractions)
        if usual > MANY_PERCENT:
            yield (
                f"{item.instrument}: the rates of {item.source} are usually beyond {MANY_PERCENT:%} of the "
                f"position (median {usual:%}); if they are in percent, divide them by 100"
            )
    free = [item.key for item in others if item.kind is InstrumentKind.PERPETUAL]
    if recorded and free:
        yield f"{', '.join(free)}: no funding is charged, since no rate was given; give a file of each"


def _stretches(item: RecordedFunding, after_ns: int, until_ns: int) -> Iterator[str]:
    longest_ns = item.usual_ns + LATE_NS
    due = [after_ns, *(at for at in item.at_ns if after_ns < at < until_ns), until_ns]
    missing = [(one, two) for one, two in pairwise(due) if two - one > longest_ns]
    if missing:
        hours = sum(two - one for one, two in missing) / NS_PER_HOUR
        count = "one stretch" if len(missing) == 1 else f"{len(missing)} stretches"
        one, two = missing[0]
        yield (
            f"{item.instrument}: {item.source} has no funding rate in {count} of this run, {hours:,.1f} h in "
            f"all; no funding is charged there. The first: {iso_of(one)} to {iso_of(two)}"
        )
