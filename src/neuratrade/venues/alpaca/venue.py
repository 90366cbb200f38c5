"""Alpaca as a venue: orders by REST, what became of them by the `trade_updates` stream.

An execution is known by its order and the quantity filled with it, since the stream and the list of
activities name it by different ids but both state that quantity. The venue tells no fees: they are reckoned
from the contract's schedule, a limit order counting as the maker once it rested a moment. It has no dead
man's switch and no way to ask what a key may do, so its permissions stay unverified. Stops cannot be changed
in place: a replacement is another order there.
"""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TypeGuard

import aiohttp
import msgspec

from neuratrade.core.model import facts as f
from neuratrade.core.model.commands import CancelOrder, LookUpOrder
from neuratrade.core.model.decimals import BASIS_POINTS, ZERO
from neuratrade.core.model.events import VenueOrder, VenueSnapshot
from neuratrade.core.model.instrument import Instrument, InstrumentKind, instrument_key
from neuratrade.core.model.orders import Fill, Liquidity, OrderType, Side
from neuratrade.core.model.venue_rules import VenueRules
from neuratrade.feeds.clock import Clock
from neuratrade.venues.alpaca.rest import Doubtful, Keys, Missing, Rest
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
from neuratrade.venues.limiter import Budget, Limiter, Urgency
from neuratrade.venues.port import (
    Capabilities,
    Cleared,
    NativeExit,
    StreamOpened,
    VenueRefused,
    request_of,
)

NAME = "alpaca"
PAPER = "https://paper-api.alpaca.markets"
RULES = VenueRules(
    stop_market=False, stop_limit=True, amends_stops=False, balance_lock=True, sells_only_what_is_held=True
)
BUDGET = Budget(requests=200, seconds=60.0, kept=60)
"""Requests a minute and account."""
CAPABILITIES = Capabilities(
    frozenset({OrderType.MARKET, OrderType.LIMIT, OrderType.STOP_LIMIT}),
    amends=False,
    settle_s=5.0,
    native_exits=frozenset(NativeExit),
    rate=BUDGET,
)
"""For crypto, which has no native exits: those are for equities."""
PROBE_S = 10.0
"""How often a silent stream is asked whether it still stands."""
PAGE = 100
RESTED = timedelta(milliseconds=250)
"""A limit order that is filled this long after it came was in the book."""
OPEN_ORDERS = {"status": "open", "limit": "500", "nested": "false"}

_order = msgspec.json.Decoder(WireOrder)
_orders = msgspec.json.Decoder(list[WireOrder])
_activities = msgspec.json.Decoder(list[Activity])
_positions = msgspec.json.Decoder(list[WirePosition])
_account = msgspec.json.Decoder(WireAccount)
_frame = msgspec.json.Decoder(Frame)
_update = msgspec.json.Decoder(Update)
_authorisation = msgspec.json.Decoder(Authorisation)


