"""The contract of every venue: an order of unknown fate is looked up by our id, and never sent again."""

import asyncio

import pytest

from neuratrade.core.model import facts as f
from neuratrade.core.model.orders import OrderRequest, Side
from neuratrade.rehearsal.faults import Act, Fault, FaultKind
from neuratrade.venues.port import TooManyRequests, VenueRefused
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

PATIENCE_S = 2.0
AFTER = {
    "429": Fault(LATER_S, FaultKind.RATE_LIMITED_AFTER, on=Act.SUBMIT),
    "5xx": Fault(LATER_S, FaultKind.SERVER_ERROR_AFTER, on=Act.SUBMIT),
    "cut": Fault(LATER_S, FaultKind.CUT_AFTER, on=Act.SUBMIT),
    "time-out": Fault(LATER_S, FaultKind.SLOW, seconds=3 * PATIENCE_S, on=Act.SUBMIT),
}
BEFORE = {
    "429": Fault(LATER_S, FaultKind.RATE_LIMITED, on=Act.SUBMIT),
    "5xx": Fault(LATER_S, FaultKind.SERVER_ERROR, on=Act.SUBMIT),
    "cut": Fault(LATER_S, FaultKind.CUT, on=Act.SUBMIT),
}
UNHEARD = Fault(LATER_S, FaultKind.SILENT_STREAM, seconds=600.0)


async def submitted_in_doubt(stand: Stand, request: OrderRequest) -> BaseException:
    """Sends an order once and gives up on its answer."""
    with pytest.raises(Exception) as caught:  # noqa: PT011 - what it may not be is asked right here
        async with asyncio.timeout(PATIENCE_S):
            await stand.submit(request)
    assert not isinstance(caught.value, VenueRefused), "a doubtful answer is no refusal"
    return caught.value


def there(stand: Stand, coid: str) -> int:
    """How many orders the exchange has under our id."""
    return sum(order.ticket.client_id == coid for order in stand.simulator.engine.orders.values())


@pytest.mark.parametrize("fault", AFTER)
@pytest.mark.parametrize("leg", ["limit", "stop"])
@on_all_venues(but=NO_WIRE)
@warped
async def test_an_order_whose_answer_is_lost_is_found_by_our_id_and_is_there_once(
    name: str, leg: str, fault: str
) -> None:
    async with on_stand(name, AFTER[fault], UNHEARD) as stand:
        await stand.own("100")
        request = (
            stand.protective("it", "50") if leg == "stop" else stand.order("it", Side.BUY, "50", limit="99")
        )
        coid = request.client_order_id
        await stand.trouble()
        error = await submitted_in_doubt(stand, request)
        assert isinstance(error, TooManyRequests) is (fault == "429")
        await asyncio.sleep(2 * PATIENCE_S)
        told = await stand.look_up(coid)
        assert [type(item) for item in told if isinstance(item, f.OrderAccepted)] == [f.OrderAccepted]
        assert {getattr(item, "client_order_id", coid) for item in told} == {coid}
        assert (there(stand, coid), stand.simulator.submissions[coid]) == (1, 1)
        stand.quote("94.5", "94.6")
        stand.quote("94.5", "94.6")
        await stand.settled()
        assert traded(fills_in(await stand.look_up(coid))) == D("50")
        assert (there(stand, coid), stand.simulator.submissions[coid]) == (1, 1)
        assert stand.simulator.troubles.met[AFTER[fault].kind.value] == 1


@pytest.mark.parametrize("fault", BEFORE)
@on_all_venues(but=NO_WIRE)
@warped
async def test_an_order_that_never_arrived_is_not_sent_again_and_looking_finds_none(
    name: str, fault: str
) -> None:
    async with on_stand(name, BEFORE[fault], UNHEARD) as stand:
        request = stand.order("it", Side.BUY, "50", limit="99")
        await stand.trouble()
        await submitted_in_doubt(stand, request)
        await asyncio.sleep(2 * PATIENCE_S)
        told = await stand.look_up(request.client_order_id)
        assert [type(item) for item in told] == [f.OrderNotFound]
        assert not stand.simulator.submissions
        assert stand.simulator.troubles.met[BEFORE[fault].kind.value] == 1


@on_all_venues()
@warped
async def test_an_id_that_is_taken_proves_that_the_order_is_there_not_that_it_was_refused(name: str) -> None:
    async with on_stand(name) as stand, stand.listening():
        request = stand.order("it", Side.BUY, "50", limit="99")
        coid = request.client_order_id
        await stand.submit(request)
        await stand.settled()
        stand.quote("98.5", "98.6", size="20")
        stand.quote("99.5", "99.6")
        await stand.settled()
        if name == "paper":
            await stand.submit(request)
        else:
            await submitted_in_doubt(stand, request)
        await stand.settled()
        told = await stand.look_up(coid)
        assert any(isinstance(item, f.OrderAccepted) for item in told)
        assert not any(isinstance(item, f.OrderRejected) for item in (*told, *stand.about(coid)))
        seen = await stand.venue.snapshot("main")
        assert seen.plain is not None
        assert [(item.client_order_id, item.filled) for item in seen.plain] == [(coid, D("20"))]
        stand.quote("98.5", "98.6")
        stand.quote("98.5", "98.6")
        await stand.settled()
        assert traded(stand.fills(coid)) == D("50")


CANCELS = {
    "cut": Fault(LATER_S, FaultKind.CUT_AFTER, on=Act.CHANGE),
    "5xx": Fault(LATER_S, FaultKind.SERVER_ERROR_AFTER, on=Act.CHANGE),
}


@pytest.mark.parametrize("fault", CANCELS)
@on_all_venues(but=NO_WIRE)
@warped
async def test_a_cancel_whose_answer_is_lost_is_no_refusal_and_is_proven_by_looking(
    name: str, fault: str
) -> None:
    async with on_stand(name, CANCELS[fault], UNHEARD) as stand:
        request = stand.order("it", Side.BUY, "50", limit="99")
        await stand.submit(request)
        await stand.trouble()
        with pytest.raises(Exception) as caught:  # noqa: PT011 - what it may not be is asked right here
            await stand.cancel(request.client_order_id)
        assert not isinstance(caught.value, VenueRefused)
        last = (await stand.look_up(request.client_order_id))[-1]
        assert isinstance(last, f.OrderCancelled)
        assert last.filled == 0
        assert stand.simulator.troubles.met[CANCELS[fault].kind.value] == 1


@on_all_venues()
@warped
async def test_what_the_venue_never_had_is_not_found(name: str) -> None:
    async with on_stand(name) as stand:
        told = await stand.look_up(stand.order("never", Side.BUY, "1").client_order_id)
        assert [type(item) for item in told] == [f.OrderNotFound]
