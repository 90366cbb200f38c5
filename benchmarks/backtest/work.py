"""The reference work as a plan of our own backtest, and the two loops' trades to hold it to.

Nothing is left out of the desk: gate, brackets, ledger and records are on. What would decide instead of the
rule is lifted by parameter: limits and lot are chosen such that the gate's quantity comes to 1.0 (one whole
unit at any price of the year), spread, slippage and latency are nil, regime and gate look back over so few
bars that they are warm with the rule's own RSI, and volume is assumed ample.
"""

from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import numpy as np
from msgspec.structs import replace

from benchmarks.backtest.loops import Trade, Walk
from benchmarks.backtest.rule import (
    BUY_BELOW,
    CASH,
    FEE_FRACTION,
    HOLD_BARS,
    NS_PER_BAR,
    STOP_FRACTION,
    TARGET_FRACTION,
)
from benchmarks.reference import Series
from neuratrade.core.model.account import Account
from neuratrade.core.model.instrument import Instrument, InstrumentKind
from neuratrade.core.model.intent import EntryType, Lane
from neuratrade.core.regime import RegimeParams
from neuratrade.core.risk.limits import limits_of
from neuratrade.core.strategies.dna import AssetDna, Distance, Dna, ExitDna, Target
from neuratrade.core.strategies.registry import default_settings
from neuratrade.research.columns import Columns
from neuratrade.research.plan import BacktestPlan
from neuratrade.research.result import BacktestResult
from neuratrade.venues.paper.costs import PaperCosts

RULE = "rsi_rule"
CENT = 0.01
CONTRACT = Instrument(
    asset="BTC/USDT",
    venue="bench",
    kind=InstrumentKind.SPOT,
    base="BTC",
    quote="USDT",
    tick=Decimal("1e-9"),
    lot=Decimal(1),
    min_quantity=Decimal(1),
    min_notional=Decimal(5),
    maker_fee_bps=Decimal(str(FEE_FRACTION)) * 10_000,
    taker_fee_bps=Decimal(str(FEE_FRACTION)) * 10_000,
)
LIMITS = {
    "order_usd": "40370",  # one whole unit at any price of the year, never two
    "concurrent": "1",
    "confidence": "0",
    "cost_multiple": "0",
    "stop_min_atr": "0",
    "stop_max_atr": "1000",
    "kelly_min_outcomes": "1000000",
    "trades_per_day": "1000",
    "session_losses": "1000000",
    "kill_losses": "1000000",
    "lane_cooldown_ns": "0",
}
COSTS = PaperCosts(
    latency_ms=0,
    spread_fraction=Decimal(0),
    slippage_bps=Decimal(0),
    participation_fraction=Decimal(1),
    through=False,
)
WARM_AT_ONCE = RegimeParams(
    atr_period=1, adx_period=2, window=10, crash_bars=1, wild_rank=1.0, calm_rank=1.0, crash_floor=1.0
)


def plan(cash: float = CASH) -> BacktestPlan:
    """The reference work as we run it."""
    settings = default_settings(RULE)
    settings = replace(
        settings,
        timeframe_minutes=1,
        lane=Lane.MEAN_REVERSION,
        order_type=EntryType.MARKET,
        exit=ExitDna(Distance(pct=_exact(STOP_FRACTION)), (Target(Distance(pct=_exact(TARGET_FRACTION))),)),
        parameters={**settings.parameters, "buy_level_points": Decimal(int(BUY_BELOW))},
        entry_expiry_minutes=None,
        while_flat=True,
    )
    asset = AssetDna(CONTRACT.asset, (RULE,), HOLD_BARS, allow_short=False)
    return BacktestPlan(
        dna=Dna(1, 0, {CONTRACT.asset: asset}, {RULE: settings}),
        account=Account("paper", "bench", "USDT"),
        instruments=(CONTRACT,),
        cash=Decimal(int(cash)),
        costs=COSTS,
        limits=limits_of(LIMITS),
        regime=WARM_AT_ONCE,
        gate_span_ns=NS_PER_BAR,
        assumed_volume_24h=Decimal(10**12),
    )


def load(path: str | Path) -> Series:
    """The series out of a file that `benchmarks.backtest.data` wrote."""
    with np.load(path) as found:
        return Series(*(found[name] for name in Series._fields))


def columns(made: Series) -> dict[str, Columns]:
    """The series as a backtest takes it."""
    return {CONTRACT.key: Columns(CONTRACT, NS_PER_BAR, *made)}


def trades_of(result: BacktestResult) -> list[Trade]:
    """Our trades as the loops tell them: by bar."""
    bars = result.columns[CONTRACT.key]
    return [
        Trade(
            # Entered at the close of a bar, and left during one or at its close.
            _bar_closing_at(bars, trade.entry_ns),
            _bar_during(bars, trade.exit_ns),
            float(trade.entry_price),
            float(trade.exit_price),
            trade.reason,
        )
        for trade in result.trades
    ]


class Agreement(NamedTuple):
    """How two tellings of the work compare. same: trades equal in every field. first: the first that is not,
    in words. equity_apart: quote currency.
    """

    trades: int
    same: int
    first: str
    equity_apart: float

    @property
    def holds(self) -> bool:
        """Whether all trades are equal and the equity is, to a cent."""
        return self.same == self.trades and self.equity_apart < CENT


def agreement(ours: list[Trade], equity: float, theirs: Walk) -> Agreement:
    """Compares trade by trade: bars and reason exactly, prices to the tick of our instrument."""
    same, first = 0, ""
    for place in range(max(len(ours), len(theirs.trades))):
        one = ours[place] if place < len(ours) else None
        other = theirs.trades[place] if place < len(theirs.trades) else None
        if one is not None and other is not None and _equal(one, other):
            same += 1
        elif not first:
            first = f"trade {place + 1}: ours {one}, theirs {other}"
    return Agreement(max(len(ours), len(theirs.trades)), same, first, abs(equity - theirs.equity))


def _equal(one: Trade, other: Trade) -> bool:
    tick = float(CONTRACT.tick)
    apart = max(abs(one.entry - other.entry), abs(one.exit - other.exit))
    named = (one.entered, one.left, one.reason) == (other.entered, other.left, other.reason)
    return named and apart <= tick


def _exact(fraction: float) -> Decimal:
    return Decimal(str(fraction))


def _bar_closing_at(bars: Columns, at_ns: int) -> int:
    place = bars.closed_by(at_ns) - 1
    if int(bars.ts[place]) + bars.span_ns != at_ns:
        raise RuntimeError(f"entered at {at_ns} ns, which is no bar's close")
    return place


def _bar_during(bars: Columns, at_ns: int) -> int:
    return int(np.searchsorted(bars.ts, at_ns, side="left")) - 1
