"""What every measured process prints at its end. Standard library only, for any environment."""

import json
import resource
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


def tell(name: str, version: str, **found: Any) -> None:
    """Prints the line the harness looks for."""
    line = {"name": name, "version": version, **found, "rss_mb": round(peak_rss_mb(), 1)}
    print(json.dumps(line), flush=True)


def timed(run: Callable[[], Any], rounds: int, *, warm: bool = False) -> tuple[dict[str, Any], Any]:
    """Times and the last answer of `run`.

    rounds: 0 runs it once, cold, as a process that does only this would; more runs it once unmeasured, where
    it is not warm already, and then so often.
    """
    if rounds and not warm:
        run()
    walls, cpus, answer = [], [], None
    for _ in range(max(rounds, 1)):
        answer = None  # the run before must not be in memory beside the next
        cpu, began = time.process_time(), time.perf_counter()
        answer = run()
        walls.append(time.perf_counter() - began)
        cpus.append(time.process_time() - cpu)
    times = {"run_s": statistics.median(walls), "runs_s": walls, "cpu_s": statistics.median(cpus)}
    return times, answer


def peak_rss_mb() -> float:
    """The most memory this program held.

    The kernel's ru_maxrss begins with what the program that started this one held; VmHWM does not.
    """
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    unit = 1024 * 1024 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def asked() -> tuple[str, int]:
    """The data file and the number of warm rounds, from the command line."""
    return sys.argv[1], int(sys.argv[2])
