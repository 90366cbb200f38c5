"""Bars from a tape of trades, all at once: what `core.bars.BarBuilder` makes of them one by one.

Only spans that the tape holds from end to end become bars: the one it began in and the one it ended in do
not. A span without a trade has no bar. Volumes are added as whole numbers of the finest step that occurs, so
that a sum does not depend on the order of its parts.
"""

from typing import TYPE_CHECKING

import numpy as np

from neuratrade.core.bars.timeframe import grid_offset
from neuratrade.research.columns import Floats

if TYPE_CHECKING:
    import polars as pl

_MOST_DECIMALS = 12
_EXACT = 2**53
"""Whole numbers up to here are exact as floats."""


def bars_of(trades: "pl.DataFrame", span_ns: int) -> "pl.DataFrame":
    """Bars in normal form from trades in normal form, in order of time.

    Of trades at one instant the first in the tape opens and the last closes.
    """
    import polars as pl

    offset = grid_offset(span_ns)
    opening = (pl.col("ts") - (pl.col("ts") - offset) % span_ns).alias("ts")
    steps, step = _whole(trades["quantity"])
    bars = (
        trades.lazy()
        .select(opening, "price", steps.alias("steps"))
        .group_by("ts", maintain_order=True)
        .agg(
            open=pl.col("price").first(),
            high=pl.col("price").max(),
            low=pl.col("price").min(),
            close=pl.col("price").last(),
            volume=pl.col("steps").sum(),
        )
        .collect()
    )
    volume = pl.Series("volume", _divided(bars["volume"], step))
    return bars.with_columns(volume).slice(1, max(bars.height - 2, 0))


def _whole(quantities: "pl.Series") -> "tuple[pl.Series, int]":
    """Quantities as whole numbers of 1/step; as they are, of step 1, where no step fits."""
    import polars as pl

    for decimals in range(_MOST_DECIMALS + 1):
        step = 10**decimals
        whole = (quantities * step).round()
        if float(whole.sum()) >= _EXACT:
            break
        if (_divided(whole, step) == quantities.to_numpy()).all():
            return whole.cast(pl.Int64), step
    return quantities, 1


def _divided(values: "pl.Series", step: int) -> Floats:
    """By numpy: polars multiplies by 1/step instead, and 3 tenths are then not 0.3."""
    return values.to_numpy() / np.float64(step)
