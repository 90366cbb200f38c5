"""What the tests of every venue simulator share: contracts, a played market, unmodified ccxt led here."""

import asyncio
import gzip
import re
import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from typing import Any

from neuratrade.core.model.instrument import Instrument, InstrumentKind
from neuratrade.core.model.market import NS_PER_MINUTE, Bar, Quote
from neuratrade.rehearsal.faults import Fault, Troubles
from neuratrade.rehearsal.matching import MatchingEngine, Rules
from neuratrade.rehearsal.server import REHEARSAL_KEY, Hub
from neuratrade.rehearsal.tape import Tape

D = Decimal
ccxt: Any = import_module("ccxt.async_support")
pro: Any = import_module("ccxt.pro")
CREDENTIALS = REHEARSAL_KEY
NOWHERE = "127.0.0.1:9"
WAIT_S = 5.0


def spot(venue: str, quote: str = "USDT", *, fee_in_base: bool = False) -> Instrument:
    """BTC against a quote currency."""
    return Instrument(
        asset=f"BTC/{quote}",
        venue=venue,
        kind=InstrumentKind.SPOT,
        base="BTC",
        quote=quote,
        tick=D("0.1"),
        lot=D("0.00000001"),
        min_quantity=D("0.00005"),
        min_notional=D("0.5"),
        maker_fee_bps=D(25),
        taker_fee_bps=D(40),
        fee_in_base=fee_in_base,
    )


def perpetual(venue: str, *, lot: Decimal, multiplier: Decimal) -> Instrument:
    """BTC-USDT, linear. lot: in contracts; multiplier: BTC per contract."""
    return Instrument(
        asset="BTC/USDT:USDT",
        venue=venue,
        kind=InstrumentKind.PERPETUAL,
        base="BTC",
        quote="USDT",
        tick=D("0.1"),
        lot=lot,
        min_quantity=lot,
        min_notional=D(5),
        multiplier=multiplier,
        maker_fee_bps=D(2),
        taker_fee_bps=D(5),
        initial_margin=D("0.05"),
        maintenance_margin=D("0.025"),
    )


def engine_of(
    contracts: Iterable[Instrument], balances: Mapping[str, str], rules: Rules
) -> tuple[MatchingEngine, Troubles]:
    """A matching engine on the wall clock, and a plan in which nothing goes wrong."""
    held = {name: D(amount) for name, amount in balances.items()}
    return MatchingEngine(contracts, held, time.time_ns, rules), troubled()


def troubled(*plan: Fault) -> Troubles:
    """A plan from now on."""
    return Troubles(plan, time.time_ns, time.time_ns())


def quote(contract: Instrument, bid: str, ask: str, size: str = "0.3", ask_size: str | None = None) -> Quote:
    """A market of this size on both sides."""
    return Quote(contract.key, time.time_ns(), D(bid), D(ask), D(size), D(ask_size or size))


def play_bars(tape: Tape, contract: Instrument, count: int = 10) -> list[Bar]:
    """Candles of a minute up to now."""
    begin_ns = (time.time_ns() // NS_PER_MINUTE - count) * NS_PER_MINUTE
    bars = [
        Bar(
            contract.key,
            NS_PER_MINUTE,
            begin_ns + i * NS_PER_MINUTE,
            D(60000 + i),
            D(60010 + i),
            D(59990),
            D(60001),
            D(2),
        )
        for i in range(count)
    ]
    for bar in bars:
        tape.play(bar)
    return bars


@asynccontextmanager
async def led_here(exchange: Any, hosts: Mapping[str, str]) -> AsyncIterator[Any]:
    """An unmodified ccxt class with its addresses on loopback; those of no simulator lead nowhere."""
    exchange.urls["api"] = _rebased(exchange.urls["api"], hosts)
    try:
        yield exchange
    finally:
        await exchange.close()


def _rebased(urls: Any, hosts: Mapping[str, str]) -> Any:
    if isinstance(urls, dict):
        return {name: _rebased(value, hosts) for name, value in urls.items()}
    match = re.match(r"(\w+)://([^/]+)(.*)", urls or "")
    if match is None:
        return urls
    scheme = "ws" if match[1].startswith("ws") else "http"
    return f"{scheme}://{hosts.get(match[2], NOWHERE)}{match[3]}"


async def soon(awaitable: Any) -> Any:
    """What a watcher tells, or a failure instead of a test that hangs."""
    return await asyncio.wait_for(awaitable, WAIT_S)


async def asked_for(hub: Hub, *wanted: str) -> None:
    """Waits until some connection of a venue asked for these topics; it has no event for that."""
    for _ in range(1000):
        if set(wanted) <= set().union(*(topics or () for topics in hub.topics)):
            return
        await asyncio.sleep(0.005)
    raise TimeoutError(f"nobody asked for {wanted}")


def recorded(path: Path) -> list[str]:
    """The frames of a capture, in order."""
    return [line.split(": ", 1)[1] for line in _lines(path) if re.match(r"\d+\.\d+: ", line)]


def recorded_answers(path: Path) -> list[str]:
    """The answers over HTTP of a capture, in order."""
    return [line.split(": ", 1)[1] for line in _lines(path) if line.startswith("http")]


def _lines(path: Path) -> list[str]:
    with gzip.open(path, "rt") as capture:
        return capture.read().splitlines()


def unknown_fields(ours: object, theirs: Sequence[object]) -> list[str]:
    """Fields of a frame of ours that no recorded frame has with this type."""
    return _unknown(ours, list(theirs), "")


def missing_fields(ours: object, theirs: Sequence[object]) -> set[str]:
    """Fields that every recorded frame has and ours lacks."""
    if not isinstance(ours, dict):
        return set()
    always = set.intersection(*(set(item) for item in theirs if isinstance(item, dict)))
    return always - set(ours)


def _unknown(ours: object, theirs: list[object], at: str) -> list[str]:
    if isinstance(ours, dict):
        found: list[str] = []
        for name, value in ours.items():
            known = [item[name] for item in theirs if isinstance(item, dict) and name in item]
            found += _unknown(value, known, f"{at}.{name}") if known else [f"{at}.{name}"]
        return found
    if isinstance(ours, list):
        items = [part for item in theirs if isinstance(item, list) for part in item]
        return [part for value in ours for part in (_unknown(value, items, f"{at}[]") if items else [])]
    return [] if any(type(item) is type(ours) for item in theirs) else [f"{at}: {type(ours).__name__}"]
