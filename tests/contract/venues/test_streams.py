"""The contract of every venue: streams replay nothing; snapshots and look-ups tell what was missed."""

import asyncio
from decimal import Decimal

import pytest

from neuratrade.core.model import facts as f
from neuratrade.core.model.orders import Fill, Side
from neuratrade.rehearsal.faults import Fault, FaultKind
from neuratrade.venues.health import watch_health
from neuratrade.venues.port import StreamOpened
from tests.contract.venues.stand import (
    LATER_S,
    NO_WIRE,
    D,
    Stand,
    fills_in,
    on_all_venues,
    on_stand,
    traded,
    warped,
)

NEVER_BOTH = {
    "alpaca_stocks": "no stop is taken opposite to an entry: tests/unit/venues/alpaca/test_stocks.py"
}


def terms(fills: dict[str, Fill]) -> dict[str, tuple[str, Decimal, Decimal, Decimal, str]]:
    """What executions are known by and booked as."""
    return {
        key: (item.client_order_id, item.quantity, item.price, item.fee.normalize(), item.fee_currency)
        for key, item in fills.items()
    }


async def in_snapshot(stand: Stand, coid: str) -> dict[str, Fill]:
    """Executions of an order as the snapshot has them."""
    seen = await stand.venue.snapshot("main")
    return {item.trade_id: item for item in seen.fills if item.client_order_id == coid}


@on_all_venues()
@warped
async def test_what_filled_while_nobody_listened_is_told_by_snapshot_and_look_up_under_one_id(
    name: str,
) -> None:
    async with on_stand(name) as stand:
        request = stand.order("it", Side.BUY, "50", limit="99")
        coid = request.client_order_id
        async with stand.listening():
            await stand.submit(request)
            await stand.settled()
            stand.quote("98.5", "98.6", size="20")
            stand.quote("99.5", "99.6")
            await stand.settled()
        heard = stand.fills(coid)
        assert traded(heard) == D("20")
        stand.quote("98.5", "98.6", size="1000")
        await stand.settled()
        before = len(stand.told)
        async with stand.listening():
            await stand.settled()
            assert isinstance(stand.told[before], StreamOpened)
            assert not fills_in([item for item in stand.told[before:] if not isinstance(item, StreamOpened)])
        asked_ns = stand.clock.now_ns()
        seen = await stand.venue.snapshot("main")
        assert asked_ns <= seen.asked_ns <= seen.at_ns
        assert seen.plain == ()
        assert seen.positions is not None
        assert seen.positions[stand.contract.key] > D("49")
        listed, found = await in_snapshot(stand, coid), fills_in(await stand.look_up(coid))
        assert traded(found) == D("50")
        assert terms(listed) == terms(found)
        assert terms(heard).items() <= terms(found).items()


@on_all_venues(but=NO_WIRE)
@warped
async def test_a_stream_that_is_cut_ends_and_can_be_opened_again(name: str) -> None:
    async with on_stand(name, Fault(LATER_S, FaultKind.DISCONNECT)) as stand:
        async with stand.listening():
            await stand.trouble()
            await asyncio.sleep(30.0)
            assert stand.is_lost, "a lost stream does not look like a quiet market"
        async with stand.listening():
            request = stand.order("it", Side.BUY, "50")
            await stand.submit(request)
            await stand.settled()
            assert traded(stand.fills(request.client_order_id)) == D("50")


@on_all_venues(but=NO_WIRE)
@warped
async def test_what_is_told_twice_and_out_of_order_is_the_same_execution(name: str) -> None:
    plan = [Fault(LATER_S, FaultKind.DUPLICATED, times=6), Fault(LATER_S, FaultKind.REORDERED, times=3)]
    async with on_stand(name, *plan) as stand, stand.listening():
        await stand.trouble()
        stand.quote("100", "100.1", size="20")
        request = stand.order("it", Side.BUY, "50")
        await stand.submit(request)
        await asyncio.sleep(30.0)
        coid = request.client_order_id
        told = [item for item in stand.about(coid) if isinstance(item, f.OrderFilled)]
        assert len(told) >= len(stand.fills(coid)) == 3
        assert stand.simulator.troubles.met[FaultKind.DUPLICATED.value]
        assert stand.simulator.troubles.met[FaultKind.REORDERED.value]
        assert terms(stand.fills(coid)) == terms(fills_in(await stand.look_up(coid)))


@on_all_venues(but=NEVER_BOTH)
@warped
async def test_a_snapshot_has_both_lists_of_orders_and_what_is_not_ours(name: str) -> None:
    async with on_stand(name, foreign=True) as stand:
        await stand.own("100")
        # Below the stop: an entry that it could meet is taken by nobody who looks for wash trades.
        entry = stand.order("entry", Side.BUY, "30", limit="93")
        stop = stand.protective("stop", "50")
        for request in (entry, stop):
            await stand.submit(request)
        await stand.settled()
        seen = await stand.venue.snapshot("main")
        assert seen.account_id == "main"
        assert seen.plain is not None
        assert seen.conditional is not None
        assert seen.positions is not None
        assert seen.balances is not None
        (plain,), (conditional,) = seen.plain, seen.conditional
        assert (plain.client_order_id, plain.side) == (entry.client_order_id, Side.BUY)
        assert (conditional.client_order_id, conditional.side) == (stop.client_order_id, Side.SELL)
        assert (plain.quantity, conditional.quantity) == (D("30"), D("50"))
        assert (plain.stop_price, conditional.stop_price) == (None, D(95))
        assert {plain.instrument, conditional.instrument} == {stand.contract.key}
        assert D(99) < seen.positions[stand.contract.key] <= 100
        assert seen.balances[stand.contract.quote] > 0
        told = {**seen.balances, **{key: held for key, held in seen.positions.items() if "DOGE" in key}}
        assert {held for name, held in told.items() if name.startswith("DOGE")} == {7}


@on_all_venues(but=NO_WIRE)
@warped
async def test_a_venue_that_is_away_answers_no_ping_and_one_that_is_back_does(name: str) -> None:
    async with on_stand(name, Fault(LATER_S, FaultKind.MAINTENANCE, seconds=60.0)) as stand:
        await stand.venue.ping()
        await stand.trouble()
        with pytest.raises(Exception):  # noqa: B017, PT011 - any: there was no answer
            await stand.venue.ping()
        await asyncio.sleep(60.0)
        before = len(stand.asked)
        await stand.venue.ping()
        assert len(stand.asked) > before
        assert not stand.simulator.engine.orders


@on_all_venues(but=NO_WIRE)
@warped
async def test_three_pings_without_an_answer_are_an_outage_and_one_with_is_its_end(name: str) -> None:
    async with on_stand(name, Fault(LATER_S, FaultKind.MAINTENANCE, seconds=120.0)) as stand:
        told: list[tuple[float, bool]] = []
        watch = watch_health(stand.venue.ping, stand.clock)
        async with asyncio.timeout(LATER_S + 240.0):
            async for degraded in watch:
                told.append((stand.simulator.troubles.elapsed_s, degraded))
                if not degraded:
                    break
        assert [degraded for _, degraded in told] == [True, False]
        (down_s, _), (up_s, _) = told
        assert LATER_S < down_s < LATER_S + 45.0
        assert LATER_S + 120.0 <= up_s < LATER_S + 135.0
