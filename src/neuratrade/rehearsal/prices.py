"""What the desk of a rehearsal hears of its market, as a live desk does: by a source, through the live feed.

A desk protects what it holds before it knows any price: history is asked for beside it, again and again until
the venue tells it, and until then nothing can be opened.
"""

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from typing import cast

from neuratrade.core.model.errors import UsageError
from neuratrade.core.model.market import Bar
from neuratrade.feeds.clock import Clock, backoff_s
from neuratrade.feeds.live.feed import LiveFeed
from neuratrade.feeds.port import Slice
from neuratrade.rehearsal.company import Company
from neuratrade.rehearsal.heard import Heard
from neuratrade.rehearsal.server import Simulator
from neuratrade.rehearsal.stages import Stage

HISTORY_BARS = 60


class Prices:
    """The market as one desk hears it. simulator: of who tells prices. heard: keeps it, by contract.

    note: takes troubles.
    """

    def __init__(
        self,
        stage: Stage,
        simulator: Simulator,
        clock: Clock,
        heard: Mapping[str, Heard],
        note: Callable[[str], None],
    ) -> None:
        self._stage = stage
        self._simulator = simulator
        self._clock = clock
        self._heard = heard
        self._note = note

    async def serve(self, company: Company) -> None:
        """Tells a desk what happened and what happens, for as long as it is let."""
        stage, clock = self._stage, self._clock
        history = await self._history()
        for item in stage.traded:
            company.warm_up(history[item.key])
            self._heard[item.key].take_history(history[item.key])
        feed = LiveFeed(
            lambda: stage.market(self._simulator, stage.contracts, clock),
            stage.contracts,
            history,
            self._note,
        )
        try:
            async with aclosing(cast("AsyncGenerator[Slice]", feed.stream(clock))) as slices:
                async for piece in slices:
                    for heard in self._heard.values():
                        heard.take(piece, clock.now_ns())
                    await company.show(piece)
        finally:
            first = self._heard[stage.contract.key]
            first.counts["late"] += feed.late
            first.counts["connections lost"] += feed.lost
            for heard in self._heard.values():
                heard.down(clock.now_ns())

    async def _history(self) -> dict[str, list[Bar]]:
        failed = 0
        while True:
            try:
                async with self._stage.market(self._simulator, self._stage.contracts, self._clock) as source:
                    return {
                        item.key: await source.history(item, HISTORY_BARS, self._clock.now_ns())
                        for item in self._stage.contracts
                    }
            except UsageError:
                raise
            except Exception as error:  # noqa: BLE001 - whatever it is, a desk that holds something goes on
                wait_s = backoff_s(failed)
                self._note(f"history could not be had ({type(error).__name__}: {error})")
                failed += 1
                await self._clock.sleep(wait_s)
