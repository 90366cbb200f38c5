"""The client of the loopback venue: a venue adapter as they are meant to be, on aiohttp.

It repeats nothing. An answer counts as a refusal only when the venue says so in its own words; every other
status, cut connection or strange body raises, which leaves the outcome unknown.
"""

from collections.abc import AsyncIterator, Sequence
from decimal import Decimal
from types import TracebackType
from typing import TypeVar

import aiohttp
import msgspec

from neuratrade.core.model.commands import CancelOrder, LookUpOrder
from neuratrade.core.model.events import VenueSnapshot
from neuratrade.core.model.facts import VenueEvent
from neuratrade.core.model.orders import OrderType
from neuratrade.venues.keys import KeyCheck
from neuratrade.venues.port import Capabilities, Cleared, StreamOpened, VenueRefused, request_of
from tests.loopback.venue import AmendTerms

SILENCE_S = 2.0
TOO_MANY, NOT_SO_SURE = 429, (408, 425, 429)

_events = msgspec.json.Decoder(list[VenueEvent])
_event: msgspec.json.Decoder[VenueEvent] = msgspec.json.Decoder(VenueEvent)
_snapshots = msgspec.json.Decoder(list[VenueSnapshot])
_encode = msgspec.json.Encoder().encode
_T = TypeVar("_T")


class _Error(msgspec.Struct):
    error: str


class DoubtfulAnswer(Exception):
    """The venue answered, but not in a way that proves anything."""


class HttpVenue:
    """A `Venue` over the loopback venue's HTTP. Use it in an `async with`."""

    key_check = KeyCheck.VERIFIED

    def __init__(self, port: int, settle_s: float = 0.0) -> None:
        self.capabilities = Capabilities(frozenset(OrderType), amends=True, settle_s=settle_s)
        self._base = f"http://127.0.0.1:{port}"
        self._session: aiohttp.ClientSession

    async def __aenter__(self) -> "HttpVenue":
        # Its callers bound every call; a second bound here would only hide which one was hit.
        unbounded = aiohttp.ClientTimeout(total=None)
        self._session = aiohttp.ClientSession(self._base, timeout=unbounded, auto_decompress=False)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def submit(self, order: Cleared) -> Sequence[VenueEvent]:
        """POST /orders."""
        return await self._post("/orders", _encode(request_of(order)))

    async def cancel(self, order: CancelOrder) -> Sequence[VenueEvent]:
        """POST /orders/{id}/cancel: a DELETE would be repeated by aiohttp on a cut connection."""
        return await self._post(f"/orders/{order.client_order_id}/cancel", b"")

    async def amend(self, order: Cleared, quantity: Decimal, stop_price: Decimal) -> Sequence[VenueEvent]:
        """POST /orders/{id}/amend."""
        coid = request_of(order).client_order_id
        return await self._post(f"/orders/{coid}/amend", _encode(AmendTerms(quantity, stop_price)))

    async def look_up(self, order: LookUpOrder) -> Sequence[VenueEvent]:
        """GET /orders/{id}."""
        async with self._session.get(f"/orders/{order.client_order_id}") as answer:
            return await _read(answer, _events)

    async def snapshot(self, account_id: str) -> VenueSnapshot:
        """GET /account."""
        async with self._session.get("/account", params={"account_id": account_id}) as answer:
            return (await _read(answer, _snapshots))[0]

    async def ping(self) -> None:
        """GET /seen."""
        async with self._session.get("/seen") as answer:
            await answer.read()

    async def events(self) -> AsyncIterator[VenueEvent | StreamOpened]:
        """GET /events: a line an event, an empty one every so often. Raises when it falls silent."""
        silence = aiohttp.ClientTimeout(total=None, sock_read=SILENCE_S)
        async with self._session.get("/events", timeout=silence) as answer:
            if answer.status != 200:
                raise DoubtfulAnswer(f"status {answer.status} for the stream")
            opened = False
            async for line in answer.content:
                if not opened:
                    opened = True
                    yield StreamOpened()
                if line.strip():
                    yield _event.decode(line)

    async def _post(self, path: str, body: bytes) -> list[VenueEvent]:
        async with self._session.post(path, data=body) as answer:
            return await _read(answer, _events)


async def _read(answer: aiohttp.ClientResponse, decoder: msgspec.json.Decoder[_T]) -> _T:
    raw = await answer.read()
    if answer.status == 200:
        return decoder.decode(raw)
    if 400 <= answer.status < 500 and answer.status not in NOT_SO_SURE:
        raise VenueRefused(msgspec.json.decode(raw, type=_Error).error)
    raise DoubtfulAnswer(f"status {answer.status}")
