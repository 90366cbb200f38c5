"""The backtest: the desk that trades live, on a simulated venue, over recorded bars.

There is no second engine. Gate, brackets, ledger and governors are the ones of the desk; only who feeds the
bars differs. Bars before the start warm the indicators and are never traded. Speed comes from passing over
bars on which nothing can happen; a run that lives through every bar, indicators and all, comes out the same.
"""

import gc
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from time import perf_counter
from typing import NamedTuple

from neuratrade.core.bars.timeframe import timeframe_of
from neuratrade.core.engine.config import EngineConfig
from neuratrade.core.engine.engine import Engine
from neuratrade.core.indicators.choice import provider_of
from neuratrade.core.model.decimals import ZERO
from neuratrade.core.model.errors import UsageError
from neuratrade.core.model.facts import RunStarted, TradingState
from neuratrade.core.model.venue_rules import PAPER_RULES
from neuratrade.core.risk.limits import NAMES
from neuratrade.core.strategies.registry import build_strategies
from neuratrade.hands.recorder import Recorder
from neuratrade.hands.simulated import SimulatedDesk
from neuratrade.research.carry import CarryCosts
from neuratrade.research.columns import Columns
from neuratrade.research.leaving import leaving_costs
from neuratrade.research.plan import BacktestPlan
from neuratrade.research.readings import ArrayReader
from neuratrade.research.records import FactReader, Records, equity_curve, turnover_of
from neuratrade.research.result import BacktestResult
from neuratrade.research.skipping import Drive, Timeline
from neuratrade.venues.paper.exchange import PaperExchange

Progress = Callable[[int, int], None]
"""Told how many instants are done, of how many."""
_TELL_EVERY = 4096


class Simulation(NamedTuple):
    """A run that is over: the engine as it ended, and along what it was driven."""

    engine: Engine
    timeline: Timeline
    first: int
    stepped: int


def run_backtest(
    plan: BacktestPlan,
    columns: Mapping[str, Columns],
    *,
    skip: bool = True,
    progress: Progress | None = None,
) -> BacktestResult:
    """Runs one plan. columns: bars by instrument key, all of one length.

    skip: pass over bars on which nothing can happen, with indicators reckoned at once; False lives through
    every bar and advances indicators one by one, as a desk does. Raises UsageError where there is nothing to
    run on.
    """
    began = perf_counter()
    reader = FactReader(columns)
    with _without_collector():
        simulation = simulate(plan, columns, reader, skip=skip, progress=progress)
    run_s = perf_counter() - began
    return _result(plan, columns, simulation, reader.records, run_s, skipped=skip)


@contextmanager
def _without_collector() -> Iterator[None]:
    """A run makes millions of objects that the collector would look at again and again, and hardly a cycle.

    The engine of a run that is over is one, with all its arrays: those of runs before go first.
    """
    was_on = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def simulate(
    plan: BacktestPlan,
    columns: Mapping[str, Columns],
    recorder: Recorder,
    *,
    skip: bool,
    progress: Progress | None = None,
) -> Simulation:
    """Drives a desk of its own along the bars, to their end or the plan's. recorder: takes its facts."""
    span_ns = _span_of(plan, columns)
    check_timeframes(plan, span_ns)
    config = _config(plan, span_ns)
    readers: dict[str, ArrayReader | None] = dict.fromkeys(columns)
    if skip:
        for key, bars in columns.items():
            readers[key] = ArrayReader(
                bars, config.strategies, config.provider, plan.regime, plan.gate_span_ns
            )
        config = replace(config, reader_of=lambda contract: _reader(readers, contract.key))
    engine = Engine(config)
    contracts = {item.key: item for item in plan.instruments}
    exchange = PaperExchange(plan.account, contracts, plan.cash, plan.costs)
    desk = SimulatedDesk(engine, exchange, recorder, None)
    timeline = Timeline(columns, readers, _end_of(plan, columns))
    start_ns = _start_of(plan, timeline)
    first = timeline.first_after(start_ns)
    if not skip:
        _warm_up(desk, columns, start_ns)
    desk.take(_started(plan, start_ns))
    carry = CarryCosts(plan.carry, desk, engine, timeline.close_ns, timeline.span_ns)
    drive = Drive(desk, engine, exchange, timeline, carry)
    _run(drive, first, len(timeline.close_ns), skip=skip, progress=progress)
    desk.flush()
    return Simulation(engine, timeline, first, drive.stepped)


def _run(drive: Drive, first: int, last: int, *, skip: bool, progress: Progress | None) -> None:
    instant, told = first, first
    while instant < last:
        drive.live(instant)
        following = drive.next_after(instant) if skip else instant + 1
        if following > instant + 1:
            drive.pass_over(instant, following)
        instant = following
        if progress is not None and instant - told >= _TELL_EVERY:
            told = instant
            progress(instant - first, last - first)
    if progress is not None:
        progress(last - first, last - first)


