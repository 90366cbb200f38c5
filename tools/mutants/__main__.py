"""Proves that the tests bite: breaks the risk gate and the engine on purpose and counts who notices.

First the named mutants, the mistakes this desk must never make; all of them must be caught. Then a sample of
all small breaks there are (the same seed, the same sample), or every one. Nothing in the checkout is touched.

`python -m tools.mutants [--seed N] [--count N | --all] [--jobs N] [--only PATH] [--named] [--json PATH]`
Exit: 0 when all named and at least 85 % of the others were caught, 1 when not, 2 when nothing can be said.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Column, Table

from tools.mutants.named import DoesNotApply, NamedMutant, read_named
from tools.mutants.operators import Mutant
from tools.mutants.runner import Bench, Broken, Result, bench
from tools.mutants.selection import ROOMS, Equivalent, all_mutants, apart, read_equivalents, sample

ROOT = Path(__file__).resolve().parents[2]
LEAST_FRACTION = 0.85
COUNT = 300
WIDTH = 180
"""Columns of a report that goes into a file."""


def arguments(words: list[str]) -> argparse.Namespace:
    """What was asked for on the command line."""
    parser = argparse.ArgumentParser(
        prog="tools.mutants", description="Breaks the core and counts who notices."
    )
    parser.add_argument("--seed", type=int, default=1, help="which sample (default 1)")
    parser.add_argument("--count", type=int, default=COUNT, help=f"how many mutants (default {COUNT})")
    parser.add_argument("--all", action="store_true", help="every mutant there is")
    parser.add_argument("--jobs", type=int, default=min(os.cpu_count() or 1, 2), help="workers (default 2)")
    parser.add_argument("--only", default="", help="only files whose path contains this")
    parser.add_argument("--named", action="store_true", help="only the named mutants")
    parser.add_argument("--list", action="store_true", help="print the mutants, run nothing")
    parser.add_argument("--json", type=Path, help="write the results there too")
    return parser.parse_args(words)


def main(words: list[str]) -> int:
    """Runs it all and prints what was found."""
    asked = arguments(words)
    console = Console(highlight=False, emoji=False)
    if not console.is_terminal:
        console = Console(highlight=False, emoji=False, width=WIDTH)
    kept, equal, stale = apart(all_mutants(ROOT, ROOMS), read_equivalents(ROOT))
    candidates = [mutant for mutant in kept if asked.only in mutant.file]
    chosen = candidates if asked.all else sample(candidates, asked.count, asked.seed)
    if asked.list:
        for mutant in chosen:
            console.print(f"{mutant}  ({mutant.function}: {mutant.operator})", markup=False, soft_wrap=True)
        return 0
    began = time.monotonic()
    try:
        with bench(ROOT, asked.jobs) as ready:
            named = _run_named(console, ready, read_named(ROOT))
            results = [] if asked.named else _run_sample(console, ready, chosen)
    except (Broken, DoesNotApply) as error:
        console.print(f"mutants: {error}", markup=False)
        return 2
    seconds = time.monotonic() - began
    _print_equivalents(console, equal, stale)
    _print_survivors(console, results)
    if results:
        console.print(_by_file(results))
    killed = sum(result.caught for _, result in results)
    if asked.json is not None:
        asked.json.write_text(
            json.dumps(_report(asked, len(candidates), equal, named, results, seconds), indent=1)
        )
    whole = (
        f"all {len(candidates)}"
        if len(chosen) == len(candidates)
        else f"sample {asked.seed} of {len(candidates)}"
    )
    caught = sum(result.caught for _, result in named)
    console.print(f"{caught} of {len(named)} named mutants caught; {whole}; {seconds:.0f} s")
    if results:
        console.print(f"{killed} of {len(results)} mutants killed ({100 * killed / len(results):.1f} %)")
    enough = killed >= LEAST_FRACTION * len(results)
    return 0 if enough and caught == len(named) else 1


def _progress(console: Console) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console, transient=True)


def _run_named(console: Console, ready: Bench, named: list[NamedMutant]) -> list[tuple[NamedMutant, Result]]:
    results: dict[str, Result] = {}
    with _progress(console) as progress:
        task = progress.add_task("named mutants", total=len(named))
        for mutant, result in ready.try_named(named):
            results[mutant.name] = result
            progress.advance(task)
    table = Table("named mutant", "what it breaks", Column("caught by", overflow="fold"))
    for mutant in named:
        table.add_row(mutant.name, mutant.breaks, _caught_by(results[mutant.name]))
    console.print(table)
    return [(mutant, results[mutant.name]) for mutant in named]


def _caught_by(result: Result) -> str:
    if not result.caught:
        return f"NOBODY: {result.detail or 'all its tests passed'}"
    if not result.failed:
        return result.detail
    more = f" and {len(result.failed) - 1} more" if len(result.failed) > 1 else ""
    return escape(f"{result.failed[0].removeprefix('tests/')}{more}")


def _run_sample(console: Console, ready: Bench, chosen: list[Mutant]) -> list[tuple[Mutant, Result]]:
    results: list[tuple[Mutant, Result]] = []
    with _progress(console) as progress:
        task = progress.add_task("tests on the whole source", total=len(chosen))
        calls = ready.measure()
        for mutant, result in ready.try_out(chosen, calls):
            results.append((mutant, result))
            survived = sum(not item.caught for _, item in results)
            progress.update(task, advance=1, description=f"mutants, {survived} survived")
    return sorted(results, key=lambda item: (item[0].file, item[0].start, item[0].end))


def _print_equivalents(console: Console, equal: list[tuple[Mutant, str]], stale: list[Equivalent]) -> None:
    for mutant, why in equal:
        console.print(f"equivalent, not counted: {mutant}: {why}", markup=False, soft_wrap=True)
    for item in stale:
        console.print(
            f"no such mutant any more: {item.file}: {item.before}  ->  {item.after}",
            markup=False,
            soft_wrap=True,
        )


def _print_survivors(console: Console, results: list[tuple[Mutant, Result]]) -> None:
    for mutant, result in results:
        if not result.caught:
            reach = "no test calls it" if result.outcome == "unreached" else f"{result.tests} tests pass"
            console.print(
                f"{mutant}  ({mutant.function}: {mutant.operator}; {reach})", markup=False, soft_wrap=True
            )


def _by_file(results: list[tuple[Mutant, Result]]) -> Table:
    tried: Counter[str] = Counter(mutant.file for mutant, _ in results)
    killed: Counter[str] = Counter(mutant.file for mutant, result in results if result.caught)
    table = Table("file", "mutants", "killed", "survived", "%")
    for file, count in sorted(tried.items()):
        row = (count, killed[file], count - killed[file], f"{100 * killed[file] / count:.0f}")
        table.add_row(file, *map(str, row))
    return table


def _report(
    asked: argparse.Namespace,
    candidates: int,
    equal: list[tuple[Mutant, str]],
    named: list[tuple[NamedMutant, Result]],
    results: list[tuple[Mutant, Result]],
    seconds: float,
) -> dict[str, Any]:
    return {
        "seed": None if asked.all else asked.seed,
        "candidates": candidates,
        "equivalent": len(equal),
        "tried": len(results),
        "killed": sum(result.caught for _, result in results),
        "seconds": round(seconds),
        "outcomes": Counter(result.outcome for _, result in results),
        "named": [
            {"name": mutant.name, "breaks": mutant.breaks, "caught": result.caught, "by": result.failed}
            for mutant, result in named
        ],
        "survivors": [
            {
                "file": mutant.file,
                "line": mutant.line,
                "function": mutant.function,
                "operator": mutant.operator,
                "before": mutant.before,
                "after": mutant.after,
                "outcome": result.outcome,
            }
            for mutant, result in results
            if not result.caught
        ],
    }


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # So that the copies are removed then, too.
    sys.exit(main(sys.argv[1:]))
