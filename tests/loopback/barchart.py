"""Barchart's gateway in real time, with futures whose market moves by itself: what a desk on it reaches."""

import asyncio
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal

from neuratrade.app.barchart_market import contracts_of
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.market import NS_PER_MINUTE, Bar, Quote, Trade
from neuratrade.feeds.barchart.symbols import barchart_symbol
from neuratrade.feeds.clock import WALL
from neuratrade.rehearsal.faults import Troubles
from neuratrade.rehearsal.matching import MatchingEngine
from neuratrade.rehearsal.openfeed import OpenfeedSimulator

MINUTES_BEFORE = 4_300
BEGIN = Decimal(4_000)
"""Low enough that a micro contract is within what a desk may order."""
EACH_S = 0.05
WITHIN_S = 60.0


def play_history(simulator: OpenfeedSimulator, contract: Instrument) -> None:
    """Whole minutes up to the present one."""
    dice = random.Random(contract.key)
    now_ns = WALL.now_ns()
    first_ns = now_ns - now_ns % NS_PER_MINUTE - MINUTES_BEFORE * NS_PER_MINUTE
    price = BEGIN
    for number in range(MINUTES_BEFORE):
        after = contract.round_price(BEGIN + Decimal(repr(round(dice.gauss(0, 6), 2))))
        high, low = max(price, after) + 1, min(price, after) - 1
        open_ns = first_ns + number * NS_PER_MINUTE
        simulator.tape.play(Bar(contract.key, NS_PER_MINUTE, open_ns, price, high, low, after, Decimal(900)))
        price = after


def play_moment(simulator: OpenfeedSimulator, contract: Instrument) -> None:
    """A quote and a trade."""
    now_ns, ask = WALL.now_ns(), BEGIN + contract.tick
    simulator.tape.play(Quote(contract.key, now_ns, BEGIN, ask, Decimal(40), Decimal(40)))
    simulator.tape.play(Trade(contract.key, now_ns, BEGIN, Decimal(3), True))


@contextmanager
def live_barchart(
    *names: str, change: Callable[[OpenfeedSimulator], None] = lambda _: None
) -> Iterator[tuple[str, OpenfeedSimulator]]:
    """A gateway that lives as long as the block; gives `127.0.0.1:PORT` and itself. change: before that."""
    opened, over = threading.Event(), threading.Event()
    made: list[OpenfeedSimulator] = []
    failed: list[BaseException] = []

    async def live() -> None:
        contracts = contracts_of(names, WALL.now_ns())
        engine = MatchingEngine(contracts, {"USD": Decimal(10_000_000)}, WALL.now_ns)
        symbols = {barchart_symbol(item.asset, WALL.now_ns()): item.key for item in contracts}
        troubles = Troubles((), WALL.now_ns, WALL.now_ns())
        simulator = OpenfeedSimulator(engine, troubles, WALL.now_ns, symbols)
        change(simulator)
        async with simulator:
            for contract in contracts:
                play_history(simulator, contract)
            made.append(simulator)
            opened.set()
            while not over.is_set():
                for contract in contracts:
                    play_moment(simulator, contract)
                await asyncio.sleep(EACH_S)

    def run() -> None:
        try:
            asyncio.run(live())
        except BaseException as error:  # noqa: BLE001 - told by the test, not by its thread
            failed.append(error)
            opened.set()

    thread = threading.Thread(target=run, name="live barchart", daemon=True)
    thread.start()
    assert opened.wait(WITHIN_S), "it did not open"
    if failed:
        raise failed[0]
    try:
        yield f"127.0.0.1:{made[0].port}", made[0]
    finally:
        over.set()
        thread.join(WITHIN_S)
    if failed:
        raise failed[0]
