"""Trades, or shorter bars, into bars of any timeframe, with gaps and late data said aloud.

What is emitted is complete: a bar comes out when its span has ended, never before, and the span the data
began in the middle of never comes out. What could not be known is a finding rather than a silent guess:
base bars that were missing, spans in which nothing happened, data that came after its bar was closed.

Inside an open bar the order of arrival does not matter: open and close go by event time, sums of volume are
exact. So 1m -> 5m -> 1h equals 1m -> 1h, and trades -> 1m -> 5m equals trades -> 5m, digit by digit.
"""

from decimal import Context, Decimal
from enum import StrEnum

import msgspec

from neuratrade.core.bars.timeframe import grid_offset
from neuratrade.core.model.decimals import ZERO
from neuratrade.core.model.market import Bar, Trade

_add_exactly = Context(prec=800).add
"""Enough digits to add any two floats without rounding; the default of 28 would make sums depend on their
order.
"""


class GapPolicy(StrEnum):
    """What becomes of a span in which nothing was traded or known.

    NOTHING: no bar; the next bar simply opens later. FLAT: a bar at the last close with volume zero for
    each empty span, so that indicators count time rather than bars. Fill at the shortest timeframe only: a
    flat bar moves the open of a longer bar made from it.
    """

    NOTHING = "nothing"
    FLAT = "flat"


class ThinPolicy(StrEnum):
    """What becomes of a bar some of whose base bars are missing.

    EMIT: it comes out, with a finding. DROP: it does not.
    """

    EMIT = "emit"
    DROP = "drop"


class FindingKind(StrEnum):
    """What a builder has to say about its data."""

    LATE = "late"  # came after its bar was closed; not counted
    DUPLICATE = "duplicate"  # a base bar that was already counted; not counted again
    BEGUN_INSIDE = "begun_inside"  # the data began in the middle of this bar; never emitted
    THIN = "thin"  # base bars were missing in this bar
    EMPTY = "empty"  # spans without any data


class Finding(msgspec.Struct, frozen=True):
    """One finding.

    open_ns: opening of the (first) bar it is about. count: base bars missing, or spans empty, else 1.
    """

    kind: FindingKind
    instrument: str
    open_ns: int
    count: int = 1


class _OpenBar:
    """The bar in the making."""

    __slots__ = (
        "bases",
        "close",
        "close_at",
        "end_ns",
        "expected",
        "high",
        "low",
        "open",
        "open_at",
        "open_ns",
        "volume",
    )

    def __init__(self, open_ns: int, end_ns: int, at_ns: int, price: Decimal) -> None:
        self.open_ns = open_ns
        self.end_ns = end_ns
        self.open = self.high = self.low = self.close = price
        self.open_at = self.close_at = at_ns
        self.volume = ZERO
        self.bases: set[int] = set()
        self.expected = 0

    def widen(self, from_ns: int, to_ns: int, first: Decimal, last: Decimal) -> None:
        """Open and close by event time; of equal times, the first to arrive opens and the last to arrive
        closes.
        """
        if from_ns < self.open_at:
            self.open, self.open_at = first, from_ns
        if to_ns >= self.close_at:
            self.close, self.close_at = last, to_ns

    def stretch(self, high: Decimal, low: Decimal, volume: Decimal) -> None:
        """Range and volume, whatever the order of arrival."""
        self.high = max(self.high, high)
        self.low = min(self.low, low)
        self.volume = _add_exactly(self.volume, volume)


