"""Tradovate as a venue: futures, everything over one WebSocket but the login.

An order leaves once, though the venue would take the same id twice: what was sent is never sent again by this
adapter. Its answer is no acceptance; that comes with the state of the order, and so does a late refusal. An
execution is the venue's own fill, by its number, whichever way it is told; what it cost is the contract's
commission until the venue says otherwise. Stops are not changed in place, since nothing says whether the
quantity of a change counts what is filled; trailing is the desk's own. A key cannot be asked what it may do.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from decimal import Decimal

import msgspec

from neuratrade.core.model import facts as f
from neuratrade.core.model.commands import CancelOrder, LookUpOrder
from neuratrade.core.model.errors import UsageError
from neuratrade.core.model.events import VenueSnapshot
from neuratrade.core.model.instrument import Instrument, InstrumentKind
from neuratrade.core.model.orders import OrderType, TimeInForce
from neuratrade.core.model.venue_rules import VenueRules
from neuratrade.feeds.clock import Clock
from neuratrade.venues.keys import KeyCheck, admit
from neuratrade.venues.limiter import Urgency
from neuratrade.venues.port import (
    Capabilities,
    Cleared,
    NativeExit,
    StreamOpened,
    VenueRefused,
    request_of,
)
from neuratrade.venues.tradovate.backstop import Backstop, set_backstop
from neuratrade.venues.tradovate.entities import CommandResult, PlaceResult, Prop, WireAccount, WireCash
from neuratrade.venues.tradovate.errors import PROVEN, PROVEN_OF_CHANGES, Doubtful, Missing, refusal
from neuratrade.venues.tradovate.hearing import Hearing
from neuratrade.venues.tradovate.hosts import DEMO, hosts_at
from neuratrade.venues.tradovate.link import BUDGET, Link
from neuratrade.venues.tradovate.login import Credentials
from neuratrade.venues.tradovate.questions import Questions, account_of
from neuratrade.venues.tradovate.register import Register
from neuratrade.venues.tradovate.session import Note
from neuratrade.venues.tradovate.words import cancel_body, order_body

NAME = "tradovate"
RULES = VenueRules(
    stop_market=True, stop_limit=True, amends_stops=False, balance_lock=False, sells_only_what_is_held=False
)
"""A second exit of a future is not refused: it turns the position round."""
CAPABILITIES = Capabilities(
    frozenset({OrderType.MARKET, OrderType.LIMIT, OrderType.STOP, OrderType.STOP_LIMIT}),
    amends=False,
    # Nothing says how long a request may lie there unseen: with the five seconds its answer is waited for, an
    # order counts as absent after ten at the earliest.
    settle_s=5.0,
    times_in_force=frozenset({TimeInForce.GTC, TimeInForce.IOC}),
    native_exits=frozenset({NativeExit.BRACKET, NativeExit.OCO, NativeExit.ONE_LEG}),
    rate=BUDGET,
)
LOOK_AFTER_S = 1.0
"""How long what was told of an order may be incomplete before it is looked at."""

Told = f.VenueEvent | None


class TradovateVenue:
    """One account at Tradovate, in `async with`. contracts: what is traded. base: scheme and host.

    account: its name there, where the login has more than one. backstop: limits the venue itself keeps to,
    set and read back on entry. note: told of troubles that end nothing. allow_unverified: whether the key is
    taken though nobody can say what it may do.

    Raises Refused without that, and for a host that trades money; on entry UsageError for a login or a
    contract that cannot be used, Refused for an account that may not trade.
    """

    capabilities = CAPABILITIES
    key_check = KeyCheck.UNVERIFIED

    def __init__(
        self,
        account_id: str,
        contracts: Sequence[Instrument],
        credentials: Credentials,
        clock: Clock,
        base: str = DEMO,
        *,
        account: str | None = None,
        backstop: Backstop | None = None,
        note: Note = lambda _: None,
        allow_unverified: bool = False,
    ) -> None:
        hosts = hosts_at(base)
        admit(NAME, self.key_check, "it cannot be asked there", allow_unverified=allow_unverified)
        for contract in contracts:
            if contract.kind is not InstrumentKind.FUTURE:
                raise UsageError(f"Tradovate trades futures only: {contract.key} is none")
        self._account_id = account_id
        self._by_key = {item.key: item for item in contracts}
        self._wanted_account = account
        self._backstop = backstop
        self._clock = clock
        self._link = Link(hosts, credentials, clock, self._hear, note)
        self._numbers: dict[int, Instrument] = {}
        self._sent: set[str] = set()
        self._listener: asyncio.Queue[Told] | None = None
        self._looking: dict[int, asyncio.Task[None]] = {}
        self._account: WireAccount
        self._register: Register | None = None
        self._hearing: Hearing
        self._questions: Questions

    async def __aenter__(self) -> "TradovateVenue":
        await self._link.__aenter__()
        try:
            await self._begin()
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        looking = list(self._looking.values())
        for task in looking:
            task.cancel()
        await asyncio.gather(*looking, return_exceptions=True)
        await self._link.__aexit__()

    @property
    def hostile(self) -> dict[str, int]:
        """What came that made no sense, by kind, and entities of kinds nobody knows."""
        return {**self._link.hostile.counts, **self._hearing.unknown}

    async def _begin(self) -> None:
        ask = self._link.ask
        self._account = await account_of(ask, self._wanted_account)
        register = Register(self._account.id)
        self._questions = Questions(ask, register, self._account_id, self._numbers, self._clock)
        for contract in self._by_key.values():
            self._numbers[await self._questions.contract_number(contract.asset)] = contract
        self._hearing = Hearing(register, self._numbers, self._account_id, self._clock, self._look_later)
        self._register = register
        if self._backstop is not None:
            await set_backstop(ask, self._account.id, self._backstop)

    # changes

    async def submit(self, order: Cleared) -> Sequence[f.VenueEvent]:
        """`order/placeorder`. Its number proves nothing: what the venue makes of it comes by the stream."""
        request = request_of(order)
        coid = request.client_order_id
        body = order_body(request, self._by_key[request.instrument], self._account)
        if coid in self._sent:
            raise Doubtful(f"{coid} was sent before: it is looked up, not sent again")
        urgency = Urgency.PROTECT if request.role.reduces else Urgency.OPEN
        raw = await self._link.ask(
            "order/placeorder", body=body, urgency=urgency, leaving=lambda: self._sent.add(coid)
        )
        told = msgspec.json.decode(raw, type=PlaceResult)
        if told.order_id:
            self._registered.name(told.order_id, coid)
            self._pass_on(self._hearing.named(told.order_id))
            return []
        raise refusal(told.failure_reason or "no reason", told.failure_text, PROVEN)

    async def cancel(self, order: CancelOrder) -> Sequence[f.VenueEvent]:
        """`order/cancelorder`. Taken is not done: the stream tells when it is. Too late proves no fill."""
        number = await self._questions.number_of(order.client_order_id, Urgency.PROTECT)
        if number is None:
            raise VenueRefused(f"the venue has no order {order.client_order_id}")
        try:
            raw = await self._link.ask("order/cancelorder", body=cancel_body(number), urgency=Urgency.PROTECT)
        except Missing as missing:
            raise VenueRefused(str(missing)) from missing
        told = msgspec.json.decode(raw, type=CommandResult)
        if told.failure_reason and told.failure_reason != "Success":
            raise refusal(told.failure_reason, told.failure_text, PROVEN_OF_CHANGES)
        return []

    async def amend(self, order: Cleared, quantity: Decimal, stop_price: Decimal) -> Sequence[f.VenueEvent]:
        """Refused: nothing says whether the quantity of a change counts what is filled already."""
        raise VenueRefused("not sent: stops are replaced at Tradovate, not changed in place")

    # questions

    async def look_up(self, order: LookUpOrder) -> Sequence[f.VenueEvent]:
        """The command that has our id, the order it made, its terms and its fills."""
        # What became of an order is asked as urgently as what protects.
        number = await self._questions.number_of(order.client_order_id, Urgency.PROTECT)
        if number is None:
            return [f.OrderNotFound(self._clock.now_ns(), order.client_order_id)]
        return await self._questions.look_at(number, order.client_order_id, Urgency.PROTECT)

    async def snapshot(self, account_id: str) -> VenueSnapshot:
        """Orders and their terms, positions, money, and all fills the venue still lists."""
        return await self._questions.snapshot(account_id)

    async def money(self) -> WireCash:
        """Cash, margin, open and realised profit, US dollars."""
        return await self._questions.money()

    async def ping(self) -> None:
        """`account/list`. Raises Refused once the account may not trade any more."""
        await account_of(self._link.ask, self._account.name)

    # the stream

    async def events(self) -> AsyncIterator[f.VenueEvent | StreamOpened]:
        """What the connection tells from now on. Raises when it is lost; it is silent for 10 s at most."""
        queue: asyncio.Queue[Told] = asyncio.Queue()
        session = await self._link.session()
        self._listener = queue
        session.ended.add_done_callback(lambda _: queue.put_nowait(None))
        try:
            yield StreamOpened()
            while (event := await queue.get()) is not None:
                yield event
        finally:
            if self._listener is queue:
                self._listener = None
        raise Doubtful(f"the stream was lost: {session.ended.result()}")

    @property
    def _registered(self) -> Register:
        if self._register is None:
            raise RuntimeError("the adapter is not open: use it in `async with`")
        return self._register

    def _hear(self, prop: Prop) -> None:
        # Before it is open nobody knows which account and contracts are meant; all of it is asked for then.
        if self._register is not None:
            self._pass_on(self._hearing.take(prop))

    def _pass_on(self, events: Sequence[f.VenueEvent]) -> None:
        if self._listener is not None:
            for event in events:
                self._listener.put_nowait(event)

    def _look_later(self, number: int) -> None:
        """Has an order looked at soon, unless what is told meanwhile says it all."""
        if number not in self._looking and self._listener is not None:
            task = asyncio.create_task(self._look(number))
            self._looking[number] = task
            task.add_done_callback(lambda _: self._looking.pop(number, None))

    async def _look(self, number: int) -> None:
        await self._clock.sleep(LOOK_AFTER_S)
        if self._hearing.is_settled(number):
            return
        # Whatever keeps it from being answered: the desk asks by itself for what it is owed.
        try:
            coid = await self._questions.name_of(number, Urgency.PROTECT)
            self._pass_on(self._hearing.named(number))
            if coid:
                self._pass_on(await self._questions.look_at(number, coid, Urgency.PROTECT))
        except Exception as error:  # noqa: BLE001 - see above
            self._link.hostile.met(f"no answer about an order ({type(error).__name__})")
