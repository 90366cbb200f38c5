"""What a user waits for: `--help`, opening, and a day of ten assets, as whole processes.

The ten assets are ten different days of the shipped BTC and ETH minutes under ten names, each day preceded by
the one before it, so that the gate is warm and trades on the day that is timed. Whole-process figures include
the interpreter, imports, cached kernels, the journal with its syncs, and the projections at the end.
"""

import json
import os
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

import msgspec
import polars as pl

import neuratrade
from neuratrade.feeds.dataset import DatasetDescription, SeriesDescription, open_dataset
from neuratrade.feeds.layout import SeriesKind

ASSETS = 10
SHIPPED = Path(neuratrade.__file__).parent / "data" / "shipped"
COMMAND = Path(sys.executable).parent / "neuratrade"
DAY_MS = 86_400_000
FIRST = datetime(2025, 5, 14, tzinfo=UTC)


def run_process(arguments: list[str], home: Path) -> tuple[float, float, str]:
    """Wall seconds, peak RSS (MB), stdout of one `neuratrade` process. Raises RuntimeError when it fails."""
    output = home.parent / f"{home.name}.out"
    environment = {**os.environ, "NEURATRADE_HOME": str(home), "COLUMNS": "100"}
    began = time.perf_counter()
    with output.open("wb") as stream:
        process = os.posix_spawn(
            COMMAND,
            [str(COMMAND), *arguments],
            environment,
            file_actions=[(os.POSIX_SPAWN_DUP2, stream.fileno(), 1)],
        )
        _, status, usage = os.wait4(process, 0)
    seconds = time.perf_counter() - began
    if os.waitstatus_to_exitcode(status) != 0:
        raise RuntimeError(f"neuratrade {' '.join(arguments)} failed; see {output}")
    return seconds, usage.ru_maxrss / 1024, output.read_text()


def make_assets(home: Path, days: int) -> list[str]:
    """A dataset of ten assets in a home, and a DNA that trades them; returns the arguments to run it."""
    folder = home / "data" / "ten"
    folder.mkdir(parents=True)
    source = open_dataset(SHIPPED)
    series, instruments = [], []
    for number in range(ASSETS):
        origin = source.series[number % 2]
        frame = pl.read_parquet(origin.path)
        begin = int(frame["ts"][0]) + (number // 2) * DAY_MS
        target = int(FIRST.timestamp() * 1000)
        day = frame.filter((pl.col("ts") >= begin) & (pl.col("ts") < begin + days * DAY_MS))
        day = day.with_columns(pl.col("ts") - begin + target)
        asset = f"A{number}/USDT"
        name = f"A{number}.parquet"
        day.write_parquet(folder / name)
        contract = source.instrument(origin.instrument)
        instruments.append(msgspec.structs.replace(contract, asset=asset, base=f"A{number}"))
        last = FIRST + timedelta(days=days) - timedelta(minutes=1)
        key = f"{asset}@{contract.venue}"
        begins, ends = (at.strftime("%Y-%m-%dT%H:%M:%SZ") for at in (FIRST, last))
        series.append(SeriesDescription(SeriesKind.BARS, key, name, "1m", day.height, begins, ends))
    (folder / "instruments.json").write_bytes(msgspec.json.encode(instruments))
    (folder / "dataset.json").write_bytes(msgspec.json.encode(DatasetDescription("ten", tuple(series))))
    dna = home / "ten.yaml"
    strategies = "[rsi_rule, ema_cross, mean_reversion, momentum]"
    entries = "".join(
        f"  A{number}/USDT:\n    strategies: {strategies}\n    min_volume_24h: 1000000\n"
        "    max_hold_time_minutes: 240\n"
        for number in range(ASSETS)
    )
    dna.write_text(f"version: 1\nlast_updated: 2025-06-30T12:00:00Z\nentry:\n{entries}")
    return ["run", "--data", "ten", "--dna", str(dna), "--speed", "max", "--json", "--fresh"]


def run() -> dict[str, object]:
    """Rows {name, value, unit, target}; target is the most the value may be, None where there is none."""
    rows: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        helps = [run_process(["--help"], base / "help")[0] for _ in range(9)]
        rows.append({"name": "--help", "value": round(median(helps), 3), "unit": "s", "target": 0.3})
        spent, peaks = {}, {}
        for days in (1, 2):
            home = base / f"days{days}"
            home.mkdir()
            arguments = make_assets(home, days)
            runs = [run_process(arguments, home) for _ in range(3)]
            spent[days] = median(run[0] for run in runs)
            peaks[days] = max(run[1] for run in runs)
            last = json.loads(runs[-1][2].splitlines()[-1])
            name = f"{days} day(s) of 1m bars, 10 assets, whole process"
            target = 3.0 if days == 1 else None
            rows.append({"name": name, "value": round(spent[days], 2), "unit": "s", "target": target})
            note = f"{last['bars']} bars, {last['intents']} intents, {last['trades']} trades"
            rows.append(
                {"name": f"  of which: {note}", "value": last["seconds"], "unit": "s", "target": None}
            )
        second = round(spent[2] - spent[1], 2)
        rows.append({"name": "the second, warm day alone", "value": second, "unit": "s", "target": 3.0})
        shipped = run_process(["run", "--speed", "max", "--json"], base / "shipped")
        rows += [
            {
                "name": "21 days of BTC and ETH, whole process",
                "value": round(shipped[0], 2),
                "unit": "s",
                "target": None,
            },
            {"name": "peak RSS, 14,400 bars", "value": round(peaks[1]), "unit": "MB", "target": 300},
            {"name": "peak RSS, 60,480 bars", "value": round(shipped[1]), "unit": "MB", "target": 300},
        ]
    return {"rows": rows}