def _span_of(plan: BacktestPlan, columns: Mapping[str, Columns]) -> int:
    spans = {bars.span_ns for bars in columns.values()}
    if not spans:
        raise UsageError("a backtest needs bars; give data of an instrument that the strategy trades")
    if len(spans) != 1:
        raise UsageError("a backtest needs bars of one length; give one timeframe")
    known = {item.key for item in plan.instruments}
    for key, bars in columns.items():
        if key not in known:
            raise UsageError(f"there are bars of {key}, but the plan does not name it as an instrument")
        if not len(bars):
            raise UsageError(f"{key} has no bars")
    return spans.pop()


def check_timeframes(plan: BacktestPlan, span_ns: int) -> None:
    """Raises UsageError for a strategy, or a gate, whose bars cannot be made of bars of this length.

    Hours are no quarter-hours: taken for them, every indicator would be that of another market.
    """
    have = timeframe_of(span_ns)
    for strategy in build_strategies(plan.dna):
        if strategy.span_ns % span_ns:
            raise UsageError(
                f"{strategy.name} works on {timeframe_of(strategy.span_ns)} bars, which cannot be made of "
                f"the {have} bars there are; give finer data, or set its timeframe_minutes to a multiple of "
                "theirs"
            )
    if plan.gate_span_ns % span_ns:
        raise UsageError(
            f"the gate looks at {timeframe_of(plan.gate_span_ns)} bars, which cannot be made of {have} bars; "
            f"set gate_span_ns to a multiple of {span_ns}"
        )


def _start_of(plan: BacktestPlan, timeline: Timeline) -> int:
    """Where judging begins. Raises UsageError where no bar closes between it and the end."""
    instants = len(timeline.close_ns)
    start_ns = plan.start_ns
    if start_ns is None and instants:
        return int(timeline.close_ns[0]) - 1
    if start_ns is None or timeline.first_after(start_ns) >= instants:
        raise UsageError("no bar closes between the start and the end of this backtest; give other dates")
    return start_ns


def _end_of(plan: BacktestPlan, columns: Mapping[str, Columns]) -> int:
    last = max(int(bars.close_ns[-1]) for bars in columns.values())
    return last if plan.end_ns is None else min(last, plan.end_ns)


def _reader(readers: Mapping[str, ArrayReader | None], key: str) -> ArrayReader:
    reader = readers.get(key)
    if reader is None:
        raise UsageError(f"{key} has no bars in this backtest")
    return reader


def _warm_up(desk: SimulatedDesk, columns: Mapping[str, Columns], start_ns: int) -> None:
    """History for the indicators, in order of time."""
    history = [
        (int(bars.ts[place]), rank, bars, place)
        for rank, bars in enumerate(columns.values())
        for place in range(bars.closed_by(start_ns))
    ]
    history.sort(key=lambda item: item[:2])
    for _, _, bars, place in history:
        desk.warm_up(bars.bar(place))


def _result(
    plan: BacktestPlan,
    columns: Mapping[str, Columns],
    simulation: Simulation,
    records: Records,
    run_s: float,
    *,
    skipped: bool,
) -> BacktestResult:
    engine, timeline = simulation.engine, simulation.timeline
    state = engine.state
    begin_ns, end_ns = int(timeline.close_ns[simulation.first]) - 1, int(timeline.close_ns[-1])
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
        equity=equity_curve(columns, records, plan.cash, begin_ns, end_ns),
        final_equity=final,
        fees=state.counts.fees,
        carry=sum((item.amount for item in records.moved), ZERO),
        turnover=turnover_of(records.fills, columns),
        bars=sum(bars.closed_by(end_ns) - bars.closed_by(begin_ns) for bars in columns.values()),
        stepped=simulation.stepped,
        unprotected_ms_max=state.counts.unprotected_ms_max,
        halted=f"{state.trading_state.value}: {state.state_reason}" if stands else "",
        run_s=run_s,
        skipped=skipped,
        notes=plan.carry_notes(begin_ns, end_ns),
        leaving=leaving_costs(plan, columns, engine, end_ns),
    )


def _config(plan: BacktestPlan, span_ns: int) -> EngineConfig:
    strategies = build_strategies(plan.dna)
    return EngineConfig(
        account_id=plan.account.account_id,
        operator_id="backtest",
        instruments={item.key: item for item in plan.instruments},
        strategies=strategies,
        dna=plan.dna,
        provider=provider_of(plan.indicators, [spec for item in strategies for spec in item.indicators]),
        signer=None,
        base_span_ns=span_ns,
        gate_span_ns=plan.gate_span_ns,
        assumed_spread_fraction=plan.costs.spread_fraction,
        regime=plan.regime,
        venue_rules={item.venue: PAPER_RULES for item in plan.instruments},
        profile=plan.profile,
        boldest=plan.boldest,
        phase=plan.phase,
        assumed_volume_24h=plan.assumed_volume_24h,
    )


def _started(plan: BacktestPlan, at_ns: int) -> RunStarted:
    limits = {name: str(getattr(plan.limits, name)) for name in NAMES}
    return RunStarted(
        at_ns, "backtest", "backtest", plan.account, plan.cash, "backtest", True, plan.instruments, limits,
        {}, "", "", "0",
    )  # fmt: skip
