"""Tradovate on loopback as its documents have it: orders, what becomes of them, and what is told of that."""

from decimal import Decimal

from tests.contract.rehearsal.tradovate_world import tradovate
from tests.unit.rehearsal.exchange import warped

D = Decimal


@warped
async def test_an_order_is_filled_and_all_its_entities_are_told() -> None:
    async with tradovate() as world:
        line = await world.line()
        said = await line.ask(
            "order/placeorder",
            {
                "accountId": 77,
                "action": "Buy",
                "symbol": "ESZ6",
                "orderQty": 2,
                "orderType": "Market",
                "isAutomated": True,
                "clOrdId": "one",
            },
        )
        number = said["d"]["orderId"]
        await line.until(lambda: line.props("position"))
        assert line.states(number) == ["PendingNew", "Working", "Filled"]
        assert [row["qty"] for row in line.props("fill")] == [2]
        assert line.props("position")[-1]["netPos"] == 2
        (command,) = await world.get("command/deps", masterid=number)
        assert command["clOrdId"] == "one"
