"""A private frame that ccxt stumbles over: the stream is lost at once, with the reason."""

import pytest

from neuratrade.feeds.clock import SystemClock
from neuratrade.rehearsal.server import REHEARSAL_KEY
from neuratrade.venues.ccxt.errors import Doubtful
from neuratrade.venues.ccxt.exchange import Keys
from neuratrade.venues.ccxt.venue import CcxtVenue
from neuratrade.venues.port import StreamOpened
from tests.loopback.market_world import market_world

BROKEN = '{"channel":"executions","type":"update","data":[{"exec_type":"trade","order_id":[1],"symbol":{}}]}'


async def test_a_private_frame_that_cannot_be_read_loses_the_stream() -> None:
    async with market_world("kraken") as world:
        keys = Keys(REHEARSAL_KEY.key, REHEARSAL_KEY.secret)
        hosts = world.simulator.hosts  # type: ignore[attr-defined]
        venue = CcxtVenue("paper", "kraken", world.contracts[:1], keys, SystemClock(), elsewhere=hosts)
        async with venue:
            events = venue.events()
            assert isinstance(await anext(events), StreamOpened)
            world.say(BROKEN)
            with pytest.raises(Doubtful, match="the stream was lost") as caught:
                await anext(events)
            assert "NetworkError" not in str(caught.value), "not only once a ping was not answered"
