"""The plain Python loop as a program: what every other figure of the same run is put in relation to."""

import platform

import numpy as np

from benchmarks.backtest.loops import plain_walk
from benchmarks.backtest.peers.outcome import asked, tell, timed


def main() -> None:
    """Measures in this process."""
    path, rounds = asked()
    data = np.load(path)
    highs, lows, closes = (data[name].tolist() for name in ("high", "low", "close"))
    times, walk = timed(lambda: plain_walk(highs, lows, closes), rounds)
    version = f"CPython {platform.python_version()}"
    tell("plain Python loop", version, **times, trades=len(walk.trades), final_equity=walk.equity)


if __name__ == "__main__":
    main()
