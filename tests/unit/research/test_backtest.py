"""A backtest keeps its books: fills, ledger, trades and equity curve tell one story, whatever is traded."""

from decimal import Decimal

import numpy as np
import pytest
from msgspec.structs import replace

from neuratrade.core.model import facts as f
from neuratrade.core.model.account import Account, PositionMode
from neuratrade.core.model.errors import UsageError
from neuratrade.core.model.instrument import Instrument, InstrumentKind
from neuratrade.core.model.intent import OpenIntent
from neuratrade.research.backtest import run_backtest
from neuratrade.research.columns import Columns
from neuratrade.research.plan import BacktestPlan
from tests.kept_runs import keep
from tests.unit.research.small_desk import BTC, DAY_NS, SPAN_NS, bars, plan

D = Decimal
SPOT = replace(BTC, kind=InstrumentKind.SPOT, fee_in_base=True)
FUTURE = replace(
    BTC,
    kind=InstrumentKind.FUTURE,
    lot=D(1),
    min_quantity=D(1),
    multiplier=D("0.01"),
    initial_margin=D("0.1"),
    commission=D("0.37"),
)


def on(
    contract: Instrument, mode: PositionMode = PositionMode.NET
) -> tuple[BacktestPlan, dict[str, Columns]]:
    """The small plan and its bars on another contract."""
    (columns,) = bars(20).values()
    carried = Columns(
        contract, *(getattr(columns, name) for name in Columns.__slots__ if name != "instrument")
    )
    account = Account("backtest", contract.venue, contract.quote, mode=mode)
    return replace(plan(), account=account, instruments=(contract,)), {contract.key: carried}


WORLDS = {
    "a perpetual, net": on(BTC),
    "a perpetual, hedged": on(BTC, PositionMode.HEDGE),
    "spot, fees in base": on(SPOT),
    "a future, by contracts": on(FUTURE),
}


@pytest.mark.parametrize("world", WORLDS.values(), ids=WORLDS)
def test_the_equity_curve_ends_where_the_account_does(world: tuple[BacktestPlan, dict[str, Columns]]) -> None:
    result = run_backtest(*world)
    assert len(result.trades) >= 10
    assert float(result.equity.value[-1]) == pytest.approx(float(result.final_equity), abs=1e-6)
    assert int(result.equity.at_ns[-1]) == int(next(iter(world[1].values())).close_ns[-1])
    assert len(result.equity.at_ns) == len(result.equity.value) == result.bars


@pytest.mark.parametrize("world", WORLDS.values(), ids=WORLDS)
def test_fills_add_up_to_the_account_to_the_last_digit(
    world: tuple[BacktestPlan, dict[str, Columns]],
) -> None:
    plan, columns = world
    simulation = keep(plan, columns)
    (contract,) = plan.instruments
    cash, held, in_base = plan.cash, D(0), D(0)
    for fact in simulation.facts:
        if isinstance(fact, f.OrderFilled):
            fill = fact.fill
            cash -= fill.side.sign * fill.quantity * fill.price * contract.multiplier
            held += fill.side.sign * fill.quantity
            if fill.fee_currency == contract.base:
                held -= fill.fee
                in_base += fill.fee
            else:
                cash -= fill.fee
    last = D(repr(float(next(iter(columns.values())).close[-1])))
    assert simulation.engine.equity("backtest") == cash + held * last * contract.multiplier
    assert bool(in_base) is contract.fee_in_base


def test_trades_add_up_to_what_was_earned_where_nothing_is_left_open() -> None:
    world, columns = WORLDS["a perpetual, net"]
    result = run_backtest(world, columns)
    assert not result.equity.invested[-1]
    assert sum(trade.pnl for trade in result.trades) == result.final_equity - world.cash
    assert sum(trade.fees for trade in result.trades) == result.fees
    assert result.intents == len(result.refused) + sum(
        isinstance(fact, f.IntentJudged) and fact.approved for fact in keep(world, columns).facts
    )


def test_turnover_is_the_notional_of_every_fill() -> None:
    world, columns = WORLDS["a future, by contracts"]
    filled = [fact.fill for fact in keep(world, columns).facts if isinstance(fact, f.OrderFilled)]
    expected = sum(fill.quantity * fill.price * FUTURE.multiplier for fill in filled)
    assert run_backtest(world, columns).turnover == expected > 0


def proposed(
    world: BacktestPlan, columns: dict[str, Columns], after_ns: int
) -> list[tuple[int, str, Decimal]]:
    """Every proposal judged after a time, approved or not."""
    return [
        (fact.at_ns, fact.intent.direction.value, fact.intent.trigger_price)
        for fact in keep(world, columns).facts
        if isinstance(fact, f.IntentJudged) and isinstance(fact.intent, OpenIntent) and fact.at_ns > after_ns
    ]


def test_a_run_from_a_later_day_proposes_what_the_whole_run_did_from_there() -> None:
    world, columns = plan(), bars(20)
    start_ns = int(columns[BTC.key].ts[0]) + 8 * DAY_NS
    tail = proposed(replace(world, start_ns=start_ns), columns, 0)
    assert len(tail) >= 10
    assert tail == proposed(world, columns, start_ns)


