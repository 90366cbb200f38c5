"""`make bench-backtest`: our backtest beside plain loops and the peers that are installed, in one run.

Each figure comes from a process of its own. The machine is rarely quiet: beside every program the plain
Python loop is measured again, and what counts is the ratio to it. Writes benchmarks/results/backtest.json
when all parts were run.
"""

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.backtest import compare, contenders, table
from benchmarks.backtest.processes import PATIENCE_S, run
from benchmarks.backtest.rows import Claim, Row, load_now

RESULTS = contenders.ROOT / "benchmarks" / "results" / "backtest.json"
PARTS = ("ours", "floors", "peers", "same", "bars", "sweep", "long")


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.backtest", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], default=[], help="only these")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results there too")
    parser.add_argument("--rounds", type=int, default=5, help="warm runs of ours (default 5)")
    parser.add_argument("--bars", type=int, default=60_000, help="bars lived through one by one")
    parser.add_argument("--variants", type=int, default=100, help="variants of the sweep, 100 at most")
    parser.add_argument("--processes", type=int, default=2, help="processes of the sweep")
    parser.add_argument("--patience", type=float, default=PATIENCE_S, help="seconds a program may take")
    asked = parser.parse_args(given)
    for name, most in (("rounds", 1000), ("bars", compare.YEAR_BARS), ("variants", 100), ("processes", 256)):
        if not 1 <= getattr(asked, name) <= most:
            parser.error(f"--{name} is {getattr(asked, name)}; give 1 to {most}")
    if not asked.patience > 0:
        parser.error(f"--patience is {asked.patience:g}; give more than 0 seconds")
    return asked


def measured(asked: argparse.Namespace, folder: Path) -> tuple[list[Row], list[Claim]]:
    """Rows and claims of the parts asked for, in the order of PARTS."""
    parts = asked.parts or list(PARTS)
    year, decade, python = folder / "reference-1.npz", folder / "reference-10.npz", Path(sys.executable)
    programs = [
        *([contenders.ours(asked.rounds)] if "ours" in parts else []),
        *(contenders.floors() if "floors" in parts else []),
        *(contenders.peers() if "peers" in parts else []),
    ]
    rows = []
    for program in programs:
        _say(program.name)
        rows.append(compare.measure(program, year, asked.patience))
    claims = compare.claims_of(rows[0]) if "ours" in parts else []
    if "same" in parts:
        _say("all trades, one by one")
        claims += compare.same(python, year)
    if "bars" in parts:
        _say("bar by bar")
        claims += compare.bar_by_bar(python, year, asked.bars, 3)
    if "sweep" in parts:
        _say("sweep")
        claims += compare.sweep(python, year, asked.variants, asked.processes)
    if "long" in parts:
        _say("ten years")
        claims += compare.ten_years(python, decade)
    return rows, claims


def document(rows: list[Row], claims: list[Claim], load: float) -> dict[str, Any]:
    """All of it, for a file."""
    machine = {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "system": platform.system(),
        "cores": os.cpu_count(),
        "load_at_start": load,
        "load_at_end": load_now(),
    }
    return {
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "on": machine,
        "rows": [msgspec.to_builtins(row) for row in rows],
        "claims": [{**msgspec.to_builtins(claim), "met": claim.met} for claim in claims],
    }


def main(given: list[str] | None = None) -> None:
    """Measures, shows, writes."""
    asked, load = arguments(given), load_now()
    if asked.json is not None and not asked.json.absolute().parent.is_dir():
        sys.exit(f"--json {asked.json}: the folder does not exist; make it first")
    with tempfile.TemporaryDirectory() as scratch:
        _say("the data")
        years = ["1", *(["10"] if "long" in (asked.parts or PARTS) else [])]
        made = run(Path(sys.executable), "benchmarks.backtest.data", [scratch, *years])
        if made.problem:
            sys.exit(f"the reference series could not be made: {made.problem}")
        rows, claims = measured(asked, Path(scratch))
    table.show(rows, claims)
    text = json.dumps(document(rows, claims, load), indent=2) + "\n"
    if asked.json is not None:
        asked.json.write_text(text, "utf-8")
    if not asked.parts:
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(text, "utf-8")


def _say(what: str) -> None:
    sys.stderr.write(f"measuring {what} ...\n")


if __name__ == "__main__":
    main()
