"""Wilder's RSI for peers that leave indicators to pandas: seeded with the plain mean of the first changes."""

from typing import Any

import numpy as np
import pandas as pd

from benchmarks.backtest.rule import PERIOD


def wilder_rsi(close: Any) -> Any:
    """RSI of an array of closes; nan before it is known."""
    change = np.diff(np.asarray(close, dtype=float))
    up, down = _smoothed(np.maximum(change, 0.0)), _smoothed(np.maximum(-change, 0.0))
    rsi = np.full(len(change) + 1, np.nan)
    both = up + down
    rsi[PERIOD:] = np.divide(100.0 * up, both, out=np.full(len(both), 50.0), where=both > 0)
    return rsi


def _smoothed(moves: Any) -> Any:
    seeded = moves[PERIOD - 1 :].copy()
    seeded[0] = moves[:PERIOD].mean()
    return pd.Series(seeded).ewm(alpha=1 / PERIOD, adjust=False).mean().to_numpy()


def crossings(rsi: Any, below: float) -> Any:
    """Bars whose RSI is below a level while the bar's before was not."""
    found = np.zeros(len(rsi), dtype=bool)
    found[1:] = (rsi[1:] < below) & (rsi[:-1] >= below)
    return found
