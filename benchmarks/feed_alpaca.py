"""What Alpaca's market data costs: frames into quotes and trades, and 5,000 messages a second over a socket.

Beside our reading stand, in the same run, a plain parser that keeps the floats, and the vendor's own client
on the same frames. The stream comes from a process of its own, at a steady rate, each message with the time
it was sent as its own, so that lag is what a desk would see. Frames hold ten messages, as in a busy market.
"""

import asyncio
import json
import multiprocessing
import os
import random
import time
from collections.abc import Callable
from contextlib import aclosing
from importlib.util import find_spec
from multiprocessing.connection import Connection
from statistics import median
from typing import Any

from aiohttp import web

from neuratrade.core.model.instrument import Instrument, InstrumentKind
from neuratrade.core.model.market import NS_PER_MS, NS_PER_SECOND, Quote, Trade
from neuratrade.feeds.clock import SystemClock
from neuratrade.feeds.live.readings import RollingReadings
from neuratrade.rehearsal.alpaca_words import At, as_json, as_msgpack
from neuratrade.venues.alpaca.market import AlpacaMarket
from neuratrade.venues.alpaca.market_assets import WireAsset, instrument_of
from neuratrade.venues.alpaca.market_hosts import loopback
from neuratrade.venues.alpaca.market_reader import Codec, Frame, Reader
from neuratrade.venues.alpaca.market_wire import WireQuote, WireTrade
from neuratrade.venues.alpaca.rest import Keys

SYMBOLS = tuple(f"C{number}/USD" for number in range(30))
A_FRAME = 10
FRAMES = 1_000
ROUNDS = 7
RATE = 5_000
SECONDS = 20
WRITERS: dict[Codec, Callable[[object], Frame]] = {Codec.JSON: as_json, Codec.MSGPACK: as_msgpack}


def made_messages(count: int, seed: int = 1) -> list[dict[str, Any]]:
    """Quotes and trades of 30 pairs in turn, four quotes to a trade, without their times."""
    dice = random.Random(seed)
    found: list[dict[str, Any]] = []
    for number in range(count):
        symbol, price = SYMBOLS[number % len(SYMBOLS)], round(dice.uniform(10, 90_000), 2)
        size = round(dice.lognormvariate(-3, 1), 9)
        if number % 5:
            sides = {"bp": price, "bs": size, "ap": round(price * 1.0002, 2), "as": size}
            found.append({"T": "q", "S": symbol, **sides})
        else:
            found.append({"T": "t", "S": symbol, "p": price, "s": size, "i": number + 1, "tks": "B"})
    return found


def made_frames(codec: Codec) -> list[Frame]:
    """Frames of a second ago."""
    at_ns = time.time_ns() - NS_PER_SECOND
    messages = [item | {"t": At(at_ns + place)} for place, item in enumerate(made_messages(FRAMES * A_FRAME))]
    write = WRITERS[codec]
    return [write(messages[start : start + A_FRAME]) for start in range(0, len(messages), A_FRAME)]


def messages_a_second(work: Callable[[], int]) -> int:
    """Median over rounds of how many messages `work` does in a second; it tells how many it did."""
    work()
    rates = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        count = work()
        rates.append(count / (time.perf_counter() - began))
    return round(median(rates))


def ours(codec: Codec, frames: list[Frame]) -> Callable[[], int]:
    """Frames into quotes and trades with exact decimals, checked, trades told once."""
    keys = {symbol: f"{symbol}@alpaca" for symbol in SYMBOLS}

    def work() -> int:
        reader = Reader(codec, SystemClock(), lambda _: None)
        pieces = [
            reader.piece(item, keys[item.symbol])
            for frame in frames
            for item in reader.messages(frame)
            if isinstance(item, WireTrade | WireQuote)
        ]
        if None in pieces or len(pieces) != FRAMES * A_FRAME:
            raise RuntimeError(f"left out: {reader.left_out}")
        return len(pieces)

    return work


def plain(frames: list[Frame]) -> Callable[[], int]:
    """The same frames by a plain parser, floats and all."""
    if isinstance(frames[0], str):
        return lambda: sum(len(json.loads(frame)) for frame in frames)
    from msgpack import unpackb  # type: ignore[import-untyped]

    return lambda: sum(len(unpackb(frame)) for frame in frames)


def vendors(frames: list[Frame]) -> Callable[[], int]:
    """The same frames by the vendor's client, msgpack alone."""
    from alpaca.data.live import CryptoDataStream
    from msgpack import unpackb

    cast = CryptoDataStream("key", "secret")._cast  # noqa: SLF001 - what it does with each message
    return lambda: sum(len([cast(item) for item in unpackb(frame)]) for frame in frames)


# over a socket


def serve(codec: Codec, pipe: Connection) -> None:
    """A venue in its own process: tells its port, then to whoever subscribes the messages, at the rate."""
    asyncio.run(_serve(codec, pipe))


