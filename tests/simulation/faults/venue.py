"""A venue with its own truth, and wires that garble what it says.

It matches orders against true prices, keeps executions, positions and cash, and is believed by the judge.
Between it and the desk lie delays, losses, doubles, refusals, unknown answers, corrections, liquidations
and changes of order ids. Nothing here reads the desk's state.
"""

import heapq
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from itertools import count

import msgspec

from neuratrade.core.engine.state import DeskState
from neuratrade.core.model import events as e
from neuratrade.core.model import facts as f
from neuratrade.core.model.account import Account, PositionMode
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.intent import Direction
from neuratrade.core.model.market import NS_PER_MS, NS_PER_SECOND, Bar, Quote, Trade
from neuratrade.core.model.orders import (
    Fill,
    Liquidity,
    OrderRequest,
    OrderRole,
    OrderType,
    Side,
    TimeInForce,
)
from neuratrade.core.model.venue_rules import VenueRules
from tests.simulation.faults.kinds import Fault

ZERO = Decimal(0)
BPS = Decimal(10_000)
CATCH_UP_NS = 6 * NS_PER_SECOND
Note = Callable[[Fault, str], None]


class BrokenPromise(AssertionError):
    """The desk broke an invariant, or did what a venue must never see."""


@dataclass(slots=True)
class Execution:
    """One execution in truth; corrected terms replace the first ones. told: the desk knows these terms."""

    fill: Fill
    quantity: Decimal
    price: Decimal
    fee: Decimal
    told: bool = False
    corrected: bool = False


@dataclass(slots=True)
class Order:
    """One order in truth. withheld: words about it that a fault keeps from the desk.

    missed_ns, denied: when the desk first read that it is not there, and whether it read so again later.
    phantom: it came all the same, and the desk has not read so yet.
    """

    request: OrderRequest
    vid: str
    quantity: Decimal
    stop_price: Decimal | None
    arrived: bool = False
    live: bool = False
    triggered: bool = False
    end: str = ""
    filled: Decimal = ZERO
    executions: dict[str, Execution] = field(default_factory=dict)
    withheld: set[int] = field(default_factory=set)
    newest_told: int = 0
    missed_ns: int | None = None
    denied: bool = False
    phantom: bool = False
    shrunk: bool = False
    growing: Decimal = ZERO

    @property
    def remaining(self) -> Decimal:
        return self.quantity - self.filled

    @property
    def coid(self) -> str:
        return self.request.client_order_id

    @property
    def bracket_id(self) -> str:
        return self.request.bracket_id

    @property
    def may_still_fill(self) -> Decimal:
        """What it may yet fill: resting, or on its way to the venue."""
        if self.live:
            return max(self.quantity, self.growing) - self.filled
        return self.quantity if not self.arrived and not self.end else ZERO


@dataclass(slots=True)
class Holding:
    """What a bracket holds in truth, in its own direction; excess: by how much its exits may exceed that."""

    direction: Direction
    instrument: str
    held: Decimal = ZERO
    entered: Decimal = ZERO
    excess: Decimal = ZERO
    orders: list[Order] = field(default_factory=list)


@dataclass(slots=True)
class Temper:
    """How unkind a world is: probabilities by fault."""

    chances: dict[Fault, float]
    latency_ms: int

    def strikes(self, fault: Fault, rng: random.Random) -> bool:
        chance = self.chances.get(fault, 0.0)
        return chance > 0 and rng.random() < chance


