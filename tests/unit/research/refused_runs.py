"""The same proposals twice: once traded by the desk, once refused by its gate, to be compared."""

from decimal import Decimal
from pathlib import Path

import numpy as np
import polars as pl
from msgspec.structs import replace

from neuratrade.core.model.account import Account
from neuratrade.core.model.instrument import Instrument, InstrumentKind
from neuratrade.core.risk.limits import DEFAULTS, Limits
from neuratrade.core.strategies.dna import AssetDna, Dna, StrategyDna
from neuratrade.core.strategies.registry import default_settings
from neuratrade.research.backtest import run_backtest
from neuratrade.research.columns import Columns
from neuratrade.research.plan import BacktestPlan
from neuratrade.research.result import BacktestResult, Refused, TradeDone
from neuratrade.venues.paper.costs import PaperCosts

PERPETUAL = Instrument(
    "BTC/USDT", "binanceusdm", InstrumentKind.PERPETUAL, "BTC", "USDT", Decimal("0.1"), Decimal("0.00000001"),
    Decimal("0.00000001"), Decimal("0.01"), maker_fee_bps=Decimal(2), taker_fee_bps=Decimal(5),
)  # fmt: skip
LIFTED = replace(
    DEFAULTS,
    risk_per_trade_fraction=Decimal(1),
    position_fraction=Decimal(1),
    leverage=Decimal(1000),
    stop_distance_fraction=Decimal("0.9"),
    slippage_fraction=Decimal(1),
    drawdown_24h_fraction=Decimal(1),
    trades_per_day=10**6,
    scalp_trades_per_day=10**6,
    concurrent=10**6,
    session_drawdown_fraction=Decimal(1),
    daily_loss_fraction=Decimal(1),
    confidence=Decimal(0),
    session_losses=10**6,
    kill_losses=10**6,
    order_usd=Decimal(50),
    total_usd=Decimal(10**9),
    fat_finger_fraction=Decimal(1),
    stop_min_atr=Decimal(0),
    stop_max_atr=Decimal(1000),
    cost_multiple=Decimal(0),
    volume_24h_share_fraction=Decimal(1),
    kelly_min_outcomes=10**9,
    lane_cooldown_ns=0,
)
"""Limits under which a proposal is traded, small enough for every bar to take it whole."""


def recorded(folder: Path, first: int, last: int, contract: Instrument = PERPETUAL) -> Columns:
    """Minutes of a real market."""
    frame = pl.read_parquet(folder / "ohlcv" / "binanceusdm_BTCUSDT_1m.parquet").slice(first, last - first)
    prices = [frame[name].to_numpy() for name in ("open", "high", "low", "close", "volume")]
    return Columns(contract, 60 * 10**9, frame["ts"].to_numpy() * 1_000_000, *prices)


def plan_of(strategy: StrategyDna, columns: Columns, limits: Limits, costs: PaperCosts) -> BacktestPlan:
    """A run of one strategy on the second half of the bars, the first half being history."""
    asset = columns.instrument.asset
    dna = Dna(1, 0, {asset: AssetDna(asset, (strategy.name,), 240)}, {strategy.name: strategy})
    return BacktestPlan(
        dna=dna,
        account=Account("backtest", columns.instrument.venue, "USDT"),
        instruments=(columns.instrument,),
        cash=Decimal(1_000_000),
        limits=limits,
        costs=costs,
        start_ns=int(columns.ts[len(columns) // 2]),
        assumed_volume_24h=Decimal(10**9),
    )


def settings(name: str, **changes: object) -> StrategyDna:
    """A strategy's settings, one signal a minute bar, so that a day gives many of them."""
    plain = replace(default_settings(name), timeframe_minutes=1)
    return replace(plain, **changes)


def traded_and_refused(
    strategy: StrategyDna, columns: Columns, costs: PaperCosts
) -> tuple[BacktestResult, dict[str, TradeDone], BacktestResult, dict[str, Refused]]:
    """The same proposals with a gate that lets all pass and with one that lets none."""
    open_gate = run_backtest(plan_of(strategy, columns, LIFTED, costs), {columns.instrument.key: columns})
    shut = replace(LIFTED, confidence=Decimal(2))
    shut_gate = run_backtest(plan_of(strategy, columns, shut, costs), {columns.instrument.key: columns})
    trades = {item.intent_id: item for item in open_gate.trades}
    return open_gate, trades, shut_gate, {item.intent_id: item for item in shut_gate.refused}


def only_finite(values: list[float]) -> bool:
    """Whether no result is nan or infinite."""
    return bool(np.isfinite(np.array(values)).all())
