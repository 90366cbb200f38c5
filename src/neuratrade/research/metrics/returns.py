"""Daily returns of an equity curve, and the ratios reckoned from them.

Conventions, the same everywhere: simple returns, the risk-free rate is zero, standard deviations are those
of a sample (ddof 1), a year is made of `days_per_year` daily returns (365 where markets never close, 252 for
listed stocks) and dispersion grows with its square root. Annual figures assume days that do not hang
together; where they do, the ratio is too high or too low (Lo 2002).

Days begin at midnight UTC. A day without a bar has no return: the next one bridges the gap. The first day
counts from the start cash, however much of it the run saw, and so does the last.
"""

import math
from typing import NamedTuple

import numpy as np

from neuratrade.core.model.market import NS_PER_DAY
from neuratrade.research.columns import Floats, Times

Months = np.ndarray[tuple[int], np.dtype[np.int64]]


class Daily(NamedTuple):
    """Daily returns. day: days since 1970-01-01, rising. fraction: simple return of that day."""

    day: Times
    fraction: Floats


def day_of(at_ns: Times) -> Times:
    """The day UTC, counted from 1970-01-01, that an instant belongs to: midnight ends the day before."""
    return (at_ns - 1) // NS_PER_DAY


def daily_returns(at_ns: Times, value: Floats, cash: float) -> Daily:
    """Simple return of each day that has a bar: its last equity over the last equity before it, less one.

    at_ns: rising, shape (n,). value: equity then, (n,); cash: equity before the first, above zero. Where
    equity falls to zero or below there is no return after that day: nothing is left that could earn one.

    Raises ValueError for cash at or below zero.
    """
    if not cash > 0:
        raise ValueError(f"returns need a start above zero, got {cash}")
    if len(value) == 0:
        return Daily(np.empty(0, dtype=np.int64), np.empty(0))
    day = day_of(at_ns)
    last = np.append(day[1:] != day[:-1], True)
    closes, days = value[last], day[last]
    before = np.concatenate(([cash], closes[:-1]))
    ruined = np.flatnonzero(closes <= 0)
    end = int(ruined[0]) + 1 if len(ruined) else len(closes)
    return Daily(days[:end], closes[:end] / before[:end] - 1.0)


def annual_return(total: float, days: int, days_per_year: float) -> float | None:
    """(1 + total) ** (days_per_year / days) - 1: the yearly return that compounds to `total` in `days`.

    total: fraction; days: daily returns it was made in. All lost is -1. None for fewer than two days, or
    where it is too large to be a number.
    """
    if days < 2:
        return None
    if total <= -1:
        return -1.0
    try:
        return finite((1.0 + total) ** (days_per_year / days) - 1.0)
    except OverflowError:
        return None


def deviation(returns: Floats) -> float | None:
    """Sample standard deviation (ddof 1); None for fewer than two, or where all are the same.

    Equal numbers have a deviation of some 1e-18 in floats, and a ratio to it would be a large nothing.
    """
    if len(returns) < 2:
        return None
    found = float(np.std(returns, ddof=1))
    largest = float(np.abs(returns).max())
    return found if found > 1e-12 * largest else None


def sharpe(returns: Floats) -> float | None:
    """Mean over sample deviation of returns, per period, not annual; None without a deviation.

    Source: Sharpe 1994, "The Sharpe Ratio", with a benchmark of zero.
    """
    spread = deviation(returns)
    return None if spread is None else finite(float(np.mean(returns)) / spread)


def sortino(returns: Floats) -> float | None:
    """Mean over downside deviation, per period; None for fewer than two, or without a loss.

    Downside deviation: square root of the mean over ALL periods of min(return, 0) squared. Source: Sortino
    and van der Meer 1991, with a target of zero.
    """
    if len(returns) < 2:
        return None
    downside = math.sqrt(float(np.mean(np.minimum(returns, 0.0) ** 2)))
    return finite(float(np.mean(returns)) / downside) if downside > 0 else None


def annualised(ratio: float | None, days_per_year: float) -> float | None:
    """A ratio per day as one per year: times the square root of `days_per_year`."""
    return None if ratio is None else finite(ratio * math.sqrt(days_per_year))


def skewness(returns: Floats) -> float | None:
    """Third standardised moment, of the population (no correction for the sample); None without spread."""
    return _moment(returns, 3)


def kurtosis(returns: Floats) -> float | None:
    """Fourth standardised moment, of the population, not in excess: 3 for a normal; None without spread."""
    return _moment(returns, 4)


def _moment(returns: Floats, order: int) -> float | None:
    if deviation(returns) is None:
        return None
    off = returns - np.mean(returns)
    return finite(float(np.mean(off**order) / np.mean(off**2) ** (order / 2)))


def expected_shortfall(returns: Floats, share: float = 0.05) -> float | None:
    """Mean of the worst returns: the floor((n - 1) * share) + 1 lowest of n; None for none.

    Below zero is a loss. Source: Acerbi and Tasche 2002, of the empirical distribution.
    """
    if len(returns) == 0:
        return None
    worst = int((len(returns) - 1) * share) + 1
    return finite(float(np.mean(np.partition(returns, worst - 1)[:worst])))


def month_of(at_ns: Times) -> Months:
    """Months UTC since 1970-01 of the days that instants close in."""
    days = day_of(at_ns).astype("datetime64[D]")
    return days.astype("datetime64[M]").astype(np.int64)


def monthly_returns(at_ns: Times, value: Floats, cash: float) -> list[tuple[int, float | None]]:
    """Month (since 1970-01) and return of each month UTC that has a bar; None once nothing was left.

    Its last equity over the last equity before it (the start cash for the first), less one.
    """
    if len(value) == 0:
        return []
    month = month_of(at_ns)
    last = np.append(month[1:] != month[:-1], True)
    closes = value[last]
    before = np.concatenate(([cash], closes[:-1]))
    pairs = zip(before, closes, strict=True)
    found = [finite(float(end / start - 1.0)) if start > 0 else None for start, end in pairs]
    return [(int(one), fraction) for one, fraction in zip(month[last], found, strict=True)]


def finite(number: float) -> float | None:
    """The number, or None for what is none (nan, infinite)."""
    return number if math.isfinite(number) else None
