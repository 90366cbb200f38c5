"""Our backtest as a program, measured like every other: a data file in, one line of JSON out."""

from typing import Any

import neuratrade
from benchmarks.backtest import work
from benchmarks.backtest.peers.outcome import asked, tell, timed
from benchmarks.backtest.work import load
from neuratrade.research.backtest import run_backtest

WARM_BARS = 5_000


def main() -> None:
    """Measures in this process; the warm-up before warm rounds is a small run, not the whole one."""
    path, rounds = asked()
    columns, plan = work.columns(load(path)), work.plan()
    times: dict[str, Any]
    if rounds:
        run_backtest(plan, {key: bars.part(0, WARM_BARS) for key, bars in columns.items()})
    times, result = timed(lambda: run_backtest(plan, columns), rounds, warm=True)
    tell(
        "NeuraTrade",
        neuratrade.__version__,
        **times,
        trades=len(result.trades),
        final_equity=float(result.final_equity),
        stepped=result.stepped,
    )


if __name__ == "__main__":
    main()
