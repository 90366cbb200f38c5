"""A venue's simulator in real time, whose market moves by itself: what a desk on live data reaches."""

import asyncio
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal

from neuratrade.core.model.market import NS_PER_MINUTE, Bar, Quote, Trade
from neuratrade.feeds.clock import WALL
from neuratrade.rehearsal.faults import Troubles
from neuratrade.rehearsal.matching import MatchingEngine
from neuratrade.rehearsal.server import Simulator
from neuratrade.rehearsal.stages import STAGES, Stage
from neuratrade.rehearsal.tape import Played

MINUTES_BEFORE = 4_300
BEGIN = Decimal(60_000)
EACH_S = 0.05
WITHIN_S = 60.0


class LiveMarket:
    """One instrument: minutes of history, then a quote and a trade every so often."""

    def __init__(self, stage: Stage, play: Callable[[Played], None], seed: int = 1) -> None:
        self._contract = stage.contract
        self._play = play
        self._dice = random.Random(seed)
        self._price = BEGIN
        self._bar: Bar | None = None

    def history(self) -> None:
        """Whole minutes up to the present one."""
        now_ns = WALL.now_ns()
        first_ns = now_ns - now_ns % NS_PER_MINUTE - MINUTES_BEFORE * NS_PER_MINUTE
        for number in range(MINUTES_BEFORE):
            before = self._price
            after = self._contract.round_price(BEGIN * self._change(0.002))
            self._price = after
            high, low = max(before, after) + 6, min(before, after) - 6
            open_ns = first_ns + number * NS_PER_MINUTE
            self._play(Bar(self._contract.key, NS_PER_MINUTE, open_ns, before, high, low, after, Decimal(12)))

    def moment(self) -> None:
        """A quote, a trade, and the minute they belong to."""
        now_ns, price, contract = WALL.now_ns(), self._move(0.00002), self._contract
        ask = price + 5 * contract.tick
        self._play(Quote(contract.key, now_ns, price, ask, Decimal(2), Decimal(2)))
        self._play(Trade(contract.key, now_ns, price, Decimal("0.05"), True))
        open_ns = now_ns - now_ns % NS_PER_MINUTE
        bar = self._bar
        if bar is None or bar.open_ns != open_ns:
            bar = Bar(contract.key, NS_PER_MINUTE, open_ns, price, price, price, price, Decimal(0))
        volume = bar.volume + Decimal("0.05")
        high, low = max(bar.high, price), min(bar.low, price)
        self._bar = Bar(contract.key, NS_PER_MINUTE, open_ns, bar.open, high, low, price, volume)
        self._play(self._bar)

    def _move(self, sigma: float) -> Decimal:
        self._price = self._contract.round_price(self._price * self._change(sigma))
        return self._price

    def _change(self, sigma: float) -> Decimal:
        return 1 + Decimal(repr(round(self._dice.gauss(0, sigma), 7)))


@contextmanager
def live_venue(name: str) -> Iterator[str]:
    """A venue that lives as long as the block; gives `127.0.0.1:PORT`."""
    opened, over, at = threading.Event(), threading.Event(), [""]
    failed: list[BaseException] = []

    async def live() -> None:
        stage = STAGES[name]()
        engine = MatchingEngine([stage.contract], stage.balances, WALL.now_ns, stage.matching)
        troubles = Troubles((), WALL.now_ns, WALL.now_ns())
        simulator: Simulator = stage.simulator(engine, troubles, WALL.now_ns)
        market = LiveMarket(stage, simulator.play)
        async with simulator:
            market.history()
            at[0] = f"127.0.0.1:{simulator.port}"
            opened.set()
            while not over.is_set():
                market.moment()
                await asyncio.sleep(EACH_S)

    def run() -> None:
        try:
            asyncio.run(live())
        except BaseException as error:  # noqa: BLE001 - told by the test, not by its thread
            failed.append(error)
            opened.set()

    thread = threading.Thread(target=run, name=f"live {name}", daemon=True)
    thread.start()
    assert opened.wait(WITHIN_S), f"{name} did not open"
    if failed:
        raise failed[0]
    try:
        yield at[0]
    finally:
        over.set()
        thread.join(WITHIN_S)
    if failed:
        raise failed[0]
