"""RSI rule: buy when the RSI falls through the asset's buy level, sell short when it rises through its
sell level.

It fires on the crossing only, so a market that stays oversold gives one signal, not one a bar. Strength is
how far past the level the crossing went: a touch is worth nothing, `full_depth_points` past it is worth
everything. Source: Wilder 1978, section VI (levels 30 and 70, period 14).
"""

from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from neuratrade.core.indicators.kernel import kernel
from neuratrade.core.indicators.registry import indicator
from neuratrade.core.model.intent import EntryType, Lane
from neuratrade.core.strategies.dna import Distance, ExitDna, StrategyDna, Target
from neuratrade.core.strategies.port import Row
from neuratrade.core.strategies.rule import ATR, Kind, Parameter, Signals, Values, known

RSI = 1
BUY, SELL, DEPTH = 0, 1, 2


@kernel
def _rule(previous: Row, current: Row, close: float, levels: Row) -> int:
    # The RSI of a market that never moved reads 0; that is no weakness to buy.
    if not known(previous, current) or current[ATR] <= 0.0:
        return 0
    if current[RSI] <= levels[BUY] < previous[RSI]:
        return 1
    if current[RSI] >= levels[SELL] > previous[RSI]:
        return -1
    return 0


@kernel
def _scan(rows: NDArray[np.float64], closes: Row, levels: Row, signals: Signals) -> None:
    for i in range(1, rows.shape[0]):
        signals[i] = _rule(rows[i - 1], rows[i], closes[i], levels)


def _strength(signal: int, current: Row, levels: Row) -> float:
    past = levels[BUY] - current[RSI] if signal > 0 else current[RSI] - levels[SELL]
    return float(past / levels[DEPTH])


def _check(values: Values) -> None:
    if values["buy_level_points"] >= values["sell_level_points"]:
        raise ValueError(
            f"buy_level_points ({values['buy_level_points']}) must lie below "
            f"sell_level_points ({values['sell_level_points']})"
        )


RSI_RULE = Kind(
    defaults=StrategyDna(
        name="rsi_rule",
        timeframe_minutes=15,
        lane=Lane.MEAN_REVERSION,
        order_type=EntryType.LIMIT,
        exit=ExitDna(stop=Distance(atr=Decimal(3)), targets=(Target(Distance(atr=Decimal("1.5"))),)),
        parameters={},
        entry_expiry_minutes=30,
    ),
    parameters=(
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
            "buy_level_points", Decimal(30), Decimal(1), Decimal(99), "RSI that is crossed downwards to buy"
        ),
        Parameter(
            "sell_level_points",
            Decimal(70),
            Decimal(1),
            Decimal(99),
            "RSI that is crossed upwards to sell short",
        ),
        Parameter(
            "full_depth_points",
            Decimal(6),
            Decimal("0.1"),
            Decimal(50),
            "RSI past the level of a full signal",
        ),
    ),
    indicators=lambda values: (indicator("rsi", int(values["rsi_period_bars"])),),
    levels=lambda values: (
        float(values["buy_level_points"]),
        float(values["sell_level_points"]),
        float(values["full_depth_points"]),
    ),
    rule=_rule,
    scan=_scan,
    strength=_strength,
    describe=lambda row: f"RSI {row[RSI]:.1f}, ATR {row[ATR]:.6g}",
    check=_check,
)
