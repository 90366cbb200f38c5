"""Orders at the venue: taken or refused, matched against true prices, and booked into its own money.

It is believed by the judge. Nothing here reads the desk's state.
"""

import random
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from itertools import count

from neuratrade.core.engine.state import DeskState
from neuratrade.core.model import events as e
from neuratrade.core.model import facts as f
from neuratrade.core.model.account import Account
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.market import NS_PER_MS, Bar, Quote, Trade
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


class Exchange(Wires):
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
        self.names = count(1)
        self.epoch = "A"

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
        order.vid = f"{self.epoch}{next(self.names)}"
        order.live = True
        self.live[request.instrument].append(order)
        self.say(order, f.OrderAccepted(0, order.coid, order.vid))
        self._match(order)
        if order.live and request.time_in_force is TimeInForce.IOC:
            self.end(order, "expired")

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
        self.end(order, "cancelled")

    def _amend(self, order: Order, quantity: Decimal, stop_price: Decimal) -> None:
        order.growing = ZERO
        self.touched.add(order.bracket_id)
        if not order.live or order.triggered or quantity <= order.filled:
            self.say(order, f.RequestRejected(0, order.coid, "cannot be amended"))
            return
        order.quantity, order.stop_price = quantity, stop_price
        self.say(order, f.OrderAmended(0, order.coid, quantity, stop_price))

    def end(self, order: Order, how: str) -> None:
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
                words.append(correction_of(order, execution))
        if order.live:
            words.append(f.OrderAccepted(0, coid, order.vid))
            if order.request.role is OrderRole.STOP and order.stop_price is not None:
                words.append(f.OrderAmended(0, coid, order.quantity, order.stop_price))
            if order.triggered:
                words.append(f.OrderTriggered(0, coid))
        else:
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
                self.end(order, "expired")
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
        self.end(order, "rejected")
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
            self.end(order, "filled")

    def execute(self, order: Order, quantity: Decimal, price: Decimal) -> None:
        """One execution of an order."""
        request = order.request
        contract = self.instruments[request.instrument]
        trade_id = f"t{next(self.names)}"
        fee, currency = self.fee(contract, request.side, quantity, price)
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
        self.book(order, quantity, price, fee, currency)
        self.say(order, f.OrderFilled(0, fill))

    def fee(self, contract: Instrument, side: Side, quantity: Decimal, price: Decimal) -> tuple[Decimal, str]:
        rate = contract.taker_fee_bps / BPS
        if contract.fee_in_base and side is Side.BUY:
            return quantity * rate, contract.base
        fee = contract.notional(quantity, price) * rate
        if self.fee_currency is not None and contract.is_derivative:
            return fee / 500, self.fee_currency
        return fee, contract.quote

    def book(self, order: Order, quantity: Decimal, price: Decimal, fee: Decimal, currency: str) -> None:
        request = order.request
        holding = self.holdings[order.bracket_id]
        contract = self.instruments[request.instrument]
        entry = request.role is OrderRole.ENTRY
        grows = request.side.sign == holding.direction.sign
        holding.held += quantity if grows else -quantity
        if entry:
            holding.entered += quantity
        if currency == contract.base and not contract.is_derivative:
            holding.held -= fee * holding.direction.sign
        self.touched.add(order.bracket_id)
        self.money.pay(request.instrument, request.side, quantity, price, fee, currency, holding.direction)

    def restore(self, state: DeskState) -> None:
        """Its truth is its own."""


def correction_of(order: Order, execution: Execution) -> f.FillCorrected:
    return f.FillCorrected(
        0, order.coid, execution.fill.trade_id, execution.quantity, execution.price, execution.fee
    )
