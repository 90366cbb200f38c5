"""Runs one measured program as a process of its own, and reads what it says.

What one program leaves in memory would slow down the next and count as its peak. A program that is missing,
fails, says nothing or takes too long is an answer with the reason in it, never an exception: the others are
still to be measured.
"""

import json
import os
import subprocess
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.backtest.contenders import ROOT

PATIENCE_S = 1800.0
SAMPLE_EVERY_S = 0.5
"""Rare enough not to slow what is measured: the kernel walks all of its pages each time."""


class Answer(NamedTuple):
    """What a process said. found: its line of JSON, empty where `problem` says why there is none. whole_s:
    from its start to its end. pss_mb: the most all of its processes held together, where asked for.
    """

    found: dict[str, Any]
    whole_s: float
    problem: str = ""
    pss_mb: float | None = None


def run(
    python: Path,
    module: str,
    arguments: Sequence[str],
    *,
    environment: dict[str, str] | None = None,
    patience_s: float = PATIENCE_S,
    weigh: bool = False,
) -> Answer:
    """Runs `python -m module arguments` from the repository."""
    if not python.exists():
        return Answer({}, 0.0, "not installed")
    began = time.perf_counter()
    process = subprocess.Popen(
        [str(python), "-m", module, *arguments],
        cwd=ROOT,
        env=dict(os.environ) if environment is None else environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    scale = _Scale(process.pid) if weigh else None
    try:
        said, complained = process.communicate(timeout=patience_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return Answer({}, time.perf_counter() - began, f"failed: took longer than {patience_s:g} s")
    finally:
        weight = None if scale is None else scale.end()
    whole_s = time.perf_counter() - began
    if process.returncode != 0:
        reasons = complained.strip().splitlines() or [f"ended with {process.returncode}"]
        return Answer({}, whole_s, f"failed: {reasons[-1]}", weight)
    found = _line(said)
    problem = "" if found else "failed: printed no line of JSON"
    return Answer(found, whole_s, problem, weight)


def peer_environment() -> dict[str, str]:
    """The environment a peer runs in: none of our paths, so that it finds its own packages only."""
    ours = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
    return {name: value for name, value in os.environ.items() if name not in ours}


def _line(said: str) -> dict[str, Any]:
    """The last line that is a JSON object."""
    for line in reversed(said.splitlines()):
        if line.startswith("{"):
            try:
                found = json.loads(line)
            except ValueError:
                continue
            return dict(found)
    return {}


class _Scale:
    """Weighs a process and its children while they run: shared pages are counted once (PSS, Linux)."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._peak_kb = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._weigh, daemon=True)
        self._thread.start()

    def end(self) -> float | None:
        """The peak, MB; None where this system does not tell."""
        self._over.set()
        self._thread.join()
        return self._peak_kb / 1024 if self._peak_kb else None

    def _weigh(self) -> None:
        while not self._over.wait(SAMPLE_EVERY_S):
            self._peak_kb = max(self._peak_kb, sum(_pss_kb(pid) for pid in _family(self._pid)))


def _family(pid: int) -> list[int]:
    found = [pid]
    for known in found:
        try:
            for task in Path(f"/proc/{known}/task").iterdir():
                found += [int(child) for child in (task / "children").read_text().split()]
        except OSError:
            continue
    return found


def _pss_kb(pid: int) -> int:
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    except OSError:
        pass
    return 0
