"""A made-up market that pays who buys its dips: quarter-hours that climb slowly, fall at once and recover.

Whoever buys a deep fall of the RSI there wins nearly every time, so that a challenger can be seen to pass
the promotion gate at its defaults, and a champion that buys nothing to lose.
"""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np

BEGIN_MS = 1_735_689_600_000
"""2025-01-01T00:00Z."""
QUARTER_MS = 15 * 60_000
NAME = "binanceusdm_BTCUSDT_15m.csv"
"""The shipped catalogue knows the terms of this contract."""
CHALLENGE = "buy_level_points=25,stop_pct=0.008,target_pct=0.008,order_type=market"
CHAMPION = """\
version: 3
last_updated: 2025-01-01T00:00:00Z
entry:
  BTC/USDT:
    strategies: [rsi_rule]
    min_volume_24h: 1
    max_hold_time_minutes: 240
    allow_short: false
strategies:
  rsi_rule:
    parameters: {buy_level_points: 2, sell_level_points: 98}
"""


def dip_market(folder: Path, days: int = 75) -> Path:
    """Writes the bars as a file; returns it."""
    draw = np.random.default_rng(5)
    moves = draw.normal(0.0, 0.0004, days * 96)
    for day in range(days):
        for hour in (5, 14):
            at = day * 96 + hour * 4 + int(draw.integers(0, 12))
            moves[at : at + 2] = -0.006
            moves[at + 2 : at + 6] = 0.0032 if draw.random() < 0.9 else -0.004
    close = 50_000.0 * np.exp(np.cumsum(moves - moves.mean()))
    opened = np.concatenate(([50_000.0], close[:-1]))
    reach = close * np.abs(draw.normal(0.0, 0.0004, len(close)))
    high, low = np.maximum(opened, close) + reach, np.minimum(opened, close) - reach
    rows = zip(*(np.round(column, 1).tolist() for column in (opened, high, low, close)), strict=True)
    lines = ["ts,open,high,low,close,volume"]
    lines += [
        ",".join(map(str, (BEGIN_MS + QUARTER_MS * place, *row, 4000.5))) for place, row in enumerate(rows)
    ]
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / NAME
    file.write_text("\n".join(lines) + "\n")
    return file


def end_of(days: int = 75) -> str:
    """When its last bar closes, ISO."""
    at_ms = BEGIN_MS + QUARTER_MS * 96 * days
    return datetime.fromtimestamp(at_ms // 1000, UTC).isoformat()
