"""The reference work in backtesting.py: market order with stop and target attached, bar by bar in Python."""

import warnings
from typing import Any

import backtesting  # type: ignore[import-not-found, unused-ignore]
import numpy as np
import pandas as pd

from benchmarks.backtest.peers.outcome import asked, tell, timed
from benchmarks.backtest.peers.rsi import wilder_rsi
from benchmarks.backtest.rule import (
    BUY_BELOW,
    CASH,
    FEE_FRACTION,
    HOLD_BARS,
    STOP_FRACTION,
    TARGET_FRACTION,
)


class Reference(backtesting.Strategy):  # type: ignore[misc, unused-ignore]
    """An order is filled at the next bar's open, which is this bar's close."""

    def init(self) -> None:
        """Indicators."""
        self.rsi: Any = self.I(wilder_rsi, self.data.Close)

    def next(self) -> None:
        """One bar."""
        if self.position:
            decided = self.trades[0].entry_bar - 1
            if len(self.data) - 1 - decided >= HOLD_BARS:
                self.position.close()
        elif self.rsi[-1] < BUY_BELOW <= self.rsi[-2]:
            close = self.data.Close[-1]
            self.buy(size=1, sl=close * (1 - STOP_FRACTION), tp=close * (1 + TARGET_FRACTION))


def main() -> None:
    """Measures in this process."""
    path, rounds = asked()
    warnings.filterwarnings("ignore")
    data = np.load(path)
    names = ("open", "high", "low", "close", "volume")
    frame = pd.DataFrame({name.capitalize(): data[name] for name in names}, index=pd.to_datetime(data["ts"]))

    def run() -> Any:
        work = backtesting.Backtest(
            frame, Reference, cash=CASH, commission=FEE_FRACTION, finalize_trades=True
        )
        return work.run()

    times, found = timed(run, rounds)
    equity = float(found["Equity Final [$]"])
    tell("backtesting", backtesting.__version__, **times, trades=int(found["# Trades"]), final_equity=equity)


if __name__ == "__main__":
    main()
