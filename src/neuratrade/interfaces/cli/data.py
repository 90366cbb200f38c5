"""data check, import, list."""

import sys
from pathlib import Path

from neuratrade.app.looking import home_in_use
from neuratrade.feeds.catalogue import Catalogue
from neuratrade.feeds.check import CheckReport, check_file
from neuratrade.interfaces.cli.output import FAILED, console, print_error, print_json, styled, table

_SHOWN = 20


def check_data(file: str, timeframe: str, *, as_json: bool) -> None:
    """Prints a check report; exits 1 when the file has errors."""
    report = check_file(Path(file).expanduser(), timeframe=timeframe or None)
    if as_json:
        print_json(report)
    else:
        _print_report(file, report)
    if not report.ok:
        sys.exit(FAILED)


def _print_report(file: str, report: CheckReport) -> None:
    out = console()
    verdict = styled("good", "green") if report.ok else styled("cannot be used", "red")
    out.print(f"{file}:", verdict + f", {report.rows} rows of {report.timeframe or 'unknown timeframe'}")
    if report.rows:
        out.print(f"from {report.first} to {report.last}, {len(report.gaps)} gap(s)")
    for finding in report.findings[:_SHOWN]:
        out.print(styled("note", "yellow"), finding)
    _print_errors(report.errors)


def _print_errors(errors: list[str]) -> None:
    for error in errors[:_SHOWN]:
        print_error(error)
    if len(errors) > _SHOWN:
        print_error(f"... and {len(errors) - _SHOWN} more")


def import_data(file: str, asset: str, venue: str, timeframe: str, dataset: str, *, as_json: bool) -> None:
    """Imports bars whole or not at all; exits 1 when nothing was imported for an error."""
    catalogue = Catalogue(home_in_use().root / "data")
    path = Path(file).expanduser()
    report = catalogue.import_file(path, asset, venue, timeframe=timeframe or None, dataset=dataset)
    if as_json:
        print_json(report)
    elif report.ok:
        out = console()
        out.print(f"{report.instrument}: {report.added} new rows, {report.rows} in dataset {report.dataset}")
        for note in report.notes:
            out.print(styled("note", "yellow"), note)
    else:
        _print_errors(report.errors)
    if not report.ok:
        sys.exit(FAILED)


def list_data(*, as_json: bool) -> None:
    """Prints every dataset with its series."""
    datasets = Catalogue(home_in_use().root / "data").list()
    if as_json:
        print_json([{"name": item.name, "description": item.description} for item in datasets])
        return
    listed = table(
        "datasets", "dataset", "instrument", "kind", "timeframe", "rows", "from", "to", right=("rows",)
    )
    for item in datasets:
        for series in item.description.series:
            listed.add_row(
                item.name,
                series.instrument,
                series.kind.value,
                series.timeframe,
                str(series.rows),
                series.first,
                series.last,
            )
    console().print(listed)