def test_without_the_history_before_the_start_indicators_have_to_warm_up_first() -> None:
    world, columns = plan(), bars(20)
    start_ns = int(columns[BTC.key].ts[0]) + 8 * DAY_NS
    late = {BTC.key: columns[BTC.key].part(8 * 96, len(columns[BTC.key]))}
    assert not run_backtest(replace(world, start_ns=start_ns), columns).refused_by.get("warm_up")
    assert run_backtest(replace(world, start_ns=start_ns), late).refused_by["warm_up"] > 0


def test_only_bars_after_the_start_and_up_to_the_end_are_judged() -> None:
    columns = bars(20)
    first_ns = int(columns[BTC.key].ts[0])
    start_ns, end_ns = first_ns + 6 * DAY_NS, first_ns + 9 * DAY_NS
    result = run_backtest(replace(plan(), start_ns=start_ns, end_ns=end_ns), columns)
    assert result.bars == 3 * 96
    assert (int(result.equity.at_ns[0]), int(result.equity.at_ns[-1])) == (start_ns + SPAN_NS, end_ns)
    assert all(start_ns < trade.entry_ns <= trade.exit_ns <= end_ns for trade in result.trades)
    cut = {BTC.key: columns[BTC.key].part(0, 9 * 96)}
    assert run_backtest(replace(plan(), start_ns=start_ns), cut).trades == result.trades


def test_what_was_skipped_is_counted_and_changes_nothing() -> None:
    world, columns = plan(), bars(6)
    fast, slow = run_backtest(world, columns), run_backtest(world, columns, skip=False)
    assert (fast.trades, fast.refused, fast.final_equity) == (slow.trades, slow.refused, slow.final_equity)
    assert np.array_equal(fast.equity.value, slow.equity.value)
    assert (fast.bars, slow.bars, slow.stepped) == (6 * 96, 6 * 96, 6 * 96)
    assert 0 < fast.stepped < slow.stepped


def test_progress_ends_at_the_whole() -> None:
    told: list[tuple[int, int]] = []
    run_backtest(plan(), bars(3), progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (3 * 96, 3 * 96)


def test_a_run_without_signals_is_a_flat_line_of_its_cash() -> None:
    world = replace(plan(), cash=D("1234.56"))
    result = run_backtest(world, {BTC.key: bars(2)[BTC.key].part(0, 20)})
    assert (result.trades, result.final_equity, result.halted) == ((), D("1234.56"), "")
    assert set(result.equity.value.tolist()) == {1234.56}


OTHER = replace(BTC, asset="ETH/USDT", base="ETH")


def test_a_desk_that_halts_itself_says_so_and_why() -> None:
    world = replace(plan(), limits=replace(plan().limits, kill_losses=1))
    result = run_backtest(world, bars(20))
    assert result.halted.startswith("HALTED: ")
    assert len(result.refused) > len(run_backtest(plan(), bars(20)).refused)


def shorter(columns: Columns, contract: Instrument, span_ns: int) -> Columns:
    ts = columns.ts[0] + span_ns * np.arange(len(columns), dtype=np.int64)
    return Columns(
        contract, span_ns, ts, columns.open, columns.high, columns.low, columns.close, columns.volume
    )


def test_bars_that_make_no_backtest_are_refused_in_words() -> None:
    world, columns = plan(), bars(3)
    whole = columns[BTC.key]
    first_ns, last_ns = int(whole.ts[0]), int(whole.close_ns[-1])
    two = replace(world, instruments=(BTC, OTHER))
    cases: list[tuple[BacktestPlan, dict[str, Columns], str]] = [
        (world, {}, "a backtest needs bars; give data"),
        (world, {BTC.key: whole.part(0, 0)}, f"{BTC.key} has no bars"),
        (
            two,
            {**columns, OTHER.key: shorter(whole, OTHER, SPAN_NS // 3)},
            "a backtest needs bars of one length; give one timeframe",
        ),
        (
            world,
            {**columns, OTHER.key: shorter(whole, OTHER, SPAN_NS)},
            f"there are bars of {OTHER.key}, but the plan does not name it as an instrument",
        ),
        (
            world,
            {BTC.key: shorter(whole, BTC, 4 * SPAN_NS)},
            "rsi_rule works on 15m bars, which cannot be made of the 1h bars there are; give finer data",
        ),
        (
            replace(world, gate_span_ns=SPAN_NS * 3 // 2),
            columns,
            "the gate looks at 1350s bars, which cannot be made of 15m bars; set gate_span_ns to a multiple",
        ),
        (replace(world, start_ns=last_ns), columns, "no bar closes between the start and the end"),
        (replace(world, end_ns=first_ns), columns, "no bar closes between the start and the end"),
        (replace(world, start_ns=10**30), columns, "no bar closes between the start and the end"),
    ]
    for asked, given, said in cases:
        with pytest.raises(UsageError, match=said):
            run_backtest(asked, given)


def test_an_instrument_that_is_traded_and_has_no_bars_is_refused_by_name() -> None:
    world = plan()
    asset = replace(world.dna.assets["BTC/USDT"], asset="ETH/USDT")
    dna = replace(world.dna, assets={**world.dna.assets, "ETH/USDT": asset})
    with pytest.raises(UsageError, match=f"{OTHER.key} has no bars in this backtest"):
        run_backtest(replace(world, dna=dna, instruments=(BTC, OTHER)), bars(3))
