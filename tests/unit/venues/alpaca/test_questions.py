"""What Alpaca is asked: the whole fate of an order, and everything the account has."""

import asyncio
from collections.abc import Sequence

import pytest

from neuratrade.core.model import facts as f
from neuratrade.core.model.orders import Fill, Liquidity, Side
from neuratrade.rehearsal.faults import Fault, FaultKind
from neuratrade.venues.alpaca.rest import Doubtful
from neuratrade.venues.alpaca.venue import PAGE
from tests.unit.rehearsal.exchange import AAPL, BTC, ETH, D, Floor, warped
from tests.unit.venues.alpaca.stage import Told, buy, cancel, look_up, on_stage, scripted, sell

SIMPLE = {
    "id": "11111111-0000-0000-0000-000000000000",
    "client_order_id": "order-1",
    "symbol": "BTC/USD",
    "side": "buy",
    "status": "filled",
    "created_at": "2026-11-01T10:00:00Z",
    "type": "market",
    "time_in_force": "gtc",
    "qty": "1",
    "filled_qty": "1",
}
ACTIVITY = {
    "id": "20261101::a",
    "order_id": SIMPLE["id"],
    "transaction_time": "2026-11-01T10:00:00Z",
    "price": "100",
    "qty": "1",
    "cum_qty": "1",
    "side": "buy",
    "symbol": "BTC/USD",
}
BY_NAME, FILLS = "GET /v2/orders:by_client_order_id", "GET /v2/account/activities/FILL"


def fills(told: Sequence[Told]) -> list[Fill]:
    return [event.fill for event in told if isinstance(event, f.OrderFilled)]


@warped
async def test_nothing_is_found_of_an_order_that_never_came() -> None:
    async with on_stage() as stage:
        (told,) = await stage.venue.look_up(look_up("nobody"))
    assert isinstance(told, f.OrderNotFound)
    assert told.client_order_id == "nobody"


@warped
async def test_an_order_that_works_is_accepted_with_what_was_filled_so_far() -> None:
    async with on_stage() as stage:
        await stage.submit(buy("1", limit="99"))
        stage.quote("98", "99", size="0.25")
        told = await stage.venue.look_up(look_up())
    assert [type(event) for event in told] == [f.OrderAccepted, f.OrderFilled]
    assert [fill.quantity for fill in fills(told)] == [D("0.25")]


@warped
async def test_stream_and_look_up_and_snapshot_tell_the_same_executions_by_the_same_names() -> None:
    async with on_stage() as stage, stage.listening():
        await stage.submit(buy("1.00", "a", limit="99"), buy("0.2", "b"))
        for size in ("0.30", "0.3", "0.400"):
            await asyncio.sleep(1.0)
            stage.quote("98", "99", size=size)
        await asyncio.sleep(1.0)
        heard = fills(stage.told)
        looked = [fill for name in ("b", "a") for fill in fills(await stage.venue.look_up(look_up(name)))]
        listed = list((await stage.venue.snapshot("main")).fills)
    assert len(heard) == 4
    for told in (looked, listed):
        assert [_without_time(fill) for fill in told] == [_without_time(fill) for fill in heard]
    assert len({fill.trade_id for fill in heard}) == 4
    assert [fill.liquidity for fill in heard] == [Liquidity.TAKER, *[Liquidity.MAKER] * 3]


def _without_time(fill: Fill) -> tuple[object, ...]:
    return (
        fill.trade_id, fill.client_order_id, fill.instrument, fill.side, fill.quantity, fill.price, fill.fee,
        fill.fee_currency, fill.liquidity,
    )  # fmt: skip


@warped
async def test_fees_it_does_not_tell_are_those_of_the_schedule() -> None:
    async with on_stage(balances={"USD": D(1000), "BTC": D(1)}) as stage, stage.listening():
        await stage.submit(buy("0.4", "a"), sell("0.2", "b", limit="102"))
        await asyncio.sleep(5.0)
        stage.quote("103", "104")
        await asyncio.sleep(1.0)
        told = fills(stage.told)
        there = stage.engine.executions
    assert [(fill.fee, fill.fee_currency) for fill in told] == [
        (done.fee, done.fee_currency) for done in there
    ]


@warped
async def test_executions_are_gathered_over_many_pages() -> None:
    async with on_stage() as stage:
        await stage.submit(buy("1", "old", limit="99"))
        for _ in range(3):
            stage.quote("98", "99", size="0.1")
        stage.quote("100", "101")
        for number in range(PAGE * 2):
            await stage.submit(buy("0.1", f"other-{number}"))
        stage.quote("98", "99", size="0.7")
        stage.simulator.asked.clear()
        told = await stage.venue.look_up(look_up("old"))
        pages = [what for what in stage.simulator.asked if "activities" in what]
    assert [fill.quantity for fill in fills(told)] == [D("0.1")] * 3 + [D("0.7")]
    assert isinstance(told[-1], f.OrderCancelled)
    assert len(pages) == 3
    assert len(set(pages)) == 3


@pytest.mark.parametrize("listed", [[], [ACTIVITY | {"qty": "0.4", "cum_qty": "0.4"}], [ACTIVITY, ACTIVITY]])
def test_a_list_of_executions_that_does_not_fit_the_order_is_asked_for_again(listed: list[object]) -> None:
    @warped
    async def scene() -> None:
        async with scripted() as (script, venue):
            script.answer(BY_NAME, 200, SIMPLE)
            script.answer(FILLS, 200, listed)
            with pytest.raises(Doubtful):
                await venue.look_up(look_up())
            script.answer(FILLS, 200, [ACTIVITY])
            assert len(fills(await venue.look_up(look_up()))) == 1

    scene()


