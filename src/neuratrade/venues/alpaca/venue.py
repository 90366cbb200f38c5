"""Alpaca as a venue: orders by REST, what became of them by the `trade_updates` stream.

It has no dead man's switch and no way to ask what a key may do, so its permissions stay unverified. Stops
cannot be changed in place (`terms.py`), and what is left of an entry is ended before what protects is sent
(`way.py`).
"""

from collections.abc import AsyncIterator, Sequence
from decimal import Decimal
from typing import TypeGuard

import aiohttp
import msgspec

from neuratrade.core.model import facts as f
from neuratrade.core.model.commands import CancelOrder, LookUpOrder
from neuratrade.core.model.decimals import ZERO
from neuratrade.core.model.events import VenueSnapshot
from neuratrade.core.model.instrument import Instrument, InstrumentKind
from neuratrade.core.model.orders import Fill
from neuratrade.feeds.clock import Clock
from neuratrade.venues.alpaca.books import NAME, Books, end_of, is_reached
from neuratrade.venues.alpaca.hours import WireClock, sessions
from neuratrade.venues.alpaca.rest import Doubtful, Keys, Missing, Rest
from neuratrade.venues.alpaca.terms import BUDGET, terms_of
from neuratrade.venues.alpaca.way import Way
from neuratrade.venues.alpaca.wire import (
    ENDED,
    Activity,
    Authorisation,
    Frame,
    Update,
    WireAccount,
    WireOrder,
    WirePosition,
    order_body,
)
from neuratrade.venues.hosts import check_trading_host
from neuratrade.venues.keys import KeyCheck, admit
from neuratrade.venues.limiter import Limiter, Urgency
from neuratrade.venues.port import Cleared, StreamOpened, VenueRefused, request_of

PAPER = "https://paper-api.alpaca.markets"
PROBE_S = 10.0
"""How often a silent stream is asked whether it still stands."""
PAGE = 100
OPEN_ORDERS = {"status": "open", "limit": "500", "nested": "false"}

_order = msgspec.json.Decoder(WireOrder)
_orders = msgspec.json.Decoder(list[WireOrder])
_activities = msgspec.json.Decoder(list[Activity])
_positions = msgspec.json.Decoder(list[WirePosition])
_account = msgspec.json.Decoder(WireAccount)
_clock = msgspec.json.Decoder(WireClock)
_frame = msgspec.json.Decoder(Frame)
_update = msgspec.json.Decoder(Update)
_authorisation = msgspec.json.Decoder(Authorisation)


