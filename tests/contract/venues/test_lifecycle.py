"""The contract of every venue: what becomes of an order, whichever type it is and however it ends."""

import pytest

from neuratrade.core.model import facts as f
from neuratrade.core.model.orders import OrderRequest, OrderType, Side, TimeInForce
from neuratrade.venues.port import VenueRefused
from tests.contract.venues.stand import (
    VENUES,
    D,
    Stand,
    cleared,
    fills_in,
    on_all_venues,
    on_stand,
    traded,
    warped,
)

ENDS = (f.OrderCancelled, f.OrderExpired)
TYPES = [(name, kind) for name in VENUES for kind in OrderType]
STOPS = (OrderType.STOP, OrderType.STOP_LIMIT)
UNCOUNTED = {("binanceusdm", kind) for kind in STOPS}
"""The stream of algo orders tells an end without what was filled: that is found by looking."""
on_all_types = pytest.mark.parametrize(("name", "kind"), TYPES, ids=str)


def of_type(stand: Stand, kind: OrderType) -> OrderRequest:
    """An order of a type that rests in a market of 100, or trades at once where none of its type rests."""
    match kind:
        case OrderType.MARKET:
            return stand.order("it", Side.BUY, "50")
        case OrderType.LIMIT:
            return stand.order("it", Side.BUY, "50", limit="99")
        case OrderType.STOP:
            return stand.order("it", Side.SELL, "50", stop="95")
        case OrderType.STOP_LIMIT:
            return stand.order("it", Side.SELL, "50", stop="95", limit="94")


async def ended(stand: Stand, coid: str) -> f.VenueEvent:
    """The end of an order, by looking it up: the last word about it."""
    told = await stand.look_up(coid)
    assert isinstance(told[-1], ENDS), told
    assert told[-1].filled == traded(fills_in(told))
    return told[-1]


async def lists(stand: Stand) -> tuple[set[str], set[str]]:
    """Client ids of what rests, plain and conditional."""
    seen = await stand.venue.snapshot("main")
    assert seen.plain is not None
    assert seen.conditional is not None
    return {item.client_order_id for item in seen.plain}, {item.client_order_id for item in seen.conditional}


@on_all_types
@warped
async def test_an_order_is_accepted_filled_and_over_or_its_type_is_refused(
    name: str, kind: OrderType
) -> None:
    async with on_stand(name) as stand, stand.listening():
        await stand.own("100")
        request = of_type(stand, kind)
        if kind not in stand.venue.capabilities.order_types:
            asked = len(stand.asked)
            with pytest.raises(VenueRefused, match="not sent"):
                await stand.submit(request)
            assert len(stand.asked) == asked
            return
        await stand.submit(request)
        await stand.settled()
        coid, rests = request.client_order_id, kind is not OrderType.MARKET
        plain, conditional = await lists(stand)
        assert (coid in plain) is (kind is OrderType.LIMIT)
        assert (coid in conditional) is (kind in STOPS)
        assert bool(stand.fills(coid)) is not rests
        stand.quote("94.5", "94.6")
        stand.quote("94.5", "94.6")
        await stand.settled()
        accepted = [item for item in stand.about(coid) if isinstance(item, f.OrderAccepted)]
        assert accepted
        assert all(item.venue_order_id for item in accepted)
        fills = stand.fills(coid)
        assert traded(fills) == D("50")
        assert {fill.side for fill in fills.values()} == {request.side}
        assert {fill.instrument for fill in fills.values()} == {stand.contract.key}
        await ended(stand, coid)
        assert fills_in(await stand.look_up(coid)) == fills
        assert coid not in {*(await lists(stand))[0], *(await lists(stand))[1]}
        if rests and kind is OrderType.LIMIT:
            assert {fill.price for fill in fills.values()} == {D(99)}


@on_all_types
@warped
async def test_an_order_that_rests_is_cancelled_once_and_nothing_of_it_is_filled(
    name: str, kind: OrderType
) -> None:
    if kind is OrderType.MARKET:
        pytest.skip("a market order rests nowhere")
    async with on_stand(name) as stand, stand.listening():
        if kind not in stand.venue.capabilities.order_types:
            pytest.skip(f"{name} has no {kind.value} order: that it is refused is tested above")
        await stand.own("100")
        request = of_type(stand, kind)
        coid = request.client_order_id
        await stand.submit(request)
        await stand.settled()
        await stand.cancel(coid)
        await stand.settled()
        ends = [item for item in stand.about(coid) if isinstance(item, f.OrderCancelled)]
        assert ends
        assert {item.filled for item in ends} <= {None if (name, kind) in UNCOUNTED else D(0)}
        assert not stand.fills(coid)
        assert isinstance(await ended(stand, coid), f.OrderCancelled)
        assert await lists(stand) == (set(), set())
        before = len(stand.told)
        try:
            await stand.cancel(coid)
        except VenueRefused:
            return
        await stand.settled()
        told = [type(item) for item in stand.told[before:]]
        assert told == [f.RequestRejected], "a cancel of what is over does not look like a cancel"


