"""Small files of bars as a user might have them."""

from collections.abc import Container
from pathlib import Path

BEGIN_MS = 1_747_094_400_000
"""2025-05-13T00:00Z."""
HEAD = "ts,open,high,low,close,volume"


def bars_file(
    folder: Path, *, minutes: int = 240, without: Container[int] = (), name: str = "binance_SOLUSDT_1m.csv"
) -> str:
    """Minutes of a price that swings around 100 within a range, some left out. Returns the path."""
    lines = [HEAD]
    for minute in range(minutes):
        if minute not in without:
            close = 100 + (minute % 20) / 10
            lines.append(f"{BEGIN_MS + minute * 60_000},{close},{close + 1},{close - 1},{close},7.5")
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / name
    file.write_text("\n".join(lines) + "\n")
    return str(file)
