"""data check, import, download, list."""

import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from neuratrade.app.looking import home_in_use
from neuratrade.core.model.errors import UsageError
from neuratrade.feeds.catalogue import Catalogue
from neuratrade.feeds.check import CheckReport, check_file
from neuratrade.feeds.layout import YEAR_2100_NS, SeriesKind
from neuratrade.feeds.rules import iso_of
from neuratrade.feeds.times import time_of
from neuratrade.interfaces.cli.output import (
    FAILED,
    INTERRUPTED,
    console,
    print_error,
    print_json,
    styled,
    table,
)

if TYPE_CHECKING:
    from neuratrade.feeds.download import Wanted

_SHOWN = 20


def check_data(file: str, timeframe: str, kind: str, *, as_json: bool) -> None:
    """Prints a check report; exits 1 when the file has errors."""
    report = check_file(Path(file).expanduser(), timeframe or None, _kind(kind))
    if as_json:
        print_json(report)
    else:
        _print_report(file, report)
    if not report.ok:
        sys.exit(FAILED)


def _kind(name: str) -> SeriesKind:
    if name not in list(SeriesKind):
        raise UsageError(f"kind {name!r}: write bars, trades or quotes")
    return SeriesKind(name)


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


def import_data(
    file: str, asset: str, venue: str, timeframe: str, kind: str, dataset: str, *, as_json: bool
) -> None:
    """Imports a file whole or not at all; exits 1 when nothing was imported for an error."""
    report = _catalogue().import_file(
        Path(file).expanduser(),
        asset,
        venue,
        timeframe=timeframe or None,
        kind=_kind(kind),
        dataset=dataset,
    )
    if as_json:
        print_json(report)
    elif report.ok:
        console().print(
            f"{report.instrument}: {report.added} new rows, {report.rows} in dataset {report.dataset}"
        )
        _print_notes([*report.check.findings[:_SHOWN], *report.notes])
    else:
        _print_errors(report.errors)
    if not report.ok:
        sys.exit(FAILED)


def _catalogue() -> Catalogue:
    return Catalogue(home_in_use().root / "data")


def _print_notes(notes: list[str]) -> None:
    for note in notes:
        console().print(styled("note", "yellow"), note)


def what_to_download(symbol: str, timeframe: str, since: str, until: str) -> "Wanted":
    """Raises UsageError for times that cannot be read. until: empty for all there is."""
    from neuratrade.feeds.download import Wanted

    return Wanted(symbol, timeframe, time_of(since), time_of(until) if until else YEAR_2100_NS)


def download_data(exchange: str, url: str, wanted: "Wanted", *, as_json: bool) -> None:
    """Downloads what is not there yet; when it is interrupted, says what is kept and how to go on."""
    from neuratrade.feeds.download import Download
    from neuratrade.feeds.exchange import Exchange

    with closing(Exchange(exchange, url)) as opened, _progress(wanted.symbol, shown=not as_json) as progress:
        download = Download(opened, _catalogue(), wanted, progress)
        try:
            report = download.run()
        except KeyboardInterrupt:
            _end_interrupted(download.kept_until_ns, as_json=as_json)
    if as_json:
        print_json(report)
        return
    console().print(
        f"{report.instrument}: {report.added} new {report.timeframe} bars, {report.rows} in dataset "
        f"{report.dataset}, {report.since} to {report.until}"
    )
    _print_notes(report.notes)


def _end_interrupted(kept_until_ns: int | None, *, as_json: bool) -> NoReturn:
    kept = f"everything before {iso_of(kept_until_ns)} is kept" if kept_until_ns else "nothing was read yet"
    message = f"interrupted: {kept}; run the same command again to go on"
    print_error(message)
    if as_json:
        print_json({"ok": False, "error": message})
    sys.exit(INTERRUPTED)


@contextmanager
def _progress(symbol: str, *, shown: bool) -> Iterator[Callable[[int, int], None]]:
    """A bar on stderr, so that stdout stays what was asked for; none where nobody would see it move."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    to = Console(stderr=True)
    with Progress(*columns, console=to, transient=True, disable=not (shown and to.is_terminal)) as drawn:
        task = drawn.add_task(symbol, total=None)
        yield lambda done, total: drawn.update(task, completed=done, total=total)


def list_data(*, as_json: bool) -> None:
    """Prints every dataset with its series."""
    datasets = _catalogue().list()
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
