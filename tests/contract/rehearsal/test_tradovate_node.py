"""Tradovate on loopback, used by the unmodified npm client `tradovate` 1.0.3."""

import asyncio
import time
from decimal import Decimal
from typing import Any

import pytest

from neuratrade.core.model.market import Quote
from neuratrade.rehearsal.faults import Troubles
from neuratrade.rehearsal.matching import MatchingEngine
from neuratrade.rehearsal.tradovate import RULES, Tradovate
from neuratrade.rehearsal.tradovate_auth import Penalty
from neuratrade.rehearsal.tradovate_hours import AlwaysOpen
from tests.contract.rehearsal.tradovate_world import ES
from tests.node import packages

D = Decimal


async def tick(engine: MatchingEngine) -> None:
    """The same quote again and again: the client listens only a while after it subscribed."""
    while True:
        engine.quote(Quote(ES.key, time.time_ns(), D("6900.00"), D("6900.25"), D(50), D(50)))
        await asyncio.sleep(0.1)


@pytest.mark.node
@packages.needs("tradovate")
async def test_the_unmodified_client_logs_in_trades_brackets_and_is_told() -> None:
    engine = MatchingEngine([ES], {"USD": D(200_000)}, time.time_ns, RULES)
    troubles = Troubles((), time.time_ns, time.time_ns())
    async with Tradovate(engine, troubles, time.time_ns, hours=AlwaysOpen(), has_active=True) as venue:
        market = asyncio.create_task(tick(engine))
        await asyncio.sleep(0)
        # The client has to wait and to ask again with the ticket, and is refused only then.
        venue.door.penalties.append(Penalty(seconds=1))
        try:
            said: dict[str, Any] = await packages.run("tradovate.js", str(venue.port))
        finally:
            market.cancel()

    assert "error" not in said, said["error"]
    assert "Incorrect username or password" in said["wrongPassword"]
    assert {"accessToken", "mdAccessToken", "expirationTime", "userId"} <= set(said["login"])
    assert said["account"] == {"id": 77, "name": "DEMO77", "userId": 5}
    assert "accessToken" in said["renewed"]
    assert said["sync"] == {"isSync": True, "accounts": [77]}
    assert "splitResponses is required" in said["olderSync"]
    assert said["contract"]["name"] == "ESZ6"

    placed = said["placed"]["d"]
    assert (said["placed"]["s"], set(placed)) == (200, {"orderId", "oso1Id", "oso2Id"})
    assert said["filled"]
    assert said["bracketsWork"]
    parent, target, stop = said["orders"]
    assert (parent["status"], target["status"], stop["status"]) == ("Filled", "Working", "Working")
    assert (target["parent"], stop["parent"]) == (placed["orderId"], placed["orderId"])
    assert (target["oco"], stop["oco"]) == (placed["oso2Id"], placed["oso1Id"])
    assert all(order["isOrder"] for order in said["orders"])

    assert said["unknownSymbol"]["failureReason"] == "InvalidContract"
    assert said["unknownSymbol"]["orderId"] == 0
    assert "400" in said["incomplete"]
    assert "400" in said["noRobot"]
    assert said["liquidated"]["orderId"] > placed["orderId"]
    assert said["flat"]
    assert said["left"] == ["Filled", "Canceled", "Canceled", "Filled"]
    # Two contracts bought at 6900.25 and sold at 6900.00, 2.50 a side and contract.
    assert (said["cash"]["realizedPnL"], said["cash"]["totalCashValue"]) == (-25, 199_965)
    assert {"order Created", "order Updated", "fill Created", "position Created"} <= set(said["events"])
    assert said["quote"]["entries"]["Bid"] == {"price": 6900, "size": 50}
    assert said["isConnected"]
