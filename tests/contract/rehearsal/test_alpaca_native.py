"""Orders of Alpaca with exits attached, by the vendor's own client, and what they leave bare.

The vendor's documentation says that the exits of an entry are active once it "is completely filled", and that
the end of one order of a group is the end of all. So they may not be trusted: the last tests are the reason.
"""

from typing import Any

import pytest

from neuratrade.rehearsal.faults import Fault, FaultKind
from tests.contract.rehearsal.alpaca_client import (
    GetOrdersRequest,
    LimitOrderRequest,
    MarketOrderRequest,
    StopLossRequest,
    TakeProfitRequest,
    enums,
)
from tests.contract.rehearsal.alpaca_stocks_world import DAY, GTC, SELL, StockExchange, stock_exchange

EXITS: dict[str, Any] = {
    "take_profit": TakeProfitRequest(limit_price=110), "stop_loss": StopLossRequest(stop_price=95),
}  # fmt: skip
BRACKET: dict[str, Any] = {"order_class": enums.OrderClass.BRACKET, "time_in_force": GTC, **EXITS}


def states(order: Any) -> list[enums.OrderStatus]:
    """Of the order and its legs."""
    return [order.status, *(leg.status for leg in order.legs)]


# what the forms do


async def test_the_exits_of_a_bracket_are_held_until_it_is_filled_whole_and_end_each_other() -> None:
    async with stock_exchange() as here:
        order = await here.submit(LimitOrderRequest, limit_price=99, **BRACKET)
        new, held = enums.OrderStatus.NEW, enums.OrderStatus.HELD
        assert states(order) == [new, held, held]
        assert [leg.type for leg in order.legs] == [enums.OrderType.LIMIT, enums.OrderType.STOP]
        assert order.order_class is enums.OrderClass.BRACKET
        here.quote("98.9", "99")
        assert states(await here.state(order)) == [enums.OrderStatus.FILLED, new, held]
        # As at the venue, the stop that stands behind its target is not listed as open, and works.
        listed = await here.call(here.client.get_orders, GetOrdersRequest())
        assert [item.type for item in listed] == [enums.OrderType.LIMIT]
        assert here.covered == 100
        here.quote("94", "94.1")
        after = await here.state(order)
        assert states(after) == [
            enums.OrderStatus.FILLED,
            enums.OrderStatus.CANCELED,
            enums.OrderStatus.FILLED,
        ]
        assert here.held == 0


async def test_a_target_filled_in_part_leaves_its_stop_the_rest() -> None:
    async with stock_exchange() as here:
        order = await here.submit(MarketOrderRequest, **BRACKET)
        here.quote("110", "110.1", size="30")
        target, stop = (await here.state(order)).legs
        assert (target.filled_qty, stop.qty) == ("30", "70")
        assert here.stands == (70, 70)


async def test_the_end_of_one_order_of_a_group_is_the_end_of_all() -> None:
    async with stock_exchange() as here:
        order = await here.submit(MarketOrderRequest, **BRACKET)
        await here.call(here.client.cancel_order_by_id, str(order.legs[0].id))
        canceled = enums.OrderStatus.CANCELED
        assert states(await here.state(order)) == [enums.OrderStatus.FILLED, canceled, canceled]
        assert here.stands == (100, 0)
        waits = await here.submit(LimitOrderRequest, limit_price=99, **BRACKET)
        await here.call(here.client.cancel_order_by_id, str(waits.id))
        assert states(await here.state(waits)) == [canceled] * 3


async def test_a_pair_of_exits_belongs_to_a_position_and_holds_its_shares_once() -> None:
    async with stock_exchange() as here:
        pair = {"order_class": enums.OrderClass.OCO, "side": SELL, "limit_price": 110, **EXITS}
        assert (await here.refusal(LimitOrderRequest, **pair))[0] == 422
        await here.submit(MarketOrderRequest)
        order = await here.submit(LimitOrderRequest, **pair)
        assert (order.type, [leg.type for leg in order.legs]) == (
            enums.OrderType.LIMIT, [enums.OrderType.STOP],
        )  # fmt: skip
        assert (await here.refusal(MarketOrderRequest, side=SELL, qty=1))[:2] == (403, 40310000)
        here.quote("110", "110.1")
        after = await here.state(order)
        assert states(after) == [enums.OrderStatus.FILLED, enums.OrderStatus.CANCELED]


