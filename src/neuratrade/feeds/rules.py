"""The rules that recorded market data must keep, and the remarks that are worth a look but break nothing.

Broken rules: order, duplicates, the timeframe's grid, numbers that are finite and above zero, high and low
around open and close, bid not above ask. Findings: gaps (a real halt looks the same as a lost hour, so a
person has to judge) and jumps.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from neuratrade.core.bars.timeframe import grid_offset, timeframe_of
from neuratrade.feeds.layout import AMOUNTS, PRICES, SeriesKind
from neuratrade.feeds.problems import Problems
from neuratrade.feeds.rows import Rows

if TYPE_CHECKING:
    import polars as pl

DEFAULT_JUMP = 0.2
"""A change from one close to the next beyond this fraction is a finding."""

GAPS_LISTED = 1_000


class Gap(msgspec.Struct, frozen=True):
    """Bars that are not there: the row before which they are missing, the first one's opening, how many."""

    row: int
    open_ns: int
    bars: int


class RowRules:
    """Judges the pieces of one file in order. `problems` are broken rules, `findings` and `gaps` remarks.

    jump: a change beyond this fraction is a finding; None looks for none.
    """

    def __init__(
        self,
        kind: SeriesKind,
        problems: Problems,
        span_ns: int | None = None,
        jump: float | None = DEFAULT_JUMP,
    ) -> None:
        self.kind = kind
        self.problems = problems
        self.findings = Problems()
        self.gaps: list[Gap] = []
        self.gap_count = 0
        self.missing_bars = 0
        self.span_ns = span_ns
        self.jump = jump
        self._last_ts: int | None = None
        self._last_price: float | None = None

    def judge(self, rows: Rows) -> None:
        """Hold one piece against every rule."""
        clean = self.kind is SeriesKind.BARS and has_clean_numbers(rows.frame)
        rows = rows if clean else self._judge_numbers(rows)
        self._judge_times(rows)
        if self.kind is SeriesKind.BARS:
            if not clean:
                self._judge_ranges(rows)
            self._find_jumps(rows, "close")
        elif self.kind is SeriesKind.QUOTES:
            self._judge_quotes(rows)
        else:
            self._find_jumps(rows, "price")

    def _judge_numbers(self, rows: Rows) -> Rows:
        """Returns the piece without its infinities and nans, which would confuse the comparisons after it."""
        broken_before = self.problems.count
        for field in PRICES[self.kind]:
            price = self._judge_finite(rows, field)
            self._break(rows, price <= 0, field, _saying(price, "is not above zero"))
        for field in AMOUNTS[self.kind]:
            amount = self._judge_finite(rows, field)
            self._break(rows, amount < 0, field, _saying(amount, "is below zero"))
        if self.problems.count == broken_before:
            return rows
        return Rows(_finite(rows.frame, (*PRICES[self.kind], *AMOUNTS[self.kind])), rows.first_row)

    def _judge_finite(self, rows: Rows, field: str) -> "pl.Series":
        column = rows.frame[field]
        self._break(rows, ~column.is_finite(), field, _saying(column, "is not a finite number"))
        return column

    def _judge_times(self, rows: Rows) -> None:
        ts = rows.frame["ts"]
        if self.kind is SeriesKind.BARS and self.span_ns and self._follows_without_gap(ts, self.span_ns):
            self._last_ts = ts[-1]
            return
        before = _shifted(ts, self._last_ts)
        step = ts - before
        self._break(
            rows,
            step < 0,
            "ts",
            lambda i: f"{iso_of(ts[i])} comes after {iso_of(before[i])}: rows must be in order",
        )
        if self.kind is SeriesKind.BARS:
            self._break(rows, step == 0, "ts", lambda i: f"{iso_of(ts[i])} stands twice: keep one row")
            self._judge_grid(rows, ts, before, step)
        if ts.len():
            self._last_ts = ts[-1]

    def _follows_without_gap(self, ts: "pl.Series", span_ns: int) -> bool:
        """Whether every bar opens where the one before it closed, beginning with the last piece's."""
        if not ts.len() or ts.null_count():
            return False
        first = ts[0] - span_ns if self._last_ts is None else self._last_ts
        if (ts[0] - grid_offset(span_ns)) % span_ns or ts[0] != first + span_ns:
            return False
        return bool((np.diff(ts.to_numpy()) == span_ns).all())

    def _judge_grid(self, rows: Rows, ts: "pl.Series", before: "pl.Series", step: "pl.Series") -> None:
        if self.span_ns is None:
            return
        span = self.span_ns
        off = (ts - grid_offset(span)) % span != 0
        self._break(
            rows, off, "ts", lambda i: f"{iso_of(ts[i])} is no opening time of a {timeframe_of(span)} bar"
        )
        where = (step > span).fill_null(value=False).arg_true()
        missing = (step.gather(where) // span - 1).to_list()
        self.gap_count += where.len()
        self.missing_bars += sum(missing)
        room = GAPS_LISTED - len(self.gaps)
        for index, bars in zip(where.head(room).to_list(), missing, strict=False):
            self.gaps.append(Gap(rows.first_row + index, before[index] + span, bars))

    def _judge_ranges(self, rows: Rows) -> None:
        frame = rows.frame
        high, low = frame["high"], frame["low"]
        self._break(rows, high < low, "high", lambda i: f"{high[i]} is below low {low[i]}")
        for field in ("open", "close"):
            price = frame[field]
            outside = ((price > high) | (price < low)) & (high >= low)
            self._break(rows, outside, field, _saying(price, "is outside the bar's low to high"))

    def _judge_quotes(self, rows: Rows) -> None:
        bid, ask = rows.frame["bid"], rows.frame["ask"]
        self._break(rows, bid > ask, "bid", lambda i: f"{bid[i]} is above ask {ask[i]}")
        self.findings.add_where(
            bid == ask, rows.first_row, "bid", _saying(bid, "equals the ask (a locked book)")
        )

    def _find_jumps(self, rows: Rows, field: str) -> None:
        if self.jump is None:
            return
        price = rows.frame[field]
        before = _shifted(price, self._last_price)
        change = price / before - 1
        self.findings.add_where(
            change.abs() > self.jump,
            rows.first_row,
            field,
            lambda i: f"{price[i]} is {change[i]:+.1%} from {before[i]} before it",
        )
        if price.len():
            self._last_price = price[-1]

    def _break(self, rows: Rows, bad: "pl.Series", field: str, describe: Callable[[int], str]) -> None:
        self.problems.add_where(bad, rows.first_row, field, describe)


def has_clean_numbers(bars: "pl.DataFrame") -> bool:
    """Whether no price, range or volume breaks a rule, found in one pass; what is wrong is not said.

    A number that is none, or missing, compares false with everything.
    """
    high, low, volume = (bars[name].to_numpy() for name in ("high", "low", "volume"))
    clean = (low > 0) & (high < np.inf) & (volume >= 0) & (volume < np.inf)
    for name in ("open", "close"):
        price = bars[name].to_numpy()
        clean &= (low <= price) & (price <= high)
    return bool(clean.all())


def _saying(column: "pl.Series", words: str) -> Callable[[int], str]:
    return lambda index: f"{column[index]} {words}"


def _finite(frame: "pl.DataFrame", fields: tuple[str, ...]) -> "pl.DataFrame":
    import polars as pl

    return frame.with_columns(
        pl.when(pl.col(name).is_finite()).then(pl.col(name)).alias(name) for name in fields
    )


def _shifted(column: "pl.Series", first: float | None) -> "pl.Series":
    """Each element's predecessor; `first` is the last one of the piece before."""
    moved = column.shift(1)
    if column.len() and first is not None:
        moved[0] = first
    return moved


def iso_of(at_ns: int) -> str:
    """A time as people write it, UTC, to the microsecond."""
    at = datetime.fromtimestamp(at_ns // 1_000_000_000, UTC) + timedelta(
        microseconds=at_ns % 1_000_000_000 // 1_000
    )
    return at.isoformat().replace("+00:00", "Z")
