"""An exchange of ccxt as a venue: its unmodified class signs, words and reads; what may be concluded is here.

An order leaves once, and what is not proven to have failed is unknown. An execution carries the venue's own
number, by stream, look-up and snapshot alike. Amounts and prices are strings all the way, and an order that
ccxt would round is not sent. What this exchange cannot do is said by its dialect (`dialects.py`).
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import TypeVar

from neuratrade.core.model import facts as f
from neuratrade.core.model.commands import CancelOrder, LookUpOrder
from neuratrade.core.model.decimals import ZERO
from neuratrade.core.model.errors import Refused, UsageError
from neuratrade.core.model.events import VenueOrder, VenueSnapshot
from neuratrade.core.model.instrument import Instrument, instrument_key
from neuratrade.core.model.market import NS_PER_HOUR, NS_PER_MINUTE
from neuratrade.core.model.orders import Fill, OrderRequest
from neuratrade.core.model.venue_rules import VenueRules
from neuratrade.feeds.clock import Clock
from neuratrade.venues.ccxt import words
from neuratrade.venues.ccxt.dialect import Asked, Dialect, Lists, Permissions
from neuratrade.venues.ccxt.dialects import dialect_of
from neuratrade.venues.ccxt.errors import Doubtful, Missing, judged, kinds_of
from neuratrade.venues.ccxt.exchange import (
    NS_PER_MS,
    Exchange,
    Keys,
    Order,
    Trade,
    make_exchange,
    own_numbers,
)
from neuratrade.venues.ccxt.markets import MarketsRead, contracts_of, number, symbol_of
from neuratrade.venues.ccxt.stream import PrivateStream
from neuratrade.venues.ccxt.wire import Elsewhere, Wire, watched
from neuratrade.venues.keys import KeyCheck, admit, checked
from neuratrade.venues.limiter import Limiter, Urgency
from neuratrade.venues.port import (
    Capabilities,
    Cleared,
    StreamOpened,
    TooManyRequests,
    VenueRefused,
    request_of,
)

FIRST_LOOK_BACK_NS = 24 * NS_PER_HOUR
OVERLAP_NS = 10 * NS_PER_MINUTE
PAGE = 500
FEW = 3
UNNAMED = ""

T = TypeVar("T")


class CcxtVenue:
    """One account at one exchange, in `async with`. contracts: what is traded there.

    elsewhere: where its hosts are found instead, for a rehearsal (see `Wire`). sandbox: the venue's own.
    allow_unverified: whether a key is taken of which nobody can say what it may do. On entry raises
    UsageError for an exchange or a contract that cannot be used, Refused for a key that may withdraw, or that
    is unknown, and for a host that trades money.
    """

    def __init__(
        self,
        account_id: str,
        name: str,
        contracts: Sequence[Instrument],
        keys: Keys,
        clock: Clock,
        *,
        elsewhere: Elsewhere | None = None,
        sandbox: bool = False,
        allow_unverified: bool = False,
    ) -> None:
        self._account_id = account_id
        self._name = name
        self._contracts = {item.key: item for item in contracts}
        self._keys = keys
        self._clock = clock
        self._elsewhere = elsewhere
        self._sandbox = sandbox
        self._allow_unverified = allow_unverified
        self._dialect: Dialect = dialect_of(name)
        self._limiter = Limiter(self._dialect.budget, clock)
        # Where none may overtake another, a call waits for its turn before the one it must not overtake.
        inside = None if self._dialect.one_at_a_time else self._limiter
        self._wire = Wire(elsewhere, trades=True, limiter=inside, weigh=self._dialect.weigh)
        self._exchange: Exchange
        self._symbols: dict[str, str] = {}
        self._keys_of: dict[str, str] = {}
        self._coids: dict[str, str] = {}
        self._ids: dict[str, str] = {}
        self._accepted: set[str] = set()
        self._triggered: set[str] = set()
        self._looked_ns = 0
        self._clock_is_off = False
        self._turn = asyncio.Lock()
        self.markets: MarketsRead
        self.permissions = Permissions(None, "not asked yet")

    @property
    def capabilities(self) -> Capabilities:
        """As its dialect has them."""
        return self._dialect.capabilities

    @property
    def key_check(self) -> KeyCheck:
        """What the exchange said of the key when the adapter was opened."""
        return checked(self.permissions.may_withdraw)

    @property
    def rules(self) -> VenueRules:
        """How brackets are kept there."""
        return self._dialect.rules

    async def __aenter__(self) -> "CcxtVenue":
        await self._wire.__aenter__()
        try:
            await self._begin()
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        exchange = getattr(self, "_exchange", None)
        if exchange is not None:
            await exchange.close()
        await self._wire.close()

    async def _begin(self) -> None:
        with own_numbers():
            self._exchange = self._made(self._wire)
        objection = self._dialect.objection(self._exchange)
        if objection is not None:
            raise UsageError(f"no desk can be run at {self._name}: {objection}")
        await self._read_markets()
        self._clock_is_off = bool(self._exchange.has.get("fetchTime"))
        self.permissions = await self._asked_permissions()
        admit(self._name, self.key_check, self.permissions.detail, allow_unverified=self._allow_unverified)

    async def _asked_permissions(self) -> Permissions:
        try:
            return await self._ask(lambda: self._dialect.permissions(self._exchange))
        except Doubtful as doubt:
            # Sandboxes lack the endpoints that would tell.
            if isinstance(doubt.__cause__, Exception) and "NotSupported" in kinds_of(doubt.__cause__):
                return Permissions(None, str(doubt))
            raise

    def _made(self, wire: Wire) -> Exchange:
        made = make_exchange(self._name, wire, self._clock, self._keys, self._dialect.options)
        if self._sandbox:
            if not made.urls.get("test"):
                raise UsageError(f"{self._name} has no sandbox that ccxt knows: rehearse instead")
            made.set_sandbox_mode(True)
        return made

    async def _read_markets(self) -> None:
        at_ns = self._clock.now_ns()
        markets = await self._ask(self._exchange.load_markets)
        bases: dict[str, str] = {}
        for key, contract in self._contracts.items():
            symbol = symbol_of(contract, markets)
            if symbol is None:
                raise UsageError(f"{self._name} has no market {contract.asset} of kind {contract.kind.value}")
            other = bases.setdefault(contract.base, key) if not contract.is_derivative else key
            if other != key:
                raise UsageError(
                    f"{other} and {key} share one holding of {contract.base}: one of them can be traded here"
                )
            self._symbols[key] = symbol
            self._keys_of[symbol] = key
        fee_in_base = self._dialect.fee_in_base
        self.markets = contracts_of(markets, self._name, at_ns, fee_in_base=fee_in_base)

    # changes

    async def submit(self, order: Cleared) -> Sequence[f.VenueEvent]:
        """One order, sent once."""
        request = request_of(order)
        contract = self._contracts[request.instrument]
        symbol = self._symbols[request.instrument]
        asked = self._worded(request, contract, symbol)
        amount = words.text(request.quantity)
        urgency = Urgency.PROTECT if request.role.reduces else Urgency.OPEN
        taken = await self._call(
            lambda: self._exchange.create_order(
                symbol, asked.type, request.side.value, amount, asked.price, asked.params
            ),
            asks=False,
            urgency=urgency,
        )
        now_ns, coid = self._clock.now_ns(), request.client_order_id
        self._learn(taken, coid)
        told: list[f.VenueEvent] = [f.OrderAccepted(now_ns, coid, str(taken.get("id") or ""))]
        self._accepted.add(coid)
        if self._dialect.answers_fills:
            told += self._told_at_once(taken, coid, contract, now_ns)
        return told

    def _worded(self, request: OrderRequest, contract: Instrument, symbol: str) -> Asked:
        """The order in ccxt's words. Raises VenueRefused for one that would not arrive as it is."""
        try:
            asked = self._dialect.ask(request, contract)
            with own_numbers():
                self._check_digits(symbol, request)
        except Exception as error:
            raise VenueRefused(f"not sent: {error}") from error
        return asked

    def _check_digits(self, symbol: str, request: OrderRequest) -> None:
        rounded = Decimal(self._exchange.amount_to_precision(symbol, words.text(request.quantity)))
        if rounded != request.quantity:
            raise ValueError(f"{request.quantity} is off the grid of {symbol}: it would leave as {rounded}")
        for price in (request.limit_price, request.stop_price):
            if price is not None:
                rounded = Decimal(self._exchange.price_to_precision(symbol, words.text(price)))
                if rounded != price:
                    raise ValueError(f"{price} is off the grid of {symbol}: it would leave as {rounded}")

    def _told_at_once(self, taken: Order, coid: str, contract: Instrument, now_ns: int) -> list[f.VenueEvent]:
        """Executions in the answer itself, and the end where they add up to it."""
        filler = {"side": taken.get("side"), "timestamp": taken.get("timestamp")}
        trades = [{**trade, **filler} for trade in taken.get("trades") or ()]
        told: list[f.VenueEvent] = [
            f.OrderFilled(now_ns, self._fill(trade, coid, contract)) for trade in trades
        ]
        if words.is_over(taken) and words.traded(trades) == words.filled_of(taken):
            told.append(words.end_of(taken, coid, now_ns))
        return told

    async def cancel(self, order: CancelOrder) -> Sequence[f.VenueEvent]:
        """Its end, where the answer proves it."""
        coid, symbol = order.client_order_id, self._symbols[order.instrument]
        gone = await self._call(
            lambda: self._dialect.cancel(self._exchange, symbol, coid, self._ids.get(coid)),
            asks=False,
            urgency=Urgency.PROTECT,
        )
        proven = gone.get("status") == "canceled" and words.filled_of(gone) is not None
        return [words.end_of(gone, coid, self._clock.now_ns())] if proven else []

    async def amend(self, order: Cleared, quantity: Decimal, stop_price: Decimal) -> Sequence[f.VenueEvent]:
        """Refused: stops are replaced here."""
        raise VenueRefused("not sent: no order is changed in place through ccxt")

    # questions

    async def look_up(self, order: LookUpOrder) -> Sequence[f.VenueEvent]:
        """The order by our id and its executions."""
        coid, contract = order.client_order_id, self._contracts[order.instrument]
        symbol = self._symbols[order.instrument]
        try:
            found = await self._ask(
                lambda: self._dialect.find(self._exchange, symbol, coid), urgency=Urgency.PROTECT
            )
        except Missing:
            found = None
        now_ns = self._clock.now_ns()
        if found is None:
            return [f.OrderNotFound(now_ns, coid)]
        self._learn(found, coid)
        if found.get("status") == "rejected" and not words.filled_of(found):
            return [words.end_of(found, coid, now_ns)]
        fills = await self._fills_of(found, coid, symbol, contract)
        self._accepted.add(coid)
        told: list[f.VenueEvent] = [f.OrderAccepted(now_ns, coid, str(found["id"]))]
        if self._dialect.is_triggered(found):
            told.append(f.OrderTriggered(now_ns, coid))
        told += [f.OrderFilled(now_ns, fill) for fill in fills]
        if words.is_over(found):
            told.append(words.end_of(found, coid, now_ns))
        return told

    async def _fills_of(self, found: Order, coid: str, symbol: str, contract: Instrument) -> list[Fill]:
        """Its executions. Raises Doubtful while they do not add up to what the venue says was filled."""
        filled = words.filled_of(found) or ZERO
        if not filled:
            return []
        trades = await self._ask(
            lambda: self._dialect.executions(self._exchange, symbol, found), urgency=Urgency.PROTECT
        )
        seen = words.traded(trades)
        if seen < filled or (words.is_over(found) and seen != filled):
            raise Doubtful(f"{filled} of {coid} are filled, executions of {seen} are listed")
        return [self._fill(trade, coid, contract) for trade in trades]

    async def snapshot(self, account_id: str) -> VenueSnapshot:
        """Both lists of orders, holdings, money, and the executions since shortly before the last look."""
        asked_ns = self._clock.now_ns()
        symbols = list(self._keys_of)
        lists: Lists = await self._ask(lambda: self._dialect.open_orders(self._exchange, symbols))
        totals = await self._totals()
        positions, costs = await self._positions(totals)
        since_ns = (self._looked_ns - OVERLAP_NS) if self._looked_ns else asked_ns - FIRST_LOOK_BACK_NS
        fills = [fill for symbol in symbols for fill in await self._recent(symbol, since_ns)]
        self._looked_ns = asked_ns
        return VenueSnapshot(
            self._clock.now_ns(),
            account_id,
            asked_ns,
            plain=tuple(self._listed(order) for order in lists.plain),
            conditional=None
            if lists.conditional is None
            else tuple(self._listed(order) for order in lists.conditional),
            positions=positions,
            costs=costs,
            balances=totals,
            fills=tuple(fills),
        )

    async def _totals(self) -> dict[str, Decimal]:
        told = (await self._ask(self._exchange.fetch_balance)).get("total") or {}
        found = {str(currency): number(total) for currency, total in told.items()}
        return {currency: total for currency, total in found.items() if total}

    async def _positions(
        self, totals: Mapping[str, Decimal]
    ) -> tuple[dict[str, Decimal], dict[str, Decimal] | None]:
        """Signed units by instrument: owned bases, and derivatives of the whole account.

        And what derivatives were entered at, None where the venue does not say.
        """
        held = {
            key: totals.get(contract.base, ZERO)
            for key, contract in self._contracts.items()
            if not contract.is_derivative
        }
        costs: dict[str, Decimal] = {}
        told = True
        if any(contract.is_derivative for contract in self._contracts.values()):
            for item in await self._ask(self._exchange.fetch_positions):
                size = abs(number(item.get("contracts")) or ZERO)
                key, entry = self._key_of(str(item["symbol"])), number(item.get("entryPrice"))
                signed = -size if item.get("side") == "short" else size
                held[key] = held.get(key, ZERO) + signed
                contract = self._contracts.get(key)
                if contract is not None and entry is not None:
                    costs[key] = costs.get(key, ZERO) + signed * entry * contract.multiplier
                else:
                    told = told and not size
        return held, costs if told else None

    async def _recent(self, symbol: str, since_ns: int) -> list[Fill]:
        """Executions since a time, oldest first, each with the id we gave its order."""
        since_ms, found = since_ns // NS_PER_MS, dict[str, Trade]()
        while True:
            page = await self._ask(partial(self._exchange.fetch_my_trades, symbol, since_ms, PAGE))
            new = [trade for trade in page if str(trade.get("id")) not in found]
            found |= {str(trade["id"]): trade for trade in new}
            if len(page) < PAGE or not new:
                break
            since_ms = max(int(trade["timestamp"]) for trade in new)
        unknown = {str(trade.get("order")) for trade in found.values()} - self._coids.keys()
        if len(unknown) > FEW and self._exchange.has.get("fetchOrders"):
            begin_ms = since_ns // NS_PER_MS
            for order in await self._ask(partial(self._exchange.fetch_orders, symbol, begin_ms, PAGE)):
                self._learn(order, self._dialect.client_id(order))
        contract = self._contracts[self._keys_of[symbol]]
        return [self._fill(trade, await self._coid_of(trade, symbol), contract) for trade in found.values()]

    async def ping(self) -> None:
        """The time there, or its state where it has no clock."""
        asks_time = bool(self._exchange.has.get("fetchTime"))
        await self._ask(self._exchange.fetch_time if asks_time else self._exchange.fetch_balance)

    # the stream

    async def events(self) -> AsyncIterator[f.VenueEvent | StreamOpened]:
        """Orders and executions as they come. Raises when the stream is refused, lost or answers no ping."""
        stream = PrivateStream(self._made, self._elsewhere, self._dialect, self._exchange)
        async with stream:
            await stream.stands()
            yield StreamOpened()
            while True:
                what, items = await stream.next()
                for item in items:
                    for event in await (
                        self._heard_trade(item) if what == "trades" else self._heard_order(item)
                    ):
                        yield event

    async def _heard_order(self, order: Order) -> list[f.VenueEvent]:
        order = self._dialect.heard(order)
        known = self._coids.get(str(order.get("id")), UNNAMED)
        coid = self._dialect.client_id(order) or known
        if not coid or not (known or str(order.get("symbol")) in self._keys_of):
            return []
        self._learn(order, coid)
        now_ns = self._clock.now_ns()
        told: list[f.VenueEvent] = []
        if coid not in self._accepted and order.get("status") != "rejected":
            self._accepted.add(coid)
            told.append(f.OrderAccepted(now_ns, coid, str(order.get("id") or "")))
        if coid not in self._triggered and self._dialect.is_triggered(order):
            self._triggered.add(coid)
            told.append(f.OrderTriggered(now_ns, coid))
        if words.is_over(order):
            told.append(words.end_of(order, coid, now_ns))
        return told

    async def _heard_trade(self, trade: Trade) -> list[f.VenueEvent]:
        symbol = str(trade.get("symbol"))
        if symbol not in self._keys_of:
            return []
        coid = await self._coid_of(trade, symbol)
        contract = self._contracts[self._keys_of[symbol]]
        fill = self._fill(trade, coid, contract)
        return [f.OrderFilled(self._clock.now_ns(), fill)]

    # translation

    def _fill(self, trade: Trade, coid: str, contract: Instrument) -> Fill:
        return words.fill_of(self._dialect.with_fee(trade), coid, self._account_id, contract)

    async def _coid_of(self, trade: Trade, symbol: str) -> str:
        """The id we gave the order of an execution; empty where the venue knows none."""
        order_id = str(trade.get("order") or "")
        known = self._coids.get(order_id) or self._dialect.client_id_of(trade)
        if known is not None or not order_id:
            return known or UNNAMED
        try:
            order = await self._ask(lambda: self._exchange.fetch_order(order_id, symbol, {}))
        except Missing:
            return UNNAMED
        coid = self._dialect.client_id(order)
        self._learn(order, coid)
        return coid

    def _learn(self, order: Order, coid: str) -> None:
        order_id = order.get("id")
        if order_id:
            self._coids[str(order_id)] = coid
            if coid:
                self._ids[coid] = str(order_id)

    def _listed(self, order: Order) -> VenueOrder:
        coid = self._dialect.client_id(order)
        self._learn(order, coid)
        return words.listed(order, coid, self._key_of(str(order["symbol"])))

    def _key_of(self, symbol: str) -> str:
        return self._keys_of.get(symbol) or instrument_key(symbol, self._name)

    # calls

    async def _ask(self, make: Callable[[], Awaitable[T]], urgency: Urgency = Urgency.ASK) -> T:
        """A question. What became of an order is asked as urgently as what protects."""
        return await self._call(make, asks=True, urgency=urgency)

    async def _call(self, make: Callable[[], Awaitable[T]], *, asks: bool, urgency: Urgency) -> T:
        """A call of ccxt's. Raises what its error proves, never the error itself."""
        with own_numbers(), watched(asks=asks, urgency=urgency) as sent:
            try:
                # Before it is signed: a request that waits with its time in it is too old when it arrives.
                await self._limiter.turn(urgency)
                sent.has_turn, sent.paid = True, 1
                if not self._dialect.one_at_a_time:
                    return await self._made_on_time(make)
                async with self._turn:
                    return await self._made_on_time(make)
            except Refused as refused:
                if asks:
                    raise
                raise VenueRefused(f"not sent: {refused}") from refused
            except Exception as error:
                self._clock_is_off = self._clock_is_off or "InvalidNonce" in kinds_of(error)
                proven = judged(error, sent, self._dialect.doubtful_codes)
                if isinstance(proven, TooManyRequests):
                    self._limiter.told_too_many(proven.retry_after_s)
                raise proven from error

    async def _made_on_time(self, make: Callable[[], Awaitable[T]]) -> T:
        if self._clock_is_off:
            await self._set_clock()
        return await make()

    async def _set_clock(self) -> None:
        """Measures how far the venue's clock is off, after it refused ours."""
        await self._exchange.load_time_difference()
        self._clock_is_off = False
