"""History from an exchange into the catalogue, a stretch at a time, so that nothing is ever read twice.

What was asked for is recorded together with the bars it brought, in one renaming, so that a download that was
interrupted, refused or killed goes on where it ended, also across stretches in which an exchange has no bars.
Only bars that are complete by the exchange's own clock are kept; a bar still forming never is. A bar that
cannot be (a high below its low, a time off the grid) stops the download by name: it is never repaired here.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from neuratrade.core.bars.timeframe import grid_offset, span_of
from neuratrade.core.model.errors import Terminal, UsageError
from neuratrade.core.model.instrument import Instrument, instrument_key
from neuratrade.core.model.market import NS_PER_DAY, NS_PER_HOUR, NS_PER_MS, NS_PER_SECOND
from neuratrade.feeds.catalogue import Catalogue, names
from neuratrade.feeds.dataset import INSTRUMENTS_FILE
from neuratrade.feeds.exchange import Exchange
from neuratrade.feeds.infer import infer_instrument
from neuratrade.feeds.layout import AMOUNTS, PRICES, SeriesKind
from neuratrade.feeds.problems import Problems
from neuratrade.feeds.rows import Rows
from neuratrade.feeds.rules import RowRules, iso_of
from neuratrade.feeds.terms import terms_of

if TYPE_CHECKING:
    import polars as pl

LATE_NS = NS_PER_HOUR
"""An exchange may list a bar this late: until then, one that is not there yet counts as not asked for."""

SETTLE_NS = 10 * NS_PER_SECOND
"""A bar is taken this long after its close: an exchange may still correct one that has just ended."""

STRETCH_BARS = 50_000
"""The most bars between two savings: what a kill can cost, about a month of minutes."""

_FIELDS = (*PRICES[SeriesKind.BARS], *AMOUNTS[SeriesKind.BARS])


class Wanted(msgspec.Struct, frozen=True):
    """What to download: bars of `symbol` (ccxt's unified name) that open in [since_ns, until_ns).

    asset: the name they are kept under; empty is the symbol.
    """

    symbol: str
    timeframe: str
    since_ns: int
    until_ns: int
    dataset: str = "imported"
    asset: str = ""


class DownloadReport(msgspec.Struct, frozen=True):
    """What a download did.

    since, until: the bounds, ISO 8601 UTC, until being cut to what was complete. added: bars that are new.
    rows: bars of this series in the dataset now. pages: answers with bars that it took. notes: to look at.
    """

    ok: bool
    exchange: str
    instrument: str
    dataset: str
    timeframe: str
    since: str
    until: str
    added: int
    rows: int
    pages: int
    notes: list[str] = []


class Download:
    """One download. progress: called with bars done and bars in all, of the whole time asked for.

    kept_until_ns: up to where everything is kept; for the word to a person who interrupts it.
    """

    def __init__(
        self,
        exchange: Exchange,
        catalogue: Catalogue,
        wanted: Wanted,
        progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> None:
        self.exchange = exchange
        self.catalogue = catalogue
        self.wanted = wanted
        self.progress = progress
        self.kept_until_ns: int | None = None
        self._span = span_of(wanted.timeframe)
        self._key = instrument_key(*names(wanted.asset or wanted.symbol, exchange.name))
        self._added = self._rows = self._pages = self._done = self._all = 0
        self._absent = self._now_ns = 0
        self._empty_since: int | None = None
        self._notes: list[str] = []

    def run(self) -> DownloadReport:
        """Reads what is missing. Raises UsageError, Retryable or Terminal; what came before it is kept."""
        wanted = self.wanted
        self.exchange.check_timeframe(wanted.timeframe)
        present = self.catalogue.present(wanted.dataset, self._key, wanted.timeframe)
        self._rows = present.rows
        terms = self._settle_terms(present.terms)
        since, until = self._bounds()
        missing = _without((since, until), present.covered)
        self._all = (until - since) // self._span
        self._done = self._all - sum(end - begin for begin, end in missing) // self._span
        self.progress(self._done, self._all)
        for stretch in missing:
            for begin, end in self._pieces(*stretch):
                terms = self._fetch(begin, end, terms)
        self.kept_until_ns = until
        if self._absent:
            self._notes.append(
                f"{self._key}: {self._absent:,} of the bars asked for are not there: before its listing, in "
                f"a halt, or without a trade"
            )
        return DownloadReport(
            True,
            self.exchange.name,
            self._key,
            wanted.dataset,
            wanted.timeframe,
            iso_of(since),
            iso_of(until),
            self._added,
            self._rows,
            self._pages,
            self._notes,
        )

    def _settle_terms(self, known: Instrument | None) -> Instrument:
        """What the dataset says stays, since somebody may have corrected it; else what the exchange says."""
        wanted = self.wanted
        market = self.exchange.market(wanted.symbol)
        stated, notes = terms_of(
            market, self.exchange.name, wanted.asset or wanted.symbol, self.exchange.tick_of
        )
        if known is None:
            self._notes += notes
            return stated
        for name in ("kind", "tick", "lot", "min_quantity", "min_notional", "multiplier"):
            here, there = getattr(known, name), getattr(stated, name)
            if here != there and there:
                self._notes.append(
                    f"{self._key}: {name} is {here} in {INSTRUMENTS_FILE} of dataset {wanted.dataset}, and "
                    f"{there} at the exchange; yours was kept"
                )
        return known

    def _bounds(self) -> tuple[int, int]:
        """The wanted time on the grid of the timeframe, cut to the bars that are complete."""
        span, offset = self._span, grid_offset(self._span)
        since = -((offset - self.wanted.since_ns) // span) * span + offset
        self._now_ns = self.exchange.now_ns()
        whole = min(self.wanted.until_ns, self._now_ns - SETTLE_NS)
        until = (whole - offset) // span * span + offset
        if self.wanted.since_ns >= self.wanted.until_ns:
            raise UsageError(
                f"from {iso_of(self.wanted.since_ns)} to {iso_of(self.wanted.until_ns)} is no time: the end "
                f"must lie after the beginning"
            )
        if since >= until:
            raise UsageError(
                f"no {self.wanted.timeframe} bar is complete between {iso_of(self.wanted.since_ns)} and "
                f"{iso_of(whole)}; choose an earlier beginning or a shorter timeframe"
            )
        return since, until

    def _pieces(self, since: int, until: int) -> Iterator[tuple[int, int]]:
        """A stretch in pieces of at most a month and STRETCH_BARS bars."""
        while since < until:
            end = min(until, since + STRETCH_BARS * self._span, _next_month(since))
            # A bar longer than what is left of a month begins in it and belongs to it.
            end = max(end - (end - since) % self._span, since + self._span)
            yield since, min(end, until)
            since = end

    def _fetch(self, since: int, until: int, terms: Instrument) -> Instrument:
        """Reads one piece and keeps it; on any interruption keeps what it has of it."""
        piece = _Piece(self.exchange, self.wanted, since, until, self._now_ns)
        before = self._done
        try:
            while piece.cursor < until:
                piece.turn_page()
                self._pages += 1
                self.progress(before + (piece.cursor - since) // self._span, self._all)
        finally:
            terms = self._keep(piece, terms)
        self._done = before + (until - since) // self._span
        return terms

    def _keep(self, piece: "_Piece", terms: Instrument) -> Instrument:
        if piece.cursor == piece.since:
            return terms
        frame = piece.frame()
        if frame.height and not (terms.tick and terms.lot):
            guessed = infer_instrument(terms.asset, terms.venue, frame)
            self._notes.append(
                f"{terms.key}: the exchange states no fixed tick or lot; {guessed.tick} and {guessed.lot} "
                f"were inferred from the bars"
            )
            lot = terms.lot or guessed.lot
            terms = msgspec.structs.replace(
                terms, tick=terms.tick or guessed.tick, lot=lot, min_quantity=terms.min_quantity or lot
            )
        self._absent += (piece.cursor - piece.since) // self._span - frame.height
        if not frame.height and not self._rows:
            # Nothing to describe yet: told with the first bars there are.
            self._empty_since = piece.since if self._empty_since is None else self._empty_since
            return terms
        asked = (piece.since if self._empty_since is None else self._empty_since, self._proven(piece, frame))
        done = self.catalogue.add_bars(self.wanted.dataset, terms, self.wanted.timeframe, frame, asked)
        self._added += done.added
        self._rows = done.rows
        self._empty_since = None
        self.kept_until_ns = piece.cursor
        return terms

    def _proven(self, piece: "_Piece", frame: "pl.DataFrame") -> int:
        """Up to where what is absent is absent for good."""
        last_close = frame["ts"][-1] + self._span if frame.height else piece.since
        return max(last_close, min(piece.cursor, self._now_ns - LATE_NS))


class _Piece:
    """One stretch being read: bars so far, and `cursor`, before which everything that exists was read."""

    def __init__(self, exchange: Exchange, wanted: Wanted, since: int, until: int, now_ns: int) -> None:
        self.exchange = exchange
        self.now_ns = now_ns
        self.wanted = wanted
        self.since = since
        self.until = until
        self.cursor = since
        self._span = span_of(wanted.timeframe)
        self._limit = exchange.page_rows(wanted.symbol)
        self._problems = Problems()
        self._rules = RowRules(SeriesKind.BARS, self._problems, self._span)
        self._frames: list[pl.DataFrame] = []

    def frame(self) -> "pl.DataFrame":
        """All bars so far, in normal form."""
        import polars as pl

        return pl.concat([_frame([]), *self._frames], rechunk=True)

    def turn_page(self) -> None:
        """Asks for the bars from `cursor` on, and moves it past what was answered."""
        wanted = self.wanted
        page = _frame(self.exchange.bars(wanted.symbol, wanted.timeframe, self.cursor, self._limit))
        if not page.height:
            self.cursor = min(self._next_with_bars(), self.until)
            return
        self._check_reaches_back(page)
        inside = page.filter(
            page["ts"].is_null() | page["ts"].is_between(self.cursor, self.until, closed="left")
        )
        self._judge(inside)
        self._frames.append(inside)
        last = max(page["ts"].to_list())
        self.cursor = min(max(last, self.cursor) + self._span, self.until)

    def _check_reaches_back(self, page: "pl.DataFrame") -> None:
        """Some exchanges answer any question with their newest bars: that is no answer to an old one."""
        first, last = page["ts"].min(), page["ts"].max()
        if not isinstance(first, int) or not isinstance(last, int) or first <= self.cursor:
            return
        reaches_now = last + 2 * self._span >= self.now_ns
        if reaches_now and page.height >= self._limit - 1:
            raise Terminal(
                f"exchange {self.exchange.name}: gives out its last {page.height} bars of "
                f"{self.wanted.timeframe} only, from {iso_of(first)}; begin there, or import older ones"
            )

    def _judge(self, page: "pl.DataFrame") -> None:
        rows = Rows(page, 1)
        for field in ("ts", *_FIELDS):
            self._problems.add_where(page[field].is_null(), 1, field, lambda _: "is missing or no number")
        self._rules.judge(rows)
        if self._problems.listed:
            first = min(self._problems.listed, key=lambda problem: problem.row)
            at_ns = page["ts"][first.row - 1]
            where = iso_of(at_ns) if at_ns is not None else f"bar {first.row} after {iso_of(self.cursor)}"
            raise Terminal(
                f"exchange {self.exchange.name}: {self.wanted.symbol} {self.wanted.timeframe}: {where}: "
                f"{first.field}: {first.message}; what came before is kept. If it stays so, go on after it "
                f"with --from"
            )

    def _next_with_bars(self) -> int:
        """Where to ask next after an empty answer: past the page, or where, by days, bars begin again."""
        after = self.cursor + self._limit * self._span
        if self._span >= NS_PER_DAY:
            return after
        try:
            self.exchange.check_timeframe("1d")
        except UsageError:
            return after
        day = self.cursor // NS_PER_DAY * NS_PER_DAY
        days = _frame(self.exchange.bars(self.wanted.symbol, "1d", day, self._limit))
        later = [at for at in days["ts"].drop_nulls().to_list() if at + NS_PER_DAY > after]
        reached = day + self._limit * NS_PER_DAY
        return max(after, min(later, default=reached) // self._span * self._span)


def _frame(rows: list[list[object]]) -> "pl.DataFrame":
    """Answered rows as columns in normal form; null where a cell is no number."""
    import polars as pl

    table = {"ts": [row[0] if isinstance(row[0], int) else None for row in rows]} | {
        field: [_number(row[place]) for row in rows] for place, field in enumerate(_FIELDS, start=1)
    }
    schema = {"ts": pl.Int64, **dict.fromkeys(_FIELDS, pl.Float64)}
    return pl.DataFrame(table, schema=schema).with_columns(pl.col("ts") * NS_PER_MS)


def _number(cell: object) -> float | None:
    return float(cell) if isinstance(cell, int | float) else None


def _without(whole: tuple[int, int], covered: tuple[tuple[int, int], ...]) -> list[tuple[int, int]]:
    """What is left of a stretch without those that are covered, in order."""
    left = []
    since, until = whole
    for begin, end in covered:
        if begin >= until:
            break
        if end <= since:
            continue
        if begin > since:
            left.append((since, begin))
        since = max(since, end)
    if since < until:
        left.append((since, until))
    return left


def _next_month(at_ns: int) -> int:
    at = datetime.fromtimestamp(at_ns // NS_PER_SECOND, UTC)
    year, month = at.year + at.month // 12, at.month % 12 + 1
    return int(datetime(year, month, 1, tzinfo=UTC).timestamp()) * NS_PER_SECOND
