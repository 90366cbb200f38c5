"""A JERQ server with a market on it: ES and gold, quoted and traded."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal

from neuratrade.core.model.instrument import Instrument, InstrumentKind
from neuratrade.core.model.market import Quote, Trade
from neuratrade.rehearsal.faults import Fault, Troubles
from neuratrade.rehearsal.jerq import JerqSimulator
from neuratrade.rehearsal.jerq_words import es, gold
from neuratrade.rehearsal.matching import MatchingEngine

D = Decimal


def future(asset: str, tick: str, multiplier: int) -> Instrument:
    return Instrument(
        asset=asset,
        venue="tradovate",
        kind=InstrumentKind.FUTURE,
        base=asset[:2],
        quote="USD",
        tick=D(tick),
        lot=D(1),
        min_quantity=D(1),
        min_notional=D(0),
        multiplier=D(multiplier),
    )


ES, GC = future("ESZ6", "0.25", 50), future("GCZ6", "0.1", 100)


class JerqWorld:
    """The market, and the server that tells of it."""

    def __init__(
        self, plan: Sequence[Fault] = (), *, delay_minutes: int = 0, torn: int | None = None
    ) -> None:
        self.engine = MatchingEngine([ES, GC], {"USD": D(100_000)}, time.time_ns)
        troubles = Troubles(plan, time.time_ns, time.time_ns())
        listings = {ES.key: es(), GC.key: gold()}
        self.server = JerqSimulator(
            self.engine, troubles, time.time_ns, listings, delay_minutes=delay_minutes, torn=torn
        )
        self.quote(ES, "6900.00", "6900.25", 11, 12)
        self.quote(GC, "4065.1", "4065.3", 3, 4)

    def quote(self, contract: Instrument, bid: str, ask: str, bid_size: int = 5, ask_size: int = 6) -> None:
        """The market moves."""
        self.server.tape.play(Quote(contract.key, time.time_ns(), D(bid), D(ask), D(bid_size), D(ask_size)))

    def trade(self, contract: Instrument, price: str, size: int) -> None:
        """Somebody trades."""
        self.server.tape.play(Trade(contract.key, time.time_ns(), D(price), D(size), aggressor_buy=True))


async def heard(world: JerqWorld, *commands: str) -> None:
    """Returns once a client said all of this. Raises AssertionError where it does not."""
    for _ in range(1_000):
        if set(commands) <= set(world.server.commands):
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"{commands} were not all said: {world.server.commands}")


@asynccontextmanager
async def jerq(
    plan: Sequence[Fault] = (), *, delay_minutes: int = 0, torn: int | None = None
) -> AsyncIterator[JerqWorld]:
    """A world whose server serves."""
    world = JerqWorld(plan, delay_minutes=delay_minutes, torn=torn)
    async with world.server:
        yield world
