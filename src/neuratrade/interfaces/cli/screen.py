"""The live terminal view: clock, equity, positions with stop and target, last decisions, limits used."""

import asyncio
from decimal import Decimal

from rich.console import Group
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from neuratrade.app.desk import Desk
from neuratrade.core.engine.ledger import equity_of
from neuratrade.core.model import facts as f
from neuratrade.core.risk.view import drawdown
from neuratrade.interfaces.cli.look import limits_used
from neuratrade.interfaces.cli.output import money, number, percent, table, when
from neuratrade.interfaces.cli.why import describe

REFRESH_S = 0.25
DECISIONS = 8
CLOSED = 5


async def show_screen(desk: Desk) -> None:
    """Draws the desk four times a second until cancelled."""
    total = desk.feed.total_bars
    with Live(_draw(desk, total), auto_refresh=False) as live:
        try:
            while True:
                await asyncio.sleep(REFRESH_S)
                live.update(_draw(desk, total), refresh=True)
        finally:
            live.update(_draw(desk, total), refresh=True)


def _draw(desk: Desk, total: int) -> Group:
    return Group(_head(desk, total), _positions(desk), _decisions(desk), _limits(desk))


def _head(desk: Desk, total: int) -> Panel:
    state, simulated = desk.state, desk.simulated
    account = next(iter(state.accounts.values()))
    marks = simulated.engine.marks()
    equity = equity_of(account, state.instruments, marks) or account.equity
    line = Text.assemble(
        (f"{when(state.now_ns)} UTC", "bold"),
        f"   equity {money(equity)} {account.account.currency}",
        f"   drawdown {percent(drawdown(account.peak, equity))}",
        f"   trades {state.counts.trades}  net {money(state.counts.pnl)}   ",
        (
            state.trading_state.value,
            "bold green" if state.trading_state is f.TradingState.RUNNING else "bold red",
        ),
        f" {state.state_reason}",
    )
    bar = ProgressBar(total=max(total, 1), completed=simulated.bars_seen, width=60)
    return Panel(Group(line, bar), title=f"NeuraTrade  {state.mode}  run {state.run_id}", title_align="left")


def _positions(desk: Desk) -> Table:
    columns = ("id", "instrument", "side", "held", "entry", "price", "stop", "target", "open profit")
    listed = table("positions", *columns, right=columns[3:])
    for item in desk.state.brackets.values():
        view = desk.simulated.engine.views[item.intent.instrument]
        sign = item.intent.direction.sign
        price = view.price or item.entry_price
        profit = (price - item.entry_price) * item.held * sign * view.instrument.multiplier
        rungs = item.intent.take_profits
        target = rungs[min(item.rungs_done, len(rungs) - 1)].price if rungs else None
        listed.add_row(
            item.bracket_id[:8],
            item.intent.instrument,
            item.intent.direction.value,
            number(item.held) if item.entered else "entering",
            f"{item.entry_price or item.intent.trigger_price:.8g}",
            number(price),
            number(item.stop_price),
            "none" if target is None else number(target),
            money(profit if item.entered else Decimal(0)),
        )
    return listed


def _decisions(desk: Desk) -> Table:
    listed = table("last decisions", "id", "time", "what", "verdict", "because")
    judged = [fact for fact in desk.recent if isinstance(fact, f.IntentJudged)]
    for fact in judged[-DECISIONS:]:
        blocking = [f"{layer.name}: {layer.reason}" for layer in fact.layers if layer.verdict.blocks]
        listed.add_row(
            fact.intent.intent_id[:8],
            when(fact.at_ns),
            describe(fact),
            "[green]approved[/]" if fact.approved else "[red]refused[/]",
            "; ".join(blocking) if blocking else f"quantity {number(fact.quantity)}",
        )
    return listed


def _limits(desk: Desk) -> Table:
    listed = table("limits used", "limit", "", "used", "of", right=("used", "of"))
    for name, used, limit in limits_used(desk.state):
        share = float(used / limit) if limit else 1.0
        listed.add_row(
            name, ProgressBar(total=1.0, completed=min(share, 1.0), width=30), number(used), number(limit)
        )
    return listed
