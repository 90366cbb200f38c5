"""The compiled loop as a program: how fast the rule can be when nothing is kept but its trades."""

import numba
import numpy as np

from benchmarks.backtest.loops import compiled_walk
from benchmarks.backtest.peers.outcome import asked, tell, timed


def main() -> None:
    """Measures in this process."""
    path, rounds = asked()
    data = np.load(path)
    high, low, close = (data[name] for name in ("high", "low", "close"))
    walk = compiled_walk()
    times, found = timed(lambda: walk(high, low, close), rounds)
    tell("numba loop", numba.__version__, **times, trades=found.closed, final_equity=found.equity)


if __name__ == "__main__":
    main()
