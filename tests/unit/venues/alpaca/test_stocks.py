"""Stocks at Alpaca by our adapter: how long orders are good for, what makes way, when the market is open."""

import asyncio
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, suppress
from datetime import date, datetime, time
from typing import Any

import msgspec
import pytest

from neuratrade.core.model import facts as f
from neuratrade.core.model.commands import LookUpOrder
from neuratrade.core.model.errors import UsageError
from neuratrade.core.model.market import NS_PER_SECOND
from neuratrade.core.model.orders import OrderRequest, OrderRole, OrderType, Side, TimeInForce
from neuratrade.feeds.clock import SystemClock
from neuratrade.rehearsal.alpaca_calendar import NEW_YORK, Calendar, Session, hours
from neuratrade.rehearsal.faults import Act, Fault, FaultKind
from neuratrade.venues.alpaca.rest import Keys
from neuratrade.venues.alpaca.terms import COINS, STOCKS, terms_of
from neuratrade.venues.alpaca.venue import AlpacaVenue
from neuratrade.venues.alpaca.wire import order_body
from neuratrade.venues.port import VenueRefused
from tests.unit.rehearsal.exchange import AAPL, BTC, D, warped
from tests.unit.venues.alpaca.stage import ACCOUNT, Stage, cleared, on_stage, scripted

ANY_WEEK = Calendar()


def at(said: str) -> int:
    """A time by the clocks of New York, nanoseconds."""
    return int(datetime.fromisoformat(said).replace(tzinfo=NEW_YORK).timestamp()) * NS_PER_SECOND


def stocks(*plan: Fault, begin: str = "2026-11-18 10:00", **how: Any) -> AbstractAsyncContextManager[Stage]:
    """A margin account with AAPL at 100 to 101, and BTC beside it."""
    usual: dict[str, Any] = {"contracts": (AAPL, BTC), "traded": AAPL, "calendar": ANY_WEEK}
    return on_stage(*plan, begin_ns=at(begin), **(usual | how))


def order(side: Side, quantity: str, role: OrderRole, name: str = "order-1", **terms: Any) -> OrderRequest:
    """An order of AAPL; of the type that its prices make it."""
    limit, stop = terms.pop("limit", None), terms.pop("stop", None)
    kind = {
        (False, False): OrderType.MARKET, (True, False): OrderType.LIMIT,
        (False, True): OrderType.STOP, (True, True): OrderType.STOP_LIMIT,
    }[limit is not None, stop is not None]  # fmt: skip
    return OrderRequest(
        name,
        ACCOUNT,
        AAPL.key,
        side,
        kind,
        D(quantity),
        role,
        "bracket",
        limit_price=None if limit is None else D(limit),
        stop_price=None if stop is None else D(stop),
        **terms,
    )


def words(**terms: Any) -> dict[str, str]:
    """An order as it is posted."""
    usual: dict[str, Any] = {"side": Side.SELL, "quantity": "10", "role": OrderRole.EXIT}
    return msgspec.json.decode(order_body(order(**(usual | terms)), AAPL), type=dict[str, str])


# how long an order is good for


@pytest.mark.parametrize(
    ("terms", "force"),
    [
        ({"role": OrderRole.STOP, "stop": "95"}, "gtc"),
        ({"role": OrderRole.STOP, "stop": "95", "limit": "94"}, "gtc"),
        ({"role": OrderRole.STOP, "stop": "95", "time_in_force": TimeInForce.GTD}, "gtc"),
        ({"role": OrderRole.EXIT, "limit": "99", "time_in_force": TimeInForce.IOC}, "ioc"),
        ({"role": OrderRole.EXIT, "time_in_force": TimeInForce.IOC}, "day"),
        ({"side": Side.BUY, "role": OrderRole.ENTRY, "time_in_force": TimeInForce.IOC}, "ioc"),
        (
            {"side": Side.BUY, "role": OrderRole.ENTRY, "limit": "99", "time_in_force": TimeInForce.GTD},
            "day",
        ),
        (
            {"side": Side.BUY, "role": OrderRole.ENTRY, "stop": "105", "time_in_force": TimeInForce.GTD},
            "day",
        ),
    ],
)
def test_what_protects_is_good_over_night_and_what_opens_is_not(terms: dict[str, Any], force: str) -> None:
    said = words(**terms)
    assert said["time_in_force"] == force
    assert not {"extended_hours", "order_class"} & set(said)
    if terms["role"] is OrderRole.STOP:
        assert said["type"] == ("stop_limit" if "limit" in terms else "stop")


def test_a_part_of_a_share_is_not_even_sent() -> None:
    with pytest.raises(VenueRefused, match="not sent"):
        words(quantity="1.5")


