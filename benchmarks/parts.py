"""The parts of `make bench`, by name, each measured by the module of that name."""

import importlib
from typing import Any

PARTS = (
    "indicators",
    "gate",
    "engine",
    "journal",
    "latency",
    "venues",
    "desk",
    "book_mirror",
    "feed_frames",
    "feed_ccxt",
    "feed_alpaca",
    "feed_ddf",
)

Row = dict[str, Any]


def measure(part: str) -> list[Row]:
    """The rows of one part; a single row that says why when it cannot run."""
    try:
        found = importlib.import_module(f"benchmarks.{part}").run()["rows"]
    except Exception as error:  # noqa: BLE001 - a part that cannot run is a row, not the end of the others
        return [
            {
                "name": f"could not run: {type(error).__name__}: {error}",
                "value": None,
                "unit": "",
                "target": None,
            }
        ]
    return list(found)
