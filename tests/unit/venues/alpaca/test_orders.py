"""Orders to Alpaca: what goes over the wire, that it goes once, and what its answers prove."""

import asyncio
import re

import msgspec
import pytest

from neuratrade.core.model import facts as f
from neuratrade.core.model.orders import Side, TimeInForce
from neuratrade.rehearsal.faults import Act, Fault, FaultKind
from neuratrade.venues.alpaca.rest import Keys
from neuratrade.venues.alpaca.terms import COINS, STOCKS
from neuratrade.venues.port import VenueRefused
from tests.unit.rehearsal.exchange import ETH, D, warped
from tests.unit.venues.alpaca.stage import (
    buy,
    cancel,
    cleared,
    look_up,
    on_stage,
    order,
    scripted,
    sell,
)

AFTER = (FaultKind.SERVER_ERROR_AFTER, FaultKind.RATE_LIMITED_AFTER, FaultKind.CUT_AFTER)
BEFORE = (FaultKind.SERVER_ERROR, FaultKind.RATE_LIMITED, FaultKind.CUT)
LIMIT = buy("0.5", limit="99")


# the wire


@warped
async def test_an_order_is_worded_in_exact_decimal_text() -> None:
    async with on_stage(balances={"USD": D("1E+7")}) as stage:
        await stage.submit(
            buy("0.300000", "a", limit="1.2E+1"),
            buy("1E+2", "b", limit="99.10"),
            buy("0.000012", "c", stop="1E+6", limit="1000000.01"),
            buy("0.1", "d", time_in_force=TimeInForce.IOC, limit="101.00"),
        )
        words = [body.decode() for body in stage.simulator.bodies]
    assert words[0] == (
        '{"symbol":"BTC/USD","qty":"0.3","side":"buy","type":"limit","time_in_force":"gtc",'
        '"client_order_id":"a","limit_price":"12"}'
    )
    assert '"qty":"100"' in words[1]
    assert '"limit_price":"99.1"' in words[1]
    assert '"qty":"0.000012"' in words[2]
    assert '"type":"stop_limit"' in words[2]
    assert '"stop_price":"1000000"' in words[2]
    assert '"limit_price":"1000000.01"' in words[2]
    assert '"time_in_force":"ioc"' in words[3]
    for text in words:
        assert all(isinstance(value, str) for value in msgspec.json.decode(text).values())
        assert not re.search(r'"[0-9.]+[eE]', text)


@warped
async def test_an_order_that_is_taken_is_accepted_under_the_name_the_venue_gives_it() -> None:
    async with on_stage() as stage:
        (told,) = await stage.venue.submit(LIMIT)
        (there,) = stage.engine.open_orders()
        listed = (await stage.venue.snapshot("main")).plain
    assert isinstance(told, f.OrderAccepted)
    assert (told.client_order_id, there.ticket.client_id) == ("order-1", "order-1")
    assert listed is not None
    assert [item.venue_order_id for item in listed] == [told.venue_order_id]


# once, whatever happens


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b""),
        (200, b"<html>ok</html>"),
        (200, b'{"id":'),
        (200, b'{"id":7,"client_order_id":"order-1"}'),
        (200, b"[]"),
        (301, b""),
        (400, b"<html>Bad Request</html>"),
        (403, b'{"error":"blocked"}'),
        (403, b'{"message":"Forbidden"}'),
        (404, b"not here"),
        (408, b'{"code":1,"message":"m"}'),
        (425, b'{"code":1,"message":"m"}'),
        (429, b'{"code":42910000,"message":"rate limit exceeded"}'),
        (500, b'{"code":50010000,"message":"internal server error occurred"}'),
        (502, b""),
        (504, b'{"message":"gateway timeout"}'),
        (422, b'{"code":40010001,"message":"client_order_id must be unique"}'),
        (422, b'{"code":"40310000","message":["x"]}'),
    ],
)
def test_an_answer_that_proves_nothing_is_no_refusal_and_sends_nothing_again(
    status: int, body: bytes
) -> None:
    @warped
    async def scene() -> None:
        async with scripted() as (script, venue):
            script.answer("POST /v2/orders", status, body)
            with pytest.raises(Exception) as caught:  # noqa: PT011 - what it may not be is asked right here
                await venue.submit(LIMIT)
            assert not isinstance(caught.value, VenueRefused)
            assert script.asked == ["POST /v2/orders"]

    scene()


