"""Tradovate on loopback as its documents have it: orders, what becomes of them, and what is told of that."""

from typing import Any

import pytest

from neuratrade.rehearsal.faults import Fault, FaultKind
from tests.contract.rehearsal import tradovate_schema as schema
from tests.contract.rehearsal.tradovate_world import net, reasons, status, terms, tradovate
from tests.unit.rehearsal.exchange import warped


@warped
async def test_an_order_is_filled_and_all_its_entities_are_told() -> None:
    async with tradovate() as world:
        line = await world.line()
        said = await line.ask("order/placeorder", terms("Buy", 2, clOrdId="one"))
        number = said["d"]["orderId"]
        assert line.states(number) == ["PendingNew", "Working", "Filled"]
        assert [row["qty"] for row in line.props("fill")] == [2]
        assert line.props("position")[-1]["netPos"] == 2
        assert line.props("cashBalance")[-1]["amount"] == 199_995
        fee = line.props("fillFee")[-1]
        assert sum(value for name, value in fee.items() if name.endswith(("Fee", "commission"))) == 5
        (command,) = await world.get("command/deps", masterid=number)
        assert (command["clOrdId"], command["commandType"]) == ("one", "New")
        (version,) = await world.get("orderVersion/deps", masterid=number)
        assert (version["orderQty"], version["orderType"]) == (2, "Market")
        (fill,) = await world.get("fill/deps", masterid=number)
        assert (fill["qty"], fill["price"], fill["action"]) == (2, 6900.25, "Buy")


@warped
async def test_what_a_synchronisation_begins_with_is_as_documented() -> None:
    async with tradovate() as world:
        await world.order("Buy", 1)
        line = await world.line()
        sync = line.answers[2]["d"]
        singular = {kind.plural: name for name, kind in world.venue.account.kinds.items()}
        for plural, rows in sync.items():
            for row in rows:
                schema.check(singular[plural], row)
        assert {row["netPos"] for row in sync["positions"]} == {1}
        assert {row["name"] for row in sync["products"]} == {"ES", "GC"}


@warped
async def test_who_asks_for_no_entities_is_told_of_none() -> None:
    async with tradovate() as world:
        line = await world.line()
        deaf = await world.bare()
        answer = await deaf.ask("user/syncrequest", {"splitResponses": False, "accounts": [77]})
        assert answer["d"] == {"users": [], "contractGroups": []}
        assert (await deaf.ask("user/syncrequest", {"splitResponses": False, "entityTypes": ["order"]}))[
            "s"
        ] == 400
        await world.order("Buy", 1)
        await line.until(lambda: line.props("position"))
        assert not deaf.events
        assert (await (await world.bare()).ask("user/syncrequest", {"users": [5]}))["s"] == 400


@warped
async def test_the_same_order_sent_twice_is_two_orders() -> None:
    async with tradovate() as world:
        first = await world.order("Buy", 1, clOrdId="same")
        second = await world.order("Buy", 1, clOrdId="same")
        assert first["orderId"] != second["orderId"]
        assert await net(world) == 2
        assert world.venue.submissions["same"] == 2
        found = [row["orderId"] for row in await world.get("command/list") if row.get("clOrdId") == "same"]
        assert found == [first["orderId"], second["orderId"]]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (terms("Buy", 1, symbol="XXZ6"), "InvalidContract"),
        (terms("Buy", 1, symbol="ESH7"), "InvalidContract"),
        (terms("Buy", 1, "Limit", price=6900.10), "InvalidPrice"),
        (terms("Buy", 1, "Limit"), "InvalidPrice"),
        (terms("Sell", 1, "Stop", price=6880), "InvalidPrice"),
        (terms("Sell", 1, "Stop", stopPrice=6880, price=6880), "InvalidPrice"),
        (terms("Buy", 1, "MIT", price=6880), "Unsupported"),
        (terms("Buy", 1, accountId=78), "Unauthorized"),
    ],
)
def test_what_cannot_be_is_refused_in_a_200(body: dict[str, Any], reason: str) -> None:
    @warped
    async def play() -> None:
        async with tradovate() as world:
            said = await world.post("order/placeorder", **body)
            schema.check("PlaceOrderResult", said)
            assert (said["failureReason"], said["orderId"]) == (reason, 0)
            assert await world.get("order/list") == []

    play()


