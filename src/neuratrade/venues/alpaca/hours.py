"""When stocks are traded at Alpaca, as its clock tells it: early closes and holidays included.

While a market is closed the desk places no stop and leaves nothing: what is bare then is shown as gap risk.
Stops that rest there stay over night. An announced end is told at its time and asked about right after, since
a way out that begins while the clock is asked would take the stop away and find nobody to sell to. The clock
is asked once a minute besides: what is announced may change. One that cannot be read changes nothing.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import datetime

import aiohttp
import msgspec

from neuratrade.core.model.facts import SessionMoved
from neuratrade.core.model.instrument import Instrument
from neuratrade.feeds.clock import Clock
from neuratrade.venues.alpaca.rest import Doubtful, Missing
from neuratrade.venues.port import TooManyRequests, VenueRefused

LONGEST_S = 60.0
JUST_AFTER_S = 0.001
ASKED_AFTER_S = 1.0
"""How long after an announced end the clock is asked whether it came: its time may differ from ours."""
AGAIN_S = 5.0
"""How long until a clock that did not answer is asked again."""
NO_ANSWER = (
    Doubtful, Missing, TooManyRequests, VenueRefused, msgspec.DecodeError, aiohttp.ClientError, OSError,
)  # fmt: skip


class WireClock(msgspec.Struct, frozen=True):
    """What the venue's clock says, its times with their zone."""

    timestamp: datetime
    is_open: bool
    next_open: datetime
    next_close: datetime

    @property
    def moves_in_s(self) -> float:
        """Until the session begins or ends, seconds."""
        turn = self.next_close if self.is_open else self.next_open
        return (turn - self.timestamp).total_seconds()


async def sessions(
    read: Callable[[], Awaitable[WireClock]], contracts: Sequence[Instrument], clock: Clock
) -> AsyncIterator[SessionMoved]:
    """Where the session of each contract stands, first as it is, then whenever it moves; without end."""
    was_open: bool | None = None
    while contracts:
        try:
            said = await read()
        except NO_ANSWER:
            await clock.sleep(AGAIN_S)
            continue
        if said.is_open is not was_open:
            was_open = said.is_open
            for contract in contracts:
                yield SessionMoved(clock.now_ns(), contract.key, was_open)
        if said.moves_in_s > LONGEST_S:
            await clock.sleep(LONGEST_S)
            continue
        await clock.sleep(max(said.moves_in_s, 0.0) + (0.0 if was_open else JUST_AFTER_S))
        if was_open:
            was_open = False
            for contract in contracts:
                yield SessionMoved(clock.now_ns(), contract.key, was_open)
            await clock.sleep(ASKED_AFTER_S)
