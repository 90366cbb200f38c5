"""A bare client of `feed_exchange`, the floor of `feed_ccxt`: how late trades are for who only decodes them.

Prints a line once it is subscribed, and the 50th and 99th percentile in milliseconds when it is given one.
"""

import asyncio
import json
import sys
import time
from statistics import quantiles

import aiohttp
import msgspec

from benchmarks.feed_exchange import contracts

SYMBOLS = 50


async def main() -> None:
    """Listens until its input says so."""
    late_ms: list[float] = []
    names = [item.asset.replace("/", "").lower() for item in contracts(SYMBOLS)]
    asked = {"method": "SUBSCRIBE", "params": [f"{name}@trade" for name in names], "id": 1}
    decode = msgspec.json.Decoder().decode
    async with aiohttp.ClientSession() as session, session.ws_connect(f"ws://{sys.argv[1]}/ws/9") as socket:
        await socket.send_json(asked)
        await socket.receive()
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        ending = asyncio.create_task(asyncio.to_thread(sys.stdin.readline))
        while not ending.done():
            hearing = asyncio.create_task(socket.receive())
            await asyncio.wait([hearing, ending], return_when=asyncio.FIRST_COMPLETED)
            if hearing.done():
                late_ms.append(time.time_ns() / 1e6 - decode(hearing.result().data)["T"])
            else:
                hearing.cancel()
    cuts = quantiles(late_ms, n=100)
    sys.stdout.write(json.dumps([round(cuts[49], 2), round(cuts[98], 2)]) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main())
