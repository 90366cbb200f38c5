"""Alpaca's simulator with stocks and sessions, the vendor's own clients on it, and a clock that is set."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from decimal import Decimal
from typing import Any

from neuratrade.core.model.market import NS_PER_SECOND, Quote
from neuratrade.rehearsal.alpaca import AlpacaSimulator
from neuratrade.rehearsal.alpaca_calendar import NEW_YORK, Calendar
from neuratrade.rehearsal.faults import Fault, Troubles
from neuratrade.rehearsal.matching import MatchingEngine, Rules
from tests.contract.rehearsal.alpaca_client import GetOrderByIdRequest, enums
from tests.contract.rehearsal.test_alpaca import Exchange
from tests.unit.rehearsal.exchange import AAPL, BTC, D

BUY, SELL, DAY, GTC = enums.OrderSide.BUY, enums.OrderSide.SELL, enums.TimeInForce.DAY, enums.TimeInForce.GTC


def at(said: str) -> int:
    """A time by the clocks of New York, such as `2026-11-18 10:00`, nanoseconds."""
    return int(datetime.fromisoformat(said).replace(tzinfo=NEW_YORK).timestamp()) * NS_PER_SECOND


class StockExchange(Exchange):
    """The simulator in real time, from a moment that can be set on."""

    def __init__(self, simulator: AlpacaSimulator, watch: "Watch") -> None:
        super().__init__(simulator)
        self.watch = watch

    def go_to(self, said: str) -> None:
        """It is that time now."""
        self.watch.begin_ns, self.watch.real_ns = at(said), time.monotonic_ns()

    def quote(self, bid: str, ask: str, size: str = "1000", key: str = AAPL.key) -> None:
        """The market stands at these prices."""
        self.engine.quote(Quote(key, self.watch.now_ns(), D(bid), D(ask), D(size), D(size)))

    async def submit(self, kind: type, **terms: Any) -> Any:
        """Sends an order of AAPL to buy 100 for the day, unless told otherwise."""
        usual = {"symbol": "AAPL", "qty": 100, "side": BUY, "time_in_force": DAY}
        return await self.call(self.client.submit_order, kind(**(usual | terms)))

    async def refusal(self, kind: type, **terms: Any) -> tuple[int, int, str]:
        """What is said to such an order."""
        usual = {"symbol": "AAPL", "qty": 100, "side": BUY, "time_in_force": DAY}
        return await self.refused(self.client.submit_order, kind(**(usual | terms)))

    async def state(self, order: Any) -> Any:
        """An order as it stands now, with its legs."""
        return await self.call(self.client.get_order_by_id, str(order.id), GetOrderByIdRequest(nested=True))

    @property
    def covered(self) -> Decimal:
        """How many shares a stop at the exchange would sell."""
        stops = [item for item in self.engine.open_orders(AAPL.key) if item.is_conditional]
        return sum((item.remaining for item in stops), D(0))

    @property
    def stands(self) -> tuple[int, int]:
        """Shares held, and how many of them are covered."""
        return int(self.held), int(self.covered)

    @property
    def held(self) -> Decimal:
        """Signed shares."""
        return self.engine.account.balances.get("AAPL", D(0))


class Watch:
    """A clock that goes on from where it was set."""

    def __init__(self, begin_ns: int) -> None:
        self.begin_ns, self.real_ns = begin_ns, time.monotonic_ns()

    def now_ns(self) -> int:
        """Nanoseconds UTC."""
        return self.begin_ns + time.monotonic_ns() - self.real_ns


@asynccontextmanager
async def stock_exchange(
    *plan: Fault,
    begin: str = "2026-11-18 10:00",
    calendar: Calendar | None = None,
    balances: dict[str, Decimal] | None = None,
) -> AsyncIterator[StockExchange]:
    """A margin account and a market of 100 to 100.1 for AAPL, on a Wednesday."""
    watch, days = Watch(at(begin)), calendar or Calendar()
    rules = Rules(lends=True, trades=days.trades)
    engine = MatchingEngine(
        [AAPL, BTC], {"USD": D(100_000)} if balances is None else balances, watch.now_ns, rules
    )
    troubles = Troubles(plan, watch.now_ns, watch.now_ns())
    async with AlpacaSimulator(engine, troubles, watch.now_ns, days) as simulator:
        found = StockExchange(simulator, watch)
        found.quote("100", "100.1")
        try:
            yield found
        finally:
            found.client._session.close()
