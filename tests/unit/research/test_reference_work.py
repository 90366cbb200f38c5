"""A backtest on the reference work, whose right answer two plain loops know without it."""

import pytest

from benchmarks import reference
from benchmarks.backtest import work
from benchmarks.backtest.loops import Walk, compiled_walk, plain_walk
from benchmarks.reference import Series
from neuratrade.research.backtest import run_backtest

BARS = 40_000
YEAR_TRADES, YEAR_EQUITY = 4_420, 9_738_796.6005137


@pytest.fixture(scope="module")
def year() -> Series:
    return reference.series()


def plain(made: Series) -> Walk:
    """What the rule comes to in a plain loop."""
    return plain_walk(made.high.tolist(), made.low.tolist(), made.close.tolist())


def assert_the_same(made: Series) -> int:
    """Ours beside the plain loop; how many trades there were."""
    result = run_backtest(work.plan(), work.columns(made))
    assert not result.halted
    assert not result.refused
    found = work.agreement(work.trades_of(result), float(result.final_equity), plain(made))
    assert found.first == ""
    assert found.same == found.trades == len(result.trades)
    assert found.equity_apart < 0.01
    return found.trades


def test_a_backtest_makes_every_trade_of_a_plain_loop_and_its_equity_to_a_cent(year: Series) -> None:
    assert assert_the_same(year.first(BARS)) > 300


@pytest.mark.slow
def test_a_backtest_of_the_whole_year_makes_all_trades_of_a_plain_loop(year: Series) -> None:
    assert assert_the_same(year) == YEAR_TRADES
    assert plain(year).equity == pytest.approx(YEAR_EQUITY, abs=0.01)


def test_the_plain_and_the_compiled_loop_tell_the_same_trades(year: Series) -> None:
    made = year.first(BARS)
    compiled = compiled_walk()(made.high, made.low, made.close).walk
    assert compiled.trades == plain(made).trades
    assert compiled.equity == pytest.approx(plain(made).equity, abs=0.000001)
    assert {trade.reason for trade in compiled.trades} == {"SL", "TP", "TIME"}


def test_a_trade_that_differs_is_named_and_the_rest_still_counted(year: Series) -> None:
    walk = plain(year.first(2_000))
    changed = list(walk.trades)
    changed[1] = changed[1]._replace(reason="KILL")
    found = work.agreement(changed, walk.equity, walk)
    assert (found.same, found.trades) == (len(changed) - 1, len(changed))
    assert "trade 2" in found.first
    assert "KILL" in found.first
    assert not found.holds


@pytest.mark.parametrize("field", ["entered", "left", "entry", "exit"])
def test_a_trade_differs_by_one_bar_or_a_hundredth_of_a_cent(year: Series, field: str) -> None:
    walk = plain(year.first(2_000))
    apart = 1 if field in {"entered", "left"} else 0.0001
    changed = [walk.trades[0]._replace(**{field: getattr(walk.trades[0], field) + apart}), *walk.trades[1:]]
    assert work.agreement(changed, walk.equity, walk).first.startswith("trade 1:")


def test_a_trade_too_many_and_one_too_few_are_no_agreement(year: Series) -> None:
    walk = plain(year.first(2_000))
    more = work.agreement([*walk.trades, walk.trades[-1]], walk.equity, walk)
    fewer = work.agreement(walk.trades[:-1], walk.equity, walk)
    assert (more.trades - more.same, fewer.trades - fewer.same) == (1, 1)
    assert not more.holds
    assert not fewer.holds
    assert work.agreement(walk.trades, walk.equity, walk).holds
    assert not work.agreement(walk.trades, walk.equity + 0.011, walk).holds
