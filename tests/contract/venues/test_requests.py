"""The contract of every venue: what leaves is exact, and leaves in the order of its urgency."""

import asyncio
import json
import re
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl

import pytest

from neuratrade.core.model.errors import Refused
from neuratrade.core.model.orders import OrderRequest, Side
from neuratrade.rehearsal.faults import Act, Fault, FaultKind
from neuratrade.venues.port import TooManyRequests, VenueRefused
from tests.contract.venues.stand import LATER_S, NO_WIRE, Asked, D, Stand, on_all_venues, on_stand, warped

SUBMITS: tuple[str, ...] = (
    "/v2/orders",
    "/api/v3/order",
    "/fapi/v1/order",
    "/fapi/v1/algoOrder",
    "/AddOrder",
)
SUBMITS += ("/trade/order", "/trade/batch-orders", "/trade/order-algo", "/order/placeorder")
EXPONENT = re.compile(r"[-+]?[\d.]+[eE][-+]?\d+")
QUANTITY = ("qty", "quantity", "volume", "sz", "orderQty")
LIMIT = ("limit_price", "price", "px", "price2", "slOrdPx", "orderPx")
STOP = ("stop_price", "stopPrice", "triggerPrice", "price", "slTriggerPx", "triggerPx")

QUESTIONS = {"kraken": {"GET", "POST"}, "tradovate": {"WS"}}
RESTS_S = {"tradovate": 3700.0}
"""How long a venue wants to be left alone after it said "too many"."""


def submissions(stand: Stand) -> list[Asked]:
    """Requests that place orders, in the order they came."""
    return [
        item
        for item in stand.asked
        if item.method in ("POST", "WS") and item.path.partition("?")[0].endswith(SUBMITS)
    ]


def fields_of(asked: Asked) -> dict[str, object]:
    """What a request says, field by field, as it went over the wire."""
    body = asked.body.decode()
    if body[:1] in ("{", "["):
        # Where prices are JSON numbers, their text is what counts: a float would have lost it.
        numbers: dict[str, Any] = {"parse_float": str, "parse_int": str} if asked.method == "WS" else {}
        said = json.loads(body, **numbers)
        row = said[0] if isinstance(said, list) else said
        assert isinstance(row, dict)
        return row
    return dict(parse_qsl(asked.path.partition("?")[2] + "&" + body))


def orders(stand: Stand) -> list[OrderRequest]:
    """Numbers whose text a float or an exponent would spoil."""
    lot = stand.contract.lot
    least = max(lot, D("0.00001"))
    exact = [
        stand.order("scaled", Side.BUY, "3E+1", limit="1.00E+2"),
        stand.order("noisy", Side.BUY, str(D(30) + least), limit="99.3"),
        stand.order("round", Side.BUY, "50.0000000", limit="98.000"),
    ]
    if least < D("0.001"):
        exact.append(stand.order("small", Side.BUY, format(D(6) + least, "f"), limit="99.1"))
    # Last, since not every venue takes an entry opposite to it.
    return [*exact, stand.protective("stop", str(D(10) + least * 7), stop="95.2")]


@on_all_venues(but=NO_WIRE)
@warped
async def test_numbers_leave_as_exact_text_without_exponent_or_float(name: str) -> None:
    async with on_stand(name) as stand:
        await stand.own("100")
        for request in orders(stand):
            stand.asked.clear()
            await stand.submit(request)
            (asked,) = submissions(stand)
            sent = stand.sent(request)
            said = fields_of(asked)
            assert not [field for field, text in said.items() if EXPONENT.fullmatch(str(text))]
            wanted = {QUANTITY: sent.quantity, LIMIT: sent.limit_price, STOP: sent.stop_price}
            for names, number in wanted.items():
                if number is None:
                    continue
                texts = [said[field] for field in names if field in said]
                assert all(isinstance(text, str) for text in texts), texts
                assert number in [Decimal(str(text)) for text in texts], (names, said)
            placed = stand.simulator.engine.find(request.client_order_id)
            assert placed is not None
            assert placed.ticket.quantity == sent.quantity
            assert (placed.ticket.limit_price, placed.ticket.stop_price) == (
                sent.limit_price, sent.stop_price,
            )  # fmt: skip


