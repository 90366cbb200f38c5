"""Orders of Tradovate on loopback that hang together: brackets, linked pairs, trailing stops."""

from tests.contract.rehearsal import tradovate_schema as schema
from tests.contract.rehearsal.tradovate_world import bracket, net, reasons, status, terms, tradovate
from tests.unit.rehearsal.exchange import warped


@warped
async def test_brackets_wait_for_all_of_their_parent_and_cancel_each_other() -> None:
    async with tradovate() as world:
        line = await world.line()
        said = (await line.ask("order/placeoso", bracket("Buy", 4, "Limit", price=6890)))["d"]
        schema.check("PlaceOsoResult", said)
        parent, target, stop = said["orderId"], said["oso1Id"], said["oso2Id"]
        assert [await status(world, n) for n in (parent, target, stop)] == [
            "Working",
            "Suspended",
            "Suspended",
        ]
        world.quote("6889.75", "6890.00", "3")
        assert await net(world) == 3
        # Three are held and nothing protects them: what is documented does not say otherwise.
        assert [await status(world, n) for n in (target, stop)] == ["Suspended", "Suspended"]
        world.quote("6889.75", "6890.00", "3")
        rows = [await world.get("order/item", id=number) for number in (parent, target, stop)]
        assert [row["ordStatus"] for row in rows] == ["Filled", "Working", "Working"]
        assert [row.get("parentId") for row in rows] == [None, parent, parent]
        assert [row.get("ocoId") for row in rows] == [None, stop, target]
        world.quote("6880.00", "6880.25")
        assert [await status(world, n) for n in (target, stop)] == ["Canceled", "Filled"]
        assert await net(world) == 0
        await line.until(lambda: line.states(target)[-1:] == ["Canceled"])
        assert line.states(target) == ["PendingNew", "Suspended", "Working", "Canceled"]


@warped
async def test_the_target_cancels_the_stop_only_when_it_is_filled_whole() -> None:
    async with tradovate() as world:
        said = await world.post("order/placeoso", **bracket("Buy", 2))
        world.quote("6950.00", "6950.25", "1")
        assert (await status(world, said["oso2Id"]), await net(world)) == ("Working", 1)
        world.quote("6950.00", "6950.25", "1")
        assert (await status(world, said["oso2Id"]), await net(world)) == ("Canceled", 0)


@warped
async def test_brackets_end_with_their_parent_even_where_a_part_of_it_was_filled() -> None:
    async with tradovate() as world:
        said = await world.post("order/placeoso", **bracket("Buy", 4, "Limit", price=6890))
        world.quote("6889.75", "6890.00", "3")
        await world.post("order/cancelorder", orderId=said["orderId"], isAutomated=True)
        assert [await status(world, said[name]) for name in ("oso1Id", "oso2Id")] == ["Canceled", "Canceled"]
        assert await net(world) == 3


@warped
async def test_the_brackets_of_a_rejected_parent_are_rejected() -> None:
    async with tradovate(cash=1_000) as world:
        said = await world.post("order/placeoso", **bracket("Buy", 1))
        assert [await status(world, said[name]) for name in ("orderId", "oso1Id", "oso2Id")] == [
            "Rejected"
        ] * 3
        assert ("ExecutionRejected", "ParentRejected") in await reasons(world)


@warped
async def test_a_waiting_bracket_is_changed_before_it_works() -> None:
    async with tradovate() as world:
        said = await world.post("order/placeoso", **bracket("Buy", 2, "Limit", price=6890))
        change = {"orderId": said["oso2Id"], "orderQty": 2, "orderType": "Stop", "stopPrice": 6870}
        assert "commandId" in await world.post("order/modifyorder", **change, isAutomated=True)
        world.quote("6889.75", "6890.00")
        world.quote("6875.00", "6875.25")
        assert await status(world, said["oso2Id"]) == "Working"
        world.quote("6870.00", "6870.25")
        assert await status(world, said["oso2Id"]) == "Filled"


@warped
async def test_one_of_two_linked_orders_cancels_the_other() -> None:
    async with tradovate() as world:
        await world.order("Buy", 1)
        other = {"action": "Sell", "orderType": "Limit", "price": 6910}
        said = await world.post("order/placeoco", **terms("Sell", 1, "Stop", stopPrice=6890, other=other))
        schema.check("PlaceOcoResult", said)
        world.quote("6910.00", "6910.25")
        states = [await status(world, said[name]) for name in ("orderId", "ocoId")]
        assert (states, await net(world)) == (["Canceled", "Filled"], 0)


@warped
async def test_a_trailing_stop_follows_and_never_goes_back() -> None:
    async with tradovate() as world:
        await world.order("Buy", 1)
        number = (await world.order("Sell", 1, "TrailingStop", stopPrice=6890, pegDifference=-10))["orderId"]
        world.quote("6920.00", "6920.25")
        world.quote("6912.00", "6912.25")
        versions = await world.get("orderVersion/deps", masterid=number)
        assert [row["stopPrice"] for row in versions] == [6890, 6910]
        change = {"orderId": number, "orderQty": 1, "orderType": "TrailingStop", "stopPrice": 6890}
        refused = await world.post("order/modifyorder", **change, pegDifference=-5, isAutomated=True)
        assert refused["failureReason"] == "TrailingStopNonOrderQtyModify"
        world.quote("6910.00", "6910.25")
        assert (await status(world, number), await net(world)) == ("Filled", 0)
