"""Checking a data file before anybody trades on it: exact errors with their line, and findings worth a look.

An error makes the file unusable as it is; one bad row is enough. A finding (a gap, a jump, a locked book)
may be the truth: exchanges do halt. Findings never stop an import, and they are never repaired here.
"""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from neuratrade.core.bars.timeframe import span_of, timeframe_of
from neuratrade.core.model.errors import UsageError
from neuratrade.feeds.layout import SeriesKind
from neuratrade.feeds.problems import Problem, Problems
from neuratrade.feeds.rows import Rows, read_rows
from neuratrade.feeds.rules import DEFAULT_JUMP, Gap, RowRules, iso_of
from neuratrade.feeds.table import BadFile, Table, open_table
from neuratrade.feeds.times import TimeReader

if TYPE_CHECKING:
    import polars as pl

LINES_LISTED = 50
"""Errors, and findings, written out; the rest is counted in one last line."""

_STEPS_LOOKED_AT = 10_000


class GapFound(msgspec.Struct, frozen=True):
    """Bars that are not in the file: how many, the first and the last opening, and the row after them."""

    bars: int
    first: str
    last: str
    before: str


class CheckReport(msgspec.Struct, frozen=True):
    """What a check found. ok: there are no errors.

    errors, findings: `FILE: line 7: high: ...`, at most LINES_LISTED each and one line that counts the rest.
    rows: rows read. first, last: times of the first and the last row, ISO 8601 UTC, empty when unknown.
    timeframe: as given or as found; empty for ticks. time_unit: the unit the file writes its times in.
    gaps: at most 1,000; missing_bars counts all.
    """

    ok: bool
    file: str
    kind: SeriesKind
    errors: list[str] = []
    findings: list[str] = []
    rows: int = 0
    first: str = ""
    last: str = ""
    timeframe: str = ""
    time_unit: str = ""
    gaps: list[GapFound] = []
    missing_bars: int = 0


class Checked(msgspec.Struct, frozen=True):
    """A report, and where asked for, the rows in normal form (`ts` in ns UTC, floats)."""

    report: CheckReport
    frames: "list[pl.DataFrame]"


def check_file(
    path: Path, timeframe: str | None = None, kind: SeriesKind = SeriesKind.BARS, jump: float = DEFAULT_JUMP
) -> CheckReport:
    """Check a file from end to end in bounded memory. Whatever is wrong with it stands in the report.

    timeframe: such as `1m`; None finds it from the steps between the rows. jump: a change between two rows
    beyond this fraction is a finding. Raises UsageError only for a timeframe or a jump that makes no sense.
    """
    return read_checked(path, timeframe, kind, jump, keep=False).report


def read_checked(
    path: Path,
    timeframe: str | None = None,
    kind: SeriesKind = SeriesKind.BARS,
    jump: float = DEFAULT_JUMP,
    *,
    keep: bool = True,
) -> Checked:
    """Check and read in one pass, so that what is kept is what was checked, even if the file changes
    meanwhile.
    """
    if not jump > 0:
        raise UsageError(f"jump must be a fraction above zero, got {jump}")
    return _Check(path, kind, span_of(timeframe) if timeframe else None, jump, keep).run()


