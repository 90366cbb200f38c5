"""Runs that follow each other as one: the out-of-sample record of a walk-forward."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import numpy as np
from msgspec.structs import replace as changed

from neuratrade.core.model.errors import UsageError
from neuratrade.research.columns import Floats, Times
from neuratrade.research.result import BacktestResult, Equity, Refused, TradeDone


def stitch(results: Sequence[BacktestResult]) -> BacktestResult:
    """Runs that follow each other as one: equity compounds, and so do the amounts of their trades.

    Raises UsageError for none, or for runs that overlap.
    """
    if not results:
        raise UsageError("there is no window to stitch")
    cash = results[0].plan.cash
    factor = Decimal(1)
    at_ns: list[Times] = []
    value: list[Floats] = []
    invested: list[Floats] = []
    trades: list[TradeDone] = []
    refused: list[Refused] = []
    fees = carry = turnover = cash * 0
    blocked: dict[str, int] = {}
    for result in results:
        if at_ns and len(result.equity.at_ns) and at_ns[-1][-1] >= result.equity.at_ns[0]:
            raise UsageError("windows overlap; stitched equity would count days twice")
        if len(result.equity.at_ns):
            at_ns.append(result.equity.at_ns)
            value.append(result.equity.value * float(factor))
            invested.append(result.equity.invested * float(factor))
        trades += [_scaled(trade, factor) for trade in result.trades]
        refused += result.refused
        fees += result.fees * factor
        carry += result.carry * factor
        turnover += result.turnover * factor
        for layer, count in result.refused_by.items():
            blocked[layer] = blocked.get(layer, 0) + count
        factor *= result.final_equity / result.plan.cash
    first, last = results[0], results[-1]
    told = dict.fromkeys(note for result in results for note in result.notes)
    return replace(
        last,
        plan=changed(last.plan, start_ns=first.plan.start_ns, cash=cash),
        trades=tuple(trades),
        refused=tuple(refused),
        refused_by=blocked,
        intents=sum(result.intents for result in results),
        equity=Equity(np.concatenate(at_ns), np.concatenate(value), np.concatenate(invested)),
        final_equity=cash * factor,
        fees=fees,
        carry=carry,
        turnover=turnover,
        bars=sum(result.bars for result in results),
        stepped=sum(result.stepped for result in results),
        unprotected_ms_max=max(result.unprotected_ms_max for result in results),
        halted="; ".join(result.halted for result in results if result.halted),
        run_s=sum(result.run_s for result in results),
        notes=(*told, "stitched from test windows; settings differ between them"),
    )


def _scaled(trade: TradeDone, factor: Decimal) -> TradeDone:
    return changed(
        trade,
        quantity=trade.quantity * factor,
        pnl=trade.pnl * factor,
        fees=trade.fees * factor,
        risk=trade.risk * factor,
    )
