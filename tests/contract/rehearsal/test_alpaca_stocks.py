"""Stocks at Alpaca's simulator, by the vendor's own client: sessions, shares that are held, shorts, terms."""

import asyncio
from datetime import date, time
from typing import Any

import pytest

from neuratrade.rehearsal.alpaca_calendar import Calendar, weekdays
from tests.contract.rehearsal.alpaca_client import (
    APIError,
    GetCalendarRequest,
    GetOrdersRequest,
    LimitOrderRequest,
    MarketOrderRequest,
    ReplaceOrderRequest,
    StopLimitOrderRequest,
    StopOrderRequest,
    enums,
)
from tests.contract.rehearsal.alpaca_stocks_world import BUY, DAY, GTC, SELL, at, stock_exchange
from tests.contract.rehearsal.test_alpaca import amount
from tests.unit.rehearsal.exchange import AAPL, D

FORBIDDEN = (403, 40310000)
UNPROCESSABLE = (422, 42210000)


# hours


async def test_the_clock_and_the_calendar_tell_sessions_and_early_closes() -> None:
    thanksgiving, friday = date(2026, 11, 26), date(2026, 11, 27)
    calendar = Calendar(weekdays([thanksgiving], {friday: time(13, 0)}))
    async with stock_exchange(begin="2026-11-25 15:59", calendar=calendar) as here:
        clock = await here.call(here.client.get_clock)
        assert (clock.is_open, clock.next_close.hour) == (True, 16)
        here.go_to("2026-11-25 16:00")
        clock = await here.call(here.client.get_clock)
        assert not clock.is_open
        assert clock.next_open.isoformat() == "2026-11-27T09:30:00-05:00"
        assert clock.next_close.isoformat() == "2026-11-27T13:00:00-05:00"
        asked = GetCalendarRequest(start=date(2026, 11, 25), end=date(2026, 11, 30))
        days = await here.call(here.client.get_calendar, asked)
        assert [(day.date.day, day.open.hour, day.close.hour) for day in days] == [
            (25, 9, 16), (27, 9, 13), (30, 9, 16),
        ]  # fmt: skip


async def test_what_comes_after_the_close_is_accepted_and_waits_for_the_next_session() -> None:
    async with stock_exchange(begin="2026-11-20 17:00") as here, here.listening():
        order = await here.submit(MarketOrderRequest, client_order_id="early")
        assert order.status is enums.OrderStatus.ACCEPTED
        here.quote("90", "90.1")
        here.go_to("2026-11-22 12:00")
        assert (await here.state(order)).status is enums.OrderStatus.ACCEPTED
        here.go_to("2026-11-23 09:30")
        here.quote("105", "105.1")
        filled = await here.state(order)
        assert (filled.status, amount(filled.filled_avg_price)) == (enums.OrderStatus.FILLED, D("105.1"))
        await here.until(lambda: len(here.updates) == 2)
        assert [item.event for item in here.updates] == [enums.TradeEvent.ACCEPTED, enums.TradeEvent.FILL]


async def test_orders_for_the_day_expire_at_the_close_and_a_stop_that_is_good_till_cancelled_stays() -> None:
    async with stock_exchange(begin="2026-11-18 15:58") as here, here.listening():
        await here.submit(MarketOrderRequest)
        entry = await here.submit(LimitOrderRequest, limit_price=99, qty=10)
        await here.call(here.client.cancel_order_by_id, str(entry.id))
        stop = await here.call(
            here.client.submit_order,
            StopOrderRequest(symbol="AAPL", qty=60, side=SELL, time_in_force=GTC, stop_price=95),
        )
        of_day = await here.call(
            here.client.submit_order,
            StopOrderRequest(symbol="AAPL", qty=40, side=SELL, time_in_force=DAY, stop_price=95),
        )
        assert here.covered == 100
        here.go_to("2026-11-18 16:00")
        ended = await here.state(of_day)
        assert (ended.status, ended.expired_at is not None) == (enums.OrderStatus.EXPIRED, True)
        assert (await here.state(stop)).status is enums.OrderStatus.NEW
        await here.until(lambda: here.updates[-1].event == enums.TradeEvent.EXPIRED)
        assert here.covered == 60
        here.quote("90", "90.1")
        assert here.held == 100
        here.go_to("2026-11-19 09:30")
        here.quote("90", "90.1")
        assert (await here.state(stop)).status is enums.OrderStatus.FILLED


async def test_what_is_to_be_taken_at_once_in_a_closed_market_is_taken_by_nobody() -> None:
    async with stock_exchange(begin="2026-11-18 17:00") as here:
        order = await here.submit(LimitOrderRequest, limit_price=101, time_in_force=enums.TimeInForce.IOC)
        assert (await here.state(order)).status is enums.OrderStatus.CANCELED
        assert here.held == 0


