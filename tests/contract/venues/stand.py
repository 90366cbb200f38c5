"""Every venue as the contract suite meets it: adapter, the exchange behind it, and a market that is moved.

The adapters of outside venues stand before their simulators, over real sockets; the paper venue stands before
the exchange that backtests step. All of it lives in a loop whose time jumps.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from decimal import Decimal
from functools import wraps
from typing import Any, NamedTuple

import msgspec
import pytest

from neuratrade.core.model import facts as f
from neuratrade.core.model.account import Account
from neuratrade.core.model.approval import seal
from neuratrade.core.model.commands import CancelOrder, LookUpOrder
from neuratrade.core.model.instrument import Instrument, InstrumentKind
from neuratrade.core.model.market import NS_PER_SECOND, Quote
from neuratrade.core.model.orders import (
    Fill,
    OrderRequest,
    OrderRole,
    OrderType,
    Side,
    TimeInForce,
    client_order_id,
)
from neuratrade.feeds.clock import Clock
from neuratrade.rehearsal.binance_spot import KEY, SECRET
from neuratrade.rehearsal.faults import Fault, Troubles
from neuratrade.rehearsal.matching import MatchingEngine
from neuratrade.rehearsal.server import Credentials, Simulator
from neuratrade.rehearsal.stages import STAGES, MakeVenue, Stage
from neuratrade.rehearsal.warp import WarpClock, WarpLoop, run_warped
from neuratrade.venues.ccxt.exchange import Keys
from neuratrade.venues.ccxt.venue import CcxtVenue
from neuratrade.venues.paper.costs import PaperCosts
from neuratrade.venues.paper.exchange import PaperExchange
from neuratrade.venues.paper.venue import PaperVenue
from neuratrade.venues.port import Cleared, StreamOpened, Venue, clear
from tests.contract.venues.whole import FACTOR, Whole, quote_up, small, up
from tests.unit.hands.test_sender import ENVELOPE

D = Decimal
ACCOUNT = "main"
BEGIN_NS = 1_795_014_420 * NS_PER_SECOND
"""A Wednesday, 10:07 in New York: markets that close are open."""
LATER_S = 120.0
"""When plans of faults begin: the adapter is open then, and every budget is whole again."""
SETTLES_S = 3.0
"""By then all that happened was told."""
VENUES = ("paper", *(name for name in STAGES if name != "barchart"))
"""Barchart tells prices; the orders of its stage go to Tradovate."""
WHOLE = ("tradovate",)
"""Venues of whole contracts: see `whole.py`."""
RICHER = 10
"""How many times richer an account of whole contracts is here than in a play: the suite trades more."""
NO_WIRE = {"paper": "the paper venue lives in memory: no request or answer of it is lost on a wire"}
COIN = Instrument(
    "BTC/USDT", "paper", InstrumentKind.SPOT, "BTC", "USDT",
    tick=D("0.01"), lot=D("0.00001"), min_quantity=D("0.00001"), min_notional=D(5),
    maker_fee_bps=D(10), taker_fee_bps=D(10),
)  # fmt: skip
NEVER: tuple[bytes, ...] = (
    b"countdownCancelAll",
    b"CancelAllOrdersAfter",
    b"cancel-all-after",
    b"attachAlgoOrds",
    b"otoco",
)
NEVER += (b"orderList", b"order_class", b"close[", b"closePosition")
NEVER += (b"placeoso", b"placeoco", b"startorderstrategy")
"""Words of dead man's switches and of native brackets."""
Told = f.VenueEvent | StreamOpened


def on_all_venues(but: dict[str, str] | None = None) -> pytest.MarkDecorator:
    """A test that every venue passes. but: those it cannot be asked of, and why."""
    skipped = but or {}
    given = [
        pytest.param(name, marks=pytest.mark.skip(reason=skipped[name])) if name in skipped else name
        for name in VENUES
    ]
    return pytest.mark.parametrize("name", given)


def warped(test: Callable[..., Any]) -> Callable[..., None]:
    """Runs an asynchronous test on a loop whose time jumps."""

    @wraps(test)
    def run(*args: Any, **named: Any) -> None:
        run_warped(test(*args, **named))

    return run


class Asked(NamedTuple):
    """A request as the venue got it."""

    method: str
    path: str
    body: bytes

    @property
    def whole(self) -> bytes:
        """All of it."""
        return self.path.encode() + b" " + self.body


