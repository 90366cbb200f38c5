"""audit verify: proves the journal, or names the first row that is broken."""

import sys

from neuratrade.core.model.errors import UsageError
from neuratrade.interfaces.cli.output import FAILED, console, print_json
from neuratrade.store.audit import verify_chain
from neuratrade.store.database import connect
from neuratrade.store.home import Home


def verify_journal(*, as_json: bool) -> None:
    """Prints the audit report; exits 1 when the journal is broken."""
    home = Home.resolve()
    if not home.database.exists():
        raise UsageError(f"{home.root}: no journal here yet; start a desk with `neuratrade run`")
    engine = connect(home.database, read_only=True)
    try:
        report = verify_chain(engine, home.checkpoints)
    finally:
        engine.dispose()
    if as_json:
        print_json(report)
    elif report.ok:
        console().print(f"[green]whole[/]: {report.rows} rows, every link, seal and checkpoint holds")
    else:
        at = "" if report.first_bad_seq is None else f" at row {report.first_bad_seq}"
        console().print(f"[red]BROKEN[/]{at}: {report.problem}")
    if not report.ok:
        sys.exit(FAILED)
