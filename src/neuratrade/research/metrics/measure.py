"""A finished backtest as one row of numbers, and how far they can be believed.

Each number is defined where it is reckoned (`returns`, `drawdowns`, `deals`, `bootstrap`, `deflated`), and
in `docs/metrics.md`. None stands where a number is not defined, never a zero or an infinity that would look
like a result. They are statistics, not money: floats, of amounts in the account's currency.
"""

import math
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from neuratrade.research.columns import Floats
from neuratrade.research.metrics import bootstrap, deals, deflated, drawdowns, returns
from neuratrade.research.metrics.bootstrap import Interval
from neuratrade.research.metrics.deals import Excursion
from neuratrade.research.result import BacktestResult, TradeDone

DAYS_PER_YEAR = 365.0
_MONTH_ZERO = 1970


class Month(msgspec.Struct, frozen=True):
    """One month UTC that had bars. return_fraction: None once nothing was left; trades: closed in it."""

    year: int
    month: int
    return_fraction: float | None
    trades: int


class Metrics(msgspec.Struct, frozen=True, kw_only=True):
    """What a backtest came to. Fractions are net of all costs; money is in the account's currency.

    days: daily returns there are; days_per_year: how many make a year. sharpe, sortino: annual;
    sharpe_per_day as `deflated` takes it, with skewness and kurtosis (3 for a normal) of the daily returns.
    probabilistic_sharpe: probability that the true Sharpe is above zero, for a single trial;
    minimum_track_record_days: for 95 %. max_drawdown: on every bar, zero or above; the lengths in ns;
    max_drawdown_daily: on daily closes. calmar: annual return over max_drawdown. exposure: share of bar
    closes at which something was held. turnover_per_year: notional of all fills over mean equity.
    expectancy: mean pnl, average_trade: mean return_fraction, expectancy_r: mean R of trades that had a
    risk. expected_shortfall, worst_day, best_day: daily returns, losses below zero. worst_trade: lowest
    return_fraction.
    """

    days: int
    days_per_year: float
    total_return: float
    annual_return: float | None
    sharpe: float | None
    sortino: float | None
    calmar: float | None
    sharpe_per_day: float | None
    skewness: float | None
    kurtosis: float | None
    probabilistic_sharpe: float | None
    minimum_track_record_days: float | None
    max_drawdown: float
    max_drawdown_length_ns: int
    max_drawdown_recovered: bool
    longest_drawdown_ns: int
    max_drawdown_daily: float
    exposure: float | None
    turnover_per_year: float | None
    expected_shortfall: float | None
    best_day: float | None
    worst_day: float | None
    trades: int
    profit_factor: float | None
    win_rate: float | None
    expectancy: float | None
    expectancy_r: float | None
    average_trade: float | None
    average_win: float | None
    average_loss: float | None
    best_trade: float | None
    worst_trade: float | None
    longest_losing_streak: int
    adverse: Excursion | None
    favourable: Excursion | None
    months: tuple[Month, ...]


class Confidence(msgspec.Struct, frozen=True):
    """Intervals of the stationary bootstrap; None where there are too few days or trades for one.

    annual_return, sharpe (annual) and max_drawdown (on daily closes): of daily returns in blocks of
    `block_days` on average. mean_trade: pnl, account currency, in blocks of `block_trades`.
    """

    resamples: int
    block_days: int
    block_trades: int
    annual_return: Interval | None
    sharpe: Interval | None
    max_drawdown: Interval | None
    mean_trade: Interval | None


def measure(result: BacktestResult, *, days_per_year: float = DAYS_PER_YEAR) -> Metrics:
    """All numbers of a result. days_per_year: 365 where the market never closes, 252 for listed stocks.

    Raises ValueError for days_per_year or cash at or below zero.
    """
    _check_year(days_per_year)
    curve, cash = result.equity, float(result.plan.cash)
    daily = returns.daily_returns(curve.at_ns, curve.value, cash).fraction
    total = float(curve.value[-1]) / cash - 1.0 if len(curve.value) else 0.0
    days = len(daily)
    yearly = returns.annual_return(total, days, days_per_year)
    fall = drawdowns.max_drawdown(curve.at_ns, curve.value, cash, _begin_ns(result))
    ratio = returns.sharpe(daily)
    return Metrics(
        days=days,
        days_per_year=days_per_year,
        total_return=total,
        annual_return=yearly,
        sharpe=returns.annualised(ratio, days_per_year),
        sortino=returns.annualised(returns.sortino(daily), days_per_year),
        calmar=None if yearly is None or not fall.fraction else returns.finite(yearly / fall.fraction),
        max_drawdown=fall.fraction,
        max_drawdown_length_ns=fall.length_ns,
        max_drawdown_recovered=fall.recovered,
        longest_drawdown_ns=fall.longest_ns,
        max_drawdown_daily=_daily_drawdown(daily),
        exposure=float(np.mean(curve.invested > 0)) if len(curve.invested) else None,
        turnover_per_year=_turnover(result, days, days_per_year),
        expected_shortfall=returns.expected_shortfall(daily),
        best_day=float(daily.max()) if days else None,
        worst_day=float(daily.min()) if days else None,
        months=_months(result, cash),
        **_of_luck(daily, ratio),
        **_of_trades(result.trades),
    )


