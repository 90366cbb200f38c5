"""Whole plays of a stock whose market closes: nothing trades meanwhile, and what is held stays guarded."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, time
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from neuratrade.core.model.market import NS_PER_MINUTE, NS_PER_MS, NS_PER_SECOND, Bar
from neuratrade.feeds.catalogue import Catalogue
from neuratrade.rehearsal.alpaca import AlpacaSimulator
from neuratrade.rehearsal.alpaca_calendar import Calendar, Session, hours
from neuratrade.rehearsal.alpaca_stocks import SPY, session_of
from neuratrade.rehearsal.faults import FaultKind, Troubles
from neuratrade.rehearsal.matching import MatchingEngine, Rules
from neuratrade.rehearsal.plays import PLAY_MINUTES, WARM_MINUTES, Outcome, play
from neuratrade.rehearsal.recording import recorded_bars, stretch
from neuratrade.rehearsal.stages import STAGES, Stage
from tests.unit.rehearsal.exchange import D

MINUTES = WARM_MINUTES + PLAY_MINUTES
PAUSE = (time(10, 52), time(11, 2))
MILD = [FaultKind.SLOW, FaultKind.DUPLICATED, FaultKind.DISCONNECT]


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> list[Bar]:
    """The recorded market that comes with the package."""
    return recorded_bars(Catalogue(tmp_path_factory.mktemp("data")).open("shipped"))


def paused(day: date) -> Sequence[Session]:
    """A session that is interrupted, as no exchange of stocks does: to see both turns in one play."""
    return hours(day, time(9, 30), PAUSE[0]), hours(day, PAUSE[1], time(16, 0))


class Seen:
    """The exchange of a play, and what was held and guarded there once the market was closed."""

    def __init__(self) -> None:
        self.engine: MatchingEngine | None = None
        self.now_ns: Callable[[], int] = lambda: 0

    def stage(self, calendar: Calendar) -> Stage:
        """The stage with another calendar, its exchange kept."""

        def simulator(
            engine: MatchingEngine, troubles: Troubles, now_ns: Callable[[], int]
        ) -> AlpacaSimulator:
            self.engine, self.now_ns = engine, now_ns
            return AlpacaSimulator(engine, troubles, now_ns, calendar)

        return replace(
            STAGES["alpaca_stocks"](), simulator=simulator, matching=Rules(lends=True, trades=calendar.trades)
        )


def is_clean(outcome: Outcome) -> bool:
    """Whether nothing was doubled, lost or bare too long."""
    return outcome.verdict.findings == ()


@pytest.mark.parametrize("seed", [4, 7])
def test_a_market_that_closes_and_opens_again_leaves_everything_accounted_for(
    seed: int, shipped: list[Bar]
) -> None:
    seen = Seen()
    calendar = Calendar(paused)
    bars = session_of(stretch(shipped, SPY, seed, MINUTES), 1)
    # The played part begins at 10:30 plus what warms up.
    begin_ns = bars[0].open_ns
    moved_ns = hours(date(2026, 11, 18), time(9, 40), time(16, 0)).open_ns - begin_ns
    bars = [bar_at(bar, bar.open_ns + moved_ns) for bar in bars]
    outcome = play(seen.stage(calendar), seed, bars, MILD)
    assert is_clean(outcome), outcome.verdict.findings
    assert seen.engine is not None
    done = [item.at_ns for item in seen.engine.executions]
    assert all(calendar.is_open(at_ns) for at_ns in done)
    (first, second) = paused(date(2026, 11, 18))
    assert any(at_ns < first.close_ns for at_ns in done)
    assert any(at_ns >= second.open_ns for at_ns in done)


@pytest.mark.parametrize("seed", [5, 10, 20])
def test_what_is_held_when_the_market_closes_is_guarded_over_night(seed: int, shipped: list[Bar]) -> None:
    seen = Seen()
    calendar = Calendar()
    outcome = play(seen.stage(calendar), seed, session_of(stretch(shipped, SPY, seed, MINUTES), seed), MILD)
    assert is_clean(outcome), outcome.verdict.findings
    assert seen.engine is not None
    assert all(calendar.is_open(item.at_ns) for item in seen.engine.executions)
    held = seen.engine.account.balances.get("SPY", D(0))
    stops = [item for item in seen.engine.open_orders() if item.is_conditional]
    assert sum((item.remaining for item in stops), D(0)) == held > 0
    assert all(item.ticket.expires_ns is None for item in stops)
    assert all(item in stops for item in seen.engine.open_orders())


def bar_at(bar: Bar, open_ns: int) -> Bar:
    """A bar of another time."""
    from msgspec.structs import replace as changed

    return changed(bar, open_ns=open_ns)


def minute(row: dict[str, Any]) -> Bar:
    """A recorded minute; of its volume a hundredth, so that orders are filled in parts."""
    low, high = (SPY.round_price(D(str(row[name]))) for name in ("low", "high"))
    first, last = (SPY.round_price(D(str(row[name]))) for name in ("open", "close"))
    volume = SPY.round_quantity(D(str(row["volume"])) / 100)
    return Bar(SPY.key, NS_PER_MINUTE, row["ts"] * NS_PER_MS, first, high, low, last, volume)


@pytest.mark.shared
@pytest.mark.parametrize("seed", [1, 2])
def test_recorded_minutes_of_a_stock_are_played_inside_a_session(seed: int, shared_data: Path) -> None:
    """Samples of Lean (Apache-2.0), not shipped."""
    frame = pl.read_parquet(shared_data / "equities" / "us_SPY_1m.parquet")
    calendar = Calendar()
    rows = [
        told
        for told in (minute(row) for row in frame.iter_rows(named=True))
        if calendar.is_open(told.open_ns)
    ]
    first = 60 * seed
    bars = rows[first : first + MINUTES]
    assert bars[-1].open_ns - bars[0].open_ns < 8 * 3600 * NS_PER_SECOND
    outcome = play(Seen().stage(calendar), seed, bars)
    assert is_clean(outcome), outcome.verdict.findings
    assert outcome.verdict.executions > 0
