"""Barchart on loopback in a test's hand: futures and an index, a clock that jumps, and what was told."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from decimal import Decimal
from typing import TypeVar

from neuratrade.core.model.instrument import Instrument, InstrumentKind
from neuratrade.core.model.market import NS_PER_SECOND, Quote, Trade
from neuratrade.feeds.barchart.openfeed import Login, OpenfeedTransport, Service
from neuratrade.feeds.barchart.transport import BarchartTransport, Tick
from neuratrade.rehearsal.faults import Fault, Troubles
from neuratrade.rehearsal.matching import MatchingEngine
from neuratrade.rehearsal.openfeed import PASSWORD, USERNAME, OpenfeedSimulator
from neuratrade.rehearsal.warp import WarpClock, WarpLoop

D = Decimal
T = TypeVar("T")
BEGIN_NS = 1_790_000_010 * NS_PER_SECOND
"""In September 2026."""


def future(asset: str, tick: str, multiplier: str) -> Instrument:
    """A contract of CME's at Tradovate."""
    one = D(1)
    return Instrument(
        asset, "tradovate", InstrumentKind.FUTURE, asset[:-2], "USD",
        tick=D(tick), lot=one, min_quantity=one, min_notional=D(0), multiplier=D(multiplier),
        initial_margin=D("0.1"),
    )  # fmt: skip


ES = future("ESZ6", "0.25", "50")
NQ = future("NQZ6", "0.25", "20")
GC = future("GCZ6", "0.1", "100")
SYMBOLS = {"ESZ26": ES.key, "NQZ26": NQ.key, "GCZ26": GC.key}
LOGIN = Login(USERNAME, PASSWORD)


class Gateway:
    """The simulator, and the market it tells of."""

    def __init__(self, plan: Sequence[Fault] = ()) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, WarpLoop)
        self.clock = WarpClock(loop, BEGIN_NS)
        self.notes: list[str] = []
        troubles = Troubles(plan, self.clock.now_ns, self.clock.now_ns())
        engine = MatchingEngine((ES, NQ, GC), {"USD": D(1_000_000)}, self.clock.now_ns)
        self.simulator = OpenfeedSimulator(engine, troubles, self.clock.now_ns, SYMBOLS)

    def transport(self, login: Login = LOGIN, service: Service = Service.REAL_TIME) -> OpenfeedTransport:
        """Ours, led here."""
        return OpenfeedTransport(
            self.clock, login, url=self.simulator.url, service=service, note=self.notes.append
        )

    def quote(self, bid: str, ask: str, contract: Instrument = ES, size: int = 7) -> None:
        """The market stands at these prices."""
        self.simulator.tape.play(
            Quote(contract.key, self.clock.now_ns(), D(bid), D(ask), D(size), D(size + 1))
        )

    def trade(self, price: str, contract: Instrument = ES, quantity: int = 3) -> None:
        """Somebody sold."""
        at_ns = self.clock.now_ns()
        self.simulator.tape.play(Trade(contract.key, at_ns, D(price), D(quantity), aggressor_buy=False))


@asynccontextmanager
async def gateway(*plan: Fault) -> AsyncIterator[Gateway]:
    """The simulator runs, on a loop whose time jumps."""
    made = Gateway(plan)
    async with made.simulator:
        yield made


class Listener:
    """Reads a transport until it ends. error: how it ended."""

    def __init__(self, transport: BarchartTransport, symbols: Sequence[str]) -> None:
        self.ticks: list[Tick] = []
        self.error: Exception | None = None
        self._task = asyncio.create_task(self._read(transport, symbols))

    async def _read(self, transport: BarchartTransport, symbols: Sequence[str]) -> None:
        try:
            async with aclosing(transport.ticks(symbols)) as ticks:
                async for tick in ticks:
                    self.ticks.append(tick)
        except Exception as error:  # noqa: BLE001 - the test looks at it
            self.error = error

    def of(self, kind: type[T]) -> list[T]:
        """What was told of a kind."""
        return [tick for tick in self.ticks if isinstance(tick, kind)]

    @property
    def ended(self) -> bool:
        """Whether it is over."""
        return self._task.done()

    async def close(self) -> None:
        """Stops reading."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


@asynccontextmanager
async def listening(
    world: Gateway,
    transport: BarchartTransport,
    symbols: Sequence[str] = ("ESZ26", "NQZ26"),
    wait_s: float = 1.0,
) -> AsyncIterator[Listener]:
    """Reads, from when it had time to be let in."""
    listener = Listener(transport, symbols)
    try:
        await world.clock.sleep(wait_s)
        yield listener
    finally:
        await listener.close()
