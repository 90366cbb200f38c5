"""A Binance spot simulator in a process of its own that plays trades and quotes at a rate, for `feed_ccxt`.

Its port is the first line it prints. It plays once it is given a line, and then prints what it played: trades
are numbered by their quantity, so that whoever listened can say which are missing.
"""

import argparse
import asyncio
import json
import sys
import time
from decimal import Decimal

from neuratrade.core.model.instrument import Instrument, InstrumentKind
from neuratrade.core.model.market import Quote, Trade
from neuratrade.rehearsal.binance_spot import RULES, BinanceSpotSimulator
from neuratrade.rehearsal.faults import Troubles
from neuratrade.rehearsal.matching import MatchingEngine

BEAT_S = 0.004
LOT, TICK = Decimal("0.00001"), Decimal("0.01")
PRICE = Decimal(100)


def contracts(count: int) -> list[Instrument]:
    """So many markets."""
    return [
        Instrument(
            f"C{number:02d}/USDT",
            "binance",
            InstrumentKind.SPOT,
            f"C{number:02d}",
            "USDT",
            tick=TICK,
            lot=LOT,
            min_quantity=LOT,
            min_notional=Decimal(5),
        )
        for number in range(count)
    ]


async def play(simulator: BinanceSpotSimulator, rate: int, seconds: float) -> dict[str, object]:
    """Trades and quotes by turns, evenly over markets and time. Returns what was played."""
    markets = list(simulator.engine.contracts.values())
    counts = dict.fromkeys(simulator.engine.contracts, 0)
    begin, done, late_s = time.perf_counter(), 0, 0.0
    while done < rate * seconds:
        elapsed = time.perf_counter() - begin
        due = min(int(elapsed * rate), int(rate * seconds))
        late_s = max(late_s, elapsed - done / rate if due > done else 0.0)
        while done < due:
            contract, key = markets[done // 2 % len(markets)], ""
            key, now_ns = contract.key, time.time_ns()
            if done % 2:
                counts[key] += 1
                price = PRICE + TICK * (counts[key] % 50)
                simulator.market.play(Trade(key, now_ns, price, LOT * counts[key], bool(done & 4)))
            else:
                bid = PRICE + TICK * (done % 89)
                simulator.market.play(Quote(key, now_ns, bid, bid + TICK, LOT * (done + 1), LOT))
            done += 1
        await asyncio.sleep(BEAT_S)
    took_s = time.perf_counter() - begin
    last = {key: [str(quote.bid), str(quote.bid_size)] for key, quote in simulator.engine.quotes.items()}
    return {"trades": counts, "quotes": last, "rate": round(done / took_s), "latest_s": round(late_s, 4)}


async def main() -> None:
    """Serves until its input ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--symbols", type=int, default=50)
    parser.add_argument("--rate", type=int, default=1500)
    parser.add_argument("--seconds", type=float, default=10.0)
    given = parser.parse_args()
    engine = MatchingEngine(contracts(given.symbols), {}, time.time_ns, RULES)
    troubles = Troubles((), time.time_ns, time.time_ns())
    async with BinanceSpotSimulator(engine, troubles, time.time_ns) as simulator:
        sys.stdout.write(f"{simulator.port}\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.readline)
        told = await play(simulator, given.rate, given.seconds)
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.readline)


if __name__ == "__main__":
    asyncio.run(main())
