"""Futures on stage: recorded markets of two products, rolled in the middle of a play."""

from collections.abc import Sequence

import pytest

from neuratrade.core.model.market import NS_PER_MINUTE, Bar
from neuratrade.feeds.calendars import TradingCalendar
from neuratrade.rehearsal.faults import FaultKind
from neuratrade.rehearsal.futures import BASIS, ES, GC, NEXT_ES, NEXT_GC, ROLLS, others, told, trades
from neuratrade.rehearsal.plays import PLAY_MINUTES, WARM_MINUTES, Outcome, play
from neuratrade.rehearsal.stages import STAGES

HARMLESS = [FaultKind.CLOCK_SKEW]


def minutes(seed: int) -> list[Bar]:
    blank = [Bar(ES.key, NS_PER_MINUTE, 0, *(ES.tick,) * 4, ES.lot)] * (WARM_MINUTES + PLAY_MINUTES)
    return told(blank, seed)


def played(name: str, seed: int, kinds: Sequence[FaultKind] | None = None) -> Outcome:
    return play(STAGES[name](), seed, minutes(seed), kinds)


@pytest.mark.parametrize("seed", range(5))
def test_what_is_played_was_recorded_lies_on_its_grid_and_in_its_session(seed: int) -> None:
    bars = minutes(seed)
    known = {ES.key: bars, **others(bars)}
    calendar = TradingCalendar("CME equity index")
    for item in (ES, GC, NEXT_ES, NEXT_GC):
        for bar in known[item.key]:
            assert bar.instrument == item.key
            assert bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high
            assert all(item.round_price(price) == price for price in (bar.open, bar.high, bar.low, bar.close))
            assert trades(item, bar.open_ns) is calendar.is_open(bar.open_ns)
    assert bars == sorted(bars, key=lambda bar: bar.open_ns)
    assert bars != minutes(seed + 1)


def test_the_next_contracts_trade_beside_the_front_ones_at_their_basis() -> None:
    bars = minutes(1)
    known = {ES.key: bars, **others(bars)}
    for old, new in ROLLS.items():
        assert [bar.close - BASIS[new] for bar in known[new]] == [bar.close for bar in known[old]]
        assert [bar.open_ns for bar in known[new]] == [bar.open_ns for bar in known[old]]


@pytest.mark.parametrize("name", ["tradovate", "barchart"])
def test_a_play_opens_protects_rolls_and_kills_in_both_products(name: str) -> None:
    found = played(name, 2, HARMLESS)
    assert found.verdict.findings == ()
    rolled = {item.bracket.removeprefix("roll-in:") for item in found.positions if "roll-in" in item.bracket}
    assert rolled
    assert rolled <= {item.bracket for item in found.positions}
    assert all(item.unprotected_s < 1 for item in found.positions)
    assert found.halted == "the rehearsal ends"


def test_the_same_plan_ends_the_same_way_on_both_feeds() -> None:
    for name in ("tradovate", "barchart"):
        one, again = played(name, 5), played(name, 5)
        assert one.verdict.findings == ()
        assert (one.verdict, one.positions) == (again.verdict, again.positions)
