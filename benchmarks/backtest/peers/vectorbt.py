"""The reference work in vectorbt: signals with stop and target, the time exit as a compiled callback.

Its simulation makes one order a bar at most, so a bar left at stop or target is not entered again: fewer
trades than the rule makes, by its own model.
"""

import numpy as np
import pandas as pd
import vectorbt as vbt  # type: ignore[import-not-found, unused-ignore]
from numba import njit

from benchmarks.backtest.peers.outcome import asked, tell, timed
from benchmarks.backtest.peers.rsi import crossings, wilder_rsi
from benchmarks.backtest.rule import (
    BUY_BELOW,
    CASH,
    FEE_FRACTION,
    HOLD_BARS,
    QUANTITY,
    STOP_FRACTION,
    TARGET_FRACTION,
)


@njit(cache=True)
def _signals(context, wanted, since, hold):  # type: ignore[no-untyped-def]
    """(enter long, leave long, enter short, leave short) at this bar."""
    bar = context.i
    if context.position_now == 0:
        if wanted[bar]:
            since[0] = bar
        return wanted[bar], False, False, False
    return False, bar - since[0] >= hold, False, False


def main() -> None:
    """Measures in this process."""
    path, rounds = asked()
    data = np.load(path)
    index = pd.to_datetime(data["ts"])
    bars = {name: pd.Series(data[name], index=index) for name in ("open", "high", "low", "close")}

    def run() -> tuple[int, float]:
        wanted = crossings(wilder_rsi(data_close), BUY_BELOW)
        portfolio = vbt.Portfolio.from_signals(
            bars["close"],
            open=bars["open"],
            high=bars["high"],
            low=bars["low"],
            signal_func_nb=_signals,
            signal_args=(wanted, np.zeros(1, dtype=np.int64), HOLD_BARS),
            sl_stop=STOP_FRACTION,
            tp_stop=TARGET_FRACTION,
            size=QUANTITY,
            size_type="amount",
            fees=FEE_FRACTION,
            init_cash=CASH,
            freq="1min",
        )
        return int(portfolio.trades.closed.count()), float(portfolio.final_value())

    data_close = data["close"]
    times, (trades, equity) = timed(run, rounds)
    tell("vectorbt", vbt.__version__, **times, trades=trades, final_equity=equity)


if __name__ == "__main__":
    main()
