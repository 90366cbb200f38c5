"""`make bench`: every benchmark in one run, a table on the screen, and benchmarks/results/latest.json.

On a shared machine a figure is worth its ratio: where there is a floor (the same work without us) or another
program, it is measured beside ours. A part that cannot run says so in its row instead of being left out.
Each part is a process of its own: what one leaves in memory would slow down the next, and count as its peak.
"""

import argparse
import json
import platform
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.parts import PARTS, Row, measure

RESULTS = Path(__file__).parent / "results" / "latest.json"


def is_met(row: Row) -> bool | None:
    """Whether a row keeps its target; None where there is none. `better: higher` turns the target round."""
    value, target = row.get("value"), row.get("target")
    if not isinstance(value, int | float) or not isinstance(target, int | float):
        return None
    return value >= target if row.get("better") == "higher" else value <= target


def _cells(part: str, row: Row) -> list[str]:
    value, floor, target = row.get("value"), row.get("floor"), row.get("target")
    sign = ">=" if row.get("better") == "higher" else "<="
    ratio = (
        f"{value / floor:.2f}" if isinstance(value, int | float) and isinstance(floor, int | float) else ""
    )
    mark = {None: "", True: "[green]yes[/]", False: "[red]NO[/]"}[is_met(row)]
    goal = "" if target is None else f"{sign} {target:g}"
    shown = ["" if item is None else f"{item:,}" for item in (value, floor)]
    return [part, str(row["name"]), shown[0], str(row.get("unit")), shown[1], ratio, goal, mark]


def show(results: dict[str, list[Row]]) -> None:
    """Prints the table. ratio: value to floor."""
    listed = Table(title="benchmarks", title_justify="left")
    for column in ("part", "what", "value", "unit", "floor", "ratio", "target", "met"):
        numbers = ("value", "floor", "ratio", "target")
        listed.add_column(column, justify="right" if column in numbers else "left")
    for part, rows in results.items():
        for row in rows:
            listed.add_row(*_cells(part, row))
    Console(width=140).print(listed)


def main() -> None:
    """Runs the parts named on the command line, or all; writes the results when all were run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], default=[], help="only these parts")
    chosen = parser.parse_args().parts or list(PARTS)
    results: dict[str, list[Row]] = {}
    for part in chosen:
        sys.stderr.write(f"measuring {part} ...\n")
        with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn")) as alone:
            results[part] = alone.submit(measure, part).result()
    show(results)
    if set(chosen) == set(PARTS):
        RESULTS.parent.mkdir(exist_ok=True)
        machine = {
            "python": platform.python_version(),
            "machine": platform.machine(),
            "system": platform.system(),
        }
        document = {"at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "on": machine, "parts": results}
        RESULTS.write_text(json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    main()