class BarBuilder:
    """Builds bars of `span_ns` for one instrument from trades (`add_trade`) or shorter bars (`add_bar`).

    span_ns: length of a bar. offset_ns: where its grid begins, nanoseconds after 1970-01-01 UTC, for bars
    aligned to a session (a day that begins at 22:00 UTC has 22 h); by default midnight UTC, Mondays for
    whole weeks. complete_from_ns: from when on the data is known to be whole; without it, a bar counts as
    whole only if base bars begin exactly at its opening. `findings` grows by what `take_findings` has not
    taken.

    Raises ValueError when data of another instrument, or bars that do not fit into the span, are added.
    """

    def __init__(
        self,
        instrument: str,
        span_ns: int,
        *,
        offset_ns: int | None = None,
        gaps: GapPolicy = GapPolicy.NOTHING,
        thin: ThinPolicy = ThinPolicy.EMIT,
        complete_from_ns: int | None = None,
    ) -> None:
        if span_ns <= 0:
            raise ValueError(f"span_ns must be above zero, got {span_ns}")
        self.instrument = instrument
        self.span_ns = span_ns
        self.offset_ns = grid_offset(span_ns) if offset_ns is None else offset_ns
        self.gaps = gaps
        self.thin = thin
        self.late = 0
        self._complete_from_ns = complete_from_ns
        self._open: _OpenBar | None = None
        self._closed_ns: int | None = None
        self._last_close: Decimal | None = None
        self._findings: list[Finding] = []

    @property
    def forming(self) -> Bar | None:
        """The bar in the making as it is now, None where there is none or it is not seen from its opening."""
        bar = self._open
        if bar is None or self._complete_from_ns is None or bar.open_ns < self._complete_from_ns:
            return None
        return Bar(
            self.instrument, self.span_ns, bar.open_ns, bar.open, bar.high, bar.low, bar.close, bar.volume
        )

    def take_findings(self) -> list[Finding]:
        """What was found since the last call, in order."""
        taken, self._findings = self._findings, []
        return taken

    def add_trade(self, trade: Trade) -> list[Bar]:
        """Count a trade. Returns the bars that ended before it, oldest first."""
        if trade.instrument != self.instrument:
            raise ValueError(f"a trade of {trade.instrument} in bars of {self.instrument}")
        if self._complete_from_ns is None:
            self._complete_from_ns = trade.at_ns + 1
        done: list[Bar] = []
        bar = self._bar_for(trade.at_ns, trade.price, done)
        if bar is not None:
            bar.widen(trade.at_ns, trade.at_ns, trade.price, trade.price)
            bar.stretch(trade.price, trade.price, trade.quantity)
        return done

    def add_bar(self, base: Bar) -> list[Bar]:
        """Count a complete base bar. Returns the bars that ended before it or with it, oldest first."""
        self._check_fit(base)
        if self._complete_from_ns is None:
            self._complete_from_ns = base.open_ns
        done: list[Bar] = []
        open_ns, span_ns = base.open_ns, base.span_ns
        bar = self._bar_for(open_ns, base.open, done)
        if bar is None:
            return done
        if open_ns in bar.bases:
            self._findings.append(Finding(FindingKind.DUPLICATE, self.instrument, open_ns))
            return done
        bar.bases.add(open_ns)
        bar.expected = self.span_ns // span_ns
        close_ns = open_ns + span_ns
        bar.widen(open_ns, close_ns, base.open, base.close)
        bar.stretch(base.high, base.low, base.volume)
        if close_ns == bar.end_ns:
            self._close_open(bar, done)
        return done

    def advance(self, now_ns: int) -> list[Bar]:
        """Time has come to `now_ns`: returns the bars that have ended by it.

        What belongs to them is late from here on.
        """
        done: list[Bar] = []
        if self._open is not None and self._open.end_ns <= now_ns:
            self._close_open(self._open, done)
        if self._closed_ns is not None:
            self._pass_empty(self._closed_ns, self._opening(now_ns), done)
        return done

    def _opening(self, at_ns: int) -> int:
        return at_ns - (at_ns - self.offset_ns) % self.span_ns

    def _bar_for(self, at_ns: int, price: Decimal, done: list[Bar]) -> _OpenBar | None:
        """The open bar that `at_ns` belongs to, begun if need be, or None when it is late.

        Ended bars go to `done`.
        """
        bar = self._open
        if bar is not None and bar.open_ns <= at_ns < bar.end_ns:
            return bar
        open_ns = self._opening(at_ns)
        done += self.advance(open_ns)
        if self._open is not None or (self._closed_ns is not None and open_ns < self._closed_ns):
            self.late += 1
            self._findings.append(Finding(FindingKind.LATE, self.instrument, open_ns))
            return None
        self._open = _OpenBar(open_ns, open_ns + self.span_ns, at_ns, price)
        return self._open

    def _close_open(self, bar: _OpenBar, done: list[Bar]) -> None:
        self._open = None
        self._closed_ns = bar.end_ns
        if self._complete_from_ns is None or bar.open_ns < self._complete_from_ns:
            self._findings.append(Finding(FindingKind.BEGUN_INSIDE, self.instrument, bar.open_ns))
            return
        self._last_close = bar.close
        missing = bar.expected - len(bar.bases)
        if missing:
            self._findings.append(Finding(FindingKind.THIN, self.instrument, bar.open_ns, missing))
            if self.thin is ThinPolicy.DROP:
                return
        done.append(
            Bar(
                self.instrument, self.span_ns, bar.open_ns, bar.open, bar.high, bar.low, bar.close, bar.volume
            )
        )

    def _pass_empty(self, from_ns: int, to_ns: int, done: list[Bar]) -> None:
        """Account for the spans between the last closed bar and the one `to_ns` opens."""
        count = (to_ns - from_ns) // self.span_ns
        if self._open is not None or count <= 0:
            return
        self._closed_ns = to_ns
        self._findings.append(Finding(FindingKind.EMPTY, self.instrument, from_ns, count))
        price = self._last_close
        if self.gaps is GapPolicy.FLAT and price is not None:
            openings = range(from_ns, to_ns, self.span_ns)
            done += [
                Bar(self.instrument, self.span_ns, at, price, price, price, price, ZERO) for at in openings
            ]

    def _check_fit(self, base: Bar) -> None:
        if base.instrument != self.instrument:
            raise ValueError(f"a bar of {base.instrument} in bars of {self.instrument}")
        span_ns = base.span_ns
        if self.span_ns % span_ns or (base.open_ns - self.offset_ns) % span_ns:
            raise ValueError(
                f"a bar of {base.span_ns} ns that opened at {base.open_ns} does not fit into bars of "
                f"{self.span_ns} ns"
            )
