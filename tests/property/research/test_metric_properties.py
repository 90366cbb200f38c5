"""What must hold of the numbers that judge a backtest, whatever the equity and the trades."""

import math

import msgspec
import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from neuratrade.core.model.market import NS_PER_DAY
from neuratrade.research.metrics import Metrics, bootstrap, confidence, deflated, measure, returns
from tests.unit.research.results import at, of_days, result, trade

DAYS = st.lists(st.floats(-0.2, 0.2, allow_nan=False).map(lambda one: round(one, 4)), min_size=2, max_size=80)
MONEY = st.lists(st.integers(-500, 500), min_size=1, max_size=40)


def run_of(daily: list[float], cash: float = 1000.0) -> Metrics:
    return measure(of_days(list(cash * np.cumprod(1 + np.array(daily)))))


def same(ours: float | None, theirs: float | None) -> bool:
    if ours is None or theirs is None:
        return ours is theirs
    return math.isclose(ours, theirs, rel_tol=1e-6, abs_tol=1e-9)


@given(DAYS, st.floats(0.1, 3.0))
def test_ratios_do_not_change_with_the_size_of_all_returns(daily: list[float], size: float) -> None:
    days = np.array(daily)
    assert same(returns.sharpe(days), returns.sharpe(days * size))
    assert same(returns.sortino(days), returns.sortino(days * size))
    assert same(returns.skewness(days), returns.skewness(days * size))
    assert same(returns.kurtosis(days), returns.kurtosis(days * size))


@given(DAYS, st.randoms())
def test_the_order_of_days_changes_no_ratio_and_no_total(daily: list[float], draw: object) -> None:
    mixed = list(daily)
    draw.shuffle(mixed)  # type: ignore[attr-defined]
    ours, theirs = run_of(daily), run_of(mixed)
    for name in ("total_return", "annual_return", "sharpe", "sortino", "expected_shortfall", "best_day"):
        assert same(getattr(ours, name), getattr(theirs, name)), name


@given(st.lists(st.integers(0, 400), min_size=1, max_size=60, unique=True), st.integers(0, 10**6))
def test_months_come_in_order_and_compound_to_the_total(days: list[int], seed: int) -> None:
    times = [at("2023-06-15") + NS_PER_DAY * day for day in sorted(days)]
    value = 1000 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0, 0.05, len(times))))
    found = measure(result(times, list(value)))
    names = [(one.year, one.month) for one in found.months]
    assert names == sorted(set(names))
    grown = math.prod(1 + (one.return_fraction or 0.0) for one in found.months)
    assert math.isclose(grown - 1, found.total_return, rel_tol=1e-9, abs_tol=1e-9)


@given(st.integers(1, 100))
def test_constant_equity_earns_nothing_and_never_falls(count: int) -> None:
    found = run_of([0.0] * count)
    assert (found.total_return, found.max_drawdown, found.max_drawdown_length_ns) == (0.0, 0.0, 0)
    assert found.sharpe is found.calmar is None


@given(MONEY, st.integers(-500, -1))
def test_a_further_loss_never_raises_what_is_expected(pnl: list[int], loss: int) -> None:
    before = measure(of_days([1000.0], [trade(str(one)) for one in pnl]))
    after = measure(of_days([1000.0], [*(trade(str(one)) for one in pnl), trade(str(loss))]))
    assert before.win_rate is not None
    assert after.win_rate is not None
    assert after.win_rate <= before.win_rate
    assert after.longest_losing_streak >= before.longest_losing_streak
    if before.profit_factor is not None:
        assert after.profit_factor is not None
        assert after.profit_factor <= before.profit_factor
    assert before.expectancy is not None
    assert after.expectancy is not None
    # A loss smaller than the mean loss may raise the mean, but never what all trades brought.
    assert after.expectancy * after.trades < before.expectancy * before.trades
    if loss <= before.expectancy:
        assert after.expectancy <= before.expectancy + 1e-9


@given(DAYS, st.integers(2, 40), st.integers(0, 40))
def test_a_further_day_at_a_new_high_or_not_never_lessens_the_deepest_fall(
    daily: list[float], first: int, more: int
) -> None:
    whole = (daily * 40)[: first + more]
    assert run_of(whole).max_drawdown >= run_of(whole[:first]).max_drawdown - 1e-12


@given(DAYS)
def test_every_number_is_finite_and_in_its_bounds(daily: list[float]) -> None:
    found = run_of(daily)
    assert 0 <= found.max_drawdown < 1
    assert found.max_drawdown_length_ns <= found.longest_drawdown_ns <= len(daily) * NS_PER_DAY
    assert found.probabilistic_sharpe is None or 0 <= found.probabilistic_sharpe <= 1
    assert msgspec.json.decode(msgspec.json.encode(found), type=Metrics) == found


@settings(max_examples=30)
@given(st.lists(st.floats(0.001, 0.1), min_size=10, max_size=60))
def test_returns_that_are_symmetric_have_zero_in_the_interval_of_their_ratio(sizes: list[float]) -> None:
    daily = np.array([sign * size for size in sizes for sign in (1, -1)])
    assume(np.ptp(daily) > 0)
    draws = bootstrap.resample_days(daily, length=1)
    found = bootstrap.interval(returns.sharpe(daily), draws.sharpe)
    assert found is not None
    assert found.low < found.estimate < found.high
    assert found.low < 0 < found.high


@settings(max_examples=30)
@given(DAYS)
def test_a_wider_level_holds_the_narrower_interval(daily: list[float]) -> None:
    run = of_days(list(1000 * np.cumprod(1 + np.array(daily))))
    narrow, wide = confidence(run, level=0.5, resamples=200), confidence(run, level=0.99, resamples=200)
    for name in ("annual_return", "sharpe", "max_drawdown"):
        inner, outer = getattr(narrow, name), getattr(wide, name)
        assert (inner is None) == (outer is None)
        if inner is not None:
            assert outer.low <= inner.low <= inner.high <= outer.high


@given(
    st.floats(-0.3, 0.5),
    st.integers(2, 2000),
    st.integers(1, 10**9),
    st.integers(1, 10**6),
    st.floats(1e-6, 0.1),
)
def test_the_deflated_ratio_falls_as_trials_grow(
    ratio: float, count: int, trials: int, more: int, variance: float
) -> None:
    few = deflated.deflated_sharpe(ratio, count, trials, variance)
    many = deflated.deflated_sharpe(ratio, count, trials + more, variance)
    assert few is not None
    assert many is not None
    assert many <= few
    assert deflated.expected_best(trials + more, variance) > deflated.expected_best(trials, variance) - 1e-12


@given(st.floats(0.001, 0.5), st.integers(2, 2000), st.floats(-3, 0), st.floats(3, 20))
def test_left_tails_and_fat_ones_make_a_ratio_less_believable(
    ratio: float, count: int, skew: float, kurt: float
) -> None:
    plain = deflated.probabilistic_sharpe(ratio, count)
    worse = deflated.probabilistic_sharpe(ratio, count, skew, kurt)
    assert plain is not None
    assert worse is not None
    assert worse <= plain
