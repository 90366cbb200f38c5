"""The live terminal view: clock, equity, limits used, positions with stop and target, last decisions.

It always fits: what must be seen stands above, and the decisions take the lines that are left, one each.
"""

import asyncio
from decimal import Decimal

from rich import box
from rich.console import Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from neuratrade.app.desk import Desk
from neuratrade.core.engine.state import BracketState
from neuratrade.core.model import facts as f
from neuratrade.core.model.market import NS_PER_SECOND
from neuratrade.core.risk.view import drawdown
from neuratrade.interfaces.cli.look import limits_used
from neuratrade.interfaces.cli.output import console, money, number, percent, verdict_of, when
from neuratrade.interfaces.cli.why import describe

REFRESH_S = 0.25
POSITIONS = 6
HEADING = 3
"""Lines above the first row of a table."""
FRESH_S = 5.0
MANY, FEW = 6, 2
"""Prices that are shown of a live market, where there is room and where there is little."""
WIDE = 100
"""Columns from which on everything is shown; a narrower terminal gets what matters most."""


async def show_screen(desk: Desk) -> None:
    """Draws the desk four times a second until cancelled."""
    out = console()
    with Live(console=out, auto_refresh=False, transient=True, vertical_overflow="crop") as live:
        try:
            while True:
                live.update(_draw(desk, out.width, out.height), refresh=True)
                await asyncio.sleep(REFRESH_S)
        finally:
            live.update(_draw(desk, out.width, out.height), refresh=True)


def _draw(desk: Desk, width: int, height: int) -> Group:
    wide = width >= WIDE
    head, limits = _head(desk, wide=wide), _limits(desk, width)
    held = list(desk.state.brackets.values())[-POSITIONS:]
    taken = len(head) + limits.row_count + HEADING + max(len(held), 1)
    parts: list[RenderableType] = [*head, limits, _positions(desk, held, wide=wide)]
    left = height - taken - HEADING - 1
    if left > 0:
        parts.append(_decisions(desk, left, wide=wide))
    return Group(*parts)


def _head(desk: Desk, *, wide: bool) -> list[RenderableType]:
    state = desk.state
    account = next(iter(state.accounts.values()))
    equity = desk.simulated.engine.equity(account.account.account_id) or account.equity
    running = state.trading_state is f.TradingState.RUNNING
    counts = state.counts
    lines = [
        _line(("NeuraTrade", "bold"), f" {state.mode}  run {state.run_id}"),
        _line((f"{when(state.now_ns if desk.replay is not None else desk.simulated.now_ns)} UTC", "bold")),
        _line(f"equity {money(equity)} {account.account.currency}"),
        _line(f"drawdown {percent(drawdown(account.peak, equity))}"),
        _line(f"trades {counts.trades} ({counts.wins} won)  net {money(counts.pnl)}"),
    ]
    if wide:
        lines = [Text("  ").join(lines[:2]), Text("   ").join(lines[2:])]
    doing = _line(
        (state.trading_state.value, "bold green" if running else "bold red"), f" {state.state_reason}"
    )
    parts: list[RenderableType] = [*lines, doing]
    if desk.replay is not None:
        done = Table.grid()
        done.add_row(ProgressBar(max(desk.bars_in_all, 1), desk.bars, width=60 if wide else 30))
        parts.append(done)
    else:
        parts.append(_prices(desk, MANY if wide else FEW))
    health = desk.runner.health
    if health.noted:
        parts.append(_line(("trouble ", "bold yellow"), health.troubles[-1]))
    return parts


def _prices(desk: Desk, most: int) -> Text:
    """The newest prices of a live market; one that stalled, or is older than a few seconds, says so."""
    line = Text(no_wrap=True, overflow="ellipsis")
    for key, view in list(desk.simulated.engine.views.items())[:most]:
        age_s = (desk.simulated.now_ns - view.price_ns) / NS_PER_SECOND
        old = view.stalled or age_s > FRESH_S
        line.append(f"{key.partition('@')[0]} ", "bold")
        line.append("no price" if view.price is None else number(view.price), "red" if old else "")
        if view.price is not None and old:
            line.append(" stalled" if view.stalled else f" {age_s:.0f} s old", "red")
        line.append("   ")
    return line


def _line(*parts: str | tuple[str, str]) -> Text:
    return Text.assemble(*parts, no_wrap=True, overflow="ellipsis")


def _limits(desk: Desk, width: int) -> Table:
    listed = Table.grid(padding=(0, 1))
    for _ in range(3):
        listed.add_column(no_wrap=True)
    bar = max(min(width - 45, 30), 4)
    for name, used, limit in limits_used(desk.state):
        share = float(used / limit) if limit else 1.0
        colour = "red" if share >= 1 else "green"
        drawn = ProgressBar(1.0, min(share, 1.0), width=bar, complete_style=colour, finished_style=colour)
        listed.add_row(name, drawn, f"{number(used)} of {number(limit)}")
    return listed


def _positions(desk: Desk, held: list[BracketState], *, wide: bool) -> Table:
    listed = _listed("positions", "id", "what", "held", "entry", "price", "stop", "target", "open profit")
    if not wide:
        listed = _listed("positions", "what", "price", "stop", "open profit")
    for item in held:
        cells = _position(desk, item)
        listed.add_row(*(cells if wide else (cells[1], cells[4], cells[5], cells[7])))
    if not held:
        listed.add_row("none")
    return listed


def _position(desk: Desk, item: BracketState) -> tuple[str, ...]:
    view = desk.simulated.engine.views[item.intent.instrument]
    price = view.price or item.entry_price
    profit = (price - item.entry_price) * item.held * item.intent.direction.sign * view.instrument.multiplier
    rungs = item.intent.take_profits
    target = rungs[min(item.rungs_done, len(rungs) - 1)].price if rungs else None
    return (
        item.bracket_id[:8],
        f"{item.intent.direction.value} {item.intent.instrument.partition('@')[0]}",
        number(item.held) if item.entered else "entering",
        f"{item.entry_price or item.intent.trigger_price:.8g}",
        number(price),
        number(item.stop_price) + ("" if item.protected else " NOT SAFE"),
        "none" if target is None else number(target),
        money(profit if item.entered else Decimal(0)),
    )


def _decisions(desk: Desk, lines: int, *, wide: bool) -> Table:
    columns = ("id", "time", "what", "verdict", "because") if wide else ("what", "verdict", "because")
    listed = _listed("last decisions", *columns)
    for fact in list(desk.decisions)[-lines:]:
        blocking = "; ".join(f"{layer.name}: {layer.reason}" for layer in fact.layers if layer.verdict.blocks)
        cells = (
            fact.intent.intent_id[:8],
            when(fact.at_ns)[5:],
            describe(fact).replace(f"@{_venue(fact)}", ""),
            verdict_of(approved=fact.approved),
            blocking or f"quantity {number(fact.quantity)}",
        )
        listed.add_row(*(cells if wide else cells[2:]))
    return listed


def _listed(title: str, *columns: str) -> Table:
    made = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    made.show_edge = False
    made.expand = "because" in columns
    for column in columns:
        made.add_column(
            column,
            no_wrap=True,
            overflow="ellipsis",
            ratio=1 if column == "because" else None,
            min_width=None if column == "because" else len(column),
        )
    return made


def _venue(fact: f.IntentJudged) -> str:
    return str(getattr(fact.intent, "instrument", "")).partition("@")[2]
