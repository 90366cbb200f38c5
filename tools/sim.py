"""Runs seeded worlds: `make sim SEEDS=500 START=0`, or `TRACE=1` for the story of one.

Ends with a line that says how many promises were broken; exit code 1 when any was, or when a cell of the
matrix stayed empty in a run that is large enough to fill it.
"""

import argparse
import sys
import time
from collections import Counter
from functools import partial
from multiprocessing import Pool

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tests.simulation.faults.life import Life, Outcome
from tests.simulation.faults.matrix import empty_cells, table
from tests.simulation.faults.mutants import MUTANTS, apply

ENOUGH_SEEDS = 500
"""From this many seeds on every cell of the matrix must have been reached."""


def live(seed: int, crash_at: int | None = None) -> Outcome:
    """One world."""
    return Life(seed, crash_at=crash_at).live()


def _trace(seed: int) -> int:
    outcome = Life(seed, trace=print).live()
    print(f"seed {outcome.seed}: {outcome.events} events, {outcome.violation or 'no violation'}")
    return int(outcome.violation is not None)


def _crash_everywhere(seeds: range, jobs: int) -> int:
    """Each world again and again, with one crash: at its first boundary, at its second, and so on."""
    failed = lives = 0
    with Pool(jobs) as pool, _progress() as progress:
        for seed in seeds:
            boundaries = Life(seed, crash_at=0).live().boundaries
            task = progress.add_task(f"seed {seed}", total=boundaries, failed="")
            act = partial(live, seed)
            for place, outcome in enumerate(pool.imap(act, range(1, boundaries + 1), chunksize=8), 1):
                lives += 1
                if outcome.violation is not None:
                    failed += 1
                    print(f"seed {seed}, crash at boundary {place} of {boundaries}: {outcome.violation}")
                progress.update(task, advance=1, failed=f"{failed} violations" if failed else "")
            print(f"seed {seed}: a crash at each of {boundaries} boundaries", flush=True)
    print(f"{lives} lives, {failed} violations")
    return int(bool(failed))


def _progress() -> Progress:
    """A bar on a terminal, which leaves no trace of itself; nothing at all elsewhere."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("[red]{task.fields[failed]}"),
    )
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


def _tell(outcome: Outcome) -> None:
    print(f"\nseed {outcome.seed}, event {outcome.events}, invariant {outcome.violation}")
    print(f"  to see it: make sim SEEDS=1 START={outcome.seed} TRACE=1", flush=True)


def main() -> int:
    """Runs the worlds asked for; 0 when every promise held."""
    parser = argparse.ArgumentParser(description="seeded worlds with faults")
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--start", type=int, default=0)
    parser.add_argument("--trace", action="store_true", help="tell everything about the first seed")
    parser.add_argument("--crash-all", action="store_true", help="crash at every boundary in turn")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--mutant", choices=MUTANTS, help="break the desk on purpose")
    chosen = parser.parse_args()
    if chosen.mutant:
        apply(chosen.mutant)
    seeds = range(chosen.start, chosen.start + chosen.seeds)
    if chosen.trace:
        return _trace(chosen.start)
    if chosen.crash_all:
        return _crash_everywhere(seeds, chosen.jobs)
    return _run(seeds, chosen.jobs, first=bool(chosen.mutant))


def _run(seeds: range, jobs: int, *, first: bool) -> int:
    began = time.monotonic()
    faults: Counter[tuple[str, str]] = Counter()
    failed = events = intents = 0
    with Pool(jobs) as pool, _progress() as progress:
        task = progress.add_task("worlds", total=len(seeds), failed="")
        for outcome in pool.imap_unordered(live, seeds):
            faults.update(outcome.faults)
            events += outcome.events
            intents += outcome.intents
            if outcome.violation is not None:
                failed += 1
                _tell(outcome)
                if first:
                    break
            progress.update(task, advance=1, failed=f"{failed} violations" if failed else "")
    took = time.monotonic() - began
    print(f"\n{table(faults)}\n")
    print(f"{events} events, {intents} proposals, {sum(faults.values())} faults in {took:.1f} s")
    empty = empty_cells(faults)
    for fault, moment in empty:
        print(f"empty cell: {fault} / {moment}")
    print(f"{len(seeds)} seeds, {failed} violations")
    return int(bool(failed) or bool(empty and len(seeds) >= ENOUGH_SEEDS))


if __name__ == "__main__":
    sys.exit(main())
