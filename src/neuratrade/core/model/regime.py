"""The names of market regimes. The detector that finds them is `neuratrade.core.regime`."""

from enum import StrEnum


class Regime(StrEnum):
    """What kind of market it is."""

    UNKNOWN = "unknown"
    RANGE = "range"
    TREND = "trend"
    HIGH_VOLATILITY = "high_volatility"
    CRASH = "crash"
