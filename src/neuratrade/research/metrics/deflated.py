"""How likely a Sharpe ratio is more than luck: of one record, and of the best of many that were tried.

Every ratio in and out of here is PER PERIOD of the returns (per day for daily ones), never annual: divide an
annual one by the square root of the periods in a year first, and a variance of annual ones by the periods.
Skewness and kurtosis are those of the population, kurtosis 3 for a normal.

Sources: Bailey and Lopez de Prado 2012, "The Sharpe Ratio Efficient Frontier"; 2014, "The Deflated Sharpe
Ratio: Correcting for Selection Bias, Backtest Overfitting and Non-Normality".
"""

import math
from statistics import NormalDist
from typing import Final

from neuratrade.research.columns import Floats
from neuratrade.research.metrics.returns import kurtosis, sharpe, skewness

NORMAL: Final = NormalDist()
EULER_MASCHERONI: Final = 0.5772156649015329


def variance_factor(ratio: float, skew: float, kurt: float) -> float:
    """1 - skew * SR + (kurt - 1) / 4 * SR^2: times 1 / (n - 1), the variance of an estimated ratio."""
    return 1.0 - skew * ratio + (kurt - 1.0) / 4.0 * ratio * ratio


def probabilistic_sharpe(
    ratio: float, count: int, skew: float = 0.0, kurt: float = 3.0, benchmark: float = 0.0
) -> float | None:
    """Probability that the true ratio lies above `benchmark`, given `count` returns.

    Phi((SR - SR*) * sqrt(n - 1) / sqrt(1 - skew * SR + (kurt - 1) / 4 * SR^2)). None for fewer than two
    returns, or moments no returns can have.
    """
    factor = variance_factor(ratio, skew, kurt)
    if count < 2 or not factor > 0:
        return None
    return NORMAL.cdf((ratio - benchmark) * math.sqrt(count - 1) / math.sqrt(factor))


def expected_best(trials: int, variance: float) -> float:
    """The ratio the best of `trials` without any skill is expected to show; `variance`: of their ratios.

    sqrt(V) * ((1 - g) * Phi^-1(1 - 1/N) + g * Phi^-1(1 - 1/(N e))), g the Euler-Mascheroni constant; zero for
    one trial, of which nothing was chosen. Raises ValueError for no trial or a variance below zero.
    """
    if trials < 1:
        raise ValueError(f"at least one trial was made, got {trials}")
    if not variance >= 0 or math.isinf(variance):
        raise ValueError(f"a variance is a number at or above zero, got {variance}")
    if trials == 1:
        return 0.0
    # The upper tail by symmetry: 1 - 1/N would lose its digits for many trials.
    first, second = -NORMAL.inv_cdf(1.0 / trials), -NORMAL.inv_cdf(1.0 / (trials * math.e))
    return math.sqrt(variance) * ((1.0 - EULER_MASCHERONI) * first + EULER_MASCHERONI * second)


def deflated_sharpe(
    ratio: float, count: int, trials: int, variance: float, skew: float = 0.0, kurt: float = 3.0
) -> float | None:
    """Probability that the true ratio lies above zero, given that it is the best of `trials`.

    The probabilistic ratio against `expected_best(trials, variance)`. trials: independent ones, every
    variant ever tried on these data counting; variance: of the ratios of all of them, per period squared.
    None as for `probabilistic_sharpe`; raises ValueError as `expected_best` does.
    """
    return probabilistic_sharpe(ratio, count, skew, kurt, expected_best(trials, variance))


def deflated_of(returns: Floats, trials: int, variance: float) -> float | None:
    """`deflated_sharpe` with ratio and moments of these returns; None where they have no ratio."""
    ratio, skew, kurt = sharpe(returns), skewness(returns), kurtosis(returns)
    if ratio is None or skew is None or kurt is None:
        return None
    return deflated_sharpe(ratio, len(returns), trials, variance, skew, kurt)


def minimum_track_record(
    ratio: float, skew: float = 0.0, kurt: float = 3.0, benchmark: float = 0.0, level: float = 0.95
) -> float | None:
    """Returns needed until the true ratio lies above `benchmark` with probability `level`, in periods.

    1 + (1 - skew * SR + (kurt - 1) / 4 * SR^2) * (Phi^-1(level) / (SR - SR*))^2. None where the ratio is not
    above the benchmark: no record would be long enough. Raises ValueError for a level outside (0.5, 1).
    """
    if not 0.5 < level < 1:
        raise ValueError(f"a level lies between 0.5 and 1, got {level}")
    factor = variance_factor(ratio, skew, kurt)
    if not ratio > benchmark or not factor > 0:
        return None
    return 1.0 + factor * (NORMAL.inv_cdf(level) / (ratio - benchmark)) ** 2
