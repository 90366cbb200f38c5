"""The account at Tradovate on loopback: positions closed, money, contracts, limits of the venue, hours."""

from datetime import date
from decimal import Decimal

import pytest

from neuratrade.core.model.market import NS_PER_HOUR, NS_PER_MINUTE
from neuratrade.rehearsal.tradovate_hours import ExchangeHours
from tests.contract.rehearsal import tradovate_schema as schema
from tests.contract.rehearsal.tradovate_world import (
    BEGIN_NS,
    ES_ID,
    GC,
    GC_ID,
    bracket,
    net,
    status,
    tradovate,
)
from tests.unit.rehearsal.exchange import warped

D = Decimal


@warped
async def test_liquidating_cancels_the_orders_of_that_contract_only_and_flattens() -> None:
    async with tradovate() as world:
        line = await world.line()
        said = await world.post("order/placeoso", **bracket("Buy", 2))
        gold = (await world.order("Buy", 1, "Limit", symbol="GCZ6", price=4090.0))["orderId"]
        await world.order("Sell", 1, symbol="GCZ6")
        closing = await world.post(
            "order/liquidateposition", accountId=77, contractId=ES_ID, admin=False, isAutomated=True
        )
        assert await status(world, closing["orderId"]) == "Filled"
        assert [await status(world, said[name]) for name in ("oso1Id", "oso2Id")] == ["Canceled", "Canceled"]
        assert await status(world, gold) == "Working"
        assert (await net(world), await net(world, GC_ID)) == (0, -1)
        positions = [row["id"] for row in await world.get("position/list") if row["netPos"]]
        done = await world.post(
            "order/liquidatepositions", positions=positions, admin=False, isAutomated=True
        )
        assert (done, await net(world, GC_ID)) == ({"ok": True}, 0)
        await line.until(lambda: line.props("position")[-1]["netPos"] == 0)


@warped
async def test_two_contracts_at_once_are_worth_what_their_points_are() -> None:
    async with tradovate() as world:
        await world.order("Buy", 2)
        await world.order("Sell", 1, symbol="GCZ6")
        world.quote("6910.25", "6910.50")
        world.quote("4090.0", "4090.2", contract=GC)
        await world.order("Sell", 2)
        await world.order("Buy", 1, symbol="GCZ6")
        cash = await world.post("cashBalance/getcashbalancesnapshot", accountId=77)
        schema.check("CashBalanceSnapshot", cash)
        # 2 contracts x 10.00 x 50, and 1 x (4100.0 - 4090.2) x 100, less six sides of 2.50.
        assert (cash["realizedPnL"], cash["totalCashValue"]) == (1_980, 201_965)
        assert cash["netLiq"] == cash["totalCashValue"]


@warped
async def test_a_dry_run_says_what_an_order_would_need_and_does_nothing() -> None:
    async with tradovate(cash=25_000) as world:
        order = {"contractId": ES_ID, "action": "Buy", "orderQty": 1, "orderType": "Market"}
        said = await world.post("order/dryrun", accountId=77, orders=[order])
        schema.check("RiskEvaluationDetails", said["details"])
        assert ("rejectReason" in said, said["fees"]) == (False, {"commission": 2.5})
        said = await world.post("order/dryrun", accountId=77, orders=[order | {"orderQty": 2}])
        assert said["rejectReason"] == "NotEnoughLiquidity"
        assert await world.get("order/list") == []


@warped
async def test_contracts_are_found_suggested_and_rolled() -> None:
    async with tradovate() as world:
        es = await world.get("contract/find", name="ESZ6")
        assert [row["name"] for row in await world.get("contract/suggest", t="es", l=2)] == ["ESZ6", "ESH7"]
        assert (await world.ask("GET", "contract/find", name="QQZ6"))[0] == 404
        front = await world.get("contractMaturity/item", id=es["contractMaturityId"])
        assert (front["isFront"], front["expirationDate"][:10]) == (True, "2026-12-18")
        product = await world.get("product/find", name="GC")
        assert (product["valuePerPoint"], product["tickSize"]) == (100, 0.1)
        gold = await world.get("contract/find", name="GCZ6")
        maturity = await world.get("contractMaturity/item", id=gold["contractMaturityId"])
        assert maturity["firstIntentDate"][:10] == "2026-11-30"
        rolled = await world.post("contract/rollcontract", name="ESZ6", forward=True)
        assert rolled["contract"]["name"] == "ESH7"
        stays = await world.post("contract/rollcontract", name="ESZ6", forward=True, ifExpired=True)
        assert stays["contract"]["name"] == "ESZ6"