@warped
async def test_stops_outlive_the_close_and_entries_do_not() -> None:
    async with stocks(begin="2026-11-18 15:59") as stage, stage.listening():
        await stage.venue.submit(cleared(order(Side.BUY, "10", OrderRole.ENTRY, "in")))
        entry = order(Side.BUY, "5", OrderRole.ENTRY, "rests", limit="90", time_in_force=TimeInForce.GTD)
        await stage.venue.submit(cleared(entry))
        await asyncio.sleep(120.0)
        stage.quote("100", "101", contract=AAPL)
        await stage.venue.submit(cleared(order(Side.SELL, "10", OrderRole.STOP, "stop", stop="95")))
        await asyncio.sleep(3600.0)
        seen = await stage.venue.snapshot(ACCOUNT)
        ended = [item for item in stage.told if isinstance(item, f.OrderExpired)]
        assert [(item.client_order_id, item.filled) for item in ended] == [("rests", D(0))]
        assert seen.plain == ()
        assert seen.conditional is not None
        assert [(item.client_order_id, item.quantity) for item in seen.conditional] == [("stop", D(10))]


# what has to make way


async def half_filled(stage: Stage) -> None:
    """An entry of 10 of which 4 are filled rests."""
    entry = order(Side.BUY, "10", OrderRole.ENTRY, "entry", limit="100", time_in_force=TimeInForce.GTD)
    await stage.venue.submit(cleared(entry))
    stage.quote("99.9", "100", size="4", contract=AAPL)
    stage.quote("100.5", "101", contract=AAPL)
    await asyncio.sleep(1.0)


STOP = order(Side.SELL, "4", OrderRole.STOP, "stop", stop="95")


@warped
async def test_an_entry_filled_in_part_makes_way_for_its_stop() -> None:
    """Without it the venue refuses the stop: a stop and a limit on the other side could meet."""
    async with stocks() as stage, stage.listening():
        await half_filled(stage)
        await stage.venue.submit(cleared(STOP))
        await asyncio.sleep(1.0)
        (stop,) = stage.engine.open_orders()
        assert (stop.ticket.client_id, stop.is_conditional, stop.remaining) == ("stop", True, D(4))
        ends = [item for item in stage.told if isinstance(item, f.OrderCancelled)]
        assert [(item.client_order_id, item.filled) for item in ends] == [("entry", D(4))]
        assert stage.simulator.submissions == {"entry": 1, "stop": 1}


@warped
async def test_coins_have_their_entries_make_way_too() -> None:
    async with on_stage() as stage, stage.listening():
        entry = msgspec.structs.replace(
            order(Side.BUY, "2", OrderRole.ENTRY, "entry", limit="100"), instrument=BTC.key
        )
        await stage.venue.submit(cleared(entry))
        stage.quote("99", "100", size="1")
        await asyncio.sleep(1.0)
        stop = order(Side.SELL, "0.9", OrderRole.STOP, "stop", stop="95", limit="94")
        await stage.venue.submit(cleared(msgspec.structs.replace(stop, instrument=BTC.key)))
        assert [item.ticket.client_id for item in stage.engine.open_orders()] == ["stop"]


@warped
async def test_only_what_the_venue_would_not_have_beside_it_makes_way() -> None:
    async with stocks(contracts=(AAPL, BTC)) as stage, stage.listening():
        await stage.venue.submit(cleared(order(Side.BUY, "10", OrderRole.ENTRY, "in")))
        low = order(Side.BUY, "5", OrderRole.ENTRY, "low", limit="90", time_in_force=TimeInForce.GTD)
        await stage.venue.submit(cleared(low))
        limited = order(Side.SELL, "5", OrderRole.STOP, "limited", stop="95", limit="94")
        await stage.venue.submit(cleared(limited))
        first = order(Side.SELL, "3", OrderRole.STOP, "first", stop="95")
        second = order(Side.SELL, "2", OrderRole.STOP, "second", stop="95")
        assert {item.ticket.client_id for item in stage.engine.open_orders()} == {"low", "limited"}
        await stage.venue.submit(cleared(first))
        await stage.venue.submit(cleared(second))
        assert {item.ticket.client_id for item in stage.engine.open_orders()} == {
            "limited", "first", "second",
        }  # fmt: skip


@warped
async def test_an_entry_that_will_not_end_holds_what_protects_up_for_a_moment_only() -> None:
    """Then it is sent all the same, refused, and known as refused: nothing is in doubt."""
    plan = Fault(0.0, FaultKind.SERVER_ERROR, times=9, on=Act.CHANGE)
    async with stocks(plan) as stage, stage.listening():
        await half_filled(stage)
        before = asyncio.get_running_loop().time()
        with pytest.raises(VenueRefused, match="wash trade"):
            await stage.venue.submit(cleared(STOP))
        assert asyncio.get_running_loop().time() - before < 3.0
        assert len([what for what in stage.simulator.asked if what.startswith("DELETE")]) == 1


# shorts


@warped
async def test_what_is_easy_to_borrow_is_sold_short_and_guarded_from_above() -> None:
    async with stocks() as stage, stage.listening():
        await stage.venue.submit(cleared(order(Side.SELL, "10", OrderRole.ENTRY, "short")))
        await stage.venue.submit(cleared(order(Side.BUY, "10", OrderRole.STOP, "stop", stop="105")))
        seen = await stage.venue.snapshot(ACCOUNT)
        assert seen.positions == {AAPL.key: D(-10)}
        stage.quote("105", "105.1", contract=AAPL)
        await asyncio.sleep(1.0)
        assert stage.engine.account.balances["AAPL"] == 0


