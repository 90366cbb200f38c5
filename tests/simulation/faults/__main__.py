"""Runs seeded worlds: `python -m tests.simulation.faults --seeds 500 --start 0`."""

import argparse
import sys
import time
from collections import Counter
from multiprocessing import Pool

from tests.simulation.faults.life import Life, Outcome
from tests.simulation.faults.matrix import empty_cells, table


def live(seed: int) -> Outcome:
    """One world."""
    return Life(seed).live()


def main() -> int:
    """Runs the worlds asked for; 0 when every promise held and no cell is empty."""
    parser = argparse.ArgumentParser(description="seeded worlds with faults")
    parser.add_argument("--seeds", type=int, default=500)
    parser.add_argument("--start", type=int, default=0)
    parser.add_argument("--trace", action="store_true")
    parser.add_argument("--jobs", type=int, default=2)
    chosen = parser.parse_args()
    if chosen.trace:
        outcome = Life(chosen.start, trace=print).live()
        print(f"seed {outcome.seed}: {outcome.events} events, {outcome.violation or 'no violation'}")
        return int(outcome.violation is not None)
    seeds = range(chosen.start, chosen.start + chosen.seeds)
    began = time.monotonic()
    faults: Counter[tuple[str, str]] = Counter()
    failed: list[Outcome] = []
    events = intents = 0
    with Pool(chosen.jobs) as pool:
        for done, outcome in enumerate(pool.imap_unordered(live, seeds, chunksize=4), 1):
            faults.update(outcome.faults)
            events += outcome.events
            intents += outcome.intents
            if outcome.violation is not None:
                failed.append(outcome)
                print(f"\rseed {outcome.seed}, event {outcome.events}: {outcome.violation}")
                print(f"  replay: make sim SEEDS=1 START={outcome.seed} TRACE=1")
            if sys.stderr.isatty() or done == len(seeds):
                print(f"\r{done}/{len(seeds)}", end="", file=sys.stderr)
    took = time.monotonic() - began
    print()
    print(table(faults))
    print(f"{events} events, {intents} proposals, {sum(faults.values())} faults in {took:.1f} s")
    missing = empty_cells(faults)
    for cell in missing:
        print(f"empty cell: {cell[0]} / {cell[1]}")
    print(f"{len(seeds)} seeds, {len(failed)} violations")
    return int(bool(failed) or bool(missing and len(seeds) >= 200))


if __name__ == "__main__":
    sys.exit(main())
