"""The desk set up for the reference work: its own engine, gate, paper venue and books, with nothing left out.

The quantity is the gate's to decide, so limits and lot are chosen such that it always comes to 1.0; the
other limits, fees, tick and costs are those of the reference, where nothing but the rule and the bracket
decides. The regime is computed with its usual windows but never calls a market wild or falling, since that
would halve sizes. What the desk does differently, and what that means for the trades:

- it opens nothing until gate and regime are warm, 1,500 bars: the plain loop it is held to waits as long;
- "below 32" is "at or below" here, which no bar of the series tells apart.
"""

from decimal import Decimal
from time import perf_counter
from typing import NamedTuple

from msgspec.structs import replace

from benchmarks.backtest import work
from benchmarks.backtest.rule import BUY_BELOW
from benchmarks.reference import CHUNK, Series, Tally, chunks
from neuratrade.core.engine.config import EngineConfig
from neuratrade.core.engine.engine import Engine
from neuratrade.core.indicators.native import NativeProvider
from neuratrade.core.model.account import Account
from neuratrade.core.model.facts import RunStarted
from neuratrade.core.model.intent import EntryType, Lane
from neuratrade.core.regime import RegimeParams
from neuratrade.core.strategies.dna import AssetDna, Distance, Dna, ExitDna, Target
from neuratrade.core.strategies.registry import build_strategies, default_settings
from neuratrade.hands.recorder import MemoryRecorder
from neuratrade.hands.simulated import SimulatedDesk
from neuratrade.venues.paper.costs import PaperCosts
from neuratrade.venues.paper.exchange import PaperExchange

WARM_BARS = RegimeParams().crash_bars + RegimeParams().window
CASH = Decimal(10_000_000)
ACCOUNT = Account("paper", "bench", "USDT")
CONTRACT = replace(work.CONTRACT, tick=Decimal("0.00001"))
COSTS = PaperCosts(spread_fraction=Decimal(0), slippage_bps=Decimal(0), participation_fraction=Decimal(1))
NEVER_WILD = RegimeParams(wild_rank=1.0, crash_floor=1.0)


class Outcome(NamedTuple):
    """One run: bars a second, and what it came to."""

    bars_per_second: float
    tally: Tally


def live_through(made: Series, recorder: MemoryRecorder | None = None) -> Outcome:
    """The reference year, bar by bar, its facts into `recorder`.

    Only the desk's own time counts: bars are made while the clock rests.
    """
    recorder = MemoryRecorder() if recorder is None else recorder
    engine = Engine(_config())
    exchange = PaperExchange(ACCOUNT, {CONTRACT.key: CONTRACT}, CASH, COSTS)
    desk = SimulatedDesk(engine, exchange, recorder, None)
    desk.take(_started(int(made.ts[0])))
    seconds = 0.0
    for bars in chunks(made, CONTRACT.key):
        began = perf_counter()
        for bar in bars:
            desk.bars([bar])
        seconds += perf_counter() - began
    counts = engine.state.counts
    return Outcome(desk.bars_seen / seconds, Tally(counts.trades, float(counts.pnl)))


def warmed_up(made: Series) -> None:
    """Compiles and caches what a first run would pay for."""
    live_through(made.first(CHUNK))


def _config() -> EngineConfig:
    settings = default_settings(work.RULE)
    settings = replace(
        settings,
        timeframe_minutes=1,
        lane=Lane.MEAN_REVERSION,
        order_type=EntryType.MARKET,
        exit=ExitDna(Distance(pct=Decimal("0.005")), (Target(Distance(pct=Decimal("0.01"))),)),
        parameters={**settings.parameters, "buy_level_points": Decimal(str(BUY_BELOW))},
        entry_expiry_minutes=None,
    )
    asset = AssetDna(CONTRACT.asset, (work.RULE,), 60, allow_short=False)
    dna = Dna(1, 0, {CONTRACT.asset: asset}, {work.RULE: settings})
    return EngineConfig(
        ACCOUNT.account_id,
        "bench",
        {CONTRACT.key: CONTRACT},
        build_strategies(dna),
        dna,
        NativeProvider(),
        None,
        assumed_spread_fraction=Decimal(0),
        regime=NEVER_WILD,
    )


def _started(at_ns: int) -> RunStarted:
    return RunStarted(
        at_ns, "bench", "paper", ACCOUNT, CASH, "reference", True, (CONTRACT,), work.LIMITS, {}, "", "", "0"
    )
