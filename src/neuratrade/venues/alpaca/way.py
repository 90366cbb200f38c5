"""What has to be so at Alpaca before an order is sent.

The venue refuses an order that could meet one of the account's own on the other side, and a stop without a
limit opposite to whatever rests. So what is left of an entry is ended before anything that protects or leaves
is sent: without that, a position that is filled in part could not be guarded at all. The desk hears of the
end by the stream, as of any other. Of stocks nothing is sold short that may be called back any day.
"""

import asyncio
from contextlib import suppress

import msgspec

from neuratrade.core.model.instrument import Instrument, InstrumentKind
from neuratrade.core.model.orders import OrderRequest, Side
from neuratrade.feeds.clock import Clock
from neuratrade.venues.alpaca.books import Books
from neuratrade.venues.alpaca.market_assets import WireAsset
from neuratrade.venues.alpaca.rest import Doubtful, Missing, Rest
from neuratrade.venues.alpaca.wire import ENDED, WireOrder
from neuratrade.venues.limiter import Urgency
from neuratrade.venues.port import TooManyRequests, VenueRefused

ENOUGH_S = 2.0
"""How long what protects waits for the end of an entry; after that it goes, and may be refused."""
LOOK_AGAIN_S = 0.2
NO_PROOF = (Doubtful, Missing, TooManyRequests, VenueRefused, msgspec.DecodeError)

_order = msgspec.json.Decoder(WireOrder)
_asset = msgspec.json.Decoder(WireAsset)


class Way:
    """Clears the way for orders of one account."""

    def __init__(self, rest: Rest, books: Books, clock: Clock) -> None:
        self._rest = rest
        self._books = books
        self._clock = clock
        self._leaving: set[str] = set()
        self._lent: dict[str, bool] = {}

    async def clear(self, request: OrderRequest, contract: Instrument) -> None:
        """Ends entries in the way of what reduces. Raises VenueRefused for a short that nobody lends."""
        if request.role.reduces:
            self._leaving.add(request.client_order_id)
            await self._end_entries(request, contract)
        elif request.side is Side.SELL and contract.kind is InstrumentKind.EQUITY:
            await self._check_lent(contract)

    async def look_at(self, venue_order_id: str, urgency: Urgency = Urgency.ASK) -> WireOrder:
        """An order as it stands, by the venue's id."""
        path = f"/v2/orders/{venue_order_id}"
        return self._books.learn(await self._rest.read(_order, path, urgency=urgency))

    async def _end_entries(self, request: OrderRequest, contract: Instrument) -> None:
        entries = [
            item
            for item in self._books.in_the_way(request, contract.asset)
            if item.client_order_id not in self._leaving
        ]
        if not entries:
            return
        ends = asyncio.gather(*(self._end(item) for item in entries))
        enough = asyncio.ensure_future(self._clock.sleep(ENOUGH_S))
        try:
            await asyncio.wait((ends, enough), return_when=asyncio.FIRST_COMPLETED)
        finally:
            ends.cancel()
            enough.cancel()
            await asyncio.gather(ends, enough, return_exceptions=True)

    async def _end(self, entry: WireOrder) -> None:
        """Cancels an entry, once, and looks at it until it is over, however long that takes."""
        with suppress(*NO_PROOF):
            await self._rest.call("DELETE", f"/v2/orders/{entry.id}", urgency=Urgency.PROTECT)
        while True:
            with suppress(*NO_PROOF):
                await self.look_at(entry.id, Urgency.PROTECT)
            if self._books.orders[entry.id].status in ENDED:
                return
            await self._clock.sleep(LOOK_AGAIN_S)

    async def _check_lent(self, contract: Instrument) -> None:
        if contract.asset not in self._lent:
            asset = await self._rest.read(_asset, f"/v2/assets/{contract.asset}", urgency=Urgency.OPEN)
            self._lent[contract.asset] = asset.shortable and asset.easy_to_borrow
        if not self._lent[contract.asset]:
            raise VenueRefused(f"not sent: {contract.asset} is not easy to borrow at Alpaca")