class AlpacaVenue:
    """One account at Alpaca, in `async with`. contracts: what is traded. base: of the REST API.

    allow_unverified: whether the key is taken though nobody can say what it may do. Raises Refused without
    that, and for a host that trades money.
    """

    capabilities = CAPABILITIES
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
        self._account_id = account_id
        self._contracts = {item.asset: item for item in contracts}
        self._by_plain_name = {item.asset.replace("/", ""): item for item in contracts}
        self._keys = keys
        self._clock = clock
        self._rest = Rest(base, keys, Limiter(BUDGET, clock))
        self._stream_url = base.replace("http", "ws", 1) + "/stream"
        self._orders: dict[str, WireOrder] = {}
        self._ids: dict[str, str] = {}

    async def __aenter__(self) -> "AlpacaVenue":
        await self._rest.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._rest.__aexit__()

    # changes

    async def submit(self, order: Cleared) -> Sequence[f.VenueEvent]:
        """POST /v2/orders."""
        request = request_of(order)
        contract = self._contract_of(request.instrument)
        urgency = Urgency.PROTECT if request.role.reduces else Urgency.OPEN
        body = order_body(request, contract)
        raw = await self._rest.call("POST", "/v2/orders", body=body, urgency=urgency)
        taken = self._learn(_order.decode(raw))
        return [f.OrderAccepted(self._clock.now_ns(), request.client_order_id, taken.id)]

    async def cancel(self, order: CancelOrder) -> Sequence[f.VenueEvent]:
        """DELETE /v2/orders/{id}. Accepted is not cancelled: the stream tells when it is."""
        coid = order.client_order_id
        try:
            if coid not in self._ids:
                await self._by_client_id(coid)
            path = f"/v2/orders/{self._ids[coid]}"
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
        if _is_reached(known):
            told.append(f.OrderTriggered(now_ns, coid))
        told += [f.OrderFilled(now_ns, fill) for fill in await self._fills_of(known)]
        if known.status in ENDED:
            told.append(_end(known, now_ns))
        return told

    async def snapshot(self, account_id: str) -> VenueSnapshot:
        """Open orders, holdings, cash, and the newest executions."""
        asked_ns = self._clock.now_ns()
        listed = [self._learn(item) for item in await self._rest.read(_orders, "/v2/orders", OPEN_ORDERS)]
        positions = await self._rest.read(_positions, "/v2/positions")
        account = await self._rest.read(_account, "/v2/account")
        newest = await self._rest.read(_activities, "/v2/account/activities/FILL", {"page_size": str(PAGE)})
        ours = [await self._fill_of_activity(item) for item in newest]
        held = {self._key_of(item.symbol): _signed(item) for item in positions}
        waiting = {
            item.client_order_id for item in listed if item.stop_price is not None and not _is_reached(item)
        }
        orders = [self._listed(item) for item in listed]
        return VenueSnapshot(
            self._clock.now_ns(),
            account_id,
            asked_ns,
            plain=tuple(item for item in orders if item.client_order_id not in waiting),
            conditional=tuple(item for item in orders if item.client_order_id in waiting),
            positions=held,
            balances=self._balances(account, positions),
            fills=tuple(reversed(ours)),
        )

    async def ping(self) -> None:
        """GET /v2/clock."""
        await self._rest.call("GET", "/v2/clock")

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
        order, now_ns = self._learn(update.order), self._clock.now_ns()
        coid = order.client_order_id
        if self._contract_named(order.symbol) is None:
            return []
        match update.event:
            case "new" | "accepted" | "pending_new":
                return [f.OrderAccepted(now_ns, coid, order.id)]
            case "fill" | "partial_fill":
                if not (_is_amount(update.price) and _is_amount(update.qty)):
                    raise Doubtful(200, f"an execution of {update.qty} at {update.price} was told")
                fill = self._fill(order, update.qty, update.price, order.filled_qty, update.timestamp)
                return [f.OrderFilled(now_ns, fill)]
            case "canceled" | "expired" | "done_for_day":
                return [_end(order, now_ns)]
            case "rejected":
                return [f.OrderRejected(now_ns, coid, "rejected by the venue")]
            case _:
                return []

    # translation

    async def _by_client_id(self, coid: str) -> WireOrder:
        query = {"client_order_id": coid}
        # What became of an order is asked as urgently as what protects.
        path = "/v2/orders:by_client_order_id"
        return self._learn(await self._rest.read(_order, path, query, Urgency.PROTECT))

    def _learn(self, order: WireOrder) -> WireOrder:
        self._orders[order.id] = order
        self._ids[order.client_order_id] = order.id
        return order

    async def _fills_of(self, order: WireOrder) -> list[Fill]:
        """Its executions, oldest first. Raises Doubtful while the list lags behind what is filled."""
        found: list[Fill] = []
        query = {"page_size": str(PAGE)}
        seen = ZERO
        while seen < order.filled_qty:
            page = await self._rest.read(_activities, "/v2/account/activities/FILL", query)
            mine = [item for item in page if item.order_id == order.id]
            found += [self._fill_of(order, item) for item in mine]
            seen += sum((item.qty for item in mine), ZERO)
            if len(page) < PAGE:
                break
            query["page_token"] = page[-1].id
        if seen != order.filled_qty:
            raise Doubtful(200, f"{order.filled_qty} of it are filled, executions of {seen} are listed")
        return found[::-1]

    async def _fill_of_activity(self, activity: Activity) -> Fill:
        order = self._orders.get(activity.order_id)
        if order is None:
            order = self._learn(await self._rest.read(_order, f"/v2/orders/{activity.order_id}"))
        return self._fill_of(order, activity)

    def _fill_of(self, order: WireOrder, activity: Activity) -> Fill:
        return self._fill(order, activity.qty, activity.price, activity.cum_qty, activity.transaction_time)

    def _fill(
        self, order: WireOrder, quantity: Decimal, price: Decimal, total: Decimal, at: datetime | None
    ) -> Fill:
        contract = self._contract_named(order.symbol)
        side = Side.SELL if order.side.startswith("sell") else Side.BUY
        rested = order.type == "limit" and order.time_in_force != "ioc"
        came = order.created_at
        maker = rested and at is not None and came is not None and at - came >= RESTED
        fee, currency = _fee(contract, side, quantity, price, maker=maker)
        return Fill(
            trade_id=f"{order.id}:{total.normalize():f}",
            client_order_id=order.client_order_id,
            account_id=self._account_id,
            instrument=self._key_of(order.symbol),
            side=side,
            quantity=quantity,
            price=price,
            fee=fee,
            fee_currency=currency,
            liquidity=Liquidity.MAKER if maker else Liquidity.TAKER,
            at_ns=self._clock.now_ns(),
        )

    def _listed(self, order: WireOrder) -> VenueOrder:
        return VenueOrder(
            order.client_order_id,
            order.id,
            self._key_of(order.symbol),
            Side.SELL if order.side.startswith("sell") else Side.BUY,
            order.qty or ZERO,
            order.filled_qty,
            order.stop_price,
        )

    def _balances(self, account: WireAccount, positions: Sequence[WirePosition]) -> dict[str, Decimal]:
        found = {account.currency: account.cash}
        for item in positions:
            contract = self._contract_named(item.symbol)
            if contract is not None:
                found[contract.base] = _signed(item)
        return found

    def _contract_of(self, key: str) -> Instrument:
        return self._contracts[key.partition("@")[0]]

    def _contract_named(self, symbol: str) -> Instrument | None:
        """The contract of a symbol, with its slash or without."""
        return self._by_plain_name.get(symbol.replace("/", ""))

    def _key_of(self, symbol: str) -> str:
        contract = self._contract_named(symbol)
        return instrument_key(symbol, NAME) if contract is None else contract.key


