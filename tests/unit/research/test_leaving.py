"""What is still held at the end: left at the last close, as a taker, where runs are joined."""

from decimal import Decimal
from functools import cache

import pytest
from msgspec.structs import replace

from neuratrade.core.model import facts as f
from neuratrade.core.model.decimals import ceil_to, floor_to
from neuratrade.core.model.instrument import Instrument
from neuratrade.research.backtest import run_backtest
from neuratrade.research.columns import Columns
from neuratrade.research.leaving import left
from neuratrade.research.objective import Objective
from neuratrade.research.optimise import Question
from neuratrade.research.plan import BacktestPlan
from neuratrade.research.result import NOTHING_HELD
from neuratrade.research.space import space_of
from neuratrade.research.walkforward import walkforward
from neuratrade.research.windows import Windows
from neuratrade.venues.paper.costs import PaperCosts
from tests.kept_runs import keep
from tests.unit.research.small_desk import BTC, DAY_NS, SPAN_NS, bars, plan

D = Decimal
DEAR = PaperCosts(spread_fraction=D("0.0006"), slippage_bps=D(4))
BARS = bars(days=14)


def on_terms(contract: Instrument) -> dict[str, Columns]:
    (whole,) = BARS.values()
    parts = (getattr(whole, name) for name in Columns.__slots__ if name != "instrument")
    return {contract.key: Columns(contract, *parts)}


@cache
def ends_holding(side: int, contract: Instrument = BTC, after_days: int = 0) -> tuple[BacktestPlan, Decimal]:
    """A plan whose last bar closes while a position of that sign is held, and how much it is."""
    columns = on_terms(contract)
    base = replace(plan(), instruments=(contract,), costs=DEAR)
    held = D(0)
    for fact in keep(base, columns).facts:
        if isinstance(fact, f.OrderFilled):
            held += fact.fill.quantity * fact.fill.side.sign
            if held * side > 0 and fact.at_ns > int(BARS[BTC.key].ts[0]) + after_days * DAY_NS:
                end_ns = (fact.at_ns // SPAN_NS + 1) * SPAN_NS
                ended = replace(base, end_ns=end_ns)
                facts = keep(ended, columns).facts
                fills = [item.fill for item in facts if isinstance(item, f.OrderFilled)]
                now = sum((fill.quantity * fill.side.sign for fill in fills), D(0))
                if now * side > 0:
                    return ended, now
    raise AssertionError("nothing was held at the close of any bar")


@pytest.mark.parametrize("side", [1, -1])
def test_a_position_is_left_by_taking_at_the_last_close_with_half_the_spread_slippage_and_fee(
    side: int,
) -> None:
    contract = replace(BTC, multiplier=D(2), commission=D("0.7"), taker_fee_bps=D(6))
    ended, held = ends_holding(side, contract)
    columns = on_terms(contract)
    result = run_backtest(ended, columns)
    last = D(repr(float(columns[contract.key].close[columns[contract.key].closed_by(ended.end_ns or 0) - 1])))
    worse = last * (1 - side * (D("0.0003") + D("0.0004")))
    price = floor_to(worse, contract.tick) if side > 0 else ceil_to(worse, contract.tick)
    assert result.leaving.notional == abs(held) * price * 2
    assert result.leaving.prices == abs(held) * abs(price - last) * 2
    assert result.leaving.fees == result.leaving.notional * D("0.0006") + D("0.7") * abs(held)
    gone = left(result)
    cost = result.leaving.fees + result.leaving.prices
    assert cost > 0
    assert gone.final_equity == result.final_equity - cost
    assert gone.fees == result.fees + result.leaving.fees
    assert gone.turnover == result.turnover + result.leaving.notional
    assert gone.equity.value[-1] == pytest.approx(float(gone.final_equity))
    assert (gone.equity.value[:-1] == result.equity.value[:-1]).all()
    assert gone.trades == result.trades
    assert (gone.leaving, left(gone)) == (NOTHING_HELD, gone)


def test_taking_much_of_the_last_bar_costs_its_impact_too() -> None:
    ended, held = ends_holding(1)
    plain, moved = (
        run_backtest(replace(ended, costs=replace(DEAR, impact_bps=D(bps))), BARS).leaving for bps in (0, 500)
    )
    assert moved.prices > plain.prices
    # 400 units were traded in the bar: their share of 500 basis points, to the tick.
    last = plain.notional / held
    assert moved.prices - plain.prices == pytest.approx(
        held * last * held / 400 * D("0.05"), abs=held * BTC.tick
    )


def test_a_run_that_ends_with_nothing_pays_nothing() -> None:
    result = run_backtest(replace(plan(), costs=DEAR), BARS)
    assert result.trades
    assert result.leaving == NOTHING_HELD
    assert left(result) is result


def test_each_window_of_a_walk_forward_pays_for_leaving_what_it_ends_with() -> None:
    ended, _ = ends_holding(1, after_days=5)
    assert ended.end_ns is not None
    first = int(BARS[BTC.key].ts[0])
    days = (ended.end_ns - first) // DAY_NS
    start_ns = ended.end_ns - days * DAY_NS
    begun = replace(ended, start_ns=start_ns)
    question = Question(
        plan=begun,
        space=space_of("rsi_rule", {"entry_expiry_minutes": "29:30:1"}),
        objective=Objective(min_trades=1),
    )
    windows = Windows(train_days=days - 2, test_days=2)
    walk = walkforward(question, BARS, windows, trials=1, processes=1)
    (window,) = walk.windows
    assert window.chosen is not None
    test = replace(begun, start_ns=window.window.test_start_ns)
    alone = run_backtest(test, BARS)
    assert alone.leaving.fees > 0
    assert window.result.final_equity == left(alone).final_equity < alone.final_equity
    assert walk.stitched is not None
    assert walk.stitched.final_equity == window.result.final_equity
    assert walk.scores["total_return"] == pytest.approx(float(window.result.final_equity / begun.cash) - 1)
    assert window.out_of_sample["total_return"] == walk.scores["total_return"]