@warped
async def test_what_is_not_easy_to_borrow_is_not_even_sent() -> None:
    async with stocks() as stage:
        stage.simulator.means.hard_to_borrow.add("AAPL")
        with pytest.raises(VenueRefused, match="not sent: AAPL is not easy to borrow"):
            await stage.venue.submit(cleared(order(Side.SELL, "10", OrderRole.ENTRY)))
        assert not stage.simulator.bodies


# executions


@warped
async def test_executions_cost_nothing_and_are_one_however_they_are_told() -> None:
    async with stocks() as stage, stage.listening():
        await half_filled(stage)
        (heard,) = [item.fill for item in stage.told if isinstance(item, f.OrderFilled)]
        told = await stage.venue.look_up(LookUpOrder(ACCOUNT, AAPL.key, "entry"))
        (found,) = [item.fill for item in told if isinstance(item, f.OrderFilled)]
        assert (heard.trade_id, heard.fee, heard.fee_currency) == (found.trade_id, D(0), "USD")


@warped
async def test_an_order_that_is_done_for_the_day_is_not_over() -> None:
    body = {
        "id": "x", "client_order_id": "order-1", "symbol": "BTC/USD", "side": "sell", "qty": "2",
        "status": "done_for_day", "type": "stop", "stop_price": "95",
    }  # fmt: skip
    async with scripted() as (script, venue):
        script.answer("GET /v2/orders:by_client_order_id", 200, body)
        told = await venue.look_up(LookUpOrder(ACCOUNT, BTC.key, "order-1"))
    assert [type(item) for item in told] == [f.OrderAccepted]


# hours


def interrupted(day: date) -> Sequence[Session]:
    """A session with a pause of ten minutes."""
    return hours(day, time(9, 30), time(10, 5)), hours(day, time(10, 15), time(16, 0))


@warped
async def test_the_desk_is_told_when_the_market_closes_and_opens() -> None:
    slow = Fault(290.0, FaultKind.SLOW, seconds=20.0, on=Act.ASK)
    async with stocks(slow, begin="2026-11-18 10:00", calendar=Calendar(interrupted)) as stage:
        told: list[f.SessionMoved] = []

        async def hear() -> None:
            async for moved in stage.venue.sessions():
                told.append(moved)  # noqa: PERF401 - it never ends

        task = asyncio.create_task(hear())
        await asyncio.sleep(1800.0)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    assert [(item.instrument, item.is_open) for item in told] == [
        (AAPL.key, True), (AAPL.key, False), (AAPL.key, True),
    ]  # fmt: skip
    closes, opens = at("2026-11-18 10:05"), at("2026-11-18 10:15")
    # Its answer is slow just then: an end that was announced is not waited for.
    assert abs(told[1].at_ns - closes) < NS_PER_SECOND // 10
    assert 0 <= told[2].at_ns - opens < NS_PER_SECOND // 5


@warped
async def test_an_announced_end_that_does_not_come_is_taken_back() -> None:
    def clock_at(now: str, close: str) -> dict[str, object]:
        day = "2026-11-18T"
        return {
            "is_open": True, "timestamp": f"{day}{now}-05:00", "next_close": f"{day}{close}-05:00",
            "next_open": "2026-11-19T09:30:00-05:00",
        }  # fmt: skip

    async with scripted(AAPL) as (script, venue), asyncio.timeout(60.0):
        script.answer("GET /v2/clock", 200, clock_at("12:59:50", "13:00:00"))
        moves = venue.sessions()
        assert (await anext(moves)).is_open
        assert not (await anext(moves)).is_open
        script.answer("GET /v2/clock", 200, clock_at("13:00:01", "16:00:00"))
        assert (await anext(moves)).is_open


@warped
async def test_a_clock_that_does_not_answer_changes_nothing_and_is_asked_again() -> None:
    plan = Fault(0.0, FaultKind.SERVER_ERROR, times=3, on=Act.ASK)
    async with stocks(plan) as stage:
        async with asyncio.timeout(60.0):
            first = await anext(stage.venue.sessions())
        assert first.is_open
        assert len([what for what in stage.simulator.asked if what == "GET /v2/clock"]) == 4


@warped
async def test_coins_have_no_hours() -> None:
    async with on_stage() as stage:
        assert [moved async for moved in stage.venue.sessions()] == []


# what it trades


def test_an_adapter_trades_coins_or_stocks_and_never_both() -> None:
    assert terms_of([BTC]) is COINS
    assert terms_of([AAPL]) is STOCKS
    with pytest.raises(UsageError, match="either coins or stocks"):
        AlpacaVenue(ACCOUNT, [AAPL, BTC], Keys("k", "s"), SystemClock(), allow_unverified=True)
    assert not STOCKS.rules.sells_only_what_is_held
    assert STOCKS.rules.balance_lock
