"""Passing over bars changes nothing: the same decisions, orders, fills and books as living through each."""

import json
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from msgspec.structs import replace

from neuratrade.core.engine.state import state_bytes
from neuratrade.core.model import facts as f
from neuratrade.core.model.account import Account
from neuratrade.core.model.instrument import Instrument, InstrumentKind
from neuratrade.core.model.intent import Direction, OpenIntent
from neuratrade.core.model.market import NS_PER_MINUTE, NS_PER_MS
from neuratrade.core.risk.limits import DEFAULTS
from neuratrade.core.strategies.dna import AssetDna, Dna
from neuratrade.core.strategies.registry import KINDS, default_settings
from neuratrade.research.columns import Columns
from neuratrade.research.plan import BacktestPlan
from tests.kept_runs import KeptRun, keep
from tests.property.research.markets import D, Market, lending_market, market

SEEDS = range(25)
LENT_SEEDS = range(12)


def facts_but_marks(simulation: KeptRun) -> list[f.Fact]:
    return [fact for fact in simulation.facts if not isinstance(fact, f.Marked)]


def first_difference(some: list[f.Fact], others: list[f.Fact]) -> str:
    """Where two runs part, in words; thousands of facts side by side would tell nobody."""
    for place, (one, other) in enumerate(zip(some, others, strict=False)):
        if one != other:
            return f"fact {place}: {one} is not {other}"
    return "" if len(some) == len(others) else f"{len(some)} facts are not {len(others)}"


def books(simulation: KeptRun) -> dict[str, Any]:
    """Everything durable but the time of the last mark and the deepest one: figures of all marks."""
    found: dict[str, Any] = json.loads(state_bytes(simulation.engine.state))
    del found["now_ns"]
    for account in found["accounts"].values():
        del account["marked_ns"], account["max_drawdown"]
    return found


def hold_to_each_other(world: Market) -> Counter[str]:
    """Both ways; what they did. They may differ in marks that left no trace, and in nothing else."""
    skipped = keep(world.plan, world.columns)
    lived = keep(world.plan, world.columns, skip=False)
    assert first_difference(facts_but_marks(skipped), facts_but_marks(lived)) == ""
    assert books(skipped) == books(lived)
    found = Counter(type(fact).__name__ for fact in lived.facts)
    found.update(fact.reason.value for fact in lived.facts if isinstance(fact, f.BracketClosed))
    found.update(lived=lived.stepped, stepped=skipped.stepped)
    moved = [fact.movement_id for fact in lived.facts if isinstance(fact, f.CashMoved)]
    found["recorded"] = sum(int(name.rpartition("-")[2]) % NS_PER_MINUTE > 0 for name in moved)
    return found


@cache
def random_market(seed: int) -> Counter[str]:
    """What a random market does, lived once a process however many tests ask."""
    return hold_to_each_other(market(seed))


@pytest.mark.parametrize("seed", SEEDS)
def test_a_run_that_skips_comes_out_as_one_that_lives_through_every_bar(seed: int) -> None:
    random_market(seed)


@pytest.mark.parametrize("seed", LENT_SEEDS)
def test_it_does_where_shorts_of_what_is_owned_are_borrowed(seed: int) -> None:
    hold_to_each_other(lending_market(seed))


def test_the_markets_that_lend_meet_shorts_that_cost_and_shorts_that_are_refused() -> None:
    every: Counter[str] = Counter()
    for seed in LENT_SEEDS:
        run = keep(*lending_market(seed))
        every.update(fact.kind for fact in run.facts if isinstance(fact, f.CashMoved))
        every.update(fact.reason[:8] for fact in run.facts if isinstance(fact, f.OrderRejected))
        every.update(
            fact.reason.value
            for fact in run.facts
            if isinstance(fact, f.BracketClosed) and is_borrowed(run, fact)
        )
    wanted = ("borrow", "a margin", "needs ", "TP", "SL", "TRAIL", "TIME")
    assert [name for name in wanted if not any(found.startswith(name) for found in every)] == []


def is_borrowed(run: KeptRun, closed: f.BracketClosed) -> bool:
    """Whether it was a short of something owned that was entered."""
    judged = [fact.intent for fact in run.facts if isinstance(fact, f.IntentJudged)]
    opening = [item for item in judged if isinstance(item, OpenIntent)]
    (intent,) = [item for item in opening if item.intent_id == closed.bracket_id]
    owned = not run.engine.state.instruments[intent.instrument].is_derivative
    return owned and intent.direction is Direction.SHORT and closed.entered > 0


def test_the_random_markets_meet_everything_that_could_be_skipped_by_mistake() -> None:
    every: Counter[str] = Counter()
    for seed in SEEDS:
        every.update(random_market(seed))
    wanted = (
        *("TP", "SL", "TRAIL", "TIME", "NO_ENTRY", "KILL"),
        *(
            "OrderExpired",
            "OrderRejected",
            "TradingStateMoved",
            "PostureMoved",
            "DayRolled",
            "CashMoved",
            "recorded",
        ),
    )
    assert [name for name in wanted if not every[name]] == []


@pytest.mark.shared
def test_on_real_markets_all_strategies_and_limits_come_out_the_same(shared_data: Path) -> None:
    columns = {}
    for asset in ("BTC", "ETH", "SOL"):
        frame = pl.read_parquet(shared_data / f"ohlcv/binanceusdm_{asset}USDT_1m.parquet").head(12_000)
        contract = Instrument(
            asset=f"{asset}/USDT",
            venue="binanceusdm",
            kind=InstrumentKind.PERPETUAL,
            base=asset,
            quote="USDT",
            tick=D("0.01"),
            lot=D("0.001"),
            min_quantity=D("0.001"),
            min_notional=D(5),
            maker_fee_bps=D(2),
            taker_fee_bps=D(5),
        )
        prices = (frame[name].to_numpy() for name in ("open", "high", "low", "close", "volume"))
        columns[contract.key] = Columns(contract, NS_PER_MINUTE, frame["ts"].to_numpy() * NS_PER_MS, *prices)
    names = tuple(KINDS)
    contracts = tuple(bars.instrument for bars in columns.values())
    plan = BacktestPlan(
        dna=Dna(
            1,
            0,
            {item.asset: AssetDna(item.asset, names, 240) for item in contracts},
            {name: replace(default_settings(name), timeframe_minutes=5) for name in names},
        ),
        account=Account("a", "binanceusdm", "USDT"),
        instruments=contracts,
        limits=replace(DEFAULTS, kill_losses=1000),
    )
    found = hold_to_each_other(Market(plan, columns))
    assert found["BracketClosed"] >= 10
    assert found["stepped"] < found["lived"] / 2
