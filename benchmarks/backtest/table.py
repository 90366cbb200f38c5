"""The comparison on a screen."""

from rich.console import Console
from rich.table import Table

from benchmarks.backtest.compare import spread
from benchmarks.backtest.rows import Claim, Row

_COLUMNS = (
    "program", "version", "run s", "low-high", "x plain", "cpu s", "whole s", "RSS MB", "trades", "equity",
    "load",
)  # fmt: skip


def show(rows: list[Row], claims: list[Claim], console: Console | None = None) -> None:
    """Prints both tables. x plain: the run to the plain Python loop measured just before it."""
    console = Console(width=150) if console is None else console
    if rows:
        listed = Table(title="a year of minutes, the reference rule", title_justify="left")
        for place, column in enumerate(_COLUMNS):
            listed.add_column(column, justify="left" if place < 2 else "right", no_wrap=place != 0)
        for row in rows:
            listed.add_row(*cells(row))
        console.print(listed)
        for row in rows:
            said = row.status if row.status.startswith("failed") else row.note
            if said:
                console.print(f"  {row.name}: {said}", highlight=False, markup=False)
        console.print(f"  {spread(rows)}", highlight=False)
    if claims:
        kept = Table(title="ours", title_justify="left")
        for place, column in enumerate(("what", "value", "unit", "target", "met", "load", "note")):
            kept.add_column(column, justify="right" if place in {1, 3, 5} else "left")
        for claim in claims:
            kept.add_row(*_kept(claim))
        console.print(kept)


def cells(row: Row) -> list[str]:
    """One row as texts; what was not measured is said where its time would be."""
    if row.status != "measured":
        return [row.name, row.version, row.status.partition(":")[0], *[""] * (len(_COLUMNS) - 3)]
    span = "" if row.low_s == row.high_s else f"{_short(row.low_s)}-{_short(row.high_s)}"
    equity = "" if row.final_equity is None else f"{row.final_equity:,.2f}"
    trades = "" if row.trades is None else f"{row.trades:,}"
    return [
        row.name, row.version, _short(row.run_s), span, _short(row.ratio), _short(row.cpu_s),
        _short(row.whole_s), "" if row.rss_mb is None else f"{row.rss_mb:,.0f}", trades, equity,
        _short(row.load),
    ]  # fmt: skip


def _kept(claim: Claim) -> list[str]:
    mark = {None: "", True: "[green]yes[/]", False: "[red]NO[/]"}[claim.met]
    sign = ">=" if claim.better == "higher" else "<="
    goal = "" if claim.target is None else f"{sign} {claim.target:,g}"
    value = "" if claim.value is None else _short(claim.value)
    return [claim.name, value, claim.unit, goal, mark, _short(claim.load), claim.note]


def _short(value: float | None) -> str:
    """Three figures or so: more would pretend."""
    if value is None:
        return ""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"