@pytest.mark.parametrize(
    ("status", "end"),
    [
        ("filled", f.OrderCancelled),
        ("canceled", f.OrderCancelled),
        ("replaced", f.OrderCancelled),
        ("expired", f.OrderExpired),
    ],
)
def test_an_order_that_is_over_ends_with_what_it_filled(status: str, end: type) -> None:
    @warped
    async def scene() -> None:
        async with scripted() as (script, venue):
            script.answer(BY_NAME, 200, SIMPLE | {"status": status})
            script.answer(FILLS, 200, [ACTIVITY])
            told = await venue.look_up(look_up())
        assert isinstance(told[-1], end)
        assert isinstance(told[-1], f.OrderCancelled | f.OrderExpired)
        assert told[-1].filled == 1

    scene()


@pytest.mark.parametrize("status", ["new", "held", "pending_cancel", "calculated", "a state of next year"])
def test_an_order_in_any_other_state_is_taken_to_work(status: str) -> None:
    @warped
    async def scene() -> None:
        async with scripted() as (script, venue):
            script.answer(BY_NAME, 200, SIMPLE | {"status": status, "filled_qty": "0", "whatever": [1]})
            told = await venue.look_up(look_up())
        assert [type(event) for event in told] == [f.OrderAccepted]

    scene()


@warped
async def test_an_order_that_was_rejected_later_is_told_as_rejected() -> None:
    async with scripted() as (script, venue):
        script.answer(BY_NAME, 200, SIMPLE | {"status": "rejected", "filled_qty": "0"})
        (told,) = await venue.look_up(look_up())
    assert isinstance(told, f.OrderRejected)


@pytest.mark.parametrize(
    ("status", "body"),
    [(404, b"<html>not found</html>"), (404, b'{"message":"no route"}'), (500, b"{}"), (200, b"null")],
)
def test_not_seen_because_of_somebody_in_between_is_not_absent(status: int, body: bytes) -> None:
    @warped
    async def scene() -> None:
        async with scripted() as (script, venue):
            script.answer(BY_NAME, status, body)
            with pytest.raises(Exception):  # noqa: B017, PT011 - any end but an answer
                await venue.look_up(look_up())

    scene()


@warped
async def test_a_snapshot_shows_orders_holdings_money_and_what_is_not_ours() -> None:
    start = {"USD": D(1000), "BTC": D(2), "ETH": D("1.5"), "AAPL": D(3)}
    async with on_stage(balances=start, contracts=(BTC, ETH, AAPL)) as stage:
        stage.quote("10", "10.1", contract=ETH)
        stage.quote("200", "201", contract=AAPL)
        strange = Floor(ETH).ticket(Side.SELL, "1", limit="20", name="by hand")
        stage.engine.place(strange)
        await stage.submit(buy("0.1", "done"), buy("0.5", "plain", limit="78"))
        await stage.submit(sell("1", "stop", stop="80", limit="79"))
        seen = await stage.venue.snapshot("main")
    assert seen.plain is not None
    assert seen.conditional is not None
    assert {(item.client_order_id, item.instrument) for item in seen.plain} == {
        ("plain", BTC.key), ("by hand", "ETH/USD@alpaca"),
    }  # fmt: skip
    assert [(item.client_order_id, item.stop_price) for item in seen.conditional] == [("stop", D(80))]
    assert seen.positions == {
        BTC.key: D("2.09975"), "ETHUSD@alpaca": D("1.5"), "AAPL@alpaca": D(3),
    }  # fmt: skip
    assert seen.balances == {"USD": D("989.9"), "BTC": D("2.09975")}
    assert [fill.client_order_id for fill in seen.fills] == ["done"]
    assert seen.asked_ns < seen.at_ns


@pytest.mark.parametrize("what", ["orders", "positions", "account", "account/activities/FILL"])
def test_a_snapshot_with_a_part_missing_is_none(what: str) -> None:
    @warped
    async def scene() -> None:
        async with scripted() as (script, venue):
            parts = {
                "orders": [], "positions": [], "account": {"cash": "1"}, "account/activities/FILL": [],
            }  # fmt: skip
            for name, body in parts.items():
                script.answer(f"GET /v2/{name}", 200, body)
            assert (await venue.snapshot("main")).balances == {"USD": D(1)}
            script.answer(f"GET /v2/{what}", 200, b"{")
            with pytest.raises(Exception):  # noqa: B017, PT011 - any end but an answer
                await venue.snapshot("main")

    scene()


@warped
async def test_a_short_holding_is_below_zero_whoever_says_so() -> None:
    async with scripted() as (script, venue):
        for name, body in (("orders", []), ("account", {"cash": "0"}), ("account/activities/FILL", [])):
            script.answer(f"GET /v2/{name}", 200, body)
        stock = {"symbol": "XYZ", "qty": "5", "side": "short"}
        coin = {"symbol": "BTCUSD", "qty": "-2", "side": "short"}
        script.answer("GET /v2/positions", 200, [stock, coin])
        positions = (await venue.snapshot("main")).positions
    assert positions == {"XYZ@alpaca": D(-5), BTC.key: D(-2)}


@warped
async def test_questions_go_unanswered_under_maintenance_and_are_answered_after_it() -> None:
    async with on_stage(Fault(10.0, FaultKind.MAINTENANCE, seconds=20.0)) as stage:
        await stage.submit(buy("1", limit="99"))
        await asyncio.sleep(15.0)
        for call in (stage.venue.look_up(look_up()), stage.venue.snapshot("main")):
            with pytest.raises(Doubtful) as caught:
                await call
            assert caught.value.status == 503
        with pytest.raises(Doubtful):
            await stage.venue.cancel(cancel())
        await asyncio.sleep(20.0)
        assert len(await stage.venue.look_up(look_up())) == 1
