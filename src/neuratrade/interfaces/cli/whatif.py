"""whatif: the last run under other limits."""

from decimal import Decimal

from neuratrade.app.looking import home_in_use, reading
from neuratrade.app.summary import Summary
from neuratrade.app.whatif import WhatIf, what_if
from neuratrade.core.model.errors import UsageError
from neuratrade.core.risk.limits import parse_limit
from neuratrade.feeds.catalogue import Catalogue
from neuratrade.interfaces.cli.output import console, money, number, percent, print_json, table

SHOWN = 20


def show_whatif(limits: list[str], *, as_json: bool) -> None:
    """Prints the comparison. Raises UsageError for limits that cannot be read."""
    changes = dict(_parse(text) for text in limits)
    home = home_in_use()
    with reading(home) as reader:
        report = what_if(reader, Catalogue(home.root / "data"), changes)
    if as_json:
        print_json(report)
    else:
        _print(report)


def _parse(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise UsageError(f"--limit {text!r}: write NAME=VALUE, for example confidence=0.9")
    parse_limit(name.strip(), value.strip())
    return name.strip(), value.strip()


def _print(report: WhatIf) -> None:
    out = console()
    for name, change in report.limits.items():
        out.print(f"{name}: {change}")
    out.print(report.note)
    compared = table("what if", "what", "was", "would be", right=("was", "would be"))
    for label, was, would in _rows(report.before, report.after):
        compared.add_row(label, was, would)
    out.print(compared)
    if not report.changes:
        out.print("no trade would have been different")
        return
    columns = ("id", "instrument", "strategy", "change", "quantity", "would be", "net", "net would be")
    listed = table(f"{len(report.changes)} trades differ", *columns, right=columns[4:])
    for item in report.changes[:SHOWN]:
        listed.add_row(
            item.bracket_id[:8],
            item.instrument,
            item.strategy_ref,
            item.change,
            _amount(item.quantity_before),
            _amount(item.quantity_after),
            "" if item.pnl_before is None else money(item.pnl_before),
            "" if item.pnl_after is None else money(item.pnl_after),
        )
    out.print(listed)


def _rows(was: Summary, would: Summary) -> list[tuple[str, str, str]]:
    return [
        ("approved", str(was.approved), str(would.approved)),
        ("refused", str(was.refused), str(would.refused)),
        ("trades", str(was.trades), str(would.trades)),
        ("won", str(was.wins), str(would.wins)),
        ("net profit", money(was.pnl), money(would.pnl)),
        ("fees", money(was.fees), money(would.fees)),
        ("max drawdown", percent(was.max_drawdown), percent(would.max_drawdown)),
        ("trading state at the end", was.state, would.state),
    ]


def _amount(value: Decimal | None) -> str:
    return "" if value is None else number(value)
