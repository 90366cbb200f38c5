"""Numbers of closed trades: net of fees, and in the order in which they were closed."""

from collections.abc import Sequence

import msgspec
import numpy as np

from neuratrade.research.columns import Floats
from neuratrade.research.metrics.returns import finite


class Excursion(msgspec.Struct, frozen=True):
    """How far prices went, fractions of the entry price, zero or above, over all trades."""

    mean: float
    median: float
    p95: float
    largest: float


def profit_factor(pnl: Floats) -> float | None:
    """Sum of the gains over the sum of the losses, both above zero; None without a loss."""
    lost = -float(pnl[pnl < 0].sum())
    return finite(float(pnl[pnl > 0].sum()) / lost) if lost > 0 else None


def win_rate(pnl: Floats) -> float | None:
    """Share of trades that gained; one that came out even did not. None without trades."""
    return float(np.mean(pnl > 0)) if len(pnl) else None


def mean_of(numbers: Floats) -> float | None:
    """The mean, None of nothing. Of pnl it is the expectancy of a trade, of R multiples that in R."""
    return finite(float(np.mean(numbers))) if len(numbers) else None


def longest_losing_streak(pnl: Sequence[float] | Floats) -> int:
    """Most losses in a row. A trade that came out even neither ends nor lengthens it, as in the gate."""
    longest = current = 0
    for one in pnl:
        current = current + 1 if one < 0 else 0 if one > 0 else current
        longest = max(longest, current)
    return longest


def excursion(fractions: Floats) -> Excursion | None:
    """Summary of MAE or MFE; None without trades. p95: 95 % of trades went less far (linear between ranks).

    Source: Sweeney 1996, "Maximum Adverse Excursion".
    """
    if len(fractions) == 0:
        return None
    middle, high = np.quantile(fractions, (0.5, 0.95))
    return Excursion(float(np.mean(fractions)), float(middle), float(high), float(fractions.max()))
