"""Orders at Tradovate: sent once, believed only when proven, told of in whichever order their parts come."""

import asyncio
from typing import Any

import msgspec
import pytest

from neuratrade.core.model import facts as f
from neuratrade.core.model.errors import Refused, UsageError
from neuratrade.core.model.orders import OrderRole, Side, TimeInForce
from neuratrade.rehearsal.faults import Act, Fault, FaultKind
from neuratrade.rehearsal.tradovate import Tradovate
from neuratrade.venues.port import TooManyRequests, VenueRefused
from neuratrade.venues.tradovate.errors import PROVEN, Doubtful, refusal
from tests.unit.venues.tradovate.stage import D, Scene, on_stage, order, warped

LATER_NS = 1_795_003_600_123_000_000


def sent(scene: Scene) -> list[dict[str, Any]]:
    """Bodies of orders, as the venue is to get them from now on."""
    bodies: list[dict[str, Any]] = []

    def witness(_method: str, path: str, body: bytes) -> None:
        if path == "/order/placeorder":
            bodies.append(msgspec.json.decode(body))

    scene.simulator.witness = witness
    return bodies


@warped
async def test_an_order_names_its_account_and_says_that_no_person_sent_it() -> None:
    async with on_stage() as scene:
        bodies = sent(scene)
        await scene.submit(order("it", Side.SELL, stop="5990", limit="5989.75"))
        assert bodies == [
            {
                "accountSpec": "DEMO77", "accountId": 77, "clOrdId": "it", "action": "Sell", "symbol": "ESZ6",
                "orderQty": 2, "orderType": "StopLimit", "timeInForce": "GTC", "isAutomated": True,
                "price": 5989.75, "stopPrice": 5990,
            }
        ]  # fmt: skip


@pytest.mark.parametrize(
    ("terms", "words"),
    [
        ({}, ("Market", "Day")),
        ({"limit": "5990"}, ("Limit", "GTC")),
        ({"limit": "5990", "time_in_force": TimeInForce.IOC}, ("Limit", "IOC")),
        ({"limit": "5990", "time_in_force": TimeInForce.GTD, "expires_ns": LATER_NS}, ("Limit", "GTD")),
    ],
)
@warped
async def test_how_long_an_order_may_rest_is_said(terms: dict[str, Any], words: tuple[str, str]) -> None:
    async with on_stage() as scene:
        bodies = sent(scene)
        await scene.submit(order("it", Side.BUY, **terms))
        assert (bodies[0]["orderType"], bodies[0]["timeInForce"]) == words
        assert bodies[0].get("expireTime") == ("2026-11-18T12:06:40.123Z" if words[1] == "GTD" else None)


@warped
async def test_the_number_of_an_order_is_no_acceptance_and_its_state_is() -> None:
    async with on_stage() as scene, scene.listening():
        before = len(scene.told)
        assert await scene.venue.submit(cleared_of("it")) == []
        await asyncio.sleep(1.0)
        assert [type(item) for item in scene.told[before:]] == [f.OrderAccepted]


def cleared_of(name: str) -> Any:
    from tests.contract.venues.stand import cleared

    return cleared(order(name, Side.BUY, limit="5990"))


@warped
async def test_an_order_that_is_refused_after_it_had_a_number_is_told_once_with_the_reason() -> None:
    async with on_stage(Fault(0.0, FaultKind.STOP_REJECTED)) as scene, scene.listening():
        await scene.submit(order("it", Side.SELL, stop="5990"))
        await asyncio.sleep(3.0)
        (told,) = scene.about("it")
        assert isinstance(told, f.OrderRejected)
        (looked,) = await scene.look_up("it")
        assert isinstance(looked, f.OrderRejected)


@warped
async def test_an_order_leaves_once_though_the_venue_would_take_it_twice() -> None:
    async with on_stage() as scene:
        await scene.submit(order("it", Side.BUY, limit="5990"))
        with pytest.raises(Doubtful, match="was sent before"):
            await scene.submit(order("it", Side.BUY, limit="5990"))
        assert scene.simulator.submissions == {"it": 1}


HEDGED = (
    "RiskCheckTimeout", "UnknownReason", "OtherExecutionRelated", "ExecutionProviderUnavailable", "TooLate",
    "NotEnoughLiquidity", "ParentRejected", "AnotherCommandPending", "Success", "AReasonOfNextYear", "",
)  # fmt: skip


@pytest.mark.parametrize("reason", HEDGED)
def test_a_reason_that_comes_from_the_way_to_the_exchange_or_from_nowhere_is_no_refusal(reason: str) -> None:
    assert type(refusal(reason, "words", PROVEN)) is Doubtful


@pytest.mark.parametrize("reason", ["LiquidationOnly", "SessionClosed", "InvalidPrice", "TradingLocked"])
def test_a_reason_of_a_check_that_comes_first_is_a_refusal(reason: str) -> None:
    assert type(refusal(reason, "words", PROVEN)) is VenueRefused