@warped
async def test_a_daily_loss_limit_closes_everything_and_allows_only_closing_until_the_next_day() -> None:
    async with tradovate() as world:
        line = await world.line()
        await world.post("userAccountAutoLiq/create", accountId=77, dailyLossAutoLiq=1_000)
        await world.order("Buy", 2)
        resting = (await world.order("Buy", 1, "Limit", price=6800))["orderId"]
        world.quote("6891.00", "6891.25")
        assert await net(world) == 2
        world.quote("6890.00", "6890.25")
        assert (await net(world), await status(world, resting)) == (0, "Canceled")
        await line.until(lambda: line.props("accountRiskStatus"))
        assert "liquidateOnly" in line.props("accountRiskStatus")[-1]
        assert (await world.order("Buy", 1))["failureReason"] == "LiquidationOnly"
        await world.clock.sleep(24 * 3600)
        await world.login()
        world.quote("6890.00", "6890.25")
        assert (await world.order("Buy", 1))["orderId"]


@pytest.mark.parametrize(
    ("limit", "bid", "closes"),
    [
        ({"weeklyLossAutoLiq": 1_000}, "6890.00", True),
        ({"dailyProfitAutoLiq": 1_000}, "6911.00", True),
        ({"weeklyProfitAutoLiq": 1_000}, "6911.00", True),
        ({"trailingMaxDrawdown": 1_000}, "6890.00", True),
        ({"dailyLossLiqOnly": 1_000}, "6890.00", False),
    ],
)
def test_other_limits_close_or_only_stop_what_opens(limit: dict[str, int], bid: str, closes: bool) -> None:
    @warped
    async def play() -> None:
        async with tradovate() as world:
            row = {"accountId": 77, "asOwner": True, **limit}
            said = await world.post("userAccountAutoLiq/updateUserAutoLiq", **row)
            schema.check("userAccountAutoLiq", said["userAccountAutoLiq"])
            await world.order("Buy", 2)
            world.quote("6895.00", "6895.25")
            assert await net(world) == 2
            world.quote(bid, str(D(bid) + D("0.25")))
            assert await net(world) == (0 if closes else 2)
            assert (await world.order("Buy", 1))["failureReason"] == "LiquidationOnly"
            if not closes:
                await world.order("Sell", 2)
                assert await net(world) == 0

    play()


@warped
async def test_what_is_asked_by_the_wrong_verb_is_not_there() -> None:
    async with tradovate() as world:
        assert (await world.ask("GET", "order/placeorder"))[0] == 404
        assert (await world.ask("POST", "order/list", {}))[0] == 404
        assert (await world.ask("POST", "userAccountAutoLiq/create", {"accountId": 77, "noLimit": 1}))[
            0
        ] == 400


@warped
async def test_a_closed_session_refuses_what_opens_and_ends_orders_of_the_day() -> None:
    begin_ns = BEGIN_NS + 7 * NS_PER_HOUR - 10 * NS_PER_MINUTE
    async with tradovate(begin_ns=begin_ns) as world:
        await world.order("Buy", 1)
        day = (await world.order("Sell", 1, "Limit", price=6950))["orderId"]
        kept = (await world.order("Sell", 1, "Stop", stopPrice=6800, timeInForce="GTC"))["orderId"]
        await world.clock.sleep(11 * 60)
        assert (await world.order("Sell", 1))["failureReason"] == "SessionClosed"
        change = {"orderId": kept, "orderQty": 1, "orderType": "Stop", "stopPrice": 6810, "isAutomated": True}
        assert (await world.post("order/modifyorder", **change))["failureReason"] == "SessionClosed"
        liquidate = {"accountId": 77, "contractId": ES_ID, "admin": False, "isAutomated": True}
        assert (await world.post("order/liquidateposition", **liquidate))["failureReason"] == "SessionClosed"
        assert [await status(world, number) for number in (day, kept)] == ["Expired", "Working"]
        await world.clock.sleep(3600)
        await world.post("order/liquidateposition", **liquidate)
        assert (await net(world), await status(world, kept)) == (0, "Canceled")


@warped
async def test_a_holiday_is_as_closed_as_a_weekend() -> None:
    async with tradovate(hours=ExchangeHours([date(2026, 11, 23)])) as world:
        assert (await world.order("Buy", 1))["failureReason"] == "SessionClosed"