@pytest.mark.parametrize("spoiled", ["quantity", "price"])
@on_all_venues(but=NO_WIRE)
@warped
async def test_what_is_off_the_grid_is_refused_and_never_rounded(name: str, spoiled: str) -> None:
    async with on_stand(name) as stand:
        quantity = str(D(50) + (stand.contract.lot / 2 if spoiled == "quantity" else 0))
        limit = str(D(99) + (stand.contract.tick / 2 if spoiled == "price" else 0))
        with pytest.raises(VenueRefused):
            await stand.submit(stand.order("it", Side.BUY, quantity, limit=limit))
        assert not stand.simulator.engine.orders


@on_all_venues(but=NO_WIRE)
@warped
async def test_what_protects_overtakes_entries_and_entries_overtake_questions(name: str) -> None:
    async with on_stand(name) as stand:
        await stand.own("100")
        stop, entry = stand.protective("stop", "50"), stand.order("entry", Side.BUY, "30", limit="99")
        resting = stand.order("resting", Side.SELL, "20", limit="110")
        await stand.submit(resting)
        await stand.trouble()
        rate = stand.venue.capabilities.rate
        assert rate is not None
        stand.asked.clear()
        free = rate.requests - rate.kept
        questions = [asyncio.create_task(stand.venue.ping()) for _ in range(free + 3)]
        # All that is not kept for what protects is used up, and questions wait.
        await asyncio.sleep(min(rate.seconds / 4, 1.0))
        waited_for = sum(task.done() for task in questions)
        assert waited_for < len(questions)
        opening = asyncio.create_task(stand.submit(entry))
        await asyncio.sleep(0.01)
        protecting = asyncio.create_task(stand.submit(stop))
        cancelling = asyncio.create_task(stand.cancel(resting.client_order_id))
        await asyncio.wait_for(asyncio.gather(protecting, cancelling), rate.seconds / 4)
        assert not opening.done()
        assert sum(task.done() for task in questions) == waited_for
        async with asyncio.timeout(4 * rate.seconds):
            (refused,) = await asyncio.gather(opening, return_exceptions=True)
            left = sum(not task.done() for task in questions)
            await asyncio.gather(*questions)
        assert left > 0, "the entry went before the questions that waited longer"
        assert refused is None or "wash trade" in str(refused)
        sent = {stop.client_order_id} if refused else {stop.client_order_id, entry.client_order_id}
        assert sent <= set(stand.simulator.submissions)


@on_all_venues(but=NO_WIRE)
@warped
async def test_after_a_refusal_for_load_questions_wait_and_protection_does_not(name: str) -> None:
    async with on_stand(name, Fault(LATER_S, FaultKind.RATE_LIMITED, on=Act.SUBMIT)) as stand:
        await stand.own("100")
        await stand.trouble()
        with pytest.raises(TooManyRequests):
            await stand.submit(stand.order("entry", Side.BUY, "30", limit="99"))
        asked = asyncio.create_task(stand.venue.ping())
        await asyncio.wait_for(stand.submit(stand.protective("stop", "50")), 0.9)
        assert not asked.done()
        await asyncio.wait_for(asked, RESTS_S.get(name, 30.0))


@on_all_venues(but=NO_WIRE)
@warped
async def test_questions_change_nothing(name: str) -> None:
    async with on_stand(name) as stand:
        stand.asked.clear()
        coid = stand.order("never", Side.BUY, "1").client_order_id
        await stand.venue.ping()
        await stand.venue.snapshot("main")
        await stand.look_up(coid)
        assert stand.asked
        assert not submissions(stand)
        assert not stand.simulator.engine.orders
        assert {item.method for item in stand.asked} <= QUESTIONS.get(name, {"GET"})


@on_all_venues(but=NO_WIRE)
@warped
async def test_nothing_secret_is_in_an_error(name: str) -> None:
    plan = Fault(LATER_S, FaultKind.SERVER_ERROR_AFTER, times=3, on=Act.SUBMIT)
    async with on_stand(name, plan) as stand:
        await stand.trouble()
        with pytest.raises(Exception) as caught:  # noqa: PT011 - any: its words are what is tested
            await stand.submit(stand.order("it", Side.BUY, "50", limit="99"))
        assert not isinstance(caught.value, Refused)
        for secret in ("dGhpcyBpcyBh", "rehearsal-secret", "signature="):
            assert secret not in repr(caught.value)
