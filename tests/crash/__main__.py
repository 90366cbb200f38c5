"""The long crash test: every call of recorded lives on a disk that forgets, then kill -9 again and again.

Ends with `N kills, 0 violations` and exit code 0, or says what was violated and exits 1.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tests.crash.killing import kill_again_and_again
from tests.crash.recording import Recording, try_crashes
from tests.crash.syscalls import why_not

REPOSITORY = Path(__file__).resolve().parents[2]
MEMORY = Path("/dev/shm")
WORLDS = (12, 20)
CHANCES = 3
console = Console(highlight=False, soft_wrap=True)


def bars() -> Progress:
    """How far it is."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console, transient=True)


def lose_writes(seed: int, share: float, start: int) -> list[str]:
    """Crashes after calls of one recorded life."""
    folder = MEMORY if MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(dir=folder) as room, bars() as progress:
        task = progress.add_task(f"recording world {seed}", total=None)
        recording = Recording.make(Path(room), REPOSITORY, seed)
        total = sum(1 for _ in recording.crash_points())
        progress.update(task, description=f"crashes of world {seed}", total=total)
        tally = try_crashes(
            recording,
            Path(room),
            share=share,
            chances=CHANCES,
            seed=str(start),
            tell=lambda number: progress.update(task, completed=number),
        )
    console.print(
        f"world {seed}: {tally.points} crash points of {total} calls, {tally.different} different disks, "
        f"{len(tally.violations)} violations, {tally.seconds:.0f} s"
    )
    return tally.violations


def kill(kills: int, start: int) -> tuple[int, list[str]]:
    """Kills a trading desk; returns how often, and what was violated."""
    with tempfile.TemporaryDirectory() as room, bars() as progress:
        task = progress.add_task("kill -9", total=kills)
        found = kill_again_and_again(
            Path(room),
            REPOSITORY,
            kills=kills,
            start=start,
            tell=lambda n: progress.update(task, completed=n),
        )
    phases = ", ".join(f"{count} while {phase}" for phase, count in sorted(found.kills_by.items()))
    console.print(
        f"{phases}; {found.rows} rows, {found.orders} orders, {found.trades} brackets ended, "
        f"newest snapshot at row {found.snapshots}, {found.seconds:.0f} s"
    )
    return found.kills, found.violations


def main() -> int:
    """Both tests, one after the other."""
    parser = argparse.ArgumentParser(prog="make crash", description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--start", type=int, default=1, help="the first seed")
    parser.add_argument("--share", type=float, default=1.0, help="of the recorded calls to crash after")
    asked = parser.parse_args()
    violations: list[str] = []
    problem = why_not()
    if problem:
        console.print(f"no crashes of the disk: {problem}")
    for seed in () if problem or not asked.share else WORLDS:
        violations += lose_writes(seed, asked.share, asked.start)
    kills, found = kill(asked.kills, asked.start)
    violations += found
    for violation in violations:
        console.print(violation, style="red")
    console.print(f"{kills} kills, {len(violations)} violations")
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
