"""audit verify: proves the journal, or names the first row that is broken."""

import sys

from neuratrade.app.looking import home_in_use
from neuratrade.interfaces.cli.output import FAILED, console, print_json, styled
from neuratrade.store.audit import verify_chain
from neuratrade.store.database import connect
from neuratrade.store.errors import DatabaseAbsent


def verify_journal(*, as_json: bool) -> None:
    """Prints the audit report; exits 1 when the journal is broken."""
    home = home_in_use()
    if not home.has_journal:
        raise DatabaseAbsent(f"{home.root}: no journal here yet; start a desk with `neuratrade run`")
    engine = connect(home.journal, read_only=True)
    try:
        report = verify_chain(engine, home.checkpoints)
    finally:
        engine.dispose()
    if as_json:
        print_json(report)
    elif report.ok:
        console().print(
            styled("whole", "green"), f"{report.rows} rows, every link, seal and checkpoint holds"
        )
    else:
        at = "" if report.first_bad_seq is None else f" at row {report.first_bad_seq}"
        console().print(styled("BROKEN", "red") + f"{at}: {report.problem}")
    if not report.ok:
        sys.exit(FAILED)
