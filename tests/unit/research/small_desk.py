"""A plan and bars small enough to search in a test: a made-up market that swings, one strategy, short bars.

The limits that would stand still after a few losses are lifted, so that runs have trades to measure.
"""

from decimal import Decimal

import numpy as np
from msgspec.structs import replace

from neuratrade.core.model.account import Account
from neuratrade.core.model.instrument import Instrument, InstrumentKind
from neuratrade.core.model.market import NS_PER_MINUTE
from neuratrade.core.regime import RegimeParams
from neuratrade.core.risk.limits import DEFAULTS
from neuratrade.core.strategies.dna import AssetDna, Dna
from neuratrade.core.strategies.registry import default_settings
from neuratrade.research.columns import Columns
from neuratrade.research.plan import BacktestPlan

DAY_NS = 24 * 60 * NS_PER_MINUTE
BEGIN_NS = 1_700_006_400 * 10**9
SPAN_NS = 15 * NS_PER_MINUTE
BTC = Instrument(
    "BTC/USDT",
    "binanceusdm",
    InstrumentKind.PERPETUAL,
    "BTC",
    "USDT",
    Decimal("0.1"),
    Decimal("0.001"),
    Decimal("0.001"),
    Decimal(5),
    maker_fee_bps=Decimal(2),
    taker_fee_bps=Decimal(5),
)


def bars(days: int = 12, seed: int = 7) -> dict[str, Columns]:
    """Quarter-hours of a price that swings around 50,000 with noise."""
    draw = np.random.default_rng(seed)
    n = days * 96
    swing = 0.02 * np.sin(np.arange(n) / 9.0) + 0.03 * np.sin(np.arange(n) / 61.0)
    close = 50_000.0 * np.exp(swing + np.cumsum(draw.normal(0.0, 0.0008, n)))
    opened = np.concatenate(([close[0]], close[:-1]))
    reach = close * np.abs(draw.normal(0.0, 0.0015, n))
    high, low = np.maximum(opened, close) + reach, np.minimum(opened, close) - reach
    ts = BEGIN_NS + SPAN_NS * np.arange(n, dtype=np.int64)
    volume = np.full(n, 400.0)
    opened, high, low, close = (np.round(column, 1) for column in (opened, high, low, close))
    return {BTC.key: Columns(BTC, SPAN_NS, ts, opened, high, low, close, volume)}


def plan(strategy: str = "rsi_rule", thresholds: dict[str, dict[str, Decimal]] | None = None) -> BacktestPlan:
    asset = AssetDna("BTC/USDT", (strategy,), 240, thresholds=thresholds or {})
    return BacktestPlan(
        dna=Dna(1, 0, {"BTC/USDT": asset}, {strategy: default_settings(strategy)}),
        account=Account("backtest", "binanceusdm", "USDT"),
        instruments=(BTC,),
        limits=replace(
            DEFAULTS,
            kill_losses=10_000,
            session_losses=10_000,
            trades_per_day=1000,
            confidence=Decimal(0),
            session_drawdown_fraction=Decimal(1),
            daily_loss_fraction=Decimal(1),
            drawdown_24h_fraction=Decimal(1),
            uncalibrated_risk_fraction=Decimal("0.02"),
            cost_multiple=Decimal(0),
        ),
        regime=RegimeParams(window=100),
        assumed_volume_24h=Decimal(10_000_000_000),
    )
