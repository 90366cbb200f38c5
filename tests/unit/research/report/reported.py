"""Results to report on, made without a desk: prices that wander, and trades laid over them."""

from collections.abc import Sequence
from decimal import Decimal

import numpy as np

from neuratrade.core.model.account import Account
from neuratrade.core.model.instrument import Instrument, InstrumentKind
from neuratrade.core.model.market import NS_PER_MINUTE
from neuratrade.core.strategies.dna import AssetDna, Dna
from neuratrade.core.strategies.registry import default_settings
from neuratrade.research.columns import Columns
from neuratrade.research.plan import BacktestPlan
from neuratrade.research.result import BacktestResult, Equity, Refused, TradeDone

START_NS = 1_735_689_600_000_000_000
"""2025-01-01, UTC."""


def instrument(asset: str = "BTC/USDT", venue: str = "binanceusdm") -> Instrument:
    """A perpetual with a tick of 0.1."""
    return Instrument(
        asset=asset,
        venue=venue,
        kind=InstrumentKind.PERPETUAL,
        base="BTC",
        quote="USDT",
        tick=Decimal("0.1"),
        lot=Decimal("0.001"),
        min_quantity=Decimal("0.001"),
        min_notional=Decimal(5),
        maker_fee_bps=Decimal(2),
        taker_fee_bps=Decimal(5),
    )


def wandering(bars: int, contract: Instrument | None = None, seed: int = 1) -> Columns:
    """One-minute bars from 2025 on, around 100,000."""
    chance = np.random.default_rng(seed)
    close = np.round(100_000 * np.exp(np.cumsum(chance.normal(0, 5e-4, bars))), 1)
    opened = np.concatenate(([100_000.0], close[:-1]))[:bars]
    reach = np.abs(chance.normal(0, 20, bars)).round(1)
    ts = START_NS + np.arange(bars, dtype=np.int64) * NS_PER_MINUTE
    return Columns(
        contract or instrument(),
        NS_PER_MINUTE,
        ts,
        opened,
        np.maximum(opened, close) + reach,
        np.minimum(opened, close) - reach,
        close,
        chance.uniform(1, 50, bars).round(3),
    )


def trade(
    bars: Columns, place: int, held: int = 40, strategy: str = "rsi_rule", **changes: object
) -> TradeDone:
    """One long trade over `held` bars from `place` on, worth what the prices made of it."""
    entry, end = Decimal(repr(float(bars.close[place]))), Decimal(repr(float(bars.close[place + held])))
    span = slice(place + 1, place + held + 1)
    fields: dict[str, object] = {
        "intent_id": f"intent-{place}",
        "instrument": bars.instrument.key,
        "strategy": strategy,
        "lane": "mean_reversion",
        "direction": "LONG",
        "quantity": Decimal("0.1"),
        "entry_ns": int(bars.ts[place]) + NS_PER_MINUTE,
        "entry_price": entry,
        "exit_ns": int(bars.ts[place + held]) + NS_PER_MINUTE,
        "exit_price": end,
        "stop_price": entry * Decimal("0.99"),
        "targets": (entry * Decimal("1.02"),),
        "pnl": (end - entry) / 10 - 5,
        "fees": Decimal(5),
        "return_fraction": float(end / entry) - 1.0005,
        "risk": entry / 1000,
        "r_multiple": float(((end - entry) / 10 - 5) / (entry / 1000)),
        "adverse_fraction": max(0.0, 1 - float(bars.low[span].min()) / float(entry)),
        "favourable_fraction": max(0.0, float(bars.high[span].max()) / float(entry) - 1),
        "reason": "TP" if end > entry else "SL",
        "bars_held": held,
    }
    return TradeDone(**{**fields, **changes})  # type: ignore[arg-type]


def refusal(bars: Columns, place: int, **changes: object) -> Refused:
    """A proposal the gate kept out."""
    fields: dict[str, object] = {
        "intent_id": f"refused-{place}",
        "at_ns": int(bars.ts[place]),
        "instrument": bars.instrument.key,
        "strategy": "rsi_rule",
        "direction": "SHORT",
        "trigger_price": Decimal("100000.5"),
        "stop_price": Decimal(101_000),
        "target_price": None,
        "refused_by": ("confidence", "regime"),
        "reasons": ("confidence is too low", "the regime is not known"),
    }
    return Refused(**{**fields, **changes})  # type: ignore[arg-type]


def plan(*contracts: Instrument, strategy: str = "rsi_rule", **changes: object) -> BacktestPlan:
    """A plan over these instruments."""
    assets = {item.asset: AssetDna(item.asset, (strategy,), 240) for item in contracts}
    dna = Dna(1, 0, assets, {strategy: default_settings("rsi_rule")})
    account = Account("backtest", "binanceusdm", "USDT")
    return BacktestPlan(dna=dna, account=account, instruments=contracts, **changes)  # type: ignore[arg-type]


def result(
    bars: Sequence[Columns],
    trades: Sequence[TradeDone] = (),
    refused: Sequence[Refused] = (),
    **changes: object,
) -> BacktestResult:
    """A finished run: equity moves with the trades as they close."""
    at_ns = np.unique(np.concatenate([one.close_ns for one in bars]))
    value = np.full(len(at_ns), 100_000.0)
    for one in trades:
        value[np.searchsorted(at_ns, one.exit_ns) :] += float(one.pnl)
    fees = sum((one.fees for one in trades), start=Decimal(0))
    fields: dict[str, object] = {
        "plan": plan(*(one.instrument for one in bars)),
        "columns": {one.instrument.key: one for one in bars},
        "trades": tuple(trades),
        "refused": tuple(refused),
        "refused_by": {name: 1 for one in refused for name in one.refused_by},
        "intents": len(trades) + len(refused),
        "equity": Equity(at_ns, value, np.zeros(len(at_ns))),
        "final_equity": Decimal(100_000) + sum((one.pnl for one in trades), start=Decimal(0)),
        "fees": fees,
        "carry": Decimal(0),
        "turnover": Decimal(20_000) * len(trades),
        "bars": sum(map(len, bars)),
        "stepped": len(at_ns),
        "unprotected_ms_max": 50,
        "halted": "",
        "run_s": 0.5,
        "skipped": True,
    }
    return BacktestResult(**{**fields, **changes})  # type: ignore[arg-type]