class Stand:
    """One venue. simulator: what it speaks to, None on paper. told: what stream and answers said.

    asked: all requests it got, since before the adapter was opened; a test may clear it.
    """

    def __init__(
        self,
        name: str,
        contract: Instrument,
        venue: Venue,
        clock: WarpClock,
        move: Callable[[Quote], None],
        simulator: Simulator | None = None,
        asked: list[Asked] | None = None,
    ) -> None:
        self.name = name
        self.contract = contract
        self.venue = venue
        self.clock = clock
        self.told: list[Told] = []
        self.asked: list[Asked] = [] if asked is None else asked
        self.is_lost = False
        self._move = move
        self._simulator = simulator

    @property
    def simulator(self) -> Simulator:
        """What stands for the venue."""
        assert self._simulator is not None, "nothing stands for the paper venue: it is itself"
        return self._simulator

    def sent(self, request: OrderRequest) -> OrderRequest:
        """An order as the venue gets it."""
        return up(request) if self.name in WHOLE else request

    def quote(self, bid: str, ask: str, size: str = "1000") -> None:
        """The market stands at these prices."""
        now_ns = self.clock.now_ns()
        self._move(Quote(self.contract.key, now_ns, D(bid), D(ask), D(size), D(size)))

    # what is asked of the venue

    async def submit(self, request: OrderRequest) -> None:
        """Sends an order; what the answer says goes into `told`."""
        self.told += await self.venue.submit(cleared(request))

    async def cancel(self, coid: str) -> None:
        """Asks for the end of an order."""
        self.told += await self.venue.cancel(CancelOrder(ACCOUNT, self.contract.key, coid))

    async def look_up(self, coid: str) -> Sequence[f.VenueEvent]:
        """What became of an order."""
        return await self.venue.look_up(LookUpOrder(ACCOUNT, self.contract.key, coid))

    async def own(self, quantity: str) -> None:
        """Buys at market and waits until it is told."""
        await self.submit(self.order("owned", Side.BUY, quantity))
        await self.settled()

    def order(
        self,
        leg: str,
        side: Side,
        quantity: str,
        *,
        limit: str | None = None,
        stop: str | None = None,
        force: TimeInForce = TimeInForce.GTC,
    ) -> OrderRequest:
        """An order of the type its prices make it. A sale leaves what is owned, a stop protects it."""
        kind = {
            (False, False): OrderType.MARKET, (True, False): OrderType.LIMIT,
            (False, True): OrderType.STOP, (True, True): OrderType.STOP_LIMIT,
        }[limit is not None, stop is not None]  # fmt: skip
        leaves = OrderRole.EXIT if stop is None else OrderRole.STOP
        return OrderRequest(
            client_order_id(ACCOUNT, self.name, leg, 0),
            ACCOUNT,
            self.contract.key,
            side,
            kind,
            D(quantity),
            OrderRole.ENTRY if side is Side.BUY else leaves,
            "bracket",
            time_in_force=force,
            limit_price=None if limit is None else D(limit),
            stop_price=None if stop is None else D(stop),
        )

    def protective(self, leg: str, quantity: str, stop: str = "95") -> OrderRequest:
        """A stop below the market, of a type that rests there."""
        bare = OrderType.STOP in self.venue.capabilities.order_types
        return self.order(leg, Side.SELL, quantity, stop=stop, limit=None if bare else str(D(stop) - 1))

    # what it told

    def about(self, coid: str) -> list[f.VenueEvent]:
        """All that was told of an order, in order."""
        return [item for item in self.told if not isinstance(item, StreamOpened) and name_of(item) == coid]

    def fills(self, coid: str) -> dict[str, Fill]:
        """Executions of an order that were told, by their id."""
        return fills_in(self.about(coid))

    async def settled(self) -> None:
        """Waits until all that happened was told."""
        await asyncio.sleep(SETTLES_S)

    async def trouble(self) -> None:
        """Waits until the plan of faults has begun."""
        await asyncio.sleep(max(LATER_S + 1 - (self.clock.now_ns() - BEGIN_NS) / NS_PER_SECOND, 0))

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Hears the stream into `told` until the block ends, or until it is lost by itself."""
        self.is_lost = False

        async def hear() -> None:
            # It may end or raise: both say that it is lost.
            with suppress(Exception):
                async for item in self.venue.events():
                    self.told.append(item)
            self.is_lost = True

        task = asyncio.create_task(hear())
        try:
            await self.settled()
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def cleared(request: OrderRequest) -> Cleared:
    """An order as the sender lets it pass."""
    return clear(seal(request, ENVELOPE, lambda *_: None), lambda _: None)


def name_of(event: f.VenueEvent) -> str:
    """The client id of the order that an event is about."""
    return event.fill.client_order_id if isinstance(event, f.OrderFilled) else event.client_order_id


def fills_in(events: Sequence[f.VenueEvent]) -> dict[str, Fill]:
    """Executions by their id. The same one told twice must be the same twice."""
    found: dict[str, Fill] = {}
    for event in events:
        if isinstance(event, f.OrderFilled):
            fill = msgspec.structs.replace(event.fill, at_ns=0)
            assert found.setdefault(fill.trade_id, fill) == fill
    return found


def traded(fills: dict[str, Fill]) -> Decimal:
    """How much was executed."""
    return sum((fill.quantity for fill in fills.values()), D(0))


@asynccontextmanager
async def on_stand(
    name: str,
    *plan: Fault,
    foreign: bool = False,
    dress: Callable[[Simulator], None] | None = None,
    allow_unverified: bool = False,
) -> AsyncIterator[Stand]:
    """A venue with a market of 100 to 100.1. foreign: 7 DOGE lie there. dress: changes the simulator first.

    allow_unverified: whether the key is vouched for, at the exchanges of ccxt. Whatever happens in the block,
    no dead man's switch was armed and no native bracket sent.
    """
    loop = asyncio.get_running_loop()
    assert isinstance(loop, WarpLoop)
    clock = WarpClock(loop, BEGIN_NS)
    async with AsyncExitStack() as stack:
        if name == "paper":
            stand = _on_paper(clock, foreign=foreign)
        else:
            stage = STAGES[name]()
            balances = {**stage.balances, **({"DOGE": D(7)} if foreign and name not in WHOLE else {})}
            if name in WHOLE:
                balances = {currency: amount * RICHER for currency, amount in balances.items()}
            stage = replace(stage, balances=balances)
            if allow_unverified:
                stage = replace(stage, venue=_vouched(name))
            troubles = Troubles(plan, clock.now_ns, BEGIN_NS)
            stand = await _simulated(stage, clock, troubles, stack, dress, foreign=foreign)
        stand.quote("100", "100.1")
        yield stand
        said = [(word, item) for item in stand.asked for word in NEVER if word in item.whole]
        assert said == []


def _on_paper(clock: WarpClock, *, foreign: bool) -> Stand:
    account = Account(ACCOUNT, "paper", COIN.quote)
    exchange = PaperExchange(account, {COIN.key: COIN}, D(100_000), PaperCosts())
    if foreign:
        exchange.hear(f.CashMoved(clock.now_ns(), ACCOUNT, "DOGE", D(7)))
    venue = PaperVenue(exchange, clock)
    return Stand("paper", COIN, venue, clock, venue.quote)


async def _simulated(
    stage: Stage,
    clock: WarpClock,
    troubles: Troubles,
    stack: AsyncExitStack,
    dress: Callable[[Simulator], None] | None,
    *,
    foreign: bool,
) -> Stand:
    listed = [stage.contract]
    if stage.name in WHOLE:
        listed.append(msgspec.structs.replace(stage.contract, asset="DOGEZ6", base="DOGE"))
    elif not stage.contract.is_derivative:
        # Where holdings are listed by market, one has to be listed for a holding that is not ours.
        other = stage.contract.asset.replace(stage.contract.base, "DOGE")
        listed.append(msgspec.structs.replace(stage.contract, asset=other, base="DOGE"))
    engine = MatchingEngine(listed, stage.balances, clock.now_ns, stage.matching)
    simulator = await stack.enter_async_context(stage.simulator(engine, troubles, clock.now_ns))
    asked: list[Asked] = []
    simulator.witness = lambda *request: asked.append(Asked(*request))
    if dress is not None:
        dress(simulator)
    if foreign and stage.name in WHOLE:
        _hold_another(simulator, listed[-1], clock)
    venue = await stack.enter_async_context(stage.venue(simulator, ACCOUNT, [stage.contract], clock))
    if stage.name in WHOLE:
        divided, contract = Whole(venue, cleared), small(stage.contract)
        return Stand(
            stage.name, contract, divided, clock, lambda q: engine.quote(quote_up(q)), simulator, asked
        )
    return Stand(stage.name, stage.contract, venue, clock, engine.quote, simulator, asked)


def _hold_another(simulator: Simulator, contract: Instrument, clock: WarpClock) -> None:
    """Seven of another contract are held, which nobody here traded."""
    simulator.engine.quote(Quote(contract.key, clock.now_ns(), D(1), D(1), D(1000), D(1000)))
    venue: Any = simulator
    venue.orders.place(
        {
            "action": "Buy",
            "symbol": contract.asset,
            "orderQty": int(7 * FACTOR),
            "orderType": "Market",
            "accountId": 77,
            "accountSpec": "DEMO77",
            "isAutomated": True,
        }
    )


def _vouched(name: str) -> MakeVenue:
    """The adapter of an exchange of ccxt, its key vouched for."""

    def venue(
        simulator: Simulator, account_id: str, contracts: Sequence[Instrument], clock: Clock
    ) -> AbstractAsyncContextManager[Venue]:
        keys = getattr(simulator, "credentials", Credentials(KEY, SECRET))
        given = Keys(keys.key, keys.secret, keys.passphrase)
        elsewhere = getattr(simulator, "hosts", f"127.0.0.1:{simulator.port}")
        return CcxtVenue(
            account_id, name, contracts, given, clock, elsewhere=elsewhere, allow_unverified=True
        )

    return venue
