"""The desk's DNA as the core sees it: thresholds, exits and calibration, already validated and frozen.

Files and their errors are the app's business (`app/dna.py`); a core that parsed YAML could fail in the
middle of a trade. Amounts are Decimal, fields ending in `_pct` are fractions (`0.02` is 2 %), `_atr` are
multiples of the ATR(14) of the strategy's own timeframe.
"""

from decimal import Decimal

import msgspec

from neuratrade.core.model.decimals import ONE, ZERO
from neuratrade.core.model.intent import EntryType, Lane
from neuratrade.core.risk.limits import Limits, tightened

LIMIT_KEYS = {
    "risk_per_trade_pct": "risk_per_trade_fraction",
    "max_position_pct": "position_fraction",
    "max_leverage_ratio": "leverage",
    "max_stop_distance_pct": "stop_distance_fraction",
    "max_slippage_pct": "slippage_fraction",
    "max_drawdown_24h_pct": "drawdown_24h_fraction",
    "max_session_drawdown_pct": "session_drawdown_fraction",
    "max_daily_loss_pct": "daily_loss_fraction",
    "max_trades_per_day_count": "trades_per_day",
    "max_scalp_trades_per_day_count": "scalp_trades_per_day",
    "max_concurrent_positions_count": "concurrent",
    "max_order_usd": "order_usd",
    "max_total_usd": "total_usd",
    "min_confidence": "confidence",
    "kelly_fraction": "kelly_fraction",
    "kelly_min_sample_count": "kelly_min_outcomes",
}
"""Keys of `risk` in a DNA file, and the limit each one tightens."""


class Distance(msgspec.Struct, frozen=True):
    """How far a level lies from the entry: `atr` average true ranges, or `pct` of the entry price.
    Exactly one.
    """

    atr: Decimal | None = None
    pct: Decimal | None = None

    def __post_init__(self) -> None:
        if (self.atr is None) == (self.pct is None):
            raise ValueError(
                "a distance is given either in ATR or as a fraction of the price, not both, not neither"
            )

    def of(self, price: Decimal, atr: Decimal) -> Decimal:
        """The distance in quote currency per unit of base, at `price` with the ATR in the same unit."""
        return self.atr * atr if self.atr is not None else (self.pct or ZERO) * price


class Target(msgspec.Struct, frozen=True):
    """One rung of the ladder: leave `fraction` of the position at `distance` from the entry."""

    distance: Distance
    fraction: Decimal = ONE


class ExitDna(msgspec.Struct, frozen=True):
    """How a position is left. The fractions of `targets` add up to at most 1. trailing_pct: fraction of
    the price.
    """

    stop: Distance
    targets: tuple[Target, ...]
    trailing_pct: Decimal | None = None


class StrategyDna(msgspec.Struct, frozen=True):
    """One strategy's settings.

    parameters: the strategy's own, complete (defaults filled in), by name. confidence_floor and
    confidence_cap: what a signal that just passes and one of full strength are worth.
    max_hold_time_minutes, entry_expiry_minutes: None where only the asset's limit applies, or the entry
    rests until the hold time ends. while_flat: it says nothing on an asset it is entering or holds already.
    """

    name: str
    timeframe_minutes: int
    lane: Lane
    order_type: EntryType
    exit: ExitDna
    parameters: dict[str, Decimal]
    confidence_floor: Decimal = Decimal("0.65")
    confidence_cap: Decimal = Decimal("0.95")
    max_hold_time_minutes: int | None = None
    entry_expiry_minutes: int | None = None
    while_flat: bool = False


class AssetDna(msgspec.Struct, frozen=True):
    """What the desk may do with one asset.

    asset: the pair, `BTC/USDT`. min_volume_24h: quote currency. strategies: names that trade it.
    thresholds: parameters that differ for this asset, by strategy and name.
    """

    asset: str
    strategies: tuple[str, ...]
    max_hold_time_minutes: int
    min_volume_24h: Decimal = ZERO
    allow_short: bool = True
    thresholds: dict[str, dict[str, Decimal]] = {}


class RiskDna(msgspec.Struct, frozen=True):
    """What the DNA excludes, and the limits it tightens.

    blacklist: assets that the gate never opens. limits: values by the name of a limit in `Limits`. It can
    only ever tighten: a ceiling is nobody's to loosen, a default only an operator's.
    """

    blacklist: tuple[str, ...] = ()
    limits: dict[str, Decimal] = {}

    def tighten(self, limits: Limits) -> Limits:
        """`limits` with each value of the DNA that is tighter; the others stay as they are."""
        return tightened(limits, self.limits)


class CalibrationBucket(msgspec.Struct, frozen=True):
    """How often trades of a confidence in [confidence_from, confidence_to) won; a bucket up to 1
    includes 1.
    """

    confidence_from: Decimal
    confidence_to: Decimal
    win_rate_pct: Decimal
    sample_count: int

    def holds(self, confidence: Decimal) -> bool:
        """Whether `confidence` belongs to this bucket."""
        return (
            self.confidence_from <= confidence < self.confidence_to or confidence == self.confidence_to == ONE
        )


class Dna(msgspec.Struct, frozen=True):
    """A whole DNA file. sha256: hex digest of the file's bytes, journaled so that every decision names
    its DNA.
    """

    version: int
    last_updated_ns: int
    assets: dict[str, AssetDna]
    strategies: dict[str, StrategyDna]
    risk: RiskDna = RiskDna()
    calibration: tuple[CalibrationBucket, ...] = ()
    sha256: str = ""

    def assets_of(self, strategy: str) -> tuple[AssetDna, ...]:
        """Assets that `strategy` trades, in the order of the file; blacklisted ones too, since it is the gate
        that refuses them, with a reason.
        """
        return tuple(asset for asset in self.assets.values() if strategy in asset.strategies)

    def calibrated(self, confidence: Decimal) -> CalibrationBucket | None:
        """The bucket `confidence` falls into, or None where nothing was learned yet."""
        return next((bucket for bucket in self.calibration if bucket.holds(confidence)), None)
