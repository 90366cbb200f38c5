"""Intervals of the stationary bootstrap, and Sharpe ratios deflated by what was tried."""

import math

import numpy as np
import pytest

from neuratrade.core.model.market import NS_PER_DAY
from neuratrade.research.metrics import bootstrap, confidence, deflated, returns
from tests.unit.research.results import at, of_days, trade

DAYS = np.random.default_rng(7).normal(0.001, 0.02, 365)


def test_the_same_result_gives_the_same_intervals_and_another_seed_others() -> None:
    run = of_days(list(1000 * np.cumprod(1 + DAYS)))
    assert confidence(run) == confidence(run)
    assert confidence(run).sharpe != confidence(run, seed=1).sharpe


def test_intervals_hold_the_estimates_that_the_metrics_tell() -> None:
    trades = [trade(str(place % 5 - 2), exit_ns=at("2024-01-02") + place * NS_PER_DAY) for place in range(40)]
    found = confidence(of_days(list(1000 * np.cumprod(1 + DAYS)), trades))
    assert (found.block_days, found.block_trades) == (8, 4)
    assert found.annual_return is not None
    assert found.annual_return.estimate == pytest.approx(np.prod(1 + DAYS) - 1)
    assert found.sharpe is not None
    assert found.sharpe.estimate == pytest.approx(DAYS.mean() / DAYS.std(ddof=1) * math.sqrt(365))
    assert found.mean_trade is not None
    assert found.mean_trade.estimate == pytest.approx(0.0)
    for interval in (found.annual_return, found.sharpe, found.mean_trade):
        assert interval.low < interval.estimate < interval.high
    assert found.max_drawdown is not None
    assert 0 < found.max_drawdown.low < found.max_drawdown.high < 1


def test_of_few_days_or_trades_no_interval_is_told() -> None:
    found = confidence(of_days([1010.0, 1000.0, 1020.0], [trade("1")] * (bootstrap.FEWEST - 1)))
    assert found.annual_return is found.sharpe is found.max_drawdown is found.mean_trade is None


def test_independent_days_give_the_spread_that_theory_gives() -> None:
    draws = bootstrap.resample_days(DAYS, length=1, resamples=20_000)
    ratio = returns.sharpe(DAYS)
    assert ratio is not None
    # Variance of an estimated ratio, Lo 2002 and Mertens 2002: (1 - skew SR + (kurt - 1) / 4 SR^2) / n.
    skew, kurt = returns.skewness(DAYS), returns.kurtosis(DAYS)
    assert skew is not None
    assert kurt is not None
    error = math.sqrt(deflated.variance_factor(ratio, skew, kurt) / len(DAYS))
    assert np.std(draws.sharpe) == pytest.approx(error, rel=0.03)


def test_days_that_hang_together_widen_the_interval_of_blocks_but_not_of_single_days() -> None:
    noise = np.random.default_rng(3).normal(0, 0.01, 1000)
    hanging = np.convolve(noise, np.ones(5), mode="same")
    single = np.std(bootstrap.resample_mean(hanging, length=1))
    blocks = np.std(bootstrap.resample_mean(hanging, length=25))
    assert blocks > 1.7 * single


def test_blocks_run_on_wrap_around_and_have_the_mean_length_asked_for() -> None:
    count, length = 50, 7
    places = np.empty(200_000, dtype=np.int64)
    bootstrap.draw_places(count, length, 1, 2, places)
    assert set(places) == set(range(count))
    runs_on = places[1:] == (places[:-1] + 1) % count
    # A new block may begin where the old one would have gone on anyway.
    assert runs_on.mean() == pytest.approx(1 - 1 / length + 1 / length / count, abs=0.005)
    np.testing.assert_allclose(np.bincount(places) / len(places), 1 / count, atol=0.004)


def test_resamples_are_not_one_another_shifted() -> None:
    first, second = np.empty(64, dtype=np.int64), np.empty(64, dtype=np.int64)
    bootstrap.draw_places(1000, 1, 5, 0, first)
    bootstrap.draw_places(1000, 1, 5, 1, second)
    assert len(set(first) & set(second)) < 20


