"""What a live desk does with a venue that says "too many requests" again and again."""

import asyncio
from collections.abc import Sequence

import pytest

from neuratrade.core.model import facts as f
from neuratrade.core.model.commands import LookUpOrder
from neuratrade.hands import outbox
from neuratrade.venues.port import TooManyRequests
from neuratrade.venues.pressure import PAUSE_FROM
from tests.loopback.desk import PATIENCE, LiveWorld
from tests.loopback.http_venue import HttpVenue
from tests.loopback.venue import LoopbackVenue, serve
from tests.simulation.world import intent


class Pushing(HttpVenue):
    """A venue that refuses the first look-ups for their number."""

    refusals = PAUSE_FROM

    async def look_up(self, order: LookUpOrder) -> Sequence[f.VenueEvent]:
        if self.refusals:
            self.refusals -= 1
            raise TooManyRequests("429", retry_after_s=0.0)
        return await super().look_up(order)


async def test_repeated_429_end_entries_there_and_propose_a_pause_that_a_person_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(outbox, "FIRST_AGAIN_S", 0.001)
    books = LoopbackVenue()
    port, end = await serve(books)
    async with Pushing(port) as venue:
        world = LiveWorld(books, venue, PATIENCE, 0)
        tasks = [
            asyncio.create_task(work)
            for work in (world.serve(), *world.desk.streams(world.notes.append).values())
        ]
        try:
            await world.until(world.has_compared, "the books were compared")
            world.fault(on="submit", kind="drop")
            world.propose()
            state = world.engine.state
            await world.until(lambda: state.pause_proposed is not None, "a pause is proposed")
            proposed = [fact for fact in world.recorder.facts if isinstance(fact, f.PauseProposed)]
            assert len(proposed) == 1
            assert proposed[0].observed == f"{PAUSE_FROM} refusals within a minute"
            assert state.trading_state is f.TradingState.RUNNING, "a person decides"
            await world.until(lambda: not any(o.in_doubt for o in state.orders.values()), "all is clear")
            late = world.propose(intent("late")).client_order_id
            await world.until(lambda: "order_rejected" in world.kinds(late), "what would open is not sent")
            assert books.submissions[late] == 0
            world.halt()
            assert state.pause_proposed is None
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await world.desk.close()
            await end()