# shares


async def test_shares_are_held_by_the_order_that_is_to_sell_them_and_no_order_turns_a_position_over() -> None:
    async with stock_exchange() as here:
        await here.submit(MarketOrderRequest)
        await here.submit(StopLimitOrderRequest, side=SELL, qty=70, stop_price=95, limit_price=94)
        with pytest.raises(APIError) as caught:
            await here.submit(LimitOrderRequest, side=SELL, qty=31, limit_price=110)
        assert (caught.value.status_code, caught.value.code) == FORBIDDEN
        assert "insufficient qty available for order (requested: 31, available: 30)" in str(caught.value)
        (held,) = await here.call(here.client.get_all_positions)
        assert (amount(held.qty), amount(held.qty_available)) == (D(100), D(30))
        await here.submit(LimitOrderRequest, side=SELL, qty=30, limit_price=110)
        await here.call(here.client.cancel_orders)
        assert (await here.refusal(MarketOrderRequest, side=SELL, qty=101))[:2] == FORBIDDEN
        assert here.held == 100


async def test_what_is_easy_to_borrow_is_sold_short_within_the_buying_power_and_bought_back() -> None:
    async with stock_exchange() as here:
        account = await here.call(here.client.get_account)
        assert (amount(account.buying_power), account.shorting_enabled) == (D(200_000), True)
        asset = await here.call(here.client.get_asset, "AAPL")
        assert (asset.shortable, asset.easy_to_borrow, asset.fractionable) == (True, True, True)
        # It is reckoned at 3 % over the ask.
        assert (await here.refusal(MarketOrderRequest, side=SELL, qty=1940))[:2] == FORBIDDEN
        await here.submit(MarketOrderRequest, side=SELL, qty=100)
        assert here.held == -100
        (owed,) = await here.call(here.client.get_all_positions)
        assert (owed.side, amount(owed.qty)) == (enums.PositionSide.SHORT, D(-100))
        assert (await here.refusal(MarketOrderRequest, qty=101))[:2] == FORBIDDEN
        await here.submit(MarketOrderRequest, qty=100)
        assert here.held == 0


async def test_what_nobody_lends_or_an_account_is_too_small_for_is_not_sold_short() -> None:
    async with stock_exchange() as here:
        here.simulator.means.hard_to_borrow.add("AAPL")
        asset = await here.call(here.client.get_asset, "AAPL")
        assert (asset.shortable, asset.easy_to_borrow) == (False, False)
        status, _, words = await here.refusal(MarketOrderRequest, side=SELL)
        assert (status, words) == (422, 'asset "AAPL" cannot be sold short')
    async with stock_exchange(balances={"USD": D(1999)}) as here:
        status, _, words = await here.refusal(MarketOrderRequest, side=SELL, qty=1)
        assert (status, words) == (403, "account is not allowed to short")


async def test_purchases_are_refused_beyond_the_buying_power_that_open_orders_leave() -> None:
    async with stock_exchange() as here:
        await here.submit(LimitOrderRequest, qty=1500, limit_price=99)
        status, code, words = await here.refusal(LimitOrderRequest, qty=600, limit_price=99)
        assert ((status, code), words) == (FORBIDDEN, "insufficient buying power")
        await here.submit(LimitOrderRequest, qty=500, limit_price=99)


# terms


REFUSED: dict[str, tuple[type, dict[str, Any]]] = {
    "more digits than a cent": (LimitOrderRequest, {"limit_price": 99.001}),
    "a part of a share that rests": (
        LimitOrderRequest,
        {"qty": 1.5, "limit_price": 99, "time_in_force": GTC},
    ),
    "a stop to be taken at once": (
        StopLimitOrderRequest,
        {"stop_price": 101, "limit_price": 102, "time_in_force": enums.TimeInForce.IOC},
    ),
    "the auction": (LimitOrderRequest, {"limit_price": 99, "time_in_force": enums.TimeInForce.OPG}),
    "hours that are not played": (LimitOrderRequest, {"limit_price": 99, "extended_hours": True}),
}


@pytest.mark.parametrize("what", REFUSED)
async def test_terms_a_stock_does_not_have_are_refused(what: str) -> None:
    kind, terms = REFUSED[what]
    async with stock_exchange() as here:
        assert (await here.refusal(kind, **terms))[:2] == UNPROCESSABLE
        assert not here.engine.orders


async def test_a_stock_below_a_dollar_has_four_digits() -> None:
    async with stock_exchange() as here:
        status, _, words = await here.refusal(LimitOrderRequest, limit_price=0.12345)
        assert (status, "sub-penny" in words) == (422, True)


