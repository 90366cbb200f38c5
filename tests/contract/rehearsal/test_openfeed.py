"""Barchart's own Openfeed client for Python, unmodified, against the simulated gateway.

It runs in threads of its own and tells by callbacks; nothing of it is changed but the address.
"""

import asyncio
import gc
import time
import warnings
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib import import_module
from typing import Any

from neuratrade.core.model.market import Quote, Trade
from neuratrade.rehearsal.faults import Fault, FaultKind, Troubles
from neuratrade.rehearsal.matching import MatchingEngine
from neuratrade.rehearsal.openfeed import PASSWORD, USERNAME, OpenfeedSimulator
from tests.unit.feeds.barchart.gateway import ES, NQ, SYMBOLS, D

openfeed: Any = import_module("openfeed")
WAIT_S = 10.0


class Vendor:
    """The vendor's client, and all it was told."""

    def __init__(self, simulator: OpenfeedSimulator, *symbols: str, password: str = PASSWORD) -> None:
        self.got: list[Any] = []
        self.beats: list[Any] = []
        self.errors: list[Any] = []
        self.logins: list[Any] = []
        self.logouts: list[Any] = []
        self.ends: list[Any] = []
        self.client = openfeed.OpenfeedClient(USERNAME, password, server=f"127.0.0.1:{simulator.port}")
        self.client.on_error = self.errors.append
        self.client.on_login = self.logins.append
        self.client.on_logout = self.logouts.append
        self.client.on_disconnected = self.ends.append
        self.client.add_heartbeat_subscription(self.beats.append)
        for symbol in symbols:
            self.client.add_symbol_subscription(
                symbol, callback=self.got.append, subscription_type=["QUOTE", "TRADES"]
            )

    def of(self, kind: str) -> list[Any]:
        """What was told of one kind."""
        return [getattr(item, kind) for item in list(self.got) if item.WhichOneof("data") == kind]


@asynccontextmanager
async def gateway(*plan: Fault) -> AsyncIterator[OpenfeedSimulator]:
    """The simulator in real time."""
    engine = MatchingEngine((ES, NQ), {"USD": D(1_000_000)}, time.time_ns)
    symbols = {name: key for name, key in SYMBOLS.items() if key in (ES.key, NQ.key)}
    troubles = Troubles(plan, time.time_ns, time.time_ns())
    async with OpenfeedSimulator(engine, troubles, time.time_ns, symbols) as simulator:
        yield simulator


@asynccontextmanager
async def connected(simulator: OpenfeedSimulator, *symbols: str, **options: Any) -> AsyncIterator[Vendor]:
    """The vendor's client, running in its thread."""
    vendor = Vendor(simulator, *symbols, **options)
    vendor.client.start(blocking=False)
    try:
        yield vendor
    finally:
        await asyncio.to_thread(vendor.client.stop)
        await asyncio.sleep(0.3)
        with warnings.catch_warnings():
            # It leaves its sockets to the garbage collector.
            warnings.simplefilter("ignore", ResourceWarning)
            gc.collect()


async def until(true: Callable[[], object]) -> None:
    """Waits for something that must come true."""
    async with asyncio.timeout(WAIT_S):
        while not true():  # noqa: ASYNC110 - the client is in another thread
            await asyncio.sleep(0.01)


async def test_it_logs_in_is_told_what_its_symbols_are_and_then_every_quote_and_trade() -> None:
    async with gateway() as simulator, connected(simulator, "ESZ26", "NQZ26") as vendor:
        await until(lambda: len(vendor.of("marketSnapshot")) == 2)
        assert vendor.logins[0].loginResponse.token
        answers = vendor.of("subscriptionResponse")
        assert {(item.symbol, item.status.result, item.status.service) for item in answers} == {
            ("ESZ26", 1, 1),
            ("NQZ26", 1, 1),
        }
        definition = vendor.client.get_instrument_definition_by_symbol("ESZ26")
        assert (definition.minimumPriceIncrement, definition.contractPointValue) == (0.25, 50.0)
        at_ns = time.time_ns()
        simulator.tape.play(Quote(ES.key, at_ns, D("5800.25"), D("5800.5"), D(3), D(4)))
        simulator.tape.play(Trade(ES.key, at_ns, D("5800.25"), D(2), aggressor_buy=True))
        await until(lambda: len(vendor.of("marketUpdate")) == 2)
        book, trades = vendor.of("marketUpdate")
        scale = book.priceDenominator
        assert (book.bbo.bidPrice / scale, book.bbo.offerPrice / scale) == (5800.25, 5800.5)
        assert (book.bbo.bidQuantity, book.bbo.offerQuantity) == (3, 4)
        (entry,) = trades.trades.trades
        assert (entry.trade.price / scale, entry.trade.quantity, entry.trade.side) == (5800.25, 2, 1)
        assert entry.trade.transactionTime == at_ns
        assert vendor.errors == []


async def test_it_takes_several_messages_of_one_frame_and_hears_heartbeats() -> None:
    async with gateway() as simulator, connected(simulator, "ESZ26") as vendor:
        await until(lambda: vendor.of("marketSnapshot"))
        simulator.together = 3
        for number in range(3):
            simulator.tape.play(Trade(ES.key, time.time_ns(), D(5800 + number), D(1)))
        await until(lambda: len(vendor.of("marketUpdate")) == 3 and vendor.beats)
        assert vendor.beats[0].heartBeat.transactionTime > 0
        assert vendor.errors == []


async def test_it_tells_a_wrong_password_and_an_unknown_symbol_as_failures() -> None:
    async with gateway() as simulator:
        async with connected(simulator, "ESZ26", password="wrong") as vendor:
            await until(lambda: vendor.errors)
            assert "Login has failed" in str(vendor.errors[0])
        async with connected(simulator, "ESZ26", "ESZ99") as vendor:
            await until(lambda: vendor.errors)
            assert "Subscription has failed" in str(vendor.errors[0])
            await until(lambda: vendor.of("marketSnapshot"))


async def test_it_is_told_when_its_login_is_used_elsewhere() -> None:
    async with gateway() as simulator, connected(simulator, "ESZ26") as first:
        await until(lambda: first.of("marketSnapshot"))
        async with connected(simulator, "ESZ26") as second:
            await until(lambda: first.logouts and first.ends)
            assert first.logouts[0].logoutResponse.status.result == 115
            await until(lambda: second.of("marketSnapshot"))
            assert not second.logouts


async def test_it_is_told_of_a_connection_that_is_cut() -> None:
    cut = Fault(1.0, FaultKind.PRICES_CUT)
    async with gateway(cut) as simulator, connected(simulator, "ESZ26") as vendor:
        await until(lambda: vendor.ends)
        assert vendor.of("marketSnapshot")
