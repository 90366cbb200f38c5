"""What leaving costs: whatever is still held at the end of a run, sold or bought back at the last close.

A run that ends with an open position has paid to get in and not to get out. Where such runs are joined, the
way out has to be paid, or a strategy looks better the more it holds when a window ends.
"""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

from neuratrade.core.engine.engine import Engine
from neuratrade.core.engine.state import instrument_of_position
from neuratrade.core.model.decimals import BASIS_POINTS, ZERO
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.market import Bar
from neuratrade.core.model.orders import Side
from neuratrade.research.columns import Columns
from neuratrade.research.plan import BacktestPlan
from neuratrade.research.result import NOTHING_HELD, BacktestResult, Equity, Leaving
from neuratrade.venues.paper.costs import PaperCosts
from neuratrade.venues.paper.prices import Tape, after_impact, taking_price


def leaving_costs(plan: BacktestPlan, columns: Mapping[str, Columns], engine: Engine, end_ns: int) -> Leaving:
    """What it would cost to leave every position of a run that ended at `end_ns`, each by one market order.

    How much of a bar may be taken does not bound it: a rest would only be left later.
    """
    (account,) = engine.state.accounts.values()
    total = NOTHING_HELD
    for key, position in account.positions.items():
        contract = engine.state.instruments[instrument_of_position(key)]
        bars = columns.get(contract.key)
        place = -1 if bars is None else bars.closed_by(end_ns) - 1
        if not position.quantity or bars is None or place < 0:
            continue
        rate = engine.markets.value_of_one(contract.quote, plan.account.currency) or ZERO
        one = _leaving(contract, plan.costs, bars.bar(place), position.quantity)
        total = Leaving(
            total.fees + one.fees * rate,
            total.prices + one.prices * rate,
            total.notional + one.notional * rate,
        )
    return total


def _leaving(contract: Instrument, costs: PaperCosts, bar: Bar, held: Decimal) -> Leaving:
    """Quote currency."""
    side = Side.SELL if held > 0 else Side.BUY
    price = taking_price(contract, costs, side, bar.close, spread=True)
    price = after_impact(contract, costs, Tape(bar=bar), side, price, abs(held))
    notional = contract.notional(held, price)
    fee = notional * contract.taker_fee_bps / BASIS_POINTS + contract.commission * abs(held)
    return Leaving(fee, contract.notional(held, price - bar.close), notional)


def left(result: BacktestResult) -> BacktestResult:
    """The result as if what is still held had been left at its last close: equity, fees and turnover.

    The open trade stays out of the trades; its bracket never closed.
    """
    leaving = result.leaving
    cost = leaving.fees + leaving.prices
    if not leaving.notional or not len(result.equity.value):
        return result
    value = result.equity.value.copy()
    value[-1] -= float(cost)
    return replace(
        result,
        equity=Equity(result.equity.at_ns, value, result.equity.invested),
        final_equity=result.final_equity - cost,
        fees=result.fees + leaving.fees,
        turnover=result.turnover + leaving.notional,
        leaving=NOTHING_HELD,
    )