class _Check:
    """One check of one file: what was seen so far, and the report of it."""

    def __init__(self, path: Path, kind: SeriesKind, span_ns: int | None, jump: float, keep: bool) -> None:
        self.path = path
        self.kind = kind
        self.keep = keep
        self.problems = Problems()
        self.rules = RowRules(kind, self.problems, span_ns if kind is SeriesKind.BARS else None, jump)
        self.times = TimeReader()
        self.errors: list[str] = []
        self.frames: list[pl.DataFrame] = []
        self.rows = 0
        self.first_ns: int | None = None
        self.last_ns: int | None = None

    def run(self) -> Checked:
        table = Table(self.path, "", [])
        try:
            table = open_table(self.path)
            for rows in read_rows(table, self.kind, self.problems, self.times):
                self._take(rows)
        except BadFile as error:
            self.errors += str(error).split("\n")
        if not self.rows and not self.errors:
            self.errors.append(f"{self.path}: holds no rows")
        if self.kind is SeriesKind.BARS and self.rules.span_ns is None and not self.errors:
            self.errors.append(
                f"{self.path}: ts: the timeframe cannot be told from one row; name it, for example 1m"
            )
        return Checked(self._report(table), self.frames)

    def _take(self, rows: Rows) -> None:
        ts = rows.frame["ts"].drop_nulls()
        if self.kind is SeriesKind.BARS and not self.rows:
            self._settle_span(_usual_step(ts))
        self.rules.judge(rows)
        self.rows += rows.frame.height
        if ts.len():
            self.first_ns = ts[0] if self.first_ns is None else self.first_ns
            self.last_ns = ts[-1]
        if self.keep and not self.problems.count:
            self.frames.append(rows.frame)

    def _settle_span(self, usual: int | None) -> None:
        """Bars read under a shorter name than theirs would pass as bars full of gaps."""
        named = self.rules.span_ns
        if named is not None and usual is not None and usual > named and usual % named == 0:
            self.errors.append(
                f"{self.path}: ts: most rows are {timeframe_of(usual)} apart, so these are no "
                f"{timeframe_of(named)} bars; name {timeframe_of(usual)}"
            )
        self.rules.span_ns = named or usual

    def _report(self, table: Table) -> CheckReport:
        errors = self._lines(table, self.problems, len(self.errors)) + self.errors
        return CheckReport(
            ok=not errors,
            file=str(self.path),
            kind=self.kind,
            errors=errors,
            findings=self._findings(table),
            rows=self.rows,
            first="" if self.first_ns is None else iso_of(self.first_ns),
            last="" if self.last_ns is None else iso_of(self.last_ns),
            timeframe=timeframe_of(self.rules.span_ns) if self.rules.span_ns else "",
            time_unit=self.times.unit or "",
            gaps=[self._gap(table, gap) for gap in self.rules.gaps],
            missing_bars=self.rules.missing_bars,
        )

    def _lines(self, table: Table, problems: Problems, taken: int = 0) -> list[str]:
        inorder = sorted(problems.listed, key=lambda problem: problem.row)[: max(LINES_LISTED - taken, 0)]
        lines = [self._line(table, problem) for problem in inorder]
        if problems.count > len(lines):
            lines.append(f"{self.path}: and {problems.count - len(lines):,} more of this kind")
        return lines

    def _line(self, table: Table, problem: Problem) -> str:
        return f"{self.path}: {table.place(problem.row)}: {problem.field}: {problem.message}"

    def _findings(self, table: Table) -> list[str]:
        remarks = [f"{self.path}: {remark}" for remark in table.remarks]
        gaps = []
        if self.rules.gap_count:
            longest = max(self.rules.gaps, key=lambda gap: gap.bars)
            gaps.append(
                f"{self.path}: {table.place(longest.row)}: ts: {self.rules.gap_count} gaps, "
                f"{self.rules.missing_bars} bars missing; the longest is {longest.bars} bars "
                f"from {iso_of(longest.open_ns)}"
            )
        return remarks + gaps + self._lines(table, self.rules.findings)

    def _gap(self, table: Table, gap: Gap) -> GapFound:
        last_ns = gap.open_ns + (gap.bars - 1) * (self.rules.span_ns or 0)
        return GapFound(gap.bars, iso_of(gap.open_ns), iso_of(last_ns), table.place(gap.row))


def _usual_step(ts: "pl.Series") -> int | None:
    """The most frequent step between neighbouring rows, if it is whole seconds; of equals the shortest."""
    steps = Counter(step for step in ts.head(_STEPS_LOOKED_AT).diff().drop_nulls().to_list() if step > 0)
    if not steps:
        return None
    step, _ = max(steps.items(), key=lambda item: (item[1], -item[0]))
    return step if step % 1_000_000_000 == 0 else None
