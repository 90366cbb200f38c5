"""A venue with its own truth, and wires that garble what it says.

It matches orders against true prices, keeps executions, positions and cash, and is believed by the judge.
Between it and the desk lie delays, losses, doubles, refusals, unknown answers, corrections, liquidations
and changes of order ids. Nothing here reads the desk's state.
"""

import random
from collections.abc import Callable, Iterable
from decimal import Decimal
from fractions import Fraction
from itertools import count

from neuratrade.core.engine.state import DeskState
from neuratrade.core.model import events as e
from neuratrade.core.model import facts as f
from neuratrade.core.model.account import Account
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
from tests.simulation.faults.books import Books
from tests.simulation.faults.kinds import Fault
from tests.simulation.faults.money import Money
from tests.simulation.faults.stranger import Stranger
from tests.simulation.faults.truth import (
    ARRIVAL,
    REQUEST,
    ZERO,
    BrokenPromise,
    Execution,
    Holding,
    Order,
    Temper,
)
from tests.simulation.faults.wires import Note, NoteAll, Wires

BPS = Decimal(10_000)
REFUSED_OUT_OF_PLACE = 0.6
LIQUIDATION_WAIT_NS = 10 * NS_PER_SECOND


class FaultyVenue(Wires):
    """Stands where the paper exchange stands. shut: markets that are closed; latched: those it liquidates."""

    def __init__(
        self,
        account: Account,
        instruments: dict[str, Instrument],
        rules: VenueRules,
        temper: Temper,
        rng: random.Random,
        note: Note,
        note_all: NoteAll,
    ) -> None:
        super().__init__(temper, rng, note, note_all)
        self.account = account
        self.instruments = instruments
        self.rules = rules
        self.orders: dict[str, Order] = {}
        self.holdings: dict[str, Holding] = {}
        self.live: dict[str, list[Order]] = {key: [] for key in instruments}
        self.money = Money(account, instruments)
        self.positions, self.cash = self.money.positions, self.money.cash
        self.executions: dict[str, Execution] = {}
        self.liquidations: dict[str, Fill] = {}
        self.latched: set[str] = set()
        self.shut: set[str] = set()
        self.fee_currency: str | None = None
        self.stranger = Stranger(account.account_id, instruments, random.Random(rng.random()))
        self.prices: dict[str, tuple[Decimal, Decimal]] = {}
        self._books = Books(self)
        self._names = count(1)
        self._epoch = "A"

    # as the desk sees it

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
        now_ns = max(now_ns, self.now_ns)
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
        late_ns = self.latency_ns()
        if self.strikes(Fault.UNKNOWN_NOT_TAKEN):
            order.end = "never came"
            self.leave_unknown(order, Fault.UNKNOWN_NOT_TAKEN, now_ns)
            return
        if self.strikes(Fault.UNKNOWN_TAKEN):
            self.leave_unknown(order, Fault.UNKNOWN_TAKEN, now_ns)
        elif self.strikes(Fault.UNKNOWN_LATE):
            late_ns = self.rng.choice((1500, 3000, 6000, 15000)) * NS_PER_MS
            self.leave_unknown(order, Fault.UNKNOWN_LATE, now_ns)
            order.withheld[ARRIVAL] = now_ns
        self.at(now_ns + late_ns, lambda: self._arrive(order))

    def cancel(self, coid: str, now_ns: int) -> None:
        self._request(coid, now_ns, self._cancel)

    def amend(self, coid: str, quantity: Decimal, stop_price: Decimal, now_ns: int) -> None:
        order = self.orders.get(coid)
        if order is not None:
            order.growing = max(order.growing, quantity)
            self.touched.add(order.bracket_id)
        self._request(coid, now_ns, lambda found: self._amend(found, quantity, stop_price))

    def look_up(self, coid: str, now_ns: int) -> None:
        now_ns = max(now_ns, self.now_ns)
        order = self.orders.get(coid)
        if order is not None and self.strikes(Fault.LOOK_UP_LOST):
            order.withheld[REQUEST] = now_ns
            self.note(Fault.LOOK_UP_LOST, order.bracket_id)
            return
        self.at(now_ns + self.latency_ns(), lambda: self._answer_look_up(coid))

    def take_snapshot(self, now_ns: int) -> None:
        now_ns = max(now_ns, self.now_ns)
        self._books.ask(now_ns)

    def wallet(self) -> dict[str, Fraction]:
        """Balances of what is ours, as this venue shows them."""
        return self.money.wallet()

    def _request(self, coid: str, now_ns: int, act: Callable[[Order], None]) -> None:
        now_ns = max(now_ns, self.now_ns)
        order = self.orders.get(coid)
        if order is None:
            # A desk whose journal fails amid a turn takes back an entry before it decides not to send it.
            self.at(
                now_ns + self.latency_ns(),
                lambda: f.RequestRejected(self.now_ns - self.skew_ns, coid, "no such order"),
            )
            return
        if self.strikes(Fault.REQUEST_LOST):
            order.withheld[REQUEST] = now_ns
            self.note(Fault.REQUEST_LOST, order.bracket_id)
            return
        due_ns = now_ns + self.latency_ns()

        def arrive() -> None:
            order.withheld.pop(REQUEST, None)
            if self.strikes(Fault.REQUEST_REFUSED):
                order.growing = ZERO
                self.note(Fault.REQUEST_REFUSED, order.bracket_id)
                self.say(order, f.RequestRejected(0, coid, "not now"))
                return
            act(order)

        self.at(due_ns, arrive)

    # orders

    def _arrive(self, order: Order) -> None:
        order.arrived = True
        order.withheld.pop(ARRIVAL, None)
        self.touched.add(order.bracket_id)
        request = order.request
        if order.denied and request.role.reduces:
            # It had been proven not to be there, so the desk may have put another in its place.
            self.holdings[order.bracket_id].excess += order.quantity
            order.phantom = True
        refusal = self._refusal(order)
        if refusal:
            order.end = "rejected"
            self.say(order, f.OrderRejected(0, order.coid, refusal))
            return
        order.vid = f"{self._epoch}{next(self._names)}"
        order.live = True
        self.live[request.instrument].append(order)
        self.say(order, f.OrderAccepted(0, order.coid, order.vid))
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
        if request.instrument in self.shut:
            return "the market is closed"
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
        if self.strikes(fault) or self._is_out_of_place(order):
            self.note(fault, order.bracket_id)
            return "not now"
        return ""

    def _is_out_of_place(self, order: Order) -> bool:
        """An entry into what no stop guards, or an order thought absent: refused more often than not."""
        holding = self.holdings[order.bracket_id]
        working = (item for item in holding.orders if item.live and item.request.role is OrderRole.STOP)
        bare = holding.held > sum((item.remaining for item in working), ZERO)
        adds = order.request.role is OrderRole.ENTRY and bare
        wild = bool(self.temper.chances)
        return wild and (adds or order.denied) and self.rng.random() < REFUSED_OUT_OF_PLACE

    def _cancel(self, order: Order) -> None:
        if not order.live:
            self.say(order, f.RequestRejected(0, order.coid, "no such open order"))
            return
        self._end(order, "cancelled")

    def _amend(self, order: Order, quantity: Decimal, stop_price: Decimal) -> None:
        order.growing = ZERO
        self.touched.add(order.bracket_id)
        if not order.live or order.triggered or quantity <= order.filled:
            self.say(order, f.RequestRejected(0, order.coid, "cannot be amended"))
            return
        order.quantity, order.stop_price = quantity, stop_price
        self.say(order, f.OrderAmended(0, order.coid, quantity, stop_price))

    def _end(self, order: Order, how: str) -> None:
        if how == "filled" and order.shrunk:
            how = "cancelled"  # it ends with less than was sent, so that has to be said
        order.live, order.end, order.growing = False, how, ZERO
        self.touched.add(order.bracket_id)
        self.live[order.request.instrument].remove(order)
        if how != "filled":
            self.say(order, self._word_of_end(order))

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
            return self.stamp(order, f.OrderNotFound(0, coid))
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
        self.tell_at_once(order, words)
        return None

    # matching

    def trade_at(self, instrument: str, bid: Decimal, ask: Decimal, at_ns: int) -> None:
        """The true price moved: whatever it reaches is filled."""
        self.now_ns = max(self.now_ns, at_ns)
        self.prices[instrument] = (bid, ask)
        self._books.copy()
        for order in list(self.live[instrument]):
            expires_ns = order.request.expires_ns
            if expires_ns is not None and at_ns >= expires_ns:
                self._end(order, "expired")
            elif order.live and instrument not in self.shut:
                self._match(order)

    def _match(self, order: Order) -> None:
        request = order.request
        if request.instrument not in self.prices:
            return
        bid, ask = self.prices[request.instrument]
        sign = request.side.sign
        price = ask if sign > 0 else bid
        if order.stop_price is not None and not order.triggered:
            if (price - order.stop_price) * sign < 0:
                return
            order.triggered = True
            self.touched.add(order.bracket_id)
            if self._is_refused_when_reached(order):
                return
            self.say(order, f.OrderTriggered(0, order.coid))
        limit = request.limit_price
        if limit is not None and (price - limit) * sign > 0:
            return
        self._fill(order, price)

    def _is_refused_when_reached(self, order: Order) -> bool:
        """What rested may be refused once its level is reached: only then is it held against money."""
        fault = Fault.STOP_REJECTED if order.request.role is OrderRole.STOP else Fault.OTHER_REJECTED
        if not self.strikes(fault):
            return False
        self.note(fault, order.bracket_id)
        self._end(order, "rejected")
        return True

    def _fill(self, order: Order, price: Decimal) -> None:
        contract = self.instruments[order.request.instrument]
        quantity = order.remaining
        if self.strikes(Fault.PARTIAL) and quantity > contract.lot:
            quantity = max(
                contract.round_quantity(quantity * Decimal(self.rng.randrange(1, 10)) / 10), contract.lot
            )
            self.note(Fault.PARTIAL, order.bracket_id)
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
        execution = Execution(fill, quantity, price, fee, self.now_ns)
        order.executions[trade_id] = self.executions[trade_id] = execution
        order.filled += quantity
        self._book(order, quantity, price, fee, currency)
        self.say(order, f.OrderFilled(0, fill))

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
        self.money.pay(request.instrument, request.side, quantity, price, fee, currency, holding.direction)

    # what venues do of themselves

    def restart(self) -> None:
        """Comes up again with other order ids."""
        self._epoch = chr(ord(self._epoch) + 1)
        for orders in self.live.values():
            for order in orders:
                order.vid = f"{self._epoch}{next(self._names)}"
                self.say(order, f.OrderAccepted(0, order.coid, order.vid))

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
            execution.price = fill.price + contract.tick * self.rng.choice((-2, -1, 1, 2))
            execution.fee, _ = self._fee(contract, fill.side, execution.quantity, execution.price)
        self._book(order, execution.quantity, execution.price, execution.fee, fill.fee_currency)
        order.filled += execution.quantity
        execution.corrected, execution.told, execution.changed_ns = True, False, self.now_ns
        holding = self.holdings[order.bracket_id]
        holding.excess += max(before - holding.held, ZERO)
        holding.returned += max(holding.held - before, ZERO)
        if order.live and bust:
            # What was busted is not open again.
            order.quantity -= fill.quantity
            order.shrunk = True
            if order.quantity <= order.filled:
                self._end(order, "cancelled")
        self.note(Fault.FILL_BUSTED if bust else Fault.FILL_CORRECTED, order.bracket_id)
        self.say(order, _correction(order, execution))

    def liquidate(
        self, instrument: str, direction: Direction, quantity: Decimal, note_for: Iterable[str]
    ) -> None:
        """Closes a part of a position itself. Open orders there are cancelled first, new ones refused."""
        side = Side.SELL if direction is Direction.LONG else Side.BUY
        bid, ask = self.prices[instrument]
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
        self.money.pay(instrument, side, quantity, price, fee, contract.quote, direction)
        self.latched.add(instrument)
        for bracket_id in note_for:
            self.note(Fault.LIQUIDATED, bracket_id)
        self._tell_liquidation(fill)

    def _tell_liquidation(self, fill: Fill) -> None:
        """Word of it comes by the stream, behind what was executed before; where that is lost, so is this."""
        until_ns = self.now_ns + LIQUIDATION_WAIT_NS

        def tell() -> e.Event | None:
            silent = self.now_ns < self.silent_until_ns
            if not self.listening or silent or self.strikes(Fault.ACK_DROPPED) or self.now_ns > until_ns:
                return None
            if self.untold(fill.instrument):
                self.at(self.now_ns + NS_PER_SECOND, tell)
                return None
            return f.Liquidated(self.now_ns - self.skew_ns, fill)

        self.at(self.now_ns + self.latency_ns(), tell)

    def adopt(
        self, bracket_id: str, instrument: str, direction: Direction, quantity: Decimal, price: Decimal
    ) -> None:
        """The desk took over a stranger's holding, at a price; a negative quantity: that was lost again."""
        holding = self.holdings.setdefault(bracket_id, Holding(direction, instrument))
        holding.adopted = True
        holding.held += quantity
        holding.entered += quantity
        self.touched.add(bracket_id)
        self.stranger.hand_over(instrument, direction, quantity)
        contract = self.instruments[instrument]
        side = Side.BUY if direction is Direction.LONG else Side.SELL
        self.money.pay(instrument, side, quantity, price, ZERO, contract.quote, direction)
        if not contract.is_derivative:
            self.money.credit(contract.quote, Fraction(quantity) * Fraction(price) * side.sign)

    def trades(self, bracket_id: str, instrument: str) -> bool:
        """Whether a bracket sent orders in an instrument."""
        holding = self.holdings.get(bracket_id)
        return holding is not None and holding.instrument == instrument

    def untold(self, instrument: str) -> bool:
        """Whether executions of an instrument are still to be told, or orders still on their way there."""
        return any(
            (not order.arrived and not order.end) or any(not item.told for item in order.executions.values())
            for order in self.orders.values()
            if order.request.instrument == instrument
        )

    def restore(self, state: DeskState) -> None:
        """Its truth is its own."""


def _correction(order: Order, execution: Execution) -> f.FillCorrected:
    return f.FillCorrected(
        0, order.coid, execution.fill.trade_id, execution.quantity, execution.price, execution.fee
    )