class AlpacaVenue:
    """One account at Alpaca, in `async with`. contracts: coins or stocks. base: of the REST API.

    allow_unverified: whether the key is taken though nobody can say what it may do. Raises Refused without
    that, and for a host that trades money; UsageError for contracts of both kinds.
    """

    key_check = KeyCheck.UNVERIFIED

    def __init__(
        self,
        account_id: str,
        contracts: Sequence[Instrument],
        keys: Keys,
        clock: Clock,
        base: str = PAPER,
        *,
        allow_unverified: bool = False,
    ) -> None:
        check_trading_host(base)
        admit(NAME, self.key_check, "it cannot be asked there", allow_unverified=allow_unverified)
        self.capabilities = terms_of(contracts).capabilities
        self._contracts = tuple(contracts)
        self._books = Books(account_id, contracts, clock)
        self._keys = keys
        self._clock = clock
        self._rest = Rest(base, keys, Limiter(BUDGET, clock))
        self._stream_url = base.replace("http", "ws", 1) + "/stream"
        self._way = Way(self._rest, self._books, clock)

    async def __aenter__(self) -> "AlpacaVenue":
        await self._rest.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._rest.__aexit__()

    # changes

    async def submit(self, order: Cleared) -> Sequence[f.VenueEvent]:
        """POST /v2/orders, once nothing of ours rests that it could meet."""
        request = request_of(order)
        contract = self._books.contract_of(request.instrument)
        body = order_body(request, contract)
        await self._way.clear(request, contract)
        urgency = Urgency.PROTECT if request.role.reduces else Urgency.OPEN
        raw = await self._rest.call("POST", "/v2/orders", body=body, urgency=urgency)
        taken = self._books.learn(_order.decode(raw))
        return [f.OrderAccepted(self._clock.now_ns(), request.client_order_id, taken.id)]

    async def cancel(self, order: CancelOrder) -> Sequence[f.VenueEvent]:
        """DELETE /v2/orders/{id}. Accepted is not cancelled: the stream tells when it is."""
        coid = order.client_order_id
        try:
            if coid not in self._books.ids:
                await self._by_client_id(coid)
            path = f"/v2/orders/{self._books.ids[coid]}"
            await self._rest.call("DELETE", path, urgency=Urgency.PROTECT)
        except Missing as missing:
            raise VenueRefused(str(missing)) from missing
        return []

    async def amend(self, order: Cleared, quantity: Decimal, stop_price: Decimal) -> Sequence[f.VenueEvent]:
        """Refused: what the venue calls a replacement is another order under another id."""
        raise VenueRefused("not sent: Alpaca changes no order in place")

    # questions

    async def look_up(self, order: LookUpOrder) -> Sequence[f.VenueEvent]:
        """GET /v2/orders:by_client_order_id and the executions of that order."""
        coid, now_ns = order.client_order_id, self._clock.now_ns()
        try:
            known = await self._by_client_id(coid)
        except Missing:
            return [f.OrderNotFound(now_ns, coid)]
        if known.status == "rejected":
            return [f.OrderRejected(now_ns, coid, "rejected by the venue")]
        told: list[f.VenueEvent] = [f.OrderAccepted(now_ns, coid, known.id)]
        if is_reached(known):
            told.append(f.OrderTriggered(now_ns, coid))
        told += [f.OrderFilled(now_ns, fill) for fill in await self._fills_of(known)]
        if known.status in ENDED:
            told.append(end_of(known, now_ns))
        return told

    async def snapshot(self, account_id: str) -> VenueSnapshot:
        """Open orders, holdings, cash, and the newest executions."""
        asked_ns = self._clock.now_ns()
        books = self._books
        listed = [books.learn(item) for item in await self._rest.read(_orders, "/v2/orders", OPEN_ORDERS)]
        positions = await self._rest.read(_positions, "/v2/positions")
        account = await self._rest.read(_account, "/v2/account")
        newest = await self._rest.read(_activities, "/v2/account/activities/FILL", {"page_size": str(PAGE)})
        ours = [await self._fill_of_activity(item) for item in newest]
        waiting = {
            item.client_order_id for item in listed if item.stop_price is not None and not is_reached(item)
        }
        orders = [books.listed(item) for item in listed]
        return VenueSnapshot(
            self._clock.now_ns(),
            account_id,
            asked_ns,
            plain=tuple(item for item in orders if item.client_order_id not in waiting),
            conditional=tuple(item for item in orders if item.client_order_id in waiting),
            positions=books.holdings(positions),
            balances=books.balances(account, positions),
            fills=tuple(reversed(ours)),
        )

    async def ping(self) -> None:
        """GET /v2/clock."""
        await self._rest.call("GET", "/v2/clock")

    def sessions(self) -> AsyncIterator[f.SessionMoved]:
        """When stocks are traded: as it is now, then whenever it changes. Nothing at all for coins."""
        stocks = [item for item in self._contracts if item.kind is InstrumentKind.EQUITY]
        return sessions(lambda: self._rest.read(_clock, "/v2/clock"), stocks, self._clock)

    # the stream

    async def events(self) -> AsyncIterator[f.VenueEvent | StreamOpened]:
        """Connects to `trade_updates`. Raises when it is refused, lost, deaf to a probe or without sense."""
        async with await self._connect() as socket:
            said = {
                "action": "authenticate",
                "data": {"key_id": self._keys.key_id, "secret_key": self._keys.secret},
            }
            await socket.send_bytes(msgspec.json.encode(said))
            await _authorised(socket)
            await socket.send_bytes(
                msgspec.json.encode({"action": "listen", "data": {"streams": ["trade_updates"]}})
            )
            async for message in socket:
                if message.type not in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
                    continue
                frame = _frame.decode(message.data)
                if frame.stream == "listening":
                    yield StreamOpened()
                elif frame.stream == "trade_updates":
                    for event in self._heard(_update.decode(frame.data)):
                        yield event
            raise Doubtful(socket.close_code or 0, "the stream ended")

    async def _connect(self) -> aiohttp.ClientWebSocketResponse:
        try:
            return await self._rest.session.ws_connect(self._stream_url, heartbeat=PROBE_S)
        except aiohttp.WSServerHandshakeError as error:
            # Its own words hold the headers that were sent, the secret among them.
            raise Doubtful(error.status, "the stream was not opened") from None

    def _heard(self, update: Update) -> list[f.VenueEvent]:
        order, now_ns = self._books.learn(update.order), self._clock.now_ns()
        coid = order.client_order_id
        if self._books.contract_named(order.symbol) is None:
            return []
        match update.event:
            case "new" | "accepted" | "pending_new":
                return [f.OrderAccepted(now_ns, coid, order.id)]
            case "fill" | "partial_fill":
                if not (_is_amount(update.price) and _is_amount(update.qty)):
                    raise Doubtful(200, f"an execution of {update.qty} at {update.price} was told")
                fill = self._books.fill(order, update.qty, update.price, order.filled_qty, update.timestamp)
                return [f.OrderFilled(now_ns, fill)]
            case "canceled" | "expired" | "replaced":
                return [end_of(order, now_ns)]
            case "rejected":
                return [f.OrderRejected(now_ns, coid, "rejected by the venue")]
            case _:
                return []

    # within

    async def _by_client_id(self, coid: str) -> WireOrder:
        query = {"client_order_id": coid}
        # What became of an order is asked as urgently as what protects.
        path = "/v2/orders:by_client_order_id"
        return self._books.learn(await self._rest.read(_order, path, query, Urgency.PROTECT))

    async def _fills_of(self, order: WireOrder) -> list[Fill]:
        """Its executions, oldest first. Raises Doubtful while the list lags behind what is filled."""
        found: list[Fill] = []
        query = {"page_size": str(PAGE)}
        seen = ZERO
        while seen < order.filled_qty:
            page = await self._rest.read(_activities, "/v2/account/activities/FILL", query)
            mine = [item for item in page if item.order_id == order.id]
            found += [self._books.fill_of(order, item) for item in mine]
            seen += sum((item.qty for item in mine), ZERO)
            if len(page) < PAGE:
                break
            query["page_token"] = page[-1].id
        if seen != order.filled_qty:
            raise Doubtful(200, f"{order.filled_qty} of it are filled, executions of {seen} are listed")
        return found[::-1]

    async def _fill_of_activity(self, activity: Activity) -> Fill:
        order = self._books.orders.get(activity.order_id) or await self._way.look_at(activity.order_id)
        return self._books.fill_of(order, activity)


def _is_amount(number: Decimal | None) -> TypeGuard[Decimal]:
    """Whether something was traded of this much, or at this price."""
    return number is not None and number.is_finite() and number > 0


async def _authorised(socket: aiohttp.ClientWebSocketResponse) -> None:
    answer = await socket.receive()
    if answer.type not in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
        raise Doubtful(socket.close_code or 0, "the stream was closed before it answered")
    frame = _frame.decode(answer.data)
    if _authorisation.decode(frame.data).status != "authorized":
        raise VenueRefused("the venue does not know these keys, or not for this host")