@warped
async def test_a_closed_session_is_a_refusal_in_an_answer_of_200() -> None:
    async with on_stage() as scene:

        class Closed:
            is_open = staticmethod(lambda _: False)
            ends_ns = staticmethod(lambda at_ns: at_ns)

        scene.simulator.orders._hours = Closed()
        with pytest.raises(VenueRefused, match="SessionClosed"):
            await scene.submit(order("it", Side.BUY))
        assert [type(item) for item in await scene.look_up("it")] == [f.OrderNotFound]


@warped
async def test_a_cancel_that_came_too_late_is_refused_and_says_nothing_of_a_fill() -> None:
    async with on_stage() as scene, scene.listening():
        await scene.submit(order("it", Side.BUY, limit="5990"))
        await scene.cancel("it")
        await asyncio.sleep(1.0)
        before = len(scene.told)
        with pytest.raises(VenueRefused, match="TooLate"):
            await scene.cancel("it")
        assert len(scene.told) == before
        with pytest.raises(VenueRefused, match="has no order never"):
            await scene.cancel("never")


@warped
async def test_events_about_an_order_wait_until_it_is_known_whose_it_is() -> None:
    async with on_stage() as scene, scene.listening():
        row = {"id": 500, "accountId": 77, "contractId": 3_000_001, "action": "Buy", "ordStatus": "Working"}
        fill = {
            "id": 501,
            "orderId": 500,
            "contractId": 3_000_001,
            "action": "Buy",
            "qty": 1,
            "price": 6000.25,
        }
        scene.prop("fill", fill)
        scene.prop("order", row)
        await asyncio.sleep(0.2)
        assert len(scene.told) == 1
        scene.prop("command", {"id": 502, "orderId": 500, "commandType": "New", "clOrdId": "late"})
        await asyncio.sleep(0.2)
        assert [type(item) for item in scene.about("late")] == [f.OrderFilled, f.OrderAccepted]


@warped
async def test_an_execution_costs_the_commission_until_the_venue_says_otherwise() -> None:
    async with on_stage() as scene, scene.listening():
        await scene.submit(order("it", Side.BUY, 2))
        await asyncio.sleep(1.0)
        (filled,) = [item for item in scene.about("it") if isinstance(item, f.OrderFilled)]
        assert filled.fill.fee == D("4.50")
        number = int(filled.fill.trade_id)
        scene.prop("fillFee", {"id": number, "commission": 1.29, "exchangeFee": 2.76, "nfaFee": 0.04})
        await asyncio.sleep(0.2)
        corrected = scene.told[-1]
        assert isinstance(corrected, f.FillCorrected)
        assert (corrected.trade_id, corrected.fee) == (filled.fill.trade_id, D("4.09"))
        looked = await scene.look_up("it")
        assert [item.fee for item in looked if isinstance(item, f.FillCorrected)] == [D("4.09")]
        (listed,) = (await scene.venue.snapshot("main")).fills
        assert (listed.trade_id, listed.fee) == (filled.fill.trade_id, D("4.09"))


@warped
async def test_an_execution_that_was_taken_back_is_told_as_nothing() -> None:
    async with on_stage() as scene, scene.listening():
        await scene.submit(order("it", Side.BUY, 2))
        await asyncio.sleep(1.0)
        (row,) = scene.simulator.book.rows["fill"].values()
        row["active"] = False
        scene.prop("fill", {**row, "qty": 2, "price": 6000.25})
        await asyncio.sleep(0.2)
        corrected = scene.told[-1]
        assert isinstance(corrected, f.FillCorrected)
        assert corrected.quantity == 0
        (listed,) = (await scene.venue.snapshot("main")).fills
        assert listed.quantity == 0


@warped
async def test_an_end_whose_report_is_lost_is_looked_for() -> None:
    async with on_stage() as scene, scene.listening():
        await scene.submit(order("it", Side.BUY, limit="5990"))
        await asyncio.sleep(0.5)
        tell = scene.simulator.book.tell
        scene.simulator.book.tell = lambda name, row, event: (
            None if name == "executionReport" else tell(name, row, event)
        )
        await scene.cancel("it")
        await asyncio.sleep(3.0)
        ends = [item for item in scene.about("it") if isinstance(item, f.OrderCancelled)]
        assert [item.filled for item in ends] == [D(0)]


@warped
async def test_an_order_of_a_desk_that_went_down_is_found_by_its_command() -> None:
    async with on_stage() as scene:
        await scene.submit(order("it", Side.BUY, limit="5990"))
        scene.venue._registered._numbers.clear()
        scene.venue._registered._coids.clear()
        assert [type(item) for item in await scene.look_up("it")] == [f.OrderAccepted]
        assert [type(item) for item in await scene.look_up("other")] == [f.OrderNotFound]


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"readonly": True}, Refused, r"DEMO77 may not trade \(readonly\)"),
        ({"closed": True}, Refused, r"may not trade \(closed\)"),
        ({"restricted": True}, Refused, r"may not trade \(restricted\)"),
        ({"name": "OTHER"}, UsageError, "no account DEMO77: it has OTHER"),
    ],
)
@warped
async def test_an_account_that_may_not_trade_opens_nothing(
    change: dict[str, Any], error: type[Exception], words: str
) -> None:
    def dress(simulator: Tradovate) -> None:
        rows = simulator.account._accounts
        simulator.account.questions["account/list"] = lambda _: [{**rows()[0], **change}]

    with pytest.raises(error, match=words):
        async with on_stage(dress=dress, account="DEMO77"):
            pass


