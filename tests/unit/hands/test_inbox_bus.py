"""The in-process bus keeps order, tells a publisher at once that it is full, and brings verdicts back."""

import asyncio

import pytest

from neuratrade.core.model.errors import LimitReached, UsageError
from neuratrade.hands.inbox.bus import InProcessBus, IntentBus


async def test_documents_come_in_order_with_the_name_their_verdict_goes_by() -> None:
    bus: IntentBus = InProcessBus()
    names = [await bus.publish(raw, "brain") for raw in (b"1", b"2")]
    deliveries = bus.subscribe()
    first, second = await anext(deliveries), await anext(deliveries)
    assert [(d.source, d.name, d.raw) for d in (first, second)] == [
        ("bus:brain", names[0], b"1"),
        ("bus:brain", names[1], b"2"),
    ]


async def test_a_full_bus_refuses_at_once_and_keeps_what_it_has() -> None:
    bus = InProcessBus(capacity=2)
    await bus.publish(b"1", "brain")
    await bus.publish(b"2", "brain")
    with pytest.raises(LimitReached, match="bus: 2 documents wait already; this one was not taken"):
        await bus.publish(b"3", "brain")
    deliveries = bus.subscribe()
    assert [(await anext(deliveries)).raw for _ in range(2)] == [b"1", b"2"]
    await bus.publish(b"4", "brain")
    assert (await anext(deliveries)).raw == b"4"


async def test_a_verdict_reaches_its_publisher_and_a_late_one_is_none() -> None:
    bus = InProcessBus()
    name = await bus.publish(b"1", "brain")
    assert await bus.verdict(name, 0.01) is None
    waiting = asyncio.create_task(bus.verdict(name, 5))
    await asyncio.sleep(0)
    await bus.answer("bus-77", b"of another")
    await bus.answer(name, b"yes")
    assert await waiting == b"yes"


async def test_verdicts_nobody_asks_for_do_not_pile_up() -> None:
    bus = InProcessBus(capacity=3)
    for number in range(10):
        await bus.answer(f"bus-{number}", b"verdict")
    assert [await bus.verdict(f"bus-{number}", 0.001) for number in range(10)] == [None] * 7 + [
        b"verdict"
    ] * 3


async def test_a_second_desk_is_refused_until_the_first_has_left() -> None:
    bus = InProcessBus()
    await bus.publish(b"1", "brain")
    first = bus.subscribe()
    with pytest.raises(UsageError, match="a desk listens already"):
        bus.subscribe()
    assert (await anext(first)).raw == b"1"


async def test_what_is_too_large_or_has_no_room_at_all_is_refused() -> None:
    with pytest.raises(UsageError, match="the limit is 65536"):
        await InProcessBus().publish(b" " * 65_537, "brain")
    with pytest.raises(UsageError, match="give at least 1"):
        InProcessBus(0)