def _fee(
    contract: Instrument | None, side: Side, quantity: Decimal, price: Decimal, *, maker: bool
) -> tuple[Decimal, str]:
    """What the schedule says. Crypto pays in what it receives; stocks pay none."""
    if contract is None or contract.kind is not InstrumentKind.SPOT:
        return ZERO, "USD"
    share = (contract.maker_fee_bps if maker else contract.taker_fee_bps) / BASIS_POINTS
    if side is Side.BUY and contract.fee_in_base:
        return quantity * share, contract.base
    return quantity * price * share, contract.quote


def _is_reached(order: WireOrder) -> bool:
    """Whether it is a stop that was reached. The venue does not tell; what was filled proves it."""
    return order.stop_price is not None and order.filled_qty > 0


def _end(order: WireOrder, now_ns: int) -> f.VenueEvent:
    if order.status == "expired":
        return f.OrderExpired(now_ns, order.client_order_id, order.filled_qty)
    return f.OrderCancelled(now_ns, order.client_order_id, order.status, order.filled_qty)


def _is_amount(number: Decimal | None) -> TypeGuard[Decimal]:
    """Whether something was traded of this much, or at this price."""
    return number is not None and number.is_finite() and number > 0


def _signed(position: WirePosition) -> Decimal:
    return -abs(position.qty) if position.side == "short" else position.qty


async def _authorised(socket: aiohttp.ClientWebSocketResponse) -> None:
    answer = await socket.receive()
    if answer.type not in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
        raise Doubtful(socket.close_code or 0, "the stream was closed before it answered")
    frame = _frame.decode(answer.data)
    if _authorisation.decode(frame.data).status != "authorized":
        raise VenueRefused("the venue does not know these keys, or not for this host")
