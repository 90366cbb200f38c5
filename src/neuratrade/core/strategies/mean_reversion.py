"""Mean reversion: buy a close at the lower Bollinger band that the RSI also calls oversold, and the
mirror.

A close at or below the band of `deviations` is the same statement as a z-score at or below -deviations over
the same window, so the z-score is what the row holds: it also says how far below, which is the strength. It
fires on the bar on which both conditions become true together. In a crash it stays out, since falling
prices are then no mistake that corrects itself. Source: Bollinger 2001 (20 bars, 2 deviations), Wilder 1978
(RSI).
"""

from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from neuratrade.core.indicators.kernel import kernel
from neuratrade.core.indicators.registry import indicator
from neuratrade.core.model.intent import EntryType, Lane
from neuratrade.core.model.regime import Regime
from neuratrade.core.strategies.dna import Distance, ExitDna, StrategyDna, Target
from neuratrade.core.strategies.port import Row
from neuratrade.core.strategies.rule import ATR, Kind, Parameter, Signals, Values, known

ZSCORE, RSI = 1, 2
WIDTH, OVERSOLD, OVERBOUGHT, FULL_WIDTH = 0, 1, 2, 3


@kernel
def _stretched(row: Row, levels: Row) -> int:
    """+1 stretched downwards, -1 stretched upwards, 0 neither."""
    if row[ZSCORE] <= -levels[WIDTH] and row[RSI] <= levels[OVERSOLD]:
        return 1
    if row[ZSCORE] >= levels[WIDTH] and row[RSI] >= levels[OVERBOUGHT]:
        return -1
    return 0


@kernel
def _rule(previous: Row, current: Row, close: float, levels: Row) -> int:
    if not known(previous, current) or current[ATR] <= 0.0:
        return 0
    signal = _stretched(current, levels)
    return 0 if signal == _stretched(previous, levels) else signal


@kernel
def _scan(rows: NDArray[np.float64], closes: Row, levels: Row, signals: Signals) -> None:
    for i in range(1, rows.shape[0]):
        signals[i] = _rule(rows[i - 1], rows[i], closes[i], levels)


def _strength(signal: int, current: Row, levels: Row) -> float:
    return float((abs(current[ZSCORE]) - levels[WIDTH]) / (levels[FULL_WIDTH] - levels[WIDTH]))


def _check(values: Values) -> None:
    for low, high in (("oversold_points", "overbought_points"), ("deviations", "full_deviations")):
        if values[low] >= values[high]:
            raise ValueError(f"{low} ({values[low]}) must lie below {high} ({values[high]})")


MEAN_REVERSION = Kind(
    defaults=StrategyDna(
        name="mean_reversion",
        timeframe_minutes=15,
        lane=Lane.MEAN_REVERSION,
        order_type=EntryType.LIMIT,
        exit=ExitDna(stop=Distance(atr=Decimal(3)), targets=(Target(Distance(atr=Decimal("1.5"))),)),
        parameters={},
        entry_expiry_minutes=30,
    ),
    parameters=(
        Parameter(
            "band_period_bars",
            Decimal(20),
            Decimal(2),
            Decimal(500),
            "bars of the band",
            whole=True,
            per_asset=False,
        ),
        Parameter(
            "rsi_period_bars",
            Decimal(14),
            Decimal(2),
            Decimal(200),
            "bars of the RSI",
            whole=True,
            per_asset=False,
        ),
        Parameter(
            "deviations",
            Decimal(2),
            Decimal("0.5"),
            Decimal(6),
            "half width of the band, standard deviations",
        ),
        Parameter("full_deviations", Decimal(3), Decimal("0.6"), Decimal(10), "deviations of a full signal"),
        Parameter(
            "oversold_points", Decimal(35), Decimal(1), Decimal(99), "RSI at or below which the fall counts"
        ),
        Parameter(
            "overbought_points", Decimal(65), Decimal(1), Decimal(99), "RSI at or above which the rise counts"
        ),
    ),
    indicators=lambda values: (
        indicator("zscore", int(values["band_period_bars"])),
        indicator("rsi", int(values["rsi_period_bars"])),
    ),
    levels=lambda values: (
        float(values["deviations"]),
        float(values["oversold_points"]),
        float(values["overbought_points"]),
        float(values["full_deviations"]),
    ),
    rule=_rule,
    scan=_scan,
    strength=_strength,
    describe=lambda row: f"{row[ZSCORE]:+.2f} deviations from the mean, RSI {row[RSI]:.1f}",
    vetoes=frozenset({Regime.CRASH}),
    check=_check,
)