@pytest.mark.parametrize(
    "change",
    [
        {"isAutomated": False},
        {"isAutomated": None},
        {"action": "Hold"},
        {"orderQty": 0},
        {"orderQty": 1.5},
        {"symbol": None},
    ],
)
def test_a_body_that_lacks_something_is_refused_with_400(change: dict[str, Any]) -> None:
    @warped
    async def play() -> None:
        async with tradovate() as world:
            body = {name: value for name, value in (terms("Buy", 1) | change).items() if value is not None}
            answer, said = await world.ask("POST", "order/placeorder", body)
            assert (answer, list(said)) == (400, ["violations"])

    play()


@warped
async def test_an_order_is_changed_and_cancelled_and_too_late_afterwards() -> None:
    async with tradovate() as world:
        line = await world.line()
        number = (await world.order("Buy", 2, "Limit", price=6890, timeInForce="GTC"))["orderId"]
        change = {"orderId": number, "orderQty": 3, "orderType": "Limit", "price": 6891, "isAutomated": True}
        schema.check("CommandResult", await world.post("order/modifyorder", **change))
        versions = await world.get("orderVersion/deps", masterid=number)
        assert [(row["orderQty"], row["price"]) for row in versions] == [(2, 6890), (3, 6891)]
        assert versions[-1]["timeInForce"] == "GTC"
        said = await world.post("order/cancelorder", orderId=number, isAutomated=True)
        assert set(said) == {"commandId"}
        late = await world.post("order/cancelorder", orderId=number, isAutomated=True)
        assert late["failureReason"] == "TooLate"
        assert (await world.post("order/modifyorder", **change))["failureReason"] == "TooLate"
        await line.until(lambda: line.states(number)[-1:] == ["Canceled"])
        kinds = [row["execType"] for row in line.props("executionReport")]
        assert kinds == ["New", "Replaced", "Canceled"]


@warped
async def test_a_stop_and_a_stop_limit_wait_for_their_price() -> None:
    async with tradovate() as world:
        await world.order("Buy", 3)
        stop = (await world.order("Sell", 1, "Stop", stopPrice=6880))["orderId"]
        limited = (await world.order("Sell", 2, "StopLimit", stopPrice=6885, price=6884))["orderId"]
        world.quote("6885.25", "6885.50")
        assert [await status(world, number) for number in (stop, limited)] == ["Working", "Working"]
        world.quote("6883.00", "6883.25")
        assert await status(world, limited) == "Working"
        world.quote("6880.00", "6880.25")
        assert await status(world, stop) == "Filled"
        world.quote("6884.00", "6884.25")
        assert await status(world, limited) == "Filled"
        assert await net(world) == 0


@warped
async def test_a_stop_the_market_has_passed_is_rejected_by_a_command_report() -> None:
    async with tradovate() as world:
        number = (await world.order("Sell", 1, "Stop", stopPrice=6905))["orderId"]
        assert await status(world, number) == "Rejected"
        assert await reasons(world) == [("ExecutionRejected", "OtherExecutionRelated")]


@warped
async def test_a_stop_the_plan_rejects_has_a_number_and_is_rejected_all_the_same() -> None:
    async with tradovate(Fault(0.0, FaultKind.STOP_REJECTED)) as world:
        line = await world.line()
        number = (await world.order("Sell", 1, "Stop", stopPrice=6880))["orderId"]
        assert number > 0
        await line.until(lambda: line.states(number) == ["PendingNew", "Rejected"])
        assert line.props("commandReport")[-1]["rejectReason"] == "OtherExecutionRelated"


@warped
async def test_without_margin_the_risk_check_rejects_but_what_closes_needs_none() -> None:
    async with tradovate(cash=25_000) as world:
        await world.order("Buy", 1)
        assert await net(world) == 1
        number = (await world.order("Buy", 1))["orderId"]
        assert await status(world, number) == "Rejected"
        assert await reasons(world) == [("RiskRejected", "OtherExecutionRelated")]
        await world.order("Sell", 1, "Stop", stopPrice=6880)
        await world.order("Sell", 1)
        assert await net(world) == 0


@warped
async def test_fill_or_kill_takes_all_or_nothing_and_the_rest_of_ioc_expires() -> None:
    async with tradovate() as world:
        world.quote("6900.00", "6900.25", "2")
        killed = (await world.order("Buy", 3, "Limit", price=6900.25, timeInForce="FOK"))["orderId"]
        assert await status(world, killed) == "Expired"
        assert await net(world) == 0
        part = (await world.order("Buy", 3, "Limit", price=6900.25, timeInForce="IOC"))["orderId"]
        assert (await status(world, part), await net(world)) == ("Expired", 2)