def confidence(
    result: BacktestResult,
    *,
    days_per_year: float = DAYS_PER_YEAR,
    level: float = 0.95,
    resamples: int = bootstrap.RESAMPLES,
    seed: int = bootstrap.SEED,
) -> Confidence:
    """Between which numbers `level` of the resamples lie; the same result gives the same intervals.

    Raises ValueError for days_per_year or cash at or below zero, or a level outside (0, 1).
    """
    _check_year(days_per_year)
    curve = result.equity
    daily = returns.daily_returns(curve.at_ns, curve.value, float(result.plan.cash)).fraction
    pnl = _column(result.trades, "pnl")
    yearly = ratio = fall = mean = None
    if len(daily) >= bootstrap.FEWEST:
        draws = bootstrap.resample_days(daily, resamples=resamples, seed=seed)
        total = float(np.prod(1.0 + daily)) - 1.0
        estimate = returns.annual_return(total, len(daily), days_per_year)
        with np.errstate(over="ignore"):
            grown = np.expm1(draws.growth * (days_per_year / len(daily)))
        yearly = bootstrap.interval(estimate, grown, level)
        root = np.sqrt(days_per_year)
        per_year = returns.annualised(returns.sharpe(daily), days_per_year)
        ratio = bootstrap.interval(per_year, draws.sharpe * root, level)
        fall = bootstrap.interval(_daily_drawdown(daily), draws.drawdown, level)
    if len(pnl) >= bootstrap.FEWEST:
        means = bootstrap.resample_mean(pnl, resamples=resamples, seed=seed)
        mean = bootstrap.interval(deals.mean_of(pnl), means, level)
    return Confidence(
        resamples=resamples,
        block_days=bootstrap.block_length(len(daily)),
        block_trades=bootstrap.block_length(len(pnl)),
        annual_return=yearly,
        sharpe=ratio,
        max_drawdown=fall,
        mean_trade=mean,
    )


def _check_year(days_per_year: float) -> None:
    if not 0 < days_per_year < float("inf"):
        raise ValueError(f"days_per_year is a number above zero, got {days_per_year}")


def _begin_ns(result: BacktestResult) -> int:
    """When the start cash was there: at the opening of the first bar."""
    at_ns = result.equity.at_ns
    if len(at_ns) == 0:
        return 0
    span_ns = max((bars.span_ns for bars in result.columns.values()), default=0)
    return int(at_ns[0]) - span_ns


def _daily_drawdown(daily: Floats) -> float:
    """Deepest fall of daily closes."""
    if len(daily) == 0:
        return 0.0
    value: Floats = np.cumprod(1.0 + daily, dtype=np.float64)
    return float(drawdowns.drawdown_curve(value, 1.0).max())


def _turnover(result: BacktestResult, days: int, days_per_year: float) -> float | None:
    """Notional of all fills over mean equity, a year."""
    mean = float(np.mean(result.equity.value)) if days else 0.0
    return returns.finite(float(result.turnover) / mean * days_per_year / days) if mean > 0 else None


def _of_luck(daily: Floats, ratio: float | None) -> dict[str, Any]:
    skew, kurt = returns.skewness(daily), returns.kurtosis(daily)
    needed = None
    if ratio is not None and skew is not None and kurt is not None:
        needed = returns.finite(deflated.minimum_track_record(ratio, skew, kurt) or math.nan)
    return {
        "sharpe_per_day": ratio,
        "skewness": skew,
        "kurtosis": kurt,
        "probabilistic_sharpe": deflated.deflated_of(daily, 1, 0.0),
        "minimum_track_record_days": needed,
    }


def _of_trades(closed: tuple[TradeDone, ...]) -> dict[str, Any]:
    trades = sorted(closed, key=lambda item: item.exit_ns)
    pnl, fraction = _column(trades, "pnl"), _column(trades, "return_fraction")
    return {
        "trades": len(trades),
        "profit_factor": deals.profit_factor(pnl),
        "win_rate": deals.win_rate(pnl),
        "expectancy": deals.mean_of(pnl),
        "expectancy_r": deals.mean_of(_column([item for item in trades if item.risk > 0], "r_multiple")),
        "average_trade": deals.mean_of(fraction),
        "average_win": deals.mean_of(pnl[pnl > 0]),
        "average_loss": deals.mean_of(pnl[pnl < 0]),
        "best_trade": float(fraction.max()) if len(fraction) else None,
        "worst_trade": float(fraction.min()) if len(fraction) else None,
        "longest_losing_streak": deals.longest_losing_streak(pnl),
        "adverse": deals.excursion(_column(trades, "adverse_fraction")),
        "favourable": deals.excursion(_column(trades, "favourable_fraction")),
    }


def _column(trades: Sequence[TradeDone], name: str) -> Floats:
    return np.array([float(getattr(item, name)) for item in trades], dtype=np.float64)


def _months(result: BacktestResult, cash: float) -> tuple[Month, ...]:
    curve = result.equity
    closed = np.array([item.exit_ns for item in result.trades], dtype=np.int64)
    when = returns.month_of(closed)
    found = []
    for month, fraction in returns.monthly_returns(curve.at_ns, curve.value, cash):
        year, place = divmod(month, 12)
        found.append(Month(_MONTH_ZERO + year, place + 1, fraction, int((when == month).sum())))
    return tuple(found)
