"""What a run came to: the numbers people and programs read at its end."""

from decimal import Decimal

import msgspec

from neuratrade.core.engine.state import DeskState


class Summary(msgspec.Struct, frozen=True):
    """Totals of one run. Money in the account's currency; drawdown and return are fractions.

    pnl: closed brackets net of fees. max_drawdown: deepest fall of marked equity from its peak.
    unprotected_ms_max: longest a bracket held anything without a working stop, milliseconds.
    """

    run_id: str
    mode: str
    finished: bool
    bars: int
    intents: int
    approved: int
    refused: int
    trades: int
    wins: int
    pnl: Decimal
    fees: Decimal
    equity: Decimal
    max_drawdown: Decimal
    unprotected_ms_max: int
    open_brackets: int
    state: str
    state_reason: str
    closed_by: dict[str, int]
    refused_by: dict[str, int]
    rows: int = 0
    seconds: float = 0.0
    worst_lag_s: float = 0.0


def summarise(state: DeskState, bars: int) -> Summary:
    """The summary of a state. Raises ValueError for a desk that never ran."""
    if not state.accounts:
        raise ValueError("this desk never ran")
    account = next(iter(state.accounts.values()))
    counts = state.counts
    return Summary(
        run_id=state.run_id,
        mode=state.mode,
        finished=state.finished,
        bars=bars,
        intents=counts.intents,
        approved=counts.approved,
        refused=counts.refused,
        trades=counts.trades,
        wins=counts.wins,
        pnl=counts.pnl,
        fees=counts.fees,
        equity=account.equity,
        max_drawdown=account.max_drawdown.quantize(Decimal("0.000001")),
        unprotected_ms_max=counts.unprotected_ms_max,
        open_brackets=len(state.brackets),
        state=state.trading_state.value,
        state_reason=state.state_reason,
        closed_by=dict(sorted(counts.closed_by.items())),
        refused_by=dict(sorted(counts.refused_by.items(), key=lambda item: -item[1])),
    )
