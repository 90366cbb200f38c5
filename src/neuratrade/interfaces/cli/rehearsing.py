"""rehearse: a live desk against venues that are not real, with everything going wrong that does go wrong."""

import os
from typing import TYPE_CHECKING

import typer

from neuratrade.core.model.errors import UsageError
from neuratrade.interfaces.cli.backtest import progress
from neuratrade.interfaces.cli.output import FAILED, console, print_json, styled, table

if TYPE_CHECKING:
    from neuratrade.rehearsal.faults import FaultKind
    from neuratrade.rehearsal.plays import Outcome
    from neuratrade.rehearsal.rehearse import Report

SHOWN = 10


def rehearse_command(
    venues: str, plans: int, seed: int, faults: str, jobs: int | None, *, as_json: bool
) -> None:
    """Plays and prints what it proved.

    Exits with 1 where something was doubled, lost, left bare or opened blindly, or a play got nowhere.
    """
    from neuratrade.app.engine_room import open_data
    from neuratrade.feeds.catalogue import Catalogue
    from neuratrade.rehearsal.rehearse import rehearse
    from neuratrade.rehearsal.stages import STAGES
    from neuratrade.store.home import Home

    names = [name.strip() for name in venues.split(",") if name.strip()] if venues else list(STAGES)
    dataset = open_data(Catalogue(Home.resolve().root / "data"), "shipped")
    if jobs is not None and jobs < 1:
        raise UsageError(f"--jobs is {jobs}; give 1 or more")
    processes = min(jobs or os.cpu_count() or 1, plans)
    with progress("rehearsing", quiet=as_json) as tell:
        report = rehearse(names, plans, seed, dataset, kinds=_kinds(faults), processes=processes, tell=tell)
    if as_json:
        print_json(_document(report, seed))
    else:
        _print(report)
    if not report.is_clean:
        raise typer.Exit(FAILED)


def _kinds(faults: str) -> "list[FaultKind] | None":
    from neuratrade.rehearsal.faults import FaultKind

    if not faults:
        return None
    known = {kind.value: kind for kind in FaultKind}
    wanted = [name.strip() for name in faults.split(",") if name.strip()]
    strange = [name for name in wanted if name not in known]
    if strange or not wanted:
        raise UsageError(f"--faults knows {', '.join(known)}; got {', '.join(strange) or 'none'}")
    return [known[name] for name in wanted]


def _document(report: "Report", seed: int) -> dict[str, object]:
    whole = report.total
    return {
        "plans": whole.plans,
        "seed": seed,
        "orders": whole.orders,
        "executions": whole.executions,
        "doubled": whole.doubled,
        "lost": whole.lost,
        "stuck": whole.stuck,
        "blind": whole.blind,
        "unprotected_over_limit": whole.unprotected_over_limit,
        "longest_unprotected_s": whole.longest_unprotected_s,
        "unknown": whole.unknown,
        "unknown_resolved": whole.unknown_resolved,
        "stalls": whole.stalls,
        "stalled_s": round(whole.stalled_s, 3),
        "stalled_entries": whole.stalled_entries,
        "stalled_refused": whole.stalled_refused,
        "stalled_stops": whole.stalled_stops,
        "venues": report.venues,
        "faults": dict(report.met),
        "findings": report.findings,
        "plays": [_play_document(outcome) for outcome in report.outcomes],
    }


def _play_document(outcome: "Outcome") -> dict[str, object]:
    return {
        "venue": outcome.venue,
        "seed": outcome.seed,
        "proposed": outcome.proposed,
        "opened": outcome.opened,
        "verdict": outcome.verdict,
        "positions": outcome.positions,
        "faults": outcome.met,
        "heard": outcome.heard,
        "silence": outcome.silence,
        "notes": len(outcome.notes),
    }


def _print(report: "Report") -> None:
    out, whole = console(), report.total
    shown = table(
        "Rehearsal", "venue", "plans", "positions", "orders", "executions", "unknown", "resolved", "doubled",
        "lost", "bare too long", "blind", "stuck", "longest bare",
        right=("plans", "positions", "orders", "executions", "unknown", "resolved", "doubled", "lost",
               "bare too long", "blind", "stuck", "longest bare"),
    )  # fmt: skip
    for name, row in [*report.venues.items(), ("all", whole)]:
        bad = (row.doubled, row.lost, row.unprotected_over_limit, row.blind, row.stuck)
        shown.add_row(
            name,
            *map(str, (row.plans, row.closed, row.orders, row.executions, row.unknown, row.unknown_resolved)),
            *(styled(str(count), "red" if count else "green") for count in bad),
            f"{row.longest_unprotected_s:.1f} s",
        )
    out.print(shown)
    met = table("What went wrong", "fault", "times", right=("times",))
    for kind, count in sorted(report.met.items(), key=lambda item: -item[1]):
        if count:
            met.add_row(kind, str(count))
    out.print(met)
    out.print(
        f"Prices were known not to come {whole.stalls} times, {whole.stalled_s:.0f} s in all: meanwhile "
        f"{whole.stalled_stops} stops were sent, {whole.stalled_refused} proposals refused, and "
        f"{whole.stalled_entries} entries approved at half the size, on prices fresh enough."
    )
    _print_positions(report)
    for finding in report.findings[:SHOWN]:
        out.print(styled(f"{finding.venue}, seed {finding.seed}: {finding.what}", "red"))
        out.print(f"  again: neuratrade rehearse --venues {finding.venue} --plans 1 --seed {finding.seed}")
    if len(report.findings) > SHOWN:
        out.print(f"… and {len(report.findings) - SHOWN} more (--json has all)")
    if report.is_clean:
        out.print(
            styled("Nothing was doubled, lost, left bare for too long, opened blindly or stuck.", "green")
        )


def _print_positions(report: "Report") -> None:
    """The positions that were longest without a working stop, as the desk counted it."""
    rows = [
        (position.unprotected_s, outcome, position)
        for outcome in report.outcomes
        for position in outcome.positions
        if position.entered
    ]
    rows.sort(key=lambda row: -row[0])
    shown = table(
        f"Longest unprotected of {len(rows)} positions",
        "venue", "seed", "position", "held", "unprotected", "left by",
        right=("seed", "held", "unprotected"),
    )  # fmt: skip
    for bare_s, outcome, position in rows[:SHOWN]:
        shown.add_row(
            outcome.venue,
            str(outcome.seed),
            position.bracket,
            f"{position.held_s:.0f} s",
            f"{bare_s:.1f} s",
            position.reason,
        )
    console().print(shown)
