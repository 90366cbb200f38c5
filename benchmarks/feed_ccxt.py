"""Trades and quotes of 50 markets through ccxt: how late they are, what they cost, whether one is missing.

The exchange is a simulator in a process of its own (`feed_exchange.py`) with its own load on the machine;
1,500 messages a second, half of them trades. Late is from the moment the exchange made a trade, told in
whole milliseconds, to the moment the reader has it. FEED_SECONDS sets how long (60 is the length of the
target); FEED_RATE how many messages a second. The floor is a bare client in a third process, which decodes
the same trades of the same run and does nothing with them (`feed_bare.py`).
"""

import asyncio
import json
import os
import resource
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections import Counter
from decimal import Decimal
from pathlib import Path
from statistics import quantiles

from benchmarks.feed_exchange import LOT
from benchmarks.parts import Row
from neuratrade.core.model.market import NS_PER_MS, Quote, Trade
from neuratrade.feeds.clock import SystemClock
from neuratrade.feeds.live.source import SourceOpened
from neuratrade.venues.ccxt.market import CcxtMarket

SYMBOLS = 50
SECONDS = float(os.environ.get("FEED_SECONDS", "10"))
RATE = int(os.environ.get("FEED_RATE", "1500"))
GRACE_S = 3.0
TARGET_MS = 50.0
ROOT = Path(__file__).parent.parent


class Reader:
    """What came, and how late."""

    def __init__(self) -> None:
        self.late_ms: list[float] = []
        self.numbers: dict[str, Counter[int]] = {}
        self.quotes: dict[str, Quote] = {}
        self.quotes_seen = 0
        self.opened = asyncio.Event()

    async def read(self, market: CcxtMarket) -> None:
        """Reads until it is cancelled."""
        symbols = [f"C{number:02d}/USDT" for number in range(SYMBOLS)]
        async for piece in market.pieces(await market.instruments(symbols)):
            match piece:
                case Trade():
                    self.late_ms.append((time.time_ns() - piece.at_ns) / NS_PER_MS)
                    number = int(piece.quantity / LOT)
                    self.numbers.setdefault(piece.instrument, Counter())[number] += 1
                case Quote():
                    self.quotes[piece.instrument] = piece
                    self.quotes_seen += 1
                case SourceOpened():
                    self.opened.set()
                case _:
                    raise RuntimeError(f"unforeseen: {piece}")

    def missing(self, played: dict[str, int]) -> tuple[int, int]:
        """Trades that did not come, and those that came again."""
        lost = again = 0
        for key, count in played.items():
            came = self.numbers.get(key, Counter[int]())
            lost += sum(number not in came for number in range(1, count + 1))
            again += sum(times - 1 for times in came.values())
        return lost, again


async def _line(process: Process) -> str:
    if process.stdout is None:
        raise RuntimeError("no output")
    return (await process.stdout.readline()).decode()


def _say(process: Process) -> None:
    if process.stdin is not None and process.returncode is None:
        process.stdin.write(b"\n")


async def _measure() -> list[Row]:
    options = [f"--symbols={SYMBOLS}", f"--rate={RATE}", f"--seconds={SECONDS}"]
    exchange = await _start("feed_exchange", *options)
    place = f"127.0.0.1:{int(await _line(exchange))}"
    bare = await _start("feed_bare", place)
    reader = Reader()
    try:
        await _line(bare)
        async with CcxtMarket("binance", SystemClock(), elsewhere=place) as market:
            reading = asyncio.create_task(reader.read(market))
            opened = asyncio.create_task(reader.opened.wait())
            await asyncio.wait([reading, opened], return_when="FIRST_COMPLETED")
            if reading.done():
                reading.result()
            memory_mb, cpu_s, begin_s = _resident_mb(), _cpu_s(), time.perf_counter()
            _say(exchange)
            told = json.loads(await _line(exchange))
            cpu = (_cpu_s() - cpu_s) / (time.perf_counter() - begin_s)
            await _settle(reader, sum(told["trades"].values()))
            memories_mb = memory_mb, _resident_mb()
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
        _say(bare)
        floors_ms: list[float] = json.loads(await _line(bare))
        return _rows(reader, told, floors_ms, cpu, memories_mb)
    finally:
        for process in (bare, exchange):
            _say(process)
            await process.wait()


async def _start(module: str, *options: str) -> Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", f"benchmarks.{module}", *options, stdin=PIPE, stdout=PIPE, cwd=ROOT
    )


async def _settle(reader: Reader, trades: int) -> None:
    for _ in range(round(GRACE_S / 0.05)):
        if len(reader.late_ms) >= trades:
            return
        await asyncio.sleep(0.05)


def _rows(
    reader: Reader,
    told: dict[str, object],
    floors_ms: list[float],
    cpu: float,
    memories_mb: tuple[float, float],
) -> list[Row]:
    lost, again = reader.missing(told["trades"])  # type: ignore[arg-type]
    last: dict[str, list[str]] = told["quotes"]  # type: ignore[assignment]
    stale = sum(
        key not in reader.quotes
        or (reader.quotes[key].bid, reader.quotes[key].bid_size) != (Decimal(bid), Decimal(size))
        for key, (bid, size) in last.items()
    )
    cuts = quantiles(reader.late_ms, n=100)
    what = f"{SYMBOLS} markets, {told['rate']:,} messages/s for {SECONDS:g} s"
    return [
        {
            "name": f"{what}: trade late, p99",
            "value": round(cuts[98], 2),
            "unit": "ms",
            "floor": floors_ms[1],
            "target": TARGET_MS,
        },
        {"name": "trade late, p50", "value": round(cuts[49], 2), "unit": "ms", "floor": floors_ms[0]},
        {"name": "the exchange itself was late by, at most", "value": told["latest_s"], "unit": "s"},
        {"name": f"trades missing of {len(reader.late_ms):,}", "value": lost, "unit": "trades", "target": 0},
        {"name": "trades told twice", "value": again, "unit": "trades", "target": 0},
        {"name": "markets whose last quote is another", "value": stale, "unit": "markets", "target": 0},
        {"name": "processor time of the reader", "value": round(cpu * 100, 1), "unit": "% of a core"},
        {
            "name": "memory, before and while",
            "value": round(memories_mb[1], 1),
            "unit": "MB",
            "floor": round(memories_mb[0], 1),
        },
    ]


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / 2**20


def run() -> dict[str, list[Row]]:
    """Lateness, losses, processor time and memory."""
    return {"rows": asyncio.run(_measure())}
