"""A desk on recorded trades and quotes: real ticks in, bars made of them, an orderly end."""

import json
import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

COMMAND = Path(sys.executable).parent / "neuratrade"
INSTRUMENT = {
    "asset": "BTC/USDT",
    "venue": "binanceusdm",
    "kind": "perpetual",
    "base": "BTC",
    "quote": "USDT",
    "tick": "0.1",
    "lot": "0.001",
    "min_quantity": "0.001",
    "min_notional": "5",
    "maker_fee_bps": "2",
    "taker_fee_bps": "5",
    "initial_margin": "0.05",
}


def lay_dataset(folder: Path, shared: Path, *, quotes: bool) -> int:
    """A dataset of the recorded ticks; returns how many whole minutes it spans after the first trade."""
    folder.mkdir(parents=True)
    trades = pl.read_parquet(shared / "ticks" / "binanceusdm_BTCUSDT_20240808_trades.parquet")
    trades = trades.sort("ts").select("ts", "price", quantity="qty")
    trades.write_parquet(folder / "trades.parquet")
    key = "BTC/USDT@binanceusdm"
    series = [{"kind": "trades", "instrument": key, "file": "trades.parquet"}]
    first, last = trades["ts"][0], trades["ts"][-1]
    if quotes:
        book = pl.read_parquet(shared / "book" / "binanceusdm_BTCUSDT_20240808_bbo.parquet").sort("ts")
        book = book.select("ts", "bid", "ask", bid_size="bid_qty", ask_size="ask_qty")
        book.write_parquet(folder / "quotes.parquet")
        last = max(last, book["ts"][-1])
        series.append({"kind": "quotes", "instrument": key, "file": "quotes.parquet"})
    (folder / "instruments.json").write_text(json.dumps([INSTRUMENT]))
    (folder / "dataset.json").write_text(json.dumps({"name": folder.name, "series": series}))
    return int(last) // 60_000 - (int(first) // 60_000 + 1)


@pytest.mark.shared
@pytest.mark.parametrize("quotes", [True, False])
def test_a_desk_runs_on_recorded_ticks(shared_data: Path, neuratrade_home: Path, *, quotes: bool) -> None:
    minutes = lay_dataset(neuratrade_home / "data" / "ticks", shared_data, quotes=quotes)
    ran = subprocess.run(
        [COMMAND, "run", "--data", "ticks", "--speed", "max", "--json"],
        capture_output=True,
        text=True,
        env=dict(os.environ),
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    summary = json.loads(ran.stdout.splitlines()[-1])
    assert summary["finished"] is True
    assert summary["bars"] == minutes