async def test_an_entry_may_have_one_exit_alone() -> None:
    async with stock_exchange() as here:
        order = await here.submit(
            MarketOrderRequest, order_class=enums.OrderClass.OTO, stop_loss=StopLossRequest(stop_price=95)
        )
        assert states(await here.state(order)) == [enums.OrderStatus.FILLED, enums.OrderStatus.NEW]
        assert here.covered == 100


REFUSED: dict[str, dict[str, Any]] = {
    "at once": {**BRACKET, "time_in_force": enums.TimeInForce.IOC},
    "a part of a share": {**BRACKET, "qty": 1.5, "time_in_force": DAY},
    "a stop too near": {**BRACKET, "stop_loss": StopLossRequest(stop_price=99)},
    "a target below": {**BRACKET, "take_profit": TakeProfitRequest(limit_price=94)},
}


@pytest.mark.parametrize("what", REFUSED)
async def test_groups_that_make_no_sense_are_refused_whole(what: str) -> None:
    async with stock_exchange() as here:
        wanted = {"limit_price": 99, **REFUSED[what]}
        assert (await here.refusal(LimitOrderRequest, **wanted))[0] == 422
        assert not here.engine.orders


@pytest.mark.parametrize("name", ["bracket", "oto", "oco"])
async def test_groups_without_their_exits_are_refused(name: str) -> None:
    """The vendor's client would not even send them."""
    async with stock_exchange() as here:
        body = {
            "symbol": "AAPL", "qty": "1", "side": "buy", "type": "limit", "time_in_force": "gtc",
            "limit_price": "99", "order_class": name,
        }  # fmt: skip
        assert (await here.refused(here.client.post, "/orders", body))[0] == 422
        assert not here.engine.orders


# what they leave bare


async def fill_in_part(here: StockExchange) -> Any:
    """A bracket of 100 of which 40 are filled; then its client hears nothing more, and is gone."""
    order = await here.submit(LimitOrderRequest, limit_price=99, **BRACKET)
    here.quote("98.9", "99", size="40")
    here.quote("99.5", "99.6")
    here.client._session.close()
    return order


async def test_nothing_covers_what_was_filled_of_a_bracket_that_is_filled_in_part() -> None:
    silence = Fault(0.0, FaultKind.SILENT_STREAM, seconds=86_400.0)
    async with stock_exchange(silence) as here:
        order = await fill_in_part(here)
        assert states(await here.state(order)) == [
            enums.OrderStatus.PARTIALLY_FILLED, enums.OrderStatus.HELD, enums.OrderStatus.HELD,
        ]  # fmt: skip
        assert here.stands == (40, 0)
        # Down through the stop: nobody sells, and the entry goes on to buy.
        here.quote("94", "94.1", size="20")
        assert here.stands == (60, 0)


@pytest.mark.parametrize("force", [DAY, GTC])
async def test_an_entry_that_ends_after_a_part_takes_its_exits_with_it(force: enums.TimeInForce) -> None:
    async with stock_exchange(begin="2026-11-18 15:00") as here:
        terms = {**BRACKET, "time_in_force": force}
        order = await here.submit(LimitOrderRequest, limit_price=99, **terms)
        here.quote("98.9", "99", size="40")
        here.quote("99.5", "99.6")
        if force is DAY:
            here.go_to("2026-11-18 16:00")
        else:
            await here.call(here.client.cancel_order_by_id, str(order.id))
        after = await here.state(order)
        assert after.status is (enums.OrderStatus.EXPIRED if force is DAY else enums.OrderStatus.CANCELED)
        assert {leg.status for leg in after.legs} == {enums.OrderStatus.CANCELED}
        here.go_to("2026-11-19 09:30")
        here.quote("80", "80.1")
        assert here.stands == (40, 0)


async def test_the_exits_of_a_bracket_for_the_day_end_with_it_and_leave_the_position_bare_over_night() -> (
    None
):
    async with stock_exchange(begin="2026-11-18 15:00") as here:
        order = await here.submit(MarketOrderRequest, **{**BRACKET, "time_in_force": DAY})
        assert here.covered == 100
        here.go_to("2026-11-18 16:00")
        after = await here.state(order)
        assert not any(leg.status in (enums.OrderStatus.NEW, enums.OrderStatus.HELD) for leg in after.legs)
        assert here.stands == (100, 0)
