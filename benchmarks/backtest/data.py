"""Writes the reference series for the processes that are measured.

`python -m benchmarks.backtest.data FOLDER YEARS ...`; drawing it takes longer, and more memory, than most
programs need for the work.
"""

import sys
from pathlib import Path

import numpy as np

from benchmarks.backtest.peers.outcome import tell
from benchmarks.reference import DIGESTS, series


def main() -> None:
    """Writes reference-YEARS.npz, the columns by name, for each number of years."""
    folder = Path(sys.argv[1])
    for years in map(int, sys.argv[2:]):
        np.savez(folder / f"reference-{years}.npz", **series(years)._asdict())
    tell("reference series", DIGESTS[1])


if __name__ == "__main__":
    main()
