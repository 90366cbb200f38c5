"""Results of backtests as small as a test needs them: an equity curve and trades, nothing run."""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal

import numpy as np

from neuratrade.core.model.account import Account
from neuratrade.core.model.market import NS_PER_DAY, NS_PER_HOUR
from neuratrade.core.strategies.dna import Dna
from neuratrade.research.plan import BacktestPlan
from neuratrade.research.result import BacktestResult, Equity, TradeDone

CASH = Decimal(1_000)


def at(text: str) -> int:
    """An instant UTC, ns, of `2024-01-31` or `2024-01-31T08:00`."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 10**9


def trade(pnl: str, *, exit_ns: int = at("2024-01-02"), risk: str = "10", **excursions: float) -> TradeDone:
    """One closed trade of 100 invested that came to `pnl`."""
    return TradeDone(
        "id", "BTC/USDT@paper", "rule", "tactical", "LONG", Decimal(1), exit_ns - NS_PER_HOUR, Decimal(100),
        exit_ns, Decimal(100), Decimal(90), (), Decimal(pnl), Decimal(0), float(pnl) / 100, Decimal(risk),
        float(pnl) / float(risk) if float(risk) else 0.0, excursions.get("adverse", 0.0),
        excursions.get("favourable", 0.0), "TP", 1,
    )  # fmt: skip


def result(
    at_ns: Sequence[int],
    value: Sequence[float],
    trades: Sequence[TradeDone] = (),
    *,
    invested: Sequence[float] | None = None,
    turnover: str = "0",
) -> BacktestResult:
    """A finished run that began with `CASH`."""
    held = [0.0] * len(value) if invested is None else invested
    curve = Equity(np.array(at_ns, dtype=np.int64), np.array(value, dtype=np.float64), np.array(held))
    final = Decimal(repr(float(value[-1]))) if len(value) else CASH
    zero = Decimal(0)
    plan = BacktestPlan(
        dna=Dna(1, 0, {}, {}), account=Account("a", "paper", "USDT"), instruments=(), cash=CASH
    )
    return BacktestResult(
        plan, {}, tuple(trades), (), {}, len(trades), curve, final, zero, zero, Decimal(turnover),
        len(value), len(value), 0, "", 0.0, False,
    )  # fmt: skip


def of_days(
    value: Sequence[float], trades: Sequence[TradeDone] = (), start: str = "2024-01-01"
) -> BacktestResult:
    """A run with one value a day, at the midnight that ends it."""
    first = at(start)
    return result([first + NS_PER_DAY * (day + 1) for day in range(len(value))], value, trades)