async def _serve(codec: Codec, pipe: Connection) -> None:
    over = asyncio.Event()
    write = WRITERS[codec]
    send = web.WebSocketResponse.send_str if codec is Codec.JSON else web.WebSocketResponse.send_bytes
    messages = made_messages(RATE * SECONDS)

    async def stream(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        welcome = [{"T": "success", "msg": "connected"}], [{"T": "success", "msg": "authenticated"}]
        for said in (*welcome, [{"T": "subscription", "trades": SYMBOLS, "quotes": SYMBOLS}]):
            await send(socket, write(said))  # type: ignore[arg-type]
        began_ns = time.monotonic_ns()
        for place in range(0, len(messages), A_FRAME):
            due_ns = began_ns + place * NS_PER_SECOND // RATE
            await asyncio.sleep(max((due_ns - time.monotonic_ns()) / NS_PER_SECOND, 0))
            at = At(time.time_ns())
            await send(socket, write([item | {"t": at} for item in messages[place : place + A_FRAME]]))  # type: ignore[arg-type]
        await socket.receive()
        over.set()
        return socket

    app = web.Application()
    app.router.add_get("/{path:.*}", stream)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    pipe.send(runner.addresses[0][1])
    await over.wait()
    await runner.cleanup()


async def listen(codec: Codec, port: int) -> dict[str, float]:
    """Hears it all, into quotes, trades, bars and readings: lags in ms, and the share of one processor."""
    contracts: list[Instrument] = [instrument_of(WireAsset(symbol, "crypto")) for symbol in SYMBOLS]
    if any(item.kind is not InstrumentKind.SPOT for item in contracts):
        raise RuntimeError("the pairs are not taken for crypto")
    readings = RollingReadings()
    lags: list[float] = []
    hosts = loopback(f"http://127.0.0.1:{port}")
    async with (
        AlpacaMarket(SystemClock(), Keys("key", "secret"), codec=codec, hosts=hosts) as market,
        aclosing(market.pieces(contracts)) as pieces,
    ):
        await anext(pieces)
        began, used = time.perf_counter(), time.process_time()
        async for piece in pieces:
            if isinstance(piece, Quote | Trade):
                lags.append((time.time_ns() - piece.at_ns) / NS_PER_MS)
            if isinstance(piece, Trade):
                readings.add_trade(piece)
            if len(lags) == RATE * SECONDS:
                break
        took, used = time.perf_counter() - began, time.process_time() - used
        if market.left_out:
            raise RuntimeError(f"left out: {market.left_out}")
    lags.sort()
    return {
        "rate": len(lags) / took,
        "cpu": used / took,
        "p50": lags[len(lags) // 2],
        "p99": lags[len(lags) * 99 // 100],
        "most": lags[-1],
    }


def over_a_socket(codec: Codec) -> dict[str, float]:
    """One run of the venue in a process of its own."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    venue = context.Process(target=serve, args=(codec, there), daemon=True)
    venue.start()
    try:
        return asyncio.run(asyncio.wait_for(listen(codec, here.recv()), SECONDS * 4))
    finally:
        venue.join(5)
        venue.kill()


def run() -> dict[str, object]:
    """Rows {name, value, unit, target, floor}; `floor` is a plain parser of the same frames."""
    rows: list[dict[str, object]] = []
    peers = find_spec("alpaca") is not None
    for codec in Codec:
        frames = made_frames(codec)
        rows.append(
            {
                "name": f"{codec}: quotes and trades, exact, a second",
                "value": messages_a_second(ours(codec, frames)),
                "unit": "/s",
                "floor": messages_a_second(plain(frames)) if codec is Codec.JSON or peers else None,
                "target": RATE,
                "better": "higher",
            }
        )
        if codec is Codec.MSGPACK and peers:
            theirs = messages_a_second(vendors(frames))
            rows.append(
                {"name": "  of the vendor's client, floats", "value": theirs, "unit": "/s", "target": None}
            )
    for codec in Codec:
        found = over_a_socket(codec)
        name = f"{codec}: {RATE:,}/s for {SECONDS} s by socket"
        rows += [
            {"name": f"{name}, lag p99", "value": round(found["p99"], 2), "unit": "ms", "target": 50.0},
            {"name": "  lag p50", "value": round(found["p50"], 2), "unit": "ms", "target": None},
            {"name": "  longest lag", "value": round(found["most"], 2), "unit": "ms", "target": None},
            {"name": "  received", "value": round(found["rate"]), "unit": "/s", "target": None},
            {"name": "  of one processor", "value": round(100 * found["cpu"]), "unit": "%", "target": None},
        ]
    rows.append(
        {"name": "  load of the machine", "value": round(os.getloadavg()[0], 1), "unit": "", "target": None}
    )
    return {"rows": rows}