@warped
async def test_after_a_refusal_for_load_nothing_opens_for_an_hour_and_what_protects_leaves() -> None:
    async with on_stage(Fault(30.0, FaultKind.RATE_LIMITED, on=Act.SUBMIT)) as scene, scene.listening():
        await asyncio.sleep(30.0)
        with pytest.raises(TooManyRequests) as caught:
            await scene.submit(order("first", Side.BUY))
        assert caught.value.retry_after_s == 3600.0
        with pytest.raises(VenueRefused, match="wants to be left alone"):
            await scene.submit(order("second", Side.BUY))
        await scene.submit(order("stop", Side.SELL, stop="5990", role=OrderRole.STOP))
        await asyncio.sleep(1.0)
        assert [type(item) for item in scene.about("stop")] == [f.OrderAccepted]
        assert [type(item) for item in await scene.look_up("first")] == [f.OrderNotFound]
        await asyncio.sleep(3600.0)
        await scene.submit(order("third", Side.BUY))
        assert dict(scene.simulator.submissions) == {"stop": 1, "third": 1}


@warped
async def test_a_caller_who_gives_up_takes_nobody_elses_connection_down() -> None:
    async with on_stage() as scene:
        scene.say('c[3000,"Go away!"]')
        await asyncio.sleep(0.1)
        asked = [asyncio.create_task(scene.venue.ping()) for _ in range(3)]
        await asyncio.sleep(0)
        asked[0].cancel()
        await asyncio.gather(*asked[1:])
        assert scene.simulator.door.logins == 1


def lagging(simulator: Tradovate) -> None:
    """The list of an order's fills lacks the newest."""
    ask = simulator.account.questions["fill/deps"]
    simulator.account.questions["fill/deps"] = lambda asked: list(ask(asked))[:-1]  # type: ignore[call-overload]


@warped
async def test_a_filled_order_whose_fills_are_not_all_listed_is_not_believed() -> None:
    async with on_stage(dress=lagging) as scene:
        scene.quote("6000", "6000.25", size=1)
        await scene.submit(order("it", Side.BUY, 2))
        with pytest.raises(Doubtful, match="the order is filled, fills of 1 are listed"):
            await scene.look_up("it")


@warped
async def test_an_end_whose_fills_fall_short_of_the_exchanges_own_count_is_not_believed() -> None:
    async with on_stage(dress=lagging) as scene:
        await scene.submit(order("it", Side.BUY, 2, limit="5990"))
        scene.quote("5989", "5989.75", size=1)
        scene.quote("6000", "6000.25")
        await scene.cancel("it")
        await asyncio.sleep(1.0)
        with pytest.raises(Doubtful, match="1 of it are filled, fills of 0 are listed"):
            await scene.look_up("it")


@warped
async def test_what_the_venue_closed_itself_is_told_as_such_and_as_no_order_of_ours() -> None:
    async with on_stage() as scene, scene.listening():
        await scene.submit(order("it", Side.BUY, 2))
        await asyncio.sleep(1.0)
        before = len(scene.told)
        body = {"accountId": 77, "contractId": 3_000_001, "admin": True, "isAutomated": True}
        scene.simulator.orders.liquidate(body)
        await asyncio.sleep(2.0)
        assert scene.told[before:] == []
        seen = await scene.venue.snapshot("main")
        assert [fill.client_order_id for fill in seen.fills] == ["it"]
        assert [(fill.side, fill.quantity) for fill in seen.liquidations] == [(Side.SELL, D(2))]


@warped
async def test_the_newest_terms_of_an_order_hold_in_whichever_order_they_come() -> None:
    async with on_stage() as scene:
        await scene.submit(order("it", Side.SELL, 2, stop="5990"))
        number = scene.venue._registered.number("it")
        for version, level in ((900_002, 5980), (900_001, 5970)):
            row = {"id": version, "orderId": number, "orderQty": 2, "orderType": "Stop", "stopPrice": level}
            scene.prop("orderVersion", row)
        await asyncio.sleep(0.2)
        assert scene.venue._registered.versions[number or 0].stop_price == 5980


@warped
async def test_money_is_told_whole() -> None:
    async with on_stage() as scene:
        await scene.submit(order("it", Side.BUY, 2))
        scene.quote("6010", "6010.25")
        told = await scene.venue.money()
        assert told.total_cash_value == D("4999995.50")
        assert told.open_pnl is not None
        assert told.open_pnl > 0
        assert told.initial_margin is not None
        assert told.initial_margin > 0
        assert told.realised_pnl == 0
