"""Who is measured: ours, the floors, and other programs, each in an environment of its own.

A peer's environment is a folder of its name under `.peers`, or under what NEURATRADE_PEERS names. One that is
not there keeps its row, and the row says so: a table without it would look like a table of all there is.
"""

import os
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PINS = Path(__file__).parent / "peers.txt"
FOLDER = "NEURATRADE_PEERS"


class Contender(NamedTuple):
    """One program. kind: ours, floor or peer. python: its interpreter. module: run with a data file and a
    number of warm rounds. rounds: 0 where one run is long enough to need no others. version: what it is
    expected to be, until it says so itself. note: what its figures must be read with.
    """

    name: str
    kind: str
    python: Path
    module: str
    rounds: int
    version: str = ""
    note: str = ""


_PEERS = {
    "vectorbt": (5, "one order a bar: no entry on the bar of an exit"),
    "backtesting": (0, ""),
    "nautilus_trader": (0, "prices in ticks of 0.01"),
    "hftbacktest": (3, "no bars but four moments of an order book a bar, left at the price found there"),
    "freqtrade": (0, "prices and amounts by its own rules"),
}
"""Warm rounds and what to know, by name; the module of that name under `peers` runs it."""


def ours(rounds: int) -> Contender:
    """Our backtest, with gate, brackets, ledger and records."""
    return Contender("NeuraTrade", "ours", Path(sys.executable), "benchmarks.backtest.ours", rounds)


def floors() -> list[Contender]:
    """The rule without any engine."""
    python = Path(sys.executable)
    return [
        Contender("plain Python loop", "floor", python, "benchmarks.backtest.floor_plain", 5),
        Contender("numba loop", "floor", python, "benchmarks.backtest.floor_numba", 9),
    ]


def peers(folder: Path | None = None) -> list[Contender]:
    """Every peer, installed or not."""
    folder = peers_folder() if folder is None else folder
    pins = pinned()
    return [
        Contender(
            name,
            "peer",
            python_of(folder, name),
            f"benchmarks.backtest.peers.{name}",
            rounds,
            pins.get(name, ""),
            note,
        )
        for name, (rounds, note) in _PEERS.items()
    ]


def peers_folder() -> Path:
    """Where the environments of peers lie."""
    return Path(os.environ.get(FOLDER) or ROOT / ".peers").absolute()


def python_of(folder: Path, name: str) -> Path:
    """A peer's interpreter, there or not."""
    windows = os.name == "nt"
    return folder / name / ("Scripts/python.exe" if windows else "bin/python")


def pinned(path: Path = PINS) -> dict[str, str]:
    """The pinned version of each peer, by name."""
    found = {}
    for line in path.read_text("utf-8").splitlines():
        wanted = line.partition("#")[0].strip()
        if wanted:
            name, _, version = wanted.partition("==")
            found[name] = version
    return found
