"""The backtest: the desk that trades live, on a simulated venue, over recorded bars.

There is no second engine. Gate, brackets, ledger and governors are the ones of the desk; only who feeds the
bars differs. Bars before the start warm the indicators and are never traded.
"""

from collections.abc import Callable, Mapping
from time import perf_counter

import numpy as np

from neuratrade.core.engine.config import EngineConfig
from neuratrade.core.engine.engine import Engine
from neuratrade.core.indicators.native import NativeProvider
from neuratrade.core.model.errors import UsageError
from neuratrade.core.model.facts import RunStarted, TradingState
from neuratrade.core.model.market import Bar
from neuratrade.core.model.venue_rules import PAPER_RULES
from neuratrade.core.risk.limits import NAMES
from neuratrade.core.strategies.registry import build_strategies
from neuratrade.hands.recorder import MemoryRecorder
from neuratrade.hands.simulated import SimulatedDesk
from neuratrade.research.columns import Columns
from neuratrade.research.plan import BacktestPlan
from neuratrade.research.records import equity_curve, read_facts, turnover_of
from neuratrade.research.result import BacktestResult
from neuratrade.venues.paper.exchange import PaperExchange

Progress = Callable[[int, int], None]
"""Told how many instants are done, of how many."""
_TELL_EVERY = 4096


def run_backtest(
    plan: BacktestPlan,
    columns: Mapping[str, Columns],
    *,
    skip: bool = True,
    progress: Progress | None = None,
) -> BacktestResult:
    """Runs one plan. columns: bars by instrument key, all of one length.

    Raises UsageError where there is nothing to run on, or an instrument has no bars.
    """
    spans = {bars.span_ns for bars in columns.values()}
    if len(spans) != 1:
        raise UsageError("a backtest needs bars of one length; give one timeframe")
    engine = Engine(_config(plan, spans.pop()))
    exchange = PaperExchange(
        plan.account, {item.key: item for item in plan.instruments}, plan.cash, plan.costs
    )
    recorder = MemoryRecorder()
    desk = SimulatedDesk(engine, exchange, recorder, None)
    every = np.unique(np.concatenate([bars.close_ns for bars in columns.values()]))
    start_ns = int(every[0]) - 1 if plan.start_ns is None else plan.start_ns
    end_ns = int(every[-1]) if plan.end_ns is None else plan.end_ns
    if not ((every > start_ns) & (every <= end_ns)).any():
        raise UsageError("no bar closes between the start and the end of this backtest; give other dates")
    began = perf_counter()
    stepped = _bar_by_bar(desk, columns, plan, start_ns, end_ns, progress)
    run_s = perf_counter() - began
    state = engine.state
    records = read_facts(recorder.facts, columns)
    equity = equity_curve(columns, records, plan.cash, start_ns, end_ns)
    final = engine.equity(plan.account.account_id)
    if final is None:
        raise UsageError("the account cannot be valued at the end: a price or a conversion is missing")
    stands = state.trading_state is not TradingState.RUNNING
    return BacktestResult(
        plan=plan,
        columns=dict(columns),
        trades=records.trades,
        refused=records.refused,
        refused_by=dict(state.counts.refused_by),
        intents=records.intents,
        equity=equity,
        final_equity=final,
        fees=state.counts.fees,
        carry=sum((item.amount for item in records.moved), start=plan.cash * 0),
        turnover=turnover_of(records.fills, columns),
        bars=sum(bars.closed_by(end_ns) - bars.closed_by(start_ns) for bars in columns.values()),
        stepped=stepped,
        unprotected_ms_max=state.counts.unprotected_ms_max,
        halted=f"{state.trading_state.value}: {state.state_reason}" if stands else "",
        run_s=run_s,
        skipped=False,
    )


def _config(plan: BacktestPlan, span_ns: int) -> EngineConfig:
    return EngineConfig(
        account_id=plan.account.account_id,
        operator_id="backtest",
        instruments={item.key: item for item in plan.instruments},
        strategies=build_strategies(plan.dna),
        dna=plan.dna,
        provider=NativeProvider(),
        signer=None,
        base_span_ns=span_ns,
        gate_span_ns=plan.gate_span_ns,
        assumed_spread_fraction=plan.costs.spread_fraction,
        regime=plan.regime,
        venue_rules={item.venue: PAPER_RULES for item in plan.instruments},
        profile=plan.profile,
        boldest=plan.boldest,
        phase=plan.phase,
    )


def _started(plan: BacktestPlan, at_ns: int) -> RunStarted:
    limits = {name: str(getattr(plan.limits, name)) for name in NAMES}
    return RunStarted(
        at_ns, "backtest", "backtest", plan.account, plan.cash, "backtest", True, plan.instruments, limits,
        {}, "", "", "0",
    )  # fmt: skip


def _bar_by_bar(
    desk: SimulatedDesk,
    columns: Mapping[str, Columns],
    plan: BacktestPlan,
    start_ns: int,
    end_ns: int,
    progress: Progress | None,
) -> int:
    """Every bar of the run; returns how many instants it came to."""
    history, wanted = [], []
    for bars in columns.values():
        first, last = bars.closed_by(start_ns), bars.closed_by(end_ns)
        history += [(int(bars.ts[i]), bars, i) for i in range(first)]
        wanted += [(int(bars.ts[i]), bars, i) for i in range(first, last)]
    history.sort(key=lambda item: item[0])
    wanted.sort(key=lambda item: item[0])
    for _, bars, place in history:
        desk.warm_up(bars.bar(place))
    desk.take(_started(plan, start_ns))
    together: list[Bar] = []
    instants = 0
    for opened, bars, place in wanted:
        if together and together[0].open_ns != opened:
            desk.bars(together)
            together = []
            instants += 1
            if progress is not None and instants % _TELL_EVERY == 0:
                progress(instants, len(wanted))
        together.append(bars.bar(place))
    desk.bars(together)
    desk.flush()
    return instants + 1
