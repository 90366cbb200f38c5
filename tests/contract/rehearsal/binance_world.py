"""A Binance spot simulator with one market that stands still until a test moves it."""

import contextlib
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from decimal import Decimal

from neuratrade.core.model.instrument import Instrument, InstrumentKind
from neuratrade.core.model.market import Quote
from neuratrade.rehearsal.binance_spot import RULES, BinanceSpotSimulator
from neuratrade.rehearsal.faults import Fault, Troubles
from neuratrade.rehearsal.matching import MatchingEngine

D = Decimal
BTC = Instrument(
    "BTC/USDT",
    "binance",
    InstrumentKind.SPOT,
    "BTC",
    "USDT",
    tick=D("0.01"),
    lot=D("0.00001"),
    min_quantity=D("0.00001"),
    min_notional=D(5),
    maker_fee_bps=D(10),
    taker_fee_bps=D(10),
    fee_in_base=True,
)
RICH = {"USDT": D(100_000), "BTC": D(1)}


def place_of(simulator: BinanceSpotSimulator) -> str:
    """Where all hosts of the venue are."""
    return f"127.0.0.1:{simulator.port}"


def move(simulator: BinanceSpotSimulator, price: str, size: str = "10") -> None:
    """The market stands at a price, a tick wide."""
    level, amount = D(price), D(size)
    simulator.engine.quote(Quote(BTC.key, time.time_ns(), level, level + BTC.tick, amount, amount))


@contextlib.asynccontextmanager
async def binance(
    balances: Mapping[str, Decimal] = RICH,
    plan: Sequence[Fault] = (),
    contracts: Sequence[Instrument] = (BTC,),
) -> AsyncIterator[BinanceSpotSimulator]:
    """The simulator at 100."""
    now = time.time_ns
    engine = MatchingEngine(contracts, balances, now, RULES)
    async with BinanceSpotSimulator(engine, Troubles(plan, now, now()), now) as simulator:
        move(simulator, "100")
        yield simulator
