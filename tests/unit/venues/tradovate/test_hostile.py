"""Frames that make no sense: counted, told of once, and never the end of the stream."""

import asyncio
import json

import pytest

from neuratrade.core.model import facts as f
from neuratrade.core.model.orders import Side
from neuratrade.venues.tradovate.frames import LARGEST_BYTES
from tests.unit.venues.tradovate.stage import on_stage, order, warped

PROP = {"entityType": "fill", "entity": {}, "eventType": "Created"}


def told(entity_type: object, entity: object) -> str:
    return "a" + json.dumps([{"e": "props", "d": {**PROP, "entityType": entity_type, "entity": entity}}])


FILL = {"id": 9, "orderId": 3, "contractId": 3_000_001, "action": "Buy", "qty": 1, "price": 6000}
HOSTILE = {
    "truncated": 'a[{"e":"props","d":{"entityType":"fill","entity":{"id":1,',
    "no JSON": "a[hello]",
    "no list": 'a{"e":"props"}',
    "no frame": "z[]",
    "empty": "",
    "huge": "a[" + " " * LARGEST_BYTES + "]",
    "deep": "a" + "[" * 50_000,
    "an answer nobody asked for": 'a[{"i":999999,"s":200,"d":{}}]',
    "an answer with a word for a number": 'a[{"i":"three","s":200}]',
    "a status without a request": 'a[{"s":500,"d":"oops"}]',
    "an event of an unknown kind": 'a[{"e":"weather","d":{}}]',
    "an entity of an unknown kind": told("moonPhase", {"id": 1}),
    "a fill without fields": told("fill", {}),
    "a fill of text": told("fill", "hello"),
    "a fill of no number": told("fill", {**FILL, "qty": "many"}),
    "a fill in an unknown direction": told("fill", {**FILL, "action": "Sideways"}),
    "an order of nobody": told("order", {"id": None}),
    "an entity type that is a number": told(7, {}),
    "null": "anull",
}


@pytest.mark.parametrize("frame", HOSTILE.values(), ids=HOSTILE)
@warped
async def test_a_frame_without_sense_is_counted_told_once_and_survived(frame: str) -> None:
    async with on_stage() as scene, scene.listening():
        for _ in range(3):
            scene.say(frame)
        await asyncio.sleep(1.0)
        assert sum(scene.venue.hostile.values()) == 3, scene.venue.hostile
        assert len(scene.notes) <= 1
        await scene.submit(order("it", Side.BUY))
        await asyncio.sleep(1.0)
        assert [type(item) for item in scene.about("it")] == [f.OrderAccepted, f.OrderFilled]
        assert not scene.losses


@pytest.mark.parametrize("state", ["Dreaming", "", None, "PendingNew"])
@warped
async def test_a_state_nobody_knows_says_nothing(state: str | None) -> None:
    async with on_stage() as scene, scene.listening():
        await scene.submit(order("it", Side.BUY, limit="5990"))
        await asyncio.sleep(1.0)
        before = len(scene.told)
        number = int(scene.told[-1].venue_order_id)  # type: ignore[union-attr]
        row = scene.simulator.book.orders[number].row()
        scene.prop("order", {**row, "ordStatus": state})
        scene.prop("executionReport", {"id": 1, "orderId": number, "execType": state, "ordStatus": state})
        await asyncio.sleep(1.0)
        assert len(scene.told) == before
        assert not scene.losses


@pytest.mark.parametrize(
    "frame", ['c[3000,"Go away!"]', 'a[{"e":"shutdown","d":{"reasonCode":"Maintenance"}}]', "c["]
)
@warped
async def test_a_goodbye_ends_the_stream_and_a_request_brings_up_another(frame: str) -> None:
    async with on_stage() as scene, scene.listening():
        scene.say(frame)
        await asyncio.sleep(0.5)
        assert scene.losses
        await scene.venue.ping()
