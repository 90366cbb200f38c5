"""EMA cross: follow the fast average over the slow one, where a trend is strong enough to follow.

Long when the fast EMA rises through the slow one while the close is above the trend EMA, short on the
mirror; never while the ADX is below `min_adx_points`, because crosses of a market without direction come in
pairs and lose twice. Strength is the ADX between that minimum and `full_adx_points`. Source: Appel 1979 (12
and 26 bars), Wilder 1978 (ADX).
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

FAST, SLOW, TREND, ADX = 1, 2, 3, 4
MIN_ADX, FULL_ADX = 0, 1


@kernel
def _rule(previous: Row, current: Row, close: float, levels: Row) -> int:
    if not known(previous, current) or current[ADX] < levels[MIN_ADX]:
        return 0
    if previous[FAST] <= previous[SLOW] and current[FAST] > current[SLOW] and close > current[TREND]:
        return 1
    if previous[FAST] >= previous[SLOW] and current[FAST] < current[SLOW] and close < current[TREND]:
        return -1
    return 0


@kernel
def _scan(rows: NDArray[np.float64], closes: Row, levels: Row, signals: Signals) -> None:
    for i in range(1, rows.shape[0]):
        signals[i] = _rule(rows[i - 1], rows[i], closes[i], levels)


def _strength(signal: int, current: Row, levels: Row) -> float:
    return float((current[ADX] - levels[MIN_ADX]) / (levels[FULL_ADX] - levels[MIN_ADX]))


def _check(values: Values) -> None:
    rising = ("fast_period_bars", "slow_period_bars", "trend_period_bars")
    for low, high in ((*rising[:2],), (*rising[1:],), ("min_adx_points", "full_adx_points")):
        if values[low] >= values[high]:
            raise ValueError(f"{low} ({values[low]}) must lie below {high} ({values[high]})")


def _bars(name: str, default: int, meaning: str) -> Parameter:
    return Parameter(name, Decimal(default), Decimal(2), Decimal(1000), meaning, whole=True, per_asset=False)


EMA_CROSS = Kind(
    defaults=StrategyDna(
        name="ema_cross",
        timeframe_minutes=15,
        lane=Lane.MOMENTUM,
        order_type=EntryType.MARKET,
        exit=ExitDna(stop=Distance(atr=Decimal(3)), targets=(Target(Distance(atr=Decimal("1.5"))),)),
        parameters={},
    ),
    parameters=(
        _bars("fast_period_bars", 12, "bars of the fast EMA"),
        _bars("slow_period_bars", 26, "bars of the slow EMA"),
        _bars("trend_period_bars", 100, "bars of the EMA that tells the trend"),
        _bars("adx_period_bars", 14, "bars of the ADX"),
        Parameter("min_adx_points", Decimal(15), Decimal(0), Decimal(99), "ADX below which no cross counts"),
        Parameter("full_adx_points", Decimal(30), Decimal(1), Decimal(100), "ADX of a full signal"),
    ),
    indicators=lambda values: (
        indicator("ema", int(values["fast_period_bars"])),
        indicator("ema", int(values["slow_period_bars"])),
        indicator("ema", int(values["trend_period_bars"])),
        indicator("adx", int(values["adx_period_bars"])),
    ),
    levels=lambda values: (float(values["min_adx_points"]), float(values["full_adx_points"])),
    rule=_rule,
    scan=_scan,
    strength=_strength,
    describe=lambda row: f"EMA {row[FAST]:.6g} through {row[SLOW]:.6g}, ADX {row[ADX]:.1f}",
    check=_check,
)