async def test_a_stop_to_buy_is_given_a_limit_and_is_not_filled_beyond_it() -> None:
    async with stock_exchange() as here:
        await here.submit(MarketOrderRequest, side=SELL, qty=100)
        stop = await here.call(
            here.client.submit_order,
            StopOrderRequest(symbol="AAPL", qty=100, side=BUY, time_in_force=GTC, stop_price=105),
        )
        assert (stop.type, stop.limit_price) == (enums.OrderType.STOP, None)
        here.quote("109.9", "110")
        assert here.held == -100
        here.quote("107", "107.1")
        assert here.held == 0


async def test_a_replacement_is_another_order_and_the_old_one_is_replaced() -> None:
    async with stock_exchange() as here, here.listening():
        await here.submit(MarketOrderRequest)
        old = await here.submit(StopLimitOrderRequest, side=SELL, stop_price=95, limit_price=94)
        asked = ReplaceOrderRequest(stop_price=96, limit_price=95)
        new = await here.call(here.client.replace_order_by_id, str(old.id), asked)
        assert new.id != old.id
        assert new.client_order_id != old.client_order_id
        assert (new.replaces, new.stop_price, new.qty) == (old.id, "96.0", "100")
        gone = await here.state(old)
        assert (gone.status, gone.replaced_by) == (enums.OrderStatus.REPLACED, new.id)
        await here.until(lambda: len(here.updates) == 5)
        assert [item.event for item in here.updates[3:]] == [enums.TradeEvent.REPLACED, enums.TradeEvent.NEW]
        again = here.client.replace_order_by_id
        assert (await here.refused(again, str(old.id), asked))[0] == 422


# orders that could meet


KINDS = {
    "market": {},
    "limit": {"limit_price": D(99)},
    "stop": {"stop_price": D(101)},
    "stop_limit": {"stop_price": D(101), "limit_price": D(99)},
}
OVERLAP = {("limit", "limit"), ("limit", "stop_limit"), ("stop_limit", "limit"), ("stop_limit", "stop_limit")}


@pytest.mark.parametrize("new", KINDS)
@pytest.mark.parametrize("old", [kind for kind in KINDS if kind != "market"])
async def test_an_order_that_could_meet_one_of_the_account_is_refused(old: str, new: str) -> None:
    """By the vendor's table: without two limits always, with them where they overlap."""
    async with stock_exchange(balances={"USD": D(100_000), "AAPL": D(100)}) as here:
        sell = {
            "symbol": "AAPL", "qty": "10", "side": "sell", "time_in_force": "day", "type": new,
            **{name: str(price) for name, price in KINDS[new].items()},
        }  # fmt: skip
        if "stop_price" in sell:
            sell["stop_price"] = "97"
        buy = {
            "symbol": "AAPL", "qty": "10", "side": "buy", "time_in_force": "day", "type": old,
            **{name: str(price) for name, price in KINDS[old].items()},
        }  # fmt: skip
        await asyncio.to_thread(here.client.post, "/orders", buy)
        status, code, words = await here.refused(here.client.post, "/orders", sell)
        assert ((status, code), words) == (FORBIDDEN, "potential wash trade detected. use complex orders")
        if (old, new) in OVERLAP:
            sell["limit_price"] = "99.01"
            await asyncio.to_thread(here.client.post, "/orders", sell)


async def test_coins_know_no_wash_trades_either() -> None:
    async with stock_exchange(balances={"USD": D(100_000), "BTC": D(1)}) as here:
        here.quote("100", "101", key="BTC/USD@alpaca")
        await here.submit(LimitOrderRequest, symbol="BTC/USD", qty=1, limit_price=99, time_in_force=GTC)
        coin = {"symbol": "BTC/USD", "qty": 1, "side": SELL, "time_in_force": GTC}
        stop = {"stop_price": 95, "limit_price": 94}
        assert (await here.refusal(StopLimitOrderRequest, **coin, **stop))[:2] == FORBIDDEN
        open_orders = await here.call(here.client.get_orders, GetOrdersRequest())
        assert len(open_orders) == 1


def test_a_day_ends_with_its_session_and_begins_with_the_next_one() -> None:
    calendar = Calendar()
    assert calendar.end_of_day(at("2026-11-18 10:00")) == at("2026-11-18 16:00")
    assert calendar.end_of_day(at("2026-11-20 16:00")) == at("2026-11-23 16:00")
    assert calendar.next_open(at("2026-11-20 16:00")) == at("2026-11-23 09:30")
    # Clocks go back on 1 November.
    assert calendar.next_open(at("2026-10-30 16:00")) - at("2026-10-30 09:30") == (72 + 1) * 3600 * 10**9
    assert calendar.trades(AAPL, at("2026-11-18 09:30"))
    assert not calendar.trades(AAPL, at("2026-11-18 16:00"))
