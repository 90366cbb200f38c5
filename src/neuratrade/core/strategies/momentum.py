"""Momentum: join a close that breaks out of its Bollinger band on unusual volume in a market with
direction.

Long when the z-score rises through `breakout_deviations` on a bar whose volume is at least
`min_volume_ratio` times the usual one, with the ADX at `min_adx_points` or more and +DI above -DI; short on
the mirror. Strength is the volume between that minimum and `full_volume_ratio`: a breakout that nobody
trades is noise. Source: Bollinger 2001 (volatility breakout), Wilder 1978 (ADX).
"""

from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from neuratrade.core.indicators.kernel import kernel
from neuratrade.core.indicators.registry import indicator
from neuratrade.core.model.intent import EntryType, Lane
from neuratrade.core.strategies.dna import Distance, ExitDna, StrategyDna, Target
from neuratrade.core.strategies.port import Row
from neuratrade.core.strategies.rule import Kind, Parameter, Signals, Values, known

ZSCORE, VOLUME, ADX, PLUS_DI, MINUS_DI = 1, 2, 3, 4, 5
BREAKOUT, MIN_VOLUME, FULL_VOLUME, MIN_ADX = 0, 1, 2, 3


@kernel
def _rule(previous: Row, current: Row, close: float, levels: Row) -> int:
    if not known(previous, current):
        return 0
    if current[ADX] < levels[MIN_ADX] or current[VOLUME] < levels[MIN_VOLUME]:
        return 0
    upwards = current[PLUS_DI] > current[MINUS_DI]
    if upwards and previous[ZSCORE] < levels[BREAKOUT] <= current[ZSCORE]:
        return 1
    downwards = current[MINUS_DI] > current[PLUS_DI]
    if downwards and previous[ZSCORE] > -levels[BREAKOUT] >= current[ZSCORE]:
        return -1
    return 0


@kernel
def _scan(rows: NDArray[np.float64], closes: Row, levels: Row, signals: Signals) -> None:
    for i in range(1, rows.shape[0]):
        signals[i] = _rule(rows[i - 1], rows[i], closes[i], levels)


def _strength(signal: int, current: Row, levels: Row) -> float:
    return float((current[VOLUME] - levels[MIN_VOLUME]) / (levels[FULL_VOLUME] - levels[MIN_VOLUME]))


def _check(values: Values) -> None:
    low, high = values["min_volume_ratio"], values["full_volume_ratio"]
    if low >= high:
        raise ValueError(f"min_volume_ratio ({low}) must lie below full_volume_ratio ({high})")


def _bars(name: str, default: int, meaning: str) -> Parameter:
    return Parameter(name, Decimal(default), Decimal(2), Decimal(500), meaning, whole=True, per_asset=False)


MOMENTUM = Kind(
    defaults=StrategyDna(
        name="momentum",
        timeframe_minutes=15,
        lane=Lane.MOMENTUM,
        order_type=EntryType.MARKET,
        exit=ExitDna(
            stop=Distance(atr=Decimal(3)),
            targets=(
                Target(Distance(atr=Decimal("1.5")), Decimal("0.5")),
                Target(Distance(atr=Decimal(3)), Decimal("0.5")),
            ),
            trailing_pct=Decimal("0.01"),
        ),
        parameters={},
    ),
    parameters=(
        _bars("band_period_bars", 20, "bars of the band"),
        _bars("volume_period_bars", 20, "bars of the usual volume"),
        _bars("adx_period_bars", 14, "bars of the ADX"),
        Parameter(
            "breakout_deviations", Decimal(2), Decimal("0.5"), Decimal(6), "deviations that are a breakout"
        ),
        Parameter(
            "min_volume_ratio", Decimal("1.5"), Decimal(0), Decimal(100), "volume over the usual that counts"
        ),
        Parameter(
            "full_volume_ratio",
            Decimal(3),
            Decimal("0.1"),
            Decimal(500),
            "volume over the usual, full signal",
        ),
        Parameter(
            "min_adx_points", Decimal(20), Decimal(0), Decimal(99), "ADX below which no breakout counts"
        ),
    ),
    indicators=lambda values: (
        indicator("zscore", int(values["band_period_bars"])),
        indicator("volume_spike", int(values["volume_period_bars"])),
        indicator("adx", int(values["adx_period_bars"])),
    ),
    levels=lambda values: (
        float(values["breakout_deviations"]),
        float(values["min_volume_ratio"]),
        float(values["full_volume_ratio"]),
        float(values["min_adx_points"]),
    ),
    rule=_rule,
    scan=_scan,
    strength=_strength,
    describe=lambda row: f"{row[ZSCORE]:+.2f} deviations, volume x{row[VOLUME]:.1f}, ADX {row[ADX]:.1f}",
    check=_check,
)