# definite refusals


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (buy("5000", limit="99"), "insufficient balance"),
        (buy("0.000001", limit="99"), "cost basis"),
        (buy("1", limit="99.001"), "off the grid"),
        (sell("1"), "insufficient balance"),
    ],
)
def test_what_the_venue_says_no_to_is_refused_in_its_words(asked: object, words: str) -> None:
    @warped
    async def scene() -> None:
        async with on_stage() as stage:
            with pytest.raises(VenueRefused, match=words):
                await stage.venue.submit(asked)  # type: ignore[arg-type]
            assert not stage.engine.orders

    scene()


@warped
async def test_an_asset_the_venue_does_not_have_is_refused() -> None:
    async with on_stage(contracts=(ETH,)) as stage:
        with pytest.raises(VenueRefused, match="asset not found"):
            await stage.venue.submit(LIMIT)


@warped
async def test_keys_it_does_not_know_are_refused() -> None:
    async with on_stage(keys=Keys("no", "such")) as stage:
        for call in (
            stage.venue.submit(LIMIT),
            stage.venue.cancel(cancel()),
            stage.venue.look_up(look_up()),
            stage.venue.snapshot("main"),
        ):
            with pytest.raises(VenueRefused, match="not authorized"):
                await call


@warped
async def test_a_stop_without_a_limit_is_not_even_sent() -> None:
    async with on_stage() as stage:
        with pytest.raises(VenueRefused, match="not sent"):
            await stage.venue.submit(cleared(order(Side.BUY, "1", stop="110")))
        assert stage.simulator.requests == 0
    assert not COINS.rules.stop_market


@warped
async def test_terms_are_not_changed_in_place() -> None:
    async with on_stage() as stage:
        await stage.venue.submit(LIMIT)
        with pytest.raises(VenueRefused, match="not sent"):
            await stage.venue.amend(LIMIT, D(1), D(90))
        assert stage.simulator.requests == 1
    for terms in (COINS, STOCKS):
        assert not terms.capabilities.amends
        assert not terms.rules.amends_stops


# ends


@warped
async def test_a_cancel_proves_nothing_by_itself_and_the_end_comes_by_the_stream() -> None:
    async with on_stage() as stage, stage.listening():
        await stage.venue.submit(LIMIT)
        assert await stage.venue.cancel(cancel()) == []
        await asyncio.sleep(1.0)
        end = stage.told[-1]
    assert isinstance(end, f.OrderCancelled)
    assert end.filled == 0


@warped
async def test_an_order_from_before_a_restart_is_cancelled_by_its_own_name() -> None:
    async with on_stage() as stage:
        await stage.venue.submit(LIMIT)
        stage.venue._books.ids.clear()
        await stage.venue.cancel(cancel())
        assert not stage.engine.open_orders()


@warped
async def test_what_is_over_or_was_never_there_cannot_be_cancelled() -> None:
    async with on_stage() as stage:
        await stage.submit(buy("0.5"))
        for name in ("order-1", "nobody"):
            with pytest.raises(VenueRefused):
                await stage.venue.cancel(cancel(name))


@pytest.mark.parametrize("kind", [*AFTER, *BEFORE])
def test_a_cancel_without_an_answer_is_in_doubt_and_not_repeated(kind: FaultKind) -> None:
    @warped
    async def scene() -> None:
        async with on_stage(Fault(0.0, kind, on=Act.CHANGE)) as stage:
            await stage.venue.submit(LIMIT)
            with pytest.raises(Exception) as caught:  # noqa: PT011 - what it may not be is asked right here
                await stage.venue.cancel(cancel())
            assert not isinstance(caught.value, VenueRefused)
            assert len([what for what in stage.simulator.asked if what.startswith("DELETE")]) == 1
            assert bool(stage.engine.open_orders()) is (kind in BEFORE)

    scene()