@on_all_venues()
@warped
async def test_what_is_filled_in_part_and_cancelled_ends_with_what_it_filled(name: str) -> None:
    async with on_stand(name) as stand, stand.listening():
        request = stand.order("it", Side.BUY, "50", limit="99")
        coid = request.client_order_id
        await stand.submit(request)
        await stand.settled()
        stand.quote("98.5", "98.6", size="20")
        stand.quote("99.5", "99.6")
        await stand.settled()
        assert traded(stand.fills(coid)) == D("20")
        seen = await stand.venue.snapshot("main")
        assert seen.plain is not None
        assert [(item.quantity, item.filled) for item in seen.plain] == [(D("50"), D("20"))]
        await stand.cancel(coid)
        await stand.settled()
        end = await ended(stand, coid)
        assert isinstance(end, f.OrderCancelled)
        assert end.filled == D("20")
        told = [item for item in stand.about(coid) if isinstance(item, f.OrderCancelled)]
        assert {item.filled for item in told} == {D("20")}


@on_all_venues()
@warped
async def test_what_is_to_be_taken_at_once_leaves_nothing_resting(name: str) -> None:
    async with on_stand(name) as stand, stand.listening():
        stand.quote("100", "100.1", size="20")
        request = stand.order("it", Side.BUY, "50", limit="100.1", force=TimeInForce.IOC)
        await stand.submit(request)
        await stand.settled()
        assert traded(stand.fills(request.client_order_id)) == D("20")
        await ended(stand, request.client_order_id)
        assert await lists(stand) == (set(), set())


@on_all_venues()
@warped
async def test_two_orders_share_what_a_quote_offers_and_the_first_is_served_first(name: str) -> None:
    async with on_stand(name) as stand, stand.listening():
        orders = [stand.order(leg, Side.BUY, "50", limit="99") for leg in ("first", "second")]
        for request in orders:
            await stand.submit(request)
        await stand.settled()
        stand.quote("98.5", "98.6", size="70")
        await stand.settled()
        assert [traded(stand.fills(item.client_order_id)) for item in orders] == [D("50"), D("20")]


@on_all_venues()
@warped
async def test_what_the_money_does_not_reach_for_is_refused_and_nothing_is_there(name: str) -> None:
    async with on_stand(name) as stand, stand.listening():
        request = stand.order("it", Side.BUY, "5000000", limit="99")
        coid = request.client_order_id
        try:
            await stand.submit(request)
        except VenueRefused as refused:
            assert str(refused)  # noqa: PT017 - on paper it is told instead of raised
        else:
            await stand.settled()
            assert [type(item) for item in stand.about(coid)] == [f.OrderRejected]
        told = await stand.look_up(coid)
        assert isinstance(told[-1], f.OrderRejected | f.OrderNotFound)
        assert await lists(stand) == (set(), set())


@on_all_venues()
@warped
async def test_a_stop_is_changed_in_place_or_the_wish_is_refused_unsent(name: str) -> None:
    async with on_stand(name) as stand, stand.listening():
        await stand.own("100")
        request = stand.protective("it", "50")
        await stand.submit(request)
        await stand.settled()
        asked = len(stand.asked)
        if not stand.venue.capabilities.amends:
            with pytest.raises(VenueRefused, match="not sent"):
                await stand.venue.amend(cleared(request), D("40"), D(96))
            assert len(stand.asked) == asked
            return
        stand.told += await stand.venue.amend(cleared(request), D("40"), D(96))
        await stand.settled()
        changed = [item for item in stand.about(request.client_order_id) if isinstance(item, f.OrderAmended)]
        assert [(item.quantity, item.stop_price) for item in changed] == [(D("40"), D(96))]
        seen = await stand.venue.snapshot("main")
        assert seen.conditional is not None
        assert [(item.quantity, item.stop_price) for item in seen.conditional] == [(D("40"), D(96))]


@on_all_venues()
@warped
async def test_a_stop_that_was_reached_is_known_as_such_and_ends_with_what_it_filled(name: str) -> None:
    async with on_stand(name) as stand, stand.listening():
        await stand.own("100")
        request = of_type(stand, OrderType.STOP_LIMIT)
        coid = request.client_order_id
        await stand.submit(request)
        await stand.settled()
        stand.quote("94.5", "94.6", size="5")
        stand.quote("90", "90.1")
        await stand.settled()
        filled = traded(stand.fills(coid))
        assert D(0) < filled < D("50")
        told = await stand.look_up(coid)
        assert fills_in(told) == stand.fills(coid)
        assert not any(isinstance(item, ENDS) for item in told)
        plain, conditional = await lists(stand)
        assert (coid in plain, coid in conditional) == (True, False)
        reached = [item for item in (*told, *stand.about(coid)) if isinstance(item, f.OrderTriggered)]
        assert reached
        await stand.cancel(coid)
        await stand.settled()
        end = await ended(stand, coid)
        assert isinstance(end, f.OrderCancelled)
        assert end.filled == filled