class FaultyVenue:
    """Stands where the paper exchange stands. note is told of every fault that struck, with its bracket."""

    def __init__(
        self,
        account: Account,
        instruments: dict[str, Instrument],
        rules: VenueRules,
        temper: Temper,
        rng: random.Random,
        note: Note,
    ) -> None:
        self.account = account
        self.instruments = instruments
        self.rules = rules
        self.temper = temper
        self.orders: dict[str, Order] = {}
        self.holdings: dict[str, Holding] = {}
        self.live: dict[str, list[Order]] = {key: [] for key in instruments}
        self.touched: set[str] = set()
        self.positions: dict[str, Decimal] = {}
        self.cash: dict[str, Fraction] = {}
        self.executions: dict[str, Execution] = {}
        self.liquidations: dict[str, Fill] = {}
        self.listening = True
        self.now_ns = 0
        self.skew_ns = 0
        self.latched: set[str] = set()
        self.owed: set[str] = set()
        self.fee_currency: str | None = None
        self._prices: dict[str, tuple[Decimal, Decimal]] = {}
        self._rng = rng
        self._note = note
        self._queue: list[tuple[int, int, Callable[[], e.Event | None]]] = []
        self._numbers = count(1)
        self._names = count(1)
        self._epoch = "A"

    # as the desk sees it

    @property
    def next_due_ns(self) -> int | None:
        return self._queue[0][0] if self._queue else None

    def run_next(self) -> e.Event | None:
        due_ns, _, act = heapq.heappop(self._queue)
        self.now_ns = max(self.now_ns, due_ns)
        return act()

    def see_quote(self, quote: Quote) -> None:
        """What the desk is shown is not what is true here: see `trade_at`."""

    def see_trade(self, trade: Trade) -> None:
        """Nothing."""

    def open_bar(self, bar: Bar) -> None:
        """Nothing: this world has no bars."""

    def hear(self, fact: f.Fact) -> None:
        """Nothing: no contract changes in this world, and money comes only by trade."""

    def submit(self, request: OrderRequest, now_ns: int) -> None:
        """An order left the desk."""
        coid = request.client_order_id
        if coid in self.orders:
            raise BrokenPromise(f"1: order {coid} was sent as new a second time")
        order = Order(request, "", request.quantity, request.stop_price)
        self.orders[coid] = order
        holding = self.holdings.get(request.bracket_id)
        if holding is None:
            holding = Holding(request.direction, request.instrument)
            self.holdings[request.bracket_id] = holding
        holding.orders.append(order)
        self.touched.add(request.bracket_id)
        late_ms = self._latency_ms()
        rng, strikes = self._rng, self.temper.strikes
        if strikes(Fault.UNKNOWN_NOT_TAKEN, rng):
            order.end = "never came"
            self._unknown(order, Fault.UNKNOWN_NOT_TAKEN, now_ns)
            return
        if strikes(Fault.UNKNOWN_TAKEN, rng):
            self._unknown(order, Fault.UNKNOWN_TAKEN, now_ns)
        elif strikes(Fault.UNKNOWN_LATE, rng):
            late_ms = rng.choice((1500, 3000, 6000, 15000))
            self._unknown(order, Fault.UNKNOWN_LATE, now_ns)
            order.withheld.add(-1)
        self._at(now_ns + late_ms * NS_PER_MS, lambda: self._arrive(order))

    def cancel(self, coid: str, now_ns: int) -> None:
        self._request(coid, now_ns, self._cancel)

    def amend(self, coid: str, quantity: Decimal, stop_price: Decimal, now_ns: int) -> None:
        order = self.orders.get(coid)
        if order is not None:
            order.growing = max(order.growing, quantity)
            self.touched.add(order.bracket_id)
        self._request(coid, now_ns, lambda found: self._amend(found, quantity, stop_price))

    def look_up(self, coid: str, now_ns: int) -> None:
        order = self.orders.get(coid)
        if order is not None and self.temper.strikes(Fault.LOOK_UP_LOST, self._rng):
            order.withheld.add(0)
            self._note(Fault.LOOK_UP_LOST, order.bracket_id)
            return
        self._at(now_ns + self._latency_ms() * NS_PER_MS, lambda: self._answer_look_up(coid))

    def take_snapshot(self, now_ns: int) -> None:
        asked_ns = now_ns
        self._at(now_ns + self._latency_ms() * NS_PER_MS, lambda: self._take_snapshot(asked_ns))

    # wires

    def _latency_ms(self) -> int:
        return self._rng.randrange(5, self.temper.latency_ms + 6)

    def _at(self, due_ns: int, act: Callable[[], e.Event | None]) -> None:
        heapq.heappush(self._queue, (max(due_ns, self.now_ns), next(self._numbers), act))

    def _say(self, order: Order, word: f.VenueEvent, extra_ms: int = 0) -> None:
        """Sends a word about an order, garbled as this world garbles."""
        rng, strikes = self._rng, self.temper.strikes
        number = next(self._numbers)
        is_fill = isinstance(word, f.OrderFilled)
        late = Fault.FILL_DELAYED if is_fill else Fault.ACK_DELAYED
        due_ns = self.now_ns + (self._latency_ms() + extra_ms) * NS_PER_MS
        fault = None
        if strikes(late, rng):
            fault = late
            order.withheld.add(number)
            due_ns += rng.choice((300, 1000, 3000, 8000)) * NS_PER_MS
        doubled = Fault.FILL_DOUBLED if is_fill else Fault.ACK_DOUBLED
        if strikes(doubled, rng):
            again_ns = due_ns + rng.choice((0, 50, 2000, 9000)) * NS_PER_MS
            self._at(again_ns, lambda: self._deliver(order, word, number, doubled, may_drop=False))
        self._at(due_ns, lambda: self._deliver(order, word, number, fault))

    def _deliver(
        self, order: Order, word: f.VenueEvent, number: int, fault: Fault | None, *, may_drop: bool = True
    ) -> e.Event | None:
        is_fill = isinstance(word, f.OrderFilled)
        lost = Fault.FILL_DROPPED if is_fill else Fault.ACK_DROPPED
        corrected = isinstance(word, f.FillCorrected)
        dropped = may_drop and not corrected and self.temper.strikes(lost, self._rng)
        if dropped or not self.listening:
            order.withheld.add(number)
            if dropped:
                self._note(lost, order.bracket_id)
            self.lost(order)
            return None
        order.withheld.discard(number)
        if fault is not None:
            self._note(fault, order.bracket_id)
        if number < order.newest_told:
            self._note(Fault.REORDERED, order.bracket_id)
        order.newest_told = max(order.newest_told, number)
        return self._stamp(order, word)

    def _stamp(self, order: Order, word: f.VenueEvent) -> e.Event:
        self.touched.add(order.bracket_id)
        return msgspec.structs.replace(word, at_ns=self.now_ns - self.skew_ns)

    def lost(self, order: Order) -> None:
        """A word was lost for good. A desk that compares its books with the venue's would ask; see `owed`."""
        if order.coid not in self.owed:
            self.owed.add(order.coid)
            self._at(self.now_ns + CATCH_UP_NS, lambda: self._catch_up(order))

    def _catch_up(self, order: Order) -> e.Event | None:
        if not self.listening:
            self._at(self.now_ns + CATCH_UP_NS, lambda: self._catch_up(order))
            return None
        self.owed.discard(order.coid)
        return self._answer_look_up(order.coid)

    def _unknown(self, order: Order, fault: Fault, now_ns: int) -> None:
        after_ms = self._rng.choice((50, 1000, 3000))
        word = f.OrderUnknown(0, order.coid, "no answer")
        self._at(
            now_ns + after_ms * NS_PER_MS,
            lambda: self._deliver(order, word, next(self._numbers), fault, may_drop=False),
        )

    def _request(self, coid: str, now_ns: int, act: Callable[[Order], None]) -> None:
        order = self.orders.get(coid)
        if order is None:
            # A desk whose journal fails amid a turn takes back an entry before it decides not to send it.
            word = f.RequestRejected(now_ns, coid, "no such order")
            self._at(now_ns + self._latency_ms() * NS_PER_MS, lambda: word)
            return
        if self.temper.strikes(Fault.REQUEST_LOST, self._rng):
            order.withheld.add(0)
            self._note(Fault.REQUEST_LOST, order.bracket_id)
            return
        due_ns = now_ns + self._latency_ms() * NS_PER_MS

        def arrive() -> None:
            order.withheld.discard(0)
            if self.temper.strikes(Fault.REQUEST_REFUSED, self._rng):
                order.growing = ZERO
                self._note(Fault.REQUEST_REFUSED, order.bracket_id)
                self._say(order, f.RequestRejected(0, coid, "not now"))
                return
            act(order)

        self._at(due_ns, arrive)

    # orders

    def _arrive(self, order: Order) -> None:
        order.arrived = True
        order.withheld.discard(-1)
        self.touched.add(order.bracket_id)
        request = order.request
        if order.denied and request.role.reduces:
            # It had been proven not to be there, so the desk may have put another in its place.
            self.holdings[order.bracket_id].excess += order.quantity
            order.phantom = True
        refusal = self._refusal(order)
        if refusal:
            order.end = "rejected"
            self._say(order, f.OrderRejected(0, order.coid, refusal))
            return
        order.vid = f"{self._epoch}{next(self._names)}"
        order.live = True
        self.live[request.instrument].append(order)
        self._say(order, f.OrderAccepted(0, order.coid, order.vid))
        self._match(order)
        if order.live and request.time_in_force is TimeInForce.IOC:
            self._end(order, "expired")

    def _refusal(self, order: Order) -> str:
        request = order.request
        if (
            request.order_type is OrderType.STOP
            and request.role is OrderRole.STOP
            and not self.rules.stop_market
        ):
            raise BrokenPromise("1: a stop-market order to a venue that has none")
        if request.order_type is OrderType.STOP_LIMIT and not self.rules.stop_limit:
            raise BrokenPromise("1: a stop-limit order to a venue that has none")
        if request.instrument in self.latched:
            return "the position is being liquidated"
        if request.role.reduces and self.rules.balance_lock:
            holding = self.holdings[order.bracket_id]
            locked = sum(
                (item.remaining for item in holding.orders if item.live and item.request.role.reduces), ZERO
            )
            if locked + order.quantity > holding.held and holding.held > 0:
                return "locked by another order"
        fault = Fault.STOP_REJECTED if request.role is OrderRole.STOP else Fault.OTHER_REJECTED
        if self.temper.strikes(fault, self._rng):
            self._note(fault, order.bracket_id)
            return "not now"
        return ""

    def _cancel(self, order: Order) -> None:
        if not order.live:
            self._say(order, f.RequestRejected(0, order.coid, "no such open order"))
            return
        self._end(order, "cancelled")

    def _amend(self, order: Order, quantity: Decimal, stop_price: Decimal) -> None:
        order.growing = ZERO
        self.touched.add(order.bracket_id)
        if not order.live or order.triggered or quantity <= order.filled:
            self._say(order, f.RequestRejected(0, order.coid, "cannot be amended"))
            return
        order.quantity, order.stop_price = quantity, stop_price
        self._say(order, f.OrderAmended(0, order.coid, quantity, stop_price))

    def _end(self, order: Order, how: str) -> None:
        if how == "filled" and order.shrunk:
            how = "cancelled"  # it ends with less than was sent, so that has to be said
        order.live, order.end, order.growing = False, how, ZERO
        self.touched.add(order.bracket_id)
        self.live[order.request.instrument].remove(order)
        if how != "filled":
            self._say(order, self._word_of_end(order))

    def _word_of_end(self, order: Order) -> f.VenueEvent:
        if order.end == "rejected":
            return f.OrderRejected(0, order.coid, "not taken")
        if order.end == "expired":
            return f.OrderExpired(0, order.coid, order.filled)
        return f.OrderCancelled(0, order.coid, order.end, order.filled)

    def _answer_look_up(self, coid: str) -> e.Event | None:
        """Words in order: what it executed, then how it stands. Told one after the other, at once."""
        order = self.orders.get(coid)
        if not self.listening:
            return None
        if order is None or not order.arrived:
            if order is None:
                return f.OrderNotFound(self.now_ns - self.skew_ns, coid)
            return self._stamp(order, f.OrderNotFound(0, coid))
        words: list[f.VenueEvent] = []
        for execution in order.executions.values():
            words.append(f.OrderFilled(0, execution.fill))
            if execution.corrected:
                words.append(_correction(order, execution))
        if order.live:
            words.append(f.OrderAccepted(0, coid, order.vid))
            if order.request.role is OrderRole.STOP and order.stop_price is not None:
                words.append(f.OrderAmended(0, coid, order.quantity, order.stop_price))
            if order.triggered:
                words.append(f.OrderTriggered(0, coid))
        elif order.end != "filled" or order.filled < order.quantity:
            words.append(self._word_of_end(order))
        newest = next(self._numbers)
        for number, word in enumerate(words):
            heapq.heappush(
                self._queue, (self.now_ns, -1_000_000_000 + newest * 100 + number, self._telling(order, word))
            )
        return None

    def _telling(self, order: Order, word: f.VenueEvent) -> Callable[[], e.Event | None]:
        def tell() -> e.Event | None:
            if not self.listening:
                self.lost(order)
                return None
            order.withheld -= {number for number in order.withheld if number >= 0}
            return self._stamp(order, word)

        return tell

    # matching

    def trade_at(self, instrument: str, bid: Decimal, ask: Decimal, at_ns: int) -> None:
        """The true price moved: whatever it reaches is filled."""
        self.now_ns = max(self.now_ns, at_ns)
        self._prices[instrument] = (bid, ask)
        for order in list(self.live[instrument]):
            expires_ns = order.request.expires_ns
            if expires_ns is not None and at_ns >= expires_ns:
                self._end(order, "expired")
            elif order.live:
                self._match(order)

    def _match(self, order: Order) -> None:
        request = order.request
        if request.instrument not in self._prices:
            return
        bid, ask = self._prices[request.instrument]
        sign = request.side.sign
        price = ask if sign > 0 else bid
        if order.stop_price is not None and not order.triggered:
            if (price - order.stop_price) * sign < 0:
                return
            order.triggered = True
            self.touched.add(order.bracket_id)
            self._say(order, f.OrderTriggered(0, order.coid))
        limit = request.limit_price
        if limit is not None and (price - limit) * sign > 0:
            return
        self._fill(order, price)

    def _fill(self, order: Order, price: Decimal) -> None:
        contract = self.instruments[order.request.instrument]
        quantity = order.remaining
        if self.temper.strikes(Fault.PARTIAL, self._rng) and quantity > contract.lot:
            quantity = max(
                contract.round_quantity(quantity * Decimal(self._rng.randrange(1, 10)) / 10), contract.lot
            )
            self._note(Fault.PARTIAL, order.bracket_id)
        self.execute(order, quantity, price)
        if order.filled >= order.quantity:
            self._end(order, "filled")

    def execute(self, order: Order, quantity: Decimal, price: Decimal) -> None:
        """One execution of an order."""
        request = order.request
        contract = self.instruments[request.instrument]
        trade_id = f"t{next(self._names)}"
        fee, currency = self._fee(contract, request.side, quantity, price)
        fill = Fill(
            trade_id,
            order.coid,
            request.account_id,
            request.instrument,
            request.side,
            quantity,
            price,
            fee,
            currency,
            Liquidity.TAKER,
            self.now_ns,
        )
        execution = Execution(fill, quantity, price, fee)
        order.executions[trade_id] = self.executions[trade_id] = execution
        order.filled += quantity
        self._book(order, quantity, price, fee, currency)
        self._say(order, f.OrderFilled(0, fill))

    def _fee(
        self, contract: Instrument, side: Side, quantity: Decimal, price: Decimal
    ) -> tuple[Decimal, str]:
        rate = contract.taker_fee_bps / BPS
        if contract.fee_in_base and side is Side.BUY:
            return quantity * rate, contract.base
        fee = contract.notional(quantity, price) * rate
        if self.fee_currency is not None and contract.is_derivative:
            return fee / 500, self.fee_currency
        return fee, contract.quote

    def _book(self, order: Order, quantity: Decimal, price: Decimal, fee: Decimal, currency: str) -> None:
        request = order.request
        holding = self.holdings[order.bracket_id]
        contract = self.instruments[request.instrument]
        entry = request.role is OrderRole.ENTRY
        grows = request.side.sign == holding.direction.sign
        holding.held += quantity if grows else -quantity
        if entry:
            holding.entered += quantity
        if currency == contract.base and not contract.is_derivative:
            holding.held -= fee
        self.touched.add(order.bracket_id)
        self._pay(request.instrument, request.side, quantity, price, fee, currency, holding.direction)

    def _pay(
        self,
        instrument: str,
        side: Side,
        quantity: Decimal,
        price: Decimal,
        fee: Decimal,
        currency: str,
        direction: Direction,
    ) -> None:
        contract = self.instruments[instrument]
        key = instrument if self.account.mode is PositionMode.NET else f"{instrument}/{direction.value}"
        signed = quantity * side.sign
        in_base = not contract.is_derivative and currency == contract.base
        self.positions[key] = self.positions.get(key, ZERO) + signed - (fee if in_base else ZERO)
        cost = Fraction(signed) * Fraction(price) * Fraction(contract.multiplier)
        self.credit(contract.quote, -cost)
        if not contract.is_derivative:
            self.credit(contract.base, Fraction(signed))
        self.credit(currency, -Fraction(fee))

    def credit(self, currency: str, amount: Fraction) -> None:
        """Moves cash."""
        self.cash[currency] = self.cash.get(currency, Fraction(0)) + amount

    # what venues do of themselves

    def restart(self) -> None:
        """Comes up again with other order ids."""
        self._epoch = chr(ord(self._epoch) + 1)
        for orders in self.live.values():
            for order in orders:
                order.vid = f"{self._epoch}{next(self._names)}"
                self._say(order, f.OrderAccepted(0, order.coid, order.vid))

    def correct(self, execution: Execution, *, bust: bool) -> None:
        """Changes an execution: busts it, or moves its price."""
        order = self.orders[execution.fill.client_order_id]
        fill = execution.fill
        contract = self.instruments[fill.instrument]
        before = self.holdings[order.bracket_id].held
        self._book(order, -execution.quantity, execution.price, -execution.fee, fill.fee_currency)
        order.filled -= execution.quantity
        if bust:
            execution.quantity = execution.fee = ZERO
        else:
            execution.price = fill.price + contract.tick * self._rng.choice((-2, -1, 1, 2))
            execution.fee, _ = self._fee(contract, fill.side, execution.quantity, execution.price)
        self._book(order, execution.quantity, execution.price, execution.fee, fill.fee_currency)
        order.filled += execution.quantity
        execution.corrected, execution.told = True, False
        holding = self.holdings[order.bracket_id]
        holding.excess += max(before - holding.held, ZERO)
        if order.live and bust:
            # What was busted is not open again.
            order.quantity -= fill.quantity
            order.shrunk = True
            if order.quantity <= order.filled:
                self._end(order, "cancelled")
        self._note(Fault.FILL_BUSTED if bust else Fault.FILL_CORRECTED, order.bracket_id)
        self._say(order, _correction(order, execution))

    def liquidate(
        self, instrument: str, direction: Direction, quantity: Decimal, note_for: Iterable[str]
    ) -> None:
        """Closes a part of a position itself. Open orders there are cancelled first, new ones refused."""
        side = Side.SELL if direction is Direction.LONG else Side.BUY
        bid, ask = self._prices[instrument]
        price = bid if side is Side.SELL else ask
        contract = self.instruments[instrument]
        for order in list(self.live[instrument]):
            self._end(order, "liquidation")
        fee = contract.notional(quantity, price) / 1000
        fill = Fill(
            f"liq{next(self._names)}",
            "",
            self.account.account_id,
            instrument,
            side,
            quantity,
            price,
            fee,
            contract.quote,
            Liquidity.TAKER,
            self.now_ns,
        )
        self.liquidations[fill.trade_id] = fill
        self._pay(instrument, side, quantity, price, fee, contract.quote, direction)
        self.latched.add(instrument)
        for bracket_id in note_for:
            self._note(Fault.LIQUIDATED, bracket_id)
        self._tell_liquidation(fill)

    def _tell_liquidation(self, fill: Fill) -> None:
        def tell() -> e.Event | None:
            if not self.listening or self.untold(fill.instrument):
                self._at(self.now_ns + NS_PER_SECOND, tell)
                return None
            self.latched.discard(fill.instrument)
            return f.Liquidated(self.now_ns - self.skew_ns, fill)

        self._at(self.now_ns + self._latency_ms() * NS_PER_MS, tell)

    def trades(self, bracket_id: str, instrument: str) -> bool:
        """Whether a bracket sent orders in an instrument."""
        holding = self.holdings.get(bracket_id)
        return holding is not None and holding.instrument == instrument

    def tell_again(self, fill: Fill) -> None:
        """Word of a liquidation was lost with the facts of a crash."""
        self.latched.add(fill.instrument)
        self._tell_liquidation(fill)

    def untold(self, instrument: str) -> bool:
        """Whether executions of an instrument are still to be told, or orders still on their way there."""
        return any(
            (not order.arrived and not order.end) or any(not item.told for item in order.executions.values())
            for order in self.orders.values()
            if order.request.instrument == instrument
        )

    def postpone(self, by_ns: int) -> None:
        """The desk's process froze: what came meanwhile waits at its door."""
        self._queue = [(due_ns + by_ns, number, act) for due_ns, number, act in self._queue]
        heapq.heapify(self._queue)

    def _take_snapshot(self, asked_ns: int) -> e.Event | None:
        if not self.listening:
            return None
        working = [order for orders in self.live.values() for order in orders]
        resting = [item for item in working if item.request.stop_price is not None and not item.triggered]
        plain = tuple(_listed(item) for item in working if item not in resting)
        positions: dict[str, Decimal] = {}
        for key, quantity in self.positions.items():
            name = key.partition("/LONG")[0].partition("/SHORT")[0]
            positions[name] = positions.get(name, ZERO) + quantity
        fills = tuple(item.fill for item in self.executions.values() if not item.told)
        return e.VenueSnapshot(
            self.now_ns - self.skew_ns,
            self.account.account_id,
            asked_ns,
            plain,
            tuple(_listed(item) for item in resting),
            positions,
            None,
            fills,
        )

    def restore(self, state: DeskState) -> None:
        """Its truth is its own."""


def _listed(order: Order) -> e.VenueOrder:
    request = order.request
    return e.VenueOrder(
        order.coid,
        order.vid,
        request.instrument,
        request.side,
        order.quantity,
        order.filled,
        order.stop_price,
    )


def _correction(order: Order, execution: Execution) -> f.FillCorrected:
    return f.FillCorrected(
        0, order.coid, execution.fill.trade_id, execution.quantity, execution.price, execution.fee
    )