@pytest.mark.parametrize(("count", "length"), [(0, 1), (1, 1), (8, 2), (9, 3), (27, 3), (365, 8), (1000, 10)])
def test_blocks_are_as_long_as_the_cube_root_of_the_count(count: int, length: int) -> None:
    assert bootstrap.block_length(count) == length


def test_a_resample_that_loses_all_stays_lost() -> None:
    draws = bootstrap.resample_days(np.array([-1.5, 0.5] * 10), resamples=200)
    assert draws.growth.min() == -np.inf
    assert draws.drawdown.max() == 1.5
    found = confidence(of_days([1000.0, 0.0]))
    assert found.annual_return is None


@pytest.mark.parametrize("level", [0.0, 1.0, -1.0, float("nan")])
def test_a_level_that_is_no_share_is_refused(level: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        bootstrap.interval(1.0, np.ones(3), level)


def test_too_little_to_resample_is_refused() -> None:
    with pytest.raises(ValueError, match="two returns or more"):
        bootstrap.resample_days(np.ones(1))
    with pytest.raises(ValueError, match="nothing to resample"):
        bootstrap.resample_mean(np.ones(0))


def test_the_example_of_bailey_and_lopez_de_prado_2012() -> None:
    # Monthly ratio of 1.59 a year over two years: skewed and fat-tailed it is worth less than it looks.
    assert deflated.probabilistic_sharpe(0.458, 24, -2.448, 10.164) == pytest.approx(0.913, abs=0.0005)
    assert deflated.probabilistic_sharpe(0.458, 24) == pytest.approx(0.982, abs=0.0005)


def test_the_example_of_bailey_and_lopez_de_prado_2014() -> None:
    # Annual ratio of 2.5 over five years of 250 days, variance of annual trials one half.
    ratio, variance = 2.5 / math.sqrt(250), 0.5 / 250
    assert deflated.expected_best(100, variance) == pytest.approx(0.1132, abs=0.00005)
    assert deflated.deflated_sharpe(ratio, 1250, 100, variance, -3, 10) == pytest.approx(0.9004, abs=0.00005)
    assert deflated.deflated_sharpe(ratio, 1250, 46, variance, -3, 10) == pytest.approx(0.9505, abs=0.00005)


def test_the_expected_best_of_many_is_that_of_simulated_trials() -> None:
    best = np.random.default_rng(1).normal(0, 0.1, (4000, 200)).max(axis=1).mean()
    assert deflated.expected_best(200, 0.01) == pytest.approx(best, rel=0.01)


def test_after_the_minimum_track_record_the_probability_is_the_one_asked_for() -> None:
    needed = deflated.minimum_track_record(0.1, -1.0, 6.0, 0.02, 0.95)
    assert needed is not None
    around = [
        deflated.probabilistic_sharpe(0.1, count, -1.0, 6.0, 0.02) for count in (int(needed), int(needed) + 1)
    ]
    assert around[0] is not None
    assert around[1] is not None
    assert around[0] < 0.95 <= around[1]


def test_no_record_is_long_enough_for_a_ratio_that_is_not_above_the_benchmark() -> None:
    assert deflated.minimum_track_record(0.1, benchmark=0.1) is None
    assert deflated.minimum_track_record(-0.1) is None


def test_one_trial_is_not_deflated() -> None:
    assert deflated.expected_best(1, 0.5) == 0.0
    plain = deflated.probabilistic_sharpe(0.1, 100)
    assert deflated.deflated_sharpe(0.1, 100, 1, 0.5) == plain


def test_returns_without_a_ratio_have_no_probability() -> None:
    assert deflated.deflated_of(np.zeros(10), 3, 0.1) is None
    assert deflated.probabilistic_sharpe(0.5, 1) is None


@pytest.mark.parametrize(
    ("trials", "variance"), [(0, 0.1), (-1, 0.1), (2, -0.1), (2, math.nan), (2, math.inf)]
)
def test_trials_that_cannot_be_are_refused(trials: int, variance: float) -> None:
    with pytest.raises(ValueError, match=r"trial was made|a variance is"):
        deflated.expected_best(trials, variance)
