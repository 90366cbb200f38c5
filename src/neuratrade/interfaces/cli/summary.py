"""The table a run ends with."""

from pathlib import Path

from neuratrade.app.summary import Summary
from neuratrade.interfaces.cli.output import console, money, percent, table

REFUSALS_SHOWN = 12


def print_summary(summary: Summary, home: Path, go_on: str = "neuratrade run") -> None:
    """Prints what a run came to."""
    out = console()
    title = "summary (paper)" if summary.finished else "summary so far (paper)"
    totals = table(title, "what", "value", right=("value",))
    totals.add_row("bars", f"{summary.bars:,}")
    totals.add_row("intents", f"{summary.intents} ({summary.approved} approved, {summary.refused} refused)")
    won = f", {summary.wins} won" if summary.trades else ""
    totals.add_row("bracketed trades closed", f"{summary.trades}{won}")
    totals.add_row("net profit", money(summary.pnl))
    totals.add_row("fees paid", money(summary.fees))
    totals.add_row("equity", money(summary.equity))
    totals.add_row("max drawdown", percent(summary.max_drawdown))
    totals.add_row("longest unprotected", f"{summary.unprotected_ms_max} ms")
    totals.add_row("still open", str(summary.open_brackets))
    totals.add_row("trading state", f"{summary.state} {summary.state_reason}".strip())
    out.print(totals)
    ended = table("closed by", "reason", "brackets", right=("brackets",))
    for reason, count in summary.closed_by.items():
        ended.add_row(reason, str(count))
    refused = table(
        "refused by layer (one intent may count in several)", "layer", "intents", right=("intents",)
    )
    for layer, count in list(summary.refused_by.items())[:REFUSALS_SHOWN]:
        refused.add_row(layer, str(count))
    if summary.closed_by:
        out.print(ended)
    if summary.refused_by:
        out.print(refused)
    if not summary.finished:
        out.print(f"next:   {go_on}    goes on from here")
    out.print(f"why:    neuratrade why --last 10    (home: {home})")
    out.print("proof:  neuratrade audit verify")
